"""
The network and the provider's bad days, by chance that a seed repeats.

`Network.decide` is the script of every process: it says what happens to each request. Requests can
arrive late, long after their sender gave up, and twice; nothing arrives more than two minutes late,
because a network that keeps requests for longer than a key's margin makes every promise void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from payport.domain.errors import StoreConflict, StoreUnavailable
from payport.providers.exchange import Response, TransportError
from payport.testing.faults import (
    Conflict,
    ConnectionRefused,
    Fault,
    Garbled,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    Truncated,
    Unavailable,
)

if TYPE_CHECKING:
    from payport.testing.bank.bank import Bank
    from payport.testing.clock import FakeClock
    from payport.testing.faults import Line
    from payport.testing.script import Asked, Scripted

__all__ = ["DISK_FAULTS", "NETWORK_FAULTS", "Calm", "Disks", "Network"]

#: Seconds after which whatever is still on the way has arrived.
LATEST: Final = 120.0

_MUTATES: Final = frozenset(
    {"create_payment", "confirm_payment", "capture_payment", "cancel_payment", "create_refund"}
)


class Network:
    """
    What happens to requests.

    Attributes:
        seconds: How long the answer to the request that was sent last takes.
        travelling: How many requests with a key are still on their way.
        struck: How often each fault struck.
    """

    def __init__(self, bank: Bank, clock: FakeClock) -> None:
        self._bank = bank
        self._clock = clock
        self._random = Random(0)  # noqa: S311 - faults in play money
        self._kinds: Sequence[str] = ()
        self._rate = 0.0
        self._once: str | None = None
        self.seconds: float = 0.0
        self.travelling: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def storm(self, random: Random, kinds: Sequence[str], rate: float) -> None:
        """Let faults of these kinds strike from now on, each request with this probability."""
        self._random, self._kinds, self._rate = random, kinds, rate

    def calm(self) -> None:
        """Let everything pass from now on. What is on its way still arrives."""
        self._kinds, self._once = (), None

    def strike_once(self, kind: str) -> None:
        """Let a fault strike the next request that changes something, and nothing else."""
        self._once = kind

    def decide(self, asked: Asked) -> Scripted:
        """What happens to a request; a script's function."""
        mutates = asked.operation in _MUTATES
        if self._once is not None and mutates:
            kind, self._once = self._once, None
            return self._strike(kind, asked)
        if not self._kinds or self._random.random() >= self._rate:
            return None
        kind = self._random.choice(self._kinds)
        if kind in _CHANGES_ONLY and not mutates:
            return None
        return self._strike(kind, asked)

    def _strike(self, kind: str, asked: Asked) -> Scripted:
        if kind == "a request that arrives twice" and not self._bank.behaviour.idempotency.life:
            return None  # nobody could do anything about it
        self.struck[kind] += 1
        return NETWORK_FAULTS[kind](self, asked)

    def chance(self) -> Random:
        """Where what is drawn comes from."""
        return self._random

    def take(self, seconds: float) -> None:
        """Have the answer to the present request take so long."""
        self.seconds = seconds

    def later(self, key: str | None, seconds: float, line: Line) -> None:
        """Have a request arrive later; its answer finds nobody."""
        named = key or ""
        self.travelling[named] += 1

        def arrive() -> None:
            with self._bank.open():
                line.execute()
            self.travelling[named] -= 1

        self._clock.call_later(seconds, arrive)


@dataclass(frozen=True, slots=True)
class _NoAnswer(Fault):
    """No answer within the client's patience; carried out, or not, or later."""

    network: Network
    key: str | None
    arrives: float | None

    def strike(self, line: Line) -> Response:
        """Execute at once, later, or never."""
        if self.arrives == 0:
            line.execute()
        elif self.arrives is not None:
            self.network.later(self.key, self.arrives, line)
        self.network.take(line.timeout)
        raise TransportError(f"no answer within {line.timeout:g} s", sent=True)


@dataclass(frozen=True, slots=True)
class _Slow(Fault):
    """It takes nearly all of the client's patience."""

    network: Network
    share: float

    def strike(self, line: Line) -> Response:
        """Execute, and have the answer take its time."""
        answer = line.execute()
        self.network.take(line.timeout * self.share)
        return answer


@dataclass(frozen=True, slots=True)
class _Twice(Fault):
    """Something in between sends the request once more."""

    network: Network
    key: str | None
    seconds: float

    def strike(self, line: Line) -> Response:
        """Execute now, and again later."""
        answer = line.execute()
        self.network.later(self.key, self.seconds, line)
        return answer


_Make: TypeAlias = Callable[[Network, "Asked"], Fault]


def _late(network: Network) -> float:
    return network.chance().uniform(0.1, LATEST)


#: Every fault of a request, by what reports call it.
NETWORK_FAULTS: Final[dict[str, _Make]] = {
    "dropped request": lambda _n, _a: LostRequest(),
    "dropped response": lambda _n, _a: LostResponse(),
    "no answer, no effect": lambda n, a: _NoAnswer(n, a.key, None),
    "no answer, effect": lambda n, a: _NoAnswer(n, a.key, 0),
    "a request that arrives late": lambda n, a: _NoAnswer(n, a.key, _late(n)),
    "a request that arrives twice": lambda n, a: _Twice(n, a.key, _late(n)),
    "slow answer": lambda n, _a: _Slow(n, n.chance().uniform(0.1, 0.99)),
    "connection refused": lambda _n, _a: ConnectionRefused(),
    "409": lambda _n, _a: Conflict(),
    "429": lambda n, _a: RateLimited(retry_after=n.chance().choice((None, 1.0, 30.0))),
    "500 with effect": lambda _n, _a: ServerError(effect=True),
    "500 without effect": lambda _n, _a: ServerError(effect=False),
    "503": lambda _n, _a: Unavailable(),
    "half an answer": lambda _n, _a: Truncated(),
    "an answer in no language": lambda _n, _a: Garbled(),
}
_CHANGES_ONLY: Final = frozenset(
    {"409", "a request that arrives late", "a request that arrives twice"}
)


class Calm:
    """A disk that nothing is wrong with."""

    def before(self) -> None:
        """Nothing."""

    def after(self) -> None:
        """Nothing."""


class Disks:
    """A disk with bad days."""

    def __init__(self, random: Random, kinds: Sequence[str], rate: float) -> None:
        self._random = random
        self._before = [kind for kind in kinds if DISK_FAULTS.get(kind) is False]
        self._after = [kind for kind in kinds if DISK_FAULTS.get(kind) is True]
        self._rate = rate
        self.struck: Counter[str] = Counter()

    def before(self) -> None:
        """Perhaps nothing can be written now."""
        self._perhaps(self._before)

    def after(self) -> None:
        """Perhaps it was written, and nobody is told."""
        self._perhaps(self._after)

    def _perhaps(self, kinds: Sequence[str]) -> None:
        if kinds and self._random.random() < self._rate:
            kind = self._random.choice(kinds)
            self.struck[kind] += 1
            error = StoreConflict if kind == "two writers meet" else StoreUnavailable
            raise error(f"the store failed: {kind}", operation="store.transact")


#: Every fault of a commit, and whether the commit stands.
DISK_FAULTS: Final[dict[str, bool]] = {
    "SQLITE_BUSY": False,
    "disk full": False,
    "two writers meet": False,
    "a commit whose answer is lost": True,
}
