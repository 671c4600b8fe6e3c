"""
`CrashExplorer`: what an adapter's author, or the command line, explores a provider with.

It holds no state between worlds: the same seed, or the same crash, makes the same world anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from payport.domain.errors import InvalidRequest
from payport.testing.explorer.crashes import CASES, Crash, Crashes
from payport.testing.explorer.outcome import Outcome, Report
from payport.testing.explorer.processors import PROFILES, MakeProcessor
from payport.testing.explorer.stores import STORES, OpenData
from payport.testing.explorer.storm import Storm

__all__ = ["CrashExplorer", "silence"]

T = TypeVar("T", bound=Callable[..., object])


class CrashExplorer:
    """
    Kills, interrupts and confuses a shop in front of a provider, and looks at what is left.

    Everything happens in one thread and in fake time. At the end of each world nothing goes wrong
    any more, recovery and the webhook worker run until nothing is left for them, and then the
    journal, the payments, the events and the bank have to say the same, with at most one effect for
    each operation.

    Args:
        processor: The name of a profile (`stripe_like`, `adyen_like`, `keyless`, `stripe`), or what
            makes one for each world: a `Harness` class of the provider contract does.
        store: `memory`, `sqlite`, or what opens new data for each world.

    Raises:
        InvalidRequest: There is no profile or store of that name.
    """

    def __init__(
        self, processor: str | MakeProcessor = "stripe_like", store: str | OpenData = "memory"
    ) -> None:
        self._profile = processor if isinstance(processor, str) else ""
        self._processor: MakeProcessor = _named(processor, PROFILES, "processor")
        self._data: OpenData = _named(store, STORES, "store")

    def storm(self, seed: int, *, telling: bool = False) -> Outcome:
        """
        One world in which everything goes wrong at once, as its seed says.

        Args:
            telling: Whether the outcome's `history` says what happened, step by step.
        """
        with silence(), self._data() as store:
            storm = Storm(seed, self._processor, store, profile=self._profile, telling=telling)
            return storm.run()

    def storms(self, seeds: Iterable[int]) -> Report:
        """A world for each seed."""
        return Report.of(self.storm(seed) for seed in seeds)

    def crash(self, name: str) -> Outcome:
        """
        One world in which processes die where the name says, as reports give it; with its history.

        Raises:
            InvalidRequest: It is no crash's name.
        """
        with silence():
            return self._crashes(pairs=False).one(Crash.parse(name), telling=True)[0]

    def crashes(self, *, pairs: bool = False, case: str | None = None) -> Report:
        """
        A world for each stop of each operation, at which its process dies, and one for each fault
        that can strike its request.

        Args:
            pairs: Whether whoever comes after it dies too, at each of their stops.
            case: One of `cases()`; all of them if left out.
        """
        with silence():
            crashes = self._crashes(pairs=pairs)
            return Report.of(crashes.run(*(CASES if case is None else [case])))

    @staticmethod
    def cases() -> tuple[str, ...]:
        """The operations that are killed, by name."""
        return tuple(CASES)

    def _crashes(self, *, pairs: bool) -> Crashes:
        return Crashes(self._processor, self._data, profile=self._profile, pairs=pairs)


def _named(given: str | T, known: dict[str, T], field: str) -> T:
    if not isinstance(given, str):
        return given
    if given not in known:
        message = f"there is no {given!r}; there are {', '.join(known)}"
        raise InvalidRequest(message, operation="CrashExplorer", field=field)
    return known[given]


@contextmanager
def silence() -> Generator[None]:
    """What goes wrong here is no news for anybody's log."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
