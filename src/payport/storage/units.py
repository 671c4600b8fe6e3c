"""
Where a unit of work begins and ends, the same for every store: one at a time in a thread, never
inside another, and nothing of it usable afterwards. Holds no data and knows no database.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from payport.domain.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ENDED", "Once", "Turn", "unpicklable"]


class Turn:
    """
    A lock for one transaction at a time.

    Raises:
        InvalidRequest: On entering, when this thread is inside already: the inner transaction could
            neither commit alone nor be part of the outer one.
    """

    __slots__ = ("_lock", "inside")

    def __init__(self) -> None:
        # Reentrant, so that a thread that comes again reaches the error and not a deadlock.
        self._lock = threading.RLock()
        self.inside: bool = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self.inside:
            self._lock.release()
            raise _nested()
        self.inside = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.inside = False
        self._lock.release()

    def pause(self) -> bool:
        """Keep others out until `resume`, and say whether no unit of work is open meanwhile."""
        self._lock.acquire()
        return not self.inside

    def resume(self) -> None:
        """Let others in again."""
        self._lock.release()


class Once:
    """
    For stores whose threads work at once: each is inside one unit of work at most.

    Raises:
        InvalidRequest: On entering, as `Turn`.
    """

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread = threading.local()

    def __enter__(self) -> None:
        if getattr(self._thread, "inside", False):
            raise _nested()
        self._thread.inside = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.inside = False


def _nested() -> InvalidRequest:
    return InvalidRequest(
        "a unit of work never begins another one. Pass its transaction on instead.",
        operation="store.transact",
    )


class _Ended:
    """Stands where a transaction kept its data or connection."""

    def __getattr__(self, name: str) -> NoReturn:
        raise InvalidRequest(
            "the transaction is over: a unit of work uses it before it returns, and never later.",
            operation="store.transact",
        )


#: What is left of a transaction after its end. Any: it takes the place of something.
ENDED: Any = _Ended()


def unpicklable(store: object) -> NoReturn:
    """Refuse to copy or pickle a store: a second one would be another journal."""
    raise ConfigurationError(
        "a store holds locks and connections and cannot be pickled or copied. "
        "Open one in each process.",
        operation=type(store).__name__,
    )
