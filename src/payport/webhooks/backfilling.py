"""
Backfilling: what the provider told and no webhook brought, read from its own list into the inbox.

An event has one row, whichever way it came first. A page is one request and one commit, so what was
read stays read, and nothing is held but a page. Nothing is applied here: a worker does that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from payport.operations.steps import Steps, transact_patiently
from payport.providers.events import EventsPage, EventsQuery
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability
from payport.webhooks.inbox import ReceiptStatus, put, rows_of

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["BACKFILL", "Backfill", "backfill"]

BACKFILL: Final = "webhooks.backfill"
#: Events of one request and one commit.
PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """
    What a backfill found.

    Attributes:
        new: Events that were not in the inbox: now they are due there.
        known: Events that had come before.
        conflicts: Events that are there under the same id and say otherwise: both are kept.
        next_cursor: Where to go on; None where everything was read.
    """

    new: int
    known: int
    conflicts: int
    next_cursor: str | None


def backfill(session: Session, query: EventsQuery) -> Steps[Backfill]:
    """
    Read events into the inbox, `query.limit` at most.

    Raises:
        ProviderFault: The provider did not tell, or not all. What was read before is stored; the
            error's note says where to go on.
        StoreUnavailable: A page could not be stored.
        UnsupportedOperation: The provider keeps no list of what it told.
    """
    for capability in (Capability.WEBHOOKS, Capability.LIST_EVENTS):
        session.spec.require(capability, operation=BACKFILL)
    yield from session.account(BACKFILL, "")
    counts: Counter[ReceiptStatus] = Counter()
    cursor = query.after
    while True:
        left = query.limit - counts.total()
        page = yield from _page(session, replace(query, after=cursor, limit=min(left, PAGE)))
        became = yield from _kept(session, page)
        counts.update(became)
        cursor = page.next_cursor
        if cursor is None or counts.total() >= query.limit:
            break
    return Backfill(
        new=counts[ReceiptStatus.ACCEPTED],
        known=counts[ReceiptStatus.DUPLICATE],
        conflicts=counts[ReceiptStatus.CONFLICT],
        next_cursor=cursor,
    )


def _page(session: Session, query: EventsQuery) -> Steps[EventsPage]:
    def question(provider: Any, call: object) -> EventsPage | Failure:
        # An optional protocol's, of a provider of either colour.
        return cast("EventsPage | Failure", provider.list_events(query, call))

    told = yield from session.asked(question)
    if not isinstance(told, Failure):
        return told
    error = session.fault(told, BACKFILL, "")
    if query.after is not None:
        error.add_note(f"What was read before is stored. Go on with cursor={query.after!r}.")
    raise error from told.cause


def _kept(session: Session, page: EventsPage) -> Steps[list[ReceiptStatus]]:
    now = session.settings.clock.now()
    rows = [row for told in page.items for row in rows_of(session, told, now)]

    def work(tx: Transaction) -> list[ReceiptStatus]:
        return [put(tx, session, row, now) for row in rows]

    # Whoever receives at this moment may insert the same rows, in another order.
    return (yield from transact_patiently(work))
