"""
Turns: how long a worker may keep what it took, when what failed is tried again, and what is kept of
a failure. Pure.
"""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from payport.domain.errors import PayportError
from payport.storage.base import HandlerRun, InboxRow, InboxState

if TYPE_CHECKING:
    from payport.operations.plan import JournalSettings

__all__ = [
    "HANDLER_LEASE",
    "LONGEST_WAIT",
    "MOST_TRIES",
    "delivery_lease",
    "failed",
    "is_mine",
    "next_try",
    "reason_of",
    "released",
    "trace_of",
]

R = TypeVar("R", InboxRow, HandlerRun)

#: After this many tries it waits for a person.
MOST_TRIES: Final = 12
#: Between two tries, at most.
LONGEST_WAIT: Final = timedelta(hours=1)
_FIRST_WAIT: Final = timedelta(seconds=2)

#: How long a handler is taken for dead at the earliest.
HANDLER_LEASE: Final = timedelta(minutes=5)
#: As long as a delivery's own requests to the provider may take, and this.
_DELIVERY_MARGIN: Final = timedelta(seconds=60)
_MOST_REQUESTS: Final = 3

#: Frames of a traceback that are kept, the innermost ones.
_MOST_FRAMES: Final = 20
_LONGEST_REASON: Final = 500


def delivery_lease(settings: JournalSettings) -> timedelta:
    """How long a worker has a delivery to itself."""
    return _DELIVERY_MARGIN + _MOST_REQUESTS * timedelta(seconds=settings.call_timeout)


def next_try(tries: int, name: str) -> timedelta:
    """
    How long to wait after this many failed tries: up to 2 s, doubling, up to an hour.

    Half of it is drawn from the name of what failed: what failed together is not tried together
    again, and a test can tell when.
    """
    longest = min(LONGEST_WAIT, _FIRST_WAIT * float(2 ** min(tries - 1, 20)))
    drawn = hashlib.sha256(f"{name}:{tries}".encode()).digest()
    return longest * (0.5 + int.from_bytes(drawn[:4], "big") / 2**33)


def is_mine(current: R, claimed: R) -> bool:
    """Whether nobody else claimed it meanwhile, or concluded it."""
    return current.state is InboxState.DUE and current.fencing == claimed.fencing


def released(row: R, now: datetime) -> R:
    """What was claimed and not begun: anybody's again."""
    return replace(row, due_at=now, claimed_until=None)


def failed(row: R, error: BaseException | str, now: datetime, *, may_die: bool, name: str) -> R:
    """The row after a try that failed: due again later, or dead."""
    tries = row.tries + 1
    dies = may_die and tries >= MOST_TRIES
    return replace(
        row,
        state=InboxState.DEAD if dies else InboxState.DUE,
        tries=tries,
        due_at=now + next_try(tries, name),
        claimed_until=None,
        error=error if isinstance(error, str) else reason_of(error),
        trace=None if isinstance(error, str) else trace_of(error),
    )


def reason_of(error: BaseException) -> str:
    """What may be kept of an error: our own words, and of others' errors their kind alone."""
    said = f": {error}" if isinstance(error, PayportError) else ""
    return f"{type(error).__name__}{said}"[:_LONGEST_REASON]


def trace_of(error: BaseException) -> str | None:
    """
    Where an error came from: file, line and function of each frame, the innermost last.

    Neither messages nor values nor source: all of them may show a secret or a customer.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([*places, type(error).__name__]) if places else None
