"""
Adapters by name: what installed packages offer under the entry point group `payport.providers`.

An entry point names a `Plugin`. Finding them imports each; one that cannot be imported, or is
something else, is told of and keeps nobody from the others. An application that constructs its
provider itself needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.providers.spec import ProviderSpec

if TYPE_CHECKING:
    from payport.providers.base import PaymentProvider

__all__ = ["GROUP", "BrokenPlugin", "Credential", "Plugin", "plugin_named", "plugins"]

#: The entry point group.
GROUP: Final = "payport.providers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """
    What can be said of a credential without repeating any of it.

    Attributes:
        name: Where it stands, such as an environment variable.
        kind: What it is, such as `secret key`; None where nothing is there.
        environment: Whether it is for test or live mode; None where it does not say.
        problem: What is wrong with it and what to do; None where nothing is.
    """

    name: str
    kind: str | None
    environment: Environment | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """
    An adapter, for whoever knows it by its name alone.

    Attributes:
        spec: What it declares.
        from_env: Makes a blocking provider from environment variables. Raises ConfigurationError
            where they do not suffice.
        credentials: What is said of the credentials in these environment variables.
    """

    spec: ProviderSpec
    from_env: Callable[[], PaymentProvider] = field(repr=False)
    credentials: Callable[[Mapping[str, str]], Sequence[Credential]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """An entry point that brings no plugin, and why."""

    name: str
    why: str


def plugins() -> tuple[Mapping[str, Plugin], Sequence[BrokenPlugin]]:
    """Every adapter that is installed, by name, and what should be one and is broken."""
    found: dict[str, Plugin] = {}
    broken: list[BrokenPlugin] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        loaded = _loaded(point)
        if isinstance(loaded, BrokenPlugin):
            broken.append(loaded)
        else:
            found.setdefault(point.name, loaded)
    return found, broken


def plugin_named(name: str) -> Plugin:
    """
    The adapter with this name. Imports no other.

    Raises:
        ConfigurationError: There is none, or it is broken.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none at all"
        message = f"no installed package offers an adapter {name!r}; there are: {known}"
        raise ConfigurationError(message, operation="plugin_named", field="provider")
    loaded = _loaded(points[name])
    if isinstance(loaded, BrokenPlugin):
        message = f"the adapter {name!r} cannot be used: {loaded.why}"
        raise ConfigurationError(message, operation="plugin_named", field="provider")
    return loaded


def _loaded(point: EntryPoint) -> Plugin | BrokenPlugin:
    try:
        loaded: object = point.load()
    except ModuleNotFoundError as error:
        why = f"{error}. Install what it needs; for payport's own: pip install 'payport[...]'"
        return BrokenPlugin(name=point.name, why=why)
    except Exception as error:  # noqa: BLE001 - another package's code; whatever it raises is told
        return BrokenPlugin(name=point.name, why=f"{type(error).__name__}: {error}")
    if not isinstance(loaded, Plugin):
        why = f"{point.value} is no payport.providers.plugins.Plugin"
        return BrokenPlugin(name=point.name, why=why)
    return loaded
