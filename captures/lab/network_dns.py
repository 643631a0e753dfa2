"""Captures of name lookups that fail, by the stub resolvers of glibc, Java and c-ares; the resolver plays the part asked of it."""
import socket
import struct
import threading
import time

from moves import NAME, answer
from play import scenario

HOSTS = "c=lan.15 s=dc.20 d=dns.53 e=dns.54"
A, AAAA = 1, 28
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
LOOK = """
import socket, sys
try:
    address = socket.getaddrinfo(sys.argv[1], 8080, 0, socket.SOCK_STREAM)[0][4][0]
    one = socket.create_connection((address, 8080), 5)
    one.sendall(b"GET /kpfw/v1/status HTTP/1.1\\r\\nHost: dppt.beijing.chinatax.gov.cn\\r\\n\\r\\n")
    one.recv(65536)
    one.close()
except OSError as error:
    print(error)
"""
JAVA = """
public class Look { public static void main(String[] a) throws Exception {
  try { System.out.println(java.net.InetAddress.getByName(a[0])); } catch (java.net.UnknownHostException e) { System.out.println(e); } } }
"""


def words(name):
    return b"".join(bytes([len(w)]) + w.encode() for w in name.split(".")) + b"\0"


class Resolver:
    """A DNS server whose `part(name, type)` gives None for silence, or `(delay, rcode, addresses)`; rcode -1 truncates."""

    def __init__(self, lab, host="d"):
        self.part = lambda name, kind: (0.004, NOERROR, ["203.0.113.20"] if kind == A else [])
        self.udp = lab.socket(host, socket.SOCK_DGRAM)
        self.udp.bind(("::" if lab.ip6 else "0.0.0.0", 53))
        self.udp.settimeout(None)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack("!H", query[at + 1:at + 3])[0]
            played = self.part(".".join(labels), kind)
            if played is None:
                continue
            delay, code, addresses = played
            flags = 0x8180 | (0x0200 if code < 0 else max(code, 0))
            body = query[12:at + 5]
            for address in addresses:
                data = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
                body += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
            reply = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + body
            threading.Timer(delay, lambda r=reply, p=peer: self.say(r, p)).start()

    def say(self, reply, peer):
        try:
            self.udp.sendto(reply, peer)
        except OSError:
            pass


def serve(lab):
    """A web service that answers each connection once."""
    listener = lab.listen("s", 8080, six=False)
    listener.settimeout(None)

    def work():
        while True:
            try:
                other, _ = listener.accept()
            except OSError:
                return
            other.recv(65536)
            other.sendall(answer())
            other.recv(1)
            other.close()
    threading.Thread(target=work, daemon=True).start()


def look(lab, name=NAME, host="c"):
    lab.run(host, ["python3", "-c", LOOK, name])


def told(code, name, shows, why, filter_="dns", **lab):
    lab.setdefault("hosts", HOSTS)
    lab.setdefault("tools", "glibc's resolver, a scripted DNS server")
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def silent(name, shows, why, filter_="dns", **lab):
    lab.setdefault("hosts", HOSTS)
    lab.setdefault("tools", "glibc's resolver, a scripted DNS server")
    return scenario(f"network/{name}", f"silent — {why}", shows, filter_, **lab)


def then(part, client=look, resolv=None, first=True):
    """The name resolves and the service is reached; then the resolver plays the part and the client asks again."""
    def play(lab):
        resolver = Resolver(lab)
        if resolv:
            lab.etc("c", "resolv.conf", resolv)
        serve(lab)
        lab.capture()
        if first:
            look(lab)
        resolver.part = part
        client(lab)
        alive(lab)
    return play


def alive(lab):
    """The capture goes on for the patience of a lookup (5 s), and holds a frame that shows it."""
    time.sleep(4)
    lab.run("c", ["ping", "-c", "1", lab.ip("s")])


def java(lab):
    (lab.dir / "Look.java").write_text(JAVA)
    lab.run("c", ["java", "-Djava.net.preferIPv4Stack=true", "Look.java", NAME])


def node(lab):
    lab.run("c", ["node", "-e", f"require('dns').resolve4('{NAME}', (e, a) => console.log(e, a))"])


def other_client(lab):
    look(lab, host="b")


def code(rcode):
    return lambda name, kind: (0.005, rcode, [])


# no answer

told("dns-timeout", "resolver-falls-silent", "the name resolves; a little later the same resolver answers nothing, glibc asks twice for A and AAAA", "unanswered: [[dns.flags.response==0 && frame.time_relative>1.0]]")(then(lambda n, k: None))
told("dns-timeout", "java", "the name resolves; then a Java client's queries stay unanswered", "unanswered: [[dns.flags.response==0 && dns.retransmission]]", tools="OpenJDK, a scripted DNS server")(then(lambda n, k: None, java))
told("dns-timeout", "c-ares", "the name resolves; then node's c-ares asks in vain", "the last queries: [[dns.flags.response==0 && frame.time_relative>1.0]]", tools="node with c-ares, a scripted DNS server")(then(lambda n, k: None, node))
told("dns-timeout", "two-resolvers-silent", "both resolvers of resolv.conf are silent", "unanswered at both: [[dns.flags.response==0 && ip.dst==198.51.100.54]]")(
    then(lambda n, k: None, resolv="nameserver 198.51.100.53\nnameserver 198.51.100.54\noptions timeout:1 attempts:2\n"))


@told("dns-timeout", "port-53-dropped", "the name resolves; then a firewall on the way drops UDP 53", "unanswered: [[dns.flags.response==0 && frame.time_relative>1.0]]")
def dropped(lab):
    Resolver(lab)
    serve(lab)
    lab.capture()
    look(lab)
    time.sleep(1)
    lab.nft("g", "forward", "udp dport 53 drop")
    look(lab)
    alive(lab)


@told("dns-timeout", "truncated-and-tcp-53-dropped", "the second answer is truncated; the retry over TCP 53 is a SYN and its retries", "truncated [[dns.flags.truncated==1]], SYNs [[tcp.dstport==53]]", "dns || tcp.port==53")
def truncated(lab):
    lab.nft("s", "input", "tcp dport 53 drop")
    lab.nft("d", "input", "tcp dport 53 drop")
    then(lambda n, k: (0.004, -1, []), lambda lab: lab.run("c", ["timeout", "9", "python3", "-c", LOOK, NAME]))(lab)


@silent("dns-timeout/not-wpad", "the client asks for wpad and a single label in vain; its real name resolves", "never for WPAD and single labels")
def wpad(lab):
    resolver = Resolver(lab)
    serve(lab)
    lab.etc("c", "resolv.conf", "nameserver 198.51.100.53\noptions timeout:1 attempts:2\n")
    resolver.part = lambda n, k: None if n in ("wpad", "printer") else (0.003, NOERROR, ["203.0.113.20"] if k == A else [])
    lab.capture()
    look(lab, "wpad")
    look(lab, "printer")
    look(lab)


@silent("dns-timeout/not-capture-ends", "the last query is 1 s old when the capture ends", "undetermined: its patience has not passed")
def ends(lab):
    resolver = Resolver(lab)
    serve(lab)
    lab.capture()
    look(lab)
    resolver.part = lambda n, k: None
    one = lab.socket("c", socket.SOCK_DGRAM)
    one.sendto(b"\x11\x22\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + words(NAME) + b"\0\1\0\1", ("198.51.100.53", 53))
    time.sleep(1)
    lab.stop(0)


def aaaa_denied(lab, pause):
    """dnsmasq gives A and says NXDOMAIN to AAAA, while the service is reached again and again; then it is killed."""
    server = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", f"--address=/{NAME}/203.0.113.20", "--local=/chinatax.gov.cn/"]
    serve(lab)
    first = lab.start("d", server, 53, udp=True)
    lab.capture()
    for _ in range(3):
        look(lab)
        time.sleep(0.5)
    lab.nft("d", "input", "udp dport 53 drop")
    lab.end(first)
    time.sleep(0.3)
    if pause:
        look(lab)
        time.sleep(4)
        # By its address the service is reached as before.
        lab.run("c", ["curl", "-s", "-o", "/dev/null", "http://203.0.113.20:8080/"])
        return
    one = lab.socket("c", socket.SOCK_DGRAM)
    for kind in (1, 28):
        one.sendto(bytes([0x11, kind]) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + words(NAME) + bytes([0, 0, kind, 0, 1]), ("198.51.100.53", 53))
    time.sleep(1)
    lab.stop(0)


told("dns-timeout", "aaaa-denied-while-well", "dnsmasq gives A and denies AAAA (NXDOMAIN) while all is well; then it falls silent: the denials are no part of the failure", "unanswered: [[dns.flags.response==0 && frame.time_relative>1.5]]", tools="glibc's resolver, dnsmasq 2.90")(lambda lab: aaaa_denied(lab, True))
silent("dns-nxdomain/not-aaaa-denied-while-well", "dnsmasq gives A and denies AAAA (NXDOMAIN) while all is well; it falls silent a second before the capture ends", "the last questions are undetermined, and the denials before them were repaired", tools="glibc's resolver, dnsmasq 2.90")(lambda lab: aaaa_denied(lab, False))


# an answer that says no

for label, rcode, name in (("nxdomain", NXDOMAIN, "vanished"), ("servfail", SERVFAIL, "servfail"), ("servfail", FORMERR, "formerr"), ("servfail", NOTIMP, "notimp"), ("refused", REFUSED, "refused")):
    told(f"dns-{label}", name, f"the name resolves and the service is reached; later the resolver answers {name.upper()} (rcode {rcode})", f"rcode {rcode}: [[dns.flags.rcode=={rcode}]]")(then(code(rcode)))
for label, rcode in (("nxdomain", NXDOMAIN), ("servfail", SERVFAIL), ("refused", REFUSED)):
    told(f"dns-{label}", "java", "resolves for glibc, then Java gets the error", f"rcode {rcode}: [[dns.flags.rcode=={rcode}]]", tools="OpenJDK, a scripted DNS server")(then(code(rcode), java))
    told(f"dns-{label}", "c-ares", "resolves for glibc, then node's c-ares gets the error", f"rcode {rcode}: [[dns.flags.rcode=={rcode}]]", tools="node with c-ares, a scripted DNS server")(then(code(rcode), node))

    def split(lab, rcode=rcode):
        """One client is answered, the other refused, as by two views of one zone."""
        resolver = Resolver(lab)
        lab.etc("b", "resolv.conf", "nameserver 198.51.100.53\noptions timeout:2 attempts:1\n")
        serve(lab)
        lab.capture("g", device="lan")
        look(lab)
        resolver.part = code(rcode)
        look(lab, host="b")
    told(f"dns-{label}", "another-client", "the name resolves for 192.0.2.15, and fails for 192.0.2.16; captured at the gateway", f"rcode {rcode}: [[dns.flags.rcode=={rcode}]]", hosts=HOSTS + " b=lan.16")(split)


@told("dns-refused", "dnsmasq", "dnsmasq knows the name, is restarted without it and without an upstream: REFUSED", "[[dns.flags.rcode==5]]", tools="glibc's resolver, dnsmasq 2.90")
def dnsmasq(lab):
    base = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]
    serve(lab)
    first = lab.start("d", [*base, f"--address=/{NAME}/203.0.113.20"], 53, udp=True)
    lab.capture()
    look(lab)
    lab.end(first)
    lab.start("d", base, 53, udp=True)
    look(lab)


@told("dns-nxdomain", "dnsmasq", "dnsmasq knows the name, is restarted with an empty local zone: NXDOMAIN", "[[dns.flags.rcode==3]]", tools="glibc's resolver, dnsmasq 2.90")
def dnsmasq_nx(lab):
    base = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]
    serve(lab)
    first = lab.start("d", [*base, f"--address=/{NAME}/203.0.113.20"], 53, udp=True)
    lab.capture()
    look(lab)
    lab.end(first)
    lab.start("d", [*base, "--local=/chinatax.gov.cn/"], 53, udp=True)
    look(lab)


# over TCP, and not on port 53: told by the bytes

APART = """
import socket, struct, sys, time
one = socket.create_connection(("198.51.100.53", int(sys.argv[1])), 5)
one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
name = b"".join(bytes([len(w)]) + w.encode() for w in sys.argv[2].split(".")) + b"\\0"
query = b"\\x21\\x07\\x01\\x00\\x00\\x01" + bytes(6) + name + b"\\0\\1\\0\\1"
one.send(struct.pack("!H", len(query)))
time.sleep(0.01)
one.send(query)
one.recv(4096)
one.close()
"""


def kdig(lab, port):
    lab.run("c", ["kdig", "@198.51.100.53", "-p", port, "+tcp", "+retry=0", NAME, "A"])


def apart(lab, port):
    """A client that sends the message's length in a segment of its own."""
    lab.run("c", ["python3", "-c", APART, port, NAME])


def elsewhere(port, later, ask=kdig):
    """dnsmasq knows the name, then is restarted as `later` says; it is asked by TCP on this port, the address is connected to."""
    def play(lab):
        base = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", f"--port={port}"]
        serve(lab)
        first = lab.start("d", [*base, f"--address=/{NAME}/203.0.113.20"], port)
        lab.capture()
        lab.run("c", ["kdig", "@198.51.100.53", "-p", port, "+tcp", "+retry=0", "+keepopen", NAME, "A", NAME, "AAAA"])
        lab.run("c", ["python3", "-c", LOOK, "203.0.113.20"])
        if later is not None:
            time.sleep(1)
            lab.end(first)
            lab.start("d", [*base, *later], port)
            ask(lab, port)
    return play


REFUSES = "[[tcp.srcport==8053 && tcp.payload[5:1]==85 && frame.time_relative>1]]"
KDIG = dict(hosts=HOSTS, tools="kdig 3.2.6, dnsmasq 2.90, Python")
told("dns-refused", "tcp-8053", "over TCP on port 8053: dnsmasq knows the name, is restarted without it and without an upstream: REFUSED", REFUSES, "tcp.port==8053 && tcp.len>0", **KDIG)(elsewhere(8053, []))
told("dns-refused", "tcp-8053-length-apart", "the same, and the client sends the length of its question in a segment of its own", REFUSES, "tcp.port==8053 && tcp.len>0", **KDIG)(elsewhere(8053, [], apart))
told("dns-nxdomain", "tcp-5353", "over TCP on port 5353, where multicast DNS has UDP alone: dnsmasq is restarted with an empty local zone: NXDOMAIN", "[[dns.flags.rcode==3]]", "tcp.port==5353 && tcp.len>0", **KDIG)(elsewhere(5353, ["--local=/chinatax.gov.cn/"]))
scenario("healthy/net-dns-tcp-8053", "silent", "A and AAAA on one connection over TCP on port 8053, then the service is reached", "tcp.port==8053", **KDIG)(elsewhere(8053, None))


@silent("dns-nxdomain/not-search-suffix", "ndots:5: the name with two search suffixes is NXDOMAIN, the name itself resolves", "a suffix expansion that another form repairs")
def suffix(lab):
    resolver = Resolver(lab)
    serve(lab)
    lab.etc("c", "resolv.conf", "nameserver 198.51.100.53\nsearch corp.example.com branch.example.com\noptions ndots:5\n")
    resolver.part = lambda n, k: (0.004, NXDOMAIN, []) if n.endswith("example.com") else (0.004, NOERROR, ["203.0.113.20"] if k == A else [])
    lab.capture()
    look(lab)
    look(lab)


@silent("dns-nxdomain/not-never-an-endpoint", "a name that never resolved and that nobody connects to: NXDOMAIN", "information only")
def never(lab):
    resolver = Resolver(lab)
    serve(lab)
    resolver.part = lambda n, k: (0.004, NXDOMAIN, []) if n.startswith("typo") else (0.004, NOERROR, ["203.0.113.20"] if k == A else [])
    lab.capture()
    look(lab)
    look(lab, "typo.example.net")


def ptr(rcode):
    def play(lab):
        resolver = Resolver(lab)
        serve(lab)
        resolver.part = lambda n, k: (0.004, rcode, []) if k == 12 else (0.004, NOERROR, ["203.0.113.20"] if k == A else [])
        lab.capture()
        look(lab)
        for _ in range(2):
            lab.run("c", ["python3", "-c", "import socket; socket.gethostbyaddr('203.0.113.20')"])
    return play


silent("dns-servfail/not-ptr", "the reverse lookup of the server's address is SERVFAIL; the name itself resolves", "never for PTR")(ptr(SERVFAIL))
silent("dns-refused/not-ptr", "the reverse lookup of the server's address is REFUSED; the name itself resolves", "never for PTR")(ptr(REFUSED))


# slow, or empty

SLOW = "dns.time>1"
told("dns-slow", "answer-after-1600-ms", "the second lookup's answers take 1.6 s; the service is reached", f"[[{SLOW}]]")(then(lambda n, k: (1.6, NOERROR, ["203.0.113.20"] if k == A else [])))


@told("dns-slow", "first-query-lost", "the first query of the second lookup gets no answer, its retry after 2 s does", "[[dns.flags.response==0]]")
def retried(lab):
    resolver = Resolver(lab)
    serve(lab)
    lab.capture()
    look(lab)
    end = time.time() + 1.5
    resolver.part = lambda n, k: None if time.time() < end else (0.004, NOERROR, ["203.0.113.20"] if k == A else [])
    look(lab)


def fallback(part):
    def play(lab):
        first, second = Resolver(lab), Resolver(lab, "e")
        lab.etc("c", "resolv.conf", "nameserver 198.51.100.53\nnameserver 198.51.100.54\noptions timeout:2\n")
        serve(lab)
        lab.capture()
        look(lab)
        first.part = part
        look(lab)
    return play


told("dns-slow", "only-the-fallback-resolver", "the first resolver is silent, the second answers after 2 s", "answered by [[ip.src==198.51.100.54]]")(fallback(lambda n, k: None))
told("dns-slow", "servfail-then-fallback", "the first resolver answers SERVFAIL, the second one resolves", "answered by [[ip.src==198.51.100.54]]")(fallback(code(SERVFAIL)))
silent("dns-slow/not-under-a-second", "answers after 0.7 s", "below the threshold")(then(lambda n, k: (0.7, NOERROR, ["203.0.113.20"] if k == A else [])))

EMPTY = "dns.flags.response==1 && dns.count.answers==0 && dns.flags.rcode==0"
told("dns-no-address", "both-empty", "the name resolves; later A and AAAA are answered NOERROR without an address", f"[[{EMPTY} && frame.time_relative>0.02]]")(then(lambda n, k: (0.004, NOERROR, [])))
told("dns-no-address", "java", "the same; the second client is Java on both families", f"[[{EMPTY}]]", tools="OpenJDK, a scripted DNS server")(
    then(lambda n, k: (0.004, NOERROR, []), lambda lab: ((lab.dir / "Look.java").write_text(JAVA), lab.run("c", ["java", "Look.java", NAME]))))
silent("dns-no-address/not-aaaa-only", "A resolves, AAAA is NOERROR without an address", "AAAA-only NODATA is ordinary")(then(lambda n, k: (0.004, NOERROR, ["203.0.113.20"] if k == A else [])))
