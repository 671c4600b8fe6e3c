"""The two things that carry steps out for a client: where colour begins, and where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.operations.steps import AsyncPorts, Ports, Steps, drive, drive_async
from payport.storage.grouping import sharing, sharing_awaited
from payport.webhooks.handling import IN_HANDLER

if TYPE_CHECKING:
    import asyncio

    from payport.operations.clock import Clock
    from payport.operations.threads import Threads
    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.routing.router import AsyncRouter, Router
    from payport.storage.base import AsyncStore, Store

__all__ = ["AsyncRunner", "Runner"]

T = TypeVar("T")


class Runner:
    """Carries steps out, blocking, until it is closed."""

    def __init__(self, store: Store, provider: PaymentProvider | Router, clock: Clock) -> None:
        self.ports: Ports = Ports(store, provider, clock.sleep, sharing(store))
        self.closed: bool = False

    def __call__(self, steps: Steps[T]) -> T:
        """Carry the steps out and return their result."""
        if self.closed or IN_HANDLER.get() is not None:
            steps.close()
            raise _closed() if self.closed else _in_handler()
        return drive(steps, self.ports)

    def close(self) -> None:
        """Refuse further steps, and close the store and the provider."""
        if not self.closed:
            self.closed = True
            self.ports.store.close()
            self.ports.provider.close()


class AsyncRunner:
    """Carries steps out, awaiting each, in the one event loop that it was first used in."""

    def __init__(
        self, store: AsyncStore, provider: AsyncPaymentProvider | AsyncRouter, clock: Clock
    ) -> None:
        self.ports: AsyncPorts = AsyncPorts(
            store, provider, clock.asleep, sharing_awaited(store), _threads()
        )
        self.closed: bool = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, steps: Steps[T]) -> T:
        """Carry the steps out and return their result."""
        import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self.closed or self._loop is not loop:
            steps.close()
            raise _closed() if self.closed else _other_loop()
        if IN_HANDLER.get() is not None:
            steps.close()
            raise _in_handler()
        return await drive_async(steps, self.ports)

    async def aclose(self) -> None:
        """Refuse further steps, and close the store and the provider."""
        if not self.closed:
            self.closed = True
            if self.ports.threads is not None:
                await self.ports.threads.aclose()
            await self.ports.store.aclose()
            await self.ports.provider.aclose()


def _threads() -> Threads:
    from payport.operations.threads import Threads  # noqa: PLC0415 - imports asyncio

    return Threads()


def _closed() -> ConfigurationError:
    return ConfigurationError("the client is closed: construct another one", operation="Payport")


def _in_handler() -> InvalidRequest:
    return InvalidRequest(
        "a handler runs inside a transaction, and this call would wait for its end. Put it off by "
        "tx.later, which commits with the handler and is tried until it succeeds, or pass it to "
        "tx.after_commit, which calls it once after the commit.",
        operation="Payport",
    )


def _other_loop() -> ConfigurationError:
    return ConfigurationError(
        "the client belongs to another event loop. Its connections live there: construct one "
        "AsyncPayport in each loop.",
        operation="AsyncPayport",
    )
