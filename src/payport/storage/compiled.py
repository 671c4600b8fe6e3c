"""
Statements as a driver takes them: compiled once for the process, by the toolkit, with what makes
values and rows fit. Runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Compiled", "Compiler"]


class Compiled:
    """One statement for a driver: its text, and what makes values and rows fit."""

    __slots__ = ("_columns", "_constants", "_made", "_names", "_readers", "sql")

    def __init__(self, compiled: Any, columns: Sequence[Any]) -> None:
        self.sql: str = str(compiled)
        dialect, constants = compiled.dialect, compiled.params
        self._names: tuple[str, ...] = tuple(compiled.positiontup)
        self._constants = {name: value for name, value in constants.items() if name in self._names}
        kinds = (compiled.binds[name].type for name in self._names)
        made = (_processor(dialect, kind, "bind_processor") for kind in kinds)
        self._made = [(at, make) for at, make in enumerate(made) if make is not None]
        self._columns = [column.key for column in columns]
        readers = ((c.key, _processor(dialect, c.type, "result_processor", None)) for c in columns)
        self._readers = [(name, read) for name, read in readers if read is not None]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement's places."""
        given = {**self._constants, **values} if self._constants else values
        parameters = [given.get(name) for name in self._names]
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
        return Compiled(compiled, list(statement.selected_columns) if reads else [])


def _processor(dialect: Any, kind: Any, which: str, *more: Any) -> Callable[[Any], Any] | None:
    """What the type does to a value between here and the driver; None where it does nothing."""
    implementation = kind.dialect_impl(dialect)
    made: Callable[[Any], Any] | None = getattr(implementation, which)(dialect, *more)
    return made
