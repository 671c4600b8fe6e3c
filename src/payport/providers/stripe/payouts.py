"""From Stripe's payouts to facts: a table of states, and one function that reads the object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from payport.domain.payout import PayoutFact, PayoutStatus
from payport.domain.secrets import Sealed
from payport.providers.stripe.objects import Document, check_is, moment_from, own_id, word
from payport.providers.stripe.spec import money_from

__all__ = ["PAYOUTS", "payout_fact"]

#: https://docs.stripe.com/api/payouts/object#payout_object-status
PAYOUTS: Final[Mapping[str, PayoutStatus]] = MappingProxyType(
    {
        "pending": PayoutStatus.PENDING,
        "in_transit": PayoutStatus.IN_TRANSIT,
        "paid": PayoutStatus.PAID,
        "canceled": PayoutStatus.CANCELED,
        # Some are told as paid first, and fail within some days.
        "failed": PayoutStatus.FAILED,
    }
)


def payout_fact(payout: Document, at: datetime) -> PayoutFact:
    """
    What a Payout says, told at a moment of Stripe's.

    Raises:
        One of UNREADABLE: It is no Payout.
    """
    check_is(payout, "payout")
    return PayoutFact(
        ref=own_id(payout),
        status=PAYOUTS.get(payout["status"], PayoutStatus.UNKNOWN),
        amount=money_from(payout["amount"], payout["currency"]),
        at=at,
        arrives_on=moment_from(payout["arrival_date"]).date(),
        failure_code=word(payout.get("failure_code")),
        is_reconciled=payout.get("reconciliation_status") == "completed",
        raw=Sealed(payout),
    )
