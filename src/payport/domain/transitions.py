"""
Which commands a payment's state allows. Guards commands, never facts: what a provider says
happened is applied whatever this module thinks of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.domain.errors import InvalidRequest, InvalidTransition
from payport.domain.facts import AttemptStatus, CaptureStatus
from payport.domain.payment_intent import PaymentStatus

if TYPE_CHECKING:
    from payport.domain.facts import AttemptFact
    from payport.domain.money import Money
    from payport.domain.payment_intent import PaymentIntent

__all__ = [
    "check_attempt",
    "check_cancel",
    "check_capture",
    "check_confirm",
    "check_refund",
]

_CONFIRMABLE = frozenset(
    {PaymentStatus.REQUIRES_CONFIRMATION, PaymentStatus.REQUIRES_PAYMENT_METHOD}
)
_CANCELABLE = frozenset(
    {
        PaymentStatus.REQUIRES_PAYMENT_METHOD,
        PaymentStatus.REQUIRES_CONFIRMATION,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.REQUIRES_CAPTURE,
        PaymentStatus.PROCESSING,
    }
)

#: Why a command is refused in a state, and what to do instead.
_ADVICE: dict[PaymentStatus, str] = {
    PaymentStatus.UNKNOWN: "Wait until the outcome is known: repeat the unknown call, or refresh.",
    PaymentStatus.PROCESSING: "Wait for the event, or refresh.",
    PaymentStatus.SUCCEEDED: "The money was taken: refund it instead.",
    PaymentStatus.CANCELED: "Start another attempt with attempt={next}, or use a new reference.",
    PaymentStatus.FAILED: "Start another attempt with attempt={next}.",
    PaymentStatus.REQUIRES_ACTION: "The customer has to act first: see next_action.",
    PaymentStatus.REQUIRES_CAPTURE: "The money is held: capture or cancel it.",
    PaymentStatus.REQUIRES_PAYMENT_METHOD: "Confirm it with a payment method first.",
    PaymentStatus.REQUIRES_CONFIRMATION: "Confirm it first.",
}

#: In place of the status's advice where that leads nowhere: part of the money was taken,
_PARTLY_TAKEN = (
    "Part of the money was taken: capture what is still held, refund what was taken, or ask for "
    "the rest under a new reference."
)
#: or all of it was taken and came back, and the object that took it is used up.
_CAME_BACK = "The money that was captured came back: start another attempt with attempt={next}."


def _not_now(intent: PaymentIntent, operation: str) -> InvalidTransition:
    return InvalidTransition(
        f"the payment is {intent.status}. {_advice(intent).format(next=intent.attempt + 1)}",
        operation=operation,
        reference=intent.reference,
        provider=intent.provider,
    )


def _advice(intent: PaymentIntent) -> str:
    status = intent.status
    if intent.captured.minor and status is not PaymentStatus.SUCCEEDED:
        return _PARTLY_TAKEN
    if _is_used_up(intent) and status is PaymentStatus.REQUIRES_PAYMENT_METHOD:
        return _CAME_BACK
    return _ADVICE[status]


def _is_used_up(intent: PaymentIntent) -> bool:
    """Whether the latest object took all that it will ever take."""
    latest = intent.latest_attempt
    return latest is not None and latest.status is AttemptStatus.SUCCEEDED


def _check_amount(intent: PaymentIntent, amount: Money, operation: str) -> None:
    message = ""
    if amount.currency != intent.amount.currency:
        message = f"the payment is in {intent.amount.currency}, not {amount.currency}"
    elif not amount.is_positive:
        message = f"{amount} is not more than nothing"
    if message:
        raise InvalidRequest(
            message, operation=operation, reference=intent.reference, field="amount"
        )


def _is_held(intent: PaymentIntent) -> bool:
    return any(a.status is AttemptStatus.AUTHORIZED for a in intent.attempts)


def check_confirm(intent: PaymentIntent) -> None:
    """Raise InvalidTransition unless the payment waits to be confirmed."""
    if intent.status not in _CONFIRMABLE or intent.captured.minor or _is_used_up(intent):
        raise _not_now(intent, "payments.confirm")


def check_cancel(intent: PaymentIntent) -> None:
    """Raise InvalidTransition unless there is something that can still be canceled."""
    used_up = _is_used_up(intent) and not _is_held(intent)
    if intent.status not in _CANCELABLE or intent.captured.minor or used_up:
        raise _not_now(intent, "payments.cancel")


def check_capture(intent: PaymentIntent, amount: Money) -> None:
    """
    Refuse a capture of nothing, of nothing that is held, or of more than is held.

    Raises:
        InvalidTransition: Nothing is held.
        InvalidRequest: Not more than zero, more than what is held and not yet spoken for, or
            another currency.
    """
    operation = "payments.capture"
    _check_amount(intent, amount, operation)
    if intent.unresolved or not _is_held(intent):
        raise _not_now(intent, operation)
    if amount.minor > intent.capturable.minor:
        message = f"{amount} is more than the {intent.capturable} that can still be captured"
        raise InvalidRequest(
            message, operation=operation, reference=intent.reference, field="amount"
        )


def check_refund(intent: PaymentIntent, amount: Money) -> None:
    """
    Refuse a refund of what was never taken, is given back, or is spoken for by another refund.

    Raises:
        InvalidTransition: Nothing was captured.
        InvalidRequest: Not more than zero, more than what can still be refunded, or another
            currency.
    """
    operation = "refunds.create"
    _check_amount(intent, amount, operation)
    if not intent.captured.minor:
        message = "nothing was captured, so nothing can be refunded. Cancel the payment instead."
        raise InvalidTransition(message, operation=operation, reference=intent.reference)
    if amount.minor > intent.refundable.minor:
        message = (
            f"{amount} is more than the {intent.refundable} that can still be refunded: "
            f"{intent.captured} captured, {intent.refunded} refunded, "
            f"{intent.refund_pending} pending, {intent.disputed} disputed"
        )
        raise InvalidRequest(
            message, operation=operation, reference=intent.reference, field="amount"
        )


def check_attempt(intent: PaymentIntent, number: int) -> None:
    """
    Refuse another attempt unless all before it are proven to hold and take no money.

    Raises:
        InvalidRequest: The number is not the next one.
        InvalidTransition: One before is unknown, under way, holds money or succeeded.
    """
    operation = "payments.create"
    if number != intent.attempt + 1:
        message = f"the next attempt is {intent.attempt + 1}, not {number}"
        raise InvalidRequest(
            message, operation=operation, reference=intent.reference, field="attempt"
        )
    money = intent.captured.minor or intent.capture_pending.minor
    over = all(_is_without_effect(intent, attempt) for attempt in intent.attempts)
    if money or intent.unresolved or intent.in_flight or not over:
        raise _not_now(intent, operation)


def _is_without_effect(intent: PaymentIntent, attempt: AttemptFact) -> bool:
    """Whether an attempt holds no money, took none that was kept, and cannot any more."""
    if attempt.status is AttemptStatus.SUCCEEDED:
        captures = intent.captures_of(attempt)
        return bool(captures) and all(c.status is CaptureStatus.FAILED for c in captures)
    return attempt.status in _WITHOUT_EFFECT


_WITHOUT_EFFECT = frozenset(
    {
        AttemptStatus.DECLINED,
        AttemptStatus.FAILED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
        AttemptStatus.REQUIRES_PAYMENT_METHOD,
    }
)
