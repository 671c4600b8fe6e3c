"""
A SQLAlchemy connection that rides on Django's own: payport's statements go through the driver's
connection that the ORM uses, and Django alone begins, commits, rolls back and closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["may_ride", "riding_engine"]


class _Riding:
    """
    The driver's connection as SQLAlchemy is shown it: its transactions, its life and what is set
    up for all who use it are Django's, and nothing is done about them here.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def commit(self) -> None:
        """Django's `atomic` does."""

    def rollback(self) -> None:
        """Django's `atomic` does."""

    def close(self) -> None:
        """Django does."""


class _SqliteRiding(_Riding):
    def create_function(self, *_: object, **__: object) -> None:
        """SQLAlchemy's REGEXP would take the place of Django's, which the ORM's lookups use."""


class _PsycopgRiding(_Riding):
    def add_notice_handler(self, _: object) -> None:
        """SQLAlchemy logs notices; Django's connection stays as it was made."""

    def cursor(self) -> Any:
        """
        The driver's plain cursor. Django's has loaders of its own, which take the offset from
        moments in projects with USE_TZ = False.
        """
        from psycopg import Cursor  # noqa: PLC0415 - only where it is the driver
        from psycopg.types.datetime import TimestamptzLoader  # noqa: PLC0415

        cursor = Cursor(self._driver)
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        return cursor


#: By what Django calls the database: the toolkit's name, and how its driver is shown.
_KINDS: Final[dict[str, tuple[str, type[_Riding]]]] = {
    "sqlite": ("sqlite+pysqlite", _SqliteRiding),
    "postgresql": ("postgresql+psycopg", _PsycopgRiding),
}


def may_ride(database: BaseDatabaseWrapper) -> bool:
    """Whether it is a kind of database that payport knows."""
    return database.vendor in _KINDS


def riding_engine(
    database: BaseDatabaseWrapper, current: Callable[[], BaseDatabaseWrapper]
) -> sa.Engine:
    """
    An engine whose connections ride on Django's. Making it does no I/O.

    Args:
        database: One of Django's connections to the database, to see what it is.
        current: Gives Django's connection for the calling thread.

    Raises:
        ConfigurationError: payport cannot keep its journal in such a database.
    """
    if not may_ride(database):
        raise ConfigurationError(
            f"payport cannot keep its journal in Django's {database.vendor} database "
            f"{database.alias!r}. Use PostgreSQL or SQLite, or another database for payport alone: "
            "PAYPORT = {'STORE': 'sqlite:////srv/shop/payments.db'}.",
            field="store",
        )
    driver: str = getattr(database, "Database").__name__  # noqa: B009 - the type has it not
    if database.vendor == "postgresql" and driver != "psycopg":
        raise ConfigurationError(
            f"payport works on PostgreSQL through psycopg 3, and not through {driver}, which "
            "Django has found. Install psycopg[binary].",
            field="store",
        )
    name, riding = _KINDS[database.vendor]
    options: dict[str, Any] = {} if database.vendor == "sqlite" else {"use_native_hstore": False}
    return sa.create_engine(
        sa.URL.create(name, database=str(database.settings_dict["NAME"])),
        creator=lambda: riding(current().connection),
        poolclass=NullPool,
        hide_parameters=True,
        **options,
    )
