"""A unit of work on a SQL database runs its statements, and reads rows, through this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import StoreConflict, StoreError
from payport.storage.statements import statements_for
from payport.storage.units import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Executable

    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.records import OperationRecord
    from payport.storage.running import Row, Running
    from payport.storage.sends import Sends

__all__ = ["SqlUnit"]

T = TypeVar("T")


class SqlUnit:
    """
    Runs statements on a SQLAlchemy connection, until it is ended.

    Attributes:
        afterwards: What is done after the commit.
    """

    def __init__(self, connection: Connection, place: str, running: Running, sends: Sends) -> None:
        self._connection: Any = connection
        self._running: Any = running
        self.afterwards: list[Callable[[], None]] = []
        self._sends = sends
        self._place = place
        self._sql = statements_for(connection.dialect.name)
        self._conflict: StoreConflict | None = None
        #: Payments as the store holds them, to write only what changed of their refs and refunds.
        self._stored: dict[str, PaymentIntent] = {}
        #: Operations by their keys, which one delivery asks for more than once; until one is
        #: written, or a row is locked: others may have written while this one waited for it.
        self._by_key: dict[str, OperationRecord | None] = {}
        #: Payments that were held before anything of them was read, and all events of them.
        self._held: set[str] = set()
        self._told: set[str] = set()

    @property
    def connection(self) -> Any:
        """The SQLAlchemy connection, for an application's statements that commit with these."""
        connection = self._connection
        self._running.settle()
        if not connection.in_transaction():
            # The store may have begun past the toolkit. An ORM session that finds no transaction
            # begins one of its own, and its commit would be everybody's.
            connection.begin()
        return connection

    def check(self) -> None:
        """Raise the conflict that the work swallowed: half a payment must not be kept."""
        if self._conflict is not None:
            raise self._conflict

    def end(self) -> None:
        """Make the transaction unusable: the connection is another unit's from now on."""
        self._connection = self._running = ENDED

    def _all(self, statement: Executable, **values: Any) -> Sequence[Row]:
        found: Sequence[Row] = self._running.all(statement, values)
        return found

    def _first(self, statement: Executable, **values: Any) -> Row | None:
        return self._running.first(statement, values)

    def _count(self, statement: Executable, values: Mapping[str, Any]) -> int:
        written: int = self._running.count(statement, values)
        return written

    def _write(
        self,
        statement: Executable,
        values: Mapping[str, Any],
        conflict: Callable[[], StoreConflict] | None = None,
    ) -> None:
        """Write, now or with what follows; that no row was there is a conflict if one is given."""
        self._running.write(statement, values, conflict)

    def _one(self, read: Callable[[Row], T], statement: Executable, **values: Any) -> T | None:
        row = self._first(statement, **values)
        return None if row is None else self._read(read, row)

    def _read(self, read: Callable[[Row], T], row: Row) -> T:
        try:
            return read(row)
        except (ValueError, TypeError):
            fault = StoreError(
                f"{self._place} holds a row that this payport cannot read. If a newer one wrote "
                "it, upgrade payport here too.",
                operation="store.transact",
            )
        # Outside the handler: pydantic's error repeats the values that it could not read.
        raise fault

    def _clash(self, message: str, operation: str = "save_payment") -> StoreConflict:
        self._conflict = StoreConflict(message, operation=f"store.{operation}")
        return self._conflict
