"""Captures in which one certificate must be seen beside another: replaced, or signed by somebody on the way."""
import signal
import time

from actors import *  # noqa: F403
from stage import NAME, PKI, sh
from tls_cert import N, case

CERT = "tls.handshake.type == 11"


def told(code, name, expect, shows, server, client, **more):
    more.setdefault("filter", CERT)
    case(f"security/{code}/{name}", expect, shows, server, client, **more)


def swap(chains, client, **nginx_options):
    """The client before and after nginx is started again with the next chain."""
    def play(st):
        for number, (chain, times) in enumerate(chains):
            if number:
                st.end(st.web)
                st.web = nginx(st, chain, tls="1.2", **nginx_options)
            for _ in range(times):
                client(st)
    return play


def first(chain, **options):
    def start(st):
        st.web = nginx(st, chain, tls="1.2", **options)
    return start


# cert-changed
told("cert-changed", "new-issuer-refused", ["security.cert-changed", "security.cert-untrusted-root"],
     "two requests are served, then the server comes back with a certificate of another, private issuer, which curl refuses twice",
     first("good"), swap([("good", 2), ("private-with-root", 2)], lambda st: curl(st)))
told("cert-changed", "renewed-without-intermediate-ipv6", ["security.cert-changed", "security.cert-chain-incomplete"],
     "the renewed certificate comes without its intermediate, and curl refuses it, over IPv6 on port 8443",
     first("good", port=8443), swap([("good", 1), ("good-ec-bare", 1)], lambda st: curl(st, port=8443), port=8443), ip6=True)
told("cert-changed", "renewed-and-accepted", ["security.cert-changed"], "the certificate is replaced by one of another issuer that the client trusts as well",
     first("good"), swap([("good", 2), ("good-ec", 2)], lambda st: curl(st)), note="information only: nobody fails")


def two_keys(st):
    haproxy(st, "listen a\n  mode tcp\n  bind :::443 v4v6\n  balance roundrobin\n  server a 127.0.0.1:4431\n  server b 127.0.0.1:4432\n", 443)


told("cert-changed", "not-pool-in-turn", [], "two members of a pool show their two certificates in turn",
     lambda st: (nginx(st, "good", port=4431, tls="1.2"), nginx(st, "good-ec", port=4432, tls="1.2"), two_keys(st)),
     lambda st: [curl(st) for _ in range(6)])
told("cert-changed", "not-one-for-each-key", [], "one server with an RSA and an ECDSA certificate; each client gets the one for its suites",
     lambda st: nginx(st, "good", tls="1.2", extra=f"ssl_certificate {PKI}/good-ec.pem; ssl_certificate_key {keyfile('good-ec')};"),
     lambda st: (curl(st, "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"), curl(st, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", who="c1")), clients=2, at="s")


# cert-intercepted
def on_the_way(chain, victim="192.0.2.16"):
    """nginx at the gateway ends the TLS of one client and speaks TLS to the server by itself."""
    def start(st):
        nginx(st, "good", tls="1.2")
        st.write("way.conf", f"""daemon off; user root; worker_processes 1; pid {st.dir}/way.pid; error_log {st.dir}/way.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {st.dir}/wb; proxy_temp_path {st.dir}/wp; fastcgi_temp_path {st.dir}/wf;
uwsgi_temp_path {st.dir}/wu; scgi_temp_path {st.dir}/ws;
server {{ listen 9443 ssl; ssl_certificate {chain(st)[0]}; ssl_certificate_key {chain(st)[1]}; ssl_protocols TLSv1.2;
location / {{ proxy_pass https://{st.server_ip4}:443; proxy_ssl_server_name on; proxy_ssl_name {NAME}; }} }} }}""")
        st.start("g", ["nginx", "-c", st.dir / "way.conf"], 9443)
        n = st.ns("g")
        sh(f"ip netns exec {n} nft add table ip way")
        sh(f"ip netns exec {n} nft 'add chain ip way before {{ type nat hook prerouting priority -100; }}'")
        sh(f"ip netns exec {n} nft 'add rule ip way before ip saddr {victim} tcp dport 443 redirect to :9443'")
        st.used("nftables")
    return start


def office(st):
    return PKI / "private-with-root.pem", keyfile("private")


def product(subject):
    """A CA with a product's name, and what it signs for the server's name."""
    def make(st):
        d = st.dir
        if not (d / "dev.pem").exists():
            sh(f"cd {d} && openssl req -x509 -newkey rsa:2048 -nodes -keyout devca.key -out devca.crt -days 3650 -subj '{subject}' 2>/dev/null"
               f" && openssl req -newkey rsa:2048 -nodes -keyout dev.key -out dev.csr -subj '/CN={NAME}' 2>/dev/null"
               f" && printf 'subjectAltName=DNS:{NAME}\\nbasicConstraints=CA:FALSE\\n' > dev.ext"
               f" && openssl x509 -req -in dev.csr -CA devca.crt -CAkey devca.key -CAcreateserial -days 365 -extfile dev.ext -out dev.crt 2>/dev/null"
               f" && cat dev.crt devca.crt > dev.pem")
        return d / "dev.pem", d / "dev.key"
    return make


def both(client):
    """The gateway's two ports, merged by time: its bridge shows addresses that were translated already."""
    def play(st):
        second = st.dir / "second.pcap"
        tcpdump = st.start("g", ["tcpdump", "--immediate-mode", "-Z", "root", "-i", "p1", "-U", "-s", "0", "-w", second, "tcp"])
        time.sleep(0.5)
        client(st)
        time.sleep(0.4)
        st.end(tcpdump, signal.SIGINT)
        st.stop()
        merged = st.dir / "merged.pcap"
        sh(f"mergecap -F pcap -w {merged} {st.raw} {second}")
        st.raw = merged
    return play


WAY = dict(clients=2, device="p0", at="g")
told("cert-intercepted", "one-client-of-two-refuses", ["security.cert-intercepted"],
     "the gateway ends the TLS of 192.0.2.16 with a certificate of the office's own CA, which curl refuses; 192.0.2.15 sees the server's",
     on_the_way(office), both(lambda st: (curl(st), curl(st, who="c1"), curl(st), curl(st, who="c1"))), **WAY)
told("cert-intercepted", "one-client-of-two-accepts", ["security.cert-intercepted"],
     "the same, and 192.0.2.16 checks nothing and is served", on_the_way(office), both(lambda st: (curl(st), curl(st, who="c1", ca=None), curl(st))), **WAY)
told("cert-intercepted", "inspecting-firewall", ["security.cert-intercepted"],
     "an inspecting firewall signs for the name with its own CA; curl refuses", on_the_way(product("/C=US/O=Fortinet/OU=Certificate Authority/CN=FGT60E4Q16000000"), "192.0.2.0/24"),
     lambda st: curl(st), at="g", device="p0")
told("cert-intercepted", "debugging-proxy-accepted", ["security.cert-intercepted"],
     "a debugging proxy's certificate is accepted by a client that trusts it", on_the_way(product("/O=mitmproxy/CN=mitmproxy"), "192.0.2.0/24"),
     lambda st: curl(st, ca=None), at="g", device="p0")
told("cert-intercepted", "not-private-for-all", ["security.cert-untrusted-root"], "both clients are shown the same certificate of a private issuer; one refuses it",
     N("private-with-root"), both(lambda st: (curl(st, ca=None), curl(st, who="c1"))), **WAY)
told("cert-intercepted", "not-two-trusted-issuers", [], "two clients are shown certificates of two issuers, both trusted",
     lambda st: nginx(st, "good", tls="1.2", extra=f"ssl_certificate {PKI}/good-ec.pem; ssl_certificate_key {keyfile('good-ec')};"),
     both(lambda st: (curl(st, "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"), curl(st, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", who="c1"))), **WAY)
