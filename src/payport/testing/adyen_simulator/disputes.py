"""
Disputes in Adyen's words: which events tell of which turn, and what they carry.

https://docs.adyen.com/risk-management/disputes-api/dispute-notifications
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from payport.testing.adyen_simulator.amounts import amount_on_wire
from payport.testing.adyen_simulator.memory import Paid
from payport.testing.bank.records import Dispute, DisputeState
from payport.testing.bank.vault import moment

__all__ = ["DisputeEvent", "told_of_dispute"]

_S = DisputeState
#: The bank's words for why, as codes and texts of a scheme.
_REASONS: Final = {
    "fraudulent": ("10.4", "Other Fraud-Card Absent Environment"),
    "product_not_received": ("13.1", "Merchandise/Services Not Received"),
    "product_unacceptable": ("13.3", "Not as Described or Defective Merchandise/Services"),
    "duplicate": ("12.6.1", "Duplicate Processing"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEvent:
    """One event of a dispute; `more` is its `additionalData`."""

    event: str
    reason: str
    more: dict[str, str]


def told_of_dispute(
    paid: Paid, dispute: Dispute, before: Sequence[str]
) -> tuple[DisputeEvent, ...]:
    """
    What is told of a dispute's latest turn.

    Args:
        before: The states that it was in, oldest first.
    """
    code, reason = _REASONS.get(dispute.reason, ("", dispute.reason))
    brand = paid.asked.look.brand
    gross = amount_on_wire(dispute.amount, paid.currency)
    events: list[DisputeEvent] = []
    for event, status in _turns(dispute.state, before):
        prefix = "rfi" if event == "REQUEST_FOR_INFORMATION" else "chargeback"
        more = {
            f"{prefix}ReasonCode": code,
            f"{prefix}SchemeCode": brand,
            "disputeStatus": status,
            "paymentMethodVariant": brand,
            "grossCurrency": gross["currency"],
            "grossValue": str(gross["value"]),
        }
        if paid.asked.shopper is not None:
            more["shopperReference"] = paid.asked.shopper
        if status in {"Undefended", "Unresponded"}:
            more["defendable"] = "true"
            more["defensePeriodEndsAt"] = moment(dispute.respond_by).isoformat(timespec="seconds")
        events.append(DisputeEvent(event=event, reason=reason, more=more))
    return tuple(events)


def _turns(state: DisputeState, before: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The events of a turn, each with the status that the dispute has then."""
    last = before[-1] if before else None
    if state is _S.RAISED:
        if last == _S.WON:
            return (("SECOND_CHARGEBACK", "Lost"),)
        if last == _S.LOST:
            return (("PREARBITRATION_OPEN", "Undefended"),)
        return (("NOTIFICATION_OF_CHARGEBACK", "Undefended"), ("CHARGEBACK", "Undefended"))
    if state is _S.WON and last == _S.LOST:
        return (("PREARBITRATION_WON", "Won"),)
    return _PLAIN[state]


_PLAIN: Final[dict[DisputeState, tuple[tuple[str, str], ...]]] = {
    _S.INQUIRY: (("REQUEST_FOR_INFORMATION", "Unresponded"),),
    _S.ANSWERED: (("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", "Won"),),
    _S.EXAMINED: (("INFORMATION_SUPPLIED", "Pending"),),
    _S.WON: (("CHARGEBACK_REVERSED", "Pending"),),
    _S.LOST: (("DISPUTE_DEFENSE_PERIOD_ENDED", "Lost"),),
}
