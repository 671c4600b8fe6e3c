"""
Threads for what an application wrote as plain functions, in a client that awaits: they may block,
and an event loop may not. They start at first use, are named, and end with the client.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads"]

T = TypeVar("T")

_NAME: Final = "payport-handlers"
#: At work at the same time; handlers mostly wait for something.
_MOST: Final = 8


class Threads:
    """A pool of threads for one event loop."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[asyncio.Future[Any]] = set()
        self._process = os.getpid()

    async def run(self, function: Callable[[], T]) -> T:
        """Call the function in a thread, with the caller's context variables."""
        if self._process != os.getpid():
            # In a forked child: the threads stayed behind.
            self._pool, self._process = None, os.getpid()
            self._running.clear()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix=_NAME)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, lambda: context.run(function))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await running

    async def aclose(self) -> None:
        """Wait for what is at work, and end the threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            # Awaited and not joined: what is at work may wait for this loop.
            await asyncio.gather(*self._running, return_exceptions=True)
            pool.shutdown()
