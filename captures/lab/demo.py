#!/usr/bin/env python3
"""Plays `captures/demo.pcapng`: a bad morning in an office of seven, three causes amid traffic that is well.

The capture is taken on the inside of the office's gateway. From the start the tax office's portal sends an intermediate
certificate that has ended; after forty seconds a firewall beyond the capture drops port 8443 of one address; from the sixtieth
second on the invoice platform is overloaded, until it recovers. Runs about three minutes of real time, as root.
"""
import random
import subprocess
import threading
import time

import actors
import pki
from stage import CAPTURES, Stage, sh

DPPT, ETAX, TPASS = "dppt.beijing.chinatax.gov.cn", "etax.beijing.chinatax.gov.cn", "tpass.beijing.chinatax.gov.cn"
PLATFORM, WEB = "api.einvoice.example", "www.office-supplies.example"
ADDRESSES = {DPPT: "203.0.113.20", ETAX: "203.0.113.21", PLATFORM: "203.0.113.22", TPASS: "203.0.113.23", WEB: "203.0.113.24"}
BLOCKED_AT, OVERLOAD_FROM, OVERLOAD_TO, END = 40, 60, 140, 165

OVERLOADED = """
const [from, to] = process.argv.slice(2).map(Number), start = Date.now();
let n = 0;
require('http').createServer((q, r) => {
  let body = ''; q.on('data', d => body += d);
  q.on('end', () => {
    const t = (Date.now() - start) / 1000, busy = t > from && t < to, shed = busy && n++ % 4 != 0;
    setTimeout(() => {
      if (shed) { r.writeHead(503, {'Content-Type': 'application/json', 'Retry-After': '20', 'Connection': 'close'}); r.end('{"code":"BUSY","message":"too many tasks in queue"}'); }
      else { r.writeHead(200, {'Content-Type': 'application/json'}); r.end(JSON.stringify({code: '0', message: 'ok', queue: busy ? 512 : 3, bytes: body.length})); }
    }, busy ? 600 + 900 * (n % 3) / 3 : 20 + n % 7);
  });
}).listen(80, '203.0.113.22');
"""


def site(name, port, chain, tls, text, kind="application/json"):
    secure = chain is not None
    crypt = f"ssl_certificate {actors.PKI}/{chain}.pem; ssl_certificate_key {actors.keyfile(chain)}; ssl_protocols {tls};" if secure else ""
    return (f"server {{ listen {ADDRESSES[name]}:{port} {'ssl' if secure else ''}; server_name {name}; {crypt} "
            f"location = /favicon.ico {{ return 404; }} location / {{ default_type {kind}; return 200 '{text}'; }} }}\n")


def servers(stage):
    page = "<!doctype html><title>portal</title>" + "<p>notice</p>" * 60
    actors.nginx(stage, port=8443, servers="".join([
        site(DPPT, 8443, "good", "TLSv1.2 TLSv1.3", actors.JSON), site(DPPT, 443, "good", "TLSv1.2 TLSv1.3", page, "text/html"),
        site(ETAX, 443, "under-expired", "TLSv1.2", page, "text/html"), site(TPASS, 8443, "good-ec", "TLSv1.2 TLSv1.3", actors.JSON),
        site(WEB, 80, None, "", page, "text/html")]))
    stage.used("node")
    stage.start("s", ["node", stage.write("platform.js", OVERLOADED), OVERLOAD_FROM, OVERLOAD_TO], 80)
    records = [f"--host-record={name},{ip}" for name, ip in ADDRESSES.items()]
    stage.used("dnsmasq")
    stage.start("g", ["dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--local-ttl=300", "--user=root", "--listen-address=192.0.2.1",
                      "--bind-interfaces", f"--pid-file={stage.dir}/dns.pid", "--local=/example/", "--local=/cn/", "--local=/wpad/", *records], 53)


class Clerk(threading.Thread):
    """One client: goes round its duties until the morning ends, each endpoint about every twenty seconds."""

    def __init__(self, stage, index, begin):
        super().__init__()
        self.stage, self.who, self.index, self.begin = stage, "c" if index == 0 else f"c{index}", index, begin
        self.random = random.Random(index)

    def run(self):
        duties = [self.issue, self.portal, self.upload, self.login, self.browse]
        turn = self.index
        time.sleep(0.5 + self.index * 0.7)
        while time.time() - self.begin < END:
            duties[turn % len(duties)](turn)
            turn += 1
            time.sleep(self.random.uniform(3.2, 5.0))

    def fetch(self, *options, **more):
        actors.curl(self.stage, "--connect-timeout", "12", *options, who=self.who, **more)

    def issue(self, turn):
        if turn % 2 and self.index % 2:
            self.fetch(name=DPPT, port=443, path="/")
            return
        self.fetch(name=DPPT, port=8443, path=f"/kpfw/spHandler?serial={self.index}{turn:04}")

    def portal(self, turn):
        if self.index == 5:
            actors.java(self.stage, name=ETAX, port=443, path="/login-web/", who=self.who)
        elif self.index == 3:
            actors.node(self.stage, name=ETAX, port=443, path="/login-web/", who=self.who, tls="1.2")
        else:
            self.fetch(name=ETAX, path="/login-web/")

    def upload(self, turn):
        body = f'{{"serial":"2611240{self.index}{turn:04}","buyer":"Example Trading {turn}","amount":"{100 + turn}.00","tax":"{13 + self.index}.00"}}'
        self.fetch("-d", body, "-H", "Content-Type: application/json; charset=utf-8", name=PLATFORM, port=80, scheme="http", path="/v2/invoices")

    def login(self, turn):
        if self.index in (2, 6):
            actors.python(self.stage, name=TPASS, port=8443, path="/sys-api/v1.0/auth/user", who=self.who, count=2)
        else:
            self.fetch(name=TPASS, port=8443, path="/sys-api/v1.0/auth/user")

    def browse(self, turn):
        if self.index == 4:
            self.stage.run(self.who, ["ping", "-c", "2", "-q", ADDRESSES[DPPT]])
        self.fetch("-A", "Mozilla/5.0", name=WEB, port=80, scheme="http", path="/")
        if turn < 8:
            self.fetch("-A", "Mozilla/5.0", name=WEB, port=80, scheme="http", path="/favicon.ico")


def comment(raw, out):
    """Writes the pcapng, with a word at the first frame of each cause."""
    words = []
    for display, text in ((f"ip.dst == {ADDRESSES[DPPT]} && tcp.dstport == 8443 && tcp.analysis.retransmission", "port 8443 of this address no longer answers"),
                          ("tls.alert_message.desc == 45", "the client finds an expired certificate in the chain"),
                          ("http.response.code == 503", "the platform begins to turn requests away")):
        first = subprocess.run(["tshark", "-n", "-r", raw, "-Y", display, "-T", "fields", "-e", "frame.number"],
                               capture_output=True, text=True).stdout.split()[0]
        words += ["-a", f"{first}:{text}"]
    subprocess.run(["editcap", "-F", "pcapng", *words, raw, out], check=True)


def main():
    pki.ensure()
    with Stage(clients=7) as stage:
        for ip in list(ADDRESSES.values())[1:]:
            sh(f"ip -n {stage.ns('s')} addr add {ip}/24 dev eth0")
        for name in stage.everyone:
            open(f"/etc/netns/{name}/hosts", "w").write("127.0.0.1 localhost\n")
            open(f"/etc/netns/{name}/resolv.conf", "w").write("nameserver 192.0.2.1\n")
        servers(stage)
        stage.capture("g", only="not ip6", device="br0")
        begin = time.time()
        clerks = [Clerk(stage, n, begin) for n in range(7)]
        for clerk in clerks:
            clerk.start()
        time.sleep(BLOCKED_AT)
        stage.nft(f"ip daddr {ADDRESSES[DPPT]} tcp dport 8443 ct state new drop")
        for clerk in clerks:
            clerk.join()
        stage.stop(1)
        size = stage.raw.stat().st_size
        assert size < 1_000_000, size
        comment(stage.raw, CAPTURES / "demo.pcapng")
        print(size, ", ".join(actors.version(t) for t in stage.tools + ["tcpdump"]))


if __name__ == "__main__":
    main()
