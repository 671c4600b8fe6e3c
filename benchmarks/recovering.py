"""
Recovery: a thousand operations whose senders died, among those that are long concluded, on SQLite.
The provider is the fake; what is measured is one `operations.recover()`, by the clock.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Final

from figures import Figure, at_most, known

from payport import Money, Payport
from payport.testing import Bank, CrashBefore, FakeClock, FakeProvider
from payport.testing.faults import Crash

DUE: Final = 1_000
FEW: Final = 10_000
MANY: Final = 1_000_000
ROUNDS: Final = 3

#: Copies of one concluded operation, each with an identity and a key of its own.
_MORE: Final = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
INSERT INTO payport_operations ({columns}) SELECT {values} FROM numbers
    CROSS JOIN (SELECT * FROM payport_operations WHERE state = 'confirmed' LIMIT 1) AS one
"""


class Shop:
    """A journal with so many concluded operations, and a client of it."""

    def __init__(self, path: Path, concluded: int) -> None:
        self._clock = FakeClock()
        self._fake = FakeProvider(bank=Bank(clock=self._clock))
        self._path = path
        self._number = 0
        self.pay = Payport(self._fake, store=f"sqlite:///{path}")
        self._buy()
        self._fill(concluded)

    def _buy(self) -> None:
        self._number += 1
        self.pay.payments.create(
            reference=f"order_{self._number}",
            amount=Money(4999, "USD"),
            payment_method="pm_card_visa",
            confirm=True,
        )

    def _fill(self, count: int) -> None:
        db = sqlite3.connect(self._path)
        names = [row[1] for row in db.execute("PRAGMA table_info(payport_operations)")]
        unique = {name: f"'{name}_' || n" for name in ("id", "aggregate_id", "key")}
        values = ", ".join(unique.get(name, f"one.{name}") for name in names)
        db.execute(_MORE.format(count=count, columns=", ".join(names), values=values))
        db.commit()
        db.close()

    def recovered(self) -> float:
        """Seconds that it takes to recover a thousand operations whose senders die now."""
        for _ in range(DUE):
            self._fake.next("create_payment", CrashBefore())
            try:
                self._buy()
            except Crash:
                continue
        self._clock.advance(timedelta(minutes=1))
        began = time.perf_counter()
        recovered = self.pay.operations.recover()
        taken = time.perf_counter() - began
        if recovered.concluded != DUE:
            raise RuntimeError(recovered)
        return taken


def figures() -> Iterator[Figure]:
    """Few rows and many, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        shops = {count: Shop(Path(folder, f"{count}.db"), count) for count in (FEW, MANY)}
        taken: dict[int, list[float]] = {count: [] for count in shops}
        for _ in range(ROUNDS):
            for count, shop in shops.items():
                taken[count].append(shop.recovered())
        for shop in shops.values():
            shop.pay.close()
    few, many = median(taken[FEW]), median(taken[MANY])
    what = f"recovery of {DUE:,} due among {MANY:,}, time against {FEW:,} rows"
    yield at_most(what, many / few, 2, unit="x")
    yield known(f"recovery of {DUE:,} due among {MANY:,}, seconds", many)
