"""
Rows by the moment for which they wait: what a database does with an index on the moment, for the
memory store. Knows nothing of what a row is beyond its moment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

__all__ = ["Agenda"]

R = TypeVar("R")


class Agenda(dict[str, R]):
    """
    Rows by id that are also kept in the order of their moments, so that the earliest are found
    without a look at the others. Changed by `agenda[id] = row`, `del` and `pop` alone.

    Args:
        moment: The moment for which a row waits.
    """

    __slots__ = ("_moment", "_order")

    def __init__(self, moment: Callable[[R], datetime]) -> None:
        super().__init__()
        self._moment = moment
        # A list and no heap: rows leave from anywhere, and moving its tail costs less than one
        # comparison in Python as long as it fits into the processor's cache.
        self._order: list[tuple[datetime, str]] = []

    def __setitem__(self, key: str, row: R) -> None:
        if key in self:
            del self[key]
        insort(self._order, (self._moment(row), key))
        super().__setitem__(key, row)

    def __delitem__(self, key: str) -> None:
        del self._order[bisect_left(self._order, (self._moment(self[key]), key))]
        super().__delitem__(key)

    def pop(self, key: str) -> R:  # type: ignore[override]
        """Take a row out. It has to be there."""
        row = self[key]
        del self[key]
        return row

    def until(self, now: datetime) -> Iterator[R]:
        """The rows whose moment has come, the earliest first and by id within one moment."""
        for moment, key in self._order:
            if moment > now:
                return
            yield self[key]

    def outside(self, before: datetime, beyond: datetime) -> Iterator[R]:
        """The rows whose moment lies before `before` or after `beyond`, the earliest first."""
        for _, key in self._order[: bisect_left(self._order, (before, ""))]:
            yield self[key]
        later = bisect_left(self._order, beyond, key=lambda entry: entry[0])
        for moment, key in self._order[later:]:
            if moment > beyond:
                yield self[key]
