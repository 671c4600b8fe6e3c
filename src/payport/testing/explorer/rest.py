"""How a world comes to rest: nothing goes wrong any more, and the shop looks after what is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from payport.testing.explorer.audit import audit, review
from payport.testing.explorer.network import Calm

if TYPE_CHECKING:
    from payport.testing.explorer.world import Letter, World

__all__ = ["come_to_rest", "settle"]

#: A shop that has nothing to do looks after everything this often.
_ROUND: Final = timedelta(hours=1)
#: Longer than any provider's keys live and any unknown outcome is waited for.
_REST: Final = timedelta(days=12)
#: Whatever the bank and the customers have to decide is decided by then.
_DECIDED: Final = timedelta(hours=2)
_FAR: Final = timedelta(days=365)


def come_to_rest(world: World, *, webhooks_last: bool = False) -> None:
    """
    Let a world come to rest, and look whether everything adds up; then have a person resolve what
    was left to one, and look again.

    Args:
        webhooks_last: Whether the bank's webhooks come only when recovery is at its end.
    """
    settle(world, webhooks_last=webhooks_last)
    audit(world)
    review(world)
    settle(world)
    audit(world)


def settle(world: World, *, webhooks_last: bool = False) -> None:
    """
    Let nothing go wrong any more, let what goes on go on to its end, and run recovery and the
    webhook worker until nothing is left for them.
    """
    world.network.calm()
    world.stage.disk = Calm()
    for task in list(world.tasks):
        task.process.clock.skew = timedelta()
        world.run(task)
    world.home = world.process()
    if webhooks_last:
        _look_after(world, with_webhooks=False)
    world.clock.advance(_DECIDED)
    _look_after(world, with_webhooks=True)


def _look_after(world: World, *, with_webhooks: bool) -> None:
    ends = world.clock.now() + _REST
    while world.clock.now() < ends:
        world.run(world.recover(world.home))
        if with_webhooks:
            _hand_over(world)
        looks = [row.next_look_at for row in world.journal() if row.next_look_at is not None]
        if not looks and not (with_webhooks and _is_waiting(world)):
            return
        _wait_for(world, looks)
    world.watch.breaks("the shop never came to rest")


def _hand_over(world: World) -> None:
    refused: list[Letter] = []
    while letters := [letter for letter in world.post() if letter not in refused]:
        for letter in letters:
            world.run(world.deliver(letter, world.home))
            if letter.taken:
                continue
            # What is not signed is taken once its object is known here: it comes again until then.
            refused.append(letter)
            if world.spec.signs_webhooks:
                world.watch.breaks("a webhook is never taken")
                letter.taken = True
    world.run(world.process_due(world.home))


def _is_waiting(world: World) -> bool:
    far = world.clock.now() + _FAR
    provider, environment = world.spec.name, world.environment
    return world.store.transact(
        lambda tx: bool(
            tx.due_deliveries(provider=provider, environment=environment, now=far, limit=1)
            or tx.due_handler_runs(provider=provider, environment=environment, now=far, limit=1)
        )
    )


def _wait_for(world: World, looks: Sequence[datetime]) -> None:
    now = world.clock.now()
    soonest = min([*looks, now + _ROUND])
    world.clock.advance(max(soonest - now, timedelta(seconds=1)))
