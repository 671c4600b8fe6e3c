"""
Several values at once, in one statement for any number of them: they are told in slices of one
length, so that a driver compiles and prepares the statement once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["among", "slices"]

#: As many as a worker takes at once.
_MOST: Final = 20
_NAMES: Final = tuple(f"one_{number}" for number in range(_MOST))


def among(column: sa.Column[Any]) -> ColumnElement[bool]:
    """Whether the column is one of a slice's values."""
    return column.in_([sa.bindparam(name, type_=column.type) for name in _NAMES])


def slices(values: Collection[str]) -> Iterator[Mapping[str, str]]:
    """The values of `among`, a statement's worth at a time; the last one is told again and again."""
    left = iter(values)
    while some := list(islice(left, _MOST)):
        yield dict(zip(_NAMES, [*some, *[some[-1]] * (_MOST - len(some))], strict=True))
