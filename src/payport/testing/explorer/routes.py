"""
Every way in which a payment between two processors can go wrong: each request struck by each fault,
in pairs; each process killed at each of its stops; restarts with other rules; and two processes
with other rules at once. At most one processor charges, whatever happens.

Nothing is left to chance. A route has a name that repeats it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidRequest
from payport.providers.routing.rules import Rule
from payport.testing.explorer.outcome import Outcome
from payport.testing.explorer.tasks import Task, Work
from payport.testing.explorer.two_banks import FAULTS, NAMES, PRICE, REFERENCE, TwoBanks

if TYPE_CHECKING:
    from datetime import timedelta

    from payport.testing.explorer.processes import Process
    from payport.testing.explorer.stores import OpenData

__all__ = ["STORIES", "Route", "Routes"]

_STRIPE, _ADYEN = NAMES
#: Rules of a process, and what they are changed to when another one starts.
_RULES: Final[dict[str, Sequence[Rule]]] = {
    "first": (Rule([_STRIPE, _ADYEN]),),
    "second": (Rule([_ADYEN, _STRIPE]),),
    "move": (Rule(_ADYEN, from_attempt=2), Rule([_STRIPE, _ADYEN])),
    "back": (Rule(_STRIPE, from_attempt=2), Rule([_ADYEN, _STRIPE])),
}
_CHANGED: Final = {"first": "second", "second": "first", "move": "back", "back": "move"}

#: What a shop asks for. Each is asked by a process that is there from its beginning to its end.
_VISA: Final = "pm_card_visa"
_POOR: Final = "pm_card_insufficient_funds"


async def _sale(process: Process) -> object:
    return await process.payments.create(
        reference=REFERENCE, amount=PRICE, payment_method=_VISA, confirm=True
    )


async def _two_steps(process: Process) -> object:
    made = await process.payments.create(reference=REFERENCE, amount=PRICE, payment_method=_VISA)
    return await process.payments.confirm(made.id)


async def _second_attempt(process: Process) -> object:
    ask = process.payments.create
    await ask(reference=REFERENCE, amount=PRICE, payment_method=_POOR, confirm=True)
    return await ask(
        reference=REFERENCE, amount=PRICE, payment_method=_VISA, confirm=True, attempt=2
    )


#: By name: what is asked for, and the rules that it may begin with.
STORIES: Final[dict[str, tuple[Callable[[Process], Work], Sequence[str]]]] = {
    "sale": (_sale, ("first", "second")),
    "two-steps": (_two_steps, ("first", "second")),
    "second-attempt": (_second_attempt, ("move", "back", "first")),
}
#: Who comes after a process that died.
_SUCCESSORS: Final = ("again", "recovery")
#: Where the operation goes to the other processor: whoever comes after it is killed then too.
_REFUSED: Final = ((1, "connection refused"),)
#: Seconds after which a dead sender's lease is over.
_LEASE: Final = 12.0
#: As many requests as a story makes before it comes to rest, and then some.
_REQUESTS: Final = 9


@dataclass(frozen=True, slots=True)
class Route:
    """
    What goes wrong.

    Attributes:
        rules: What the first process begins with; the second one has others.
        faults: What strikes which request, by its number from 0.
        open: The processor whose breaker is open in the first process.
        dies: The stop at which the first process dies, from 1; 0 for never.
        successor: Who comes after it.
        then: The stop at which the second one dies.
        races: How many stops each of two processes makes before the other goes on.
    """

    story: str
    rules: str
    faults: tuple[tuple[int, str], ...] = ()
    open: str = ""
    dies: int = 0
    successor: str = "again"
    then: int = 0
    races: tuple[int, int] | None = field(default=None)

    def __str__(self) -> str:
        faults = "+".join(f"{number} {fault}" for number, fault in self.faults) or "none"
        races = "" if self.races is None else f"/{self.races[0]}-{self.races[1]}"
        said = f"{self.story}/{self.rules}/{faults}/{self.open or 'well'}/{self.dies}"
        return f"{said}/{self.successor}/{self.then}{races}"

    @classmethod
    def parse(cls, name: str) -> Route:
        """
        The route with this name.

        Raises:
            InvalidRequest: It is no route's.
        """
        try:
            story, rules, faults, opened, dies, successor, then, *races = name.split("/")
            struck = [part.split(" ", 1) for part in faults.split("+") if faults != "none"]
            first, second = races[0].split("-") if races else ("0", "0")
            route = cls(
                story=story,
                rules=rules,
                faults=tuple((int(number), fault) for number, fault in struck),
                open="" if opened == "well" else opened,
                dies=int(dies),
                successor=successor,
                then=int(then),
                races=(int(first), int(second)) if races else None,
            )
        except (ValueError, IndexError):
            route = None
        known = route is not None and route.story in STORIES and route.rules in _RULES
        if route is None or not known or any(fault not in FAULTS for _, fault in route.faults):
            message = "is no route: name one as a report does"
            raise InvalidRequest(message, operation="Route.parse", field="name")
        return route


class Routes:
    """All routes, or a part of them, each in a world of its own."""

    def __init__(self, data: OpenData) -> None:
        self._data = data

    def one(self, route: Route) -> tuple[Outcome, TwoBanks]:
        """One route; and the world that is left."""
        with self._data() as store:
            world = TwoBanks(store)
            try:
                self._carried_out(world, route)
                outcome = Outcome(
                    replay=str(route),
                    broken=tuple(world.broken),
                    operations=1,
                    crashes=int(route.dies > 0) + int(route.then > 0),
                    faults=world.struck,
                    option="--route",
                )
            finally:
                world.close()
        return outcome, world

    def _carried_out(self, world: TwoBanks, route: Route) -> None:
        world.faults = dict(route.faults)
        ask, _ = STORIES[route.story]
        first = world.process("first", _RULES[route.rules])
        if route.open:
            first.session.line(route.open, "explorer").gate.breaker.open()
        second = world.process("second", _RULES[_CHANGED[route.rules]])
        begun = world.start("asks", first, ask(first))
        if route.races is not None:
            other = world.start("asks too", second, ask(second))
            for task, stops in ((begun, route.races[0]), (other, route.races[1])):
                world.until(task, stops)
            for task in (begun, other):
                world.until(task, 0)
        else:
            self._one_after_the_other(world, route, begun, second)
        _come_to_rest(world, ask)

    def _one_after_the_other(
        self, world: TwoBanks, route: Route, begun: Task, second: Process
    ) -> None:
        ask, _ = STORIES[route.story]
        world.until(begun, route.dies)
        if route.dies and not begun.over:
            world.kill(begun)
            world.clock.advance(_LEASE)
        work = ask(second) if route.successor == "again" else second.operations.recover()
        after = world.start(route.successor, second, work)
        world.until(after, route.then)
        if route.then and not after.over:
            world.kill(after)
            world.clock.advance(_LEASE)

    def stops(self, route: Route) -> int:
        """How many stops the first process makes, left alone."""
        with self._data() as store:
            world = TwoBanks(store)
            world.faults = dict(route.faults)
            process = world.process("first", _RULES[route.rules])
            made = world.until(world.start("asks", process, STORIES[route.story][0](process)), 0)
            world.close()
        return made

    # -- which there are ------------------------------------------------------------------------

    def faults(self, story: str, *, pairs: bool) -> Iterator[Route]:
        """Each request struck by each fault, alone and in pairs, and with a breaker open."""
        kinds = list(itertools.product(range(_REQUESTS), FAULTS))
        for rules in STORIES[story][1]:
            for opened in ("", *NAMES):
                yield Route(story, rules, open=opened)
                for one in kinds:
                    yield Route(story, rules, (one,), opened)
            if pairs:
                for one, other in itertools.combinations(kinds, 2):
                    if one[0] < other[0]:
                        yield Route(story, rules, (one, other))

    def crashes(self, story: str, *, pairs: bool) -> Iterator[Route]:
        """
        The first process dies at each stop, with each fault at each of its first requests; whoever
        comes after it, with other rules, at each of theirs.
        """
        struck: list[tuple[tuple[int, str], ...]] = [()]
        struck += [((number, fault),) for number in range(1, 3) for fault in FAULTS]
        for rules, faults in itertools.product(STORIES[story][1], struck):
            stops = self.stops(Route(story, rules, faults))
            for dies, successor in itertools.product(range(1, stops + 1), _SUCCESSORS):
                yield Route(story, rules, faults, dies=dies, successor=successor)
                if pairs and (not faults or (story == "sale" and faults == _REFUSED)):
                    for then in range(1, stops + 1):
                        yield Route(story, rules, faults, "", dies, successor, then)

    def races(self, story: str, *, every: int) -> Iterator[Route]:
        """
        Two processes with other rules at once, each stopped for the other one.

        Args:
            every: At which of their stops; where something strikes as well, at each third of these.
        """
        struck: list[tuple[tuple[int, str], ...]] = [()]
        struck += [((number, fault),) for number in range(1, 3) for fault in FAULTS]
        for rules, faults in itertools.product(STORIES[story][1], struck):
            stops = range(1, self.stops(Route(story, rules, faults)) + 1, every)
            for one, other in itertools.product(stops[:: 3 if faults else 1], repeat=2):
                yield Route(story, rules, faults, races=(one, other))

    def all(self, story: str) -> Iterator[Route]:
        """Every one."""
        yield from self.faults(story, pairs=True)
        yield from self.crashes(story, pairs=True)
        yield from self.races(story, every=1)

    def some(self, story: str) -> Iterator[Route]:
        """A part that ends within seconds: each kind, and a few of the pairs."""
        yield from self.faults(story, pairs=False)
        yield from itertools.islice(self.faults(story, pairs=True), 300, None, 97)
        yield from itertools.islice(self.crashes(story, pairs=True), 0, None, 29)
        yield from itertools.islice(self.races(story, every=2), 0, None, 7)


def _come_to_rest(world: TwoBanks, ask: Callable[[Process], Work]) -> None:
    """Let nothing go wrong any more, recover, hand over webhooks, ask once more, and look."""
    world.faults = {}
    home = world.process("home", _RULES["first"])
    world.clock.advance(_LEASE)
    for _ in range(2):
        _look_after(world, home)
        world.until(world.start("asks again", home, ask(home)), 0)
    _look_after(world, home)
    _audit(world)


def _look_after(world: TwoBanks, home: Process) -> None:
    for _ in range(4):
        world.until(world.start("recovery", home, home.operations.recover()), 0)
        for name, harness in world.harnesses.items():
            for request in harness.webhooks():
                received = home.webhooks.receive(
                    body=request.body, headers=request.headers, url=request.url, provider=name
                )
                world.until(world.start("webhook", home, received), 0)
        world.until(world.start("worker", home, home.webhooks.process_due()), 0)
        looks = [row.next_look_at for row in world.journal() if row.next_look_at is not None]
        if not looks:
            return
        left: timedelta = min(looks) - world.clock.now()
        world.clock.advance(max(left.total_seconds(), 0.0) + 1.0)


def _audit(world: TwoBanks) -> None:
    """At most one processor charged, and the store says which."""
    world.count()
    charged = {name: taken for name, taken in world.charged().items() if taken}
    if len(charged) > 1 or sum(charged.values()) > PRICE.minor:
        world.breaks(f"charged more than once: {charged}")
    intent = world.payment()
    if intent is None:
        world.breaks("nothing of the order is in the store")
        return
    told = intent.captured.minor
    if told > sum(charged.values()):
        world.breaks("the store tells of money that was never taken")
    if charged and told and set(charged) != {intent.provider}:
        world.breaks(f"the store says {intent.provider}, and {charged} was charged elsewhere")
    for row in world.journal():
        elsewhere = [name for name in NAMES if name != row.provider]
        if any(world.bank(name).effects(row.key) for name in elsewhere):
            world.breaks(f"{row.operation} was carried out where its row is not")
        if not row.route.startswith(NAMES) and row.route != _VOID:
            world.breaks(f"{row.operation} has no reason for its provider: {row.route!r}")


#: No operation is without its provider's name in front of its reason.
_VOID: Final = ""
