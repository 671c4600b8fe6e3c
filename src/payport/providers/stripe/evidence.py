"""
What a payment that was read proves about an operation on it.

Stripe keeps payport's key where it has a place for it: on what is made, and on what is captured.
It has none for a confirmation and a cancellation; there the change that only they make is the
evidence. That something is not there proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from payport.domain.facts import AttemptStatus, Facts
from payport.providers.commands import CapturePayment, ConfirmPayment

__all__ = ["NOT_CONFIRMED", "NOT_ENDED", "PASSING", "Proof", "canceled", "captured", "confirmed"]

#: Whether facts prove something.
Proof: TypeAlias = Callable[[Facts], bool]

_ENDED: Final = frozenset({AttemptStatus.CANCELED, AttemptStatus.EXPIRED})
NOT_ENDED: Final = frozenset(AttemptStatus) - _ENDED
#: What a confirmation leads away from: an object in one of these does not show that there was one.
NOT_CONFIRMED: Final = frozenset(
    {
        AttemptStatus.REQUIRES_PAYMENT_METHOD,
        AttemptStatus.REQUIRES_CONFIRMATION,
        AttemptStatus.UNKNOWN,
    }
)
#: States between which time decides, so that the age of a statement matters.
PASSING: Final = NOT_ENDED - {AttemptStatus.AUTHORIZED, AttemptStatus.SUCCEEDED}


def confirmed(command: ConfirmPayment) -> Proof:
    """
    That an object is declined shows nothing from the second try on, because it was before; nor that
    it is canceled, which somebody else may have done.
    """
    before = {AttemptStatus.DECLINED} if command.attempt > 1 else set[AttemptStatus]()
    return _in_none_of(NOT_CONFIRMED | _ENDED | before)


def captured(command: CapturePayment, key: str) -> Proof:
    """The tag alone may be there before the bank answers: the money has to be there as well."""
    return lambda facts: any(
        capture.tag == key and capture.amount.minor >= command.amount.minor
        for capture in facts.captures
    )


def canceled() -> Proof:
    """Nobody has to have canceled it twice."""
    return _in_none_of(NOT_ENDED)


def _in_none_of(states: frozenset[AttemptStatus]) -> Proof:
    return lambda facts: all(attempt.status not in states for attempt in facts.attempts)
