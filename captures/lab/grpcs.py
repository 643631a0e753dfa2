"""One end of gRPC in clear, by grpcio (PyPI), without generated code: messages are bytes.

    grpcs.py server PORT
    grpcs.py client TARGET NAME METHOD SECONDS TIMES        SECONDS: deadline, 0: none, then cancelled after 6 s
    grpcs.py pings TARGET NAME

The server knows shop.Invoices: Issue is answered, Down is UNAVAILABLE, Wrong is INVALID_ARGUMENT, Who is UNAUTHENTICATED
without credentials, Late is silent, Watch is a stream that has nothing to say.
"""
import sys
import time
from concurrent import futures

import grpc

CODES = {"Down": (grpc.StatusCode.UNAVAILABLE, "backend is in maintenance"), "Wrong": (grpc.StatusCode.INVALID_ARGUMENT, "amount is missing")}


class Invoices(grpc.GenericRpcHandler):
    def service(self, call):
        method = call.method.rsplit("/", 1)[-1]

        def one(message, context):
            if method in CODES:
                context.abort(*CODES[method])
            if method == "Who" and "authorization" not in dict(context.invocation_metadata()):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
            if method == "Late":
                time.sleep(9)
            return b"\x0a\x0226"

        def stream(message, context):
            while context.is_active():
                time.sleep(0.2)
            return
            yield

        if method == "Watch":
            return grpc.unary_stream_rpc_method_handler(stream)
        if method in ("Issue", "Down", "Wrong", "Who", "Late"):
            return grpc.unary_unary_rpc_method_handler(one)
        return None


def server(port):
    own = grpc.server(futures.ThreadPoolExecutor(4))
    own.add_generic_rpc_handlers((Invoices(),))
    own.add_insecure_port(f"[::]:{port}")
    own.start()
    own.wait_for_termination()


def channel(target, name, *options):
    return grpc.insecure_channel(target, options=[("grpc.default_authority", name), *options])


def client(target, name, method, seconds, times="1"):
    with channel(target, name) as own:
        path = f"/shop.Invoices/{method}"
        if method == "Watch":
            call = own.unary_stream(path)(b"\x0a\x0126")
            time.sleep(6)
            call.cancel()
            time.sleep(0.3)
            return
        for turn in range(int(times)):
            # The second try of Who brings its credentials.
            metadata = [("authorization", "Bearer 0123456789abcdef")] if method == "Who" and turn else None
            try:
                own.unary_unary(path)(b"\x0a\x0126", timeout=float(seconds) or None, metadata=metadata)
            except grpc.RpcError as error:
                print(method, error.code())
            time.sleep(0.3)


def pings(target, name):
    """Keeps its connection alive more often than the server bears."""
    options = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    with channel(target, name, *options) as own:
        own.unary_unary("/shop.Invoices/Issue")(b"\x0a\x0126", timeout=5)
        time.sleep(8)


{"server": server, "client": client, "pings": pings}[sys.argv[1]](*sys.argv[2:])
