"""
What people do with a store rather than programs: make its tables, and say what became of it. No SQL
toolkit is imported before one is asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from payport.domain.errors import InvalidRequest
from payport.storage.base import RestorationKind, RestorationRecord
from payport.storage.urls import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from payport.storage.base import Transaction

__all__ = ["acknowledge_restored", "mark_restored", "restoration", "restorations", "upgrade"]

T = TypeVar("T")

#: Characters of a person's words: enough for a paragraph, and not for a file.
_LONGEST: Final = 1000


def upgrade(store: object) -> None:
    """
    Make payport's tables, or bring them to the version that this payport works with.

    On PostgreSQL somebody has to do this before a first use and after every upgrade of payport;
    processes that work with the older tables are stopped before. It waits for others who do the
    same. A SQLite file is brought up to date by whoever opens it, and so by this.

    Args:
        store: A database URL, an `Engine`, or a `Connection`, whose transaction the caller commits;
            with an `AsyncEngine`: `await connection.run_sync(payport.storage.upgrade)`.

    Raises:
        ConfigurationError: It is no database, this user may not, or a newer payport made the
            tables.
        StoreUnavailable: The database cannot be reached.
    """
    if hasattr(store, "in_transaction") and hasattr(store, "exec_driver_sql"):
        from payport.storage.migrate import migrate  # noqa: PLC0415 - imports SQLAlchemy

        migrate(cast("Any", store))
        return
    with _opened(store) as opened:
        # Memory has nothing to make, and a SQLite file is made by its first use.
        if hasattr(opened, "upgrade"):
            opened.upgrade()
        else:
            opened.transact(_nothing)


def mark_restored(store: object, *, author: str, reason: str) -> None:
    """
    Say that a database was restored from a backup, before anything uses it: nothing is sent to a
    live account from it until `acknowledge_restored`. What payport can notice by itself it marks by
    itself; a snapshot of a whole machine or disk it cannot notice.

    Args:
        store: A database URL, an `Engine`, or a `Store`.
        author: Who says so.
        reason: Why. Both are kept for ever.

    Raises:
        InvalidRequest: A word is missing.
        ConfigurationError, StoreUnavailable: As `upgrade`.
    """
    _say(store, RestorationKind.RESTORED, author, reason)


def acknowledge_restored(store: object, *, author: str, reason: str) -> None:
    """
    Say that a restored or copied database may send to live accounts, because somebody has compared
    it with the provider, and no other copy sends any more. From now on it is at home where it is.

    Arguments and errors as `mark_restored`.
    """
    _say(store, RestorationKind.ACKNOWLEDGED, author, reason)


def restorations(store: object) -> Sequence[RestorationRecord]:
    """What persons said about the database and its backups, in the order in which they said it."""
    return _with(store, lambda tx: tx.restorations())


def _nothing(tx: Transaction) -> None:
    """A unit of work that only opens the store."""


def restoration(kind: RestorationKind, *, author: str, reason: str) -> RestorationRecord:
    """
    A person's word, given now, for `Transaction.add_restoration`.

    Raises:
        InvalidRequest: A word is missing.
    """
    said: dict[str, object] = {"author": author, "reason": reason}
    for field, words in said.items():
        if not isinstance(words, str) or not words.strip() or len(words) > _LONGEST:
            raise InvalidRequest(
                f"say who you are and why, in 1 to {_LONGEST} characters each",
                operation="storage.restored",
                field=field,
            )
    return RestorationRecord(at=datetime.now(UTC), kind=kind, author=author, reason=reason)


def _say(store: object, kind: RestorationKind, author: str, reason: str) -> None:
    word = restoration(kind, author=author, reason=reason)
    _with(store, lambda tx: tx.add_restoration(word))


def _with(store: object, work: Callable[[Transaction], T]) -> T:
    with _opened(store) as opened:
        result: T = opened.transact(work)
        return result


@contextmanager
def _opened(store: object) -> Generator[Any]:
    opened = open_store(store)
    try:
        yield opened
    finally:
        if opened is not store:
            opened.close()
