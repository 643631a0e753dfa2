"""Mornings on which certificates are replaced, addresses move, connections rest too long, floods come, a gateway drops.

`incidents.py` plays them. Beside each stands its near-miss: the same change with nothing lost by it.
"""
import threading
import time

from office import ANSWERS, BREAKS, CLIENTS, DPPT, ETAX, MENDS, PKI, PLATFORM, TPASS, WEB, Person, at, morning
from stage import sh
from transport_flood import FLOOD

OLD, BOTH = PKI / "trusted.pem", PKI / "everything.pem"
CHAINS = "ip.addr == 203.0.113.21 && (tls.handshake.type == 11 || tls.alert_message)"


def everybody(**plan):
    return lambda office: [Person(office, n, office.begin, **plan) for n in range(CLIENTS)]


def open_as_usual(office):
    office.answer("203.0.113.22")
    office.portal("good", "TLSv1.2 TLSv1.3")


# certificates

@morning("intermediate-expired", "certificate-expired", "`security.cert-expired`, `security.cert-changed`",
         "etax.beijing.chinatax.gov.cn renews its certificate at second 25 and sends the old intermediate with it, which ended four days ago", CHAINS)
def intermediate_expired(office):
    open_as_usual(office)
    office.clerks = everybody(tls="1.2")
    yield
    at(office, BREAKS, lambda: office.portal("renewed", "TLSv1.2"))


@morning("intermediate-expired-hidden", "certificate-expired", "`security.cert-expired`, `security.cert-rejected`, `security.cert-changed`",
         "the same, where eight clients speak TLS 1.3, whose certificates cannot be seen, and two TLS 1.2", CHAINS)
def intermediate_expired_hidden(office):
    open_as_usual(office)
    office.clerks = lambda office: [Person(office, n, office.begin, tls="1.2" if n in (2, 6) else "1.3") for n in range(CLIENTS)]
    yield
    at(office, BREAKS, lambda: office.portal("renewed", "TLSv1.2 TLSv1.3"))


@morning("certificate-replaced", "certificate-replaced", "`security.cert-chain-incomplete`, `security.cert-changed`",
         "etax.beijing.chinatax.gov.cn changes to a certificate of another authority at second 25, whose root no client has", CHAINS)
def certificate_replaced(office):
    open_as_usual(office)
    office.clerks = everybody(tls="1.2")
    yield
    at(office, BREAKS, lambda: office.portal("replaced", "TLSv1.2"))


@morning("old-trust-stores", "client-trust-store-outdated", "`security.cert-chain-incomplete`, `security.cert-changed`",
         "etax.beijing.chinatax.gov.cn changes to a certificate of another authority at second 25; seven clients have its root, three have not", CHAINS)
def old_trust_stores(office):
    open_as_usual(office)
    office.clerks = lambda office: [Person(office, n, office.begin, tls="1.2", ca=str(OLD if n in (1, 4, 8) else BOTH)) for n in range(CLIENTS)]
    yield
    at(office, BREAKS, lambda: office.portal("replaced", "TLSv1.2"))


@morning("certificate-renewed", "", "silent", "etax.beijing.chinatax.gov.cn changes to a certificate of another authority, which all clients know", CHAINS,
         path="incident/certificate-replaced/not-refused")
def certificate_renewed(office):
    open_as_usual(office)
    office.clerks = everybody()
    yield
    at(office, BREAKS, lambda: office.portal("good-ec", "TLSv1.2"))


# an address that moves

KEEPALIVED = """
global_defs {{ vrrp_garp_master_repeat 2 }}
vrrp_instance invoices {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {every}
  virtual_ipaddress {{ 203.0.113.22/24 }}
}}
"""
VIP = "arp.src.proto_ipv4 == 203.0.113.22 || vrrp"


def two_machines(office):
    office.machines.clear()
    office.machine("a", "203.0.113.41/24")
    office.machine("b", "203.0.113.42/24")
    office.machines.append("203.0.113.22")


def pair(office, every):
    """Two machines with the platform on both; keepalived gives its address to the first, and to the second when that is gone."""
    office.portal("good", "TLSv1.2 TLSv1.3")
    stage = office.stage
    for who, priority in (("a", 200), ("b", 100)):
        stage.start(who, ["node", stage.write("answers.js", ANSWERS), "203.0.113.22", 80, 0, 0, "keep"], 80)
        conf = stage.write(f"keepalived-{who}.conf", KEEPALIVED.format(priority=priority, every=every))
        stage.start(who, ["keepalived", "-n", "-l", "-f", conf, "-p", stage.dir / f"{who}.pid", "-r", stage.dir / f"{who}v.pid", "-c", stage.dir / f"{who}c.pid"])
    stage.used("keepalived")
    end = time.time() + 60
    while "203.0.113.22" not in sh(f"ip -n {stage.ns('a')} addr show dev eth0"):
        if time.time() > end:
            raise RuntimeError(stage.said())
        time.sleep(0.3)
    time.sleep(2)


def busy(pause=(1.5, 3.0), keep=0.5):
    duties = [("http", PLATFORM, 80, "/v1/invoices", '{"serial":"{n}"}'), ("https", DPPT, 8443, "/kpfw/v1/{n}"),
              ("http", PLATFORM, 80, "/v1/status/{n}"), ("https", TPASS, 8443, "/oauth/{n}")]
    return everybody(duties=duties, pause=pause, keep=keep)


def failover(name, every, expect, shows, path=None, cause="load-balancer-failover"):
    @morning(name, cause, expect, shows, VIP, device="dc0", only="ip or arp", reopen=two_machines, path=path)
    def play(office):
        pair(office, every)
        office.clerks = busy()
        yield
        at(office, BREAKS, lambda: sh(f"ip -n {office.stage.ns('g')} link set toa down"))


failover("vip-failover-4s", 1, "`network.vip-moved`", "the machine that holds 203.0.113.22 loses its cable at second 25; its standby takes the address over some four seconds later")
failover("vip-failover-25s", 8, "`network.vip-moved`", "the machine that holds 203.0.113.22 loses its cable at second 25; its standby, told by one VRRP advertisement in eight seconds, takes the address over some twenty-five seconds later")


@morning("vip-failover-harmless", "", "`network.vip-moved`", "keepalived of the machine that holds 203.0.113.22 is stopped at second 24 and gives the address to its standby, between two requests; nothing is lost", VIP,
         device="dc0", only="ip or arp", reopen=two_machines, path="incident/vip-failover-4s/not-nothing-lost")
def vip_harmless(office):
    pair(office, 1)
    office.clerks = everybody(duties=[("http", PLATFORM, 80, "/v1/status/{n}"), ("https", DPPT, 8443, "/kpfw/v1/{n}")], pause=(9.0, 9.0), starts=2.0)
    yield
    first = next(one for one in office.stage.processes if any("keepalived-a" in str(word) for word in one.args))
    at(office, 24, lambda: office.stage.end(first))


# connections that rest

def resting(verdict, name, timeout, expect, cause, shows, path=None, filter="tcp.time_delta > 30 || tcp.analysis.retransmission || tcp.flags.reset == 1"):
    @morning(name, cause, expect, shows, filter, path=path)
    def play(office):
        open_as_usual(office)
        office.end = 150
        office.nat()
        office.filter("ct state established,related accept", "tcp flags & (fin|syn|rst|ack) == syn accept", f"meta l4proto tcp {verdict}")
        office.kept(timeout)
        # A bridge's own RSTs would leave it unseen.
        sh(f"ip netns exec {office.stage.ns('g')} sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true")

        def people(office):
            keepers = [Person(office, n, office.begin, duties=[("https", DPPT, 8443, "/kpfw/v1/{n}"), ("https", TPASS, 8443, "/oauth/{n}")][n % 2:n % 2 + 1],
                              pause=(36.0, 44.0), keep=1.0, patience=10) for n in range(6)]
            return keepers + [Person(office, n, office.begin) for n in range(6, CLIENTS)]
        office.clerks = people
        yield


resting("drop", "nat-idle", 20, "`transport.idle-dropped`", "nat-idle-timeout",
        "six clients keep their connections and ask every forty seconds; the gateway forgets a connection after twenty and drops what it does not know; four others connect anew each time")
resting("reject with tcp reset", "nat-idle-reset", 20, "`transport.idle-dropped`", "nat-idle-timeout",
        "the same, where the gateway answers what it does not know with a RST")
resting("drop", "nat-idle-survives", 300, "silent", "", "six clients keep their connections and ask every forty seconds; the gateway remembers them for five minutes",
        path="incident/nat-idle/not-forgotten", filter="tcp.time_delta > 30")


# a flood

def flooded(name, expect, cause, shows, cookies, path=None, retries=2):
    @morning(name, cause, expect, shows, "tcp.flags.syn == 1 && ip.dst == 203.0.113.22", device="up0", packed=True, path=path)
    def play(office):
        stage = office.stage
        gateway, server, foe = stage.ns("g"), stage.ns("s"), stage.ns("f")
        sh(f"ip netns add {foe}; ip -n {foe} link set lo up; ip link add eth0 netns {foe} type veth peer name ext0 netns {gateway}; "
           f"ip -n {gateway} addr add 198.51.100.1/24 dev ext0; ip -n {gateway} link set ext0 up; ip -n {foe} addr add 198.51.100.9/24 dev eth0; "
           f"ip -n {foe} link set eth0 up; ip -n {foe} route add default via 198.51.100.1; ip -n {gateway} route add blackhole default")
        stage.everyone.append(foe)
        sh(f"ip netns exec {server} sysctl -qw net.ipv4.tcp_syncookies={cookies} net.core.somaxconn={64 if not cookies else 4096} net.ipv4.tcp_no_metrics_save=1 "
           f"net.ipv4.tcp_max_syn_backlog={64 if not cookies else 4096} net.ipv4.tcp_synack_retries={retries}")
        open_as_usual(office)
        office.clerks = busy(pause=(2.0, 4.0), keep=0.0)
        yield
        code = FLOOD.replace("443, choose.randrange(1 << 32)", "80, choose.randrange(1 << 32)")
        at(office, BREAKS, lambda: stage.run("f", ["python3", "-c", code, "203.0.113.22", 215, 18, "forged"], 60))


flooded("syn-flood", "`transport.syn-flood`", "ddos", "forged SYNs, 215 a second, fill the backlog of 203.0.113.22 port 80 from second 25 to 43; the office's clients fail there meanwhile", 0)
flooded("syn-flood-lasting", "`transport.syn-flood`", "ddos", "the same, where the server goes on repeating its SYN-ACKs for a minute after the flood", 0, retries=5)
flooded("syn-flood-harmless", "`transport.syn-flood`", "ddos", "the same flood on a server with SYN cookies: every client comes through", 1, path="incident/syn-flood/not-hurting")


# a gateway, seen from both sides

SIDES, SLOWLY = ["br0", "up0"], (6.0, 10.0)


def gateway(name, cause, expect, shows, *rules, path=None, filter="tcp.flags.syn == 1", nat=True, heals=None):
    @morning(name, cause, expect, shows, filter, device=SIDES, path=path)
    def play(office):
        open_as_usual(office)
        if nat:
            office.nat()
        office.clerks = everybody(pause=SLOWLY)
        yield
        if rules:
            at(office, BREAKS, lambda: office.filter(*rules))
        if heals:
            at(office, heals, lambda: sh(f"ip netns exec {office.stage.ns('g')} nft delete table inet lab"))


DROPS = "ip daddr 203.0.113.22 tcp flags & (syn|ack) == syn drop"
gateway("gateway-drops", "gateway-dropped", "`transport.syn-unanswered`",
        "the gateway, captured on both sides of its address translation, lets no SYN to 203.0.113.22 out from second 25 on", DROPS)
gateway("gateway-drops-some", "gateway-dropped", "`transport.syn-unanswered`, `transport.connect-slow`",
        "the gateway, captured on both sides of its address translation, loses seven in eight SYNs from second 25 to 58, whomever they are for", "tcp flags & (syn|ack) == syn numgen random mod 8 < 7 drop", heals=MENDS)
gateway("gateway-routes-drops", "gateway-dropped", "`transport.syn-unanswered`",
        "the gateway, captured on both sides and translating nothing, lets no SYN to 203.0.113.22 out from second 25 on", DROPS, nat=False)
gateway("gateway-healthy", "", "silent", "the gateway, captured on both sides of its address translation, drops nothing", path="incident/gateway-drops/not-healthy")


@morning("gateway-passes", "server-down", "`network.host-silent`", "all leaves the gateway, captured on both sides of its address translation; 203.0.113.22 answers nothing from second 25 on", "tcp.flags.syn == 1",
         device=SIDES, path="incident/gateway-drops/not-the-gateway")
def gateway_passes(office):
    open_as_usual(office)
    office.nat()
    office.clerks = everybody(pause=SLOWLY)
    yield
    server = office.stage.ns("s")
    at(office, BREAKS, lambda: sh(f"ip netns exec {server} nft 'add table inet lab; add chain inet lab in {{ type filter hook input priority 0; }}; "
                                  "add rule inet lab in ip daddr 203.0.113.22 drop'"))
