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

from payport.testing.explorer.customers import Customers
from payport.testing.explorer.network import DISK_FAULTS, NETWORK_FAULTS, Disks
from payport.testing.explorer.outcome import Outcome
from payport.testing.explorer.processes import MachineClock, Process
from payport.testing.explorer.processors import MakeProcessor
from payport.testing.explorer.rest import come_to_rest
from payport.testing.explorer.stores import MakeStore
from payport.testing.explorer.tasks import Point, Role
from payport.testing.explorer.world import World

__all__ = ["Storm"]

#: Decisions after which a storm is over, whatever is left to do.
_LONGEST: Final = 1_200

#: Seconds that a process is paused for, or that pass at once for all.
_PAUSES: Final = (2.0, 12.0, 60.0)
#: Seconds until a process has a turn to send; the last is longer than a caller waits.
_HURRIES: Final = (0.5, 5.0, 15.0, 30.0)
_LEAPS: Final = (12.0, 70.0, 1_200.0, 7_200.0, 90_000.0)
#: How wrong a machine's clock may be, in seconds.
_SKEWS: Final = (-10_800.0, -400.0, -60.0, 0.0, 60.0, 400.0, 10_800.0)


class Storm:
    """
    One seed's world.

    Args:
        store: Opens the world's store.
        profile: What the processor is called, if it has a name.
        telling: Whether to keep a history.
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
        self._customers = Customers(self.world, random)
        self._faults = Counter[str]()

    def run(self) -> Outcome:
        """Let it rage, let it end, and look at what is left."""
        world = self.world
        try:
            for _ in range(_LONGEST):
                if not self._goes_on():
                    break
            come_to_rest(world, webhooks_last=self._random.random() < _HALF)
            if self._random.random() < _HALF:
                self._customers.ask_all_again(world.home)
                come_to_rest(world)
            return self._outcome()
        finally:
            world.close()

    def _outcome(self) -> Outcome:
        world = self.world
        return Outcome(
            replay=str(self._seed),
            profile=self._profile,
            broken=tuple(world.watch.broken),
            operations=self._customers.operations,
            crashes=world.crashes,
            reviewed=world.reviewed,
            faults=world.network.struck + self._disk.struck + self._faults,
            history=tuple(world.history),
        )

    # -- what happens next ----------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Let one thing happen; False when nobody wants anything any more."""
        random = self._random
        drawn = random.random()
        if drawn < _TASKS and self.world.tasks:
            self._let_one_go_on()
        elif drawn < _TASKS + _WISHES or not self._happenings:
            if self._customers.are_done and not self.world.tasks:
                return False
            self._customers.ask(random.choice(self._processes))
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
            self._customers.hear(task)

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
            self._customers.hear(task)
        self._processes[at] = self.world.process(dead.clock)
        return 1

    def pause(self) -> int:
        """A process stands still in the middle of something, and wakes late."""
        if not self.world.tasks:
            return 0
        task = self._random.choice(self.world.tasks)
        task.wakes_at = self.world.clock.monotonic() + self._random.choice(_PAUSES)
        return int(task.at.point is not Point.BEGIN)

    def hurry(self) -> int:
        """A process has no turn left, and what it sends has to wait."""
        self._random.choice(self._processes).hurry(self._random.choice(_HURRIES))
        return 1

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
        return int(self._customers.ask_twice(self._random.choice(self._processes)))

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
        asked = self._customers.ask_elsewhere(process)
        if asked:
            self.world.recover(process)
        return int(asked)

    def customer(self) -> int:
        """A customer who was asked to authenticate decides."""
        self._customers.authenticate()
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
    "no turn free": (4, Storm.hurry),
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
