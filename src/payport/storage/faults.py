"""
What a database's error means to payport: one table. The driver's error stays as the cause, and the
toolkit's, whose text can hold the values of a row, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

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
from payport.storage.beginning import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

__all__ = [
    "AWAY",
    "STRANGE",
    "Said",
    "driver_fault",
    "fault_from",
    "guarded",
    "place_of",
    "refused",
]

T = TypeVar("T")

_LOCKED: Final = (
    StoreUnavailable,
    (
        "is locked: something else has been writing to it for too long. Look for another process, "
        "a backup, or a transaction of your own that is open on it while you call payport, "
        "which never joins it."
    ),
)
_DAMAGED: Final = (
    StoreUnavailable,
    "is damaged. Stop every process that uses it and restore it from a backup.",
)

_NOT_OURS: Final = (
    "has not the tables that this payport works with. Make them, or bring them up to date, with "
    "payport.storage.upgrade(store)."
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


_CUT_OFF: Final = (StoreUnavailable, "is being stopped or started, or closed the connection.")
_SCARCE: Final = (
    StoreUnavailable,
    "has used up its connections or memory. Let fewer processes use it, or give it more.",
)
_MET: Final = (StoreConflict, "let two transactions meet, and ended this one. It may run again.")

#: By PostgreSQL's SQLSTATE or its class, the first two characters.
#: Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: Final[dict[str, tuple[type[PayportError], str]]] = {
    "08": (StoreUnavailable, "closed the connection."),
    "23505": (StoreConflict, "holds this row already."),
    "25006": (
        StoreUnavailable,
        (
            "is read-only: it is a standby, or default_transaction_read_only is on. Let this "
            "process connect to the primary."
        ),
    ),
    "25P03": _CUT_OFF,
    "25P04": _CUT_OFF,
    "28": (ConfigurationError, "does not let this user in. Look at its name and password."),
    "3D000": (ConfigurationError, "does not exist. Make it, or name another one."),
    "3F000": (ConfigurationError, _NOT_OURS),
    "40001": _MET,
    "40P01": _MET,
    "42501": (
        ConfigurationError,
        (
            "does not let this user do that. Grant it SELECT, INSERT, UPDATE and DELETE on the "
            "tables payport_*, USAGE on their sequences and, to make or change the tables, CREATE."
        ),
    ),
    "42703": (ConfigurationError, _NOT_OURS),
    "42P01": (ConfigurationError, _NOT_OURS),
    "53": _SCARCE,
    "53100": (StoreUnavailable, "is full: there is no room on its disk. Make some."),
    "55P03": _LOCKED,
    "57014": (StoreUnavailable, "took longer than its statement_timeout allows."),
    "57P": _CUT_OFF,
    "58": (StoreUnavailable, "could not be read or written. Look at the disk that holds it."),
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}


Said: TypeAlias = tuple[type[PayportError], str]

STRANGE: Final[Said] = (StoreUnavailable, "did not answer as a database does.")
AWAY: Final[Said] = (StoreUnavailable, "cannot be reached or did not answer.")


def refused(error: BaseException) -> Said:
    """What an error means that the database has for nothing but wrong statements."""
    kind = type(error).__name__
    return StoreError, f"refused a statement ({kind}): this is a bug in payport."


def place_of(engine: Engine) -> str:
    """What messages call the database. Never its password."""
    database = f"the database {engine.url.database!r}"
    schema = engine.get_execution_options().get(SCHEMA)
    return database if schema is None else f"the schema {schema!r} of {database}"


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
    kind, said = _named(cause) or _meaning(error)
    fault = kind(f"{place} {said}", operation="store.transact")
    fault.__cause__ = cause
    return fault


def driver_fault(error: Exception, place: str, unnamed: Said = STRANGE) -> PayportError:
    """
    Payport's error for one of a driver, which is its cause.

    Args:
        unnamed: What an error means that has no name of the database's.
    """
    kind, said = _named(error) or unnamed
    fault = kind(f"{place} {said}", operation="store.transact")
    fault.__cause__ = error
    return fault


def _named(cause: BaseException | None) -> tuple[type[PayportError], str] | None:
    """What the database's own name for the error says."""
    sqlite_name: str | None = getattr(cause, "sqlite_errorname", None)
    if sqlite_name is not None:
        # "SQLITE_IOERR_FSYNC" is known as "IOERR_FSYNC" or, failing that, as "IOERR".
        name = sqlite_name.removeprefix("SQLITE_")
        return _SQLITE.get(name) or _SQLITE.get(name.split("_")[0])
    state: str = getattr(cause, "sqlstate", None) or ""
    known = (state, state[:3], state[:2])
    return next((_POSTGRESQL[code] for code in known if code in _POSTGRESQL), None)


def _meaning(error: SQLAlchemyError) -> tuple[type[PayportError], str]:
    if isinstance(error, PoolTimeout):
        return StoreUnavailable, (
            "has no connection free: all of the engine's pool were in use for as long as it waits. "
            "Let fewer threads or tasks work at once, or give the pool more connections."
        )
    if isinstance(error, OperationalError | InterfaceError):
        return AWAY
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost:
        return StoreUnavailable, "closed the connection."
    return refused(error)
