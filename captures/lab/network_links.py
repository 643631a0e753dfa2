"""Captures of links: broadcast storms, hosts that flap, VLAN tags that differ, no address, a dial-up line, damaged frames."""
import socket
import struct
import threading
import time

from net import LAB, sh, until
from play import scenario
from wire import DROP, Wire, checksum

LINUX = "Linux TCP by Python sockets"
ARP = "arp"


def told(code, name, shows, why, filter_, **lab):
    return scenario(f"network/{code}/{name}", f"`network.{code}` — {why}", shows, filter_, **lab)


def other(code, name, expect, shows, filter_="frame", **lab):
    return scenario(f"network/{code}/{name}", expect, shows, filter_, **lab)


# storms

STORM = "Linux ARP: a host that talks to ever new neighbours"


def talk(lab, host, rate, seconds, width=1000):
    """A datagram to so many new neighbours a second: the kernel asks for each of them."""
    n = lab.ns(host)
    sh(f"ip -n {n} addr add 10.9.0.1/16 dev eth0; ip netns exec {n} sysctl -qw net.ipv4.neigh.eth0.mcast_solicit=1")
    one = lab.socket(host, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)     # SO_SNDBUFFORCE: what waits for a neighbour counts
    begin, sent = time.monotonic(), 0
    while (now := time.monotonic() - begin) < seconds:
        while sent < now * rate:
            one.sendto(b"x", (f"10.9.{1 + sent // 250 % 250}.{1 + sent % 250}", 9))
            sent += 1
        time.sleep(0.002)


@told("arp-storm", "one-host", "one host asks for six hundred neighbours a second", "first requests [[arp && frame.number<12]]", ARP, hosts="c=lan.15 b=lan.16", tools=STORM)
def storm(lab):
    lab.capture("b", "arp", extra=("-s", "60"))
    talk(lab, "c", 620, 1.6)


@told("arp-storm", "one-way-ring", "a fibre of which one direction is dead closes a ring that spanning tree would have cut: eight broadcasts go round and round", "first requests [[arp && frame.number<12]]", ARP,
      hosts="c=lan.15 b=lan.16", tools="Linux bridge, a cable of ten milliseconds that passes one way")
def ring(lab):
    g = lab.ns("g")
    sh(f"ip netns add {g}w; ip link add in netns {g}w type veth peer name r0 netns {g}; ip link add out netns {g}w type veth peer name r1 netns {g}; "
       f"for d in in out; do ip -n {g}w link set $d up; done; for d in r0 r1; do ip -n {g} link set $d master lan up; done")
    from net import inside
    with inside(g + "w"):
        wire = Wire("in", "out")
    try:
        wire.delay = {True: 0.01, False: 0.01}
        wire.rule = lambda frame, out: None if out else DROP
        lab.capture("b", "arp", extra=("-s", "60", "-c", "850"))
        for last in range(31, 39):
            lab.start("c", ["ping", "-c", "1", "-W", "1", f"192.0.2.{last}"])
        time.sleep(1.7)
        sh(f"ip -n {g} link set r0 down")
    finally:
        wire.close()
        sh(f"ip netns del {g}w", check=False)


@other("arp-storm", "not-sweep", "silent — a hundred a second for two seconds", "an inventory asks once for each of two hundred addresses in two seconds", ARP, hosts="c=lan.15 b=lan.16", tools=STORM)
def sweep(lab):
    lab.capture("b", "arp", extra=("-s", "60"))
    talk(lab, "c", 100, 2.0)


@other("arp-storm", "not-mirrored-twice", "silent — each request is there twice and counts once", "three hundred requests a second, each captured twice by a mirror of both ports", ARP, hosts="c=lan.15 b~lan.16", tools=STORM)
def mirrored(lab):
    lab.wires["b"].rule = lambda frame, out: None if out else [(0.0, frame.bytes, False), (0.0, frame.bytes, False)]
    lab.capture("b", "arp", extra=("-s", "60"))
    talk(lab, "c", 300, 1.4)


# hosts that flap

SPEAK = "Linux UDP by Python sockets; tags by the cable"


def speak(lab, host, to, seconds, pause=0.25):
    one = lab.socket(host, socket.SOCK_DGRAM)
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        one.sendto(b"heartbeat %d" % number, (lab.ip(to), 5140))
        number += 1
        time.sleep(pause)


def flapping(tag_of):
    def play(lab):
        begin = time.monotonic()
        mac = sh(f"ip -n {lab.ns('g')} -o link show lan").split("link/ether ")[1].split()[0]
        sh(f"ip -n {lab.ns('c')} neigh replace {'192.0.2.1'} lladdr {mac} nud permanent dev eth0")
        lab.wires["c"].rule = lambda frame, out: [(0.0, frame.with_vlan(tag_of(time.monotonic() - begin)), True)] if out else None
        lab.capture("g", "vlan", device="toc")
        speak(lab, "c", "s", 14)
    return play


told("mac-flapping", "two-vlans-in-turn", "frames of one host arrive in VLAN 10 and in VLAN 20 in turn, three seconds each: its port is patched to two switches", "back in VLAN 10 [[vlan.id==10 && frame.time_relative>5 && frame.time_relative<7.5]]", "vlan", hosts="c~lan.15 s=dc.20", tools=SPEAK)(
    flapping(lambda second: 10 if int(second / 3) % 2 == 0 else 20))
other("mac-flapping", "not-moved-once", "silent — one change", "a host is moved from VLAN 10 to VLAN 20 once", "vlan", hosts="c~lan.15 s=dc.20", tools=SPEAK)(flapping(lambda second: 10 if second < 7 else 20))


@other("mac-flapping", "not-routed-on-a-stick", "silent — each packet is there twice, before and after its router", "captured on the trunk of a router: packets of one host in VLAN 10, the same in VLAN 20", "vlan", hosts="c~lan.15 s=dc.20", tools=SPEAK)
def stick(lab):
    mac = sh(f"ip -n {lab.ns('g')} -o link show lan").split("link/ether ")[1].split()[0]
    sh(f"ip -n {lab.ns('c')} neigh replace 192.0.2.1 lladdr {mac} nud permanent dev eth0")
    lab.wires["c"].rule = lambda frame, out: [(0.0, frame.with_vlan(10), True), (0.001, frame.with_vlan(20), True)] if out else None
    lab.capture("g", "vlan", device="toc")
    speak(lab, "c", "s", 4)


# tags that differ

TRUNK = "Linux TCP by Python sockets; tags by the cable"


def untag(data):
    tag = struct.unpack("!H", data[14:16])[0] & 0xFFF if data[12:14] == b"\x81\x00" else None
    return tag, (data[:12] + data[16:] if tag is not None else data)


def port(wire, sends, accepts):
    """A switch's access port: what the host sends gets this tag, only frames with that tag come to it."""
    def rule(frame, out):
        tag, bare = untag(frame.bytes)
        if out:
            return [(0.0, frame.with_vlan(sends) if sends else frame.bytes, True)]
        return [(0.0, bare, False)] if accepts == "any" or tag == accepts else DROP
    wire.rule = rule


def vlans(c, s, neighbours, work):
    def play(lab):
        if neighbours:
            for one, two in ("cs", "sc"):
                mac = sh(f"ip -n {lab.ns(two)} -o link show eth0").split("link/ether ")[1].split()[0]
                sh(f"ip -n {lab.ns(one)} neigh replace {lab.ip(two)} lladdr {mac} nud permanent dev eth0")
        for one in "cs":
            sh(f"ip -n {lab.ns(one)} neigh flush dev eth0 nud reachable nud stale nud delay")
        port(lab.wires["c"], *c)
        port(lab.wires["s"], *s)
        lab.listen("s", 8080)
        lab.capture("g", "arp or tcp or vlan", device="toc")
        work(lab)
    return play


def connect(lab):
    lab.connect("c", "s", 8080, timeout=9)


WRONG = dict(hosts="c~lan.15 s~lan.20", tools=TRUNK, warm=False)
told("vlan-mismatch", "arp-answered-in-another-vlan", "a host asks in VLAN 10, the answers come back in VLAN 20 and do not reach it", "answers [[arp.opcode==2 && vlan.id==20]]", "vlan", **WRONG)(
    vlans((10, 10), (20, "any"), False, connect))
told("vlan-mismatch", "connect-answered-in-another-vlan", "SYNs leave in VLAN 10, SYN-ACKs come back in VLAN 20 and do not reach the client", "SYN-ACKs [[tcp.flags.syn==1 && tcp.flags.ack==1]]", "vlan", **WRONG)(
    vlans((10, 10), (20, "any"), True, connect))
told("vlan-mismatch", "answered-untagged", "SYNs leave in VLAN 10, SYN-ACKs come back without a tag: the trunk's native VLAN is wrong", "SYN-ACKs [[tcp.flags.syn==1 && tcp.flags.ack==1]]", "tcp", **WRONG)(
    vlans((10, 10), (None, "any"), True, connect))


def exchange(lab):
    one = lab.connect("c", "s", 8080)
    one.close()


other("vlan-mismatch", "not-asymmetric-but-well", "silent — both directions arrive", "the two directions carry VLAN 10 and VLAN 20 (as on a mirror before and behind a router), and the connection is made", "vlan", **WRONG)(
    vlans((10, "any"), (20, "any"), True, exchange))
other("vlan-mismatch", "not-filtered", "`transport.syn-unanswered` — no tag differs", "both directions in VLAN 10; the server's filter drops SYNs", "vlan", **WRONG)(
    vlans((10, 10), (10, 10), True, lambda lab: (lab.nft("s", "input", "tcp dport 8080 drop"), connect(lab), lab.run("c", ["ping", "-c1", "-W1", lab.ip("s")]))))


# no address

UDHCPC, DHCLIENT, DNSMASQ = "udhcpc (busybox)", "ISC dhclient 4.4", "dnsmasq"
BOOT = "arp or icmp or udp port 67 or udp port 68"


def udhcpc(lab, host="c", tries=5, pause=2):
    return lab.start(host, ["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", tries, "-T", pause, "-s", "/bin/true"])


def dnsmasq(lab, host, *words):
    return lab.start(host, ["dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--user=root", f"--dhcp-leasefile={lab.dir}/leases", f"--pid-file={lab.dir}/dnsmasq.pid",
                            "--dhcp-authoritative", "--interface=eth0", "--bind-interfaces", "--log-dhcp", *words])


@told("dhcp-no-offer", "no-server", "captured at the client: five discovers, no offer", "discovers [[dhcp.option.dhcp==1]]", "dhcp", hosts="c=lan.15", tools=UDHCPC)
def no_server(lab):
    lab.capture("c", BOOT)
    lab.run("c", ["ping", "-c", "1", "-W", "1", "192.0.2.1"])
    udhcpc(lab)
    time.sleep(12)


@told("dhcp-no-offer", "only-discovers", "captured at the client with a filter for DHCP: nothing but discovers", "discovers [[dhcp.option.dhcp==1]]", "dhcp", hosts="c=lan.15", tools=UDHCPC)
def only_discovers(lab):
    lab.capture("c", "udp port 67 or udp port 68")
    udhcpc(lab)
    time.sleep(12)


@told("dhcp-no-offer", "pool-exhausted", "the server has no address left and stays silent", "discovers [[dhcp.option.dhcp==1]]", "dhcp", hosts="c=lan.15 d=lan.16", tools=f"{UDHCPC}, {DNSMASQ}")
def exhausted(lab):
    dnsmasq(lab, "d", "--dhcp-range=192.0.2.0,static")
    lab.capture("c", BOOT)
    lab.run("c", ["ping", "-c", "1", "-W", "1", "192.0.2.1"])
    udhcpc(lab)
    time.sleep(12)


def dhclient(lab, address):
    lease = lab.dir / "dhclient.leases"
    lease.write_text(f'lease {{ interface "eth0"; fixed-address {address}; option subnet-mask 255.255.255.0; option dhcp-server-identifier 192.0.2.16; '
                     "option dhcp-lease-time 864000; renew 2 2046/01/01 00:00:00; rebind 2 2047/01/01 00:00:00; expire 2 2048/01/01 00:00:00; }\n")
    conf = lab.dir / "dhclient.conf"
    conf.write_text("timeout 20; retry 20; initial-interval 2;\n")
    return lab.start("c", ["dhclient", "-4", "-d", "-1", "-v", "-cf", conf, "-lf", lease, "-pf", lab.dir / "dhclient.pid", "-sf", "/bin/true", "eth0"])


@told("dhcp-no-offer", "nak", "a client asks for its address of another network; the server refuses (DHCPNAK) and has no other for it", "refusal [[dhcp.option.dhcp==6]]", "dhcp", hosts="c=lan.15 d=lan.16", tools=f"{DHCLIENT}, {DNSMASQ}")
def nak(lab):
    dnsmasq(lab, "d", "--dhcp-range=192.0.2.0,static")
    time.sleep(0.5)
    lab.capture("c", BOOT)
    dhclient(lab, "10.77.0.9")
    time.sleep(9)


@other("dhcp-no-offer", "not-nak-mended", "silent — refused and served within the second: told as information", "a client comes from another network: its old address is refused, a new one is given at once", "dhcp", hosts="c=lan.15 d=lan.16", tools=f"{DHCLIENT}, {DNSMASQ}")
def nak_mended(lab):
    dnsmasq(lab, "d", "--dhcp-range=192.0.2.100,192.0.2.120,12h", "--no-ping")
    time.sleep(0.5)
    lab.capture("c", BOOT)
    dhclient(lab, "10.77.0.9")
    time.sleep(8)


@other("dhcp-no-offer", "not-offered-late", "silent — the third discover is answered", "the server starts late: two discovers are lost", "dhcp", hosts="c=lan.15 d=lan.16", tools=f"{UDHCPC}, {DNSMASQ}")
def offered_late(lab):
    lab.capture("c", BOOT)
    udhcpc(lab, tries=6)
    time.sleep(3.5)
    dnsmasq(lab, "d", "--dhcp-range=192.0.2.100,192.0.2.120,12h", "--no-ping")
    time.sleep(5)


@other("dhcp-no-offer", "not-third-host", "silent — the asker's unicast traffic is not seen", "captured at a third host that talks to the gateway: discovers of another host", "dhcp", hosts="c=lan.15 b=lan.16", tools=UDHCPC)
def third_host(lab):
    lab.capture("b", BOOT)
    lab.run("b", ["ping", "-c", "3", "-W", "1", "192.0.2.1"])
    udhcpc(lab)
    time.sleep(12)


# the dial-up line

PPPOE = "rp-pppoe 3.15 (pppoe, pppoe-server); PPP itself by captures/lab/ppp_end.py, this kernel has none"
LINE = "ether proto 0x8863 or ether proto 0x8864"


def dial(lab, secret="secret", who="client", seconds=14):
    end = LAB / "ppp_end.py"
    return lab.start("c", ["env", f"PPP_END={who}:{secret}", f"PPP_SECONDS={seconds}", "python3", end, "pty", "pppoe -I eth0 -t 3 -m 1412"])


def concentrator(lab, secret="secret", who="server"):
    script = lab.dir / "pppd"
    script.write_text(f"#!/bin/sh\nexport PPP_END={who}:{secret}\nexec python3 {LAB}/ppp_end.py \"$@\"\n")
    script.chmod(0o755)
    lab.start("s", ["pppoe-server", "-F", "-I", "eth0", "-C", "access-1", "-q", script, "-L", "10.4.0.1", "-R", "10.4.0.10", "-N", "8", "-O", "/dev/null"])
    time.sleep(0.7)


@told("pppoe-failed", "no-access-concentrator", "the office's router asks for an access concentrator again and again; none answers", "PADI [[pppoe.code==0x09]]", "pppoed", hosts="c=lan.15", tools=PPPOE)
def no_concentrator(lab):
    lab.capture("c", LINE)
    dial(lab, seconds=30)
    time.sleep(24)


@told("pppoe-failed", "login-refused", "the line refuses name and password (PAP Nak)", "refusal [[pap.code==3]]", "pppoed || ppp", hosts="c=lan.15 s=lan.20", tools=PPPOE)
def login_refused(lab):
    concentrator(lab)
    lab.capture("c", LINE)
    dial(lab, "wrong")
    time.sleep(6)


@told("pppoe-failed", "link-control-unanswered", "there is a session, and nobody speaks PPP in it", "requests [[lcp]]", "pppoed || ppp", hosts="c=lan.15 s=lan.20", tools=PPPOE)
def link_unanswered(lab):
    concentrator(lab, who="mute")
    lab.capture("c", LINE)
    dial(lab)
    time.sleep(15)


@other("pppoe-failed", "not-connected", "silent — login accepted", "the line comes up: session, link control, login", "pppoed || ppp", hosts="c=lan.15 s=lan.20", tools=PPPOE)
def connected(lab):
    concentrator(lab)
    lab.capture("c", LINE)
    dial(lab)
    time.sleep(5)


@other("pppoe-failed", "not-found-late", "silent — the third question is answered", "the access concentrator comes up late", "pppoed || ppp", hosts="c=lan.15 s=lan.20", tools=PPPOE)
def found_late(lab):
    lab.capture("c", LINE)
    dial(lab, seconds=24)
    time.sleep(7)
    concentrator(lab)
    time.sleep(8)


# damaged frames

def damage(every, where, repair=False):
    """Turns bits of every so many data segments to the client."""
    count = [0]

    def rule(frame, out):
        if out or not frame.tcp or not frame.size:
            return None
        count[0] += 1
        if count[0] % every:
            return None
        data = bytearray(frame.bytes)
        data[(frame.body if where == "payload" else frame.at + 8) + (9 if where == "payload" else 0)] ^= 0x44
        if repair:
            data[frame.l4 + 16:frame.l4 + 18] = b"\0\0"
            pseudo = bytes(data[frame.at + 12:frame.at + 20]) + struct.pack("!BBH", 0, 6, frame.at + len(frame.bytes) - frame.at - frame.l4)
            data[frame.l4 + 16:frame.l4 + 18] = struct.pack("!H", checksum(pseudo + bytes(data[frame.l4:])))
        return [(0.0, bytes(data), False)]
    return rule


def download(lab, pieces=40):
    one, two = lab.pair(8080)
    for number in range(pieces):
        two.sendall(b"%08d" % number * 100)
        time.sleep(0.03)
    one.settimeout(1)
    try:
        while one.recv(65536):
            pass
    except OSError:
        pass
    one.close()


def corrupted(every, where):
    def play(lab):
        lab.wires["c"].rule = damage(every, where)
        lab.capture("c")
        download(lab)
    return play


told("frame-corrupt", "bad-cable", "every ninth data segment arrives with turned bits and a wrong TCP checksum; the server repeats each of them", "damaged [[tcp.payload contains \"t\"]]", "tcp.payload contains \"t\"",
     hosts="c~lan.15 s=dc.20", tools=LINUX)(corrupted(9, "payload"))
told("frame-corrupt", "bad-header", "every ninth IP header arrives with turned bits; the client drops those packets", "damaged [[ip.ttl==123]]", "ip.ttl == 123",
     hosts="c~lan.15 s=dc.20", tools=LINUX)(corrupted(9, "header"))


@other("frame-corrupt", "not-offload", "silent — the card computes them", "captured at a sender whose card computes checksums: none of what it sends is right yet", "tcp", hosts="c=lan.15 s=dc.20", tools=LINUX, offload=True)
def offloaded(lab):
    lab.capture("c")
    download(lab, 10)
