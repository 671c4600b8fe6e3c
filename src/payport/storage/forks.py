"""
Keeps SQLite connections out of forked processes.

A child that inherits an open connection is in danger even if it never touches it. SQLite keeps its
file locks in a table for the process; the child inherits the table but not the locks, so its own
new connection takes none. Once the parent closes, the next process to close removes the log that
the child is writing to, and what the child committed is gone. So connections are closed before a
fork, and whoever needs one opens it again.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Final, Protocol
from weakref import WeakSet

__all__ = ["Forkable", "abandon", "watch"]


class Forkable(Protocol):
    """What has to know about forks."""

    def before_fork(self) -> None:
        """Let running work end, begin no more, and close what a child must not inherit."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew: locks and threads stayed with the parent."""
        ...


class _Watch:
    """Everything that has to know; one fork at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._things: WeakSet[Forkable] = WeakSet()
        self._told: list[Forkable] = []

    def add(self, thing: Forkable) -> None:
        with self._lock:
            self._things.add(thing)

    def before(self) -> None:
        self._lock.acquire()
        self._told = list(self._things)
        for thing in self._told:
            thing.before_fork()

    def in_parent(self) -> None:
        for thing in self._told:
            thing.after_fork_in_parent()
        self._told = []
        self._lock.release()

    def in_child(self) -> None:
        for thing in self._told:
            thing.after_fork_in_child()
        self._told = []
        self._lock = threading.RLock()


_watch: Final = _Watch()

if sys.platform != "win32":
    os.register_at_fork(
        before=_watch.before,
        after_in_parent=_watch.in_parent,
        after_in_child=_watch.in_child,
    )


def watch(thing: Forkable) -> None:
    """Tell a thing about every fork for as long as it lives."""
    _watch.add(thing)


def abandon(inherited: object) -> None:
    """
    Never close, finalise or free what came from the parent, not even when the process ends: SQLite
    must not be asked to close a connection in a child (https://sqlite.org/howtocorrupt.html).
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
