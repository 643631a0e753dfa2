"""Captures of hosts that fall silent, of a way out that is lost, and of addresses that pass to another machine."""
import threading
import time

from moves import NAME, answer, ask, exchange, finish, whole
from net import gather, reset, sh
from play import scenario
from wire import DROP

TCP = "tcp || icmp || icmpv6"
LINUX = "Linux TCP by Python sockets"


def told(code, name, shows, why, filter_=TCP, **lab):
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def other(name, expect, shows, filter_=TCP, **lab):
    return scenario(f"network/{name}", expect, shows, filter_, **lab)


def serve(lab, host, *ports):
    """A service that answers every request on a connection until the client closes."""
    for port in ports:
        listener = lab.listen(host, port)
        listener.settimeout(None)
        threading.Thread(target=accept, args=(lab, listener), daemon=True).start()


def accept(lab, listener):
    while True:
        try:
            one, _ = listener.accept()
        except OSError:
            return
        lab.sockets.append(one)
        threading.Thread(target=reply, args=(one,), daemon=True).start()


def reply(one):
    try:
        while one.recv(65536):
            one.sendall(answer())
        one.close()
    except OSError:
        pass


def request(one):
    """Each server is asked by a name of its own."""
    name = "h" + one.getpeername()[0].replace(".", "-").replace(":", "-") + ".einvoice.example"
    one.sendall(ask().replace(NAME.encode(), name.encode()))
    gather(one, len(answer()))


def visit(lab, host, to, port=8080, timeout=4.0):
    one = lab.connect(host, to, port, timeout=timeout)
    if one:
        request(one)
        one.close()


def visits(lab, host, targets, until, pause=1.5, timeout=4.0):
    """Connects to each target in turn until the moment has come."""
    def work():
        while time.monotonic() < until:
            for to, port in targets:
                if time.monotonic() < until:
                    try:
                        visit(lab, host, to, port, timeout)
                    except OSError:
                        pass
            time.sleep(pause)
    worker = threading.Thread(target=work)
    worker.start()
    return worker


# a host falls silent

OFFICE = "c=lan.15 b=lan.16 e=lan.17 s=dc.20 t=dc.21"
FROM = "tcp.flags.syn==1 && tcp.flags.ack==0 && ip.dst==203.0.113.20 && frame.time_relative>4"


def silence(quiet, targets, seconds=16.0, known=True, at="g", before=3.0, back=None):
    """Three clients visit two servers; then `quiet` happens."""
    def play(lab):
        for host in "st":
            serve(lab, host, 8080, 8443)
        if known:      # the gateway keeps the server's MAC, so that it reports nothing
            mac = sh(f"ip -n {lab.ns('s')} -o link show eth0").split("link/ether ")[1].split()[0]
            sh(f"ip -n {lab.ns('g')} neigh replace {lab.ip('s')} lladdr {mac} nud permanent dev dc")
        lab.capture(at, device="lan" if at == "g" else "eth0")
        end = time.monotonic() + before + seconds
        old = lab.connect("c", "s", 8080)
        request(old)
        workers = [visits(lab, host, targets, end) for host in "cbe"]
        time.sleep(before)
        quiet(lab)
        try:
            old.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400051"}'))
        except OSError:
            pass
        if back:
            time.sleep(back[0])
            back[1](lab)
        for worker in workers:
            worker.join()
        time.sleep(1)
        lab.stop(0)
    return play


def unplug(lab):
    sh(f"ip -n {lab.ns('g')} link set tos down")


BOTH = [("s", 8080), ("t", 8080), ("s", 8443)]
told("host-silent", "unplugged", "captured at the clients' gateway: three clients reach two servers; the one that ends in .20 loses its cable, the other goes on", f"SYNs in vain [[{FROM}]]", hosts=OFFICE, tools=LINUX)(silence(unplug, BOTH))
told("host-silent", "unplugged-ipv6", "the same, IPv6", "SYNs in vain [[tcp.flags.syn==1 && tcp.flags.ack==0 && ipv6.dst==2001:db8:2::20 && frame.time_relative>4]]", hosts=OFFICE, tools=LINUX, ip6=True)(silence(unplug, BOTH))
told("host-silent", "router-reports-host", "the same; the gateway asks for the server's MAC in vain and reports host unreachable after some seconds", f"SYNs in vain [[{FROM}]]", hosts=OFFICE, tools=LINUX)(silence(unplug, BOTH, known=False))
told("host-silent", "frozen", "the server's own filter drops everything in and out, as a frozen kernel does", f"SYNs in vain [[{FROM}]]", hosts=OFFICE, tools=LINUX)(
    silence(lambda lab: (lab.nft("s", "input", "drop"), lab.nft("s", "output", "drop")), BOTH))


def filtered(lab):
    lab.nft("s", "input", "tcp dport 8080 drop")


other("host-silent/not-one-port", "`transport.syn-unanswered`, `transport.data-unacked` — the host answers on another port", "port 8080 of a server is filtered, port 8443 serves on", hosts=OFFICE, tools=LINUX)(silence(filtered, BOTH))
other("host-silent/not-six-seconds", "`transport.connect-slow`, `application.slow-response` — back after six seconds", "the server's cable is out for six seconds", hosts=OFFICE, tools=LINUX)(
    silence(unplug, [("s", 8080), ("t", 8080)], seconds=9.0, back=(6.0, lambda lab: sh(f"ip -n {lab.ns('g')} link set tos up"))))


@other("host-silent/not-one-client", "`transport.syn-unanswered` — one client alone tries", "a server loses its cable; only one client goes on trying", hosts=OFFICE, tools=LINUX)
def one_client(lab):
    for host in "st":
        serve(lab, host, 8080)
    mac = sh(f"ip -n {lab.ns('s')} -o link show eth0").split("link/ether ")[1].split()[0]
    sh(f"ip -n {lab.ns('g')} neigh replace {lab.ip('s')} lladdr {mac} nud permanent dev dc")
    lab.capture("g", device="lan")
    for host in "cbe":
        visit(lab, host, "s")
    unplug(lab)
    end = time.monotonic() + 14
    workers = [visits(lab, "c", [("s", 8080)], end), visits(lab, "b", [("t", 8080)], end)]
    for worker in workers:
        worker.join()
    lab.stop(0.5)


# the way out

SITE = "c=lan.15 b=lan.16 l=lan.50 s=dc.20 t=dc.21 u=dc.22 v=dns.80"


def outage(targets=("s", "t", "u", "v"), spare=False, old=True, seconds=14.0, at="g", known=True):
    """Two clients, a server in their own network, servers outside; then nothing leaves or enters."""
    def play(lab):
        for host in "lstuv":
            serve(lab, host, 8080)
        lab.nft("g", "forward", *(["ct state established accept"] if spare else []))
        lab.capture(at, device="lan" if at == "g" else "eth0")
        first = lab.connect("b", "s", 8080)
        request(first)
        for to in targets:
            visit(lab, "c", to)
        time.sleep(1)
        for way in ('iifname "lan" oifname != "lan"', 'iifname != "lan" oifname "lan"'):
            sh(f"ip netns exec {lab.ns('g')} nft 'add rule inet lab forward {way} drop'")
        end = time.monotonic() + seconds
        workers = [visits(lab, "c", [(to, 8080) for to in targets], end, 0.2, 2.5), visits(lab, "b", [(to, 8080) for to in reversed(targets)], end, 0.2, 2.5)]
        workers += [visits(lab, host, [("l", 8080)], end, 3.0) for host in "cb"]
        if spare:
            while time.monotonic() < end - 1:
                request(first)
                time.sleep(2)
        elif old:
            first.sendall(ask("/kpfw/v1/invoice", b'{"serial":"26112400052"}'))
        for worker in workers:
            worker.join()
        lab.stop(0.5)
    return play


VAIN = "tcp.flags.syn==1 && tcp.flags.ack==0 && !(ip.dst==192.0.2.50) && frame.time_relative>1.2"
NFT = "Linux TCP by Python sockets, nftables at the gateway"
told("egress-lost", "gateway-forwards-nothing", "captured at the gateway's inner side: four servers outside no longer answer, an old connection dies, a server in the own network answers", f"SYNs in vain [[{VAIN}]]", hosts=SITE, tools=NFT)(outage())
told("egress-lost", "seen-by-one-client", "the same captured at one client", f"SYNs in vain [[{VAIN}]]", hosts=SITE, tools=NFT)(outage(at="c"))
told("egress-lost", "no-old-connection", "the same without an old connection to die with it", f"SYNs in vain [[{VAIN}]]", hosts=SITE, tools=NFT)(outage(old=False))
told("egress-lost", "gateway-forwards-nothing-ipv6", "IPv6", "SYNs in vain [[tcp.flags.syn==1 && tcp.flags.ack==0 && !(ipv6.dst==2001:db8:1::50) && frame.time_relative>1.2]]", hosts=SITE, tools=NFT, ip6=True)(outage())
other("egress-lost/not-old-connections-go-on", "`transport.syn-unanswered` — a connection from before goes on: the gateway's table is full", "new connections die at four servers outside, the old one is served all the time", hosts=SITE, tools=NFT)(outage(spare=True))
other("egress-lost/not-two-endpoints", "`transport.syn-unanswered`, `transport.data-unacked` — two endpoints say nothing of the rest", "two servers outside no longer answer, others are not tried", hosts=SITE, tools=NFT)(outage(("s", "t"), seconds=8.0))


# an address passes to another machine

VIP, VIP6 = "192.0.2.100", "2001:db8:1::100"
PAIR = "c=lan.15 s=lan.20 t=lan.21"
LINK = "arp or icmp6 or tcp or icmp"


def hold(lab, host, announce=True):
    address = f"{VIP6}/64" if lab.ip6 else f"{VIP}/24"
    sh(f"ip -n {lab.ns(host)} addr add {address} dev eth0 nodad" if lab.ip6 else f"ip -n {lab.ns(host)} addr add {address} dev eth0")
    if announce and lab.ip6:
        lab.run(host, ["python3", "-c", ADVERTISE, VIP6])
    elif announce:
        lab.run(host, ["arping", "-U", "-c2", "-w2", "-I", "eth0", "-s", VIP, VIP])


ADVERTISE = r"""
import socket, sys, time
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
one = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
one.setsockopt(socket.SOL_SOCKET, 25, b"eth0\0")
one.bind((sys.argv[1], 0))
target = socket.inet_pton(socket.AF_INET6, sys.argv[1])
for _ in range(2):
    one.sendto(b"\x88\0\0\0\x20\0\0\0" + target + b"\x02\x01" + mac, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
    time.sleep(0.5)
"""


def leave(lab, host):
    sh(f"ip -n {lab.ns(host)} addr del {VIP6 if lab.ip6 else VIP}/{64 if lab.ip6 else 24} dev eth0")


def failover(gap, tries=0.0):
    def play(lab):
        address = VIP6 if lab.ip6 else VIP
        for host in "st":
            serve(lab, host, 8080)
        hold(lab, "s", False)
        lab.capture(only=LINK)
        old = lab.connect("c", address, 8080)
        request(old)
        visit(lab, "c", address)
        time.sleep(0.5)
        leave(lab, "s")
        end = time.monotonic() + gap
        while time.monotonic() < end - 2.5 and tries:
            lab.connect("c", address, 8080, timeout=2.2)
            time.sleep(tries)
        time.sleep(max(0.0, end - time.monotonic()))
        hold(lab, "t")
        time.sleep(0.5)
        try:
            request(old)
        except OSError:
            pass
        time.sleep(0.3)
        try:
            visit(lab, "c", address)
        except OSError:
            pass
        time.sleep(1)
        visit(lab, "c", address)
    return play


HELD = "arp.src.proto_ipv4==192.0.2.100"
told("vip-moved", "failover-one-second", "a service address passes from one server to another within about a second; gratuitous ARP tells it, the old connection is reset", f"claims [[{HELD}]]", LINK.replace(" or ", " || ").replace("icmp6", "icmpv6"), hosts=PAIR, tools="iproute2, arping -U")(failover(1.0))
told("vip-moved", "failover-twenty-seconds", "it takes twenty seconds: connects fail meanwhile", f"claims [[{HELD}]]", "arp || tcp", hosts=PAIR, tools="iproute2, arping -U")(failover(20.0, 1.0))
told("vip-moved", "failover-ipv6", "IPv6: the new holder tells it by unsolicited neighbour advertisements", "advertisements [[icmpv6.type==136 && icmpv6.nd.na.target_address==2001:db8:1::100]]", "icmpv6 || tcp", hosts=PAIR, tools="iproute2, unsolicited advertisements by a raw socket as keepalived sends them", ip6=True)(failover(1.0))


@told("vip-moved", "gateway-replaced", "captured at a client: the gateway is replaced by one with another MAC; three servers behind it change theirs together", "frames of servers by the new gateway [[ip.src==203.0.113.20 && frame.time_relative>3]]", "arp || tcp",
      hosts="c=lan.15 s=dc.20 t=dc.21 u=dc.22", tools="iproute2, arping -U")
def gateway(lab):
    for host in "stu":
        serve(lab, host, 8080)
    lab.capture(only=LINK)
    old = lab.connect("c", "s", 8080)
    request(old)
    for host in "stu":
        visit(lab, "c", host)
    time.sleep(1)
    sh(f"ip -n {lab.ns('g')} link set lan address 02:00:5e:77:00:09")
    time.sleep(2)
    lab.run("g", ["arping", "-U", "-c2", "-w2", "-I", "lan", "-s", "192.0.2.1", "192.0.2.1"])
    for host in "stu":
        visit(lab, "c", host)
    request(old)
    old.close()
    time.sleep(0.3)


@other("vip-moved/not-client-address-again", "silent — a client's address, given to another client", "a client leaves, another machine gets its address as by DHCP, and both use the same server", LINK.replace(" or ", " || ").replace("icmp6", "icmpv6"), hosts="b=lan.16 t=lan.21 s=lan.20", tools="iproute2, arping -U")
def lease(lab):
    serve(lab, "s", 8080)
    sh(f"ip -n {lab.ns('b')} addr add {VIP}/24 dev eth0")
    lab.capture("s", only=LINK)
    visit_from(lab, "b")
    sh(f"ip -n {lab.ns('b')} addr del {VIP}/24 dev eth0; ip -n {lab.ns('b')} link set eth0 down")
    time.sleep(2)
    hold(lab, "t")
    visit_from(lab, "t")


def visit_from(lab, host):
    one = lab.socket(host)
    one.bind((VIP, 0))
    one.connect((lab.ip("s"), 8080))
    request(one)
    one.close()
    time.sleep(0.2)


@other("vip-moved/not-announced-again", "silent — the same machine announces its address", "a server announces its address three times by gratuitous ARP while it serves", "arp || tcp", hosts=PAIR, tools="arping -U")
def again(lab):
    serve(lab, "s", 8080)
    hold(lab, "s", False)
    lab.capture(only=LINK)
    for _ in range(3):
        visit(lab, "c", VIP)
        lab.run("s", ["arping", "-U", "-c1", "-w1", "-I", "eth0", "-s", VIP, VIP])


@other("vip-moved/not-in-turn", "`network.arp-conflict` — both go on claiming it", "two servers have the address and announce it in turn", "arp || tcp", hosts=PAIR, tools="arping -U")
def in_turn(lab):
    for host in "st":
        serve(lab, host, 8080)
    hold(lab, "s", False)
    hold(lab, "t", False)
    lab.capture(only="arp")
    for _ in range(3):
        for host in "st":
            lab.run(host, ["arping", "-U", "-c1", "-w1", "-I", "eth0", "-s", VIP, VIP])
            time.sleep(0.5)
