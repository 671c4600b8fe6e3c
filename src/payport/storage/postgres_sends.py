"""
Whether a PostgreSQL database may send live requests: it is in the cluster, and on the timeline, in
which it sent before. A dump that was loaded elsewhere is in another cluster; a recovery to a point
in time, and a standby that was promoted, go on in another timeline and may lack the last commits.

What cannot be told: a snapshot of the server's disks that was put back, and a dump that was loaded
into the same cluster. Then a person has to say it, by `payport.storage.mark_restored`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from payport.storage.sends import restored

if TYPE_CHECKING:
    from payport.storage.sql import SqlTransaction

__all__ = ["PostgresSends"]

#: Set on a connection once it is known where it leads: that does not change while it is open.
_AT_HOME: Final = "payport_at_home"

#: Some services do not let everybody ask; then nothing is known.
_MAY_ASK: Final = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"

#: The first eight digits of the log's name are the timeline.
_HOME: Final = (
    "SELECT system_identifier::text || '/' || "
    "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) FROM pg_control_system()"
)


class PostgresSends:
    """
    A `Sends` for the database that a store connects to.

    Args:
        place: What messages call it.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def check(self, tx: SqlTransaction, *, count: bool) -> None:
        """See `Sends`. Nothing is counted: a row that every sender writes would make them queue."""
        known: dict[Any, Any] = tx.connection.info
        if _AT_HOME in known:
            return
        home, at_home = self._home(tx), tx.store_row()["home"]
        if home is None or home == at_home:
            known[_AT_HOME] = True
            return
        if at_home is None:
            if count:
                tx.save_store_row(home=home)
            return
        if home.partition("/")[0] != at_home.partition("/")[0]:
            raise restored(self._place, "is in another cluster than it was: a dump was loaded")
        raise restored(
            self._place,
            "goes on in another timeline than it was in: it was recovered to a point in time, or a "
            "standby was promoted",
        )

    def settle(self, tx: SqlTransaction) -> None:
        """See `Sends`."""
        tx.save_store_row(home=self._home(tx))

    def close(self) -> None:
        """See `Sends`."""

    @staticmethod
    def _home(tx: SqlTransaction) -> str | None:
        may_ask: bool = tx.ask(_MAY_ASK)
        home: str | None = tx.ask(_HOME) if may_ask else None
        return home
