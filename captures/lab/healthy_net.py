"""Captures in which nothing is wrong, though much of it looks unusual: a report must stay silent."""
import socket
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import gather, reset, sh
from network_dns import NAME, NOERROR, Resolver, look, serve, A
from play import scenario
from wire import DROP

WIRED = "c~lan.15 s=dc.20"


def healthy(name, shows, filter_="frame", **lab):
    return scenario(f"healthy/{name}", "silent", shows, filter_, **lab)


@healthy("net-dns-then-connect", "A and AAAA asked, A answered, connect, exchange, close; five times", hosts="c=lan.15 s=dc.20 d=dns.53", tools="glibc's resolver, a scripted DNS server")
def dns_connect(lab):
    Resolver(lab)
    serve(lab)
    lab.capture()
    for _ in range(5):
        look(lab)


@healthy("net-dns-dual-stack", "A and AAAA both answered; the client takes IPv6", hosts="c=lan.15 s=dc.20 d=dns.53", ip6=True, tools="curl, a scripted DNS server")
def dual(lab):
    resolver = Resolver(lab)
    resolver.part = lambda n, k: (0.003, NOERROR, ["203.0.113.20"] if k == A else ["2001:db8:2::20"])
    listener = lab.listen("s", 8080)

    def work():
        other, _ = listener.accept()
        other.recv(65536)
        other.sendall(answer())
        other.recv(1)
        other.close()
    threading.Thread(target=work, daemon=True).start()
    lab.capture()
    lab.run("c", ["curl", "-s", "-m", "5", f"http://{NAME}:8080/kpfw/"])


@healthy("net-plain-exchanges", "eight connections, one exchange each")
def plain(lab):
    lab.capture()
    for _ in range(8):
        whole(lab)


healthy("net-plain-exchanges-ipv6", "eight connections, one exchange each, IPv6", ip6=True)(plain)


@healthy("net-long-keepalive", "one connection, forty exchanges with pauses up to 1.5 s")
def long_keepalive(lab):
    lab.capture()
    one, other = lab.pair(8080)
    for n in range(40):
        exchange(one, other)
        time.sleep(1.5 if n % 13 == 12 else 0.05)
    finish(one, other)


@healthy("net-keepalive-probes-both-ends", "an idle connection on which both ends probe once a second; every probe is answered")
def probes(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
            end.setsockopt(socket.IPPROTO_TCP, option, value)
    time.sleep(6)
    exchange(one, other)
    finish(one, other)


@healthy("net-window-probes", "the receiver pauses 0.7 s with its window shut; the sender probes, then the download goes on")
def window_probes(lab):
    lab.capture(only="tcp")
    listener = lab.listen("s", 8080)
    one = lab.connect("c", "s", 8080, SO_RCVBUF=4096)
    other, _ = listener.accept()
    one.sendall(ask("/kpfw/v1/list"))
    other.recv(65536)
    reply = answer(b"r" * 20000)
    worker = threading.Thread(target=other.sendall, args=(reply,))
    worker.start()
    time.sleep(0.7)
    gather(one, len(reply))
    worker.join()
    finish(one, other)


@healthy("net-half-close", "the client half-closes after its request; the server answers in three parts and closes")
def half(lab):
    lab.capture()
    one, other = lab.pair(8080)
    one.sendall(ask())
    one.shutdown(socket.SHUT_WR)
    gather(other, len(ask()))
    other.recv(1)
    reply = answer(b"h" * 600)
    for at in range(0, len(reply), 300):
        other.sendall(reply[at:at + 300])
        time.sleep(0.1)
    other.close()
    gather(one, len(reply))
    one.recv(1)


@healthy("net-simultaneous-close", "both ends send FIN before they have seen the other's, on a 30 ms path", hosts=WIRED)
def both_close(lab):
    lab.wires["c"].delay = {True: 0.015, False: 0.015}
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(0.1)
    one.shutdown(socket.SHUT_WR)
    other.shutdown(socket.SHUT_WR)
    time.sleep(0.2)


@healthy("net-simultaneous-open", "both ends connect to each other at once, on a 40 ms path; SYNs cross, one connection comes about", hosts=WIRED)
def both_open(lab):
    lab.wires["c"].delay = {True: 0.02, False: 0.02}
    one, other = lab.socket("c"), lab.socket("s")
    one.bind(("192.0.2.15", 40001))
    other.bind(("203.0.113.20", 40002))
    lab.capture()
    one.setblocking(False)
    other.setblocking(False)
    one.connect_ex(("203.0.113.20", 40002))
    other.connect_ex(("192.0.2.15", 40001))
    time.sleep(0.3)
    for end in (one, other):
        end.settimeout(5)
    one.sendall(b"from one end\n")
    gather(other, 13)
    other.sendall(b"from the other end\n")
    gather(one, 19)
    time.sleep(0.1)
    finish(one, other)


def download(lab, rule, size=40000, mss=700):
    lab.wires["c"].delay = {True: 0.004, False: 0.004}
    seen = []

    def each(f, out):
        if f.tcp and f.size > 200 and not out:
            seen.append(f)
            return rule(len(seen), f, out)
    lab.wires["c"].rule = each
    lab.capture()
    listener = lab.socket("s", SO_REUSEADDR=1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    listener.bind(("", 8080))
    listener.listen(4)
    one = lab.connect("c", "s", 8080)
    other, _ = listener.accept()
    exchange(one, other, ask("/kpfw/v1/list"), answer(b"k" * size))
    finish(one, other)


@healthy("net-download-sack", "a download in 700-byte segments; one of them is lost, SACK tells which, it is sent again", hosts=WIRED)
def sack(lab):
    download(lab, lambda n, f, out: DROP if n == 30 else None)


@healthy("net-download-reordered", "a download in which four segments arrive 0.3 ms late", hosts=WIRED)
def reordered(lab):
    download(lab, lambda n, f, out: [(0.0003, f.bytes, out)] if n in (10, 25, 40, 50) else None)


@healthy("net-doubled-by-the-path", "the path delivers five segments twice; D-SACK answers them", hosts=WIRED)
def dsack(lab):
    download(lab, lambda n, f, out: [(0, f.bytes, out), (0.0005, f.bytes, out)] if n % 12 == 0 else None)


@healthy("net-rst-after-fin-race", "the client closes with the server's FIN on its way; a RST ends each of three connections after complete exchanges")
def fin_rst(lab):
    lab.capture()
    for _ in range(3):
        one, other = lab.pair(8080)
        exchange(one, other)
        other.shutdown(socket.SHUT_WR)
        time.sleep(0.02)
        reset(one)
        time.sleep(0.05)


@healthy("net-spare-connections", "a browser opens three connections, uses one; the spare ones end by FIN and by RST without data")
def spares(lab):
    lab.capture()
    pairs = [lab.pair(8080) for _ in range(3)]
    exchange(*pairs[0])
    time.sleep(1)
    finish(*pairs[1])
    reset(pairs[2][0])
    finish(*pairs[0])


@healthy("net-udp-quic-like", "UDP 443 in both directions, long headers first, 1200-byte datagrams: nothing that the engine judges", tools="UDP by Python, QUIC version 1 header bytes")
def quic(lab):
    server = lab.socket("s", socket.SOCK_DGRAM)
    server.bind(("", 443))
    lab.capture()
    one = lab.socket("c", socket.SOCK_DGRAM)
    noise = bytes((n * 73 + 41) & 0xFF for n in range(1180))
    one.sendto(b"\xc3\0\0\0\1\x08ABCDEFGH\0\0\x44\x90" + noise, ("203.0.113.20", 443))
    _, peer = server.recvfrom(2000)
    for n in range(8):
        server.sendto((b"\xe3\0\0\0\1\0\x08SERVER01" if n < 2 else b"\x41") + noise[:1100], peer)
        one.recvfrom(2000)
        one.sendto(b"\x42" + noise[:60 + n], ("203.0.113.20", 443))
        server.recvfrom(2000)


@healthy("net-fast-open", "TCP Fast Open: the first connection gets a cookie, the second one's request rides on its SYN", tools="Linux TCP Fast Open")
def fast_open(lab):
    for host in "cs":
        lab.ctl(host, ipv4_tcp_fastopen=3)
    listener = lab.socket("s", SO_REUSEADDR=1)
    listener.bind(("", 8080))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
    listener.listen(8)
    lab.capture()
    for _ in range(3):
        one = lab.socket("c")
        one.settimeout(None)
        one.sendto(ask(), 0x20000000, ("203.0.113.20", 8080))
        other, _ = listener.accept()
        gather(other, len(ask()))
        other.sendall(answer())
        gather(one, len(answer()))
        finish(one, other)
        time.sleep(0.1)


@healthy("net-offload-merged", "offloads on, MTU 65535: segments of tens of kilobytes and unfinished checksums, as a sending host captures them", offload=True, mtu=65535)
def offload(lab):
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other, ask("/kpfw/v1/list"), answer(b"o" * 50000))
    finish(one, other)


@healthy("net-offload-gro", "offloads on, MTU 1500: TSO segments above the MTU, captured at the sender", offload=True)
def gro(lab):
    lab.capture("s")
    one, other = lab.pair(8080)
    exchange(one, other, ask("/kpfw/v1/list"), answer(b"o" * 50000))
    finish(one, other)


@healthy("net-ip-fragments", "UDP datagrams of 3,000 bytes in IP fragments both ways")
def fragments(lab):
    server = lab.socket("s", socket.SOCK_DGRAM)
    server.bind(("", 5000))
    lab.capture()
    one = lab.socket("c", socket.SOCK_DGRAM)
    for n in range(3):
        one.sendto(bytes([n]) * 3000, ("203.0.113.20", 5000))
        _, peer = server.recvfrom(5000)
        server.sendto(bytes([n + 64]) * 3000, peer)
        one.recvfrom(5000)


@healthy("net-path-mtu-discovered", "a link of MTU 1280 behind the gateway: fragmentation needed, smaller segments, all goes well", tools="Linux path MTU discovery")
def pmtu(lab):
    sh(f"ip -n {lab.ns('g')} link set tos mtu 1280; ip -n {lab.ns('g')} link set dc mtu 1280")
    lab.capture(only="tcp or icmp")
    one, other = lab.pair(8080)
    exchange(one, other, ask("/kpfw/v1/upload", b"m" * 6000), answer())
    finish(one, other)


@healthy("net-clients-behind-nat", "captured outside a NAT gateway: three clients with one address, other ports", hosts="c=lan.15 a=lan.16 b=lan.17 s=dc.20")
def behind_nat(lab):
    lab.nat()
    lab.capture("s")
    for host in "cab":
        whole(lab, client=host)


@healthy("net-ping-and-arp", "ARP asked and answered, pings answered, an address announced", tools="ping, arping")
def ping_arp(lab):
    lab.capture(only="arp or icmp")
    sh(f"ip -n {lab.ns('c')} neigh flush dev eth0")
    lab.run("c", ["ping", "-c3", "-i0.3", "-q", "203.0.113.20"])
    lab.run("c", ["arping", "-A", "-c2", "-w2", "-I", "eth0", "-s", "192.0.2.15", "192.0.2.15"])
    lab.run("c", ["ping", "-c1", "-q", "192.0.2.1"])


@healthy("net-delayed-server-push", "the server speaks first and again after pauses: banner, answer, close")
def banner(lab):
    lab.capture()
    one, other = lab.pair(2525)
    other.sendall(b"220 relay.example.com ESMTP\r\n")
    one.recv(200)
    for line, reply in ((b"EHLO client.example.com\r\n", b"250 relay.example.com\r\n"), (b"QUIT\r\n", b"221 bye\r\n")):
        one.sendall(line)
        other.recv(200)
        time.sleep(0.4)
        other.sendall(reply)
        one.recv(200)
    other.close()
    one.recv(1)
    one.close()
