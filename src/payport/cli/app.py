"""The command line as a whole."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Annotated

import typer

from payport.cli import database, doctor, operations, providers, webhooks
from payport.cli.line import command
from payport.cli.simulated import listening, triggering

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    name="payport",
    help="Look after payments, the journal and webhooks.",
    no_args_is_help=True,
    rich_markup_mode=None,
    # Its tracebacks show local variables, and those hold keys.
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        typer.echo(f"payport {version_of('payport')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    del version


app.add_typer(operations.group)
app.add_typer(webhooks.group)
app.add_typer(database.group)
command(app, "listen", client=False)(listening.listen)
command(app, "trigger", client=False)(triggering.trigger)
command(app, "providers", client=False)(providers.providers)
command(app, "doctor")(doctor.doctor)
