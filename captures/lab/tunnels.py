"""Ends of tunnels for the lab: strongSwan with ESP in user space, WireGuard in user space, OpenVPN, L2TP."""
import os
import pathlib
import subprocess

from net import sh, until

INNER = {"c": "10.1.0.1", "s": "10.2.0.1"}
CHARON = """charon-systemd {
  load_modular = no
  load = random nonce x509 pubkey pem aes sha1 sha2 hmac kdf gmp curve25519 kernel-libipsec kernel-netlink socket-default vici updown
  plugins { vici { socket = unix://%(d)s/vici.sock } kernel-libipsec { allow_peer_ts = yes } }
  filelog { x { path = %(d)s/log
    default = 1 } }
  retransmit_tries = 4
  retransmit_timeout = 1
  retransmit_base = 1.6
  keep_alive = 0
  cisco_unity = no
}
"""
SWANCTL = """connections { t { local_addrs = %(local)s
  remote_addrs = %(remote)s
  version = %(version)s
  aggressive = %(aggressive)s
  proposals = %(proposals)s
  dpd_delay = %(dpd)s
  dpd_timeout = 20s
  keyingtries = 1
  local { auth = psk
    id = %(local)s }
  remote { auth = psk
    id = %(expects)s }
  children { t { local_ts = %(inner)s/32
    remote_ts = %(outer)s/32
    esp_proposals = aes128-sha256
    dpd_action = clear } } } }
secrets { ike { secret = "%(secret)s" } }
"""
AES = "aes128-sha256-modp2048"


class Charon:
    """One end of an IPsec tunnel: strongSwan's daemon, ESP by its kernel-libipsec plugin (always within UDP 4500)."""

    def __init__(self, lab, host, peer, secret="an office and its branch", version=2, proposals=AES, dpd="0s", expects=None, aggressive="no"):
        self.lab, self.host = lab, host
        self.dir = pathlib.Path(lab.dir) / f"ike-{host}"
        (self.dir / "swanctl").mkdir(parents=True)
        (self.dir / "strongswan.conf").write_text(CHARON % dict(d=self.dir))
        (self.dir / "swanctl" / "swanctl.conf").write_text(SWANCTL % dict(
            local=lab.ip(host), remote=lab.ip(peer), expects=expects or lab.ip(peer), version=version, proposals=proposals, dpd=dpd,
            inner=INNER[host], outer=INNER[peer], secret=secret, aggressive=aggressive))
        sh(f"ip -n {lab.ns(host)} addr add {INNER[host]}/32 dev lo")
        self.process = lab.start(host, ["env", f"STRONGSWAN_CONF={self.dir}/strongswan.conf", "charon-systemd"])
        until(lambda: (self.dir / "vici.sock").exists(), 10, "charon")
        self.ctl("--load-all")

    def ctl(self, *words, timeout=60):
        return subprocess.run(["ip", "netns", "exec", self.lab.ns(self.host), "env", f"SWANCTL_DIR={self.dir}/swanctl", "swanctl", *words,
                               "--uri", f"unix://{self.dir}/vici.sock"], capture_output=True, text=True, timeout=timeout)

    def initiate(self, timeout=25):
        return self.ctl("--initiate", "--child", "t", "--timeout", str(timeout))


def wireguard(lab, host, peer, keys, listen=51820, keepalive=0):
    """wireguard-go on a host; the device is named by the lab, because its control socket is the machine's."""
    device = f"w{host}{lab.tag}"[:15]
    process = lab.start(host, ["env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", device])
    until(lambda: os.path.exists(f"/var/run/wireguard/{device}.sock"), 10, "wireguard-go")
    private, public = keys
    conf = lab.dir / f"wg-{host}.conf"
    conf.write_text(f"[Interface]\nPrivateKey = {private}\nListenPort = {listen}\n[Peer]\nPublicKey = {public}\nAllowedIPs = 10.0.0.0/8\n"
                    f"Endpoint = {lab.ip(peer)}:{listen}\n" + (f"PersistentKeepalive = {keepalive}\n" if keepalive else ""))
    sh(f"ip netns exec {lab.ns(host)} wg setconf {device} {conf}")
    sh(f"ip -n {lab.ns(host)} addr add {INNER[host]}/32 dev {device}; ip -n {lab.ns(host)} link set {device} mtu 1400 up; "
       f"ip -n {lab.ns(host)} route add 10.0.0.0/8 dev {device}")
    return process


def wireguard_keys():
    """(private, the other's public) for either end."""
    private = [sh("wg genkey").strip() for _ in "cs"]
    public = [subprocess.run(["wg", "pubkey"], input=key, capture_output=True, text=True, check=True).stdout.strip() for key in private]
    return (private[0], public[1]), (private[1], public[0])


def openvpn(lab, host, peer, server=False, ping="2 8", tcp=False, port=1194):
    """OpenVPN with TLS; the certificates are made for the day."""
    made = lab.dir / "ovpn"
    if not made.exists():
        made.mkdir()
        sh(f"cd {made}; openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj '/CN=Branch CA' 2>/dev/null; "
           "for n in c s; do openssl req -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr -subj /CN=$n 2>/dev/null; "
           "openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out $n.pem 2>/dev/null; done")
    words = ["openvpn", "--dev", f"o{host}{os.getpid()}", "--dev-type", "tun", "--proto", ("tcp4-server" if server else "tcp4-client") if tcp else "udp4", "--port", port, "--ca", made / "ca.pem", "--cert", made / f"{host}.pem",
             "--key", made / f"{host}.key", "--ifconfig", INNER[host], INNER["s" if host == "c" else "c"], "--keepalive", *ping.split(),
             "--data-ciphers", "AES-128-GCM", "--verb", 3]
    words += ["--tls-server", "--dh", "none"] if server else ["--tls-client", "--remote", lab.ip(peer), "--connect-retry", 1]
    return lab.start(host, words)


def ping(lab, host="c", to="s", every=0.5, seconds=5.0):
    """Pings through the tunnel, in the background."""
    return lab.start(host, ["ping", "-q", "-i", every, "-w", int(seconds), "-I", INNER[host], INNER[to]])
