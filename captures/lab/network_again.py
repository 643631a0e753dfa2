"""Captures that scenes made by other hands asked for: answers that are lost behind the capture point, stacked tags, what a filter left out."""
import threading
import time

from net import sh
from net import LAB
from network_links import LINE, PPPOE, TRUNK, concentrator, untag
from network_tunnels import OVPN, SWAN, WG, beside, credentials, quiet, told
from play import scenario
from tunnels import Charon, openvpn, ping, wireguard, wireguard_keys
from wire import DROP

MERGED = "Linux TCP with its offloads on, by Python sockets"


# answers that are in the capture and reach nobody

@told("no-answer", "wireguard-answers-lost", "captured at the server: each initiation is answered, a filter drops what goes back, the client begins again every five seconds",
      "initiations [[wg.type==1]], responses [[wg.type==2]]", "wg", tools=WG)
def answers_lost(lab):
    ours, theirs = wireguard_keys()
    wireguard(lab, "s", "c", theirs)
    wireguard(lab, "c", "s", ours)
    lab.nft("g", "forward", "udp sport 51820 ip saddr 203.0.113.20 drop")
    lab.capture("s")
    ping(lab, seconds=24)
    time.sleep(24)


@told("tunnel-lost", "wireguard-one-way", "captured at the client, with the tunnel standing: from second five on the server gets nothing, and begins anew again and again; the client's answers are in the capture",
      "the server's initiations [[wg.type==1 && ip.src==203.0.113.20]]", "wg", tools=WG)
def one_way(lab):
    ours, theirs = wireguard_keys()
    wireguard(lab, "s", "c", theirs)
    wireguard(lab, "c", "s", ours)
    ping(lab, seconds=50)
    time.sleep(1)
    lab.capture("c")
    time.sleep(5)
    lab.nft("s", "input", "udp dport 51820 drop")
    for _ in range(8):
        beside(lab)
        time.sleep(5)


# OpenVPN over TCP

@told("no-answer", "openvpn-tcp-mute", "TCP 443 takes the connection and acknowledges OpenVPN's first packet, which is repeated and never answered", "first packets [[tcp.len==16]]", "tcp.port==443", tools=OVPN)
def mute(lab):
    listener, held = lab.listen("s", 443), []

    def accept():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return
            lab.sockets.append(held[-1])
    threading.Thread(target=accept, daemon=True).start()
    lab.capture("c")
    openvpn(lab, "c", "s", tcp=True, port=443)
    time.sleep(34)
    beside(lab)


@quiet("no-answer", "not-openvpn-tcp-answered", "silent — the tunnel stands", "OpenVPN over TCP 443 connects and carries some pings", "tcp.port==443", tools=OVPN)
def tcp_answered(lab):
    openvpn(lab, "s", "c", server=True, tcp=True, port=443)
    time.sleep(1)
    lab.capture("c")
    openvpn(lab, "c", "s", tcp=True, port=443)
    time.sleep(5)
    ping(lab, seconds=4)
    time.sleep(6)


# IKEv1 in aggressive mode

ALLOWED = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n  cisco_unity"


def aggressive(play):
    def allowed(lab):
        import tunnels
        tunnels.CHARON = tunnels.CHARON.replace("cisco_unity", ALLOWED)
        play(lab)
    return allowed


told("auth-failed", "ikev1-aggressive-wrong-secret", "IKEv1 aggressive mode with different pre-shared keys: the client cannot verify the server's hash, says so encrypted, and the server repeats its message",
     "the server's message [[isakmp.exchangetype==4 && ip.src==203.0.113.20]]", "isakmp", tools=SWAN)(aggressive(credentials(1, aggressive="yes", wait=8)))


@quiet("auth-failed", "not-aggressive-established", "silent — the tunnel stands", "IKEv1 aggressive mode; the tunnel is made and nothing is sent in it for twelve seconds", "isakmp", tools=SWAN)
@aggressive
def aggressive_well(lab):
    charon, _ = (Charon(lab, host, peer, version=1, aggressive="yes") for host, peer in ("cs", "sc"))
    lab.capture("c")
    charon.initiate()
    time.sleep(12)
    beside(lab)


# a service provider's tag with the customer's inside

def stacked(sends, back):
    """SYNs to a port where nothing comes back, and answered ones before; every frame carries the provider's tag 100."""
    def play(lab):
        for one, two in ("cs", "sc"):
            mac = sh(f"ip -n {lab.ns(two)} -o link show eth0").split("link/ether ")[1].split()[0]
            sh(f"ip -n {lab.ns(one)} neigh replace {lab.ip(two)} lladdr {mac} nud permanent dev eth0")

        def bare(frame):        # the kernel keeps the outer tag to itself
            inner, data = untag(frame.bytes)
            while data[12:14] == b"\x81\x00":
                inner, data = untag(data)
            return inner, data

        def port(inner, accepts):
            def rule(frame, out):
                if out:
                    return [(0.0, frame.bytes[:12] + b"\x81\x00\x00\x64\x81\x00" + inner.to_bytes(2, "big") + frame.bytes[12:], True)]
                tag, data = bare(frame)
                return [(0.0, data, False)] if tag == accepts else DROP
            return rule
        lab.wires["c"].rule, lab.wires["s"].rule = port(sends, sends), port(back, sends)
        lab.listen("s", 8080)
        lab.capture("g", "vlan", device="toc")
        one = lab.connect("c", "s", 8080, timeout=9)
        if one:
            one.close()
    return play


LINK = dict(hosts="c~lan.15 s~lan.20", tools=TRUNK, warm=False)
scenario("network/vlan-mismatch/stacked-tags", "`network.vlan-mismatch` — SYN-ACKs [[tcp.flags.syn==1 && tcp.flags.ack==1]]",
         "a provider's tag 100 on all frames; inside it SYNs carry VLAN 10, SYN-ACKs VLAN 20, and do not reach the client", "vlan", **LINK)(stacked(10, 20))
scenario("network/vlan-mismatch/not-stacked-alike", "silent", "a provider's tag 100, and inside it VLAN 10 both ways", "vlan", **LINK)(stacked(10, 10))


# one direction of a line that is well

def half(code, name, expect, shows, only, filter_="pppoed || ppp"):
    @scenario(f"network/{code}/{name}", expect, shows, filter_, hosts="c=lan.15 s=lan.20", tools=PPPOE)
    def play(lab):
        concentrator(lab)
        mac = sh(f"ip -n {lab.ns('c')} -o link show eth0").split("link/ether ")[1].split()[0]
        lab.capture("c", only % mac)
        lab.start("c", ["env", "PPP_END=client:secret", "PPP_SECONDS=16", "PPP_ECHO=1.5", "python3", LAB / "ppp_end.py", "pty", "pppoe -I eth0 -t 3 -m 1412"])
        time.sleep(10)


half("pppoe-failed", "not-one-direction", "silent — it goes on as if it had been answered, and its echoes have numbers of their own",
     "what the office's router sends, and nothing else: discovery, link control, login, an echo request every 1.5 s", f"({LINE}) and ether src %s")
half("pppoe-failed", "not-echoes-answered", "silent — every echo is answered", "the same in both directions", f"({LINE}) or (ether host %s and icmp)")


# what the capture's filter left out

@scenario("application/response-truncated/not-large-frames-left-out", "`capture.packets-dropped` — the client acknowledged what is not there",
          "captured with the filter `less 2000` where segments are merged to frames of up to 60 KiB: the end of each response is not in the capture, its FIN is [[tcp.flags.fin==1 && tcp.srcport==8080]]",
          "tcp", tools=MERGED, offload=True)
def left_out(lab):
    listener = lab.listen("s", 8080)
    lab.capture("s", "tcp and less 2000")
    for _ in range(3):
        one = lab.connect("c", "s", 8080)
        other, _ = listener.accept()
        lab.sockets.append(other)
        one.sendall(b"GET /list HTTP/1.1\r\nHost: invoices.example\r\n\r\n")
        other.recv(4096)
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 30300\r\n\r\n" + b"i" * 300)
        time.sleep(0.1)
        other.sendall(b"i" * 30000)
        time.sleep(0.1)
        other.close()
        while one.recv(65536):
            pass
        one.close()
