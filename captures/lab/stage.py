"""A stage for one capture: client, gateway and server in network namespaces of their own.

    client 192.0.2.15, 2001:db8:1::15  --  gateway (.1, ::1)  --  server 203.0.113.20, 2001:db8:2::20

Every process runs inside a namespace and is ended by its own id. Offloads are off, so checksums and segment sizes are
those of the wire. `scenario` registers a capture; `web.py` makes them. Waits are real elapsed time.
"""
import contextlib
import fnmatch
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pki
from net import inside
from wire import Wire

LAB = pathlib.Path(__file__).resolve().parent
CAPTURES = LAB.parent
PKI = pki.DIR
PYTHON = sys.executable
NAME = "dppt.beijing.chinatax.gov.cn"
SCENARIOS = {}
COUNTER = iter(range(1, 10**6))
COUNTER_LOCK = threading.Lock()


def scenario(path, expect, shows, filter, note="", ca=None, at="c", until=None, **stage):
    """Registers a function that plays one capture; `path` is `<layer>/<class>/<name>` below captures/.

    With `until`, a display filter, the capture is kept only as far as the frame before the first that matches.
    """
    def register(play):
        assert path not in SCENARIOS, path
        SCENARIOS[path] = dict(path=path, expect=expect, shows=shows, filter=filter, note=note, ca=ca, at=at,
                               until=until, stage=stage, play=play)
        return play
    return register


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}\n{done.stderr}")
    return done.stdout


class Stage:
    """The namespaces of one scenario, what runs in them and the capture."""

    def __init__(self, server_ip="203.0.113.20", server_ip6="2001:db8:2::20", names=None, ip6=False, clients=1,
                 form="pcap", mtu=1500, rtt_ms=0, keys=None):
        with COUNTER_LOCK:
            self.tag = f"w{os.getpid() % 10000}x{next(COUNTER)}"
        self.ip6, self.form, self.mtu = ip6, form, mtu
        self.server_ip = server_ip6 if ip6 else server_ip
        self.server_ip4, self.server_ip6 = server_ip, server_ip6
        self.names = names or pki.NAMES
        self.rtt_ms, self.wire = rtt_ms, None
        self.processes, self.tools, self.clients = [], [], clients
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lab-"))
        # Where every client writes its TLS secrets: `keys` is "beside" for a file beside the capture, "inside" for a block in it.
        self.keys = self.dir / "keys.log"
        self.environment = {**os.environ, **({"SSLKEYLOGFILE": str(self.keys)} if keys else {})}
        self.capture_process = None
        self.log = open(self.dir / "log", "w+")

    def ns(self, who):
        return f"{self.tag}{who}"

    def __enter__(self):
        gateway, server = self.ns("g"), self.ns("s")
        hosts = ["c"] + [f"c{n}" for n in range(1, self.clients)]
        far = self.ns("w")     # the far cable, where the round trip is long
        everyone = [gateway, server] + [self.ns(h) for h in hosts] + ([far] if self.rtt_ms else [])
        lines = [f"ip netns add {n}" for n in everyone]
        for n in everyone:
            lines.append(f"ip netns exec {n} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 "
                         f"net.ipv4.tcp_timestamps=1 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
            lines.append(f"ip -n {n} link set lo up")
        links = [(gateway, "up0"), (server, "eth0")]
        if self.rtt_ms:
            lines += [f"ip link add eth0 netns {server} type veth peer name in netns {far}",
                      f"ip link add out netns {far} type veth peer name up0 netns {gateway}"]
            links += [(far, "in"), (far, "out")]
        else:
            lines.append(f"ip link add eth0 netns {server} type veth peer name up0 netns {gateway}")
        lines += [
                  f"ip -n {gateway} addr add {self.server_ip4.rsplit('.', 1)[0]}.1/24 dev up0",
                  f"ip -n {gateway} addr add 2001:db8:2::1/64 dev up0",
                  f"ip -n {server} addr add {self.server_ip4}/24 dev eth0",
                  f"ip -n {server} addr add {self.server_ip6}/64 dev eth0",
                  f"ip -n {gateway} link add br0 type bridge", f"ip -n {gateway} link set br0 up",
                  f"ip -n {gateway} addr add 192.0.2.1/24 dev br0", f"ip -n {gateway} addr add 2001:db8:1::1/64 dev br0"]
        for index, host in enumerate(hosts):
            client, port = self.ns(host), f"p{index}"
            lines += [f"ip link add eth0 netns {client} type veth peer name {port} netns {gateway}",
                      f"ip -n {gateway} link set {port} master br0",
                      f"ip -n {client} addr add 192.0.2.{15 + index}/24 dev eth0",
                      f"ip -n {client} addr add 2001:db8:1::{15 + index}/64 dev eth0"]
            links += [(gateway, port), (client, "eth0")]
        for n, device in links:
            lines.append(f"ip -n {n} link set {device} mtu {self.mtu} up")
            lines.append(f"ip netns exec {n} ethtool -K {device} tx off rx off tso off gso off gro off >/dev/null 2>&1 || true")
        for host in hosts:
            lines += [f"ip -n {self.ns(host)} route add default via 192.0.2.1",
                      f"ip -n {self.ns(host)} -6 route add default via 2001:db8:1::1"]
        lines += [f"ip -n {server} route add default via {self.server_ip4.rsplit('.', 1)[0]}.1",
                  f"ip -n {server} -6 route add default via 2001:db8:2::1"]
        (self.dir / "net.sh").write_text("set -e\n" + "\n".join(lines) + "\n")
        sh(f"bash {self.dir}/net.sh")
        for n in everyone:
            etc = pathlib.Path("/etc/netns") / n
            etc.mkdir(parents=True, exist_ok=True)
            (etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{self.server_ip} {name}\n" for name in self.names))
            (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.everyone = everyone
        if self.rtt_ms:
            with inside(far):
                self.wire = Wire("in", "out")
            self.wire.delay = {True: self.rtt_ms / 2000, False: self.rtt_ms / 2000}
            self.used("wire")
        for host in hosts:      # neighbour tables are warm before the capture begins
            for target in (self.server_ip4, self.server_ip6):
                sh(f"ip netns exec {self.ns(host)} ping -c1 -W1 -q {target} >/dev/null || true")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        if self.wire:
            self.wire.close()
        for n in self.everyone:
            subprocess.run(["ip", "netns", "del", n], capture_output=True)
            shutil.rmtree(f"/etc/netns/{n}", ignore_errors=True)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, how)
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def used(self, *tools):
        for tool in tools:
            if tool not in self.tools:
                self.tools.append(tool)

    def argv(self, who, argv):
        return ["ip", "netns", "exec", self.ns(who)] + [str(a) for a in argv]

    def start(self, who, argv, port=None, stdin=subprocess.DEVNULL, env=None):
        """Starts a process in a namespace; with `port`, waits until that TCP port listens there."""
        process = subprocess.Popen(self.argv(who, argv), stdin=stdin, stdout=self.log, stderr=self.log, cwd=self.dir,
                                   env={**self.environment, **(env or {})}, start_new_session=True)
        self.processes.append(process)
        if port:
            deadline = time.time() + 25
            while f":{port} " not in sh(f"ip netns exec {self.ns(who)} ss -Hltn") + " ":
                if time.time() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{argv[0]} does not listen on {port}: {self.said()}")
                time.sleep(0.1)
        return process

    def run(self, who, argv, timeout=60, input=None, env=None):
        """Runs a client to its end; what it said goes to the log."""
        done = subprocess.run(self.argv(who, argv), input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              timeout=timeout, cwd=self.dir, env={**self.environment, **(env or {})})
        self.log.write(done.stdout.decode(errors="replace"))
        self.log.flush()
        return done

    def said(self):
        self.log.flush()
        return (self.dir / "log").read_text(errors="replace")[-3000:]

    def python(self, who, code, *args, port=None, wait=True, timeout=60):
        """Runs a piece of Python in a namespace: to its end, or in the background with `port`."""
        path = self.dir / f"part{len(list(self.dir.glob('part*')))}.py"
        path.write_text(code)
        self.used("python")
        if port or not wait:
            return self.start(who, [PYTHON, path, *args], port)
        return self.run(who, [PYTHON, path, *args], timeout)

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def nft(self, *rules, who="g"):
        """Puts filter rules into the gateway's forwarding path."""
        n = self.ns(who)
        sh(f"ip netns exec {n} nft add table inet lab")
        sh(f"ip netns exec {n} nft 'add chain inet lab pass {{ type filter hook forward priority 0; }}'")
        for rule in rules:
            sh(f"ip netns exec {n} nft 'add rule inet lab pass {rule}'")
        self.used("nftables")

    def capture(self, at="c", only="not arp and not icmp6 and not multicast", device=None):
        """Starts tcpdump; it stops with `stop`."""
        device = device or "eth0"
        self.raw = self.dir / "capture.pcap"
        precision = ["--time-stamp-precision=nano"] if self.form == "nano" else []
        self.capture_process = self.start(at, ["tcpdump", "--immediate-mode", "-Z", "root", "-i", device, "-U", "-s", "0", "-w", self.raw,
                                               *precision, only])
        deadline = time.time() + 5
        while not (self.raw.exists() and self.raw.stat().st_size >= 24) and time.time() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)

    def stop(self, after=0.4):
        time.sleep(after)
        self.end(self.capture_process, signal.SIGINT)


def matching(patterns):
    return [s for p, s in SCENARIOS.items() if not patterns or any(fnmatch.fnmatch(p, f"*{x}*") for x in patterns)]
