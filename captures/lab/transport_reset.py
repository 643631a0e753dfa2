"""Captures of connections that are cut: by the server, by the client, by someone between, and by a FIN that came too soon."""
import os
import signal
import ssl
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import gather, reset
from play import scenario
from wire import ACK, DROP, FIN, PSH, RST

RSTS = "tcp.flags.reset==1"


def told(code, name, shows, why, filter_="tcp.flags.reset==1 || tcp.len>0", **lab):
    return scenario(f"transport/{code}/{name}", f"`transport.{code}` — {why}", shows, filter_, **lab)


def silent(name, shows, why, filter_="tcp", **lab):
    return scenario(f"transport/{name}", f"silent — {why}", shows, filter_, **lab)


def request_reset(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask(body=b'{"serial":"26112400017"}'))
    other.recv(65536)
    time.sleep(0.05)
    reset(other)
    time.sleep(0.1)
    one.close()


for six in (False, True):
    told("reset-by-server", "request-read-then-reset" + ("-ipv6" if six else ""), "the server reads the POST, then resets: request [[tcp.len>0]], RST [[tcp.flags.reset==1]]",
         f"RST in place of the response: [[{RSTS}]]", ip6=six)(request_reset)


@told("reset-by-server", "unread-request", "the server closes a socket with unread data: the kernel sends a RST by itself", f"[[{RSTS}]]")
def unread(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask(body=b"x" * 3000))
    time.sleep(0.1)
    other.close()
    time.sleep(0.1)


@told("reset-by-server", "mid-body", "2,800 of 9,000 bytes of the body, then a RST", f"inside an HTTP message: [[{RSTS}]]")
def mid_body(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask())
    other.recv(65536)
    other.sendall(answer(b"y" * 9000)[:2900])
    gather(one, 2900)
    time.sleep(0.1)
    reset(other)
    time.sleep(0.1)


@told("reset-by-server", "straight-after-handshake", "the server takes the connection and resets it 30 ms later, nothing sent", f"within 5 s of the handshake: [[{RSTS}]]")
def after_handshake(lab):
    lab.capture()
    one, other = lab.pair(443)
    time.sleep(0.03)
    reset(other)
    time.sleep(0.2)
    one.close()


@told("reset-by-server", "service-killed", "the server process is killed while it holds an unread request", f"the kernel resets for the dead process: [[{RSTS}]]", tools="Python http.server, stopped and killed")
def killed(lab):
    lab.capture()
    server = lab.start("s", ["python3", "-m", "http.server", "8080"], 8080)
    os.killpg(server.pid, signal.SIGSTOP)
    one = lab.connect("c", "s", 8080)
    one.sendall(ask())
    time.sleep(0.3)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    time.sleep(0.2)


@told("reset-by-server", "second-request", "the first exchange is complete, the second request on the same connection is reset after 0.2 s", f"[[{RSTS}]]")
def second(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400018"}'))
    other.recv(65536)
    time.sleep(0.2)
    reset(other)
    time.sleep(0.1)


@told("reset-by-server", "at-the-server", "a resetting server captured at the server's side, ttl 63 in, 64 out", f"[[{RSTS}]]")
def at_server(lab):
    lab.capture("s")
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400019"}'))
    other.recv(65536)
    reset(other)
    time.sleep(0.2)


def tls(lab, one, other, version=ssl.TLSVersion.TLSv1_3):
    key, crt = lab.dir / "k.pem", lab.dir / "c.pem"
    lab.run("s", ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=api.example.com",
                  "-days", "365", "-keyout", key, "-out", crt])
    there, here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    there.load_cert_chain(crt, key)
    here.check_hostname, here.verify_mode = False, ssl.CERT_NONE
    for context in (there, here):
        context.minimum_version = context.maximum_version = version
    got = []
    worker = threading.Thread(target=lambda: got.append(there.wrap_socket(other, server_side=True)))
    worker.start()
    client = here.wrap_socket(one, server_hostname="api.example.com")
    worker.join()
    return client, got[0]


@told("reset-by-server", "tls-13-after-request", "TLS 1.3, request sent as application data, then the server's RST", f"encrypted, the client spoke last: [[{RSTS}]]", tools="OpenSSL 3 by Python's ssl")
def tls_reset(lab):
    lab.capture()
    one, other = tls(lab, *lab.pair(443))
    one.sendall(ask())
    other.recv(65536)
    time.sleep(0.1)
    reset(other)
    time.sleep(0.2)


@silent("reset-by-server/not-after-complete-exchange", "a whole exchange, then the server resets instead of closing", "RST after a complete exchange")
def complete(lab):
    lab.capture()
    for _ in range(2):
        one, other = lab.pair(8080)
        exchange(one, other)
        time.sleep(0.1)
        reset(other)
        time.sleep(0.1)


@silent("reset-by-server/not-idle", "exchange, 6 s idle, RST by the server", "at least 5 s idle")
def idle(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(6)
    reset(other)
    time.sleep(0.1)


@silent("reset-by-client/not-data-after-own-fin", "the client has closed after its answer; two more bytes of the server meet the closed socket, whose kernel resets",
        "a RST to data that came after the client's own FIN")
def fins(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    one.close()
    time.sleep(0.05)
    other.sendall(b"\r\n")
    time.sleep(0.05)
    other.close()
    time.sleep(0.1)


# by the client

@told("reset-by-client", "while-server-sends", "the client resets in the middle of the response's body", f"inside an HTTP message: [[{RSTS}]]")
def abort_download(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    reply = answer(b"z" * 20000)
    other.sendall(reply[:6000])
    gather(one, 6000)
    time.sleep(0.2)
    reset(one)
    time.sleep(0.2)


@told("reset-by-client", "mid-upload", "1,500 of 8,000 bytes of the request's body, then the client's RST", f"inside an HTTP message: [[{RSTS}]]")
def abort_upload(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/upload", b"q" * 8000)[:1600])
    time.sleep(0.2)
    other.recv(65536)
    reset(one)
    time.sleep(0.2)


def impatient(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400020"}'))
    other.recv(65536)
    time.sleep(1)
    reset(one)
    time.sleep(0.2)


for six in (False, True):
    told("reset-by-client", "after-one-second" + ("-ipv6" if six else ""), "the client sends its request, waits 1 s and resets", f"[[{RSTS}]]", ip6=six)(impatient)


@told("reset-by-client", "unread-body", "the client closes with unread data in its buffer while the server sends on", f"the kernel's RST: [[{RSTS}]]")
def unread_body(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    other.sendall(answer(b"z" * 9000)[:5000])
    time.sleep(0.2)
    one.recv(200)
    one.close()
    time.sleep(0.2)


@silent("reset-by-client/not-told-tls-13-between-records", "TLS 1.3: the client resets between two records of an answer that was not at its end",
        "nothing in the capture tells it from a client that had all it wanted",
      tools="OpenSSL 3 by Python's ssl")
def tls_client(lab):
    lab.capture()
    one, other = tls(lab, *lab.pair(443))
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)

    def trickle():
        try:
            for _ in range(60):
                other.sendall(b"z" * 900)
                time.sleep(0.01)
        except OSError:
            pass
    worker = threading.Thread(target=trickle)
    worker.start()
    time.sleep(0.15)
    reset(one)
    worker.join()


@silent("reset-by-client/not-spare", "a browser's spare connection: handshake, nothing sent, RST after 2 s", "an aborted spare connection without data")
def spare(lab):
    lab.capture()
    one, other = lab.pair(8080)
    spare, peer = lab.pair(8080)
    exchange(one, other)
    time.sleep(2)
    reset(spare)
    finish(one, other)
    peer.close()


@silent("reset-by-client/not-after-complete-exchange", "a whole exchange, then the client resets (SO_LINGER 0, as many Java pools do)", "RST after a complete exchange")
def client_complete(lab):
    lab.capture()
    for _ in range(2):
        one, other = lab.pair(8080)
        exchange(one, other)
        time.sleep(0.1)
        reset(one)
        other.close()


# by someone between

def forged(name, shows, **lab):
    lab.setdefault("hosts", "c~lan.15 s=dc.20")
    return told("reset-injected", name, shows, f"forged RST: [[{RSTS} && ip.src==203.0.113.20 || {RSTS} && ipv6.src==2001:db8:2::20]]", "tcp.flags.reset==1 || tcp.len>0", **lab)


def inject_once(lab, make, when=lambda f, out: out and f.tcp and f.size):
    wire, done = lab.wires["c"], []

    def rule(f, out):
        if not done and when(f, out):
            done.append(1)
            make(wire, f)
    wire.rule = rule


def server_goes_on(lab, one, other, question=None):
    one.sendall(question or ask(body=b'{"keyword":"forbidden"}'))
    try:
        other.recv(65536)
        time.sleep(0.03)
        other.sendall(answer())
        time.sleep(0.3)
    except OSError:
        pass


@forged("server-answers-after-it", "a box between answers the request with a RST in the server's name (ttl 118 against 63); the server's own ACK and response follow")
def answers_after(lab):
    inject_once(lab, lambda w, f: w.inject(f.forge(RST | ACK, ttl=118, ident=0x4321), False))
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@forged("server-answers-after-it-ipv6", "the same over IPv6, hop limit 47 against 63", ip6=True)
def answers_after6(lab):
    inject_once(lab, lambda w, f: w.inject(f.forge(RST | ACK, ttl=47), False))
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@forged("three-at-rising-sequences", "three RSTs with sequence numbers 0, 1,460 and 4,380 bytes ahead, ttl 241, as keyword filters send; the server's response follows")
def three(lab):
    inject_once(lab, lambda w, f: [w.inject(f.forge(RST | ACK, seq=f.ack + k, ttl=241, ident=9000 + k), False) for k in (0, 1460, 4380)])
    lab.capture()
    server_goes_on(lab, *lab.pair(80))


@forged("both-ends-reset", "the box resets both ends: ttl 52 where the server's packets have 63; the server's ACK of the request crosses it")
def both_ends(lab):
    def make(w, f):
        w.inject(f.forge(RST | ACK, ttl=52, ident=1), False, 0.001)
        w.inject(f.forge(RST, seq=f.seq + f.size, reply=False, ttl=52, ident=2), True, 0.003)
    inject_once(lab, make)
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@forged("on-client-hello", "the name filter's RST on the ClientHello (SNI api.example.com), ttl 57; the server's hello comes after it", tools="OpenSSL 3 s_server and s_client")
def on_hello(lab):
    key, crt = lab.dir / "k.pem", lab.dir / "c.pem"
    lab.run("s", ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=api.example.com",
                  "-days", "365", "-keyout", key, "-out", crt])
    lab.start("s", ["openssl", "s_server", "-accept", "443", "-cert", crt, "-key", key, "-quiet"], 443)
    inject_once(lab, lambda w, f: [w.inject(f.forge(RST | ACK, ttl=57, ident=77), False), w.inject(f.forge(RST, seq=f.ack, ack=0, ttl=57, ident=78), False)])
    lab.capture()
    lab.run("c", ["openssl", "s_client", "-connect", "203.0.113.20:443", "-servername", "api.example.com"])


@forged("mid-response", "a RST in the middle of the response, ttl 120; the server goes on with the body")
def mid_response(lab):
    inject_once(lab, lambda w, f: w.inject(f.forge(RST, seq=f.seq + f.size, reply=False, ttl=120, ident=5), False, 0.001),
                lambda f, out: not out and f.tcp and f.size)
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    reply = answer(b"z" * 6000)
    try:
        for at in range(0, len(reply), 1400):
            other.sendall(reply[at:at + 1400])
            time.sleep(0.02)
    except OSError:
        pass
    time.sleep(0.2)


PORTAL = (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/portal\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def answered_for(name, shows, **lab):
    lab.setdefault("hosts", "c~lan.15 s=dc.20")
    return told("data-injected", name, shows, "two payloads at one place: [[tcp.srcport==8080 && tcp.len>0]]", "tcp.len>0", **lab)


@answered_for("portal-redirect-first", "a portal answers the request with a redirect in the server's name (ttl 118 against 63) before the server's own answer comes")
def portal(lab):
    inject_once(lab, lambda w, f: w.inject(f.forge(ACK | PSH | FIN, ttl=118, ident=7, window=500, payload=PORTAL), False))
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@answered_for("block-page-ipv6", "a filter's page (hop limit 47 against 63) before the server's answer, over IPv6", ip6=True)
def block_page(lab):
    page = answer(b"<html>blocked</html>").replace(b"application/json", b"text/html")
    inject_once(lab, lambda w, f: w.inject(f.forge(ACK | PSH, ttl=47, window=500, payload=page), False))
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@answered_for("late-page", "the server's own answer is first, the false one comes 30 ms behind it and is dropped by the client")
def late_page(lab):
    inject_once(lab, lambda w, f: w.inject(f.forge(ACK | PSH, ttl=241, ident=9, window=500, payload=PORTAL), False, 0.09))
    lab.capture()
    server_goes_on(lab, *lab.pair(8080))


@silent("data-injected/not-retransmitted-by-another-way", "the same bytes twice are one payload", "the server's answer comes a second time with another ttl, as after a change of the way", hosts="c~lan.15 s=dc.20")
def another_way(lab):
    def rule(f, out):
        if not out and f.tcp and f.size:
            return [(0.0, f.bytes, out), (0.02, f.with_ttl(57), out)]
    lab.wires["c"].rule = rule
    lab.capture()
    whole(lab)


def other_ttl(code, name, shows, ttl):
    @told(code, name, shows, f"no trait of an injected one: [[{RSTS}]]", hosts="c~lan.15 s=dc.20")
    def _(lab):
        def rule(f, out):
            if f.rst and not out:
                return [(0.0, f.with_ttl(ttl), out)]
        lab.wires["c"].rule = rule
        request_reset(lab)


other_ttl("reset-by-server", "another-initial-ttl", "a balancer's RST starts at 255 instead of 64: ttl 254 against 63, the same hop count", 254)


# RSTs of the server's own that look foreign

def own(name, shows, why, hosts="c~lan.15 s=dc.20", **lab):
    return scenario(f"transport/reset-injected/not-{name}", f"`transport.reset-by-server` — {why}: [[{RSTS} && ip.src==203.0.113.20]]", shows,
                    "tcp.flags.reset==1 || tcp.len>0", hosts=hosts, **lab)


@own("another-initial-ttl-without-id", "the server drops an idle connection and that RST is lost; the next request is answered by its kernel with identification 0, and on the way this RST alone is given ttl 254 instead of 63",
     "the same hop count, and identification 0 is no trait")
def without_id(lab):
    lost = []

    def rule(f, out):
        if f.rst and not out:
            if not lost:
                lost.append(f)
                return DROP
            return [(0.0, f.with_ttl(254), out)]
    lab.wires["c"].rule = rule
    lab.wires["c"].delay = {True: 0.01, False: 0.01}
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(0.5)
    reset(other)
    time.sleep(0.1)
    one.sendall(ask(body=b'{"serial":"26112400021"}'))
    time.sleep(0.2)


@own("overtakes-its-own-data", "the server resets in the middle of its answer; the RST overtakes the last three segments, which arrive after it", "what comes late was sent before the RST and lies below it")
def overtakes(lab):
    seen = []

    def rule(f, out):
        if f.tcp and f.size and not out:
            seen.append(f)
            return [(0.05 if len(seen) > 2 else 0.0, f.bytes, out)]
    lab.wires["c"].rule = rule
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    other.sendall(answer(b"y" * 20000)[:6500])
    time.sleep(0.02)
    reset(other)
    time.sleep(0.2)


@own("one-for-each-segment", "the server closes while an upload of ten segments is under way; its kernel answers each of them by a RST of its own", "each RST takes the acknowledgment number of the segment that it answers")
def for_each(lab):
    lab.wires["c"].delay = {True: 0.01, False: 0.01}
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask("/kpfw/v1/upload", b"q" * 14000)[:500])
    other.recv(65536)
    one.sendall(b"q" * 13000)
    time.sleep(0.012)
    other.close()
    time.sleep(0.2)


@own("balancer-answers-the-syn", "a balancer five hops away answers the SYN and resets at the end (ttl 250), the server behind it sends what lies between (ttl 63)",
     "the SYN, ACK came over as many hops")
def balancer(lab):
    lab.wires["c"].rule = lambda f, out: [(0.0, f.with_ttl(250), out)] if (f.rst or f.synack) and not out else None
    lab.wires["c"].delay = {True: 0.005, False: 0.005}
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    one.sendall(ask(body=b'{"serial":"26112400022"}'))
    other.recv(65536)
    time.sleep(0.05)
    reset(other)
    time.sleep(0.2)


@scenario("capture/duplicated/not-resets-alike", "silent — each answers another late segment", "the client has closed after its answer; four segments of the server arrive together later, and the client's kernel answers each by the same RST without identification",
          "tcp.flags.reset==1", hosts="c~lan.15 s=dc.20")
def alike(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    lab.wires["c"].rule = lambda f, out: [(0.05, f.bytes, out)] if f.tcp and f.size and not out else None
    one.close()
    time.sleep(0.02)
    other.sendall(b"\r\n" * 2600)
    time.sleep(0.2)
