"""A receiver of webhooks that fails in every way: what it does to each request comes from the command line, in turn.

receiver.py PORT LOG TEMPER...   where TEMPER is a status, or `reset`, `close`, `cut`, `garbage` or `hang`; the last one
stays. LOG gets a line for each request: temper, and the body. With CERT in the environment (a PEM of certificate and
key) it speaks TLS.
"""

import http.server
import json
import os
import socket
import ssl
import struct
import sys
import threading

PORT, LOG, TEMPERS = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
LOCK = threading.Lock()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            temper = TEMPERS.pop(0) if len(TEMPERS) > 1 else TEMPERS[0]
            with open(LOG, "a") as log:
                told = {"temper": temper, "auth": self.headers.get("Authorization"), "body": json.loads(body)}
                log.write(json.dumps(told) + "\n")
        self.close_connection = True
        if temper == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        elif temper == "close":
            pass
        elif temper == "cut":
            self.wfile.write(b"HTTP/1.1 200 O")
        elif temper == "garbage":
            self.wfile.write(b"\x00" * 20_000)
        elif temper == "hang":
            threading.Event().wait(60)
        else:
            self.send_response(int(temper))
            if temper == "429":
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # What a client that was cut off leaves behind is its own matter.
    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", PORT), Receiver)
if "CERT" in os.environ:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
