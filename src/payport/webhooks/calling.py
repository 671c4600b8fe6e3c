"""
Calls a handler once, whoever else tries, in the transaction that writes down that it ran: in either
colour, and whichever colour the handler has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from payport.domain.errors import ConfigurationError
from payport.operations.steps import AsyncPorts, Ports, is_awaited
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.handling import IN_HANDLER, HandlerTransaction, no_connection
from payport.webhooks.outbox import Outbox
from payport.webhooks.turns import is_mine

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.storage.base import Transaction
    from payport.webhooks.handlers import Handler
    from payport.webhooks.handling import Deferring

__all__ = ["Calling", "Superseded", "take"]


class Superseded(Exception):
    """Another worker took the run over: its lease had ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
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
            take(tx, self.run)
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
            lambda tx: take(tx, self.run),
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
        raise Superseded


def take(tx: Transaction, run: HandlerRun) -> None:
    """
    Write down that it is done, unless another worker has it now: first of all, so that it is held,
    and in one commit with what the handler writes, or not at all.
    """
    done = replace(run, state=InboxState.DONE, claimed_until=None, error=None, trace=None)
    if not tx.swap_handler_run(run, done):
        raise Superseded


def _send(tx: Transaction, outbox: Outbox, session: Session) -> None:
    """Write down what it sends."""
    made = outbox.runs(session.settings.clock.now())
    if made:
        tx.add_handler_runs(made)
