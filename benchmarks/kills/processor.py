"""
The processor's side: the Stripe simulator in a process of its own, behind a loopback port.

Its answers take a few milliseconds, before and after what they answer is done, so that clients die
on either side of the effect. Requests that end before their body did are counted, and the simulator
takes none of them.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import socket
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from payport.operations.clock import SystemClock
from payport.testing.bank.books import EntryKind
from payport.testing.stripe_simulator import StripeSimulator

__all__ = ["API_KEY", "Books", "books_at", "listener", "serve"]

API_KEY: Final = "sk_test_000000000000000000000000"
#: Seconds that a request or an answer is under way, at least and at most.
_WAY: Final = (0.001, 0.008)
_BOOKS: Final = "/_books"


@dataclass(frozen=True, slots=True)
class Books:
    """
    What the processor knows in the end.

    Attributes:
        charges: The amount of every charge that was made for an order, by its reference.
        requests: How many requests there were.
        cut: How many of them ended before their body did.
    """

    charges: dict[str, list[int]]
    requests: int
    cut: int


def listener() -> socket.socket:
    """A socket on a free loopback port, which clients may connect to at once."""
    # With its protocol said, or asyncio does not see that it is TCP and leaves Nagle's delay on.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen(512)
    made.setblocking(False)  # noqa: FBT003 - it has no name
    return made


def serve(where: socket.socket, seed: int) -> None:
    """Run the simulator until the process is killed."""
    simulator = StripeSimulator(clock=SystemClock())
    config = uvicorn.Config(
        _Line(simulator, seed), log_level="critical", access_log=False, lifespan="off"
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[where]))


class _Line:
    """The ASGI application around the simulator's."""

    def __init__(self, simulator: StripeSimulator, seed: int) -> None:
        self._simulator = simulator
        self._app = simulator.asgi()
        self._random = random.Random(seed)  # noqa: S311 - seeded, so that it can be repeated
        self._requests = 0
        self._cut = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == _BOOKS:
            await _answer(send, json.dumps(self._books()).encode())
            return
        self._requests += 1
        whole = False

        async def watched() -> Any:
            nonlocal whole
            message = await receive()
            if message["type"] == "http.disconnect" and not whole:
                self._cut += 1
            whole = whole or not message.get("more_body", False)
            return message

        async def late(message: Any) -> None:
            if message["type"] == "http.response.start":
                await self._under_way()
            await send(message)

        await self._under_way()
        await self._app(scope, watched, late)

    async def _under_way(self) -> None:
        await asyncio.sleep(self._random.uniform(*_WAY))

    def _books(self) -> dict[str, Any]:
        bank = self._simulator.bank
        orders = {payment.ref: payment.order.metadata["order"] for payment in bank.payments}
        charges = defaultdict[str, list[int]](list)
        for entry in bank.entries:
            if entry.kind is EntryKind.CHARGE and entry.payment is not None:
                charges[orders[entry.payment]].append(entry.minor)
        return {"charges": charges, "requests": self._requests, "cut": self._cut}


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def books_at(port: int) -> Books:
    """The processor's books."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", _BOOKS)
        return Books(**json.loads(connection.getresponse().read()))
    finally:
        connection.close()
