"""Captures of tunnels: IKE, ESP, WireGuard, OpenVPN, L2TP that get no answer, are refused, or fall silent."""
import contextlib
import socket
import struct
import threading
import time

import tunnels
from net import LAB, sh
from play import scenario
from tunnels import Charon, openvpn, ping, wireguard, wireguard_keys
from wire import DROP

SWAN = "strongSwan 5.9.8 (charon, ESP in user space by kernel-libipsec)"
WG, OVPN, L2TP = "wireguard-go", "OpenVPN 2.6", "xl2tpd 1.3"
ENDS = "c=lan.15 s=dc.20"


def told(code, name, shows, why, filter_, **lab):
    return scenario(f"security/vpn-{code}/{name}", f"`security.vpn-{code}` — {why}", shows, filter_, hosts=lab.pop("hosts", ENDS), **lab)


def quiet(code, name, expect, shows, filter_="udp", **lab):
    return scenario(f"security/vpn-{code}/{name}", expect, shows, filter_, hosts=lab.pop("hosts", ENDS), **lab)


def beside(lab):
    """The server's other traffic, so that the way back is seen."""
    lab.run("c", ["ping", "-c", 1, "-W", 1, lab.ip("s")])


# nothing comes back

def filtered(version=2, port=500, seconds=20):
    def play(lab):
        charon, _ = Charon(lab, "c", "s", version=version), Charon(lab, "s", "c", version=version)
        lab.nft("s", "input", f"udp dport {port} drop")
        lab.capture("c")
        beside(lab)
        charon.initiate(seconds)
    return play


told("no-answer", "ikev2-port-500-filtered", "IKE_SA_INIT is repeated; a filter before the gateway drops UDP 500", "requests [[isakmp.exchangetype==34]]", "isakmp", tools=SWAN)(filtered())
told("no-answer", "ikev1-port-500-filtered", "main mode is repeated; UDP 500 is dropped", "requests [[isakmp.exchangetype==2]]", "isakmp", tools=SWAN)(filtered(1))
told("no-answer", "ikev2-port-4500-filtered", "IKE_SA_INIT is answered on port 500, IKE_AUTH on port 4500 is not: that port is dropped", "requests [[isakmp.exchangetype==35]]", "isakmp", tools=SWAN)(filtered(port=4500))


@told("no-answer", "ikev2-no-daemon", "the server runs no IKE daemon and reports port unreachable; the client goes on asking", "requests [[isakmp.exchangetype==34 && udp.srcport==500 && !icmp]]", "isakmp || icmp", tools=SWAN)
def no_daemon(lab):
    charon = Charon(lab, "c", "s")
    lab.capture("c")
    charon.initiate(20)


@told("no-answer", "wireguard-peer-off", "the other end of a WireGuard tunnel is off: initiations every five seconds", "initiations [[wg.type==1]]", "wg", tools=WG)
def wireguard_off(lab):
    wireguard(lab, "c", "s", wireguard_keys()[0])
    lab.nft("s", "input", "udp dport 51820 drop")
    lab.capture("c")
    beside(lab)
    ping(lab, seconds=24)
    time.sleep(24)


@told("no-answer", "openvpn-port-filtered", "the client's first packet is repeated with growing pauses; UDP 1194 is dropped", "resets [[udp.dstport==1194]]", "udp.port==1194", tools=OVPN)
def openvpn_off(lab):
    lab.nft("s", "input", "udp dport 1194 drop")
    lab.capture("c")
    beside(lab)
    openvpn(lab, "c", "s")
    time.sleep(18)


def xl2tpd(lab, host, server=None):
    conf = lab.dir / f"l2tp-{host}.conf"
    conf.write_text("[global]\nport = 1701\n" + (f"[lac t]\nlns = {server}\nautodial = yes\nredial = no\n" if server else
                    "[lns default]\nip range = 10.3.0.2-10.3.0.9\nlocal ip = 10.3.0.1\n"))
    lab.start(host, ["xl2tpd", "-D", "-c", conf, "-p", lab.dir / f"l2tp-{host}.pid", "-C", lab.dir / f"l2tp-{host}.ctl"])


@told("no-answer", "l2tp-port-filtered", "Start-Control-Connection-Request is repeated every second; UDP 1701 is dropped", "requests [[l2tp]]", "l2tp", tools=L2TP)
def l2tp_off(lab):
    lab.nft("s", "input", "udp dport 1701 drop")
    lab.capture("c")
    beside(lab)
    xl2tpd(lab, "c", lab.ip("s"))
    time.sleep(8)


PPTP = "pptp 1.10; its server's control connection and PPP itself by scripts of the lab, this kernel has no PPP"


def control(lab, host, after=b""):
    """The server's side of PPTP's control connection: it accepts everything (RFC 2637 2.2, 2.8)."""
    listener = lab.listen(host, 1723)

    def serve():
        one, _ = listener.accept()
        lab.sockets.append(one)
        with contextlib.suppress(OSError):
            talk(one)

    def talk(one):
        while data := one.recv(4096):
            kind = struct.unpack("!H", data[8:10])[0]
            if kind == 1:
                one.sendall(struct.pack("!HHIHHHBBIIHH64s64s", 156, 1, 0x1A2B3C4D, 2, 0, 0x100, 1, 0, 3, 3, 1, 1, b"lab", b"lab"))
            elif kind == 7:
                call = struct.unpack("!H", data[12:14])[0]
                one.sendall(struct.pack("!HHIHHHHBBHIHHI", 32, 1, 0x1A2B3C4D, 8, 0, 77, call, 1, 0, 0, 10_000_000, 64, 0, 0))
    threading.Thread(target=serve, daemon=True).start()


@told("no-answer", "pptp-gre-filtered", "PPTP's control connection on TCP 1723 succeeds; GRE is dropped on the way, link control stays unanswered", "LCP [[gre && lcp]]", "pptp || gre", tools=PPTP)
def pptp_gre(lab):
    control(lab, "s")
    lab.nft("g", "forward", "ip protocol gre drop")
    lab.capture("c")
    lab.start("c", ["env", "PPP_END=client:secret", "PPP_SECONDS=20", "python3", LAB / "ppp_end.py", "pty", f"pptp {lab.ip('s')} --nolaunchpppd"])
    time.sleep(17)


def stands(lab, **of):
    """A tunnel with strongSwan that stands: its initiator and responder."""
    charon, other = Charon(lab, "c", "s", **of), Charon(lab, "s", "c", **of)
    return charon, other


@quiet("no-answer", "not-answered", "silent — the tunnel stands", "a tunnel is made, carries some pings and is closed", tools=SWAN)
def answered(lab):
    charon, _ = stands(lab)
    lab.capture("c")
    charon.initiate()
    ping(lab, seconds=3)
    time.sleep(4)
    charon.ctl("--terminate", "--ike", "t")


@quiet("no-answer", "not-two-lost", "silent — the third request is answered", "the first two IKE_SA_INIT are lost, the third is answered", tools=SWAN, hosts="c~lan.15 s=dc.20")
def two_lost(lab):
    charon, _ = stands(lab)
    lost = []

    def rule(frame, out):
        if out and frame.proto == 17 and frame.dport == 500 and len(lost) < 2:
            lost.append(frame)
            return DROP
        return None
    lab.wires["c"].rule = rule
    lab.capture("c")
    charon.initiate()
    ping(lab, seconds=2)
    time.sleep(3)


@quiet("no-answer", "not-l2tp-answered", "silent — the request is answered", "a control connection of L2TP is set up; the call fails later for want of PPP in this kernel", "l2tp", tools=L2TP)
def l2tp_answered(lab):
    xl2tpd(lab, "s")
    lab.capture("c")
    xl2tpd(lab, "c", lab.ip("s"))
    time.sleep(5)


@quiet("no-answer", "not-openvpn-answered", "silent — the tunnel stands", "OpenVPN connects and carries some pings", "udp.port==1194", tools=OVPN)
def openvpn_answered(lab):
    openvpn(lab, "s", "c", server=True)
    lab.capture("c")
    openvpn(lab, "c", "s")
    time.sleep(4)
    ping(lab, seconds=4)
    time.sleep(5)


# refused

PROPOSALS = dict(tools=SWAN)


def mismatch(version, ours, theirs):
    def play(lab):
        charon, _ = Charon(lab, "c", "s", version=version, proposals=ours), Charon(lab, "s", "c", version=version, proposals=theirs)
        lab.capture("c")
        charon.initiate(10)
        time.sleep(4)
    return play


told("no-proposal", "ikev2-ciphers", "the branch offers AES-128 alone, the head office takes AES-256 alone", "answer [[isakmp.notify.msgtype==14]]", "isakmp", tools=SWAN)(mismatch(2, "aes128-sha256-modp2048", "aes256-sha512-modp4096"))
told("no-proposal", "ikev1-ciphers", "the same in IKEv1 main mode", "answer [[isakmp.notify.msgtype==14]]", "isakmp", tools=SWAN)(mismatch(1, "aes128-sha256-modp2048", "aes256-sha512-modp4096"))
quiet("no-proposal", "not-invalid-ke-recovered", "silent — the second group is taken", "the responder wants another group (INVALID_KE_PAYLOAD); the initiator offers it and the tunnel stands", "isakmp", tools=SWAN)(
    mismatch(2, "aes128-sha256-modp2048-modp3072", "aes128-sha256-modp3072"))


def credentials(version=2, aggressive="no", expects=None, theirs="another secret", wait=4):
    def play(lab):
        charon = Charon(lab, "c", "s", version=version, expects=expects, aggressive=aggressive)
        Charon(lab, "s", "c", version=version, secret=theirs, aggressive=aggressive)
        lab.capture("c")
        charon.initiate(20)
        time.sleep(wait)
    return play


RIGHT = "an office and its branch"
told("auth-failed", "ikev2-wrong-secret", "the pre-shared keys differ: a short encrypted IKE_AUTH response, and nothing follows", "response [[isakmp.exchangetype==35 && isakmp.flag_r==1]]", "isakmp", tools=SWAN)(credentials(wait=7))
told("auth-failed", "ikev2-server-unexpected", "the client asks for another identity than the server has: the server finds no connection for it and refuses", "response [[isakmp.exchangetype==35 && isakmp.flag_r==1]]", "isakmp", tools=SWAN)(credentials(expects="vpn.other.example", theirs=RIGHT, wait=8))
told("auth-failed", "ikev1-wrong-secret", "IKEv1 main mode with different pre-shared keys: the first encrypted message is repeated, what comes back is none of its exchange", "requests [[isakmp.exchangetype==2 && isakmp.flag_e==1]]", "isakmp", tools=SWAN)(credentials(1))


@quiet("auth-failed", "not-established", "silent — the tunnel stands", "authentication succeeds; the tunnel is made and nothing is sent in it for twelve seconds", "isakmp", tools=SWAN)
def established(lab):
    charon, _ = stands(lab)
    lab.capture("c")
    charon.initiate()
    time.sleep(12)
    beside(lab)


# a live one falls silent

def lost(quiet, seconds=26, dpd="3s", before=5, version=2):
    def play(lab):
        charon, _ = stands(lab, dpd=dpd, version=version)
        lab.capture("c")
        charon.initiate()
        ping(lab, seconds=before + seconds)
        time.sleep(before)
        quiet(lab)
        time.sleep(seconds)
    return play


def unplug(lab):
    sh(f"ip -n {lab.ns('g')} link set tos down")


def mute(lab):
    lab.nft("s", "output", "drop")


told("tunnel-lost", "peer-unplugged", "a tunnel carries pings; the head office loses its cable: ESP goes on one way, dead-peer detection stays unanswered", "dead-peer detection [[isakmp.exchangetype==37 && ip.src==192.0.2.15]]", "isakmp || esp", tools=SWAN)(lost(unplug))
told("tunnel-lost", "one-way-no-dpd", "the same without dead-peer detection: only ESP shows it", "ESP [[esp && ip.src==192.0.2.15 && frame.time_relative>5.6]]", "isakmp || esp", tools=SWAN)(lost(mute, dpd="0s", seconds=16))
told("tunnel-lost", "ikev1-peer-unplugged", "IKEv1: R-U-THERE stays unanswered", "informational [[isakmp.exchangetype==5 && frame.time_relative>6]]", "isakmp || esp", tools=SWAN)(lost(unplug, version=1))


@told("tunnel-lost", "wireguard-peer-unplugged", "a WireGuard tunnel carries pings; then its other end is gone: data one way, then initiations", "initiations [[wg.type==1 && frame.time_relative>5]]", "wg", tools=WG)
def wireguard_lost(lab):
    ours, theirs = wireguard_keys()
    wireguard(lab, "s", "c", theirs)
    wireguard(lab, "c", "s", ours)
    lab.capture("c")
    ping(lab, seconds=48)
    time.sleep(5)
    unplug(lab)
    time.sleep(42)


@told("tunnel-lost", "openvpn-server-killed", "OpenVPN with pings every two seconds; the server's machine is gone, after eight seconds the client begins anew in vain", "packets of the client [[udp.dstport==1194 && frame.time_relative>14]]", "udp.port==1194", tools=OVPN)
def openvpn_lost(lab):
    openvpn(lab, "s", "c", server=True)
    lab.capture("c")
    openvpn(lab, "c", "s")
    time.sleep(4)
    ping(lab, seconds=6)
    time.sleep(7)
    unplug(lab)
    time.sleep(30)


@quiet("tunnel-lost", "not-closed", "silent — closed on purpose", "a tunnel carries pings and is deleted by the client; capture goes on", "isakmp || esp", tools=SWAN)
def closed(lab):
    charon, _ = stands(lab, dpd="3s")
    lab.capture("c")
    charon.initiate()
    ping(lab, seconds=5)
    time.sleep(6)
    charon.ctl("--terminate", "--ike", "t")
    time.sleep(12)


@quiet("tunnel-lost", "not-idle", "silent — dead-peer detection is answered", "a tunnel with nothing in it: dead-peer detection alone, answered", "isakmp || esp", tools=SWAN)
def idle(lab):
    charon, _ = stands(lab, dpd="2s")
    lab.capture("c")
    charon.initiate()
    ping(lab, seconds=3)
    time.sleep(18)


@quiet("tunnel-lost", "not-one-way-stream", "silent — traffic that goes one way by nature", "some pings, then twenty seconds of datagrams one way (a log stream) through the tunnel", "isakmp || esp", tools=SWAN)
def stream(lab):
    charon, _ = stands(lab)
    lab.capture("c")
    charon.initiate()
    ping(lab, seconds=3)
    time.sleep(4)
    one = lab.socket("c", socket.SOCK_DGRAM)
    one.bind((tunnels.INNER["c"], 0))
    for number in range(100):
        one.sendto(b"<134>invoice %d stored" % number, (tunnels.INNER["s"], 5140))
        time.sleep(0.2)


@quiet("tunnel-lost", "not-wireguard-rekeyed", "silent — every initiation is answered", "WireGuard with a keep-alive a second", "wg", tools=WG)
def wireguard_well(lab):
    ours, theirs = wireguard_keys()
    wireguard(lab, "s", "c", theirs)
    wireguard(lab, "c", "s", ours, keepalive=1)
    lab.capture("c")
    ping(lab, seconds=4)
    time.sleep(12)


# a branch whose way to the head office is a tunnel

@scenario("incident/vpn-down/branch", "`security.vpn-tunnel-lost`, `network.host-silent`",
          "captured at the gateway of a branch: two clients reach the invoicing service of the head office through a WireGuard tunnel, and a server outside beside it; "
          "from second eight on the head office is gone, the server outside serves on: initiations in vain [[wg.type==1 && frame.time_relative>9]]",
          "wg || tcp.flags.syn==1", tools=WG, cause="vpn-down", hosts="c=lan.15 b=lan.16 e=lan.17 s=dc.20 t=dc.21")
def branch(lab):
    from network_hosts import serve, visits
    ours, theirs = wireguard_keys()
    wireguard(lab, "s", "c", theirs)
    wireguard(lab, "c", "s", ours)
    for host in "st":
        serve(lab, host, 8080)
    c = lab.ns("c")
    sh(f"ip netns exec {c} sysctl -qw net.ipv4.ip_forward=1; ip netns exec {c} nft 'add table ip nat; add chain ip nat post {{ type nat hook postrouting priority 100; }}; "
       f"add rule ip nat post ip daddr 10.0.0.0/8 masquerade'")
    for host in "be":
        sh(f"ip -n {lab.ns(host)} route replace 10.0.0.0/8 via {lab.ip('c')}; ip -n {lab.ns(host)} route replace {lab.ip('t')}/32 via {lab.ip('c')}")
    lab.capture("c")
    end = time.monotonic() + 48
    workers = [visits(lab, host, [(tunnels.INNER["s"], 8080)], end, 3.0, 12.0) for host in "be"]
    workers += [visits(lab, host, [("t", 8080)], end, 6.0) for host in "be"]
    time.sleep(8)
    lab.nft("s", "input", "udp dport 51820 drop")
    lab.nft("s", "output", "udp sport 51820 drop")
    for worker in workers:
        worker.join()
