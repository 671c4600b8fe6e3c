"""
One day of a shop whose workers are killed: forked, hit by SIGKILL at a random moment, forked again.

When so many kills were made as were asked for, no new orders come in and the workers finish what is
open undisturbed. Then the application's orders are compared with the processor's books.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from children import Children
from clients import Shop, Unclear
from orders import Orders
from processor import books_at, listener, serve
from state import Phase, Shared, be_slow, spare_certificates

__all__ = ["Day", "Plan", "day"]

#: Seconds that a process lives, at least and at most.
_LIFE: Final = (0.020, 0.200)
#: Seconds that the processes have to finish what is open when the kills are over.
_EVENING: Final = 120.0
#: Seconds between two looks for an order that is due, and between two runs of recovery.
_PAUSE: Final = 0.02
_RECOVER_EVERY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """How many kills, by how many workers, and where chance begins."""

    kills: int
    workers: int
    seed: int


@dataclass(slots=True)
class Day:
    """
    What came of it.

    Attributes:
        orders: How many there were.
        hit: How many kills hit a process in which phase.
        twice: How many orders were charged twice or more.
        extra: How many charges there were beyond the first of each order.
        lost: How many orders are not both charged their amount and known to be paid.
        cut: How many requests ended before their body did.
        unfinished: How many operations the journal holds whose outcome it does not know.
        errors: How many lines payport logged as errors.
    """

    name: str
    orders: int = 0
    kills: int = 0
    twice: int = 0
    extra: int = 0
    lost: int = 0
    requests: int = 0
    cut: int = 0
    seconds: float = 0.0
    unfinished: int = 0
    errors: int = 0
    hit: dict[str, int] = field(default_factory=dict)


def day(make: Callable[[str, Path], Shop], plan: Plan, folder: Path) -> Day:
    """
    Run one day.

    Raises:
        RuntimeError: A process failed by itself, or the evening took too long.
    """
    table = folder / "orders.db"
    Orders.make(table)
    spare_certificates()
    began = time.monotonic()
    with Children() as children, listener() as where:
        port: int = where.getsockname()[1]
        processor = children.fork(lambda: serve(where, plan.seed))
        where.close()
        shop = make(f"http://127.0.0.1:{port}", folder)
        shop.rehearse()
        slots = _Slots(children, shop, table, plan)
        slots.run()
        if children.ended(processor):
            raise RuntimeError("the processor stopped")
        came = _compared(shop.name, table, port)
        came.unfinished = shop.unfinished()
    came.kills, came.hit = slots.kills, dict(slots.hit)
    came.seconds = time.monotonic() - began
    return came


def _compared(name: str, table: Path, port: int) -> Day:
    books = books_at(port)
    orders = Orders(table)
    known = orders.all()
    orders.close()
    made = {reference: len(books.charges.get(reference, [])) for reference in known}
    whole = {reference for reference, paid in known.items() if paid and made[reference]}
    return Day(
        name=name,
        orders=len(known),
        twice=sum(count > 1 for count in made.values()),
        extra=sum(max(0, count - 1) for count in made.values()),
        lost=len(known) - len(whole),
        requests=books.requests,
        cut=books.cut,
    )


class _Slots:
    """The processes that are killed: so many workers, and one that recovers."""

    def __init__(self, children: Children, shop: Shop, table: Path, plan: Plan) -> None:
        self._children = children
        self._shop = shop
        self._table = table
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - seeded, so that it can be repeated
        self._shared = Shared(plan.workers + 1)
        self._running: dict[int, int] = {}
        self._ends: dict[int, float] = {}
        self.kills = 0
        self.hit: Counter[str] = Counter()

    def run(self) -> None:
        """Kill until there were enough kills, then let everything end."""
        for slot in range(self._plan.workers + 1):
            self._begin(slot)
        while self.kills < self._plan.kills:
            slot = min(self._ends, key=self._ends.__getitem__)
            time.sleep(max(0.0, self._ends[slot] - time.monotonic()))
            self._kill(slot)
            self._begin(slot)
        self._shared.close_the_shop()
        evening = time.monotonic() + _EVENING
        while len(self._running) > 1:  # recovery stays to the end
            for slot, pid in tuple(self._running.items()):
                if slot < self._plan.workers and self._children.ended(pid):
                    del self._running[slot]
            if time.monotonic() > evening:
                raise RuntimeError("the orders that were open could not be finished")
            time.sleep(_PAUSE)

    def _begin(self, slot: int) -> None:
        self._shared.enter(slot, Phase.STARTING)
        work = self._recover if slot == self._plan.workers else self._take_payments
        self._running[slot] = self._children.fork(lambda: work(slot))
        self._ends[slot] = time.monotonic() + self._random.uniform(*_LIFE)

    def _kill(self, slot: int) -> None:
        pid = self._running[slot]
        if self._children.ended(pid):
            raise RuntimeError("a process ended that nobody had killed")
        self._children.kill(pid)
        self.kills += 1
        self.hit[self._shared.phase(slot).name.lower()] += 1

    # -- in the child -------------------------------------------------------------------------

    def _take_payments(self, slot: int) -> None:
        _tell_errors(self._table.parent)
        shared = self._shared
        be_slow(shared, slot)
        orders = Orders(self._table)
        paid = self._shop.client()
        while (
            (order := orders.next(slot, more=not shared.closing))
            or not shared.closing
            or (orders.open(slot))
        ):
            if order is None:
                time.sleep(_PAUSE)
                continue
            shared.enter(slot, Phase.PAYING)
            try:
                ref = paid(order)
            except Unclear:
                continue  # it comes again
            shared.enter(slot, Phase.RECORDING)
            orders.paid(order, ref)

    def _recover(self, slot: int) -> None:
        _tell_errors(self._table.parent)
        while True:
            self._shared.enter(slot, Phase.RECOVERING)
            self._shop.recover()
            time.sleep(_RECOVER_EVERY)


def _tell_errors(folder: Path) -> None:
    """Keep what payport logs as an error: none is expected, whoever is killed."""
    handler = logging.FileHandler(folder / "errors.log", delay=True)
    handler.setLevel(logging.ERROR)
    log = logging.getLogger("payport")
    log.addHandler(handler)
    log.propagate = False
