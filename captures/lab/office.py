"""The office of ten: clients, servers of five services, the gateway between them, and the people at work.

A morning is a function that breaks something while the people work; `play` sets the stage, captures, and writes the note. The
clients are 192.0.2.15 to .24 and 2001:db8:1::15 on. A morning that needs more machines than the one server puts them on the
servers' link with `Office.machine`, and captures there (`device="dc0"`).
"""
import gzip
import json
import pathlib
import random
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
      r.writeHead(shed ? 503 : 200, {'Content-Type': 'application/json', ...(kind == 'keep' ? {} : {'Connection': 'close'})});
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


def site(ip, port, chain, tls="TLSv1.2 TLSv1.3", idle=65, more=""):
    crypt = f"ssl_certificate {PKI}/{chain}.pem; ssl_certificate_key {actors.keyfile(chain)}; ssl_protocols {tls};" if chain else ""
    shown = f"[{ip}]" if ":" in ip else ip
    return (f"server {{ listen {shown}:{port} {'ssl' if chain else ''}; server_name _; {crypt} keepalive_requests 1000; keepalive_timeout {idle}s; "
            f"location = /favicon.ico {{ return 404; }} location = /robots.txt {{ return 404; }} "
            f"{more} location / {{ default_type application/json; return 200 '{actors.JSON}'; }} }}\n")


class Office:
    """The town of servers, the clerks, and what may break."""

    def __init__(self, stage):
        self.stage, self.records, self.platform = stage, {name: list(all) for name, all in ADDRESSES.items()}, {}
        self.etax, self.machines, self.end, self.old_store = None, [], END, None
        self.clerks, self.tls, self.six = None, "TLSv1.2 TLSv1.3", False

    def answer(self, ip, port=80, bad=(0, 0), kind="", key=None):
        self.platform[key or ip] = self.stage.start("s", ["node", self.stage.write("answers.js", ANSWERS), ip, port, *bad, kind], port)

    def open(self):
        stage = self.stage
        here = [ip for all in self.records.values() for ip in all if ip not in self.machines]
        for ip in here:
            if ip not in (stage.server_ip4, stage.server_ip6):
                sh(f"ip -n {stage.ns('s')} addr add {ip}/{64 if ':' in ip else 24} dev eth0")
        for name in stage.everyone:
            # Tail loss probes on a busy machine would look like loss.
            sh(f"ip netns exec {name} sysctl -qw net.ipv4.tcp_early_retrans=0")
            open(f"/etc/netns/{name}/hosts", "w").write("127.0.0.1 localhost\n")
            open(f"/etc/netns/{name}/resolv.conf", "w").write("nameserver 192.0.2.1\noptions timeout:2 attempts:2\n")
        actors.nginx(stage, port=8443, servers="".join([
            site("203.0.113.20", 8443, "good", self.tls), site("203.0.113.20", 443, "good", self.tls),
            site("203.0.113.23", 8443, "good-ec", self.tls), site("203.0.113.24", 80, None),
            site("203.0.113.22", 8080, None) if "203.0.113.22" in here else "",
            *([site("2001:db8:2::20", port, "good", self.tls, 5) for port in (443, 8443)] if self.six else [])]))
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

    def machine(self, who, *addresses):
        """One more machine on the servers' link, which becomes a bridge of the gateway."""
        stage, gateway, own = self.stage, self.stage.ns("g"), self.stage.ns(who)
        lines = []
        if not self.machines:
            lines += [f"ip -n {gateway} link add dc0 type bridge mcast_snooping 0", f"ip -n {gateway} link set dc0 up",
                      f"ip -n {gateway} addr flush dev up0", f"ip -n {gateway} link set up0 master dc0",
                      f"ip -n {gateway} addr add 203.0.113.1/24 dev dc0", f"ip -n {gateway} addr add 2001:db8:2::1/64 dev dc0 nodad"]
        lines += [f"ip netns add {own}", f"ip -n {own} link set lo up",
                  f"ip link add eth0 netns {own} type veth peer name to{who} netns {gateway}",
                  f"ip netns exec {own} sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0",
                  f"ip -n {gateway} link set to{who} master dc0"]
        for space, device in ((gateway, f"to{who}"), (own, "eth0")):
            lines += [f"ip -n {space} link set {device} up", f"ip netns exec {space} ethtool -K {device} tx off rx off tso off gso off gro off"]
        for address in addresses:
            lines.append(f"ip -n {own} addr add {address} dev eth0")
        lines += [f"ip -n {own} route add default via 203.0.113.1 || true", f"ip -n {own} -6 route add default via 2001:db8:2::1 || true"]
        (stage.dir / f"{who}.sh").write_text("set -e\n" + "\n".join(lines) + "\n")
        sh(f"bash {stage.dir}/{who}.sh >/dev/null")
        stage.everyone.append(own)
        (pathlib.Path("/etc/netns") / own).mkdir(parents=True, exist_ok=True)
        self.machines += [address.split("/")[0] for address in addresses] or [who]

    def nat(self, device="up0"):
        """The gateway hides the clients behind its own address."""
        sh(f"ip netns exec {self.stage.ns('g')} nft 'add table ip nat; add chain ip nat post {{ type nat hook postrouting priority 100; }}; "
           f"add rule ip nat post oifname {device} masquerade'")
        self.stage.used("nftables")

    def kept(self, seconds, loose=0):
        """How long the gateway remembers a connection that says nothing."""
        sh(f"ip netns exec {self.stage.ns('g')} sysctl -qw net.netfilter.nf_conntrack_tcp_loose={loose} "
           f"net.netfilter.nf_conntrack_tcp_timeout_established={seconds} net.netfilter.nf_conntrack_tcp_timeout_unacknowledged={seconds}")


def office_pool(office):
    return office.records[PLATFORM]


class Clerk(threading.Thread):
    """One client: goes round its duties until the morning ends, each errand a program of its own."""

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
        while time.time() - self.begin < self.office.end:
            name, port, scheme = duties[turn % len(duties)]
            if port == 8080 and len(office_pool(self.office)) > 1:
                port = 80
            if scheme == "https" and self.ca != CA:
                actors.node(self.stage, path="/v1/", name=name, port=port, ca=self.ca, who=self.who)
            else:
                actors.curl(self.stage, "-4", "--connect-timeout", "8", name=name, port=port, scheme=scheme, path=f"/v1/{turn}", who=self.who, ca=self.ca)
            turn += 1
            time.sleep(self.random.uniform(5.0, 8.0))


PERSON = """
import http.client, json, random, socket, ssl, sys, time
plan = json.loads(sys.argv[1])
dice, sessions, kept = random.Random(plan['seed']), {}, {}
family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(plan.get('family'))
asked = socket.getaddrinfo
if family:
    socket.getaddrinfo = lambda host, port, *rest, **more: asked(host, port, family, socket.SOCK_STREAM)
context = ssl.create_default_context(cafile=plan['ca'])
context.maximum_version = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[plan.get('tls', '1.3')]


class Secure(http.client.HTTPSConnection):
    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host, session=sessions.get((self.host, self.port)))


def dial(scheme, name, port):
    one = (Secure(name, port, context=context, timeout=plan['patience']) if scheme == 'https'
           else http.client.HTTPConnection(name, port, timeout=plan['patience']))
    one.connect()
    return one


def ask(duty, keep):
    scheme, name, port, path = duty[:4]
    body = duty[4] if len(duty) > 4 else None
    key = (scheme, name, port)
    one = kept.pop(key, None) or dial(*key)
    try:
        one.request('POST' if body else 'GET', path.replace('{n}', str(dice.randrange(10**8))), body and body.replace('{n}', str(dice.randrange(10**8))),
                    {'Accept': 'application/json', **({'Content-Type': 'application/json'} if body else {}), **({} if keep else {'Connection': 'close'})})
        answer = one.getresponse()
        answer.read()
        if scheme == 'https' and one.sock:
            sessions[name, port] = one.sock.session
    except BaseException:
        one.close()
        raise
    if keep and one.sock:
        kept[key] = one
    else:
        one.close()


def work():
    time.sleep(max(0, plan['begin'] + plan['starts'] - time.time()))
    turn = plan['seed']
    while time.time() < plan['begin'] + plan['end']:
        duty = plan['duties'][turn % len(plan['duties'])]
        for attempt in range(1 + plan.get('again', 1)):
            try:
                ask(duty, dice.random() < plan.get('keep', 0))
                break
            except Exception as error:
                print(round(time.time() - plan['begin'], 1), duty[:3], repr(error), flush=True)
                time.sleep(dice.uniform(0.5, 1.5))
        turn += 1
        time.sleep(dice.uniform(*plan['pause']))


work()
"""
DUTIES = [("https", DPPT, 8443, "/kpfw/v1/{n}"), ("http", PLATFORM, 80, "/v1/invoices", '{"serial":"{n}"}'), ("https", DPPT, 443, "/page/{n}"),
          ("https", TPASS, 8443, "/oauth/{n}"), ("https", ETAX, 443, "/login/{n}"), ("http", WEB, 80, "/shop/{n}")]


class Person(threading.Thread):
    """One client as one program: Python's http.client, which may keep connections and resume sessions."""

    def __init__(self, office, index, begin, duties=DUTIES, pause=(4.0, 7.0), **plan):
        super().__init__()
        self.office, self.who = office, "c" if index == 0 else f"c{index}"
        self.plan = {"seed": index, "begin": begin, "starts": 0.3 + index * 0.4, "end": office.end, "duties": duties, "pause": pause,
                     "patience": 8, "ca": str(CA), "family": 4, **plan}

    def run(self):
        self.office.stage.python(self.who, PERSON, json.dumps(self.plan), timeout=self.office.end + 120)


MORNINGS = {}


def morning(name, cause, expect, shows, filter, path=None, device="br0", only="not ip6", packed=False, reopen=None, stage=None, capturing=None):
    """Registers a morning; `path` is its capture below captures/, without suffix."""
    def register(play):
        MORNINGS[name] = dict(cause=cause, expect=expect, shows=shows, filter=filter, play=play, path=path or f"incident/{name}/office",
                              device=device, only=only, packed=packed, reopen=reopen, stage=stage or {}, capturing=capturing)
        return play
    return register


def at(office, second, do):
    time.sleep(max(0, office.begin + second - time.time()))
    do()


def certificates():
    """A leaf of today under the intermediate that has ended, and one of another authority."""
    if not (PKI / "renewed.pem").exists():
        pki.leaf("renewed", "ca-expired", -0.02, 365)
        pki.chain("renewed", "renewed", "ca-expired")
        pki.leaf("replaced", "ca-other", -0.02, 365)
        pki.chain("replaced", "replaced", "ca-other")


def record(stage, one):
    """Starts a tcpdump a device."""
    raws = []
    for device in [one["device"]] if isinstance(one["device"], str) else one["device"]:
        stage.capture(one["capturing"] or "g", only=one["only"], device=device)
        raws.append((stage.raw, stage.capture_process))
        stage.raw.rename(stage.dir / f"{device}.pcap")
        raws[-1] = (stage.dir / f"{device}.pcap", stage.capture_process)
    return raws


def keep(stage, one, raws):
    """Writes the capture: of one device as it is, of several merged."""
    target = CAPTURES / one["path"]
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(target.name + ".pcap*"):
        old.unlink()
    files = [str(path) for path, _ in raws]
    if len(files) == 1:
        file = target.with_name(target.name + ".pcap")
        sh(f"tshark -n -r {files[0]} -F pcap -w {file}")
    else:
        file = target.with_name(target.name + ".pcapng")
        sh(f"mergecap -F pcapng -w {file} {' '.join(files)}")
    if one["packed"]:
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
        file.unlink()
        file = file.with_name(file.name + ".gz")
    return target, file


def play(name):
    one = MORNINGS[name]
    pki.ensure()
    certificates()
    stage = Stage(clients=CLIENTS, **one["stage"])
    stage.tag = "inc" + stage.tag
    with stage:
        office = Office(stage)
        if one["reopen"]:
            one["reopen"](office)
        office.open()
        steps = one["play"](office)
        next(steps)
        raws = record(stage, one)
        office.begin = time.time()
        if office.clerks:
            clerks = office.clerks(office)
        else:
            clerks = [Clerk(office, n, office.begin, PKI / "other.crt" if n == office.old_store else CA) for n in range(CLIENTS)]
        for clerk in clerks:
            clerk.start()
        next(steps, None)
        for clerk in clerks:
            clerk.join()
        time.sleep(1)
        for _, process in raws:
            stage.capture_process = process
            stage.stop(0)
        target, file = keep(stage, one, raws)
        tools = ", ".join(actors.version(tool) for tool in stage.tools + ["tcpdump"] if actors.version(tool))
        where = {"br0": "on the inside of the office's gateway", "up0": "on the outside of the office's gateway",
                 "dc0": "on the servers' link"}.get(str(one["device"]), "on both sides of the office's gateway")
        cause = f"- **Cause**: `{one['cause']}`\n" if one["cause"] else ""
        target.with_name(target.name + ".md").write_text(
            f"- **Source**: {tools} {where}, {time.strftime('%Y-%m-%d')}, in network namespaces; "
            f"`captures/lab/incidents.py {name}`\n- **Shows**: ten clients (192.0.2.15 to .24), five services, some {round(office.end / 10) * 10} seconds: {one['shows']}\n"
            f"- **Expect**: {one['expect']}\n{cause}- **Filter**: `{one['filter']}`\n")
        print(name, file.stat().st_size, flush=True)
        print(stage.said(), flush=True)
