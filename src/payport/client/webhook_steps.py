"""The colourless parts of `pay.webhooks`: checks, listings, and what can be put off."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from payport.client.listing import ListingSteps
from payport.client.payments import Payments
from payport.client.refunds import Refunds
from payport.client.validation import check_moment, checked_status
from payport.domain.errors import InvalidRequest
from payport.operations.plan import CLOCK_TOLERANCE
from payport.providers.events import EventsQuery
from payport.storage.base import Cursor, HandlerRun, InboxQuery, InboxRow, InboxState
from payport.webhooks import keeping
from payport.webhooks.backfilling import BACKFILL, Backfill, backfill
from payport.webhooks.outbox import OPERATIONS

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.operations.steps import Steps
    from payport.storage.base import Transaction
    from payport.webhooks.delivering import Operations

__all__ = [
    "DEFAULT_POLL",
    "MOST_EVENTS",
    "AsyncStop",
    "Stop",
    "as_operations",
    "backfilled",
    "checked_age",
    "checked_poll",
    "delivery_listing",
    "never",
    "replayed",
    "run_listing",
]

T = TypeVar("T")

#: Seconds between two looks of a worker that has nothing to do.
DEFAULT_POLL: Final = 1.0
#: Events that a backfill reads at most unless it is told otherwise.
MOST_EVENTS: Final = 10_000
_LONGEST_POLL: Final = 3600.0
_CURSOR: Final = re.compile(r"[\x21-\x7e]{1,255}")
_WORD: Final = re.compile("(evt|msg|inb)_[a-z2-7]{26}")


class Stop(Protocol):
    """What tells a worker to stop, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether it is to stop."""
        ...

    def wait(self, timeout: float) -> object:
        """Wait until it is to stop, or for so many seconds."""
        ...


class AsyncStop(Protocol):
    """What tells a worker that is awaited to stop, such as an `asyncio.Event`."""

    def is_set(self) -> bool:
        """Whether it is to stop."""
        ...


def never() -> bool:
    """It is never enough."""
    return False


def checked_poll(poll: object) -> float:
    """The seconds, or InvalidRequest."""
    seconds = poll if isinstance(poll, int | float) and not isinstance(poll, bool) else 0
    if not 0 < seconds <= _LONGEST_POLL:
        message = f"must be more than 0 and at most {_LONGEST_POLL:g} seconds"
        raise InvalidRequest(message, operation="webhooks.run_worker", field="poll")
    return float(seconds)


def checked_age(older_than: object) -> timedelta:
    """The age, or InvalidRequest."""
    if not isinstance(older_than, timedelta) or older_than < timedelta():
        message = "must be a timedelta, and not negative"
        raise InvalidRequest(message, operation="webhooks.prune", field="older_than")
    return older_than


def backfilled(session: Session, since: object, cursor: object, limit: object) -> Steps[Backfill]:
    """See `Webhooks.backfill`."""
    now = session.settings.clock.now()
    begins = now - since if isinstance(since, timedelta) else _moment(since)
    if begins > now:
        message = "must be a moment that is past, or how long ago it is"
        raise InvalidRequest(message, operation=BACKFILL, field="since")
    kept = session.spec.events_kept
    if kept is not None and begins < now - kept - CLOCK_TOLERANCE:
        raise InvalidRequest(
            f"{session.spec.name} keeps what it told for {kept.days} days. Ask for those; for what "
            "was before, read the payments: payments.list_from_provider and payments.refresh",
            operation=BACKFILL,
            field="since",
        )
    if cursor is not None and not (isinstance(cursor, str) and _CURSOR.fullmatch(cursor)):
        message = "is not a cursor: pass the next_cursor of a backfill before"
        raise InvalidRequest(message, operation=BACKFILL, field="cursor")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        message = "must be a whole number, and at least 1"
        raise InvalidRequest(message, operation=BACKFILL, field="limit")
    return backfill(session, EventsQuery(created_from=begins, after=cursor, limit=limit))


def _moment(since: object) -> datetime:
    moment = check_moment(since, operation=BACKFILL, field="since")
    if moment is None:
        message = "must be an aware datetime, or a timedelta"
        raise InvalidRequest(message, operation=BACKFILL, field="since")
    return moment


def replayed(session: Session, name: object, handler: str | None) -> Steps[int]:
    """See `Webhooks.replay`."""
    if not isinstance(name, str) or not _WORD.fullmatch(name):
        message = "must be the id of a delivery, an event or a message: 'inb_...'"
        raise InvalidRequest(message, operation="webhooks.replay", field="name")
    if name.startswith("inb_"):
        return _replayed(session, name)
    return keeping.replay_runs(session, name, handler)


def _replayed(session: Session, row_id: str) -> Steps[int]:
    yield from keeping.replay(session, row_id)
    return 1


# -- listings -------------------------------------------------------------------------------------


def delivery_listing(session: Session, state: InboxState | str | None) -> ListingSteps[InboxRow]:
    """See `Webhooks.list`."""
    query = _query(session, state, "webhooks.list")

    def read(tx: Transaction, asked: InboxQuery) -> Sequence[InboxRow]:
        return _newest(session, asked, tx.deliveries, _place)

    return ListingSteps(query, read, _place, "webhooks.list")


def run_listing(session: Session, state: InboxState | str | None) -> ListingSteps[HandlerRun]:
    """See `Webhooks.runs`."""
    query = _query(session, state, "webhooks.runs")

    def read(tx: Transaction, asked: InboxQuery) -> Sequence[HandlerRun]:
        return _newest(session, asked, tx.handler_runs, _place_of_run)

    return ListingSteps(query, read, _place_of_run, "webhooks.runs")


def _newest(
    session: Session,
    asked: InboxQuery,
    read: Callable[[InboxQuery], Sequence[T]],
    place: Callable[[T], Cursor],
) -> Sequence[T]:
    """A page over all providers: they have one order, so each one's page holds its part of it."""
    names = [line.spec.name for line in session.lines]
    if len(names) == 1:
        return read(replace(asked, provider=names[0]))
    rows = [row for name in names for row in read(replace(asked, provider=name))]
    rows.sort(key=lambda row: (place(row).created_at, place(row).id), reverse=True)
    return rows[: asked.limit]


def _query(session: Session, state: InboxState | str | None, operation: str) -> InboxQuery:
    known = checked_status(session.spec.limits, state, InboxState, operation)
    return InboxQuery(
        provider=session.spec.name,
        environment=session.environment,
        state=None if known is None else InboxState(known),
    )


def _place(row: InboxRow) -> Cursor:
    return Cursor(created_at=row.received_at, id=row.id)


def _place_of_run(run: HandlerRun) -> Cursor:
    return Cursor(created_at=run.due_at, id=f"{run.event_id} {run.handler}")


# -- operations that are put off ------------------------------------------------------------------


def as_operations() -> Operations:
    """What `tx.later` may name, as steps in a scope: the client's own methods, not carried out."""
    return {name: _operation(*name.split(".")) for name in OPERATIONS}


def _operation(resource: str, method: str) -> Callable[[Session, Mapping[str, Any]], Steps[Any]]:
    kind: Any = {"payments": Payments, "refunds": Refunds}[resource]

    def steps(session: Session, arguments: Mapping[str, Any]) -> Steps[Any]:
        made: Steps[Any] = getattr(kind(session, _not_carried_out), method)(**arguments)
        return made

    return steps


def _not_carried_out(steps: Steps[T]) -> Steps[T]:
    return steps
