"""What a client is made of, checked: the provider, where it keeps its journal, its settings."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment, check_scope
from payport.operations.clock import Clock, SystemClock
from payport.operations.plan import JournalSettings
from payport.operations.session import Session
from payport.providers.spec import ProviderSpec
from payport.storage.urls import is_relative_sqlite
from payport.webhooks.handlers import Handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.breaker import BreakerPolicy
    from payport.providers.retries import RetryPolicy

__all__ = ["check_colour", "members_of", "opened", "session_for"]

S = TypeVar("S")

_FAKE_SCOPE = "test"
_MEMORY = "memory"
#: Seconds that a deadline or a time-out may be, at most.
_LONGEST = 600.0


def _is_router(provider: object) -> bool:
    """Whether it stands for several providers, which it has checked."""
    return hasattr(provider, "providers") and hasattr(provider, "decide")


def members_of(provider: Any) -> Mapping[str, Any]:
    """Each provider by its name."""
    if _is_router(provider):
        members: Mapping[str, Any] = provider.providers
        return members
    return {provider.spec.name: provider}


def check_colour(provider: object, *, awaited: bool) -> None:
    """Refuse a provider of the other colour, and what is not a provider."""
    first: object = next(iter(members_of(provider).values())) if _is_router(provider) else provider
    create = getattr(first, "create_payment", None)
    client = "AsyncPayport" if awaited else "Payport"
    if create is None or not isinstance(getattr(provider, "spec", None), ProviderSpec):
        message = f"{type(provider).__name__} is not a payment provider"
        raise ConfigurationError(message, operation=client, field="provider")
    if inspect.iscoroutinefunction(create) is not awaited:
        other = "Payport" if awaited else "AsyncPayport"
        has = "blocks" if awaited else "is awaited"
        raise ConfigurationError(
            f"{type(provider).__name__} {has}: use {other}, or the provider's other class",
            operation=client,
            field="provider",
        )


def opened(open_it: Callable[[object], S], store: object) -> S:
    """The store, opened by its colour's opener. An error about it names the client."""
    try:
        return open_it(_MEMORY if store is None else store)
    except ConfigurationError as error:
        error.operation = error.operation or "Payport"
        raise


def session_for(
    provider: Any,
    *,
    scope: str | None,
    store: object,
    handlers: Handlers | None,
    deadline: float,
    timeout: float,
    retries: RetryPolicy,
    breaker: BreakerPolicy,
    rate_limit: int | None,
    send_within: timedelta,
    clock: Clock | None,
) -> Session:
    """The session of a new client, once everything about it was checked."""
    _check_environment(provider, store)
    if scope is None and not provider.spec.fake:
        raise ConfigurationError(
            "name the order space, such as scope='shop': it is part of every identity, and is "
            "never guessed from a host or a database",
            operation="Payport",
            field="scope",
        )
    for name, seconds in (("deadline", deadline), ("timeout", timeout)):
        if not _is_number(seconds) or not 0 < seconds <= _LONGEST:
            message = f"must be more than 0 and at most {_LONGEST} seconds"
            raise ConfigurationError(message, operation="Payport", field=name)
    if send_within <= timedelta():
        message = "must be more than nothing: a payment could never be sent again otherwise"
        raise ConfigurationError(message, operation="Payport", field="send_within")
    used = handlers if handlers is not None else Handlers()
    members = members_of(provider)
    settings = JournalSettings(
        scope=check_scope(_FAKE_SCOPE if scope is None else scope),
        environment=provider.environment,
        clock=clock or _own_clock(provider) or SystemClock(),
        retries=retries,
        breaker=breaker,
        rate=None,
        send_within=send_within,
        deadline=float(deadline),
        call_timeout=float(timeout),
        on_events=used.subscribe,
    )
    each = {
        name: replace(settings, rate=_rate(member, rate_limit)) for name, member in members.items()
    }
    if not _is_router(provider):
        return Session(settings=each[provider.spec.name], provider=provider, handlers=used)
    from payport.operations.routed import RoutedSession  # noqa: PLC0415 - only a router needs it

    return RoutedSession(settings=each, router=provider, handlers=used)


def _rate(provider: PaymentProvider | AsyncPaymentProvider, asked: int | None) -> int | None:
    """So many requests a second at most, or None for no limit of our own."""
    if asked is None:
        return provider.spec.rates.get(provider.environment)
    if isinstance(asked, bool) or asked < 0:
        message = "must be a whole number of requests a second, or 0 for no limit"
        raise ConfigurationError(message, operation="Payport", field="rate_limit")
    return asked or None


def _own_clock(provider: object) -> Clock | None:
    """The clock of the first fake, for a test to move; None where it is the machine's."""
    for member in members_of(provider).values():
        try:
            own: Clock | None = getattr(member, "clock", None)
        except ConfigurationError:
            continue  # a fake on a clock that nobody can move
        if own is not None:
            return own
    return None


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _check_environment(provider: Any, store: object) -> None:
    """Refuse what is not safe for real money, and a store that was forgotten."""
    if store is None and not provider.spec.fake:
        raise ConfigurationError(
            "the journal needs a database: store='sqlite:////srv/shop/payments.db'",
            operation="Payport",
            field="store",
        )
    if provider.environment is not Environment.LIVE:
        return
    if store is None or store == _MEMORY:
        message = "a journal in memory forgets what was charged: real money needs a database"
        raise ConfigurationError(message, operation="Payport", field="store")
    if is_relative_sqlite(store):
        raise ConfigurationError(
            "a relative path is another journal in another working directory: name the file by an "
            "absolute path, sqlite:////srv/shop/payments.db",
            operation="Payport",
            field="store",
        )
