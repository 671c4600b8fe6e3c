"""
From what an application passes as `store` to a store. No I/O, and no SQL toolkit is imported before
one is asked for.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from payport.domain.errors import ConfigurationError
from payport.storage.memory import AsyncMemoryStore, MemoryStore

if TYPE_CHECKING:
    from payport.storage.base import AsyncStore, Store

__all__ = ["is_relative_sqlite", "open_async_store", "open_store"]

#: Names the file of an embedded store; the driver's name is allowed and makes no difference.
_SQLITE: Final = re.compile(r"sqlite(?:\+(?:pysqlite|aiosqlite))?://(?P<rest>.*)", re.DOTALL)

#: By psycopg 3, whose name is allowed.
_POSTGRES: Final = re.compile(r"postgresql(?:\+psycopg)?://.*", re.DOTALL)

_HELP: Final = (
    "Pass store='sqlite:////srv/shop/payments.db' (four slashes: an absolute path), "
    "store='postgresql://user:password@host/database', a SQLAlchemy engine, or in tests "
    "store='memory'."
)


def open_store(store: object) -> Store:
    """
    The sync store for what an application passes; nothing is opened before its first use.

    Args:
        store: `"memory"`, a URL of SQLite or PostgreSQL (text or SQLAlchemy's), an `Engine`, or a
            `Store`, which is returned as it is.

    Raises:
        ConfigurationError: It is none of them, is of the other colour, or cannot hold a journal;
            or SQLAlchemy is not installed.
    """
    if hasattr(store, "transact"):
        _refuse_colour(hasattr(store, "aclose"), "an async store", "AsyncPayport")
        return cast("Store", store)
    if store == "memory":
        return MemoryStore()
    if _is_engine(store):
        _refuse_colour(hasattr(store, "sync_engine"), "an AsyncEngine", "AsyncPayport")
        _need_sql()
        from payport.storage.engines import SyncSqlStore  # noqa: PLC0415 - imports SQLAlchemy

        return SyncSqlStore(cast("Any", store))
    if _is_postgres(store):
        _need_psycopg()
        from payport.storage.postgres import PostgresStore  # noqa: PLC0415 - imports SQLAlchemy

        return PostgresStore(_text(store))
    path = _sqlite_path(store)
    _need_sql()
    from payport.storage.sqlite import SqliteStore  # noqa: PLC0415 - imports SQLAlchemy

    return SqliteStore(path)


def open_async_store(store: object) -> AsyncStore:
    """
    The async store for what an application passes; as `open_store`, with an `AsyncEngine`.

    A `MemoryStore` is shared with the sync client that has it.
    """
    if isinstance(store, MemoryStore):
        return AsyncMemoryStore(store)
    if hasattr(store, "transact"):
        _refuse_colour(not hasattr(store, "aclose"), "a sync store", "Payport")
        return cast("AsyncStore", store)
    if store == "memory":
        return AsyncMemoryStore()
    if _is_engine(store):
        _refuse_colour(not hasattr(store, "sync_engine"), "an Engine", "Payport")
        _need_sql()
        from payport.storage.engines import AsyncSqlStore  # noqa: PLC0415 - imports SQLAlchemy

        return AsyncSqlStore(cast("Any", store))
    if _is_postgres(store):
        _need_psycopg()
        from payport.storage.postgres import AsyncPostgresStore  # noqa: PLC0415 - as above

        return AsyncPostgresStore(_text(store))
    path = _sqlite_path(store)
    _need_sql()
    from payport.storage.sqlite import AsyncSqliteStore  # noqa: PLC0415 - imports SQLAlchemy

    return AsyncSqliteStore(path)


def is_relative_sqlite(store: object) -> bool:
    """
    Whether a store is a SQLite file by a relative path: from another working directory it would be
    another file, and so another journal. Takes what `open_store` takes.
    """
    url = getattr(store, "url", store)
    found = _SQLITE.fullmatch(_text(url))
    if found is None:
        return False
    path = found["rest"].removeprefix("/").partition("?")[0]
    return path not in {"", ":memory:"} and not Path(path).is_absolute()


def _refuse_colour(wrong: bool, what: str, client: str) -> None:  # noqa: FBT001 - reads as "if"
    if wrong:
        raise ConfigurationError(
            f"{what} was passed to the client of the other colour. Use {client} with it.",
            field="store",
        )


def _is_engine(store: object) -> bool:
    return hasattr(store, "dialect") and hasattr(store, "connect")


def _is_postgres(store: object) -> bool:
    return _POSTGRES.fullmatch(_text(store)) is not None


def _text(url: object) -> str:
    render = getattr(url, "render_as_string", None)
    return str(render(hide_password=False) if render is not None else url)


def _sqlite_path(store: object) -> str:
    """The path in a SQLite URL."""
    found = _SQLITE.fullmatch(_text(store))
    if found is None:
        # Not repeated: a URL may hold a password.
        raise ConfigurationError(f"this is no store that payport knows. {_HELP}", field="store")
    rest = found["rest"]
    path = rest.removeprefix("/")
    if path in {"", ":memory:"} or not rest.startswith("/"):
        raise ConfigurationError(f"the URL names no file. {_HELP}", field="store")
    if "?" in path:
        raise ConfigurationError(
            "a SQLite URL for payport has no options: payport sets those that keep money safe, and "
            f"no others. {_HELP}",
            field="store",
        )
    return path


def _need_sql() -> None:
    if not all(map(find_spec, ("sqlalchemy", "alembic"))):
        raise ConfigurationError(
            "a store in a database needs SQLAlchemy and alembic. Install them with: "
            "pip install 'payport[sql]'",
            field="store",
        )


def _need_psycopg() -> None:
    _need_sql()
    try:
        import_module("psycopg")
    except ImportError as error:
        # psycopg may be there without the library that it works on, and says so in its error.
        raise ConfigurationError(
            "a PostgreSQL store needs psycopg 3. Install it with: pip install 'payport[postgres]'",
            field="store",
        ) from error
