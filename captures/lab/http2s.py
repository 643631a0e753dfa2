"""One end of HTTP/2 in clear, by hyper's h2 (PyPI), that does what its peers have to cope with.

    http2s.py server PORT
    http2s.py client HOST PORT NAME CANCEL PATH...      CANCEL: seconds after which what is unanswered is cancelled; 0: never

The server goes by the path: /slow waits 4 s, /never is silent, /reset and /cut give the stream up before and inside the
response, /refuse once refuses it unseen, /calm sends GOAWAY with ENHANCE_YOUR_CALM, /bye GOAWAY in peace; all else is 200.
"""
import json
import socket
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, RequestReceived, StreamEnded, StreamReset

BODY = json.dumps({"code": "0", "data": {"serial": "26112400007"}}).encode()


class Peer:
    def __init__(self, sock, client):
        self.sock, self.lock = sock, threading.Lock()
        self.h2 = H2Connection(H2Configuration(client_side=client, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def does(self, work):
        with self.lock:
            work(self.h2)
            self.flush()

    def events(self):
        while True:
            try:
                got = self.sock.recv(65536)
            except OSError:
                return
            if not got:
                return
            with self.lock:
                events = self.h2.receive_data(got)
                self.flush()
            yield from events


def server(port):
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", int(port)))
    listener.listen(8)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def serve(sock):
    peer, paths, refused = Peer(sock, False), {}, set()
    head = [(":status", "200"), ("content-type", "application/json"), ("server", "h2")]

    def whole(stream):
        peer.does(lambda h2: (h2.send_headers(stream, head), h2.send_data(stream, BODY, True)))

    for event in peer.events():
        if isinstance(event, RequestReceived):
            paths[event.stream_id] = dict(event.headers)[":path"]
        elif isinstance(event, StreamEnded):
            stream, path = event.stream_id, paths[event.stream_id]
            if path.startswith("/slow"):
                threading.Timer(4, whole, (stream,)).start()
            elif path.startswith("/never"):
                pass
            elif path.startswith("/reset"):
                peer.does(lambda h2: h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR))
            elif path.startswith("/cut"):
                peer.does(lambda h2: (h2.send_headers(stream, head + [("content-length", "5000")]), h2.send_data(stream, b"{" * 400)))
                time.sleep(0.2)
                peer.does(lambda h2: h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR))
            elif path.startswith("/refuse") and path not in refused:
                refused.add(path)
                peer.does(lambda h2: h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM))
            elif path.startswith("/calm"):
                peer.does(lambda h2: h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM))
                sock.close()
                return
            elif path.startswith("/bye"):
                whole(stream)
                peer.does(lambda h2: h2.close_connection(ErrorCodes.NO_ERROR))
            else:
                whole(stream)
    sock.close()


def client(host, port, name, cancel, *paths):
    sock = socket.create_connection((host, int(port)))
    sock.settimeout(12)
    peer, open_, asked = Peer(sock, True), {}, {}

    def ask(path):
        def work(h2):
            stream = h2.get_next_available_stream_id()
            open_[stream] = path
            h2.send_headers(stream, [(":method", "GET"), (":scheme", "http"), (":authority", f"{name}:{port}"), (":path", path), ("accept", "application/json")], True)
        peer.does(work)

    def give_up():
        for stream in list(open_):
            peer.does(lambda h2: h2.reset_stream(stream, ErrorCodes.CANCEL))
            open_.pop(stream, None)
        sock.shutdown(socket.SHUT_RD)

    for path in paths:
        ask(path)
    if float(cancel):
        threading.Timer(float(cancel), give_up).start()
    for event in peer.events():
        if isinstance(event, StreamEnded):
            open_.pop(event.stream_id, None)
        elif isinstance(event, StreamReset):
            path = open_.pop(event.stream_id, None)
            if event.error_code == ErrorCodes.REFUSED_STREAM and asked.setdefault(path, 0) < 1:
                asked[path] += 1
                ask(path)
        elif isinstance(event, ConnectionTerminated):
            break
        if not open_:
            break
    sock.close()


{"server": server, "client": client}[sys.argv[1]](*sys.argv[2:])
