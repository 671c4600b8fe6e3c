"""
For tests of a project whose store is Django's: Django's own tests empty the tables of models after
each `TransactionTestCase`, and payport's are not among them.

    class CheckoutTests(TransactionTestCase):
        def setUp(self):
            self.addCleanup(empty_tables)

A `TestCase` holds a transaction open, which payport does not join: there, say
`override_settings(PAYPORT={"PROVIDER": FakeProvider(), "STORE": "memory"})`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import sqlalchemy as sa

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.integrations.django.store import DjangoStore
from payport.storage.base import Transaction
from payport.storage.schema import metadata, operations, store

if TYPE_CHECKING:
    from payport.storage.sql import SqlTransaction

__all__ = ["empty_tables"]

_LIVE: Final = sa.select(sa.func.count()).where(operations.c.environment == Environment.LIVE.value)


def empty_tables(using: str = "default") -> None:
    """
    Delete all that payport has written to a database.

    Raises:
        ConfigurationError: There are operations of a live account: this is no test's database.
    """
    DjangoStore(using).transact(_emptied)


def _emptied(tx: Transaction) -> None:
    connection: sa.Connection = cast("SqlTransaction", tx).connection
    if connection.scalar(_LIVE):
        raise ConfigurationError(
            "the tables hold operations of a live account, which are no test's to delete",
            operation="empty_tables",
        )
    for table in reversed(metadata.sorted_tables):
        if table is not store:  # tells the database from a copy
            connection.execute(sa.delete(table))
