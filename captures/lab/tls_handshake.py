"""Captures of handshakes that fail for other reasons than the certificate, and of what old or weak ones look like."""
import os
import signal
import time

from actors import *  # noqa: F403
from stage import NAME, PKI, PYTHON
from tls_cert import N, case

HELLO = "tls.handshake.type == 1"
FIRST = "tls.handshake.type == 1 || tls.handshake.type == 2 || tls.alert_message || tcp.flags.reset == 1 || tcp.flags.fin == 1"


def told(code, name, shows, server, client, also=(), **more):
    case(f"security/{code}/{name}", [f"security.{code}", *also], shows, server, client, **more)


def quiet(code, name, shows, server, client, expect=(), **more):
    case(f"security/{code}/not-{name}", list(expect), shows, server, client, **more)


def code(text):
    """A server written in Python; `port` is its first argument."""
    return "import socket, ssl, struct, sys, time\nport = int(sys.argv[1])\n" + LISTEN + text


LISTEN = """
def listen():
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('::', port)); s.listen(8)
    return s
def hello(c):
    got = b''
    while len(got) < 5 or len(got) < 5 + int.from_bytes(got[3:5], 'big'):
        more = c.recv(4096)
        if not more: break
        got += more
    return got
def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); c.close()
"""


def py(text, port):
    return lambda st: st.python("s", code(text), port, port=port)


# tls-no-reply
def stopped(server):
    """Starts a server and stops it as a hung process would stand: the kernel still accepts and acknowledges."""
    def start(st):
        process = server(st)
        os.killpg(process.pid, signal.SIGSTOP)
    return start


told("tls-no-reply", "nginx-stopped-curl", "the server's kernel accepts and acknowledges the hello, the hung nginx says nothing; curl gives up after 8 s",
     stopped(N("good")), lambda st: curl(st, "--max-time", "8"), filter=FIRST)
told("tls-no-reply", "java-stopped-node-8443", "a hung Java server on 8443; a Node client gives up after 20 s",
     stopped(lambda st: java_server(st, "good", 8443)), lambda st: node(st, port=8443, ms=10000), filter=FIRST)
told("tls-no-reply", "proxy-without-backend-ipv6", "HAProxy in TCP mode whose backend never answers, over IPv6; Python gives up after 6 s",
     lambda st: (py("s = listen()\nk = []\nwhile True: k.append(s.accept()[0])", 9443)(st),
                 haproxy(st, "listen tax\n  mode tcp\n  bind :::443 v4v6\n  server b 127.0.0.1:9443\n", 443)),
     lambda st: python(st, wait=6), ip6=True, filter=FIRST)
told("tls-no-reply", "accepts-and-waits-java-9008", "a process that accepts and waits for words of its own protocol; a Java client gives up after 6 s",
     py("s = listen()\nk = []\nwhile True: k.append(s.accept()[0])", 9008), lambda st: java(st, port=9008, timeout="6000"), filter=FIRST, at="s")
quiet("tls-no-reply", "late-server-hello", "the ServerHello comes two seconds late and all is well",
      lambda st: (java_server(st, "good", 9443), py("""
import threading
s = listen()
def pump(a, b, wait):
    while True:
        d = a.recv(65536)
        if wait: time.sleep(wait); wait = 0
        if not d:
            b.shutdown(1); return
        b.sendall(d)
while True:
    c, _ = s.accept()
    u = socket.create_connection(('127.0.0.1', 9443))
    threading.Thread(target=pump, args=(c, u, 2), daemon=True).start()
    threading.Thread(target=pump, args=(u, c, 0), daemon=True).start()
""", 443)(st)), lambda st: curl(st), filter=HELLO)

# tls-cut-on-hello
filtering = "frontend f\n  mode tcp\n  bind :::{port} v4v6\n  tcp-request inspect-delay 5s\n  tcp-request content reject if {{ req.ssl_sni -i {name} }}\n" \
            "  tcp-request content accept if {{ req.ssl_hello_type 1 }}\n  default_backend b\nbackend b\n  mode tcp\n  server x 127.0.0.1:9443\n"
told("tls-cut-on-hello", "rst-name-filter-curl", "a filter reads the name in the hello and resets",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); hello(c); reset(c)", 443), lambda st: curl(st), filter=FIRST)
told("tls-cut-on-hello", "fin-haproxy-sni-reject", "HAProxy rejects by the name in the hello and closes",
     lambda st: haproxy(st, filtering.format(port=443, name=NAME), 443), lambda st: python(st), filter=FIRST)
told("tls-cut-on-hello", "fin-java-client-8443", "the server closes after the hello without a byte; a Java client",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); hello(c); c.close()", 8443), lambda st: java(st, port=8443), filter=FIRST)
told("tls-cut-on-hello", "rst-unread-hello-ipv6", "the server closes without having read the hello, so its kernel resets; a Node client over IPv6",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); time.sleep(0.2); c.close()", 443), lambda st: node(st), ip6=True, filter=FIRST)
told("tls-cut-on-hello", "rst-tls12-gnutls-9008", "a TLS 1.2 hello of gnutls-cli on port 9008 is reset",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); hello(c); reset(c)", 9008),
     lambda st: gnutls_cli(st, port=9008, priority="NORMAL:-VERS-TLS1.3"), filter=FIRST, at="s")
quiet("tls-cut-on-hello", "connect-without-hello", "a browser's spare connection: opened, never used, closed; beside one that works",
      N("good"), lambda st: (st.python("c", "import socket,sys,time\ns=socket.create_connection((sys.argv[1],443)); time.sleep(1); s.close()", st.server_ip), curl(st)),
      filter="tcp.flags.syn == 1")

# tls-version-mismatch
told("tls-version-mismatch", "old-client-curl-tls10", "curl offers TLS 1.0 alone; nginx wants 1.2 and sends alert 70", N("good"),
     lambda st: curl(st, "--ciphers", "ALL:@SECLEVEL=0", tls="1.0"), filter=FIRST)
told("tls-version-mismatch", "old-client-java-tls11-8443", "a Java client of TLS 1.1 against a Java server of TLS 1.2 and 1.3",
     lambda st: java_server(st, "good", 8443), lambda st: java(st, port=8443, tls="1.1", legacy=True), filter=FIRST)
told("tls-version-mismatch", "server-tls10-python", "the server knows TLS 1.0 alone, the Python client nothing below 1.2: the server sends alert 70",
     N("good", tls="1.0"), lambda st: python(st), filter=FIRST)
told("tls-version-mismatch", "server-tls12-client-13", "the client wants TLS 1.3, the server knows 1.2: the server sends alert 70",
     N("good"), lambda st: s_client(st, "-tls1_3"), filter=FIRST)
told("tls-version-mismatch", "server-tls11-gnutls-ipv6", "gnutls-serv of TLS 1.1, gnutls-cli of 1.2, over IPv6",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-ALL:+VERS-TLS1.1"),
     lambda st: gnutls_cli(st, port=5556, priority="NORMAL:-VERS-ALL:+VERS-TLS1.2"), ip6=True, filter=FIRST)
told("tls-version-mismatch", "server-tls10-node-9008", "an old channel of TLS 1.0 on port 9008 and a Node client: alert 70",
     N("good", tls="1.0", port=9008), lambda st: node(st, port=9008), filter=FIRST, form="pcapng")

# tls-no-common-cipher
told("tls-no-common-cipher", "rsa-only-server-curl", "nginx knows AES256-SHA alone, curl offers GCM suites alone: alert 40",
     N("good", ciphers="AES256-SHA"), lambda st: curl(st, "--ciphers", "ECDHE+AESGCM", tls="1.2"), filter=FIRST)
told("tls-no-common-cipher", "ecdsa-certificate-rsa-client", "the server has an ECDSA certificate, the client offers RSA suites alone",
     N("good-ec"), lambda st: python(st, tls="1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256"), filter=FIRST)
told("tls-no-common-cipher", "java-server-8443", "a Java server of one suite, openssl s_client of another",
     lambda st: java_server(st, "good", 8443, suites="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", versions="TLSv1.2"),
     lambda st: s_client(st, "-tls1_2", "-cipher", "AES128-SHA", port=8443), filter=FIRST)
told("tls-no-common-cipher", "gnutls-server-ipv6", "gnutls-serv of ChaCha20, gnutls-cli of AES, over IPv6",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305"),
     lambda st: gnutls_cli(st, port=5556, priority="NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM"), ip6=True, filter=FIRST)
told("tls-no-common-cipher", "tls13-suites-differ", "TLS 1.3: the server knows AES-256, the client ChaCha20",
     lambda st: s_server(st, "good", 4433, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"),
     lambda st: s_client(st, "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", port=4433), filter=FIRST)

# tls-alert and tls-name-unrecognized
told("tls-alert", "no-application-protocol", "the client offers HTTP/3 alone as its protocol and nginx sends alert 120", N("good", tls="1.2-1.3"),
     lambda st: s_client(st, "-alpn", "h3"), filter=FIRST)
told("tls-alert", "client-finds-dh-key-too-small", "the server's Diffie-Hellman group has 1024 bits; the client sends alert 40 after the server's flight",
     lambda st: nginx(st, "good", tls="1.2", ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
                      extra=f"ssl_dhparam {weak_dh(st)};"),
     lambda st: curl(st, tls="1.2"), filter=FIRST)
FLIP = """
import threading
s = listen()
def pump(a, b, at):
    seen = 0
    while True:
        d = a.recv(65536)
        if not d:
            try: b.shutdown(1)
            except OSError: pass
            return
        d = bytearray(d)
        if seen == 0 and at == 'skip': pass
        elif at == 'last' and seen: d[-1] ^= 1
        seen += len(d)
        b.sendall(d)
while True:
    c, _ = s.accept()
    u = socket.create_connection(('127.0.0.1', 9443))
    threading.Thread(target=pump, args=(c, u, 'last'), daemon=True).start()
    threading.Thread(target=pump, args=(u, c, 'skip'), daemon=True).start()
"""
told("tls-alert", "bad-record-mac", "a box between them changes one byte of the client's Finished; nginx sends alert 20",
     lambda st: (nginx(st, "good", port=9443, tls="1.2"), py(FLIP, 443)(st)), lambda st: curl(st), filter=FIRST)
told("tls-alert", "decode-error-broken-hello", "a hello whose extensions are cut short; openssl answers alert 50",
     N("good"), lambda st: st.python("c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 443))
body = b'\\x03\\x03' + bytes(range(32)) + b'\\x00' + b'\\x00\\x04\\xc0\\x2f\\xc0\\x30' + b'\\x01\\x00' + b'\\x00\\x10' + b'\\x00\\x0a\\x00\\x20\\x00\\x02\\x00\\x17'
body += b'\\x00' * 8
hs = b'\\x01' + len(body).to_bytes(3, 'big') + body
s.sendall(b'\\x16\\x03\\x01' + len(hs).to_bytes(2, 'big') + hs)
print(s.recv(100)); s.close()
""", st.server_ip), filter=FIRST, at="s")
told("tls-alert", "no-application-protocol-gnutls-ipv6", "gnutls-serv insists on its protocol and sends alert 120, over IPv6",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3", "--alpn", "h2", "--alpn-fatal"),
     lambda st: gnutls_cli(st, "--alpn=http/1.1", port=5556, priority="NORMAL:-VERS-TLS1.3"), ip6=True, filter=FIRST)
told("tls-name-unrecognized", "nginx-rejects-default", "nginx has no server of this name and rejects the handshake: alert 112",
     lambda st: nginx(st, servers="server { listen 443 ssl; listen [::]:443 ssl; ssl_reject_handshake on; }"), lambda st: curl(st), filter=FIRST)
told("tls-name-unrecognized", "nginx-rejects-java-8443", "the same to a Java client on 8443",
     lambda st: nginx(st, port=8443, servers="server { listen 8443 ssl; listen [::]:8443 ssl; ssl_reject_handshake on; }"),
     lambda st: java(st, port=8443), filter=FIRST)


def weak_dh(st):
    path = st.dir / "dh.pem"
    sh(f"openssl dhparam -dsaparam -out {path} 1024 2>/dev/null")
    return path


# tls-not-tls
told("tls-not-tls", "nginx-400-plain-http", "plain HTTP to an HTTPS port: nginx answers 400 and says so", N("good", port=8443),
     lambda st: curl(st, port=8443, scheme="http"), filter="http")
told("tls-not-tls", "plain-post-443", "a client posts plain HTTP to port 443", N("good"),
     lambda st: curl(st, "-d", '{"fpdm":"1"}', "-H", "Content-Type: application/json", port=443, scheme="http", path="/kpfw/v1/invoice"),
     filter="tcp.port == 443 && tcp.len > 0", ip6=True)
told("tls-not-tls", "http-answer-to-hello-nginx", "a TLS client on a plain HTTP port: nginx answers the hello with an HTTP 400",
     lambda st: nginx(st, port=8080, secure=False), lambda st: curl(st, port=8080), filter="tcp.port == 8080 && tcp.len > 0")
told("tls-not-tls", "http-answer-to-hello-node", "a Java client speaks TLS to a plain Node server, which answers 400",
     lambda st: node_server(st, port=8081, secure=False), lambda st: java(st, port=8081), filter="tcp.port == 8081 && tcp.len > 0")
told("tls-not-tls", "ssh-banner", "TLS to an SSH port: the server speaks in plain text at once",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.sendall(b'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\\r\\n'); hello(c); c.sendall(b'Invalid SSH identification string.\\r\\n'); c.close()", 22),
     lambda st: s_client(st, port=22), filter="tcp.port == 22 && tcp.len > 0")
told("tls-not-tls", "smtp-banner", "TLS to a mail port: the server greets in plain text and finds no command in the hello",
     py("s = listen()\nwhile True:\n    c, _ = s.accept(); c.sendall(b'220 mail.einvoice.example ESMTP ready\\r\\n'); hello(c); c.sendall(b'500 5.5.2 Error: bad syntax\\r\\n'); c.close()", 2525),
     lambda st: python(st, port=2525), filter="tcp.port == 2525 && tcp.len > 0")
told("tls-not-tls", "python-http-server-answers", "gnutls-cli to Python's plain http.server, which answers 400 in HTTP/0.9 fashion",
     lambda st: st.start("s", [PYTHON, "-m", "http.server", "8000"], 8000) and st.used("python"), lambda st: gnutls_cli(st, port=8000),
     filter="tcp.port == 8000 && tcp.len > 0")
quiet("tls-not-tls", "plain-http-on-443", "plain HTTP that the server answers as HTTP, on port 443",
      lambda st: nginx(st, port=443, secure=False), lambda st: curl(st, port=443, scheme="http"), filter="tcp.port == 443 && tcp.len > 0")

# tls-handshake-stalled
HALF = """
c0 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c0.load_cert_chain(sys.argv[2], sys.argv[3])
c0.maximum_version = ssl.TLSVersion.TLSv1_2 if sys.argv[4] == '1.2' else ssl.TLSVersion.TLSv1_3
keep = int(sys.argv[5]); s = listen(); held = []
while True:
    c, _ = s.accept(); held.append(c)
    i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = c0.wrap_bio(i, o, server_side=True)
    i.write(hello(c))
    try: t.do_handshake()
    except ssl.SSLWantReadError: pass
    out = o.read()
    at = 0
    for _ in range(keep): at += 5 + int.from_bytes(out[at + 3:at + 5], 'big')
    c.sendall(out[:at] if keep else out[:len(out) // 2])
"""


def half(port, tls, keep, chain="good"):
    return lambda st: st.python("s", code(HALF), port, PKI / f"{chain}.pem", keyfile(chain), tls, keep, port=port)


told("tls-handshake-stalled", "after-server-hello-curl", "TLS 1.2: the server sends ServerHello and nothing more; curl gives up after 10 s",
     half(443, "1.2", 1), lambda st: curl(st, "--max-time", "10", tls="1.2"), filter=FIRST)
told("tls-handshake-stalled", "after-certificate-java", "TLS 1.2: ServerHello and Certificate, then nothing; a Java client gives up after 8 s",
     half(8443, "1.2", 2), lambda st: java(st, port=8443, timeout="8000", tls="1.2"), filter=FIRST)
told("tls-handshake-stalled", "tls13-half-a-flight-node", "TLS 1.3: half of the server's flight, cut inside a record; a Node client gives up after 20 s",
     half(443, "1.3", 0), lambda st: node(st, ms=10000), filter=FIRST)
told("tls-handshake-stalled", "server-silent-after-client-finished", "TLS 1.2: the client's key exchange and Finished are acknowledged, never answered",
     half(443, "1.2", 4), lambda st: python(st, wait=8, tls="1.2"), ip6=True, filter=FIRST)
quiet("tls-handshake-stalled", "big-certificate-lost-client-side", "the full segments of a big Certificate never reach the client, the small last one does, and so does what the server says seconds later: the way takes no large packets; captured at the client",
     lambda st: (nginx(st, "big", tls="1.2"), st.nft("ip protocol tcp tcp sport 443 meta length gt 1400 counter drop")),
     lambda st: curl(st, "--max-time", "12"), expect=["network.pmtu-blackhole"], filter="tcp.analysis.ack_lost_segment || tls || tcp.analysis.lost_segment || tcp.flags.fin == 1")
quiet("tls-handshake-stalled", "certificate-retransmitted", "one segment of the Certificate is lost once and sent again",
      lambda st: (nginx(st, "big", tls="1.2"),
                  st.nft("tcp sport 443 meta length gt 1400 limit rate 1/hour burst 1 packets drop")),
      lambda st: curl(st), filter="tcp.analysis.flags")

# tls-obsolete
told("tls-obsolete", "tls10-nginx-curl", "TLS 1.0 is negotiated and the request succeeds", N("good", tls="1.0"),
     lambda st: curl(st, "--ciphers", "ALL:@SECLEVEL=0", tls="1.0-1.3"), filter="tls.handshake.type == 2")
told("tls-obsolete", "tls11-java-server-8443", "TLS 1.1 between a Java server and a Python client",
     lambda st: java_server(st, "good", 8443, versions="TLSv1.1", legacy=True),
     lambda st: python(st, port=8443, tls="1.0-1.3", ciphers="ALL:@SECLEVEL=0"), filter="tls.handshake.type == 2")
told("tls-obsolete", "tls10-gnutls-ipv6-9008", "TLS 1.0 between gnutls-serv and gnutls-cli on port 9008, over IPv6",
     lambda st: gnutls_serv(st, "good", 9008, "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"),
     lambda st: gnutls_cli(st, port=9008, priority="NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"), ip6=True, filter="tls.handshake.type == 2")
told("tls-obsolete", "tls11-resumed", "three requests over TLS 1.1, the later ones on resumed sessions: said once",
     N("good", tls="1.1", extra="ssl_session_cache shared:s:1m; keepalive_timeout 0;"),
     lambda st: (s_client(st, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-sess_out", st.dir / "s.pem"),
                 s_client(st, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-sess_in", st.dir / "s.pem"),
                 s_client(st, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-sess_in", st.dir / "s.pem")), filter="tls.handshake.type == 2")

# cipher-weak
told("cipher-weak", "rc4-java", "TLS 1.2 with RC4 between Java server and client",
     lambda st: java_server(st, "good", 8443, suites="SSL_RSA_WITH_RC4_128_SHA", versions="TLSv1.2", legacy=True),
     lambda st: java(st, port=8443, legacy=True, tls="1.2", suites="SSL_RSA_WITH_RC4_128_SHA"), filter="tls.handshake.type == 2")
told("cipher-weak", "triple-des-gnutls", "TLS 1.2 with 3DES between gnutls-serv and gnutls-cli",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+3DES-CBC"),
     lambda st: gnutls_cli(st, port=5556, priority="NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+3DES-CBC"), filter="tls.handshake.type == 2")
told("cipher-weak", "null-openssl", "TLS 1.2 without encryption: NULL-SHA256", lambda st: s_server(st, "good", 4433, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"),
     lambda st: s_client(st, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0", port=4433), filter="tls.handshake.type == 2")
told("cipher-weak", "anonymous-openssl-ipv6", "an anonymous suite: no certificate at all, over IPv6",
     lambda st: s_server(st, "good", 4433, "-tls1_2", "-cipher", "AECDH-AES256-SHA:@SECLEVEL=0"),
     lambda st: s_client(st, "-tls1_2", "-cipher", "AECDH-AES256-SHA:@SECLEVEL=0", port=4433, refuse=False), ip6=True, filter="tls.handshake.type == 2")
told("cipher-weak", "triple-des-tls10-java", "TLS 1.0 with 3DES from an old Java client: both are told",
     lambda st: java_server(st, "good", 8443, suites="SSL_RSA_WITH_3DES_EDE_CBC_SHA", versions="TLSv1", legacy=True),
     lambda st: java(st, port=8443, legacy=True, tls="1.0", suites="SSL_RSA_WITH_3DES_EDE_CBC_SHA"), also=["security.tls-obsolete"],
     filter="tls.handshake.type == 2")
quiet("cipher-weak", "offered-not-chosen", "the client offers weak suites too, a strong one is chosen", N("good"),
      lambda st: s_client(st, "-tls1_2", "-cipher", "ALL:eNULL:aNULL:@SECLEVEL=0"), filter="tls.handshake.type == 2")

# client certificates, which are judged apart
MUTUAL = f"ssl_verify_client on; ssl_client_certificate {PKI}/root-private.crt;"
OWN = ("--cert", str(PKI / "client.pem"), "--key", str(PKI / "client.key"))
told("client-cert-missing", "java-server-needs-one", "TLS 1.2: a Java server asks for a certificate, the client has none: the handshake fails",
     lambda st: java_server(st, "good", 8443, versions="TLSv1.2", need=True, ca=PKI / "root-private.crt"), lambda st: curl(st, port=8443), filter=FIRST)
told("client-cert-rejected", "expired-openssl", "TLS 1.2: the client's own certificate ended ten days ago; the server sends an alert",
     lambda st: s_server(st, "good", 4433, "-tls1_2", "-Verify", "3", "-CAfile", PKI / "root-private.crt", "-verify_return_error"),
     lambda st: curl(st, "--cert", str(PKI / "client-expired.pem"), "--key", str(PKI / "client.key"), port=4433), filter=FIRST)
for tls in ("1.2", "1.3"):
    quiet("client-cert-rejected", f"mutual-tls{tls.replace('.', '')}", f"TLS {tls}: the client shows its certificate and is served",
          N("good", tls=tls, extra=MUTUAL), lambda st: curl(st, *OWN), filter="tls.handshake")
# a stapled answer that says revoked


def stapled(st):
    index = st.write("ocsp.txt", "")
    serial = sh(f"openssl x509 -in {PKI}/good.crt -noout -serial").strip().split("=")[1]
    index.write_text(f"R\t271020000000Z\t261120000000Z\t{serial}\tunknown\t/CN=x\n")
    sh(f"cd {st.dir} && openssl ocsp -issuer {PKI}/ca-rsa.crt -cert {PKI}/good.crt -reqout q.der && "
       f"openssl ocsp -index ocsp.txt -CA {PKI}/ca-rsa.crt -rsigner {PKI}/ca-rsa.crt -rkey {PKI}/ca-rsa.key -reqin q.der "
       f"-respout stapled.der -ndays 3")
    nginx(st, "good", tls="1.2", extra=f"ssl_stapling on; ssl_stapling_file {st.dir}/stapled.der;")


told("cert-revoked", "stapled-revoked-curl", "nginx staples an OCSP answer that says revoked; curl --cert-status refuses",
     stapled, lambda st: curl(st, "--cert-status"), filter="tls.handshake.type == 22 || tls.alert_message")

# other clients of the same endpoint are served
told("tls-no-common-cipher", "one-of-two-clients", "one client is served; an old one offers other suites and gets alert 40",
     N("good", ciphers="ECDHE-RSA-AES256-GCM-SHA384"), lambda st: (curl(st), s_client(st, "-tls1_2", "-cipher", "AES128-SHA", who="c1")), clients=2, at="s", filter=FIRST)
told("tls-version-mismatch", "one-of-two-clients-8443", "one client is served, an old one of TLS 1.1 gets alert 70",
     lambda st: java_server(st, "good", 8443), lambda st: (python(st, port=8443), s_client(st, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", port=8443, who="c1")),
     clients=2, at="s", filter=FIRST)
told("tls-cut-on-hello", "one-name-of-two", "HAProxy serves one name and cuts the hello of another",
     lambda st: (nginx(st, port=9443), haproxy(st, filtering.format(port=443, name=NAME), 443)),
     lambda st: (curl(st, name="etax.beijing.chinatax.gov.cn"), curl(st)), filter=FIRST)
told("tls-no-reply", "gnutls-retransmitted-9008", "the server takes the hello and stays silent; gnutls-cli gives up after 20 s",
     py("s = listen()\nk = []\nwhile True: k.append(s.accept()[0])", 9008), lambda st: gnutls_cli(st, port=9008), filter=FIRST, ip6=True)
