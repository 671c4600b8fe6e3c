"""
A unit of work on a SQL database: one transaction, with payport's statements.

All that lies between two statements is written here once, for both colours and all databases: an
async engine runs the same plain function by `run_sync`. Nothing here opens an engine or a file:
that is `engines` and `sqlite`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import StoreConflict, StoreError
from payport.domain.identifiers import Environment
from payport.storage import rows
from payport.storage.base import InboxCounts, InboxState, Query, RestorationKind
from payport.storage.faults import guarded, place_of
from payport.storage.running import Row, Running, ThroughToolkit
from payport.storage.sends import ANY_HOME, restored
from payport.storage.statements import parameters, statements_for
from payport.storage.units import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund
    from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
    from payport.storage.base import (
        Cursor,
        HandlerRun,
        InboxQuery,
        InboxRow,
        RestorationRecord,
        Transaction,
    )
    from payport.storage.sends import Sends

__all__ = ["SqlTransaction", "run_unit"]

T = TypeVar("T")


def run_unit(
    connection: Connection,
    work: Callable[[Transaction], T],
    sends: Sends = ANY_HOME,
    through: Callable[[Connection, str], Running] = ThroughToolkit,
) -> T:
    """
    Run a unit of work in a transaction of its own on an idle connection; see `Store.transact`.

    Args:
        sends: What the store knows about whether it may send.
        through: How statements are run.

    Raises:
        StoreError: Of the kind that `faults` gives the database's error.
    """
    place = place_of(connection.engine)
    running = through(connection, place)
    transaction = SqlTransaction(connection, place, running, sends)
    try:
        running.begin()
        result = work(transaction)
        transaction.check()
        running.commit()
    except BaseException:
        running.roll_back()
        raise
    finally:
        transaction.end()
    for step in transaction.afterwards:
        step()
    return result


class SqlTransaction:
    """
    A `Transaction` on a SQLAlchemy connection.

    Attributes:
        connection: For statements of the application's own that commit together with these.
        afterwards: What is done after the commit.
    """

    def __init__(self, connection: Connection, place: str, running: Running, sends: Sends) -> None:
        self.connection: Any = connection
        self._running: Any = running
        self.afterwards: list[Callable[[], None]] = []
        self._sends = sends
        self._place = place
        self._sql = statements_for(connection.dialect.name)
        self._conflict: StoreConflict | None = None
        #: Payments as the store holds them, to write only what changed of their refs and refunds.
        self._stored: dict[str, PaymentIntent] = {}
        #: Operations by their keys, which one delivery asks for three times; until one is changed.
        self._by_key: dict[str, OperationRecord | None] = {}

    def check(self) -> None:
        """Raise the conflict that the work swallowed: half a payment must not be kept."""
        if self._conflict is not None:
            raise self._conflict

    def end(self) -> None:
        """Make the transaction unusable: the connection is another unit's from now on."""
        self.connection = self._running = ENDED

    # -- running statements -----------------------------------------------------------------------

    def _all(self, statement: Executable, **values: Any) -> Sequence[Row]:
        found: Sequence[Row] = self._running.all(statement, values)
        return found

    def _first(self, statement: Executable, **values: Any) -> Row | None:
        return self._running.first(statement, values)

    def _count(self, statement: Executable, values: Mapping[str, Any]) -> int:
        written: int = self._running.count(statement, values)
        return written

    def _one(self, read: Callable[[Row], T], statement: Executable, **values: Any) -> T | None:
        row = self._first(statement, **values)
        return None if row is None else self._read(read, row)

    def _read(self, read: Callable[[Row], T], row: Row) -> T:
        try:
            return read(row)
        except (ValueError, TypeError):
            fault = StoreError(
                f"{self._place} holds a row that this payport cannot read. If a newer one wrote "
                "it, upgrade payport here too.",
                operation="store.transact",
            )
        # Outside the handler: pydantic's error repeats the values that it could not read.
        raise fault

    def _clash(self, message: str) -> StoreConflict:
        self._conflict = StoreConflict(message, operation="store.save_payment")
        return self._conflict

    # -- payments ---------------------------------------------------------------------------------

    def payment(self, payment_id: str, *, lock: bool = False) -> PaymentIntent | None:
        """See `Transaction.payment`."""
        statement = self._sql.payment_locked if lock else self._sql.payment
        return self._remembered(self._one(_payment, statement, this_id=payment_id))

    def payment_by_ref(self, provider: str, account: str, ref: str) -> PaymentIntent | None:
        """See `Transaction.payment_by_ref`."""
        found = self._one(
            _payment,
            self._sql.payment_by_ref,
            this_provider=provider,
            this_account=account,
            this_ref=ref,
        )
        return self._remembered(found)

    def _remembered(self, intent: PaymentIntent | None) -> PaymentIntent | None:
        if intent is not None:
            self._stored[intent.id] = intent
        return intent

    def save_payment(
        self, intent: PaymentIntent, *, before: PaymentIntent | None = None
    ) -> PaymentIntent:
        """See `Transaction.save_payment`."""
        stored = intent.evolve(version=intent.version + 1)
        before = before or self._before(intent)
        if intent.version == 0:
            written = self._count(self._sql.add_payment, rows.payment_row(stored))
        else:
            this = {"this_id": intent.id, "this_version": intent.version}
            written = self._count(
                self._sql.replace_payment, {**rows.payment_changes(stored), **this}
            )
        if not written:
            raise self._clash("the payment was changed since it was read")
        self._save_refs(stored, before)
        self._save_refunds(stored, before)
        self._stored[stored.id] = stored
        return stored

    def _before(self, intent: PaymentIntent) -> PaymentIntent | None:
        if intent.version == 0:
            return None
        return self._stored.get(intent.id) or self.payment(intent.id)

    def _save_refs(self, intent: PaymentIntent, before: PaymentIntent | None) -> None:
        known = {attempt.ref for attempt in before.attempts} if before is not None else set[str]()
        for attempt in intent.attempts:
            if attempt.ref not in known:
                self._save_ref(intent, attempt.ref)

    def _save_ref(self, intent: PaymentIntent, ref: str) -> None:
        row = {
            "provider": intent.provider,
            "account": intent.account,
            "ref": ref,
            "payment_id": intent.id,
        }
        if not self._count(self._sql.add_ref, row):
            raise self._clash(f"another payment holds the provider's object {ref} already")

    def _save_refunds(self, intent: PaymentIntent, before: PaymentIntent | None) -> None:
        known = {refund.id: refund for refund in before.refunds} if before is not None else {}
        for refund in intent.refunds:
            old = known.pop(refund.id, None)
            row = rows.refund_row(refund, intent)
            if before is not None and old is not None and rows.refund_row(old, before) == row:
                continue
            if not self._count(self._sql.save_refund, row):
                raise self._clash(f"another payment holds the refund {refund.id} already")
        for gone in known:
            # Told without our tag first, it was taken for one made elsewhere; now it is ours.
            self._count(self._sql.drop_refund, {"this_id": gone})

    def payments(self, query: Query) -> Sequence[PaymentIntent]:
        """See `Transaction.payments`."""
        found = self._all(self._sql.payments.statement(query), **parameters(query))
        return [self._read(_payment, row) for row in found]

    # -- refunds ----------------------------------------------------------------------------------

    def payment_of_refund(self, refund_id: str) -> str | None:
        """See `Transaction.payment_of_refund`."""
        row = self._first(self._sql.payment_of_refund, this_id=refund_id)
        return None if row is None else row["payment_id"]

    def refunds(self, query: Query) -> Sequence[Refund]:
        """See `Transaction.refunds`."""
        found = self._all(self._sql.refunds.statement(query), **parameters(query))
        payments: dict[str, PaymentIntent] = {}
        for row in found:
            if row["payment_id"] not in payments:
                payments[row["payment_id"]] = self._read(_payment, row)
        listed = (payments[row["payment_id"]].refund(row["id"]) for row in found)
        return [refund for refund in listed if refund is not None]

    # -- operations -------------------------------------------------------------------------------

    def operation(self, operation_id: str, *, lock: bool = False) -> OperationRecord | None:
        """See `Transaction.operation`."""
        statement = self._sql.operation_locked if lock else self._sql.operation
        return self._one(rows.operation_from, statement, this_id=operation_id)

    def operation_by_key(self, key: str) -> OperationRecord | None:
        """See `Transaction.operation_by_key`."""
        if key not in self._by_key:
            found = self._one(rows.operation_from, self._sql.operation_by_key, this_key=key)
            self._by_key[key] = found
        return self._by_key[key]

    def insert_operation(self, record: OperationRecord) -> None:
        """See `Transaction.insert_operation`."""
        self._by_key.clear()
        if not self._count(self._sql.add_operation, rows.operation_row(record)):
            raise StoreConflict(
                "the operation is in the journal already", operation="store.insert_operation"
            )

    def save_operation(self, record: OperationRecord) -> None:
        """See `Transaction.save_operation`."""
        self._by_key.clear()
        row = {**rows.operation_changes(record), "this_id": record.id}
        if not self._count(self._sql.replace_operation, row):
            raise StoreConflict(
                "the operation is not in the journal", operation="store.save_operation"
            )

    def swap_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """See `Transaction.swap_operation`."""
        self._by_key.clear()
        this = {
            "this_id": old.id,
            "this_state": old.state.value,
            "this_lease_owner": old.lease_owner,
            "this_fencing": old.fencing,
        }
        if not self._count(self._sql.swap_operation, {**rows.operation_changes(new), **this}):
            raise StoreConflict(
                "the operation was changed since it was read", operation="store.swap_operation"
            )

    def operations(self, query: Query) -> Sequence[OperationRecord]:
        """See `Transaction.operations`."""
        found = self._all(self._sql.operations.statement(query), **parameters(query))
        return [self._read(rows.operation_from, row) for row in found]

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
        """See `Transaction.list_operations`."""
        query = Query(
            scope=scope,
            environment=environment,
            statuses=states,
            payment_id=payment_id,
            after=after,
            limit=limit,
        )
        return self.operations(query)

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
        """See `Transaction.due_operations`."""
        found = self._sql.due_operations_locked if lock else self._sql.due_operations
        narrowed = {"scope": scope, "account": account}
        due = self._all(
            found[scope is not None, account is not None],
            environment=environment.value,
            provider=provider,
            now=now,
            limit=limit,
            **{name: value for name, value in narrowed.items() if value is not None},
        )
        return [self._read(rows.operation_from, row) for row in due]

    def untended_operations(
        self,
        *,
        environment: Environment,
        before: datetime,
        beyond: datetime,
        limit: int,
        scope: str | None = None,
    ) -> Sequence[OperationRecord]:
        """See `Transaction.untended_operations`."""
        narrowed = {} if scope is None else {"scope": scope}
        untended = self._all(
            self._sql.untended_operations[scope is not None],
            environment=environment.value,
            before=before,
            beyond=beyond,
            limit=limit,
            **narrowed,
        )
        return [self._read(rows.operation_from, row) for row in untended]

    # -- resolutions ------------------------------------------------------------------------------

    def add_resolution(self, resolution: ResolutionRecord) -> None:
        """See `Transaction.add_resolution`."""
        if not self._count(self._sql.add_resolution, rows.resolution_row(resolution)):
            raise StoreConflict("no such operation", operation="store.add_resolution")

    def resolutions(self, operation_id: str) -> Sequence[ResolutionRecord]:
        """See `Transaction.resolutions`."""
        found = self._all(self._sql.resolutions, this_operation_id=operation_id)
        return [self._read(rows.resolution_from, row) for row in found]

    # -- restorations -----------------------------------------------------------------------------

    def check_sendable(self, environment: Environment, *, count: bool = False) -> None:
        """See `Transaction.check_sendable`."""
        if environment is not Environment.LIVE:
            return
        self._sends.check(self, count=count)
        last = self._one(rows.restoration_from, self._sql.last_restoration)
        if last is not None and last.kind is RestorationKind.RESTORED:
            raise restored(self._place, f"was marked by {last.author}: {last.reason}")

    def add_restoration(self, restoration: RestorationRecord) -> None:
        """See `Transaction.add_restoration`."""
        self._count(self._sql.add_restoration, rows.restoration_row(restoration))
        if restoration.kind is RestorationKind.ACKNOWLEDGED:
            self._sends.settle(self)

    def restorations(self) -> Sequence[RestorationRecord]:
        """See `Transaction.restorations`."""
        return [self._read(rows.restoration_from, row) for row in self._all(self._sql.restorations)]

    def store_row(self) -> Row:
        """What tells the database from a copy of it; for `sends`."""
        row = self._first(self._sql.store)
        if row is None:
            raise restored(self._place, "has lost its row in payport_store")
        return row

    def ask(self, statement: str) -> Any:
        """The one value that a statement without parameters gives; for `sends`."""
        return guarded(self._place, lambda: self.connection.exec_driver_sql(statement).scalar_one())

    def once_committed(self, step: Callable[[], None]) -> None:
        """Do something after the commit, if there is one; for `sends`."""
        self.afterwards.append(step)

    def save_store_row(self, **changes: Any) -> None:
        """Change it."""
        self._count(self._sql.replace_store, changes)

    # -- events -----------------------------------------------------------------------------------

    def add_events(self, events: Sequence[DomainEvent], *, at: datetime) -> Sequence[DomainEvent]:
        """See `Transaction.add_events`."""
        add = self._sql.add_event
        return [event for event in events if self._count(add, rows.event_row(event, at))]

    def event(self, event_id: str) -> DomainEvent | None:
        """See `Transaction.event`."""
        return self._one(rows.event_from, self._sql.event, this_id=event_id)

    def events(self, payment_id: str) -> Sequence[DomainEvent]:
        """See `Transaction.events`."""
        found = self._all(self._sql.events, this_payment_id=payment_id)
        return [self._read(rows.event_from, row) for row in found]

    # -- inbox and handlers -----------------------------------------------------------------------

    def add_delivery(self, row: InboxRow) -> InboxRow | None:
        """See `Transaction.add_delivery`."""
        if self._count(self._sql.add_delivery, rows.delivery_row(row)):
            return None
        return self._one(
            rows.delivery_from,
            self._sql.delivery_like,
            this_id=row.id,
            this_dedupe_key=row.dedupe_key,
            **_place(row.provider, row.environment),
        )

    def delivery(self, row_id: str, *, lock: bool = False) -> InboxRow | None:
        """See `Transaction.delivery`."""
        statement = self._sql.delivery_locked if lock else self._sql.delivery
        return self._one(rows.delivery_from, statement, this_id=row_id)

    def due_deliveries(
        self, *, provider: str, environment: Environment, now: datetime, limit: int
    ) -> Sequence[InboxRow]:
        """See `Transaction.due_deliveries`."""
        place = _place(provider, environment)
        found = self._all(self._sql.due_deliveries, now=now, limit=limit, **place)
        return [self._read(rows.delivery_from, row) for row in found]

    def claim_deliveries(self, ids: Collection[str], *, until: datetime) -> None:
        """See `Transaction.claim_deliveries`."""
        if ids:
            self._count(self._sql.claim_deliveries, {"ids": list(ids), "until": until})

    def is_at_work(self, row: InboxRow, now: datetime) -> bool:
        """See `Transaction.is_at_work`."""
        found = self._first(
            self._sql.claimed_in_line,
            this_ordering_key=row.ordering_key,
            now=now,
            **_place(row.provider, row.environment),
        )
        return found is not None

    def save_delivery(self, row: InboxRow) -> None:
        """See `Transaction.save_delivery`."""
        changes = {**rows.delivery_changes(row), "this_id": row.id}
        if not self._count(self._sql.replace_delivery, changes):
            raise StoreConflict("no such delivery", operation="store.save_delivery")

    def hold_line(self, row: InboxRow, until: datetime) -> None:
        """See `Transaction.hold_line`."""
        this = {"this_id": row.id, "this_ordering_key": row.ordering_key, "until": until}
        self._count(self._sql.hold_line, {**this, **_place(row.provider, row.environment)})

    def reconsider(
        self, *, provider: str, environment: Environment, ref: str, now: datetime
    ) -> int:
        """See `Transaction.reconsider`."""
        place = _place(provider, environment)
        return self._count(self._sql.reconsider, {"this_ref": ref, "now": now, **place})

    def deliveries(self, query: InboxQuery) -> Sequence[InboxRow]:
        """See `Transaction.deliveries`."""
        after = {} if query.after is None else {"after_id": query.after.id}
        return self._latest(self._sql.deliveries, query, after, rows.delivery_from)

    def inbox_counts(self, provider: str, environment: Environment) -> InboxCounts:
        """See `Transaction.inbox_counts`."""
        place = _place(provider, environment)
        counts = [
            {InboxState(row["state"]): row["rows"] for row in self._all(statement, **place)}
            for statement in (self._sql.count_deliveries, self._sql.count_handler_runs)
        ]
        (found,) = self._all(self._sql.oldest_due, **place)
        oldest: datetime | None = found["oldest"]
        return InboxCounts(deliveries=counts[0], runs=counts[1], oldest_due=oldest)

    def prune_bodies(
        self, *, provider: str, environment: Environment, before: datetime, limit: int
    ) -> int:
        """See `Transaction.prune_bodies`."""
        which = {"before": before, "limit": limit, **_place(provider, environment)}
        return self._count(self._sql.prune_bodies, which)

    def add_handler_runs(self, runs: Sequence[HandlerRun]) -> None:
        """See `Transaction.add_handler_runs`."""
        for run in runs:
            self._count(self._sql.add_handler_run, rows.handler_run_row(run))

    def due_handler_runs(
        self, *, provider: str, environment: Environment, now: datetime, limit: int
    ) -> Sequence[HandlerRun]:
        """See `Transaction.due_handler_runs`."""
        place = _place(provider, environment)
        found = self._all(self._sql.due_handler_runs, now=now, limit=limit, **place)
        return [self._read(rows.handler_run_from, row) for row in found]

    def claim_handler_runs(self, runs: Collection[HandlerRun], *, until: datetime) -> None:
        """See `Transaction.claim_handler_runs`."""
        for run in runs:
            this = {"this_event_id": run.event_id, "this_handler": run.handler, "until": until}
            self._count(self._sql.claim_handler_run, this)

    def handler_run(self, event_id: str, handler: str) -> HandlerRun | None:
        """See `Transaction.handler_run`."""
        return self._one(
            rows.handler_run_from,
            self._sql.handler_run,
            this_event_id=event_id,
            this_handler=handler,
        )

    def save_handler_run(self, run: HandlerRun) -> None:
        """See `Transaction.save_handler_run`."""
        this = {"this_event_id": run.event_id, "this_handler": run.handler}
        changes = {**rows.handler_run_changes(run), **this}
        if not self._count(self._sql.replace_handler_run, changes):
            raise StoreConflict("no such run", operation="store.save_handler_run")

    def handler_runs(self, query: InboxQuery) -> Sequence[HandlerRun]:
        """See `Transaction.handler_runs`."""
        after: dict[str, Any] = {}
        if query.after is not None:
            event_id, _, handler = query.after.id.partition(" ")
            after = {"after_event_id": event_id, "after_handler": handler}
        return self._latest(self._sql.handler_runs, query, after, rows.handler_run_from)

    def runs_of(self, event_id: str) -> Sequence[HandlerRun]:
        """See `Transaction.runs_of`."""
        found = self._all(self._sql.runs_of, this_event_id=event_id)
        return [self._read(rows.handler_run_from, row) for row in found]

    def _latest(
        self,
        statements: Mapping[Any, Executable],
        query: InboxQuery,
        after: Mapping[str, Any],
        read: Callable[[Row], T],
    ) -> Sequence[T]:
        values = {"limit": query.limit, **_place(query.provider, query.environment), **after}
        if query.after is not None:
            values["after_at"] = query.after.created_at
        found = self._all(statements[query.state, query.after is not None], **values)
        return [self._read(read, row) for row in found]


def _place(provider: str, environment: Environment) -> dict[str, Any]:
    return {"this_provider": provider, "this_environment": environment.value}


def _payment(row: Row) -> PaymentIntent:
    return rows.payment_from(row["document"])
