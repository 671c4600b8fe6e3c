"""
Delivering domain events to handlers: each delivery has a row and a transaction of its own.

What a handler writes through `tx.connection` commits with the mark that it ran, so it happens
exactly once; what it does elsewhere happens at least once, with a stable event id to know it by. A
handler that fails keeps its delivery due, later and later; it never undoes the facts.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from payport.domain.errors import ConfigurationError, NotFound
from payport.operations.steps import Steps, call, transact
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.inbox import MOST_TRIES, next_try

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.operations.session import Session
    from payport.storage.base import Transaction
    from payport.webhooks.handlers import Handler

__all__ = ["IN_HANDLER", "HandlerTransaction", "deliver"]

_log = logging.getLogger("payport.webhooks")

#: The name of the handler that is running here, if one is: payport calls are refused in it, since
#: they would wait for the transaction that waits for the handler.
IN_HANDLER: ContextVar[str | None] = ContextVar("payport_handler", default=None)


class HandlerTransaction:
    """What a handler is given beside the event."""

    def __init__(self, connection: object | None) -> None:
        self._connection = connection
        self._after: list[Callable[[], Any]] = []

    @property
    def connection(self) -> Any:
        """
        The SQLAlchemy connection of this delivery's transaction.

        Raises:
            ConfigurationError: The store has none, or the handler is a coroutine function.
        """
        if self._connection is None:
            raise ConfigurationError(
                "there is no database connection here: the store is memory, or the handler is "
                "awaited. Use the event's id to do things once.",
                operation="tx.connection",
            )
        return self._connection

    def after_commit(self, function: Callable[[], Any]) -> None:
        """
        Call `function` once this delivery is committed.

        For whatever must not happen inside the transaction, payport operations among them. A crash
        in between loses the call.
        """
        self._after.append(function)

    @property
    def pending(self) -> tuple[Callable[[], Any], ...]:
        """What is to be called after the commit."""
        return tuple(self._after)


def deliver(session: Session, run: HandlerRun) -> Steps[InboxState]:
    """Give one event to one handler. Returns where the delivery stands afterwards."""
    handler = session.handlers.named(run.handler)
    if handler is None:
        return (yield from _failed(session, run, "no handler has this name any more"))
    try:
        if _is_awaited(handler):
            after = yield from _awaited(run, handler)
        else:
            after = yield from transact(lambda tx: _ran(tx, run, handler))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is kept with its delivery
        _log.warning("handler %s failed on %s", run.handler, run.event_id, exc_info=error)
        return (yield from _failed(session, run, f"{type(error).__name__}"))
    for function in after:
        yield from _afterwards(run, function)
    return InboxState.DONE


def _afterwards(run: HandlerRun, function: Callable[[], Any]) -> Steps[None]:
    """Call what was to be called after the commit: the delivery is done, whatever comes of it."""
    try:
        yield from call(function)
    except Exception:  # noqa: BLE001 - the application's own, and its delivery is committed
        _log.exception("what %s wanted done after the commit failed", run.handler)


def _ran(tx: Transaction, run: HandlerRun, handler: Handler) -> tuple[Callable[[], Any], ...]:
    """Run a handler and mark it in the same transaction; once, whoever else tries."""
    due = _due(tx, run)
    if due is None:
        return ()
    current, event = due
    given = HandlerTransaction(getattr(tx, "connection", None))
    token = IN_HANDLER.set(run.handler)
    try:
        result = handler(event, given)
    finally:
        IN_HANDLER.reset(token)
    if inspect.isawaitable(result):
        _refuse_awaitable(result)
    tx.save_handler_run(replace(current, state=InboxState.DONE, error=None))
    return given.pending


def _awaited(run: HandlerRun, handler: Handler) -> Steps[tuple[Callable[[], Any], ...]]:
    """
    Await a handler, then mark it. No transaction is open meanwhile, so its effects happen at least
    once.
    """
    due = yield from transact(lambda tx: _due(tx, run))
    if due is None:
        return ()
    current, event = due
    given = HandlerTransaction(None)
    yield from call(lambda: _inside(run.handler, handler, event, given))
    yield from transact(
        lambda tx: tx.save_handler_run(replace(current, state=InboxState.DONE, error=None))
    )
    return given.pending


async def _inside(
    name: str, handler: Handler, event: DomainEvent, given: HandlerTransaction
) -> None:
    token = IN_HANDLER.set(name)
    try:
        await handler(event, given)
    finally:
        IN_HANDLER.reset(token)


def _due(tx: Transaction, run: HandlerRun) -> tuple[HandlerRun, DomainEvent] | None:
    """The run and its event, unless somebody else ran it meanwhile."""
    current = tx.handler_run(run.event_id, run.handler)
    if current is None or current.state is not InboxState.DUE:
        return None
    event = tx.event(run.event_id)
    if event is None:
        message = "the event is gone from the store"
        raise NotFound(message, operation="webhooks", reference=run.event_id)
    return current, event


def _is_awaited(handler: Handler) -> bool:
    """Whether a handler is a coroutine function, or an object whose call is one."""
    called = getattr(handler, "__call__", None)  # noqa: B004 - not whether it can be called
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


def _refuse_awaitable(result: object) -> NoReturn:
    if inspect.iscoroutine(result):
        result.close()
    raise ConfigurationError(
        "it returned something to be awaited, and was called as a plain function: define it with "
        "async def",
        operation="Handlers",
    )


def _failed(session: Session, run: HandlerRun, why: str) -> Steps[InboxState]:
    def postpone(tx: Transaction) -> InboxState:
        current = tx.handler_run(run.event_id, run.handler)
        if current is None or current.state is not InboxState.DUE:
            return InboxState.DONE
        tries = current.tries + 1
        state = InboxState.DEAD if tries >= MOST_TRIES else InboxState.DUE
        due_at = session.settings.clock.now() + next_try(tries)
        tx.save_handler_run(replace(current, state=state, tries=tries, due_at=due_at, error=why))
        return state

    return (yield from transact(postpone))
