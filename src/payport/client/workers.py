"""The loops of `run_worker`: work, wait, go on; in either colour."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from payport.client.webhook_steps import never
from payport.domain.errors import StoreUnavailable
from payport.webhooks.working import work_due

if TYPE_CHECKING:
    from payport.client.runners import AsyncRunner, Runner
    from payport.client.webhook_steps import AsyncStop, Stop
    from payport.operations.session import Session
    from payport.webhooks.delivering import Operations

__all__ = ["work_until", "work_until_awaited"]

_log = logging.getLogger("payport.webhooks")


def work_until(
    session: Session, drive: Runner, operations: Operations, stop: Stop | None, poll: float
) -> None:
    """Work off what is due until `stop` is set."""
    enough = never if stop is None else stop.is_set
    while not enough():
        try:
            drive(work_due(session, operations, enough))
        except StoreUnavailable as error:
            _log.warning("the worker waits for the store: %s", error)
        if stop is None:
            time.sleep(poll)
        else:
            stop.wait(poll)


async def work_until_awaited(
    session: Session,
    drive: AsyncRunner,
    operations: Operations,
    stop: AsyncStop | None,
    poll: float,
) -> None:
    """Work off what is due until `stop` is set."""
    import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

    enough = never if stop is None else stop.is_set
    while not enough():
        try:
            await drive(work_due(session, operations, enough))
        except StoreUnavailable as error:
            _log.warning("the worker waits for the store: %s", error)
        if isinstance(stop, asyncio.Event):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), poll)
        elif not enough():
            await asyncio.sleep(poll)
