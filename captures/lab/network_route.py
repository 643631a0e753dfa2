"""Captures of routes that go round, and of paths on which large packets vanish."""
import select
import socket
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import gather, sh
from play import scenario
from wire import DROP

LOST = "203.0.113.200"
LOST6 = "2001:db8:2::200"
EXCEEDED = "icmp.type==11 || icmpv6.type==3"
WIRED = "c~lan.15 s=dc.20"
ROUTERS = "c=lan.15 s=dc.20 r=dc.30 q=dc.31"


def told(code, name, shows, why, filter_="tcp || icmp || icmpv6", **lab):
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def other(name, expect, shows, filter_="tcp || icmp || icmpv6", **lab):
    return scenario(f"network/{name}", expect, shows, filter_, **lab)


def router(lab, *hosts):
    """Hosts that forward, and send no redirects."""
    for host in (*hosts, "g"):
        sh(f"ip netns exec {lab.ns(host)} sh -c 'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0; "
           "for f in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 >$f; done; "
           "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'")
        if lab.ip6:
            sh(f"ip netns exec {lab.ns(host)} sysctl -qw net.ipv6.conf.all.forwarding=1")


def via(lab, at, hop, target=None):
    six = "-6 " if lab.ip6 else ""
    target = target or (LOST6 + "/128" if lab.ip6 else LOST + "/32")
    address = ("2001:db8:2::1" if lab.ip6 else "203.0.113.1") if hop == "g" else lab.ip(hop)
    sh(f"ip -n {lab.ns(at)} {six}route replace {target} via {address}")


def loop(lab):
    router(lab, "r", "q")
    via(lab, "g", "r")
    via(lab, "r", "g")
    via(lab, "q", "g")


def lost(lab):
    return LOST6 if lab.ip6 else LOST


# time to live

def in_loop(at="c", device="eth0", timeout=4.0):
    def play(lab):
        loop(lab)
        lab.capture(at, device=device)
        whole(lab)
        lab.connect("c", lost(lab), 443, timeout=timeout)
    return play


told("ttl-exceeded", "loop-behind-gateway", "two routers send a network's packets to each other; captured at the client: SYNs, and the errors of one of the two",
     f"SYNs [[tcp.flags.syn==1 && ip.dst=={LOST} && !icmp]], errors [[{EXCEEDED}]]", hosts=ROUTERS)(in_loop())
told("ttl-exceeded", "loop-behind-gateway-ipv6", "the same, IPv6", f"errors [[{EXCEEDED}]]", hosts=ROUTERS, ip6=True)(in_loop())


def established(ends, change=None, after=0.0):
    """A connection stands, then the route to its server goes round; `change` is made a little later."""
    def play(lab):
        router(lab, "r", "q")
        via(lab, "q", "g", "203.0.113.20/32")
        lab.capture()
        one, two = lab.pair(8080)
        exchange(one, two)
        via(lab, "g", "r", "203.0.113.20/32")
        via(lab, "r", "g", "203.0.113.20/32")
        if change:
            threading.Timer(after, lambda: change(lab)).start()
        if ends:
            exchange(one, two, ask("/kpfw/v1/invoice", b'{"serial":"26112400031"}'))
            finish(one, two)
        else:
            one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400031"}'))
            time.sleep(6)
            lab.stop(0)
    return play


told("ttl-exceeded", "established-then-loop", "a connection stands; then the route to the server goes round: its request is repeated and answered by errors",
     f"errors [[{EXCEEDED}]]", hosts=ROUTERS)(established(False))


@other("ttl-exceeded/not-tcp-traceroute", "silent — errors in answer to a traceroute", "a traceroute by TCP SYNs with TTL 1 and 2 to the service's port, and a good exchange",
       tools="SYNs with small TTLs by Python, as traceroute -T sends them")
def traceroute(lab):
    listener = lab.listen("s", 443)
    lab.capture()
    for hop in (1, 1, 1, 2, 2, 2):
        one = lab.socket("c")
        one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop)
        one.setblocking(False)
        one.connect_ex((lab.ip("s"), 443))
        time.sleep(0.15)
        one.close()
    listener.close()
    whole(lab)


other("ttl-exceeded/not-healed-in-time", "silent — the connection goes on", f"the route goes round for half a second: an error [[{EXCEEDED}]], the request is repeated and answered", hosts=ROUTERS)(
    established(True, lambda lab: sh(f"ip -n {lab.ns('g')} route del 203.0.113.20/32"), 0.5))


# the loop itself

ROUND = f"ip.dst=={LOST} && tcp && !icmp"
told("routing-loop", "between-two-routers", "captured on one of the routers: one SYN passes some sixty times, its TTL falling by one from frame to frame, by two at each place",
     f"[[{ROUND}]]", hosts=ROUTERS)(in_loop("r", timeout=2.5))
told("routing-loop", "between-two-routers-ipv6", "the same, IPv6", "[[ipv6.dst==2001:db8:2::200 && tcp && !icmpv6]]", hosts=ROUTERS, ip6=True)(in_loop("r", timeout=2.5))


@told("routing-loop", "ping-goes-round", "captured on a router: two echo requests pass some sixty times each, no connection beside them", "[[icmp.type==8]]", "icmp", hosts=ROUTERS, tools="ping")
def pinged(lab):
    loop(lab)
    lab.capture("r")
    lab.run("c", ["ping", "-c2", "-i0.5", "-W1", LOST])


told("routing-loop", "errors-of-two-routers", "captured at the client: the loop takes in a third router while the client repeats its request, and errors come from two of them",
     f"errors [[{EXCEEDED}]]", hosts=ROUTERS)(established(False, lambda lab: via(lab, "r", "q", "203.0.113.20/32"), 1.6))


@other("routing-loop/not-way-through-four-routers", "silent — each place sees the packet once", "a mirror of one segment on which four routers hand a packet on: it is seen five times, its TTL falling by one",
       hosts="c=lan.15 s=dc.20 r=dc.31 q=dc.32 p=dc.33 m=dc.40")
def chain(lab):
    router(lab, "r", "q", "p")
    for at, hop in (("g", "r"), ("r", "q"), ("q", "p")):
        via(lab, at, hop, "203.0.113.20/32")
    sh(f"ip -n {lab.ns('g')} link set dc type bridge ageing_time 0")     # a hub: every port sees every frame
    lab.capture("m")
    whole(lab)


@other("routing-loop/not-mirrored-four-times", "silent — copies whose TTL does not fall", "the wire brings every frame four times", hosts=WIRED)
def mirrored(lab):
    lab.wires["c"].rule = lambda f, out: [(0.0001 * n, f.bytes, out) for n in range(4)]
    lab.capture()
    whole(lab)


# large packets that vanish

def narrow(lab, mtu=1400, errors=False, device="dc"):
    """The gateway's link carries less than the hosts believe; it keeps silent about it unless `errors`."""
    for one in ([device, "tos"] if device == "dc" else [device, "toc"]):
        sh(f"ip -n {lab.ns('g')} link set {one} mtu {mtu}")
    if not errors:
        lab.nft("g", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")


def upload(at="c", errors=False, size=3600, wait=7.0, mtu=1400):
    def play(lab):
        narrow(lab, mtu, errors)
        if errors:
            lab.nft("c", "input", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
        lab.capture(at)
        one, two = lab.pair(8080)
        exchange(one, two)
        one.sendall(ask("/kpfw/v1/upload", b"u" * size))
        time.sleep(wait)
        lab.stop(0)
    return play


def download(at="s", size=3600, wait=7.0, probing=False):
    def play(lab):
        narrow(lab, device="lan")
        if probing:
            lab.ctl("s", ipv4_tcp_mtu_probing=1)
        lab.capture(at)
        one, two = lab.pair(8080)
        one.sendall(ask("/kpfw/v1/list"))
        two.recv(65536)
        two.sendall(answer(b"d" * size))
        if probing:
            gather(one, len(answer(b"d" * size)))
            finish(one, two)
        else:
            time.sleep(wait)
            one.close()
    return play


AGAIN = "tcp.analysis.retransmission && tcp.len>1200"
told("pmtu-blackhole", "upload-tail-selected", "captured at the client: a link of 1400 bytes behind the gateway, whose errors are filtered: two full segments are repeated and never acknowledged, the short third one is (SACK)",
     f"repeated [[{AGAIN}]], selected [[tcp.options.sack_le]]", "tcp")(upload())
told("pmtu-blackhole", "upload-tail-selected-ipv6", "the same, IPv6 and 1300 bytes", f"repeated [[{AGAIN}]]", "tcp", ip6=True)(upload(mtu=1300))
told("pmtu-blackhole", "answer-at-server", "captured at the server: the answer's full segments vanish on the client's side, the last short one arrives", f"repeated [[{AGAIN}]]", "tcp")(download())
told("pmtu-blackhole", "answer-behind-it", "the same captured at the client: only the short segment comes, and the client goes on asking for what lies before it", "selected [[tcp.options.sack_le]]", "tcp")(download("c", wait=9))
told("pmtu-blackhole", "error-ignored", "the gateway says fragmentation needed, MTU 1400; the client's own firewall drops that, and the client goes on in full size", "errors [[icmp.type==3 && icmp.code==4]]", "tcp || icmp")(upload(errors=True))
told("pmtu-blackhole", "error-ignored-ipv6", "IPv6: packet too big is sent and dropped by the client's own firewall", "errors [[icmpv6.type==2]]", "tcp || icmpv6", ip6=True)(upload(errors=True))
told("pmtu-blackhole", "server-finds-smaller", "the server probes for a smaller size (tcp_mtu_probing) after repeats in full size, and that passes", f"repeated [[{AGAIN}]]", "tcp", tools="Linux TCP by Python sockets, tcp_mtu_probing=1")(download(probing=True))


@told("pmtu-blackhole", "without-sack", "captured at the client: no SACK; the short segment makes the server repeat its acknowledgment", f"repeated [[{AGAIN}]]", "tcp")
def without_sack(lab):
    lab.ctl("c", ipv4_tcp_sack=0)
    upload()(lab)


def tls(lab, at, client, wait):
    sh(f"cd {lab.dir} && openssl req -x509 -newkey rsa:3072 -nodes -days 30 -subj '/O=Lab Test Company for Large Certificates/CN=api.einvoice.example' "
       "-addext 'subjectAltName=DNS:api.einvoice.example,DNS:www.einvoice.example' -keyout k.pem -out c.pem")
    lab.start("s", ["openssl", "s_server", "-accept", "443", "-cert", "c.pem", "-key", "k.pem", "-cert_chain", "c.pem", "-quiet"], 443)
    lab.capture(at)
    lab.run("c", ["timeout", str(wait), "openssl", "s_client", "-connect", f"{lab.ip('s')}:443", "-servername", "api.einvoice.example", *client])
    lab.stop(0)


@told("pmtu-blackhole", "certificate-at-server", "captured at the server: the segments of its certificate vanish, the short end of the flight arrives", f"repeated [[{AGAIN}]]", "tcp", tools="openssl s_server and s_client")
def certificate(lab):
    narrow(lab, device="lan")
    tls(lab, "s", ["-tls1_2"], 7)


@told("pmtu-blackhole", "certificate-behind-it", "the same captured at the client, TLS 1.3", "selected [[tcp.options.sack_le]]", "tcp", tools="openssl s_server and s_client")
def certificate_client(lab):
    narrow(lab, device="lan")
    tls(lab, "c", [], 9)


@told("pmtu-blackhole", "large-hello", "captured at the client: a ClientHello of two segments; the full one vanishes, the short one is acknowledged (SACK)", f"repeated [[{AGAIN}]]", "tcp", tools="openssl s_server, s_client with many ALPN names")
def hello(lab):
    narrow(lab)
    tls(lab, "c", ["-alpn", ",".join(f"einvoice-channel-{n:03}" for n in range(70))], 7)


@other("pmtu-blackhole/not-whole-path-dies", "`transport.data-unacked` — nothing smaller gets through either", "after a good exchange large and small segments are lost alike", "tcp", hosts=WIRED)
def dies(lab):
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two)
    lab.wires["c"].rule = lambda f, out: DROP
    one.sendall(ask("/kpfw/v1/upload", b"u" * 3600))
    time.sleep(7)
    lab.stop(0)


@other("pmtu-blackhole/not-one-segment-filtered", "`transport.data-unacked` — other segments of full size arrive", "one full segment is dropped each time, four others of the same size are acknowledged (SACK)", "tcp", hosts=WIRED)
def filtered(lab):
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two)
    chosen = []

    def rule(f, out):
        if out and f.tcp and f.size > 1000:
            if not chosen:
                chosen.append(f.seq)
            return DROP if f.seq == chosen[0] else None
    lab.wires["c"].rule = rule
    one.sendall(ask("/kpfw/v1/upload", b"u" * 6500))
    time.sleep(7)
    lab.stop(0)


@other("pmtu-blackhole/not-lost-twice", "silent — the third copy arrives", "a full segment is lost twice while the short one is acknowledged", "tcp", hosts=WIRED)
def twice(lab):
    gone = []

    def rule(f, out):
        if out and f.tcp and f.size > 1000 and len(gone) < 2:
            gone.append(f)
            return DROP
    lab.wires["c"].rule = rule
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two, ask("/kpfw/v1/upload", b"u" * 1700), answer())
    finish(one, two)


@other("pmtu-blackhole/not-error-heeded", "silent — path MTU discovery at work", "fragmentation needed, MTU 1400, and the client goes on in smaller segments", "tcp || icmp")
def heeded(lab):
    narrow(lab, errors=True)
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two, ask("/kpfw/v1/upload", b"u" * 6000), answer())
    finish(one, two)


# the way changes

OFFICE = "c=lan.15 b=lan.16 s=dc.20 t=dc.21 r=dc.30"


def back_over(lab, host):
    """The host's answers take a second router on their way."""
    router(lab, "r")
    target, hop = ("2001:db8:1::/64", lab.ip("r")) if lab.ip6 else ("192.0.2.0/24", lab.ip("r"))
    sh(f"ip -n {lab.ns(host)} {'-6 ' if lab.ip6 else ''}route replace {target} via {hop}")


def detour(during):
    def play(lab):
        lab.capture("g", device="lan")
        pairs = [lab.pair(8080, client) for client in "cb"] if during else []
        for one, two in pairs:
            exchange(one, two)
        for _ in range(0 if during else 3):
            for client in "cb":
                whole(lab, client=client)
        back_over(lab, "s")
        time.sleep(0.3)
        for one, two in pairs:
            exchange(one, two)
            finish(one, two)
        for _ in range(0 if during else 3):
            for client in "cb":
                whole(lab, client=client)
    return play


told("path-changed", "second-router-in-mid-connection", "two clients are connected; the server's answers begin to take a second router", "answers over the new way [[ip.src==203.0.113.20 && ip.ttl==62]]", "tcp", hosts=OFFICE)(detour(True))
told("path-changed", "second-router-between-connections", "six connections before the change and six after it", "answers over the new way [[ip.src==203.0.113.20 && ip.ttl==62]]", "tcp", hosts=OFFICE)(detour(False))
told("path-changed", "second-router-ipv6", "IPv6", "answers over the new way [[ipv6.src==2001:db8:2::20 && ipv6.hlim==62]]", "tcp", hosts=OFFICE, ip6=True)(detour(True))


@other("path-changed/not-members-of-a-pool", "silent — the hops alternate with the member that answers", "one address with two members behind it, one of them a router further away", "tcp", hosts=OFFICE, tools="Linux TCP by Python sockets, nftables numgen at the gateway")
def members(lab):
    back_over(lab, "t")
    n = lab.ns("g")
    sh(f"ip netns exec {n} sysctl -qw net.bridge.bridge-nf-call-iptables=0", check=False)       # translate what is routed alone
    sh(f"ip netns exec {n} nft 'add table ip pool; add chain ip pool p {{ type nat hook prerouting priority -100; }}; "
       "add rule ip pool p ip daddr 203.0.113.100 dnat to numgen inc mod 2 map { 0 : 203.0.113.20, 1 : 203.0.113.21 }'")
    listeners = [lab.listen(host, 8080) for host in "st"]
    lab.capture("g", device="lan")
    for number in range(12):
        one = lab.connect("cb"[number // 2 % 2], "203.0.113.100", 8080)
        ready, _, _ = select.select(listeners, [], [], 3)
        two, _ = ready[0].accept()
        exchange(one, two)
        finish(one, two)
