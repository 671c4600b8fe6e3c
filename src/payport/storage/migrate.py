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

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

__all__ = ["HEAD", "VERSION_TABLE", "migrate", "version_of"]

#: The latest revision in `migrations/versions`.
HEAD: Final = "0001"

#: payport's own; the application's alembic keeps another one.
VERSION_TABLE: Final = "payport_alembic_version"

_ONE_AT_A_TIME: Final = threading.Lock()

_VERSION: Final = sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(VERSION_TABLE))


def version_of(connection: sa.Connection) -> str | None:
    """
    The revision of the tables; None where there are none.

    Raises:
        ConfigurationError: There are tables, but what made them left no version.
    """
    tables = set(sa.inspect(connection).get_table_names())
    version = connection.scalar(_VERSION) if VERSION_TABLE in tables else None
    if version is None and any(name.startswith(PREFIX) for name in tables):
        raise ConfigurationError(
            f"the database has tables of payport's, but {VERSION_TABLE} names no version. "
            "Restore it from a backup: nothing was read or written.",
            field="store",
        )
    return version


def migrate(connection: sa.Connection) -> None:
    """
    Make or change the tables within the connection's transaction, which the caller commits.

    The caller holds whatever keeps a second process from doing the same.

    Raises:
        ConfigurationError: A newer payport made the tables.
    """
    version = version_of(connection)
    if version == HEAD:
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
        command.upgrade(config, HEAD)


def _refuse_newer(version: str | None, known: ScriptDirectory) -> None:
    if version is not None and version not in {
        script.revision for script in known.walk_revisions()
    }:
        raise ConfigurationError(
            f"the database has tables of version {version!r}, which this payport does not know: a "
            "newer one made them. Upgrade payport here too: nothing was read or written.",
            field="store",
        )
