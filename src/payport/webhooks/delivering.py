"""
Delivering domain events and messages to handlers: each delivery has a row and a transaction of its
own.

What a handler writes through `tx` commits with the mark that it ran, so it happens exactly once;
what it does elsewhere happens at least once, with a stable id to know it by. A handler that fails
keeps its delivery due, later and later, and then dead; it never undoes the facts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from payport.domain.errors import ConfigurationError, NotFound, StoreUnavailable
from payport.operations.steps import (
    AsyncPorts,
    Steps,
    call,
    is_awaited,
    transact,
    transact_patiently,
)
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.calling import Calling, Superseded, take
from payport.webhooks.outbox import message_in, operation_in
from payport.webhooks.turns import failed, is_mine

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Operations", "deliver"]

_log = logging.getLogger("payport.webhooks")

#: How an operation that was put off is carried out: by name, in a scope, with its arguments.
Operations: TypeAlias = Mapping[str, Callable[["Session", Mapping[str, Any]], Steps[Any]]]


def deliver(
    session: Session, run: HandlerRun, event: DomainEvent | None, operations: Operations
) -> Steps[InboxState]:
    """
    Carry one claimed run out. Returns where it stands afterwards.

    Args:
        event: What it is to deliver, unless that is a message.

    Raises:
        StoreUnavailable: The store failed before anything of the run was written down.
    """
    after: tuple[Callable[[], Any], ...] = ()
    try:
        put_off = operation_in(run)
        if put_off is not None:
            yield from _performed(session, run, operations, *put_off)
        else:
            after = yield from _handled(session, run, event)
    except StoreUnavailable:
        raise
    except Superseded:
        return InboxState.DONE
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is kept with its delivery
        _log.warning("handler %s failed on %s", run.handler, run.event_id, exc_info=error)
        return (yield from _failed(session, run, error))
    for function in after:
        yield from _afterwards(run, function)
    return InboxState.DONE


def _performed(
    session: Session,
    run: HandlerRun,
    operations: Operations,
    name: str,
    arguments: Mapping[str, Any],
) -> Steps[None]:
    """Carry out an operation that was put off, then mark it: done again, it has no effect more."""
    if name not in operations:
        message = f"this client cannot put off {name}"
        raise ConfigurationError(message, operation="tx.later", field="operation")
    yield from operations[name](session.scoped(run.scope), arguments)
    yield from transact(lambda tx: take(tx, run))


def _handled(
    session: Session, run: HandlerRun, event: DomainEvent | None
) -> Steps[tuple[Callable[[], Any], ...]]:
    handler = session.handlers.of(run)
    if handler is None:
        raise ConfigurationError("no handler has this name any more", operation="Handlers")
    told = event if run.message is None else message_in(run)
    if told is None:
        message = "the event is gone from the store"
        raise NotFound(message, operation="webhooks", reference=run.event_id)
    delivery = Calling(session=session, run=run, handler=handler, told=told)

    def step(ports: Any) -> Any:
        # A plain function that no thread is there for runs in the transaction, in either colour.
        plain = isinstance(ports, AsyncPorts) and ports.threads is None and not is_awaited(handler)
        if plain or not isinstance(ports, AsyncPorts):
            return delivery.done(ports)
        return delivery.awaited(ports)

    after: tuple[Callable[[], Any], ...] = yield step
    return after


def _afterwards(run: HandlerRun, function: Callable[[], Any]) -> Steps[None]:
    """Call what was to be called after the commit: the delivery is done, whatever comes of it."""
    try:
        yield from call(function)
    except Exception:  # noqa: BLE001 - the application's own, and its delivery is committed
        _log.exception("what %s wanted done after the commit failed", run.handler)


def _failed(session: Session, run: HandlerRun, error: Exception) -> Steps[InboxState]:
    def postpone(tx: Transaction) -> InboxState:
        current = tx.handler_run(run.event_id, run.handler)
        if current is None or not is_mine(current, run):
            return InboxState.DONE if current is None else current.state
        name = f"{run.event_id} {run.handler}"
        later = failed(current, error, session.settings.clock.now(), may_die=True, name=name)
        tx.save_handler_run(later)
        return later.state

    return (yield from transact_patiently(postpone))
