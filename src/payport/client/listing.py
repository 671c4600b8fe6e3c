"""Listings: lazy, newest first, and page by page with a cursor; here those from the store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from payport.client.validation import check_limit
from payport.domain.errors import InvalidRequest
from payport.operations.steps import Steps, transact
from payport.storage.base import Cursor, InboxQuery, Query

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from payport.storage.base import Transaction

__all__ = ["AsyncListing", "Listing", "ListingSteps", "Page", "Pages"]

T = TypeVar("T")

_PER_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """
    Part of a listing.

    Attributes:
        items: The rows, newest first.
        next_cursor: Pass it to `.page(cursor=)` for the rows after these; None at the end.
    """

    items: tuple[T, ...]
    next_cursor: str | None


class Pages(Protocol[T]):
    """What a listing reads its pages from."""

    def page(self, cursor: str | None, limit: int) -> Steps[Page[T]]:
        """One page. Raises InvalidRequest for a bad cursor or limit, before any I/O."""
        ...


class ListingSteps(Generic[T]):
    """The colourless part of a listing: how one page is read, and where the next begins."""

    def __init__(
        self,
        query: Query | InboxQuery,
        read: Callable[[Transaction, Any], Sequence[T]],
        place: Callable[[T], Cursor],
        operation: str,
    ) -> None:
        self._query = query
        self._read = read
        self._place = place
        self._operation = operation

    def page(self, cursor: str | None, limit: int) -> Steps[Page[T]]:
        """One page. Raises InvalidRequest for a bad cursor or limit, before any I/O."""
        checked = check_limit(limit, operation=self._operation)
        after = None if cursor is None else self._decoded(cursor)
        # One more than asked tells whether there is a next page.
        query = replace(self._query, after=after, limit=checked + 1)
        return self._paged(query, checked)

    def _paged(self, query: Query | InboxQuery, limit: int) -> Steps[Page[T]]:
        rows = yield from transact(lambda tx: self._read(tx, query))
        shown = tuple(rows[:limit])
        more = len(rows) > limit
        return Page(items=shown, next_cursor=self._encoded(shown[-1]) if more else None)

    def _encoded(self, row: T) -> str:
        place = self._place(row)
        text = f"{place.created_at.isoformat()}|{place.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decoded(self, cursor: object) -> Cursor:
        place = _place_in(cursor) if isinstance(cursor, str) else None
        if place is None:
            raise InvalidRequest(
                "is not a cursor: pass the next_cursor of a page of the same listing",
                operation=self._operation,
                field="cursor",
            )
        return place


def _place_in(cursor: str) -> Cursor | None:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        moment, _, row_id = base64.urlsafe_b64decode(padded.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error):
        return None
    if created_at.tzinfo is None or not row_id:
        return None
    return Cursor(created_at=created_at, id=row_id)


class Listing(Generic[T]):
    """An iterable of rows; pages are read as they are needed."""

    def __init__(self, steps: Pages[T], drive: Callable[[Steps[Any]], Any]) -> None:
        self._steps = steps
        self._drive = drive

    def page(self, *, cursor: str | None = None, limit: int = _PER_PAGE) -> Page[T]:
        """
        One page.

        Args:
            cursor: The `next_cursor` of the page before; None for the first page.
            limit: At most this many rows, from 1 to 1000.

        Raises:
            InvalidRequest: The cursor or the limit is not one.
        """
        page: Page[T] = self._drive(self._steps.page(cursor, limit))
        return page

    def __iter__(self) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self.page(cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return


class AsyncListing(Generic[T]):
    """An async iterable of rows; pages are read as they are needed."""

    def __init__(self, steps: Pages[T], drive: Callable[[Steps[Any]], Awaitable[Any]]) -> None:
        self._steps = steps
        self._drive = drive

    async def page(self, *, cursor: str | None = None, limit: int = _PER_PAGE) -> Page[T]:
        """See `Listing.page`."""
        page: Page[T] = await self._drive(self._steps.page(cursor, limit))
        return page

    async def __aiter__(self) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self.page(cursor=cursor)
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return
