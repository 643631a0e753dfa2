#!/usr/bin/env python3
"""Plays `captures/incident/<name>/office.pcap`: an office of ten for about seventy seconds, and one cause in it.

    incidents.py --list
    incidents.py NAME…

The capture is taken on the inside of the office's gateway, which is its resolver too. Clerks go round five services; at a moment
of the script something breaks. The note beside the capture names the cause that must be argued first (`Cause`). Root is needed.
"""
import random
import sys
import threading
import time

import actors
import pki
from stage import CAPTURES, PKI, Stage, sh

DPPT, ETAX, TPASS = "dppt.beijing.chinatax.gov.cn", "etax.beijing.chinatax.gov.cn", "tpass.beijing.chinatax.gov.cn"
PLATFORM, WEB = "api.einvoice.example", "www.office-supplies.example"
ADDRESSES = {DPPT: ["203.0.113.20"], ETAX: ["203.0.113.21"], PLATFORM: ["203.0.113.22"], TPASS: ["203.0.113.23"],
             WEB: ["203.0.113.24"]}
POOL = ["203.0.113.31", "203.0.113.32", "203.0.113.33"]
CLIENTS, BREAKS, MENDS, END = 10, 25, 58, 72
CA = PKI / "trusted.pem"

ANSWERS = """
const [ip, port, from, to, kind] = process.argv.slice(2), start = Date.now();
let n = 0;
require('http').createServer((q, r) => {
  q.resume(); q.on('end', () => {
    const t = (Date.now() - start) / 1000, bad = t > +from && t < +to, shed = bad && (kind != 'busy' || n++ % 3 != 0);
    setTimeout(() => {
      r.writeHead(shed ? 503 : 200, {'Content-Type': 'application/json', 'Connection': 'close'});
      r.end(shed ? '{"code":"BUSY"}' : '{"code":"0","message":"ok"}');
    }, bad && kind == 'busy' ? 500 + 400 * (n % 3) : 15 + n % 7);
  });
}).listen(+port, ip);
"""
POLL = """
import http.client, sys, time
h = http.client.HTTPConnection(sys.argv[1], 80, timeout=30)
for n in range(35):
    h.request('GET', f'/notice/{n}')
    h.getresponse().read()
    time.sleep(2)
"""


def site(ip, port, chain, tls):
    crypt = f"ssl_certificate {PKI}/{chain}.pem; ssl_certificate_key {actors.keyfile(chain)}; ssl_protocols {tls};" if chain else ""
    return (f"server {{ listen {ip}:{port} {'ssl' if chain else ''}; server_name _; {crypt} keepalive_requests 1000; "
            f"location / {{ default_type application/json; return 200 '{actors.JSON}'; }} }}\n")


class Office:
    """The town of servers, the clerks, and what may break."""

    def __init__(self, stage):
        self.stage, self.records, self.platform = stage, dict(ADDRESSES), {}
        self.etax = None

    def answer(self, ip, port=80, bad=(0, 0), kind="", key=None):
        self.platform[key or ip] = self.stage.start("s", ["node", self.stage.write("answers.js", ANSWERS), ip, port, *bad, kind], port)

    def open(self):
        stage = self.stage
        ips = [ip for all in self.records.values() for ip in all]
        for ip in ips[1:]:
            sh(f"ip -n {stage.ns('s')} addr add {ip}/24 dev eth0")
        for name in stage.everyone:
            # Tail loss probes on a busy machine would look like loss.
            sh(f"ip netns exec {name} sysctl -qw net.ipv4.tcp_early_retrans=0")
            open(f"/etc/netns/{name}/hosts", "w").write("127.0.0.1 localhost\n")
            open(f"/etc/netns/{name}/resolv.conf", "w").write("nameserver 192.0.2.1\noptions timeout:2 attempts:2\n")
        actors.nginx(stage, port=8443, servers="".join([
            site("203.0.113.20", 8443, "good", "TLSv1.3"), site("203.0.113.20", 443, "good", "TLSv1.3"),
            site("203.0.113.23", 8443, "good-ec", "TLSv1.3"), site("203.0.113.24", 80, None, ""),
            site("203.0.113.22", 8080, None, "") if "203.0.113.22" in ips else ""]))
        stage.used("node", "dnsmasq")
        records = [f"--host-record={name},{ip}" for name, all in self.records.items() for ip in all]
        self.dns = stage.start("g", ["dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--local-ttl=2", "--user=root",
                                     "--listen-address=192.0.2.1", "--bind-interfaces", f"--pid-file={stage.dir}/dns.pid",
                                     "--local=/example/", "--local=/cn/", *records], 53)

    def portal(self, chain, tls="TLSv1.3"):
        if self.etax:
            self.stage.end(self.etax)
        self.etax = actors.nginx(self.stage, port=443, servers=site("203.0.113.21", 443, chain, tls))

    def filter(self, *rules):
        self.stage.nft(*rules)

    def unfilter(self):
        sh(f"ip netns exec {self.stage.ns('g')} nft flush ruleset")


def office_pool(office):
    return office.records[PLATFORM]


class Clerk(threading.Thread):
    """One client: goes round its duties until the morning ends."""

    def __init__(self, office, index, begin, ca=CA):
        super().__init__()
        self.office, self.stage, self.index, self.begin, self.ca = office, office.stage, index, begin, ca
        self.who = "c" if index == 0 else f"c{index}"
        self.random = random.Random(index)

    def run(self):
        duties = [(DPPT, 8443, "https"), (PLATFORM, 80, "http"), (DPPT, 443, "https"), (TPASS, 8443, "https"), (ETAX, 443, "https"),
                  (PLATFORM, 8080, "http"), (WEB, 80, "http")]
        turn = self.index
        time.sleep(0.3 + self.index * 0.5)
        while time.time() - self.begin < END:
            name, port, scheme = duties[turn % len(duties)]
            if port == 8080 and len(office_pool(self.office)) > 1:
                port = 80
            if scheme == "https" and self.ca != CA:
                actors.node(self.stage, path="/v1/", name=name, port=port, ca=self.ca, who=self.who)
            else:
                actors.curl(self.stage, "-4", "--connect-timeout", "8", name=name, port=port, scheme=scheme, path=f"/v1/{turn}", who=self.who, ca=self.ca)
            turn += 1
            time.sleep(self.random.uniform(5.0, 8.0))


MORNINGS = {}


def morning(name, cause, expect, shows, filter):
    def register(play):
        MORNINGS[name] = dict(cause=cause, expect=expect, shows=shows, filter=filter, play=play)
        return play
    return register


def at(office, second, do):
    time.sleep(max(0, office.begin + second - time.time()))
    do()


@morning("port-blocked", "firewall-blocks-port", "`transport.syn-unanswered`",
         "a firewall beyond the gateway drops port 8443 of 203.0.113.20 from second 25 on; port 443 of the same address serves",
         "tcp.dstport == 8443 && tcp.flags.syn == 1 && ip.dst == 203.0.113.20")
def port_blocked(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    at(office, BREAKS, lambda: office.filter("ip daddr 203.0.113.20 tcp dport 8443 ct state new drop"))


@morning("service-stopped", "service-down", "`transport.syn-refused`",
         "the service on port 80 of 203.0.113.22 ends at second 25; port 8080 of the same host serves on",
         "ip.src == 203.0.113.22 && tcp.flags.reset == 1")
def service_stopped(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    at(office, BREAKS, lambda: office.stage.end(office.platform["203.0.113.22"]))


@morning("host-down", "server-down", "`network.host-silent`",
         "from second 25 on nothing comes from 203.0.113.22, on port 80 or 8080; all other servers answer",
         "ip.dst == 203.0.113.22 && tcp.flags.syn == 1")
def host_down(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    at(office, BREAKS, lambda: office.filter("ip daddr 203.0.113.22 drop", "ip saddr 203.0.113.22 drop"))


@morning("egress-lost", "egress-lost", "`network.egress-lost`, `transport.connect-slow`",
         "from second 25 to 58 nothing leaves the office; the resolver on its own network answers all the time",
         "tcp.flags.syn == 1 && tcp.flags.ack == 0")
def egress_lost(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    at(office, BREAKS, lambda: office.filter("drop"))
    at(office, MENDS, office.unfilter)


@morning("nat-table-full", "nat-table-full", "`transport.syn-unanswered`, `transport.connect-slow`",
         "from second 25 to 58 the gateway lets no new connection out; three clients that poll on connections from before go on",
         "tcp.flags.syn == 1 && tcp.flags.ack == 0")
def nat_table_full(office):
    office.answer("203.0.113.22")
    office.portal("good")
    office.filter("ct state established accept")      # connection tracking is on before the table is full
    pollers = [threading.Thread(target=office.stage.python, args=(who, POLL, "203.0.113.24"), kwargs={"timeout": 120}) for who in ("c", "c4", "c7")]
    yield
    [poller.start() for poller in pollers]
    at(office, BREAKS, lambda: office.filter("ct state new drop"))
    at(office, MENDS, office.unfilter)
    [poller.join() for poller in pollers]


@morning("dns-outage", "dns-outage", "`network.dns-timeout`, `network.dns-slow`",
         "the office's resolver hears no question from second 25 to 58; whatever is reached by address would be well",
         "dns")
def dns_outage(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    gateway = office.stage.ns("g")
    at(office, BREAKS, lambda: sh(f"ip netns exec {gateway} nft 'add table inet deaf; add chain inet deaf in {{ type filter hook input priority 0; }}; "
                                  "add rule inet deaf in udp dport 53 drop'"))
    office.stage.used("nftables")
    at(office, MENDS, office.unfilter)


@morning("pool-member-bad", "load-balancer-member-bad", "`application.http-503`",
         "api.einvoice.example has three addresses; from second 12 on the one that ends in .32 answers 503 at once, its siblings are well",
         "http.response.code == 503")
def pool_member_bad(office):
    for ip in POOL:
        office.answer(ip, bad=(12, 999) if ip.endswith(".32") else (0, 0), key=ip)
    office.portal("good")
    yield


@morning("overload", "server-overload", "`application.http-503`",
         "api.einvoice.example answers late and turns two in three requests away from second 25 to 58, without a Retry-After",
         "http.response.code == 503")
def overload(office):
    office.answer("203.0.113.22", bad=(BREAKS, MENDS), kind="busy")
    office.portal("good")
    yield


@morning("certificate-expired", "certificate-expired", "`security.cert-expired`",
         "etax.beijing.chinatax.gov.cn is restarted at second 25 with a certificate that has ended",
         "ip.addr == 203.0.113.21 && (tls.handshake.type == 11 || tls.alert_message)")
def certificate_expired(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield
    at(office, BREAKS, lambda: office.portal("expired", "TLSv1.2"))


@morning("one-old-trust-store", "client-trust-store-outdated", "`security.cert-rejected-inferred`",
         "the client at 192.0.2.18 lacks the root that all services use; the nine others have it",
         "ip.addr == 192.0.2.18 && tls")
def one_old_trust_store(office):
    office.answer("203.0.113.22")
    office.portal("good")
    office.old_store = 3
    yield


@morning("one-client-banned", "client-banned", "`transport.syn-unanswered`",
         "the client at 192.0.2.19 asks dppt.beijing.chinatax.gov.cn fifty times in half a minute and is silenced there at second 40; the others come through",
         "ip.addr == 192.0.2.19 && tcp.flags.syn == 1")
def one_client_banned(office):
    office.answer("203.0.113.22")
    office.portal("good")

    def burst():
        for turn in range(50):
            actors.curl(office.stage, "--connect-timeout", "8", name=DPPT, port=8443, path=f"/burst/{turn}", who="c4", ca=CA)
            time.sleep(0.4)
    thread = threading.Thread(target=burst)
    yield
    at(office, 14, thread.start)
    at(office, 40, lambda: office.filter("ip saddr 192.0.2.19 ip daddr 203.0.113.20 drop"))
    thread.join()


@morning("healthy", "", "silent", "nothing breaks", "tcp")
def healthy(office):
    office.answer("203.0.113.22")
    office.portal("good")
    yield


def play(name):
    one = MORNINGS[name]
    pki.ensure()
    with Stage(clients=CLIENTS) as stage:
        office = Office(stage)
        if name == "pool-member-bad":
            office.records[PLATFORM] = POOL
        office.open()
        office.old_store = None
        steps = one["play"](office)
        next(steps)
        stage.capture("g", only="not ip6", device="br0")
        office.begin = time.time()
        clerks = [Clerk(office, n, office.begin, PKI / "other.crt" if n == office.old_store else CA) for n in range(CLIENTS)]
        for clerk in clerks:
            clerk.start()
        next(steps, None)
        for clerk in clerks:
            clerk.join()
        stage.stop(1)
        folder = CAPTURES / "incident" / name
        folder.mkdir(parents=True, exist_ok=True)
        sh(f"tshark -n -r {stage.raw} -F pcap -w {folder}/office.pcap")
        tools = ", ".join(actors.version(tool) for tool in stage.tools + ["tcpdump"] if actors.version(tool))
        cause = f"- **Cause**: `{one['cause']}`\n" if one["cause"] else ""
        (folder / "office.md").write_text(
            f"- **Source**: {tools} on the inside of the office's gateway, {time.strftime('%Y-%m-%d')}, in network namespaces; "
            f"`captures/lab/incidents.py {name}`\n- **Shows**: ten clients (192.0.2.15 to .24), five services, some seventy seconds: {one['shows']}\n"
            f"- **Expect**: {one['expect']}\n{cause}- **Filter**: `{one['filter']}`\n")
        print(name, stage.raw.stat().st_size)


if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words == ["--list"]:
        print("\n".join(MORNINGS) if words else __doc__)
    for name in words:
        if name != "--list":
            play(name)
