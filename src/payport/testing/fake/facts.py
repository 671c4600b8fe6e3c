"""
From the bank's documents to facts: tables, and functions that read one part of a document each.

Whatever the bank says that is not in a table is UNKNOWN, never guessed. A document that lacks what
it must have raises, and the adapter makes a failure of it: half a document proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from payport.domain.actions import ClientToken, NextAction, Redirect
from payport.domain.declines import Decline, DeclineReason
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.payout import PayoutFact, PayoutStatus
from payport.domain.secrets import Sealed
from payport.testing.bank.vault import moment

__all__ = ["decline_from", "facts_from", "moment_from", "payout_from"]

_ATTEMPTS: Final[Mapping[str, AttemptStatus]] = {
    "open": AttemptStatus.REQUIRES_PAYMENT_METHOD,
    "ready": AttemptStatus.REQUIRES_CONFIRMATION,
    "challenged": AttemptStatus.REQUIRES_ACTION,
    "pending": AttemptStatus.PROCESSING,
    "refused": AttemptStatus.DECLINED,
    "errored": AttemptStatus.FAILED,
    "held": AttemptStatus.AUTHORIZED,
    "done": AttemptStatus.SUCCEEDED,
    "voided": AttemptStatus.CANCELED,
    "lapsed": AttemptStatus.EXPIRED,
}
_CAPTURES: Final[Mapping[str, CaptureStatus]] = {
    "asked": CaptureStatus.PENDING,
    "taken": CaptureStatus.SUCCEEDED,
    "bounced": CaptureStatus.FAILED,
}
_REFUNDS: Final[Mapping[str, RefundStatus]] = {
    "asked": RefundStatus.PENDING,
    "given": RefundStatus.SUCCEEDED,
    "bounced": RefundStatus.FAILED,
}
_DISPUTES: Final[Mapping[str, DisputeStatus]] = {
    "inquiry": DisputeStatus.INQUIRY,
    "answered": DisputeStatus.INQUIRY_CLOSED,
    "raised": DisputeStatus.OPEN,
    "examined": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
_PAYOUTS: Final[Mapping[str, PayoutStatus]] = {
    "asked": PayoutStatus.PENDING,
    "sent": PayoutStatus.IN_TRANSIT,
    "paid": PayoutStatus.PAID,
    "voided": PayoutStatus.CANCELED,
    "bounced": PayoutStatus.FAILED,
}
_REASONS: Final[Mapping[str, DeclineReason]] = {
    reason.value: reason for reason in DeclineReason if reason is not DeclineReason.UNKNOWN
}

#: The order in which a payment goes through its states within one round, for statements of one
#: second. The bank counts the rounds.
_RANKS: Final[Mapping[AttemptStatus, int]] = {
    status: rank for rank, status in enumerate(AttemptStatus)
}
_ROUND: Final = 100


@lru_cache(maxsize=4096)
def moment_from(at: int) -> datetime:
    """A moment of the bank's, in microseconds since 1970."""
    return moment(at)


def decline_from(code: str) -> Decline:
    """A decline from the bank's code for it."""
    return Decline.of(_REASONS.get(code, DeclineReason.UNKNOWN), raw=code)


def facts_from(
    document: Mapping[str, Any], *, tag: str | None = None, api_version: str | None = None
) -> Facts:
    """
    All that a document says.

    Args:
        tag: The tag to tell, where it is of another object than the payment.

    Raises:
        KeyError, TypeError, ValueError, InvalidRequest: The document is not one.
    """
    ref = document["ref"]
    # Without the parameter: `Sealed[Any](...)` takes several times as long.
    sealed: Sealed[Any] = Sealed(document)
    attempt = document.get("attempt")
    return Facts(
        attempt_ref=ref,
        tag=tag if tag is not None else document["tag"],
        attempts=(_attempt(ref, attempt, sealed),) if attempt is not None else (),
        captures=tuple([_capture(ref, c, sealed) for c in document.get("captures", ())]),
        refunds=tuple([_refund(ref, r, sealed) for r in document.get("refunds", ())]),
        disputes=tuple([_dispute(ref, d, sealed) for d in document.get("disputes", ())]),
        api_version=api_version,
    )


def _attempt(ref: str, told: Mapping[str, Any], sealed: Sealed[Any]) -> AttemptFact:
    status = _ATTEMPTS.get(told["status"], AttemptStatus.UNKNOWN)
    if told.get("canceling", False):
        status = AttemptStatus.PROCESSING
    code = told.get("decline")
    action = told.get("action")
    return AttemptFact(
        ref=ref,
        status=status,
        authorized=Money(told["authorized"], told["currency"]),
        at=moment_from(told["at"]),
        rank=told["round"] * _ROUND + _RANKS[status],
        number=told["number"],
        try_ref=told.get("try", ""),
        decline=decline_from(code) if code is not None else None,
        next_action=_action(action) if action is not None else None,
        raw=sealed,
    )


def _action(told: Mapping[str, str]) -> NextAction | None:
    if told["kind"] == "redirect":
        return Redirect(target=Sealed(told["url"] or None))
    if told["kind"] == "client_token":
        return ClientToken(secret=Sealed(told["token"] or None))
    return None


def _capture(ref: str, told: Mapping[str, Any], sealed: Sealed[Any]) -> CaptureFact:
    return CaptureFact(
        ref=told["ref"],
        attempt_ref=ref,
        status=_CAPTURES.get(told["status"], CaptureStatus.UNKNOWN),
        amount=Money(told["amount"], told["currency"]),
        at=moment_from(told["at"]),
        rank=told["round"],
        tag=told["tag"],
        raw=sealed,
    )


def _refund(ref: str, told: Mapping[str, Any], sealed: Sealed[Any]) -> RefundFact:
    return RefundFact(
        ref=told["ref"],
        attempt_ref=ref,
        status=_REFUNDS.get(told["status"], RefundStatus.UNKNOWN),
        amount=Money(told["amount"], told["currency"]),
        at=moment_from(told["at"]),
        rank=told["round"],
        tag=told["tag"],
        failure_code=told["failure"],
        raw=sealed,
    )


def _dispute(ref: str, told: Mapping[str, Any], sealed: Sealed[Any]) -> DisputeFact:
    return DisputeFact(
        ref=told["ref"],
        attempt_ref=ref,
        status=_DISPUTES.get(told["status"], DisputeStatus.UNKNOWN),
        amount=Money(told["amount"], told["currency"]),
        at=moment_from(told["at"]),
        rank=told["round"],
        reason_code=told["reason"],
        respond_by=moment_from(told["respond_by"]),
        raw=sealed,
    )


def payout_from(document: Mapping[str, Any]) -> PayoutFact:
    """What a document about a payout says. Raises as `facts_from`."""
    return PayoutFact(
        ref=document["ref"],
        status=_PAYOUTS.get(document["status"], PayoutStatus.UNKNOWN),
        amount=Money(document["amount"], document["currency"]),
        at=moment_from(document["at"]),
        arrives_on=moment_from(document["arrives"]).date(),
        failure_code=document["failure"],
        is_reconciled=document["itemized"],
        raw=Sealed(document),
    )
