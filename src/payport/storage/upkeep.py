"""
What people do with a store rather than programs: make its tables. Nothing here is needed while
payments are taken, and no SQL toolkit is imported before one is asked for.
"""

from __future__ import annotations

from typing import Any, cast

from payport.storage.urls import open_store

__all__ = ["upgrade"]


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
    opened: Any = open_store(store)
    try:
        # Memory has nothing to make, and a SQLite file is made by its first use.
        make: Any = getattr(opened, "upgrade", lambda: opened.transact(lambda _: None))
        make()
    finally:
        if opened is not store:
            opened.close()
