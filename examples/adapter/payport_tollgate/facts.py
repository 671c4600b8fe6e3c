"""From Tollgate's orders to facts: pure, and the same for whatever brought the order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from payport.domain.actions import Redirect
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
from payport.domain.secrets import Sealed

#: https://docs.tollgate.example/orders#states
_STATES: Final[Mapping[str, AttemptStatus]] = {
    "open": AttemptStatus.REQUIRES_ACTION,
    "checking": AttemptStatus.PROCESSING,
    "paid": AttemptStatus.SUCCEEDED,
    "failed": AttemptStatus.DECLINED,
}
#: https://docs.tollgate.example/orders#reasons
_REASONS: Final[Mapping[str, DeclineReason]] = {
    "no_money": DeclineReason.INSUFFICIENT_FUNDS,
    "card_too_old": DeclineReason.EXPIRED_CARD,
    "card_stolen": DeclineReason.LOST_OR_STOLEN,
    "not_you": DeclineReason.AUTHENTICATION_FAILED,
    "too_late": DeclineReason.CUSTOMER_TIMED_OUT,
    "refused": DeclineReason.GENERIC,
}
#: https://docs.tollgate.example/refunds#states
_REFUNDS: Final[Mapping[str, RefundStatus]] = {
    "asked": RefundStatus.PENDING,
    "sent": RefundStatus.SUCCEEDED,
    "returned": RefundStatus.FAILED,
}
#: https://docs.tollgate.example/disputes#states
_DISPUTES: Final[Mapping[str, DisputeStatus]] = {
    "question": DisputeStatus.INQUIRY,
    "answered": DisputeStatus.INQUIRY_CLOSED,
    "taken": DisputeStatus.OPEN,
    "in_review": DisputeStatus.UNDER_REVIEW,
    "given_back": DisputeStatus.WON,
    "kept": DisputeStatus.LOST,
}


def facts_from(order: Any) -> Facts:
    """All that an order says. Raises KeyError, ValueError and the like for what is none."""
    ref, money = order["id"], Money.from_major(order["amount"], order["currency"])
    status = _STATES.get(order["state"], AttemptStatus.UNKNOWN)
    is_paid = status is AttemptStatus.SUCCEEDED
    told = {"ref": ref, "at": _moment(order), "rank": order["turn"], "raw": Sealed(order)}
    attempt = AttemptFact(
        status=status,
        authorized=money if is_paid else Money(0, money.currency),
        decline=_decline(order) if status is AttemptStatus.DECLINED else None,
        next_action=Redirect(target=Sealed(order["page"])) if order["page"] else None,
        **told,
    )
    taken = CaptureStatus.SUCCEEDED
    capture = CaptureFact(attempt_ref=ref, status=taken, amount=money, tag=order["ref"], **told)
    return Facts(
        attempt_ref=ref,
        tag=order["ref"],
        attempts=(attempt,),
        captures=(capture,) if is_paid else (),
        refunds=tuple(_refund(one, ref, money.currency) for one in order["refunds"]),
        disputes=tuple(_dispute(one, ref, money.currency) for one in order["disputes"]),
    )


def refund_facts_from(answer: Any) -> Facts:
    """What the answer to a refund says: of that one alone."""
    ref = answer["order"]
    return Facts(attempt_ref=ref, refunds=(_refund(answer["refund"], ref, answer["currency"]),))


def _decline(order: Any) -> Decline:
    reason = order["reason"]
    return Decline.of(_REASONS.get(reason, DeclineReason.UNKNOWN), raw=reason)


def _refund(refund: Any, order: str, currency: str) -> RefundFact:
    status = _REFUNDS.get(refund["state"], RefundStatus.UNKNOWN)
    return RefundFact(status=status, tag=refund["ref"], **_part(refund, order, currency))


def _dispute(dispute: Any, order: str, currency: str) -> DisputeFact:
    status = _DISPUTES.get(dispute["state"], DisputeStatus.UNKNOWN)
    return DisputeFact(status=status, **_part(dispute, order, currency))


def _part(part: Any, order: str, currency: str) -> dict[str, Any]:
    money = Money.from_major(part["amount"], currency)
    told = {"ref": part["id"], "attempt_ref": order, "amount": money, "raw": Sealed(part)}
    return {**told, "at": _moment(part), "rank": part["turn"]}


def _moment(part: Any) -> datetime:
    return datetime.fromisoformat(part["changed"])
