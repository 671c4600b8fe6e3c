"""Which events lie between two states of one payment. Pure; used by `apply` alone."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from payport.domain.events import (
    CaptureFailed,
    CaptureSucceeded,
    DisputeClosed,
    DisputeOpened,
    DuplicatePayment,
    PaymentCanceled,
    PaymentEvent,
    PaymentFailed,
    PaymentRequiresAction,
    PaymentSucceeded,
    RefundFailed,
    RefundReversed,
    RefundSucceeded,
    event_id,
)
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Fact,
    RefundStatus,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payport.domain.payment_intent import Capture, PaymentIntent
    from payport.domain.refund import Refund

_FAILED = frozenset({AttemptStatus.DECLINED, AttemptStatus.FAILED})
_ENDED = frozenset({AttemptStatus.CANCELED, AttemptStatus.EXPIRED})
_CLOSED = frozenset({DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.INQUIRY_CLOSED})
_NO_MONEY = frozenset({DisputeStatus.INQUIRY, DisputeStatus.UNKNOWN})
_NOT_REFUNDED = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
_DECIDED = frozenset({RefundStatus.SUCCEEDED, *_NOT_REFUNDED})


def events_between(
    before: PaymentIntent, after: PaymentIntent, *, api_version: str | None
) -> tuple[PaymentEvent, ...]:
    """The events that say how `before` became `after`."""
    telling = _Telling(after, api_version)
    return (
        *_attempt_events(before, after, telling),
        *_capture_events(before, after, telling),
        *_refund_events(before, after, telling),
        *_dispute_events(before, after, telling),
        *_payment_events(before, after, telling),
    )


class _Telling:
    """What every event of one change has in common."""

    def __init__(self, intent: PaymentIntent, api_version: str | None) -> None:
        self._common: dict[str, Any] = {
            "payment_id": intent.id,
            "reference": intent.reference,
            "scope": intent.scope,
            "environment": intent.environment,
            "api_version": api_version,
        }
        self._home_of = intent.home_of

    def __call__(
        self, kind: type[PaymentEvent], fact: Fact, transition: str, **told: object
    ) -> PaymentEvent:
        effect = str(told.pop("effect", fact.ref))
        identity = event_id(self._common["payment_id"], kind.kind, effect, transition)
        # A payment may have been elsewhere before: an event is of whoever holds what it tells of.
        provider, account = self._home_of(getattr(fact, "attempt_ref", fact.ref))
        home = {"provider": provider, "account": account}
        details: dict[str, Any] = {**self._common, **home, **told}
        return kind(id=identity, occurred_at=fact.at, effect_ref=effect, **details)


def _attempt_events(
    before: PaymentIntent, after: PaymentIntent, tell: _Telling
) -> Iterator[PaymentEvent]:
    known = {a.ref: a for a in before.attempts}
    for attempt in after.attempts:
        old = known.get(attempt.ref)
        if old is not None and (old.status, old.try_ref) == (attempt.status, attempt.try_ref):
            continue
        yield from _attempt_event(attempt, attempt.number or after.attempt, tell)


def _attempt_event(attempt: AttemptFact, number: int, tell: _Telling) -> Iterator[PaymentEvent]:
    # One object can be tried again. Where the provider does not name the try, its moment does.
    transition = f"{attempt.status}:{attempt.try_ref or _moment(attempt)}"
    if attempt.status in _FAILED:
        yield tell(PaymentFailed, attempt, transition, attempt=number, decline=attempt.decline)
    elif attempt.status is AttemptStatus.REQUIRES_ACTION:
        yield tell(PaymentRequiresAction, attempt, transition, attempt=number)
    elif attempt.status in _ENDED:
        expired = attempt.status is AttemptStatus.EXPIRED
        yield tell(PaymentCanceled, attempt, attempt.status, attempt=number, expired=expired)


def _round(fact: Fact, *, reversal: bool) -> str:
    """
    Ends the transition that reverses a decision, which can be reversed again: the moment tells the
    rounds apart. A first decision has no moment in it, so that all who tell of it tell the same.
    """
    return f":{_moment(fact)}" if reversal else ""


def _moment(fact: Fact) -> str:
    """In UTC, because adapters may speak of one moment in several zones."""
    return fact.at.astimezone(UTC).isoformat()


def _capture_events(
    before: PaymentIntent, after: PaymentIntent, tell: _Telling
) -> Iterator[PaymentEvent]:
    known = {c.fact.ref: c for c in before.captures if c.fact is not None}
    named = {c.key: c.reference for c in before.captures}
    for capture in after.captures:
        if capture.fact is not None:
            # A running total belongs to several captures: the tag says which one made it grow.
            reference = named.get(capture.fact.tag) or capture.reference
            yield from _capture_event(capture.fact, known.get(capture.fact.ref), reference, tell)


def _capture_event(
    fact: CaptureFact, old: Capture | None, reference: str | None, tell: _Telling
) -> Iterator[PaymentEvent]:
    took = old.amount.minor if old is not None and _took(old) else 0
    failed = old is not None and _failed(old)
    if fact.status is CaptureStatus.SUCCEEDED and fact.amount.minor > took:
        # A running total grows under one id: each new total is a transition of its own.
        more = type(fact.amount)(fact.amount.minor - took, fact.amount.currency)
        told = f"succeeded:{fact.amount.minor}{_round(fact, reversal=failed)}"
        yield tell(CaptureSucceeded, fact, told, amount=more, capture_reference=reference)
    elif fact.status is CaptureStatus.FAILED and not failed:
        told = f"failed{_round(fact, reversal=took > 0)}"
        yield tell(CaptureFailed, fact, told, amount=fact.amount, capture_reference=reference)


def _took(capture: Capture) -> bool:
    return capture.status is CaptureStatus.SUCCEEDED


def _failed(capture: Capture) -> bool:
    return capture.status is CaptureStatus.FAILED


def _refund_events(
    before: PaymentIntent, after: PaymentIntent, tell: _Telling
) -> Iterator[PaymentEvent]:
    known = {r.fact.ref: r for r in before.refunds if r.fact is not None}
    for refund in after.refunds:
        fact = refund.fact
        if fact is None:
            continue
        old = known.get(fact.ref)
        was = old.status if old is not None else None
        kind = _refund_change(was, refund)
        if kind is not None:
            yield tell(
                kind,
                fact,
                f"{refund.status}{_round(fact, reversal=was in _DECIDED)}",
                refund_id=refund.id,
                amount=fact.amount,
                refund_reference=refund.reference,
            )


def _refund_change(was: RefundStatus | None, refund: Refund) -> type[PaymentEvent] | None:
    if refund.status is RefundStatus.SUCCEEDED:
        return RefundSucceeded if was is not RefundStatus.SUCCEEDED else None
    if refund.status in _NOT_REFUNDED and was not in _NOT_REFUNDED:
        return RefundReversed if was is RefundStatus.SUCCEEDED else RefundFailed
    return None


def _dispute_events(
    before: PaymentIntent, after: PaymentIntent, tell: _Telling
) -> Iterator[PaymentEvent]:
    known = {d.ref: d for d in before.disputes}
    for dispute in after.disputes:
        old = known.get(dispute.ref)
        if old is not None and old.status == dispute.status:
            continue
        yield from _dispute_event(dispute, old, tell)


def _dispute_event(
    dispute: DisputeFact, old: DisputeFact | None, tell: _Telling
) -> Iterator[PaymentEvent]:
    # A dispute can be reopened and decided again: the moment tells the rounds apart.
    transition = f"{dispute.status}:{_moment(dispute)}"
    if dispute.status in _CLOSED:
        yield tell(DisputeClosed, dispute, transition, status=dispute.status, amount=dispute.amount)
    elif old is None or old.status in _CLOSED or old.status in _NO_MONEY:
        yield tell(
            DisputeOpened,
            dispute,
            transition,
            status=dispute.status,
            amount=dispute.amount,
            respond_by=dispute.respond_by,
        )


def _payment_events(
    before: PaymentIntent, after: PaymentIntent, tell: _Telling
) -> Iterator[PaymentEvent]:
    taken = [c.fact for c in after.captures if c.fact is not None and _took(c)]
    if not taken:
        return
    last = max(taken, key=lambda fact: (fact.at, fact.ref))
    if after.is_paid and not before.is_paid:
        # Paid, undone and paid again is told twice: the failures in between tell them apart.
        undone = sum(_failed(c) for c in after.captures)
        came_back = {c.fact.ref for c in before.captures if c.fact is not None and _failed(c)}
        reversal = any(fact.ref in came_back for fact in taken)
        paid = f"paid:{undone}{_round(last, reversal=reversal)}"
        told = {"amount": after.amount, "captured": after.captured, "effect": last.attempt_ref}
        yield tell(PaymentSucceeded, last, paid, **told)
    payers = _payers(after)
    if len(payers) > 1 and payers != _payers(before):
        yield tell(
            DuplicatePayment,
            last,
            "duplicate",
            effect="+".join(payers),
            captured=after.captured,
            attempt_refs=payers,
        )


def _payers(intent: PaymentIntent) -> tuple[str, ...]:
    """The attempts that took money, in the order of their ids."""
    taken = {c.fact.attempt_ref for c in intent.captures if c.fact is not None and _took(c)}
    return tuple(sorted(taken))
