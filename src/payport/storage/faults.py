"""
What a database's error means to payport: one table. The driver's error stays as the cause, and the
toolkit's, whose text can hold the values of a row, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from payport.domain.errors import (
    ConfigurationError,
    PayportError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

__all__ = ["fault_from", "guarded", "place_of"]

T = TypeVar("T")

_LOCKED: Final = (
    StoreUnavailable,
    (
        "is locked: something else has been writing to it for too long. Look for another process, "
        "a backup, or a transaction of your own that is open on this file while you call payport, "
        "which never joins it."
    ),
)
_DAMAGED: Final = (
    StoreUnavailable,
    "is damaged. Stop every process that uses it and restore it from a backup.",
)

#: By the second word of SQLite's name for a result code. Source: https://sqlite.org/rescode.html
_SQLITE: Final[dict[str, tuple[type[PayportError], str]]] = {
    "BUSY": _LOCKED,
    "LOCKED": _LOCKED,
    "PROTOCOL": _LOCKED,
    "FULL": (StoreUnavailable, "is full: there is no room on its disk. Make some."),
    "READONLY": (
        StoreUnavailable,
        "is read-only. Let this process's user write the file and its directory.",
    ),
    "PERM": (StoreUnavailable, "may not be used by this process. Look at the file's permissions."),
    "CANTOPEN": (
        StoreUnavailable,
        "cannot be opened. Let this process's user write the file and its directory.",
    ),
    "IOERR": (StoreUnavailable, "could not be read or written. Look at the disk that holds it."),
    "NOMEM": (StoreUnavailable, "needs more memory than this process may have."),
    "CORRUPT": _DAMAGED,
    "NOTADB": (
        ConfigurationError,
        "is not a SQLite database. Name another file: payport does not write to this one.",
    ),
    "CONSTRAINT_UNIQUE": (StoreConflict, "holds this row already."),
    "CONSTRAINT_PRIMARYKEY": (StoreConflict, "holds this row already."),
}


def place_of(engine: Engine) -> str:
    """What messages call the database. Never its password."""
    return f"the database {engine.url.database!r}"


def guarded(place: str, step: Callable[[], T]) -> T:
    """
    Run a step on a database.

    Raises:
        PayportError: What the database's error means.
    """
    try:
        return step()
    except SQLAlchemyError as error:
        fault = fault_from(error, place)
    # Outside the handler: the toolkit's error would stay as the context, values of rows and all.
    raise fault


def fault_from(error: SQLAlchemyError, place: str) -> PayportError:
    """Payport's error for one of SQLAlchemy's, with the driver's as its cause."""
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, PayportError):
        return cause
    kind, said = _meaning(error, getattr(cause, "sqlite_errorname", None))
    fault = kind(f"{place} {said}", operation="store.transact")
    fault.__cause__ = cause
    return fault


def _meaning(error: SQLAlchemyError, sqlite_name: str | None) -> tuple[type[PayportError], str]:
    if sqlite_name is not None:
        # "SQLITE_IOERR_FSYNC" is known as "IOERR_FSYNC" or, failing that, as "IOERR".
        name = sqlite_name.removeprefix("SQLITE_")
        known = _SQLITE.get(name) or _SQLITE.get(name.split("_")[0])
        if known is not None:
            return known
    if isinstance(error, PoolTimeout):
        return StoreUnavailable, "has no connection free: the engine's pool is used up."
    if isinstance(error, OperationalError | InterfaceError):
        return StoreUnavailable, "cannot be reached or did not answer."
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost:
        return StoreUnavailable, "closed the connection."
    return StoreError, f"refused a statement ({type(error).__name__}): this is a bug in payport."
