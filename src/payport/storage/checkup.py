"""
What there is to say of a database: its kind, the version of its tables, the settings that commits
depend on, and whether it may send to live accounts. Changes nothing: what a first use would make or
migrate is looked at before it is used. No SQL toolkit is imported before it is needed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.storage.base import RestorationKind, RestorationRecord

if TYPE_CHECKING:
    from payport.storage.base import Transaction

__all__ = ["Checkup", "Finding", "Undone", "examine", "look_at_file", "try_writing"]

#: Of PostgreSQL: off, and a power cut may take back or tear what was committed.
_NEVER_OFF: Final = ("fsync", "full_page_writes")
_RESET: Final = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing about a database.

    Attributes:
        name: What was looked at, such as `schema`.
        said: What was found, in plain words.
        problem: What to do about it; None where nothing is wrong.
    """

    name: str
    said: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """
    What was found.

    Attributes:
        kind: `sqlite`, `postgresql` or `memory`; of a database that cannot be used yet too.
        ready: Whether it can be used as it is, without making or migrating anything.
    """

    kind: str
    findings: tuple[Finding, ...]
    ready: bool = True

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What somebody should do something about."""
        return tuple(finding for finding in self.findings if finding.problem)


def look_at_file(path: Path) -> Checkup:
    """
    A SQLite file of payport's own, without making, migrating or locking it.

    Raises:
        ConfigurationError: It is something else than a database.
    """
    library = _library()
    if not path.exists():
        problem = "nothing to do: its first use, or `payport db upgrade`, makes it"
        missing = Finding(name="schema", said=f"{str(path)!r} is not made yet", problem=problem)
        return Checkup(kind="sqlite", findings=(missing, library), ready=False)
    schema, ready = _schema(_version_in(path))
    return Checkup(kind="sqlite", findings=(schema, _mode(path), library), ready=ready)


def examine(tx: Transaction) -> Checkup:
    """
    A database that is open, as a unit of work for `Store.transact`.

    Raises:
        ConfigurationError: It has tables, but they say no version.
    """
    connection: Any = getattr(tx, "connection", None)
    if connection is None:
        said = Finding(name="store", said="memory: it forgets everything with its process")
        return Checkup(kind="memory", findings=(said,))
    from payport.storage.migrate import version_of  # noqa: PLC0415 - imports SQLAlchemy

    kind = str(connection.dialect.name)
    schema, ready = _schema(version_of(connection))
    durability = _sqlite(connection) if kind == "sqlite" else _postgresql(connection)
    findings = (schema, *durability, _sendable(tx))
    return Checkup(kind=kind, findings=findings, ready=ready)


def _schema(version: str | None) -> tuple[Finding, bool]:
    from payport.storage.migrate import HEAD  # noqa: PLC0415 - imports SQLAlchemy

    if version == HEAD:
        return Finding(name="schema", said=f"version {version}, which this payport uses"), True
    said = "no tables of payport's" if version is None else f"version {version}, not {HEAD}"
    problem = (
        "upgrade payport here: a newer one made them"
        if version is not None and version > HEAD
        else "run `payport db upgrade`"
    )
    return Finding(name="schema", said=said, problem=problem), False


def _version_in(path: Path) -> str | None:
    # By SQLite itself and nothing else: closing another descriptor would drop this process's locks.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            tables = {
                str(row[0])
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if "payport_alembic_version" not in tables:
                return None
            row = connection.execute("SELECT version_num FROM payport_alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        message = f"{str(path)!r} cannot be read as a SQLite database: {error}"
        raise ConfigurationError(message, field="store") from error
    return None if row is None else str(row[0])


def _mode(path: Path) -> Finding:
    mode = path.stat().st_mode & 0o777
    others = os.name == "posix" and mode & 0o077
    problem = "other users of this machine can read payments: chmod 600" if others else None
    return Finding(name="file mode", said=f"{mode:04o}", problem=problem)


def _library() -> Finding:
    from payport.storage.sqlite_sends import is_sound  # noqa: PLC0415 - only where SQLite is used

    problem = (
        None
        if is_sound()
        else "two processes that write at once can damage the file: upgrade SQLite to 3.51.3, or "
        "let one process alone use it"
    )
    return Finding(name="sqlite", said=sqlite3.sqlite_version, problem=problem)


def _sqlite(connection: Any) -> Sequence[Finding]:
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    level = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    words = {0: "off", 1: "normal", 2: "full", 3: "extra"}
    return (
        Finding(name="journal mode", said=mode),
        Finding(name="synchronous", said=words.get(level, str(level))),
    )


def _postgresql(connection: Any) -> Sequence[Finding]:
    asked: dict[str, str] = {
        name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
        for name in ("server_version", "synchronous_commit", *_NEVER_OFF)
    }
    default = connection.exec_driver_sql(_RESET).scalar_one()
    here = asked["synchronous_commit"]
    forced = "" if default == here else f" (the session's {default} is overruled by payport)"
    said = [
        Finding(name="postgresql", said=asked["server_version"]),
        Finding(name="synchronous_commit", said=here + forced),
    ]
    for name in _NEVER_OFF:
        off = asked[name] != "on"
        problem = "turn it on: a power cut loses committed payments" if off else None
        said.append(Finding(name=name, said=asked[name], problem=problem))
    return said


def _sendable(tx: Transaction) -> Finding:
    words = tx.restorations()
    last = words[-1] if words else None
    said = "never restored, as far as is known"
    if last is not None:
        what = "restored" if last.kind is RestorationKind.RESTORED else "may send again"
        said = f"{what}, says {last.author} at {last.at:%Y-%m-%d %H:%M} UTC: {last.reason}"
    try:
        tx.check_sendable(Environment.LIVE)
    except ConfigurationError as error:
        problem = "compare it with the provider, then run `payport db acknowledge`"
        return Finding(name="live sends", said=error.message, problem=problem)
    return Finding(name="live sends", said=said)


class Undone(Exception):
    """Takes back what was written: raised by `try_writing`, and by nothing else."""


def try_writing(tx: Transaction) -> None:
    """
    Write a row and take it back, as a unit of work for `Store.transact`.

    Raises:
        Undone: Always, once it is written: that rolls it back.
        StoreUnavailable: It cannot be written.
    """
    at, kind = datetime.now(UTC), RestorationKind.RESTORED
    tx.add_restoration(RestorationRecord(at=at, kind=kind, author="payport", reason="a try"))
    raise Undone
