"""The inbox's statements for a kind of database; see `statements`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from payport.storage.columns import Moment
from payport.storage.inbox import InboxState
from payport.storage.schema import handler_runs, inbox
from payport.storage.several import among, among_pairs

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["InboxStatements"]

_bind = sa.bindparam


class InboxStatements:
    """
    The statements on deliveries and on runs of handlers.

    Args:
        insert: Makes a table's insert that tells how many rows it inserted.
    """

    def __init__(self, insert: Any) -> None:
        self._inbox(insert)
        self._handler_runs(insert)

    def _inbox(self, insert: Any) -> None:
        table = inbox.c
        this = table.id == _bind("this_id")
        self.add_delivery: Any = insert(inbox).on_conflict_do_nothing()
        self.delivery: Any = sa.select(inbox).where(this)
        self.delivery_locked: Any = self.delivery.with_for_update()
        self.delivery_like: Any = sa.select(inbox).where(
            sa.or_(this, sa.and_(*_at_place(inbox), table.dedupe_key == _bind("this_dedupe_key")))
        )
        self.due_deliveries: Any = _narrowed(
            table.received_for,
            sa.select(inbox)
            .where(*_at_place(inbox))
            .where(_is_due(inbox), table.due_at <= _bind("now", type_=Moment()))
            .where(*_free())
            .order_by(table.due_at, table.received_at, table.id)
            .limit(_bind("limit", type_=sa.Integer))
            .with_for_update(skip_locked=True, of=inbox),
        )
        self.claim_deliveries: Any = _claiming(inbox).where(among(table.id))
        self.claimed_in_line: Any = sa.select(sa.literal(1)).where(
            *_at_place(inbox),
            table.ordering_key == _bind("this_ordering_key"),
            table.claimed_until.is_not(None),
            table.claimed_until > _bind("now", type_=Moment()),
        )
        self.replace_delivery: Any = sa.update(inbox).where(this)
        self.swap_delivery: Any = self.replace_delivery.where(
            *_as_claimed(inbox), table.conflict == _bind("this_conflict")
        )
        until = _bind("until", type_=Moment())
        self.hold_line: Any = (
            sa.update(inbox)
            .where(*_at_place(inbox), _is_due(inbox))
            .where(table.ordering_key == _bind("this_ordering_key"), table.id != _bind("this_id"))
            # No condition on the time, by which a planner would look through all that is due.
            .values(due_at=sa.case((table.due_at < until, until), else_=table.due_at))
        )
        self.reconsider: Any = (
            sa.update(inbox)
            .where(*_at_place(inbox), table.state == sa.literal_column("'foreign'"))
            .where(table.attempt_ref == _bind("this_ref"))
            .values(state="due", tries=0, due_at=_bind("now", type_=Moment()), error=None)
        )
        self._kept_deliveries()

    def _kept_deliveries(self) -> None:
        table = inbox.c
        self.deliveries: Any = _latest(inbox, (table.received_at, table.id))
        self.count_deliveries: Any = _counting(inbox)
        self.count_due_deliveries: Any = _counting_due(inbox)
        self.oldest_due: Any = sa.select(sa.func.min(table.received_at).label("oldest")).where(
            *_at_place(inbox), _is_due(inbox)
        )
        old = (
            sa.select(table.id)
            .where(*_at_place(inbox), table.received_at < _bind("before", type_=Moment()))
            .where(table.state == sa.literal_column("'done'"), table.body.is_not(None))
            .order_by(table.received_at)
            .limit(_bind("limit", type_=sa.Integer))
        )
        self.prune_bodies: Any = sa.update(inbox).where(table.id.in_(old)).values(body=None)

    def _handler_runs(self, insert: Any) -> None:
        table = handler_runs.c
        this = sa.and_(
            table.event_id == _bind("this_event_id"), table.handler == _bind("this_handler")
        )
        order = (table.due_at, table.event_id, table.handler)
        self.add_handler_run: Any = insert(handler_runs).on_conflict_do_nothing()
        self.handler_run: Any = sa.select(handler_runs).where(this).with_for_update()
        self.due_handler_runs: Any = _narrowed(
            table.account,
            sa.select(handler_runs)
            .where(*_at_place(handler_runs))
            .where(_is_due(handler_runs), table.due_at <= _bind("now", type_=Moment()))
            .order_by(*order)
            .limit(_bind("limit", type_=sa.Integer))
            .with_for_update(skip_locked=True),
        )
        self.claim_handler_runs: Any = _claiming(handler_runs).where(
            among_pairs(table.event_id, table.handler)
        )
        self.replace_handler_run: Any = sa.update(handler_runs).where(this)
        self.swap_handler_run: Any = self.replace_handler_run.where(*_as_claimed(handler_runs))
        self.handler_runs: Any = _latest(handler_runs, order)
        self.count_handler_runs: Any = _counting(handler_runs)
        self.count_due_runs: Any = _counting_due(handler_runs)
        self.runs_of: Any = (
            sa.select(handler_runs)
            .where(table.event_id == _bind("this_event_id"))
            .order_by(table.handler)
        )


def _at_place(table: sa.FromClause) -> tuple[ColumnElement[bool], ...]:
    """Of the provider and environment that are asked for: several clients may share a store."""
    return (
        table.c.provider == _bind("this_provider"),
        table.c.environment == _bind("this_environment"),
    )


def _narrowed(account: sa.Column[Any], due: Any) -> dict[bool, Any]:
    """By whether an account is named. What is nobody's is everybody's."""
    return {
        False: due,
        True: due.where(sa.or_(account.is_(None), account == _bind("this_account"))),
    }


def _as_claimed(table: sa.FromClause) -> tuple[ColumnElement[bool], ...]:
    """Nobody else claimed it since, or concluded it."""
    return _is_due(table), table.c.fencing == _bind("this_fencing")


def _free() -> tuple[ColumnElement[bool], ...]:
    """
    The delivery is the first of its line, and nothing of the line is claimed.

    Asked row by row, in subqueries that no planner turns into joins: with statistics that are old,
    as those of a queue are, it would join the whole inbox to itself.
    """
    first, claimed = inbox.alias("first"), inbox.alias("claimed")

    def in_line(column: Any, other: Any) -> Any:
        return (
            sa.select(column)
            .where(other.c.provider == inbox.c.provider)
            .where(other.c.environment == inbox.c.environment)
            .where(other.c.ordering_key == inbox.c.ordering_key)
            # A literal: of how many it is the first, a planner could not guess from a parameter.
            .limit(sa.literal_column("1"))
            .correlate(inbox)
        )

    ahead = in_line(first.c.id, first).where(_is_due(first))
    at_work = (
        in_line(claimed.c.id, claimed)
        .where(claimed.c.claimed_until.is_not(None))
        .where(claimed.c.claimed_until > _bind("now", type_=Moment()))
    )
    return (
        inbox.c.id == ahead.order_by(first.c.received_at, first.c.id).scalar_subquery(),
        at_work.scalar_subquery().is_(None),
    )


def _claiming(table: sa.Table) -> Any:
    until = _bind("until", type_=Moment())
    return sa.update(table).values(due_at=until, claimed_until=until, fencing=table.c.fencing + 1)


def _latest(table: sa.Table, order: tuple[ColumnElement[Any], ...]) -> dict[Any, Any]:
    """A page of a table, by the state that is asked for and whether it goes on from a place."""
    moment, *names = order
    listed = (
        sa.select(table)
        .where(*_at_place(table))
        .order_by(*[column.desc() for column in order])
        .limit(_bind("limit", type_=sa.Integer))
    )
    binds: list[Any] = [_bind("after_at", type_=Moment())]
    binds += [_bind(f"after_{column.name}") for column in names]
    further = listed.where(sa.tuple_(moment, *names) < sa.tuple_(*binds))
    made: dict[Any, Any] = {(None, False): listed, (None, True): further}
    for state in InboxState:
        # A literal, so that a planner sees whether a partial index fits.
        only = table.c.state == sa.literal_column(f"'{state}'")
        made[state, False], made[state, True] = listed.where(only), further.where(only)
    return made


def _counting(table: sa.Table) -> Any:
    return (
        sa.select(table.c.state, sa.func.count().label("rows"))
        .where(*_at_place(table))
        .group_by(table.c.state)
    )


def _counting_due(table: sa.Table) -> Any:
    return (
        sa.select(table.c.provider, sa.func.count().label("rows"))
        .where(table.c.environment == _bind("this_environment"))
        .where(_is_due(table), table.c.due_at < _bind("before", type_=Moment()))
        .group_by(table.c.provider)
    )


def _is_due(table: sa.FromClause) -> ColumnElement[bool]:
    # A literal and no parameter: only so does a planner see that the partial index fits.
    due: ColumnElement[bool] = table.c.state == sa.literal_column("'due'")
    return due
