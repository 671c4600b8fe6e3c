"""
A store in plain Python, for tests and for trying things out: fast, thread-safe, gone with the
process. It keeps the frozen values themselves and takes a failed transaction back step by step. It
never writes anything anywhere, and refuses to be copied or pickled.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from payport.domain.errors import StoreConflict
from payport.domain.identifiers import Environment
from payport.storage.agenda import Agenda
from payport.storage.bare import bare, bare_facts
from payport.storage.base import FIXED, InboxState, Query, RestorationKind
from payport.storage.listing import CREATED, PREPARED, SCOPE, STATE, STATUS, newest
from payport.storage.sends import restored
from payport.storage.units import ENDED, Turn, unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund
    from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
    from payport.storage.base import (
        Cursor,
        HandlerRun,
        InboxRow,
        RestorationRecord,
        Transaction,
    )

__all__ = ["AsyncMemoryStore", "MemoryStore"]

T = TypeVar("T")

_MISSING: Final = object()

#: What makes an operation this one.
_IDENTITY: Final = attrgetter(
    "scope", "environment", "operation", "aggregate_id", "reference", "attempt"
)
_standing: Final = attrgetter("state", "lease_owner", "fencing")
_fixed: Final = attrgetter(*FIXED)
_next_look: Final = attrgetter("next_look_at")


class _Data:
    """The tables: dicts by primary key, and one for each question that is asked often."""

    def __init__(self) -> None:
        self.payments: dict[str, PaymentIntent] = {}
        self.refs: dict[tuple[str, str, str], str] = {}
        self.refunds: dict[str, str] = {}
        self.operations: dict[str, OperationRecord] = {}
        self.identities: dict[tuple[object, ...], str] = {}
        self.keys: dict[str, str] = {}
        self.looked_for: Agenda[OperationRecord] = Agenda(_next_look)
        self.restorations: dict[None, tuple[RestorationRecord, ...]] = {}
        self.resolutions: dict[str, tuple[ResolutionRecord, ...]] = {}
        self.events: dict[str, DomainEvent] = {}
        self.told: dict[str, tuple[DomainEvent, ...]] = {}
        self.inbox: dict[str, InboxRow] = {}
        self.dedupe: dict[tuple[str, str, str], str] = {}
        self.waiting: dict[str, InboxRow] = {}
        self.runs: dict[tuple[str, str], HandlerRun] = {}
        self.waiting_runs: dict[tuple[str, str], HandlerRun] = {}


class MemoryStore:
    """
    A `Store` in memory. Give the same one to several clients and they share what it holds.

    A transaction that raises leaves nothing behind, as in a database; locks are not needed, because
    one transaction runs at a time.
    """

    def __init__(self) -> None:
        self._turn = Turn()
        self._data = _Data()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`. Never raises StoreUnavailable."""
        with self._turn:
            transaction = _MemoryTransaction(self._data)
            try:
                result = work(transaction)
                transaction.check()
            except BaseException:
                transaction.undo()
                raise
            finally:
                transaction.end()
            return result

    def close(self) -> None:
        """Do nothing: there is nothing to free, and another client may share the data."""

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


class AsyncMemoryStore:
    """An `AsyncStore` in memory: the same data in the other colour. Nothing is ever awaited."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store: MemoryStore = store if store is not None else MemoryStore()

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        return self.store.transact(work)

    async def aclose(self) -> None:
        """Do nothing, as `MemoryStore.close`."""

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


class _MemoryTransaction:
    """A `Transaction`: writes at once, and remembers what was there before."""

    __slots__ = ("_conflict", "_data", "_undo")

    def __init__(self, data: _Data) -> None:
        self._data = data
        self._undo: list[tuple[dict[Any, Any], object, object]] = []
        self._conflict: StoreConflict | None = None

    # -- what the store does ----------------------------------------------------------------------

    def check(self) -> None:
        """Raise the conflict that the work swallowed: half a payment must not be kept."""
        if self._conflict is not None:
            raise self._conflict

    def undo(self) -> None:
        """Take every write back, the latest first."""
        for table, key, before in reversed(self._undo):
            if before is _MISSING:
                del table[key]
            else:
                table[key] = before

    def end(self) -> None:
        """Make the transaction unusable."""
        self._data = ENDED

    def _put(self, table: dict[Any, Any], key: object, value: object) -> None:
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def _drop(self, table: dict[Any, Any], key: object) -> None:
        if key in table:
            # Undone by _put's rule: the value from before is put back.
            self._undo.append((table, key, table.pop(key)))

    def _clash(self, message: str) -> StoreConflict:
        self._conflict = StoreConflict(message, operation="store.save_payment")
        return self._conflict

    # -- payments ---------------------------------------------------------------------------------

    def payment(self, payment_id: str, *, lock: bool = False) -> PaymentIntent | None:
        """See `Transaction.payment`."""
        del lock
        return self._data.payments.get(payment_id)

    def payment_by_ref(self, provider: str, account: str, ref: str) -> PaymentIntent | None:
        """See `Transaction.payment_by_ref`."""
        payment_id = self._data.refs.get((provider, account, ref))
        return None if payment_id is None else self._data.payments[payment_id]

    def save_payment(
        self, intent: PaymentIntent, *, before: PaymentIntent | None = None
    ) -> PaymentIntent:
        """See `Transaction.save_payment`."""
        before = self._data.payments.get(intent.id)
        if intent.version != (before.version if before is not None else 0):
            raise self._clash("the payment was changed since it was read")
        stored = intent.evolve(version=intent.version + 1)
        self._put(self._data.payments, intent.id, bare(stored))
        for attempt in intent.attempts:
            ref = (intent.provider, intent.account, attempt.ref)
            self._claim(self._data.refs, ref, intent.id)
        for refund in intent.refunds:
            self._claim(self._data.refunds, refund.id, intent.id)
        if before is not None and before.refunds:
            kept = {refund.id for refund in intent.refunds}
            for refund in before.refunds:
                if refund.id not in kept:
                    self._drop(self._data.refunds, refund.id)
        return stored

    def _claim(self, table: dict[Any, str], key: object, payment_id: str) -> None:
        holder = table.get(key)
        if holder is None:
            self._put(table, key, payment_id)
        elif holder != payment_id:
            raise self._clash(f"another payment, {holder}, holds this attempt or refund already")

    def payments(self, query: Query) -> Sequence[PaymentIntent]:
        """See `Transaction.payments`."""
        of = query.payment_id
        return newest(
            (p for p in self._data.payments.values() if of is None or p.id == of),
            query,
            SCOPE,
            STATUS,
            CREATED,
        )

    # -- refunds ----------------------------------------------------------------------------------

    def payment_of_refund(self, refund_id: str) -> str | None:
        """See `Transaction.payment_of_refund`."""
        return self._data.refunds.get(refund_id)

    def refunds(self, query: Query) -> Sequence[Refund]:
        """See `Transaction.refunds`."""
        payments = self._data.payments.values()
        scope = (query.scope, query.environment)
        of = query.payment_id
        mine = (p for p in payments if SCOPE(p) == scope and (of is None or p.id == of))
        found = (refund for payment in mine for refund in payment.refunds)
        return newest(found, query, lambda _: scope, STATUS, CREATED)

    # -- operations -------------------------------------------------------------------------------

    def operation(self, operation_id: str, *, lock: bool = False) -> OperationRecord | None:
        """See `Transaction.operation`."""
        del lock
        return self._data.operations.get(operation_id)

    def operation_by_key(self, key: str) -> OperationRecord | None:
        """See `Transaction.operation_by_key`."""
        operation_id = self._data.keys.get(key)
        return None if operation_id is None else self._data.operations[operation_id]

    def insert_operation(self, record: OperationRecord) -> None:
        """See `Transaction.insert_operation`."""
        data, identity = self._data, _IDENTITY(record)
        if record.id in data.operations or identity in data.identities or record.key in data.keys:
            raise StoreConflict(
                "the operation is in the journal already", operation="store.insert_operation"
            )
        self._put(data.operations, record.id, record)
        self._put(data.identities, identity, record.id)
        self._put(data.keys, record.key, record.id)
        self._look_for(record)

    def save_operation(self, record: OperationRecord) -> None:
        """See `Transaction.save_operation`."""
        stored = self._data.operations.get(record.id)
        if stored is None:
            raise StoreConflict(
                "the operation is not in the journal", operation="store.save_operation"
            )
        if _fixed(record) != _fixed(stored):
            record = replace(record, **dict(zip(FIXED, _fixed(stored), strict=True)))
        self._put(self._data.operations, record.id, record)
        self._look_for(record)

    def swap_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """See `Transaction.swap_operation`."""
        stored = self._data.operations.get(old.id)
        if stored is None or not old.lease_owner or _standing(stored) != _standing(old):
            raise StoreConflict(
                "the operation was changed since it was read", operation="store.swap_operation"
            )
        self.save_operation(new)

    def _look_for(self, record: OperationRecord) -> None:
        if record.next_look_at is not None:
            self._put(self._data.looked_for, record.id, record)
        else:
            self._drop(self._data.looked_for, record.id)

    def operations(self, query: Query) -> Sequence[OperationRecord]:
        """See `Transaction.operations`."""
        of = query.payment_id
        return newest(
            (o for o in self._data.operations.values() if of is None or o.payment_id == of),
            query,
            SCOPE,
            STATE,
            PREPARED,
        )

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
        del lock
        due = (
            record
            for record in self._data.looked_for.until(now)
            if record.environment == environment
            and record.provider == provider
            and scope in {None, record.scope}
            and account in {None, record.account}
        )
        return list(islice(due, limit))

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
        untended = (
            record
            for record in self._data.looked_for.outside(before, beyond)
            if record.environment == environment and scope in {None, record.scope}
        )
        return list(islice(untended, limit))

    # -- resolutions ------------------------------------------------------------------------------

    def add_resolution(self, resolution: ResolutionRecord) -> None:
        """See `Transaction.add_resolution`."""
        of = resolution.operation_id
        if of not in self._data.operations:
            raise StoreConflict("no such operation", operation="store.add_resolution")
        kept = self._data.resolutions.get(of, ())
        self._put(self._data.resolutions, of, (*kept, resolution))

    def resolutions(self, operation_id: str) -> Sequence[ResolutionRecord]:
        """See `Transaction.resolutions`."""
        return self._data.resolutions.get(operation_id, ())

    # -- restorations -----------------------------------------------------------------------------

    def check_sendable(self, environment: Environment, *, count: bool = False) -> None:
        """See `Transaction.check_sendable`."""
        del count
        words = self.restorations()
        if environment is not Environment.LIVE or not words:
            return
        if words[-1].kind is RestorationKind.RESTORED:
            last = words[-1]
            raise restored("the store", f"was marked by {last.author}: {last.reason}")

    def add_restoration(self, restoration: RestorationRecord) -> None:
        """See `Transaction.add_restoration`."""
        self._put(self._data.restorations, None, (*self.restorations(), restoration))

    def restorations(self) -> Sequence[RestorationRecord]:
        """See `Transaction.restorations`."""
        return self._data.restorations.get(None, ())

    # -- events -----------------------------------------------------------------------------------

    def add_events(self, events: Sequence[DomainEvent], *, at: datetime) -> Sequence[DomainEvent]:
        """See `Transaction.add_events`."""
        del at  # The order of insertion is the order of learning.
        new: list[DomainEvent] = []
        for event in events:
            if event.id not in self._data.events:
                self._put(self._data.events, event.id, event)
                told = self._data.told.get(event.payment_id, ())
                self._put(self._data.told, event.payment_id, (*told, event))
                new.append(event)
        return new

    def event(self, event_id: str) -> DomainEvent | None:
        """See `Transaction.event`."""
        return self._data.events.get(event_id)

    def events(self, payment_id: str) -> Sequence[DomainEvent]:
        """See `Transaction.events`."""
        return self._data.told.get(payment_id, ())

    # -- inbox and handlers -----------------------------------------------------------------------

    def add_delivery(self, row: InboxRow) -> InboxRow | None:
        """See `Transaction.add_delivery`."""
        data, dedupe = self._data, (row.provider, row.environment, row.dedupe_key)
        known = row.id if row.id in data.inbox else data.dedupe.get(dedupe)
        if known is not None:
            return data.inbox[known]
        if row.facts is not None:
            row = replace(row, facts=bare_facts(row.facts))
        self._put(data.dedupe, dedupe, row.id)
        self._put(data.inbox, row.id, row)
        self._wait(data.waiting, row.id, row)
        return None

    def delivery(self, row_id: str) -> InboxRow | None:
        """See `Transaction.delivery`."""
        return self._data.inbox.get(row_id)

    def due_deliveries(self, now: datetime, limit: int) -> Sequence[InboxRow]:
        """See `Transaction.due_deliveries`."""
        due: list[InboxRow] = []
        ahead: set[tuple[str, str, str]] = set()
        for row in sorted(self._data.waiting.values(), key=lambda row: (row.received_at, row.id)):
            line = (row.provider, row.environment, row.ordering_key)
            if line not in ahead and row.due_at <= now and len(due) < limit:
                due.append(row)
            ahead.add(line)
        return due

    def save_delivery(self, row: InboxRow) -> None:
        """See `Transaction.save_delivery`."""
        stored = self._data.inbox.get(row.id)
        if stored is None:
            raise StoreConflict("no such delivery", operation="store.save_delivery")
        changed = replace(
            stored,
            state=row.state,
            tries=row.tries,
            due_at=row.due_at,
            error=row.error,
            conflict=row.conflict,
        )
        self._put(self._data.inbox, row.id, changed)
        self._wait(self._data.waiting, row.id, changed)

    def _wait(self, table: dict[Any, Any], key: object, row: InboxRow | HandlerRun) -> None:
        """Keep the table of what is still to do, which stays small while the others grow."""
        if row.state is InboxState.DUE:
            self._put(table, key, row)
        else:
            self._drop(table, key)

    def add_handler_runs(self, runs: Sequence[HandlerRun]) -> None:
        """See `Transaction.add_handler_runs`."""
        for run in runs:
            key = (run.event_id, run.handler)
            if key not in self._data.runs:
                self._put(self._data.runs, key, run)
                self._wait(self._data.waiting_runs, key, run)

    def due_handler_runs(self, now: datetime, limit: int) -> Sequence[HandlerRun]:
        """See `Transaction.due_handler_runs`."""
        due = [run for run in self._data.waiting_runs.values() if run.due_at <= now]
        return heapq.nsmallest(limit, due, key=lambda r: (r.due_at, r.event_id, r.handler))

    def handler_run(self, event_id: str, handler: str) -> HandlerRun | None:
        """See `Transaction.handler_run`."""
        return self._data.runs.get((event_id, handler))

    def save_handler_run(self, run: HandlerRun) -> None:
        """See `Transaction.save_handler_run`."""
        key = (run.event_id, run.handler)
        if key not in self._data.runs:
            raise StoreConflict("no such run", operation="store.save_handler_run")
        self._put(self._data.runs, key, run)
        self._wait(self._data.waiting_runs, key, run)
