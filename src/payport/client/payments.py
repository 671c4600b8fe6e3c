"""`pay.payments`: names and contracts. What each method does is written once, in `*_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.attempt_steps import AttemptSteps
from payport.client.hold_steps import HoldSteps
from payport.client.listing import AsyncListing, Listing, ListingSteps
from payport.client.payment_reads import PaymentReads
from payport.client.provider_listing import ProviderPayment, ProviderPayments
from payport.client.terms import Given
from payport.client.validation import check_moment, checked_status
from payport.domain.payment_intent import CaptureMethod, PaymentIntent, PaymentStatus
from payport.storage.base import Cursor, Query
from payport.webhooks.adopting import ADOPT, adopt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from payport.client.runners import AsyncRunner, Runner
    from payport.domain.money import Money
    from payport.operations.session import Session

__all__ = ["AsyncPayments", "Payments"]


class Payments:
    """
    Payments, blocking.

    Every method that changes something may be repeated with the same arguments: it then returns the
    payment as it stands, and charges nobody twice. A decline is an outcome: look at `status` and
    `decline`, or call `raise_for_decline()`.

    All of them raise, before any I/O, `InvalidRequest` for bad input, `SensitiveData` for card data
    in it and `UnsupportedOperation` where the provider cannot; and `ProviderFault` or
    `StoreUnavailable` where those failed. `OutcomeUnknown` means that it may have been executed.
    """

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._attempts = AttemptSteps(session)
        self._holds = HoldSteps(session)
        self._reads = PaymentReads(session)
        self._drive = runner

    def create(
        self,
        *,
        reference: str,
        amount: Money,
        payment_method: str | None = None,
        confirm: bool = False,
        capture_method: CaptureMethod | str = CaptureMethod.AUTOMATIC,
        customer: str | None = None,
        off_session: bool = False,
        save_payment_method: bool = False,
        return_url: str | None = None,
        description: str | None = None,
        statement_descriptor: str | None = None,
        receipt_email: str | None = None,
        metadata: Mapping[str, str] | None = None,
        country: str | None = None,
        payment_method_type: str | None = None,
        attempt: int = 1,
    ) -> PaymentIntent:
        """
        Create a payment, and charge or authorise it where `confirm`.

        Args:
            reference: The application's id of what is paid for: the identity of the operation.
            amount: In minor units, more than nothing.
            payment_method: The provider's token, never a card number. Needed where `confirm`.
            capture_method: `automatic`, or `manual` to hold the money until `capture`.
            customer: The provider's id of a customer.
            off_session: Whether the customer is absent.
            save_payment_method: Whether the provider keeps the method for later.
            return_url: Where the provider sends the customer back to.
            metadata: Text for text, kept at the provider; no card data, no secrets.
            country: The customer's, such as `NL`: for a router's rules alone, sent to nobody.
            payment_method_type: Such as `card` or `ideal`: the same.
            attempt: 2 for a second try after the first was declined, canceled or proven without
                effect, and so on. Refused while an attempt is unknown, under way or paid.

        Raises:
            IdempotencyConflict: The reference was used before with other arguments.
            InvalidTransition: Another attempt is not allowed now.
            OutcomeUnknown: It may have been executed; carries the payment.
        """
        given = Given(
            amount=amount,
            payment_method=payment_method,
            customer=customer,
            capture_method=capture_method,
            off_session=off_session,
            save_payment_method=save_payment_method,
            return_url=return_url,
            description=description,
            statement_descriptor=statement_descriptor,
            receipt_email=receipt_email,
            metadata=metadata,
            country=country,
            method=payment_method_type,
        )
        return self._drive(
            self._attempts.create(
                reference=reference, attempt=attempt, confirm=confirm, given=given
            )
        )

    def confirm(
        self,
        payment: str,
        *,
        payment_method: str | None = None,
        return_url: str | None = None,
        off_session: bool | None = None,
        attempt: int | None = None,
        action_result: Mapping[str, str] | None = None,
        country: str | None = None,
        payment_method_type: str | None = None,
    ) -> PaymentIntent:
        """
        Charge or authorise a payment that was created without `confirm`, or try again.

        Args:
            payment: payport's id of the payment.
            payment_method: Another token than the one it was created with.
            attempt: The number of the attempt; the current one if left out.
            action_result: What the customer's action brought back, alone: the parameters of the
                return URL, or what the provider's code in the browser gave. Only for providers that
                do not hear of it by themselves. It is never stored.
            country, payment_method_type: For a router's rules alone, as in `create`: a further
                attempt is decided by what is said with it, and not by what was said before.

        Raises:
            InvalidTransition: The payment does not wait to be confirmed, or for the customer.
            OutcomeUnknown: It may have been executed; carries the payment.
        """
        return self._drive(
            self._attempts.confirm(
                payment,
                payment_method=payment_method,
                return_url=return_url,
                off_session=off_session,
                attempt=attempt,
                action_result=action_result,
                hints=(country, payment_method_type),
            )
        )

    def capture(
        self,
        payment: str,
        *,
        amount: Money | None = None,
        reference: str | None = None,
        final: bool | None = None,
    ) -> PaymentIntent:
        """
        Take held money.

        Args:
            payment: payport's id of the payment.
            amount: All that is still held if left out.
            reference: The application's id of a partial capture; equal amounts are normal, so it
                is what tells them apart. The single final capture needs none.
            final: Whether the rest is released. By default exactly without a reference.

        Raises:
            InvalidTransition: Nothing is held.
            InvalidRequest: More than what is held and not spoken for.
            OutcomeUnknown: It may have been executed; carries the payment.
        """
        return self._drive(
            self._holds.capture(payment, amount=amount, reference=reference, final=final)
        )

    def cancel(self, payment: str) -> PaymentIntent:
        """
        Release held money, or end what was not completed.

        Raises:
            InvalidTransition: Money was taken already, or nothing is left to cancel.
            OutcomeUnknown: It may have been executed; carries the payment.
        """
        return self._drive(self._holds.cancel(payment))

    def get(self, payment: str | None = None, *, reference: str | None = None) -> PaymentIntent:
        """
        Read a payment from the store, by payport's id or by the application's reference.

        Raises:
            NotFound: There is none in this scope and environment.
        """
        return self._drive(self._reads.get(payment, reference))

    def refresh(self, payment: str | None = None, *, reference: str | None = None) -> PaymentIntent:
        """
        Ask the provider how the payment stands, apply what it says, and return the payment.

        Raises:
            NotFound: There is none in this scope and environment, or not at the provider.
        """
        return self._drive(self._reads.refresh(payment, reference))

    def adopt(self, *, provider_ref: str, provider: str | None = None) -> PaymentIntent:
        """
        Take over a payment that was made elsewhere, in the provider's dashboard or by another
        system. From then on it is a payment of this scope, whose webhooks are applied and whose
        events are handled. Adopting it again returns it.

        It has a random id, and the provider's id as its reference. What it says is read from the
        provider; webhooks about it that were kept as foreign are applied next.

        Args:
            provider_ref: The provider's id of the payment, as `attempt_ref` of a foreign delivery.

        Raises:
            InvalidRequest: It is no foreign one, or nothing was authorised for it yet.
            NotFound: The provider has no such payment, or it is of another scope.
            UnsupportedOperation: The provider cannot be read.
        """
        return self._drive(adopt(self._session.line(provider, ADOPT), provider_ref))

    def list(
        self,
        *,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        status: PaymentStatus | str | None = None,
    ) -> Listing[PaymentIntent]:
        """
        The stored payments, newest first, as a lazy iterable with `.page(cursor=, limit=)`.

        Args:
            created_from: This aware moment or later.
            created_before: Earlier than this aware moment.
        """
        steps = _listing(self._session, created_from, created_before, status)
        return Listing(steps, self._drive)

    def list_from_provider(
        self,
        *,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        customer: str | None = None,
        provider: str | None = None,
    ) -> Listing[ProviderPayment]:
        """
        The payments that the provider holds, whoever made them, newest first: a lazy iterable with
        `.page(cursor=, limit=)`. Each page is one request, sent when it is needed; a provider may
        give fewer on a page than asked for. Nothing is stored.

        Args:
            created_from: Made there at this aware moment or later.
            created_before: Made there earlier than this aware moment.
            customer: The provider's id of a customer.

        Raises:
            UnsupportedOperation: The provider lists none.
        """
        steps = ProviderPayments(
            self._session,
            created_from=created_from,
            created_before=created_before,
            customer=customer,
            provider=provider,
        )
        return Listing(steps, self._drive)


class AsyncPayments:
    """Payments, awaited. Each method is that of `Payments`."""

    def __init__(self, session: Session, runner: AsyncRunner) -> None:
        self._session = session
        self._attempts = AttemptSteps(session)
        self._holds = HoldSteps(session)
        self._reads = PaymentReads(session)
        self._drive = runner

    async def create(
        self,
        *,
        reference: str,
        amount: Money,
        payment_method: str | None = None,
        confirm: bool = False,
        capture_method: CaptureMethod | str = CaptureMethod.AUTOMATIC,
        customer: str | None = None,
        off_session: bool = False,
        save_payment_method: bool = False,
        return_url: str | None = None,
        description: str | None = None,
        statement_descriptor: str | None = None,
        receipt_email: str | None = None,
        metadata: Mapping[str, str] | None = None,
        country: str | None = None,
        payment_method_type: str | None = None,
        attempt: int = 1,
    ) -> PaymentIntent:
        """See `Payments.create`."""
        given = Given(
            amount=amount,
            payment_method=payment_method,
            customer=customer,
            capture_method=capture_method,
            off_session=off_session,
            save_payment_method=save_payment_method,
            return_url=return_url,
            description=description,
            statement_descriptor=statement_descriptor,
            receipt_email=receipt_email,
            metadata=metadata,
            country=country,
            method=payment_method_type,
        )
        return await self._drive(
            self._attempts.create(
                reference=reference, attempt=attempt, confirm=confirm, given=given
            )
        )

    async def confirm(
        self,
        payment: str,
        *,
        payment_method: str | None = None,
        return_url: str | None = None,
        off_session: bool | None = None,
        attempt: int | None = None,
        action_result: Mapping[str, str] | None = None,
        country: str | None = None,
        payment_method_type: str | None = None,
    ) -> PaymentIntent:
        """See `Payments.confirm`."""
        return await self._drive(
            self._attempts.confirm(
                payment,
                payment_method=payment_method,
                return_url=return_url,
                off_session=off_session,
                attempt=attempt,
                action_result=action_result,
                hints=(country, payment_method_type),
            )
        )

    async def capture(
        self,
        payment: str,
        *,
        amount: Money | None = None,
        reference: str | None = None,
        final: bool | None = None,
    ) -> PaymentIntent:
        """See `Payments.capture`."""
        return await self._drive(
            self._holds.capture(payment, amount=amount, reference=reference, final=final)
        )

    async def cancel(self, payment: str) -> PaymentIntent:
        """See `Payments.cancel`."""
        return await self._drive(self._holds.cancel(payment))

    async def get(
        self, payment: str | None = None, *, reference: str | None = None
    ) -> PaymentIntent:
        """See `Payments.get`."""
        return await self._drive(self._reads.get(payment, reference))

    async def refresh(
        self, payment: str | None = None, *, reference: str | None = None
    ) -> PaymentIntent:
        """See `Payments.refresh`."""
        return await self._drive(self._reads.refresh(payment, reference))

    async def adopt(self, *, provider_ref: str, provider: str | None = None) -> PaymentIntent:
        """See `Payments.adopt`."""
        return await self._drive(adopt(self._session.line(provider, ADOPT), provider_ref))

    def list(
        self,
        *,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        status: PaymentStatus | str | None = None,
    ) -> AsyncListing[PaymentIntent]:
        """See `Payments.list`; the listing is an async iterable."""
        steps = _listing(self._session, created_from, created_before, status)
        return AsyncListing(steps, self._drive)

    def list_from_provider(
        self,
        *,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        customer: str | None = None,
        provider: str | None = None,
    ) -> AsyncListing[ProviderPayment]:
        """See `Payments.list_from_provider`; the listing is an async iterable."""
        steps = ProviderPayments(
            self._session,
            created_from=created_from,
            created_before=created_before,
            customer=customer,
            provider=provider,
        )
        return AsyncListing(steps, self._drive)


def _listing(
    session: Session,
    created_from: datetime | None,
    created_before: datetime | None,
    status: PaymentStatus | str | None,
) -> ListingSteps[PaymentIntent]:
    operation = "payments.list"
    query = Query(
        scope=session.scope,
        environment=session.environment,
        created_from=check_moment(created_from, operation=operation, field="created_from"),
        created_before=check_moment(created_before, operation=operation, field="created_before"),
        status=checked_status(session.spec.limits, status, PaymentStatus, operation),
    )
    return ListingSteps(
        query,
        lambda tx, asked: tx.payments(asked),
        lambda intent: Cursor(created_at=intent.created_at, id=intent.id),
        operation,
    )
