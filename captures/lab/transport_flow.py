"""Captures of handshakes that hang or drag, and of established connections in which bytes stop moving."""
import socket
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import QUIET, gather, inside, reset, sh
from play import scenario
from wire import ACK, DROP, PSH, RST, SYN

SYNACK = "tcp.flags.syn==1 && tcp.flags.ack==1"
WIRED = "c~lan.15 s=dc.20"


def told(code, name, shows, why, filter_="tcp", **lab):
    return scenario(f"transport/{code}/{name}", f"`transport.{code}` — {why}", shows, filter_, **lab)


def silent(name, shows, why, filter_="tcp", **lab):
    return scenario(f"transport/{name}", f"silent — {why}", shows, filter_, **lab)


def started(work):
    worker = threading.Thread(target=work)
    worker.start()
    return worker


# half a handshake

def ack_eaten(at, with_data=False):
    def play(lab):
        lab.wires["c"].rule = lambda f, out: DROP if out and f.tcp and f.dport == 443 and not f.syn else None
        listener = lab.listen("s", 443)
        lab.capture(at)
        one = lab.connect("c", "s", 443)
        if with_data:
            one.sendall(ask())
        time.sleep(6)
        lab.stop()
        listener.close()
    return play


told("handshake-incomplete", "ack-eaten-at-server", "captured at the server: the client's ACK never arrives, the SYN-ACK is repeated", f"never acknowledged: [[{SYNACK}]]", SYNACK, hosts=WIRED)(ack_eaten("s"))
told("handshake-incomplete", "ack-eaten-at-client", "captured at the client: it acknowledges every SYN-ACK, yet the server repeats it: a filter eats the ACK", f"acknowledged and still repeated: [[{SYNACK}]]", SYNACK, hosts=WIRED)(ack_eaten("c"))
told("handshake-incomplete", "ack-eaten-ipv6", "captured at the server, IPv6: the ACK never arrives", f"never acknowledged: [[{SYNACK}]]", SYNACK, hosts=WIRED, ip6=True)(ack_eaten("s"))


@told("handshake-incomplete", "client-firewall-drops-synack", "captured at the client: SYN-ACKs arrive, its own firewall drops them; SYN and SYN-ACK are repeated", f"never acknowledged: [[{SYNACK}]]", SYNACK)
def client_firewall(lab):
    lab.nft("c", "input", "tcp sport 443 tcp flags & (syn|ack) == (syn|ack) drop")
    listener = lab.listen("s", 443)
    lab.capture()
    lab.connect("c", "s", 443, timeout=6)
    lab.stop()
    listener.close()


@told("handshake-incomplete", "accept-queue-full", "captured at the client: six connections to a service that accepts nothing; two ACKs meet a full queue and are ignored, their SYN-ACKs repeated",
      f"acknowledged and still repeated: [[{SYNACK} && tcp.analysis.retransmission]]", SYNACK, hosts=WIRED)
def queue_full(lab):
    lab.ctl("s", ipv4_tcp_syncookies=0)
    listener = lab.listen("s", 443, backlog=3)
    lab.wires["c"].delay = {True: 0.02, False: 0.02}
    lab.capture()
    for _ in range(2):          # the SYN queue holds three, the accept queue four
        for _ in range(3):
            one = lab.socket("c")
            one.setblocking(False)
            one.connect_ex((lab.ip("s"), 443))
        time.sleep(0.2)
    time.sleep(5.5)
    lab.stop()
    listener.close()


@silent("handshake-incomplete/not-syn-in-the-clients-name", "captured at the server: someone else sent the SYN in the client's name; the client resets the SYN-ACK that it did not ask for",
        "nothing in the capture tells it from a half-open health check", hosts=WIRED)
def unexpected(lab):
    seen = []

    def rule(f, out):
        if f.syn and out and not seen:
            seen.append(f)
            return DROP
    wire = lab.wires["c"]
    wire.rule = rule
    listener = lab.listen("s", 443)
    lab.connect("c", "s", 443, timeout=0.3)
    time.sleep(0.3)
    lab.capture("s")
    wire.inject(seen[0].bytes, True)
    time.sleep(0.5)
    lab.stop()
    listener.close()


@silent("handshake-incomplete/not-deferred-accept", "the server defers accepting until data comes (TCP_DEFER_ACCEPT); the request follows after 0.5 s", "ordinary")
def deferred(lab):
    listener = lab.listen("s", 8080)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    lab.capture()
    one = lab.connect("c", "s", 8080)
    time.sleep(0.5)
    one.sendall(ask())
    other, _ = listener.accept()
    other.recv(65536)
    other.sendall(answer())
    gather(one, len(answer()))
    finish(one, other)


@silent("handshake-incomplete/not-synack-seen-twice", "the wire doubles every frame, as a mirror port does", "a packet seen twice is one packet", hosts=WIRED)
def doubled(lab):
    lab.wires["c"].rule = lambda f, out: [(0, f.bytes, out), (0.0003, f.bytes, out)] if f.synack else None
    lab.capture()
    whole(lab)


# a slow connect

def lose_first(what, count=1):
    def play(lab):
        lost = []

        def rule(f, out):
            if what(f) and len(lost) < count:
                lost.append(f)
                return DROP
        lab.wires["c"].rule = rule
        lab.capture("s" if lab.at_server else "c")
        whole(lab)
    return play


def at(place, play):
    def placed(lab):
        lab.at_server = place == "s"
        play(lab)
    return placed


told("connect-slow", "first-syn-lost", "captured at the client: the first SYN is lost, its retry after 1 s is answered", "SYN and retry [[tcp.flags.syn==1 && tcp.flags.ack==0]]", hosts=WIRED)(at("c", lose_first(lambda f: f.syn)))
told("connect-slow", "first-two-syns-lost-ipv6", "two SYNs are lost, the third is answered; IPv6", "[[tcp.flags.syn==1 && tcp.flags.ack==0]]", hosts=WIRED, ip6=True)(at("c", lose_first(lambda f: f.syn, 2)))
told("connect-slow", "first-synack-lost", "captured at the client: the first SYN-ACK is lost on the way", "SYN and retry [[tcp.flags.syn==1 && tcp.flags.ack==0]]", hosts=WIRED)(at("c", lose_first(lambda f: f.synack)))
told("connect-slow", "first-synack-lost-at-server", "captured at the server: SYN and SYN-ACK are repeated before the client's ACK comes", "[[tcp.flags.syn==1]]", hosts=WIRED)(at("s", lose_first(lambda f: f.synack)))


@told("connect-slow", "first-address-dead", "a name with two addresses: a client waits 2.5 s for the dead one, then the second answers", "dead address [[ip.dst==203.0.113.99]]",
      "tcp.flags.syn==1", tools="Python socket.create_connection, one address after the other")
def first_dead(lab):
    lab.etc("c", "hosts", "203.0.113.99 api.example.com\n203.0.113.20 api.example.com\n")
    sh(f"ip -n {lab.ns('g')} neigh add 203.0.113.99 lladdr 02:00:00:00:00:99 dev dc")
    (lab.dir / "try.py").write_text("""
import socket
for address in ("203.0.113.99", "203.0.113.20"):
    try:
        one = socket.create_connection((address, 8080), 2.5)
        break
    except OSError:
        pass
one.sendall(b"GET /kpfw/ HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n")
one.recv(65536)
one.close()
""")
    listener = lab.listen("s", 8080)

    def serve():
        other, _ = listener.accept()
        other.recv(65536)
        other.sendall(answer())
        other.recv(1)
        other.close()
    worker = started(serve)
    lab.capture()
    lab.run("c", ["python3", "try.py"])
    worker.join()


@silent("connect-slow/not-long-round-trip", "round trip 420 ms, nothing repeated", "long, but below the threshold", hosts=WIRED)
def long_trip(lab):
    lab.wires["c"].delay = {True: 0.21, False: 0.21}
    lab.capture()
    whole(lab)


# round trips

def trip(ms):
    def play(lab):
        lab.wires["c"].delay = {True: ms / 2000, False: ms / 2000}
        lab.capture("s" if getattr(lab, "at_server", False) else "c")
        whole(lab)
    return play


told("latency-high", "satellite", "round trip 640 ms", "SYN to ACK [[tcp.flags.syn==1]]", hosts=WIRED)(trip(640))
told("latency-high", "satellite-ipv6", "round trip 580 ms, IPv6", "SYN to ACK [[tcp.flags.syn==1]]", hosts=WIRED, ip6=True)(trip(580))
told("latency-high", "at-the-server", "round trip 700 ms, captured at the server: from SYN-ACK to ACK", "[[tcp.flags.syn==1]]", hosts=WIRED)(at("s", trip(700)))


@told("latency-high", "ten-times-own-median", "six connections at 12 ms, then one at 320 ms", "the last handshake against the median of the others: [[tcp.time_relative>0.25 && tcp.flags.syn==1]]", hosts=WIRED)
def ten_times(lab):
    lab.capture()
    for ms in (12, 12, 12, 12, 12, 12, 320):
        lab.wires["c"].delay = {True: ms / 2000, False: ms / 2000}
        whole(lab)


@silent("latency-high/not-below-threshold", "six connections at 12 ms, one at 150 ms", "more than ten times the median, but under 200 ms", hosts=WIRED)
def below(lab):
    lab.capture()
    for ms in (12, 12, 12, 12, 12, 12, 150):
        lab.wires["c"].delay = {True: ms / 2000, False: ms / 2000}
        whole(lab)


@silent("latency-high/not-slow-application", "round trip 30 ms, the answer takes 1.5 s", "the application's time is not the path's", hosts=WIRED)
def slow_app(lab):
    lab.wires["c"].delay = {True: 0.015, False: 0.015}
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask())
    other.recv(65536)
    time.sleep(1.5)
    other.sendall(answer())
    gather(one, len(answer()))
    finish(one, other)


@silent("latency-high/not-ack-outside-capture", "the capture leaves bare ACKs out; the client speaks 900 ms after the handshake", "the first segment of the client that is there is its request, not the ACK of the handshake", hosts=WIRED)
def ack_outside(lab):
    lab.capture(only=f"({QUIET}) and not (tcp[tcpflags] == tcp-ack and ip[2:2] <= 52)")
    one, other = lab.pair(8080)
    time.sleep(0.9)
    one.sendall(ask())
    other.recv(65536)
    other.sendall(answer())
    gather(one, len(answer()))
    finish(one, other)


# closed too early

def closes(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400021"}'))
    other.recv(65536)
    other.close()
    one.recv(1)
    one.close()
    time.sleep(0.1)


for six in (False, True):
    told("closed-early", "request-then-fin" + ("-ipv6" if six else ""), "the server reads the whole POST and closes without a byte", "FIN that acknowledges the request [[tcp.flags.fin==1 && tcp.srcport==8080]]", ip6=six)(closes)


@told("closed-early", "nginx-444", "nginx `return 444`: the connection is closed without an answer", "[[tcp.flags.fin==1 && tcp.srcport==8080]]", tools="nginx, curl")
def nginx_444(lab):
    (lab.dir / "n.conf").write_text(f"daemon off; master_process off; user root; pid {lab.dir}/n.pid; error_log stderr;\nevents {{}}\n"
                                    "http { access_log off; server { listen 8080; return 444; } }\n")
    lab.start("s", ["nginx", "-e", "stderr", "-c", lab.dir / "n.conf"], 8080)
    lab.capture()
    lab.run("c", ["curl", "-s", "-m", "3", "http://203.0.113.20:8080/kpfw/v1/invoice"])


@told("closed-early", "second-request", "the first exchange is complete; the second request is read and the connection closed", "[[tcp.flags.fin==1 && tcp.srcport==8080]]")
def second_closed(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400022"}'))
    other.recv(65536)
    time.sleep(0.3)
    other.close()
    one.recv(1)
    one.close()


@told("closed-early", "after-a-second", "the server thinks for 1.2 s and then closes", "[[tcp.flags.fin==1 && tcp.srcport==8080]]")
def thinks(lab):
    lab.capture("s")
    one, other = lab.pair(8080)
    one.sendall(ask())
    other.recv(65536)
    time.sleep(1.2)
    other.close()
    one.recv(1)
    one.close()


@silent("closed-early/not-keepalive-race-20ms", "the server's idle FIN crosses the second request on a 20 ms path; the request is repeated on a new connection and answered",
        "the FIN does not acknowledge the request", hosts=WIRED)
def race(lab):
    lab.wires["c"].delay = {True: 0.01, False: 0.01}
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(1)
    other.close()
    one.sendall(ask("/kpfw/v1/status"))
    time.sleep(0.1)
    one.close()
    whole(lab)


@silent("closed-early/not-half-close", "the client sends its request and half-closes; the server answers and closes", "half-close is ordinary")
def half_close(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask())
    one.shutdown(socket.SHUT_WR)
    other.recv(65536)
    other.recv(1)
    time.sleep(0.2)
    other.sendall(answer())
    other.close()
    gather(one, len(answer()))
    one.recv(1)


@silent("closed-early/not-idle-close", "exchange, then the server closes the idle connection after 2 s", "a complete exchange")
def idle_close(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(2)
    other.close()
    one.recv(1)
    one.close()


# data that nobody acknowledges

def blackhole(at_host="c", out=None, ends=7):
    """After one good exchange every frame (or one direction) is lost."""
    def play(lab):
        lab.capture(at_host)
        one, other = lab.pair(8080)
        exchange(one, other)
        time.sleep(0.3)
        lab.wires["c"].rule = lambda f, o: DROP if out is None or o == out else None
        one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400023"}'))
        time.sleep(ends)
        lab.stop(0)
    return play


RETRY = "tcp.analysis.retransmission && tcp.srcport!=8080"
told("data-unacked", "path-dies", "captured at the client: after a good exchange the request and its retransmissions are never acknowledged", f"retransmissions [[{RETRY}]]", "tcp.len>0", hosts=WIRED)(blackhole())
told("data-unacked", "path-dies-ipv6", "the same, IPv6", f"retransmissions [[{RETRY}]]", "tcp.len>0", hosts=WIRED, ip6=True)(blackhole())
told("data-unacked", "acks-lost", "captured at the client: only the way back is dead", f"retransmissions [[{RETRY}]]", "tcp.len>0", hosts=WIRED)(blackhole(out=False))


@told("data-unacked", "client-vanishes", "captured at the server: the client is gone in the middle of the answer, whose segments are never acknowledged", "[[tcp.analysis.retransmission]]", "tcp.srcport==8080 && tcp.len>0", hosts=WIRED)
def vanishes(lab):
    lab.capture("s")
    one, other = lab.pair(8080)
    exchange(one, other)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    lab.wires["c"].rule = lambda f, out: DROP
    other.sendall(answer(b"w" * 900))
    time.sleep(7)
    lab.stop(0)


@told("data-unacked", "keepalive-probes-unanswered", "captured at the client: an idle connection's keep-alive probes, one a second, are never answered", "[[tcp.analysis.keep_alive]]", "tcp.analysis.keep_alive", hosts=WIRED)
def probes_unanswered(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 9)):
        one.setsockopt(socket.IPPROTO_TCP, option, value)
    exchange(one, other)
    lab.wires["c"].rule = lambda f, out: DROP
    time.sleep(8)
    lab.stop(0)


@told("data-unacked", "first-request-at-gateway", "captured at the gateway: the handshake is done, the first request and its retransmissions go to a server whose firewall now drops them", "[[tcp.analysis.retransmission]]", "tcp.len>0")
def first_request(lab):
    lab.capture("g", device="lan")
    one, other = lab.pair(8080)
    lab.nft("s", "input", "tcp dport 8080 drop")
    one.sendall(ask())
    time.sleep(7)
    lab.stop(0)


@silent("data-unacked/not-two-retransmissions", "the request is lost twice, the third copy is acknowledged and answered", "acknowledged in the end", hosts=WIRED)
def twice(lab):
    lost = []

    def rule(f, out):
        if out and f.tcp and f.size and len(lost) < 2:
            lost.append(f)
            return DROP
    lab.wires["c"].rule = rule
    lab.capture()
    whole(lab)


@silent("data-unacked/not-keepalive-answered", "keep-alive probes, each answered", "ordinary")
def probes_answered(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 9)):
        one.setsockopt(socket.IPPROTO_TCP, option, value)
    exchange(one, other)
    time.sleep(6)
    exchange(one, other)
    finish(one, other)


# a receiver that does not read

def stall(seconds, download, size=24000):
    def play(lab):
        lab.capture(only="tcp")
        listener = lab.listen("s", 8080, SO_RCVBUF=4096)
        one = lab.connect("c", "s", 8080, SO_RCVBUF=4096)
        other, _ = listener.accept()
        if download:
            one.sendall(ask("/kpfw/v1/list"))
            other.recv(65536)
            reply = answer(b"v" * size)
            worker = started(lambda: other.sendall(reply))
            time.sleep(seconds)
            gather(one, len(reply))
        else:
            question = ask("/kpfw/v1/upload", b"u" * size)
            worker = started(lambda: one.sendall(question))
            time.sleep(seconds)
            gather(other, len(question))
            other.sendall(answer())
            gather(one, len(answer()))
        worker.join()
        finish(one, other)
    return play


ZERO = "tcp.window_size==0 && tcp.flags.reset==0"
told("zero-window", "client-does-not-read", "the client reads nothing for 2.5 s; the server probes, then the window opens", f"[[{ZERO}]]", "tcp.analysis.zero_window || tcp.analysis.window_update")(stall(2.5, True))
told("zero-window", "server-does-not-read", "the server reads nothing of the upload for 2.5 s", f"[[{ZERO}]]", "tcp.analysis.zero_window || tcp.analysis.window_update")(stall(2.5, False))
told("zero-window", "client-does-not-read-ipv6", "4 s, IPv6", f"[[{ZERO}]]", "tcp.analysis.zero_window || tcp.analysis.window_update", ip6=True)(stall(4, True))
silent("zero-window/not-under-a-second", "the client reads nothing for 0.6 s", "shorter than 1 s")(stall(0.6, True))
silent("zero-window/not-under-a-second-upload", "the server reads nothing for 0.5 s", "shorter than 1 s")(stall(0.5, False))


@told("zero-window", "flow-dies", "the client reads nothing for 6 s and never again; the capture ends with the server's probes", f"[[{ZERO}]]", "tcp.analysis.zero_window || tcp.analysis.zero_window_probe")
def dies(lab):
    lab.capture(only="tcp")
    one, other = lab.pair(8080, SO_RCVBUF=4096)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    other.setblocking(False)
    other.send(answer(b"v" * 30000))
    time.sleep(6)
    lab.stop(0)
