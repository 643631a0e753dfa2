"""A network for one capture: hosts in namespaces of their own, two routed segments, a resolver's segment, wires that impair.

    lan 192.0.2.0/24, 2001:db8:1::/64   --+
    dc  203.0.113.0/24, 2001:db8:2::/64 --+--  gateway g (.1, ::1)
    dns 198.51.100.0/24, 2001:db8:3::/64--+

`with Lab("c=lan.15 s=dc.20") as lab:` makes the hosts; a host written `c~lan.15` hangs on a `wire.Wire`, so that frames
can be lost, delayed or forged on its cable. Sockets of a host are opened in this very process (`inside`), other programs
run by `start` and `run`. Everything made is taken away again, also after a failure; processes are ended by their own id.
Offloads are off unless asked for, so that checksums and sizes are those of the wire.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from wire import Wire

LAB = pathlib.Path(__file__).resolve().parent
CAPTURES = LAB.parent
LIBC = ctypes.CDLL(None, use_errno=True)
NETS = {"lan": ("192.0.2.", "2001:db8:1::"), "dc": ("203.0.113.", "2001:db8:2::"), "dns": ("198.51.100.", "2001:db8:3::")}
CLONE_NEWNET = 0x40000000
QUIET = "not multicast and not arp and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 137)"


@contextlib.contextmanager
def inside(namespace):
    """The calling thread lives in the namespace; sockets opened meanwhile stay there."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if LIBC.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            LIBC.setns(home.fileno(), CLONE_NEWNET)


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{command}\n{done.stderr}")
    return done.stdout


def until(condition, seconds=5.0, what="condition"):
    """Waits until the condition holds, at most so many seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)
    return value


class Lab:
    """The hosts of one scenario, what runs in them, and its captures."""
    serial = 0

    def __init__(self, hosts="c=lan.15 s=dc.20", ip6=False, offload=False, mtu=1500, warm=True, lifetime=None):
        Lab.serial += 1
        self.tag = f"L{os.getpid()}n{Lab.serial}"
        self.ip6, self.offload, self.mtu, self.warm = ip6, offload, mtu, warm
        self.hosts, self.wires = {}, {}
        for word in hosts.split():
            name, wired = (word.split("~")[0], True) if "~" in word else (word.split("=")[0], False)
            net, last = word[len(name) + 1:].split(".")
            self.hosts[name] = (net, int(last), wired)
        self.processes, self.sockets, self.dumps = [], [], []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lab-"))
        self.log = open(self.dir / "log", "w+")

    def ns(self, host):
        return self.tag + host

    def ip(self, host, six=None):
        net, last, _ = self.hosts[host]
        return NETS[net][1] + str(last) if (self.ip6 if six is None else six) else NETS[net][0] + str(last)

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def spaces(self):
        return [self.ns(h) for h in ["g", *self.hosts]] + [self.ns(h) + "w" for h, v in self.hosts.items() if v[2]]

    def build(self):
        gateway, lines, pairs = self.ns("g"), [], []
        for n in self.spaces():
            lines += [f"ip netns add {n}", f"ip -n {n} link set lo up",
                      f"ip netns exec {n} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 "
                      f"net.ipv6.conf.default.disable_ipv6={0 if self.ip6 else 1} net.ipv4.conf.all.send_redirects=0 "
                      "net.ipv4.tcp_no_metrics_save=1 net.ipv6.conf.default.router_solicitations=0"]
        lines.append(f"ip netns exec {gateway} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        for net, (v4, v6) in NETS.items():
            lines += [f"ip -n {gateway} link add {net} type bridge mcast_snooping 0", f"ip -n {gateway} link set {net} up",
                      f"ip -n {gateway} addr add {v4}1/24 dev {net}"]
            if self.ip6:
                lines.append(f"ip -n {gateway} addr add {v6}1/64 dev {net} nodad")
        for host, (net, last, wired) in self.hosts.items():
            n, (v4, v6) = self.ns(host), NETS[net]
            far = (n + "w", "in") if wired else (gateway, f"to{host}")
            lines.append(f"ip link add eth0 netns {n} type veth peer name {far[1]} netns {far[0]}")
            pairs += [(n, "eth0"), far]
            if wired:
                lines.append(f"ip link add out netns {n}w type veth peer name to{host} netns {gateway}")
                pairs += [(n + "w", "out"), (gateway, f"to{host}")]
            lines += [f"ip -n {gateway} link set to{host} master {net}", f"ip -n {n} addr add {v4}{last}/24 dev eth0"]
            if self.ip6:
                lines.append(f"ip -n {n} addr add {v6}{last}/64 dev eth0 nodad")
        for n, device in pairs:
            lines.append(f"ip -n {n} link set {device} mtu {self.mtu} up")
            if not self.offload:
                lines.append(f"ip netns exec {n} ethtool -K {device} tx off rx off tso off gso off gro off >/dev/null 2>&1 || true")
        for host, (net, _, _) in self.hosts.items():
            lines.append(f"ip -n {self.ns(host)} route add default via {NETS[net][0]}1")
            if self.ip6:
                lines.append(f"ip -n {self.ns(host)} -6 route add default via {NETS[net][1]}1")
        (self.dir / "net.sh").write_text("set -e\n" + "\n".join(lines) + "\n")
        sh(f"bash {self.dir}/net.sh")
        for host, (_, _, wired) in self.hosts.items():
            if wired:
                with inside(self.ns(host) + "w"):
                    self.wires[host] = Wire("in", "out")
            self.etc(host, "hosts", "127.0.0.1 localhost\n")
            self.etc(host, "resolv.conf", "nameserver 198.51.100.53\noptions timeout:2 attempts:2\n")
        if self.warm:           # neighbour tables are filled before a capture begins
            for host, (net, _, _) in self.hosts.items():
                sh(f"ip netns exec {self.ns(host)} ping -c1 -W1 -q {NETS[net][0]}1", check=False)
                if self.ip6:
                    sh(f"ip netns exec {self.ns(host)} ping -c1 -W2 -q {NETS[net][1]}1", check=False)

    def etc(self, host, name, text):
        folder = pathlib.Path("/etc/netns") / self.ns(host)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        for wire in self.wires.values():
            wire.close()
        for one in self.sockets:
            one.close()
        for n in self.spaces():
            subprocess.run(["ip", "netns", "del", n], capture_output=True)
            shutil.rmtree(f"/etc/netns/{n}", ignore_errors=True)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self, host, argv, port=None, udp=False):
        """Starts a program on a host; with `port`, waits until that port listens there."""
        process = subprocess.Popen(["ip", "netns", "exec", self.ns(host), *map(str, argv)], stdin=subprocess.DEVNULL,
                                   stdout=self.log, stderr=self.log, cwd=self.dir, start_new_session=True)
        self.processes.append(process)
        if port:
            def listens():
                if process.poll() is not None:
                    raise RuntimeError(f"{argv}: {(self.dir / 'log').read_text()[-2000:]}")
                return f":{port} " in sh(f"ip netns exec {self.ns(host)} ss -Hln{'u' if udp else 't'}") + " "
            until(listens, 20, f"{argv[0]} on {port}")
        return process

    def run(self, host, argv, timeout=60):
        """Runs a program on a host to its end and gives what it said."""
        return subprocess.run(["ip", "netns", "exec", self.ns(host), *map(str, argv)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, cwd=self.dir)

    def ctl(self, host, **settings):
        """Sets kernel parameters of a host; `ipv4_tcp_sack=0` means net.ipv4.tcp_sack."""
        for key, value in settings.items():
            sh(f"ip netns exec {self.ns(host)} sysctl -qw net.{key.replace('ipv4_', 'ipv4.', 1)}='{value}'")

    def nft(self, host, hook, *rules):
        """Puts filter rules into a host's input, output or forward path."""
        n = self.ns(host)
        sh(f"ip netns exec {n} nft 'add table inet lab; add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}'")
        for rule in rules:
            sh(f"ip netns exec {n} nft 'add rule inet lab {hook} {rule}'")

    def nat(self, device="dc"):
        """The gateway hides the clients behind its own address."""
        n = self.ns("g")
        sh(f"ip netns exec {n} nft 'add table ip nat; add chain ip nat post {{ type nat hook postrouting priority 100; }}; "
           f"add rule ip nat post oifname {device} masquerade'")

    def socket(self, host, kind=socket.SOCK_STREAM, six=None, **options):
        """A socket of the host; options are names of socket.SO_* with their values."""
        with inside(self.ns(host)):
            family = socket.AF_INET6 if (self.ip6 if six is None else six) else socket.AF_INET
            one = socket.socket(family, kind)
        for option, value in options.items():
            one.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        one.settimeout(30)
        self.sockets.append(one)
        return one

    def listen(self, host, port, backlog=16, **options):
        one = self.socket(host, SO_REUSEADDR=1, **options)
        one.bind(("::" if one.family == socket.AF_INET6 else "0.0.0.0", port))
        one.listen(backlog)
        return one

    def connect(self, host, to, port, timeout=30, source=None, **options):
        """A connection of a host to another host's name in this lab, or to an address; None where it failed."""
        one = self.socket(host, **options)
        one.settimeout(timeout)
        if source:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("::" if one.family == socket.AF_INET6 else "0.0.0.0", source))
        try:
            one.connect((self.ip(to, one.family == socket.AF_INET6) if to in self.hosts else to, port))
        except OSError:
            one.close()
            return None
        one.settimeout(30)
        return one

    def pair(self, port=443, client="c", server="s", **options):
        """An established connection: the client's socket and the server's."""
        listener = self.listen(server, port)
        one = self.connect(client, server, port, **options)
        other, _ = listener.accept()
        other.settimeout(30)
        self.sockets.append(other)
        listener.close()
        return one, other

    def capture(self, host="c", only=QUIET, device="eth0", extra=(), name="capture.pcap"):
        """Starts tcpdump on a host (`g` is the gateway) and waits until it listens."""
        path = self.dir / name
        process = self.start(host, ["tcpdump", "--immediate-mode", "-Z", "root", "-i", device, "-U", "-s", "0", *extra, "-w", path, only])
        until(lambda: "listening on" in (self.dir / "log").read_text().split("lab:mark")[-1] and path.exists() and path.stat().st_size >= 24, 6, "tcpdump")
        time.sleep(0.1)
        self.dumps.append((process, path))
        return path

    def stop(self, after=0.3):
        """Ends the captures once the last packets have had time to arrive."""
        time.sleep(after)
        for process, _ in self.dumps:
            self.end(process, signal.SIGINT)
        return [path for _, path in self.dumps]


def reset(one):
    """Closes a socket so that the kernel sends a RST."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def gather(one, count):
    """Reads exactly so many bytes."""
    got = b""
    while len(got) < count:
        more = one.recv(count - len(got))
        if not more:
            break
        got += more
    return got
