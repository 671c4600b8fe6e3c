"""`pay.refunds`: the names and the contracts. What each does is in `refund_steps`, written once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.listing import AsyncListing, Listing, ListingSteps
from payport.client.provider_listing import ProviderRefund, ProviderRefunds
from payport.client.refund_steps import RefundSteps
from payport.client.validation import check_id, check_moment, checked_status
from payport.domain.facts import RefundStatus
from payport.domain.identifiers import Kind
from payport.domain.refund import Refund, RefundReason
from payport.storage.base import Cursor, Query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from payport.client.runners import AsyncRunner, Runner
    from payport.domain.money import Money
    from payport.operations.session import Session

__all__ = ["AsyncRefunds", "Refunds"]


class Refunds:
    """Refunds, blocking. What is said of repeating and raising at `Payments` holds here."""

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._steps = RefundSteps(session)
        self._drive = runner

    def create(
        self,
        *,
        payment: str,
        reference: str,
        amount: Money | None = None,
        reason: RefundReason | str = RefundReason.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """
        Give money back.

        The amount is spoken for before anything is sent, and released only when it is proven that
        the refund did not happen: two processes that refund the rest at once cannot both do it.

        Args:
            payment: payport's id of the payment.
            reference: The application's id of the refund; equal amounts are normal.
            amount: All that can still be refunded if left out.

        Raises:
            InvalidTransition: Nothing was captured.
            InvalidRequest: More than what was captured and is not refunded, spoken for or disputed.
            IdempotencyConflict: The reference was used before with other arguments.
            OutcomeUnknown: It may have been executed; carries the refund and the payment.
        """
        return self._drive(
            self._steps.create(
                payment=payment,
                reference=reference,
                amount=amount,
                reason=reason,
                metadata=metadata,
            )
        )

    def get(self, refund: str | None = None, *, reference: str | None = None) -> Refund:
        """
        Read a refund from the store, by payport's id or by the application's reference.

        Raises:
            NotFound: There is none in this scope and environment.
        """
        return self._drive(self._steps.get(refund, reference))

    def refresh(self, refund: str | None = None, *, reference: str | None = None) -> Refund:
        """
        Ask the provider how the refund stands, apply what it says, and return the refund.

        Raises:
            NotFound: There is none in this scope and environment, or not at the provider.
        """
        return self._drive(self._steps.refresh(refund, reference))

    def list(
        self,
        *,
        payment: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        status: RefundStatus | str | None = None,
    ) -> Listing[Refund]:
        """The stored refunds, newest first, as a lazy iterable with `.page(cursor=, limit=)`."""
        steps = _listing(self._session, payment, created_from, created_before, status)
        return Listing(steps, self._drive)

    def list_from_provider(self, *, payment: str) -> Listing[ProviderRefund]:
        """
        The refunds of a payment that the provider holds, whoever made them; a lazy iterable as
        `Payments.list_from_provider` is one.

        Args:
            payment: payport's id of the payment.

        Raises:
            UnsupportedOperation: The provider lists none.
        """
        return Listing(ProviderRefunds(self._session, payment=payment), self._drive)


class AsyncRefunds:
    """Refunds, awaited. Each method is that of `Refunds`."""

    def __init__(self, session: Session, runner: AsyncRunner) -> None:
        self._session = session
        self._steps = RefundSteps(session)
        self._drive = runner

    async def create(
        self,
        *,
        payment: str,
        reference: str,
        amount: Money | None = None,
        reason: RefundReason | str = RefundReason.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """See `Refunds.create`."""
        return await self._drive(
            self._steps.create(
                payment=payment,
                reference=reference,
                amount=amount,
                reason=reason,
                metadata=metadata,
            )
        )

    async def get(self, refund: str | None = None, *, reference: str | None = None) -> Refund:
        """See `Refunds.get`."""
        return await self._drive(self._steps.get(refund, reference))

    async def refresh(self, refund: str | None = None, *, reference: str | None = None) -> Refund:
        """See `Refunds.refresh`."""
        return await self._drive(self._steps.refresh(refund, reference))

    def list(
        self,
        *,
        payment: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        status: RefundStatus | str | None = None,
    ) -> AsyncListing[Refund]:
        """See `Refunds.list`; the listing is an async iterable."""
        steps = _listing(self._session, payment, created_from, created_before, status)
        return AsyncListing(steps, self._drive)

    def list_from_provider(self, *, payment: str) -> AsyncListing[ProviderRefund]:
        """See `Refunds.list_from_provider`; the listing is an async iterable."""
        return AsyncListing(ProviderRefunds(self._session, payment=payment), self._drive)


def _listing(
    session: Session,
    payment: str | None,
    created_from: datetime | None,
    created_before: datetime | None,
    status: RefundStatus | str | None,
) -> ListingSteps[Refund]:
    operation = "refunds.list"
    if payment is not None:
        check_id(payment, Kind.PAYMENT, operation=operation, field="payment")
    query = Query(
        scope=session.scope,
        environment=session.environment,
        payment_id=payment,
        created_from=check_moment(created_from, operation=operation, field="created_from"),
        created_before=check_moment(created_before, operation=operation, field="created_before"),
        status=checked_status(session.spec.limits, status, RefundStatus, operation),
    )
    return ListingSteps(
        query,
        lambda tx, asked: tx.refunds(asked),
        lambda refund: Cursor(created_at=refund.created_at, id=refund.id),
        operation,
    )
