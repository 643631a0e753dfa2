"""Captures of HTTP that fails: error answers, silence, slowness, answers cut short; plain and inside TLS."""
from actors import *  # noqa: F403
from stage import PKI
from tls_cert import case
from tls_handshake import code

HTTP = "http"
SHOP = "api.einvoice.example"
PLAIN = dict(scheme="http", name=SHOP)
BODY = '{"serial":"26112400007","buyer":"Example Trading","amount":"113.00"}'
ISSUE = ("-d", BODY, "-H", "Content-Type: application/json; charset=utf-8")


def told(code_, name, shows, server, client, also=(), **more):
    more.setdefault("filter", HTTP)
    case(f"application/{code_}/{name}", [f"application.{code_}", *also], shows, server, client, **more)


def quiet(code_, name, shows, server, client, **more):
    more.setdefault("filter", HTTP)
    case(f"application/{code_}/not-{name}", [], shows, server, client, **more)


def reset(name, shows, server, client, **more):
    """A RST inside an answer is the transport's: the outermost cause."""
    case(f"transport/reset-by-server/{name}", ["transport.reset-by-server"], shows, server, client, **more)


def plain(port=8080, locations=None, extra="", http="", main="", **more):
    return lambda st: nginx(st, port=port, secure=False, locations=locations, extra=extra, http=http, main=main, **more)


def answer(status, body="", headers="", kind="application/json"):
    """A Python server that answers every request alike."""
    return f"""
s = listen()
import threading
def serve(c):
    while True:
        got = b''
        while b'\\r\\n\\r\\n' not in got:
            more = c.recv(65536)
            if not more: c.close(); return
            got += more
        head, _, rest = got.partition(b'\\r\\n\\r\\n')
        need = 0
        for line in head.split(b'\\r\\n'):
            if line.lower().startswith(b'content-length:'): need = int(line[15:])
        while len(rest) < need: rest += c.recv(65536)
        body = {body!r}.encode()
        c.sendall(('HTTP/1.1 {status}\\r\\nContent-Type: {kind}\\r\\n{headers}Content-Length: %d\\r\\n\\r\\n' % len(body)).encode() + body)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def py(text, port):
    return lambda st: st.python("s", code(text), port, port=port)


def ask(port=8080, path="/kpfw/v1/invoice", *options, **more):
    return lambda st: curl(st, *options, port=port, path=path, **{**PLAIN, **more})


def post(port=8080, path="/kpfw/v1/invoice", *options, **more):
    return ask(port, path, *ISSUE, *options, **more)


def limited(extra):
    """nginx with one request a second for each client; `return` would pass by the limit, a file does not."""
    def start(st):
        st.write("ok.json", JSON)
        nginx(st, port=8080, secure=False, extra=extra, http="limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;",
              locations=f"location / {{ root {st.dir}; try_files /ok.json =404; }}")
        st.dir.chmod(0o755)
    return start


def times(n, client):
    return lambda st: [client(st) for _ in range(n)]


# 503
told("http-503", "nginx-retry-after", "nginx answers a POST with 503 and Retry-After",
     plain(locations="location / { default_type application/json; add_header Retry-After 30 always; return 503 '{\"code\":\"busy\"}'; }"), post())
told("http-503", "haproxy-no-server", "HAProxy without a living backend answers 503",
     lambda st: haproxy(st, "listen a\n  bind :::8080 v4v6\n  server x 127.0.0.1:1 check inter 200ms fall 1\n", 8080), times(2, ask()), ip6=True)
told("http-503", "node-overloaded-9008", "a Node server sheds every third request",
     lambda st: st.used("node") or st.start("s", ["node", st.write("busy.js", "let n=0;require('http').createServer((q,r)=>{q.resume();q.on('end',()=>{n++;"
     "if(n%3==0){r.writeHead(503,{'Content-Type':'text/plain'});r.end('busy')}else{r.writeHead(200,{'Content-Type':'application/json'});r.end('{\"code\":\"0\"}')}})}).listen(9008,'::')"), ], 9008),
     lambda st: [curl(st, port=9008, path=f"/szzhzz/v1/query?serial={n}", **PLAIN) for n in range(7)])
told("http-503", "limit-conn-nginx", "nginx limits the requests of a client and answers the surplus with 503",
     limited("limit_req zone=z;"),
     lambda st: [curl(st, port=8080, path=f"/ypfw/v1/query?serial={n}", **PLAIN) for n in range(3)])

# 502 and 504
told("http-bad-gateway", "nginx-upstream-refuses", "nginx cannot reach its upstream: 502",
     plain(locations="location / { proxy_pass http://127.0.0.1:1; }"), post())
told("http-bad-gateway", "haproxy-504", "HAProxy waits two seconds for its server and answers 504",
     lambda st: (py("s = listen()\nk = []\nwhile True: k.append(s.accept()[0])", 9000)(st),
                 haproxy(st, "listen a\n  bind :::8080 v4v6\n  timeout server 2s\n  server x 127.0.0.1:9000\n", 8080)), post())
told("http-bad-gateway", "nginx-upstream-closes-ipv6", "the upstream closes without an answer: 502, over IPv6",
     lambda st: (py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(4096); c.close()", 9000)(st),
                 nginx(st, port=80, secure=False, locations="location / { proxy_pass http://127.0.0.1:9000; }")), ask(80), ip6=True)
told("http-bad-gateway", "nginx-504-keepalive", "504 after two seconds, on a connection that has just served well",
     lambda st: (py("s = listen()\nk = []\nwhile True: k.append(s.accept()[0])", 9000)(st),
                 nginx(st, port=8080, secure=False, locations="location /slow { proxy_read_timeout 2s; proxy_pass http://127.0.0.1:9000; } location / { default_type application/json; return 200 '{}'; }")),
     lambda st: st.used("curl") or st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", f"http://{SHOP}:8080/ok", f"http://{SHOP}:8080/slow"]))

# other 5xx
told("http-server-error", "json-500", "an exception in the service: 500 with a JSON body",
     py(answer("500 Internal Server Error", '{"code":"500","message":"NullPointerException"}'), 8080), post())
told("http-server-error", "nginx-511", "511, as the verification platform answers scripts", plain(locations="location / { return 511; }", port=80), ask(80, "/inv-veri/query"))
told("http-server-error", "soap-500-ipv6", "a SOAP fault with status 500, over IPv6",
     py(answer("500 Internal Server Error", '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Server</faultcode><faultstring>internal</faultstring></soap:Fault></soap:Body></soap:Envelope>', kind="text/xml; charset=utf-8"), 9000),
     ask(9000, "/axis2/services/SajtIssueInvoiceService", "-d", '<?xml version="1.0" encoding="UTF-8"?><a>1</a>', "-H", "Content-Type: text/xml; charset=utf-8"), ip6=True)
told("http-server-error", "wget-507", "507 Insufficient Storage to wget", py(answer("507 Insufficient Storage", "full", kind="text/plain"), 8080),
     lambda st: wget(st, port=8080, path="/fpdk/v1/upload", name=SHOP))

# 429
told("http-throttled", "nginx-limit-req", "nginx answers the surplus with 429",
     limited("limit_req zone=z; limit_req_status 429;"),
     lambda st: [curl(st, port=8080, path=f"/v1/status?serial={n}", **PLAIN) for n in range(3)])
told("http-throttled", "api-gateway-retry-after", "a gateway answers 429 with Retry-After and a JSON body",
     py(answer("429 Too Many Requests", '{"code":"FLOW_LIMIT","message":"too many requests"}', "Retry-After: 60\\r\\n"), 80), post(80, "/open/v1/services"))
told("http-throttled", "haproxy-deny-429-ipv6", "HAProxy denies with 429, over IPv6",
     lambda st: haproxy(st, "frontend a\n  bind :::8080 v4v6\n  http-request deny deny_status 429\n", 8080), ask(), ip6=True)

# 401
told("http-unauthorized", "digest-never-tried", "a 401 with a Digest challenge; the client gives up",
     py(answer("401 Unauthorized", '{"code":"401"}', 'WWW-Authenticate: Digest realm="tax", nonce="7ypf/xlj9XXwfDPEoM4URrv", qop="auth"\\r\\n'), 8080), ask())
told("http-unauthorized", "nginx-basic-not-offered", "nginx asks for Basic credentials, the client has none",
     plain(locations="location / { auth_basic tax; auth_basic_user_file /dev/null; }"), ask(8080, "/fpdk/login"))
told("http-unauthorized", "digest-wrong-twice", "the client answers the Digest challenge, and is refused again",
     py(answer("401 Unauthorized", '{"code":"401"}', 'WWW-Authenticate: Digest realm="tax", nonce="7ypf/xlj9XXwfDPEoM4URrv", qop="auth"\\r\\n'), 8080),
     ask(8080, "/fpdk/v1/list", "--digest", "-u", "clerk:wrong"))
told("http-unauthorized", "api-401-ipv6", "an API answers 401 without a challenge, over IPv6",
     py(answer("401 Unauthorized", '{"errcode":"401","description":"access token expired"}'), 8080), post(8080, "/router/rest"), ip6=True)
case("application/http-unauthorized/basic-in-clear", ["application.http-unauthorized", "security.cleartext-credentials"],
     "Basic credentials over plain HTTP, refused", py(answer("401 Unauthorized", "no", 'WWW-Authenticate: Basic realm="tax"\\r\\n', "text/plain"), 8080),
     ask(8080, "/login", "-u", "clerk:wrong"), filter=HTTP)

# 403
told("http-forbidden", "nginx-deny", "nginx denies the client's address", plain(locations="location / { deny all; }"), ask())
told("http-forbidden", "waf-marked-body", "a web application firewall answers 403 with its own page",
     py(answer("403 Forbidden", "<html><head><title>405</title></head><body>Sorry, your request has been blocked as it may cause potential threats to the server's security. Request id: 76b20f4017324 Aliyun WAF</body></html>",
               "Server: Tengine\\r\\n", "text/html; charset=utf-8"), 80), post(80), note="detail waf")
told("http-forbidden", "waf-marked-header", "a 403 with a WAF's header", py(answer("403 Forbidden", "<html><body>Request denied by WatchGuard</body></html>",
     "Server: WAF/2.4-12.1\\r\\nX-WAF-Status: blocked\\r\\n", "text/html"), 8080), ask(8080, "/kpfw/v1/query?id=1%27%20or%201=1"))
told("http-forbidden", "haproxy-deny-ipv6", "HAProxy denies by path, over IPv6",
     lambda st: haproxy(st, "frontend a\n  bind :::8080 v4v6\n  http-request deny if { path_beg /admin }\n  http-request return status 200 content-type application/json string \"{}\"\n", 8080),
     lambda st: (ask(8080, "/v1/ok")(st), ask(8080, "/admin/v1/keys")(st)), ip6=True)

# 404
told("http-not-found", "retired-path", "the API's path is gone: 404 with JSON", py(answer("404 Not Found", '{"code":"404","message":"no such service"}'), 8080), post(8080, "/kpfw/v0/issue"))
told("http-not-found", "nginx-404-between-good", "one unknown API path between two that work",
     plain(locations="location /api/v1/ { default_type application/json; return 200 '{}'; } location / { return 404; }"),
     lambda st: [curl(st, port=8080, path=p, **PLAIN) for p in ("/api/v1/a", "/apis/issue", "/api/v1/b")])
told("http-not-found", "gone-410-ipv6", "410 Gone on an API's path, over IPv6", py(answer("410 Gone", '{"code":"410"}'), 80), post(80, "/open/services/issue"), ip6=True)
quiet("http-not-found", "favicon", "a browser's page with its icon and robots.txt missing",
      plain(locations="location = / { default_type text/html; return 200 '<!doctype html><title>login</title>'; } location / { return 404; }", port=80),
      lambda st: [curl(st, "-A", "Mozilla/5.0", port=80, path=p, **PLAIN) for p in ("/", "/favicon.ico", "/robots.txt", "/apple-touch-icon.png", "/static/app.js.map")])

# no-response
DEAF = """
s = listen()
import threading
def serve(c):
    c.recv(65536)
    time.sleep(3600)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
TLS_DEAF = """
import threading
c0 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c0.load_cert_chain(sys.argv[2], sys.argv[3])
c0.maximum_version = ssl.TLSVersion.TLSv1_2 if sys.argv[4] == '1.2' else ssl.TLSVersion.TLSv1_3
wait, cut = float(sys.argv[5]), sys.argv[6]
s = listen()
def serve(c):
    try:
        t = c0.wrap_socket(c, server_side=True)
        t.recv(65536)
        time.sleep(wait)
        body = b'{"code":"0","message":"ok"}'
        t.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body)
        t.recv(65536)
        t.close()
    except OSError as e: print(e)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def tls_wait(port, tls, wait, chain="good"):
    return lambda st: st.python("s", code(TLS_DEAF), port, PKI / f"{chain}.pem", keyfile(chain), tls, wait, "", port=port)


SEG = "tcp.len > 0 || tcp.flags.fin == 1 || tcp.flags.reset == 1"
told("no-response", "plain-gives-up-6s", "the request is acknowledged and never answered; the client closes after 6 s",
     py(DEAF, 8080), post(8080, "/kpfw/v1/invoice", "-m", "6"), filter=SEG)
told("no-response", "plain-15s-ipv6", "a POST to a hung service; curl gives up after 15 s, over IPv6", py(DEAF, 80), post(80, "/fpdk/v1/tick", "-m", "15"), filter=SEG, ip6=True)
told("no-response", "plain-reset-after-10s", "the client resets after 10 s without an answer", py(DEAF, 8080),
     lambda st: st.python("c", "import socket,struct,sys,time\ns=socket.create_connection((sys.argv[1],8080))\ns.sendall(b'GET /kpfw/v1/status HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\n\\r\\n')\n"
                          "time.sleep(10)\ns.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0))\ns.close()", st.server_ip), filter=SEG)
told("no-response", "plain-second-on-connection", "the first request of a connection is served, the second never; the client closes after 6 s",
     py("""
s = listen()
import threading
def serve(c):
    c.recv(65536); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n{}'); c.recv(65536); time.sleep(3600)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
""", 8080), lambda st: st.used("curl") or st.run("c", ["curl", "-sS", "-m", "6", "-o", "/dev/null", "-o", "/dev/null", f"http://{SHOP}:8080/kpfw/v1/a", f"http://{SHOP}:8080/kpfw/v1/b"]), filter=SEG)
told("no-response", "plain-nginx-stopped-20s", "nginx hangs after the connection stands; wget gives up after 20 s",
     lambda st: __import__("os").killpg(nginx(st, port=80, secure=False).pid, 19), lambda st: wget(st, "-T", "20", path="/fpdk/query", name=SHOP), filter=SEG)
told("no-response", "tls12-gives-up-6s", "TLS 1.2: the request's record is acknowledged, no record comes back; curl closes after 6 s",
     tls_wait(443, "1.2", 3600), lambda st: curl(st, "-m", "6"), filter=SEG)
told("no-response", "tls13-java-15s-8443", "TLS 1.3: a Java client waits 15 s for a record and closes", tls_wait(8443, "1.3", 3600),
     lambda st: java(st, port=8443, timeout="15000"), filter=SEG)
told("no-response", "tls13-python-10s-ipv6", "TLS 1.3 over IPv6: a Python client gives up after 10 s", tls_wait(443, "1.3", 3600),
     lambda st: python(st, wait=10), filter=SEG, ip6=True)
told("no-response", "tls12-node-30s-9008", "TLS 1.2 on port 9008: a Node client gives up after 30 s", tls_wait(9008, "1.2", 3600),
     lambda st: node(st, port=9008, ms=30000, body=BODY), filter=SEG)
told("no-response", "tls13-node-20s", "TLS 1.3: a Node client gives up after 20 s", tls_wait(443, "1.3", 3600), lambda st: node(st, ms=20000), filter=SEG)

# slow-response
told("slow-response", "plain-5s", "the answer's first byte comes after 5 s",
     py("s = listen()\nimport threading\ndef serve(c):\n    c.recv(65536); time.sleep(5); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'); c.close()\n"
        "while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()", 8080), post())
told("slow-response", "haproxy-backend-8s-ipv6", "HAProxy passes on an answer that took 8 s, over IPv6",
     lambda st: (py("s = listen()\nimport threading\ndef serve(c):\n    c.recv(65536); time.sleep(8); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'); c.close()\n"
                    "while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()", 9000)(st),
                 haproxy(st, "listen a\n  bind :::80 v4v6\n  server x 127.0.0.1:9000\n", 80)), ask(80), ip6=True)
told("slow-response", "tls12-4s", "TLS 1.2: the first record after the request comes after 4 s", tls_wait(443, "1.2", 4), lambda st: curl(st), filter=SEG)
told("slow-response", "tls13-java-7s-8443", "TLS 1.3: a Java client is answered after 7 s", tls_wait(8443, "1.3", 7), lambda st: java(st, port=8443), filter=SEG)
quiet("slow-response", "two-seconds", "answered after two seconds", py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(65536); time.sleep(2); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'); c.close()", 8080), post())
quiet("slow-response", "two-seconds-tls13", "TLS 1.3, answered after two seconds", tls_wait(443, "1.3", 2), lambda st: python(st), filter=SEG)

# response-truncated
def cut(how, chunked, port=8080):
    head = "Transfer-Encoding: chunked" if chunked else "Content-Length: 4000"
    data = "b'3e8\\r\\n' + b'x' * 1000 + b'\\r\\n' + b'3e8\\r\\n' + b'y' * 300" if chunked else "b'x' * 1500"
    end = "reset(c)" if how == "rst" else "c.close()"
    return py(f"s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(65536); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/octet-stream\\r\\n{head}\\r\\n\\r\\n' + {data}); time.sleep(0.3); {end}", port)


told("response-truncated", "content-length-fin", "the server closes after 1,500 of 4,000 bytes", cut("fin", False), ask(8080, "/v/download?id=1"), filter=SEG)
reset("inside-content-length", "the server resets after 1,500 of 4,000 bytes", cut("rst", False), ask(8080, "/v/download?id=2"), filter=SEG)
told("response-truncated", "chunked-fin-ipv6", "the server closes inside the second chunk, over IPv6", cut("fin", True, 80), ask(80, "/v/download?id=3"), filter=SEG, ip6=True)
reset("inside-chunks", "the server resets inside the second chunk", cut("rst", True), ask(8080, "/v/download?id=4"), filter=SEG)
told("response-truncated", "proxy-loses-upstream", "nginx passes on the first part of an answer, then its upstream is gone",
     lambda st: (cut("fin", False, 9000)(st), nginx(st, port=8080, secure=False, locations="location / { proxy_buffering off; proxy_pass http://127.0.0.1:9000; }")), ask(8080, "/v/pdf?id=5"), filter=SEG)
quiet("response-truncated", "until-close", "neither length nor chunks: the body ends with the connection", py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(65536); c.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n' + b'x' * 900); c.close()", 8080), ask())
quiet("response-truncated", "head-has-no-body", "an answer to HEAD names a length and has no body", plain(locations="location / { root /usr/share/common-licenses; }", port=80),
      lambda st: st.python("c", "import socket,sys\ns=socket.create_connection((sys.argv[1],80))\ns.sendall(b'HEAD /GPL-3 HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\nConnection: close\\r\\n\\r\\n')\nprint(s.recv(4096)); s.close()", st.server_ip))
