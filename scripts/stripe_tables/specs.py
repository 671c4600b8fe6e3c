"""Tables that say of every adapter the same: keys, ways out of not knowing, limits."""

from dataclasses import fields

from payport.providers.spec import Limits, ProviderSpec
from stripe_tables.markdown import code, table

__all__ = ["idempotency_of", "limits_of", "resolution_of"]


def idempotency_of(spec: ProviderSpec, name: str) -> str:
    """What the processor makes of keys."""
    profile = spec.idempotency
    rows = [(code(field.name), str(getattr(profile, field.name))) for field in fields(profile)]
    return table(("idempotency", name), rows)


def resolution_of(spec: ProviderSpec) -> str:
    """How an unknown outcome is learned, in order."""
    rows = [(str(place), code(way)) for place, way in enumerate(spec.resolution, 1)]
    return table(("", "way"), rows)


def limits_of(spec: ProviderSpec) -> str:
    """What is refused before anything is sent."""
    rows = [
        (code(field.name), f"{getattr(spec.limits, field.name):_}".replace("_", " "))
        for field in fields(Limits)
    ]
    return table(("limit", "most"), rows)
