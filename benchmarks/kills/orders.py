"""
The application's own table of orders, in SQLite with WAL and FULL: what it asked for, and what it
knows to be paid. It is the same for both clients, and knows nothing of either.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Order", "Orders"]

_TABLE: Final = """
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    paid TEXT,
    asked INTEGER NOT NULL DEFAULT 1,
    again_at REAL NOT NULL
) STRICT
"""
#: So many orders there are to one whose request has a long body.
_ONE_LONG_IN: Final = 4
#: So many orders there are to one that is asked for again at once after a restart; with the others
#: the application takes its time, as one does that has a queue to work on.
_ONE_HASTY_IN: Final = 4
#: Seconds that it takes.
_LATER: Final = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """One order. Its number says all about it, so that whoever asks again asks for the same."""

    number: int

    @property
    def reference(self) -> str:
        """The application's name for it."""
        return f"order_{self.number}"

    @property
    def amount(self) -> int:
        """Cents."""
        return 1000 + self.number % 9000

    @property
    def metadata(self) -> dict[str, str]:
        """What the provider keeps with it: much, for some, so that its request takes a while."""
        kept = {"order": self.reference}
        if self.number % _ONE_LONG_IN == 0:
            kept.update(
                {f"line_{n}": f"item {n} of {self.reference} ".ljust(480, ".") for n in range(40)}
            )
        return kept


class Orders:
    """The table, seen by one process."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    @classmethod
    def make(cls, path: Path) -> None:
        """Make the table."""
        made = cls(path)
        made._db.execute(_TABLE)
        made.close()

    def next(self, slot: int, *, more: bool) -> Order | None:
        """
        The order to ask for now: one that an earlier process of this slot asked for and of which
        nobody knows whether it was paid, else a new one.

        Args:
            more: Whether new ones come in.
        """
        now = time.time()
        asked = self._db.execute(
            "UPDATE orders SET asked = asked + 1, again_at = ? WHERE number ="
            " (SELECT number FROM orders WHERE slot = ? AND paid IS NULL AND again_at <= ?"
            " ORDER BY again_at LIMIT 1) RETURNING number",
            (now + _LATER, slot, now),
        ).fetchone()
        if asked is None and more:
            asked = self._db.execute(
                "INSERT INTO orders (slot, again_at) VALUES (?1, ?2) RETURNING number",
                (slot, now + _LATER),
            ).fetchone()
            if asked[0] % _ONE_HASTY_IN == 0:
                self._db.execute("UPDATE orders SET again_at = ? WHERE number = ?", (now, asked[0]))
        return None if asked is None else Order(asked[0])

    def paid(self, order: Order, ref: str) -> None:
        """Record that it is paid, and by what."""
        self._db.execute("UPDATE orders SET paid = ? WHERE number = ?", (ref, order.number))

    def open(self, slot: int) -> bool:
        """Whether there are orders of this slot that are not known to be paid."""
        found = self._db.execute(
            "SELECT 1 FROM orders WHERE slot = ? AND paid IS NULL LIMIT 1", (slot,)
        ).fetchone()
        return found is not None

    def all(self) -> dict[str, str | None]:
        """What is known of each order: what paid it, or None."""
        rows = self._db.execute("SELECT number, paid FROM orders ORDER BY number").fetchall()
        return {Order(number).reference: paid for number, paid in rows}

    def close(self) -> None:
        """Close it."""
        self._db.close()
