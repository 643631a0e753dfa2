"""Captures of plain HTTP: requests that are answered with 4xx, proxies that fail, credentials in clear."""
from actors import *  # noqa: F403
from http_answers import BODY, ISSUE, SEG, SHOP, answer, ask, plain, post, py, quiet, told
from quiet import GATE, PROXY, code, extra, proxy, through
from stage import PKI, scenario
from tls_cert import case

# other 4xx
told("http-client-error", "nginx-405-static", "a POST to a static page: nginx answers 405", plain(locations="location / { root /usr/share/common-licenses; }"), post(8080, "/BSD"))
told("http-client-error", "api-422-ipv6", "the API finds a field wrong: 422 with JSON, over IPv6", py(answer("422 Unprocessable Entity", '{"code":"422","message":"taxpayerId: 18 characters"}'), 8080), post(), ip6=True)
told("http-client-error", "nginx-413", "an upload larger than nginx allows: 413", plain(extra="client_max_body_size 10;"), post(8080, "/kpfw/v1/upload"))
told("http-client-error", "api-415-keepalive", "415 between two good answers of one connection",
     plain(locations="location /ok { default_type application/json; return 200 '{}'; } location / { return 415; }"),
     lambda st: st.used("curl") or st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", f"http://{SHOP}:8080/ok", f"http://{SHOP}:8080/axis2/issue", f"http://{SHOP}:8080/ok"]))
quiet("http-client-error", "favicon-400", "a browser's icon is answered with 400, the page is well", plain(locations="location = / { default_type text/html; return 200 '<!doctype html><title>login</title>'; } location / { return 400; }", port=80),
      lambda st: [curl(st, "-A", "Mozilla/5.0", port=80, path=p, scheme="http", name=SHOP) for p in ("/", "/favicon.ico")])
quiet("http-client-error", "expectation-417", "a server of HTTP/1.0 does not know 100-continue and answers 417 at once; curl asks again and is served", py("""
s = listen()
def head(c):
    got = b''
    while b'\\r\\n\\r\\n' not in got: got += c.recv(65536)
    return got
while True:
    c, _ = s.accept(); got = head(c)
    if b'100-continue' in got:
        c.sendall(b'HTTP/1.1 417 Expectation Failed\\r\\nContent-Length: 0\\r\\n\\r\\n'); got = head(c)
    time.sleep(0.1)
    c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'); c.close()
""", 8080), post(8080, "/kpfw/v1/invoice", "-H", "Expect: 100-continue"))

# proxies
CUT = """
s = listen()
while True:
    c, _ = s.accept(); c.recv(65536); time.sleep(0.2)
    reset(c) if sys.argv[2] == 'reset' else c.close()
"""
told("http-proxy-failed", "connect-closed", "the proxy takes the CONNECT and closes without an answer", lambda st: st.python("s", code(CUT), 3128, "close", port=3128), through(), **extra, filter=SEG)
told("http-proxy-failed", "connect-reset-ipv6", "the proxy takes the CONNECT and resets, over IPv6", lambda st: st.python("s", code(CUT), 3128, "reset", port=3128), through(), **extra, ip6=True, filter=SEG)
told("http-proxy-failed", "plain-407", "a plain request through a proxy that wants credentials, which are never given", proxy("407"),
     lambda st: curl(st, "-x", "http://proxy.office.example:3128", scheme="http", name=SHOP, port=80), **extra)
AGAIN = PROXY.replace("            got = c.recv(65536)\n            if not got: c.close(); return\n            continue\n", "            c.close(); return\n").replace("Content-Length: 0", "Connection: close\\\\r\\\\nContent-Length: 0")
quiet("http-proxy-failed", "407-then-digest-new-connection", "the proxy closes after its demand; the credentials come on a new connection",
      lambda st: (nginx(st, "good", tls="1.2"), st.python("s", code(AGAIN), 3128, "ask", port=3128)), through("--proxy-digest", "-U", "clerk:right"), **extra)
SOCKS = """
import threading
s = listen()
how = sys.argv[2]
def pump(a, b):
    while True:
        try: d = a.recv(65536)
        except OSError: d = b''
        if not d:
            try: b.shutdown(1)
            except OSError: pass
            return
        b.sendall(d)
def serve(c):
    c.recv(300)
    if how == 'method': c.sendall(b'\\x05\\xff'); c.close(); return
    if how == 'login':
        c.sendall(b'\\x05\\x02'); c.recv(600); c.sendall(b'\\x01\\x01'); c.close(); return
    c.sendall(b'\\x05\\x00'); c.recv(600)
    if how == 'rule': c.sendall(b'\\x05\\x02\\x00\\x01\\0\\0\\0\\0\\0\\0'); c.close(); return
    u = socket.create_connection(('127.0.0.1', 443))
    c.sendall(b'\\x05\\x00\\x00\\x01\\x7f\\0\\0\\x01\\x01\\xbb')
    threading.Thread(target=pump, args=(c, u), daemon=True).start(); pump(u, c); c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def socks(how):
    return lambda st: (nginx(st, "good", tls="1.2"), st.python("s", code(SOCKS), 1080, how, port=1080))


def by_socks(*options):
    return lambda st: curl(st, "-x", "socks5h://proxy.office.example:1080", *options)


for how, what, options in (("rule", "a SOCKS 5 proxy's rules do not allow the connection: reply 2", ()), ("method", "a SOCKS 5 proxy accepts none of the client's ways to log in", ()),
                           ("login", "a SOCKS 5 proxy refuses user name and password", ("-U", "clerk:wrong"))):
    told("http-proxy-failed", f"socks5-{how}", what, socks(how), by_socks(*options), filter="socks", **extra)
quiet("http-proxy-failed", "socks5-served", "a SOCKS 5 proxy connects, TLS inside, the request served", socks("ok"), by_socks(), filter="socks", **extra)

# credentials in clear
FORM = "tcp.dstport == 8080 && tcp.len > 0"


def bare(name, shows, server, client, codes=("security.cleartext-credentials",), **more):
    more.setdefault("filter", FORM)
    case(f"security/cleartext-credentials/{name}", list(codes), shows, server, client, **more)


GOOD = answer("200 OK", '{"code":"0"}')
bare("basic-accepted", "Basic credentials over plain HTTP, accepted, three times: said once", py(GOOD, 8080), lambda st: [ask(8080, f"/v1/list?n={n}", "-u", "clerk:Spring2026")(st) for n in range(3)], filter="http.authbasic")
bare("login-form-ipv6", "a login form with a password field, over IPv6", py(GOOD, 8080), ask(8080, "/sso/login", "-d", "username=clerk&password=Spring2026%21&captcha=x8d2"), ip6=True)
bare("json-login", "a JSON body with a password field, in a segment of its own", py(GOOD, 8080), ask(8080, "/api/login", "-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "-d", '{"loginName": "clerk", "userPwd" : "Spring2026!"}'))
bare("token-in-query", "an access token in the query string", py(GOOD, 8080), ask(8080, "/cgi-bin/invoice/list?access_token=24.6c5e1ff107f0e8bcef8c46d3424a0e78.2592000&page=1"))
bare("bearer", "a bearer token in the header", py(GOOD, 8080), ask(8080, "/v1/list", "-H", "Authorization: Bearer 24.6c5e1ff107f0e8bcef8c46d3424a0e78"))
for name, what, server, client in (
        ("not-digest", "Digest credentials: no secret passes in clear", lambda st: st.python("s", code(GATE), 8080, "keep", port=8080), ask(8080, "/v1/list", "--digest", "-u", "clerk:right")),
        ("not-signed-request", "a request signed with a secret that is not sent", py(GOOD, 8080), ask(8080, "/router/rest?app_key=ypf23&timestamp=20261124&sign=5D41402ABC4B2A76B9719D911017C592&token=&password=", "-d", "method=issue&sign_method=md5&data=password")),
        ("not-over-tls", "Basic credentials inside TLS", lambda st: nginx(st, "good", tls="1.3"), lambda st: curl(st, "-u", "clerk:Spring2026"))):
    bare(name, what, server, client, codes=(), **(dict(filter="tls.handshake.type == 2") if "tls" in name else {}))


@scenario("security/cleartext-credentials/not-loopback", [], "a login form that never leaves the machine", FORM, at="s")
def loopback(st):
    py(GOOD, 8080)(st)
    st.capture("s", device="lo")
    st.used("curl")
    st.run("s", ["curl", "-sS", "-o", "/dev/null", "-d", "username=clerk&password=Spring2026", "http://127.0.0.1:8080/sso/login"])
    st.stop()
