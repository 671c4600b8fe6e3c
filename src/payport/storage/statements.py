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

from payport.storage.columns import Moment
from payport.storage.inbox_statements import InboxStatements
from payport.storage.schema import (
    events,
    operations,
    payments,
    provider_refs,
    refunds,
    resolutions,
    restorations,
    store,
)
from payport.storage.several import among

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


class Statements(InboxStatements):
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
        super().__init__(insert)

    def _payments(self, insert: Any) -> None:
        this = payments.c.id == _bind("this_id")
        self.payment: Any = sa.select(payments.c.document).where(this)
        self.payment_locked: Any = self.payment.with_for_update()
        #: In one order, so that two who hold several never wait for each other.
        self.hold_payments: Any = (
            sa.select(payments.c.document)
            .where(payments.c.id.in_(_payments_of_keys()))
            .order_by(payments.c.id)
            .with_for_update(of=payments)
        )
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
        self.operations_by_keys: Any = sa.select(operations).where(among(operations.c.key))
        self.add_operation: Any = insert(operations).on_conflict_do_nothing()
        self.replace_operation: Any = sa.update(operations).where(this)
        self.swap_operation: Any = (
            sa.update(operations)
            .where(this)
            .where(operations.c.state == _bind("this_state"))
            .where(operations.c.lease_owner == _bind("this_lease_owner"))
            .where(operations.c.fencing == _bind("this_fencing"))
        )
        self.reroute_operation: Any = (
            sa.update(operations)
            .where(this)
            .where(operations.c.state == _bind("this_state"))
            .where(operations.c.fencing == _bind("this_fencing"))
            .where(operations.c.sends == 0)
            .where(operations.c.doubtful.is_(False))
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
        self.several_events: Any = sa.select(events).where(among(events.c.id))
        self.events_of_keys: Any = sa.select(events.c.id).where(
            events.c.payment_id.in_(_payments_of_keys())
        )
        self.events: Any = (
            sa.select(events)
            .where(events.c.payment_id == _bind("this_payment_id"))
            .order_by(events.c.seq)
        )


def _payments_of_keys() -> Any:
    return sa.select(operations.c.payment_id).where(among(operations.c.key))


def _counted(insert: Any, table: sa.Table) -> Any:
    """An insert that tells how many rows it inserted, which SQLAlchemy forgets unless told."""
    return insert(table).execution_options(preserve_rowcount=True)


@cache
def statements_for(dialect: str) -> Statements:
    """The statements for a database by the name of its dialect."""
    return Statements(dialect)
