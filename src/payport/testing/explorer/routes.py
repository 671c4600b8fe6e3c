"""
Every way in which a payment between two processors can go wrong: each request struck by each fault,
in pairs; each process killed at each of its stops; restarts with other rules; and two processes
with other rules at once. At most one processor charges, whatever happens.

Nothing is left to chance, and nothing is gone twice: a world follows from its route alone, so a
fault that would strike a request which is never made makes no other world, and is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from payport.testing.explorer.outcome import Outcome
from payport.testing.explorer.route import CHANGED, RULES, STORIES, Route
from payport.testing.explorer.tasks import Task, Work
from payport.testing.explorer.two_banks import FAULTS, NAMES, PRICE, TwoBanks, strikes

if TYPE_CHECKING:
    from datetime import timedelta

    from payport.testing.explorer.processes import Process
    from payport.testing.explorer.stores import OpenData

__all__ = ["KINDS", "STORIES", "Route", "Routes"]

#: What routes there are of each story and rules.
KINDS: Final = ("faults", "crashes", "races")

_Struck: TypeAlias = tuple[tuple[int, str], ...]

#: Who comes after a process that died.
_SUCCESSORS: Final = ("again", "recovery")
#: Where the operation goes to the other processor: whoever comes after it is killed then too.
_REFUSED: Final = ((1, "connection refused"),)
#: What strikes beside crashes and races: nothing, or one of the first requests that move money.
_STRUCK: Final[tuple[_Struck, ...]] = (
    (),
    *(((number, fault),) for number in range(1, 3) for fault in FAULTS),
)
#: Seconds after which a dead sender's lease is over.
_LEASE: Final = 12.0


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
        first = world.process("first", RULES[route.rules])
        if route.open:
            first.session.line(route.open, "explorer").gate.breaker.open()
        second = world.process("second", RULES[CHANGED[route.rules]])
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
            process = world.process("first", RULES[route.rules])
            made = world.until(world.start("asks", process, STORIES[route.story][0](process)), 0)
            world.close()
        return made

    def after(self, route: Route) -> Iterator[tuple[int, str]]:
        """
        Each fault of each request that is made after the last one which the route strikes, and
        before nothing goes wrong any more.
        """
        exposed = self.one(route)[1].exposed
        first = route.faults[-1][0] + 1 if route.faults else 0
        for number, fault in itertools.product(range(first, len(exposed)), FAULTS):
            if strikes(fault, exposed[number]):
                yield number, fault

    # -- which there are ------------------------------------------------------------------------

    def faults(self, story: str, rules: str, *, pairs: bool) -> Iterator[Route]:
        """Each request struck by each fault, alone and in pairs, and with a breaker open."""
        for opened in ("", *NAMES):
            plain = Route(story, rules, open=opened)
            yield plain
            for one in self.after(plain):
                lone = Route(story, rules, (one,), opened)
                yield lone
                if pairs and not opened:
                    yield from (Route(story, rules, (one, other)) for other in self.after(lone))

    def crashes(self, story: str, rules: str, *, pairs: bool) -> Iterator[Route]:
        """
        The first process dies at each stop, with each fault at each of its first requests; whoever
        comes after it, with other rules, at each of theirs.
        """
        for faults in _STRUCK:
            stops = self.stops(Route(story, rules, faults))
            for dies, successor in itertools.product(range(1, stops + 1), _SUCCESSORS):
                yield Route(story, rules, faults, dies=dies, successor=successor)
                if pairs and (not faults or (story == "sale" and faults == _REFUSED)):
                    for then in range(1, stops + 1):
                        yield Route(story, rules, faults, "", dies, successor, then)

    def races(self, story: str, rules: str, *, every: int) -> Iterator[Route]:
        """
        Two processes with other rules at once, each stopped for the other one.

        Args:
            every: At which of their stops; where something strikes as well, at each third of these.
        """
        for faults in _STRUCK:
            stops = range(1, self.stops(Route(story, rules, faults)) + 1, every)
            for one, other in itertools.product(stops[:: 3 if faults else 1], repeat=2):
                yield Route(story, rules, faults, races=(one, other))

    def all(self, story: str, rules: str, kind: str) -> Iterator[Route]:
        """Every one of a kind, which is one of `KINDS`."""
        if kind == "faults":
            return self.faults(story, rules, pairs=True)
        if kind == "crashes":
            return self.crashes(story, rules, pairs=True)
        return self.races(story, rules, every=1)

    def some(self, story: str) -> Iterator[Route]:
        """A part that ends within seconds: a few of each kind, the same ones every time."""
        for rules in STORIES[story][1]:
            yield from itertools.islice(self.faults(story, rules, pairs=False), 0, None, 2)
            yield from itertools.islice(self.faults(story, rules, pairs=True), 0, None, 31)
            yield from itertools.islice(self.crashes(story, rules, pairs=True), 0, None, 97)
            yield from itertools.islice(self.races(story, rules, every=2), 0, None, 17)


def _come_to_rest(world: TwoBanks, ask: Callable[[Process], Work]) -> None:
    """Let nothing go wrong any more, recover, hand over webhooks, ask once more, and look."""
    world.calm()
    home = world.process("home", RULES["first"])
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
