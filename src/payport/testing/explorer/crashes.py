"""
Every crash, one after the other: each operation is killed at each of its stops, and whoever comes
after it is killed at each of theirs.

Nothing here is left to chance. A crash has a name, such as `refund/7/recovery/3` (the process that
asks for the refund dies at its seventh stop, the one that recovers at its third), which repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidRequest
from payport.testing.explorer.network import NETWORK_FAULTS
from payport.testing.explorer.outcome import Outcome
from payport.testing.explorer.rest import come_to_rest
from payport.testing.explorer.stories import STORIES, Order, Wish
from payport.testing.explorer.tasks import Point, Role, Task
from payport.testing.explorer.world import World

if TYPE_CHECKING:
    from payport.testing.explorer.processes import Process
    from payport.testing.explorer.processors import MakeProcessor
    from payport.testing.explorer.stores import OpenData

__all__ = ["CASES", "SUCCESSORS", "Crash", "Crashes"]

#: Each operation, as the wish of a story that asks for it after all that come before.
CASES: Final[dict[str, tuple[str, int]]] = {
    "create": ("sale", 0),
    "refund": ("sale", 1),
    "unconfirmed": ("two steps", 0),
    "confirm": ("two steps", 1),
    "authorize": ("parcels", 0),
    "capture": ("parcels", 1),
    "final-capture": ("one parcel", 1),
    "cancel": ("released", 1),
    "declined": ("second attempt", 0),
    "second-attempt": ("second attempt", 1),
    "third-attempt": ("second attempt", 2),
    "second-card": ("second card", 2),
    "challenge": ("challenged", 0),
    "create-in-turn": ("sale", 0),
    "refund-in-turn": ("sale", 1),
    "capture-in-turn": ("parcels", 1),
}
#: What the names of those cases end in whose request has to wait for its turn.
_IN_TURN: Final = "-in-turn"
#: Seconds that it waits.
_TURN: Final = 2.0
#: Who comes after a process that died.
SUCCESSORS: Final = ("again", "recovery", "webhooks")

_COUNTED: Final = frozenset(
    {Point.BEFORE_COMMIT, Point.AFTER_COMMIT, Point.BEFORE_SEND, Point.AFTER_SEND}
)
#: Seconds after which a dead sender's lease is over.
_LEASE: Final = 12.0
#: More stops than any operation makes.
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Crash:
    """
    Where processes die.

    Attributes:
        case: The operation, as `CASES` calls it.
        at: The stop at which its process dies, from 1; 0 for never.
        fault: What strikes the first request of the operation instead, as reports call it.
        successor: Who comes after it.
        then: The stop at which the successor dies, from 1; 0 for never.
    """

    case: str
    at: int = 0
    successor: str = "recovery"
    then: int = 0
    fault: str = ""

    def __str__(self) -> str:
        named = f"{self.case}/{self.fault or self.at}/{self.successor}"
        return f"{named}/{self.then}" if self.then else named

    @classmethod
    def parse(cls, name: str) -> Crash:
        """
        The crash with this name.

        Raises:
            InvalidRequest: It is no crash's.
        """
        case, at, successor, then = (*name.split("/"), "0", "", "")[:4]
        known = case in CASES and successor in SUCCESSORS and then.isdecimal()
        if not known or not (at.isdecimal() or at in NETWORK_FAULTS):
            message = "is no crash: name one as a report does, such as refund/7/recovery/3"
            raise InvalidRequest(message, operation="Crash.parse", field="name")
        if at.isdecimal():
            return cls(case, int(at), successor, int(then))
        return cls(case, 0, successor, int(then), fault=at)


class Crashes:
    """
    All crashes at one processor.

    Args:
        pairs: Whether the successor dies too, at each of its stops.
    """

    def __init__(
        self, processor: MakeProcessor, data: OpenData, *, profile: str = "", pairs: bool = False
    ) -> None:
        self._processor = processor
        self._data = data
        self._profile = profile
        self._pairs = pairs

    def run(self, *cases: str) -> Iterator[Outcome]:
        """Carry each of them out in a world of its own."""
        for case in cases:
            if self._applies(case):
                yield from self._of_case(case)

    def _applies(self, case: str) -> bool:
        with self._data() as store:
            world = World(self._processor, store)
            possible = STORIES[CASES[case][0]].is_possible(world)
            world.close()
        return possible

    def _of_case(self, case: str) -> Iterator[Outcome]:
        for successor in SUCCESSORS:
            for at in range(1, _MOST):
                outcome, died = self.one(Crash(case, at, successor))
                yield outcome
                if not died[0]:
                    break
                if self._pairs:
                    yield from self._second(case, at, successor)
        for number, fault in enumerate(NETWORK_FAULTS):
            successor = SUCCESSORS[number % len(SUCCESSORS)]
            yield self.one(Crash(case, 0, successor, fault=fault))[0]

    def _second(self, case: str, at: int, successor: str) -> Iterator[Outcome]:
        for then in range(1, _MOST):
            outcome, died = self.one(Crash(case, at, successor, then))
            yield outcome
            if not died[1]:
                return

    def one(self, crash: Crash, *, telling: bool = False) -> tuple[Outcome, tuple[bool, bool]]:
        """One crash; and who really died: an operation that has no such stop ends alive."""
        with self._data() as store:
            world = World(self._processor, store, telling=telling)
            try:
                died = _carried_out(world, crash)
                outcome = Outcome(
                    replay=str(crash),
                    profile=self._profile,
                    broken=tuple(world.watch.broken),
                    operations=3,
                    crashes=world.crashes,
                    reviewed=world.reviewed,
                    faults=world.network.struck,
                    history=tuple(world.history),
                )
            finally:
                world.close()
        return outcome, died


def _carried_out(world: World, crash: Crash) -> tuple[bool, bool]:
    story, at = CASES[crash.case]
    wishes = STORIES[story].wishes(world)
    order = Order.of(world, "order_1", wishes[: at + 1])
    for wish in wishes[:at]:
        _ask(world, world.home, order, wish)
        _carry_webhooks(world, world.home)
    wish = wishes[at]
    if crash.fault:
        world.network.strike_once(crash.fault)
    first = world.process()
    if crash.case.endswith(_IN_TURN):
        first.hurry(_TURN, spare=1)  # it asks for its account first
    died = _killed(world, _asked(world, first, order, wish), crash.at)
    world.clock.advance(_LEASE)
    second = _successor(world, world.process(), crash, order, wish)
    come_to_rest(world, webhooks_last=crash.successor == "recovery")
    _ask(world, world.home, order, wish)
    come_to_rest(world)
    return died, second


def _successor(world: World, process: Process, crash: Crash, order: Order, wish: Wish) -> bool:
    """Let somebody come after the one who died, and perhaps die too."""
    if crash.successor == "again":
        return _killed(world, _asked(world, process, order, wish), crash.then)
    if crash.successor == "recovery":
        return _killed(world, world.recover(process), crash.then)
    left = crash.then
    for letter in world.post():
        task = world.deliver(letter, process)
        stops = _until(world, task, left)
        if left and stops == left:
            world.crash(process)
            return True
        left = max(0, left - stops)
    return _killed(world, world.process_due(process), left) if not crash.then or left else False


def _killed(world: World, task: Task, at: int) -> bool:
    """Let a task go on to one of its stops, and kill its process there; False where it ended."""
    if _until(world, task, at) < at or not at:
        return False
    world.crash(task.process)
    return True


def _until(world: World, task: Task, at: int) -> int:
    """Let a task go on to one of its stops, or to its end for 0; return how many it came to."""
    stops = 0
    while not task.over:
        if task.wakes_at > world.clock.monotonic():
            world.clock.advance(task.wakes_at - world.clock.monotonic())
        world.step(task)
        if not task.over and task.at.point in _COUNTED:
            stops += 1
            if stops == at:
                break
    return stops


def _asked(world: World, process: Process, order: Order, wish: Wish) -> Task:
    return world.start(f"{order.reference} {wish}", Role.CALLER, process, order.ask(wish, process))


def _ask(world: World, process: Process, order: Order, wish: Wish) -> None:
    world.run(_asked(world, process, order, wish))


def _carry_webhooks(world: World, process: Process) -> None:
    world.bank.visit()
    for letter in world.post():
        world.run(world.deliver(letter, process))
    world.run(world.process_due(process))
