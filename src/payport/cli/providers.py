"""`payport providers`: the adapters that are installed, and what each can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.cli.exits import ExitCode
from payport.cli.line import Line
from payport.cli.printing import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payport.providers.plugins import BrokenPlugin, Plugin
    from payport.providers.spec import ProviderSpec

__all__ = ["providers"]


def providers(line: Line) -> ExitCode:
    """List the installed adapters and what each declares. A broken one is told of."""
    from payport.providers.plugins import plugins

    found, broken = plugins()
    if line.out.as_json:
        adapters = [{"name": name, **_document(plugin.spec)} for name, plugin in found.items()]
        bad = [{"name": one.name, "why": one.why} for one in broken]
        line.out.document({"providers": adapters, "broken": bad})
    else:
        _shown(line, found, broken)
    return ExitCode.ATTENTION if broken else ExitCode.OK


def _document(spec: ProviderSpec) -> dict[str, object]:
    keys = spec.idempotency
    return {
        "fake": spec.fake,
        "capabilities": sorted(spec.capabilities),
        "resolution": list(spec.resolution),
        "idempotency": {
            "placement": keys.placement,
            "max_length": keys.max_length,
            "life_seconds": None if keys.life is None else int(keys.life.total_seconds()),
            "scope": keys.scope,
        },
        "requests_per_second": {str(mode): rate for mode, rate in spec.rates.items()},
        "max_amount": spec.limits.max_amount,
    }


def _shown(line: Line, found: Mapping[str, Plugin], broken: Sequence[BrokenPlugin]) -> None:
    from payport.providers.spec import Capability

    specs = [plugin.spec for plugin in found.values()]
    rows: list[Sequence[object]] = [
        (capability, *[spec.has(capability) for spec in specs]) for capability in Capability
    ]
    rows.append(("unknown outcomes", *[", ".join(spec.resolution) for spec in specs]))
    rows.append(("keys live for", *[spec.idempotency.life or "no keys" for spec in specs]))
    line.out.table(("", *found), rows)
    for one in broken:
        line.out.say(f"{plain(one.name)} is broken: {plain(one.why)}")
