"""
`Payport` and `AsyncPayport`: what an application constructs, and the only place of configuration.

Constructing does no I/O: the store and the provider's connections open at first use, in each
process anew. Nothing runs in the background.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from payport.client.named import awaited_provider, blocking_provider
from payport.client.opening import check_colour, members_of, opened, session_for
from payport.client.operations import AsyncOperations, Operations
from payport.client.payments import AsyncPayments, Payments
from payport.client.refunds import AsyncRefunds, Refunds
from payport.client.runners import AsyncRunner, Runner
from payport.client.webhooks import AsyncWebhooks, Webhooks
from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment, check_scope
from payport.operations.clock import Clock
from payport.operations.plan import DEFAULT_SEND_WITHIN
from payport.operations.session import Session
from payport.providers.breaker import DEFAULT_BREAKER, BreakerPolicy, CircuitBreaker
from payport.providers.retries import DEFAULT_RETRIES, RetryPolicy
from payport.storage.urls import open_async_store, open_store
from payport.webhooks.handlers import Handlers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.routing.router import AsyncRouter, Router
    from payport.storage.base import AsyncStore, Store

__all__ = ["AsyncPayport", "Payport"]


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
        check_colour(processor, awaited=False)
        session = session_for(
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
        kept: Store = opened(open_store, store)
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
        return members_of(self._runner.ports.provider)

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
        check_colour(processor, awaited=True)
        session = session_for(
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
        kept: AsyncStore = opened(open_async_store, store)
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
        return members_of(self._runner.ports.provider)

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
