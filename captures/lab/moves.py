"""What scenarios do again and again: one exchange, a request's bytes, a server that plays a part, a close."""
import threading

from net import gather

NAME = "dppt.beijing.chinatax.gov.cn"


def ask(path="/kpfw/v1/status", body=b""):
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: {NAME}\r\n" + (f"Content-Length: {len(body)}\r\n" if body else "")
    return head.encode() + b"\r\n" + body


def answer(body=b'{"code":"ok"}', more=""):
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def exchange(one, other, question=None, reply=None):
    """One request and its whole answer on a connection whose two ends are both ours."""
    question, reply = question or ask(), reply or answer()
    sender = threading.Thread(target=one.sendall, args=(question,))
    sender.start()
    gather(other, len(question))
    sender.join()
    sender = threading.Thread(target=other.sendall, args=(reply,))
    sender.start()
    got = gather(one, len(reply))
    sender.join()
    return got


def finish(one, other):
    """The client closes, then the server."""
    one.close()
    other.recv(1)
    other.close()


def whole(lab, port=8080, **options):
    """A connection with one exchange and a proper end."""
    one, other = lab.pair(port, **options)
    exchange(one, other)
    finish(one, other)
