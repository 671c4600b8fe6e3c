"""
Whether a SQLite file may send live requests: it is at home, nothing that was sent is missing from
it, and on a SQLite that two processes can damage a file with, this process is the only one.

Beside the file lies another one, named after it with `-live` at the end, which says how many live
sends the file held when they were committed. A file that was restored from a backup holds fewer. A
file that was copied is another file (its inode), or has none beside it. What cannot be told: a
backup of both files together, on a file system that gives a copy the same inode; then a person has
to say it, by `payport.storage.mark_restored`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import ConfigurationError, StoreUnavailable
from payport.storage import forks
from payport.storage.sends import restored

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has none, and so tells nothing of other processes
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payport.storage.sql import SqlTransaction

__all__ = ["SOUND", "SqliteSends", "is_sound"]

_log: Final = logging.getLogger("payport.storage")

#: Of SQLite: below it, two processes that checkpoint at once can damage the file.
#: Source: https://sqlite.org/wal.html#walresetbug
SOUND: Final = (3, 51, 3)

#: As many bytes as the note may have: "<generation> <sends>\n".
_LONGEST_NOTE: Final = 200


def is_sound() -> bool:
    """Whether this process's SQLite keeps a file whole that several processes write to."""
    return sqlite3.sqlite_version_info >= SOUND


class SqliteSends:
    """
    A `Sends` for one file.

    Args:
        path: The database's file.
        place: What messages call it.
    """

    def __init__(self, path: Path, place: str) -> None:
        self._path = path
        self._place = place
        self._note = path.with_name(f"{path.name}-live")
        self._holds = False

    def check(self, tx: SqlTransaction, *, count: bool) -> None:
        """See `Sends`."""
        self._alone()
        row, home = tx.store_row(), self._home()
        self._compare(row["generation"], row["sends"], row["home"], home)
        if count:
            self._counted(tx, row, home)

    def settle(self, tx: SqlTransaction) -> None:
        """See `Sends`."""
        # Counted like a send, so that a note is owed also where there was none before.
        self._counted(tx, tx.store_row(), self._home())

    def close(self) -> None:
        """See `Sends`."""
        if self._holds:
            self._holds = False
            _alone.give_back(self._note)

    def _counted(self, tx: SqlTransaction, row: Mapping[Any, Any], home: str) -> None:
        sends = row["sends"] + 1
        tx.save_store_row(sends=sends, home=home)
        note = f"{row['generation']} {sends}\n"
        tx.once_committed(lambda: self._write(note))

    def _write(self, note: str) -> None:
        """Only after the commit: a note that is behind tells less, and one ahead would be false."""
        try:
            handle = os.open(self._note, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, note.encode(), 0)
            finally:
                os.close(handle)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._note, error)

    def _home(self) -> str:
        try:
            return str(self._path.stat().st_ino)
        except OSError as error:
            raise StoreUnavailable(
                f"{self._place} was removed while it was in use. Put it back, or restart every "
                "process that uses it.",
                operation="store.transact",
            ) from error

    def _compare(self, generation: str, sends: int, at_home: str | None, home: str) -> None:
        if sends == 0:
            # It never sent anything: whatever it has forgotten was no send.
            if self._read() is not None:
                raise restored(self._place, f"is not the one that {self._note.name!r} belongs to")
            return
        if at_home != home:
            raise restored(self._place, "is a copy of another file, or was moved")
        note = self._read()
        if note is None:
            raise restored(
                self._place, f"is not where it was: {self._note.name!r} is missing beside it"
            )
        told, _, count = note.partition(" ")
        if told != generation or not count.strip().isdecimal():
            raise restored(self._place, f"is not the one that {self._note.name!r} belongs to")
        if int(count) > sends:
            raise restored(
                self._place,
                f"was restored from a backup: it holds {sends} live sends, and held {int(count)}",
            )

    def _read(self) -> str | None:
        try:
            handle = os.open(self._note, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(
                f"{str(self._note)!r} cannot be read. Let this process's user read and write it.",
                operation="store.transact",
            ) from error
        try:
            return os.read(handle, _LONGEST_NOTE).decode(errors="replace") or None
        finally:
            os.close(handle)

    def _alone(self) -> None:
        if is_sound() or self._holds:
            return
        if not _alone.take(self._note):
            raise ConfigurationError(
                f"{self._place} sends live requests from another process, and SQLite "
                f"{sqlite3.sqlite_version} can damage a file that two processes write to. Upgrade "
                "SQLite to 3.51.3 or later, let one process alone send, or use PostgreSQL.",
                field="store",
            )
        self._holds = True


class _Alone:
    """
    Which files this process sends from alone: a lock on the file beside each, for as long as any of
    its stores needs it. The system takes the lock back however the process ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Path, tuple[int, int]] = {}
        forks.watch(self)

    def take(self, path: Path) -> bool:
        """Whether this process may; then `give_back` is owed."""
        with self._lock:
            handle, users = self._held.get(path, (None, 0))
            if handle is None:
                handle = _locked(path)
                if handle is None:
                    return False
            self._held[path] = (handle, users + 1)
            return True

    def give_back(self, path: Path) -> None:
        """One user less; the last one lets others in."""
        with self._lock:
            handle, users = self._held.pop(path)
            if users > 1:
                self._held[path] = (handle, users - 1)
            else:
                os.close(handle)

    # -- forks ------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """See `Forkable`. Not locked: stores, which give back now, keep their threads out."""

    def after_fork_in_parent(self) -> None:
        """See `Forkable`."""

    def after_fork_in_child(self) -> None:
        """See `Forkable`: the locks are the parent's."""
        held, self._held, self._lock = self._held, {}, threading.Lock()
        for handle, _ in held.values():
            with contextlib.suppress(OSError):
                os.close(handle)


_alone: Final = _Alone()


def _locked(path: Path) -> int | None:
    """A handle that holds the lock; None where another process holds it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{str(path)!r} cannot be made. Let this process's user write its directory.",
            operation="store.transact",
        ) from error
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
    return handle
