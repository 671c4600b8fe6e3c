"""`payport webhooks`: look into the inbox, work it off, and try again what failed for good."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from payport.cli import line as lines
from payport.cli.exits import ExitCode
from payport.cli.line import Line, command
from payport.domain.errors import ProviderFault
from payport.storage.base import InboxState
from payport.webhooks.backfilling import Backfill

if TYPE_CHECKING:
    from payport.cli.client import Client
    from payport.client.listing import Page

__all__ = ["group", "waits_for_a_person"]

group: typer.Typer = lines.group(
    "webhooks", "What the provider sent: the inbox, its worker and dead letters."
)

#: Of a delivery, what is told. Never its body, which names customers.
_DELIVERY: Final = (
    *("id", "type", "state", "tries", "error", "conflict", "provider", "environment", "account"),
    *("dedupe_key", "ordering_key", "attempt_ref", "tag", "api_version"),
    *("occurred_at", "received_at", "due_at"),
)
#: Of a handler's run.
_RUN: Final = ("event_id", "handler", "state", "tries", "error", "due_at")

_Limit = Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")]
_MOST: Final = 1000


@command(group, "list")
def _list(
    line: Line,
    *,
    state: Annotated[
        InboxState | None, typer.Option(help="Only those in this state, as foreign.")
    ] = None,
    limit: _Limit = 50,
    cursor: Annotated[str | None, typer.Option(help="The next_cursor of a list before.")] = None,
) -> None:
    """List received deliveries, newest first."""
    with line.client() as client:
        page: Page[Any] = client.do(
            lambda pay: pay.webhooks.list(state=state).page(cursor=cursor, limit=limit)
        )
    if line.out.as_json:
        items = [_document(row, _DELIVERY) for row in page.items]
        line.out.document({"deliveries": items, "next_cursor": page.next_cursor})
        return
    _deliveries(line, page.items)
    if page.next_cursor is not None:
        line.out.say(f"There are more: --cursor {page.next_cursor}")


@command(group, "show")
def _show(
    line: Line, delivery: Annotated[str, typer.Argument(metavar="ID", help="As inb_...")]
) -> None:
    """Show one delivery, without its body."""
    with line.client() as client:
        row = client.do(lambda pay: pay.webhooks.get(delivery))
    said = {**_document(row, _DELIVERY), "trace": getattr(row, "trace", None)}
    if line.out.as_json:
        line.out.document(said)
    else:
        line.out.record(said)


@command(group, "dead")
def _dead(line: Line, *, limit: _Limit = 50) -> ExitCode:
    """List what failed too often: deliveries, and events' deliveries to handlers."""
    with line.client() as client:
        found: Page[Any] = client.do(
            lambda pay: pay.webhooks.list(state=InboxState.DEAD).page(limit=limit)
        )
        runs: Page[Any] = client.do(
            lambda pay: pay.webhooks.runs(state=InboxState.DEAD).page(limit=limit)
        )
    if line.out.as_json:
        line.out.document(
            {
                "deliveries": [_document(row, _DELIVERY) for row in found.items],
                "runs": [_document(row, _RUN) for row in runs.items],
            }
        )
    else:
        _deliveries(line, found.items)
        headers = ("event", "handler", "tries", "error")
        rows = [(run.event_id, run.handler, run.tries, run.error) for run in runs.items]
        line.out.table(headers, rows)
    return ExitCode.ATTENTION if found.items or runs.items else ExitCode.OK


@command(group, "replay")
def _replay(
    line: Line,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Of a delivery, inb_..., or an event."),
    ] = None,
    *,
    handler: Annotated[
        str | None, typer.Option(help="Only this handler of the event; also if it is done.")
    ] = None,
    all_dead: Annotated[
        bool, typer.Option("--all-dead", help="Everything that `payport webhooks dead` lists.")
    ] = False,
) -> None:
    """
    Make deliveries due again, or the dead runs of an event's handlers; a worker then tries them.

    Applying a delivery again changes nothing. A handler that is done does again what it does, so it
    has to be named.
    """
    if bool(names) is all_dead:
        raise typer.BadParameter("name what to replay, or --all-dead", param_hint="ID")
    with line.client() as client, line.out.progress("Replaying") as progress:
        due = 0
        chosen = _all_dead(client) if all_dead else names or []
        for number, name in enumerate(chosen, 1):
            due += _replayed(client, name, handler)
            progress(f"{number} of {len(chosen)}")
    if line.out.as_json:
        line.out.document({"due_again": due})
    line.out.say(f"{due} due again.")


@command(group, "stats")
def _stats(line: Line) -> ExitCode:
    """Count deliveries and handlers' runs by state."""
    with line.client() as client:
        stats = client.do(lambda pay: pay.webhooks.stats())
    counts: Mapping[str, Mapping[InboxState, int]] = {
        "deliveries": stats.deliveries,
        "runs": stats.runs,
    }
    if line.out.as_json:
        told = {name: {str(k): v for k, v in count.items()} for name, count in counts.items()}
        more = {"oldest_due": stats.oldest_due, "elsewhere": stats.elsewhere}
        line.out.document({**told, **more})
    else:
        rows = [
            (state, *[count.get(state, 0) for count in counts.values()]) for state in InboxState
        ]
        line.out.table(("state", "deliveries", "handlers' runs"), rows)
        if stats.oldest_due is not None:
            line.out.record({"waiting since (UTC)": stats.oldest_due})
        for name, count in stats.elsewhere.items():
            line.out.record({f"waiting for {name}, which this client has not": count})
    wants = waits_for_a_person(stats) or stats.elsewhere
    return ExitCode.ATTENTION if wants else ExitCode.OK


@command(group, "worker")
def _worker(
    line: Line,
    *,
    poll: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.05, help="Between two looks with nothing due.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Process what is due now, and end.")] = False,
) -> None:
    """
    Process what was received and run handlers, until SIGTERM or SIGINT.

    Any number of workers may run. A signal ends it with what it has in hand.
    """
    with line.client(tells=True) as client:
        if once:
            tried: int = client.do(lambda pay: pay.webhooks.process_due())
            if line.out.as_json:
                line.out.document({"tried": tried})
            line.out.say(f"{tried} tried.")
            return

        def run(pay: Any, stop: Any) -> Any:
            line.out.say("Working until SIGTERM or SIGINT.")
            return pay.webhooks.run_worker(stop=stop, poll=poll)

        client.until_stopped(run)


@command(group, "backfill")
def _backfill(
    line: Line,
    *,
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="How long ago, as 36h or 7d; or a moment in ISO 8601."),
    ],
    limit: Annotated[int, typer.Option(min=1, help="So many events at most.")] = 10_000,
    cursor: Annotated[
        str | None, typer.Option(help="Where a backfill before ended, or failed.")
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose list, where the client has several providers."),
    ] = None,
) -> ExitCode:
    """
    Read what the provider told from its own list into the inbox: what no webhook brought.

    What came before stays as it is. A worker then processes what is new.
    """
    begins = _begins(since)
    found = Backfill(new=0, known=0, conflicts=0, next_cursor=cursor)
    with line.client() as client, line.out.progress("Reading") as progress:
        try:
            while (read := found.new + found.known + found.conflicts) < limit:
                asked = {"since": begins, "limit": min(_MOST, limit - read), "provider": of}
                found = _further(client, found, asked)
                progress(f"{found.new} new, {found.known} known")
                if found.next_cursor is None:
                    break
        except ProviderFault:
            if found.next_cursor is not None:
                line.out.say(f"What was read is stored. Go on with --cursor {found.next_cursor}")
            raise
    if line.out.as_json:
        line.out.document(_document(found, ("new", "known", "conflicts", "next_cursor")))
    line.out.say(f"{found.new} new, {found.known} known, {found.conflicts} in conflict.")
    if found.next_cursor is not None:
        line.out.say(f"There are more: --cursor {found.next_cursor}")
    return ExitCode.ATTENTION if found.conflicts else ExitCode.OK


def _further(client: Client, found: Backfill, asked: Mapping[str, Any]) -> Backfill:
    """What was found, and what is found after it."""
    more: Backfill = client.do(lambda pay: pay.webhooks.backfill(cursor=found.next_cursor, **asked))
    return Backfill(
        new=found.new + more.new,
        known=found.known + more.known,
        conflicts=found.conflicts + more.conflicts,
        next_cursor=more.next_cursor,
    )


def _begins(since: str) -> datetime | timedelta:
    ago = _AGO.fullmatch(since)
    if ago is not None:
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        message = "as 36h or 7d, or as 2026-11-05T09:00Z"
        raise typer.BadParameter(message, param_hint="--since") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_AGO: Final = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


@command(group, "prune")
def _prune(
    line: Line,
    *,
    days: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Received before that.")
    ],
) -> None:
    """Delete the bodies of old deliveries that are done. Their ids stay."""
    with line.client() as client, line.out.progress("Pruning"):
        pruned: int = client.do(lambda pay: pay.webhooks.prune(older_than=timedelta(days=days)))
    if line.out.as_json:
        line.out.document({"pruned": pruned})
    line.out.say(f"{pruned} bodies deleted.")


def waits_for_a_person(stats: Any) -> int:
    """How many deliveries and runs are dead."""
    dead = InboxState.DEAD
    return int(stats.deliveries.get(dead, 0) + stats.runs.get(dead, 0))


def _replayed(client: Client, name: str, handler: str | None) -> int:
    due: int = client.do(lambda pay: pay.webhooks.replay(name, handler=handler))
    return due


def _all_dead(client: Client) -> list[str]:
    found: Page[Any] = client.do(
        lambda pay: pay.webhooks.list(state=InboxState.DEAD).page(limit=_MOST)
    )
    runs: Page[Any] = client.do(
        lambda pay: pay.webhooks.runs(state=InboxState.DEAD).page(limit=_MOST)
    )
    return list(dict.fromkeys([*[r.id for r in found.items], *[r.event_id for r in runs.items]]))


def _document(row: Any, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}


def _deliveries(line: Line, rows: Sequence[Any]) -> None:
    headers = ("id", "type", "state", "tries", "received (UTC)", "error")
    line.out.table(
        headers, [(r.id, r.type, r.state, r.tries, r.received_at, r.error) for r in rows]
    )
