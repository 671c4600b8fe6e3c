"""
Adapters by name: what installed packages offer under the entry point group `payport.providers`.

An entry point names a `Plugin`. Finding them imports each; one that cannot be imported, is
something else, is of another API or has a name that another package has too, is told of and keeps
nobody from the others. An application that constructs its provider itself needs none of this.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.providers.spec import ProviderSpec

if TYPE_CHECKING:
    from payport.providers.base import AsyncPaymentProvider, PaymentProvider

__all__ = ["API", "GROUP", "BrokenPlugin", "Credential", "Plugin", "plugin_named", "plugins"]

_log = logging.getLogger("payport.providers")

#: The entry point group.
GROUP: Final = "payport.providers"
#: The version of what an adapter is made of: `Plugin`, the provider protocols, commands and facts.
#: It changes when adapters have to.
API: Final = 1

#: The distribution whose names nobody else can take.
_OWN: Final = "payport"


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
        spec: What it declares; its name is the entry point's.
        from_env: Makes a blocking provider from environment variables. Raises ConfigurationError
            where they do not suffice.
        from_env_async: The same, awaited; None where the adapter has no such colour.
        credentials: What is said of the credentials in these environment variables.
        api: The `API` that the adapter was written for, as a number that stands in its own code.
    """

    spec: ProviderSpec
    from_env: Callable[[], PaymentProvider] = field(repr=False)
    credentials: Callable[[Mapping[str, str]], Sequence[Credential]] = field(repr=False)
    from_env_async: Callable[[], AsyncPaymentProvider] | None = field(default=None, repr=False)
    # Not the constant: an adapter that says nothing was written for the first one.
    api: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """
    An entry point that brings no plugin, and why.

    Attributes:
        package: The distribution that it is from, where that is known.
    """

    name: str
    why: str
    package: str | None = None


def plugins() -> tuple[Mapping[str, Plugin], Sequence[BrokenPlugin]]:
    """
    Every adapter that is installed, by name, and what should be one and is broken.

    Each broken one is logged as a warning too.
    """
    found: dict[str, Plugin] = {}
    broken: list[BrokenPlugin] = []
    for name, points in sorted(_offered().items()):
        for one in _chosen(name, points):
            if isinstance(one, BrokenPlugin):
                broken.append(one)
            else:
                found[name] = one
    for one in broken:
        _log.warning("the adapter %r of %s cannot be used: %s", one.name, one.package, one.why)
    return found, broken


def plugin_named(name: str) -> Plugin:
    """
    The adapter with this name. Imports no other.

    Raises:
        ConfigurationError: There is none, or it is broken.
    """
    offered = _offered()
    if name not in offered:
        known = ", ".join(sorted(offered)) or "none at all"
        message = f"no installed package offers an adapter {name!r}; there are: {known}"
        raise ConfigurationError(message, operation="plugin_named", field="provider")
    chosen = _chosen(name, offered[name])
    for one in chosen:
        if isinstance(one, Plugin):
            return one
    why = "; ".join(one.why for one in chosen if isinstance(one, BrokenPlugin))
    message = f"the adapter {name!r} cannot be used: {why}"
    raise ConfigurationError(message, operation="plugin_named", field="provider")


def _offered() -> Mapping[str, Sequence[EntryPoint]]:
    """The entry points by name; a package that is on the path twice offers each once."""
    offered: dict[str, dict[tuple[str | None, str], EntryPoint]] = defaultdict(dict)
    for point in entry_points(group=GROUP):
        offered[point.name].setdefault((_package(point), point.value), point)
    return {name: list(points.values()) for name, points in offered.items()}


def _package(point: EntryPoint) -> str | None:
    return point.dist.name if point.dist is not None else None


def _chosen(name: str, points: Sequence[EntryPoint]) -> list[Plugin | BrokenPlugin]:
    """
    What is at a name: at most one plugin. Of several packages none is preferred, since money would
    go wherever the path is sorted to; payport's own names are payport's.
    """
    own = [point for point in points if _package(point) == _OWN]
    if len(points) == 1 or len(own) == 1:
        used = (own or points)[0]
        return [_loaded(used), *[_taken(point) for point in points if point is not used]]
    packages = " and ".join(sorted(_package(point) or "a package" for point in points))
    why = f"several packages offer an adapter of this name: {packages}. Uninstall all but one"
    return [BrokenPlugin(name=name, why=why, package=_package(point)) for point in points]


def _taken(point: EntryPoint) -> BrokenPlugin:
    why = "the name is that of payport's own adapter, which is used"
    return BrokenPlugin(name=point.name, why=why, package=_package(point))


def _loaded(point: EntryPoint) -> Plugin | BrokenPlugin:
    try:
        loaded: object = point.load()
        why = _wrong(point, loaded)
    except ModuleNotFoundError as error:
        why = f"{error}. Install what it needs, which is often an extra of the package"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code: it is told
        why = f"{type(error).__name__}: {error}"
    else:
        if isinstance(loaded, Plugin) and why is None:
            return loaded
    return BrokenPlugin(name=point.name, why=why or "", package=_package(point))


def _wrong(point: EntryPoint, loaded: object) -> str | None:
    """What is wrong with what an entry point names; None where nothing is."""
    if not isinstance(loaded, Plugin):
        return f"{point.value} is no payport.providers.plugins.Plugin"
    if loaded.api != API:
        return (
            f"it was written for version {loaded.api} of payport's API for adapters, and this is "
            f"version {API}: install the release of either package that fits the other"
        )
    # Types say so, and nothing makes another package run a type checker.
    spec: Any = loaded.spec
    if not isinstance(spec, ProviderSpec):
        return f"{point.value} declares a {type(spec).__name__} and no ProviderSpec"
    if not callable(loaded.from_env) or not callable(loaded.credentials):
        return f"{point.value} has no function from_env, or none for credentials"
    if spec.name != point.name:
        return f"its entry point is {point.name!r} and its spec {spec.name!r}: name both alike"
    return None
