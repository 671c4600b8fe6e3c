"""
SIGTERM and SIGINT: the first one asks whatever runs to end with what it has in hand, the second one
ends the process as it always does. Only this module installs signal handlers.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["hearing", "stop_event"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SAID: Final = b"Stopping with the one in hand; a second signal stops at once.\n"
_STDERR: Final = 2


@contextmanager
def hearing(ask: Callable[[], object]) -> Generator[None]:
    """
    Call `ask` at the first signal.

    It is called inside the signal handler: it may take no lock that the interrupted code can hold.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        restore()
        os.write(_STDERR, _SAID)  # not by a file object, which may be in the middle of a line
        ask()

    for number in _SIGNALS:
        signal.signal(number, heard)
    try:
        yield
    finally:
        restore()


@contextmanager
def stop_event() -> Generator[threading.Event]:
    """An event that the first signal sets."""
    stop = threading.Event()
    # `stop.set` takes a lock that the main thread may hold when the signal comes; this queue none.
    heard = queue.SimpleQueue[Callable[[], object]]()

    def wait() -> None:
        heard.get()()

    waiting = threading.Thread(target=wait, name="payport-signals", daemon=True)
    waiting.start()
    try:
        with hearing(lambda: heard.put(stop.set)):
            yield stop
    finally:
        heard.put(bool)  # nobody signalled: the thread ends
        waiting.join()
