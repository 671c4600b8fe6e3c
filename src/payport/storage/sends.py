"""
Whether a database may send live requests. One that was restored from a backup has forgotten what
was sent since, and a copy does not see what the other one sends: then a person has to look first.

Each kind of database knows in its own way where it is at home: see `sqlite_sends` and
`postgres_sends`. A person's word on it is a row like any other, and that is the transaction's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from payport.storage.sql import SqlTransaction

__all__ = ["ANY_HOME", "AnyHome", "Sends", "restored"]


class Sends(Protocol):
    """What a store knows about its database beyond the rows. Threads use it at once."""

    def check(self, tx: SqlTransaction, *, count: bool) -> None:
        """
        Refuse where the database is not the one that sent before.

        Args:
            count: A send is about to begin, if the transaction commits.

        Raises:
            ConfigurationError: It was restored or copied.
        """
        ...

    def settle(self, tx: SqlTransaction) -> None:
        """A person said that it may go on: from the commit on, this is its home."""
        ...

    def close(self) -> None:
        """Free what `check` opened. It may be used again."""
        ...


class AnyHome:
    """Of a database of which nothing is known but its rows."""

    def check(self, tx: SqlTransaction, *, count: bool) -> None:
        """See `Sends`."""

    def settle(self, tx: SqlTransaction) -> None:
        """See `Sends`."""

    def close(self) -> None:
        """See `Sends`."""


ANY_HOME: Final = AnyHome()


def restored(place: str, why: str) -> ConfigurationError:
    """The error of a live send from a database that was restored."""
    return ConfigurationError(
        f"{place} {why}. It may have forgotten what was sent, so nothing is sent to a live account "
        "until somebody has compared it with the provider and says so: "
        "payport.storage.acknowledge_restored(store, author=..., reason=...) or "
        "`payport db acknowledge`.",
        field="store",
    )
