"""
What every command has in common: which client it works with, how it prints, how it fails.

A command is a function of a `Line` and its own options. `command` gives it the options that all
have and turns what it raises into one line that says what to do, and an exit code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, get_type_hints

import typer

from payport.cli.exits import ExitCode, code_of
from payport.cli.printing import Printer, plain
from payport.domain.errors import PayportError

if TYPE_CHECKING:
    from payport.cli.client import Client

__all__ = ["Line", "command", "group"]

#: Returns the exit code; None is 0.
Run: TypeAlias = Callable[..., ExitCode | None]

_CLIENT: Final[dict[str, Any]] = {
    "app": Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:ATTRIBUTE",
            help="The application's client, or a function that makes it. Or set PAYPORT_APP.",
        ),
    ],
    "store": Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="A database, where there is no --app; credentials come from the environment.",
        ),
    ],
    "provider": Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="The adapter, with --store."),
    ],
    "scope": Annotated[
        str | None,
        typer.Option("--scope", metavar="SCOPE", help="The order space; needed with --store."),
    ],
}
_PRINTING: Final[dict[str, Any]] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show where an error came from.")],
}


class Line:
    """
    One command line.

    Attributes:
        out: What prints its results.
        said: What it says of the client, by option.
    """

    def __init__(self, *, as_json: bool = False, **said: str | None) -> None:
        self.out: Printer = Printer(as_json=as_json)
        self.said = said

    def client(self, *, tells: bool = False) -> AbstractContextManager[Client]:
        """
        The client that it names.

        Args:
            tells: Whether the command may bring about events, which are the handlers' to hear of:
                then it has to be the application's own.
        """
        from payport.cli.client import Target, opened

        return opened(Target(**self.said), tells=tells)


def group(name: str, said: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(name=name, help=said, no_args_is_help=True, rich_markup_mode=None)


def command(
    where: typer.Typer, name: str, *, client: bool = True
) -> Callable[[Run], Callable[..., None]]:
    """
    Make a function of a `Line` a command.

    Args:
        client: Whether it works with a client.
    """
    shared = {**_CLIENT, **_PRINTING} if client else _PRINTING

    def register(run: Run) -> Callable[..., None]:
        def invoked(**given: Any) -> None:
            common = {key: given.pop(key) for key in shared}
            debug = common.pop("debug")
            raise typer.Exit(_code(run, Line(**common), given, debug=debug))

        _sign(invoked, run, shared)
        where.command(name, help=inspect.getdoc(run))(invoked)
        return invoked

    return register


def _sign(invoked: Any, run: Run, shared: dict[str, Any]) -> None:
    """Show typer the function's own parameters, then those that every command has."""
    hints = get_type_hints(run, include_extras=True)
    own = list(inspect.signature(run).parameters.values())[1:]
    parameters = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.default,
            annotation=hints[one.name],
        )
        for one in own
    ]
    for name, hint in shared.items():
        default = False if name in _PRINTING else None
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
            )
        )
    invoked.__signature__ = inspect.Signature(parameters)
    invoked.__annotations__ = {one.name: one.annotation for one in parameters}


def _code(run: Run, line: Line, given: dict[str, Any], *, debug: bool) -> ExitCode:
    try:
        return run(line, **given) or ExitCode.OK
    except PayportError as error:
        if debug:
            raise
        return _failed(str(error), code_of(error))
    except KeyboardInterrupt:
        return _failed("stopped", ExitCode.INTERRUPTED)
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise  # typer's own to tell
    except ModuleNotFoundError as error:
        if debug:
            raise
        said = f"{error.name} is not installed. Commands need: pip install 'payport[cli]'"
        return _failed(said, ExitCode.USAGE)
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        return _failed(f"unexpected {kind}. Use --debug to see where.", ExitCode.FAILED)


def _failed(said: str, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"payport: {plain(said)}\n")
    return code
