"""
What a provider says about one payment, effect by effect, and which of two statements stands.

State lives per effect: the attempt that holds the authorisation, each capture, each refund, each
dispute. A fact is a whole snapshot of one effect at one moment of the provider's clock. Two facts
about the same effect are compared by `stands_over`, a total order: so merging is a maximum, and
any permutation of the same facts, with any duplicates, ends in the same state.

The order is (level, time, rank, content). `level` is where the lattice is monotone: a capture that
was decided is never undecided again by a late statement. Within a level the provider's time
decides, because real reversals exist there (a refund that succeeded and then failed). Where times
tie, because a provider counts in whole seconds, the adapter's rank of states decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from payport.domain.actions import NextAction
from payport.domain.declines import Decline
from payport.domain.errors import InvalidRequest
from payport.domain.money import Money
from payport.domain.secrets import NOTHING, Sealed

__all__ = [
    "AttemptFact",
    "AttemptStatus",
    "CaptureFact",
    "CaptureStatus",
    "DisputeFact",
    "DisputeStatus",
    "Fact",
    "Facts",
    "RefundFact",
    "RefundStatus",
    "same_moment",
    "stands_over",
]


class AttemptStatus(StrEnum):
    """Where one chargeable object at the provider stands."""

    #: It exists and lacks a payment method.
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    #: It has a payment method and waits to be confirmed.
    REQUIRES_CONFIRMATION = "requires_confirmation"
    #: The customer has to do something.
    REQUIRES_ACTION = "requires_action"
    #: The provider or the bank is deciding.
    PROCESSING = "processing"
    #: The issuer or the provider said no; another method may be tried.
    DECLINED = "declined"
    #: It failed for a reason that is nobody's decision, such as the provider's own fault.
    FAILED = "failed"
    #: Money is held.
    AUTHORIZED = "authorized"
    #: Nothing is left to capture: all was captured, or the rest released.
    SUCCEEDED = "succeeded"
    #: Canceled; whatever was held is released.
    CANCELED = "canceled"
    #: Nobody captured or completed it in time.
    EXPIRED = "expired"
    #: The adapter does not know the provider's word.
    UNKNOWN = "unknown"


class CaptureStatus(StrEnum):
    """Where one capture stands."""

    #: Asked for, and not decided.
    PENDING = "pending"
    #: The money was taken.
    SUCCEEDED = "succeeded"
    #: It was not, or it came back later.
    FAILED = "failed"
    #: The adapter does not know the provider's word.
    UNKNOWN = "unknown"


class RefundStatus(StrEnum):
    """Where one refund stands."""

    #: Asked for, and not decided.
    PENDING = "pending"
    #: The customer has to do something, such as name an account.
    REQUIRES_ACTION = "requires_action"
    #: The money was given back.
    SUCCEEDED = "succeeded"
    #: It was not, or it came back later.
    FAILED = "failed"
    #: Canceled before it was executed.
    CANCELED = "canceled"
    #: It may have been executed, or the adapter does not know the provider's word.
    UNKNOWN = "unknown"


class DisputeStatus(StrEnum):
    """Where one dispute stands."""

    #: The bank asks; no money moved.
    INQUIRY = "inquiry"
    #: An inquiry ended without a dispute.
    INQUIRY_CLOSED = "inquiry_closed"
    #: The money was taken back; evidence may be handed in.
    OPEN = "open"
    #: Evidence was handed in and is being looked at.
    UNDER_REVIEW = "under_review"
    #: Decided for the merchant; the money returned.
    WON = "won"
    #: Decided for the customer.
    LOST = "lost"
    #: The adapter does not know the provider's word.
    UNKNOWN = "unknown"


def _aware(at: datetime, what: str) -> None:
    if at.utcoffset() is None:
        message = f"{what} needs an aware datetime, in UTC; a naive one has no moment"
        raise InvalidRequest(message, field="at")


def _named(ref: str, what: str) -> None:
    if not ref:
        raise InvalidRequest(f"{what} needs the provider's id of its object", field="ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """
    One chargeable object at the provider.

    Attributes:
        ref: The provider's id of the object.
        status: Where it stands.
        authorized: What the issuer holds or held for it; may differ from the payment's amount.
        at: The provider's time of this statement.
        rank: The adapter's rank of the state, for statements of the same moment; higher stands.
        number: The application's attempt number, where the object tells.
        try_ref: The provider's id of the single try, where one object can be tried repeatedly.
        replaces: The name of ours that the object went by until the provider gave it its id. What
            is told by that name is about this object, and says nothing beside it; it never
            replaces anything itself.
        decline: Why, when declined.
        next_action: What the customer has to do.
        raw: The provider's own payload.
    """

    ref: str
    status: AttemptStatus
    authorized: Money
    at: datetime
    rank: int = 0
    number: int | None = None
    try_ref: str = ""
    replaces: str | None = None
    decline: Decline | None = None
    next_action: NextAction | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)

    def __post_init__(self) -> None:
        _named(self.ref, "an attempt")
        _aware(self.at, "an attempt")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFact:
    """
    One capture of an attempt. A provider that only tells a running total keeps one `ref` for all
    captures of an attempt and lets `amount` grow.

    Attributes:
        ref: The provider's id of the capture, unique within the payment.
        attempt_ref: The provider's id of the attempt.
        status: Where it stands.
        amount: What this capture takes.
        at: The provider's time of this statement.
        rank: As in `AttemptFact`.
        tag: Our idempotency key, where the object carries it.
    """

    ref: str
    attempt_ref: str
    status: CaptureStatus
    amount: Money
    at: datetime
    rank: int = 0
    tag: str | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)

    def __post_init__(self) -> None:
        _named(self.ref, "a capture")
        _aware(self.at, "a capture")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFact:
    """One refund of an attempt; the attributes as in `CaptureFact`."""

    ref: str
    attempt_ref: str
    status: RefundStatus
    amount: Money
    at: datetime
    rank: int = 0
    tag: str | None = None
    failure_code: str | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)

    def __post_init__(self) -> None:
        _named(self.ref, "a refund")
        _aware(self.at, "a refund")


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFact:
    """
    One dispute of an attempt; the attributes as in `CaptureFact`.

    Attributes:
        amount: What the bank takes back, which may be less than the payment, in its currency.
        reason_code: The provider's own word for why.
        respond_by: Until when evidence may be handed in.
    """

    ref: str
    attempt_ref: str
    status: DisputeStatus
    amount: Money
    at: datetime
    rank: int = 0
    reason_code: str | None = None
    respond_by: datetime | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)

    def __post_init__(self) -> None:
        _named(self.ref, "a dispute")
        _aware(self.at, "a dispute")


#: A statement about one effect.
Fact: TypeAlias = AttemptFact | CaptureFact | RefundFact | DisputeFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    All that one answer or webhook says about one payment.

    Attributes:
        attempt_ref: The provider's id of the object that the payment is found by, where told.
        tag: Our idempotency key, where the object carries it.
        api_version: The provider's version of the payload.
    """

    attempt_ref: str | None = None
    tag: str | None = None
    attempts: tuple[AttemptFact, ...] = ()
    captures: tuple[CaptureFact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()
    disputes: tuple[DisputeFact, ...] = ()
    api_version: str | None = None

    def __iter__(self) -> Iterator[AttemptFact | CaptureFact | RefundFact | DisputeFact]:
        yield from self.attempts
        yield from self.captures
        yield from self.refunds
        yield from self.disputes

    def restated(self, at: datetime) -> Facts:
        """
        The facts of a read, as statements of the moment of the read: what an object looked like
        then stands over whatever was told for an earlier moment.
        """
        return self._redated(lambda told: max(told, at))

    def told_by(self, at: datetime) -> Facts:
        """The facts, none of them younger than a moment by which all were told."""
        return self._redated(lambda told: min(told, at))

    def _redated(self, date: Callable[[datetime], datetime]) -> Facts:
        return replace(
            self,
            attempts=tuple(replace(a, at=date(a.at)) for a in self.attempts),
            captures=tuple(replace(c, at=date(c.at)) for c in self.captures),
            refunds=tuple(replace(r, at=date(r.at)) for r in self.refunds),
            disputes=tuple(replace(d, at=date(d.at)) for d in self.disputes),
        )


#: Where a state stands in its effect's lattice. States of one level are ordered by time.
_LEVELS: dict[type, dict[Any, int]] = {
    AttemptFact: {
        AttemptStatus.UNKNOWN: 0,
        AttemptStatus.AUTHORIZED: 2,
        AttemptStatus.SUCCEEDED: 3,
        AttemptStatus.CANCELED: 3,
        AttemptStatus.EXPIRED: 3,
    },
    CaptureFact: {CaptureStatus.UNKNOWN: 0, CaptureStatus.PENDING: 0},
    RefundFact: {
        RefundStatus.UNKNOWN: 0,
        RefundStatus.PENDING: 0,
        RefundStatus.REQUIRES_ACTION: 0,
    },
    # A dispute that was won can be reopened and one that was lost can be reversed: time alone.
    DisputeFact: {DisputeStatus.UNKNOWN: 0},
}

#: Ranks of states told for the same moment, used below the adapter's own rank.
_TIES: dict[str, int] = {
    "unknown": 0,
    "requires_payment_method": 1,
    "inquiry": 1,
    "requires_confirmation": 2,
    "pending": 2,
    "open": 2,
    "requires_action": 3,
    "under_review": 3,
    "processing": 4,
    "inquiry_closed": 4,
    "declined": 5,
    "failed": 6,
    "authorized": 7,
    "canceled": 7,
    "expired": 7,
    "won": 7,
    "succeeded": 8,
    "lost": 8,
}

#: States of a capture or refund in which a later failure undoes an earlier success: when both are
#: told for one moment, the failure is the later one.
_FAILS_LAST = frozenset({CaptureFact, RefundFact})


def _level(fact: Fact) -> int:
    return _LEVELS[type(fact)].get(fact.status, 1)


def _tie(fact: Fact) -> int:
    if type(fact) in _FAILS_LAST and fact.status in {"failed", "canceled"}:
        return 9
    return _TIES[fact.status]


def _amount(fact: Fact) -> int:
    return fact.authorized.minor if isinstance(fact, AttemptFact) else fact.amount.minor


def stands_over(new: Fact, old: Fact) -> bool:
    """Whether `new` replaces `old`, both about one effect. Never both ways for unequal facts."""
    ahead = (_level(new), new.at, new.rank, _tie(new), _amount(new))
    behind = (_level(old), old.at, old.rank, _tie(old), _amount(old))
    if ahead != behind:
        return ahead > behind
    # Only texts are left to differ. Any fixed order will do, as long as everybody uses it.
    return repr(new) > repr(old)


def same_moment(new: Fact, old: Fact) -> bool:
    """Whether time cannot order the two: unequal states, one level, one moment, one rank."""
    return (
        new.status != old.status
        and new.at == old.at
        and new.rank == old.rank
        and _level(new) == _level(old)
    )
