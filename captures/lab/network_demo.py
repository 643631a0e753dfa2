"""The demonstration capture: one bad morning of a branch office, captured at its gateway."""
import subprocess
import threading

from moves import NAME, answer
from network_dns import A, LOOK, NOERROR, SERVFAIL, Resolver
from play import scenario

HOSTS = "c=lan.15 a=lan.16 b=lan.17 e=lan.18 s=dc.20 t=dc.30 u=dc.40 d=dns.53"
PLACES = {NAME: "203.0.113.20", "inv-veri.chinatax.gov.cn": "203.0.113.30", "etax.beijing.chinatax.gov.cn": "203.0.113.40"}
LOOKS = LOOK.replace(", 5)", ", 6)")


def service(lab, host):
    listener = lab.listen(host, 8080)
    listener.settimeout(None)

    def work():
        while True:
            try:
                other, _ = listener.accept()
            except OSError:
                return
            other.recv(65536)
            other.sendall(answer())
            other.recv(1)
            other.close()
    threading.Thread(target=work, daemon=True).start()


@scenario("demo.pcapng", "`network.dns-servfail` `transport.syn-refused` `transport.syn-unanswered` — three causes for four clients, beside good traffic: "
          "SERVFAIL [[dns.flags.rcode==2]], RST [[tcp.flags.reset==1 && tcp.seq==1]], SYNs into silence [[frame.time_relative>0.6 && tcp.flags.syn==1 && tcp.flags.ack==0 && ip.dst==203.0.113.40]]",
          "four clients look up and reach three invoicing services; then the resolver fails for one name, one service stops, and a firewall drops the way to the third",
          "dns || tcp.flags.syn==1 || tcp.flags.reset==1", tools="glibc's resolver, a scripted DNS server, nftables", hosts=HOSTS)
def demo(lab):
    resolver, broken = Resolver(lab), set()
    resolver.part = lambda n, k: (0.006, SERVFAIL, []) if n in broken else (0.004, NOERROR, [PLACES[n]] if k == A and n in PLACES else [])
    for host in "abe":
        lab.etc(host, "resolv.conf", "nameserver 198.51.100.53\noptions timeout:2 attempts:2\n")
    for host in "stu":
        service(lab, host)
    first, second, third = PLACES

    def look(host, name):
        lab.run(host, ["python3", "-c", LOOKS, name])

    path = lab.capture("g", device="lan")
    for host in "cabe":
        for name in PLACES:
            look(host, name)
    broken.add(first)
    lab.nft("t", "input", "tcp dport 8080 reject with tcp reset")
    tries = [threading.Thread(target=look, args=pair) for pair in (("c", first), ("a", second), ("b", first))]
    lab.nft("g", "forward", "ip daddr 203.0.113.40 tcp dport 8080 drop")
    tries += [threading.Thread(target=look, args=pair) for pair in (("e", third), ("a", third))]
    for one in tries:
        one.start()
    for one in tries:
        one.join()
    lab.stop()
    out = lab.dir / "demo.pcapng"
    subprocess.run(["editcap", "-F", "pcapng", path, out], check=True)
    return out
