"""
From an answer to an outcome: which document in it speaks, how old it is, and what it says.

Pure functions of one response. They decide whether something is an answer at all; which operation
an answer concludes is the adapter's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final, TypeAlias, cast

from payport.domain.facts import AttemptStatus, Facts
from payport.domain.outcomes import FailureKind
from payport.providers.exchange import Response
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.providers.stripe.errors import error_in, failure_from, provider_time, unreadable
from payport.providers.stripe.facts import ATTEMPTS, Moment, payment_facts
from payport.providers.stripe.objects import UNREADABLE, Document, earliest, id_in, moment_from
from payport.providers.stripe.spec import API_VERSION

__all__ = [
    "Reading",
    "absent",
    "account_in",
    "created",
    "is_replayed",
    "next_page",
    "now_or",
    "object_answer",
    "page_in",
    "payment_answer",
    "payment_in",
    "standing_in",
    "success_in",
]

_OK: Final = range(200, 300)
_PAYMENT_FAILED: Final = 402
_FORBIDDEN: Final = 403
_ON_ACCOUNT: Final = re.compile(r"\bon account '(acct_[A-Za-z0-9]+)'")
_UNEXPECTED: Final = "payment_intent_unexpected_state"

#: Reads a document into facts.
Reading: TypeAlias = Callable[[Document, Moment], Facts]


# -- which document speaks ------------------------------------------------------------------------


def success_in(response: Response, document: Document) -> Document | None:
    """The object of an answer that says yes."""
    return document if response.status in _OK and document else None


def payment_in(response: Response, document: Document) -> Document | None:
    """
    The payment that an attempt to be paid is answered with: also within the error, where it was
    declined. A decline is an answer.
    """
    if response.status in _OK:
        return success_in(response, document)
    error = error_in(document)
    payment = _payment_of(error)
    if response.status != _PAYMENT_FAILED or error is None or payment is None:
        return None
    why = {name: value for name, value in error.items() if name != "payment_intent"}
    return {**payment, "last_payment_error": payment.get("last_payment_error") or why}


def standing_in(document: Document, unless: AbstractSet[AttemptStatus]) -> Document | None:
    """
    The payment within a refusal that says that its state does not allow the request: it tells how
    the payment stands, unless that is one of the states that say nothing about what was asked.
    """
    error = error_in(document)
    payment = _payment_of(error)
    if error is None or payment is None or error.get("code") != _UNEXPECTED:
        return None
    told = payment.get("status")
    status = ATTEMPTS.get(told) if isinstance(told, str) else None
    return payment if status is not None and status not in unless else None


def account_in(response: Response, document: Document) -> str | None:
    """
    The id of an account that was read; also where it may not be: restricted keys may not, and
    Stripe names the account while it refuses.
    """
    if response.status in _OK:
        return id_in(document)
    error = error_in(document) if response.status == _FORBIDDEN else None
    message = (error or {}).get("message")
    found = _ON_ACCOUNT.search(message) if isinstance(message, str) else None
    return found[1] if found is not None else None


def _payment_of(error: Document | None) -> Document | None:
    payment = (error or {}).get("payment_intent")
    return cast("Document", payment) if isinstance(payment, dict) else None


# -- how old it is --------------------------------------------------------------------------------


def is_replayed(response: Response) -> bool:
    """Whether it is the stored answer of an earlier request with the same key."""
    return response.headers.get("idempotent-replayed") == "true"


def now_or(response: Response, otherwise: Callable[[], datetime]) -> Callable[[], datetime]:
    """When Stripe answered, by its own clock."""
    at = provider_time(response)
    return otherwise if at is None else lambda: at


def created(document: Document) -> Callable[[], datetime]:
    """When an object was made."""
    return lambda: moment_from(document["created"])


# -- what it says ---------------------------------------------------------------------------------


def payment_answer(
    response: Response,
    document: Document,
    payment: Document | None,
    *,
    rank: int = 0,
    aged: bool = False,
    reads: bool = False,
) -> Outcome:
    """
    The outcome that a payment is, or the failure where there is none.

    Args:
        document: The whole answer.
        payment: What speaks in it.
        rank: The round of the confirmation, from 0.
        aged: Whether it is no younger than itself, whenever it was told. What is replayed is so.
    """
    if payment is None:
        return failure_from(response, document, reads=reads)
    old = aged or is_replayed(response)

    def itself() -> datetime:
        return earliest(payment)

    at = itself if old else now_or(response, itself)
    return object_answer(response, payment, payment_facts, at=at, rank=rank)


def object_answer(
    response: Response,
    document: Document,
    reading: Reading,
    *,
    at: Callable[[], datetime],
    rank: int = 0,
) -> Outcome:
    """The outcome that an object is; a failure where it cannot be read."""
    version = response.headers.get("stripe-version", API_VERSION)
    try:
        facts = reading(document, Moment(at=at(), rank=rank, version=version))
    except UNREADABLE as error:
        # Its frames hold the document, and that a client's secret.
        return unreadable(response, error.with_traceback(None))
    return Answer(
        facts=facts,
        replayed=is_replayed(response),
        request_id=response.headers.get("request-id"),
        provider_time=provider_time(response),
    )


def page_in(response: Response, document: Document) -> list[Document] | Failure:
    """The objects of a page of a listing or a search."""
    if success_in(response, document) is None:
        return failure_from(response, document, reads=True)
    items = document.get("data")
    if not isinstance(items, list):
        return unreadable(response)
    entries = cast("list[object]", items)
    if not all(isinstance(entry, dict) for entry in entries):
        return unreadable(response)
    return cast("list[Document]", entries)


def next_page(document: Document) -> str | None:
    """The id after which the next page begins; None after the last one."""
    items = document.get("data")
    if document.get("has_more") is not True or not items:
        return None
    return id_in(items[-1])


def absent(request_id: str | None = None) -> Failure:
    """Nothing was found, which proves nothing."""
    message = "nothing there carries the operation's key, or shows that it took effect"
    return Failure(kind=FailureKind.NOT_FOUND, message=message, request_id=request_id)
