"""
Several values at once, in one statement for any number of them: they are told in slices of one
length, so that a driver compiles and prepares the statement once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["among", "among_pairs", "slices", "slices_of_pairs"]

T = TypeVar("T")

#: As many as a worker takes at once.
_MOST: Final = 20
_NAMES: Final = tuple(f"one_{number}" for number in range(_MOST))


def among(column: sa.Column[Any]) -> ColumnElement[bool]:
    """Whether the column is one of a slice's values."""
    return column.in_([sa.bindparam(name, type_=column.type) for name in _NAMES])


def among_pairs(column: sa.Column[Any], other: sa.Column[Any]) -> ColumnElement[bool]:
    """Whether the two columns are one of a slice's pairs."""
    return sa.or_(
        *(
            sa.and_(column == sa.bindparam(name), other == sa.bindparam(f"{name}_too"))
            for name in _NAMES
        )
    )


def slices(values: Collection[str]) -> Iterator[Mapping[str, str]]:
    """The values of `among`, a statement's worth at a time; the last one fills what is left."""
    for some in _filled(values):
        yield dict(zip(_NAMES, some, strict=True))


def slices_of_pairs(values: Collection[tuple[str, str]]) -> Iterator[Mapping[str, str]]:
    """The same for `among_pairs`."""
    for some in _filled(values):
        yield {
            **{name: pair[0] for name, pair in zip(_NAMES, some, strict=True)},
            **{f"{name}_too": pair[1] for name, pair in zip(_NAMES, some, strict=True)},
        }


def _filled(values: Collection[T]) -> Iterator[list[T]]:
    left = iter(values)
    while some := list(islice(left, _MOST)):
        yield [*some, *[some[-1]] * (_MOST - len(some))]
