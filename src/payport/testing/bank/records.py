"""
What the bank keeps: payments with their tries, captures, refunds and disputes, in its own words.

These are the engine's mutable state. Tests may read them; nothing but the engine writes them.
Amounts are minor units of the payment's currency, moments are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from payport.domain.frozen import EMPTY
from payport.testing.tokens import Card

__all__ = [
    "Capture",
    "CaptureState",
    "Change",
    "Dispute",
    "DisputeState",
    "Happening",
    "Order",
    "Payment",
    "Payout",
    "PayoutState",
    "Refund",
    "RefundState",
    "Refused",
    "State",
    "Try",
    "Waiting",
]


class State(StrEnum):
    """Where a payment stands at the bank."""

    #: No payment method yet.
    OPEN = "open"
    #: Has one, and was not confirmed.
    READY = "ready"
    #: The customer has to authenticate.
    CHALLENGED = "challenged"
    #: The issuer is deciding.
    PENDING = "pending"
    #: The issuer said no.
    REFUSED = "refused"
    #: Failed by nobody's decision.
    ERRORED = "errored"
    #: Money is held.
    HELD = "held"
    #: Nothing is left to take.
    DONE = "done"
    #: Canceled.
    VOIDED = "voided"
    #: Held for too long.
    LAPSED = "lapsed"


class CaptureState(StrEnum):
    """Where a capture stands at the bank."""

    #: Acknowledged.
    ASKED = "asked"
    #: The money was taken.
    TAKEN = "taken"
    #: It was not, or it came back.
    BOUNCED = "bounced"


class RefundState(StrEnum):
    """Where a refund stands at the bank."""

    #: Acknowledged.
    ASKED = "asked"
    #: The money was given back.
    GIVEN = "given"
    #: It was not, or it came back.
    BOUNCED = "bounced"


class DisputeState(StrEnum):
    """Where a dispute stands at the bank."""

    #: The holder's bank asks.
    INQUIRY = "inquiry"
    #: The inquiry ended.
    ANSWERED = "answered"
    #: The money was taken back.
    RAISED = "raised"
    #: Evidence is looked at.
    EXAMINED = "examined"
    #: The money returned.
    WON = "won"
    #: The money is gone.
    LOST = "lost"


class PayoutState(StrEnum):
    """Where a payout stands at the bank."""

    #: It left the balance.
    ASKED = "asked"
    #: The merchant's bank has it.
    SENT = "sent"
    #: It is believed to be there.
    PAID = "paid"
    #: Canceled before it was sent.
    VOIDED = "voided"
    #: It came back.
    BOUNCED = "bounced"


class Happening(StrEnum):
    """What happened to something the bank keeps."""

    PAYMENT_CREATED = "payment.created"
    PAYMENT_CHALLENGED = "payment.challenged"
    PAYMENT_PENDING = "payment.pending"
    PAYMENT_REFUSED = "payment.refused"
    PAYMENT_ERRORED = "payment.errored"
    PAYMENT_HELD = "payment.held"
    PAYMENT_DONE = "payment.done"
    PAYMENT_VOIDED = "payment.voided"
    PAYMENT_LAPSED = "payment.lapsed"
    #: A cancel that had been acknowledged was refused.
    PAYMENT_KEPT = "payment.kept"
    CAPTURE_TAKEN = "capture.taken"
    CAPTURE_BOUNCED = "capture.bounced"
    REFUND_ASKED = "refund.asked"
    REFUND_GIVEN = "refund.given"
    REFUND_BOUNCED = "refund.bounced"
    DISPUTE_INQUIRY = "dispute.inquiry"
    DISPUTE_ANSWERED = "dispute.answered"
    DISPUTE_RAISED = "dispute.raised"
    DISPUTE_EXAMINED = "dispute.examined"
    DISPUTE_WON = "dispute.won"
    DISPUTE_LOST = "dispute.lost"
    #: Money left the balance for the merchant's own account.
    PAYOUT_ASKED = "payout.created"
    #: The merchant's bank has it.
    PAYOUT_SENT = "payout.sent"
    #: It is believed to be there.
    PAYOUT_PAID = "payout.paid"
    PAYOUT_VOIDED = "payout.canceled"
    #: It came back.
    PAYOUT_BOUNCED = "payout.failed"
    #: The bank said of what it is made.
    PAYOUT_ITEMIZED = "payout.reconciled"


class Refused(Exception):
    """
    The bank does not do what it was asked. Nothing changed.

    Attributes:
        code: The bank's word for why.
        status: The HTTP status that says so.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What a merchant asks a payment for.

    Attributes:
        tag: The idempotency key that the objects carry; None for what was made by hand.
        reference: The merchant's own id.
        manual: Whether held money is captured by the merchant.
    """

    amount: int
    currency: str
    tag: str | None = None
    reference: str | None = None
    attempt: int = 1
    token: str | None = field(default=None, repr=False)
    customer: str | None = None
    manual: bool = False
    off_session: bool = False
    save: bool = False
    return_url: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = EMPTY


class Waiting:
    """
    Something that is going to be decided, by the clock or by a test.

    Attributes:
        planned: How the clock decides it.
    """

    __slots__ = ("_decide", "over", "planned")

    def __init__(self, decide: Callable[[bool], None], *, planned: bool) -> None:
        self._decide = decide
        self.planned: bool = planned
        self.over: bool = False

    def conclude(self, verdict: bool | None = None) -> None:  # noqa: FBT001 - None is the plan
        """Decide it once; what was decided stays."""
        if not self.over:
            self.over = True
            self._decide(self.planned if verdict is None else verdict)


@dataclass(slots=True, kw_only=True, eq=False)
class Try:
    """One try of a payment with one card."""

    ref: str
    tag: str | None
    card: Card
    created: int


@dataclass(slots=True, kw_only=True, eq=False)
class Capture:
    """Money taken from what is held."""

    ref: str
    tag: str | None
    amount: int
    final: bool
    state: CaptureState = CaptureState.ASKED
    round: int = 0
    created: int
    updated: int


@dataclass(slots=True, kw_only=True, eq=False)
class Refund:
    """Money given back. `failure` is the bank's word for why it was not."""

    ref: str
    tag: str | None
    reference: str | None
    amount: int
    reason: str = "unknown"
    state: RefundState = RefundState.ASKED
    failure: str | None = None
    metadata: Mapping[str, str] = EMPTY
    round: int = 0
    created: int
    updated: int


@dataclass(slots=True, kw_only=True, eq=False)
class Dispute:
    """Money that the holder's bank asks for."""

    ref: str
    amount: int
    reason: str
    state: DisputeState
    respond_by: int
    round: int = 0
    created: int
    updated: int


@dataclass(slots=True, kw_only=True, eq=False)
class Payout:
    """
    Money sent to the merchant's own account.

    Attributes:
        automatic: Whether nobody asked for this one in particular.
        arrives: When it is expected there.
        failure: The bank's word for why it came back.
        itemized: Whether the bank said of what it is made.
    """

    ref: str
    amount: int
    currency: str
    state: PayoutState = PayoutState.ASKED
    automatic: bool = True
    arrives: int
    failure: str | None = None
    itemized: bool = False
    created: int
    updated: int


@dataclass(slots=True, kw_only=True, eq=False)
class Payment:
    """
    One chargeable object.

    Attributes:
        order: What it was made for.
        terms: The same as the latest try had it, which may differ in how it is paid.
        authorized: What the issuer holds or held.
        method: The card of the payment method; a scripted try may have had another.
        round: Grows with each try and each turn that a cancel takes: orders what happens within
            one second.
        taken_rounds: Grows with each change of a capture.
        decline: The bank's code of the latest try's decline.
        secret: What the customer needs to authenticate; new with each challenge.
        canceling: The tag of a cancel that was acknowledged.
        canceled_by: The tag of the cancel that was executed.
        waiting: What is still to be decided.
    """

    ref: str
    order: Order
    terms: Order
    attempt: int
    state: State
    authorized: int = 0
    round: int = 0
    taken_rounds: int = 0
    method: Card | None = None
    decline: str | None = None
    secret: str | None = field(default=None, repr=False)
    canceling: str | None = None
    canceled_by: str | None = None
    tries: tuple[Try, ...] = ()
    captures: tuple[Capture, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    created: int
    updated: int

    @property
    def card(self) -> Card | None:
        """The card of the latest try; None before there is one."""
        return self.tries[-1].card if self.tries else None

    @property
    def taken(self) -> int:
        """What was taken and stayed."""
        return sum(c.amount for c in self.captures if c.state is CaptureState.TAKEN)

    @property
    def spoken_for(self) -> int:
        """What captures take or may yet take."""
        return sum(c.amount for c in self.captures if c.state is not CaptureState.BOUNCED)

    @property
    def given_back(self) -> int:
        """What refunds gave back."""
        return sum(r.amount for r in self.refunds if r.state is RefundState.GIVEN)

    @property
    def promised_back(self) -> int:
        """What refunds gave back or may yet give back."""
        return sum(r.amount for r in self.refunds if r.state is not RefundState.BOUNCED)

    @property
    def disputed(self) -> int:
        """What disputes took back."""
        return sum(d.amount for d in self.disputes if d.state in TAKEN_BACK)

    @property
    def free(self) -> int:
        """What was taken and is neither given back nor spoken for by anybody."""
        return self.taken - self.promised_back - self.disputed


#: States in which a dispute holds the money.
TAKEN_BACK = frozenset({DisputeState.RAISED, DisputeState.EXAMINED, DisputeState.LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Something happened; told to whoever listens to the bank, while its lock is held.

    Attributes:
        payment: The payment that it happened to; None for payouts.
        payout: The payout that it happened to.
        effects: The captures, refunds or disputes that changed.
        details: What else there is to tell, where neither does.
    """

    what: Happening | str
    at: int
    payment: Payment | None = None
    payout: Payout | None = None
    effects: tuple[Capture | Refund | Dispute, ...] = ()
    details: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
