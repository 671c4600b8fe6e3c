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

#: Seconds that a process lives once it has started; but one in so many is not let start.
_LIFE: Final = (0.0, 0.2)
_ONE_UNBORN_IN: Final = 5
#: Where the others are met: anywhere, or with a transaction open or just committed, so long as it
#: takes them to come there, in seconds.
_RECEIVING: Final = (None, Phase.WRITING, Phase.WRITTEN)
_WORKING: Final = (None, Phase.WRITING, Phase.WRITTEN, Phase.HANDLING, *2 * (Phase.HANDLED,))
_AIMING: Final = 0.5
_AIMING_AT_HANDLERS: Final = 3.0
_LOOK: Final = 0.001
#: Seconds that there are to send and to work off what is left when the kills are over.
_EVENING: Final = 120.0
_PAUSE: Final = 0.02
#: Events for each kill, so that there is always something on its way.
_EVENTS: Final = 3
_OPEN: Final = frozenset(Phase) - {Phase.STARTING, Phase.IDLE}


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
    clock.hurry()
    began = time.monotonic()
    told = folder / "sent.json"
    with Children() as children, listener() as where:
        port: int = where.getsockname()[1]
        slots = _Slots(children, shop, plan, where)
        sender = children.fork(
            lambda: send(
                events, port, shared=slots.shared, kills=plan.kills, clock=clock, told=told
            )
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
        #: When its life ends, by slot; None as long as it starts.
        self._ends: dict[int, float | None] = {}
        self._aims: dict[int, Phase | None] = {}
        self.shared = Shared(plan.receivers + plan.workers)
        self.kills = 0
        self.hit: Counter[Phase] = Counter()

    def run(self) -> None:
        """Kill until there were enough kills, then let everything go on."""
        for slot in range(self._plan.receivers + self._plan.workers):
            self._begin(slot)
        while self.kills < self._plan.kills:
            over = [slot for slot in self._running if self._is_over(slot)]
            for slot in over[: self._plan.kills - self.kills]:
                self._kill(slot)
                self.kills += 1
                self.hit[self.shared.phase(slot)] += 1
                self.shared.tell(self.kills, closing=False)
                self._begin(slot)
            self.check()
            time.sleep(_LOOK)
        for slot in self._running:
            self.shared.aim(slot, Phase.STARTING)
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
        self.shared.aim(slot, Phase.STARTING)
        own = Slot(self.shared, slot)
        if slot < self._plan.receivers:
            self._running[slot] = self._children.fork(lambda: self._shop.receive(self._where, own))
        else:
            self._running[slot] = self._children.fork(lambda: self._shop.work(own))
        unborn = self._random.randrange(_ONE_UNBORN_IN) == 0
        self._ends[slot] = self._end() if unborn else None
        places = _RECEIVING if slot < self._plan.receivers else _WORKING
        self._aims[slot] = None if unborn else self._random.choice(places)

    def _end(self) -> float:
        return time.monotonic() + self._random.uniform(*_LIFE)

    def _is_over(self, slot: int) -> bool:
        """Whether it is to be killed now."""
        phase, end = self.shared.phase(slot), self._ends[slot]
        if end is None:
            self._ends[slot] = None if phase is Phase.STARTING else self._end()
            return False
        late, aim = time.monotonic() - end, self._aims[slot]
        if late < 0:
            return False
        if aim is None or phase is aim:
            return True
        self.shared.aim(slot, aim)
        handlers = aim in {Phase.HANDLING, Phase.HANDLED}
        return late > (_AIMING_AT_HANDLERS if handlers else _AIMING)

    def _kill(self, slot: int) -> None:
        pid = self._running.pop(slot)
        if self._children.ended(pid):
            raise RuntimeError("a process ended that nobody had killed")
        self._children.kill(pid)
