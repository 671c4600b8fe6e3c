"""What a thin event, or one of another API version, is about where that is no payment: read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from payport.domain.secrets import Sealed
from payport.providers.deliveries import Statement
from payport.providers.exchange import Exchange, Request, Response
from payport.providers.outcomes import Failure, Outcome
from payport.providers.stripe import answers
from payport.providers.stripe.errors import document_from, failure_from, unreadable
from payport.providers.stripe.facts import dispute_facts, refund_facts
from payport.providers.stripe.objects import UNREADABLE, Document, attempt_ref_in
from payport.providers.stripe.payouts import payout_fact

__all__ = ["retrieved"]

_OPERATION: Final = "retrieve_subject"
_READINGS: Final = {"dispute": dispute_facts, "refund": refund_facts}

#: Reads a payment with all that belongs to it, for an operation.
_Payment: TypeAlias = Callable[[str, str], Exchange[Outcome]]


def retrieved(request: Request, kind: str, payment: _Payment) -> Exchange[Statement | Failure]:
    """
    What is true of an object now. A charge says less than the payment that it is of, which is read
    for it; of one without a payment there is nothing to be said, as of whatever belongs to it.
    """
    response = yield request
    document = document_from(response)
    if answers.success_in(response, document) is None:
        return failure_from(response, document, reads=True)
    if kind == "payout":
        return _payout(response, document)
    ref = attempt_ref_in(document)
    if ref is None:
        return Statement(raw=Sealed(document))
    if kind == "charge":
        outcome = yield from payment(ref, _OPERATION)
    else:
        at = answers.now_or(response, answers.created(document))
        outcome = answers.object_answer(response, document, _READINGS[kind], at=at)
    return outcome if isinstance(outcome, Failure) else Statement(facts=outcome.facts)


def _payout(response: Response, document: Document) -> Statement | Failure:
    try:
        at = answers.now_or(response, answers.created(document))()
        return Statement(payout=payout_fact(document, at), raw=Sealed(document))
    except UNREADABLE as error:
        # Its frames hold the document.
        return unreadable(response, error.with_traceback(None))
