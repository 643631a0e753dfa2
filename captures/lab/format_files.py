"""One small conversation in every file format and on every link layer and tunnel that the engine reads.

The conversation is real: one good exchange on port 8080, then a connection to port 443 that the server refuses. The
packets are wrapped anew by the functions below, byte by byte as the formats demand, so that every file shows the same.
"""
import gzip
import lzma
import socket
import struct
import subprocess

from capture_view import records
from moves import whole
from play import scenario
from wire import checksum

REFUSED = "`transport.syn-refused` — the refused connection, whatever it is wrapped in"
MADE = "captured by tcpdump, rewritten by the script"


def form(name, shows, filter_="tcp.flags.reset==1", **lab):
    return scenario(f"format/{name}", REFUSED, shows, filter_, tools=lab.pop("tools", MADE), **lab)


def talk(lab, **capture):
    path = lab.capture(**capture)
    whole(lab)
    lab.connect("c", "s", 443)
    lab.stop()
    return path


def pcap(rows, link=1, order="<", magic=0xA1B2C3D4, snaplen=262144, nano=False, extra=b""):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)
    for sec, usec, data in rows:
        kept = data[:snaplen]
        out += struct.pack(order + "IIII", sec, usec * 1000 + 17 if nano else usec, len(kept), len(data)) + extra + kept
    return out


def whole_file(make):
    """A scenario whose file is `make(rows)`."""
    def play(lab):
        out = lab.dir / "out"
        out.write_bytes(make(records(talk(lab))))
        return out
    return play


# pcap files

form("pcap-nanosecond", "pcap with nanoseconds, little-endian")(whole_file(lambda r: pcap(r, magic=0xA1B23C4D, nano=True)))
form("pcap-big-endian", "pcap, big-endian")(whole_file(lambda r: pcap(r, order=">")))
form("pcap-nanosecond-big-endian", "pcap with nanoseconds, big-endian")(whole_file(lambda r: pcap(r, order=">", magic=0xA1B23C4D, nano=True)))
form("pcap-modified", "pcap with the longer record headers of the patched Linux libpcap of old (magic a1b2cd34)")(
    whole_file(lambda r: pcap(r, magic=0xA1B2CD34, extra=struct.pack("<IHBB", 2, 8, 0, 0))))
form("pcap-snaplen-80", "pcap whose header says snaplen 80: long packets are cut")(whole_file(lambda r: pcap(r, snaplen=80)))
form("pcap-fcs", "frames with a frame check sequence of 4 bytes, told by the upper bits of the link-type word")(
    whole_file(lambda r: pcap([(s, u, d + b"\xde\xad\xbe\xef") for s, u, d in r], link=1 | 0x04000000 | 0x20000000)))


# pcapng files

def section(rows, order="<", link=1, resolution=6, simple=False, obsolete=False, interface=0, interfaces=1):
    def pack(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)
    out = pack(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    for n in range(interfaces):
        name = f"eth{n}".encode()
        options = struct.pack(order + "HH", 2, len(name)) + name + struct.pack(order + "HHBxxx", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
        out += pack(1, struct.pack(order + "HHI", link, 0, 262144) + options)
    out += pack(4, struct.pack(order + "HH", 1, 4 + 16) + socket.inet_aton("203.0.113.20") + b"api.example.com\0" + struct.pack(order + "HH", 0, 0))
    out += pack(0x0BAD, b"an unknown block, to be skipped")
    for n, (sec, usec, data) in enumerate(rows):
        stamp = (sec * 10**6 + usec) * 10 ** (resolution - 6)
        high, low = stamp >> 32, stamp & 0xFFFFFFFF
        which = n % interfaces if interfaces > 1 else interface
        padded = data + b"\0" * (-len(data) % 4)
        if simple:
            out += pack(3, struct.pack(order + "I", len(data)) + data)
        elif obsolete:
            out += pack(2, struct.pack(order + "HHIIII", which, 0xFFFF, high, low, len(data), len(data)) + data)
        else:
            comment = b"first packet" if n == 0 else b""
            options = struct.pack(order + "HH", 1, len(comment)) + comment + struct.pack(order + "HH", 0, 0) if comment else b""
            out += pack(6, struct.pack(order + "IIIII", which, high, low, len(data), len(data)) + padded + options)
    return out


form("pcapng-two-sections.pcapng", "two sections of different byte order, each with its interface; the flow runs on across them")(
    whole_file(lambda r: section(r[:6]) + section(r[6:], order=">")))
form("pcapng-two-interfaces.pcapng", "packets of one flow from two interfaces in turn, time resolution 10⁻⁹")(whole_file(lambda r: section(r, interfaces=2, resolution=9)))
form("pcapng-big-endian.pcapng", "one big-endian section with name resolution, a comment and an unknown block")(whole_file(lambda r: section(r, order=">")))
form("pcapng-obsolete-packets.pcapng", "obsolete packet blocks (type 2)")(whole_file(lambda r: section(r, obsolete=True)))
form("pcapng-simple-packets.pcapng", "simple packet blocks (type 3): no time stamps at all")(whole_file(lambda r: section(r, simple=True)))

for suffix, pack in (("gz", gzip.compress), ("xz", lzma.compress),
                     ("zst", lambda d: subprocess.run(["zstd", "-qc"], input=d, capture_output=True, check=True).stdout),
                     ("lz4", lambda d: subprocess.run(["lz4", "-qc"], input=d, capture_output=True, check=True).stdout)):
    form(f"packed-{suffix}.pcap.{suffix}", f"a pcap packed by {suffix}", tools=f"captured by tcpdump, packed by {suffix}")(
        whole_file(lambda r, pack=pack: pack(pcap(r))))


# link layers: each takes the IP packet (or the whole frame) and says how it stands in the file

def on(link, wrap):
    """`wrap(ip, frame)` gives the new record of each IPv4 packet."""
    return whole_file(lambda rows: pcap([(s, u, wrap(d[14:], d)) for s, u, d in rows], link=link))


OUTER = socket.inet_aton("198.51.100.1") + socket.inet_aton("198.51.100.2")


def ipv4(proto, body, options=b""):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 7, 0x4000, 61, proto, 0) + OUTER + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def udp(port, body):
    return ipv4(17, struct.pack("!HHHH", 49152, port, 8 + len(body), 0) + body)


def ether(kind, body, frame):
    return frame[:12] + struct.pack("!H", kind) + body


def outer(packet):
    return b"\x02\0\0\0\1\1\x02\0\0\0\1\2\x08\0" + packet


links = {
    "link-raw-101": (101, "raw IP (DLT_RAW 101)", lambda p, f: p),
    "link-raw-12": (12, "raw IP by its old number 12", lambda p, f: p),
    "link-ipv4-228": (228, "LINKTYPE_IPV4", lambda p, f: p),
    "link-null-little-endian": (0, "BSD loopback, family in little-endian", lambda p, f: struct.pack("<I", 2) + p),
    "link-null-big-endian": (0, "BSD loopback, family in big-endian", lambda p, f: struct.pack(">I", 2) + p),
    "link-loop": (108, "OpenBSD loopback", lambda p, f: struct.pack(">I", 2) + p),
    "link-ppp": (9, "PPP in HDLC-like framing", lambda p, f: b"\xff\x03\x00\x21" + p),
    "link-ppp-short": (9, "PPP, address and control left out", lambda p, f: b"\x00\x21" + p),
    "link-ppp-hdlc": (50, "PPP in HDLC framing", lambda p, f: b"\xff\x03\x00\x21" + p),
    "link-pppoe": (1, "PPPoE session over Ethernet", lambda p, f: ether(0x8864, struct.pack("!BBHH", 0x11, 0, 0x2A, len(p) + 2) + b"\x00\x21" + p, f)),
    "link-pppoe-51": (51, "LINKTYPE_PPP_ETHER", lambda p, f: struct.pack("!BBHH", 0x11, 0, 0x2A, len(p) + 2) + b"\x00\x21" + p),
    "link-80211": (105, "802.11 data frames, LLC/SNAP", lambda p, f: b"\x08\x01\x2c\x00" + f[:6] + f[6:12] + f[:6] + b"\x10\x00" + b"\xaa\xaa\x03\0\0\0\x08\0" + p),
    "link-80211-qos": (105, "802.11 QoS data frames", lambda p, f: b"\x88\x01\x2c\x00" + f[:6] + f[6:12] + f[:6] + b"\x10\x00\x00\x00" + b"\xaa\xaa\x03\0\0\0\x08\0" + p),
    "link-radiotap": (127, "802.11 data frames behind a radiotap header", lambda p, f: struct.pack("<BBHI", 0, 0, 8, 0) + b"\x08\x02\x2c\x00" + f[:6] + f[6:12] + f[6:12] + b"\x10\x00" + b"\xaa\xaa\x03\0\0\0\x08\0" + p),
    "vlan": (1, "802.1Q, VLAN 100", lambda p, f: f[:12] + b"\x81\x00\x00\x64" + f[12:]),
    "vlan-priority": (1, "802.1Q priority tag, VLAN 0", lambda p, f: f[:12] + b"\x81\x00\xa0\x00" + f[12:]),
    "qinq-88a8": (1, "802.1ad outer tag 200, inner 802.1Q tag 100", lambda p, f: f[:12] + b"\x88\xa8\x00\xc8\x81\x00\x00\x64" + f[12:]),
    "qinq-8100": (1, "two 802.1Q tags", lambda p, f: f[:12] + b"\x81\x00\x00\xc8\x81\x00\x00\x64" + f[12:]),
    "qinq-9100": (1, "the older outer tag 9100", lambda p, f: f[:12] + b"\x91\x00\x00\xc8\x81\x00\x00\x64" + f[12:]),
    "mpls-two-labels": (1, "two MPLS labels", lambda p, f: ether(0x8847, struct.pack("!II", 16 << 12 | 64, 17 << 12 | 0x100 | 64) + p, f)),
    "gre": (1, "GRE over IPv4", lambda p, f: outer(ipv4(47, b"\0\0\x08\0" + p))),
    "gre-key-sequence": (1, "GRE with key and sequence number", lambda p, f: outer(ipv4(47, b"\x30\0\x08\0" + struct.pack("!II", 99, 5) + p))),
    "gre-ethernet": (1, "Ethernet in GRE (transparent bridging)", lambda p, f: outer(ipv4(47, b"\0\0\x65\x58" + f))),
    "erspan-1": (1, "ERSPAN type I: GRE without sequence number", lambda p, f: outer(ipv4(47, b"\0\0\x88\xbe" + f))),
    "erspan-2": (1, "ERSPAN type II", lambda p, f: outer(ipv4(47, b"\x10\0\x88\xbe" + struct.pack("!I", 9) + struct.pack("!HHI", 0x1064, 0x0005, 1) + f))),
    "erspan-3": (1, "ERSPAN type III", lambda p, f: outer(ipv4(47, b"\x10\0\x22\xeb" + struct.pack("!I", 9) + struct.pack("!HHIHH", 0x2064, 0x0005, 123456, 0, 0) + f))),
    "vxlan": (1, "VXLAN on UDP 4789", lambda p, f: outer(udp(4789, b"\x08\0\0\0\0\0\x2a\0" + f))),
    "geneve": (1, "Geneve on UDP 6081", lambda p, f: outer(udp(6081, b"\0\0\x65\x58\0\0\x2a\0" + f))),
    "geneve-options": (1, "Geneve with 8 bytes of options", lambda p, f: outer(udp(6081, b"\x02\0\x65\x58\0\0\x2a\0" + b"\1\2\3\1\0\0\0\7" + f))),
    "ip-in-ip": (1, "IPv4 in IPv4", lambda p, f: outer(ipv4(4, p))),
    "ip-length-zero": (1, "IP total length 0, as a sending host with TSO captures it", lambda p, f: f[:16] + b"\0\0" + f[18:]),
    "ip-options": (1, "IPv4 with a router alert option", lambda p, f: f[:14] + b"\x46" + p[1:2] + struct.pack("!H", len(p) + 4) + p[4:10] + b"\0\0" + p[12:20] + b"\x94\x04\0\0" + p[20:]),
}
for name, (link, what, wrap) in links.items():
    form(name, what)(on(link, wrap))


def six(wrap, link=1):
    return whole_file(lambda rows: pcap([(s, u, wrap(d[14:], d)) for s, u, d in rows], link=link))


form("6in4", "IPv6 in IPv4 (protocol 41)", ip6=True)(six(lambda p, f: outer(ipv4(41, p))))
form("link-ipv6-229", "LINKTYPE_IPV6", ip6=True)(six(lambda p, f: p, 229))
form("link-null-ipv6", "BSD loopback, IPv6 by macOS's family 30", ip6=True)(six(lambda p, f: struct.pack("<I", 30) + p, 0))
form("ipv6-extension-headers", "hop-by-hop and destination options before TCP", ip6=True)(
    six(lambda p, f: f[:14] + p[:4] + struct.pack("!H", len(p) - 40 + 16) + b"\0" + p[7:40] + b"\x3c\0\1\4\0\0\0\0" + b"\x06\0\1\4\0\0\0\0" + p[40:]))

form("cooked-1", "tcpdump -i any, Linux cooked v1", tools="tcpdump -i any -y LINUX_SLL")(lambda lab: talk(lab, device="any", extra=("-y", "LINUX_SLL"), only="tcp"))
form("cooked-2", "tcpdump -i any, Linux cooked v2", tools="tcpdump -i any -y LINUX_SLL2")(lambda lab: talk(lab, device="any", extra=("-y", "LINUX_SLL2"), only="tcp"))
