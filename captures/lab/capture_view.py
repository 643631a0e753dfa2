"""Captures that say something of the capture itself: one-sided, doubled, cut short, begun late, out of order, lossy, damaged.

Only `capture.packets-dropped` and `capture.file-damaged` are warnings; the others are told as information.
"""
import struct
import subprocess
import time

from moves import answer, ask, exchange, finish, whole
from net import reset
from play import scenario



def view(name, expect, shows, filter_="tcp", **lab):
    return scenario(f"capture/{name}", expect, shows, filter_, **lab)


def info(code):
    return f"silent — capture.{code} as information, nothing else"


def two(lab):
    whole(lab)
    whole(lab, 8081)


def only(expression, host="c"):
    def play(lab):
        lab.capture(host, only=expression)
        two(lab)
    return play


view("one-sided/requests-only", info("one-sided"), "only what the client sends")(only("tcp and src host 192.0.2.15"))
view("one-sided/answers-only", info("one-sided"), "only what the server sends")(only("tcp and src host 203.0.113.20"))
view("one-sided/answers-only-ipv6", info("one-sided"), "only what the server sends, IPv6", ip6=True)(only("ip6 src host 2001:db8:2::20 and tcp"))


@view("one-sided/not-both-sides", "silent — both directions are here", "two whole flows")
def both(lab):
    lab.capture()
    two(lab)


@view("one-sided/refusal-only", "silent — a RST without its SYN accuses nobody", "only the server's RST of a refused connection is captured, and a good flow's answers")
def refusal(lab):
    lab.capture(only="tcp and src host 203.0.113.20")
    lab.connect("c", "s", 443)
    two(lab)


def rewritten(change, play=two):
    """Captures, then writes the records anew; `change(records)` gives the new list of (seconds, nanoseconds, bytes)."""
    def work(lab):
        path = lab.capture()
        play(lab)
        lab.stop()
        out = lab.dir / "changed.pcap"
        write(out, change(records(path)))
        return out
    return work


def records(path):
    data, at, found = path.read_bytes(), 24, []
    while at + 16 <= len(data):
        sec, usec, size, _ = struct.unpack("<IIII", data[at:at + 16])
        found.append([sec, usec, data[at + 16:at + 16 + size]])
        at += 16 + size
    return found


def write(path, rows, snaplen=262144):
    body = b"".join(struct.pack("<IIII", s, u, min(len(d), snaplen), len(d)) + d[:snaplen] for s, u, d in rows)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1) + body)


def later(row, microseconds, data=None):
    total = row[0] * 10**6 + row[1] + microseconds
    return [total // 10**6, total % 10**6, row[2] if data is None else data]


def lower_ttl(data):
    data = bytearray(data)
    data[22] -= 1
    sum_ = struct.unpack("!H", data[24:26])[0] + 0x100
    data[24:26] = struct.pack("!H", (sum_ & 0xFFFF) + (sum_ >> 16))
    return bytes(data)


MADE = "captured by tcpdump, records rewritten by the script"
view("duplicated/span-same-bytes", info("duplicated"), "every packet twice, 12 µs apart, byte for byte: both ports of one switch mirrored", tools=MADE)(
    rewritten(lambda rows: [c for r in rows for c in (r, later(r, 12))]))
view("duplicated/span-with-vlan", info("duplicated"), "every packet twice: untagged and with VLAN 20", tools=MADE)(
    rewritten(lambda rows: [c for r in rows for c in (r, later(r, 9, r[2][:12] + b"\x81\x00\x00\x14" + r[2][12:]))]))
view("duplicated/routed-ttl", info("duplicated"), "every packet twice: before and behind a router, TTL one less, other MACs", tools=MADE)(
    rewritten(lambda rows: [c for r in rows for c in (r, later(r, 40, b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + lower_ttl(r[2])[12:]))]))


@view("duplicated/any-on-a-router", info("duplicated"), "tcpdump -i any on the router: every packet comes in on one interface and leaves by others; cooked v2", "tcp", tools="tcpdump -i any -y LINUX_SLL2")
def any_router(lab):
    lab.capture("g", device="any", only="tcp", extra=("-y", "LINUX_SLL2"))
    two(lab)


@view("duplicated/any-on-a-router-refused", "`transport.syn-refused` — one finding for one refusal, though every packet is seen several times", "tcpdump -i any on the router while a connection is refused", "tcp", tools="tcpdump -i any -y LINUX_SLL")
def any_refused(lab):
    lab.capture("g", device="any", only="tcp", extra=("-y", "LINUX_SLL"))
    lab.connect("c", "s", 443)


@view("duplicated/nat-both-sides", info("duplicated"), "tcpdump -i any on a NAT gateway: each flow with the client's address and with the gateway's", "tcp", tools="nft masquerade, tcpdump -i any")
def nat(lab):
    lab.nat()
    lab.capture("g", device="any", only="tcp", extra=("-y", "LINUX_SLL2"))
    two(lab)


@view("duplicated/nat-both-sides-unanswered", "`transport.syn-unanswered` — one attempt, seen on both sides of the gateway", "tcpdump -i any on a NAT gateway; the server drops port 443; a good flow beside it", "tcp.flags.syn==1", tools="nft masquerade, tcpdump -i any")
def nat_unanswered(lab):
    lab.nat()
    lab.nft("s", "input", "tcp dport 443 drop")
    lab.capture("g", device="any", only="tcp", extra=("-y", "LINUX_SLL2"))
    whole(lab)
    lab.connect("c", "s", 443, timeout=4)


@view("duplicated/nat-two-captures-refused", "`transport.syn-refused` — one refusal, seen on both sides of the gateway", "the captures of both sides of a NAT gateway merged", "tcp", tools="nft masquerade, mergecap")
def nat_merged(lab):
    lab.nat()
    first = lab.capture("g", device="lan", only="tcp")
    second = lab.capture("g", device="dc", only="tcp", name="second.pcap")
    lab.connect("c", "s", 443)
    lab.stop()
    out = lab.dir / "merged.pcap"
    subprocess.run(["mergecap", "-F", "pcap", "-w", out, first, second], check=True)
    return out


@view("duplicated/not-a-bridge-port-once", "silent — every packet is here once", "captured on one bridge port")
def once(lab):
    lab.capture("g", device="toc", only="tcp")
    two(lab)


@view("starts-mid-flow/download-under-way", info("starts-mid-flow"), "tcpdump begins after the handshake and the first exchange", "tcp")
def mid(lab):
    one, other = lab.pair(8080)
    exchange(one, other)
    lab.capture()
    exchange(one, other)
    exchange(one, other)
    finish(one, other)


@view("starts-mid-flow/only-the-close", info("starts-mid-flow"), "nothing but FINs and ACKs of an old flow", "tcp")
def only_close(lab):
    one, other = lab.pair(8080)
    exchange(one, other)
    lab.capture()
    finish(one, other)


@view("starts-mid-flow/reset-of-an-old-flow", "silent — an old flow's RST after long idle: nothing is known of what went before", "a RST is all that is left of an old flow", "tcp")
def old_reset(lab):
    one, other = lab.pair(8080)
    exchange(one, other)
    time.sleep(1)
    lab.capture()
    reset(other)
    whole(lab)


@view("starts-mid-flow/not-from-the-start", "silent — both flows begin within the capture", "two whole flows", "tcp")
def from_start(lab):
    lab.capture()
    two(lab)


def list_answer(lab):
    one, other = lab.pair(8080)
    exchange(one, other, reply=answer(b"p" * 9000))
    finish(one, other)


@view("packets-cut/snaplen-96", info("packets-cut"), "tcpdump -s 96: headers only of a longer exchange", "tcp", tools="tcpdump -s 96")
def cut(lab):
    lab.capture(extra=("-s", "96"))
    list_answer(lab)


@view("packets-cut/snaplen-60", info("packets-cut"), "tcpdump -s 60: not even the TCP options are whole", "tcp", tools="tcpdump -s 60")
def cut60(lab):
    lab.capture(extra=("-s", "60"))
    list_answer(lab)


@view("packets-cut/refused-all-the-same", "`transport.syn-refused` — the header is enough: SYN and RST", "tcpdump -s 60 of a refused connection", "tcp", tools="tcpdump -s 60")
def cut_refused(lab):
    lab.capture(extra=("-s", "60"))
    lab.connect("c", "s", 443)


@view("packets-cut/not-short-enough", "silent — nothing was cut", "tcpdump -s 1600: every packet is whole", "tcp", tools="tcpdump -s 1600")
def uncut(lab):
    lab.capture(extra=("-s", "1600"))
    list_answer(lab)


view("time-disorder/clock-steps-back", info("time-disorder"), "the clock steps back by 2 s in the middle", tools=MADE)(
    rewritten(lambda rows: rows[:12] + [later(r, -2_000_000) for r in rows[12:]]))
view("time-disorder/two-queues", info("time-disorder"), "the server's packets are written 5 ms of stamps before the client's that preceded them", tools=MADE)(
    rewritten(lambda rows: [later(r, -5000) if r[2][26:30] == b"\xcb\x00\x71\x14" else r for r in rows]))
view("time-disorder/not-within-a-millisecond", "silent — within 1 ms", "pairs of packets swapped by 20 µs", tools=MADE)(
    rewritten(lambda rows: [later(r, -20) if n % 5 == 4 else r for n, r in enumerate(rows)]))
view("time-disorder/not-one-stamp-far-ahead", "silent — one frame stamped far ahead moves no clock", "one frame is stamped 400 days ahead", tools=MADE)(
    rewritten(lambda rows: [later(r, 400 * 86400 * 10**6) if n == len(rows) - 1 else r for n, r in enumerate(rows)]))


# loss of the capture itself

def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng(rows, received=None, dropped=None):
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 262144))
    stamp = 0
    for s, u, d in rows:
        stamp = s * 10**6 + u
        out += block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(d), len(d)) + d)
    if received is not None:
        options = struct.pack("<HHQ", 4, 8, received) + struct.pack("<HHQ", 5, 8, dropped) + struct.pack("<HH", 0, 0)
        out += block(5, struct.pack("<III", 0, stamp >> 32, stamp & 0xFFFFFFFF) + options)
    return out


def statistics(dropped, lose=()):
    def play(lab):
        path = lab.capture()
        two(lab)
        lab.stop()
        rows = [r for n, r in enumerate(records(path)) if n not in lose]
        out = lab.dir / "out.pcapng"
        out.write_bytes(pcapng(rows, len(rows) + dropped, dropped))
        return out
    return play


view("packets-dropped/interface-statistics.pcapng", "`capture.packets-dropped` — isb_ifdrop 7 in the interface statistics block", "pcapng whose statistics say that 7 packets were dropped; the two flows are whole", tools=MADE)(statistics(7))
view("packets-dropped/not-zero-drops.pcapng", "silent — isb_ifdrop 0", "pcapng whose statistics say that nothing was dropped", tools=MADE)(statistics(0))


@view("packets-dropped/acknowledged-but-never-seen", "`capture.packets-dropped` — bytes acknowledged that no packet carried", "six data packets of the answer are missing from the file; the client acknowledges them, nothing is sent again", tools=MADE)
def unseen(lab):
    path = lab.capture()
    list_answer(lab)
    lab.stop()
    seen, rows = 0, []
    for row in records(path):
        if row[2][26:30] == b"\xcb\x00\x71\x14" and len(row[2]) > 500:
            seen += 1
            if seen in (2, 3, 5, 6):
                continue
        rows.append(row)
    out = lab.dir / "out.pcap"
    write(out, rows)
    return out


# damaged files

def damaged(change):
    def play(lab):
        path = lab.capture()
        two(lab)
        lab.stop()
        out = lab.dir / "out.pcap"
        out.write_bytes(change(path.read_bytes()))
        return out
    return play


view("file-damaged/cut-in-a-record", "`capture.file-damaged` — the last record is cut in its middle", "the file ends 30 bytes before its last record does", tools=MADE)(damaged(lambda d: d[:-30]))
view("file-damaged/cut-in-a-record-header", "`capture.file-damaged` — cut within a record's header", "the file ends after 7 bytes of a record header", tools=MADE)(damaged(lambda d: d + d[24:31]))
view("file-damaged/not-whole", "silent — the file ends where its last record does", "two whole flows", tools=MADE)(damaged(lambda d: d))


def middle(data, junk):
    at = 24
    for _ in range(10):          # behind the first flow
        at += 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
    return data[:at] + junk + data[at:]


view("file-damaged/garbage-in-the-middle", "`capture.file-damaged` — 700 bytes that are no record after the first flow", "the records after the garbage can be found again", tools=MADE)(damaged(lambda d: middle(d, bytes((n * 37 + 11) & 0xFF for n in range(700)))))
view("file-damaged/zeros-in-the-middle", "`capture.file-damaged` — a hole of 4096 zero bytes, as a file system leaves it", "zeros, then records again", tools=MADE)(damaged(lambda d: middle(d, bytes(4096))))
