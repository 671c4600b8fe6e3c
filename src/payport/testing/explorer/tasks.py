"""
Tasks: several callers in one thread, each stopped at every point where a process can die.

A task is a coroutine of the client's own code. It gives way before and after each commit and each
send, and wherever it waits; whoever holds it lets it go on, leaves it paused, or drops it, which is
what a killed process looks like from outside. Nothing here knows what the task does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from enum import StrEnum
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from payport.testing.explorer.processes import Process

__all__ = ["Pause", "Point", "Role", "Task", "Work", "reach"]

#: What a client is asked to do.
Work: TypeAlias = Coroutine[Any, Any, Any]


class Point(StrEnum):
    """Where a task stands while others go on."""

    #: It has not begun.
    BEGIN = "begin"
    #: A transaction is about to be tried.
    BEFORE_COMMIT = "before a commit"
    #: A transaction that wrote something is committed, and its caller does not know yet.
    AFTER_COMMIT = "after a commit"
    #: The same of one that only read.
    AFTER_READ = "after a look into the store"
    #: A request is about to be written, and the guard was not asked yet.
    BEFORE_SEND = "before a request"
    #: The request was carried out, or lost, and its answer was not read yet.
    AFTER_SEND = "after a request"
    #: It waits.
    ASLEEP = "asleep"


class Role(StrEnum):
    """On whose behalf a task works."""

    #: Somebody who wants something, and is there.
    CALLER = "caller"
    #: `operations.recover`.
    RECOVERY = "recovery"
    #: `webhooks.receive` and `webhooks.process_due`.
    WEBHOOKS = "webhooks"
    #: `operations.resolve`.
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Pause:
    """
    A stop.

    Attributes:
        seconds: How long the task waits at least before it can go on.
    """

    point: Point
    what: str = ""
    seconds: float = 0.0


@coroutine
def reach(pause: Pause) -> Generator[Pause, None, None]:
    """Stop here until somebody lets the task go on."""
    yield pause


class Task:
    """
    One call of a process, carried out piece by piece.

    Attributes:
        at: Where it stands.
        wakes_at: Until when it waits, by the monotonic clock.
        result, error: How it ended, once it is `over`; neither where it was dropped.
    """

    def __init__(self, what: str, role: Role, process: Process, work: Work) -> None:
        self.what = what
        self.role = role
        self.process = process
        self.at: Pause = Pause(Point.BEGIN)
        self.wakes_at: float = 0.0
        self.over: bool = False
        self.dropped: bool = False
        self.result: Any = None
        self.error: Exception | None = None
        self._work = work

    def step(self, now: float) -> None:
        """Go on to the next stop, or to the end."""
        try:
            self.at = self._work.send(None)
        except StopIteration as finished:
            self.over, self.result = True, finished.value
        except Exception as error:  # noqa: BLE001 - how it ended is looked at by whoever asked
            self.over, self.error = True, error
        else:
            self.wakes_at = now + self.at.seconds

    def drop(self) -> None:
        """Let nothing of it run any more: its process is dead."""
        if not self.over:
            self.over = self.dropped = True
            self._work.close()

    def __repr__(self) -> str:
        return f"{self.process.name} {self.what}"
