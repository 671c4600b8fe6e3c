"""
Steps: what an operation does, written once as a generator, and the two loops that carry it out.

A step is a function of the ports (store, sleep, threads). The generator yields it; the sync loop
calls it, the async loop awaits what it returns. `transact`, `ask` and `wait` make typed steps:

    intent = yield from transact(lambda tx: tx.payment(payment_id))
    outcome = yield from ask(lambda provider: provider.retrieve_payment(ref, call), provider)

What a step raises is thrown into the generator at the `yield`, so `try` works there as usual.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from payport.domain.errors import ConfigurationError, StoreConflict
from payport.storage.inbox import adding

if TYPE_CHECKING:
    from payport.operations.threads import Threads
    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.routing.router import AsyncRouter, Router
    from payport.storage.base import (
        Arrival,
        AsyncSharedStore,
        AsyncStore,
        Known,
        SharedStore,
        Store,
        Transaction,
    )

__all__ = [
    "AsyncPorts",
    "Ports",
    "Step",
    "Steps",
    "add_arrivals",
    "ask",
    "call",
    "drive",
    "drive_async",
    "is_awaited",
    "transact",
    "transact_grouped",
    "transact_patiently",
    "transact_shared",
    "wait",
]

T = TypeVar("T")

#: Something to be done with the ports.
Step: TypeAlias = Callable[[Any], Any]

#: Yields steps, is sent their results, and returns its own.
Steps: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Ports:
    """What blocking steps are done with, and whom to close in the end."""

    store: Store
    provider: PaymentProvider | Router
    sleep: Callable[[float], None]
    grouped: SharedStore | None = None

    @property
    def shared(self) -> Callable[[Callable[[Transaction], Any]], Any]:
        """What carries out a unit of work that may share its transaction."""
        return getattr(self.store, "transact_shared", self.store.transact)

    def call(self, function: Callable[[], Any]) -> Any:
        """
        Call a function of the application's.

        Raises:
            ConfigurationError: What it returns has to be awaited, and nobody here can.
        """
        result = function()
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise ConfigurationError(
                "it has to be awaited, and this client blocks: pass a plain function, or use "
                "AsyncPayport",
                operation="Payport",
                field="handlers",
            )
        return result


@dataclass(frozen=True, slots=True)
class AsyncPorts:
    """What awaited steps are done with, and whom to close in the end."""

    store: AsyncStore
    provider: AsyncPaymentProvider | AsyncRouter
    sleep: Callable[[float], Awaitable[None]]
    grouped: AsyncSharedStore | None = None
    threads: Threads | None = None

    @property
    def shared(self) -> Callable[[Callable[[Transaction], Any]], Awaitable[Any]]:
        """See `Ports.shared`."""
        return getattr(self.store, "transact_shared", self.store.transact)

    async def call(self, function: Callable[[], Any]) -> Any:
        """
        Call a function of the application's, and await what it returns if that can be.

        A function that blocks is called in a thread, and blocks no event loop.
        """
        if self.threads is None or is_awaited(function):
            result = function()
        else:
            result = await self.threads.run(function)
        return await result if inspect.isawaitable(result) else result


def is_awaited(function: object) -> bool:
    """Whether it is a coroutine function, or an object whose call is one."""
    called = getattr(function, "__call__", None)  # noqa: B004 - not whether it can be called
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def transact_grouped(work: Callable[[Transaction], T]) -> Steps[T]:
    """As `transact`, in a transaction that others' units of work may share, on any store."""

    def step(ports: Any) -> Any:
        if ports.grouped is None:
            return ports.store.transact(work)
        return ports.grouped.transact_shared(work)

    result: T = yield step
    return result


def add_arrivals(arrivals: Sequence[Arrival]) -> Steps[Sequence[Known | None]]:
    """Insert received deliveries in such a transaction; see `SharedStore.add_arrivals`."""

    def step(ports: Any) -> Any:
        if ports.grouped is None:
            return ports.store.transact(adding(arrivals))
        return ports.grouped.add_arrivals(arrivals)

    result: Sequence[Known | None] = yield step
    return result


def transact(work: Callable[[Transaction], T]) -> Steps[T]:
    """One transaction of the store."""
    result: T = yield lambda ports: ports.store.transact(work)
    return result


def transact_shared(work: Callable[[Transaction], T]) -> Steps[T]:
    """
    As `transact`; where transactions take turns, those who wait share one. Not for work that calls
    anything of the application's: it may run in another thread. See `SharedStore`.
    """
    result: T = yield lambda ports: ports.shared(work)
    return result


#: Seconds to wait at most before each further try, half of which is drawn.
_CONFLICTS: Final = (0.01, 0.04, 0.16)


def transact_patiently(work: Callable[[Transaction], T]) -> Steps[T]:
    """
    As `transact`, a few times where the database lets two transactions meet and ends this one:
    nothing of it was kept, and `work` begins anew.

    Raises:
        StoreConflict: They met each time.
    """
    for longest in _CONFLICTS:
        try:
            return (yield from transact(work))
        except StoreConflict:
            yield wait_step(longest * random.uniform(0.5, 1.0))  # noqa: S311 - to meet no more
    return (yield from transact(work))


def ask(question: Callable[[PaymentProvider], T], provider: PaymentProvider) -> Steps[T]:
    """One call to a provider. In the async loop `question` returns what is awaited."""
    result: T = yield lambda _: question(provider)
    return result


def call(function: Callable[[], Any]) -> Steps[Any]:
    """Call a function of the application's; what it returns is awaited where that can be."""
    result = yield lambda ports: ports.call(function)
    return result


def wait(seconds: float) -> Steps[None]:
    """Let time pass."""
    yield wait_step(seconds)


def wait_step(seconds: float) -> Step:
    """The step of `wait` alone."""
    return lambda ports: ports.sleep(seconds)


def drive(steps: Steps[T], ports: Ports) -> T:
    """Carry the steps out, blocking."""
    try:
        step = next(steps)
        while True:
            try:
                value = step(ports)
            except Exception as error:  # noqa: BLE001 - thrown on, not swallowed
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as finished:
        result: T = finished.value
        return result
    finally:
        steps.close()


async def drive_async(steps: Steps[T], ports: AsyncPorts) -> T:
    """Carry the steps out, awaiting each."""
    try:
        step = next(steps)
        while True:
            try:
                value = await step(ports)
            except Exception as error:  # noqa: BLE001 - thrown on, not swallowed
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as finished:
        result: T = finished.value
        return result
    finally:
        steps.close()
