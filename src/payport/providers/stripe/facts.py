"""
From Stripe's objects to facts: tables of states, and a function for each object that tells money.

Whatever Stripe says that is not in a table is UNKNOWN, never guessed. An object that lacks what it
must have raises, and the caller makes a failure of it: half an object proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from payport.domain.actions import ClientToken, NextAction, Redirect
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
from payport.domain.secrets import Sealed
from payport.providers.stripe.declines import decline_from
from payport.providers.stripe.objects import (
    CAPTURE_TAG,
    Document,
    attempt_ref_in,
    charge_in,
    check_is,
    id_in,
    moment_from,
    object_in,
    own_id,
    ref_of_payment,
    tag_in,
    word,
)
from payport.providers.stripe.spec import API_VERSION, money_from

__all__ = [
    "ATTEMPTS",
    "CANCELLATIONS",
    "DISPUTES",
    "REFUNDS",
    "Moment",
    "charge_facts",
    "dispute_facts",
    "payment_facts",
    "refund_facts",
]

#: https://docs.stripe.com/payments/paymentintents/lifecycle
ATTEMPTS: Final[Mapping[str, AttemptStatus]] = MappingProxyType(
    {
        "requires_payment_method": AttemptStatus.REQUIRES_PAYMENT_METHOD,
        "requires_confirmation": AttemptStatus.REQUIRES_CONFIRMATION,
        "requires_action": AttemptStatus.REQUIRES_ACTION,
        "processing": AttemptStatus.PROCESSING,
        "requires_capture": AttemptStatus.AUTHORIZED,
        "succeeded": AttemptStatus.SUCCEEDED,
        "canceled": AttemptStatus.CANCELED,
    }
)
#: `cancellation_reason` of payments that nobody canceled: their time was over.
CANCELLATIONS: Final[Mapping[str, AttemptStatus]] = MappingProxyType(
    {"automatic": AttemptStatus.EXPIRED, "expired": AttemptStatus.EXPIRED}
)
#: https://docs.stripe.com/api/refunds/object#refund_object-status
REFUNDS: Final[Mapping[str, RefundStatus]] = MappingProxyType(
    {
        "pending": RefundStatus.PENDING,
        "requires_action": RefundStatus.REQUIRES_ACTION,
        "succeeded": RefundStatus.SUCCEEDED,
        "failed": RefundStatus.FAILED,
        "canceled": RefundStatus.CANCELED,
    }
)
#: https://docs.stripe.com/api/disputes/object#dispute_object-status
DISPUTES: Final[Mapping[str, DisputeStatus]] = MappingProxyType(
    {
        "warning_needs_response": DisputeStatus.INQUIRY,
        "warning_under_review": DisputeStatus.INQUIRY,
        "warning_closed": DisputeStatus.INQUIRY_CLOSED,
        # Settled by a refund before the bank took anything.
        "prevented": DisputeStatus.INQUIRY_CLOSED,
        "needs_response": DisputeStatus.OPEN,
        "under_review": DisputeStatus.UNDER_REVIEW,
        # Lost, and contested once more: the money is gone meanwhile.
        "appeal_needs_response": DisputeStatus.OPEN,
        "appeal_under_review": DisputeStatus.UNDER_REVIEW,
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    When something was told, and by which wording.

    Attributes:
        at: Stripe's clock: of the answer, or of the event.
        rank: The round: the number of the confirmation, from 0, where the request tells. Stripe
            counts whole seconds, and a payment can be declined twice within one.
        version: The API version of the payload.
    """

    at: datetime
    rank: int = 0
    version: str | None = API_VERSION


def payment_facts(payment: Document, moment: Moment) -> Facts:
    """
    All that a PaymentIntent says; its charge's refunds too, where they are in it.

    Raises:
        One of UNREADABLE: It is no PaymentIntent.
    """
    check_is(payment, "payment_intent")
    ref = own_id(payment)
    charge = charge_in(payment)
    refunds: tuple[Document, ...] = tuple(object_in(charge or {}, "refunds").get("data") or ())
    return Facts(
        attempt_ref=ref,
        tag=tag_in(payment),
        attempts=(_attempt(ref, payment, charge, moment),),
        captures=_captures_of(ref, payment, charge, moment),
        refunds=tuple([_refund(refund, moment) for refund in refunds]),
        api_version=moment.version,
    )


def charge_facts(charge: Document, moment: Moment) -> Facts:
    """What a Charge says of its payment: what was taken. Raises one of UNREADABLE."""
    check_is(charge, "charge")
    ref = attempt_ref_in(charge)
    capture = _capture(ref, charge, moment, tag=None) if ref is not None else None
    return Facts(
        attempt_ref=ref,
        tag=tag_in(charge),
        captures=(capture,) if capture is not None else (),
        api_version=moment.version,
    )


def refund_facts(refund: Document, moment: Moment) -> Facts:
    """What a Refund says. Raises one of UNREADABLE, also for one of a charge without payment."""
    check_is(refund, "refund")
    fact = _refund(refund, moment)
    return Facts(
        attempt_ref=fact.attempt_ref, tag=fact.tag, refunds=(fact,), api_version=moment.version
    )


def dispute_facts(dispute: Document, moment: Moment) -> Facts:
    """What a Dispute says. Raises one of UNREADABLE, also for one of a charge without payment."""
    check_is(dispute, "dispute")
    ref = ref_of_payment(dispute)
    due_by = object_in(dispute, "evidence_details").get("due_by")
    fact = DisputeFact(
        ref=own_id(dispute),
        attempt_ref=ref,
        status=DISPUTES.get(dispute["status"], DisputeStatus.UNKNOWN),
        amount=money_from(dispute["amount"], dispute["currency"]),
        at=moment.at,
        # Withdrawn, returned, withdrawn again: each is one more entry, in whatever second.
        rank=len(dispute.get("balance_transactions") or ()),
        reason_code=word(dispute.get("reason")),
        respond_by=moment_from(due_by) if due_by else None,
        raw=Sealed(dispute),
    )
    return Facts(attempt_ref=ref, disputes=(fact,), api_version=moment.version)


def _attempt(ref: str, payment: Document, charge: Document | None, moment: Moment) -> AttemptFact:
    status = ATTEMPTS.get(payment["status"], AttemptStatus.UNKNOWN)
    error = payment.get("last_payment_error")
    if status is AttemptStatus.REQUIRES_PAYMENT_METHOD and error:
        status = AttemptStatus.DECLINED
    if status is AttemptStatus.CANCELED:
        status = CANCELLATIONS.get(payment.get("cancellation_reason") or "", status)
    declined = status is AttemptStatus.DECLINED
    canceled_at = payment.get("canceled_at") if payment["status"] == "canceled" else None
    return AttemptFact(
        ref=ref,
        status=status,
        authorized=_authorized(payment, charge, status),
        at=moment_from(canceled_at) if canceled_at is not None else moment.at,
        rank=max(moment.rank, _waits_anew(payment, status)),
        try_ref=_try_ref(payment, error if declined else None),
        decline=decline_from(error) if declined and error else None,
        next_action=_action(payment) if status is AttemptStatus.REQUIRES_ACTION else None,
        raw=Sealed(payment),
    )


def _try_ref(payment: Document, error: Document | None) -> str:
    """The charge that tells one try from the next; none for a try that made no charge."""
    latest = id_in(payment["latest_charge"]) or ""
    if error is None:
        return latest
    # A failed authentication makes no charge: the latest one is of an earlier try then.
    return id_in(error.get("charge")) or (latest if error.get("type") == "card_error" else "")


def _waits_anew(payment: Document, status: AttemptStatus) -> int:
    """1 for a try that waits for the customer after another: it has made no charge itself yet."""
    return int(status is AttemptStatus.REQUIRES_ACTION and payment["latest_charge"] is not None)


def _authorized(payment: Document, charge: Document | None, status: AttemptStatus) -> Money:
    currency = payment["currency"]
    held = money_from(payment["amount_capturable"], currency)
    if status is not AttemptStatus.SUCCEEDED:
        return held + money_from(payment["amount_received"], currency)
    # What was released is told nowhere. It is the difference to what the issuer authorised, which
    # an expanded charge knows, and which is the whole amount unless somebody asked for less.
    card = object_in(object_in(charge or {}, "payment_method_details"), "card")
    return money_from(card.get("amount_authorized") or payment["amount"], currency)


def _captures_of(
    ref: str, payment: Document, charge: Document | None, moment: Moment
) -> tuple[CaptureFact, ...]:
    """All that was taken, as a running total under the charge's id."""
    tag = tag_in(payment, CAPTURE_TAG)
    failed = _capture(ref, charge, moment, tag=tag) if charge is not None else None
    if failed is not None and failed.status is CaptureStatus.FAILED:
        return (failed,)
    taken = money_from(payment["amount_received"], payment["currency"])
    if not taken.is_positive:
        return ()
    return (
        CaptureFact(
            ref=id_in(payment["latest_charge"]) or ref,
            attempt_ref=ref,
            status=CaptureStatus.SUCCEEDED,
            amount=taken,
            at=moment.at,
            tag=tag,
            raw=Sealed(payment),
        ),
    )


def _capture(ref: str, charge: Document, moment: Moment, *, tag: str | None) -> CaptureFact | None:
    """What a charge took; None where it took nothing, or nothing is decided yet."""
    told, taken = charge["status"], money_from(charge["amount_captured"], charge["currency"])
    if told == "failed" and charge["captured"]:
        # A declined card's charge was never captured. This one was, and the money came back.
        status, amount = CaptureStatus.FAILED, money_from(charge["amount"], charge["currency"])
    elif told == "succeeded" and taken.is_positive:
        status, amount = CaptureStatus.SUCCEEDED, taken
    else:
        return None
    return CaptureFact(
        ref=own_id(charge),
        attempt_ref=ref,
        status=status,
        amount=amount,
        at=moment.at,
        tag=tag,
        raw=Sealed(charge),
    )


def _refund(refund: Document, moment: Moment) -> RefundFact:
    return RefundFact(
        ref=own_id(refund),
        attempt_ref=ref_of_payment(refund),
        status=REFUNDS.get(refund["status"], RefundStatus.UNKNOWN),
        amount=money_from(refund["amount"], refund["currency"]),
        at=moment.at,
        tag=tag_in(refund),
        failure_code=word(refund.get("failure_reason")),
        raw=Sealed(refund),
    )


def _action(payment: Document) -> NextAction | None:
    action = payment.get("next_action")
    if not action:
        return None
    if action["type"] == "redirect_to_url":
        return Redirect(target=Sealed(word(action["redirect_to_url"]["url"])))
    # Everything else is shown, or asked for, by Stripe's code in the customer's browser or app.
    return ClientToken(secret=Sealed(word(payment.get("client_secret"))))
