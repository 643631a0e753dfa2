"""Captures that come close to a class of TLS or HTTP and must not be called by it: what the other end did makes it ordinary.

Clients trust the roots of `.pki/` as it is, not `roots.pem`: a chain that can be seen is then only information.
"""
from actors import *  # noqa: F403
from http_answers import SHOP, answer, ask, code, limited, plain, post, py
from stage import NAME, PKI, PYTHON
from tls_cert import N, SEES, case
from tls_handshake import FIRST, HELLO, MUTUAL, OWN

TRUSTED = PKI / "trusted.pem"
CHOSEN = "tls.handshake.type == 1 || tls.handshake.type == 2"
LAST = "tls.handshake.type == 2 || tls.record.content_type == 23 || tls.alert_message || tcp.flags.fin == 1 || tcp.flags.reset == 1"


def near(path, shows, server, client, told=(), **more):
    """`told` are the codes that are said instead."""
    layer, class_, name = path.split("/")
    case(f"{layer}/{class_}/not-{name}", list(told), shows, server, client, **more)


# versions
near("security/tls-version-mismatch/only-13-offered", "a client of TLS 1.3 alone, whose hello says 1.2 where the version used to stand, and a server of 1.2 and 1.3",
     N("good", tls="1.2-1.3"), lambda st: s_client(st, "-tls1_3", ca=TRUSTED), filter=CHOSEN)
near("security/tls-version-mismatch/fallback-guard-at-its-best", "a client that fell back says so (RFC 7507) to a server that knows nothing better than TLS 1.2",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3"),
     lambda st: gnutls_cli(st, port=5556, ca=TRUSTED, priority="NORMAL:-VERS-TLS1.3:%FALLBACK_SCSV"), filter=CHOSEN, at="s")
near("security/tls-version-mismatch/client-13-server-12", "a Java client of TLS 1.2 and 1.3 to a Node server of 1.2 alone, over IPv6",
     lambda st: node_server(st, "good", 8443, tls="1.2"), lambda st: java(st, port=8443, ca=TRUSTED), filter=CHOSEN, ip6=True)

near("security/tls-obsolete/offered-curl", "curl offers TLS 1.0 to 1.2, nginx takes 1.2", N("good"),
     lambda st: curl(st, "--ciphers", "ALL:@SECLEVEL=0", tls="1.0-1.2", ca=TRUSTED), filter=CHOSEN)
near("security/tls-obsolete/offered-both-java-8443", "a Java client and a Java server that both know TLS 1.0 to 1.3: records and hellos carry the old numbers, 1.3 is chosen",
     lambda st: java_server(st, "good", 8443, versions="TLSv1,TLSv1.1,TLSv1.2,TLSv1.3", legacy=True),
     lambda st: java(st, port=8443, tls="1.0-1.3", legacy=True, ca=TRUSTED), filter=CHOSEN)

# suites
near("security/tls-no-common-cipher/one-suite-in-common", "two short lists of suites that meet in their last entry",
     N("good", ciphers="ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"),
     lambda st: s_client(st, "-tls1_2", "-cipher", "AES128-SHA:ECDHE-RSA-CHACHA20-POLY1305", ca=TRUSTED), filter=CHOSEN)
near("security/tls-no-common-cipher/another-group-gnutls", "TLS 1.3: no key share of the server's only group, so it asks for another hello",
     N("good", tls="1.3", extra="ssl_ecdh_curve secp521r1;"), lambda st: gnutls_cli(st, ca=TRUSTED), filter=CHOSEN)

# alerts
near("security/tls-alert/warning-gnutls", "gnutls-serv warns of a name it does not know (alert 112, level warning) and serves all the same",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3", "--sni-hostname", "www.other.example"),
     lambda st: gnutls_cli(st, port=5556, ca=TRUSTED, priority="NORMAL:-VERS-TLS1.3"), filter="tls.alert_message.desc == 112")
CANCEL = """
import java.net.*; import java.util.*; import javax.net.ssl.*;
public class Cancel { public static void main(String[] a) throws Exception {
  SSLSocket s = (SSLSocket) ((SSLSocketFactory) SSLSocketFactory.getDefault()).createSocket(new Socket(a[0], 443), a[0], 443, true);
  s.setEnabledProtocols(new String[] {"TLSv1.2"});
  Thread shaking = new Thread(() -> { try { s.startHandshake(); } catch (Exception e) { System.out.println(e); } });
  shaking.setDaemon(true); shaking.start();
  Thread.sleep(1000);
  s.close();
} }
"""
LATE = """
import threading
s = listen()
def pump(a, b, wait):
    while True:
        try: d = a.recv(65536)
        except OSError: d = b''
        if wait: time.sleep(wait); wait = 0
        if not d:
            try: b.shutdown(1)
            except OSError: pass
            return
        b.sendall(d)
while True:
    c, _ = s.accept()
    u = socket.create_connection(('127.0.0.1', 9443))
    threading.Thread(target=pump, args=(c, u, 3), daemon=True).start()
    threading.Thread(target=pump, args=(u, c, 0), daemon=True).start()
"""


def cancel(st):
    st.used("java")
    st.run("c", [*JAVA, st.write("Cancel.java", CANCEL), NAME])


near("security/tls-alert/user-canceled-java", "TLS 1.2: a Java client closes after one second, before a slow server has said hello: user_canceled and close_notify, both in clear and both warnings",
     lambda st: (nginx(st, "good", port=9443, tls="1.2"), py(LATE, 443)(st)), cancel, filter="tls.alert_message")
near("security/tls-alert/close-notify-both-ways", "TLS 1.2: after a request that was served both ends say close_notify",
     lambda st: java_server(st, "good", 8443, versions="TLSv1.2"), lambda st: s_client(st, port=8443, ca=TRUSTED), filter=LAST)
near("security/tls-alert/renegotiation-refused", "TLS 1.2: the request is served, then the client asks to renegotiate and nginx answers with an encrypted alert, no_renegotiation",
     N("good"), lambda st: (st.used("openssl"), st.run("c", ["bash", "-c", f"(printf 'GET /kpfw/v1/health HTTP/1.1\\r\\nHost: {NAME}\\r\\n\\r\\n'; sleep 1; printf 'R\\n'; sleep 1) | "
                            f"timeout 9 openssl s_client -connect {NAME}:443 -servername {NAME} -CAfile {TRUSTED} -tls1_2"])), filter="tls.record.content_type == 21")

# signatures
near("security/cert-bad-signature/two-issuers-of-one-name", "two intermediates of one name and different keys, the one that signed nothing first; curl and Java find the other",
     N("two-of-one-name"), lambda st: (curl(st, ca=TRUSTED), java(st, ca=TRUSTED)), filter=SEES)
near("security/cert-bad-signature/two-issuers-refused", "the same two intermediates, and a client that knows neither root: what it refuses is not a signature",
     N("two-of-one-name"), lambda st: python(st, ca=PKI / "root-other.crt"), told=["security.cert-rejected"], filter=SEES)
near("security/cert-bad-signature/tampered-beside-the-path", "leaf, intermediate, and a copy of the intermediate with a spoilt signature, which nobody needs",
     N("tampered-surplus", port=8443), lambda st: (curl(st, port=8443, ca=TRUSTED), gnutls_cli(st, port=8443, ca=TRUSTED)), filter=SEES, ip6=True)
near("security/cert-bad-signature/rsa-pss", "leaf and intermediate signed by RSASSA-PSS with SHA-384, root sent along", N("pss-with-root"),
     lambda st: curl(st, ca=PKI / "root-pss.crt"), filter=SEES, note="a root of its own, and it was accepted: only info")

# refusals
near("security/cert-rejected/close-notify-after-exchange", "TLS 1.3: served, then the client says close_notify and closes with the server's tickets and answer read",
     N("good", tls="1.3"), lambda st: s_client(st, ca=TRUSTED), filter=LAST)
near("security/cert-rejected/server-refuses-the-client", "TLS 1.2: the certificate alert comes from the server, about the client's own certificate",
     lambda st: s_server(st, "good", 4433, "-tls1_2", "-Verify", "3", "-CAfile", PKI / "root-other.crt", "-verify_return_error"),
     lambda st: curl(st, *OWN, port=4433, ca=TRUSTED), told=["security.client-cert-rejected"], filter=FIRST)

# statuses
SAYS = '{"code":503,"status":"503 Service Unavailable","message":"upstream busy"}'
near("application/http-503/in-the-body", "200 OK whose reason and body both speak of 503", py(answer("200 503 Service Unavailable", SAYS, "Retry-After: 30\\r\\n"), 8080), post(), filter="http")
near("application/http-503/quoted-in-a-log", "a file is fetched that is nothing but the head of a 503 answer forty times over; nginx sends it in chunks",
     lambda st: (st.write("access.txt", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n" * 40), st.dir.chmod(0o755),
                 nginx(st, port=80, secure=False, locations=f"location / {{ root {st.dir}; default_type text/plain; ssi on; ssi_types text/plain; }}")),
     ask(80, "/access.txt"), filter="http")
near("application/http-bad-gateway/next-upstream-answers", "nginx finds its first upstream refusing, asks the second and passes its answer on",
     lambda st: (node_server(st, port=9000, secure=False), nginx(st, port=8080, secure=False, http="upstream u { server 127.0.0.1:1; server 127.0.0.1:9000; }",
                 locations="location / { proxy_pass http://u; }")), post(), filter="http")
near("application/http-bad-gateway/page-with-200", "nginx turns its 502 into a page of apology with status 200",
     plain(locations="location / { error_page 502 504 =200 /sorry; proxy_pass http://127.0.0.1:1; } location = /sorry { internal; default_type application/json; return 200 '{\"code\":\"502\",\"message\":\"Bad Gateway\"}'; }"),
     post(), filter="http")
near("application/http-bad-gateway/no-such-method-501", "501 is not the gateway's doing: Python's http.server knows no POST", lambda st: (st.used("python"), st.start("s", [PYTHON, "-m", "http.server", "8000"], 8000)),
     post(8000), told=["application.http-server-error"], filter="http")
near("application/http-server-error/soap-fault-200", "a SOAP fault with status 200, as some services answer",
     py(answer("200 OK", '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Server</faultcode><faultstring>Internal Server Error 500</faultstring></soap:Fault></soap:Body></soap:Envelope>', kind="text/xml; charset=utf-8"), 9000),
     ask(9000, "/axis2/services/SajtIssueInvoiceService/500", "-d", '<?xml version="1.0" encoding="UTF-8"?><a>1</a>', "-H", "Content-Type: text/xml; charset=utf-8"), filter="http", ip6=True)
near("application/http-server-error/haproxy-503", "HAProxy without a live server: the 5xx that has a code of its own",
     lambda st: haproxy(st, "listen a\n  bind :::8080 v4v6\n  server x 127.0.0.1:1 check inter 100ms fall 1\n", 8080), lambda st: (__import__("time").sleep(1), post()(st)),
     told=["application.http-503"], filter="http")
near("application/http-throttled/limits-told", "200 with its limits in headers, the last request that is left and when to come again",
     py(answer("200 OK", '{"code":"0"}', "X-RateLimit-Limit: 60\\r\\nX-RateLimit-Remaining: 0\\r\\nRateLimit-Reset: 30\\r\\nRetry-After: 30\\r\\n"), 8080), lambda st: [post(8080, f"/v1/query/{n}")(st) for n in (1, 2)], filter="http")


def delayed(st):
    limited("limit_req zone=z burst=5; limit_req_status 429;")(st)


near("application/http-throttled/surplus-delayed", "nginx holds back the surplus, one request a second, instead of refusing it", delayed,
     lambda st: [curl(st, port=8080, path=f"/v1/status?serial={n}", scheme="http", name=SHOP) for n in range(3)], filter="http")
near("application/http-forbidden/icon-denied", "nginx denies a browser the icon alone; the page and its interface are served",
     plain(locations="location = /favicon.ico { deny all; } location / { default_type application/json; return 200 '{}'; }"),
     lambda st: [curl(st, "-A", "Mozilla/5.0", port=8080, path=p, scheme="http", name=SHOP) for p in ("/v1/status", "/favicon.ico")], filter="http")
near("application/http-forbidden/marked-page-with-200", "a page of a web application firewall that asks for proof of a browser, with status 200",
     py(answer("200 OK", "<html><head><title>405</title></head><body>Please prove that you are no robot. Request id: 76b20f4017324 Aliyun WAF</body></html>", "Server: Tengine\\r\\n", "text/html; charset=utf-8"), 80),
     ask(80, "/kpfw/v1/status"), filter="http")

# nothing to be blind for
near("capture/encrypted-blind/handshake-fails", "no suite in common: nothing was ever encrypted", N("good", ciphers="ECDHE-RSA-AES256-GCM-SHA384"),
     lambda st: s_client(st, "-tls1_2", "-cipher", "AES128-SHA", ca=TRUSTED), told=["security.tls-no-common-cipher"], filter=FIRST)
near("capture/encrypted-blind/plain-on-443", "plain HTTP on port 443, served as such", lambda st: nginx(st, port=443, secure=False),
     lambda st: curl(st, port=443, scheme="http"), filter="tcp.port == 443 && tcp.len > 0")


def known(st):
    """nginx and a session with it from before the capture, so that no certificate passes."""
    N("good")(st)
    s_client(st, "-tls1_2", "-sess_out", st.dir / "session.pem", ca=TRUSTED)


near("capture/encrypted-blind/handshake-alone", "TLS 1.2: a spare connection that resumes an earlier session and is closed with close_notify before anything was asked", known,
     lambda st: st.run("c", ["openssl", "s_client", "-connect", f"{NAME}:443", "-servername", NAME, "-CAfile", TRUSTED, "-tls1_2", "-sess_in", st.dir / "session.pem"]), filter=LAST)
