"""`pay.webhooks`: receive what the provider sends, and process what was received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.validation import check_delivery_id
from payport.operations.steps import Steps, transact
from payport.webhooks.delivering import deliver
from payport.webhooks.inbox import Receipt, is_ours, process, receive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payport.client.runners import AsyncRunner, Runner
    from payport.operations.session import Session
    from payport.storage.base import InboxState

__all__ = ["AsyncWebhooks", "Webhooks"]

_BATCH = 100


class Webhooks:
    """Webhooks, blocking."""

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._drive = runner

    def receive(
        self, *, body: bytes, headers: Mapping[str, str], url: str | None = None
    ) -> Receipt:
        """
        Verify a request and store it durably. Answer 200 once this returns.

        Args:
            body: The raw bytes, before any parsing: the signature covers them.
            headers: All of them.
            url: The address it came to, for providers that sign it.

        Raises:
            WebhookRejected: Too large, wrongly signed, too old or malformed: answer 400.
            StoreUnavailable: It could not be stored: answer 503, so that it is sent again.
        """
        return self._drive(receive(self._session, body=body, headers=headers, url=url))

    def process_one(self, delivery: str) -> InboxState:
        """
        Process one received delivery by its id, unless that was done; return where it stands.

        Raises:
            NotFound: There is no such delivery.
        """
        return self._drive(_process_one(self._session, delivery))

    def process_due(self) -> int:
        """
        Process what is due, and deliver what that changed to handlers, until nothing is due.

        Returns:
            How many deliveries and handler runs were tried. A failed one is due again later.
        """
        return self._drive(_process_due(self._session))


class AsyncWebhooks:
    """Webhooks, awaited. Each method is that of `Webhooks`."""

    def __init__(self, session: Session, runner: AsyncRunner) -> None:
        self._session = session
        self._drive = runner

    async def receive(
        self, *, body: bytes, headers: Mapping[str, str], url: str | None = None
    ) -> Receipt:
        """See `Webhooks.receive`."""
        return await self._drive(receive(self._session, body=body, headers=headers, url=url))

    async def process_one(self, delivery: str) -> InboxState:
        """See `Webhooks.process_one`."""
        return await self._drive(_process_one(self._session, delivery))

    async def process_due(self) -> int:
        """See `Webhooks.process_due`."""
        return await self._drive(_process_due(self._session))


def _process_one(session: Session, delivery: str) -> Steps[InboxState]:
    operation = "webhooks.process_one"
    return process(session, check_delivery_id(delivery, operation=operation, field="delivery"))


def _process_due(session: Session) -> Steps[int]:
    tried = 0
    while True:
        done = yield from _process_batch(session)
        if not done:
            return tried
        tried += done


def _process_batch(session: Session) -> Steps[int]:
    now = session.settings.clock.now()
    due = yield from transact(lambda tx: tx.due_deliveries(now, _BATCH))
    rows = [row for row in due if is_ours(session, row)]
    for row in rows:
        yield from process(session, row.id)
    runs = yield from transact(lambda tx: tx.due_handler_runs(now, _BATCH))
    for run in runs:
        yield from deliver(session, run)
    return len(rows) + len(runs)
