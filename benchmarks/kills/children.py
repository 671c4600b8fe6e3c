"""
Processes that end with this one, whatever ends it: forked, watched, and killed for good.

Nothing is started anew: a child is a copy of this process, which has imported everything and opened
nothing. So a kill that comes some milliseconds later hits a payment, and not an import.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn, Self

__all__ = ["Children"]

#: Linux's prctl option to be sent a signal when the parent ends.
_PARENT_DEATH_SIGNAL: Final = 1
#: What ends a run.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Children:
    """
    All children of this process. Used in a `with` statement, which leaves none behind.

    Inside it SIGINT and SIGTERM are noted, and obeyed at the next call of a method. An exception
    that a handler raises is lost where it meets a hook of a fork, which half of the time here does.
    """

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._told = 0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _ENDING}
        return self

    def __exit__(self, *raised: object) -> None:
        for pid in tuple(self._running):
            self._kill(pid)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        del frame
        self._told = number

    def _obey(self) -> None:
        if self._told:
            raise SystemExit(128 + self._told)

    def fork(self, work: Callable[[], None]) -> int:
        """Do `work` in a child, which ends with it: with 0 if it returned, with 1 if it raised."""
        self._obey()
        sys.stdout.flush()
        gc.freeze()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_child(work, parent)
        self._running.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """SIGKILL, and the end of it."""
        self._obey()
        self._kill(pid)

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._running.discard(pid)

    def ended(self, pid: int) -> bool:
        """
        Whether a child has ended by itself.

        Raises:
            RuntimeError: It did, and not well.
        """
        self._obey()
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == 0:
            return False
        self._running.discard(pid)
        if status != 0:
            raise RuntimeError(f"a process failed: {os.waitstatus_to_exitcode(status)}")
        return True


def _be_child(work: Callable[[], None], parent: int) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to the end
        _die_with(parent)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the parent is gone")
