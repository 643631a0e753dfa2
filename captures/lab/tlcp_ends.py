"""Captures of TLCP (GB/T 38636) by Tongsuo's library: with TLS at the other end, and with certificates that are no pair.

Needs the wheel `tongsuopy` 1.0.1 unpacked: TLCP_LIB names its `_tongsuo.abi3.so`. The SM2 certificates are made by
OpenSSL for each scenario. No stack sends a wrong pair by itself: there a relay changes the Certificate message.
"""
import os

from actors import *  # noqa: F403
from pki import stamp
from stage import LAB, NAME, PKI, PYTHON, sh
from tls_cert import N, case

LIB = os.environ.get("TLCP_LIB", "")
HELLO = "tcp.len > 0 || tcp.flags.reset == 1"
MAKE = r"""
set -e
S="-sigopt distid:1234567812345678"
printf "[ca]\ndefault_ca=gm\n[gm]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\nunique_subject=no\ndefault_md=sm3\npolicy=any\n[any]\ncountryName=optional\norganizationName=optional\ncommonName=supplied\n" > gm.cnf
touch index; cp PKI/gm-root.crt ca.crt
one() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 -out $1.key
openssl req -new -key $1.key -sm3 $S -subj "/C=CN/O=Lab Invoice Platform/CN=HOST" -out $1.csr
printf "basicConstraints=CA:FALSE\nkeyUsage=$2\nsubjectAltName=DNS:HOST\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" > $1.ext
openssl ca -batch -notext -config gm.cnf -in $1.csr -out $1.crt -md sm3 -startdate $3 -enddate $4 -extfile $1.ext -cert PKI/ROOT.crt -keyfile PKI/ROOT.key $S -vfyopt distid:1234567812345678; }
one sign digitalSignature,nonRepudiation SIGNED
one enc keyEncipherment,dataEncipherment,keyAgreement ENCRYPTED
"""
# Passes bytes on; of the server's it changes the Certificate message: `twice` makes the second certificate a signing one,
# `one` leaves the second away, `swap` turns the two round; `forge` spoils the signature of the first, `key` that of the
# ServerKeyExchange.
RELAY = """
import socket, struct, sys, threading
port, way = int(sys.argv[1]), sys.argv[2]
def change(d):
    if d[:3] != b'\\x16\\x01\\x01': return d
    out, at = b'', 0
    while at + 5 <= len(d):
        size = struct.unpack('!H', d[at + 3:at + 5])[0]
        body, inner, k = d[at + 5:at + 5 + size], b'', 0
        if body[0] not in (2, 11, 12): out += d[at:at + 5 + size]; at += 5 + size; continue
        while k + 4 <= len(body):
            n = int.from_bytes(body[k + 1:k + 4], 'big'); m = body[k:k + 4 + n]; k += 4 + n
            if m[0] == 12 and way == 'key': m = m[:-1] + bytes([m[-1] ^ 1])
            if m[0] == 11:
                rest, certs = m[7:], []
                while rest:
                    c = int.from_bytes(rest[:3], 'big'); certs.append(rest[3:3 + c]); rest = rest[3 + c:]
                if way == 'twice': certs[1] = certs[1].replace(b'\\x03\\x02\\x03\\x38', b'\\x03\\x02\\x06\\xc0')
                if way == 'one': certs = certs[:1]
                if way == 'forge': certs[0] = certs[0][:-1] + bytes([certs[0][-1] ^ 1])
                if way == 'swap': certs[:2] = certs[1::-1]
                text = b''.join(len(c).to_bytes(3, 'big') + c for c in certs)
                text = len(text).to_bytes(3, 'big') + text
                m = b'\\x0b' + len(text).to_bytes(3, 'big') + text
            inner += m
        out += d[at:at + 3] + struct.pack('!H', len(inner)) + inner
        at += 5 + size
    return out
def pump(a, b, f):
    try:
        while True:
            d = a.recv(65536)
            if not d: break
            b.sendall(f(d))
    except OSError: pass
    try: b.shutdown(1)
    except OSError: pass
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); s.bind(('::', port)); s.listen()
while True:
    c, _ = s.accept(); u = socket.create_connection(('127.0.0.1', 9443))
    threading.Thread(target=pump, args=(c, u, lambda d: d), daemon=True).start()
    threading.Thread(target=pump, args=(u, c, change), daemon=True).start()
"""


def gm_server(port=9006, root="gm-root", signed=(-60, 600), encrypted=(-60, 600)):
    """Tongsuo with a pair of certificates; their validity in days from now."""
    def start(st):
        days = lambda pair: " ".join(stamp(day) for day in pair)   # noqa: E731
        made = MAKE
        for word, value in (("HOST", NAME), ("PKI", str(PKI)), ("ROOT", root), ("SIGNED", days(signed)), ("ENCRYPTED", days(encrypted))):
            made = made.replace(word, value)
        (st.dir / "gm.sh").write_text(made)
        sh(f"cd {st.dir} && bash gm.sh 2>/dev/null")
        d = st.dir
        st.used("tongsuo")
        st.start("s", [PYTHON, LAB / "tlcp.py", LIB, "server", port, d / "sign.crt", d / "sign.key", d / "enc.crt", d / "enc.key", 9], port)
    return start


def gm_client(port=9006, check=True, sni=NAME):
    def go(st):
        st.used("tongsuo")
        st.run("c", [PYTHON, LAB / "tlcp.py", LIB, "client", st.server_ip, port, st.dir / "ca.crt" if check else "none", sni])
    return go


def relayed(way, port=9006):
    def start(st):
        gm_server(9443)(st)
        st.python("s", RELAY, port, way, port=port)
    return start


def told(code, name, expect, shows, server, client, **more):
    case(f"security/{code}/{name}", expect, shows, server, client, filter=HELLO, **more)


mismatch, pair = ["security.tlcp-mismatch"], ["security.tlcp-cert-pair"]
told("tlcp-mismatch", "tls-client-to-tlcp-port", mismatch, "curl speaks TLS to a TLCP port, which answers with an alert of version 0x0101", gm_server(), lambda st: curl(st, port=9006))
told("tlcp-mismatch", "old-tls-client-ipv6", mismatch, "openssl s_client of TLS 1.2 to a TLCP port, over IPv6", gm_server(8443), lambda st: s_client(st, "-tls1_2", port=8443), ip6=True)
told("tlcp-mismatch", "tlcp-client-to-nginx", mismatch, "a TLCP client to nginx, which speaks TLS alone", N("good"), gm_client(443, check=False))
told("tlcp-mismatch", "tlcp-client-to-java", mismatch, "a TLCP client to a Java server of TLS", lambda st: java_server(st, "good", 8443), gm_client(8443, check=False))
told("tlcp-mismatch", "not-tlcp-served", [], "TLCP on both sides, served", gm_server(), gm_client())
told("tlcp-mismatch", "not-tls-refused-by-tls", ["security.tls-version-mismatch"], "TLS 1.2 to a server of TLS 1.3 alone: one protocol, other versions", N("good", tls="1.3"), lambda st: curl(st, tls="1.2"))
told("tlcp-cert-pair", "two-signing-certificates", pair, "the second certificate may sign and not encrypt; the client refuses", relayed("twice"), gm_client(), note="a relay changed the key usage in the Certificate message")
told("tlcp-cert-pair", "one-certificate-ipv6", pair, "the signing certificate alone; the client refuses, over IPv6", relayed("one"), gm_client(), ip6=True, note="a relay took the second certificate away")
told("tlcp-cert-pair", "wrong-order", pair, "the encryption certificate comes first; the client refuses", relayed("swap"), gm_client(), note="a relay turned the two round")
told("tlcp-cert-pair", "not-a-pair", [], "signing and encryption certificate in order, and nobody changes them", relayed("none"), gm_client(), at="s")

# required by the rules of captures/security/gm-not-used/endpoints.toml
told("gm-not-used", "curl-tls12", ["security.gm-not-used"], "curl and nginx agree on TLS 1.2 with AES at an endpoint whose rule requires GM", N("good"), lambda st: curl(st))
told("gm-not-used", "java-tls13-ipv6", ["security.gm-not-used"], "Java and nginx agree on TLS 1.3 with AES at an endpoint whose rule requires GM, over IPv6", N("good", tls="1.3"), lambda st: java(st, tls="1.3"), ip6=True)
told("gm-not-used", "not-tlcp", [], "TLCP with ECC_SM4_CBC_SM3 at that endpoint", gm_server(), gm_client())
told("gm-not-used", "not-refused", ["security.tls-version-mismatch"], "a handshake at that endpoint that comes to nothing uses no suite at all", N("good", tls="1.3"), lambda st: curl(st, tls="1.2"))

# chains of SM2 (the root is among the lab's)
old = (-700, -9)
told("cert-expired", "tlcp-pair", ["security.cert-expired"], "both certificates of a TLCP server ended nine days ago; the client sends alert 45", gm_server(signed=old, encrypted=old), gm_client())
told("cert-expired", "tlcp-encryption-alone", ["security.cert-expired"], "the encryption certificate of a TLCP server ended nine days ago, the signing one is valid", gm_server(encrypted=old), gm_client())
told("cert-chain-incomplete", "tlcp-unknown-root-ipv6", ["security.cert-chain-incomplete"], "a TLCP pair of an authority that the client does not know, over IPv6; it sends alert 48", gm_server(root="gm-other"), gm_client(), ip6=True)
told("cert-bad-signature", "tlcp-forged", ["security.cert-bad-signature"], "the SM2 signature of the signing certificate is wrong; the client refuses", relayed("forge"), gm_client(), note="a relay changed the last byte of the certificate")
told("tls-alert", "tlcp-key-exchange-forged", ["security.tls-alert"], "the ServerKeyExchange is not signed by the key of the certificate that is shown; the client refuses", relayed("key"), gm_client(), note="a relay changed the last byte of the signature")
told("cert-bad-signature", "not-tlcp-served", [], "a TLCP pair whose SM2 signatures verify, by its name and root", gm_server(), gm_client())
told("cert-expired", "not-tlcp-young", [], "a TLCP pair that is valid since yesterday", gm_server(signed=(-1, 600), encrypted=(-1, 600)), gm_client())
