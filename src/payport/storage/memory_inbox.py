"""The inbox in memory: deliveries, and runs of handlers."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from payport.domain.identifiers import Environment
from payport.storage.inbox import InboxCounts, InboxState
from payport.storage.memory_unit import MemoryUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from payport.storage.inbox import HandlerRun, InboxQuery, InboxRow

__all__ = ["MemoryInbox"]

R = TypeVar("R", "InboxRow", "HandlerRun")


class MemoryInbox(MemoryUnit):
    """See `InboxTransaction`."""

    __slots__ = ()

    def add_delivery(self, row: InboxRow) -> InboxRow | None:
        """See `Transaction.add_delivery`."""
        data, dedupe = self._data, (row.provider, row.environment, row.dedupe_key)
        known = row.id if row.id in data.inbox else data.dedupe.get(dedupe)
        if known is not None:
            return data.inbox[known]
        self._put(data.dedupe, dedupe, row.id)
        self._keep(row)
        return None

    def delivery(self, row_id: str, *, lock: bool = False) -> InboxRow | None:
        """See `Transaction.delivery`."""
        del lock
        return self._data.inbox.get(row_id)

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
        place = (provider, environment)
        rows = [r for r in self._data.waiting.values() if (r.provider, r.environment) == place]
        first: dict[str, InboxRow] = {}
        claimed: set[str] = set()
        for row in rows:
            known = first.get(row.ordering_key, row)
            first[row.ordering_key] = min(known, row, key=_arrival)
            if row.claimed_until is not None and row.claimed_until > now:
                claimed.add(row.ordering_key)
        due = [
            row
            for line, row in first.items()
            if line not in claimed and row.due_at <= now and _is_of(row.received_for, account)
        ]
        return heapq.nsmallest(limit, due, key=lambda row: (row.due_at, *_arrival(row)))

    def claim_deliveries(self, ids: Collection[str], *, until: datetime) -> None:
        """See `Transaction.claim_deliveries`."""
        for row_id in ids:
            row = self._data.inbox[row_id]
            self._keep(replace(row, due_at=until, claimed_until=until, fencing=row.fencing + 1))

    def is_at_work(self, row: InboxRow, now: datetime) -> bool:
        """See `Transaction.is_at_work`."""
        return any(
            one.claimed_until is not None and one.claimed_until > now for one in self._line(row)
        )

    def save_delivery(self, row: InboxRow) -> None:
        """See `Transaction.save_delivery`."""
        stored = self._data.inbox.get(row.id)
        if stored is None:
            raise self._clash("no such delivery", "save_delivery")
        self._keep(replace(stored, conflict=row.conflict, **_turn(row)))

    def swap_delivery(self, old: InboxRow, new: InboxRow) -> None:
        """See `Transaction.swap_delivery`."""
        stored = self._data.inbox.get(old.id)
        if stored is None or not _is_as(stored, old) or stored.conflict != old.conflict:
            raise self._clash("somebody else has the delivery", "swap_delivery")
        self.save_delivery(new)

    def hold_line(self, row: InboxRow, until: datetime) -> None:
        """See `Transaction.hold_line`."""
        for one in self._line(row):
            if one.id != row.id and one.due_at < until:
                self._keep(replace(one, due_at=until))

    def _line(self, row: InboxRow) -> list[InboxRow]:
        line = _line_of(row)
        return [one for one in self._data.waiting.values() if _line_of(one) == line]

    def reconsider(
        self, *, provider: str, environment: Environment, ref: str, now: datetime
    ) -> None:
        """See `Transaction.reconsider`."""
        sought = (provider, environment, ref)
        found = [
            row
            for row in self._data.foreign.values()
            if (row.provider, row.environment, row.attempt_ref) == sought
        ]
        for row in found:
            self._keep(replace(row, state=InboxState.DUE, tries=0, due_at=now, error=None))

    def deliveries(self, query: InboxQuery) -> Sequence[InboxRow]:
        """See `Transaction.deliveries`."""
        after = None if query.after is None else (query.after.created_at, query.after.id)
        return _latest(self._data.inbox.values(), query, _arrival, after)

    def inbox_counts(self, provider: str, environment: Environment) -> InboxCounts:
        """See `Transaction.inbox_counts`."""
        place = (provider, environment)
        rows = [r for r in self._data.inbox.values() if (r.provider, r.environment) == place]
        runs = [r for r in self._data.runs.values() if (r.provider, r.environment) == place]
        return InboxCounts(
            deliveries=Counter(row.state for row in rows),
            runs=Counter(run.state for run in runs),
            oldest_due=min(
                (r.received_at for r in rows if r.state is InboxState.DUE), default=None
            ),
        )

    def inbox_due(self, environment: Environment, *, before: datetime) -> Mapping[str, int]:
        """See `Transaction.inbox_due`."""
        waiting: Iterable[InboxRow | HandlerRun] = (
            *self._data.waiting.values(),
            *self._data.waiting_runs.values(),
        )
        due = [one for one in waiting if one.environment == environment and one.due_at < before]
        return Counter(one.provider for one in due)

    def prune_bodies(
        self, *, provider: str, environment: Environment, before: datetime, limit: int
    ) -> int:
        """See `Transaction.prune_bodies`."""
        sought = (provider, environment, InboxState.DONE)
        old = [
            row
            for row in self._data.inbox.values()
            if (row.provider, row.environment, row.state) == sought
            and row.body is not None
            and row.received_at < before
        ]
        pruned = heapq.nsmallest(limit, old, key=_arrival)
        for row in pruned:
            self._keep(replace(row, body=None))
        return len(pruned)

    def _keep(self, row: InboxRow) -> None:
        self._put(self._data.inbox, row.id, row)
        self._wait(self._data.waiting, row.id, row)
        self._wait(self._data.foreign, row.id, row, InboxState.FOREIGN)

    def _wait(
        self,
        table: dict[Any, Any],
        key: object,
        row: InboxRow | HandlerRun,
        state: InboxState = InboxState.DUE,
    ) -> None:
        """Keep the table of what is in a state, which stays small while the others grow."""
        if row.state is state:
            self._put(table, key, row)
        else:
            self._drop(table, key)

    def add_handler_runs(self, runs: Sequence[HandlerRun]) -> None:
        """See `Transaction.add_handler_runs`."""
        for run in runs:
            if (run.event_id, run.handler) not in self._data.runs:
                self._keep_run(run)

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
        place = (provider, environment)
        due = [
            run
            for run in self._data.waiting_runs.values()
            if (run.provider, run.environment) == place
            and run.due_at <= now
            and _is_of(run.account, account)
        ]
        return heapq.nsmallest(limit, due, key=_turn_of)

    def claim_handler_runs(self, runs: Collection[HandlerRun], *, until: datetime) -> None:
        """See `Transaction.claim_handler_runs`."""
        for run in runs:
            stored = self._data.runs[run.event_id, run.handler]
            fencing = stored.fencing + 1
            self._keep_run(replace(stored, due_at=until, claimed_until=until, fencing=fencing))

    def handler_run(self, event_id: str, handler: str) -> HandlerRun | None:
        """See `Transaction.handler_run`."""
        return self._data.runs.get((event_id, handler))

    def save_handler_run(self, run: HandlerRun) -> None:
        """See `Transaction.save_handler_run`."""
        stored = self._data.runs.get((run.event_id, run.handler))
        if stored is None:
            raise self._clash("no such run", "save_handler_run")
        self._keep_run(replace(stored, **_turn(run)))

    def swap_handler_run(self, old: HandlerRun, new: HandlerRun) -> bool:
        """See `Transaction.swap_handler_run`."""
        stored = self._data.runs.get((old.event_id, old.handler))
        if stored is None or not _is_as(stored, old):
            return False
        self.save_handler_run(new)
        return True

    def handler_runs(self, query: InboxQuery) -> Sequence[HandlerRun]:
        """See `Transaction.handler_runs`."""
        after = None
        if query.after is not None:
            event_id, _, handler = query.after.id.partition(" ")
            after = (query.after.created_at, event_id, handler)
        return _latest(self._data.runs.values(), query, _turn_of, after)

    def runs_of(self, event_id: str) -> Sequence[HandlerRun]:
        """See `Transaction.runs_of`."""
        found = [run for (event, _), run in self._data.runs.items() if event == event_id]
        return sorted(found, key=lambda run: run.handler)

    def _keep_run(self, run: HandlerRun) -> None:
        key = (run.event_id, run.handler)
        self._put(self._data.runs, key, run)
        self._wait(self._data.waiting_runs, key, run)


_TURN: Final = ("state", "tries", "due_at", "claimed_until", "fencing", "error", "trace")


def _turn(row: InboxRow | HandlerRun) -> dict[str, Any]:
    """What changes of a row while it is worked on."""
    return {name: getattr(row, name) for name in _TURN}


def _is_of(whose: str | None, account: str | None) -> bool:
    """What is nobody's is everybody's."""
    return whose is None or account in {None, whose}


def _is_as(stored: R, claimed: R) -> bool:
    """Nobody else claimed it since, or concluded it."""
    return stored.state is InboxState.DUE and stored.fencing == claimed.fencing


def _arrival(row: InboxRow) -> tuple[datetime, str]:
    return row.received_at, row.id


def _turn_of(run: HandlerRun) -> tuple[datetime, str, str]:
    return run.due_at, run.event_id, run.handler


def _line_of(row: InboxRow) -> tuple[str, Environment, str]:
    return row.provider, row.environment, row.ordering_key


def _latest(
    rows: Iterable[R], query: InboxQuery, key: Callable[[R], Any], after: tuple[Any, ...] | None
) -> list[R]:
    found = [
        row
        for row in rows
        if (row.provider, row.environment) == (query.provider, query.environment)
        and query.state in {None, row.state}
        and (after is None or key(row) < after)
    ]
    return heapq.nlargest(query.limit, found, key=key)
