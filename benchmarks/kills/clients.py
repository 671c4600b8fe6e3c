"""
The two clients of the same shop: payport, and the plain `stripe` package as it comes.

Both do one thing: ask the processor for an order's payment and return what paid it. `Unclear` means
that the application has to ask again, because nobody can tell it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import stripe
from orders import Order
from processor import API_KEY

from payport import (
    Money,
    OperationInProgress,
    OutcomeUnknown,
    PaymentStatus,
    Payport,
    ProviderUnavailable,
    StoreUnavailable,
)
from payport.providers.stripe import StripeProvider

__all__ = ["Client", "PayportShop", "PlainShop", "Shop", "Unclear"]

_CARD: Final = "pm_card_visa"
#: Seconds that a request may take, and an operation in all. A dead sender's lease lasts one second
#: longer than that, and so long nobody else sends.
_PATIENCE: Final = 1.0


class Unclear(Exception):
    """Nobody can tell now whether the order is paid."""


#: Asks for an order's payment and returns the processor's id of it.
Client = Callable[[Order], str]


class Shop(Protocol):
    """One way to be paid. Made before the fork, opened after it."""

    name: str

    def client(self) -> Client:
        """Open what a worker needs, in its process."""
        ...

    def recover(self) -> None:
        """Look after what dead workers left, once."""
        ...

    def unfinished(self) -> int:
        """How many operations it holds of which it does not know in the end what came of them."""
        ...

    def rehearse(self) -> None:
        """
        Take one payment before the forks, so that whatever is imported or built at first use is
        there in every worker. What it opens is not used by them: each opens its own.
        """
        ...


class PayportShop:
    """
    Payments through payport: `StripeProvider`, and a journal in SQLite that all workers share.

    Args:
        address: Of the processor.
        folder: For the journal.
    """

    name = "payport"

    def __init__(self, address: str, folder: Path) -> None:
        self._pay = Payport(
            StripeProvider(api_key=API_KEY, base_url=address),
            scope="shop",
            store=f"sqlite:///{folder}/payments.db",
            timeout=_PATIENCE,
            deadline=_PATIENCE,
            rate_limit=0,
        )

    def client(self) -> Client:
        """See `Shop`. Nothing to do: everything opens at its first use, in each process anew."""
        return self._paid

    def _paid(self, order: Order) -> str:
        try:
            intent = self._pay.payments.create(
                reference=order.reference,
                amount=Money(order.amount, "USD"),
                payment_method=_CARD,
                confirm=True,
                metadata=order.metadata,
            )
        except (OperationInProgress, OutcomeUnknown, ProviderUnavailable, StoreUnavailable):
            raise Unclear from None
        if intent.status is not PaymentStatus.SUCCEEDED:
            raise RuntimeError(f"{order.reference} is {intent.status}")
        return intent.attempts[0].ref

    def recover(self) -> None:
        """See `Shop`."""
        try:
            self._pay.operations.recover()
        except (ProviderUnavailable, OutcomeUnknown, StoreUnavailable):
            return

    def unfinished(self) -> int:
        """See `Shop`."""
        return sum(not record.is_concluded for record in self._pay.operations.list())

    def rehearse(self) -> None:
        """See `Shop`. The store closes its file before each fork; the rest is by process."""
        self._paid(Order(0))
        self.recover()


class PlainShop:
    """
    Payments by the `stripe` package alone: its client makes a random key for each call, and tries
    the call again under it. The key dies with the process.

    Args:
        address: Of the processor.
    """

    name = "plain stripe package"

    def __init__(self, address: str, folder: Path) -> None:
        del folder
        self._address = address
        stripe.enable_telemetry = False  # it would write into the home directory

    def client(self) -> Client:
        """See `Shop`."""
        intents = stripe.StripeClient(
            API_KEY, base_addresses={"api": self._address}
        ).v1.payment_intents

        def paid(order: Order) -> str:
            try:
                intent = intents.create(
                    {
                        "amount": order.amount,
                        "currency": "usd",
                        "payment_method": _CARD,
                        "confirm": True,
                        "metadata": order.metadata,
                        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    }
                )
            except (stripe.APIConnectionError, stripe.IdempotencyError):
                raise Unclear from None
            if intent.status != "succeeded":
                raise RuntimeError(f"{order.reference} is {intent.status}")
            return intent.id

        return paid

    def recover(self) -> None:
        """See `Shop`. There is nothing that could."""

    def unfinished(self) -> int:
        """See `Shop`. It keeps nothing, and so knows of none."""
        return 0

    def rehearse(self) -> None:
        """See `Shop`. The client that is opened for it is never used again."""
        self.client()(Order(0))
