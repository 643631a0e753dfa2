"""Captures of connections that never came about: silence and refusal, from every vantage, and what only looks like them."""
import socket
import threading
import time

from moves import answer, ask, exchange, finish, whole
from net import QUIET, inside, reset, sh, until
from play import scenario
from wire import ACK, DROP, RST, SYN

SYNS = "tcp.flags.syn==1 && tcp.flags.ack==0"
REFUSED = "tcp.flags.reset==1 && tcp.seq==1 && tcp.ack==1"


def unanswered(name, shows, filter_=SYNS, note="", **lab):
    return scenario(f"transport/syn-unanswered/{name}", f"`transport.syn-unanswered` — SYN and retries: [[{filter_}]]{note}",
                    shows, filter_, **lab)


def refused(name, shows, note="", **lab):
    return scenario(f"transport/syn-refused/{name}", f"`transport.syn-refused` — SYN [[{SYNS}]], RST [[{REFUSED}]]{note}",
                    shows, "tcp.flags.syn==1 || tcp.flags.reset==1", **lab)


def silent(name, shows, why, filter_="tcp", **lab):
    return scenario(name, f"silent — {why}", shows, filter_, **lab)


# silence

@unanswered("drop-rule", "the server's firewall drops port 443; the client repeats its SYN; a ping to the same server is answered")
def drop_rule(lab):
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture()
    lab.run("c", ["ping", "-c1", "-q", lab.ip("s")])
    lab.connect("c", "s", 443, timeout=8)


unanswered("drop-rule-ipv6", "the same over IPv6; nothing else than the ping answered", ip6=True)(drop_rule)


@unanswered("dead-host-filter", "`host 203.0.113.99` as capture filter: the dead server's capture holds nothing but SYN and its retries",
            note=", the reverse path is not in the capture: confidence at most 0.75")
def dead_host(lab):
    sh(f"ip -n {lab.ns('g')} neigh add 203.0.113.99 lladdr 02:00:00:00:00:99 dev dc")
    lab.capture(only="host 203.0.113.99")
    lab.connect("c", "203.0.113.99", 443, timeout=6)


@unanswered("dead-host-beside-good", "one server answers, the other never does; the SYN retries of curl to the dead one", hosts="c=lan.15 s=dc.20",
            filter_="tcp.flags.syn==1 && ip.addr==203.0.113.99", tools="curl 7.88")
def dead_beside_good(lab):
    sh(f"ip -n {lab.ns('g')} neigh add 203.0.113.99 lladdr 02:00:00:00:00:99 dev dc")
    lab.capture()
    whole(lab)
    lab.run("c", ["curl", "-sk", "-m", "7", "https://203.0.113.99/kpfw/"])


@unanswered("new-port-each-try", filter_=SYNS + " && tcp.dstport==9443", shows="an application gives up after 4 s and tries again from a new port: three flows, none answered")
def new_ports(lab):
    lab.nft("s", "input", "tcp dport 9443 drop")
    lab.capture()
    whole(lab)
    for _ in range(3):
        lab.connect("c", "s", 9443, timeout=3.5)


@unanswered("synack-lost-on-the-way", "captured at the client: the server's SYN-ACKs are lost in the network, none arrives; a second server answers",
            filter_=SYNS + " && tcp.dstport==443", hosts="c~lan.15 s=dc.20 t=dc.21")
def synack_lost(lab):
    lab.wires["c"].rule = lambda f, out: DROP if f.synack and f.sport == 443 else None
    lab.listen("s", 443)
    lab.capture()
    whole(lab, server="t")
    lab.connect("c", "s", 443, timeout=6)


@unanswered("java-connect", "a Java client waits 7 s for a connection", tools="OpenJDK HttpURLConnection by single-file source")
def java_connect(lab):
    (lab.dir / "Ask.java").write_text("""
public class Ask { public static void main(String[] a) throws Exception {
  try (var s = new java.net.Socket()) { s.connect(new java.net.InetSocketAddress(a[0], 443), 7000); } catch (java.io.IOException e) { System.out.println(e); } } }
""")
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture()
    lab.run("c", ["ping", "-c1", "-q", lab.ip("s")])
    lab.run("c", ["java", "-Djava.net.preferIPv4Stack=true", "Ask.java", lab.ip("s")])


@unanswered("at-the-gateway", "captured at the gateway's inside: the SYN passes, nothing comes back from the server, which answers a ping")
def at_gateway(lab):
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture("g", device="lan")
    lab.run("c", ["ping", "-c1", "-q", lab.ip("s")])
    lab.connect("c", "s", 443, timeout=5)


@unanswered("two-clients", "two clients, each with SYN and retries, one dead service", hosts="c=lan.15 d=lan.16 s=dc.20")
def two_clients(lab):
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture("g", device="lan")
    lab.run("c", ["ping", "-c1", "-q", lab.ip("s")])
    lab.run("d", ["ping", "-c1", "-q", lab.ip("s")])
    other = threading.Thread(target=lambda: lab.connect("d", "s", 443, timeout=5))
    other.start()
    lab.connect("c", "s", 443, timeout=5)
    other.join()


@unanswered("tcp-only-drops-on-443", "port 8080 of the same server works, 443 is dropped", filter_=SYNS + " && tcp.dstport==443")
def port_dropped(lab):
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture()
    whole(lab)
    lab.connect("c", "s", 443, timeout=4)


# silence that is none

@silent("transport/syn-unanswered/not-one-sided", "only what the client sends is captured: SYN, then ACK and data", "the client goes on as if answered")
def one_sided(lab):
    lab.capture(only="tcp and src host 192.0.2.15")
    whole(lab)
    whole(lab)


@silent("transport/syn-unanswered/not-capture-ends", "the capture ends 0.4 s after the SYN, before any patience has passed", "undetermined", "tcp", hosts="c=lan.15 s=dc.20")
def ends_early(lab):
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture()
    whole(lab)
    lab.connect("c", "s", 443, timeout=0.4)
    lab.stop(0)


@silent("transport/syn-unanswered/not-given-up-at-once", "happy eyeballs: the IPv6 SYN is dropped, after 250 ms the client takes IPv4 and gives up the first",
        "a loser whose sibling connected in under 1 s", ip6=True)
def eyeballs(lab):
    lab.nft("s", "input", "meta nfproto ipv6 tcp dport 8080 drop")
    lab.capture()
    six = lab.socket("c", six=True)
    six.setblocking(False)
    six.connect_ex((lab.ip("s", True), 8080))
    time.sleep(0.25)
    listener = lab.listen("s", 8080, six=False)
    four = lab.connect("c", "s", 8080, six=False)
    other, _ = listener.accept()
    six.close()
    exchange(four, other)
    finish(four, other)


@silent("transport/syn-unanswered/not-port-reuse", "the same four-tuple again after TIME-WAIT: two whole connections on one source port", "port reuse is ordinary")
def port_reuse(lab):
    lab.ctl("c", ipv4_tcp_tw_reuse=1)
    lab.capture()
    for _ in range(2):
        one, other = lab.pair(8080, source=40123)
        exchange(one, other)
        other.close()                 # the server closes first, so the client's port is free at once
        one.recv(1)
        one.close()
        time.sleep(1.2)


# refusal

@refused("closed-port", "nobody listens on 443: the kernel answers the SYN with RST, ACK = ISN+1")
def closed_port(lab):
    lab.capture()
    lab.connect("c", "s", 443)


refused("closed-port-ipv6", "nobody listens on 443, IPv6", ip6=True)(closed_port)


@refused("nft-reject-with-reset", "the gateway's firewall answers in the server's name: reject with tcp reset")
def nft_reset(lab):
    lab.nft("g", "forward", "tcp dport 443 reject with tcp reset")
    lab.capture()
    lab.connect("c", "s", 443)


@refused("windows-repeats", "the client repeats a refused SYN twice after 0.5 s with the same ISN, as Windows does; each is refused again",
         hosts="c~lan.15 s=dc.20", tools="Linux's RST held back from Linux, its SYN repeated by the wire as Windows would")
def windows_repeats(lab):
    wire, seen = lab.wires["c"], []

    def rule(f, out):
        if f.syn and out and not seen:
            seen.append(f)
        return None
    wire.rule = rule
    lab.capture("g", device="lan")
    lab.connect("c", "s", 443)
    for _ in range(2):
        time.sleep(0.5)
        wire.inject(seen[0].bytes, True)
    time.sleep(0.3)


@refused("retried-by-application", "curl tries three times, 1 s and 2 s apart, from new ports", tools="curl --retry-connrefused")
def curl_retry(lab):
    lab.capture()
    lab.run("c", ["curl", "-s", "--retry", "2", "--retry-connrefused", "http://203.0.113.20:8080/kpfw/"])


@refused("java", "a Java client, refused", tools="OpenJDK java.net.Socket")
def java_refused(lab):
    (lab.dir / "Ask.java").write_text("public class Ask { public static void main(String[] a) throws Exception { "
                                      "try { new java.net.Socket(a[0], 443); } catch (java.io.IOException e) { System.out.println(e); } } }")
    lab.capture()
    lab.run("c", ["java", "-Djava.net.preferIPv4Stack=true", "Ask.java", lab.ip("s")])


@refused("at-the-server", "captured at the server; ttl 63 in, RST out")
def at_server(lab):
    lab.capture("s")
    lab.connect("c", "s", 8443)


@refused("service-stopped", "one exchange is good, then the service stops: the next connect is refused")
def service_stopped(lab):
    lab.capture()
    whole(lab)
    lab.connect("c", "s", 8080)


@silent("transport/syn-refused/not-loser", "IPv6 is refused at once, IPv4 connects: the loser of happy eyeballs", "the attempt connected in under 1 s",
        ip6=True, tools="curl, both addresses in hosts")
def refused_loser(lab):
    lab.etc("c", "hosts", f"{lab.ip('s', True)} api.example.com\n{lab.ip('s', False)} api.example.com\n")
    lab.capture()
    listener = lab.listen("s", 8080, six=False)
    def serve():
        other, _ = listener.accept()
        other.recv(65536)
        other.sendall(answer())
        other.recv(1)
        other.close()
    server = threading.Thread(target=serve)
    server.start()
    lab.run("c", ["curl", "-s", "http://api.example.com:8080/kpfw/"])
    server.join()


@silent("transport/syn-refused/not-reset-in-old-connection", "the RST does not acknowledge the SYN: a late answer of an old connection, the SYN is answered all the same",
        "RFC 9293 3.10.7.3: such a RST is not acceptable", hosts="c~lan.15 s=dc.20")
def stale_reset(lab):
    def rule(f, out):
        if f.syn and out:
            lab.wires["c"].inject(f.forge(RST, seq=77, ack=0, ttl=63), False)
    lab.wires["c"].rule = rule
    lab.capture()
    whole(lab)
