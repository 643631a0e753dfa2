"""Captures of TLS whose secrets are known: a client wrote them with SSLKEYLOGFILE, or its own option. They lie beside the
capture, or in a secrets block of it."""
from actors import *  # noqa: F403
from http_answers import ISSUE
from payloads import NUONUO
from quiet import PROXY, code, extra, through
from stage import PKI
from tls_cert import case

SAID = "http.request || http.response"
SHOWN = "tls.handshake.type == 11 || tls.alert_message"
BUSY = "location / { default_type application/json; add_header Retry-After 30 always; return 503 '{\"code\":\"busy\"}'; }"
DEAD = "location / { proxy_pass http://127.0.0.1:1; }"


def told(code, name, shows, server, client, also=(), keys="beside", filter=SAID, **more):
    layer = code.partition(".")[0]
    case(f"{layer}/{code.partition('.')[2]}/keys-{name}", [code, *also], shows, server, client, keys=keys, filter=filter, **more)


def quiet(code, name, shows, server, client, keys="beside", filter=SAID, **more):
    layer, _, bare = code.partition(".")
    case(f"{layer}/{bare}/not-keys-{name}", [], shows, server, client, keys=keys, filter=filter, **more)


def serves(tls, locations=BUSY, ciphers="", chain="good", port=443, **more):
    return lambda st: nginx(st, chain, port, tls=tls, locations=locations, ciphers=ciphers, **more)


def words(st, *steps, port=443, options=()):
    """openssl s_client that is fed step by step, half a second apart: requests, and letters that are its own commands."""
    st.used("openssl")
    feed = "; ".join(f"printf '{step}'; sleep 0.5" for step in steps)
    argv = ["openssl", "s_client", "-connect", f"{NAME}:{port}", "-servername", NAME, "-CAfile", ROOTS, "-no-CApath",
            "-keylogfile", st.keys, *options]
    return st.run("c", ["bash", "-c", f"({feed}) | timeout 20 " + " ".join(str(a) for a in argv)], 60)


def get(path="/kpfw/v1/health", close=True):
    end = "Connection: close\\r\\n" if close else ""
    return f"GET {path} HTTP/1.1\\r\\nHost: {NAME}\\r\\n{end}\\r\\n"


def serves2(tls, locations=BUSY):
    """nginx that speaks HTTP/2 inside TLS."""
    return lambda st: nginx(st, servers=f"server {{ listen 443 ssl http2; ssl_certificate {PKI}/good.pem; ssl_certificate_key {keyfile('good')}; "
                                        f"ssl_protocols TLSv{tls}; server_name _; {locations} }}")


# 503 and 502 inside
told("application.http-503", "tls13-curl", "nginx answers a POST with 503 inside TLS 1.3 with AES-256-GCM; the keys are curl's", serves("1.3"),
     lambda st: curl(st, *ISSUE, path="/kpfw/v1/invoice"))
told("application.http-503", "tls13-chacha", "503 inside TLS 1.3 with ChaCha20-Poly1305; the keys are in the capture", serves("1.3"),
     lambda st: curl(st, "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256", *ISSUE), keys="inside")
told("application.http-503", "tls13-aes128-gnutls", "503 inside TLS 1.3 with AES-128-GCM; the keys are gnutls-cli's", serves("1.3"),
     lambda st: gnutls_cli(st, priority="NORMAL:-CIPHER-ALL:+AES-128-GCM"))
told("application.http-503", "tls12-gcm-python", "503 inside TLS 1.2 with AES-GCM; the keys are Python's", serves("1.2"),
     lambda st: python(st, count=2), keys="inside")
told("application.http-503", "tls12-chacha-8443", "503 inside TLS 1.2 with ChaCha20-Poly1305, on port 8443", serves("1.2", port=8443, ciphers="ECDHE-RSA-CHACHA20-POLY1305"),
     lambda st: curl(st, port=8443))
told("application.http-503", "tls12-rsa-key-exchange", "503 inside TLS 1.2 whose key exchange is RSA, with AES-256-GCM", serves("1.2", ciphers="AES256-GCM-SHA384"),
     lambda st: curl(st), keys="inside")
told("application.http-503", "tls13-resumed", "two connections of TLS 1.3, the second resumes the first; both are answered 503", serves("1.3"),
     lambda st: [words(st, get(), options=["-quiet", *o, st.dir / "session"]) for o in (["-sess_out"], ["-sess_in"])])
told("application.http-503", "tls12-resumed", "the same in TLS 1.2, by a session ticket", serves("1.2"),
     lambda st: [words(st, get(), options=["-quiet", *o, st.dir / "session"]) for o in (["-sess_out"], ["-sess_in"])], keys="inside")
told("application.http-503", "tls13-key-update", "a healthy request, a KeyUpdate of both sides, then a request that is answered 503, on one connection of TLS 1.3",
     serves("1.3", "location /busy { return 503; } location / { default_type application/json; return 200 '{}'; }"),
     lambda st: words(st, get(close=False), "K\\n", get("/kpfw/v1/health?2", False), "K\\n", "k\\n", get("/busy")))
told("application.http-503", "tls13-early-data", "the second connection sends its request as early data of TLS 1.3 and is answered 503",
     serves("1.3", extra="ssl_early_data on;"),
     lambda st: (st.write("request", get("/kpfw/v1/early").replace("\\r\\n", "\r\n")),
                 words(st, get(), options=["-quiet", "-sess_out", st.dir / "session"]),
                 words(st, "", options=["-quiet", "-ign_eof", "-sess_in", st.dir / "session", "-early_data", st.dir / "request"])))
told("application.http-bad-gateway", "tls12-cbc-encrypt-then-mac", "502 inside TLS 1.2 with AES-CBC and HMAC-SHA256, the MAC over what is encrypted (RFC 7366)",
     serves("1.2", DEAD, "ECDHE-RSA-AES128-SHA256"), lambda st: curl(st, *ISSUE))
told("application.http-bad-gateway", "tls12-cbc-mac-then-encrypt", "502 inside TLS 1.2 with AES-CBC and HMAC-SHA384, the MAC under the encryption",
     serves("1.2", DEAD, "ECDHE-RSA-AES256-SHA384"), lambda st: words(st, get(), options=["-quiet", "-no_etm"]))
told("application.http-bad-gateway", "tls12-cbc-sha1-rsa", "502 inside TLS 1.2 with RSA key exchange, AES-CBC and HMAC-SHA1, the MAC under the encryption",
     serves("1.2", DEAD, "AES128-SHA"), lambda st: words(st, get(), options=["-quiet", "-no_etm"]), keys="inside")
told("application.http-bad-gateway", "tls12-cbc-wget", "502 inside TLS 1.2 with AES-256-CBC and HMAC-SHA1 to wget's GnuTLS",
     serves("1.2", DEAD, "ECDHE-RSA-AES256-SHA"), lambda st: wget(st, "--ca-certificate", ROOTS, port=443, scheme="https"))

told("application.http-503", "tls13-http2", "503 in HTTP/2 inside TLS 1.3, agreed on by ALPN", serves2("1.3"),
     lambda st: curl(st, "--http2", *ISSUE, path="/kpfw/v1/invoice"), filter="http2.headers.status == 503")
told("application.http-bad-gateway", "tls12-http2", "502 in HTTP/2 inside TLS 1.2, twice on one connection", serves2("1.2", DEAD),
     lambda st: (st.used("curl"), st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "--http2", "--cacert", ROOTS, url(st, "/a"), url(st, "/b")])),
     filter="http2.headers.status == 502", keys="inside")

behind = lambda how, **more: lambda st: (nginx(st, tls="1.3", **more), st.python("s", code(PROXY), 3128, how, port=3128))   # noqa: E731
told("application.http-503", "tls13-behind-proxy", "a proxy asks for credentials and gets them, then connects; inside its tunnel of TLS 1.3 the service answers 503",
     behind("ask", locations=BUSY), through("--proxy-digest", "-U", "clerk:right", *ISSUE), **extra)
quiet("application.http-503", "tls13-behind-proxy", "the same with an answer that is well", behind("ask"), through("--proxy-digest", "-U", "clerk:right", *ISSUE), keys="inside", **extra)

# Certificates and alerts that TLS 1.3 hides
told("security.cert-expired", "tls13-curl-refuses", "TLS 1.3: the leaf ended five days ago; curl sends alert 45, which its handshake secrets show", serves("1.3", chain="expired"),
     lambda st: curl(st), filter=SHOWN)
told("security.cert-expired", "tls13-accepted", "TLS 1.3: the leaf ended five days ago, and the client, which checks nothing, asks and is answered",
     lambda st: nginx(st, "expired", tls="1.3"), lambda st: curl(st, ca=None), keys="inside", note="accepted, hence a warning")
told("security.cert-chain-incomplete", "tls13-python", "TLS 1.3: the intermediate is missing; a Python client sends alert 48", serves("1.3", chain="good-bare"),
     lambda st: python(st), filter=SHOWN)
told("security.cert-untrusted-root", "tls13-gnutls", "TLS 1.3: a chain to a private root; gnutls-cli refuses", serves("1.3", chain="private-with-root", port=5556),
     lambda st: gnutls_cli(st, port=5556), filter=SHOWN)
told("security.cert-name-mismatch", "tls13-curl", "TLS 1.3: the certificate is for another name; curl refuses", serves("1.3", chain="misnamed"),
     lambda st: curl(st), filter=SHOWN, keys="inside")
told("security.client-cert-missing", "tls13-s-server", "TLS 1.3: the server wants a certificate, the client has none: alert 116 inside",
     lambda st: s_server(st, "good", 4433, "-Verify", "1"), lambda st: curl(st, port=4433), filter=SHOWN)
told("data.business-error", "tls13-json", "HTTP 200 inside TLS 1.3 with code E9500 in its JSON", serves("1.3", "location / { default_type application/json; return 200 '{\"code\":\"E9500\",\"describe\":\"商品税率不合法\",\"result\":null}'; }"),
     lambda st: curl(st, *ISSUE, "-H", f"Host: {NUONUO}", path="/open/v1/services"), keys="inside")

# What must stay silent
quiet("application.http-503", "tls13-healthy", "a healthy exchange inside TLS 1.3", lambda st: nginx(st, tls="1.3"), lambda st: curl(st, *ISSUE))
quiet("application.http-bad-gateway", "tls12-cbc-healthy", "healthy exchanges on one connection inside TLS 1.2 with AES-CBC", lambda st: nginx(st, tls="1.2", ciphers="ECDHE-RSA-AES128-SHA256"),
     lambda st: python(st, count=3), keys="inside")
quiet("application.http-503", "tls13-http2-healthy", "healthy requests in HTTP/2 inside TLS 1.3", serves2("1.3", "location / { default_type application/json; return 200 '{}'; }"),
     lambda st: (st.used("curl"), st.run("c", ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "--http2", "--cacert", ROOTS, url(st, "/a"), url(st, "/b")])),
     filter="http2.headers.status == 200")
quiet("capture.encrypted-blind", "node-keeps-alive", "three healthy requests of a Node client on one connection of TLS 1.3, and its keys: nothing is hidden", lambda st: nginx(st, tls="1.3"),
     lambda st: (st.used("node"), st.run("c", ["node", f"--tls-keylog={st.keys}", st.write("client.js", NODE_CLIENT), url(st), ROOTS, "TLSv1.3", "TLSv1.3", 3, 9000])))
quiet("security.cert-expired", "tls13-good", "a valid chain inside TLS 1.3", lambda st: nginx(st, "good-ec", tls="1.3"), lambda st: curl(st), filter=SHOWN)
quiet("application.http-503", "tls12-renegotiated", "a healthy request after both sides agreed on new keys inside TLS 1.2 (renegotiation)",
     lambda st: s_server(st, "good", 4433, "-tls1_2", "-client_renegotiation"), lambda st: words(st, "R\\n", get(), port=4433))


def another_session(st):
    """The keys of a connection that is not in the capture, under the random of the one that is."""
    curl(st)
    lines = st.keys.read_text().splitlines()
    turned = [" ".join([*line.split()[:2], line.split()[2][::-1]]) for line in lines if not line.startswith("#")]
    st.keys.write_text("\n".join(turned) + "\n")


case("capture/encrypted-blind/keys-wrong", ["capture.encrypted-blind"], "the secrets in the key log are not those of the session: nothing opens, and what is inside stays unknown",
     lambda st: nginx(st, tls="1.3", locations=BUSY), another_session, keys="beside", filter="tls.app_data")
case("capture/encrypted-blind/keys-of-the-first-alone", ["capture.encrypted-blind", "application.http-503"], "two clients are answered 503; the key log has the secrets of the first alone",
     lambda st: nginx(st, tls="1.3", locations=BUSY), lambda st: (curl(st), st.run("c", ["env", "-u", "SSLKEYLOGFILE", "curl", "-sS", "-o", "/dev/null", "--cacert", ROOTS, url(st)])),
     keys="beside", filter="tls.app_data")
