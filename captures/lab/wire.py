"""A cable between two network interfaces on which frames can be lost, delayed, changed, doubled or forged.

The kernel's own impairments need modules that small machines lack, so a thread carries each frame from one AF_PACKET
socket to the other. `rule(frame, out)` decides for every frame: `out` is True on the way from the host to the network.
It returns None to pass it on, `DROP`, or a list of `(delay_seconds, bytes, out)` to send instead. Forged frames are sent
at any time by `inject`. Frames need their checksums: offloads must be off on both sides.
"""
import heapq
import itertools
import select
import socket
import struct
import threading
import time

DROP = ()
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Frame:
    """One Ethernet frame with the fields that rules ask for; zero or None where a layer is absent."""

    def __init__(self, data):
        self.bytes = data
        self.ether, self.at = struct.unpack("!H", data[12:14])[0], 14
        while self.ether in (0x8100, 0x88A8):
            self.ether, self.at = struct.unpack("!H", data[self.at + 2:self.at + 4])[0], self.at + 4
        self.proto = self.ttl = self.flags = self.size = 0
        self.sport = self.dport = self.seq = self.ack = 0
        self.four = self.ether == 0x0800
        if self.four:
            head = (data[self.at] & 15) * 4
            total = struct.unpack("!H", data[self.at + 2:self.at + 4])[0]
            self.ttl, self.proto = data[self.at + 8], data[self.at + 9]
        elif self.ether == 0x86DD:
            head, total = 40, 40 + struct.unpack("!H", data[self.at + 4:self.at + 6])[0]
            self.proto, self.ttl = data[self.at + 6], data[self.at + 7]
        else:
            return
        self.l4 = self.at + head
        if self.proto in (6, 17):
            self.sport, self.dport = struct.unpack("!HH", data[self.l4:self.l4 + 4])
        if self.proto == 6:
            self.seq, self.ack, offset, self.flags, self.window = struct.unpack("!IIBBH", data[self.l4 + 4:self.l4 + 16])
            self.body = self.l4 + (offset >> 4) * 4
            self.size = self.at + total - self.body
            self.payload = data[self.body:self.at + total]

    tcp = property(lambda self: self.proto == 6)
    syn = property(lambda self: self.tcp and self.flags & SYN and not self.flags & ACK)
    synack = property(lambda self: self.tcp and self.flags & SYN and self.flags & ACK)
    fin = property(lambda self: self.tcp and bool(self.flags & FIN))
    rst = property(lambda self: self.tcp and bool(self.flags & RST))
    bare = property(lambda self: self.tcp and self.flags & ~PSH == ACK and self.size == 0)

    def with_ttl(self, ttl):
        data = bytearray(self.bytes)
        if self.four:
            data[self.at + 8] = ttl
            data[self.at + 10:self.at + 12] = b"\0\0"
            data[self.at + 10:self.at + 12] = struct.pack("!H", checksum(bytes(data[self.at:self.l4])))
        else:
            data[self.at + 7] = ttl
        return bytes(data)

    def with_vlan(self, tag):
        return self.bytes[:12] + struct.pack("!HH", 0x8100, tag) + self.bytes[12:]

    def forge(self, flags, seq=None, ack=None, ttl=64, reply=True, window=0, ident=0, payload=b""):
        """A segment of the same flow that neither end sent: in the other end's name, or (not `reply`) in this sender's."""
        d, at = self.bytes, self.at
        if seq is None:
            seq = self.ack if reply else self.seq
        if ack is None:
            ack = (self.seq + self.size + bool(self.flags & (SYN | FIN))) if reply else self.ack
        ports = (self.dport, self.sport) if reply else (self.sport, self.dport)
        tcp = struct.pack("!HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, window, 0, 0) + payload
        size = 4 if self.four else 16
        src = at + (12 if self.four else 8)
        a, b = d[src:src + size], d[src + size:src + 2 * size]
        if reply:
            a, b = b, a
        pseudo = a + b + (struct.pack("!BBH", 0, 6, len(tcp)) if self.four else struct.pack("!IHBB", len(tcp), 0, 0, 6))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        if self.four:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), ident, 0, ttl, 6, 0) + a + b
            head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        else:
            head = struct.pack("!IHBB", 0x60000000, len(tcp), 6, ttl) + a + b
        macs = d[6:12] + d[0:6] if reply else d[0:12]
        return macs + d[12:at] + head + tcp


class Wire:
    """Carries frames between the interfaces `near` (the host's side) and `far`, under the rule of the moment."""

    def __init__(self, near, far):
        self.rule = lambda frame, out: None
        self.delay = {True: 0.0, False: 0.0}
        self.ends = {True: self.open(far), False: self.open(near)}   # keyed by the direction that leaves there
        self.queue, self.order, self.lock = [], itertools.count(), threading.Lock()
        self.alive = True
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    @staticmethod
    def open(device):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        one.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        one.bind((device, 0))
        return one

    def inject(self, data, out=False, after=0.0):
        """Sends a frame that nobody sent."""
        with self.lock:
            heapq.heappush(self.queue, (time.monotonic() + after, next(self.order), data, out))

    def carry(self):
        while self.alive:
            wait = 0.002 if self.queue else 0.02
            ready, _, _ = select.select(list(self.ends.values()), [], [], wait)
            for one in ready:
                out = one is self.ends[False]
                data = one.recv(65536)
                answer = self.rule(Frame(data), out)
                if answer is None:
                    answer = [(0.0, data, out)]
                for delay, frame, where in answer:
                    self.inject(frame, where, delay + self.delay[where])
            self.flush()

    def flush(self):
        while True:
            with self.lock:
                if not self.queue or self.queue[0][0] > time.monotonic():
                    return
                _, _, data, out = heapq.heappop(self.queue)
            try:
                self.ends[out].send(data)
            except OSError:
                pass

    def close(self):
        self.alive = False
        self.thread.join(2)
        for one in self.ends.values():
            one.close()
