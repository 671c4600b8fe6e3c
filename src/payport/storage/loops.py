"""Which event loop an async store belongs to. Apart from `units`, because it imports asyncio."""

from __future__ import annotations

import asyncio

from payport.domain.errors import ConfigurationError

__all__ = ["OneLoop"]


class OneLoop:
    """
    The event loop that something belongs to: the one in which it is first used, until `leave`.

    Raises:
        ConfigurationError: On checking, in another loop.
    """

    __slots__ = ("_loop", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None

    def check(self) -> asyncio.AbstractEventLoop:
        """The running loop; the first one is remembered."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        if self._loop is not running:
            raise ConfigurationError(
                f"{self._what} was first used in another event loop, and belongs to that one. "
                "Make one in each loop, or close this one in its own loop first.",
                field="store",
            )
        return running

    def leave(self) -> None:
        """Forget the loop: the next use may be in another one."""
        self._loop = None
