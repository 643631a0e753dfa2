"""Healthy mornings with their ordinary dirt: nothing may be told at `warning` or above, and no incident."""
import random

import actors
from office import CA, CLIENTS, DPPT, ETAX, PLATFORM, TPASS, WEB, Clerk, Person, at, morning
from stage import sh
from wire import DROP

SHOP = """
const ip = process.argv[2], seen = {};
require('http').createServer((q, r) => {
  q.resume(); q.on('end', () => {
    const json = (status, body, more) => { r.writeHead(status, {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...more}); r.end(body); };
    const path = q.url.split('/')[1];
    if (path == 'poll') return setTimeout(() => json(200, '{"news":[]}'), 22000);
    if (path == 'events') { r.writeHead(200, {'Content-Type': 'text/event-stream'}); let n = 0; const t = setInterval(() => { r.write(`data: ${n}\\n\\n`); if (++n > 4) { clearInterval(t); r.end(); } }, 4000); return; }
    if (path == 'old') return json(302, '', {'Location': '/v1/new'});
    if (path == 'page') { if (q.headers['if-none-match'] == '"7"') { r.writeHead(304, {'ETag': '"7"'}); return r.end(); } return json(200, JSON.stringify({page: 'x'.repeat(3000)}), {'ETag': '"7"'}); }
    if (path == 'mine') return q.headers.authorization ? json(200, '{"mine":1}') : json(401, '{"code":"LOGIN"}', {'WWW-Authenticate': 'Digest realm="office", nonce="7d1c", qop="auth"'});
    if (path == 'gone') { r.writeHead(204); return r.end(); }
    if (path == 'favicon.ico') return json(404, '{}');
    setTimeout(() => json(q.method == 'POST' ? 201 : 200, '{"code":"0","message":"ok"}'), 10 + Math.floor(Math.random() * 40));
  });
}).listen(80, ip);
"""
SHOPS = [("http", PLATFORM, 80, "/v1/invoices", '{"serial":"{n}"}'), ("https", DPPT, 8443, "/kpfw/v1/{n}"), ("http", PLATFORM, 80, "/page/1"),
         ("https", TPASS, 8443, "/oauth/{n}"), ("http", PLATFORM, 80, "/gone/{n}"), ("https", DPPT, 443, "/favicon.ico"), ("https", ETAX, 443, "/login/{n}")]


class Browser(Clerk):
    """A clerk whose errands are those of a browser: both families, page furniture, redirects, a login."""

    def run(self):
        import time
        time.sleep(0.3 + self.index * 0.5)
        errands = [(["-L"], PLATFORM, 80, "http", "/old/1"), ([], DPPT, 8443, "https", "/kpfw/v1/status"), (["--digest", "-u", "clerk:pw"], PLATFORM, 80, "http", "/mine/1"),
                   (["-H", 'If-None-Match: "7"'], PLATFORM, 80, "http", "/page/1"), ([], DPPT, 443, "https", "/favicon.ico"), (["-I"], WEB, 80, "http", "/"),
                   (["--max-time", "12"], PLATFORM, 80, "http", "/events/1"), ([], TPASS, 8443, "https", "/oauth/1")]
        turn = self.index
        while time.time() - self.begin < self.office.end:
            options, name, port, scheme, path = errands[turn % len(errands)]
            tls = "1.2" if scheme == "https" and self.index % 2 else None
            actors.curl(self.stage, *options, name=name, port=port, scheme=scheme, path=path, who=self.who, ca=CA, tls=tls)
            turn += 1
            time.sleep(self.random.uniform(3.5, 6.0))


def shop(office):
    office.portal("good", "TLSv1.2 TLSv1.3")
    office.stage.start("s", ["node", office.stage.write("shop.js", SHOP), "203.0.113.22"], 80)


def suffixes(office):
    for name in office.stage.everyone:
        open(f"/etc/netns/{name}/resolv.conf", "w").write("nameserver 192.0.2.1\nsearch office.example branch.office.example\noptions timeout:2 attempts:2 ndots:5\n")


def dual(office):
    office.six = True
    office.records[DPPT] = ["203.0.113.20", "2001:db8:2::20"]


@morning("morning-two-families", "", "silent", "both address families, the further one 300 ms away: races between families, names that are first sought under the office's own suffixes (NXDOMAIN), "
         "some segments in two hundred lost, TLS 1.2 and 1.3 with resumed sessions, servers that close what idles, redirects, a digest login, 304, 204, 404 of page furniture",
         "tcp.analysis.retransmission || dns.flags.rcode == 3 || tcp.flags.reset == 1", only="ip or ip6", stage={"rtt_ms": 24}, reopen=dual, path="incident/healthy/two-families")
def two_families(office):
    office.end = 80
    shop(office)
    suffixes(office)
    dice = random.Random(5)

    def rule(frame, out):
        if frame.ether == 0x86DD and frame.tcp:
            return [(0.3, frame.bytes, out)]
        return DROP if frame.tcp and frame.size > 0 and dice.random() < 0.005 else None
    office.stage.wire.rule = rule
    office.clerks = lambda office: ([Browser(office, n, office.begin) for n in range(5)]
                                    + [Person(office, n, office.begin, SHOPS, (3.0, 5.0), tls="1.2" if n % 2 else "1.3", keep=0.7, again=2) for n in range(5, CLIENTS)])
    yield


@morning("morning-kept", "", "silent", "connections that are kept for the whole of it, with rests of half a minute, long polls of 22 s, event streams, clients that end at once when they have their answer, a gateway that is restarted in its rules and forgets nothing",
         "http.request", path="incident/healthy/kept")
def kept(office):
    office.end = 110
    shop(office)
    office.nat()
    office.filter("ct state established,related accept")
    polls = [("http", PLATFORM, 80, "/poll/{n}"), ("http", PLATFORM, 80, "/events/{n}")]
    rest = [("https", DPPT, 8443, "/kpfw/v1/{n}")]
    office.clerks = lambda office: ([Person(office, n, office.begin, polls, (0.5, 2.0), keep=1.0, patience=40) for n in range(3)]
                                    + [Person(office, n, office.begin, rest, (31.0, 36.0), keep=1.0) for n in range(3, 6)]
                                    + [Person(office, n, office.begin, SHOPS, (4.0, 7.0), tls="1.2" if n % 2 else "1.3", keep=0.3) for n in range(6, CLIENTS)])
    yield
    at(office, 50, lambda: (sh(f"ip netns exec {office.stage.ns('g')} nft delete table inet lab"), office.filter("ct state established,related accept")))
