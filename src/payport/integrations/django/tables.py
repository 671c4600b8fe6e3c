"""
payport's tables as Django's migrations make and drop them: by payport's own migrations, through
Django's connection and in its transaction, so there is one definition of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.integrations.django._riding import may_ride, riding_engine
from payport.storage.migrate import VERSION_TABLE, migrate, version_of
from payport.storage.schema import metadata, operations

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

__all__ = ["drop_tables", "made_at"]


def made_at(revision: str) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    """
    What makes the tables, or brings them to a revision of payport's; for `RunPython`. It leaves
    alone what cannot hold a journal: a project may have that somewhere else.
    """

    def make(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        del apps
        _run(editor, lambda connection: migrate(connection, revision))

    return make


def drop_tables(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """
    Drop all tables of payport's; for the way back of `RunPython`.

    Raises:
        ConfigurationError: They hold operations of a live account: without the journal a repeated
            payment would be a second one.
    """
    del apps
    _run(editor, _drop)


def _drop(connection: sa.Connection) -> None:
    if version_of(connection) is None:
        return
    live = sa.select(sa.func.count()).where(operations.c.environment == Environment.LIVE.value)
    if connection.scalar(live):
        raise ConfigurationError(
            "the tables hold the journal of live payments, and are not dropped by a migration: a "
            "payment that is repeated without it is a second one. Drop them by hand if it is kept "
            "elsewhere.",
            field="store",
        )
    metadata.drop_all(connection, checkfirst=False)
    connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))


def _run(editor: BaseDatabaseSchemaEditor, step: Callable[[sa.Connection], None]) -> None:
    database = editor.connection
    if not may_ride(database):
        return
    database.ensure_connection()
    engine = riding_engine(database, lambda: database)
    with engine.connect() as connection, connection.begin():
        step(connection)
