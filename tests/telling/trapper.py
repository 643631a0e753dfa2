"""A Zabbix server that takes what a trapper sends: `trapper.py PORT FILE` writes each message as it came, a line of hex each.
"""

import socket
import struct
import sys

PORT, FILE = int(sys.argv[1]), sys.argv[2]
ANSWER = b'{"response":"success","info":"processed: 1; failed: 0; total: 1; seconds spent: 0.000010"}'


def exactly(peer, count):
    taken = b""
    while len(taken) < count:
        piece = peer.recv(count - len(taken))
        if not piece:
            raise EOFError
        taken += piece
    return taken


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", PORT))
listener.listen(8)
while True:
    peer, _ = listener.accept()
    with peer:
        try:
            head = exactly(peer, 13)
            body = exactly(peer, struct.unpack("<I", head[5:9])[0])
        except (EOFError, OSError):
            continue
        with open(FILE, "a") as file:
            file.write((head + body).hex() + "\n")
        peer.sendall(b"ZBXD\x01" + struct.pack("<II", len(ANSWER), 0) + ANSWER)
