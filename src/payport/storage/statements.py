"""
Every statement, built once for each kind of database. Nothing here runs one or knows a value.

Inserts that may meet an existing row do nothing then, and the caller looks at the count: that works
alike in every database, while an integrity error would end the transaction in some.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from payport.storage.base import InboxState
from payport.storage.columns import Moment
from payport.storage.schema import (
    events,
    handler_runs,
    inbox,
    operations,
    payments,
    provider_refs,
    refunds,
    resolutions,
    restorations,
    store,
)

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from payport.storage.base import Query

__all__ = ["DIALECTS", "Listing", "Statements", "parameters", "statements_for"]

#: How each database spells an insert that may find the row there already.
DIALECTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

_bind = sa.bindparam


class Listing:
    """
    The statement that answers a `Query`, one for each set of filters that is in use.

    One statement with `:status IS NULL OR ...` would serve all sets and use no index.
    """

    def __init__(
        self,
        columns: sa.Select[*tuple[Any, ...]],
        table: sa.Table,
        *,
        at: str,
        status: str,
        payment: str,
    ) -> None:
        self._table = table
        self._at: ColumnElement[Any] = table.c[at]
        self._columns = columns
        self._filters: dict[str, ColumnElement[bool]] = {
            "status": table.c[status] == _bind("status"),
            "statuses": table.c[status].in_(_bind("statuses", expanding=True)),
            "payment_id": table.c[payment] == _bind("payment_id"),
            "created_from": self._at >= _bind("created_from", type_=Moment()),
            "created_before": self._at < _bind("created_before", type_=Moment()),
            "after": sa.tuple_(self._at, table.c.id)
            < sa.tuple_(_bind("after_at", type_=Moment()), _bind("after_id")),
        }
        self._built: dict[frozenset[str], sa.Select[*tuple[Any, ...]]] = {}

    def statement(self, query: Query) -> sa.Select[*tuple[Any, ...]]:
        """The statement for the filters that the query uses."""
        used = frozenset(name for name in self._filters if getattr(query, name) is not None)
        if used not in self._built:
            self._built[used] = self._build(used)
        return self._built[used]

    def _build(self, used: frozenset[str]) -> sa.Select[*tuple[Any, ...]]:
        table = self._table
        return (
            self._columns.where(table.c.scope == _bind("scope"))
            .where(table.c.environment == _bind("environment"))
            .where(*(clause for name, clause in self._filters.items() if name in used))
            .order_by(self._at.desc(), table.c.id.desc())
            .limit(_bind("limit", type_=sa.Integer))
        )


def parameters(query: Query) -> dict[str, Any]:
    """The query's values for its statement; those of unused filters are left out."""
    values: dict[str, Any] = {
        "scope": query.scope,
        "environment": query.environment.value,
        "status": query.status,
        "statuses": None if query.statuses is None else sorted(map(str, query.statuses)),
        "payment_id": query.payment_id,
        "created_from": query.created_from,
        "created_before": query.created_before,
        "limit": query.limit,
    }
    if query.after is not None:
        values.update(after_at=query.after.created_at, after_id=query.after.id)
    return {name: value for name, value in values.items() if value is not None}


class Statements:
    """
    The statements for one kind of database. Parameters that are columns are named as the columns
    are; those that choose a row are named `this_...`.
    """

    def __init__(self, dialect: str) -> None:
        insert = partial(_counted, DIALECTS[dialect])
        self._payments(insert)
        self._refunds(insert)
        self._operations(insert)
        self._restorations(insert)
        self._events(insert)
        self._inbox(insert)
        self._handler_runs(insert)

    def _payments(self, insert: Any) -> None:
        this = payments.c.id == _bind("this_id")
        self.payment: Any = sa.select(payments.c.document).where(this)
        self.payment_locked: Any = self.payment.with_for_update()
        self.payment_by_ref: Any = (
            sa.select(payments.c.document)
            .join_from(provider_refs, payments)
            .where(provider_refs.c.provider == _bind("this_provider"))
            .where(provider_refs.c.account == _bind("this_account"))
            .where(provider_refs.c.ref == _bind("this_ref"))
        )
        self.add_payment: Any = insert(payments).on_conflict_do_nothing()
        self.replace_payment: Any = (
            sa.update(payments).where(this).where(payments.c.version == _bind("this_version"))
        )
        self.payments: Listing = Listing(
            sa.select(payments.c.document), payments, at="created_at", status="status", payment="id"
        )
        self.add_ref: Any = insert(provider_refs).on_conflict_do_nothing()
        self.ref_holder: Any = (
            sa.select(provider_refs.c.payment_id)
            .where(provider_refs.c.provider == _bind("this_provider"))
            .where(provider_refs.c.account == _bind("this_account"))
            .where(provider_refs.c.ref == _bind("this_ref"))
        )

    def _refunds(self, insert: Any) -> None:
        this = refunds.c.id == _bind("this_id")
        adding = insert(refunds)
        # Nothing is updated, and so the count is 0, where another payment holds the refund.
        self.save_refund: Any = adding.on_conflict_do_update(
            index_elements=["id"],
            set_={"status": adding.excluded.status, "created_at": adding.excluded.created_at},
            where=refunds.c.payment_id == adding.excluded.payment_id,
        )
        self.drop_refund: Any = sa.delete(refunds).where(this)
        self.payment_of_refund: Any = sa.select(refunds.c.payment_id).where(this)
        self.refunds: Listing = Listing(
            sa.select(refunds.c.id, payments.c.id.label("payment_id"), payments.c.document)
            .select_from(refunds)
            .join(payments, payments.c.id == refunds.c.payment_id),
            refunds,
            at="created_at",
            status="status",
            payment="payment_id",
        )

    def _operations(self, insert: Any) -> None:
        this = operations.c.id == _bind("this_id")
        self.operation: Any = sa.select(operations).where(this)
        self.operation_locked: Any = self.operation.with_for_update()
        self.operation_by_key: Any = sa.select(operations).where(
            operations.c.key == _bind("this_key")
        )
        self.add_operation: Any = insert(operations).on_conflict_do_nothing()
        self.replace_operation: Any = sa.update(operations).where(this)
        self.swap_operation: Any = (
            sa.update(operations)
            .where(this)
            .where(operations.c.state == _bind("this_state"))
            .where(operations.c.lease_owner == _bind("this_lease_owner"))
            .where(operations.c.fencing == _bind("this_fencing"))
        )
        self.operations: Listing = Listing(
            sa.select(operations),
            operations,
            at="prepared_at",
            status="state",
            payment="payment_id",
        )
        self._due_operations()
        told = [column for column in resolutions.columns if column.name != "seq"]
        # Selected from the operation, so that without one nothing is inserted: an engine of the
        # application's may not check foreign keys.
        self.add_resolution: Any = _counted(sa.insert, resolutions).from_select(
            [column.name for column in told],
            sa.select(*(_bind(column.name, type_=column.type) for column in told)).where(
                sa.exists().where(operations.c.id == _bind("operation_id"))
            ),
        )
        self.resolutions: Any = (
            sa.select(resolutions)
            .where(resolutions.c.operation_id == _bind("this_operation_id"))
            .order_by(resolutions.c.seq)
        )

    def _due_operations(self) -> None:
        table = operations.c
        due = (
            sa.select(operations)
            .where(table.environment == _bind("environment"))
            .where(table.provider == _bind("provider"))
            .where(table.next_look_at <= _bind("now", type_=Moment()))
            .order_by(table.next_look_at, table.id)
            .limit(_bind("limit", type_=sa.Integer))
        )
        strayed = sa.or_(
            table.next_look_at < _bind("before", type_=Moment()),
            table.next_look_at > _bind("beyond", type_=Moment()),
        )
        untended = (
            sa.select(operations)
            .where(table.environment == _bind("environment"))
            .where(table.next_look_at.is_not(None))
            .where(strayed)
            .order_by(table.next_look_at, table.id)
            .limit(_bind("limit", type_=sa.Integer))
        )
        #: By whether a scope is named. Few are; they are found among those that wait for a look.
        self.untended_operations: Any = {
            False: untended,
            True: untended.where(table.scope == _bind("scope")),
        }
        narrowed = {
            (False, False): due,
            (True, False): due.where(table.scope == _bind("scope")),
            (False, True): due.where(table.account == _bind("account")),
            (True, True): due.where(table.scope == _bind("scope")).where(
                table.account == _bind("account")
            ),
        }
        #: By whether a scope is named, and an account.
        self.due_operations: Any = narrowed
        self.due_operations_locked: Any = {
            named: statement.with_for_update(skip_locked=True)
            for named, statement in narrowed.items()
        }

    def _restorations(self, insert: Any) -> None:
        self.store: Any = sa.select(store)
        self.replace_store: Any = sa.update(store)
        self.add_restoration: Any = insert(restorations)
        self.restorations: Any = sa.select(restorations).order_by(restorations.c.seq)
        self.last_restoration: Any = (
            sa.select(restorations).order_by(restorations.c.seq.desc()).limit(1)
        )

    def _events(self, insert: Any) -> None:
        self.add_event: Any = insert(events).on_conflict_do_nothing()
        self.event: Any = sa.select(events).where(events.c.id == _bind("this_id"))
        self.events: Any = (
            sa.select(events)
            .where(events.c.payment_id == _bind("this_payment_id"))
            .order_by(events.c.seq)
        )

    def _inbox(self, insert: Any) -> None:
        table = inbox.c
        this = table.id == _bind("this_id")
        self.add_delivery: Any = insert(inbox).on_conflict_do_nothing()
        self.delivery: Any = sa.select(inbox).where(this)
        self.delivery_locked: Any = self.delivery.with_for_update()
        self.delivery_like: Any = sa.select(inbox).where(
            sa.or_(this, sa.and_(*_at_place(inbox), table.dedupe_key == _bind("this_dedupe_key")))
        )
        self.due_deliveries: Any = (
            sa.select(inbox)
            .where(*_at_place(inbox))
            .where(_is_due(inbox), table.due_at <= _bind("now", type_=Moment()))
            .where(*_free())
            .order_by(table.due_at, table.received_at, table.id)
            .limit(_bind("limit", type_=sa.Integer))
            .with_for_update(skip_locked=True, of=inbox)
        )
        self.claim_deliveries: Any = _claiming(inbox).where(
            table.id.in_(_bind("ids", expanding=True))
        )
        self.claimed_in_line: Any = sa.select(sa.literal(1)).where(
            *_at_place(inbox),
            table.ordering_key == _bind("this_ordering_key"),
            table.claimed_until.is_not(None),
            table.claimed_until > _bind("now", type_=Moment()),
        )
        self.replace_delivery: Any = sa.update(inbox).where(this)
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
        self.due_handler_runs: Any = (
            sa.select(handler_runs)
            .where(*_at_place(handler_runs))
            .where(_is_due(handler_runs), table.due_at <= _bind("now", type_=Moment()))
            .order_by(*order)
            .limit(_bind("limit", type_=sa.Integer))
            .with_for_update(skip_locked=True)
        )
        self.claim_handler_run: Any = _claiming(handler_runs).where(this)
        self.replace_handler_run: Any = sa.update(handler_runs).where(this)
        self.handler_runs: Any = _latest(handler_runs, order)
        self.count_handler_runs: Any = _counting(handler_runs)
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
            .limit(1)
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


def _is_due(table: sa.FromClause) -> ColumnElement[bool]:
    # A literal and no parameter: only so does a planner see that the partial index fits.
    due: ColumnElement[bool] = table.c.state == sa.literal_column("'due'")
    return due


def _counted(insert: Any, table: sa.Table) -> Any:
    """An insert that tells how many rows it inserted, which SQLAlchemy forgets unless told."""
    return insert(table).execution_options(preserve_rowcount=True)


@cache
def statements_for(dialect: str) -> Statements:
    """The statements for a database by the name of its dialect."""
    return Statements(dialect)
