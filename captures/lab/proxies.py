"""Captures through SOCKS 5 proxies of others' making: refused targets and logins, and TLS inside that is judged for the target."""
from actors import *  # noqa: F403
from http_answers import quiet, told
from quiet import extra
from tls_cert import case

TARGET = "dppt.beijing.chinatax.gov.cn"


def microsocks(*options, chain="good", listens=443):
    """The proxy, and behind it nginx on the same host: what passes between them is not on the wire."""
    def play(st):
        if listens:
            nginx(st, chain, port=listens, tls="1.2")
        st.used("microsocks")
        st.start("s", ["microsocks", "-i", "::", "-p", 1080, *options], 1080)
    return play


def dante(rule):
    def play(st):
        nginx(st, "good", tls="1.2")
        st.used("dante")
        conf = st.write("danted.conf", f"""logoutput: {st.dir}/dante.log
internal: eth0 port = 1080
external: eth0
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
{rule}
""")
        st.start("s", ["danted", "-f", conf], 1080)
    return play


def through(*options, port=443, how="--socks5-hostname"):
    return lambda st: curl(st, how, "proxy.office.example:1080", *options, port=port)


def by(name, shows, server, client, **more):
    told("http-proxy-failed", name, shows, server, client, filter="socks", **extra, **more)


by("microsocks-nothing-listens", "microsocks finds the port of the target closed: reply 5", microsocks(), through(port=8443))
by("microsocks-login-ipv6", "microsocks refuses user name and password, over IPv6", microsocks("-u", "clerk", "-P", "right"), through("-U", "clerk:wrong"), ip6=True)
by("dante-rule", "Dante blocks the target by rule: reply 2", dante("socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = 443 }"), through())
quiet("http-proxy-failed", "microsocks-login-served", "microsocks takes user name and password and connects; TLS inside, served", microsocks("-u", "clerk", "-P", "right"), through("-U", "clerk:right"), filter="socks", **extra)
quiet("http-proxy-failed", "dante-address", "curl resolves the name itself and asks Dante for the address; TLS inside, served", dante("socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }"), through(how="--socks5"), filter="socks", **extra)

for name, chain, code in (("inside-socks", "expired", "security.cert-expired"), ("inside-socks-login", "misnamed", "security.cert-name-mismatch")):
    case(f"{code.replace('.', '/')}/{name}", [code], "a SOCKS 5 proxy connects, and the client refuses the certificate that the target shows inside",
         *((microsocks("-u", "clerk", "-P", "right", chain=chain), through("-U", "clerk:right")) if name.endswith("login") else (microsocks(chain=chain), through())), filter="socks || tls.alert_message", **extra)
