"""TLS and HTTP over a round trip of tens of milliseconds, as between an office and a province's platform."""
from actors import *  # noqa: F403
from http_answers import ISSUE, PLAIN, SEG, answer, ask, plain, post, py, tls_wait
from quiet import SPARE, TLS
from stage import NAME, PKI
from tls_cert import N, SEES, bare, case
from tls_handshake import FIRST, stopped
from wire import DROP

FAR = dict(rtt_ms=40)


def told(code, name, shows, server, client, also=(), **more):
    layer = "application" if code.startswith(("http", "no-", "slow", "response")) else "security"
    case(f"{layer}/{code}/far-{name}", [f"{layer}.{code}", *also], f"round trip {more.get('rtt_ms', 40)} ms: {shows}", server, client, **{**FAR, **more})


def calm(path, shows, server, client, **more):
    case(path, [], f"round trip {more.get('rtt_ms', 40)} ms: {shows}", server, client, **{**FAR, **more})


told("cert-expired", "curl-refuses", "curl refuses an expired leaf by alert 45", N("expired"), lambda st: curl(st))
told("cert-chain-incomplete", "java-refuses-8443", "a Java client refuses a leaf without its intermediate", N("good-bare", port=8443), lambda st: java(st, port=8443), rtt_ms=65)
told("cert-name-mismatch", "node-closes", "a Node client finishes the handshake and closes", N("misnamed"), lambda st: node(st))
told("cert-untrusted-root", "gnutls-refuses-server-side", "gnutls-cli refuses a private root; captured at the server", N("private-with-root"), lambda st: gnutls_cli(st), at="s")
told("cert-rejected", "tls13-clear-alert", "TLS 1.3: curl sends alert 48 in clear", N("private-with-root", tls="1.3"), lambda st: curl(st), filter=FIRST)
for who, client in (("gnutls", lambda st: gnutls_cli(st)), ("java", lambda st: java(st)), ("node", lambda st: node(st))):
    told("cert-rejected-inferred", who, f"TLS 1.3: a {who} client refuses a private root", N("private-with-root", tls="1.3"), client, filter=bare)
    told("cert-rejected-inferred", f"{who}-server-side", f"TLS 1.3: a {who} client refuses an expired leaf; captured at the server", N("expired", tls="1.3"), client,
         filter=bare, at="s", rtt_ms=90)
    calm(f"security/cert-rejected-inferred/not-far-{who}-served", f"TLS 1.3: a {who} client is served", N("good", tls="1.3"), client, filter=TLS)
for who, client in (("curl", lambda st: curl(st)), ("python", lambda st: python(st, count=2))):
    calm(f"security/cert-rejected-inferred/not-far-{who}-served-server-side", f"TLS 1.3: {who} is served; captured at the server", N("good", tls="1.3"), client, filter=TLS, at="s")
calm("security/cert-rejected-inferred/not-far-spare-notify", "TLS 1.3: a spare connection, closed with close_notify after its handshake; another is served",
     N("good", tls="1.3"), lambda st: (curl(st), st.python("c", SPARE, st.server_ip, NAME, ROOTS, 0.5, "notify")), filter=bare)
RESET = "s = listen()\nwhile True:\n    c, _ = s.accept(); hello(c); reset(c)"
CLOSE = "s = listen()\nwhile True:\n    c, _ = s.accept(); hello(c); c.close()"
told("tls-cut-on-hello", "rst", "the hello is answered by RST", py(RESET, 443), lambda st: curl(st), filter=FIRST)
told("tls-cut-on-hello", "fin-server-side", "the hello is answered by FIN; captured at the server", py(CLOSE, 8443), lambda st: python(st, port=8443), filter=FIRST, at="s")
told("tls-no-reply", "nginx-stopped", "the hello is acknowledged and no more; curl gives up after 7 s", stopped(N("good")), lambda st: curl(st, "-m", "7"), filter=FIRST)
told("tls-version-mismatch", "old-client", "alert 70 to a client of TLS 1.0", N("good"), lambda st: curl(st, "--ciphers", "ALL:@SECLEVEL=0", tls="1.0"), filter=FIRST)
told("tls-not-tls", "nginx-400", "plain HTTP to an HTTPS port", N("good", port=8443), lambda st: curl(st, port=8443, scheme="http"), filter="http")
told("http-503", "nginx", "503 with Retry-After", plain(locations="location / { add_header Retry-After 10 always; return 503; }"), post(), filter="http")
told("http-server-error", "api", "500 on a kept connection after a good one", py("""
s = listen()
import threading
def serve(c):
    for head in ('200 OK', '500 Internal Server Error'):
        if not c.recv(65536): break
        c.sendall(('HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\nContent-Length: 14\\r\\n\\r\\n{"code":"500"}' % head).encode())
    c.recv(99); c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
""", 8080), lambda st: st.used("curl") or st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "http://api.einvoice.example:8080/v1/a", "http://api.einvoice.example:8080/v1/b"]), filter="http")
told("no-response", "tls13-curl-6s", "TLS 1.3: no record after the request; curl closes after 6 s", tls_wait(443, "1.3", 3600), lambda st: curl(st, "-m", "6"), filter=SEG)
told("no-response", "tls12-server-side-15s", "TLS 1.2: no record after the request; Java closes after 15 s; captured at the server", tls_wait(443, "1.2", 3600),
     lambda st: java(st, timeout="15000"), filter=SEG, at="s")
told("slow-response", "tls13-5s", "TLS 1.3: the answer comes after 5 s", tls_wait(8443, "1.3", 5), lambda st: python(st, port=8443), filter=SEG, rtt_ms=120)
told("slow-response", "plain-4s", "the answer comes after 4 s", py(answer("200 OK", '{"code":"0"}').replace("        body =", "        time.sleep(4)\n        body =", 1), 8080), post(), filter="http")
told("response-truncated", "content-length-fin", "the server closes in the midst of the body",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(65536); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/pdf\\r\\nContent-Length: 9000\\r\\n\\r\\n%PDF-1.4 ' + b'x' * 3000); c.close()", 80), ask(80, "/v/invoice.pdf"), filter=SEG)

# healthy over a distance, and with a segment lost on the way
calm("healthy/tls-far-12", "TLS 1.2, three requests", N("good"), lambda st: python(st, count=3), filter=TLS)
calm("healthy/tls-far-13-java-8443", "TLS 1.3, Java on both sides", lambda st: java_server(st, "good", 8443), lambda st: java(st, port=8443), filter=TLS, rtt_ms=80)
calm("healthy/tls-far-13-resumed", "TLS 1.3, resumed twice", N("good", tls="1.3", extra="keepalive_timeout 0;"), lambda st: java(st, requests="3"), filter=TLS)
calm("healthy/http-far-download", "a text of 35 kB by plain HTTP", plain(locations="location / { root /usr/share/common-licenses; default_type text/plain; }", port=80), ask(80, "/GPL-3"), filter="http")


def losing(server, choose):
    """The wire loses, once, the first frame that `choose` names."""
    def start(st):
        server(st)
        lost = []

        def rule(frame, out):
            if not lost and choose(frame, out):
                lost.append(1)
                return DROP
        st.wire.rule = rule
    return start


calm("healthy/tls-far-hello-lost-once", "the ClientHello is lost once and sent again", losing(N("good"), lambda f, out: f.tcp and f.dport == 443 and f.size > 100), lambda st: curl(st), filter=TLS)
calm("healthy/tls-far-certificate-lost-once", "a segment of the Certificate is lost once and sent again", losing(N("good"), lambda f, out: f.tcp and f.sport == 443 and f.size > 1000),
     lambda st: curl(st), filter=TLS)
calm("healthy/tls-far-finished-lost-once", "TLS 1.3: the segment with the client's Finished is lost once", losing(N("good", tls="1.3"), lambda f, out: f.tcp and f.dport == 443 and 60 < f.size < 130),
     lambda st: python(st), filter=TLS)
calm("healthy/http-far-answer-lost-once", "the answer is lost once and sent again", losing(plain(), lambda f, out: f.tcp and f.sport == 8080 and f.size > 100), post(), filter="http")
CROSS = """
import socket, sys, time
def get(s, n): s.sendall(b'GET /v1/q?serial=%d HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\n\\r\\n' % n)
s = socket.create_connection((sys.argv[1], 8080)); get(s, 1); s.recv(4096); time.sleep(1.97)
try:
    get(s, 2); print(s.recv(4096)); print(s.recv(4096))
except OSError as e: print(e)
s.close()
s = socket.create_connection((sys.argv[1], 8080)); get(s, 2); print(s.recv(4096)); s.close()
"""
calm("transport/closed-early/not-keepalive-race-client-side", "the server's FIN and the next request cross; the request is reset and asked again on a new connection; captured at the client",
     plain(extra="keepalive_timeout 2s;"), lambda st: st.python("c", CROSS, st.server_ip), filter=SEG, rtt_ms=120)
