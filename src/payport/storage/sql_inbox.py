"""The inbox's statements on a SQL database: deliveries, and runs of handlers."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from payport.storage import rows
from payport.storage.inbox import InboxCounts, InboxState
from payport.storage.several import slices, slices_of_pairs
from payport.storage.sql_unit import SqlUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Executable

    from payport.domain.identifiers import Environment
    from payport.storage.inbox import HandlerRun, InboxQuery, InboxRow
    from payport.storage.running import Row

__all__ = ["SqlInbox"]

T = TypeVar("T")


class SqlInbox(SqlUnit):
    """See `InboxTransaction`."""

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
        self,
        *,
        provider: str,
        environment: Environment,
        now: datetime,
        limit: int,
        account: str | None = None,
    ) -> Sequence[InboxRow]:
        """See `Transaction.due_deliveries`."""
        asked = {"now": now, "limit": limit, **_place(provider, environment)}
        if account is not None:
            asked["this_account"] = account
        found = self._all(self._sql.due_deliveries[account is not None], **asked)
        return [self._read(rows.delivery_from, row) for row in found]

    def claim_deliveries(self, ids: Collection[str], *, until: datetime) -> None:
        """See `Transaction.claim_deliveries`."""
        for some in slices(ids):
            self._write(self._sql.claim_deliveries, {**some, "until": until})

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
        gone = partial(self._clash, "no such delivery", "save_delivery")
        self._write(self._sql.replace_delivery, changes, gone)

    def swap_delivery(self, old: InboxRow, new: InboxRow) -> None:
        """See `Transaction.swap_delivery`."""
        this = {"this_id": old.id, "this_fencing": old.fencing, "this_conflict": old.conflict}
        changed = partial(self._clash, "somebody else has the delivery", "swap_delivery")
        self._write(self._sql.swap_delivery, {**rows.delivery_changes(new), **this}, changed)

    def hold_line(self, row: InboxRow, until: datetime) -> None:
        """See `Transaction.hold_line`."""
        this = {"this_id": row.id, "this_ordering_key": row.ordering_key, "until": until}
        self._write(self._sql.hold_line, {**this, **_place(row.provider, row.environment)})

    def reconsider(
        self, *, provider: str, environment: Environment, ref: str, now: datetime
    ) -> None:
        """See `Transaction.reconsider`."""
        place = _place(provider, environment)
        self._write(self._sql.reconsider, {"this_ref": ref, "now": now, **place})

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

    def inbox_due(self, environment: Environment, *, before: datetime) -> Mapping[str, int]:
        """See `Transaction.inbox_due`."""
        due: Counter[str] = Counter()
        for statement in (self._sql.count_due_deliveries, self._sql.count_due_runs):
            for row in self._all(statement, this_environment=environment, before=before):
                due[row["provider"]] += row["rows"]
        return due

    def prune_bodies(
        self, *, provider: str, environment: Environment, before: datetime, limit: int
    ) -> int:
        """See `Transaction.prune_bodies`."""
        which = {"before": before, "limit": limit, **_place(provider, environment)}
        return self._count(self._sql.prune_bodies, which)

    def add_handler_runs(self, runs: Sequence[HandlerRun]) -> None:
        """See `Transaction.add_handler_runs`."""
        for run in runs:
            self._write(self._sql.add_handler_run, rows.handler_run_row(run))

    def due_handler_runs(
        self,
        *,
        provider: str,
        environment: Environment,
        now: datetime,
        limit: int,
        account: str | None = None,
    ) -> Sequence[HandlerRun]:
        """See `Transaction.due_handler_runs`."""
        asked = {"now": now, "limit": limit, **_place(provider, environment)}
        if account is not None:
            asked["this_account"] = account
        found = self._all(self._sql.due_handler_runs[account is not None], **asked)
        return [self._read(rows.handler_run_from, row) for row in found]

    def claim_handler_runs(self, runs: Collection[HandlerRun], *, until: datetime) -> None:
        """See `Transaction.claim_handler_runs`."""
        for some in slices_of_pairs([(run.event_id, run.handler) for run in runs]):
            self._write(self._sql.claim_handler_runs, {**some, "until": until})

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
        gone = partial(self._clash, "no such run", "save_handler_run")
        self._write(self._sql.replace_handler_run, changes, gone)

    def swap_handler_run(self, old: HandlerRun, new: HandlerRun) -> bool:
        """See `Transaction.swap_handler_run`."""
        this = {
            "this_event_id": old.event_id,
            "this_handler": old.handler,
            "this_fencing": old.fencing,
        }
        changes = {**rows.handler_run_changes(new), **this}
        return bool(self._count(self._sql.swap_handler_run, changes))

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
