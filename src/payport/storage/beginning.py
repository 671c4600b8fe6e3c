"""
How a transaction begins in each kind of database, so that it may write, lasts once it is committed,
and never waits for ever. What an engine, a role or a server has as its defaults does not matter.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["SCHEMA", "begin", "begin_messages", "quoted", "schema_of"]

#: Names the schema of payport's tables: in a URL's query and in an engine's execution options.
SCHEMA: Final = "payport_schema"

#: Seconds to wait for a lock on PostgreSQL, as on SQLite. Ours are held for milliseconds.
_WAIT: Final = 5

_ISOLATED: Final = "ISOLATION LEVEL READ COMMITTED"

#: Only "remote_apply" waits for more than "on" does.
_DURABLE: Final = (
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
    "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"
)


def begin(connection: Connection) -> None:
    """
    Begin a transaction that may write.

    A connection that turns out to be dead is replaced once: its server was restarted or cut it off
    while nobody used it, and nothing was done on it yet.
    """
    try:
        _begin(connection)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        connection.rollback()
        _begin(connection)


def schema_of(connection: Connection) -> str | None:
    """The schema that was named for payport's tables; None: wherever the search path finds them."""
    schema: str | None = connection.get_execution_options().get(SCHEMA)
    return schema


def quoted(schema: str) -> str:
    """The schema as an identifier, for a setting. Not by the toolkit, which would double a "%"."""
    doubled = schema.replace('"', '""')
    return f'"{doubled}"'


def _begin(connection: Connection) -> None:
    connection.begin()
    if connection.dialect.name == "sqlite":
        _begin_sqlite(connection)
    else:
        _begin_postgresql(connection)


def _begin_sqlite(connection: Connection) -> None:
    """
    SQLite's drivers would begin one that only reads, and its later turn to writing could fail with
    nothing to wait for: so it is begun by hand, whatever the driver's mode is.
    """
    if getattr(connection.connection.driver_connection, "in_transaction", False):
        # Begun by the driver or a listener of the application's, and empty: this unit came first.
        connection.exec_driver_sql("ROLLBACK")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    """
    All in one message to the server. Rows are locked by name, which READ COMMITTED is made for:
    under stricter levels writers that merely follow each other would fail.
    """
    driver: Any = connection.connection.driver_connection
    message = _settings(schema_of(connection))
    if driver.info.transaction_status == 0:
        # Idle. psycopg begins by itself, unless it is told to commit by itself.
        begin_or_set = "BEGIN" if driver.autocommit else "SET TRANSACTION"
        message = f"{begin_or_set} {_ISOLATED}; {message}"
    connection.exec_driver_sql(message.replace("%", "%%"))


def begin_messages(schema: str | None) -> tuple[str, str]:
    """
    The same for psycopg itself, on an idle connection that commits each statement by itself unless
    it is begun on.
    """
    return f"BEGIN {_ISOLATED}", _settings(schema)


@cache
def _settings(schema: str | None) -> str:
    """Settings of this transaction alone: a pooler may give the connection to others after it."""
    settings = [_DURABLE, f"set_config('lock_timeout', '{_WAIT}s', true)"]
    if schema is not None:
        literal = quoted(schema).replace("'", "''")
        # Before the others, which tables of the application's own are found by.
        settings.append(
            f"set_config('search_path', concat_ws(', ', '{literal}', "
            "nullif(current_setting('search_path'), '')), true)"
        )
    return f"SELECT {', '.join(settings)}"
