"""The journal's statements on a SQL database: payments, refunds, operations, events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.domain.errors import StoreConflict
from payport.storage import rows
from payport.storage.bare import bare
from payport.storage.base import Query
from payport.storage.several import slices
from payport.storage.sql_unit import SqlUnit
from payport.storage.statements import parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from payport.domain.events import DomainEvent
    from payport.domain.identifiers import Environment
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund
    from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
    from payport.storage.base import Cursor
    from payport.storage.running import Row

__all__ = ["SqlJournal"]


class SqlJournal(SqlUnit):
    """See `JournalTransaction`."""

    # -- payments ---------------------------------------------------------------------------------

    def payment(self, payment_id: str, *, lock: bool = False) -> PaymentIntent | None:
        """See `Transaction.payment`."""
        if payment_id in self._held:
            # As it is in the store, without what that does not keep.
            return bare(self._stored[payment_id])
        if lock:
            self._by_key.clear()
        statement = self._sql.payment_locked if lock else self._sql.payment
        return self._remembered(self._one(_payment, statement, this_id=payment_id))

    def hold_payments(self, keys: Collection[str]) -> None:
        """See `Transaction.hold_payments`."""
        for some in slices(keys):
            for row in self._all(self._sql.hold_payments, **some):
                intent = self._read(_payment, row)
                self._stored[intent.id] = intent
                self._held.add(intent.id)
            found = [
                self._read(rows.operation_from, row)
                for row in self._all(self._sql.operations_by_keys, **some)
            ]
            # One that is not of a payment that is held came since, and may change.
            self._by_key.update({one.key: one for one in found if one.payment_id in self._held})
            self._told.update(row["id"] for row in self._all(self._sql.events_of_keys, **some))

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
            if not self._count(self._sql.add_payment, rows.payment_row(stored)):
                raise self._stale()
        else:
            this = {"this_id": intent.id, "this_version": intent.version}
            changes = {**rows.payment_changes(stored), **this}
            self._write(self._sql.replace_payment, changes, self._stale)
        self._save_refs(stored, before)
        self._save_refunds(stored, before)
        self._stored[stored.id] = stored
        return stored

    def _stale(self) -> StoreConflict:
        return self._clash("the payment was changed since it was read")

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
        provider, account = intent.home_of(ref)
        row = {
            "provider": provider,
            "account": account,
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
        if lock:
            self._by_key.clear()
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
        if not self._count(self._sql.swap_operation, {**rows.operation_changes(new, old), **this}):
            raise StoreConflict(
                "the operation was changed since it was read", operation="store.swap_operation"
            )

    def reroute_operation(self, old: OperationRecord, new: OperationRecord) -> None:
        """See `Transaction.reroute_operation`."""
        this = {
            "this_id": old.id,
            "this_state": old.state.value,
            "this_fencing": old.fencing,
        }
        if not self._count(self._sql.reroute_operation, {**rows.operation_moves(new), **this}):
            raise StoreConflict(
                "the operation was sent, or changed since it was read",
                operation="store.reroute_operation",
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

    # -- events -----------------------------------------------------------------------------------

    def add_events(self, events: Sequence[DomainEvent], *, at: datetime) -> Sequence[DomainEvent]:
        """See `Transaction.add_events`."""
        return [event for event in events if self._is_new(event, at)]

    def _is_new(self, event: DomainEvent, at: datetime) -> bool:
        row = rows.event_row(event, at)
        if event.aggregate_id not in self._held:
            return bool(self._count(self._sql.add_event, row))
        # All events of it are known, and nobody else tells of it meanwhile.
        new = event.id not in self._told
        if new:
            self._told.add(event.id)
            self._write(self._sql.add_event, row, self._told_elsewhere)
        return new

    def _told_elsewhere(self) -> StoreConflict:
        return self._clash("an event of a held payment was added", "add_events")

    def event(self, event_id: str) -> DomainEvent | None:
        """See `Transaction.event`."""
        return self._one(rows.event_from, self._sql.event, this_id=event_id)

    def several_events(self, event_ids: Collection[str]) -> Mapping[str, DomainEvent]:
        """See `Transaction.several_events`."""
        found = [
            self._read(rows.event_from, row)
            for some in slices(event_ids)
            for row in self._all(self._sql.several_events, **some)
        ]
        return {event.id: event for event in found}

    def events(self, aggregate_id: str) -> Sequence[DomainEvent]:
        """See `Transaction.events`."""
        found = self._all(self._sql.events, this_payment_id=aggregate_id)
        return [self._read(rows.event_from, row) for row in found]


def _payment(row: Row) -> PaymentIntent:
    return rows.payment_from(row["document"])
