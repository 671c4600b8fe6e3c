"""
A unit of work on a SQL database: one transaction, with payport's statements.

All that lies between two statements is written here once, for both colours and all databases: an
async engine runs the same plain function by `run_sync`. Nothing here opens an engine or a file:
that is `engines` and `sqlite`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

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
        return guarded(self._place, lambda: self.connection.exec_driver_sql(statement).scalar_one())

    def once_committed(self, step: Callable[[], None]) -> None:
        """Do something after the commit, if there is one; for `sends`."""
        self.afterwards.append(step)

    def save_store_row(self, **changes: Any) -> None:
        """Change it."""
        self._count(self._sql.replace_store, changes)
