"""
Listings of what the provider itself holds: optional protocols beside those of `providers.base`.

A provider that can list what it holds has these methods as well, and declares LIST_PAYMENTS and
LIST_REFUNDS. A page is one call: whoever reads on asks for the next one, so nothing here decides
how much is read. Nothing that is listed concludes an operation; `find` does that.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from payport.providers.base import Adapter, AsyncProvider, SyncProvider

if TYPE_CHECKING:
    from datetime import datetime

    from payport.domain.facts import Facts
    from payport.providers.exchange import Call, Exchange
    from payport.providers.outcomes import Failure

__all__ = [
    "AsyncListingProvider",
    "AsyncListsPayments",
    "FactsPage",
    "ListingAdapter",
    "ListsPayments",
    "PaymentsQuery",
    "RefundsQuery",
    "SyncListingProvider",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsQuery:
    """
    Which payments, newest first.

    Attributes:
        created_from: Made at this aware moment or later.
        created_before: Made earlier than this aware moment.
        customer: The provider's id of the customer that they are of.
        after: The `next_cursor` of the page before.
        limit: At most this many; a provider may give fewer on a page.
    """

    created_from: datetime | None = None
    created_before: datetime | None = None
    customer: str | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundsQuery:
    """
    Which refunds, newest first.

    Attributes:
        payment_ref: The provider's id of the payment that they are of.
        after: The `next_cursor` of the page before.
        limit: At most this many; a provider may give fewer on a page.
    """

    payment_ref: str
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsPage:
    """
    A page of a listing.

    Attributes:
        items: What is told of each, newest first: of a payment its attempt and what was captured,
            of a refund exactly one refund fact. One that cannot be read makes the page a failure:
            it is never left out.
        next_cursor: Where the next page begins; None after the last one.
    """

    items: tuple[Facts, ...]
    next_cursor: str | None = None
    request_id: str | None = None


@runtime_checkable
class ListsPayments(Protocol):
    """A `PaymentProvider` that lists what it holds, made by payport or not."""

    def list_payments(self, query: PaymentsQuery, call: Call) -> FactsPage | Failure:
        """
        A page of payments.

        Raises:
            InvalidRequest: The cursor or the customer is none of the provider's. Nothing was sent.
        """
        ...

    def list_refunds(self, query: RefundsQuery, call: Call) -> FactsPage | Failure:
        """A page of a payment's refunds. Raises as `list_payments`."""
        ...


@runtime_checkable
class AsyncListsPayments(Protocol):
    """`ListsPayments`, awaited."""

    async def list_payments(self, query: PaymentsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_payments`."""
        ...

    async def list_refunds(self, query: RefundsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_refunds`."""
        ...


class ListingAdapter(Adapter):
    """An `Adapter` that lists what its provider holds."""

    @abc.abstractmethod
    def list_payments(self, query: PaymentsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_payments`."""

    @abc.abstractmethod
    def list_refunds(self, query: RefundsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_refunds`."""


A = TypeVar("A", bound=ListingAdapter)


class SyncListingProvider(SyncProvider[A]):
    """A `SyncProvider` that is `ListsPayments` as well."""

    def list_payments(self, query: PaymentsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_payments`."""
        return self._run(self.adapter.list_payments(query), call)

    def list_refunds(self, query: RefundsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_refunds`."""
        return self._run(self.adapter.list_refunds(query), call)


class AsyncListingProvider(AsyncProvider[A]):
    """An `AsyncProvider` that is `AsyncListsPayments` as well."""

    async def list_payments(self, query: PaymentsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_payments`."""
        return await self._run(self.adapter.list_payments(query), call)

    async def list_refunds(self, query: RefundsQuery, call: Call) -> FactsPage | Failure:
        """See `ListsPayments.list_refunds`."""
        return await self._run(self.adapter.list_refunds(query), call)
