"""Captures of a Java client that asks an OCSP responder about the server's certificate before it goes on."""
from actors import *  # noqa: F403
from actors import JAVA
from stage import LAB, NAME, PKI, sh
from tls_cert import case

OCSP = "ocsp.trust.example"
ASKED = 'tls.handshake.type == 11 || dns || (tcp.port == 80 && ip.addr)'
MAKE = r"""
set -e
cp PKI/root-rsa.key ca.key; cp PKI/root-rsa.crt ca.crt
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj "/CN=HOST"
printf "subjectAltName=DNS:HOST\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nauthorityInfoAccess=OCSP;URI:http://ASKED\n" > leaf.ext
openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile leaf.ext -out leaf.crt
cat leaf.crt > leaf.pem
"""


def server(knows=True, responder=False, filter_=None):
    """nginx with a certificate that names the responder, and a name server that may know it."""
    def start(st):
        st.used("nginx", "dnsmasq", "openssl")
        d = st.dir
        (d / "make.sh").write_text(MAKE.replace("HOST", NAME).replace("ASKED", OCSP).replace("PKI", str(PKI)))
        sh(f"cd {d} && bash make.sh 2>/dev/null")
        (d / "asked.conf").write_text(f"""daemon off; user root; worker_processes 1; pid {d}/n.pid; error_log {d}/n.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
server {{ listen 443 ssl; listen [::]:443 ssl; ssl_certificate {d}/leaf.pem; ssl_certificate_key {d}/leaf.key; ssl_protocols TLSv1.2;
location / {{ default_type application/json; return 200 '{{}}'; }} }} }}""")
        st.start("s", ["nginx", "-c", d / "asked.conf"], 443)
        records = [f"--host-record={NAME},{st.server_ip}"] + ([f"--host-record={OCSP},{st.server_ip}"] if knows else [])
        st.start("s", ["dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--pid-file=", "--user=root", "--local=/trust.example/", *records], 53)
        if responder:
            serial = sh(f"openssl x509 -in {d}/leaf.crt -noout -serial").strip().split("=")[1]
            (d / "index.txt").write_text(f"V\t361231235959Z\t\t{serial}\tunknown\t/CN={NAME}\n")
            st.start("s", ["openssl", "ocsp", "-port", "80", "-index", d / "index.txt", "-CA", d / "ca.crt", "-rsigner", d / "ca.crt", "-rkey", d / "ca.key", "-ndays", "2"], 80)
        if filter_:
            st.nft(filter_)
        etc = f"/etc/netns/{st.ns('c')}"
        open(f"{etc}/hosts", "w").write("127.0.0.1 localhost\n")
        open(f"{etc}/resolv.conf", "w").write(f"nameserver {st.server_ip}\noptions timeout:2 attempts:1\n")
    return start


def ask(soft=False):
    def go(st):
        st.used("java")
        st.write("check.security", "ocsp.enable=true\n")
        argv = JAVA + [f"-Djava.security.properties={st.dir}/check.security", "-Dcom.sun.net.ssl.checkRevocation=true", "-Dcom.sun.security.ocsp.timeout=6",
                       "-Djdk.tls.client.enableStatusRequestExtension=false", "-Djava.net.preferIPv4Stack=true"]
        st.run("c", argv + ["-cp", LAB / ".work", "Tls", "client", "url", f"https://{NAME}/kpfw/v1/health", "ca", st.dir / "ca.crt"])
    return go


def told(name, shows, server_, expect=("security.revocation-unreachable",), **more):
    case(f"security/revocation-unreachable/{name}", list(expect), shows, server_, ask(), filter=ASKED, **more)


told("responder-refuses", "nothing listens at the OCSP responder; the Java client closes the handshake", server())
told("responder-filtered", "a filter drops what goes to port 80; the client waits six seconds and gives up", server(filter_="ip saddr 192.0.2.0/24 tcp dport 80 drop"))
told("responder-without-name", "the responder's name does not exist", server(knows=False))
told("not-answered", "the OCSP responder answers that the certificate is good, and the request is served", server(responder=True), expect=())
