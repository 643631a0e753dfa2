"""Captures of TLCP (GB/T 38636) by Tongsuo's library: with TLS at the other end, and with certificates that are no pair.

Needs the wheel `tongsuopy` 1.0.1 unpacked: TLCP_LIB names its `_tongsuo.abi3.so`. The SM2 certificates are made by
OpenSSL for each scenario. No stack sends a wrong pair by itself: there a relay changes the Certificate message.
"""
import os

from actors import *  # noqa: F403
from stage import LAB, NAME, PYTHON, sh
from tls_cert import N, case

LIB = os.environ.get("TLCP_LIB", "")
HELLO = "tcp.len > 0 || tcp.flags.reset == 1"
MAKE = r"""
set -e
S="-sigopt distid:1234567812345678"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 -out ca.key
openssl req -x509 -new -key ca.key -sm3 $S -subj "/C=CN/O=Lab GM/CN=Lab GM Root" -days 3650 -out ca.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign
one() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 -out $1.key
openssl req -new -key $1.key -sm3 $S -subj "/C=CN/O=Lab Invoice Platform/CN=HOST" -out $1.csr
printf "basicConstraints=CA:FALSE\nkeyUsage=$2\nsubjectAltName=DNS:HOST\n" > $1.ext
openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -sm3 -CAcreateserial -days 700 -extfile $1.ext -out $1.crt $S -vfyopt distid:1234567812345678; }
one sign digitalSignature,nonRepudiation
one enc keyEncipherment,dataEncipherment,keyAgreement
"""
# Passes bytes on; of the server's it changes the Certificate message: `twice` makes the second certificate a signing one,
# `one` leaves the second away, `swap` turns the two round.
RELAY = """
import socket, struct, sys, threading
port, way = int(sys.argv[1]), sys.argv[2]
def change(d):
    if d[:3] != b'\\x16\\x01\\x01': return d
    out, at = b'', 0
    while at + 5 <= len(d):
        size = struct.unpack('!H', d[at + 3:at + 5])[0]
        body, inner, k = d[at + 5:at + 5 + size], b'', 0
        if body[0] != 11 and body[0] != 2: out += d[at:at + 5 + size]; at += 5 + size; continue
        while k + 4 <= len(body):
            n = int.from_bytes(body[k + 1:k + 4], 'big'); m = body[k:k + 4 + n]; k += 4 + n
            if m[0] == 11:
                rest, certs = m[7:], []
                while rest:
                    c = int.from_bytes(rest[:3], 'big'); certs.append(rest[3:3 + c]); rest = rest[3 + c:]
                if way == 'twice': certs[1] = certs[1].replace(b'\\x03\\x02\\x03\\x38', b'\\x03\\x02\\x06\\xc0')
                if way == 'one': certs = certs[:1]
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


def gm_server(port=9006):
    def start(st):
        (st.dir / "gm.sh").write_text(MAKE.replace("HOST", NAME))
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
