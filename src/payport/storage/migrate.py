"""
Brings the tables to the version that this payport works with, by alembic, and refuses what it does
not know. alembic is imported only where there is something to do. There is no way back: an older
payport refuses a newer database.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from payport.domain.errors import ConfigurationError
from payport.storage.autogenerate import PREFIX
from payport.storage.beginning import quoted, schema_of
from payport.storage.faults import place_of

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

__all__ = ["HEAD", "VERSION_TABLE", "check", "migrate", "version_of"]

#: The latest revision in `migrations/versions`.
HEAD: Final = "0002"

#: payport's own; the application's alembic keeps another one.
VERSION_TABLE: Final = "payport_alembic_version"

_ONE_AT_A_TIME: Final = threading.Lock()

_VERSION: Final = sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(VERSION_TABLE))

#: The tables that PostgreSQL finds by their names alone, or in a schema.
_TABLES: Final = sa.text(
    "SELECT relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
    "ON n.oid = c.relnamespace WHERE relkind IN ('r', 'p') AND relname LIKE 'payport\\_%' AND "
    "CASE WHEN :schema = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE nspname = :schema END"
)

#: Of PostgreSQL's advisory locks; drawn once.
_LOCK: Final = 7_243_392_716_485_120_001


def version_of(connection: sa.Connection) -> str | None:
    """
    The revision of the tables; None where there are none.

    Raises:
        ConfigurationError: There are tables, but what made them left no version.
    """
    tables = _tables_of(connection)
    version = connection.scalar(_VERSION) if VERSION_TABLE in tables else None
    if version is None and any(name.startswith(PREFIX) for name in tables):
        raise ConfigurationError(
            f"the database has tables of payport's, but {VERSION_TABLE} names no version. "
            "Restore it from a backup: nothing was read or written.",
            field="store",
        )
    return version


def _tables_of(connection: sa.Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(sa.inspect(connection).get_table_names())
    # Not by the inspector, which knows the first schema of the search path alone.
    return set(connection.scalars(_TABLES, {"schema": schema_of(connection) or ""}))


def check(connection: sa.Connection) -> None:
    """
    Refuse tables that are not this payport's, within the connection's transaction. Changes nothing.

    Raises:
        ConfigurationError: There are none, or those of another version.
    """
    place, version = place_of(connection.engine), version_of(connection)
    if version is None:
        raise ConfigurationError(
            f"{place} has no tables of payport's. Make them once, as a user who may, with "
            "payport.storage.upgrade(store) or `payport db upgrade`: nothing was read or written.",
            field="store",
        )
    if version > HEAD:
        raise _newer(version)
    if version < HEAD:
        raise ConfigurationError(
            f"{place} has tables of version {version!r}, and this payport works with {HEAD!r}. "
            "Bring them up to date with payport.storage.upgrade(store) or `payport db upgrade`: "
            "nothing was read or written.",
            field="store",
        )


def migrate(connection: sa.Connection, to: str = HEAD) -> None:
    """
    Make or change the tables within the connection's transaction, which the caller commits.

    SQLite's one writer keeps a second process from doing the same; on PostgreSQL a lock does.

    Args:
        to: The revision that is wanted; tables of a later one stay as they are.

    Raises:
        ConfigurationError: A newer payport made the tables.
    """
    if connection.dialect.name == "postgresql":
        _alone(connection)
    version = version_of(connection)
    if version is not None and to <= version <= HEAD:
        return
    from alembic import command  # noqa: PLC0415 - a fifth of a second, spared when up to date
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "payport.storage:migrations")
    config.attributes["connection"] = connection
    _refuse_newer(version, ScriptDirectory.from_config(config))
    # alembic keeps the running migration in module globals.
    with _ONE_AT_A_TIME:
        command.upgrade(config, to)


def _alone(connection: sa.Connection) -> None:
    """Wait for others who migrate, and make the schema if it was named and is missing."""
    connection.execute(sa.text("SELECT set_config('lock_timeout', '0', true)"))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    schema = schema_of(connection)
    if schema is None:
        return
    if not sa.inspect(connection).has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema))
    # It alone: alembic must not take another schema's tables for ours.
    connection.execute(sa.select(sa.func.set_config("search_path", quoted(schema), sa.true())))


def _refuse_newer(version: str | None, known: ScriptDirectory) -> None:
    revisions = {script.revision for script in known.walk_revisions()}
    if version is not None and version not in revisions:
        raise _newer(version)


def _newer(version: str) -> ConfigurationError:
    return ConfigurationError(
        f"the database has tables of version {version!r}, which this payport does not know: a "
        "newer one made them. Upgrade payport here too: nothing was read or written.",
        field="store",
    )
