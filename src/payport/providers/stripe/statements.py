"""
What a stored event of Stripe's says: facts about a payment, or where a payout stands.

An object within a genuine envelope that cannot be read, is of another API version, or is only
named, says nothing about money: it tells what to fetch at the version that payport is written for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from payport.domain.facts import Facts
from payport.domain.secrets import Sealed
from payport.providers.deliveries import Statement, Subject
from payport.providers.stripe.facts import (
    Moment,
    charge_facts,
    dispute_facts,
    payment_facts,
    refund_facts,
)
from payport.providers.stripe.objects import UNREADABLE, Document, id_in
from payport.providers.stripe.payouts import payout_fact
from payport.providers.stripe.spec import API_VERSION
from payport.providers.stripe.webhooks import Event, event_in

__all__ = ["FETCHED", "PAYOUT", "SUBJECTS", "TRANSLATED", "statements"]

_Translation: TypeAlias = Callable[[Document, Moment], Facts]

#: What says something about money: by the kind of object, the beginning of an event's type, and
#: how it is read. https://docs.stripe.com/api/events/types
TRANSLATED: Final[Mapping[str, tuple[str, _Translation]]] = MappingProxyType(
    {
        "payment_intent": ("payment_intent.", payment_facts),
        "charge": ("charge.", charge_facts),
        # charge.refund.updated and refund.*
        "refund": ("", refund_facts),
        "dispute": ("charge.dispute.", dispute_facts),
    }
)
#: Events that say that something happened and not what: a refunded charge has lost its list of
#: refunds, and an endpoint may not be told of them otherwise.
FETCHED: Final = frozenset({"charge.refunded"})
#: Events of this kind of object, and of the types that begin with it, tell where a payout stands.
PAYOUT: Final = "payout"
#: What a thin event may name beside a payment, and can be read.
SUBJECTS: Final = frozenset({"charge", "dispute", PAYOUT, "refund"})


def statements(body: bytes) -> tuple[Statement, ...]:
    """What a webhook says that was verified when it came."""
    event = event_in(body)
    if event.is_thin:
        return (_thin(event),)
    if event.document.get("object") == PAYOUT and event.type.startswith(f"{PAYOUT}."):
        return (_payout(event),)
    return (_about_payment(event),)


def _thin(event: Event) -> Statement:
    """What is only named; a payment is read by the delivery's own reference to it."""
    subject = _subject(event.document.get("type"), event.document)
    needs_fetch = event.ref is not None or subject is not None
    return Statement(subject=subject, needs_fetch=needs_fetch, raw=Sealed(event.document))


def _subject(kind: object, document: Document) -> Subject | None:
    ref = id_in(document)
    if not isinstance(kind, str) or kind not in SUBJECTS or ref is None:
        return None
    return Subject(kind=kind, ref=ref)


def _payout(event: Event) -> Statement:
    raw, subject = Sealed(event.document), _subject(PAYOUT, event.document)
    if event.version == API_VERSION:
        try:
            fact = payout_fact(event.document, event.occurred_at)
        except UNREADABLE:
            return Statement(subject=subject, needs_fetch=subject is not None, raw=raw)
        return Statement(payout=fact, subject=subject, raw=raw)
    return Statement(subject=subject, needs_fetch=subject is not None, raw=raw)


def _about_payment(event: Event) -> Statement:
    facts, trusted = _facts(event)
    needs_fetch = event.ref is not None and (not trusted or event.type in FETCHED)
    return Statement(facts=facts, needs_fetch=needs_fetch, raw=Sealed(event.document))


def _facts(event: Event) -> tuple[Facts | None, bool]:
    """What an event says, and whether it may be believed without being fetched."""
    about = event.document.get("object")
    prefix, translate = TRANSLATED.get(about, _NOTHING) if isinstance(about, str) else _NOTHING
    if translate is None or not event.type.startswith(prefix):
        return None, True
    if event.ref is None:
        # Of a charge without a payment, which payport never makes.
        return None, True
    if event.version != API_VERSION:
        # Another version may mean something else by the same words: it only tells what to look at.
        return Facts(attempt_ref=event.ref, tag=event.tag, api_version=event.version), False
    try:
        return translate(event.document, Moment(at=event.occurred_at)), True
    except UNREADABLE:
        return None, False


_NOTHING: Final[tuple[str, _Translation | None]] = ("", None)
