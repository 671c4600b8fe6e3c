"""
Load: 500 deliveries a second for a minute, to a real endpoint on a loopback port. Measured when
asked for: `make load`.

The endpoint is FastAPI's, served by uvicorn, with an `AsyncPayport` on SQLite with FULL. A worker
beside it in the same process (`payport_lifespan(pay, worker=...)`), as is advised for SQLite, works
it off, with a handler that writes a row through its transaction. Of each payment the provider tells
four events, of which one is news that the handler waits for. Senders keep to the clock, on sixteen
connections. Latency is from the moment a delivery was due to be sent to its answer. The backlog is
what was stored and is not processed and handled yet, looked at each second.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from figures import Figure, at_least, at_most, known
from shop_events import Shop, signed

from payport import Handlers, PaymentSucceeded
from payport.integrations.fastapi import mount_webhooks, payport_lifespan

_BENCHMARKS: Final = Path(__file__).parent
sys.path.append(str(_BENCHMARKS / "kills"))

from children import Children  # noqa: E402 - found since
from processor import listener  # noqa: E402

RATE: Final = 500
SECONDS: Final = int(os.environ.get("LOAD_SECONDS", "60"))
CONNECTIONS: Final = 16
PATH: Final = "/webhooks/payport"
#: Events about each payment.
_EVENTS: Final = 4
#: Seconds to work off what is left in the end, and deliveries that may wait at any time.
_LATE: Final = 10.0
_BACKLOG: Final = 2 * RATE
_POLL: Final = 0.02
_EFFECTS: Final = "CREATE TABLE effects (number INTEGER PRIMARY KEY, reference TEXT NOT NULL)"
_OPEN: Final = (
    "SELECT (SELECT count(*) FROM payport_inbox WHERE state = 'due') "
    "+ (SELECT count(*) FROM payport_handler_runs WHERE state = 'due')"
)

handlers: Final = Handlers()


@handlers.on(PaymentSucceeded)
def paid(event: PaymentSucceeded, tx: Any) -> None:
    """Write a row for each effect."""
    insert = "INSERT INTO effects (reference) VALUES (?)"
    tx.connection.exec_driver_sql(insert, (event.reference,))


def serve(shop: Shop, where: Any) -> None:
    """The endpoint and its worker, until the process is killed."""
    import uvicorn  # noqa: PLC0415 - the servers alone need it

    pay = shop.async_client()
    app = FastAPI(lifespan=payport_lifespan(pay, worker=_POLL))
    mount_webhooks(app, pay, PATH)
    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_keep_alive=75)
    asyncio.run(uvicorn.Server(config).serve(sockets=[where]))


class Senders:
    """The provider: deliveries that are due one after the other, and what came of each."""

    def __init__(self, bodies: Sequence[bytes], port: int) -> None:
        self._bodies = bodies
        self._port = port
        self._next = 0
        self._began = 0.0
        self.latencies: list[float] = []
        self.refused = 0

    async def run(self) -> None:
        """Send all of them."""
        self._began = time.perf_counter() + 0.5
        await asyncio.gather(*(self._connection() for _ in range(CONNECTIONS)))

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while self._next < len(self._bodies):
            number, self._next = self._next, self._next + 1
            due = self._began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(_request(self._bodies[number]))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            self.latencies.append(time.perf_counter() - due)
            self.refused += not head.startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


def _request(body: bytes) -> bytes:
    headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **signed(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _watched(path: Path, senders: Senders) -> int:
    """Send, and return the most that waited at a time."""
    sending = asyncio.create_task(senders.run())
    most = 0
    while not sending.done():
        most = max(most, await asyncio.to_thread(_asked, path, _OPEN))
        await asyncio.wait({sending}, timeout=1.0)
    await sending
    return most


def _asked(path: Path, query: str) -> int:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_LATE)
    try:
        value: int = db.execute(query).fetchone()[0]
        return value
    finally:
        db.close()


def _prepared(shop: Shop, path: Path) -> list[bytes]:
    """Payments, and what is told of them in the order of time."""
    pay = shop.client()
    bodies = [body for event in shop.stories(pay, RATE * SECONDS // _EVENTS) for body in event]
    pay.close()
    db = sqlite3.connect(path)
    db.execute(_EFFECTS)
    db.commit()
    db.close()
    return bodies


def figures() -> Iterator[Figure]:
    """One minute, and what came of it."""
    logging.getLogger("payport").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "payments.db")
        shop = Shop(f"sqlite:///{path}", handlers)
        bodies = _prepared(shop, path)
        with Children() as children, listener() as where:
            port: int = where.getsockname()[1]
            children.fork(lambda: serve(shop, where))
            senders = Senders(bodies, port)
            began = time.monotonic()
            most = asyncio.run(_watched(path, senders))
            taken = time.monotonic() - began
            left = time.monotonic() + _LATE
            while _asked(path, _OPEN) and time.monotonic() < left:
                time.sleep(_POLL)
            late = time.monotonic() - began - taken
            open_ = _asked(path, _OPEN)
        stored = _asked(path, "SELECT count(*) FROM payport_inbox")
        acted = _asked(path, "SELECT count(DISTINCT reference) FROM effects")
        twice = _asked(path, "SELECT count(*) FROM effects") - acted
    yield from _told(senders, bodies, taken)
    yield at_most("deliveries lost", len(bodies) - stored, 0, digits=0)
    missed = len(bodies) // _EVENTS - acted + twice
    yield at_most("payments not acted on exactly once", missed, 0, digits=0)
    yield at_most("most that waited at a time", most, _BACKLOG, digits=0)
    yield at_most("left when all was to be done", open_, 0, digits=0)
    yield known("seconds until all was done, after the last answer", late)


def _told(senders: Senders, bodies: Sequence[bytes], taken: float) -> Iterator[Figure]:
    latencies = sorted(senders.latencies)
    yield known("deliveries", len(latencies), digits=0)
    yield at_least("a second", len(latencies) / (taken - 0.5), 0.98 * RATE, digits=0)
    yield at_most(
        "not answered with 200", len(bodies) - len(latencies) + senders.refused, 0, digits=0
    )
    for share in (0.5, 0.99, 0.999):
        latency = latencies[int(len(latencies) * share)] * 1e3
        what = f"latency, {share * 100:g} of 100 are faster"
        if share == 0.99:  # noqa: PLR2004 - the one with a bar
            yield at_most(what, latency, 100, unit=" ms", digits=1)
        else:
            yield known(what, latency, unit=" ms", digits=1)
