"""What tests ask a bank: what there is in it, what moved, and what its books say."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from payport.domain.money import Money
from payport.testing.bank.books import Entry
from payport.testing.bank.records import Capture, Dispute, Payment, Payout, Refund
from payport.testing.bank.vault import Vault

__all__ = ["Views", "nothing"]


class Views:
    """
    As much of a bank as is only read.

    Attributes:
        lock: Held by whoever reads or changes several things as one.
    """

    lock: AbstractContextManager[object]
    vault: Vault

    @contextmanager
    def open(self) -> Generator[Vault]:
        """Hold the lock, with everything that is due having happened before and after."""
        with self.lock:
            self.vault.catch_up()
            try:
                yield self.vault
            finally:
                self.vault.catch_up()

    def payments_named(self, name: str) -> tuple[Payment, ...]:
        """All payments known by a name, oldest first."""
        with self.open() as vault:
            return vault.named(name)

    def payment(self, name: str) -> Payment:
        """
        The latest payment known by a name.

        Raises:
            LookupError: There is none.
        """
        found = self.payments_named(name)
        if not found:
            raise nothing(name)
        return found[-1]

    @property
    def payments(self) -> tuple[Payment, ...]:
        """All payments, oldest first."""
        with self.open() as vault:
            return tuple(vault.payments.values())

    @property
    def captures(self) -> tuple[Capture, ...]:
        """All captures, by payment."""
        return tuple(capture for payment in self.payments for capture in payment.captures)

    @property
    def refunds(self) -> tuple[Refund, ...]:
        """All refunds, oldest first."""
        with self.open() as vault:
            return tuple(refund for _, refund in vault.refunds.values())

    @property
    def disputes(self) -> tuple[Dispute, ...]:
        """All disputes, oldest first."""
        with self.open() as vault:
            return tuple(dispute for _, dispute in vault.disputes.values())

    @property
    def payouts(self) -> tuple[Payout, ...]:
        """All payouts, oldest first."""
        with self.open() as vault:
            return tuple(vault.payouts.values())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The books: everything that moved, in order."""
        with self.open() as vault:
            return tuple(vault.books.entries)

    def balance(self, currency: str = "USD") -> Money:
        """What the bank owes the merchant: fees are paid, payouts have left."""
        with self.open() as vault:
            return Money(vault.books.balances.get(currency, 0), currency)

    def charged(self, name: str, currency: str = "USD") -> Money:
        """
        What was really taken from the customer for this name, before refunds: the sum over all
        payments known by it, so that a double charge shows.

        Args:
            currency: Of the nothing that is returned where the bank knows no such payment.
        """
        return self._total(name, currency, lambda payment: payment.taken)

    def refunded(self, name: str, currency: str = "USD") -> Money:
        """What was really given back; see `charged`."""
        return self._total(name, currency, lambda payment: payment.given_back)

    def moved(self, name: str, currency: str = "USD") -> Money:
        """What moved from customer to merchant in the end, by the books; see `charged`."""
        moved = self.vault.books.moved
        return self._total(name, currency, lambda payment: moved.get(payment.ref, 0))

    def effects(self, key: str) -> int:
        """How often something was executed with this key. A declined try was executed too."""
        with self.open() as vault:
            return vault.executed.get(key, 0)

    def requests(self, key: str) -> int:
        """How many requests with this key arrived, executed or not."""
        with self.lock:
            return self.vault.arrived.get(key, 0)

    def _total(self, name: str, currency: str, of: Callable[[Payment], int]) -> Money:
        with self.open():
            found = self.payments_named(name)
            minor = sum(of(payment) for payment in found)
        return Money(minor, found[0].order.currency if found else currency)


def nothing(name: str) -> LookupError:
    """What is raised for a name that the bank knows nothing by."""
    return LookupError(f"the bank knows no payment by the name of {name!r}")
