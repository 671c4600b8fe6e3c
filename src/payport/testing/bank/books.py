"""
The bank's books: an entry for everything that moved, and the balances that they add up to.

A balance is kept beside the entries and not computed from them, so that a test can compare the two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from payport.domain.money import Money
from payport.testing.bank.records import Payment

__all__ = ["MOVES", "Books", "Entry", "EntryKind", "Fees"]


class EntryKind(StrEnum):
    """Why the balance changed."""

    #: A capture.
    CHARGE = "charge"
    #: A capture that came back.
    CHARGE_FAILURE = "charge_failure"
    #: What the bank takes for its service.
    FEE = "fee"
    #: A refund.
    REFUND = "refund"
    #: A refund that came back.
    REFUND_FAILURE = "refund_failure"
    #: Money that a holder's bank took back.
    DISPUTE = "dispute"
    #: The same, returned.
    DISPUTE_REVERSAL = "dispute_reversal"
    #: Money that went to the merchant's own account.
    PAYOUT = "payout"
    #: The same, come back.
    PAYOUT_FAILURE = "payout_failure"


#: Kinds of entries that move money between customer and merchant.
MOVES = frozenset(EntryKind) - {
    EntryKind.FEE,
    EntryKind.PAYOUT,
    EntryKind.PAYOUT_FAILURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """
    What the bank takes for its service, in minor units of any currency. Kept when money goes back.

    Attributes:
        basis_points: Hundredths of a per cent of each capture.
        fixed: For each capture.
        dispute: For each dispute that takes money.
    """

    basis_points: int = 290
    fixed: int = 30
    dispute: int = 1_500

    def for_charge(self, minor: int) -> int:
        """The fee of a capture, rounded half up."""
        return (minor * self.basis_points + 5_000) // 10_000 + self.fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One line of the books.

    Attributes:
        minor: What it adds to the balance; negative for what it takes.
        payment: The bank's id of the payment; None for payouts.
        effect: The bank's id of the capture, refund, dispute or payout.
        at: When, in microseconds since 1970.
    """

    kind: EntryKind
    minor: int
    currency: str
    payment: str | None
    effect: str
    at: int

    @property
    def amount(self) -> Money:
        """What it adds to the balance."""
        return Money(self.minor, self.currency)


class Books:
    """
    All entries, in order.

    Attributes:
        balances: The merchant's balance by currency.
        moved: What moved from customer to merchant, less what moved back, by payment.
    """

    def __init__(self, fees: Fees) -> None:
        self.fees = fees
        self.entries: list[Entry] = []
        self.balances: defaultdict[str, int] = defaultdict(int)
        self.moved: defaultdict[str, int] = defaultdict(int)

    def write(
        self,
        kind: EntryKind,
        minor: int,
        currency: str,
        *,
        payment: str | None,
        effect: str,
        at: int,
    ) -> None:
        """Write one entry; nothing where nothing moves."""
        if minor:
            entry = Entry(
                kind=kind, minor=minor, currency=currency, payment=payment, effect=effect, at=at
            )
            self.entries.append(entry)
            self.balances[currency] += minor
            if payment is not None and kind in MOVES:
                self.moved[payment] += minor

    def move(self, kind: EntryKind, minor: int, payment: Payment, effect: str, at: int) -> None:
        """Write an entry of a payment."""
        currency = payment.order.currency
        self.write(kind, minor, currency, payment=payment.ref, effect=effect, at=at)

    def charged(self, payment: Payment, minor: int, effect: str, at: int) -> None:
        """Write a capture, and its fee."""
        self.move(EntryKind.CHARGE, minor, payment, effect, at)
        self.move(EntryKind.FEE, -self.fees.for_charge(minor), payment, effect, at)

    def disputed(self, payment: Payment, minor: int, effect: str, at: int) -> None:
        """Write a dispute that takes money, and its fee."""
        self.move(EntryKind.DISPUTE, -minor, payment, effect, at)
        self.move(EntryKind.FEE, -self.fees.dispute, payment, effect, at)
