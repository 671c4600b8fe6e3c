"""
Statements as a driver takes them: compiled once for the process, by the toolkit, with what makes
values and rows fit. Runs nothing.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = ["Compiled", "Compiler"]


class Compiled:
    """One statement for a driver: its text, and what makes values and rows fit."""

    __slots__ = ("_columns", "_constants", "_made", "_pick", "_readers", "sql")

    def __init__(self, compiled: Any, columns: Sequence[Any], given: Collection[str]) -> None:
        self.sql: str = str(compiled)
        dialect, constants = compiled.dialect, compiled.params
        names: Sequence[str] = compiled.positiontup
        #: The values in the order of the statement's places.
        self._pick = _picking(names)
        #: Those that the statement has of its own; most have none.
        self._constants = {name: constants[name] for name in names if name not in given}
        kinds = (compiled.binds[name].type for name in names)
        made = (_processor(dialect, kind, "bind_processor") for kind in kinds)
        self._made = [(at, make) for at, make in enumerate(made) if make is not None]
        self._columns = [column.key for column in columns]
        readers = ((c.key, _processor(dialect, c.type, "result_processor", None)) for c in columns)
        self._readers = [(name, read) for name, read in readers if read is not None]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """What the driver is given beside the statement."""
        parameters = list(self._pick({**self._constants, **values} if self._constants else values))
        for at, make in self._made:
            parameters[at] = make(parameters[at])
        return parameters

    def row(self, found: Sequence[Any]) -> dict[str, Any]:
        """The driver's row, by column and with our types."""
        row = dict(zip(self._columns, found, strict=True))
        for name, read in self._readers:
            row[name] = read(row[name])
        return row


class Compiler:
    """
    Compiles each statement once.

    Args:
        dialect: Of a driver that takes its values in order.
    """

    def __init__(self, dialect: Any) -> None:
        self._dialect = dialect
        #: By statement and by the columns that an insert or update names.
        self._known: dict[tuple[Any, ...], Compiled | None] = {}

    def __call__(self, statement: Any, values: Mapping[str, Any]) -> Compiled | None:
        """The statement with these values' names; None: only the toolkit can run it."""
        key = (statement, *values)
        try:
            return self._known[key]
        except KeyError:
            return self._known.setdefault(key, self._compile(statement, values))

    def _compile(self, statement: Any, values: Mapping[str, Any]) -> Compiled | None:
        reads = isinstance(statement, sa.Select)
        columns = [column.key for column in statement.table.columns] if not reads else []
        named = [name for name in values if name in columns]
        compiled = statement.compile(dialect=self._dialect, column_keys=None if reads else named)
        if compiled.post_compile_params:
            # A list of values is spelled out anew for each number of them.
            return None
        columns = list(statement.selected_columns) if reads else []
        return Compiled(compiled, columns, values.keys())


def _picking(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What takes values by their names, in this order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


def _processor(dialect: Any, kind: Any, which: str, *more: Any) -> Callable[[Any], Any] | None:
    """What the type does to a value between here and the driver; None where it does nothing."""
    implementation = kind.dialect_impl(dialect)
    made: Callable[[Any], Any] | None = getattr(implementation, which)(dialect, *more)
    return made
