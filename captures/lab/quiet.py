"""Captures that look like failures and are none, and ordinary traffic that must stay silent."""
from actors import *  # noqa: F403
from http_answers import BODY, ISSUE, SHOP, SEG, ask, plain, post, py, told as failed
from stage import NAME, PKI
from tls_cert import N, bare, case

TLS = "tls.handshake || tls.record.content_type == 23"


def calm(path, shows, server, client, filter="http", **more):
    case(path, [], shows, server, client, filter=filter, **more)


# TLS 1.3 sessions that go well must not be read as refusals
no = "security/cert-rejected-inferred/not-"
for who, server, client, more in (
        ("curl", N("good", tls="1.3"), lambda st: curl(st), {}),
        ("s-client", lambda st: s_server(st, "good-ec", 4433, "-tls1_3"), lambda st: s_client(st, port=4433), {}),
        ("gnutls", lambda st: gnutls_serv(st, "good", 5556), lambda st: gnutls_cli(st, port=5556), {}),
        ("gnutls-ipv6", N("good-ec", tls="1.3"), lambda st: gnutls_cli(st), dict(ip6=True)),
        ("java", lambda st: java_server(st, "good", 8443), lambda st: java(st, port=8443), {}),
        ("java-nginx", N("good-ec", tls="1.3"), lambda st: java(st), dict(at="s")),
        ("node", lambda st: node_server(st, "good", 8443, tls="1.3"), lambda st: node(st, port=8443, count=2), {}),
        ("python", N("good", tls="1.3", port=9008), lambda st: python(st, port=9008, count=3), dict(form="pcapng"))):
    calm(no + who + "-served", f"TLS 1.3: an ordinary request of {who.split('-')[0]}, served", server, client, filter=TLS, **more)
SPARE = """
import socket, ssl, sys, time
c = ssl.create_default_context(cafile=sys.argv[3])
s = c.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname=sys.argv[2])
time.sleep(float(sys.argv[4]))
if sys.argv[5] == 'notify':
    s.settimeout(0.5)
    try: s.unwrap()
    except (OSError, ssl.SSLError): pass
s.close()
"""
for wait, how, what in ((1.5, "notify", "closed with close_notify after a second and a half"), (0, "notify", "closed with close_notify at once"),
                        (4, "bare", "closed without close_notify after four seconds, its tickets unread, so that its kernel resets")):
    calm(f"{no}spare-{how}-{str(wait).replace('.', '-')}s", f"TLS 1.3: a spare connection, handshake complete, never used, {what}; another one is served",
         N("good", tls="1.3"), lambda st, w=wait, h=how: (curl(st), st.python("c", SPARE, st.server_ip, NAME, ROOTS, w, h)), filter=bare)

# authentication that succeeds at the second try
GATE = """
import threading
close = sys.argv[2] == 'close'
s = listen()
def serve(c):
    while True:
        got = b''
        while b'\\r\\n\\r\\n' not in got:
            more = c.recv(65536)
            if not more: c.close(); return
            got += more
        if b'\\r\\nAuthorization:' in got: head, body = '200 OK', b'{"code":"0"}'
        else: head, body = '401 Unauthorized\\r\\nWWW-Authenticate: Digest realm="tax", nonce="Hq2k0pM1", qop="auth"', b'{"code":"401"}'
        c.sendall(('HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\n%sContent-Length: %d\\r\\n\\r\\n' % (head, 'Connection: close\\r\\n' if close else '', len(body))).encode() + body)
        if close: c.close(); return
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
from tls_handshake import code  # noqa: E402


def gate(how, port=8080):
    return lambda st: st.python("s", code(GATE), port, how, port=port)


no = "application/http-unauthorized/not-"
calm(no + "digest-same-connection", "401 with a Digest challenge, answered on the same connection, then 200", gate("keep"), ask(8080, "/fpdk/v1/list", "--digest", "-u", "clerk:right"))
calm(no + "digest-new-connection", "the server closes after the 401; the authenticated retry comes on a new connection", gate("close"),
     ask(8080, "/fpdk/v1/list", "--digest", "-u", "clerk:right"))
calm(no + "digest-two-seconds-later-ipv6", "the authenticated retry comes two seconds later from another process, over IPv6", gate("close"),
     lambda st: (ask(8080, "/fpdk/v1/list")(st), __import__("time").sleep(2), ask(8080, "/fpdk/v1/list", "--digest", "-u", "clerk:right")(st)), ip6=True)

# waiting that is meant
LONG = """
import threading
s = listen()
def serve(c):
    while True:
        got = c.recv(65536)
        if not got: c.close(); return
        if b'text/event-stream' in got:
            if b'late' in got: time.sleep(5)
            c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nCache-Control: no-cache\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n')
            for n in range(4):
                e = b'id: %d\\ndata: {"status":"in progress"}\\n\\n' % n
                try: c.sendall(b'%x\\r\\n%s\\r\\n' % (len(e), e))
                except OSError: return
                time.sleep(4)
        time.sleep(8)
        body = b'{"events":[]}'
        c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
POLL = """
import http.client, sys
h = http.client.HTTPConnection(sys.argv[1], 8080, timeout=30)
for n in range(3):
    h.request('GET', '/notify/longpoll?timeout=8&since=%d' % n, headers={'Prefer': 'wait=8'})
    print(h.getresponse().read())
h.close()
"""
calm("application/slow-response/not-long-poll", "a long poll on one connection, answered after its eight seconds, three times",
     py(LONG, 8080), lambda st: st.python("c", POLL, SHOP))
STREAM = ("-N", "-H", "Accept: text/event-stream")
calm("application/response-truncated/not-event-stream-left", "an event stream that the client leaves after nine seconds, in the midst of its chunks",
     py(LONG, 8080), ask(8080, "/notify/events", *STREAM, "-m", "9"))
calm("application/no-response/not-event-stream-late", "an event stream whose first byte comes after five seconds",
     py(LONG, 8080), ask(8080, "/notify/late", *STREAM, "-m", "8"))
SOCKET = """
import base64, hashlib, threading
s = listen()
def serve(c):
    got = c.recv(65536)
    key = [l.split(b': ')[1] for l in got.split(b'\\r\\n') if l.lower().startswith(b'sec-websocket-key')][0]
    c.sendall(b'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' +
              base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()) + b'\\r\\n\\r\\n')
    for n in range(2):
        time.sleep(3); c.sendall(b'\\x81\\x10{"state":"busy"}')
    c.recv(1000); c.recv(1000); c.sendall(b'\\x88\\x02\\x03\\xe8'); c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
SOCKET_CLIENT = """
import os, socket, sys
s = socket.create_connection((sys.argv[1], 8080))
s.sendall(b'GET /ws/status HTTP/1.1\\r\\nHost: %s\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n' % sys.argv[2].encode())
def frame(op, data):
    mask = os.urandom(4)
    return bytes([0x80 | op, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))
s.recv(1000)
s.sendall(frame(1, b'{"subscribe":"26112400007"}'))
s.recv(1000); s.recv(1000)
s.sendall(frame(8, b'\\x03\\xe8')); s.recv(100); s.close()
"""
calm("application/no-response/not-websocket", "a connection that becomes a WebSocket; the client's message is answered three seconds later, as events come",
     py(SOCKET, 8080), lambda st: st.python("c", SOCKET_CLIENT, st.server_ip, SHOP), filter="http || websocket")
calm("application/http-client-error/not-408-spare-connection", "HAProxy ends a spare connection on which nothing was asked with 408; beside it a request is served",
     lambda st: haproxy(st, "frontend a\n  bind :::8080 v4v6\n  timeout http-request 2s\n  http-request return status 200 content-type application/json string \"{}\"\n", 8080),
     lambda st: st.python("c", "import socket,sys,time\na=socket.create_connection((sys.argv[1],8080))\nb=socket.create_connection((sys.argv[1],8080))\n"
                          "b.sendall(b'GET /v1/a HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\nConnection: close\\r\\n\\r\\n')\nprint(b.recv(999)); b.close()\ntime.sleep(3)\nprint(a.recv(999)); a.close()", st.server_ip))
RACE = """
import socket, sys, time
def get(s, n): s.sendall(b'GET /v1/q?serial=%d HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\n\\r\\n' % n)
s = socket.create_connection((sys.argv[1], 8080)); get(s, 1); s.recv(4096); time.sleep(2.07)
try:
    get(s, 2); print(s.recv(4096))
except OSError as e: print(e)
s.close()
s = socket.create_connection((sys.argv[1], 8080)); get(s, 2); print(s.recv(4096)); s.close()
"""
calm("transport/closed-early/not-keepalive-race", "the server closes an idle connection while the next request is under way, resets it, and the client asks again on a new one; captured at the server",
     lambda st: (nginx(st, port=8080, secure=False, extra="keepalive_timeout 2s;"), st.nft("tcp sport 8080 tcp flags & fin == fin limit rate 1/hour burst 1 packets drop")),
     lambda st: st.python("c", RACE, st.server_ip), filter=SEG, at="s")
PROXY = """
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
    got = c.recv(65536)
    while True:
        if how == '403': c.sendall(b'HTTP/1.1 403 Forbidden\\r\\nContent-Type: text/html\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\ndenied'); c.close(); return
        if how == '502': c.sendall(b'HTTP/1.1 502 Bad Gateway\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n'); c.close(); return
        if how in ('407', 'ask') and (how == '407' or b'Proxy-Authorization' not in got):
            c.sendall(b'HTTP/1.1 407 Proxy Authentication Required\\r\\nProxy-Authenticate: Digest realm="proxy", nonce="x81Kq", qop="auth"\\r\\nContent-Length: 0\\r\\n\\r\\n')
            got = c.recv(65536)
            if not got: c.close(); return
            continue
        break
    u = socket.create_connection(('127.0.0.1', 443))
    c.sendall(b'HTTP/1.1 200 Connection established\\r\\n\\r\\n')
    threading.Thread(target=pump, args=(c, u), daemon=True).start(); pump(u, c); c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def proxy(how, tls="1.2", chain="good"):
    return lambda st: (nginx(st, chain, tls=tls), st.python("s", code(PROXY), 3128, how, port=3128))


def through(*options):
    return lambda st: curl(st, "-x", f"http://proxy.office.example:3128", *options)


extra = dict(names=[NAME, SHOP, "proxy.office.example"])
no = "application/http-proxy-failed/"
for tls in ("1.2", "1.3"):
    calm(f"{no}not-connect-tls{tls.replace('.', '')}", f"a CONNECT that works, TLS {tls} inside, the request served", proxy("ok", tls), through(), filter="http || tls", **extra)
calm(no + "not-407-then-digest", "the proxy asks for credentials, the client gives them on the same connection", proxy("ask"), through("--proxy-digest", "-U", "clerk:right"), filter="http", **extra)
for status, what in (("403", "the proxy forbids the CONNECT"), ("502", "the proxy cannot reach the server"), ("407", "the proxy's demand for credentials is never met")):
    failed("http-proxy-failed", f"connect-{status}", what, proxy(status), through(), **extra)
failed("http-proxy-failed", "connect-407-wrong-ipv6", "the proxy refuses the credentials given, over IPv6", proxy("407"), through("--proxy-digest", "-U", "clerk:wrong"), ip6=True, **extra)

# what cannot be judged for want of keys is said as info alone
for tls, client in (("1.2", lambda st: curl(st, *ISSUE)), ("1.3", lambda st: python(st, count=2))):
    calm(f"capture/encrypted-blind/tls{tls.replace('.', '')}", f"TLS {tls}: all well as far as it can be seen, the application layer cannot",
         N("good", tls=tls), client, filter=TLS, note="one finding of severity info says so")

# ordinary traffic
well = "healthy/"
calm(well + "tls-12-keepalive", "TLS 1.2: five requests on one connection", N("good"), lambda st: python(st, count=5), filter=TLS)
calm(well + "tls-12-post-9008-ipv6", "TLS 1.2: a POST on port 9008 over IPv6", N("good-ec", port=9008), lambda st: curl(st, *ISSUE, port=9008), filter=TLS, ip6=True)
calm(well + "tls-12-resumed-ticket", "TLS 1.2: a full handshake, then two that resume by ticket",
     N("good"), lambda st: (s_client(st, "-tls1_2", "-sess_out", st.dir / "session.pem"), s_client(st, "-tls1_2", "-sess_in", st.dir / "session.pem"), s_client(st, "-tls1_2", "-sess_in", st.dir / "session.pem")), filter=TLS)
calm(well + "tls-12-resumed-session-id", "TLS 1.2: sessions resumed by their identifier, Java on the client's side",
     N("good", extra="ssl_session_tickets off; ssl_session_cache shared:s:1m; keepalive_timeout 0;"), lambda st: java(st, requests="3", tls="1.2"), filter=TLS)
calm(well + "tls-13-resumed", "TLS 1.3: a full handshake, then two with a pre-shared key",
     N("good", tls="1.3"), lambda st: (s_client(st, "-sess_out", st.dir / "session.pem"), s_client(st, "-sess_in", st.dir / "session.pem"), s_client(st, "-sess_in", st.dir / "session.pem")), filter=TLS)
calm(well + "tls-13-resumed-java", "TLS 1.3: a Java client's three connections, the later ones resumed", N("good", tls="1.3", extra="keepalive_timeout 0;"),
     lambda st: java(st, requests="3"), filter=TLS)
calm(well + "tls-13-early-data", "TLS 1.3: a resumed connection whose request goes as early data",
     N("good", tls="1.3", extra="ssl_early_data on;"), lambda st: (s_client(st, "-sess_out", st.dir / "session.pem"), early(st)), filter=TLS)
calm(well + "tls-13-hello-retry", "TLS 1.3: the server asks for another group, the client says hello again",
     N("good", tls="1.3", extra="ssl_ecdh_curve secp384r1;"), lambda st: (curl(st), java(st)), filter=TLS)
calm(well + "tls-13-http2", "HTTP/2 inside TLS 1.3", lambda st: nginx(st, servers=f"server {{ listen 443 ssl http2; listen [::]:443 ssl http2; ssl_certificate {PKI}/good.pem; "
     f"ssl_certificate_key {PKI}/leaf-rsa.key; ssl_protocols TLSv1.3; location / {{ default_type application/json; return 200 '{JSON}'; }} }}"), lambda st: curl(st, "--http2"), filter=TLS)
calm(well + "tls-13-no-close-notify", "TLS 1.3: after a complete exchange the client closes without close_notify",
     lambda st: node_server(st, "good", 8443), lambda st: python(st, port=8443, count=2), filter=TLS + " || tcp.flags.fin == 1")
calm(well + "tls-13-reset-after-close-notify", "TLS 1.3: the client has closed when the server's close_notify comes, and its kernel resets",
     lambda st: java_server(st, "good", 8443), lambda st: python(st, port=8443), filter=TLS + " || tcp.flags.reset == 1")
calm(well + "tls-13-four-stacks", "four clients of different make, one after the other, at one server", N("good", tls="1.2-1.3"),
     lambda st: (curl(st), python(st), node(st), gnutls_cli(st)), filter=TLS)
calm(well + "tls-13-upload", "TLS 1.3: a POST of 30 kB to a Node server", lambda st: node_server(st, "good", 8443),
     lambda st: (st.write("big.json", '{"data":"' + "A" * 30000 + '"}'), curl(st, "--data-binary", f"@{st.dir}/big.json", "-H", "Content-Type: application/json", port=8443)), filter=TLS)
calm(well + "tls-haproxy-terminates", "HAProxy ends TLS and asks a plain Node server behind it",
     lambda st: (node_server(st, port=9000, secure=False), haproxy(st, f"listen a\n  bind :::443 v4v6 ssl crt {bundle(st, 'good')}\n  server x 127.0.0.1:9000\n", 443)),
     lambda st: (curl(st), java(st)), filter=TLS)
calm(well + "http-keepalive", "six requests on one connection", plain(), lambda st: st.python("c", "import http.client,sys\nh=http.client.HTTPConnection(sys.argv[1],8080)\n"
     "for n in range(6):\n    h.request('GET','/kpfw/v1/query?serial=%d'%n); h.getresponse().read()\nh.close()", SHOP))
calm(well + "http-posts-ipv6", "three different invoices by POST, over IPv6", lambda st: node_server(st, port=8080, secure=False),
     lambda st: [curl(st, "-d", BODY.replace("00007", f"0000{n}"), "-H", "Content-Type: application/json", port=8080, scheme="http", name=SHOP, path="/kpfw/v1/invoice") for n in (1, 2, 3)], ip6=True)
STATIC = "location / { root /usr/share/common-licenses; default_type text/plain; }"
calm(well + "http-304-206", "a page, then 304 for its copy and 206 for a part", plain(locations=STATIC, port=80, extra="if_modified_since before;"),
     lambda st: (ask(80, "/BSD")(st), ask(80, "/BSD", "-H", "If-Modified-Since: Fri, 20 Nov 2026 08:00:00 GMT")(st), ask(80, "/GPL-2", "-r", "100-2099")(st)))
calm(well + "http-100-continue", "a POST that asks leave to send its body (100-continue), granted", lambda st: node_server(st, port=8080, secure=False), post(8080, "/kpfw/v1/invoice", "-H", "Expect: 100-continue"))
calm(well + "http-gzip-chunked", "a compressed, chunked answer", plain(locations=STATIC, port=80, extra="gzip on; gzip_types text/plain; gzip_min_length 100;"), ask(80, "/Artistic", "--compressed"))
calm(well + "http-head-204", "HEAD and 204", plain(locations="location /v1/ping { return 204; } " + STATIC, port=80), lambda st: (ask(80, "/GPL-2", "-I")(st), ask(80, "/v1/ping")(st)))
calm(well + "http-redirect", "one redirect to the new path, followed", plain(locations="location /old { return 302 /new; } location /new { default_type application/json; return 200 '{}'; }", port=80),
     ask(80, "/old", "-L"))
calm(well + "http-pipelined", "three requests in one segment, three answers", plain(), lambda st: st.python("c", "import socket,sys,time\ns=socket.create_connection((sys.argv[1],8080))\n"
     "s.sendall(b''.join(b'GET /v1/q?n=%d HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\n\\r\\n'%n for n in range(3)))\ntime.sleep(0.5); s.recv(9999); s.close()", st.server_ip))
calm(well + "http-server-closes-idle", "the server closes an idle kept connection after two seconds", plain(extra="keepalive_timeout 2s;"),
     lambda st: st.python("c", "import socket,sys\ns=socket.create_connection((sys.argv[1],8080))\ns.sendall(b'GET /v1/q HTTP/1.1\\r\\nHost: api.einvoice.example\\r\\n\\r\\n')\ns.recv(4096); s.recv(10); s.close()", st.server_ip))


def early(st):
    st.used("openssl")
    request = st.write("early", f"GET /kpfw/v1/health HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n")
    st.run("c", ["openssl", "s_client", "-connect", f"{NAME}:443", "-servername", NAME, "-CAfile", ROOTS, "-sess_in", st.dir / "session.pem", "-early_data", request, "-ign_eof", "-quiet"])
