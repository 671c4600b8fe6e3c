"""`payport operations`: look into the journal, recover what is due, give a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from payport.cli import line as lines
from payport.cli.exits import ExitCode
from payport.cli.line import Line, command
from payport.operations.records import OperationState, Verdict
from payport.operations.recovery import CIRCUIT_OPEN, TOLD_TO_STOP

if TYPE_CHECKING:
    from payport.client.listing import Page
    from payport.operations.records import OperationRecord, ResolutionRecord
    from payport.operations.recovery import Recovered

__all__ = ["group"]

group: typer.Typer = lines.group(
    "operations", "The journal: every operation, how it ended and why."
)

#: Of a record's fields, what is told. Neither requests nor commands: they name customers and cards.
_TOLD: Final = (
    *("id", "operation", "state", "reference", "attempt", "payment_id", "aggregate_id"),
    *("scope", "environment", "provider", "account", "endpoint", "route", "sends", "doubtful"),
    *("prepared_at", "first_sent_at", "latest_at", "send_before", "next_look_at", "concluded_at"),
    *("failure", "failure_code", "failure_message", "request_id"),
)

_Operation = Annotated[str, typer.Argument(metavar="ID", help="The operation's id, op_...")]


@command(group, "list")
def _list(
    line: Line,
    *,
    state: Annotated[
        OperationState | None, typer.Option(help="Only those in this state, as needs_review.")
    ] = None,
    payment: Annotated[str | None, typer.Option(help="Only those of this payment.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next_cursor of a list before.")] = None,
) -> None:
    """List operations, newest first."""
    with line.client() as client:
        page: Page[OperationRecord] = client.do(
            lambda pay: pay.operations.list(payment=payment, state=state).page(
                cursor=cursor, limit=limit
            )
        )
    if line.out.as_json:
        items = [_document(record) for record in page.items]
        line.out.document({"operations": items, "next_cursor": page.next_cursor})
        return
    headers = (
        *("id", "operation", "state", "provider", "payment", "reference", "prepared (UTC)"),
        *("failure", "why this provider"),
    )
    line.out.table(headers, [_row(record) for record in page.items])
    if page.next_cursor is not None:
        line.out.say(f"There are more: --cursor {page.next_cursor}")


@command(group, "show")
def _show(line: Line, operation: _Operation) -> None:
    """Show one operation, and what persons said about it."""
    with line.client() as client:
        record: OperationRecord = client.do(lambda pay: pay.operations.get(operation))
        words: tuple[ResolutionRecord, ...] = client.do(
            lambda pay: pay.operations.resolutions(operation)
        )
    _shown(line, record, words)


@command(group, "recover")
def _recover(
    line: Line,
    *,
    every_scope: Annotated[
        bool, typer.Option("--every-scope", help="Look after all scopes of the store.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many operations at most; not with --loop.")
    ] = None,
    loop: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="Do it again every so many seconds, until a signal."
        ),
    ] = None,
) -> ExitCode | None:
    """
    Find out what became of operations whose outcome is not known.

    Safe anywhere, at any time, by several processes at once. SIGTERM and SIGINT end it with the
    operation that it is at.
    """
    if loop is not None and limit is not None:
        message = "says how much of one run; a loop does all that is due, every time"
        raise typer.BadParameter(message, param_hint="--limit")
    with line.client(tells=True) as client, line.out.progress("Recovering") as progress:

        def told(so_far: Recovered) -> None:
            progress(f"{so_far.looked_at} looked at")

        def run(pay: Any, stop: Any) -> Any:
            line.out.say(f"Recovering every {loop:g} s until SIGTERM or SIGINT.")
            return pay.operations.run_recovery(
                stop=stop, every=loop, every_scope=every_scope, progress=told
            )

        if loop is not None:
            client.until_stopped(run)
            return None
        done: Recovered = client.until_stopped(
            lambda pay, stop: pay.operations.recover(
                limit=limit, every_scope=every_scope, stop=stop, progress=told
            )
        )
    return _recovered(line, done)


@command(group, "resolve")
def _resolve(
    line: Line,
    operation: _Operation,
    verdict: Annotated[Verdict, typer.Argument(help="What you found out.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, in your words; kept for ever.")],
    author: Annotated[str, typer.Option(help="Who you are; kept for ever.")],
    provider_ref: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The provider's id of what was made, with executed."),
    ] = None,
) -> None:
    """
    Give a person's word on an operation that needs review.

    What was executed is read from the provider where it can be, and has to show there.
    """
    with line.client(tells=True) as client:
        record: OperationRecord = client.do(
            lambda pay: pay.operations.resolve(
                operation, verdict, reason=reason, author=author, provider_ref=provider_ref
            )
        )
        words: tuple[ResolutionRecord, ...] = client.do(
            lambda pay: pay.operations.resolutions(operation)
        )
    _shown(line, record, words)


def _recovered(line: Line, done: Recovered) -> ExitCode:
    said: dict[str, object] = {
        "looked_at": done.looked_at,
        "concluded": done.concluded,
        "abandoned": done.abandoned,
        "unknown": done.unknown,
        "needs_review": done.needs_review,
        "stopped": done.stopped,
        "waiting": dict(done.waiting),
    }
    if line.out.as_json:
        line.out.document(said)
    else:
        waiting = [f"{count} for {name}" for name, count in done.waiting.items()]
        line.out.record({**said, "waiting": ", ".join(waiting) or None})
    if done.stopped == TOLD_TO_STOP:
        return ExitCode.INTERRUPTED
    if done.stopped == CIRCUIT_OPEN:
        return ExitCode.PROVIDER_UNAVAILABLE
    return ExitCode.ATTENTION if done.needs_review or done.waiting else ExitCode.OK


def _document(record: OperationRecord) -> dict[str, object]:
    return {"idempotency_key": record.key, **{name: getattr(record, name) for name in _TOLD}}


def _row(record: OperationRecord) -> tuple[object, ...]:
    return (
        record.id,
        record.operation,
        record.state,
        record.provider,
        record.payment_id,
        record.reference,
        record.prepared_at,
        record.failure,
        record.route,
    )


def _shown(line: Line, record: OperationRecord, words: tuple[ResolutionRecord, ...]) -> None:
    said: list[Mapping[str, object]] = [
        {
            "at": word.at,
            "author": word.author,
            "reason": word.reason,
            "from_state": word.from_state,
            "to_state": word.to_state,
        }
        for word in words
    ]
    if line.out.as_json:
        line.out.document({**_document(record), "resolutions": said})
        return
    line.out.record(_document(record))
    if said:
        line.out.table(("at (UTC)", "author", "reason", "from", "to"), [w.values() for w in said])
