"""`payport db`: make and check the tables, and say what became of a database and its backups."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payport.cli import line as lines
from payport.cli.exits import ExitCode
from payport.cli.line import Line, command
from payport.domain.errors import ConfigurationError
from payport.storage.base import RestorationKind

if TYPE_CHECKING:
    from payport.cli.client import Client
    from payport.storage.base import Transaction
    from payport.storage.checkup import Checkup

__all__ = ["Database", "checkup_of", "group", "of_client"]

group: typer.Typer = lines.group(
    "db", "The database: tables, durability, and what became of its backups."
)

_Url = Annotated[
    str | None,
    typer.Argument(metavar="[URL]", help="A database's URL; else that of --app or --store."),
]
_Author = Annotated[str, typer.Option(help="Who you are; kept for ever.")]
_Reason = Annotated[str, typer.Option(help="Why, in your words; kept for ever.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """
    A store of either colour.

    Attributes:
        do: What `ask(store)` returns, awaited where the store is.
    """

    store: Any
    do: Callable[[Callable[[Any], Any]], Any]


def of_client(client: Client) -> Database:
    """A client's database."""
    return Database(store=client.pay.store, do=lambda ask: client.do(lambda pay: ask(pay.store)))


@command(group, "upgrade")
def _upgrade(line: Line, url: _Url = None) -> None:
    """
    Make payport's tables, or bring them to the version that this payport works with.

    On PostgreSQL this comes before a first use and after every upgrade of payport; stop what works
    with the older tables first. A SQLite file is brought up to date by whoever opens it.
    """
    with _database(line, url) as database:
        with line.out.progress("Upgrading"):
            if hasattr(database.store, "upgrade"):
                database.do(lambda store: store.upgrade())
            else:
                database.do(lambda store: store.transact(_nothing))
        checkup = checkup_of(database)
    _shown(line, checkup)


@command(group, "check")
def _check(line: Line, url: _Url = None) -> ExitCode:
    """
    Check schema version, durability, permissions and whether it may send to live accounts.

    Changes nothing, and does not make or migrate a file that is not up to date.
    """
    with _database(line, url) as database:
        checkup = checkup_of(database)
    _shown(line, checkup)
    return ExitCode.ATTENTION if checkup.problems else ExitCode.OK


@command(group, "restored")
def _restored(line: Line, url: _Url = None, *, author: _Author, reason: _Reason) -> None:
    """
    Say that the database was restored from a backup, before anything uses it.

    Nothing is sent to a live account from it until `payport db acknowledge`.
    """
    _say(line, url, RestorationKind.RESTORED, author, reason)


@command(group, "acknowledge")
def _acknowledge(line: Line, url: _Url = None, *, author: _Author, reason: _Reason) -> None:
    """
    Say that a restored or copied database may send to live accounts again.

    Compare it with the provider first, and see that no other copy sends any more.
    """
    _say(line, url, RestorationKind.ACKNOWLEDGED, author, reason)


def checkup_of(database: Database) -> Checkup:
    """What was found of a database; a SQLite file that is not ready is not opened."""
    from payport.storage.checkup import (
        Checkup,
        examine,
        look_at_file,
    )

    path = getattr(database.store, "path", None)
    outside = look_at_file(path) if isinstance(path, Path) else None
    if outside is not None and not outside.ready:
        return outside
    inside: Checkup = database.do(lambda store: store.transact(examine))
    seen = {one.name for one in inside.findings}
    more = () if outside is None else outside.findings
    findings = (*inside.findings, *[one for one in more if one.name not in seen])
    return Checkup(kind=inside.kind, findings=findings, ready=inside.ready)


def _shown(line: Line, checkup: Checkup) -> None:
    rows: list[dict[str, object]] = [
        {"name": one.name, "ok": one.problem is None, "said": one.said, "problem": one.problem}
        for one in checkup.findings
    ]
    if line.out.as_json:
        line.out.document({"kind": checkup.kind, "ready": checkup.ready, "checks": rows})
    else:
        line.out.table(("check", "ok", checkup.kind, "what to do"), [r.values() for r in rows])


def _say(line: Line, url: str | None, kind: RestorationKind, author: str, reason: str) -> None:
    from payport.storage.upkeep import restoration

    word = restoration(kind, author=author, reason=reason)

    def keep(tx: Transaction) -> None:
        tx.add_restoration(word)

    with _database(line, url) as database:
        database.do(lambda store: store.transact(keep))
    said: dict[str, object] = {"kind": kind, "at": word.at, "author": author, "reason": reason}
    if line.out.as_json:
        line.out.document(said)
    else:
        line.out.record(said)


def _nothing(tx: object) -> None:
    """A unit of work that only opens the store, which makes its tables."""


@contextmanager
def _database(line: Line, url: str | None) -> Generator[Database]:
    """The database by its URL, which needs neither provider nor scope, or the application's."""
    from payport.cli.client import Target, opened

    target = Target(**line.said)
    if url is not None and (target.store, target.app) != (None, None):
        message = "names the database already: leave out --store and --app"
        raise ConfigurationError(message, field="URL")
    named = url if url is not None else target.store
    if named is None or target.app is not None:
        with opened(target) as client:
            yield of_client(client)
        return
    from payport.storage.urls import open_store

    store = open_store(named)
    try:
        yield Database(store=store, do=lambda ask: ask(store))
    finally:
        store.close()
