"""`payport providers`: the adapters that are installed, what each can do, and a client's router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payport.cli.exits import ExitCode
from payport.cli.line import Line
from payport.cli.printing import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payport.providers.plugins import BrokenPlugin, Plugin

__all__ = ["providers"]


def providers(
    line: Line,
    *,
    app: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:ATTRIBUTE",
            help="The application's client, to see its router too.",
        ),
    ] = None,
) -> ExitCode:
    """
    List the installed adapters and what each declares. A broken one is told of.

    With --app, also what the application's router does with payments.
    """
    from payport.providers.matrix import described
    from payport.providers.plugins import plugins

    found, broken = plugins()
    routed = None if app is None else _routed(app)
    if line.out.as_json:
        adapters = [{"name": name, **described(plugin.spec)} for name, plugin in found.items()]
        bad = [{"name": one.name, "package": one.package, "why": one.why} for one in broken]
        more = {} if routed is None else {"router": routed}
        line.out.document({"providers": adapters, "broken": bad, **more})
    else:
        _shown(line, found, broken)
        _route_shown(line, routed)
    return ExitCode.ATTENTION if broken else ExitCode.OK


def _routed(app: str) -> dict[str, Any] | None:
    """The router of an application's client; None where it has none."""
    from payport.cli.client import Target, opened
    from payport.providers.routing import AsyncRouter, Router

    with opened(Target(app=app)) as client:
        router = client.pay.provider
        breakers = {name: str(one.state) for name, one in client.pay.breakers.items()}
    if not isinstance(router, Router | AsyncRouter):
        return None
    return {
        "providers": [
            {"name": name, "breaker": state, "new_payments": name not in router.finish_only}
            for name, state in breakers.items()
        ],
        "rules": [
            {"number": number, "to": list(rule.targets), "when": rule.described}
            for number, rule in enumerate(router.rules, 1)
        ],
    }


def _route_shown(line: Line, routed: dict[str, Any] | None) -> None:
    if routed is None:
        return
    members = [(one["name"], one["breaker"], one["new_payments"]) for one in routed["providers"]]
    line.out.table(("in the router", "breaker", "new payments"), members)
    rules = [(one["number"], ", ".join(one["to"]), one["when"]) for one in routed["rules"]]
    line.out.table(("rule", "to", "for"), rules)


def _shown(line: Line, found: Mapping[str, Plugin], broken: Sequence[BrokenPlugin]) -> None:
    from payport.providers.matrix import rows

    specs = [plugin.spec for plugin in found.values()]
    line.out.table(("", *found), [(name, *told) for name, told in rows(specs)])
    for one in broken:
        package = f" (package {plain(one.package)})" if one.package else ""
        line.out.say(f"{plain(one.name)}{package} is broken: {plain(one.why)}")
