"""
The payment aggregate: effects with their latest facts, totals as sums, and a status projected.

Nothing here is set by hand: money totals are sums over effects, and the status is a projection of
the totals and the latest attempt. No status absorbs a money fact: a payment whose money was taken
says so, whatever else went wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from payport.domain.changing import changed
from payport.domain.errors import PaymentDeclined
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    RefundStatus,
)
from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.refund import Refund

if TYPE_CHECKING:
    from collections.abc import Iterable

    from payport.domain.actions import NextAction
    from payport.domain.declines import Decline

__all__ = ["Capture", "CaptureMethod", "Home", "PaymentIntent", "PaymentStatus"]


class PaymentStatus(StrEnum):
    """Where a payment stands. May grow: keep a `case _`."""

    #: It needs a payment method: none was given, the last one was declined, or the issuer
    #: authorised less than the amount and the rest is still due.
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    #: It has a payment method and waits for `confirm`.
    REQUIRES_CONFIRMATION = "requires_confirmation"
    #: The customer has to do something: see `next_action`.
    REQUIRES_ACTION = "requires_action"
    #: Under way: an operation, the provider or the bank is at work. Wait for the event.
    PROCESSING = "processing"
    #: Money is held and waits for `capture`.
    REQUIRES_CAPTURE = "requires_capture"
    #: Paid: at least the amount was captured, or less was and the rest of what was held released.
    SUCCEEDED = "succeeded"
    #: Canceled or expired, and nothing was captured.
    CANCELED = "canceled"
    #: It failed by nobody's decision; no other method is asked for.
    FAILED = "failed"
    #: An operation may have been executed. Never treat this as failed.
    UNKNOWN = "unknown"


class CaptureMethod(StrEnum):
    """When an authorised payment is captured."""

    #: As soon as it is authorised.
    AUTOMATIC = "automatic"
    #: By `capture`.
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """
    One capture of the payment.

    Attributes:
        key: The idempotency key of our operation; None for a capture we did not ask for.
        reference: The application's id of the capture, for partial ones.
        requested: What the operation asks for; it is spoken for until the operation is concluded.
        fact: The provider's latest statement.
    """

    key: str | None
    reference: str | None = None
    requested: Money
    fact: CaptureFact | None = None

    @property
    def status(self) -> CaptureStatus:
        """The fact's status; pending before there is one."""
        return self.fact.status if self.fact is not None else CaptureStatus.PENDING

    @property
    def amount(self) -> Money:
        """The fact's amount; the requested one before there is a fact."""
        return self.fact.amount if self.fact is not None else self.requested


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """
    A provider that a payment was at before, where nothing of it can be charged any more.

    Attributes:
        refs: The provider's ids of the attempts that it holds still.
    """

    provider: str
    account: str
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentIntent:
    """
    One payment for one thing of the application's.

    Attributes:
        id: payport's id, derived from scope, environment and reference.
        reference: The application's id of what is paid for.
        provider: The name of the provider that holds the payment. It moves to another one only
            while nothing of it can be charged where it was; see `moved`.
        account: The provider's account.
        amount: What is to be paid.
        attempt: The number of the latest attempt, from 1.
        attempts: The chargeable objects at the provider, usually one.
        in_flight: Keys of operations that are being sent at this moment.
        unresolved: Keys of operations whose outcome is unknown.
        left: Where it was before, oldest first; what is told from there still finds it.
        version: Grows by one with each stored change.
    """

    id: str
    reference: str
    scope: str
    environment: Environment
    provider: str
    account: str
    amount: Money
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    has_payment_method: bool = False
    description: str | None = None
    metadata: FrozenMapping = EMPTY
    attempt: int = 1
    attempts: tuple[AttemptFact, ...] = ()
    captures: tuple[Capture, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[DisputeFact, ...] = ()
    in_flight: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    left: tuple[Home, ...] = ()
    created_at: datetime
    version: int = 0

    @property
    def authorized(self) -> Money:
        """What is held or was taken: the sum over attempts that hold or held to the end."""
        return self._sum(a.authorized for a in self.attempts if a.status in _HOLDS)

    @property
    def captured(self) -> Money:
        """What was taken, before refunds."""
        return Money(self._captures(CaptureStatus.SUCCEEDED), self.amount.currency)

    @property
    def capture_pending(self) -> Money:
        """What was asked to be taken and is not decided. Counts against what can be captured."""
        undecided = self._captures(CaptureStatus.PENDING) + self._captures(CaptureStatus.UNKNOWN)
        return Money(undecided, self.amount.currency)

    @property
    def refunded(self) -> Money:
        """What was given back."""
        return self._sum(r.amount for r in self.refunds if r.status is RefundStatus.SUCCEEDED)

    @property
    def refund_pending(self) -> Money:
        """What is spoken for by refunds that are not decided, unknown ones included."""
        return self._sum(r.amount for r in self.refunds if r.is_pending)

    @property
    def disputed(self) -> Money:
        """What banks took back and did not return. Disputes in other currencies do not count."""
        return self._disputes(_TAKEN_BACK)

    @property
    def capturable(self) -> Money:
        """What `capture` can still take."""
        held = sum(a.authorized.minor for a in self.attempts if a.status in _OPEN)
        taken = sum(
            c.amount.minor
            for c in self.captures
            if c.status is not CaptureStatus.FAILED and self._is_open(c)
        )
        return Money(max(0, held - taken), self.amount.currency)

    @property
    def refundable(self) -> Money:
        """What `refunds.create` can still give back; disputed money cannot be given back twice."""
        gone = self.refunded.minor + self.refund_pending.minor + self.disputed.minor
        gone += self._disputes(_MAYBE_TAKEN_BACK).minor
        return Money(max(0, self.captured.minor - gone), self.amount.currency)

    @property
    def is_paid(self) -> bool:
        """Whether at least the amount was captured."""
        return self._captures(CaptureStatus.SUCCEEDED) >= self.amount.minor

    @property
    def latest_attempt(self) -> AttemptFact | None:
        """The attempt with the highest number; of equal numbers the one told last."""
        if len(self.attempts) < 2:  # noqa: PLR2004 - the usual case, on the hot path
            return self.attempts[0] if self.attempts else None
        return max(self.attempts, key=lambda a: (a.number or 0, a.at, a.ref))

    @property
    def provider_ref(self) -> str | None:
        """
        The provider's id of the latest attempt's object; None before there is one there.

        A payment that was canceled before the provider knew of it has an attempt of its own id.
        """
        latest = self.latest_attempt
        return latest.ref if latest is not None and latest.ref != self.id else None

    @property
    def decline(self) -> Decline | None:
        """Why the latest attempt was declined, if it was."""
        latest = self.latest_attempt
        declined = latest is not None and latest.status in _SAYS_NO
        return latest.decline if latest is not None and declined else None

    @property
    def next_action(self) -> NextAction | None:
        """What the customer has to do, while the status is `requires_action`."""
        latest = self.latest_attempt
        if latest is None or self.status is not PaymentStatus.REQUIRES_ACTION:
            return None
        return latest.next_action

    @property
    def status(self) -> PaymentStatus:
        """The projection: money first, then what is unknown, then the latest attempt."""
        return _money_status(self) or _doubt_status(self) or _attempt_status(self)

    def raise_for_decline(self) -> None:
        """
        Raise if the latest attempt was declined; else do nothing.

        Raises:
            PaymentDeclined: With the decline and this payment.
        """
        if self.decline is not None:
            raise PaymentDeclined(decline=self.decline, payment=self)

    def refund(self, refund_id: str) -> Refund | None:
        """The refund with this id of payport's, if it is one of this payment's."""
        return next((r for r in self.refunds if r.id == refund_id), None)

    def home_of(self, ref: str) -> tuple[str, str]:
        """The provider and the account that hold the attempt with this id of theirs."""
        for home in self.left:
            if ref in home.refs:
                return home.provider, home.account
        return self.provider, self.account

    def is_known_at(self, provider: str, account: str) -> bool:
        """Whether the payment is at this account, or was before."""
        homes = {(home.provider, home.account) for home in self.left}
        return (provider, account) in {(self.provider, self.account), *homes}

    def moved(self, provider: str, account: str) -> PaymentIntent:
        """The payment at another provider. For payport itself, which makes sure that it may be."""
        gone = {ref for home in self.left for ref in home.refs}
        refs = tuple(a.ref for a in self.attempts if a.ref not in gone and a.ref != self.id)
        home = Home(provider=self.provider, account=self.account, refs=refs)
        left = (*self.left, home) if refs else self.left
        return self.evolve(provider=provider, account=account, left=left)

    def captures_of(self, attempt: AttemptFact) -> tuple[Capture, ...]:
        """The captures that the provider told of for this attempt."""
        return tuple(
            c for c in self.captures if c.fact is not None and c.fact.attempt_ref == attempt.ref
        )

    def _captures(self, status: CaptureStatus) -> int:
        return sum(c.amount.minor for c in self.captures if c.status is status)

    def _disputes(self, statuses: frozenset[DisputeStatus]) -> Money:
        told = (d for d in self.disputes if d.status in statuses)
        return self._sum(d.amount for d in told if d.amount.currency == self.amount.currency)

    def _sum(self, amounts: Iterable[Money]) -> Money:
        return Money(sum(amount.minor for amount in amounts), self.amount.currency)

    def _is_open(self, capture: Capture) -> bool:
        """Whether a capture takes from an attempt that still holds money."""
        if capture.fact is None:
            return True
        of = capture.fact.attempt_ref
        return any(a.ref == of and a.status in _OPEN for a in self.attempts)

    def evolve(self, **changes: object) -> PaymentIntent:
        """A copy with some attributes replaced. For payport itself: apply facts instead."""
        return changed(self, changes)


_OPEN = frozenset({AttemptStatus.AUTHORIZED})
_ENDED = frozenset({AttemptStatus.CANCELED, AttemptStatus.EXPIRED})
_HOLDS = frozenset({AttemptStatus.AUTHORIZED, AttemptStatus.SUCCEEDED})
_SAYS_NO = frozenset({AttemptStatus.DECLINED, AttemptStatus.FAILED, AttemptStatus.CANCELED})
_TAKEN_BACK = frozenset({DisputeStatus.OPEN, DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST})

#: Nobody knows whether money was taken back; so it is not given back as well.
_MAYBE_TAKEN_BACK = frozenset({DisputeStatus.UNKNOWN})

_BY_ATTEMPT: dict[AttemptStatus, PaymentStatus] = {
    AttemptStatus.REQUIRES_PAYMENT_METHOD: PaymentStatus.REQUIRES_PAYMENT_METHOD,
    AttemptStatus.REQUIRES_CONFIRMATION: PaymentStatus.REQUIRES_CONFIRMATION,
    AttemptStatus.REQUIRES_ACTION: PaymentStatus.REQUIRES_ACTION,
    AttemptStatus.PROCESSING: PaymentStatus.PROCESSING,
    AttemptStatus.DECLINED: PaymentStatus.REQUIRES_PAYMENT_METHOD,
    AttemptStatus.FAILED: PaymentStatus.FAILED,
    AttemptStatus.CANCELED: PaymentStatus.CANCELED,
    AttemptStatus.EXPIRED: PaymentStatus.CANCELED,
    AttemptStatus.UNKNOWN: PaymentStatus.UNKNOWN,
}
#: What a payment never is whose money was taken in part.
_NOTHING_TAKEN = frozenset({PaymentStatus.CANCELED, PaymentStatus.FAILED})


def _money_status(intent: PaymentIntent) -> PaymentStatus | None:
    """What money facts alone say."""
    if intent.is_paid:
        return PaymentStatus.SUCCEEDED
    if intent.captured.minor and not intent.unresolved and _rest_was_released(intent):
        return PaymentStatus.SUCCEEDED
    return None


def _rest_was_released(intent: PaymentIntent) -> bool:
    """
    Whether what was captured is all there will be: a capture was final, or what stayed held was
    canceled or expired. Where the issuer authorised less than the amount and all of that was
    captured, nobody released anything: the rest is still due.
    """
    if intent.capture_pending.minor or any(a.status in _OPEN for a in intent.attempts):
        return False
    return any(_released_some(intent, attempt) for attempt in intent.attempts)


def _released_some(intent: PaymentIntent, attempt: AttemptFact) -> bool:
    """Whether some of an attempt's money was taken, and the rest will not be."""
    taken = sum(
        c.amount.minor for c in intent.captures_of(attempt) if c.status is CaptureStatus.SUCCEEDED
    )
    if attempt.status in _ENDED:
        return taken > 0
    return attempt.status is AttemptStatus.SUCCEEDED and 0 < taken < attempt.authorized.minor


def _doubt_status(intent: PaymentIntent) -> PaymentStatus | None:
    """What operations say that are not concluded."""
    if intent.unresolved:
        return PaymentStatus.UNKNOWN
    if intent.in_flight:
        return PaymentStatus.PROCESSING
    return None


def _attempt_status(intent: PaymentIntent) -> PaymentStatus:
    """What the attempts say; money that is held or being taken goes before the latest attempt."""
    if any(a.status in _OPEN for a in intent.attempts):
        waiting = intent.capture_pending.minor and not intent.capturable.minor
        return PaymentStatus.PROCESSING if waiting else PaymentStatus.REQUIRES_CAPTURE
    if intent.capture_pending.minor:
        return PaymentStatus.PROCESSING
    latest = intent.latest_attempt
    if latest is None:
        return _status_without_attempts(intent)
    if latest.status is AttemptStatus.SUCCEEDED:
        # The captures tell what was taken. Until one does, nobody is asked to pay again.
        told = intent.captures_of(latest)
        return PaymentStatus.REQUIRES_PAYMENT_METHOD if told else PaymentStatus.PROCESSING
    status = _BY_ATTEMPT[latest.status]
    if intent.captured.minor and status in _NOTHING_TAKEN:
        return PaymentStatus.REQUIRES_PAYMENT_METHOD
    return status


def _status_without_attempts(intent: PaymentIntent) -> PaymentStatus:
    if intent.captured.minor:
        # Told of the money before the object that it was taken by.
        return PaymentStatus.PROCESSING
    if intent.has_payment_method:
        return PaymentStatus.REQUIRES_CONFIRMATION
    return PaymentStatus.REQUIRES_PAYMENT_METHOD
