"""One end of a connection by QUIC with aioquic (PyPI), HTTP/3 inside.

    quic.py server PORT CHAIN.pem KEY.pem VERSIONS RETRY        RETRY: retry | plain
    quic.py client HOST PORT NAME VERSIONS SECONDS [WORDS]      WORDS: bytes of made-up protocols that swell the ClientHello

VERSIONS: 1, 2, or both in order of preference, as in `2,1`.
"""
import asyncio
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

NUMBERS = {"1": QuicProtocolVersion.VERSION_1, "2": QuicProtocolVersion.VERSION_2}


def settings(is_client, versions):
    numbers = [NUMBERS[version] for version in versions.split(",")]
    return QuicConfiguration(is_client=is_client, alpn_protocols=["h3"], supported_versions=numbers, original_version=numbers[0])


class Server(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        self.http = self.http or H3Connection(self._quic)
        for said in self.http.handle_event(event):
            if isinstance(said, HeadersReceived):
                self.http.send_headers(said.stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
                self.http.send_data(said.stream_id, b'{"code":"0"}', True)
                self.transmit()


class Client(QuicConnectionProtocol):
    http = None

    async def ask(self, name):
        self.http = H3Connection(self._quic)
        self.done = asyncio.get_running_loop().create_future()
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", name.encode()), (b":path", b"/kpfw/v1/health")], True)
        self.transmit()
        await asyncio.wait_for(self.done, 5)

    def quic_event_received(self, event):
        for said in self.http.handle_event(event) if self.http else ():
            if isinstance(said, DataReceived) and said.stream_ended:
                self.done.set_result(None)


async def server(port, chain, key, versions, retry):
    own = settings(False, versions)
    own.load_cert_chain(chain, key)
    await serve("::", int(port), configuration=own, create_protocol=Server, retry=retry == "retry")
    await asyncio.Future()


async def client(host, port, name, versions, seconds, words="0"):
    own = settings(True, versions)
    own.server_name = name
    own.verify_mode = ssl.CERT_NONE
    own.alpn_protocols += [f"x{n:07}" for n in range(int(words) // 9)]

    async def one():
        async with connect(host, int(port), configuration=own, create_protocol=Client) as connection:
            await connection.ask(name)

    try:
        await asyncio.wait_for(one(), float(seconds))
        print("QUIC answered")
    except (asyncio.TimeoutError, ConnectionError) as error:
        print("QUIC failed:", type(error).__name__)


part = {"server": server, "client": client}[sys.argv[1]]
asyncio.run(part(*sys.argv[2:]))
