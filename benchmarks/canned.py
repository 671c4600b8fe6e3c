"""
A server that answers every POST with one canned document: `python canned.py < document.json`.

Prints its port, keeps connections open, does as little as it can, and ends when it is killed or
after two minutes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

_LIVES = 120.0
_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 21 Sep 2026 14:13:20 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nRequest-Id: req_canned\r\n"
    b"Stripe-Should-Retry: false\r\n\r\n"
)


class _Connection(asyncio.Protocol):
    """Answers whole requests, however they arrive."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._read = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - a socket's is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            _, _, length = head.partition(b"content-length:")
            total = end + 4 + int(length.partition(b"\r\n")[0] or b"0")
            if len(self._read) < total:
                return
            self._read = self._read[total:]
            if self._transport is not None:
                self._transport.write(self._answer)


async def _serve(document: bytes) -> None:
    answer = _HEAD % len(document) + document
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(_LIVES)


@contextmanager
def serving(document: bytes) -> Iterator[str]:
    """The address of such a server, in a process of its own."""
    with Popen([sys.executable, __file__], stdin=PIPE, stdout=PIPE) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError
            process.stdin.write(document)
            process.stdin.close()
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(sys.stdin.buffer.read()))
