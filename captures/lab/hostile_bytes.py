"""Files that lie: lengths that cannot be, records inside payloads, garbage; each is read as far as it is true, and said to be damaged."""
import struct

from capture_view import middle, pcapng, records
from format_files import pcap
from moves import answer, exchange, finish, whole
from play import scenario

MADE = "captured by tcpdump, spoilt by the script"
DAMAGED = "`capture.file-damaged` — {}"


def hostile(name, expect, shows, **lab):
    return scenario(f"hostile/{name}", expect, shows, "frame", tools=MADE, **lab)


def spoilt(change, play=None):
    def work(lab):
        path = lab.capture()
        if play:
            play(lab)
        else:
            whole(lab)
            lab.connect("c", "s", 443)
        lab.stop()
        out = lab.dir / "out"
        out.write_bytes(change(path.read_bytes(), records(path)))
        return out
    return work


BOTH = "`transport.syn-refused` `capture.file-damaged` — {}"


@hostile("pcap-inside-payload", "silent — the bytes of a capture that shows a refusal are only payload", "an exchange whose body is itself a whole pcap file with a refused connection in it")
def inside(lab):
    inner = pcap([(1000, n, bytes.fromhex("02000000000102000000000208004500002800010000400600000a0000010a000002") + b"\x10\0\1\xbb" + b"\0\0\0\1" + b"\0\0\0\2" + bytes([0x50, f]) + b"\0" * 6) for n, f in ((1, 2), (2, 0x14))])
    lab.capture()
    one, other = lab.pair(8080)
    exchange(one, other, reply=answer(inner))
    finish(one, other)


hostile("zero-length-block.pcapng", DAMAGED.format("a block whose length is 0"), "pcapng: after the first flow a block with length 0, then more blocks")(
    spoilt(lambda d, r: pcapng(r[:11]) + struct.pack("<II", 6, 0) + bytes(40), lambda lab: whole(lab)))
hostile("block-length-absurd.pcapng", DAMAGED.format("a block of 4 GiB"), "pcapng: the last block claims 0xfffffff0 bytes")(
    spoilt(lambda d, r: pcapng(r) + struct.pack("<II", 6, 0xFFFFFFF0) + bytes(64), lambda lab: whole(lab)))
hostile("block-trailer-differs.pcapng", DAMAGED.format("the length at a block's end differs from that at its start"), "pcapng: one trailer is wrong")(
    spoilt(lambda d, r: pcapng(r)[:-4] + struct.pack("<I", 77), lambda lab: whole(lab)))
hostile("record-length-absurd", BOTH.format("a record of 2 GiB between good ones; the refusal stands before it"), "pcap: after the refusal a record that claims 0x7fffffff bytes")(
    spoilt(lambda d, r: d + struct.pack("<IIII", r[-1][0], r[-1][1], 0x7FFFFFFF, 0x7FFFFFFF) + bytes(100)))
hostile("truncated-record", BOTH.format("the last record is cut; the refusal stands before it"), "pcap: 50 of the 74 bytes of one more record")(
    spoilt(lambda d, r: d + struct.pack("<IIII", r[-1][0], r[-1][1], 74, 74) + r[0][2][:50]))
hostile("garbage-in-the-middle", BOTH.format("garbage after the first flow, the refusal behind it"), "pcap: 333 bytes of noise between the good flow and the refusal")(
    spoilt(lambda d, r: middle(d, bytes((n * 151 + 7) & 0xFF for n in range(333)))))
hostile("captured-longer-than-original", "`transport.syn-refused` — the record is read by its captured length", "pcap: every original length says 10 bytes")(
    spoilt(lambda d, r: d[:24] + b"".join(struct.pack("<IIII", s, u, len(p), 10) + p for s, u, p in r)))
hostile("header-only", "silent — an empty capture", "a pcap header and nothing else")(spoilt(lambda d, r: d[:24]))


def tcp_seq(data, base):
    """The frame with its sequence (and for the other side acknowledgement) numbers moved by `base`; checksums are left wrong."""
    data = bytearray(data)
    ihl = 14 + (data[14] & 15) * 4
    at = 4 if data[26:30] == b"\xcb\x00\x71\x14" else 8
    old = struct.unpack("!I", data[ihl + at:ihl + at + 4])[0]
    if not (at == 8 and old == 0):
        data[ihl + at:ihl + at + 4] = struct.pack("!I", (old + base) & 0xFFFFFFFF)
    return bytes(data)


def wrapped(d, rows):
    """Server sequence numbers start 2,000 below 2³², and the segments around the wrap are missing."""
    first = next(p for _, _, p in rows if p[26:30] == b"\xcb\x00\x71\x14")
    start = struct.unpack("!I", first[38:42])[0]
    base = (2**32 - 2000 - start) & 0xFFFFFFFF
    moved = [[s, u, tcp_seq(p, base)] for s, u, p in rows]
    big = [n for n, (_, _, p) in enumerate(moved) if len(p) > 1000]
    return pcap([r for n, r in enumerate(moved) if n not in big[1:3]])


hostile("seq-wrap-in-hole", "`capture.packets-dropped` — the hole of two segments, acknowledged by the client, holds the wrap of the sequence space",
        "the server's sequence numbers pass 2³² inside two segments that are missing from the file; nothing is sent again")(
    spoilt(wrapped, lambda lab: (lambda pair: (exchange(*pair, reply=answer(b"s" * 9000)), finish(*pair)))(lab.pair(8080))))
hostile("time-zero-and-far-future", "`transport.syn-refused` — one stamp of 1970 and one of 2106 move no clock", "pcap: an acknowledgement is stamped 0, another packet 0xfffffff0")(
    spoilt(lambda d, r: pcap([[0, 0, p] if n == 4 else [0xFFFFFFF0, 0, p] if n == 8 else [s, u, p] for n, (s, u, p) in enumerate(r)])))
hostile("headers-that-lie", "silent — nothing in these frames can be believed", "frames with an IP header length of 60 in 34 bytes, TCP offset 15, UDP length 3, IPv6 length 65535, ARP cut short")(
    spoilt(lambda d, r: pcap([[r[0][0], n, p] for n, p in enumerate((
        r[0][2][:14] + b"\x4f" + r[0][2][15:34], r[0][2][:46] + b"\xf0" + r[0][2][47:54], r[0][2][:23] + b"\x11" + r[0][2][24:38] + b"\0\3" + r[0][2][40:60],
        r[0][2][:12] + b"\x86\xdd\x60\0\0\0\xff\xff\x06\x40" + bytes(32), r[0][2][:12] + b"\x08\x06\0\1\x08\0\x06\4\0\1" + bytes(4),
        r[0][2][:12] + b"\x81\x00", r[0][2][:12] + b"\x81\x00\0\1" * 40, b"", b"\0"))])))
