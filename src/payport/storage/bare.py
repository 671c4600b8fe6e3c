"""
Takes from a payment what a store must not keep: provider payloads and client tokens.

Serialising does the same by itself, because a `Sealed` value dumps as nothing; this is for stores
that keep the objects. What stays is equal to what came: sealed values do not count in comparisons.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, assert_never

from payport.domain.actions import ClientToken, Redirect
from payport.domain.facts import AttemptFact, CaptureFact, DisputeFact, RefundFact
from payport.domain.secrets import Sealed

if TYPE_CHECKING:
    from payport.domain.actions import NextAction
    from payport.domain.payment_intent import Capture, PaymentIntent
    from payport.domain.refund import Refund

__all__ = ["bare"]

F = TypeVar("F", AttemptFact, CaptureFact, RefundFact, DisputeFact)


def bare(intent: PaymentIntent) -> PaymentIntent:
    """The payment without payloads and tokens: the same object where it holds none."""
    parts = {
        "attempts": tuple(_bare_attempt(attempt) for attempt in intent.attempts),
        "captures": tuple(_bare_capture(capture) for capture in intent.captures),
        "refunds": tuple(_bare_refund(refund) for refund in intent.refunds),
        "disputes": tuple(_bare_fact(dispute) for dispute in intent.disputes),
    }
    changed = {name: part for name, part in parts.items() if _differ(part, getattr(intent, name))}
    return intent.evolve(**changed) if changed else intent


def _differ(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    # By identity: the values are equal either way.
    return any(a is not b for a, b in zip(new, old, strict=True))


def _bare_fact(fact: F) -> F:
    return fact if fact.raw.value is None else replace(fact, raw=Sealed(None))


def _bare_attempt(fact: AttemptFact) -> AttemptFact:
    action = fact.next_action
    if action is not None and (stripped := _bare_action(action)) is not action:
        fact = replace(fact, next_action=stripped)
    return _bare_fact(fact)


def _bare_action(action: NextAction) -> NextAction:
    match action:
        case Redirect():
            return action if action.url is None else Redirect()
        case ClientToken():
            return action if action.token is None else ClientToken()
        case _:
            assert_never(action)


def _bare_capture(capture: Capture) -> Capture:
    if capture.fact is None or capture.fact.raw.value is None:
        return capture
    return replace(capture, fact=_bare_fact(capture.fact))


def _bare_refund(refund: Refund) -> Refund:
    if refund.fact is None or refund.fact.raw.value is None:
        return refund
    return replace(refund, fact=_bare_fact(refund.fact))
