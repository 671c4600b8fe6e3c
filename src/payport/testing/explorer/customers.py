"""
Customers: who want what their orders' stories say, ask again when they were told nothing, and give
up at some time. They are the application, as far as the explorer is concerned.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final

from payport.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    ProviderFault,
    StoreError,
)
from payport.testing.bank.records import State
from payport.testing.explorer.stories import Order, Wish, orders
from payport.testing.explorer.tasks import Role, Task

if TYPE_CHECKING:
    from payport.testing.explorer.processes import Process
    from payport.testing.explorer.world import World

__all__ = ["Customers"]

#: How often a customer asks again before giving an order up.
_PATIENCE: Final = 5
_MOST_ORDERS: Final = 4
_LEAVES: Final = 0.3
_FAILS: Final = 0.3
#: How often whoever was sent to a page of the provider's pays there.
_PAYS: Final = 0.7


class Customers:
    """
    The customers of one world.

    Attributes:
        operations: How often something was asked for.
    """

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._orders: Sequence[Order] = orders(world, random, random.randint(1, _MOST_ORDERS))
        self._asked: dict[Task, tuple[Order, Wish]] = {}
        self.operations: int = 0

    @property
    def are_done(self) -> bool:
        """Whether nobody wants anything any more."""
        return all(order.wish is None for order in self._orders)

    def ask(self, process: Process) -> None:
        """Somebody who waits for nothing asks for what they want next, if there is anybody."""
        busy = {id(order) for order, _ in self._asked.values()}
        idle = [o for o in self._orders if o.wish is not None and id(o) not in busy]
        if not idle:
            return
        order = self._random.choice(idle)
        wish = order.wishes[order.at]
        order.tries += 1
        self._asked[self._start(order, wish, process)] = (order, wish)

    def ask_twice(self, process: Process) -> bool:
        """Somebody presses the button again, or a job repeats what is under way."""
        under_way = list(self._asked.values())
        if under_way:
            self._start(*self._random.choice(under_way), process, ", again")
        return bool(under_way)

    def ask_elsewhere(self, process: Process) -> bool:
        """A process at another account or provider is asked for what was begun at the first."""
        known = {row.payment_id for row in self._world.watch.rows.values()}
        begun = [order for order in self._orders if order.payment in known]
        if begun:
            order = self._random.choice(begun)
            wish = self._random.choice(order.wishes[: order.at + 1])
            self._start(order, wish, process, ", elsewhere")
        return bool(begun)

    def ask_all_again(self, process: Process) -> None:
        """Whatever was asked for is asked for once more, one by one."""
        for order in self._orders:
            for wish in order.wishes[: order.at + 1]:
                self.hear(self._world.run(self._start(order, wish, process)))

    def _start(self, order: Order, wish: Wish, process: Process, how: str = "") -> Task:
        self.operations += 1
        what = f"{order.reference} {wish}{how}"
        return self._world.start(what, Role.CALLER, process, order.ask(wish, process))

    def hear(self, task: Task) -> None:
        """Draw the conclusion from what became of a task: ask again, go on, or give up."""
        if isinstance(task.error, IdempotencyConflict):
            self._world.watch.breaks(f"the same was asked and taken for another: {task.what}")
        order, wish = self._asked.pop(task, (None, None))
        if order is None or wish is not order.wish:
            return
        told_nothing = isinstance(task.error, ProviderFault | StoreError | NotFound) or task.dropped
        if told_nothing or isinstance(task.error, InvalidRequest):
            if order.tries >= _PATIENCE:
                order.at = len(order.wishes) if told_nothing else order.at + 1
                order.tries = 0
            return
        order.at, order.tries = order.at + 1, 0

    def authenticate(self) -> None:
        """A customer who was asked to authenticate does, fails to, or leaves."""
        bank = self._world.bank
        if bank.behaviour.pages and self._random.random() < _PAYS:
            bank.visit()
            return
        asked = [payment for payment in bank.payments if payment.state is State.CHALLENGED]
        if not asked:
            return
        payment = self._random.choice(asked)
        if self._random.random() < _LEAVES:
            bank.abandon(payment.ref)
        else:
            bank.authenticate(payment.ref, ok=self._random.random() >= _FAILS)
