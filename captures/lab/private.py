"""A capture that is full of what a report must not tell: tax identifiers, invoice numbers, phones, passwords, in names, paths and certificates.

The numbers are made up; their check digits are right.
"""
from actors import *  # noqa: F403
from http_answers import answer, code, py
from tls_cert import case

TAX, CARD = "91110000MA0000012Q", "110105199003071239"
HOST = f"{TAX.lower()}.einvoice.example"
TLS = code("""
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3]); c.maximum_version = ssl.TLSVersion.TLSv1_2
s = listen()
while True:
    p, _ = s.accept()
    try:
        t = c.wrap_socket(p, server_side=True); t.recv(65536); t.close()
    except (OSError, ssl.SSLError): p.close()
""")


def server(st):
    py(answer("404 Not Found", '{"code":"404"}'), 8080)(st)
    st.used("openssl")
    st.run("s", ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", st.dir / "own.key", "-out", st.dir / "own.crt",
                 "-subj", f"/C=CN/O={TAX}/CN={TAX}", "-addext", f"subjectAltName=DNS:{HOST}"])
    st.python("s", TLS, 443, st.dir / "own.crt", st.dir / "own.key", port=443)


def client(st):
    for path in (f"/api/{TAX}_0/upload?access_token=24.6c5e1ff107f0e8bcef8c46d3424a0e78", "/api/fp/25112000000012345678/13812341234", f"/api/person/{CARD}"):
        curl(st, "-u", "clerk:Spring2026", path=path, port=8080, scheme="http", name=HOST)
    curl(st, name=HOST)


def opened(st):
    """The same numbers inside TLS."""
    st.run("s", ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", st.dir / "own.key", "-out", st.dir / "own.crt",
                 "-subj", f"/C=CN/O={TAX}/CN={TAX}", "-addext", f"subjectAltName=DNS:{HOST}"])
    st.used("openssl")
    st.python("s", code("""
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3])
s = listen()
while True:
    p, _ = s.accept()
    try:
        t = c.wrap_socket(p, server_side=True); t.recv(65536)
        t.sendall(b'HTTP/1.1 404 Not Found\\r\\nContent-Length: 2\\r\\nContent-Type: application/json\\r\\n\\r\\n{}'); t.close()
    except (OSError, ssl.SSLError): p.close()
"""), 443, st.dir / "own.crt", st.dir / "own.key", port=443)


def asked_inside(st):
    for path in (f"/api/{TAX}_0/upload?access_token=24.6c5e1ff107f0e8bcef8c46d3424a0e78", "/api/fp/25112000000012345678/13812341234", f"/api/person/{CARD}"):
        curl(st, "-u", "clerk:Spring2026", path=path, name=HOST, ca=None)


case("application/http-not-found/keys-names-and-numbers", ["application.http-not-found"],
     "tax identifiers, an invoice number, a phone, an identity card and a password inside TLS 1.3, with the keys in the capture", opened, asked_inside,
     filter="http.response.code == 404", names=[HOST], keys="inside", note="the certificate, self-signed, is accepted: only info")
case("security/cert-self-signed/names-and-numbers", ["security.cert-self-signed", "application.http-not-found", "security.cleartext-credentials"],
     "tax identifiers in the host name, in paths and in a certificate, an invoice number, a phone, an identity card, a password", server, client,
     filter="http || tls.handshake.type == 11 || tls.alert_message", names=[HOST])
