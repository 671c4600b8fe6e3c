"""
What a provider can be asked about its webhooks: which events it keeps, and what they are about.

Two optional protocols beside those of `providers.base`. `ListsEvents` finds what no webhook
brought, and is declared by LIST_EVENTS; `ReadsSubjects` reads the object of a statement that is no
payment itself, and is declared by RETRIEVE_SUBJECT. Both only read, and conclude nothing.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from payport.providers.base import Adapter, AsyncProvider, SyncProvider
from payport.providers.deliveries import Delivery, Statement, Subject

if TYPE_CHECKING:
    from payport.providers.exchange import Call, Exchange
    from payport.providers.outcomes import Failure

__all__ = [
    "AsyncEventsProvider",
    "AsyncListsEvents",
    "AsyncReadsSubjects",
    "EventsAdapter",
    "EventsPage",
    "EventsQuery",
    "ListsEvents",
    "ReadsSubjects",
    "SyncEventsProvider",
    "ToldEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsQuery:
    """
    Which events, newest first.

    Attributes:
        created_from: Told at this aware moment or later.
        created_before: Told earlier than this aware moment.
        after: The `next_cursor` of the page before.
        limit: At most this many; a provider may give fewer on a page.
    """

    created_from: datetime | None = None
    created_before: datetime | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEvent:
    """
    One event as a webhook would have brought it.

    Attributes:
        delivery: Its envelope, with the dedupe key and the fingerprint of the webhook.
        body: What `read_webhook` reads: the one statement of it.
    """

    delivery: Delivery
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPage:
    """
    A page of events.

    Attributes:
        items: The events, newest first. One whose envelope cannot be read makes the page a failure:
            it is never left out.
        next_cursor: Where the next page begins; None after the last one.
    """

    items: tuple[ToldEvent, ...]
    next_cursor: str | None = None
    request_id: str | None = None


@runtime_checkable
class ListsEvents(Protocol):
    """A `PaymentProvider` that keeps what it told, for `ProviderSpec.events_kept`."""

    def list_events(self, query: EventsQuery, call: Call) -> EventsPage | Failure:
        """
        A page of events, delivered or not.

        Raises:
            InvalidRequest: The cursor is none of the provider's. Nothing was sent.
        """
        ...


@runtime_checkable
class AsyncListsEvents(Protocol):
    """`ListsEvents`, awaited."""

    async def list_events(self, query: EventsQuery, call: Call) -> EventsPage | Failure:
        """See `ListsEvents.list_events`."""
        ...


@runtime_checkable
class ReadsSubjects(Protocol):
    """A `PaymentProvider` that can read what a statement is about, where that is no payment."""

    def retrieve_subject(self, subject: Subject, call: Call) -> Statement | Failure:
        """
        What is true of the object now: as a statement that can be believed.

        Its facts name the payment that the object belongs to, or it is about a payout. One without
        either says that the object means nothing to payport.
        """
        ...


@runtime_checkable
class AsyncReadsSubjects(Protocol):
    """`ReadsSubjects`, awaited."""

    async def retrieve_subject(self, subject: Subject, call: Call) -> Statement | Failure:
        """See `ReadsSubjects.retrieve_subject`."""
        ...


class EventsAdapter(Adapter):
    """An `Adapter` that can be asked about its webhooks."""

    @abc.abstractmethod
    def list_events(self, query: EventsQuery) -> Exchange[EventsPage | Failure]:
        """See `ListsEvents.list_events`."""

    @abc.abstractmethod
    def retrieve_subject(self, subject: Subject) -> Exchange[Statement | Failure]:
        """See `ReadsSubjects.retrieve_subject`."""


A = TypeVar("A", bound=EventsAdapter)


class SyncEventsProvider(SyncProvider[A]):
    """A `SyncProvider` that is `ListsEvents` and `ReadsSubjects` as well."""

    def list_events(self, query: EventsQuery, call: Call) -> EventsPage | Failure:
        """See `ListsEvents.list_events`."""
        return self._run(self.adapter.list_events(query), call)

    def retrieve_subject(self, subject: Subject, call: Call) -> Statement | Failure:
        """See `ReadsSubjects.retrieve_subject`."""
        return self._run(self.adapter.retrieve_subject(subject), call)


class AsyncEventsProvider(AsyncProvider[A]):
    """An `AsyncProvider` that is `AsyncListsEvents` and `AsyncReadsSubjects` as well."""

    async def list_events(self, query: EventsQuery, call: Call) -> EventsPage | Failure:
        """See `ListsEvents.list_events`."""
        return await self._run(self.adapter.list_events(query), call)

    async def retrieve_subject(self, subject: Subject, call: Call) -> Statement | Failure:
        """See `ReadsSubjects.retrieve_subject`."""
        return await self._run(self.adapter.retrieve_subject(subject), call)
