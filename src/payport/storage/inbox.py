"""What the inbox asks of a store: rows of received deliveries, and of what handlers do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from payport.domain.identifiers import Environment
    from payport.storage.base import Cursor

__all__ = [
    "Arrival",
    "HandlerRun",
    "InboxCounts",
    "InboxQuery",
    "InboxRow",
    "InboxState",
    "InboxTransaction",
    "Known",
    "adding",
]


class InboxState(StrEnum):
    """Where a received delivery, or a handler's run, stands."""

    #: Waits for its turn, or is at work.
    DUE = "due"
    #: Done; kept so that another delivery of it is known.
    DONE = "done"
    #: About something payport did not make; listed, and adoptable.
    FOREIGN = "foreign"
    #: For another account or environment than it came to, or in contradiction to what came before;
    #: never handled.
    QUARANTINED = "quarantined"
    #: Failed too often; waits for a person.
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """
    One received statement of a webhook.

    Attributes:
        id: Derived from provider, environment and dedupe key.
        fingerprint: Of what it says, to tell a repetition from a contradiction.
        body: What brought it, without client secrets; None once it was deleted for its age.
        position: Which of the body's statements it is, from 0.
        digest: Of the body as it came.
        tries: How often it failed.
        claimed_until: Until when a worker has it to itself.
        fencing: Grows with each claim: a worker whose number is not this one any more was too slow,
            and writes nothing.
        error: Why it failed last, is foreign, quarantined or dead.
        trace: Where it failed last: places in the code, and nothing of what they worked on.
        conflict: Set when the same dedupe key arrived with another fingerprint.
        received_for: The account of the client that received it, whose workers alone process it;
            None where that was not known: then any client's do.
    """

    id: str
    provider: str
    environment: Environment
    account: str | None
    dedupe_key: str
    ordering_key: str
    type: str
    fingerprint: str
    attempt_ref: str | None
    tag: str | None
    api_version: str | None
    body: bytes | None = field(repr=False)
    position: int = 0
    digest: str
    occurred_at: datetime
    received_at: datetime
    state: InboxState = InboxState.DUE
    tries: int = 0
    due_at: datetime
    claimed_until: datetime | None = None
    fencing: int = 0
    error: str | None = None
    trace: str | None = None
    conflict: bool = False
    received_for: str | None = None


class Arrival(NamedTuple):
    """
    A delivery as it is received: what of its row is not the same in every new one.

    A named tuple, because one is made while a provider waits: it takes a third of the time.
    Attributes are those of `InboxRow`.
    """

    id: str
    provider: str
    environment: Environment
    account: str | None
    dedupe_key: str
    ordering_key: str
    type: str
    fingerprint: str
    attempt_ref: str | None
    tag: str | None
    api_version: str | None
    body: bytes
    position: int
    digest: str
    occurred_at: datetime
    received_at: datetime
    state: InboxState
    error: str | None
    received_for: str | None

    def row(self) -> InboxRow:
        """The whole row, due at once."""
        return InboxRow(**self._asdict(), due_at=self.received_at)


class Known(NamedTuple):
    """What is there already of a delivery that arrives; attributes are those of `InboxRow`."""

    id: str
    fingerprint: str
    state: InboxState


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerRun:
    """
    What is to be done once: a handler's delivery of a domain event or of a message, or an operation
    that was put off. A row and a transaction of its own.

    Attributes:
        event_id: The event's id, or the message's.
        handler: The handler's name; of a message, its topic.
        message: What a message says, as JSON; None for an event.
        claimed_until: As `InboxRow`'s; `fencing`, `error` and `trace` too.
        account: The account that the event is of, whose workers alone deliver it; None: any do.
    """

    event_id: str
    handler: str
    provider: str
    environment: Environment
    scope: str
    message: str | None = field(default=None, repr=False)
    state: InboxState = InboxState.DUE
    tries: int = 0
    due_at: datetime
    claimed_until: datetime | None = None
    fencing: int = 0
    error: str | None = None
    trace: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxQuery:
    """
    Which deliveries, or runs of handlers, the newest first.

    Attributes:
        state: Only those in this state.
        after: Begin just after the one with this moment and id: `received_at` and `id` of a
            delivery; `due_at` and "event_id handler" of a run.
    """

    provider: str
    environment: Environment
    state: InboxState | None = None
    after: Cursor | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCounts:
    """
    How many deliveries, and runs of handlers, are in each state; states without any are left out.

    Attributes:
        oldest_due: When the delivery that has waited longest was received.
    """

    deliveries: Mapping[InboxState, int]
    runs: Mapping[InboxState, int]
    oldest_due: datetime | None


class InboxTransaction(Protocol):
    """The inbox's statements; see `Transaction`."""

    def add_delivery(self, row: InboxRow) -> InboxRow | None:
        """Insert a delivery; None, or the row that is there already."""
        ...

    def delivery(self, row_id: str, *, lock: bool = False) -> InboxRow | None:
        """The received delivery."""
        ...

    def due_deliveries(
        self,
        *,
        provider: str,
        environment: Environment,
        now: datetime,
        limit: int,
        account: str | None = None,
    ) -> Sequence[InboxRow]:
        """
        The provider's deliveries whose time has come, the longest due first by (due_at,
        received_at, id): of each ordering key only the first by (received_at, id), and none while
        that one waits to be tried again, or while any of them is claimed.

        They are held until the end, and those that other transactions hold are left out: whoever
        claims does it in the same transaction.

        Args:
            account: Only those that were received for it, or for nobody who is known. Of all if
                left out.
        """
        ...

    def claim_deliveries(self, ids: Collection[str], *, until: datetime) -> None:
        """
        Take deliveries for a worker: nobody is handed them, or others of their ordering keys,
        before `until`. `due_at` and `claimed_until` become that, `fencing` grows by one.
        """
        ...

    def is_at_work(self, row: InboxRow, now: datetime) -> bool:
        """Whether the delivery, or another one of its ordering key, is claimed now."""
        ...

    def save_delivery(self, row: InboxRow) -> None:
        """Replace what changes of a row: state, tries, times, fencing, error, trace, conflict."""
        ...

    def swap_delivery(self, old: InboxRow, new: InboxRow) -> None:
        """
        `save_delivery`, if the row still stands as `old`: due, with its fencing and conflict. For
        whoever claimed it in an earlier transaction.

        Raises:
            StoreConflict: Somebody else claimed or concluded it since, or it is contradicted. At
                the latest before the commit; nothing of the transaction is kept.
        """
        ...

    def hold_line(self, row: InboxRow, until: datetime) -> None:
        """
        Let those that wait behind a delivery not be looked at before `until`: they would be in the
        way of everybody who looks for what is due.
        """
        ...

    def reconsider(
        self, *, provider: str, environment: Environment, ref: str, now: datetime
    ) -> None:
        """Make foreign deliveries about a provider's object due."""
        ...

    def deliveries(self, query: InboxQuery) -> Sequence[InboxRow]:
        """Deliveries, newest first by (received_at, id)."""
        ...

    def inbox_counts(self, provider: str, environment: Environment) -> InboxCounts:
        """What the inbox holds of a provider."""
        ...

    def inbox_due(self, environment: Environment, *, before: datetime) -> Mapping[str, int]:
        """How many deliveries and runs were due before, by provider: all that there is of any."""
        ...

    def prune_bodies(
        self, *, provider: str, environment: Environment, before: datetime, limit: int
    ) -> int:
        """
        Delete the bodies of at most `limit` deliveries that are done and were received before, and
        say how many these were. All else of them stays.
        """
        ...

    def add_handler_runs(self, runs: Sequence[HandlerRun]) -> None:
        """Insert runs; those that are there already stay."""
        ...

    def due_handler_runs(
        self,
        *,
        provider: str,
        environment: Environment,
        now: datetime,
        limit: int,
        account: str | None = None,
    ) -> Sequence[HandlerRun]:
        """Due runs, the longest due first; held, left out and narrowed as `due_deliveries`."""
        ...

    def claim_handler_runs(self, runs: Collection[HandlerRun], *, until: datetime) -> None:
        """Take runs for a worker, as `claim_deliveries`."""
        ...

    def handler_run(self, event_id: str, handler: str) -> HandlerRun | None:
        """The run, locked."""
        ...

    def save_handler_run(self, run: HandlerRun) -> None:
        """Replace what changes of a run: state, tries, times, fencing, error and trace."""
        ...

    def swap_handler_run(self, old: HandlerRun, new: HandlerRun) -> bool:
        """
        `save_handler_run`, if the run still stands as `old`: due, with its fencing. Holds it until
        the end. False where it does not, and nothing was written.
        """
        ...

    def handler_runs(self, query: InboxQuery) -> Sequence[HandlerRun]:
        """Runs, the latest due first by (due_at, event_id, handler)."""
        ...

    def runs_of(self, event_id: str) -> Sequence[HandlerRun]:
        """The runs of one event or message, by handler."""
        ...


def adding(arrivals: Sequence[Arrival]) -> Callable[[InboxTransaction], list[Known | None]]:
    """The unit of work that inserts what arrives; see `SharedStore.add_arrivals`."""

    def work(tx: InboxTransaction) -> list[Known | None]:
        there = [tx.add_delivery(arrival.row()) for arrival in arrivals]
        return [one if one is None else Known(one.id, one.fingerprint, one.state) for one in there]

    return work
