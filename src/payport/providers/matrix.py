"""
What adapters declare, side by side: the rows of `payport providers` and of the page in the docs.

Words for people, made of declarations alone. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from payport.providers.spec import Capability, ProviderSpec, Resolution

__all__ = ["described", "rows"]

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


def rows(specs: Sequence[ProviderSpec]) -> list[tuple[str, list[str]]]:
    """Each row's name, and what each of the specs says in it."""
    able = [
        (capability.value, [_yes(spec.has(capability)) for spec in specs])
        for capability in Capability
    ]
    told = [(name, [tell(spec) for spec in specs]) for name, tell in _TOLD.items()]
    return able + told


def described(spec: ProviderSpec) -> dict[str, object]:
    """Everything that a spec declares, as JSON values."""
    keys, limits = spec.idempotency, spec.limits
    return {
        "fake": spec.fake,
        "capabilities": sorted(spec.capabilities),
        "resolution": list(spec.resolution),
        "idempotency": {
            "placement": keys.placement,
            "max_length": keys.max_length,
            "life_seconds": _seconds(keys.life),
            "scope": keys.scope,
            "replays_errors": keys.replays_errors,
            "tells_replays": keys.tells_replays,
        },
        "webhooks": _webhooks(spec),
        "events_kept_seconds": _seconds(spec.events_kept),
        "takes_action_results": spec.takes_action_results,
        "cancels_lost": spec.cancels_lost,
        "currencies": None if spec.currencies is None else sorted(spec.currencies),
        "requests_per_second": {str(mode): rate for mode, rate in spec.rates.items()},
        "max_amount": limits.max_amount,
        "limits": {
            "metadata_keys": limits.metadata_keys,
            "metadata_key_length": limits.metadata_key_length,
            "metadata_value_length": limits.metadata_value_length,
            "description_length": limits.description_length,
            "statement_descriptor_length": limits.statement_descriptor_length,
            "token_length": limits.token_length,
        },
        "exponents": dict(sorted(spec.exponents.items())),
        "steps": dict(sorted(spec.steps.items())),
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def _yes(able: bool) -> str:  # noqa: FBT001 - a word for it
    return "yes" if able else "no"


def _keys(spec: ProviderSpec) -> str:
    keys = spec.idempotency
    if keys.life is None:
        return "none: what was sent is never sent again"
    return f"{keys.placement}, {_span(keys.life)}, within {keys.scope}"


def _span(life: timedelta) -> str:
    unit, name = (_DAY, "d") if life % _DAY == timedelta() else (_HOUR, "h")
    return f"{life / unit:g} {name}"


def _errors(spec: ProviderSpec) -> str:
    return _yes(spec.idempotency.replays_errors) if spec.idempotency.has_keys else "-"


def _replays(spec: ProviderSpec) -> str:
    return _yes(spec.idempotency.tells_replays) if spec.idempotency.has_keys else "-"


def _events(spec: ProviderSpec) -> str:
    if not spec.has(Capability.LIST_EVENTS):
        return "-"
    return "for ever" if spec.events_kept is None else f"for {_span(spec.events_kept)}"


def _currencies(spec: ProviderSpec) -> str:
    return "not told" if spec.currencies is None else str(len(spec.currencies))


def _resolution(spec: ProviderSpec) -> str:
    return ", ".join(spec.resolution)


def _webhooks(spec: ProviderSpec) -> str:
    if not spec.has(Capability.WEBHOOKS):
        return "none"
    if not spec.signs_webhooks:
        return "unsigned: only a hint to read the object"
    found = Resolution.WEBHOOK in spec.resolution
    return "signed" if found else "signed, never waited for"


def _counts(told: Mapping[str, int]) -> str:
    by_count: dict[int, list[str]] = {}
    for currency, count in sorted(told.items()):
        by_count.setdefault(count, []).append(currency)
    return "; ".join(f"{' '.join(names)}: {count}" for count, names in sorted(by_count.items()))


def _rates(spec: ProviderSpec) -> str:
    return ", ".join(f"{mode} {rate}/s" for mode, rate in sorted(spec.rates.items()))


def _metadata(spec: ProviderSpec) -> str:
    limits = spec.limits
    if not limits.metadata_keys:
        return ""
    return (
        f"{limits.metadata_keys} keys of {limits.metadata_key_length}, "
        f"values of {limits.metadata_value_length}"
    )


#: What is told beside the capabilities; "-" where there is nothing.
_TOLD: Final[Mapping[str, Callable[[ProviderSpec], str]]] = {
    "idempotency keys": _keys,
    "server errors are remembered": _errors,
    "answers say that they are replays": _replays,
    "unknown outcomes": _resolution,
    "webhooks are": _webhooks,
    "events can be listed": _events,
    "the shop hands in what a customer's action brought": (
        lambda spec: _yes(spec.takes_action_results)
    ),
    "a payment whose answer was lost can be ended": lambda spec: _yes(spec.cancels_lost),
    "currencies": _currencies,
    "decimals unlike ISO 4217": lambda spec: _counts(spec.exponents) or "-",
    "multiples of minor units": lambda spec: _counts(spec.steps) or "-",
    "most minor units": lambda spec: str(spec.limits.max_amount),
    "metadata": lambda spec: _metadata(spec) or "-",
    "description": lambda spec: f"{spec.limits.description_length} characters",
    "requests at most": lambda spec: _rates(spec) or "-",
}
