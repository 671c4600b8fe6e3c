"""
How a transaction runs its statements: through SQLAlchemy's connection, or through the driver's.

The toolkit's way costs some hundred microseconds for each journaled payment, most of it to look up
once more what it compiled before. On payport's own SQLite connection nobody listens in between, so
there each statement is compiled once for the process and given to the driver as it is. Both ways
run the same statements, with the same types.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from payport.storage.beginning import begin
from payport.storage.compiled import Compiler
from payport.storage.faults import driver_fault, guarded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from payport.storage.compiled import Compiled

__all__ = [
    "KEEP",
    "SAVE",
    "TAKE_BACK",
    "Conflict",
    "Row",
    "Running",
    "ThroughDriver",
    "ThroughToolkit",
]

#: A row, by column.
Row = Any

#: Makes what is raised where a write found no row.
Conflict: TypeAlias = Callable[[], Exception]

#: The same in SQLite and PostgreSQL.
SAVE: Final = "SAVEPOINT payport_unit"
KEEP: Final = "RELEASE SAVEPOINT payport_unit"
TAKE_BACK: Final = "ROLLBACK TO SAVEPOINT payport_unit"


class Running(Protocol):
    """Begins, ends and runs statements on an idle connection. Errors are payport's."""

    @property
    def place(self) -> str:
        """What messages call the database."""
        ...

    def begin(self) -> None:
        """Begin a transaction that may write."""
        ...

    def commit(self) -> None:
        """Make it last."""
        ...

    def roll_back(self) -> None:
        """Take it back. Never raises: the error that led here is the one to tell."""
        ...

    def save(self) -> None:
        """Begin a part of the transaction that can be taken back alone."""
        ...

    def keep(self) -> None:
        """End the part: it stands or falls with the transaction."""
        ...

    def take_back(self) -> None:
        """Take the part back, and end it."""
        ...

    def all(self, statement: Any, values: Mapping[str, Any]) -> Sequence[Row]:
        """All rows of a query."""
        ...

    def first(self, statement: Any, values: Mapping[str, Any]) -> Row | None:
        """The first row of a query."""
        ...

    def count(self, statement: Any, values: Mapping[str, Any]) -> int:
        """How many rows a statement wrote."""
        ...

    def write(self, statement: Any, values: Mapping[str, Any], conflict: Conflict | None) -> None:
        """
        Run a statement of which nothing is asked but that it writes a row, where a conflict is
        given, which is raised otherwise: at once, or by the next call but `write`, before that
        does anything.
        """
        ...

    def settle(self) -> None:
        """Have all of `write` done: somebody else is about to use the connection."""
        ...


class ThroughToolkit:
    """
    Through SQLAlchemy, which serves every driver, the application's listeners and both colours.

    Args:
        place: What messages call the database.
    """

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self.place: str = place

    def begin(self) -> None:
        """See `Running`."""
        guarded(self.place, lambda: begin(self._connection))

    def save(self) -> None:
        """See `Running`."""
        self._told(SAVE)

    def keep(self) -> None:
        """See `Running`."""
        self._told(KEEP)

    def take_back(self) -> None:
        """See `Running`."""
        self._told(TAKE_BACK)
        self._told(KEEP)

    def _told(self, statement: str) -> None:
        guarded(self.place, lambda: self._connection.exec_driver_sql(statement))

    def commit(self) -> None:
        """See `Running`."""
        guarded(self.place, self._connection.commit)

    def roll_back(self) -> None:
        """See `Running`."""
        try:
            self._connection.rollback()
        except SQLAlchemyError:
            # The connection is lost, and the transaction with it.
            self._connection.invalidate()

    def all(self, statement: Any, values: Mapping[str, Any]) -> Sequence[Row]:
        """See `Running`."""
        return guarded(
            self.place, lambda: self._connection.execute(statement, values).mappings().all()
        )

    def first(self, statement: Any, values: Mapping[str, Any]) -> Row | None:
        """See `Running`."""
        return guarded(
            self.place, lambda: self._connection.execute(statement, values).mappings().first()
        )

    def count(self, statement: Any, values: Mapping[str, Any]) -> int:
        """See `Running`."""
        return guarded(self.place, lambda: self._connection.execute(statement, values).rowcount)

    def write(self, statement: Any, values: Mapping[str, Any], conflict: Conflict | None) -> None:
        """See `Running`."""
        if not self.count(statement, values) and conflict is not None:
            raise conflict()

    def settle(self) -> None:
        """See `Running`. Nothing is ever put off."""


_compiled: Final = Compiler(sqlite.dialect(paramstyle="qmark"))


class ThroughDriver:
    """
    Through the driver of a SQLite connection that is payport's own.

    The application may use the toolkit's connection within the transaction: both are one.

    Args:
        wait: Seconds to wait for another process's transaction, looked at each millisecond. SQLite
            itself looks less and less often, up to ten times a second, so that a process which
            writes all the time would leave another one hardly a turn.
    """

    def __init__(self, connection: Connection, place: str, wait: float = 0.0) -> None:
        self._wait = wait
        self._connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver: Any = driver
        self._run: Any = driver.execute
        self.place: str = place
        self._toolkit = ThroughToolkit(connection, place)

    def begin(self) -> None:
        """See `Running`."""
        until = None
        while True:
            try:
                self._run("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                now = time.monotonic()
                until = until or now + self._wait
                is_busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
                fault = None if is_busy and now < until else driver_fault(error, self.place)
            else:
                return
            if fault is not None:
                raise fault

    def save(self) -> None:
        """See `Running`."""
        self.run(SAVE)

    def keep(self) -> None:
        """See `Running`."""
        self.run(KEEP)

    def take_back(self) -> None:
        """See `Running`."""
        self.run(TAKE_BACK)
        self.run(KEEP)

    def commit(self) -> None:
        """See `Running`."""
        if self._connection.in_transaction():
            self._toolkit.commit()
        else:
            self.run("COMMIT")

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement by its text, as the driver takes it."""
        try:
            cursor: sqlite3.Cursor = self._run(statement, parameters)
        except sqlite3.Error as error:
            fault = driver_fault(error, self.place)
        else:
            return cursor
        raise fault

    def roll_back(self) -> None:
        """See `Running`."""
        try:
            self._driver.rollback()
        except sqlite3.Error:
            self._connection.invalidate()
        if self._connection.in_transaction():
            self._toolkit.roll_back()

    def all(self, statement: Any, values: Mapping[str, Any]) -> Sequence[Row]:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            return self._toolkit.all(statement, values)
        found = self._execute(compiled, values)
        try:
            rows = found.fetchall()
        except sqlite3.Error as error:
            fault = driver_fault(error, self.place)
        else:
            return [compiled.row(row) for row in rows]
        raise fault

    def first(self, statement: Any, values: Mapping[str, Any]) -> Row | None:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            return self._toolkit.first(statement, values)
        found = self._execute(compiled, values)
        try:
            row = found.fetchone()
        except sqlite3.Error as error:
            fault = driver_fault(error, self.place)
        else:
            found.close()
            return None if row is None else compiled.row(row)
        raise fault

    def count(self, statement: Any, values: Mapping[str, Any]) -> int:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            return self._toolkit.count(statement, values)
        return self._execute(compiled, values).rowcount

    def write(self, statement: Any, values: Mapping[str, Any], conflict: Conflict | None) -> None:
        """See `Running`."""
        if not self.count(statement, values) and conflict is not None:
            raise conflict()

    def settle(self) -> None:
        """See `Running`. Nothing is ever put off."""

    def _execute(self, compiled: Compiled, values: Mapping[str, Any]) -> sqlite3.Cursor:
        return self.run(compiled.sql, compiled.parameters(values))
