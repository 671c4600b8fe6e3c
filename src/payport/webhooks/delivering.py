"""
Delivering domain events and messages to handlers: each delivery has a row and a transaction of its
own.

What a handler writes through `tx` commits with the mark that it ran, so it happens exactly once;
what it does elsewhere happens at least once, with a stable id to know it by. A handler that fails
keeps its delivery due, later and later, and then dead; it never undoes the facts.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from payport.domain.errors import ConfigurationError, NotFound, StoreUnavailable
from payport.domain.events import DomainEvent
from payport.operations.steps import (
    AsyncPorts,
    Ports,
    Steps,
    call,
    is_awaited,
    transact,
    transact_patiently,
)
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.claiming import own_account
from payport.webhooks.handling import IN_HANDLER, HandlerTransaction, no_connection
from payport.webhooks.outbox import Outbox, message_in, operation_in
from payport.webhooks.turns import HANDLER_LEASE, failed, is_mine, released

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.storage.base import Transaction
    from payport.webhooks.handlers import Handler
    from payport.webhooks.handling import Deferring

__all__ = [
    "Claimed",
    "Operations",
    "claim_due_runs",
    "claim_runs_of",
    "deliver",
    "release_runs",
]

_log = logging.getLogger("payport.webhooks")

#: How an operation that was put off is carried out: by name, in a scope, with its arguments.
Operations: TypeAlias = Mapping[str, Callable[["Session", Mapping[str, Any]], Steps[Any]]]


# -- claims ---------------------------------------------------------------------------------------


class Claimed(NamedTuple):
    """
    Runs that are a worker's.

    Attributes:
        events: What they are to deliver, by id: an event never changes.
    """

    runs: Sequence[HandlerRun]
    events: Mapping[str, DomainEvent]


def claim_due_runs(session: Session, limit: int) -> Steps[Claimed]:
    """
    Take what is due, for a while and for nobody else. Of few only half, so that other workers who
    look for something to do find the rest.
    """
    account = yield from own_account(session)

    def work(tx: Transaction) -> Claimed:
        now = session.settings.clock.now()
        runs = tx.due_handler_runs(
            provider=session.spec.name,
            environment=session.environment,
            now=now,
            limit=limit,
            account=account,
        )
        few = len(runs) < limit
        return _claimed(tx, session, runs[: (len(runs) + 1) // 2] if few else runs)

    return (yield from transact_patiently(work))


def claim_runs_of(session: Session, event_ids: Collection[str]) -> Steps[Claimed]:
    """Take the runs of these events that are due."""

    def work(tx: Transaction) -> Claimed:
        now = session.settings.clock.now()
        listed = [run for event_id in event_ids for run in tx.runs_of(event_id)]
        locked = [tx.handler_run(run.event_id, run.handler) for run in listed]
        due = [r for r in locked if r and r.state is InboxState.DUE and r.due_at <= now]
        return _claimed(tx, session, due)

    return transact_patiently(work)


def _claimed(tx: Transaction, session: Session, runs: Collection[HandlerRun]) -> Claimed:
    until = session.settings.clock.now() + HANDLER_LEASE
    tx.claim_handler_runs(runs, until=until)
    told = {run.event_id for run in runs if run.message is None}
    return Claimed(
        [replace(run, due_at=until, claimed_until=until, fencing=run.fencing + 1) for run in runs],
        tx.several_events(told) if told else {},
    )


def release_runs(session: Session, runs: Collection[HandlerRun]) -> Steps[None]:
    """Give back what was claimed and not begun."""

    def work(tx: Transaction) -> None:
        now = session.settings.clock.now()
        for run in runs:
            current = tx.handler_run(run.event_id, run.handler)
            if current is not None and is_mine(current, run):
                tx.save_handler_run(released(current, now))

    return transact_patiently(work)


# -- one run --------------------------------------------------------------------------------------


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
    except _Superseded:
        return InboxState.DONE
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is kept with its delivery
        _log.warning("handler %s failed on %s", run.handler, run.event_id, exc_info=error)
        return (yield from _failed(session, run, error))
    for function in after:
        yield from _afterwards(run, function)
    return InboxState.DONE


class _Superseded(Exception):
    """Another worker took the run over: its lease had ended."""


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
    yield from transact(lambda tx: _take(tx, run))


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
    delivery = _Delivery(session=session, run=run, handler=handler, told=told)

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


# -- handlers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    """One run of one handler, in either colour."""

    session: Session
    run: HandlerRun
    handler: Handler
    told: object

    def done(self, ports: Ports | AsyncPorts) -> Any:
        """Run the handler in the transaction that marks it; once, whoever else tries."""
        if is_awaited(self.handler):
            raise ConfigurationError(
                "it has to be awaited, and this client blocks: pass a plain function, or use "
                "AsyncPayport",
                operation="Payport",
                field="handlers",
            )

        def work(tx: Transaction) -> tuple[Callable[[], Any], ...]:
            _take(tx, self.run)
            outbox = self._outbox()
            given = HandlerTransaction(outbox, lambda: _present(getattr(tx, "connection", None)))
            _called(self.run.handler, self.handler, self.told, given)
            _send(tx, outbox, self.session)
            return given.pending

        return ports.store.transact(work)

    async def awaited(self, ports: AsyncPorts) -> tuple[Callable[[], Any], ...]:
        """
        Run the handler beside its transaction, which begins when it first asks for it, or when it
        has ended.
        """
        from payport.webhooks.awaiting import LateTransaction  # noqa: PLC0415 - imports asyncio

        await ports.store.transact(lambda tx: _check(tx, self.run))
        outbox = self._outbox()
        late = LateTransaction(
            ports.store,
            lambda tx: _take(tx, self.run),
            lambda tx: _send(tx, outbox, self.session),
        )
        try:
            given = await self._ran_beside(ports, late, outbox)
        except BaseException:
            await late.end(well=False)
            raise
        await late.end(well=True)
        return given.pending

    async def _ran_beside(self, ports: AsyncPorts, late: Any, outbox: Outbox) -> Deferring:
        from payport.webhooks.awaiting import AwaitedTransaction  # noqa: PLC0415 - as above

        if is_awaited(self.handler):
            awaited = AwaitedTransaction(outbox, late)
            token = IN_HANDLER.set(self.run.handler)
            try:
                await self.handler(self.told, awaited)
            finally:
                IN_HANDLER.reset(token)
            return awaited
        plain = HandlerTransaction(outbox, late.connection_from_thread)
        if ports.threads is None:
            _called(self.run.handler, self.handler, self.told, plain)
        else:
            await ports.threads.run(
                lambda: _called(self.run.handler, self.handler, self.told, plain)
            )
        return plain

    def _outbox(self) -> Outbox:
        return Outbox(self.run, self.run.scope)


def _called(name: str, handler: Handler, told: object, given: HandlerTransaction) -> None:
    """Call a plain function; it is none if it returns something to be awaited."""
    token = IN_HANDLER.set(name)
    well = False
    try:
        result = handler(told, given)
        if inspect.isawaitable(result):
            _refuse_awaitable(result)
        well = True
    finally:
        IN_HANDLER.reset(token)
        given.end(well=well)


def _present(connection: Any) -> Any:
    if connection is None:
        raise no_connection()
    return connection


def _refuse_awaitable(result: object) -> NoReturn:
    if inspect.iscoroutine(result):
        result.close()
    raise ConfigurationError(
        "it returned something to be awaited, and was called as a plain function: define it with "
        "async def",
        operation="Handlers",
    )


# -- in one transaction ---------------------------------------------------------------------------


def _check(tx: Transaction, run: HandlerRun) -> None:
    """Make sure that it is this worker's still, before anything is done."""
    current = tx.handler_run(run.event_id, run.handler)
    if current is None or not is_mine(current, run):
        raise _Superseded


def _take(tx: Transaction, run: HandlerRun) -> None:
    """
    Write down that it is done, unless another worker has it now: first of all, so that it is held,
    and in one commit with what the handler writes, or not at all.
    """
    done = replace(run, state=InboxState.DONE, claimed_until=None, error=None, trace=None)
    if not tx.swap_handler_run(run, done):
        raise _Superseded


def _send(tx: Transaction, outbox: Outbox, session: Session) -> None:
    """Write down what it sends."""
    made = outbox.runs(session.settings.clock.now())
    if made:
        tx.add_handler_runs(made)
