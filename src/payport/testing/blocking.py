"""
Async objects through sync code: one event loop, no threads, nothing twinned.

Contract tests are written once, synchronously, and run on async providers and stores through this
view. It is for tests: it cannot be used where an event loop is running already.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable
    from types import TracebackType
    from typing import Self

__all__ = ["Blocking"]


class Blocking:
    """
    The attributes of `target`, with its coroutine methods run to their end.

    What a method returns is awaited if it can be; an async iterable becomes a list. Methods that
    are plain run in the loop as well, because they may need one. Calls from several threads take
    turns. `close` runs the target's `aclose`, if it has one, and ends the loop.

    Args:
        target: An `AsyncPaymentProvider`, an `AsyncStore`, an `AsyncPayport`, or anything alike.
        beside: Another view, whose loop is shared and left to it to close.
    """

    def __init__(self, target: Any, *, beside: Blocking | None = None) -> None:
        self._target = target
        self._loop: _Loop = _Loop() if beside is None else beside._loop  # noqa: SLF001
        self._owns_loop = beside is None

    def __getattr__(self, name: str) -> Any:
        if name == "_target":
            # Asked for before there is one, by copy and pickle: no endless recursion.
            raise AttributeError(name)
        value = getattr(self._target, name)
        return self._blocking(value) if callable(value) else value

    def close(self) -> None:
        """Close the target and, where it is this view's own, the loop. Once is enough."""
        if self._loop.is_closed:
            return
        if hasattr(self._target, "aclose"):
            self._loop.run(self._target.aclose, (), {})
        if self._owns_loop:
            self._loop.close()

    def _blocking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **named: Any) -> Any:
            return self._loop.run(method, args, named)

        return call

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Blocking({self._target!r})"


class _Loop:
    """One event loop, in turns."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._turn = threading.Lock()
        self.is_closed = False

    def run(self, method: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        with self._turn:
            if self.is_closed:
                raise RuntimeError("this view was closed, and its event loop with it")
            return self._runner.run(_finished(method, args, named))

    def close(self) -> None:
        with self._turn:
            self.is_closed = True
            self._runner.close()


async def _finished(
    method: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    result = method(*args, **named)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        return await _drained(result)
    return result


async def _drained(items: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in items]
