"""Captures of HTTP in which one exchange must be seen beside another: repeats, redirects, versions, lost logins; and of
what is no HTTP."""
import time

from actors import *  # noqa: F403
from http_answers import BODY, ISSUE, SHOP, plain, post, py, quiet, told
from quiet import code
from stage import NAME
from tls_cert import N, case

SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
SAID = "http || tcp.len > 0"


def every(pauses, client):
    """The client again after each pause."""
    def play(st):
        client(st)
        for pause in pauses:
            time.sleep(pause)
            client(st)
    return play


def closed(st):
    """A server host on which nothing listens."""


def session(requests, port=8080, keep=True):
    """One Python client; each request is (pause, method, path, body, headers); over one connection if `keep`."""
    text = """
import http.client, json, sys, time
host, port, keep = sys.argv[1], int(sys.argv[2]), sys.argv[3] == 'keep'
c = http.client.HTTPConnection(host, port, timeout=10)
for pause, method, path, body, headers in json.loads(sys.argv[4]):
    time.sleep(pause)
    try:
        c.request(method, path, body=body.encode() if body else None, headers=headers)
        r = c.getresponse(); print(r.status, len(r.read()))
    except Exception as e:
        print(repr(e)); c.close()
    if not keep: c.close()
c.close()
"""
    import json
    patience = 60 + sum(request[0] for request in requests)
    return lambda st: st.python("c", text, SHOP, port, "keep" if keep else "close", json.dumps(requests), timeout=patience)


JSON_KIND = {"Content-Type": "application/json", "Accept": "application/json"}
COOKIE = {**JSON_KIND, "Cookie": "JSESSIONID=5F1C0A7E9B"}


def server(answers, port=8080):
    """A Python server: `answers` is the body of a function of method, path, headers (lower case), body and the count of
    requests so far that gives status line, extra header lines and body."""
    text = f"""
import threading
s = listen()
count = [0]
def answer(method, path, head, body, n):
{answers}
def serve(c):
    rest = b''
    while True:
        while b'\\r\\n\\r\\n' not in rest:
            more = c.recv(65536)
            if not more: c.close(); return
            rest += more
        head, _, rest = rest.partition(b'\\r\\n\\r\\n')
        need = 0
        for line in head.split(b'\\r\\n'):
            if line.lower().startswith(b'content-length:'): need = int(line[15:])
        while len(rest) < need: rest += c.recv(65536)
        body, rest = rest[:need], rest[need:]
        method, path, _ = head.split(b'\\r\\n')[0].decode().split(' ', 2)
        count[0] += 1
        got = answer(method, path, head.decode().lower(), body, count[0])
        if isinstance(got, bytes): c.sendall(got); c.close(); return
        status, extra, text = got
        text = text.encode() if isinstance(text, str) else text
        c.sendall(('HTTP/1.1 ' + status + '\\r\\n' + extra + 'Content-Length: %d\\r\\n\\r\\n' % len(text)).encode() + text)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
    return lambda st: st.python("s", code(text), port, port=port)


KIND = "Content-Type: application/json\\r\\n"
OK = f"    return '200 OK', '{KIND}', '{{\"code\":\"0\"}}'"
get = lambda path, port=8080, *options: lambda st: curl(st, *options, port=port, path=path, scheme="http", name=SHOP)  # noqa: E731

# retry-storm
told("retry-storm", "refused-every-2s", "nothing listens; a script tries again every two seconds, eight times", closed,
     every([2] * 7, get("/kpfw/v1/issue")), also=["transport.syn-refused"], filter=SYN)
told("retry-storm", "overloaded-503-keepalive", "the service answers 503; the client posts again on the same connection every 1.5 s",
     plain(locations="location / { default_type application/json; return 503 '{\"code\":\"busy\"}'; }"),
     session([[1.5 if n else 0, "POST", "/kpfw/v1/issue", BODY, JSON_KIND] for n in range(9)]), also=["application.http-503"])
told("retry-storm", "closed-early-tight-ipv6", "the server closes without an answer; a loop without any pause asks twelve times, over IPv6",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.recv(65536); c.close()", 8080),
     session([[0, "GET", "/kpfw/v1/list", "", JSON_KIND] for n in range(12)], keep=False), also=["transport.closed-early"], ip6=True, filter=SYN)
case("application/retry-storm/cert-expired-every-3s", ["application.retry-storm", "security.cert-expired"],
     "curl refuses the expired certificate, and its script tries again every three seconds", N("expired"),
     every([3] * 6, lambda st: curl(st)), filter="tls.alert_message")
quiet("retry-storm", "backoff-doubling", "refused; the pauses double from one second to sixteen", closed,
      every([1, 2, 4, 8, 16], get("/kpfw/v1/issue")), filter=SYN)
quiet("retry-storm", "every-16s", "refused every sixteen seconds: fewer than five a minute", closed,
      every([16] * 4, get("/kpfw/v1/issue")), filter=SYN)
quiet("retry-storm", "half-succeeds", "every second request is answered 503, the others are served: six failures in ten seconds, none after the other",
      server(f"    if n % 2: return '503 Service Unavailable', '', 'busy'\n{OK}"), every([0.8] * 11, get("/kpfw/v1/list")))
quiet("retry-storm", "connections-side-by-side", "one program opens eight connections at once; all are refused", closed,
      lambda st: st.python("c", """
import socket, sys, threading, time
go = threading.Barrier(8)
def one(n):
    go.wait()
    try: socket.create_connection((sys.argv[1], 8080), timeout=3)
    except OSError as e: print(e)
all = [threading.Thread(target=one, args=(n,)) for n in range(8)]
[t.start() for t in all]; [t.join() for t in all]
""", st.server_ip), filter=SYN, rtt_ms=40)
for name in ("backoff-doubling", "every-16s", "connections-side-by-side"):
    import stage as _stage
    _stage.SCENARIOS[f"application/retry-storm/not-{name}"]["expect"] = ["transport.syn-refused"]
_stage.SCENARIOS["application/retry-storm/not-half-succeeds"]["expect"] = ["application.http-503"]

# http-redirect-loop
follow = lambda path, port=8080, *options: get(path, port, "-L", "--max-redirs", "20", *options)   # noqa: E731
told("http-redirect-loop", "nginx-two-pages", "the page sends to the login and the login sends back; curl gives up after twenty redirects",
     plain(locations="location = /login { return 302 /home; } location / { return 302 /login; }"), follow("/home"))
told("http-redirect-loop", "cookie-lost", "the server sends everyone without its cookie to /auth with a growing return address; the client keeps no cookies",
     server("    from urllib.parse import quote\n    return '302 Found', 'Set-Cookie: sid=1\\r\\nLocation: /auth?from=' + quote(path)[:300] + '\\r\\n', ''"),
     lambda st: wget(st, "--max-redirect=12", "--no-cookies", port=8080, path="/fpdk/list", name=SHOP))
told("http-redirect-loop", "slash-relative-ipv6", "a rule adds a slash and another removes it, over IPv6",
     plain(port=80, locations="location = /api/ { absolute_redirect off; return 301 ../api; } location = /api { return 301 $scheme://$host/api/; }"),
     follow("/api", 80), ip6=True)
told("http-redirect-loop", "plain-to-tls-and-back", "port 80 sends to HTTPS, and the page there, which believes itself on HTTP, sends back; curl goes round on one connection each",
     lambda st: nginx(st, "good", port=443, http="server { listen 80; listen [::]:80; server_name _; return 301 https://$host$request_uri; }",
                      locations="location / { return 302 http://$host$request_uri; }"),
     lambda st: curl(st, "-L", "--max-redirs", "30", "--cacert", ROOTS, port=80, path="/szzhzz/index", scheme="http"), note="the encrypted half is not visible")
quiet("http-redirect-loop", "four-hops", "four redirects, one after the other, and then the page",
      plain(locations="location = /a { return 302 /b; } location = /b { return 302 /c; } location = /c { return 307 /d; } location = /d { return 301 /e; } location / { default_type text/html; return 200 '<html>ok</html>'; }"), follow("/a"))
quiet("http-redirect-loop", "poll-moved", "ten polls of an address that moved: each is redirected once and served",
      plain(locations="location = /status { return 302 /state/now; } location / { default_type application/json; return 200 '{}'; }"),
      every([0.3] * 9, follow("/status")))
quiet("http-redirect-loop", "moved-to-https", "eight calls by HTTP, each sent on to HTTPS and served there",
      lambda st: nginx(st, "good", port=443, http="server { listen 80; listen [::]:80; server_name _; return 301 https://$host$request_uri; }"),
      every([0.3] * 7, lambda st: curl(st, "-L", "--cacert", ROOTS, port=80, path="/szzhzz/state", scheme="http")))
quiet("http-redirect-loop", "not-followed", "six calls redirected to one address by a client that does not follow redirects",
      plain(locations="location / { return 301 http://www.einvoice.example/moved; }"), every([0.5] * 5, get("/kpfw/v1/list")))

# redirect-to-login
LOST = """
    if n > 3: return '302 Found', 'Location: /login?from=%2Fkpfw\\r\\n', ''
""" + OK
told("redirect-to-login", "session-times-out", "three calls with a session cookie are served, the fourth is sent to the login page",
     server(LOST), session([[0.3, "GET", f"/kpfw/v1/list?page={n}", "", COOKIE] for n in range(4)]))
told("redirect-to-login", "other-host-tpass", "the session is lost between two calls; the redirect leads to the identity service's page",
     server("    if n > 2: return '302 Found', 'Location: https://tpass.beijing.chinatax.gov.cn:8443/#/login?redirect_uri=x\\r\\n', ''\n" + OK),
     session([[0.3, "POST", "/szzhzz/issue/v2", f'{{"serial":"261124000{n}"}}', COOKIE] for n in range(4)], keep=False))
told("redirect-to-login", "cas-303-ipv6", "an XMLHttpRequest is answered 303 to a CAS login, over IPv6",
     server("    if n > 1: return '303 See Other', 'Location: http://api.einvoice.example/cas/login.do;x=1\\r\\n', ''\n" + OK, 80),
     session([[0.3, "GET", f"/NSbsqWW/qrgx.do?n={n}", "", {"Cookie": "token=1", "X-Requested-With": "XMLHttpRequest"}] for n in range(3)], 80), ip6=True)
told("redirect-to-login", "only-cookie-seen", "the capture begins with the session lost: a call with a cookie is sent to the login page",
     plain(locations="location / { return 302 /sso/login; }"), session([[0, "POST", "/api/issue", BODY, COOKIE]]), note="less sure: no success before it")
PAGE = {"Accept": "text/html,application/xhtml+xml", "User-Agent": "Mozilla/5.0", "Upgrade-Insecure-Requests": "1", "Sec-Fetch-Mode": "navigate"}
quiet("redirect-to-login", "first-visit", "a browser opens the site for the first time and is sent to its login page",
      plain(locations="location = /login { default_type text/html; return 200 '<html>login</html>'; } location / { return 302 /login; }"),
      session([[0, "GET", "/", "", PAGE], [0.1, "GET", "/login", "", PAGE]]))
quiet("redirect-to-login", "logout", "the client was served, logs out and is sent to the login page",
      server("    if path.startswith('/api/logout'): return '302 Found', 'Location: /login\\r\\n', ''\n" + OK),
      session([[0.2, "GET", "/api/list", "", COOKIE], [0.2, "GET", "/api/logout", "", COOKIE]]))
quiet("redirect-to-login", "page-opened-later", "a page that is opened with an old cookie is sent to the login page",
      server("    if path == '/home': return '302 Found', 'Location: /login\\r\\n', ''\n" + OK),
      session([[0.2, "GET", "/api/list", "", COOKIE], [0.2, "GET", "/home", "", {**PAGE, "Cookie": "JSESSIONID=5F1C0A7E9B"}]]))
quiet("redirect-to-login", "other-redirects", "calls of a client that is logged in are sent on to other pages",
      server("    if n % 2: return '302 Found', 'Location: /api/v2/list?next=login\\r\\n', ''\n" + OK),
      session([[0.2, "GET", "/api/list", "", COOKIE] for n in range(4)]))

# http-malformed
def raw(text, name, shows, client=None, port=8080, **more):
    told("http-malformed", name, shows, py(text, port), client or get("/kpfw/v1/list", port), filter=SAID, **more)


raw("""
import threading
s = listen()
def serve(c):
    text = '{"message":"开具成功","code":"0000"}'
    while c.recv(65536):
        body = text.encode()
        c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(text) + body)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
""", "length-in-characters", "the server counts characters instead of bytes: the rest of each body stands where the next response had to begin",
    lambda st: st.used("curl") or st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", f"http://{SHOP}:8080/kpfw/a", f"http://{SHOP}:8080/kpfw/b"]))
raw("""
s = listen()
while True:
    c, _ = s.accept(); c.recv(65536)
    c.sendall(b'DEBUG conn=17 handler=issue\\r\\nHTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}'); c.close()
""", "debug-line-first", "the server writes a debug line before its status line; curl refuses it as HTTP/0.9")
raw("""
s = listen()
while True:
    c, _ = s.accept(); c.recv(65536)
    c.sendall(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\nContent-Type: application/json\\r\\n\\r\\n')
    for part in (b'{"code":"0000", ', b'"message": "ok"}'): c.sendall(b'%d\\r\\n' % len(part) + part + b'\\r\\n')
    c.sendall(b'0\\r\\n\\r\\n'); time.sleep(0.3); c.close()
""", "chunk-size-decimal-ipv6", "home-made chunks: the size is written in decimal, so that a chunk ends nowhere, over IPv6", ip6=True)
told("http-malformed", "ssh-to-nginx", "an SSH client was pointed at nginx, which answers 400",
     plain(), lambda st: st.python("c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 8080)); s.sendall(b'SSH-2.0-OpenSSH_9.2p1\\r\\n'); print(s.recv(400)); s.close()
""", st.server_ip), filter=SAID)
raw("s = listen()\nwhile True:\n    c, _ = s.accept(); c.sendall(b'SSH-2.0-OpenSSH_9.2p1 Debian-2\\r\\n'); c.recv(4096); time.sleep(0.2); c.close()",
    "http-to-ssh-port-22", "curl was pointed at an SSH server", port=22)
quiet("http-malformed", "line-after-body", "an old client ends its POST with a line break that its length does not count, and asks on",
      server(OK), lambda st: st.python("c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 8080))
for n in range(3):
    s.sendall(b'POST /issue%d HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json\\r\\nContent-Length: 7\\r\\n\\r\\n{"a":%d}\\r\\n' % (n, n)); s.recv(4096)
s.close()
""", st.server_ip), filter=SAID)
quiet("http-malformed", "upgraded-to-binary", "after 101 the connection carries another protocol",
      py("""
s = listen()
while True:
    c, _ = s.accept(); c.recv(65536)
    c.sendall(b'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: tcp\\r\\nConnection: Upgrade\\r\\n\\r\\n')
    time.sleep(0.1); c.sendall(bytes(range(128, 200)) * 3); c.recv(4096); c.close()
""", 8080), lambda st: st.python("c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 8080))
s.sendall(b'GET /attach HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n'); s.recv(4096); s.recv(4096); s.sendall(bytes(64)); s.close()
""", st.server_ip), filter=SAID)
quiet("http-malformed", "bad-request-400", "a request with a header that nginx refuses is answered 400: it is HTTP all the same",
      plain(), get("/kpfw/v1/list", 8080, "-H", "Content-Length: x"))
_stage.SCENARIOS["application/http-malformed/not-bad-request-400"]["expect"] = ["application.http-client-error"]

# duplicate-request
told("duplicate-request", "button-twice", "the same invoice is posted again four seconds after it was issued",
     plain(), every([4], post()))
told("duplicate-request", "queue-delivers-thrice-ipv6", "a queue delivers one XML order three times over one connection, over IPv6",
     server("    return '200 OK', 'Content-Type: text/xml\\r\\n', '<r><returnCode>0000</returnCode></r>'"),
     session([[1.5 * n * n, "POST", "/axis2/services/SajtIssueInvoiceService", "<REQUEST><FPQQLSH>20261125000017</FPQQLSH><KPLX>0</KPLX></REQUEST>", {"Content-Type": "text/xml"}] for n in range(3)]), ip6=True)
told("duplicate-request", "put-then-409", "a PUT is repeated after a success; the service answers 409",
     server("    if n > 1: return '409 Conflict', '', 'exists'\n" + OK),
     session([[2 * n, "PUT", "/api/orders/A17", '{"orderNo":"A17","amount":"113.00"}', JSON_KIND] for n in range(2)], keep=False), also=["application.http-client-error"])
quiet("duplicate-request", "after-503", "the first was answered 503: the second is a retry", server("    if n == 1: return '503 Service Unavailable', '', 'busy'\n" + OK), every([2], post()))
_stage.SCENARIOS["application/duplicate-request/not-after-503"]["expect"] = ["application.http-503"]
quiet("duplicate-request", "other-serials", "five invoices of one form with five serial numbers", server(OK),
      session([[0.3, "POST", "/kpfw/v1/issue", f'{{"serial":"2611240000{n}","amount":"113.00"}}', JSON_KIND] for n in range(5)]))
quiet("duplicate-request", "query-by-post", "the state of one serial number is asked for by POST", server(OK),
      session([[1, "POST", "/kpfw/v1/queryInvoice", BODY, JSON_KIND] for n in range(3)]))
quiet("duplicate-request", "polled-by-post", "an interface with one address for all: the same serial number is asked for every second", server(OK),
      session([[1, "POST", "/kpfw/v1/service", BODY, JSON_KIND] for n in range(6)]))
quiet("duplicate-request", "signs-of-life", "a program says every two seconds that it lives", server(OK),
      session([[2, "POST", "/client/alive", '{"machine":"661000000017","clerk":"01","version":"3.2.1","state":"idle","queue":"0"}', JSON_KIND] for n in range(4)]))

# api-version-mismatch
V = "location /kpfw/v2/ { default_type application/json; return 200 '{\"code\":\"0\"}'; } location / { return 404; }"
told("api-version-mismatch", "path-v1-retired", "the old client's /v1/ is answered 404, the new one's /v2/ is served",
     plain(locations=V), lambda st: (post(path="/kpfw/v2/issue")(st), post(path="/kpfw/v1/issue")(st)))
told("api-version-mismatch", "query-version-400-ipv6", "a gateway knows version 7.0 of a method and answers 6.0 with 400, over IPv6",
     server("    if 'version=6.0' in path: return '400 Bad Request', '', '{\"code\":\"100003\"}'\n" + OK),
     session([[0.2, "POST", f"/router/rest?method=baiwang.output.issue&version={v}&timestamp=17", f'{{"serialNo":"{v}"}}', JSON_KIND] for v in ("7.0", "6.0")]), ip6=True)
told("api-version-mismatch", "body-version-426", "the version stands in the XML: 1.0 is answered 426, 2.0 is served",
     server("    if b'version=\"1.0\" id' in body: return '426 Upgrade Required', 'Upgrade: DZFP/2.0\\r\\nConnection: Upgrade\\r\\n', ''\n    return '200 OK', 'Content-Type: text/xml\\r\\n', '<r/>'"),
     session([[0.2, "POST", "/axis2/issue", f'<?xml version="1.0"?><business version="{v}" id="HX_FPMXSC"><slxlh>{v}</slxlh></business>', {"Content-Type": "text/xml"}] for v in ("2.0", "1.0")], keep=False))
quiet("api-version-mismatch", "other-resource", "one version for all; one invoice of two does not exist",
      server("    if path.endswith('18'): return '404 Not Found', '', ''\n" + OK),
      session([[0.2, "GET", f"/kpfw/v1/invoices/261124000{n}", "", JSON_KIND] for n in (17, 18)]))
quiet("api-version-mismatch", "another-call-succeeds", "another call of another version succeeds; the one that fails has none beside it",
      plain(locations="location = /kpfw/v2/list { default_type application/json; return 200 '{}'; } location / { return 404; }"), lambda st: (get("/kpfw/v2/list")(st), get("/kpfw/v1/issue")(st)))
for name in ("other-resource", "another-call-succeeds"):
    _stage.SCENARIOS[f"application/api-version-mismatch/not-{name}"]["expect"] = ["application.http-not-found"]
told("redirect-to-login", "curl-with-cookie", "curl asks with a cookie, is served twice and then sent to the login page",
     server("    if n > 2: return '302 Found', 'Location: /web/toLogin.do\\r\\n', ''\n" + OK),
     lambda st: [get(f"/szzhzz/list.do?page={n}", 8080, "-b", "SESSION=9b1f")(st) for n in range(3)])
