"""Captures of devices between that answer in the server's name: who they are is told by distance and time alone."""
import time

from net import reset
from play import scenario
from wire import ACK, DROP, RST

CUT = "tcp.flags.reset==1 || tcp.len>0 || tcp.flags.syn==1"
TOOLS = "OpenSSL 3 s_client and Linux TCP by Python sockets"
NAME = "etax.zhejiang.chinatax.gov.cn"


def distant(device_ttl, server_ttl=52, six=False):
    """The server's packets come from afar; the hello is kept on the way and a RST sent in the server's name."""
    def play(lab):
        wire = lab.wires["c"]

        def rule(f, out):
            if out and f.tcp and f.size:
                wire.inject(f.forge(RST | ACK, ttl=device_ttl, ident=0), False, 0.004)
                return DROP
            if not out and f.tcp:
                return [(0.0, f.with_ttl(server_ttl), out)]
        wire.delay = {True: 0.012, False: 0.012}
        lab.listen("s", 443)
        wire.rule = rule
        lab.capture()
        for _ in range(2):
            lab.run("c", ["openssl", "s_client", "-connect", f"{'[' + lab.ip('s') + ']' if six else lab.ip('s')}:443", "-servername", NAME])
            time.sleep(0.3)
    return play


def swallowed(name, expect, shows, play, **lab):
    scenario(f"transport/reset-injected/{name}", f"{expect}: [[tcp.flags.reset==1]]", shows, CUT, TOOLS, hosts="c~lan.15 s=dc.20", **lab)(play)


swallowed("hello-swallowed", "`transport.reset-injected` — eight hops nearer than whoever answered the SYN",
          f"a filter keeps the hello for {NAME} and resets in the server's name, ttl 60; the SYN, ACK came with 52; the server sends nothing more", distant(60))
swallowed("hello-swallowed-ipv6", "`transport.reset-injected` — two hops nearer than whoever answered the SYN",
          "the same over IPv6, hop limit 243 against 50", distant(243, 50, True), ip6=True)
swallowed("not-hello-swallowed-one-hop", "`security.tls-cut-on-hello` — one hop may be a balancer's own",
          "the same where the RST comes from one hop nearer, ttl 53 against 52", distant(53))


def behind_a_balancer(lab):
    """The balancer answers the SYN and passes the hello on to a server farther away, which resets."""
    wire = lab.wires["c"]
    wire.rule = lambda f, out: [(0.0, f.with_ttl(61 if f.synack else 56), out)] if f.tcp and not out else None
    wire.delay = {True: 0.005, False: 0.005}
    listener = lab.listen("s", 443)
    lab.capture()
    process = lab.start("c", ["openssl", "s_client", "-connect", "203.0.113.20:443", "-servername", NAME])
    one, _ = listener.accept()
    time.sleep(0.02)
    wire.rule = lambda f, out: DROP if f.tcp and not out and not f.rst else [(0.0, f.with_ttl(56), out)] if f.rst and not out else None
    reset(one)
    time.sleep(0.3)
    process.wait(5)


swallowed("not-hello-reset-behind-a-balancer", "`security.tls-cut-on-hello` — it comes from farther away than whoever answered the SYN, as of a server behind a balancer",
          "a balancer answers the SYN (ttl 61), the server behind it resets at the hello (ttl 56)", behind_a_balancer)
