"""The journal in memory: payments, refunds, operations, events."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import StoreConflict
from payport.domain.identifiers import Environment
from payport.storage.bare import bare
from payport.storage.base import FIXED, ROUTED, Query, RestorationKind
from payport.storage.listing import CREATED, PREPARED, SCOPE, STATE, STATUS, newest
from payport.storage.memory_unit import MemoryUnit
from payport.storage.sends import restored

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund
    from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
    from payport.storage.base import Cursor, RestorationRecord

__all__ = ["MemoryJournal"]

#: What makes an operation this one.
_IDENTITY: Final = attrgetter(
    "scope", "environment", "operation", "aggregate_id", "reference", "attempt"
)
_standing: Final = attrgetter("state", "lease_owner", "fencing")
_fixed: Final = attrgetter(*FIXED)


class MemoryJournal(MemoryUnit):
    """See `JournalTransaction`."""

    __slots__ = ()

    # -- payments ---------------------------------------------------------------------------------

    def payment(self, payment_id: str, *, lock: bool = False) -> PaymentIntent | None:
        """See `Transaction.payment`."""
        del lock
        return self._data.payments.get(payment_id)

    def hold_payments(self, keys: Collection[str]) -> None:
        """See `Transaction.hold_payments`. There is one transaction at a time."""

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
            ref = (*intent.home_of(attempt.ref), attempt.ref)
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

    def reroute_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """See `Transaction.reroute_operation`."""
        stored = self._data.operations.get(old.id)
        same = stored is not None and (stored.state, stored.fencing) == (old.state, old.fencing)
        if stored is None or not same or stored.sends or stored.doubtful:
            raise StoreConflict(
                "the operation was sent, or changed since it was read",
                operation="store.reroute_operation",
            )
        self._drop(self._data.keys, stored.key)
        self._put(self._data.keys, new.key, new.id)
        kept = {name: getattr(stored, name) for name in FIXED if name not in ROUTED}
        record = replace(new, **kept)
        self._put(self._data.operations, new.id, record)
        self._look_for(record)

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
                told = self._data.told.get(event.aggregate_id, ())
                self._put(self._data.told, event.aggregate_id, (*told, event))
                new.append(event)
        return new

    def event(self, event_id: str) -> DomainEvent | None:
        """See `Transaction.event`."""
        return self._data.events.get(event_id)

    def several_events(self, event_ids: Collection[str]) -> Mapping[str, DomainEvent]:
        """See `Transaction.several_events`."""
        events = self._data.events
        return {event_id: events[event_id] for event_id in event_ids if event_id in events}

    def events(self, aggregate_id: str) -> Sequence[DomainEvent]:
        """See `Transaction.events`."""
        return self._data.told.get(aggregate_id, ())
