"""
One day of a shop whose receivers and workers are killed: forked, hit by SIGKILL at a random moment,
forked again, while the provider sends until everything is acknowledged.

When so many kills were made as were asked for, what was sent is worked off undisturbed. Then what
was acknowledged is compared with what is stored, and with the effects.
"""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from children import Children
from processor import listener
from sending import Event, Sent, send
from shops import Books, Shop
from slots import Phase, QuickClock, Shared, Slot

__all__ = ["Day", "Plan", "day"]

#: Seconds that a process lives, at least and at most.
_LIFE: Final = (0.030, 0.250)
#: Seconds that there are to send and to work off what is left when the kills are over.
_EVENING: Final = 120.0
_PAUSE: Final = 0.02
#: Events for each kill, so that there is always something on its way.
_EVENTS: Final = 3
_OPEN: Final = {Phase.WRITING, Phase.WRITTEN, Phase.HANDLING}


@dataclass(frozen=True, slots=True)
class Plan:
    """How many kills, by how many receivers and workers, and where chance begins."""

    kills: int
    receivers: int = 2
    workers: int = 2
    seed: int = 1


@dataclass(slots=True)
class Day:
    """
    What came of it.

    Attributes:
        open: How many kills hit a process with a transaction open, or just committed.
        deliveries: How many requests the provider made.
        answers: How many of them got which answer.
        acknowledged: How many events were answered with 200.
        lost: How many of these are not in the inbox.
        acted_twice: How many orders had more than one effect.
        not_acted: How many events had none.
    """

    name: str
    kills: int = 0
    open: int = 0
    events: int = 0
    deliveries: int = 0
    acknowledged: int = 0
    lost: int = 0
    acted_twice: int = 0
    not_acted: int = 0
    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    hit: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether all that was promised is so."""
        whole = self.acknowledged == self.events
        return whole and not (self.lost or self.acted_twice or self.not_acted)


def day(shop: Shop, plan: Plan, clock: QuickClock, folder: Path) -> Day:
    """
    Run one day.

    Raises:
        RuntimeError: A process failed by itself, or the evening took too long.
    """
    events = shop.prepare(int(plan.kills * _EVENTS) + 20)
    began = time.monotonic()
    told = folder / "sent.json"
    with Children() as children, listener() as where:
        port: int = where.getsockname()[1]
        slots = _Slots(children, shop, plan, where)
        sender = children.fork(
            lambda: send(events, port, slots.shared, plan.kills, clock, told)
        )
        slots.run()
        _wait(lambda: children.ended(sender), slots, "not everything was acknowledged")
        _wait(shop.is_done, slots, "not everything was worked off")
        slots.stop()
    came = _compared(shop.name, events, Sent.read(told), shop.books())
    came.kills, came.hit = slots.kills, {phase.name.lower(): n for phase, n in slots.hit.items()}
    came.open = sum(slots.hit[phase] for phase in _OPEN)
    came.seconds = time.monotonic() - began
    return came


def _wait(ready: Callable[[], bool], slots: _Slots, why: str) -> None:
    evening = time.monotonic() + _EVENING
    while not ready():
        slots.check()
        if time.monotonic() > evening:
            raise RuntimeError(why)
        time.sleep(_PAUSE)


def _compared(name: str, events: Sequence[Event], sent: Sent, books: Books) -> Day:
    acknowledged = set(sent.acknowledged)
    return Day(
        name=name,
        events=len(events),
        deliveries=sent.deliveries,
        answers=sent.answers,
        acknowledged=len(acknowledged),
        lost=len(acknowledged - books.stored),
        acted_twice=sum(count > 1 for count in books.effects.values()),
        not_acted=sum(not books.effects[event.reference] for event in events),
    )


class _Slots:
    """The processes that are killed: receivers first, then workers."""

    def __init__(self, children: Children, shop: Shop, plan: Plan, where: socket.socket) -> None:
        self._children = children
        self._shop = shop
        self._plan = plan
        self._where = where
        self._random = random.Random(plan.seed)  # noqa: S311 - seeded, so that it can be repeated
        self._running: dict[int, int] = {}
        self._ends: dict[int, float] = {}
        self.shared = Shared(plan.receivers + plan.workers)
        self.kills = 0
        self.hit: Counter[Phase] = Counter()

    def run(self) -> None:
        """Kill until there were enough kills, then let everything go on."""
        for slot in range(self._plan.receivers + self._plan.workers):
            self._begin(slot)
        while self.kills < self._plan.kills:
            slot = min(self._ends, key=self._ends.__getitem__)
            time.sleep(max(0.0, self._ends[slot] - time.monotonic()))
            self._kill(slot)
            self.kills += 1
            self.hit[self.shared.phase(slot)] += 1
            self.shared.tell(self.kills, closing=False)
            self._begin(slot)
        self.shared.tell(self.kills, closing=True)

    def check(self) -> None:
        """
        See to it that all are alive.

        Raises:
            RuntimeError: One ended that nobody had killed.
        """
        if any(self._children.ended(pid) for pid in self._running.values()):
            raise RuntimeError("a process ended that nobody had killed")

    def stop(self) -> None:
        """The day is over."""
        for slot in tuple(self._running):
            self._kill(slot)

    def _begin(self, slot: int) -> None:
        self.shared.enter(slot, Phase.STARTING)
        own = Slot(self.shared, slot)
        if slot < self._plan.receivers:
            self._running[slot] = self._children.fork(lambda: self._shop.receive(self._where, own))
        else:
            self._running[slot] = self._children.fork(lambda: self._shop.work(own))
        self._ends[slot] = time.monotonic() + self._random.uniform(*_LIFE)

    def _kill(self, slot: int) -> None:
        pid = self._running.pop(slot)
        if self._children.ended(pid):
            raise RuntimeError("a process ended that nobody had killed")
        self._children.kill(pid)
