"""
`Payport` and `AsyncPayport`: what an application constructs, and the only place of configuration.

Constructing does no I/O: the store and the provider's connections open at first use, in each
process anew. Nothing runs in the background.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from payport.client.named import awaited_provider, blocking_provider
from payport.client.operations import AsyncOperations, Operations
from payport.client.payments import AsyncPayments, Payments
from payport.client.refunds import AsyncRefunds, Refunds
from payport.client.runners import AsyncRunner, Runner
from payport.client.webhooks import AsyncWebhooks, Webhooks
from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment, check_scope
from payport.operations.clock import Clock, SystemClock
from payport.operations.plan import DEFAULT_SEND_WITHIN, JournalSettings
from payport.operations.session import Session
from payport.providers.breaker import DEFAULT_BREAKER, BreakerPolicy, CircuitBreaker
from payport.providers.retries import DEFAULT_RETRIES, RetryPolicy
from payport.providers.spec import ProviderSpec
from payport.storage.urls import is_relative_sqlite, open_async_store, open_store
from payport.webhooks.handlers import Handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.routing.router import AsyncRouter, Router
    from payport.storage.base import AsyncStore, Store

__all__ = ["AsyncPayport", "Payport"]

S = TypeVar("S")

_FAKE_SCOPE = "test"
_MEMORY = "memory"


class Payport:
    """
    A payments client, blocking; safe to share between threads.

    Attributes:
        payments: Take payments, capture, cancel, read, list.
        refunds: Give money back.
        operations: Look into the journal.
        webhooks: Receive and process what the provider sends.

    Args:
        provider: A processor, such as `FakeProvider()`, or a `Router` of several; or the name of an
            installed adapter, which is then made from the environment.
        scope: Names the order space, such as a shop or a tenant; part of every identity. May be
            left out with a fake only.
        store: A database URL (`sqlite:////srv/shop/payments.db`), a SQLAlchemy `Engine`, or
            `"memory"` with a fake or a test key. May be left out with a fake only.
        handlers: Of domain events.
        deadline: Seconds an operation may take in all, waits included.
        timeout: Seconds one request may take.
        retries: What is tried again, and when.
        breaker: After how many failures the provider is left alone, and for how long.
        rate_limit: So many requests a second at most to each provider; 0 for no limit. What its
            adapter declares if left out.
        send_within: How long after it was last asked for a payment may still be sent by recovery,
            where the customer is present.
        clock: For tests; a fake's own clock is used if left out.

    Raises:
        ConfigurationError: Something of this cannot work, or is not safe.
        InvalidRequest: The scope is blank, over-long or path-like.
    """

    payments: Payments
    refunds: Refunds
    operations: Operations
    webhooks: Webhooks

    def __init__(
        self,
        provider: PaymentProvider | Router | str,
        *,
        scope: str | None = None,
        store: Any = None,
        handlers: Handlers | None = None,
        deadline: float = 20.0,
        timeout: float = 10.0,
        retries: RetryPolicy = DEFAULT_RETRIES,
        breaker: BreakerPolicy = DEFAULT_BREAKER,
        rate_limit: int | None = None,
        send_within: timedelta = DEFAULT_SEND_WITHIN,
        clock: Clock | None = None,
    ) -> None:
        processor = blocking_provider(provider)
        _check_colour(processor, awaited=False)
        session = _session(
            processor,
            scope=scope,
            store=store,
            handlers=handlers,
            deadline=deadline,
            timeout=timeout,
            retries=retries,
            breaker=breaker,
            rate_limit=rate_limit,
            send_within=send_within,
            clock=clock,
        )
        kept: Store = _opened(open_store, store)
        self._begin(session, Runner(kept, processor, session.settings.clock), owner=True)

    def _begin(self, session: Session, runner: Runner, *, owner: bool) -> None:
        self._session = session
        self._runner = runner
        self._owner = owner
        self.payments = Payments(session, runner)
        self.refunds = Refunds(session, runner)
        self.operations = Operations(session, runner)
        self.webhooks = Webhooks(session, runner)

    @property
    def scope(self) -> str:
        """The order space of this client."""
        return self._session.scope

    @property
    def environment(self) -> Environment:
        """Test or live, as the provider's key says."""
        return self._session.environment

    @property
    def breaker(self) -> CircuitBreaker:
        """
        The provider's circuit breaker: its state, and `close` once a refused key is mended. With a
        router each provider has its own: see `breakers`.
        """
        return self._session.gate.breaker

    @property
    def breakers(self) -> Mapping[str, CircuitBreaker]:
        """Each provider's circuit breaker, by the provider's name."""
        return {line.spec.name: line.gate.breaker for line in self._session.lines}

    @property
    def providers(self) -> Mapping[str, PaymentProvider]:
        """Each provider by its name: of a router all of them, else the only one."""
        return _members(self._runner.ports.provider)

    @property
    def provider(self) -> PaymentProvider | Router:
        """What it was constructed with. Asked directly, it passes by the journal."""
        return self._runner.ports.provider

    @property
    def store(self) -> Store:
        """Where it keeps everything, for checks and upkeep."""
        return self._runner.ports.store

    def scoped(self, scope: str) -> Payport:
        """A client for another order space on the same connections. Closing it does nothing."""
        other = object.__new__(type(self))
        other._begin(self._session.scoped(check_scope(scope)), self._runner, owner=False)
        return other

    def close(self) -> None:
        """Close the connections that were opened here. Calling it again does nothing."""
        if self._owner:
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return _described(self, self._session)

    def __reduce__(self) -> NoReturn:
        raise _not_pickled(self)


class AsyncPayport:
    """
    A payments client, awaited. Belongs to the event loop that it is first used in.

    Attributes, arguments and errors are those of `Payport`.
    """

    payments: AsyncPayments
    refunds: AsyncRefunds
    operations: AsyncOperations
    webhooks: AsyncWebhooks

    def __init__(
        self,
        provider: AsyncPaymentProvider | AsyncRouter | str,
        *,
        scope: str | None = None,
        store: Any = None,
        handlers: Handlers | None = None,
        deadline: float = 20.0,
        timeout: float = 10.0,
        retries: RetryPolicy = DEFAULT_RETRIES,
        breaker: BreakerPolicy = DEFAULT_BREAKER,
        rate_limit: int | None = None,
        send_within: timedelta = DEFAULT_SEND_WITHIN,
        clock: Clock | None = None,
    ) -> None:
        processor = awaited_provider(provider)
        _check_colour(processor, awaited=True)
        session = _session(
            processor,
            scope=scope,
            store=store,
            handlers=handlers,
            deadline=deadline,
            timeout=timeout,
            retries=retries,
            breaker=breaker,
            rate_limit=rate_limit,
            send_within=send_within,
            clock=clock,
        )
        kept: AsyncStore = _opened(open_async_store, store)
        self._begin(session, AsyncRunner(kept, processor, session.settings.clock), owner=True)

    def _begin(self, session: Session, runner: AsyncRunner, *, owner: bool) -> None:
        self._session = session
        self._runner = runner
        self._owner = owner
        self.payments = AsyncPayments(session, runner)
        self.refunds = AsyncRefunds(session, runner)
        self.operations = AsyncOperations(session, runner)
        self.webhooks = AsyncWebhooks(session, runner)

    @property
    def scope(self) -> str:
        """The order space of this client."""
        return self._session.scope

    @property
    def environment(self) -> Environment:
        """Test or live, as the provider's key says."""
        return self._session.environment

    @property
    def breaker(self) -> CircuitBreaker:
        """
        The provider's circuit breaker: its state, and `close` once a refused key is mended. With a
        router each provider has its own: see `breakers`.
        """
        return self._session.gate.breaker

    @property
    def breakers(self) -> Mapping[str, CircuitBreaker]:
        """Each provider's circuit breaker, by the provider's name."""
        return {line.spec.name: line.gate.breaker for line in self._session.lines}

    @property
    def providers(self) -> Mapping[str, AsyncPaymentProvider]:
        """Each provider by its name: of a router all of them, else the only one."""
        return _members(self._runner.ports.provider)

    @property
    def provider(self) -> AsyncPaymentProvider | AsyncRouter:
        """See `Payport.provider`."""
        return self._runner.ports.provider

    @property
    def store(self) -> AsyncStore:
        """See `Payport.store`."""
        return self._runner.ports.store

    def scoped(self, scope: str) -> AsyncPayport:
        """See `Payport.scoped`."""
        other = object.__new__(type(self))
        other._begin(self._session.scoped(check_scope(scope)), self._runner, owner=False)
        return other

    async def aclose(self) -> None:
        """See `Payport.close`."""
        if self._owner:
            await self._runner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return _described(self, self._session)

    def __reduce__(self) -> NoReturn:
        raise _not_pickled(self)


def _is_router(provider: object) -> bool:
    """Whether it stands for several providers, which it has checked."""
    return hasattr(provider, "providers") and hasattr(provider, "decide")


def _members(provider: Any) -> Mapping[str, Any]:
    """Each provider by its name."""
    if _is_router(provider):
        members: Mapping[str, Any] = provider.providers
        return members
    return {provider.spec.name: provider}


def _check_colour(provider: object, *, awaited: bool) -> None:
    """Refuse a provider of the other colour, and what is not a provider."""
    first: object = next(iter(_members(provider).values())) if _is_router(provider) else provider
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


def _opened(open_it: Callable[[object], S], store: object) -> S:
    try:
        return open_it(_MEMORY if store is None else store)
    except ConfigurationError as error:
        error.operation = error.operation or "Payport"
        raise


def _session(
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
    members = _members(provider)
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
    for member in _members(provider).values():
        try:
            own: Clock | None = getattr(member, "clock", None)
        except ConfigurationError:
            continue  # a fake on a clock that nobody can move
        if own is not None:
            return own
    return None


_LONGEST = 600.0


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


def _described(client: object, session: Session) -> str:
    names = "+".join(line.spec.name for line in session.lines)
    where = f"{names} {session.environment} scope='{session.scope}'"
    return f"<{type(client).__name__} {where}>"


def _not_pickled(client: object) -> ConfigurationError:
    return ConfigurationError(
        "a client holds credentials and connections and cannot be pickled or copied. Construct one "
        "in each process.",
        operation=type(client).__name__,
    )
