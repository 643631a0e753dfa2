"""Mornings whose cause does not show itself: a hole for large packets on the way back, resets in the server's name, a block page without a name.

`incidents.py` plays them. Beside each stands its near-miss: the same look, and what it looks like is true.
"""
from office import BREAKS, PLATFORM, POOL, at, morning
from stage import sh
from troubles import busy, everybody, open_as_usual

REFUSED = "tcp.flags.reset == 1 && tcp.srcport == 8443"


# large packets vanish on the way back

@morning("mtu-hole-back", "mtu-blackhole", "`network.pmtu-blackhole`",
         "from second 25 on packets of more than 1,420 bytes vanish between the servers and the office, and nobody says so; small answers arrive",
         "tcp.analysis.lost_segment || tcp.options.sack_le")
def mtu_hole_back(office):
    open_as_usual(office)
    office.clerks = everybody(again=0)
    yield
    at(office, BREAKS, lambda: office.filter("ip saddr 203.0.113.0/24 ip length > 1420 drop"))


# resets in the server's name

def refusing(name, rtt_ms, disguised, shows, path=None):
    @morning(name, "firewall-blocks-port", "`transport.syn-refused`", shows, REFUSED, path=path, stage=dict(rtt_ms=rtt_ms))
    def play(office):
        open_as_usual(office)
        office.clerks = everybody(again=0)
        yield
        gateway = office.stage.ns("g")
        if disguised:
            sh(f"ip netns exec {gateway} nft 'add table ip mask; add chain ip mask out {{ type filter hook output priority 0; }}; "
               "add rule ip mask out tcp flags & rst == rst ip ttl set 63'")
        sh(f"ip netns exec {gateway} sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true")
        at(office, BREAKS, lambda: office.filter("ip daddr 203.0.113.20 tcp dport 8443 reject with tcp reset"))


refusing("firewall-resets", 30, True,
         "a firewall near the office answers SYNs to port 8443 of 203.0.113.20 with a RST from second 25 on, with the server's own TTL; the server is thirty milliseconds away")
refusing("firewall-resets-nearer", 0, False, "a firewall one hop before the server answers SYNs to port 8443 of 203.0.113.20 with a RST from second 25 on", path="incident/firewall-resets/nearer")


@morning("service-ends-far-away", "service-down", "`transport.syn-refused`",
         "the service on port 80 of 203.0.113.22, thirty milliseconds away, ends at second 25; port 8080 of the same host serves on", "tcp.flags.reset == 1 && tcp.srcport == 80",
         path="incident/firewall-resets/not-the-firewall", stage=dict(rtt_ms=30))
def service_ends(office):
    open_as_usual(office)
    office.clerks = everybody(again=0, duties=[("http", PLATFORM, 80, "/v1/status/{n}"), ("http", PLATFORM, 8080, "/page/{n}")])
    yield
    at(office, BREAKS, lambda: office.stage.end(office.platform["203.0.113.22"]))


# a refusal by nobody in particular

GUARDED = """
const kind = process.argv[2], start = Date.now();
require('http').createServer((q, r) => {
  q.resume(); q.on('end', () => {
    const said = (status, type, body, more) => { r.writeHead(status, {'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...more}); r.end(body); };
    const late = Date.now() - start > 25000 && q.method == 'POST';
    if (late && kind == 'page') return said(403, 'text/html; charset=utf-8', '<html><head><title>Access denied</title></head><body><h1>Your request was refused</h1><p>Event ' + Math.random().toString(36).slice(2) + '</p></body></html>', {'Server': 'edge'});
    if (late) return said(403, 'application/json', '{"code":"NO_PERMISSION","message":"this account may not issue"}', {'Server': 'invoices/4.2'});
    setTimeout(() => said(q.method == 'POST' ? 201 : 200, 'application/json', '{"code":"0","message":"ok"}', {'Server': 'invoices/4.2'}), 15);
  });
}).listen(80, '203.0.113.22');
"""


def guarded(name, kind, cause, shows, path=None):
    @morning(name, cause, "`application.http-forbidden`", shows, "http.response.code == 403", path=path)
    def play(office):
        office.portal("good", "TLSv1.2 TLSv1.3")
        office.stage.start("s", ["node", office.stage.write("guarded.js", GUARDED), kind], 80)
        office.clerks = busy()
        yield


guarded("unknown-waf", "page", "waf-block", "from second 25 on whatever is sent to api.einvoice.example by POST is answered 403 with a page of HTML, signed by another server; questions by GET are answered with JSON as before")
guarded("unknown-waf-not", "json", "auth-expired", "from second 25 on the service itself refuses what is sent by POST: 403 with its own JSON", path="incident/unknown-waf/not-the-service-itself")


# a member of a pool that everybody gets round

@morning("pool-member-refuses", "", "silent", "api.einvoice.example has three addresses; at second 20 the service at the one that ends in .32 ends, and clients that meet it go on to the next at once",
         "tcp.flags.reset == 1", path="incident/pool-member-bad/not-passed-at-once", reopen=lambda office: office.records.update({PLATFORM: POOL}))
def pool_member_refuses(office):
    for ip in POOL:
        office.answer(ip, key=ip)
    office.portal("good", "TLSv1.2 TLSv1.3")
    office.clerks = busy()
    yield
    at(office, 20, lambda: office.stage.end(office.platform["203.0.113.32"]))
