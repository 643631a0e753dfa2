"""Captures of clients whose hello is turned down and that try once more with less: one attempt; and of what is none."""
from actors import *  # noqa: F403
from stage import NAME
from tls_cert import N, case

HELLO = "tls.handshake.type == 1 || tls.handshake.type == 2 || tls.alert_message"
STEPS = """
import socket, ssl, sys, time
host, roots, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
for step in sys.argv[4:]:
    version, suites = step.split('/')
    c = ssl.create_default_context(cafile=roots)
    c.set_ciphers(suites + ':@SECLEVEL=0')
    c.minimum_version = ssl.TLSVersion.TLSv1_2 if version == '1.2' else ssl.TLSVersion.TLSv1
    c.maximum_version = {'1.0': ssl.TLSVersion.TLSv1, '1.1': ssl.TLSVersion.TLSv1_1, '1.2': ssl.TLSVersion.TLSv1_2}[version]
    if version != '1.0': c.minimum_version = c.maximum_version
    try:
        s = c.wrap_socket(socket.create_connection((host, 443)), server_hostname=host)
    except (OSError, ssl.SSLError) as e:
        print(step, e, flush=True); time.sleep(pause); continue
    s.sendall(b'GET /kpfw/v1/health HTTP/1.1\\r\\nHost: ' + host.encode() + b'\\r\\nConnection: close\\r\\n\\r\\n')
    while s.recv(65536): pass
    s.close(); break
"""


def steps(*tries, pause=0.1):
    return lambda st: st.python("c", STEPS, NAME, ROOTS, pause, *tries)


def lesser(path, expect, shows, server, client, **more):
    layer, class_, name = path.split("/")
    case(path, expect, shows, server, client, filter=HELLO, **more)


def old(st):
    nginx(st, "good", tls="1.0")


lesser("security/tls-version-mismatch/falls-back-at-last", ["security.tls-version-mismatch", "security.tls-obsolete"],
       "a client comes down from TLS 1.2 to 1.0, two seconds a step: served in the end, and late", old, steps("1.2/ALL", "1.1/ALL", "1.0/ALL", pause=2))
lesser("security/tls-version-mismatch/not-falls-back-at-once", ["security.tls-obsolete"],
       "the same without a pause: nobody failed, though TLS 1.0 is old", old, steps("1.2/ALL", "1.0/ALL"))
lesser("security/tls-version-mismatch/falls-back-in-vain-ipv6", ["security.tls-version-mismatch"],
       "a client comes down to TLS 1.1 and a server of 1.0 refuses that too: one attempt, failed, over IPv6", old, steps("1.2/ALL", "1.1/ALL"), ip6=True)
lesser("security/tls-version-mismatch/another-program-gets-through", ["security.tls-version-mismatch"],
       "a Java program of TLS 1.3 alone fails at a server of 1.2; curl of the same host is served a moment later: no fallback", N("good", tls="1.2"),
       lambda st: (java(st, tls="1.3"), curl(st, tls="1.2")))
lesser("security/tls-no-common-cipher/not-other-suites-at-once", [],
       "the server takes none of the first suites; the client offers others at once and is served", N("good", tls="1.2", ciphers="AES128-SHA:AES256-SHA"),
       steps("1.2/ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305", "1.2/ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA"))
