"""`payport providers`: the adapters that are installed, and what each can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.cli.exits import ExitCode
from payport.cli.line import Line
from payport.cli.printing import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payport.providers.plugins import BrokenPlugin, Plugin

__all__ = ["providers"]


def providers(line: Line) -> ExitCode:
    """List the installed adapters and what each declares. A broken one is told of."""
    from payport.providers.matrix import described
    from payport.providers.plugins import plugins

    found, broken = plugins()
    if line.out.as_json:
        adapters = [{"name": name, **described(plugin.spec)} for name, plugin in found.items()]
        bad = [{"name": one.name, "package": one.package, "why": one.why} for one in broken]
        line.out.document({"providers": adapters, "broken": bad})
    else:
        _shown(line, found, broken)
    return ExitCode.ATTENTION if broken else ExitCode.OK


def _shown(line: Line, found: Mapping[str, Plugin], broken: Sequence[BrokenPlugin]) -> None:
    from payport.providers.matrix import rows

    specs = [plugin.spec for plugin in found.values()]
    line.out.table(("", *found), [(name, *told) for name, told in rows(specs)])
    for one in broken:
        package = f" (package {plain(one.package)})" if one.package else ""
        line.out.say(f"{plain(one.name)}{package} is broken: {plain(one.why)}")
