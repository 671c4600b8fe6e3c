"""`pay.webhooks`: receive what the provider sends, work it off, and look after what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.listing import AsyncListing, Listing
from payport.client.validation import check_delivery_id
from payport.client.webhook_steps import (
    DEFAULT_POLL,
    MOST_EVENTS,
    as_operations,
    backfilled,
    checked_age,
    checked_poll,
    delivery_listing,
    never,
    replayed,
    run_listing,
)
from payport.client.workers import work_until, work_until_awaited
from payport.webhooks import keeping
from payport.webhooks.backfilling import BACKFILL
from payport.webhooks.inbox import Receipt, receive
from payport.webhooks.working import work_due, work_one

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from payport.client.runners import AsyncRunner, Runner
    from payport.client.webhook_steps import AsyncStop, Stop
    from payport.operations.session import Session
    from payport.storage.base import HandlerRun, InboxRow, InboxState
    from payport.webhooks.backfilling import Backfill
    from payport.webhooks.keeping import InboxStats

__all__ = ["AsyncWebhooks", "Webhooks"]


class Webhooks:
    """Webhooks, blocking."""

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._drive = runner
        self._operations = as_operations()

    def receive(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        url: str | None = None,
        provider: str | None = None,
    ) -> Receipt:
        """
        Verify a request and store it durably. Answer 200 once this returns.

        Nothing of what it says is read or applied here: that is `process_due` or a worker.

        Args:
            body: The raw bytes, before any parsing: the signature covers them.
            headers: All of them.
            url: The address it came to, for providers that sign it.
            provider: The name of the provider whose endpoint it came to. May be left out where the
                client has one.

        Raises:
            WebhookRejected: Too large, wrongly signed, too old or malformed: answer its `status`.
            StoreUnavailable: It could not be stored: answer 503, so that it is sent again.
            InvalidRequest: This client has no such provider, or has several and none is named.
        """
        line = self._session.line(provider, "webhooks.receive")
        return self._drive(receive(line, body=body, headers=headers, url=url))

    def backfill(
        self,
        *,
        since: datetime | timedelta,
        cursor: str | None = None,
        limit: int = MOST_EVENTS,
        provider: str | None = None,
    ) -> Backfill:
        """
        Read what the provider told since then from its own list into the inbox, the newest first:
        what no webhook brought, because the endpoint was down, or missing, or not told of it.

        What came before is known and stays as it is. Nothing is applied here: that is `process_due`
        or a worker.

        Args:
            since: An aware moment, or how long ago.
            cursor: Where an earlier call ended, or failed, to go on there.
            limit: So many events at most; each 100 of them are a request and a commit.
            provider: Whose list; has to be named where this client has several.

        Raises:
            InvalidRequest: That is longer ago than the provider keeps it, or it is no moment.
            ProviderFault: The provider did not tell. What was read before is stored; the error's
                note says where to go on.
            UnsupportedOperation: The provider keeps no list of what it told.
        """
        line = self._session.line(provider, BACKFILL)
        return self._drive(backfilled(line, since, cursor, limit))

    def process_one(self, delivery: str) -> InboxState:
        """
        Process one received delivery by its id, unless that was done, and have the events that it
        brings handled; return where it stands.

        For a queue of your own, such as Celery: `DUE` means that it is to be tried again later.
        What failed is in the inbox, and `process_due` tries it as well.

        Raises:
            NotFound: There is no such delivery.
        """
        operation = "webhooks.process_one"
        checked = check_delivery_id(delivery, operation=operation, field="delivery")
        return self._drive(work_one(self._session, self._operations, checked))

    def process_due(self) -> int:
        """
        Process what is due, and deliver what that changed to handlers, until nothing is due.

        Returns:
            How many deliveries and handler runs were tried. A failed one is due again later.
        """
        return self._drive(work_due(self._session, self._operations, never))

    def run_worker(self, *, stop: Stop | None = None, poll: float = DEFAULT_POLL) -> None:
        """
        Process what is due, and go on, until `stop` is set: it then finishes what it has in hand.

        Any number of workers may run, in threads, processes and on several machines. A store that
        fails is asked again after a while.

        Args:
            stop: Such as a `threading.Event`; None to work for ever.
            poll: Seconds between two looks when there is nothing to do.
        """
        seconds = checked_poll(poll)
        work_until(self._session, self._drive, self._operations, stop, seconds)

    def list(self, *, state: InboxState | str | None = None) -> Listing[InboxRow]:
        """Received deliveries, newest first, as a lazy iterable with `.page(cursor=, limit=)`."""
        return Listing(delivery_listing(self._session, state), self._drive)

    def runs(self, *, state: InboxState | str | None = None) -> Listing[HandlerRun]:
        """The deliveries of events and messages to handlers, the latest due first."""
        return Listing(run_listing(self._session, state), self._drive)

    def get(self, delivery: str) -> InboxRow:
        """
        One received delivery.

        Raises:
            NotFound: There is none of this provider and environment.
        """
        checked = check_delivery_id(delivery, operation="webhooks.get", field="delivery")
        return self._drive(keeping.delivery(self._session, checked))

    def replay(self, name: str, *, handler: str | None = None) -> int:
        """
        Make something due again, from its first try on: a delivery, dead or done or foreign, by its
        id; or the dead runs of an event or message, by its id.

        Applying a delivery again changes nothing; running a handler again that is done does what
        the handler does, so it has to be named.

        Args:
            handler: Only this handler's run of the event; also if it is done.

        Returns:
            How many are due again.

        Raises:
            NotFound: There is no such thing of this provider and environment.
            InvalidTransition: The delivery is quarantined.
        """
        return self._drive(replayed(self._session, name, handler))

    def stats(self) -> InboxStats:
        """Count what there is to do and what waits for a person."""
        return self._drive(keeping.stats(self._session))

    def prune(self, *, older_than: timedelta) -> int:
        """
        Delete the bodies of deliveries that are done and were received longer ago than that. Their
        ids stay, so that a late repetition is still known. Returns how many these were.
        """
        return self._drive(keeping.prune(self._session, checked_age(older_than)))


class AsyncWebhooks:
    """Webhooks, awaited. Each method is that of `Webhooks`."""

    def __init__(self, session: Session, runner: AsyncRunner) -> None:
        self._session = session
        self._drive = runner
        self._operations = as_operations()

    async def receive(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        url: str | None = None,
        provider: str | None = None,
    ) -> Receipt:
        """See `Webhooks.receive`."""
        line = self._session.line(provider, "webhooks.receive")
        return await self._drive(receive(line, body=body, headers=headers, url=url))

    async def backfill(
        self,
        *,
        since: datetime | timedelta,
        cursor: str | None = None,
        limit: int = MOST_EVENTS,
        provider: str | None = None,
    ) -> Backfill:
        """See `Webhooks.backfill`."""
        return await self._drive(
            backfilled(self._session.line(provider, BACKFILL), since, cursor, limit)
        )

    async def process_one(self, delivery: str) -> InboxState:
        """See `Webhooks.process_one`."""
        operation = "webhooks.process_one"
        checked = check_delivery_id(delivery, operation=operation, field="delivery")
        return await self._drive(work_one(self._session, self._operations, checked))

    async def process_due(self) -> int:
        """See `Webhooks.process_due`."""
        return await self._drive(work_due(self._session, self._operations, never))

    async def run_worker(
        self, *, stop: AsyncStop | None = None, poll: float = DEFAULT_POLL
    ) -> None:
        """See `Webhooks.run_worker`; `stop` is such as an `asyncio.Event`."""
        seconds = checked_poll(poll)
        await work_until_awaited(self._session, self._drive, self._operations, stop, seconds)

    def list(self, *, state: InboxState | str | None = None) -> AsyncListing[InboxRow]:
        """See `Webhooks.list`."""
        return AsyncListing(delivery_listing(self._session, state), self._drive)

    def runs(self, *, state: InboxState | str | None = None) -> AsyncListing[HandlerRun]:
        """See `Webhooks.runs`."""
        return AsyncListing(run_listing(self._session, state), self._drive)

    async def get(self, delivery: str) -> InboxRow:
        """See `Webhooks.get`."""
        checked = check_delivery_id(delivery, operation="webhooks.get", field="delivery")
        return await self._drive(keeping.delivery(self._session, checked))

    async def replay(self, name: str, *, handler: str | None = None) -> int:
        """See `Webhooks.replay`."""
        return await self._drive(replayed(self._session, name, handler))

    async def stats(self) -> InboxStats:
        """See `Webhooks.stats`."""
        return await self._drive(keeping.stats(self._session))

    async def prune(self, *, older_than: timedelta) -> int:
        """See `Webhooks.prune`."""
        return await self._drive(keeping.prune(self._session, checked_age(older_than)))
