"""
What the rest of payport asks of a store: work done in one transaction, in either colour.

A unit of work is a plain function of a `Transaction`. A sync store calls it; an async store runs it
on its connection (SQLAlchemy's `run_sync`): so each statement, and all that lies between two of
them, is written once. A unit of work reads and writes the store and does nothing else: it may run
again when the database says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from payport.domain.identifiers import Environment
from payport.storage.inbox import (
    Arrival,
    HandlerRun,
    InboxCounts,
    InboxQuery,
    InboxRow,
    InboxState,
    InboxTransaction,
    Known,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund
    from payport.operations.records import OperationRecord, OperationState, ResolutionRecord

__all__ = [
    "FIXED",
    "ROUTED",
    "Arrival",
    "AsyncSharedStore",
    "AsyncStore",
    "Cursor",
    "HandlerRun",
    "InboxCounts",
    "InboxQuery",
    "InboxRow",
    "InboxState",
    "InboxTransaction",
    "JournalTransaction",
    "Known",
    "Query",
    "RestorationKind",
    "RestorationRecord",
    "SharedStore",
    "Store",
    "Transaction",
]

T = TypeVar("T")

#: What `save_operation` leaves as it was inserted: identity, fingerprint, key and route. The last
#: five are changed by `reroute_operation` alone.
FIXED: Final = (
    "scope",
    "environment",
    "operation",
    "aggregate_id",
    "payment_id",
    "reference",
    "attempt",
    "fingerprint",
    "key",
    "provider",
    "account",
    "endpoint",
    "route",
)
#: What `reroute_operation` changes of those.
ROUTED: Final = FIXED[-5:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a listing: just after this row."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """
    What to list, newest first.

    Attributes:
        status: A status or operation state, as text.
        statuses: Any of these; none at all lists nothing.
        created_from: This moment or later.
        created_before: Earlier than this moment.
        payment_id: Only of this payment.
        after: Begin just after this row.
    """

    scope: str
    environment: Environment
    status: str | None = None
    statuses: Collection[str] | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    payment_id: str | None = None
    after: Cursor | None = None
    limit: int = 100


class RestorationKind(StrEnum):
    """What a person says about a database and its backups."""

    #: It was restored from a backup, so it may have forgotten what was sent.
    RESTORED = "restored"
    #: What it has forgotten was looked into: it may send again.
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationRecord:
    """
    A person's word on a database and its backups. Kept for ever.

    Attributes:
        author: Who gave it.
        reason: Why, in their words.
    """

    at: datetime
    kind: RestorationKind
    author: str
    reason: str


class JournalTransaction(Protocol):
    """The journal's statements; see `Transaction`."""

    # -- payments ---------------------------------------------------------------------------------

    def payment(self, payment_id: str, *, lock: bool = False) -> PaymentIntent | None:
        """The payment, without provider payloads and tokens."""
        ...

    def hold_payments(self, keys: Collection[str]) -> None:
        """
        Hold the payments of the operations with these idempotency keys until the end, before
        anything else is read. What is read of them afterwards need not be read anew from the store.
        """
        ...

    def payment_by_ref(self, provider: str, account: str, ref: str) -> PaymentIntent | None:
        """The payment that holds an attempt with this provider's id."""
        ...

    def save_payment(
        self, intent: PaymentIntent, *, before: PaymentIntent | None = None
    ) -> PaymentIntent:
        """
        Insert the payment (version 0) or replace the stored one, and return it with its version
        grown by one. Its attempts and refunds are found by their ids afterwards.

        Args:
            before: The payment as it was stored in the version that is replaced, where the caller
                has it from an earlier transaction: it need not be read again.

        Raises:
            StoreConflict: The stored version is not `intent.version`: the row was not locked.
        """
        ...

    def payments(self, query: Query) -> Sequence[PaymentIntent]:
        """Payments, newest first by (created_at, id)."""
        ...

    # -- refunds ----------------------------------------------------------------------------------

    def payment_of_refund(self, refund_id: str) -> str | None:
        """The id of the payment that the refund belongs to."""
        ...

    def refunds(self, query: Query) -> Sequence[Refund]:
        """Refunds, newest first by (created_at, id)."""
        ...

    # -- operations -------------------------------------------------------------------------------

    def operation(self, operation_id: str, *, lock: bool = False) -> OperationRecord | None:
        """The journal's row."""
        ...

    def operation_by_key(self, key: str) -> OperationRecord | None:
        """The journal's row with this idempotency key."""
        ...

    def insert_operation(self, record: OperationRecord) -> None:
        """
        Insert a new row.

        Raises:
            StoreConflict: The identity is there already.
        """
        ...

    def save_operation(self, record: OperationRecord) -> None:
        """
        Replace a row's changing columns; those in `FIXED` stay as they were inserted.

        Raises:
            StoreConflict: There is no such row.
        """
        ...

    def swap_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """
        `save_operation`, if the row still stands as `old`: in the same state, under the same lease
        (owner and fencing), of which there has to be one. For whoever read the row in an earlier
        transaction.

        Raises:
            StoreConflict: Somebody else changed it since, or it is gone. Nothing was written.
        """
        ...

    def reroute_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """
        Move a row to another provider: replace its key, provider, account, endpoint and route too,
        if it still stands as `old` (state, fencing), no send is counted and none is in doubt.

        Raises:
            StoreConflict: It was sent, somebody changed it since, or it is gone. Nothing was
                written.
        """
        ...

    def operations(self, query: Query) -> Sequence[OperationRecord]:
        """Rows, newest first by (prepared_at, id)."""
        ...

    def list_operations(
        self,
        *,
        scope: str,
        environment: Environment,
        states: Collection[OperationState] | None = None,
        payment_id: str | None = None,
        after: Cursor | None = None,
        limit: int = 100,
    ) -> Sequence[OperationRecord]:
        """`operations` in any of several states. None is all; of no state there are no rows."""
        ...

    def due_operations(
        self,
        *,
        environment: Environment,
        provider: str,
        now: datetime,
        limit: int,
        scope: str | None = None,
        account: str | None = None,
        lock: bool = False,
    ) -> Sequence[OperationRecord]:
        """
        Rows whose `next_look_at` has come, the longest due first by (next_look_at, id): at most
        `limit`, found without a look at the others. Of every scope and account, or of the one that
        is named. Rows without a `next_look_at` are never due.

        Whoever takes rows moves their `next_look_at` away in the same transaction, so that nobody
        finds them again at once.

        Args:
            lock: Hold the rows, and leave out those that other transactions hold. Where one
                transaction runs at a time there are none.
        """
        ...

    def untended_operations(
        self,
        *,
        environment: Environment,
        before: datetime,
        beyond: datetime,
        limit: int,
        scope: str | None = None,
    ) -> Sequence[OperationRecord]:
        """
        Rows of any provider and account that nobody looks after, the longest due first by
        (next_look_at, id): their `next_look_at` lies before `before`, long past, or after
        `beyond`, where only a clock that was wrong can have put it.
        """
        ...

    # -- resolutions ------------------------------------------------------------------------------

    def add_resolution(self, resolution: ResolutionRecord) -> None:
        """
        Keep a person's word on an operation, beside those that were kept before.

        Raises:
            StoreConflict: There is no such operation.
        """
        ...

    def resolutions(self, operation_id: str) -> Sequence[ResolutionRecord]:
        """What persons said about the operation, in the order in which they said it."""
        ...

    # -- restorations -----------------------------------------------------------------------------

    def check_sendable(self, environment: Environment, *, count: bool = False) -> None:
        """
        Refuse live sends from a store that may have forgotten what was sent, or may be damaged by
        sending: that was restored from a backup, or is a copy, and nobody said yet that it may go
        on. Everything else goes on.

        The journal asks in the transaction that writes an operation down, and in each that takes
        its lease, in which it counts the send.

        Raises:
            ConfigurationError: It is live, and the store may not send.
        """
        ...

    def add_restoration(self, restoration: RestorationRecord) -> None:
        """
        Keep a person's word. Once one says that the database was restored, no live send leaves it
        until the next one says that it may; that one also makes this place the database's home.
        """
        ...

    def restorations(self) -> Sequence[RestorationRecord]:
        """Persons' words, in the order in which they were given."""
        ...

    # -- events -----------------------------------------------------------------------------------

    def add_events(self, events: Sequence[DomainEvent], *, at: datetime) -> Sequence[DomainEvent]:
        """Insert events and return those that were not there before."""
        ...

    def event(self, event_id: str) -> DomainEvent | None:
        """The event."""
        ...

    def several_events(self, event_ids: Collection[str]) -> Mapping[str, DomainEvent]:
        """Those of the events that are there, by their ids."""
        ...

    def events(self, aggregate_id: str) -> Sequence[DomainEvent]:
        """The events of a payment or a payout, in the order in which they were learned."""
        ...


class Transaction(JournalTransaction, InboxTransaction, Protocol):
    """
    The statements. All of them run in the transaction's order; none commits.

    `lock=True` holds the row against other transactions until the end, so that what was read is
    still true when it is written.
    """


class Store(Protocol):
    """A store, blocking. Opens what it needs at first use, in each process anew."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """
        Run `work` in one transaction, commit durably, and return its result; roll back if it
        raises.

        Raises:
            StoreUnavailable: The database cannot be reached, is full, read-only or locked.
        """
        ...

    def close(self) -> None:
        """Free what this store opened itself."""
        ...


class SharedStore(Protocol):
    """
    Lets units of work share a transaction: of a store whose transactions take turns anyway, so that
    those who wait may share one; or beside any other store, see `grouping.Grouped`.
    """

    def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """
        As `transact`, in a transaction that other units of work may share, in another thread: for
        work that neither minds where it runs nor calls anything of the application's. It is told
        after the commit, and fails alone.
        """
        ...

    def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """
        Insert received deliveries, all of them or none, in a transaction that others may share.

        Returns:
            For each None, or what was there of it before, and stays as it is.
        """
        ...


class AsyncStore(Protocol):
    """A store, awaited."""

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`; `work` itself is a plain function."""
        ...

    async def aclose(self) -> None:
        """Free what this store opened itself."""
        ...


class AsyncSharedStore(Protocol):
    """See `SharedStore`."""

    async def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """See `SharedStore.transact_shared`."""
        ...

    async def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """See `SharedStore.add_arrivals`."""
        ...
