"""
What the core asks of a provider: one frozen value per operation, with all that it needs.

A command is complete: a provider that keeps nothing before the first confirmation can make the
payment from `ConfirmPayment` alone. Commands are written to the journal, so they hold tokens that
name payment methods but never card data; their payment-method tokens stay out of repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import SchemaSerializer

__all__ = [
    "CancelPayment",
    "CapturePayment",
    "Command",
    "ConfirmPayment",
    "CreatePayment",
    "CreateRefund",
    "Lookup",
    "LostPayment",
    "Operation",
    "Terms",
    "command_from_json",
    "command_to_json",
]


class Operation(StrEnum):
    """The operations that change something at a provider."""

    #: Make a chargeable object, and confirm it where the command says so.
    CREATE_PAYMENT = "create_payment"
    #: Confirm one that exists, or make and confirm one where nothing exists before that.
    CONFIRM_PAYMENT = "confirm_payment"
    #: Take held money.
    CAPTURE_PAYMENT = "capture_payment"
    #: Release held money, or end what was not completed.
    CANCEL_PAYMENT = "cancel_payment"
    #: Give money back.
    CREATE_REFUND = "create_refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    What is to be paid, and how.

    Attributes:
        payment_method: The provider's token of a payment method.
        customer: The provider's id of a customer that the method is saved with.
        off_session: Whether the customer is absent.
        save_payment_method: Whether the provider keeps the method for later.
        return_url: Where the provider sends the customer back to.
    """

    amount: Money
    payment_method: str | None = field(default=None, repr=False)
    customer: str | None = None
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    off_session: bool = False
    save_payment_method: bool = False
    return_url: str | None = None
    description: str | None = None
    statement_descriptor: str | None = None
    receipt_email: str | None = None
    metadata: FrozenMapping = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePayment:
    """
    Make the payment's first chargeable object, or a new one for a later attempt.

    Attributes:
        payment_id: payport's id of the payment.
        reference: The application's reference; kept at the provider where it has a place for it.
        attempt: From 1.
        confirm: Whether to charge or authorise at once.
    """

    operation: Literal[Operation.CREATE_PAYMENT] = Operation.CREATE_PAYMENT
    payment_id: str
    reference: str
    attempt: int
    terms: Terms
    confirm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPayment:
    """
    Charge or authorise.

    Attributes:
        payment_ref: The provider's object to confirm; None where nothing exists there yet.
        action_result: What the customer's action brought back, for providers that take it from the
            application. Works once, so it is never stored.
    """

    operation: Literal[Operation.CONFIRM_PAYMENT] = Operation.CONFIRM_PAYMENT
    payment_id: str
    reference: str
    attempt: int
    payment_ref: str | None
    terms: Terms
    action_result: FrozenMapping = field(default=EMPTY, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePayment:
    """
    Take held money.

    Attributes:
        final: Whether whatever stays is released.
        capture_reference: The application's id of a partial capture.
        authorized: All that the issuer authorised, what was captured before included.
    """

    operation: Literal[Operation.CAPTURE_PAYMENT] = Operation.CAPTURE_PAYMENT
    payment_id: str
    payment_ref: str
    amount: Money
    final: bool
    capture_reference: str | None = None
    authorized: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPayment:
    """
    A payment that may have been made, and of which nothing was heard.

    Attributes:
        key: The key of the operation that may have made it.
    """

    key: str
    attempt: int
    capture_method: CaptureMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPayment:
    """
    Release held money, or end what was not completed.

    Attributes:
        capturing: Whether a capture was asked for and is not decided: money may be taken meanwhile.
        lost: What is to be ended, where the provider's id of it was never told.
    """

    operation: Literal[Operation.CANCEL_PAYMENT] = Operation.CANCEL_PAYMENT
    payment_id: str
    payment_ref: str
    amount: Money
    capturing: bool = False
    lost: LostPayment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRefund:
    """
    Give money back.

    Attributes:
        refund_id: payport's id of the refund.
        reference: The application's reference of the refund.
    """

    operation: Literal[Operation.CREATE_REFUND] = Operation.CREATE_REFUND
    payment_id: str
    payment_ref: str
    refund_id: str
    reference: str
    amount: Money
    reason: RefundReason = RefundReason.UNKNOWN
    metadata: FrozenMapping = EMPTY


#: Anything the core asks that changes something.
Command: TypeAlias = CreatePayment | ConfirmPayment | CapturePayment | CancelPayment | CreateRefund


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """
    Ask for evidence that an operation took effect.

    Attributes:
        key: The operation's key: only an object that carries it as its tag is evidence.
        command: What was asked.
        payment_ref: The provider's object, where known.
    """

    key: str
    command: Command
    payment_ref: str | None = None


@cache
def _commands() -> TypeAdapter[Command]:
    """Imported and built at first use: together most of the time of `import payport`."""
    from pydantic import Field, TypeAdapter  # noqa: PLC0415

    return TypeAdapter(Annotated[Command, Field(discriminator="operation")])


@cache
def _serializer() -> SchemaSerializer:
    """What `dump_json` calls, without looking at its options each time."""
    serializer: SchemaSerializer = _commands().serializer
    return serializer


def command_to_json(command: Command) -> bytes:
    """The command as the journal keeps it."""
    return _serializer().to_json(command)


def command_from_json(stored: bytes | str) -> Command:
    """The command that `command_to_json` kept."""
    return _commands().validate_json(stored)
