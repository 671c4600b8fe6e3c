"""
How a transaction runs its statements on payport's own connections to PostgreSQL: by psycopg itself.

Each statement is compiled once for the process, prepared by psycopg on each connection that runs it
often, and given its values as they are. Writes whose result only says whether they went as they
had to are put off, and sent in one message with those that follow (libpq's pipeline). An async
connection is awaited from within: what lies here is a plain function in either colour.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import capabilities
from sqlalchemy.dialects.postgresql import psycopg as toolkit_psycopg
from sqlalchemy.util import await_only

from payport.domain.errors import StoreUnavailable
from payport.storage.beginning import begin_messages, schema_of
from payport.storage.compiled import Compiler
from payport.storage.faults import AWAY, driver_fault, guarded, refused
from payport.storage.running import KEEP, SAVE, TAKE_BACK, ThroughToolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from payport.storage.running import Conflict, Row

__all__ = ["ThroughPsycopg"]

_dialect: Final[Any] = toolkit_psycopg.dialect
_compiled: Final = Compiler(_dialect(paramstyle="format"))

#: A compiled statement, its parameters, and the conflict that it is to write no row.
_PutOff: TypeAlias = "tuple[str, Sequence[Any] | None, Conflict | None]"

#: How many messages begin a transaction.
_BEGINNING: Final = 2


class ThroughPsycopg:
    """
    A `Running` on an idle connection of an engine that is payport's own.

    The application may use the toolkit's connection within the transaction: both are one.
    """

    def __init__(self, connection: Connection, place: str) -> None:
        self.place: str = place
        self._connection = connection
        self._toolkit = ThroughToolkit(connection, place)
        self._wait: Callable[[Any], Any] = await_only if connection.dialect.is_async else _as_it_is
        self._sent: Callable[[Any, Sequence[_PutOff]], Any] = (
            _sent_awaited if connection.dialect.is_async else _sent
        )
        self._put_off: list[_PutOff] = []
        self._is_begun = False
        self._connected()

    def _connected(self) -> None:
        """Use the toolkit's connection; it makes another one where that was lost."""
        raw = guarded(self.place, lambda: self._connection.connection)
        self._driver: Any = raw.driver_connection

    # -- transactions -----------------------------------------------------------------------------

    def begin(self) -> None:
        """See `Running`. It goes with the first statement, in one message."""
        messages = begin_messages(schema_of(self._connection))
        self._put_off = [(message, None, None) for message in messages]
        self._is_begun = False

    def commit(self) -> None:
        """See `Running`."""
        if not self._is_begun and len(self._put_off) == _BEGINNING:
            self._put_off.clear()  # nothing was done
            return
        self.settle()
        if self._connection.in_transaction():
            self._toolkit.commit()
        else:
            self._told(self._driver.commit)

    def roll_back(self) -> None:
        """See `Running`."""
        self._put_off.clear()
        if self._connection.invalidated:
            return
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
        cursor = self._run(compiled.sql, compiled.parameters(values))
        return [compiled.row(row) for row in self._told(cursor.fetchall)]

    def first(self, statement: Any, values: Mapping[str, Any]) -> Row | None:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            return self._toolkit.first(statement, values)
        cursor = self._run(compiled.sql, compiled.parameters(values))
        row = self._told(cursor.fetchone)
        return None if row is None else compiled.row(row)

    def count(self, statement: Any, values: Mapping[str, Any]) -> int:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            return self._toolkit.count(statement, values)
        written: int = self._run(compiled.sql, compiled.parameters(values)).rowcount
        return written

    def write(self, statement: Any, values: Mapping[str, Any], conflict: Conflict | None) -> None:
        """See `Running`."""
        compiled = _compiled(statement, values)
        if compiled is None:
            self.settle()
            self._toolkit.write(statement, values, conflict)
        else:
            self._put_off.append((compiled.sql, compiled.parameters(values), conflict))

    def settle(self) -> None:
        """See `Running`."""
        if self._put_off:
            self._send()

    # -- the driver -------------------------------------------------------------------------------

    def _run(self, sql: str, parameters: Sequence[Any] | None = None) -> Any:
        """The cursor of a statement that was sent with all that was put off."""
        self._put_off.append((sql, parameters, None))
        return self._send()

    def _send(self) -> Any:
        waiting, self._put_off = self._put_off, []
        try:
            cursors = self._told(lambda: self._sent(self._driver, waiting))
        except StoreUnavailable:
            # One that died while nobody used it is replaced once: nothing was done on it yet.
            if self._is_begun or not self._connection.invalidated:
                raise
            self._connected()
            cursors = self._told(lambda: self._sent(self._driver, waiting))
        self._is_begun = True
        for (_, _, conflict), cursor in zip(waiting, cursors, strict=True):
            if conflict is not None and not cursor.rowcount:
                raise conflict()
        return cursors[-1]

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


def _sent(driver: Any, waiting: Sequence[_PutOff]) -> list[Any]:
    """The cursors of statements, sent in one message where there are several."""
    with _pipeline(driver, waiting):
        return [driver.execute(sql, values) for sql, values, _ in waiting]


async def _sent_awaited(driver: Any, waiting: Sequence[_PutOff]) -> list[Any]:
    async with _pipeline(driver, waiting):
        return [await driver.execute(sql, values) for sql, values, _ in waiting]


def _pipeline(driver: Any, waiting: Sequence[_PutOff]) -> Any:
    if len(waiting) > 1 and capabilities.has_pipeline():
        return driver.pipeline()
    return nullcontext()
