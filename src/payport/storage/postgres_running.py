"""
How a transaction runs its statements on payport's own connections to PostgreSQL: by psycopg itself.

Each statement is compiled once for the process, prepared by psycopg on each connection that runs it
often, and given its values as they are. Writes whose result only says whether they went as they
had to are put off, and sent in one message with those that follow (libpq's pipeline). An async
connection is awaited from within: what lies here is a plain function in either colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import capabilities
from sqlalchemy.dialects.postgresql import psycopg as toolkit_psycopg
from sqlalchemy.util import await_only

from payport.domain.errors import StoreUnavailable
from payport.storage.beginning import begin_message, schema_of
from payport.storage.compiled import Compiler
from payport.storage.faults import AWAY, driver_fault, guarded, refused
from payport.storage.running import KEEP, SAVE, TAKE_BACK, ThroughToolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from payport.storage.compiled import Compiled
    from payport.storage.running import Row

__all__ = ["ThroughPsycopg"]

_compiled: Final = Compiler(toolkit_psycopg.dialect(paramstyle="format"))

#: A compiled statement, its parameters, and the conflict that it is to write no row.
_PutOff: TypeAlias = "tuple[str, list[Any], Exception | None]"


class ThroughPsycopg:
    """
    A `Running` on an idle connection of an engine that is payport's own.

    The application may use the toolkit's connection within the transaction: both are one.
    """

    def __init__(self, connection: Connection, place: str) -> None:
        self.place: str = place
        self._connection = connection
        self._toolkit = ThroughToolkit(connection, place)
        self._wait: Callable[[Any], Any] = (
            await_only if connection.dialect.is_async else _as_it_is
        )
        self._together = _together_awaited if connection.dialect.is_async else _together
        self._put_off: list[_PutOff] = []
        self._connected()

    def _connected(self) -> None:
        """Use the toolkit's connection; it makes another one where that was lost."""
        raw = guarded(self.place, lambda: self._connection.connection)
        self._driver: Any = raw.driver_connection
        self._cursor: Any = self._driver.cursor()

    # -- transactions -----------------------------------------------------------------------------

    def begin(self) -> None:
        """See `Running`. A connection that turns out to be dead is replaced once."""
        message = begin_message(schema_of(self._connection))
        try:
            self._sent(message, None)
        except StoreUnavailable:
            if not self._connection.invalidated:
                raise
        else:
            return
        self._connected()
        self._sent(message, None)

    def commit(self) -> None:
        """See `Running`."""
        self.settle()
        if self._connection.in_transaction():
            self._toolkit.commit()
        else:
            self._told(self._driver.commit)

    def roll_back(self) -> None:
        """See `Running`."""
        self._put_off.clear()
        try:
            self._wait(self._driver.rollback())
        except psycopg.Error:
            self._connection.invalidate()
        if self._connection.in_transaction():
            self._toolkit.roll_back()

    def save(self) -> None:
        """See `Running`."""
        self._run(SAVE)

    def keep(self) -> None:
        """See `Running`."""
        self._run(KEEP)

    def take_back(self) -> None:
        """See `Running`."""
        self._put_off.clear()
        self._run(TAKE_BACK)
        self._run(KEEP)

    # -- statements -------------------------------------------------------------------------------

    def all(self, statement: Any, values: Mapping[str, Any]) -> Sequence[Row]:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            return self._toolkit.all(statement, values)
        self._run(compiled.sql, compiled.parameters(values))
        return [compiled.row(row) for row in self._told(self._cursor.fetchall)]

    def first(self, statement: Any, values: Mapping[str, Any]) -> Row | None:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            return self._toolkit.first(statement, values)
        self._run(compiled.sql, compiled.parameters(values))
        row = self._told(self._cursor.fetchone)
        return None if row is None else compiled.row(row)

    def count(self, statement: Any, values: Mapping[str, Any]) -> int:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            return self._toolkit.count(statement, values)
        self._run(compiled.sql, compiled.parameters(values))
        written: int = self._cursor.rowcount
        return written

    def write(self, statement: Any, values: Mapping[str, Any], conflict: Exception | None) -> None:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            self._toolkit.write(statement, values, conflict)
        else:
            self._put_off.append((compiled.sql, compiled.parameters(values), conflict))

    def settle(self) -> None:
        """See `Running`."""
        waiting, self._put_off = self._put_off, []
        if len(waiting) > 1 and capabilities.has_pipeline():
            counts = self._told(lambda: self._together(self._driver, waiting))
        else:
            counts = [self._sent(sql, values) for sql, values, _ in waiting]
        for (_, _, conflict), written in zip(waiting, counts, strict=True):
            if not written and conflict is not None:
                raise conflict

    # -- the driver -------------------------------------------------------------------------------

    def _run(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        if self._put_off:
            self.settle()
        self._sent(sql, parameters)

    def _sent(self, sql: str, parameters: Sequence[Any] | None) -> int:
        self._told(lambda: self._cursor.execute(sql, parameters))
        written: int = self._cursor.rowcount
        return written

    def _told(self, step: Callable[[], Any]) -> Any:
        """What a step on the driver gives, awaited where it has to be."""
        try:
            return self._wait(step())
        except psycopg.Error as error:
            fault = self._fault(error)
        raise fault

    def _fault(self, error: psycopg.Error) -> Exception:
        if self._driver.closed:
            self._connection.invalidate()
        is_away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return driver_fault(error, self.place, AWAY if is_away else refused(error))


def _as_it_is(result: Any) -> Any:
    return result


def _together(driver: Any, waiting: Sequence[_PutOff]) -> list[int]:
    """How many rows each wrote, sent in one message."""
    with driver.pipeline():
        cursors = [driver.execute(sql, values) for sql, values, _ in waiting]
    return [cursor.rowcount for cursor in cursors]


async def _together_awaited(driver: Any, waiting: Sequence[_PutOff]) -> list[int]:
    async with driver.pipeline():
        cursors = [await driver.execute(sql, values) for sql, values, _ in waiting]
    return [cursor.rowcount for cursor in cursors]
