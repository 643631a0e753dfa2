"""Captures of lookups whose AAAA holds everything up, and of answers that somebody else sent."""
import socket
import struct
import threading
import time

from moves import NAME
from net import inside, sh
from network_dns import A, AAAA, HOSTS, LOOK, NOERROR, Resolver, alive, look, serve, words
from play import scenario
from wire import checksum

GLIBC = "glibc's resolver, a scripted DNS server"


def told(code, name, shows, why, filter_="dns || tcp.flags.syn==1", **lab):
    lab.setdefault("hosts", HOSTS)
    lab.setdefault("tools", GLIBC)
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def silent(name, shows, why, filter_="dns || tcp.flags.syn==1", **lab):
    lab.setdefault("hosts", HOSTS)
    lab.setdefault("tools", GLIBC)
    return scenario(f"network/{name}", f"silent — {why}", shows, filter_, **lab)


def four(address="203.0.113.20", six=None):
    """A answered with one address; AAAA as `six` says."""
    return lambda name, kind: (0.004, NOERROR, [address]) if kind == A else six


# AAAA

def stalled(resolv=None, first=False, second=None, at="c"):
    def play(lab):
        resolver = Resolver(lab)
        if second:
            Resolver(lab, "e").part = second
        serve(lab)
        if resolv:
            lab.etc("c", "resolv.conf", resolv)
        if first:
            resolver.part = four(six=(0.004, NOERROR, []))
        lab.capture(at, device="lan" if at == "g" else "eth0")
        if first:
            look(lab)
        resolver.part = four()
        look(lab)
        alive(lab)
    return play


WAIT = "dns.qry.type==28 && dns.flags.response==0"
told("dns-aaaa-stall", "never-answered", "the A is answered at once, the AAAA never; glibc asks twice, 2 s each, and connects after 4 s", f"[[{WAIT}]]")(stalled())
told("dns-aaaa-stall", "five-second-timeout", "the same with glibc's own five seconds and two tries", f"[[{WAIT}]]")(stalled("nameserver 198.51.100.53\n"))
told("dns-aaaa-stall", "answered-before", "a first lookup goes well; then the resolver falls silent for AAAA only", f"[[{WAIT} && frame.time_relative>1]]")(stalled(first=True, at="g"))
told("dns-aaaa-stall", "two-resolvers", "both resolvers answer the A and are silent for AAAA", f"[[{WAIT}]]")(
    stalled("nameserver 198.51.100.53\nnameserver 198.51.100.54\noptions timeout:1 attempts:2\n", second=four()))


@silent("dns-aaaa-stall/not-answered-empty", "A and AAAA are answered, the AAAA without an address", "ordinary for a server without IPv6")
def empty(lab):
    Resolver(lab).part = four(six=(0.005, NOERROR, []))
    serve(lab)
    lab.capture()
    look(lab)
    alive(lab)


EAGER = """
import socket, struct, threading, time
name = "dppt.beijing.chinatax.gov.cn"
def query(kind, number):
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + b"".join(bytes([len(w)]) + w.encode() for w in name.split(".")) + b"\\0" + struct.pack("!HH", kind, 1)
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); one.connect(("198.51.100.53", 53))
six = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); six.connect(("198.51.100.53", 53))
def again():
    for n in range(3):
        six.send(query(28, 7000 + n)); time.sleep(1.5)
worker = threading.Thread(target=again); worker.start()
one.send(query(1, 6000)); one.recv(512)
time.sleep(0.05)
web = socket.create_connection(("203.0.113.20", 8080), 5)
web.sendall(b"GET /kpfw/v1/status HTTP/1.1\\r\\nHost: dppt.beijing.chinatax.gov.cn\\r\\n\\r\\n"); web.recv(65536); web.close()
worker.join()
"""


@silent("dns-aaaa-stall/not-nobody-waits", "the AAAA is asked three times in vain, but the client connects as soon as it has the A (RFC 8305)", "the first SYN does not wait", tools="a client that does not wait for both answers, in Python")
def eager(lab):
    Resolver(lab).part = four()
    serve(lab)
    lab.capture()
    lab.run("c", ["python3", "-c", EAGER])
    alive(lab)


# answers of somebody else

class Injector:
    """Watches the gateway's side of the clients and answers queries in the resolver's name, before the resolver can."""

    def __init__(self, lab, address, ttl=200, flags=0x8180):
        with inside(lab.ns("g")):
            self.ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.ear.bind(("lan", 0))
            self.mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.address, self.ttl, self.flags = address, ttl, flags
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            frame = self.ear.recv(65536)
            if frame[12:14] != b"\x08\x00" or frame[23] != 17 or frame[36:38] != b"\0\x35":
                continue
            source, target, sport = frame[26:30], frame[30:34], frame[34:36]
            query = frame[42:]
            at = 12
            while query[at]:
                at += 1 + query[at]
            kind = struct.unpack("!H", query[at + 1:at + 3])[0]
            if kind != A:
                continue
            data = query[:2] + struct.pack("!HHHHH", self.flags, 1, 1, 0, 0) + query[12:at + 5]
            data += struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + socket.inet_aton(self.address)
            udp = b"\0\x35" + sport + struct.pack("!HH", 8 + len(data), 0) + data
            udp = udp[:6] + struct.pack("!H", checksum(target + source + struct.pack("!BBH", 0, 17, len(udp)) + udp)) + udp[8:]
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0x4242, 0, self.ttl, 17, 0) + target + source
            self.mouth.sendto(head + udp, (socket.inet_ntoa(source), 0))


SLOWER = lambda name, kind: (0.03, NOERROR, ["203.0.113.20"] if kind == A else [])
ANSWERS = f"dns.flags.response==1 && dns.qry.name==\"{NAME}\" && dns.qry.type==1"
CRAFTED = "glibc's resolver, a scripted DNS server, and an injector at the gateway that sends answers in its name by a raw socket"


def injected(address, at="c", first=True, **how):
    def play(lab):
        resolver = Resolver(lab)
        serve(lab)
        lab.capture(at, device="lan" if at == "g" else "eth0")
        if first:
            look(lab)
        resolver.part = SLOWER
        injector = Injector(lab, address, **how)
        look(lab)
        lab.sockets += [injector.ear, injector.mouth]
        alive(lab)
    return play


told("dns-spoofed", "forged-first-dead-end", "an answer with another TTL comes before the resolver's own and leads to an address that nobody has: the connect fails", f"both answers [[{ANSWERS} && frame.time_relative>0.02]]", tools=CRAFTED)(injected("203.0.113.99"))
told("dns-spoofed", "forged-first-other-server", "the forged answer leads to a server that refuses; captured at the gateway", f"both answers [[{ANSWERS} && frame.time_relative>0.02]]", tools=CRAFTED, hosts=HOSTS + " t=dc.77")(injected("203.0.113.77", "g"))
told("dns-spoofed", "other-header-bits", "the forged answer has the resolver's TTL, and claims authority (AA)", f"both answers [[{ANSWERS} && frame.time_relative>0.02]]", tools=CRAFTED)(injected("203.0.113.99", ttl=63, flags=0x8580))


def per_client(address, reached=False):
    """One client gets the public address, another one what a filter or another view says."""
    def play(lab):
        resolver = Resolver(lab)
        serve(lab)
        if reached:
            sh(f"ip -n {lab.ns('s')} addr add {address}/32 dev eth0; ip -n {lab.ns('g')} route add {address}/32 via 203.0.113.20")
        lab.etc("b", "resolv.conf", "nameserver 198.51.100.53\noptions timeout:2 attempts:1\n")
        lab.capture("g", device="lan")
        look(lab)
        resolver.part = four(address, (0.004, NOERROR, []))
        look(lab, host="b")
        alive(lab)
    return play


TWO = HOSTS + " b=lan.16"
told("dns-spoofed", "loopback-for-one-client", "the name is public for 192.0.2.15; 192.0.2.16 is told 127.0.0.1", "[[dns.a==127.0.0.1]]", hosts=TWO)(per_client("127.0.0.1"))
told("dns-spoofed", "private-for-one-client", "192.0.2.16 is told 10.9.9.9, where nobody answers", "[[dns.a==10.9.9.9]]", hosts=TWO)(per_client("10.9.9.9"))
told("dns-spoofed", "unspecified-for-one-client", "192.0.2.16 is told 0.0.0.0, as filter lists do", "[[dns.a==0.0.0.0]]", hosts=TWO)(per_client("0.0.0.0"))
silent("dns-spoofed/not-split-horizon", "192.0.2.16 is told 10.9.9.20 and is served there", "a private address that serves is meant", hosts=TWO)(per_client("10.9.9.20", True))
silent("dns-spoofed/not-proxy-made-up", "192.0.2.16 is told 198.18.0.9, which a local proxy makes up", "information only", hosts=TWO)(per_client("198.18.0.9"))


def round_robin(lab):
    resolver = Resolver(lab)
    serve(lab)
    pool = ["203.0.113.21", "203.0.113.20"]
    sh(f"ip -n {lab.ns('s')} addr add 203.0.113.21/24 dev eth0")
    turn = []

    def part(name, kind):
        if kind != A:
            return 0.004, NOERROR, []
        turn.append(1)
        return 0.004, NOERROR, [pool[len(turn) % 2]]
    resolver.part = part


@silent("dns-spoofed/not-round-robin", "three lookups, each with another address of the pool", "one answer to each query")
def robin(lab):
    round_robin(lab)
    lab.capture()
    for _ in range(3):
        look(lab)


@silent("dns-spoofed/not-query-doubled", "the network brings every query twice; the resolver answers both, with different addresses of its pool", "one sender: same TTL, same header bits", hosts="c~lan.15 s=dc.20 d=dns.53 e=dns.54")
def doubled(lab):
    round_robin(lab)
    lab.wires["c"].rule = lambda f, out: [(0, f.bytes, out), (0.001, f.bytes, out)] if out and f.proto == 17 else None
    lab.capture()
    look(lab)
    look(lab)
