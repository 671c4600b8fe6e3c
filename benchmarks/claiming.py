"""Claiming what is due among few and among many that wait, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import psycopg
from figures import Figure, at_least, known
from shop_events import Shop, signed

import payport.storage
from payport import Payport
from payport.webhooks.claiming import claim_due

__all__ = ["claims"]

FEW: Final = 1_000
MANY: Final = 1_000_000
CLAIMS: Final = 12
BATCH: Final = 20
ROUNDS: Final = 3

#: Copies of one delivery, each of another payment, without the body: what waits is due a second
#: after each other.
_UNIQUE: Final = ("id", "dedupe_key", "ordering_key", "attempt_ref")
_COPY: Final = """
INSERT INTO payport_inbox ({columns}) SELECT {values} FROM {numbers}
    CROSS JOIN (SELECT * FROM payport_inbox LIMIT 1) AS one
"""
_SQLITE_NUMBERS: Final = (
    "(WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
    "WHERE n < {count}) SELECT n FROM numbers) AS numbers"
)
_POSTGRES_NUMBERS: Final = "generate_series(1, {count}) AS numbers (n)"


def _copy(columns: Sequence[str], numbers: str) -> str:
    unique = {name: f"'{name}_' || n" for name in _UNIQUE}
    values = ", ".join(
        unique.get(name, "NULL" if name == "body" else f"one.{name}") for name in columns
    )
    return _COPY.format(columns=", ".join(columns), values=values, numbers=numbers)


class _Waiting:
    """A store in which so many wait, and a client of it."""

    def __init__(self, url: str, count: int) -> None:
        self.count = count
        shop = Shop(url)
        self.pay: Payport = shop.client()
        (event,) = shop.events(self.pay, 1)
        self.pay.webhooks.receive(body=event.body, headers=signed(event.body))
        self._url = url
        self._fill()

    def _fill(self) -> None:
        if self._url.startswith("sqlite"):
            db = sqlite3.connect(self._url.removeprefix("sqlite:///"))
            columns = [row[1] for row in db.execute("PRAGMA table_info(payport_inbox)")]
            db.execute(_copy(columns, _SQLITE_NUMBERS.format(count=self.count)))
            db.commit()
            db.close()
            return
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT * FROM payport_inbox LIMIT 0")
            columns = [column.name for column in found.description or ()]
            statement: Any = _copy(columns, _POSTGRES_NUMBERS.format(count=self.count))
            connection.execute(statement)
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE payport_inbox")

    def claimed(self) -> float:
        """Seconds of a claim of twenty."""
        began = time.perf_counter()
        for _ in range(CLAIMS):
            rows = self.pay.webhooks._drive(claim_due(self.pay.webhooks._session, BATCH))  # noqa: SLF001
            if len(rows) != BATCH:
                raise RuntimeError(len(rows))
        return (time.perf_counter() - began) / CLAIMS


def _compared(name: str, url: Callable[[int], str]) -> Iterator[Figure]:
    stores = {count: _Waiting(url(count), count) for count in (FEW, MANY)}
    taken: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(ROUNDS):
        for count, store in stores.items():
            taken[count].append(store.claimed())
    for store in stores.values():
        store.pay.close()
    few, many = min(taken[FEW]), min(taken[MANY])
    what = f"claims on {name} with {MANY:,} waiting, rate against {FEW:,}"
    yield at_least(what, few / many, 0.8, unit="x", digits=2)
    yield known(
        f"deliveries claimed a second on {name} with {MANY:,} waiting", BATCH / many, digits=0
    )


def claims() -> Iterator[Figure]:
    """Both kinds of database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield from _compared("SQLite", lambda count: f"sqlite:///{folder}/{count}.db")
        sys.path.append(str(Path(__file__).parent.parent / "tests"))
        from postgres_server import started  # noqa: PLC0415 - found since

        server = stack.enter_context(started())

        def database(count: int) -> str:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE waiting_{count}")
            url: str = server.url(f"waiting_{count}")
            payport.storage.upgrade(url)
            return url

        yield from _compared("PostgreSQL", database)
