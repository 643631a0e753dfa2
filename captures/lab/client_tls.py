"""Captures of client certificates that are missing or refused, of unknown names, and of revoked certificates."""
from actors import *  # noqa: F403
from stage import PKI, sh
from tls_cert import N
from tls_handshake import FIRST, OWN, code, quiet, stapled, told

# a name that the server does not know
quiet("tls-name-unrecognized", "warning-survived", "openssl s_server warns of a name it does not know (alert 112, level warning) and serves all the same",
      lambda st: s_server(st, "good", 4433, "-tls1_2", "-servername", "www.other.example", "-cert2", PKI / "misnamed.pem", "-key2", keyfile("misnamed")),
      lambda st: curl(st, port=4433), filter="tls.alert_message.desc == 112")

# a client without a certificate
NEEDS = ("-Verify", "3", "-CAfile", PKI / "root-private.crt", "-verify_return_error")
ENCRYPTED = "tls.handshake.type == 2 || (tls.record.opaque_type == 23 && tls.record.length < 90) || tcp.flags.fin == 1 || tcp.flags.reset == 1"
told("client-cert-missing", "openssl-alert-40-ipv6", "TLS 1.2: openssl s_server insists on a certificate, curl has none: alert 40, over IPv6",
     lambda st: s_server(st, "good", 4433, "-tls1_2", *NEEDS), lambda st: curl(st, port=4433), filter=FIRST, ip6=True)
told("client-cert-missing", "haproxy-node-8443", "TLS 1.2: HAProxy requires a certificate, a Node client has none",
     lambda st: haproxy(st, f"listen a\n  bind :::8443 v4v6 ssl crt {bundle(st, 'good')} ca-file {PKI}/root-private.crt verify required ssl-max-ver TLSv1.2\n"
                        "  http-request return status 200 content-type text/plain string ok\n", 8443), lambda st: node(st, port=8443, tls="1.2"), filter=FIRST)
told("client-cert-missing", "gnutls-server", "TLS 1.2: gnutls-serv requires a certificate, gnutls-cli has none",
     lambda st: gnutls_serv(st, "good", 5556, "NORMAL:-VERS-TLS1.3", "--require-client-cert", "--x509cafile", PKI / "root-private.crt"),
     lambda st: gnutls_cli(st, port=5556, priority="NORMAL:-VERS-TLS1.3"), filter=FIRST)
CLOSES = """
c0 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c0.load_cert_chain(sys.argv[2], sys.argv[3])
c0.load_verify_locations(sys.argv[4]); c0.verify_mode = ssl.CERT_REQUIRED; c0.maximum_version = ssl.TLSVersion.TLSv1_2
s = listen()
while True:
    c, _ = s.accept()
    i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = c0.wrap_bio(i, o, server_side=True)
    try:
        while True:
            try: t.do_handshake(); break
            except ssl.SSLWantReadError:
                c.sendall(o.read()); i.write(c.recv(65536))
    except ssl.SSLError as e: print(e)
    c.close()
"""
told("client-cert-missing", "closed-without-alert", "TLS 1.2: the server finds no certificate and closes without an alert",
     lambda st: st.python("s", code(CLOSES), 443, PKI / "good.pem", keyfile("good"), PKI / "root-private.crt", port=443), lambda st: curl(st, tls="1.2"), filter=FIRST)
told("client-cert-missing", "tls13-openssl-curl", "TLS 1.3: curl sends an empty Certificate and its Finished; the server answers with one record of an alert's size and closes",
     lambda st: s_server(st, "good", 4433, "-tls1_3", *NEEDS), lambda st: curl(st, port=4433), filter=ENCRYPTED, note="inferred by record sizes")
told("client-cert-missing", "tls13-java-8443", "TLS 1.3: Java on both sides; records are padded by 16 bytes",
     lambda st: java_server(st, "good", 8443, versions="TLSv1.3", need=True, ca=PKI / "root-private.crt"), lambda st: java(st, port=8443), filter=ENCRYPTED, note="inferred by record sizes")
told("client-cert-missing", "tls13-haproxy-gnutls-ipv6", "TLS 1.3: HAProxy requires a certificate, gnutls-cli has none, over IPv6",
     lambda st: haproxy(st, f"listen a\n  bind :::443 v4v6 ssl crt {bundle(st, 'good')} ca-file {PKI}/root-private.crt verify required ssl-min-ver TLSv1.3\n"
                        "  http-request return status 200 content-type text/plain string ok\n", 443), lambda st: gnutls_cli(st), filter=ENCRYPTED, ip6=True, note="inferred by record sizes")
ASKS = f"ssl_verify_client optional; ssl_client_certificate {PKI}/root-private.crt;"
for tls in ("1.2", "1.3"):
    quiet("client-cert-missing", f"optional-tls{tls.replace('.', '')}", f"TLS {tls}: nginx asks for a certificate, does without one and serves",
          N("good", tls=tls, extra=ASKS), lambda st: (curl(st), java(st)), filter="tls.handshake.type == 2")
IDLE = """
import threading
c0 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c0.load_cert_chain(sys.argv[2], sys.argv[3])
c0.load_verify_locations(sys.argv[4]); c0.verify_mode = ssl.CERT_OPTIONAL
c0.minimum_version = ssl.TLSVersion.TLSv1_3; c0.num_tickets = 0
s = listen()
def serve(c):
    t = c0.wrap_socket(c, server_side=True)
    time.sleep(4)
    t.settimeout(0.3)
    try: t.unwrap()
    except OSError as e: print(e)
    t.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
SPARE = """
import socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[3])
s = c.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname=sys.argv[2])
print(s.recv(100)); s.close()
"""
quiet("client-cert-missing", "optional-tls13-idle-close", "TLS 1.3: no certificate, no tickets, no request; the server closes the idle connection after four seconds with close_notify",
      lambda st: st.python("s", code(IDLE), 443, PKI / "good.pem", keyfile("good"), PKI / "root-private.crt", port=443),
      lambda st: st.python("c", SPARE, st.server_ip, NAME, ROOTS), filter=ENCRYPTED)

# a client certificate that the server refuses
told("client-cert-rejected", "unknown-ca-curl", "TLS 1.2: the server does not know the CA of the client's certificate: alert 48",
     lambda st: s_server(st, "good", 4433, "-tls1_2", "-Verify", "3", "-CAfile", PKI / "root-other.crt", "-verify_return_error"),
     lambda st: curl(st, *OWN, port=4433), filter=FIRST)
told("client-cert-rejected", "haproxy-unknown-ca-ipv6", "TLS 1.2: HAProxy does not know the CA of the client's certificate, over IPv6",
     lambda st: haproxy(st, f"listen a\n  bind :::8443 v4v6 ssl crt {bundle(st, 'good')} ca-file {PKI}/root-other.crt verify required ssl-max-ver TLSv1.2\n"
                        "  http-request return status 200 content-type text/plain string ok\n", 8443), lambda st: curl(st, *OWN, port=8443), filter=FIRST, ip6=True)
told("client-cert-rejected", "tls13-expired-curl", "TLS 1.3: curl shows a certificate that ended ten days ago; the server answers with one record of an alert's size and closes",
     lambda st: s_server(st, "good", 4433, "-tls1_3", *NEEDS),
     lambda st: curl(st, "--cert", str(PKI / "client-expired.pem"), "--key", str(PKI / "client.key"), port=4433), filter=ENCRYPTED, note="inferred by record sizes")


# revoked certificates
def listed(st):
    """A list of the issuing CA that revokes the leaf."""
    serial = sh(f"openssl x509 -in {PKI}/good.crt -noout -serial").strip().split("=")[1]
    st.write("index.txt", f"R\t271020000000Z\t261120000000Z,keyCompromise\t{serial}\tunknown\t/CN=x\n")
    st.write("crl.cnf", f"[ca]\ndefault_ca = a\n[a]\ndatabase = {st.dir}/index.txt\ndefault_md = sha256\ndefault_crl_days = 30\n")
    sh(f"openssl ca -gencrl -config {st.dir}/crl.cnf -cert {PKI}/ca-rsa.crt -keyfile {PKI}/ca-rsa.key -out {st.dir}/crl.pem")
    return st.dir / "crl.pem"


told("cert-revoked", "list-s-client-alert-44", "openssl s_client holds the CA's revocation list and sends alert 44; nothing is stapled",
     N("good"), lambda st: s_client(st, "-crl_check", "-CRL", listed(st)), filter="tls.handshake.type == 11 || tls.alert_message", note="the client's word, no stapled answer")
quiet("cert-revoked", "accepted", "nginx staples an OCSP answer that says revoked; openssl s_client asks for it, does not heed it and is served",
      stapled, lambda st: s_client(st, "-status", "-tls1_2"), filter="tls.handshake.type == 22", note="accepted, hence only info")


def good(st):
    """nginx staples an answer that says good, signed by a delegated responder."""
    sh(f"cd {st.dir} && openssl req -newkey rsa:2048 -nodes -keyout r.key -subj '/CN=Lab Responder' -out r.csr 2>/dev/null && "
       f"printf 'extendedKeyUsage=OCSPSigning\\n' > r.ext && openssl x509 -req -in r.csr -CA {PKI}/ca-rsa.crt -CAkey {PKI}/ca-rsa.key -set_serial 77 -days 30 -extfile r.ext -out r.crt")
    serial = sh(f"openssl x509 -in {PKI}/good.crt -noout -serial").strip().split("=")[1]
    st.write("ocsp.txt", f"V\t271020000000Z\t\t{serial}\tunknown\t/CN=x\n")
    sh(f"cd {st.dir} && openssl ocsp -issuer {PKI}/ca-rsa.crt -cert {PKI}/good.crt -reqout q.der && "
       f"openssl ocsp -index ocsp.txt -CA {PKI}/ca-rsa.crt -rsigner r.crt -rkey r.key -reqin q.der -respout stapled.der -ndays 3")
    nginx(st, "good", tls="1.2", extra=f"ssl_stapling on; ssl_stapling_file {st.dir}/stapled.der;")


quiet("cert-revoked", "stapled-good", "nginx staples an OCSP answer that says good, signed by a delegated responder; curl --cert-status goes on",
      good, lambda st: curl(st, "--cert-status"), filter="tls.handshake.type == 22")
