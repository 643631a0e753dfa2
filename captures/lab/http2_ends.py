"""Captures of HTTP/2 in clear, by prior knowledge and by upgrade, and of gRPC: answers that fail, streams that are given up,
connections that end, and what of it is ordinary.

Needs nghttp2 (Debian) and, from PyPI, h2, hypercorn and grpcio: LAB_PYTHON names the Python that has them.
"""
import os
import time

from actors import *  # noqa: F403
from http_answers import BODY, ISSUE, SHOP
from stage import LAB
from tls_cert import case

GRPC = "tcp.port == 50051 && tcp.len > 0"
HTTP2 = "http2.type == 1 || http2.type == 3 || http2.type == 7"
PYTHON_H2 = lambda: os.environ["LAB_PYTHON"]   # noqa: E731
APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind.endswith("shutdown"): return
    while (await receive()).get("more_body"): pass
    status = 500 if scope["path"].startswith("/broken") else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"code":"0"}'})
"""


def told(layer, code, name, shows, server, client, **more):
    more.setdefault("filter", HTTP2)
    case(f"{layer}/{code}/{name}", [f"{layer}.{code}"], shows, server, client, **more)


def quiet(path, shows, server, client, **more):
    more.setdefault("filter", HTTP2)
    case(path, [], shows, server, client, **more)


def web(locations=None, extra=""):
    """nginx that speaks HTTP/2 in clear on port 8080."""
    locations = locations or f"location / {{ default_type application/json; return 200 '{JSON}'; }}"
    one = f"server {{ listen 8080 http2; listen [::]:8080 http2; server_name _; {extra} {locations} }}"
    return lambda st: nginx(st, port=8080, servers=one)


def plays(st):
    st.used("h2")
    st.start("s", [PYTHON_H2(), LAB / "http2s.py", "server", 8080], 8080)


def hypercorn(st):
    st.used("hypercorn")
    st.write("app.py", APP)
    st.start("s", [PYTHON_H2(), "-m", "hypercorn", "--bind", "[::]:8080", "app:app"], 8080)


def nghttpd(st):
    st.used("nghttp2")
    (st.dir / "www").mkdir()
    (st.dir / "www" / "index.html").write_text("<p>ok</p>")
    st.start("s", ["nghttpd", "--no-tls", "-d", st.dir / "www", "8080"], 8080)


def grpcs(st):
    st.used("grpcio")
    st.start("s", [PYTHON_H2(), LAB / "grpcs.py", "server", 50051], 50051)


def prior(st, *options, path="/v2/invoices"):
    curl(st, "--http2-prior-knowledge", *options, path=path, port=8080, name=SHOP, scheme="http", ca=None)


def posts(st):
    st.used("nghttp2")
    st.run("c", ["nghttp", "-n", "-d", st.write("body.json", BODY), "-H", "content-type: application/json", *(f"http://{SHOP}:8080/v2/{name}" for name in "abc")])


def upgrade(st, *options, path="/v2/invoices"):
    curl(st, "--http2", *options, path=path, port=8080, name=SHOP, scheme="http", ca=None)


def asks(*paths, cancel=0):
    def play(st):
        st.used("h2")
        st.run("c", [PYTHON_H2(), LAB / "http2s.py", "client", st.server_ip, 8080, SHOP, cancel, *paths])
    return play


def call(method, seconds=5, times=1):
    def play(st):
        st.used("grpcio")
        st.run("c", [PYTHON_H2(), LAB / "grpcs.py", "client", f"ipv4:{st.server_ip}:50051", SHOP, method, seconds, times])
    return play


def both(*plays_):
    return lambda st: [play(st) for play in plays_]


# statuses
told("application", "http-503", "http2-nginx", "nginx answers with 503 and Retry-After in HTTP/2 by prior knowledge",
     web("location / { add_header Retry-After 30 always; return 503; }"), lambda st: prior(st, *ISSUE))
told("application", "http-bad-gateway", "http2-nginx", "nginx cannot reach its back end and answers 502 in HTTP/2",
     web("location / { proxy_pass http://127.0.0.1:9; }"), lambda st: prior(st))
told("application", "http-not-found", "http2-nghttp", "nghttp asks nghttpd for an interface that is not there, beside one that is",
     nghttpd, lambda st: st.run("c", ["nghttp", "-n", f"http://{SHOP}:8080/index.html", f"http://{SHOP}:8080/api/v2/invoices"]))
told("application", "http-server-error", "http2-upgraded", "curl upgrades from HTTP/1.1 (h2c), the answer of stream 1 is a 500",
     hypercorn, lambda st: upgrade(st, path="/broken"))
told("application", "http-client-error", "http2-to-http1-only", "the client speaks HTTP/2 to a server that speaks HTTP/1 only, which answers 400",
     lambda st: nginx(st, port=8080, secure=False), lambda st: prior(st), filter="http || http2")
told("data", "json-malformed", "http2-answer", "a 200 in HTTP/2 whose body is no JSON",
     web("location / { default_type application/json; return 200 '{\"code\": 0,}'; }"), lambda st: prior(st, *ISSUE))
told("security", "cleartext-credentials", "http2-basic", "Basic credentials in HTTP/2 in clear", web(), lambda st: prior(st, "-u", "robot:lab-only"))

# streams that are given up
told("application", "http-server-error", "http2-stream-reset", "the server gives the stream up with INTERNAL_ERROR, curl fails with 92", plays, lambda st: prior(st, path="/reset"))
told("application", "response-truncated", "http2-stream-reset", "the server gives the stream up inside the body", plays, lambda st: prior(st, path="/cut"))
told("application", "http-throttled", "http2-enhance-your-calm", "the server closes the connection with GOAWAY, ENHANCE_YOUR_CALM", plays, asks("/v2/a", "/calm", "/v2/b"))
told("application", "no-response", "http2-one-stream-of-many", "of five streams one is never answered; the client cancels it after 5 s", plays, asks("/v2/a", "/v2/b", "/never", "/v2/c", "/v2/d", cancel=5))
told("application", "slow-response", "http2-one-stream", "one of three streams is answered after 4 s", plays, asks("/v2/a", "/slow", "/v2/b"))
told("application", "http-malformed", "http2-protocol-error", "a client sends a wrong frame; nginx answers GOAWAY, PROTOCOL_ERROR", web(), lambda st: st.python("c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 8080))
s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
s.sendall(bytes([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
s.settimeout(3)
while s.recv(4096): pass
""", st.server_ip))

# gRPC
told("application", "http-server-error", "grpc-unavailable", "a gRPC call ends with UNAVAILABLE in its trailers, status 200 before it", grpcs, both(call("Issue"), call("Down")), filter=GRPC)
told("application", "http-server-error", "grpc-unimplemented", "a method that the gRPC server does not have", grpcs, call("Cancel"), filter=GRPC)
told("application", "http-client-error", "grpc-invalid-argument", "a gRPC call that the server finds wrong", grpcs, call("Wrong"), filter=GRPC)
told("application", "http-unauthorized", "grpc-unauthenticated", "gRPC calls without credentials", grpcs, call("Who"), filter=GRPC)
told("application", "no-response", "grpc-deadline", "a gRPC call with a deadline of 4 s is not answered; the client cancels it", grpcs, call("Late", 4), filter=GRPC)
told("application", "http-throttled", "grpc-too-many-pings", "a gRPC client pings an idle connection each second; the server says GOAWAY, too_many_pings",
     grpcs, lambda st: st.run("c", [PYTHON_H2(), LAB / "grpcs.py", "pings", f"ipv4:{st.server_ip}:50051", SHOP]), filter=GRPC)

# what is ordinary
no = "application/no-response/not-"
quiet(no + "http2-cancelled-at-once", "the client cancels two streams a second after it asked: it wants them no more", plays, asks("/v2/a", "/never/a", "/never/b", cancel=1))
quiet(no + "grpc-watch", "a gRPC stream that has nothing to say is cancelled after six seconds", grpcs, call("Watch", 0), filter=GRPC)
quiet("application/http-server-error/not-http2-refused-then-served", "the server refuses a stream unseen (REFUSED_STREAM), the client asks again at once and is served", plays, asks("/v2/a", "/refuse", "/v2/b"))
case("application/http-unauthorized/not-grpc-then-with-token", ["security.cleartext-credentials"], "UNAUTHENTICATED, then the same call with a token, in clear", grpcs, call("Who", times=2), filter=GRPC)
quiet("application/http-throttled/not-http2-goaway-in-peace", "nginx closes after two requests with GOAWAY, NO_ERROR; the client goes on in another connection",
      web(extra="keepalive_requests 2;"), both(asks("/v2/a", "/v2/b", "/v2/c"), asks("/v2/c")))
quiet("application/http-throttled/not-http2-goaway-by-h2", "the server answers and says GOAWAY in peace", plays, asks("/v2/a", "/bye"))
quiet("healthy/http2-nginx-posts", "three posts in one HTTP/2 connection", web(), posts)
quiet("healthy/http2-upgraded", "curl upgrades from HTTP/1.1 (h2c)", hypercorn, lambda st: upgrade(st), filter="http || http2")
quiet("healthy/http2-nghttp", "nghttp with its dependencies and windows", nghttpd, lambda st: st.run("c", ["nghttp", "-nv", "-m", "6", f"http://{SHOP}:8080/index.html"]))
quiet("healthy/http2-grpc-calls", "four gRPC calls that end with OK", grpcs, call("Issue", times=4), filter=GRPC)


# joined in the middle
class Joined:
    """The capture begins when the connection has stood for a second."""
    def __init__(self, *paths):
        self.paths = paths

    def __call__(self, st):
        st.used("h2")
        code = (LAB / "http2s.py").read_text().split("\n\n\ndef server(port)")[0]
        part = st.write("late.py", code + f'''


class Late(Peer):
    def ask(self, path):
        def work(h2):
            h2.send_headers(h2.get_next_available_stream_id(), [(":method", "GET"), (":scheme", "http"), (":authority", "{SHOP}:8080"), (":path", path), ("accept", "application/json")], True)
        self.does(work)


peer = Late(socket.create_connection((sys.argv[1], 8080)), True)
threading.Thread(target=lambda: list(peer.events()), daemon=True).start()
for turn, path in enumerate(sys.argv[2:]):
    peer.ask(path)
    time.sleep(0.5)
peer.sock.close()
''')
        st.start("c", [PYTHON_H2(), part, st.server_ip, *self.paths])


def joined(name, shows, server, paths, expect=None):
    def late(st):
        server(st)
        Joined(*paths)(st)
        time.sleep(1.7)
    path = f"application/{expect}/http2-joined" if expect else f"healthy/{name}"
    case(path, [f"application.{expect}"] if expect else [], shows, late, lambda st: time.sleep(2.5), filter="tcp.len > 0")


joined("", "the capture joins a connection of HTTP/2 that has stood for long: what its headers say by reference to what went before stays open, the 503 does not",
       web("location /v2 { default_type application/json; return 200 '{}'; } location /late { return 503; }"), ["/v2/a", "/v2/b", "/v2/c", "/v2/b", "/v2/a", "/v2/c", "/v2/b", "/late", "/v2/a", "/v2/b", "/late"], "http-503")
joined("http2-joined", "the capture joins a connection that has stood for long, all is well in it", web(), ["/v2/a", "/v2/b", "/v2/c", "/v2/b", "/v2/a", "/v2/c", "/v2/a", "/v2/b", "/v2/c", "/v2/a"])
