"""
Processes: clients of one shop, each on a machine with a clock of its own.

A process is the client's own code over the shared store and bank, carried out by tasks. What it
writes and sends passes a `Stage`, which knows whose turn it is. A process that died does nothing
any more; nothing is left of it but what it committed and sent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from payport.client.operations import AsyncOperations
from payport.client.payments import AsyncPayments
from payport.client.refunds import AsyncRefunds
from payport.client.runners import AsyncRunner
from payport.client.webhooks import AsyncWebhooks
from payport.operations.plan import JournalSettings
from payport.operations.routed import RoutedSession
from payport.operations.session import Session
from payport.operations.steps import AsyncPorts, Steps, drive_async
from payport.providers.retries import DEFAULT_RETRIES, RetryPolicy
from payport.providers.routing.router import AsyncRouter
from payport.testing.explorer.tasks import Pause, Point, reach

if TYPE_CHECKING:
    from payport.providers.base import AsyncPaymentProvider
    from payport.storage.base import AsyncStore
    from payport.testing.clock import FakeClock
    from payport.webhooks.handlers import Handlers

__all__ = ["SCOPE", "MachineClock", "Process", "Turns"]

T = TypeVar("T")

SCOPE: Final = "explorer"

#: Chance is the explorer's alone, so that a seed says everything.
_NO_JITTER: Final = RetryPolicy(
    rules=MappingProxyType(
        {kind: replace(rule, jitter=0.0) for kind, rule in DEFAULT_RETRIES.rules.items()}
    )
)


class MachineClock:
    """
    A machine's clocks: a wall clock that may be wrong, and a monotonic one that is not.

    Attributes:
        skew: How far the wall clock is ahead of the world's.
    """

    def __init__(self, world: FakeClock) -> None:
        self._world = world
        self.skew: timedelta = timedelta()

    def now(self) -> datetime:
        """What the wall clock says."""
        return self._world.now() + self.skew

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._world.monotonic()

    def sleep(self, seconds: float) -> None:
        """Not here: whoever waits blocks everybody."""
        raise NotImplementedError

    async def asleep(self, seconds: float) -> None:
        """Let others go on until the time is over."""
        await reach(Pause(Point.ASLEEP, seconds=max(0.0, seconds)))


class Turns:
    """
    The rate of a process, as its gate asks for it: all turns are free, or none is until a moment.

    Attributes:
        free_at: When the next turn is free, by the monotonic clock.
        spare: So many more turns are free before.
    """

    def __init__(self, clock: MachineClock) -> None:
        self._clock = clock
        self.free_at: float = 0.0
        self.spare: int = 0

    def left(self) -> float:
        """See `Pace`."""
        return 0.0 if self.spare else max(0.0, self.free_at - self._clock.monotonic())

    def wait(self) -> float:
        """See `Pace`."""
        left = self.left()
        self.spare = max(0, self.spare - 1)
        return left


class _Runner(AsyncRunner):
    """Carries steps out without an event loop or threads: whoever holds the task is the loop."""

    def __init__(
        self, store: AsyncStore, provider: AsyncPaymentProvider | AsyncRouter, clock: MachineClock
    ) -> None:
        super().__init__(store, provider, clock)
        self.ports = AsyncPorts(store, provider, clock.asleep)

    async def __call__(self, steps: Steps[T]) -> T:
        return await drive_async(steps, self.ports)


class Process:
    """
    One process of the shop.

    Attributes:
        alive: Whether it was not killed.
        elsewhere: Whether it is at another account or provider than the others.
        turns: When it may send.
    """

    def __init__(
        self,
        name: str,
        *,
        provider: AsyncPaymentProvider | AsyncRouter,
        store: AsyncStore,
        clock: MachineClock,
        handlers: Handlers,
        elsewhere: bool = False,
    ) -> None:
        self.name = name
        self.clock = clock
        self.elsewhere = elsewhere
        self.alive: bool = True
        self.provider = provider
        settings = JournalSettings(
            scope=SCOPE,
            environment=provider.environment,
            clock=clock,
            retries=_NO_JITTER,
            on_events=handlers.subscribe,
        )
        self.turns: Turns = Turns(clock)
        self.session: Session = _session(settings, provider, handlers)
        for line in self.session.lines:
            line.gate.pace = self.turns
        runner: Any = _Runner(store, provider, clock)
        self.payments: AsyncPayments = AsyncPayments(self.session, runner)
        self.refunds: AsyncRefunds = AsyncRefunds(self.session, runner)
        self.operations: AsyncOperations = AsyncOperations(self.session, runner)
        self.webhooks: AsyncWebhooks = AsyncWebhooks(self.session, runner)

    def hurry(self, seconds: float, *, spare: int = 0) -> None:
        """Let what it sends wait for its turn for so long, but for so many requests before."""
        self.turns.free_at = self.clock.monotonic() + seconds
        self.turns.spare = spare

    def __repr__(self) -> str:
        return self.name


def _session(
    settings: JournalSettings, provider: AsyncPaymentProvider | AsyncRouter, handlers: Handlers
) -> Session:
    if isinstance(provider, AsyncRouter):
        each = dict.fromkeys(provider.providers, settings)
        return RoutedSession(settings=each, router=provider, handlers=handlers)
    return Session(settings=settings, provider=provider, handlers=handlers)
