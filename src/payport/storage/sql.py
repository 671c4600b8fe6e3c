"""
A unit of work on a SQL database: one transaction, with payport's statements.

All that lies between two statements is written here once, for both colours and all databases: an
async engine runs the same plain function by `run_sync`. Nothing here opens an engine or a file:
that is `engines` and `sqlite`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import StoreUnavailable
from payport.domain.identifiers import Environment
from payport.storage import rows
from payport.storage.base import RestorationKind
from payport.storage.faults import guarded, place_of
from payport.storage.running import Row, Running, ThroughToolkit
from payport.storage.sends import ANY_HOME, restored
from payport.storage.sql_inbox import SqlInbox
from payport.storage.sql_journal import SqlJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payport.storage.base import RestorationRecord, Transaction
    from payport.storage.grouping import Unit
    from payport.storage.sends import Sends

__all__ = ["SqlTransaction", "run_unit", "run_units"]

T = TypeVar("T")


def run_unit(
    connection: Connection,
    work: Callable[[Transaction], T],
    sends: Sends = ANY_HOME,
    running: Running | None = None,
) -> T:
    """
    Run a unit of work in a transaction of its own on an idle connection; see `Store.transact`.

    Args:
        sends: What the store knows about whether it may send.
        running: How statements are run; through the toolkit if left out.

    Raises:
        StoreError: Of the kind that `faults` gives the database's error.
    """
    if running is None:
        running = ThroughToolkit(connection, place_of(connection.engine))
    result, afterwards = _committed(connection, work, sends, running)
    for step in afterwards:
        step()
    return result


def run_units(
    connection: Connection, units: Sequence[Unit[Any]], sends: Sends, running: Running
) -> None:
    """
    Run units of work in one transaction, and tell each what became of it.

    Raises:
        StoreUnavailable: The database failed. Nothing of any unit stands, and all were told.
        BaseException: The thread is being ended. Nothing stands, and nobody was told.
    """

    def together(tx: Transaction) -> list[Any]:
        return [unit.work(tx) for unit in units]

    try:
        values, afterwards = _committed(connection, together, sends, running)
    except StoreUnavailable as error:
        for unit in units:
            unit.raised(error)
        raise
    except Exception as error:  # noqa: BLE001 - of one of them, which is told it
        if len(units) > 1:
            _run_apart(connection, units, sends, running)
        else:
            units[0].raised(error)
        return
    for unit, value in zip(units, values, strict=True):
        unit.returned(value)
    for step in afterwards:
        step()


def _committed(
    connection: Connection, work: Callable[[Transaction], T], sends: Sends, running: Running
) -> tuple[T, Sequence[Callable[[], None]]]:
    """What the work returned, once it is committed, and what is to be done then."""
    transaction = SqlTransaction(connection, running.place, running, sends)
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
    return result, transaction.afterwards


def _run_apart(
    connection: Connection, units: Sequence[Unit[Any]], sends: Sends, running: Running
) -> None:
    """
    As `run_units`, each in a savepoint of its own: one of them fails, and takes back nobody else.

    Two statements more for each, so it comes second: that one fails is rare.
    """
    afterwards: list[Callable[[], None]] = []
    try:
        running.begin()
        done = [_carried_out(connection, unit, sends, running, afterwards) for unit in units]
        running.commit()
    except Exception as error:
        running.roll_back()
        for unit in units:
            unit.raised(error)
        if isinstance(error, StoreUnavailable):
            raise
        return
    except BaseException:
        running.roll_back()
        raise
    for unit, (value, failed) in zip(units, done, strict=True):
        unit.returned(value) if failed is None else unit.raised(failed)
    for step in afterwards:
        step()


def _carried_out(
    connection: Connection,
    unit: Unit[Any],
    sends: Sends,
    running: Running,
    afterwards: list[Callable[[], None]],
) -> tuple[Any, Exception | None]:
    """What one of several units returned, or what it failed with after it was taken back."""
    transaction = SqlTransaction(connection, running.place, running, sends)
    running.save()
    try:
        value = unit.work(transaction)
        transaction.check()
    except Exception as error:
        if isinstance(error, StoreUnavailable):
            raise
        running.take_back()
        return None, error
    finally:
        transaction.end()
    running.keep()
    afterwards.extend(transaction.afterwards)
    return value, None


class SqlTransaction(SqlJournal, SqlInbox):
    """A `Transaction` on a SQLAlchemy connection."""

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
        return guarded(
            self._place, lambda: self._connection.exec_driver_sql(statement).scalar_one()
        )

    def once_committed(self, step: Callable[[], None]) -> None:
        """Do something after the commit, if there is one; for `sends`."""
        self.afterwards.append(step)

    def save_store_row(self, **changes: Any) -> None:
        """Change it."""
        self._count(self._sql.replace_store, changes)
