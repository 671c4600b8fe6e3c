"""
What the simulator keeps beside the bank: all that Adyen remembers and no bank needs to know.

References are drawn from a seed and the bank's ids, so that a thing has the same one whoever looks
first and in every run, and the bank knows a payment by all of them. It renders nothing and decides
nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from payport.domain.frozen import EMPTY
from payport.testing.adyen_simulator.cards import Look
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Dispute, Payment
from payport.testing.bank.vault import Vault
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Card

__all__ = ["Asked", "Memory", "Modification", "Paid", "Session", "Stored"]

#: Sixteen characters of base32, as Adyen's references are sixteen capitals and digits.
_BYTES: Final = 10
_NO_LOOK: Final = Look()


@dataclass(slots=True, kw_only=True, eq=False)
class Stored:
    """A payment method that was saved, by Adyen's word a token."""

    id: str
    shopper: str
    look: Look
    model: str
    first: str | None = None
    created: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """
    A session: what the shopper is asked to pay in the shop's own page.

    Attributes:
        asked: What it was made with.
        key: The idempotency key of the request that made it.
        expires: When nobody can pay any more, in microseconds.
        paid: The payments that were tried in it.
    """

    id: str
    asked: Doc
    account: str
    key: str | None
    expires: int
    data: str
    paid: list[Paid] = field(default_factory=list["Paid"])


@dataclass(slots=True, kw_only=True, eq=False)
class Asked:
    """What a payment that is about to be made was asked with."""

    reference: str
    account: str
    look: Look
    shopper: str | None = None
    store: bool = False
    model: str | None = None
    interaction: str = "Ecommerce"
    order_reference: str | None = None
    metadata: Mapping[str, str] = EMPTY
    delay: int | None = None
    session: Session | None = None
    stored: Stored | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Modification:
    """
    A request to change a payment that was acknowledged.

    Attributes:
        event: The `eventCode` of the webhook that tells how it ended.
        psp: Its own reference.
        reference: The merchant's, if one was given.
    """

    event: str
    psp: str
    reference: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Paid:
    """
    A payment at Adyen: the bank's, and what it was asked with.

    Attributes:
        token: What the shopper's browser and this server know it by.
        fingerprinted: Whether the device was looked at, in the shop's own page.
        made: Captures and refunds by the bank's id: the requests that they were asked by.
        canceling: The cancel that is under way.
        by_merchant: Whether the merchant captures it, by request.
        stored: The method that it saved, or was made with.
    """

    psp: str
    payment: Payment
    asked: Asked
    token: str
    fingerprinted: bool = False
    made: dict[str, Modification] = field(default_factory=dict[str, Modification])
    canceling: Modification | None = None
    stored: Stored | None = None
    by_merchant: bool = False

    @property
    def currency(self) -> str:
        """The currency."""
        return self.payment.order.currency


class Memory:
    """
    All of it. Whoever reads or writes it holds the bank's lock.

    Attributes:
        accounts: The merchant accounts of the company; the first one is the bank's.
        asked: What the payment that is about to be made was asked with.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.vault: Vault = bank.vault
        self.seed: str = f"adyen:{bank.account}"
        self.accounts: list[str] = [bank.account]
        self.by_psp: dict[str, Paid] = {}
        self.by_payment: dict[str, Paid] = {}
        self.by_token: dict[str, Paid] = {}
        self.by_reference: dict[str, list[Paid]] = {}
        self.stored: dict[str, Stored] = {}
        self.sessions: dict[str, Session] = {}
        self.dispute_rounds: dict[str, list[str]] = {}
        self.asked: Asked | None = None

    def psp(self, ref: str) -> str:
        """The reference of what has this id at the bank, or of anything else that has a name."""
        digest = hashlib.blake2b(f"{self.seed}:{ref}".encode(), digest_size=_BYTES).digest()
        return base64.b32encode(digest).decode()

    def new_psp(self) -> str:
        """The reference of something that the bank knows nothing of."""
        return self.psp(self.vault.new_ref("bx"))

    # -- payments -------------------------------------------------------------------------------

    def paid_of(self, payment: Payment) -> Paid:
        """The payment at Adyen of one of the bank's, also of one that was made by hand."""
        return self.by_payment.get(payment.ref) or self._seen(payment)

    def _seen(self, payment: Payment) -> Paid:
        order = payment.order
        asked = self.asked or Asked(
            reference=order.reference or "",
            account=self.bank.account,
            look=_NO_LOOK,
            metadata=order.metadata,
        )
        psp = self.psp(payment.ref)
        paid = Paid(
            psp=psp,
            payment=payment,
            asked=asked,
            token=self.psp(f"{payment.ref} at the shopper's"),
            by_merchant=order.manual and asked.delay is None,
            stored=asked.stored,
        )
        self.by_psp[psp] = self.by_payment[payment.ref] = self.by_token[paid.token] = paid
        self.by_reference.setdefault(asked.reference, []).append(paid)
        self.vault.name(payment, psp, asked.reference or None, asked.order_reference)
        self.vault.name(payment, *asked.metadata.values())
        return paid

    def dispute_psp(self, payment: Payment, dispute: Dispute) -> str:
        """The reference of a dispute."""
        psp = self.psp(dispute.ref)
        self.vault.name(payment, psp)
        return psp

    # -- saved methods --------------------------------------------------------------------------

    def shopper(self, reference: str | None) -> None:
        """Have a shopper known to the bank: for Adyen anybody is one whom a merchant calls so."""
        if reference is not None:
            self.vault.customers.setdefault(reference, [])

    def store(self, card: Card, look: Look, shopper: str, model: str, first: str | None) -> Stored:
        """Save a payment method with a shopper; the bank knows it by its id."""
        ref = self.psp(self.vault.new_ref("bm"))
        at = self.vault.wall()
        stored = Stored(id=ref, shopper=shopper, look=look, model=model, first=first, created=at)
        self.stored[ref] = stored
        self.shopper(shopper)
        self.vault.methods[ref] = (card, shopper)
        self.vault.customers[shopper].append(ref)
        return stored

    def forget(self, stored: Stored) -> None:
        """Take a payment method from its shopper: it is of no use any more."""
        del self.stored[stored.id]
        del self.vault.methods[stored.id]
        self.vault.customers[stored.shopper].remove(stored.id)
