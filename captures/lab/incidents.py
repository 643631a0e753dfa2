#!/usr/bin/env python3
"""Plays `captures/incident/<name>/office.pcap`: an office of ten for about seventy seconds, and one cause in it.

    incidents.py --list
    incidents.py NAME…

The capture is taken on the inside of the office's gateway, which is its resolver too. Clerks go round five services; at a moment
of the script something breaks. The note beside the capture names the cause that must be argued first (`Cause`). Root is needed.
"""
import sys
import threading
import time

import actors
import calm
import disguised
import troubles
from office import BREAKS, CA, DPPT, MENDS, MORNINGS, PLATFORM, POLL, POOL, at, morning, play
from stage import sh


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
         "http.response.code == 503", reopen=lambda office: office.records.update({PLATFORM: POOL}))
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


if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words == ["--list"]:
        print("\n".join(MORNINGS) if words else __doc__)
    for name in words:
        if name != "--list":
            play(name)
