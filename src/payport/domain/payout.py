"""
A payout: what the provider sends from its balance to the merchant's own account at a bank.

It is of no payment and of no order space: a provider's account has payouts. Where one stands only
ever moves on, in the order of `PayoutStatus.rank`; what was paid may still fail, days later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from payport.domain.errors import InvalidRequest
from payport.domain.money import Money
from payport.domain.secrets import NOTHING, Sealed

__all__ = ["PayoutFact", "PayoutStatus"]


class PayoutStatus(StrEnum):
    """Where one payout stands. May grow: keep a `case _`."""

    #: The adapter does not know the provider's word.
    UNKNOWN = "unknown"
    #: Asked for, and not handed to the bank.
    PENDING = "pending"
    #: The bank has it.
    IN_TRANSIT = "in_transit"
    #: The bank is expected to have paid it, or said so. It may still fail.
    PAID = "paid"
    #: Canceled before the bank had it.
    CANCELED = "canceled"
    #: The bank did not pay it, or sent it back: the money is on the balance again.
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """How far on it is: of two statements about one payout the one further on stands."""
        return list(PayoutStatus).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFact:
    """
    What a provider says about one payout at one moment.

    Attributes:
        ref: The provider's id of it.
        amount: What leaves the balance; negative where money is taken from the bank account.
        at: The provider's time of this statement.
        arrives_on: The day on which the bank is expected to have it, or had it.
        failure_code: The provider's own word for why it failed.
        is_reconciled: Whether the provider says of which balance transactions it is made.
        raw: The provider's own payload.
    """

    ref: str
    status: PayoutStatus
    amount: Money
    at: datetime
    arrives_on: date | None = None
    failure_code: str | None = None
    is_reconciled: bool = False
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.ref:
            raise InvalidRequest("a payout needs the provider's id of its object", field="ref")
        if self.at.utcoffset() is None:
            message = "a payout needs an aware datetime, in UTC; a naive one has no moment"
            raise InvalidRequest(message, field="at")
