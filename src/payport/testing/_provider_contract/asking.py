# ruff: noqa: S101 - contract tests live on assert
"""What can be asked of a provider about one payment: commands, and the keys they go under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payport.domain.identifiers import Kind, derive_id
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod, PaymentIntent
from payport.operations.keys import KeyParts, derive_key
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Terms,
)
from payport.testing.tokens import Tokens

if TYPE_CHECKING:
    from payport.testing._provider_contract.merchant import Merchant

__all__ = ["Ask", "Asking"]

SCOPE = "contract"
ACCOUNT = "the_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Something to ask of a provider, and the key that makes it one operation."""

    command: Command
    key: str

    @property
    def payment_ref(self) -> str | None:
        """The provider's object that it is about, where there is one already."""
        ref: str | None = getattr(self.command, "payment_ref", None)
        return ref


class Asking:
    """
    What can be asked about one payment.

    Attributes:
        begun: The payment before anything was told.
        intent: The payment as the facts so far say.
        terms: What was asked for last.
        keys: Every key that was made.
    """

    def __init__(self, merchant: Merchant, amount: Money, reference: str) -> None:
        self.merchant = merchant
        self.amount = amount
        self.reference = reference
        self.terms: Terms = Terms(amount=amount)
        self.keys: list[str] = []
        environment = merchant.provider.environment
        self.begun: PaymentIntent = PaymentIntent(
            id=derive_id(Kind.PAYMENT, SCOPE, environment, reference),
            reference=reference,
            scope=SCOPE,
            environment=environment,
            provider=merchant.spec.name,
            account=ACCOUNT,
            amount=amount,
            has_payment_method=True,
            created_at=merchant.clock.now(),
        )
        self.intent: PaymentIntent = self.begun

    @property
    def ref(self) -> str:
        """The provider's id of the latest attempt's object."""
        ref = self.intent.provider_ref
        assert ref is not None, "the provider told no id of the payment's object"
        return ref

    def creation(
        self,
        token: str | None = Tokens.OK,
        *,
        confirm: bool = True,
        manual: bool = False,
        **terms: Any,
    ) -> Ask:
        """Make the payment."""
        self.terms = self._terms(token, manual=manual, **terms)
        command = CreatePayment(
            payment_id=self.intent.id,
            reference=self.reference,
            attempt=1,
            terms=self.terms,
            confirm=confirm,
        )
        return self._ask(command)

    def confirmation(
        self,
        token: str | None = Tokens.OK,
        *,
        attempt: int = 1,
        manual: bool = False,
        anew: bool = False,
        **terms: Any,
    ) -> Ask:
        """
        Confirm the payment's object.

        Args:
            anew: Whether a new object is made and confirmed in one.
        """
        self.terms = self._terms(token, manual=manual, **terms)
        command = ConfirmPayment(
            payment_id=self.intent.id,
            reference=self.reference,
            attempt=attempt,
            payment_ref=None if anew else self.ref,
            terms=self.terms,
        )
        return self._ask(command, attempt=attempt)

    def taking(
        self, minor: int | None = None, *, final: bool = True, reference: str | None = None
    ) -> Ask:
        """Capture; all that is held unless told otherwise."""
        amount = self.intent.capturable if minor is None else self.money(minor)
        command = CapturePayment(
            payment_id=self.intent.id,
            payment_ref=self.ref,
            amount=amount,
            final=final,
            capture_reference=reference,
            authorized=self.intent.authorized,
        )
        return self._ask(command, reference=reference or "")

    def cancellation(self) -> Ask:
        """Cancel."""
        command = CancelPayment(
            payment_id=self.intent.id,
            payment_ref=self.ref,
            amount=self.amount,
            capturing=self.intent.capture_pending.is_positive,
        )
        return self._ask(command)

    def refunding(self, minor: int | None = None, *, reference: str = "return_1") -> Ask:
        """Refund; all that was taken unless told otherwise."""
        command = CreateRefund(
            payment_id=self.intent.id,
            payment_ref=self.ref,
            refund_id=derive_id(Kind.REFUND, self.intent.id, reference),
            reference=reference,
            amount=self.intent.captured if minor is None else self.money(minor),
        )
        return self._ask(command, reference=reference)

    def money(self, minor: int) -> Money:
        """An amount in the payment's currency."""
        return Money(minor, self.amount.currency)

    def _terms(self, token: str | None, *, manual: bool, **terms: Any) -> Terms:
        method = None if token is None else self.merchant.token(token)
        how = CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC
        given: dict[str, Any] = {"return_url": "https://shop.invalid/back", **terms}
        return Terms(amount=self.amount, payment_method=method, capture_method=how, **given)

    def _ask(self, command: Command, *, reference: str = "", attempt: int = 1) -> Ask:
        key = derive_key(
            KeyParts(
                scope=SCOPE,
                environment=self.intent.environment,
                provider=self.merchant.spec.name,
                account=ACCOUNT,
                operation=command.operation,
                aggregate=self.intent.id,
                reference=reference,
                attempt=attempt,
            )
        )
        return self.under(key, command)

    def under(self, key: str, command: Command) -> Ask:
        """A command under a key; the key is remembered as one of this payment's."""
        if key not in self.keys:
            self.keys.append(key)
        return Ask(command=command, key=key)
