"""
Processing what was received, again and again until told to stop: for a thread, a task or a process.
A round that fails is logged, and the next one tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from payport.domain.errors import PayportError

if TYPE_CHECKING:
    from threading import Event

    from payport.client.payport import AsyncPayport, Payport

__all__ = ["run_worker", "run_worker_async"]

_log: Final = logging.getLogger("payport.integrations")


def run_worker(pay: Payport, *, stop: Event, every: float) -> None:
    """Process what is due every so many seconds until `stop` is set; what is in hand is ended."""
    own = getattr(pay.webhooks, "run_worker", None)
    if own is not None:  # a worker of the client's own stops between two deliveries
        own(stop=stop, poll=every)
        return
    while not stop.is_set():
        try:
            pay.webhooks.process_due()
        except PayportError as error:
            _failed(error)
        stop.wait(every)


async def run_worker_async(pay: AsyncPayport, *, stop: asyncio.Event, every: float) -> None:
    """See `run_worker`."""
    own = getattr(pay.webhooks, "run_worker", None)
    if own is not None:
        await own(stop=stop, poll=every)
        return
    while not stop.is_set():
        try:
            await pay.webhooks.process_due()
        except PayportError as error:
            _failed(error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)


def _failed(error: PayportError) -> None:
    _log.warning("a round of processing webhooks failed: %s", error)
