"""
What all parts of the bank share: time, ids, the index of what it keeps, and who listens.

The bank's time never goes back and never stands: two changes have different moments, a microsecond
apart if the clock does not move. What is due at a moment happens when the bank is next looked at,
dated as of its moment, so any clock will do and no thread is needed.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from payport.operations.clock import Clock
from payport.testing.bank.behaviour import Behaviour
from payport.testing.bank.books import Books, Fees
from payport.testing.bank.records import (
    Capture,
    Change,
    Dispute,
    Happening,
    Payment,
    Payout,
    Refund,
    Refused,
    Waiting,
)
from payport.testing.tokens import CARDS, Card

__all__ = ["MICROSECOND", "Vault", "micros", "moment"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """A moment as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(at: int) -> datetime:
    """A moment from microseconds since 1970."""
    return EPOCH + timedelta(microseconds=at)


class Vault:
    """
    The bank's memory. What it keeps of each payment is few objects, because tests make many
    payments and Python's garbage collector visits every object again and again.

    Attributes:
        executed: How often something was executed, by tag.
        arrived: How often something was asked for, by tag; faces count it.
        listeners: Called with every change, in order.
        beginnings: How ids of a kind begin, where a face has its own way, by the bank's prefix.
        cards: What cards tokens stand for that anybody may use; faces add their processor's own.
        methods: What cards saved tokens stand for, and whose they are; None for nobody's yet.
    """

    def __init__(
        self, clock: Clock, behaviour: Behaviour, fees: Fees, *, first_number: int = 1
    ) -> None:
        self.clock = clock
        self.behaviour = behaviour
        self.books: Books = Books(fees)
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, tuple[Payment, Refund]] = {}
        self.disputes: dict[str, tuple[Payment, Dispute]] = {}
        self.payouts: dict[str, Payout] = {}
        self._known: dict[str, str | dict[str, None]] = {}
        self.customers: dict[str, list[str]] = {}
        self.beginnings: dict[str, str] = {}
        self.cards: dict[str, Card] = dict(CARDS)
        self.methods: dict[str, tuple[Card, str | None]] = {}
        self.executed: Counter[str] = Counter()
        self.arrived: Counter[str] = Counter()
        self.listeners: list[Callable[[Change], None]] = []
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._before_first = first_number - 1
        self._numbers: Counter[str] = Counter()
        self._read: datetime | None = None
        self._wall = 0
        self._last = 0
        self._as_of: int | None = None

    def wall(self) -> int:
        """
        The moment, in microseconds; where the clock stepped back, the latest there ever was. While
        something happens that was due, the moment that it was due at.
        """
        if self._as_of is not None:
            return self._as_of
        read = self.clock.now()
        if read is not self._read:
            self._read = read
            self._wall = max(self._wall, micros(read))
        return self._wall

    def stamp(self) -> int:
        """A new moment: now, and later than any before."""
        self._last = max(self.wall(), self._last + 1)
        return self._last

    def latest(self) -> int:
        """The moment, or the last one that was given to anything if the clock stands."""
        return max(self.wall(), self._last)

    def new_ref(self, prefix: str) -> str:
        """The next id of a kind: `bp_000001`, or as a face wants it to begin."""
        self._numbers[prefix] += 1
        number = self._before_first + self._numbers[prefix]
        return f"{self.beginnings.get(prefix) or prefix + '_'}{number:06d}"

    def name(self, payment: Payment, *names: str | None) -> None:
        """Make a payment known by more names."""
        for name in names:
            if name is not None:
                # Nearly every name is of one payment only: then it needs no collection.
                known = self._known.setdefault(name, payment.ref)
                if isinstance(known, dict):
                    known[payment.ref] = None
                elif known != payment.ref:
                    self._known[name] = {known: None, payment.ref: None}

    def named(self, name: str) -> tuple[Payment, ...]:
        """The payments known by a name, oldest first."""
        known = self._known.get(name, {})
        return tuple([self.payments[ref] for ref in ([known] if isinstance(known, str) else known)])

    def payment(self, ref: str) -> Payment:
        """
        The payment with this id of the bank's.

        Raises:
            Refused: There is none.
        """
        if ref not in self.payments:
            raise Refused("no_such_payment", "There is no such payment.", status=404)
        return self.payments[ref]

    def tell(
        self, what: Happening | str, payment: Payment, *effects: Capture | Refund | Dispute
    ) -> None:
        """Tell everybody who listens; the moment is the payment's or the effect's last change."""
        at = effects[0].updated if effects else payment.updated
        change = Change(what=what, at=at, payment=payment, effects=effects)
        for listener in self.listeners:
            listener(change)

    def later(self, after: timedelta, action: Callable[[], None]) -> None:
        """Have something happen when the clock has moved on."""
        due = self.wall() + after // MICROSECOND
        heapq.heappush(self._due, (due, next(self._order), action))

    def wait(
        self,
        payment: Payment,
        decide: Callable[[bool], None],
        *,
        planned: bool,
        after: timedelta | None,
    ) -> None:
        """Leave something to be decided: by the clock after a while, or by a test alone."""
        waiting = Waiting(decide, planned=planned)
        payment.waiting += (waiting,)
        if after is not None:
            self.later(after, waiting.conclude)

    def catch_up(self) -> None:
        """Let everything happen that is due."""
        limit = self.wall()
        while self._due and self._due[0][0] <= limit:
            self._as_of, _, action = heapq.heappop(self._due)
            try:
                action()
            finally:
                self._as_of = None
