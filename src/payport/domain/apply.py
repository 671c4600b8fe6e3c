"""
Applying facts to a payment: one pure function for API answers, webhooks, recovery and people.

It converges: any permutation of the same facts, with duplicates, ends in the same state, because
each effect keeps the greatest of its facts (`facts.stands_over`) and everything that is remembered
beside the fact is a maximum or a minimum too. It does no I/O, reads no clock and decides nothing
about money: totals and status are projections of what it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain._changes import events_between
from payport.domain.errors import ProviderFault
from payport.domain.facts import (
    AttemptFact,
    CaptureFact,
    DisputeFact,
    Facts,
    RefundFact,
    same_moment,
    stands_over,
)
from payport.domain.identifiers import Kind, derive_id
from payport.domain.payment_intent import Capture, PaymentIntent
from payport.domain.refund import Refund

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payport.domain.events import DomainEvent

__all__ = ["Applied", "apply"]

E = TypeVar("E", Capture, Refund)
F = TypeVar("F", AttemptFact, CaptureFact, RefundFact, DisputeFact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """
    A payment after facts were applied.

    Attributes:
        events: What changed, in the order of attempts, captures, refunds, disputes, payment.
        tie: Whether some statement was told for the same moment as the one it was compared with,
            so that time could not order them: fetch the object if the provider can.
    """

    intent: PaymentIntent
    events: tuple[DomainEvent, ...]
    tie: bool


def apply(intent: PaymentIntent, facts: Facts) -> Applied:
    """
    Return the payment with the facts applied, and the events that this makes.

    Raises:
        ProviderFault: A fact's currency is not the payment's. Nothing was applied.
    """
    _check_currency(intent, facts)
    ties: list[bool] = []
    attempts = _merged_attempts(intent, facts, ties)
    after = intent.evolve(
        attempts=attempts,
        # Also of what is told by a name that was replaced.
        attempt=max([intent.attempt, *(a.number or 0 for a in (*attempts, *facts.attempts))]),
        captures=_merged_captures(intent, facts, ties),
        refunds=_merged_refunds(intent, facts, ties),
        disputes=_merged_disputes(intent, facts, ties),
    )
    events = events_between(intent, after, api_version=facts.api_version)
    return Applied(intent=after, events=events, tie=any(ties))


def _check_currency(intent: PaymentIntent, facts: Facts) -> None:
    told_amounts = [
        *((fact.ref, fact.authorized) for fact in facts.attempts),
        *((fact.ref, fact.amount) for fact in facts.captures),
        *((fact.ref, fact.amount) for fact in facts.refunds),
    ]
    for ref, told in told_amounts:
        if told.currency != intent.amount.currency:
            message = (
                f"the provider told {told.currency} for {ref}, and the payment is in "
                f"{intent.amount.currency}. Nothing was applied: look at the payment there."
            )
            raise ProviderFault(message, reference=intent.reference, provider=intent.provider)


def _standing(new: F, old: F | None, ties: list[bool]) -> F:
    """The one of two facts about one effect that stands."""
    if old is None:
        return new
    ties.append(same_moment(new, old))
    # Equal facts may hold other tokens and payloads: the newer object has the fresher ones.
    return old if stands_over(old, new) else new


def _merged_attempts(
    intent: PaymentIntent, facts: Facts, ties: list[bool]
) -> tuple[AttemptFact, ...]:
    known = {attempt.ref: attempt for attempt in intent.attempts}
    for fact in facts.attempts:
        old = known.get(fact.ref)
        if old is None:
            known[fact.ref] = fact
            continue
        numbers = [n for n in (fact.number, old.number) if n is not None]
        # These are compared apart from the fact: not every statement tells them.
        both: dict[str, Any] = {
            "number": max(numbers, default=None),
            "replaces": fact.replaces or old.replaces,
        }
        known[fact.ref] = _standing(replace(fact, **both), replace(old, **both), ties)
    provisional = {attempt.replaces for attempt in known.values()}
    kept = [attempt for attempt in known.values() if attempt.ref not in provisional]
    return tuple(sorted(kept, key=lambda a: a.ref))


def _merged_captures(intent: PaymentIntent, facts: Facts, ties: list[bool]) -> tuple[Capture, ...]:
    kept = list(intent.captures)
    for fact in facts.captures:
        by_ref, ours = _known(kept, fact)
        told = Capture(key=fact.tag, requested=fact.amount)
        # A running total is told under one id with the tags of several captures of ours, all of
        # which it covers. Whose it is called must not depend on the order in which they were told.
        entry = min((e for e in (by_ref, ours, told) if e is not None), key=_claim)
        standing = _standing(fact, by_ref.fact if by_ref is not None else None, ties)
        asked = entry.requested if entry.reference is not None else standing.amount
        kept = [e for e in kept if e is not by_ref and e is not ours]
        kept.append(replace(entry, fact=standing, requested=asked))
    return tuple(sorted(kept, key=_effect_order))


def _claim(entry: Capture) -> tuple[bool, bool, str]:
    """What the application gave a reference goes first, then what has a key."""
    return (entry.reference is None, entry.key is None, entry.key or "")


def _merged_refunds(intent: PaymentIntent, facts: Facts, ties: list[bool]) -> tuple[Refund, ...]:
    kept = list(intent.refunds)
    for fact in facts.refunds:
        by_ref, ours = _known(kept, fact)
        if by_ref is not None and by_ref.reference is not None:
            # One object is one refund: another of ours is not answered by it, whatever its tag.
            ours = None
        entry = ours or by_ref or _foreign_refund(intent, fact)
        standing = _standing(fact, by_ref.fact if by_ref is not None else None, ties)
        foreign = entry.reference is None
        kept = [e for e in kept if e is not by_ref and e is not ours]
        kept.append(
            replace(
                entry,
                fact=standing,
                key=entry.key or fact.tag,
                requested=standing.amount if foreign else entry.requested,
                created_at=min(entry.created_at, fact.at) if foreign else entry.created_at,
            )
        )
    return tuple(sorted(kept, key=_effect_order))


def _merged_disputes(
    intent: PaymentIntent, facts: Facts, ties: list[bool]
) -> tuple[DisputeFact, ...]:
    known = {dispute.ref: dispute for dispute in intent.disputes}
    for fact in facts.disputes:
        known[fact.ref] = _standing(fact, known.get(fact.ref), ties)
    return tuple(sorted(known.values(), key=lambda d: d.ref))


def _known(kept: Sequence[E], fact: CaptureFact | RefundFact) -> tuple[E | None, E | None]:
    """
    The entry that has the fact's object already, and the one of ours that waits for its tag.

    The provider's id decides. Where an object was first told without its tag, there are both.
    """
    by_ref = next((e for e in kept if e.fact is not None and e.fact.ref == fact.ref), None)
    waiting = (e for e in kept if e.fact is None and e.key == fact.tag)
    return by_ref, next(waiting, None) if fact.tag is not None else None


def _foreign_refund(intent: PaymentIntent, fact: RefundFact) -> Refund:
    """
    A refund made elsewhere, such as in a dashboard. Its id is derived from the provider's, because
    a random one would differ between two processes that learn of it at once.
    """
    return Refund(
        id=derive_id(Kind.REFUND, "foreign", intent.provider, intent.account, fact.ref),
        reference=None,
        payment_id=intent.id,
        key=fact.tag,
        requested=fact.amount,
        created_at=fact.at,
    )


def _effect_order(entry: Capture | Refund) -> tuple[str, str]:
    return (entry.fact.ref if entry.fact is not None else "", entry.key or "")
