"""Captures of paths that refuse, neighbours that do not answer or quarrel, and packets that get lost."""
import gzip
import socket
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import sh
from play import scenario
from wire import DROP

ICMP = "icmp.type==3 || icmpv6.type==1"
WIRED = "c~lan.15 s=dc.20"
WITH_ARP = "arp or icmp6 or tcp or icmp"


def told(code, name, shows, why, filter_="tcp || icmp || icmpv6", **lab):
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def silent(name, shows, why, filter_="frame", **lab):
    return scenario(f"network/{name}", f"silent — {why}", shows, filter_, **lab)


# ICMP errors

def rejected(rule=None, route=None, reach=None, at="g", capture="c"):
    def play(lab):
        target = lab.ip("s")
        if rule:
            lab.nft("g" if at == "g" else "s", "forward" if at == "g" else "input", rule)
        if route:
            target = "2001:db8:2::66" if lab.ip6 else "203.0.113.66"
            sh(f"ip -n {lab.ns('g')} {'-6 ' if lab.ip6 else ''}route add {route} {target}{'/128' if lab.ip6 else '/32'}")
        device = "lan" if capture == "g" else "eth0"
        lab.capture(capture, device=device)
        lab.connect("c", target, 443, timeout=4)
    return play


for kind, number in (("host-unreachable", 1), ("net-unreachable", 0), ("port-unreachable", 3)):
    told("icmp-unreachable", f"gateway-{kind}", f"the gateway rejects the SYN with {kind} (3/{number})", f"SYN [[tcp.flags.syn==1 && !icmp]], error [[{ICMP}]]")(rejected(f"tcp dport 443 reject with icmp type {kind}"))
told("icmp-unreachable", "route-unreachable", "the gateway's routing table says unreachable: 3/1", f"error [[{ICMP}]]")(rejected(route="unreachable"))
told("icmp-unreachable", "server-port-unreachable", "the server's own firewall answers port unreachable", f"error [[{ICMP}]]")(rejected("tcp dport 443 reject with icmp type port-unreachable", at="s"))
told("icmp-unreachable", "no-route-ipv6", "the gateway rejects with no route (1/0)", f"error [[{ICMP}]]", ip6=True)(rejected("tcp dport 443 reject with icmpv6 type no-route"))
told("icmp-unreachable", "port-ipv6", "the gateway rejects with port unreachable (1/4), captured at the gateway", f"error [[{ICMP}]]", ip6=True)(rejected("tcp dport 443 reject with icmpv6 type port-unreachable", capture="g"))
told("icmp-unreachable", "address-ipv6", "the gateway's routing table says unreachable, IPv6", f"error [[{ICMP}]]", ip6=True)(rejected(route="unreachable"))


@told("icmp-unreachable", "dead-host-behind-gateway", "the server does not answer the gateway's ARP; after 3 s the gateway sends host unreachable", f"SYNs [[tcp.flags.syn==1 && !icmp]], error [[{ICMP}]]")
def dead_behind(lab):
    lab.capture()
    lab.connect("c", "203.0.113.66", 443, timeout=6)


@told("icmp-unreachable", "soft-error-client-goes-on", "the client's socket is non-blocking Java style: error, then tries again from a new port, twice", f"errors [[{ICMP}]]")
def again(lab):
    lab.nft("g", "forward", "tcp dport 443 reject with icmp type host-unreachable")
    lab.capture()
    for _ in range(3):
        lab.connect("c", "s", 443, timeout=3)
        time.sleep(0.5)


for kind, number in (("admin-prohibited", 13), ("host-prohibited", 10), ("net-prohibited", 9)):
    told("firewall-rejected", kind, f"the gateway's firewall rejects the SYN with {kind} (3/{number})", f"SYN [[tcp.flags.syn==1 && !icmp]], error [[{ICMP}]]")(rejected(f"tcp dport 443 reject with icmp type {kind}"))
told("firewall-rejected", "admin-ipv6", "administratively prohibited (1/1)", f"error [[{ICMP}]]", ip6=True)(rejected("tcp dport 443 reject with icmpv6 type admin-prohibited"))
told("firewall-rejected", "route-prohibit", "the gateway's routing table prohibits: 3/13", f"error [[{ICMP}]]")(rejected(route="prohibit"))
told("firewall-rejected", "policy-ipv6", "source policy failed (1/5)", f"error [[{ICMP}]]", ip6=True)(rejected("tcp dport 443 reject with icmpv6 type policy-fail"))
told("firewall-rejected", "reject-route-ipv6", "reject route (1/6)", f"error [[{ICMP}]]", ip6=True)(rejected("tcp dport 443 reject with icmpv6 type reject-route"))
told("firewall-rejected", "server-host-firewall", "the server's own firewall, as firewalld does it: 3/10, captured at the server", f"error [[{ICMP}]]")(rejected("tcp dport 443 reject with icmp type host-prohibited", at="s", capture="s"))


def traceroute(protocol):
    def play(lab):
        lab.capture()
        whole(lab)
        for hop in (1, 2, 3):
            for probe in range(3):
                one = lab.socket("c", socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
                one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop)
                if protocol == "udp":
                    one.sendto(b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", (lab.ip("s"), 33434 + hop * 3 + probe))
                else:
                    one.setblocking(False)
                    one.connect_ex((lab.ip("s"), 8080))
                time.sleep(0.05)
                one.close()
    return play


silent("icmp-unreachable/not-traceroute", "a traceroute: UDP with TTL 1, 2, 3 to high ports, answered by time exceeded and port unreachable; one good exchange beside it", "errors in answer to a traceroute", tools="UDP probes by Python as traceroute sends them")(traceroute("udp"))


@silent("icmp-unreachable/not-late-dns-answer", "the client has closed its socket when the resolver's late second answer comes: its own port unreachable", "an error from a client to a resolver", hosts="c=lan.15 s=dc.20 d=dns.53")
def late(lab):
    resolver = lab.socket("d", socket.SOCK_DGRAM)
    resolver.bind(("0.0.0.0", 53))
    lab.capture()
    one = lab.socket("c", socket.SOCK_DGRAM)
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03api\x07example\x03com\x00\x00\x01\x00\x01"
    one.sendto(query, ("198.51.100.53", 53))
    got, peer = resolver.recvfrom(512)
    reply = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:] + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton("203.0.113.20")
    resolver.sendto(reply, peer)
    one.recv(512)
    one.close()
    resolver.sendto(reply, peer)
    whole(lab)


@silent("firewall-rejected/not-ping", "a ping is administratively prohibited; the service itself is reached", "no attempt to an endpoint")
def ping(lab):
    lab.nft("g", "forward", "icmp type echo-request reject with icmp type admin-prohibited")
    lab.capture()
    lab.run("c", ["ping", "-c2", "-i0.3", "-W1", lab.ip("s")])
    whole(lab)


# neighbours

LAN = "c=lan.15 s=lan.20"


def gone(six, gateway=False):
    def play(lab):
        lab.capture(only=WITH_ARP)
        if gateway:
            whole(lab)
            sh(f"ip -n {lab.ns('g')} addr del {'2001:db8:1::1/64' if six else '192.0.2.1/24'} dev lan")
        else:
            whole(lab)
            sh(f"ip -n {lab.ns('s')} link set eth0 down")
        sh(f"ip -n {lab.ns('c')} neigh flush dev eth0")
        time.sleep(0.3)
        for _ in range(2):
            lab.connect("c", "s", 8080, timeout=3.5)
    return play


REQ = "arp.opcode==1 || icmpv6.type==135"
told("arp-unanswered", "server-unplugged", "a server on the same link is reached once, then unplugged: the client's ARP requests stay unanswered", "requests [[arp.opcode==1 && arp.dst.proto_ipv4==192.0.2.20 && frame.time_relative>0.3]]", "arp", hosts=LAN)(gone(False))
told("arp-unanswered", "gateway-gone", "the gateway loses its address: every ARP request for the next hop stays unanswered", "requests [[arp.opcode==1 && arp.dst.proto_ipv4==192.0.2.1 && frame.time_relative>0.3]]", "arp")(gone(False, True))
told("arp-unanswered", "neighbour-solicitations-ipv6", "IPv6: a server on the same link is unplugged, solicitations stay unanswered", "solicitations [[icmpv6.type==135 && frame.time_relative>0.3]]", "icmpv6.type==135", hosts=LAN, ip6=True)(gone(True))


@silent("arp-unanswered/not-third-host", "captured at a third host: broadcasts of another host's unanswered ARP requests, none of the asker's unicast traffic", "the asker's unicast traffic is not seen", hosts="c=lan.15 t=lan.30 s=lan.31")
def third(lab):
    lab.capture("t", only=WITH_ARP)
    whole(lab, client="t")
    for _ in range(2):
        lab.connect("c", "192.0.2.99", 443, timeout=3.5)


@silent("arp-unanswered/not-answered-late", "two ARP requests are lost, the third is answered; the exchange follows", "the target answers", hosts="c~lan.15 s=lan.20")
def late_answer(lab):
    lost = []

    def rule(f, out):
        if out and f.ether == 0x0806 and f.bytes[20:22] == b"\0\1" and f.bytes[38:42] == b"\xc0\0\2\x14" and len(lost) < 2:
            lost.append(f)
            return DROP
    sh(f"ip -n {lab.ns('c')} neigh flush dev eth0")
    lab.wires["c"].rule = rule
    lab.capture(only=WITH_ARP)
    listener = lab.listen("s", 8080)
    got = []
    worker = threading.Thread(target=lambda: got.append(listener.accept()[0]))
    worker.start()
    lab.socket("s", socket.SOCK_DGRAM).bind(("", 5140))
    one = lab.socket("c", socket.SOCK_DGRAM)
    one.sendto(b"<13>lab: hello", ("192.0.2.20", 5140))        # the ARP exchange belongs to a datagram, so no SYN waits for it
    time.sleep(3)
    one = lab.connect("c", "s", 8080)
    worker.join()
    exchange(one, got[0])
    finish(one, got[0])


@silent("arp-unanswered/not-scan-of-free-addresses", "an inventory tool asks once for each of 20 addresses that nobody has", "one request for each, none talked to", tools="arping", hosts=LAN)
def scan(lab):
    lab.capture(only=WITH_ARP)
    whole(lab)
    for last in range(100, 112):
        lab.run("c", ["arping", "-c1", "-w1", "-I", "eth0", f"192.0.2.{last}"])


def quarrel(lab):
    """Two hosts with one address; each announces it in turn."""
    sh(f"ip -n {lab.ns('t')} addr add 192.0.2.20/24 dev eth0")
    lab.capture(only=WITH_ARP)


@told("arp-conflict", "two-servers-one-address", "two hosts answer every ARP request for 192.0.2.20 with their own MAC", "replies [[arp.opcode==2 && arp.src.proto_ipv4==192.0.2.20]]", "arp", hosts="c=lan.15 s=lan.20 t=lan.21", tools="iproute2 and arping")
def two_servers(lab):
    quarrel(lab)
    lab.run("c", ["arping", "-c4", "-w5", "-I", "eth0", "192.0.2.20"])


@told("arp-conflict", "gratuitous-in-turn", "two hosts announce 192.0.2.20 in turn by gratuitous ARP", "announcements [[arp.src.proto_ipv4==192.0.2.20]]", "arp", hosts="c=lan.15 s=lan.20 t=lan.21", tools="arping -U")
def in_turn(lab):
    quarrel(lab)
    for _ in range(3):
        for host in "st":
            lab.run(host, ["arping", "-U", "-c1", "-w1", "-I", "eth0", "-s", "192.0.2.20", "192.0.2.20"])
            time.sleep(0.5)


@told("arp-conflict", "probe-answered", "a host about to take 192.0.2.20 probes for it (sender 0.0.0.0) and is answered by the holder", "probe and answer [[arp]]", "arp", hosts="c=lan.15 s=lan.20", tools="arping -D")
def probe(lab):
    lab.capture(only="arp")
    lab.run("c", ["arping", "-D", "-c2", "-w3", "-I", "eth0", "192.0.2.20"])


@told("arp-conflict", "gateway-address-stolen", "a host on the link has taken the gateway's address: A and B in turn answer for 192.0.2.1 while clients ask", "replies [[arp.opcode==2 && arp.src.proto_ipv4==192.0.2.1]]", "arp", hosts="c=lan.15 s=dc.20 t=lan.21")
def stolen(lab):
    sh(f"ip -n {lab.ns('t')} addr add 192.0.2.1/32 dev eth0")
    lab.capture(only="arp")
    for _ in range(4):
        sh(f"ip -n {lab.ns('c')} neigh flush dev eth0")
        lab.run("c", ["ping", "-c1", "-W1", "-q", "203.0.113.20"])


@silent("arp-conflict/not-one-announcer", "one host announces its own address four times", "one MAC for one address", hosts=LAN, tools="arping -U")
def announcer(lab):
    lab.capture(only=WITH_ARP)
    lab.run("s", ["arping", "-U", "-c4", "-w5", "-I", "eth0", "-s", "192.0.2.20", "192.0.2.20"])
    whole(lab)


@silent("arp-conflict/not-proxy-arp", "the gateway answers ARP for four addresses that lie behind it", "proxy ARP: one MAC for three or more addresses", hosts="c=lan.15 s=dc.20", tools="Linux proxy_arp, arping")
def proxy(lab):
    sh(f"ip netns exec {lab.ns('g')} sysctl -qw net.ipv4.conf.lan.proxy_arp=1 net.ipv4.neigh.lan.proxy_delay=0")
    lab.capture(only=WITH_ARP)
    for address in ("203.0.113.20", "203.0.113.21", "203.0.113.22", "198.51.100.9"):
        lab.run("c", ["arping", "-c1", "-w2", "-I", "eth0", address])


@silent("arp-conflict/not-probe-unanswered", "a host probes for a free address three times, unanswered, and announces it", "an ordinary address probe", hosts=LAN, tools="arping -D, arping -U")
def free(lab):
    lab.capture(only=WITH_ARP)
    lab.run("c", ["arping", "-D", "-c3", "-w4", "-I", "eth0", "192.0.2.44"])
    sh(f"ip -n {lab.ns('c')} addr add 192.0.2.44/24 dev eth0")
    lab.run("c", ["arping", "-U", "-c2", "-w2", "-I", "eth0", "-s", "192.0.2.44", "192.0.2.44"])
    whole(lab)


# loss

def lossy(every, at_host="c", to_client=True, count=90, size=400):
    """A transfer in segments of 400 bytes; each n-th first copy is lost on the wire."""
    def play(lab):
        seen, lost = set(), []
        lab.ctl("c", ipv4_tcp_rmem="4096 131072 6291456")

        def rule(f, out):
            if f.tcp and f.size > 200 and out != to_client and f.seq not in seen:
                seen.add(f.seq)
                if len(seen) % every == 0:
                    lost.append(f)
                    return DROP
        lab.wires["c"].rule = rule
        lab.wires["c"].delay = {True: 0.004, False: 0.004}
        lab.capture(at_host)
        listener = lab.socket("s", SO_REUSEADDR=1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size + 12)
        listener.bind(("", 8080))
        listener.listen(4)
        one = lab.connect("c", "s", 8080)
        other, _ = listener.accept()
        if to_client:
            exchange(one, other, ask("/kpfw/v1/list"), answer(b"k" * count * size))
        else:
            exchange(one, other, ask("/kpfw/v1/upload", b"k" * count * size), answer())
        finish(one, other)
    return play


RETRY = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.out_of_order || tcp.analysis.spurious_retransmission"
told("packet-loss", "five-percent-upstream", "captured at the client: every 20th of the server's segments is lost before the capture point", f"holes filled by [[{RETRY}]]", RETRY, hosts=WIRED)(lossy(20))
told("packet-loss", "five-percent-downstream", "captured at the server: every 20th of its segments is lost further on, bytes are seen twice", f"seen twice [[{RETRY}]]", RETRY, hosts=WIRED)(lossy(20, "s"))
told("packet-loss", "twelve-percent", "every 8th is lost; captured at the client", f"[[{RETRY}]]", RETRY, hosts=WIRED)(lossy(8))
told("packet-loss", "upload-five-percent", "the client's own segments: every 20th is lost after the capture point", f"[[{RETRY}]]", RETRY, hosts=WIRED)(lossy(20, "c", False))
told("packet-loss", "upload-at-server", "the same seen at the server: holes, then late segments", f"[[{RETRY}]]", RETRY, hosts=WIRED)(lossy(18, "s", False))
told("packet-loss", "five-percent-ipv6", "IPv6, captured at the client", f"[[{RETRY}]]", RETRY, hosts=WIRED, ip6=True)(lossy(20))
silent("packet-loss/not-one-in-ninety", "one of ninety segments is lost", "under 3 %", RETRY, hosts=WIRED)(lossy(80))
silent("packet-loss/not-few-segments", "every 20th of 40 segments is lost", "fewer than 50 segments", RETRY, hosts=WIRED)(lossy(20, count=40))


def disturbed(rule):
    def play(lab):
        lab.wires["c"].delay = {True: 0.003, False: 0.003}
        seen = []

        def each(f, out):
            if f.tcp and f.size > 200 and not out:
                seen.append(f)
                return rule(len(seen), f, out)
        lab.wires["c"].rule = each
        lab.capture()
        listener = lab.socket("s", SO_REUSEADDR=1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 412)
        listener.bind(("", 8080))
        listener.listen(4)
        one = lab.connect("c", "s", 8080)
        other, _ = listener.accept()
        exchange(one, other, ask("/kpfw/v1/list"), answer(b"k" * 36000))
        finish(one, other)
    return play


scenario("network/packet-loss/not-reordered", "silent — out of order by a few packets", "every 10th segment arrives 0.2 ms late, after some that were sent later", RETRY, hosts=WIRED)(
    disturbed(lambda n, f, out: [(0.0002, f.bytes, out)] if n % 10 == 0 else None))
scenario("network/packet-loss/not-duplicated", "silent — a packet seen twice is one packet", "the network doubles every 8th segment", "tcp.analysis.retransmission || tcp.analysis.duplicate_ack", hosts=WIRED)(
    disturbed(lambda n, f, out: [(0, f.bytes, out), (0.0001, f.bytes, out)] if n % 8 == 0 else None))


def probed(at_host, lose=False):
    """Messages of four segments; the acknowledgments of each fourth come 60 ms late, so that the sender probes the tail of
    what had arrived. With `lose`, another fourth of them loses a segment besides."""
    def play(lab):
        late, lossy, wire = [], [], lab.wires["c"]
        wire.delay = {True: 0.004, False: 0.004}

        def rule(f, out):
            if f.bare and out and late:
                return [(0.06, f.bytes, out)]
            if lossy and f.tcp and f.size > 200 and not out:
                lossy.clear()
                return DROP
        wire.rule = rule
        lab.capture(at_host)
        listener = lab.socket("s", SO_REUSEADDR=1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 412)
        listener.bind(("", 8080))
        listener.listen(4)
        one = lab.connect("c", "s", 8080)
        other, _ = listener.accept()
        for n in range(20):
            if n % 4 == 3:
                late.append(n)
            if n % 4 == 1 and lose:
                lossy.append(n)
            exchange(one, other, ask(f"/kpfw/v1/page/{n}"), answer(b"k" * 1480))
            time.sleep(0.1)
            late.clear()
        finish(one, other)
    return play


AGAIN = "tcp.analysis.retransmission || tcp.analysis.spurious_retransmission || tcp.options.sack.dsack"
silent("packet-loss/not-tail-probes", "every fourth message's acknowledgments are 60 ms late; the server probes the tail (RFC 8985 7) and the client says by D-SACK (RFC 2883) that it had it; captured at the server",
       "what was sent again had arrived", AGAIN, hosts=WIRED)(probed("s"))
silent("packet-loss/not-tail-probes-at-client", "the same, captured at the client", "what was sent again had arrived", AGAIN, hosts=WIRED)(probed("c"))
silent("packet-loss/not-tail-probes-ipv6", "the same over IPv6, captured at the server", "what was sent again had arrived", AGAIN, hosts=WIRED, ip6=True)(probed("s"))
told("packet-loss", "beside-tail-probes", "every fourth message loses a segment, and as often a tail is probed in vain, which is reported by D-SACK; captured at the client", "lost [[tcp.analysis.lost_segment || tcp.analysis.out_of_order || tcp.analysis.fast_retransmission || tcp.analysis.retransmission && !tcp.analysis.spurious_retransmission]]", AGAIN, hosts=WIRED)(probed("c", lose=True))
told("packet-loss", "beside-tail-probes-at-server", "the same, captured at the server", f"sent again [[{RETRY}]]", AGAIN, hosts=WIRED)(probed("s", lose=True))
# a queue that is full

class Bottleneck:
    """A link of so many bytes a second with a queue of so many before it; what does not fit is dropped (drop tail)."""

    def __init__(self, rate, room, outwards=True, spare=0.005):
        self.rate, self.room, self.outwards, self.spare = rate, room, outwards, spare
        self.free = 0.0

    def __call__(self, f, out):
        if out != self.outwards or not f.tcp:
            return [(self.spare, f.bytes, out)]
        now = time.monotonic()
        begin = max(now, self.free)
        if (begin - now) * self.rate > self.room:
            return DROP
        self.free = begin + len(f.bytes) / self.rate
        return [(self.spare + self.free - now, f.bytes, out)]


def crowded(rate, room, size, at="c", upload=True, warm=4, loss=None):
    """Some small exchanges, then one large transfer over the bottleneck."""
    def play(lab):
        link = Bottleneck(rate, room, upload)
        seen = []

        def rule(f, out):
            if loss and f.tcp and f.size > 1000 and out == upload:
                seen.append(f)
                if len(seen) % loss == 0:
                    return DROP
            return link(f, out)
        lab.wires["c"].rule = rule
        path = lab.capture(at)
        one, two = lab.pair(8080)
        for _ in range(warm):
            exchange(one, two)
        if upload:
            exchange(one, two, ask("/kpfw/v1/upload", b"u" * size), answer())
        else:
            exchange(one, two, ask("/kpfw/v1/list"), answer(b"d" * size))
        finish(one, two)
        lab.stop(0.5)
        packed = lab.dir / "packed.pcap.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
        return packed
    return play


SLOWER = "tcp.analysis.ack_rtt>0.08"
QUEUE = "Linux TCP by Python sockets over a user-space link with a queue"
for label, more in (("", {}), ("-ipv6", {"ip6": True})):
    scenario(f"network/congestion/upload-fills-the-line{label}.pcap.gz", "`network.congestion` — 120 kB/s with a queue of 18 kB", f"captured at the client: round trips grow from 13 to some 150 ms, losses, and no more gets through [[{SLOWER}]]", SLOWER, QUEUE, hosts=WIRED, **more)(crowded(120_000, 18_000, 600_000))
scenario("network/congestion/download-at-server.pcap.gz", "`network.congestion` — 150 kB/s with a queue of 20 kB", f"captured at the server: the answer fills the client's line [[{SLOWER}]]", SLOWER, QUEUE, hosts=WIRED)(crowded(150_000, 20_000, 700_000, "s", False))
scenario("network/congestion/not-queue-without-loss.pcap.gz", "silent — nothing is lost", "a long queue that takes everything: round trips grow, the window is the limit", SLOWER, QUEUE, hosts=WIRED)(crowded(150_000, 4_000_000, 500_000))
scenario("network/congestion/not-loss-without-queue.pcap.gz", "`network.packet-loss` — round trips stay as they are", "every twentieth segment is lost on a fast link", "tcp.analysis.retransmission", QUEUE, hosts=WIRED)(crowded(20_000_000, 4_000_000, 400_000, loss=20))
