"""
Takes in what arrives at the inbox, on payport's own SQLite connection: what is there already is
read, and all that is new is inserted in one transaction of a few statements, however many came.

Each statement lets go of the interpreter, and whoever waits for it gets it: with many threads, one
statement for each delivery would cost a turn of theirs for each.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from payport.domain.errors import StoreUnavailable
from payport.storage.columns import microseconds
from payport.storage.grouping import Arriving
from payport.storage.inbox import Arrival, InboxState, Known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from payport.storage.grouping import Unit
    from payport.storage.running import ThroughDriver

__all__ = ["took_in"]

#: What an arrival tells, in the order of `_values`, and what is the same in every new row.
_TOLD: Final = (*Arrival._fields, "due_at")
_SAME: Final = {"tries": 0, "fencing": 0, "conflict": 0}

#: Rows of one statement: powers of two, so that six texts do for all numbers of rows.
_MOST_ROWS: Final = 32


def took_in(running: ThroughDriver, units: Sequence[Unit[Any]]) -> bool:
    """
    Carry units of work out that insert what arrives, and tell each what became of it.

    False, with nothing done or told, where they are to be carried out one by one: some of them are
    other work, or fail, or what they bring came at this moment by another process too.

    Raises:
        StoreUnavailable: The database failed. Nothing of any unit stands, and nobody was told.
    """
    if not all(type(unit) is Arriving for unit in units):
        return False
    arriving = cast("Sequence[Arriving]", units)
    arrivals = [arrival for unit in arriving for arrival in unit.arrivals]
    known = _known(running, [arrival.id for arrival in arrivals])
    new = {arrival.id: arrival for arrival in reversed(arrivals) if arrival.id not in known}
    if new and not _inserted(running, new.values()):
        return False
    for unit in arriving:
        unit.returned([_told(known, arrival) for arrival in unit.arrivals])
    return True


def _told(known: dict[str, Known], arrival: Arrival) -> Known | None:
    """What was there of an arrival, which is there from now on."""
    now = Known(arrival.id, arrival.fingerprint, arrival.state)
    there = known.setdefault(arrival.id, now)
    return None if there is now else there


def _known(running: ThroughDriver, ids: Sequence[str]) -> dict[str, Known]:
    """
    What was committed of these before, without a transaction that writes: a repetition waits for
    nobody's lock. SQLite shows nobody what is not on the disk yet.
    """
    try:
        found = running.run(_reading(len(ids)), ids).fetchall()
    except (sqlite3.Error, StoreUnavailable):
        return {}  # whatever it is, who writes is told as well, after waiting as long as it may
    return {row[0]: Known(row[0], row[1], InboxState(row[2])) for row in found}


def _inserted(running: ThroughDriver, arrivals: Collection[Arrival]) -> bool:
    """Insert all of them and commit; False where that cannot be, and nothing was."""
    rows = [_values(arrival) for arrival in arrivals]
    try:
        running.begin()
        written = 0
        for some in _in_powers(rows):
            values = [value for row in some for value in row]
            written += running.run(_inserting(len(some)), values).rowcount
        if written == len(rows):
            running.commit()
            return True
    except StoreUnavailable:
        running.roll_back()
        raise
    except Exception:  # noqa: BLE001 - who of them fails is told when it is alone
        running.roll_back()
        return False
    except BaseException:
        running.roll_back()
        raise
    running.roll_back()
    return False


def _in_powers(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The rows in parts of 32, 16, 8, 4, 2 and 1."""
    at, size = 0, _MOST_ROWS
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield rows[at : at + size]
        at += size


def _values(arrival: Arrival) -> tuple[Any, ...]:
    received = microseconds(arrival.received_at)
    return (
        *arrival[:2],
        arrival.environment.value,
        *arrival[3:14],
        microseconds(arrival.occurred_at),
        received,
        arrival.state.value,
        arrival.error,
        arrival.received_for,
        received,
    )


@cache
def _inserting(count: int) -> str:
    columns = ", ".join([*_TOLD, *_SAME])
    row = ", ".join([*("?" * len(_TOLD)), *map(str, _SAME.values())])
    rows = ", ".join([f"({row})"] * count)
    return f"INSERT INTO payport_inbox ({columns}) VALUES {rows} ON CONFLICT DO NOTHING"  # noqa: S608


@cache
def _reading(count: int) -> str:
    ids = ", ".join("?" * count)
    return f"SELECT id, fingerprint, state FROM payport_inbox WHERE id IN ({ids})"  # noqa: S608
