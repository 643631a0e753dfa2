#!/usr/bin/env python3
"""An end of PPP over asynchronous HDLC on standard input and output (RFC 1662), for `pppoe` and `pppoe-server`, which need
no kernel for their part: link control, then PAP. `ppp_end.py client NAME PASSWORD` or `ppp_end.py server PASSWORD`; a server
started as pppd gets the command of the line after `pty`. With `mute` in place of the password it says nothing; PPP_ECHO makes it ask every so many seconds whether the other
end is there.
"""
import os
import select
import struct
import subprocess
import sys
import time

LCP, PAP = 0xC021, 0xC023
role, secret = os.environ.get("PPP_END", "server:").split(":", 1)


def fcs(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
    return struct.pack("<H", value ^ 0xFFFF)


def send(out, protocol, code, ident, body=b""):
    data = struct.pack("!BBHBBH", 0xFF, 3, protocol, code, ident, 4 + len(body)) + body
    data += fcs(data)
    stuffed = b"".join(bytes([0x7D, b ^ 0x20]) if b in (0x7D, 0x7E) or b < 0x20 else bytes([b]) for b in data)
    os.write(out, b"\x7e" + stuffed + b"\x7e")


def frames(pending):
    *whole, rest = pending.split(b"\x7e")
    for one in whole:
        data, escaped = bytearray(), False
        for byte in one:
            if byte == 0x7D:
                escaped = True
            else:
                data.append(byte ^ 0x20 if escaped else byte)
                escaped = False
        if len(data) > 6:
            yield bytes(data[:-2])
    frames.rest = rest


def main(into, out):
    asked, done, pending, end = 0.0, {"up": False, "ours": False, "theirs": False, "auth": 0, "in": False}, b"", time.time() + float(os.environ.get("PPP_SECONDS", 14))
    number, echo, beat = 1, float(os.environ.get("PPP_ECHO", 0)), 0.0
    while time.time() < end:
        if echo and done["in"] and time.time() - beat > echo:
            send(out, LCP, 9, number % 256, b"\x00\x00\x00\x00")
            beat, number = time.time(), number + 1
        if role != "mute" and not done["ours"] and time.time() - asked > 3:
            options = b"\x03\x04\xc0\x23" if role == "server" else b""
            send(out, LCP, 1, number, options + b"\x05\x06" + os.urandom(4))
            asked, number = time.time(), number + 1
        if select.select([into], [], [], 0.1)[0]:
            more = os.read(into, 4096)
            if not more:
                return
            pending += more
            for one in frames(pending):
                if one[:2] == b"\xff\x03":
                    one = one[2:]
                protocol, code, ident, length = struct.unpack("!HBBH", one[:6])
                body = one[6:2 + length]
                if role == "mute":
                    continue
                if protocol == LCP and code == 1:
                    send(out, LCP, 2, ident, body)
                    done["theirs"] = True
                elif protocol == LCP and code == 2:
                    done["ours"] = True
                elif protocol == LCP and code == 5:
                    send(out, LCP, 6, ident)
                    return
                elif protocol == LCP and code == 9:
                    send(out, LCP, 10, ident, b"\x00\x00\x00\x00")
                elif protocol == PAP and code == 2:
                    done["in"] = True
                elif protocol == PAP and code == 1 and role == "server":
                    right = body.endswith(secret.encode())
                    words = b"Welcome" if right else b"User or password wrong (691)"
                    send(out, PAP, 2 if right else 3, ident, bytes([len(words)]) + words)
                    if not right:
                        time.sleep(0.3)
                        send(out, LCP, 5, 9)
            pending = frames.rest
        if role == "client" and done["ours"] and done["theirs"] and not done["auth"]:
            done["auth"] = 1
            name = b"office@isp.example"
            send(out, PAP, 1, 1, bytes([len(name)]) + name + bytes([len(secret)]) + secret.encode())


if "pty" in sys.argv:
    line = subprocess.Popen(sys.argv[sys.argv.index("pty") + 1], shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    main(line.stdout.fileno(), line.stdin.fileno())
    line.terminate()
else:
    main(0, 1)
