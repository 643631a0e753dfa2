"""Captures of QUIC that is blocked, answered, or tried in passing, and of the TCP that takes its place.

Needs aioquic (PyPI): LAB_PYTHON names the Python that has it.
"""
import os
import threading
import time

from actors import *  # noqa: F403
from stage import LAB, NAME, PKI
from tls_cert import N, case

INITIAL = "quic.long.packet_type == 0 || quic.long.packet_type_v2 == 1"
BLOCKED = "udp dport 443 drop"


def told(code, name, shows, server, client, filter=INITIAL, **more):
    case(f"transport/{code}/{name}", [f"transport.{code}"], shows, server, client, filter=filter, **more)


def quiet(name, shows, server, client, filter=INITIAL, **more):
    case(f"transport/connect-slow/not-{name}", [], shows, server, client, filter=filter, **more)


def end(st, who, *args, wait=True):
    st.used("aioquic")
    argv = [os.environ["LAB_PYTHON"], LAB / "quic.py", *args]
    return st.run(who, argv) if wait else st.start(who, argv)


def ask(st, seconds=3, versions="1", port=443, words=0):
    end(st, "c", "client", st.server_ip, port, NAME, versions, seconds, words)


def serves(versions="1", retry="plain", *rules, port=443):
    """nginx on TCP 443, aioquic beside it on UDP, and what the gateway filters."""
    def start(st):
        N("good", tls="1.3")(st)
        end(st, "s", "server", port, f"{PKI}/good.pem", f"{PKI}/leaf-rsa.key", versions, retry, wait=False)
        time.sleep(1.5)
        if rules:
            st.nft(*rules)
    return start


def waits(**how):
    return lambda st: (ask(st, **how), curl(st))


# the client waits for QUIC, then turns to TCP
told("connect-slow", "quic-dropped-then-tcp", "a filter drops UDP 443: the client repeats its Initial for 4 s, then connects by TCP",
     serves("1", "plain", BLOCKED), waits(seconds=4))
told("connect-slow", "quic-v2-dropped-ipv6", "the same with QUIC version 2 over IPv6",
     serves("2", "plain", BLOCKED), waits(seconds=3, versions="2"), ip6=True)
told("connect-slow", "quic-large-hello-dropped", "the ClientHello fills several Initials in several datagrams, as those of browsers do; UDP 443 is dropped",
     serves("1", "plain", BLOCKED), waits(seconds=3, words=1800))
told("connect-slow", "quic-rejected-then-tcp", "a firewall answers UDP 443 with ICMP, the client goes on asking for 3 s",
     serves("1", "plain", "udp dport 443 reject with icmpx type admin-prohibited"), waits(seconds=3), filter=INITIAL + " || icmp")
told("syn-unanswered", "quic-answered-meanwhile", "a filter drops TCP 443 while the same server answers QUIC on UDP 443",
     serves("1", "plain", "tcp dport 443 drop"), lambda st: (ask(st), curl(st, "--max-time", "8"), ask(st)), filter="tcp.flags.syn == 1")


# what is no delay
def raced(st):
    """Both at the same moment, as browsers do."""
    other = threading.Thread(target=ask, args=(st,))
    other.start()
    time.sleep(0.4)
    curl(st)
    other.join()


STANDS = """
import socket, ssl, sys, time
c = ssl.create_default_context(cafile=sys.argv[3])
s = c.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname=sys.argv[2])
for _ in range(int(sys.argv[4])):
    s.sendall(f'GET /kpfw/v1/health HTTP/1.1\\r\\nHost: {sys.argv[2]}\\r\\n\\r\\n'.encode())
    s.recv(4096)
    time.sleep(1)
s.close()
"""


def in_passing(st):
    """A connection stands and serves; QUIC is tried beside it, and another connection is made later."""
    standing = threading.Thread(target=st.python, args=("c", STANDS, st.server_ip, NAME, ROOTS, 6))
    standing.start()
    time.sleep(1)
    ask(st)
    curl(st)
    standing.join()


quiet("quic-raced", "UDP 443 is dropped, and nobody waits for it: TCP is tried at the same moment and serves", serves("1", "plain", BLOCKED), raced)
quiet("quic-in-passing", "UDP 443 is dropped; the client tries QUIC in passing while its TCP connection serves it, and opens another one later", serves("1", "plain", BLOCKED), in_passing)
quiet("quic-answered", "QUIC is answered, and three seconds later the client connects by TCP", serves("1"), lambda st: (ask(st), time.sleep(3), curl(st)))
quiet("quic-v2-answered", "QUIC version 2 is answered, then TCP", serves("2"), lambda st: (ask(st, versions="2"), time.sleep(2), curl(st)))
quiet("quic-retry", "the server asks for a proof of the address first (Retry), then serves", serves("1", "retry"), lambda st: (ask(st), time.sleep(2), curl(st)), filter="quic.long.packet_type == 3")
quiet("quic-version-negotiated", "the client asks in version 2, the server names version 1, the client takes it", serves("1"), lambda st: (ask(st, versions="2,1"), time.sleep(2), curl(st)), filter="quic.version == 0")
quiet("quic-without-fallback", "UDP 443 is dropped and the client has nothing else: counted, not told, since no code speaks of it", serves("1", "plain", BLOCKED), lambda st: (curl(st, name="etax.beijing.chinatax.gov.cn"), time.sleep(1), ask(st, seconds=4)))
quiet("quic-other-name", "QUIC for one name is dropped; five seconds later a client of the same host asks the same address for another name", serves("1", "plain", BLOCKED), lambda st: (ask(st), time.sleep(2), curl(st, name="etax.beijing.chinatax.gov.cn")))
