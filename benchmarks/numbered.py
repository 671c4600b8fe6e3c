"""
A server that answers every payment with a document of its own: `python numbered.py < documents`.

It reads two documents, one a line: a payment alone, and one with its charge, which is answered to
requests that ask for it (`expand`). In each the ids are counted and the tag is the request's key.
Prints its port, does as little as it can, and ends when it is killed or after a while.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from subprocess import PIPE, Popen
from typing import Final

__all__ = ["KEY", "NUMBER", "serving"]

#: Stands for the number of the payment, and for the request's key.
NUMBER: Final = "NUMBER0000000000"
KEY: Final = "KEY00000000000000"

_LIVES: Final = 600.0
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nRequest-Id: req_numbered\r\nStripe-Should-Retry: false\r\n\r\n"
)
_ACCOUNT: Final = b'{"id":"acct_numbered","object":"account"}'
_numbers: Final = count(1)


def _value(head: bytes, name: bytes) -> bytes:
    return head.lower().partition(name + b": ")[2].partition(b"\r\n")[0]


class _Connection(asyncio.Protocol):
    """Answers whole requests, however they arrive."""

    def __init__(self, documents: Sequence[bytes]) -> None:
        self._alone, self._charged = documents
        self._read = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            total = end + 4 + int(_value(head, b"content-length") or b"0")
            if len(self._read) < total:
                return
            answer = self._answer(head, self._read[end:total])
            self._read = self._read[total:]
            if self._transport is not None:
                self._transport.write(_HEAD % len(answer) + answer)

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"GET"):
            return _ACCOUNT
        document = self._charged if b"expand" in body else self._alone
        number = b"%016d" % next(_numbers)
        key = _value(head, b"idempotency-key")
        return document.replace(NUMBER.encode(), number).replace(KEY.encode(), key)


async def _serve(documents: Sequence[bytes]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(documents), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(_LIVES)


@contextmanager
def serving(alone: bytes, charged: bytes) -> Iterator[str]:
    """The address of such a server, in a process of its own."""
    with Popen([sys.executable, __file__], stdin=PIPE, stdout=PIPE) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError
            process.stdin.write(alone + b"\n" + charged)
            process.stdin.close()
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(sys.stdin.buffer.read().split(b"\n")))
