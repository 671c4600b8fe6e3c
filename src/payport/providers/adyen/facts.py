"""
From Adyen's answers to facts: a table of result codes, and a function for each kind of answer.

Whatever Adyen says that is not in a table is UNKNOWN, never guessed. "Received" is no decision:
what was asked for is pending until a webhook decides it. How webhooks are read: `events`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from payport.domain.actions import ClientToken, NextAction, Redirect
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.providers.adyen.declines import decline_from
from payport.providers.adyen.objects import Document, object_in, psp_in
from payport.providers.adyen.references import Reference
from payport.providers.adyen.spec import API_VERSION, money_from
from payport.providers.commands import CancelPayment, CapturePayment, CreateRefund

__all__ = [
    "RESULTS",
    "authorized_facts",
    "cancel_facts",
    "capture_facts",
    "is_about",
    "payment_facts",
    "refund_facts",
    "session_facts",
]

_A = AttemptStatus

#: https://docs.adyen.com/online-payments/build-your-integration/payment-result-codes
RESULTS: Final[Mapping[str, AttemptStatus]] = MappingProxyType(
    {
        "Authorised": _A.AUTHORIZED,
        "PartiallyAuthorised": _A.AUTHORIZED,
        "Refused": _A.DECLINED,
        # The customer went back, or let it be.
        "Cancelled": _A.DECLINED,
        "Error": _A.FAILED,
        "RedirectShopper": _A.REQUIRES_ACTION,
        "IdentifyShopper": _A.REQUIRES_ACTION,
        "ChallengeShopper": _A.REQUIRES_ACTION,
        "PresentToShopper": _A.REQUIRES_ACTION,
        "Pending": _A.PROCESSING,
        "Received": _A.PROCESSING,
    }
)
#: Results that are about the payment by its own id. Until then Adyen may give it another one, and
#: it goes by its reference: "you will get this value in the /payments/details response".
_FINAL: Final = frozenset({_A.AUTHORIZED, _A.DECLINED, _A.FAILED})
_DECLINED: Final = frozenset({_A.DECLINED, _A.FAILED})


def is_about(document: Document, reference: Reference) -> bool:
    """Whether an answer is about the payment, or says neither that nor that it was authorised."""
    told = document.get("merchantReference")
    if told is None:
        return RESULTS.get(str(document.get("resultCode"))) is not _A.AUTHORIZED
    return bool(told == reference.text)


def payment_facts(document: Document, reference: Reference, amount: Money, at: datetime) -> Facts:
    """
    What `/payments` or `/payments/details` answers.

    Args:
        amount: What was asked for; an answer tells the amount where it is another one.

    Raises:
        One of UNREADABLE: It is no such answer.
    """
    told = document["resultCode"]
    if not isinstance(told, str):
        message = "a result that is no word"
        raise TypeError(message)
    status, action = RESULTS.get(told, _A.UNKNOWN), object_in(document, "action")
    if action and status not in _FINAL:
        status = _A.REQUIRES_ACTION
    psp = _final_psp(document) if status in _FINAL else None
    if status is _A.AUTHORIZED and psp is not None:
        held = money_from(document["amount"]) if "amount" in document else amount
        return authorized_facts(psp, reference, held, at, document)
    attempt = AttemptFact(
        ref=psp or reference.text,
        status=status,
        authorized=Money(0, amount.currency),
        at=at,
        number=reference.attempt,
        replaces=reference.text if psp is not None else None,
        decline=decline_from(document) if status in _DECLINED else None,
        next_action=_action(action) if status is _A.REQUIRES_ACTION else None,
        raw=Sealed(document),
    )
    return _facts(attempt.ref, tag=reference.key, attempts=(attempt,))


def authorized_facts(
    psp: str, reference: Reference, held: Money, at: datetime, document: Document
) -> Facts:
    """
    A payment that was authorised; and taken, where it is captured by itself. No webhook follows an
    automatic capture unless it fails, which undoes it here.
    """
    automatic = reference.is_automatic
    attempt = AttemptFact(
        ref=psp,
        status=_A.SUCCEEDED if automatic else _A.AUTHORIZED,
        authorized=held,
        at=at,
        number=reference.attempt,
        replaces=reference.text,
        raw=Sealed(document),
    )
    taken = CaptureFact(
        ref=psp,
        attempt_ref=psp,
        status=CaptureStatus.SUCCEEDED,
        amount=held,
        at=at,
        raw=Sealed(document),
    )
    captures = (taken,) if automatic else ()
    return _facts(psp, tag=reference.key, attempts=(attempt,), captures=captures)


def session_facts(document: Document, reference: Reference, amount: Money, at: datetime) -> Facts:
    """What `/sessions` answers: a payment that the customer has yet to make. Raises UNREADABLE."""
    action: NextAction
    if document.get("mode") == "hosted":
        action = Redirect(target=Sealed(str(document["url"])))
    else:
        token = {"id": document["id"], "sessionData": document["sessionData"]}
        action = ClientToken(secret=Sealed(json.dumps(token, separators=(",", ":"))))
    attempt = AttemptFact(
        ref=reference.text,
        status=_A.REQUIRES_ACTION,
        authorized=Money(0, amount.currency),
        at=at,
        number=reference.attempt,
        next_action=action,
        raw=Sealed(document),
    )
    return _facts(attempt.ref, tag=reference.key, attempts=(attempt,))


# -- acknowledgements -----------------------------------------------------------------------------


def capture_facts(document: Document, command: CapturePayment, key: str, at: datetime) -> Facts:
    """A capture that was asked for. Raises UNREADABLE."""
    capture = CaptureFact(
        ref=_acknowledged(document),
        attempt_ref=command.payment_ref,
        status=CaptureStatus.PENDING,
        amount=command.amount,
        at=at,
        tag=key,
        raw=Sealed(document),
    )
    return _facts(command.payment_ref, captures=(capture,))


def cancel_facts(document: Document, command: CancelPayment, ref: str, at: datetime) -> Facts:
    """A cancellation that was asked for: it says nothing of the payment yet. Raises UNREADABLE."""
    _acknowledged(document)
    attempt = AttemptFact(
        ref=ref,
        status=_A.PROCESSING,
        authorized=Money(0, command.amount.currency),
        at=at,
        raw=Sealed(document),
    )
    return _facts(ref, attempts=(attempt,))


def refund_facts(document: Document, command: CreateRefund, key: str, at: datetime) -> Facts:
    """A refund that was asked for. Raises UNREADABLE."""
    refund = RefundFact(
        ref=_acknowledged(document),
        attempt_ref=command.payment_ref,
        status=RefundStatus.PENDING,
        amount=command.amount,
        at=at,
        tag=key,
        raw=Sealed(document),
    )
    return _facts(command.payment_ref, refunds=(refund,))


def _acknowledged(document: Document) -> str:
    """Adyen's id of a modification that it received."""
    psp = psp_in(document)
    if document["status"] != "received" or psp is None:
        message = "a modification that was not received"
        raise ValueError(message)
    return psp


def _final_psp(document: Document) -> str:
    psp = psp_in(document)
    if psp is None:
        message = "a decided payment without an id"
        raise ValueError(message)
    return psp


def _action(action: Document) -> NextAction:
    """
    An address, where a link leads there; all else is for Adyen's code in the browser or app, which
    takes the whole action.
    """
    if not action:
        message = "an action is missing"
        raise ValueError(message)
    if action.get("type") == "redirect" and action.get("method") == "GET":
        return Redirect(target=Sealed(str(action["url"])))
    return ClientToken(secret=Sealed(json.dumps(dict(action), separators=(",", ":"))))


def _facts(ref: str, **told: Any) -> Facts:
    return Facts(attempt_ref=ref, api_version=API_VERSION, **told)
