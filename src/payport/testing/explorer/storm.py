"""
Storms: one world by one seed, in which everything goes wrong at once, and what is left of it.

A seed decides the orders, which faults there are and how often, who goes on next, who dies where,
and what time it is. Each seed has its own few kinds of faults, since faults that always strike
together hide what each of them does alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from payport.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    ProviderFault,
    StoreError,
)
from payport.testing.bank.records import State
from payport.testing.explorer.audit import audit, review
from payport.testing.explorer.network import DISK_FAULTS, NETWORK_FAULTS, Disks
from payport.testing.explorer.outcome import Outcome
from payport.testing.explorer.processes import MachineClock, Process
from payport.testing.explorer.processors import MakeProcessor
from payport.testing.explorer.stores import MakeStore
from payport.testing.explorer.stories import Order, Wish, orders
from payport.testing.explorer.tasks import Point, Role, Task
from payport.testing.explorer.world import World

__all__ = ["Storm"]

#: How often a customer asks again before giving an order up.
_PATIENCE: Final = 5
#: Decisions after which a storm is over, whatever is left to do.
_LONGEST: Final = 1_200

#: Seconds that a process is paused for, or that pass at once for all.
_PAUSES: Final = (2.0, 12.0, 60.0)
_LEAPS: Final = (12.0, 70.0, 1_200.0, 7_200.0, 90_000.0)
#: How wrong a machine's clock may be, in seconds.
_SKEWS: Final = (-10_800.0, -400.0, -60.0, 0.0, 60.0, 400.0, 10_800.0)


class Storm:
    """
    One seed's world.

    Args:
        store: Opens the world's store; one in memory unless passed.
    """

    def __init__(
        self,
        seed: int,
        processor: MakeProcessor,
        store: MakeStore,
        *,
        profile: str = "",
        telling: bool = False,
    ) -> None:
        self._profile = profile
        self._seed = seed
        self._random = random = Random(seed)  # noqa: S311 - repeatable, and play money
        network = _some(random, list(NETWORK_FAULTS), 5)
        disk = _some(random, list(DISK_FAULTS), 2)
        self._happenings = _some(random, list(_HAPPENINGS), len(_HAPPENINGS))
        self._weights = [_HAPPENINGS[kind][0] for kind in self._happenings]
        self._disk = Disks(random, disk, random.choice((0.0, 0.02, 0.06)))
        self.world: World = World(processor, store, self._disk, telling=telling)
        self.world.network.storm(random, network, random.choice((0.1, 0.3, 0.6)))
        self._machines = [MachineClock(self.world.clock) for _ in range(2)]
        self._processes = [self.world.process(clock) for clock in self._machines]
        self._strangers: list[Process] = []
        self._orders: list[Order] = orders(self.world, random, random.randint(1, 4))
        self._asked: dict[int, tuple[Order, Wish]] = {}
        self._operations = 0
        self._faults = Counter[str]()

    def run(self) -> Outcome:
        """Let it rage, let it end, and look at what is left."""
        world = self.world
        try:
            for _ in range(_LONGEST):
                if not self._goes_on():
                    break
            world.settle(webhooks_last=self._random.random() < _HALF)
            audit(world)
            review(world)
            world.settle()
            audit(world)
            if self._random.random() < _HALF:
                self._ask_all_again()
            return self._outcome()
        finally:
            world.close()

    def _outcome(self) -> Outcome:
        world = self.world
        return Outcome(
            replay=str(self._seed),
            profile=self._profile,
            broken=tuple(world.watch.broken),
            operations=self._operations,
            crashes=world.crashes,
            reviewed=world.reviewed,
            faults=world.network.struck + self._disk.struck + self._faults,
            history=tuple(world.history),
        )

    def _ask_all_again(self) -> None:
        """Whatever was asked is asked once more, of a shop that is well: nothing moves twice."""
        world = self.world
        for order in self._orders:
            for wish in order.wishes[: order.at + 1]:
                self._operations += 1
                work = order.ask(wish, world.home)
                self._told(world.do(f"{order.reference} {wish}", Role.CALLER, world.home, work))
        world.settle()
        review(world)
        world.settle()
        audit(world)

    # -- what happens next ----------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Let one thing happen; False when nobody wants anything any more."""
        random = self._random
        drawn = random.random()
        if drawn < _TASKS and self.world.tasks:
            self._let_one_go_on()
        elif drawn < _TASKS + _WISHES or not self._happenings:
            if not self._ask() and not self.world.tasks:
                return False
        else:
            kind = random.choices(self._happenings, self._weights)[0]
            self._faults[kind] += _HAPPENINGS[kind][1](self)
        return True

    def _let_one_go_on(self) -> None:
        world, now = self.world, self.world.clock.monotonic()
        awake = [task for task in world.tasks if task.wakes_at <= now]
        if not awake:
            world.clock.advance(min(task.wakes_at for task in world.tasks) - now)
            return
        task = self._random.choice(awake)
        world.step(task)
        if task.over:
            self._told(task)

    def _ask(self) -> bool:
        """Have a customer ask for what is next; False where no order has anything left."""
        left = [order for order in self._orders if order.wish is not None]
        if not left:
            return False
        busy = {id(order) for order, _ in self._asked.values()}
        idle = [order for order in left if id(order) not in busy]
        if idle:
            self._start(self._random.choice(idle))
        return True

    def _start(self, order: Order) -> None:
        wish = order.wish
        if wish is None:
            return
        process = self._random.choice(self._processes)
        order.tries += 1
        self._operations += 1
        what = f"{order.reference} {wish}"
        task = self.world.start(what, Role.CALLER, process, order.ask(wish, process))
        self._asked[id(task)] = (order, wish)

    def _told(self, task: Task) -> None:
        """Have the customer draw the conclusion from what a task came to."""
        asked = self._asked.pop(id(task), None)
        if isinstance(task.error, IdempotencyConflict):
            self.world.watch.breaks(f"the same was asked and taken for another: {task.what}")
        if asked is None or asked[1] is not asked[0].wish:
            return
        order = asked[0]
        if isinstance(task.error, ProviderFault | StoreError | NotFound) or task.dropped:
            if order.tries >= _PATIENCE:
                order.at = len(order.wishes)
        elif isinstance(task.error, InvalidRequest) and order.tries < _PATIENCE:
            return  # not now, perhaps later
        else:
            order.at, order.tries = order.at + 1, 0

    # -- what can happen ------------------------------------------------------------------------

    def crash(self) -> int:
        """A process dies, and another one starts on its machine."""
        at = self._random.randrange(len(self._processes))
        dead = self._processes[at]
        mine = [task for task in self.world.tasks if task.process is dead]
        if not mine:
            return 0
        self.world.crash(dead)
        for task in mine:
            self._told(task)
        self._processes[at] = self.world.process(dead.clock)
        return 1

    def pause(self) -> int:
        """A process stands still in the middle of something, and wakes late."""
        if not self.world.tasks:
            return 0
        task = self._random.choice(self.world.tasks)
        task.wakes_at = self.world.clock.monotonic() + self._random.choice(_PAUSES)
        return int(task.at.point is not Point.BEGIN)

    def leap(self) -> int:
        """Time passes for everybody."""
        self.world.clock.advance(self._random.choice(_LEAPS))
        return 1

    def skew(self) -> int:
        """A machine's wall clock jumps."""
        machine = self._random.choice(self._machines)
        machine.skew = timedelta(seconds=self._random.choice(_SKEWS))
        return 1

    def ask_twice(self) -> int:
        """Somebody presses the button twice, or a job repeats it."""
        under_way = list(self._asked.values())
        if not under_way:
            return 0
        order, wish = self._random.choice(under_way)
        process = self._random.choice(self._processes)
        self._operations += 1
        work = order.ask(wish, process)
        self.world.start(f"{order.reference} {wish}, again", Role.CALLER, process, work)
        return 1

    def recover(self) -> int:
        """Recovery runs, perhaps beside another run of it."""
        self.world.recover(self._random.choice(self._processes))
        return int(sum(task.role is Role.RECOVERY for task in self.world.tasks) > 1)

    def deliver(self) -> int:
        """A webhook comes, in any order, perhaps once more."""
        letters = self.world.post()
        if self._random.random() < _AGAIN:
            letters = self.world.letters
        if not letters:
            return 0
        letter = self._random.choice(letters)
        early = any(task.at.point is Point.AFTER_SEND for task in self.world.tasks)
        self.world.deliver(letter, self._random.choice(self._processes))
        return int(early)

    def process_due(self) -> int:
        """The webhook worker has its turn."""
        self.world.process_due(self._random.choice(self._processes))
        return 0

    def swap_account(self) -> int:
        """A process is started with another account's credentials."""
        return self._stranger(self.world.process(self._machines[0], account="acct_other"))

    def change_route(self) -> int:
        """A process is started that takes payments to another provider."""
        return self._stranger(self.world.process(self._machines[1], route="elsewhere"))

    def _stranger(self, process: Process) -> int:
        known = {row.payment_id for row in self.world.watch.rows.values()}
        begun = [order for order in self._orders if order.payment in known]
        if not begun:
            return 0
        order = self._random.choice(begun)
        wish = self._random.choice(order.wishes[: order.at + 1])
        work = order.ask(wish, process)
        self._operations += 1
        self.world.start(f"{order.reference} {wish}, elsewhere", Role.CALLER, process, work)
        self.world.recover(process)
        return 1

    def customer(self) -> int:
        """A customer who was asked to authenticate does, fails to, or leaves."""
        asked = [p for p in self.world.bank.payments if p.state is State.CHALLENGED]
        if not asked:
            return 0
        payment = self._random.choice(asked)
        if self._random.random() < _AGAIN:
            self.world.bank.abandon(payment.ref)
        else:
            self.world.bank.authenticate(payment.ref, ok=self._random.random() < _HALF)
        return 0


_HALF: Final = 0.5
_AGAIN: Final = 0.3
#: How often somebody goes on, and how often somebody wants something new.
_TASKS: Final = 0.8
_WISHES: Final = 0.06

#: What can happen: how often beside the others, and what it is.
_HAPPENINGS: Final[dict[str, tuple[int, Callable[[Storm], int]]]] = {
    "crash": (4, Storm.crash),
    "paused sender": (3, Storm.pause),
    "time passes": (2, Storm.leap),
    "clock jumps": (1, Storm.skew),
    "asked twice at once": (2, Storm.ask_twice),
    "two recoverers at once": (4, Storm.recover),
    "webhook before response": (5, Storm.deliver),
    "webhook worker": (3, Storm.process_due),
    "account swapped": (1, Storm.swap_account),
    "route changed": (1, Storm.change_route),
    "customer": (1, Storm.customer),
}


def _some(random: Random, kinds: list[str], most: int) -> list[str]:
    """Some of the kinds, in their order; sometimes none."""
    chosen = set(random.sample(kinds, random.randint(0, min(most, len(kinds)))))
    return [kind for kind in kinds if kind in chosen]
