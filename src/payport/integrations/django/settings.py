"""
The settings `PAYPORT`, read and checked. What is wrong with them is said in Django's own words:
`ImproperlyConfigured`, and a system check that says the same before anything is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from payport.client.payport import Payport
from payport.domain.errors import PayportError
from payport.integrations.django.store import DjangoStore
from payport.webhooks.handlers import Handlers

__all__ = ["DJANGO", "PayportSettings", "client_from", "handlers_from", "read_settings"]

_NAME: Final = "PAYPORT"

#: The value of STORE that stands for Django's own database.
DJANGO: Final = "django"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayportSettings:
    """
    `PAYPORT`, by its keys in capitals.

    Attributes:
        provider: A provider, something that makes one when called without arguments, or a dotted
            path to either: `"payport.testing.FakeProvider"`.
        scope: Names the order space; see `Payport`.
        store: `"django"`, the project's database; `"memory"`; or what `Payport` takes as its store.
        using: Of the store `"django"`: the alias of the database.
        handlers: `Handlers`, or the dotted path to them: `"shop.payments.handlers"`.
        process_webhooks: Whether the webhook view processes what it received before it answers,
            for projects without `manage.py payport_worker`.
        options: More arguments of `Payport`, such as `{"deadline": 10}`.
    """

    provider: Any
    scope: str | None = None
    store: Any = DJANGO
    using: str = "default"
    handlers: Any = None
    process_webhooks: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


_KEYS: Final[dict[str, str]] = {name.upper(): name for name in PayportSettings.__dataclass_fields__}

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "SCOPE": (str, type(None)),
    "USING": (str,),
    "PROCESS_WEBHOOKS": (bool,),
    "OPTIONS": (Mapping,),
}


def read_settings() -> PayportSettings:
    """
    The settings.

    Raises:
        ImproperlyConfigured: They are missing, or say what nobody understands.
    """
    said: Any = getattr(settings, _NAME, None)
    if not _is_dict(said):
        raise ImproperlyConfigured(
            f"set {_NAME} = {{'PROVIDER': 'shop.payments.provider', 'SCOPE': 'shop'}}, with the "
            "dotted path to a provider or to what makes one: it is missing, or no dict."
        )
    problems = _problems(said)
    if problems:
        raise ImproperlyConfigured(" ".join(problems))
    return PayportSettings(**{_KEYS[key]: value for key, value in said.items()})


def handlers_from(read: PayportSettings) -> Handlers | None:
    """
    The handlers, whose module is imported by this.

    Raises:
        ImproperlyConfigured: There are none at that path.
    """
    if read.handlers is None:
        return None
    found = _resolved("HANDLERS", read.handlers)
    if not isinstance(found, Handlers):
        raise ImproperlyConfigured(
            f"{_NAME}['HANDLERS'] is no payport.Handlers but {type(found).__name__}: name the "
            "object that the handlers are registered with."
        )
    return found


def client_from(read: PayportSettings) -> Payport:
    """
    Construct the client, which does no I/O.

    Raises:
        ImproperlyConfigured: It cannot be made of these settings.
    """
    named = _resolved("PROVIDER", read.provider)
    try:
        provider: Any = named() if callable(named) else named
        return Payport(
            provider,
            scope=read.scope,
            store=DjangoStore(read.using) if read.store == DJANGO else read.store,
            handlers=handlers_from(read),
            **read.options,
        )
    except (PayportError, TypeError) as error:
        raise ImproperlyConfigured(f"{_NAME} makes no client: {error}") from error


def _is_dict(said: object) -> bool:
    """A function, because what a type checker would make of it helps nobody here."""
    return isinstance(said, dict)


def _problems(said: Mapping[Any, Any]) -> Sequence[str]:
    problems: list[str] = []
    unknown = sorted(str(key) for key in said if key not in _KEYS)
    if unknown:
        known = ", ".join(_KEYS)
        problems.append(f"{_NAME} has unknown keys: {', '.join(unknown)}. There are {known}.")
    if said.get("PROVIDER") is None:
        problems.append(
            f"{_NAME}['PROVIDER'] is missing: name what makes one, such as "
            "'shop.payments.provider', or 'payport.testing.FakeProvider' to try it out."
        )
    for key, kinds in _TYPES.items():
        if key in said and not isinstance(said[key], kinds):
            given = type(said[key]).__name__
            problems.append(f"{_NAME}['{key}'] must be {kinds[0].__name__}, not {given}.")
    using = said.get("USING", "default")
    if said.get("STORE", DJANGO) == DJANGO and using not in settings.DATABASES:
        problems.append(f"{_NAME}['USING'] is {using!r}, which DATABASES does not name.")
    return problems


def _resolved(key: str, named: Any) -> Any:
    if not isinstance(named, str):
        return named
    try:
        return resolve_name(named)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{_NAME}['{key}'] is {named!r}, which cannot be imported: {error}"
        ) from error
