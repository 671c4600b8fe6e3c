"""
What an adapter declares about its provider: capabilities, idempotency, resolution, limits.

Declarations are data, so that the client can refuse what cannot work before any I/O, and so that
the contract can verify each of them. Nothing here is guessed from a provider's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from payport.domain.errors import InvalidRequest, UnsupportedOperation
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ALL_CAPABILITIES",
    "Capability",
    "IdempotencyProfile",
    "Limits",
    "ProviderSpec",
    "Resolution",
    "needed_capabilities",
]


class Capability(StrEnum):
    """What a provider can do. An adapter lists what it can; the contract checks both ways."""

    #: It keeps a payment object before the first confirmation.
    CREATE_UNCONFIRMED = "create_unconfirmed"
    #: An object whose try was declined can be confirmed again with another method.
    RECONFIRM = "reconfirm"
    #: Money can be held and captured later.
    MANUAL_CAPTURE = "manual_capture"
    #: A capture may take less than what is held, releasing the rest.
    PARTIAL_CAPTURE = "partial_capture"
    #: Several captures may take from one attempt.
    MULTIPLE_CAPTURES = "multiple_captures"
    #: Held or uncompleted payments can be canceled.
    CANCEL = "cancel"
    #: Money can be given back.
    REFUND = "refund"
    #: A refund may give back less than what was captured, repeatedly.
    PARTIAL_REFUND = "partial_refund"
    #: A payment can be read.
    RETRIEVE_PAYMENT = "retrieve_payment"
    #: A refund can be read.
    RETRIEVE_REFUND = "retrieve_refund"
    #: Objects can be found by our tag.
    FIND = "find"
    #: All payments that it holds can be listed: it is `payport.providers.listings.ListsPayments`.
    LIST_PAYMENTS = "list_payments"
    #: The refunds of a payment can be listed; the same.
    LIST_REFUNDS = "list_refunds"
    #: It sends webhooks.
    WEBHOOKS = "webhooks"
    #: Its webhooks tell of payouts.
    PAYOUTS = "payouts"
    #: What a webhook is about can be read where that is no payment: it is
    #: `payport.providers.events.ReadsSubjects`.
    RETRIEVE_SUBJECT = "retrieve_subject"
    #: What it told can be listed, delivered or not: it is `payport.providers.events.ListsEvents`.
    LIST_EVENTS = "list_events"
    #: Saved methods can be charged while the customer is absent.
    OFF_SESSION = "off_session"
    #: Methods can be saved with a payment.
    SAVE_PAYMENT_METHOD = "save_payment_method"


ALL_CAPABILITIES: frozenset[Capability] = frozenset(Capability)


class Resolution(StrEnum):
    """A way to learn an outcome that is not known, in the order in which an adapter lists them."""

    #: Send the same request with the same key, while the key lives.
    REPLAY = "replay"
    #: Read the object, where its id is known.
    RETRIEVE = "retrieve"
    #: Find an object that carries our tag.
    FIND = "find"
    #: Wait for the provider to tell.
    WEBHOOK = "webhook"
    #: Ask a person.
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyProfile:
    """
    What the provider makes of idempotency keys.

    Attributes:
        placement: Where the key goes, such as `header Idempotency-Key`.
        max_length: The longest key it accepts; ours have 56 characters.
        life: How long it remembers a key, at least. None: it has no keys, and a request that was
            sent is never sent again.
        scope: Within what a key is unique, in the provider's words.
        replays_errors: Whether it remembers server errors too: then a replayed one is no evidence.
        tells_replays: Whether an answer says that it is a stored one. Where not, any answer may be
            as old as the first send, and its facts are dated so.
    """

    placement: str
    max_length: int
    life: timedelta | None
    scope: str
    replays_errors: bool = False
    tells_replays: bool = True

    @property
    def has_keys(self) -> bool:
        """Whether a request may be sent again at all."""
        return self.life is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider accepts; the client refuses the rest before any I/O."""

    max_amount: int = 999_999_999_999
    metadata_keys: int = 50
    metadata_key_length: int = 40
    metadata_value_length: int = 500
    description_length: int = 500
    statement_descriptor_length: int = 22
    token_length: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """
    Everything an adapter declares.

    Attributes:
        name: The adapter's name, in lower case; stored with every operation.
        resolution: The ways to learn an unknown outcome, in order. The last one is REVIEW.
        exponents: Where the provider counts a currency's minor units otherwise than ISO 4217.
        steps: Where amounts have to be multiples of so many minor units.
        currencies: What it takes, by ISO 4217; None where it is not told.
        token_prefixes: What its names of payment methods and customers begin with, where that tells
            them from every other provider's; none where it does not.
        method_prefixes: What each of its names of payment methods begins with, one of them: another
            name is refused before anything is sent. None where they begin with anything.
        rates: How many requests a second to send at most, by environment; no limit of our own where
            none is named. Below what the provider allows, so that it does not have to refuse.
        unstorable: Names of request fields that must never enter a journal. A request that holds
            one of them says `storable=False`, which is what keeps it out; the contract compares.
        signs_webhooks: Whether its webhooks prove who sent them. Where they do not, a webhook is a
            hint to read the object that it names, and nothing that it says is believed or kept:
            `payport.webhooks.hints`.
        takes_action_results: Whether the application hands in what a customer's action brought;
            elsewhere the provider hears of it by itself.
        cancels_lost: Whether a payment whose answer was lost can be ended by our key alone.
        events_kept: For how long what it told can be listed; None where that is for ever, or not
            at all.
        fake: Whether it moves no money at all: then scope and store may be left out.
    """

    name: str
    capabilities: frozenset[Capability]
    idempotency: IdempotencyProfile
    resolution: tuple[Resolution, ...]
    limits: Limits = field(default_factory=Limits)
    exponents: Mapping[str, int] = field(default_factory=dict[str, int])
    steps: Mapping[str, int] = field(default_factory=dict[str, int])
    rates: Mapping[Environment, int] = field(default_factory=dict[Environment, int])
    currencies: frozenset[str] | None = None
    token_prefixes: tuple[str, ...] = ()
    method_prefixes: tuple[str, ...] = ()
    unstorable: frozenset[str] = frozenset()
    signs_webhooks: bool = True
    takes_action_results: bool = False
    cancels_lost: bool = False
    events_kept: timedelta | None = None
    fake: bool = False

    def has(self, capability: Capability) -> bool:
        """Whether the provider can do it."""
        return capability in self.capabilities

    def require(self, capability: Capability, *, operation: str) -> None:
        """
        Refuse an operation that the provider lacks a capability for.

        Raises:
            UnsupportedOperation: It lacks the capability.
        """
        if capability not in self.capabilities:
            raise UnsupportedOperation(
                f"{self.name} cannot do this: it lacks {capability}. Nothing was sent.",
                operation=operation,
                provider=self.name,
            )

    def check(self, command: Command) -> None:
        """
        Refuse a command that the provider cannot carry out.

        Raises:
            UnsupportedOperation: It lacks a capability that the command needs.
            InvalidRequest: The amount is more than it accepts, or finer, or in a currency that it
                does not take; or the payment method is no name of its own.
        """
        for capability in needed_capabilities(command):
            self.require(capability, operation=command.operation)
        self._check_extras(command)
        self._check_method(command)
        amount = _amount(command)
        if self.currencies is not None and amount.currency not in self.currencies:
            raise InvalidRequest(
                f"{self.name} takes no {amount.currency}",
                operation=command.operation,
                field="amount",
                provider=self.name,
            )
        if amount.minor > self.limits.max_amount:
            raise InvalidRequest(
                f"{self.name} takes at most {self.limits.max_amount} minor units at once",
                operation=command.operation,
                field="amount",
                provider=self.name,
            )
        step = self.steps.get(amount.currency, 1)
        # What is canceled was made already, by whomever.
        if amount.minor % step and not isinstance(command, CancelPayment):
            raise InvalidRequest(
                f"{self.name} takes multiples of {Money(step, amount.currency)}: round {amount}",
                operation=command.operation,
                field="amount",
                provider=self.name,
            )

    def _check_method(self, command: Command) -> None:
        if not self.method_prefixes or not isinstance(command, CreatePayment | ConfirmPayment):
            return
        method = command.terms.payment_method
        if method is not None and not method.startswith(self.method_prefixes):
            # It may be what another processor's page collected, so it is not repeated.
            begins = ", ".join(self.method_prefixes)
            raise InvalidRequest(
                f"{self.name} has no payment method of such a name: its own begin with {begins}",
                operation=command.operation,
                field="payment_method",
                provider=self.name,
            )

    def _check_extras(self, command: Command) -> None:
        acted = isinstance(command, ConfirmPayment) and bool(command.action_result)
        lost = isinstance(command, CancelPayment) and command.lost is not None
        why = ""
        if acted and not self.takes_action_results:
            why = "hears of customers' actions by itself, and takes no results of them"
        if lost and not self.cancels_lost:
            why = "cannot cancel a payment of which nothing was heard, or may not"
        if why:
            raise UnsupportedOperation(
                f"{self.name} {why}. Nothing was sent.",
                operation=command.operation,
                provider=self.name,
            )


def _amount(command: Command) -> Money:
    if isinstance(command, CreatePayment | ConfirmPayment):
        return command.terms.amount
    return command.amount


def needed_capabilities(command: Command) -> frozenset[Capability]:
    """What a provider must be able to do to carry the command out."""
    match command:
        case CreatePayment() | ConfirmPayment():
            return _needed_for_payment(command)
        case CapturePayment():
            partial = {Capability.MULTIPLE_CAPTURES} if not command.final else set[Capability]()
            return frozenset({Capability.MANUAL_CAPTURE, *partial})
        case CancelPayment():
            return frozenset({Capability.CANCEL})
        case CreateRefund():
            return frozenset({Capability.REFUND})


def _needed_for_payment(command: CreatePayment | ConfirmPayment) -> frozenset[Capability]:
    terms = command.terms
    asked = {
        Capability.MANUAL_CAPTURE: terms.capture_method is CaptureMethod.MANUAL,
        Capability.OFF_SESSION: terms.off_session,
        Capability.SAVE_PAYMENT_METHOD: terms.save_payment_method,
        Capability.CREATE_UNCONFIRMED: isinstance(command, CreatePayment) and not command.confirm,
    }
    return frozenset(capability for capability, wanted in asked.items() if wanted)
