"""
How the memory store answers a `Query`: what a database does with an index, done by looking at every
row. Knows nothing of what a row is beyond the parts that it is told to look at.
"""

from __future__ import annotations

import heapq
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from payport.storage.base import Query

__all__ = ["CREATED", "PREPARED", "SCOPE", "STATE", "STATUS", "newest"]

R = TypeVar("R")

SCOPE: Final = attrgetter("scope", "environment")
STATUS: Final = attrgetter("status")
STATE: Final = attrgetter("state")
CREATED: Final = attrgetter("created_at", "id")
PREPARED: Final = attrgetter("prepared_at", "id")


def newest(
    rows: Iterable[R],
    query: Query,
    scope: Callable[[R], object],
    status: Callable[[R], str],
    place: Callable[[R], tuple[datetime, str]],
) -> Sequence[R]:
    """
    The rows that the query asks for, newest first.

    Args:
        scope: The row's scope and environment.
        status: What the query's status is compared with.
        place: The moment and the id that rows are ordered by.
    """
    after = None if query.after is None else (query.after.created_at, query.after.id)

    def wanted(row: R) -> bool:
        at = place(row)
        return (
            scope(row) == (query.scope, query.environment)
            and (query.created_from is None or at[0] >= query.created_from)
            and (query.created_before is None or at[0] < query.created_before)
            and (after is None or at < after)
            and (query.status is None or status(row) == query.status)
            and (query.statuses is None or status(row) in query.statuses)
        )

    return heapq.nlargest(query.limit, filter(wanted, rows), key=place)
