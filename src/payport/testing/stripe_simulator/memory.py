"""
What the simulator keeps beside the bank: all that Stripe remembers and no bank needs to know.

Ids are made of the bank's, so that an object has the same one whoever looks first, and the bank
knows a payment by all of them. It renders nothing and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Dispute, Payment, Refund
from payport.testing.bank.vault import Vault
from payport.testing.stripe_simulator.cards import LOOKS, Look, Refusal
from payport.testing.stripe_simulator.errors import Doc
from payport.testing.tokens import Card

__all__ = [
    "Charge",
    "Customer",
    "Intent",
    "Memory",
    "Method",
    "bank_ref",
    "stripe_id",
    "transaction_id",
]

_SECOND: Final = 1_000_000
#: As long as Stripe's ids are, and told apart from them at a glance.
_MIDDLE: Final = "_3Simulated0000Bank"
#: What the bank calls by Stripe's ids from the start.
_OURS: Final = {"bp": "pi", "br": "re", "bd": "dp", "bu": "cus", "bm": "pm", "bo": "po"}
_DEFAULT_LOOK: Final = Look()


def stripe_id(prefix: str, ref: str) -> str:
    """The id at Stripe of what the bank knows by `ref`."""
    return prefix + _MIDDLE + ref.rpartition("Bank")[2].rpartition("_")[2]


def transaction_id(effect: str) -> str:
    """The id of the balance transaction of a capture, refund, dispute or payout of the bank's."""
    kind, _, number = stripe_id(effect.partition("_")[0], effect).partition(_MIDDLE)
    return f"txn_3Simulated0000{kind}00{number}"


def bank_ref(prefix: str, given: str) -> str:
    """The bank's name for what has this id at Stripe, if it was made before the face was."""
    return f"{prefix}_{given.rpartition('Bank')[2]}"


@dataclass(slots=True, kw_only=True, eq=False)
class Method:
    """
    A payment method.

    Attributes:
        used: Whether a payment was confirmed with it: then it is of no use without a customer.
    """

    id: str
    card: Card
    look: Look
    created: int
    customer: str | None = None
    used: bool = False
    metadata: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True, kw_only=True, eq=False)
class Charge:
    """
    One try that the issuer was asked about.

    Attributes:
        refusal: Why it failed.
        metadata: What the payment carried then.
        expires: Until when the money is held, where it is only held.
    """

    id: str
    created: int
    method: Method | None
    refusal: Refusal | None = None
    metadata: dict[str, str]
    expires: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Intent:
    """
    A PaymentIntent: the bank's payment, and what it was asked with.

    Attributes:
        fields: Parameters as they were given, such as `description`, `shipping`, `return_url`.
        error: The last payment error.
        lapsed: Why it was canceled.
    """

    id: str
    payment: Payment
    fields: Doc
    metadata: dict[str, str]
    method: Method | None = None
    error: Doc | None = field(default=None, repr=False)
    charges: tuple[Charge, ...] = ()
    canceled_at: int | None = None
    canceled_for: str | None = None

    @property
    def currency(self) -> str:
        """The currency, in upper case."""
        return self.payment.order.currency

    @property
    def charge(self) -> Charge | None:
        """The latest charge."""
        return self.charges[-1] if self.charges else None


@dataclass(slots=True, kw_only=True, eq=False)
class Customer:
    """A customer; what may be set is in `fields`."""

    id: str
    created: int
    fields: Doc = field(repr=False)
    metadata: dict[str, str] = field(repr=False)


class Memory:
    """
    All of it. Whoever reads or writes it holds the bank's lock.

    Attributes:
        asked: What the payment that is about to be made was asked with.
        refunds_told: The bank's refs of refunds that events were told of.
        began: The bank's moment when the current request began.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.vault: Vault = bank.vault
        self.vault.beginnings.update({kind: name + _MIDDLE for kind, name in _OURS.items()})
        self.intents: dict[str, Intent] = {}
        self.charges: dict[str, tuple[Intent, Charge]] = {}
        self.methods: dict[str, Method] = {}
        self.customers: dict[str, Customer] = {}
        self.refund_metadata: dict[str, dict[str, str]] = {}
        self.refunds_told: set[str] = set()
        self.asked: tuple[Doc, dict[str, str], Method | None] | None = None
        self.began = 0

    def now(self) -> int:
        """The bank's moment, in seconds."""
        return self.vault.wall() // _SECOND

    # -- payments -------------------------------------------------------------------------------

    def intent_of(self, payment: Payment) -> Intent:
        """The PaymentIntent of a payment, also of one that was made by hand."""
        ref = stripe_id("pi", payment.ref)
        intent = self.intents.get(ref)
        if intent is None:
            intent = self._seen(ref, payment)
        return intent

    def _seen(self, ref: str, payment: Payment) -> Intent:
        order = payment.order
        if self.asked is not None:
            fields, metadata, method = self.asked
        else:
            fields, metadata = {"description": order.description}, dict(order.metadata)
            method = self.mint(order.token) if order.token else None
        intent = Intent(id=ref, payment=payment, fields=fields, metadata=metadata, method=method)
        self.intents[ref] = intent
        self.vault.name(payment, ref, *metadata.values())
        return intent

    def add_charge(self, intent: Intent, refusal: Refusal | None, expires: int | None) -> Charge:
        """Write down that the issuer was asked."""
        payment = intent.payment
        charge = Charge(
            id=stripe_id("ch", payment.tries[-1].ref),
            created=self.now(),
            method=intent.method,
            refusal=refusal,
            metadata=dict(intent.metadata),
            expires=expires,
        )
        intent.charges += (charge,)
        self.charges[charge.id] = (intent, charge)
        self.vault.name(payment, charge.id)
        return charge

    def refund(self, ref: str) -> tuple[Payment, Refund] | None:
        """The refund with an id of Stripe's."""
        return self.vault.refunds.get(ref) or self.vault.refunds.get(bank_ref("br", ref))

    def dispute(self, ref: str) -> tuple[Payment, Dispute] | None:
        """The dispute with an id of Stripe's."""
        return self.vault.disputes.get(ref) or self.vault.disputes.get(bank_ref("bd", ref))

    # -- methods and customers ------------------------------------------------------------------

    def mint(self, token: str) -> Method:
        """A new payment method with a token's card; the bank knows it by its id."""
        vault = self.vault
        ref = stripe_id("pm", vault.new_ref("bm"))
        method = Method(
            id=ref,
            card=vault.cards[token],
            look=LOOKS.get(token, _DEFAULT_LOOK),
            created=self.now(),
        )
        self.methods[ref] = method
        vault.methods[ref] = (method.card, None)
        return method

    def attach(self, method: Method, customer: str) -> None:
        """Save a payment method with a customer."""
        method.customer = customer
        self.vault.methods[method.id] = (method.card, customer)
        saved = self.vault.customers[customer]
        if method.id not in saved:
            saved.append(method.id)

    def detach(self, method: Method) -> None:
        """Take a payment method from its customer: it is of no use any more."""
        if method.customer is not None:
            self.vault.customers[method.customer].remove(method.id)
        method.customer, method.used = None, True
        self.vault.methods[method.id] = (method.card, None)

    def add_customer(self, fields: Doc, metadata: dict[str, str]) -> Customer:
        """Make a customer."""
        ref = stripe_id("cus", self.vault.new_ref("bu"))
        customer = Customer(id=ref, created=self.now(), fields=fields, metadata=metadata)
        self.customers[ref] = customer
        self.vault.customers[ref] = []
        return customer

    def customer(self, ref: Any) -> Customer | None:
        """The customer with an id, also one that the bank made by hand."""
        found = self.customers.get(ref)
        if found is None and ref in self.vault.customers:
            found = Customer(id=ref, created=self.now(), fields={}, metadata={})
            self.customers[ref] = found
        return found
