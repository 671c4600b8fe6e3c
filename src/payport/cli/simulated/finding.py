"""Whose simulator a command works with: what installed packages offer as `payport.simulators`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated

import typer

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from payport.testing.simulated import Simulated

__all__ = ["ProviderOption", "simulated"]

ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="NAME", help="Whose simulator; needed where there are several."
    ),
]


def simulated(provider: str | None) -> Simulated:
    """
    The simulator of a provider; where there is only one, that one.

    Raises:
        ConfigurationError: There is none of this name, several and no name, or it is broken.
    """
    from payport.testing.simulated import GROUP, Simulated

    points = {point.name: point for point in entry_points(group=GROUP)}
    known = ", ".join(sorted(points)) or "none at all"
    if provider is None and len(points) != 1:
        message = f"name whose simulator it is to be; there are: {known}"
        raise ConfigurationError(message, field="--provider")
    name = provider if provider is not None else next(iter(points))
    if name not in points:
        message = f"{name!r} has no simulator here; there are: {known}"
        raise ConfigurationError(message, field="--provider")
    try:
        found: object = points[name].load()
    except ImportError as error:
        message = f"the simulator {name!r} cannot be imported: {error}"
        raise ConfigurationError(message, field="--provider") from error
    if not isinstance(found, Simulated):
        message = f"{points[name].value} is no payport.testing.simulated.Simulated"
        raise ConfigurationError(message, field="--provider")
    return found
