"""Captures of connections that a gateway forgets while they rest, and of ports that are reused too soon."""
import socket
import struct
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import gather, reset, sh
from play import scenario
from wire import DROP

WIRED = "c~lan.15 s=dc.20"
REST = 34
LINUX = "Linux TCP by Python sockets, nftables and Linux connection tracking at the gateway"


def told(code, name, shows, why, filter_="tcp", **lab):
    return scenario(f"transport/{code}/{name}", f"`transport.{code}` — {why}", shows, filter_, **lab)


def other(name, expect, shows, filter_="tcp", **lab):
    return scenario(f"transport/{name}", expect, shows, filter_, **lab)


def firewall(lab, timeout=20, verdict="drop"):
    """A stateful firewall on the gateway: who is not known begins with a SYN."""
    n = lab.ns("g")
    sh(f"ip netns exec {n} nft 'add table inet fw; add chain inet fw f {{ type filter hook forward priority 0; }}; "
       f"add rule inet fw f ct state established,related accept; add rule inet fw f tcp flags & (fin|syn|rst|ack) == syn accept; "
       f"add rule inet fw f meta l4proto tcp {verdict}'")
    sh(f"ip netns exec {n} sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 net.netfilter.nf_conntrack_tcp_timeout_established={timeout} "
       f"net.netfilter.nf_conntrack_tcp_timeout_unacknowledged={timeout}")


def rested(verdict="drop", at="c", by="c", rest=REST, timeout=20, wait=8, keep=None, ends=False):
    def play(lab):
        firewall(lab, timeout, verdict)
        lab.capture(at)
        one, two = lab.pair(8080)
        for end in (one, two):
            if keep and end is (one if by == "c" else two):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in ((socket.TCP_KEEPIDLE, keep), (socket.TCP_KEEPINTVL, 1 if keep > 20 else keep), (socket.TCP_KEEPCNT, 9)):
                    end.setsockopt(socket.IPPROTO_TCP, option, value)
        exchange(one, two)
        time.sleep(rest)
        if ends:
            exchange(one, two, ask("/kpfw/v1/status"))
            finish(one, two)
            return
        if not keep:
            end = one if by == "c" else two
            end.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400041"}') if by == "c" else b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        time.sleep(wait)
        lab.stop(0)
    return play


LATE = "tcp.time_relative>30 && tcp.len>0"
told("idle-dropped", "firewall-drops", f"captured at the client: after {REST} s of rest the firewall no longer knows the connection and drops: the request is never acknowledged", f"[[{LATE}]]", tools=LINUX)(rested())
told("idle-dropped", "firewall-drops-ipv6", "the same, IPv6", f"[[{LATE}]]", tools=LINUX, ip6=True)(rested())
told("idle-dropped", "firewall-resets", "the firewall answers with a RST in the server's name", f"[[{LATE}]], RST [[tcp.flags.reset==1]]", tools=LINUX)(rested("reject with tcp reset", wait=1))
told("idle-dropped", "server-speaks-first", "captured at the server: its own message after the rest is never acknowledged", f"[[{LATE}]]", tools=LINUX)(rested(at="s", by="s"))
told("idle-dropped", "keep-alives-too-late", "the client's keep-alives begin after 32 s, too late for the firewall's 20 s: none is answered", "[[tcp.analysis.keep_alive]]", tools=LINUX)(rested(keep=32, rest=40, wait=0))


@told("idle-dropped", "server-restarted", "captured at the client: the server is started anew during the rest and answers the next request with a RST", f"[[{LATE}]], RST [[tcp.flags.reset==1]]")
def restarted(lab):
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two)
    lab.nft("s", "output", "tcp sport 8080 drop")
    reset(two)              # its last words are lost, as where the power goes
    time.sleep(REST)
    sh(f"ip netns exec {lab.ns('s')} nft delete table inet lab")
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400042"}'))
    time.sleep(1)
    lab.stop(0)


other("idle-dropped/not-rested-and-served", "silent — the connection goes on", f"{REST} s of rest, then the next request is answered", tools=LINUX)(rested(timeout=120, ends=True))
other("idle-dropped/not-kept-alive", "silent — keep-alives every 8 s keep it", f"{REST} s without data, keep-alives answered, then the next request is answered", tools=LINUX)(rested(keep=8, ends=True))


@other("idle-dropped/not-closed-in-the-rest", "silent — the server had closed", "the server's FIN comes 5 s into the rest; the client's late request meets a RST and is asked again on a new connection")
def closed(lab):
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two)
    time.sleep(5)
    two.close()
    time.sleep(REST - 5)
    one.sendall(ask("/kpfw/v1/status"))
    time.sleep(0.2)
    one.close()
    whole(lab)


@other("idle-dropped/not-closing-what-rested", "silent — nothing was asked", "the client closes a connection that rested; the firewall, which forgot it, answers the FIN with a RST", tools=LINUX)
def closing(lab):
    firewall(lab, 20, "reject with tcp reset")
    lab.capture()
    one, two = lab.pair(8080)
    exchange(one, two)
    time.sleep(REST)
    one.close()
    time.sleep(0.5)
    whole(lab)


# ports

REPAIR, QUEUE, SEQ, SEND = 19, 20, 21, 2


def dial(lab, host, seq, source=40000, timeout=10.0):
    """Connects from a fixed port with a chosen initial sequence number (TCP_REPAIR), as another host behind one NAT would have it."""
    one = lab.socket(host)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("::" if lab.ip6 else "", source))
    for option, value in ((REPAIR, 1), (QUEUE, SEND), (SEQ, seq), (REPAIR, 0)):
        one.setsockopt(socket.IPPROTO_TCP, option, struct.pack("I", value))
    one.settimeout(timeout)
    try:
        one.connect((lab.ip("s"), 8080))
    except OSError as error:
        print(error)
        one.close()
        return None
    one.settimeout(30)
    return one


def serving(lab):
    """A service that answers and closes first, so that the TIME-WAIT is its own."""
    listener = lab.listen("s", 8080, backlog=16)
    listener.settimeout(None)

    def work():
        while True:
            try:
                two, _ = listener.accept()
            except OSError:
                return
            two.recv(65536)
            two.sendall(answer(more="Connection: close\r\n"))
            two.close()
    threading.Thread(target=work, daemon=True).start()


def ask_once(one):
    one.sendall(ask())
    gather(one, len(answer(more="Connection: close\r\n")))
    one.recv(1)
    one.close()


def reused(second, at="c", first=3_000_000_000, late=False, shield=True, timeout=10.0, ends=4):
    """One exchange, then the same ports again with another initial sequence number."""
    def play(lab):
        lab.ctl("c", ipv4_tcp_timestamps=0)
        if shield:
            lab.ctl("s", ipv4_tcp_rfc1337=1)         # a RST does not end the server's TIME-WAIT
        serving(lab)
        if not late:
            lab.capture(at)
        ask_once(dial(lab, "c", first))
        time.sleep(0.5)
        if late:
            lab.capture(at)
        one = dial(lab, "c", second, timeout=timeout)
        if one:
            ask_once(one)
        time.sleep(ends)
        whole_once(lab)
    return play


def whole_once(lab):
    """Another connect from another port, which is served."""
    one = lab.connect("c", "s", 8080)
    ask_once(one)


CHALLENGE = "tcp.srcport==8080 && tcp.flags==0x010 && tcp.len==0"
PYTHON = "Linux TCP by Python sockets; the initial sequence number is set by TCP_REPAIR, as another host behind the same NAT would draw it"
told("port-reuse-stalled", "challenge-ack-never-connects", "the server is in TIME-WAIT; a SYN from the same port with a smaller number is answered by the old connection's ACK, again and again", "SYNs and ACKs [[tcp.flags.syn==1 && tcp.seq_raw==2000000000]]", tools=PYTHON)(reused(2_000_000_000))
told("port-reuse-stalled", "earlier-connection-unseen", "the same; the capture begins after the first connection", "SYNs [[tcp.flags.syn==1 && tcp.seq_raw==2000000000]]", tools=PYTHON)(reused(2_000_000_000, late=True))
told("port-reuse-stalled", "challenge-ack-at-server-ipv6", "IPv6, captured at the server", "SYNs [[tcp.flags.syn==1 && tcp.seq_raw==2000000000]]", tools=PYTHON, ip6=True)(reused(2_000_000_000, at="s"))


def forgetful(lab, seconds):
    """A firewall at the gateway that drops SYNs on what was closed less than so many seconds ago."""
    n = lab.ns("g")
    sh(f"ip netns exec {n} nft 'add table ip fw; add set ip fw closed {{ type ipv4_addr . inet_service; flags dynamic,timeout; }}; "
       f"add chain ip fw f {{ type filter hook forward priority 0; }}; "
       f"add rule ip fw f tcp flags & (fin|syn|rst|ack) == syn ip saddr . tcp sport @closed drop; "
       f"add rule ip fw f tcp flags & fin == fin tcp dport 8080 add @closed {{ ip saddr . tcp sport timeout {seconds}s }}'")


def silently(seconds, timeout):
    def play(lab):
        forgetful(lab, seconds)
        serving(lab)
        lab.capture()
        ask_once(lab.connect("c", "s", 8080, source=40000))
        time.sleep(0.3)
        one = lab.connect("c", "s", 8080, source=40000, timeout=timeout)
        if one:
            ask_once(one)
        time.sleep(0.5)
        whole_once(lab)
    return play


SYNS = "tcp.flags.syn==1 && tcp.flags.ack==0 && tcp.srcport==40000 && frame.time_relative>0.25"
told("port-reuse-stalled", "firewall-keeps-closed-sessions", "a firewall drops SYNs on a session closed less than 2 s ago; the repeated SYN connects", f"SYNs [[{SYNS}]]", tools="Linux TCP by Python sockets, nftables set with timeout")(silently(2, 15))
told("port-reuse-stalled", "firewall-keeps-too-long", "the same for 60 s: the connect fails, one from another port stands", f"SYNs [[{SYNS}]]", tools="Linux TCP by Python sockets, nftables set with timeout")(silently(60, 6))

other("port-reuse-stalled/not-taken-at-once", "silent — a greater number begins a new connection (RFC 9293 3.6.1)", "the same port again, the server in TIME-WAIT takes the SYN at once", tools=PYTHON)(reused(3_500_000_000))
other("port-reuse-stalled/not-delayed", "silent — the RST ends the old connection, the SYN is repeated within milliseconds", "a SYN with a smaller number is answered by the old connection's ACK; the client's RST clears it and the next SYN is taken", tools=PYTHON)(reused(2_000_000_000, shield=False, ends=1))


@other("port-reuse-stalled/not-syn-lost", "`transport.connect-slow` — no port is reused", "the SYN of a second connection from a new port is lost once", hosts=WIRED)
def lost(lab):
    lab.capture()
    whole(lab)
    gone = []

    def rule(f, out):
        if out and f.syn and not gone:
            gone.append(f)
            return DROP
    lab.wires["c"].rule = rule
    whole(lab)
