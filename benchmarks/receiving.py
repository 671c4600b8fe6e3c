"""
The inbox: how fast webhooks are received, and taken by workers, on SQLite with FULL.

What `pay.webhooks.receive` costs in all is held against the least that it could: sqlite3's insert
and commit of the same rows into a file with the same tables and as many rows. Contenders are
measured in turn, the best of several rounds counts. The body is an event of Stripe's of 3 kB, in
lines as Stripe sends it. A signature check is that of the `stripe` package
(`WebhookSignature.verify_header`), which reads nothing of the body; what comes before the commit is
that, the envelope, the fingerprint, the digest, client secrets and the row. Workers claim twenty of
what waits, by payport's own statements, among a thousand that wait and among a million.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import stripe
from claiming import claims
from figures import Figure, at_least, at_most, in_turn, known
from shop_events import SECRET, Event, Shop, numbered, signed

from payport import Payport, WebhookRejected
from payport.webhooks.inbox import receive

ONE_BY_ONE: Final = 150
CALLERS: Final = 32
EACH: Final = 12
ROUNDS: Final = 12
CPU_CALLS: Final = 2_000
#: Bytes of the largest body that is read.
_LARGEST: Final = 256 * 1024

Request = tuple[bytes, dict[str, str]]


class Bench:
    """A store, its clients, and a file with the same table for sqlite3 alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "payments.db"
        self.shop = Shop(f"sqlite:///{self._path}")
        self.pay = self.shop.client()
        (self.event,) = self.shop.events(self.pay, 1)
        self.pay.webhooks.receive(body=self.event.body, headers=signed(self.event.body))
        self._bare = _Bare(self._path, folder / "bare.db")
        self._late: list[Request] = []

    def fresh(self, many: int) -> list[Request]:
        """Requests that were never made."""
        return [(body, signed(body)) for body in numbered(self.event, many)]

    def one_caller(self) -> float:
        """Seconds of a request, one after the other."""
        requests = self._late = self.fresh(ONE_BY_ONE)
        began = time.perf_counter()
        for body, headers in requests:
            self.pay.webhooks.receive(body=body, headers=headers)
        return (time.perf_counter() - began) / len(requests)

    def duplicates(self) -> float:
        """The same of requests that were made before."""
        began = time.perf_counter()
        for body, headers in self._late:
            self.pay.webhooks.receive(body=body, headers=headers)
        return (time.perf_counter() - began) / len(self._late)

    def bare(self) -> float:
        """Seconds that sqlite3 takes to insert and commit one of the rows that were stored."""
        return self._bare.seconds(ONE_BY_ONE)

    def threads(self) -> float:
        """Seconds of a request where so many threads make them."""
        requests = self.fresh(CALLERS * EACH)

        def some(caller: int) -> None:
            for body, headers in requests[caller::CALLERS]:
                self.pay.webhooks.receive(body=body, headers=headers)

        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(lambda _: time.sleep(0.001), range(CALLERS)))
            began = time.perf_counter()
            list(pool.map(some, range(CALLERS)))
            return (time.perf_counter() - began) / len(requests)

    def tasks(self) -> float:
        """Seconds of a request where so many tasks of a loop make them."""
        return asyncio.run(self._tasks())

    async def _tasks(self) -> float:
        requests = self.fresh(CALLERS * EACH)
        pay = self.shop.async_client()
        await pay.webhooks.receive(body=self.event.body, headers=signed(self.event.body))

        async def some(caller: int) -> None:
            for body, headers in requests[caller::CALLERS]:
                await pay.webhooks.receive(body=body, headers=headers)

        began = time.perf_counter()
        await asyncio.gather(*map(some, range(CALLERS)))
        taken = time.perf_counter() - began
        await pay.aclose()
        return taken / len(requests)

    def close(self) -> None:
        """Close the files."""
        self.pay.close()
        self._bare.close()


class _Bare:
    """sqlite3 alone, with the tables and the settings of payport's file."""

    def __init__(self, like: Path, path: Path) -> None:
        self._like = sqlite3.connect(like)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'payport_inbox' AND sql NOT NULL"
        for (statement,) in self._like.execute(made):
            self._db.execute(statement)
        columns = self._like.execute("PRAGMA table_info(payport_inbox)").fetchall()
        self._insert = f"INSERT INTO payport_inbox VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        self._last = 0

    def seconds(self, many: int) -> float:
        """Seconds of one of the newest rows; those before them are there already."""
        query = "SELECT rowid, * FROM payport_inbox WHERE rowid > ? ORDER BY rowid"
        rows = self._like.execute(query, (self._last,)).fetchall()
        self._last = rows[-1][0]
        earlier, newest = [row[1:] for row in rows[:-many]], [row[1:] for row in rows[-many:]]
        self._db.execute("BEGIN")
        self._db.executemany(self._insert, earlier)
        self._db.execute("COMMIT")
        began = time.perf_counter()
        for row in newest:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(self._insert, row)
            self._db.execute("COMMIT")
        return (time.perf_counter() - began) / len(newest)

    def close(self) -> None:
        """Close both files."""
        self._like.close()
        self._db.close()


def rates(bench: Bench) -> Iterator[Figure]:
    """How many a second, against sqlite3 alone."""
    contenders: dict[str, Callable[[], float]] = {
        "one": bench.one_caller,
        "bare": bench.bare,
        "duplicates": bench.duplicates,
        "threads": bench.threads,
        "tasks": bench.tasks,
    }
    for measure in contenders.values():
        measure()
    taken = in_turn(contenders, rounds=ROUNDS)
    bare = taken["bare"]
    for name, what, bar in (
        ("one", "one caller", 0.6),
        ("threads", f"{CALLERS} threads", 1.5),
        ("tasks", f"{CALLERS} tasks", 2.5),
    ):
        rate = bare / taken[name]
        yield at_least(f"{what}, rate against sqlite3 alone", rate, bar, unit="x", digits=2)
    repeated = taken["one"] / taken["duplicates"]
    yield at_least("a repetition, rate against a first delivery", repeated, 5, unit="x", digits=1)
    for name, seconds in taken.items():
        yield known(f"{name}, a second", 1 / seconds, digits=0)


def processor_time(pay: Payport, event: Event) -> Iterator[Figure]:
    """What comes before the commit, against the signature alone."""
    body, headers = event.body, signed(event.body)
    session, text, header = pay.webhooks._session, body.decode(), headers["Stripe-Signature"]  # noqa: SLF001
    secret = SECRET.encode()
    contenders: dict[str, Callable[[], Any]] = {
        "payport": lambda: next(receive(session, body=body, headers=headers, url=None)),
        "stripe": lambda: stripe.WebhookSignature.verify_header(text, header, SECRET, 300),
        "hmac": lambda: hmac.digest(secret, body, "sha256"),
        "construct_event": lambda: stripe.Webhook.construct_event(body, header, SECRET),
    }

    def timed(call: Callable[[], Any]) -> Callable[[], float]:
        def measure() -> float:
            began = time.process_time()
            for _ in range(CPU_CALLS // ROUNDS):
                call()
            return (time.process_time() - began) / (CPU_CALLS // ROUNDS)

        return measure

    taken = in_turn({name: timed(call) for name, call in contenders.items()}, rounds=ROUNDS)
    ratio = taken["payport"] / taken["stripe"]
    yield at_most("CPU before the commit, against a signature check", ratio, 3, unit="x")
    whole = taken["payport"] / taken["construct_event"]
    yield known("the same against stripe's construct_event", whole, unit="x")
    for name, seconds in taken.items():
        yield known(f"CPU of {name}, us", seconds * 1e6, digits=1)


def attacks(pay: Payport) -> Iterator[Figure]:
    """What a signed body costs that takes long to read."""
    huge = b'{"object":"event","data":[' + b"{}," * 300_000 + b"{}]}"
    largest = huge[: _LARGEST - 4].rpartition(b",")[0] + b"]}"

    def rejected(body: bytes) -> float:
        headers = signed(body)
        began = time.process_time()
        try:
            pay.webhooks.receive(body=body, headers=headers)
        except WebhookRejected:
            return (time.process_time() - began) * 1e3
        raise RuntimeError("it was accepted")

    for what, body in (("300,000 empty objects in 900 kB", huge), ("as many as are read", largest)):
        taken = min(rejected(body) for _ in range(5))
        yield at_most(f"CPU of a signed body of {what}", taken, 50, unit=" ms")


def figures() -> Iterator[Figure]:
    """Receiving, one caller and many, and claiming."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        yield from rates(bench)
        yield from processor_time(bench.pay, bench.event)
        yield from attacks(bench.pay)
        bench.close()
    yield from claims()
