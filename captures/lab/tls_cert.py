"""Captures of what certificates do wrong, each with several stacks, refused and accepted."""
import pathlib

from actors import *  # noqa: F403
from stage import NAME, PKI, scenario

SEES = "tls.handshake.type == 11 || tls.alert_message"


def case(path, expect, shows, server, client, note="", filter=SEES, ca=None, at="c", until=None, only=None, device=None, **stage):
    """One server, one client, one capture."""
    def play(st):
        server(st)
        st.capture(at, device=device, **({"only": only} if only else {}))
        client(st)
        st.stop()
    scenario(path, expect, shows, filter, note, ca, at, until, **stage)(play)


def chain(code, name, what, server, client, told=True, **more):
    """A capture of a chain code; `told` says whether it is told at warning or above."""
    case(f"security/{code}/{name}", [f"security.{code}"] if told else [], what, server, client, **more)


N = lambda chain_, **k: lambda st: nginx(st, chain_, tls=k.pop("tls", "1.2"), **k)   # noqa: E731

# cert-expired
chain("cert-expired", "leaf-curl-refuses", "nginx presents a leaf that ended five days ago; curl sends alert 45 and closes",
      N("expired"), lambda st: curl(st))
chain("cert-expired", "leaf-hours-ago-ipv6", "an ECDSA leaf that ended some two hours ago, over IPv6 on port 9008; openssl s_client refuses",
      lambda st: nginx(st, "expired-hours", tls="1.2", port=9008), lambda st: s_client(st, port=9008), ip6=True)
chain("cert-expired", "leaf-accepted", "the leaf ended five days ago and the client, which checks nothing, goes on to ask and is answered",
      N("expired"), lambda st: curl(st, ca=None), note="accepted, hence a warning")
chain("cert-expired", "intermediate-java-refuses", "the leaf is valid, its intermediate ended four days ago; a Java client sends alert 46",
      N("under-expired", port=8443), lambda st: java(st, port=8443))
chain("cert-expired", "intermediate-gnutls-refuses", "the same intermediate, with the root sent along; gnutls-cli gives up",
      lambda st: gnutls_serv(st, "under-expired-with-root", 5556, "NORMAL:-VERS-TLS1.3"), lambda st: gnutls_cli(st, port=5556), at="s")
chain("cert-expired", "leaf-node-closes", "a Node client finishes the handshake, finds the leaf expired and closes without a request",
      N("expired"), lambda st: node(st), note="no alert is sent: the close before any application data is the refusal")
chain("cert-expired", "leaf-java-server", "a Java server on port 8443 with an expired leaf; a Python client sends alert 45",
      lambda st: java_server(st, "expired", 8443, versions="TLSv1.2"), lambda st: python(st, port=8443), form="nano")

# cert-not-yet-valid
chain("cert-not-yet-valid", "leaf-curl-refuses", "the leaf begins some hours later than the handshake; curl sends alert 42",
      N("future"), lambda st: curl(st))
chain("cert-not-yet-valid", "leaf-python-refuses", "an ECDSA leaf that begins in twelve days; a Python client refuses",
      N("future-ec", port=8443), lambda st: python(st, port=8443), form="pcapng")
chain("cert-not-yet-valid", "intermediate-java-refuses", "the intermediate begins in three days; a Java client refuses",
      N("under-future"), lambda st: java(st))
chain("cert-not-yet-valid", "not-accepted", "the leaf begins some hours later, and the client goes on all the same",
      N("future"), lambda st: curl(st, ca=None), told=False, note="accepted, hence only info")

# cert-expiring
chain("cert-expiring", "nine-days-left", "nine of 365 days are left; the request succeeds", N("expiring"), lambda st: curl(st))
chain("cert-expiring", "quarter-of-90-days", "18 of 90 days are left, less than a quarter; the request succeeds",
      lambda st: gnutls_serv(st, "expiring-90", 5556, "NORMAL:-VERS-TLS1.3"), lambda st: gnutls_cli(st, port=5556))
chain("cert-expiring", "java-8443", "nine days left, Java on both sides, port 8443",
      lambda st: java_server(st, "expiring", 8443, versions="TLSv1.2"), lambda st: java(st, port=8443), at="s")
chain("cert-expiring", "not-six-day-certificate", "a certificate of six days with four and a half left",
      N("short-lived"), lambda st: curl(st), told=False, note="more than a quarter of a short lifetime is left")

# cert-chain-incomplete
chain("cert-chain-incomplete", "leaf-alone-curl", "nginx sends the leaf without its intermediate; curl sends alert 48",
      N("good-bare"), lambda st: curl(st))
chain("cert-chain-incomplete", "leaf-alone-java-8443", "the leaf alone; a Java client sends alert 46", N("good-bare", port=8443),
      lambda st: java(st, port=8443))
chain("cert-chain-incomplete", "wrong-intermediate", "the leaf with an intermediate that did not issue it; openssl s_client refuses",
      lambda st: s_server(st, "good-wrong-issuer", 4433, "-tls1_2"), lambda st: s_client(st, port=4433))
chain("cert-chain-incomplete", "ec-leaf-node-closes", "an ECDSA leaf alone; a Node client finishes the handshake and closes",
      N("good-ec-bare"), lambda st: node(st), note="the close before any application data is the refusal")
chain("cert-chain-incomplete", "leaf-alone-gnutls", "the leaf alone over IPv6; gnutls-cli refuses", N("good-bare"),
      lambda st: gnutls_cli(st), ip6=True)
chain("cert-chain-incomplete", "not-accepted", "the leaf alone, and the client goes on: it has the intermediate in its own store",
      N("good-bare"), lambda st: curl(st, ca=PKI / "ca-rsa-store.pem"), told=False, note="accepted, hence only info")

# cert-untrusted-root
chain("cert-untrusted-root", "private-root-sent-curl", "leaf, intermediate and a private root, all sent; curl sends alert 48",
      N("private-with-root"), lambda st: curl(st))
chain("cert-untrusted-root", "private-root-sent-java", "the same to a Java client: alert 46", N("private-with-root", port=8443),
      lambda st: java(st, port=8443))
chain("cert-untrusted-root", "private-root-sent-gnutls", "the same from gnutls-serv to gnutls-cli",
      lambda st: gnutls_serv(st, "private-with-root", 5556, "NORMAL:-VERS-TLS1.3"), lambda st: gnutls_cli(st, port=5556))
chain("cert-untrusted-root", "private-root-sent-python-ipv6", "the same to a Python client over IPv6",
      N("private-with-root"), lambda st: python(st), ip6=True, form="pcapng")
chain("cert-untrusted-root", "not-accepted", "the clients know the private root and go on",
      N("private-with-root"), lambda st: (curl(st, ca=PKI / "everything.pem"), python(st, ca=PKI / "everything.pem")), told=False,
      note="accepted, hence only info")

# cert-self-signed
chain("cert-self-signed", "curl-refuses", "nginx with a self-signed leaf; curl sends alert 48", N("self"), lambda st: curl(st))
chain("cert-self-signed", "java-refuses", "a Java server with a self-signed leaf on 8443; a Java client sends alert 46",
      lambda st: java_server(st, "self", 8443, versions="TLSv1.2"), lambda st: java(st, port=8443))
chain("cert-self-signed", "node-closes", "Node on both sides; the client finishes the handshake and closes",
      lambda st: node_server(st, "self", 8443, tls="1.2"), lambda st: node(st, port=8443))
chain("cert-self-signed", "s-server-ipv6", "openssl s_server with an ECDSA leaf for localhost.localdomain, signed by itself, over IPv6",
      lambda st: s_server(st, "self-ec", 4433, "-tls1_2"), lambda st: s_client(st, port=4433), ip6=True,
      note="the name does not match either; one chain, one code")
chain("cert-self-signed", "not-accepted", "a self-signed leaf that the client trusts as such", N("self"),
      lambda st: curl(st, ca=PKI / "self.pem"), told=False, note="accepted, hence only info")

# cert-bad-signature
chain("cert-bad-signature", "leaf-tampered-curl", "the leaf's signature has one byte changed; curl refuses", N("tampered"), lambda st: curl(st))
chain("cert-bad-signature", "intermediate-tampered-python", "the intermediate's signature has one byte changed; a Python client refuses",
      N("under-tampered-ca"), lambda st: python(st))
chain("cert-bad-signature", "other-key-same-name", "the leaf names the intermediate that is sent, but another key signed it; openssl s_client refuses",
      lambda st: s_server(st, "impostor", 4433, "-tls1_2"), lambda st: s_client(st, port=4433))
chain("cert-bad-signature", "leaf-tampered-java", "a tampered leaf to a Java client, port 8443", N("tampered", port=8443),
      lambda st: java(st, port=8443))
chain("cert-bad-signature", "leaf-tampered-accepted", "a tampered leaf, and the client, which checks nothing, goes on",
      N("tampered"), lambda st: curl(st, ca=None), note="accepted, hence a warning")

# cert-name-mismatch
chain("cert-name-mismatch", "hosting-default-python", "the certificate is for www.hosting.example; a Python client refuses by alert",
      N("misnamed"), lambda st: python(st))
chain("cert-name-mismatch", "hosting-default-java", "the same to a Java client", N("misnamed", port=8443), lambda st: java(st, port=8443))
chain("cert-name-mismatch", "wildcard-one-label-gnutls", "*.chinatax.gov.cn does not cover dppt.beijing.chinatax.gov.cn; gnutls-cli refuses",
      N("wildcard"), lambda st: gnutls_cli(st))
chain("cert-name-mismatch", "curl-closes-after-handshake", "curl checks the name once the handshake is done and closes without a request",
      N("misnamed"), lambda st: curl(st))
chain("cert-name-mismatch", "node-closes-ipv6", "a Node client does the same over IPv6", N("misnamed"), lambda st: node(st), ip6=True)
chain("cert-name-mismatch", "not-wildcard-that-fits", "*.beijing.chinatax.gov.cn covers the name", N("wildcard-good"),
      lambda st: python(st), told=False)
chain("cert-name-mismatch", "not-cn-only", "no SAN, a matching common name; an old client accepts", N("cn-only"),
      lambda st: s_client(st, refuse=False), told=False, note="info, detail cn_only")
chain("cert-name-mismatch", "not-accepted", "the names differ and the client goes on", N("misnamed"), lambda st: curl(st, ca=None),
      told=False, note="accepted, hence only info")
chain("cert-name-mismatch", "not-hello-without-name", "a ClientHello without SNI to a server whose certificate has other names; answered",
      N("misnamed"), lambda st: s_client(st, refuse=False, sni=False), told=False, note="no name is known, nothing to judge")

# A client that names nobody in its hello: the name is the one that its DNS answer gave for the address.
def resolving(client, *records):
    """The client behind the gateway's resolver, which gives `records` (name, address), and nothing in its hosts file."""
    def play(st):
        etc = f"/etc/netns/{st.ns('c')}"
        pathlib.Path(f"{etc}/hosts").write_text("127.0.0.1 localhost\n")
        pathlib.Path(f"{etc}/resolv.conf").write_text("nameserver 192.0.2.1\noptions timeout:1 attempts:1\n")
        client(st)
    records = [f"--host-record={name},{ip}" for name, ip in records or [(NAME, "203.0.113.20")]]
    def server(chain_):
        def start(st):
            nginx(st, chain_, tls="1.2")
            st.used("dnsmasq")
            st.start("g", ["dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--user=root", "--local=/cn/", "--local=/example/",
                           "--listen-address=192.0.2.1", "--bind-interfaces", f"--pid-file={st.dir}/dns.pid", *records], 53)
        return start
    return server, play


def nameless(name, what, chain_, client, *records, told=True, **more):
    server, play = resolving(client, *records)
    chain("cert-name-mismatch", name, what, server(chain_), play, told=told, filter="dns || " + SEES, **more)


WWW = "www.hosting.example"
nameless("no-sni-java-refuses", "a Java client with SNI turned off resolves the name, says hello without it and refuses the certificate by alert",
         "misnamed", lambda st: java(st, sni=False))
nameless("no-sni-openssl-refuses", "openssl s_client without SNI refuses the certificate for the name that it resolved",
         "misnamed", lambda st: s_client(st, sni=False))
chain("cert-name-mismatch", "no-sni-by-address", "openssl s_client connects to the address, which the certificate does not hold, and refuses",
      N("misnamed"), lambda st: s_client(st, "-verify_ip", st.server_ip4, sni=False, refuse=False, name=st.server_ip4, strict=True))
nameless("not-no-sni-fits", "a hello without SNI; the certificate is for the name that the client resolved", "good",
         lambda st: (java(st, sni=False), s_client(st, sni=False)), told=False)
nameless("not-no-sni-accepted", "a hello without SNI; the certificate is for another name and the client goes on", "misnamed",
         lambda st: s_client(st, sni=False, refuse=False), told=False, note="accepted, hence only info")
nameless("not-no-sni-two-names", "two names resolve to one address; the certificate is for the one that was resolved first",
         "misnamed", lambda st: (s_client(st, sni=False, refuse=False, name=WWW), s_client(st, sni=False, name=WWW),
                                 st.run("c", ["getent", "hosts", NAME]), s_client(st, sni=False, name=st.server_ip4, refuse=False)),
         (NAME, "203.0.113.20"), (WWW, "203.0.113.20"), told=False)

# cert-weak
weak = dict(ciphers="ALL:@SECLEVEL=0")
chain("cert-weak", "sha1-leaf-accepted", "the leaf is signed with SHA-1; an old client goes on", N("sha1", **weak),
      lambda st: s_client(st, "-cipher", "ALL:@SECLEVEL=0", refuse=False))
chain("cert-weak", "rsa-1024-accepted", "the leaf's key has 1024 bits; an old client goes on", N("rsa1024", **weak),
      lambda st: s_client(st, "-cipher", "ALL:@SECLEVEL=0", refuse=False))
chain("cert-weak", "md5-leaf-accepted", "the leaf is signed with MD5; the client goes on", N("md5", port=8443, **weak),
      lambda st: s_client(st, "-cipher", "ALL:@SECLEVEL=0", refuse=False, port=8443))
chain("cert-weak", "rsa-1024-curl-refuses", "the leaf's key has 1024 bits; curl finds it too small and sends an alert",
      N("rsa1024", **weak), lambda st: curl(st))
chain("cert-weak", "sha1-java", "a SHA-1 leaf from a Java server to a Java client without restrictions",
      lambda st: java_server(st, "sha1", 8443, versions="TLSv1.2", legacy=True), lambda st: java(st, port=8443, legacy=True))
chain("cert-weak", "ec-192-accepted", "the leaf's key lies on a curve of 192 bits; the client goes on",
      lambda st: s_server(st, "ec192", 4433, "-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-named_curve", "P-256"),
      lambda st: s_client(st, "-cipher", "ALL:@SECLEVEL=0", "-curves", "P-256:P-192", refuse=False, port=4433))
chain("cert-weak", "not-sha1-root", "the root that is sent along signs itself with SHA-1; the chain below is sound",
      N("sha1-root-sent"), lambda st: curl(st), told=False, note="a root's own signature is trusted by name: info")

# cert-rejected
chain("cert-rejected", "own-store-differs-tls12", "a sound chain; the client's own store lacks the root and it sends alert 48",
      N("good"), lambda st: curl(st, ca=PKI / "root-other.crt"))
chain("cert-rejected", "own-store-differs-java", "a sound chain; a Java client without the root sends alert 46", N("good", port=8443),
      lambda st: java(st, port=8443, ca=PKI / "root-other.crt"))
chain("cert-rejected", "client-clock-ahead", "a sound chain; the client's clock runs two years ahead: alert 45",
      N("good"), lambda st: s_client(st, "-attime", "1860000000"), note="certificate_expired for a chain valid at capture time: the client's clock")
chain("cert-rejected", "client-clock-behind-ipv6", "a sound chain; the client's clock stands in 2020: alert 42, over IPv6",
      N("good-ec"), lambda st: s_client(st, "-attime", "1580000000"), ip6=True)
chain("cert-rejected", "tls13-clear-alert-curl", "TLS 1.3: OpenSSL sends alert 48 in clear, the chain itself is not visible",
      N("private-with-root", tls="1.3"), lambda st: curl(st), filter="tls.handshake.type == 2 || tls.alert_message")
chain("cert-rejected", "tls13-clear-alert-python-expired", "TLS 1.3: a Python client sends alert 45 in clear",
      N("expired", tls="1.3", port=8443), lambda st: python(st, port=8443), filter="tls.handshake.type == 2 || tls.alert_message",
      note="the chain is not visible, so its expiry is only the alert's word")
chain("cert-rejected", "tls13-clear-alert-s-client-ipv6", "TLS 1.3 to openssl s_server with a self-signed leaf, over IPv6",
      lambda st: s_server(st, "self", 4433, "-tls1_3"), lambda st: s_client(st, port=4433), ip6=True,
      filter="tls.handshake.type == 2 || tls.alert_message")
chain("cert-rejected", "gnutls-own-store-tls12", "a sound chain; gnutls-cli without the root refuses",
      N("good"), lambda st: gnutls_cli(st, ca=PKI / "root-other.crt"))

# cert-rejected-inferred
bare = "tcp.flags.fin == 1 || tcp.flags.reset == 1 || tls.handshake.type == 2 || (tls.record.opaque_type == 23 && tls.record.length < 40)"
for name, what, server, client, more in (
        ("gnutls-untrusted", "gnutls-cli refuses a private root: one record of 19 bytes after the server's flight, then FIN",
         N("private-with-root", tls="1.3"), lambda st: gnutls_cli(st), {}),
        ("gnutls-expired-8443", "gnutls-cli refuses an expired leaf on port 8443", N("expired", tls="1.3", port=8443),
         lambda st: gnutls_cli(st, port=8443), {}),
        ("gnutls-own-server-ipv6", "GnuTLS on both sides over IPv6, the name does not match",
         lambda st: gnutls_serv(st, "misnamed", 5556), lambda st: gnutls_cli(st, port=5556), dict(ip6=True)),
        ("java-untrusted", "a Java client refuses a private root: one record of an alert's size, then it closes",
         N("private-with-root", tls="1.3"), lambda st: java(st), {}),
        ("java-expired-8443", "a Java client refuses an expired leaf of a Java server", lambda st: java_server(st, "expired", 8443),
         lambda st: java(st, port=8443), {}),
        ("java-incomplete", "a Java client refuses a leaf without its intermediate", N("good-bare", tls="1.3"), lambda st: java(st), dict(at="s")),
        ("node-self-signed", "a Node client finishes the handshake and closes at once, without alert or request",
         N("self", tls="1.3"), lambda st: node(st), {}),
        ("node-expired-8443", "Node on both sides, the leaf expired", lambda st: node_server(st, "expired", 8443, tls="1.3"),
         lambda st: node(st, port=8443), {})):
    chain("cert-rejected-inferred", name, "TLS 1.3: " + what, server, client, filter=bare, **more)

# paths that are sound although something beside them is not
chain("cert-expired", "not-surplus-cross-sign", "the server also sends the root's cross-signature by a root that ended long ago; the path to the known root is sound",
      N("cross"), lambda st: curl(st), told=False, note="the expired certificate is surplus")
chain("cert-chain-incomplete", "not-wrong-order", "leaf, root, intermediate: out of order but whole", N("good-reversed"),
      lambda st: (curl(st), java(st)), told=False)
chain("cert-untrusted-root", "not-root-sent-along", "leaf, intermediate and a known root, all sent", N("good-with-root"), lambda st: curl(st), told=False)
chain("cert-chain-incomplete", "not-issued-by-root", "the leaf alone, issued by a known root itself", N("good-direct"), lambda st: curl(st), told=False)

# what a capture shows only in part, several clients at once, and clients that verify late
chain("cert-expired", "ends-before-the-verdict", "the capture ends with the server's flight", N("expired"), lambda st: curl(st),
      until="tls.alert_message", note="not seen whether the client accepts it, hence a warning")
chain("cert-expired", "server-side-only", "only the server's direction was captured", N("expired"), lambda st: python(st), only="tcp and src host 203.0.113.20",
      filter="tls.handshake.type == 11", note="not seen whether the client accepts it, hence a warning")
chain("cert-chain-incomplete", "ends-before-the-verdict", "the capture ends with the server's flight", N("good-bare", port=8443), lambda st: java(st, port=8443),
      until="tls.alert_message", note="not seen whether the client accepts it, hence a warning")
chain("cert-expired", "three-clients-refuse", "three clients of different make refuse the same chain: told once", N("under-expired"),
      lambda st: (curl(st), java(st, who="c1"), node(st, who="c2")), clients=3, at="s")
chain("cert-expired", "refused-and-accepted", "one client refuses the expired leaf, another goes on", N("expired"),
      lambda st: (curl(st), curl(st, ca=None, who="c1")), clients=2, at="s")
chain("cert-expired", "haproxy-wget-8443", "HAProxy with an expired leaf; wget finishes the handshake and closes",
      lambda st: haproxy(st, f"listen a\n  bind :::8443 v4v6 ssl crt {bundle(st, 'expired')} ssl-max-ver TLSv1.2\n  http-request return status 200 content-type text/plain string ok\n", 8443),
      lambda st: wget(st, f"--ca-certificate={ROOTS}", port=8443, scheme="https"))
chain("cert-untrusted-root", "wget-closes", "wget finishes the handshake, finds the root unknown and closes", N("private-with-root"),
      lambda st: wget(st, f"--ca-certificate={ROOTS}", port=443, scheme="https"))
chain("cert-name-mismatch", "wget-closes-9008", "wget finishes the handshake, finds another name and closes", N("misnamed", port=9008),
      lambda st: wget(st, f"--ca-certificate={ROOTS}", port=9008, scheme="https"))
chain("cert-bad-signature", "haproxy-gnutls-ipv6", "HAProxy with a tampered leaf; gnutls-cli refuses, over IPv6",
      lambda st: haproxy(st, f"listen a\n  bind :::443 v4v6 ssl crt {bundle(st, 'tampered')} ssl-max-ver TLSv1.2\n  http-request return status 200 content-type text/plain string ok\n", 443),
      lambda st: gnutls_cli(st), ip6=True)
chain("cert-not-yet-valid", "gnutls-refuses-9008", "gnutls-cli refuses a leaf that begins in twelve days, on port 9008", N("future-ec", port=9008),
      lambda st: gnutls_cli(st, port=9008))
chain("cert-self-signed", "python-refuses-9008-nano", "a Python client refuses on port 9008; time stamps in nanoseconds", N("self", port=9008),
      lambda st: python(st, port=9008), form="nano")
case("security/cert-expired/tls10-accepted", ["security.cert-expired", "security.tls-obsolete"], "TLS 1.0 and an expired leaf, accepted by an old client",
     N("expired", tls="1.0"), lambda st: curl(st, "--ciphers", "ALL:@SECLEVEL=0", ca=None, tls="1.0"))
