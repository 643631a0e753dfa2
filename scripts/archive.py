#!/usr/bin/env python3
"""An archive for `scripts/bench-archive`: archive.py FOLDER FILES BYTES.

Capture points in folders of their own, each with rings of five files an hour. A ring begins with traffic of the lab (an
office's incident, another point's healthy connections), moved to its hour; the rest is one download that runs on
across the five files, so that no file can be judged alone. The same arguments give the same bytes.
"""

import pathlib
import struct
import sys

RING = 5
HOUR = 3600
START = 1_767_225_600  # 2026-01-01T00:00:00Z
SEGMENT = 1448
HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)


def records(path):
    """Records of a little-endian Ethernet pcap as (nanoseconds, packet)."""
    data = path.read_bytes()
    unit = {b"\xd4\xc3\xb2\xa1": 1000, b"\x4d\x3c\xb2\xa1": 1}.get(data[:4])
    if unit is None or struct.unpack_from("<I", data, 20)[0] != 1:
        return None
    at, found = 24, []
    while at + 16 <= len(data):
        seconds, part, stored, _ = struct.unpack_from("<IIII", data, at)
        found.append((seconds * 10**9 + part * unit, data[at + 16 : at + 16 + stored]))
        at += 16 + stored
    return found


def record(at, packet):
    return struct.pack("<IIII", at // 10**9, at % 10**9, len(packet), len(packet)) + packet


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Download:
    """A healthy GET over one connection, whose answer is as long as wanted."""

    def __init__(self, point, hour, length):
        self.client = bytes([10, 40, point % 250, 7])
        self.server = bytes([198, 18, 0, 1 + hour % 200])
        self.port = 40_000 + (point * 131 + hour) % 20_000
        self.seq = [1_000, 5_000]
        self.length = length
        self.number = 0
        self.payload = bytes(range(256)) * 6

    def packet(self, way, flags, payload=b""):
        ends = [(self.client, self.port), (self.server, 80)]
        (source, from_port), (target, to_port) = ends if way == 0 else ends[::-1]
        self.number = (self.number + 1) & 0xFFFF
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), self.number, 0x4000, 64, 6, 0, source, target)
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        ack = self.seq[1 - way] if flags & 0x10 else 0
        # Checksum zero: what a sender with offload shows.
        tcp = struct.pack(">HHIIBBHHH", from_port, to_port, self.seq[way], ack, 0x50, flags, 64_240, 0, 0)
        self.seq[way] = (self.seq[way] + len(payload) + bool(flags & 3)) & 0xFFFFFFFF
        macs = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02"
        return (macs if way else macs[6:] + macs[:6]) + b"\x08\0" + ip + tcp + payload

    def open(self):
        yield self.packet(0, 2)
        yield self.packet(1, 0x12)
        yield self.packet(0, 0x10)
        yield self.packet(0, 0x18, b"GET /archive HTTP/1.1\r\nHost: mirror.example\r\n\r\n")
        yield self.packet(1, 0x18, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.length)

    def segments(self, count):
        for number in range(count):
            yield self.packet(1, 0x10, self.payload[:SEGMENT])
            if number % 2:
                yield self.packet(0, 0x10)

    def close(self):
        yield self.packet(1, 0x11)
        yield self.packet(0, 0x11)
        yield self.packet(1, 0x10)


def main():
    folder, files = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    size = sys.argv[3]
    units = {"G": 10**9, "M": 10**6}
    each = (int(size[:-1]) * units[size[-1]] if size[-1] in units else int(size)) // files
    lab = pathlib.Path(__file__).parent.parent / "captures"
    paths = sorted((lab / "incident").glob("*/*.pcap")) + sorted((lab / "healthy").glob("*.pcap"))
    scenes = [scene for scene in map(records, paths) if scene]
    rings = -(-files // RING)
    points = max(1, min(40, rings // 10))
    left = files
    for ring in range(rings):
        point, hour = ring % points, ring // points
        begin = (START + hour * HOUR) * 10**9
        scene = scenes[(ring * 7) % len(scenes)]
        first = scene[0][0]
        head = b"".join(record(begin + at - first, packet) for at, packet in scene)
        later = begin + max(at - first for at, _ in scene)
        in_ring = min(RING, left)
        left -= in_ring
        per_pair = 2 * (SEGMENT + 54 + 16) + 54 + 16
        counts = [max(2, 2 * ((each - (len(head) if n == 0 else 0)) // per_pair)) for n in range(in_ring)]
        download = Download(point, hour, sum(counts) * SEGMENT)
        place = folder / f"gw{point:02d}"
        place.mkdir(parents=True, exist_ok=True)
        clock = later
        for number, count in enumerate(counts):
            name = f"h{hour:03d}_{number + 1:05d}_{20260101 + hour // 24}{hour % 24:02d}{number * 10:02d}00.pcap"
            parts = [HEADER, head if number == 0 else b""]
            steps = [download.segments(count)]
            if number == 0:
                steps.insert(0, download.open())
            if number == in_ring - 1:
                steps.append(download.close())
            for step in steps:
                for packet in step:
                    clock += 20_000
                    parts.append(record(clock, packet))
            (place / name).write_bytes(b"".join(parts))


main()
