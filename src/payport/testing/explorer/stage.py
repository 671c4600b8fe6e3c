"""
The stage: what all processes of a world write and send passes through here, and is watched.

`WatchedStore` and `WatchedProvider` are the ends of a process's wires. They stop its task before
and after each commit and each send, let things go wrong there, and tell a `Watch` what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from payport.providers.outcomes import Account, Failure, Outcome
from payport.testing.explorer.tasks import Pause, Point, Task, reach

if TYPE_CHECKING:
    from payport.domain.identifiers import Environment
    from payport.providers.base import PaymentProvider
    from payport.providers.commands import (
        CancelPayment,
        CapturePayment,
        Command,
        ConfirmPayment,
        CreatePayment,
        CreateRefund,
        Lookup,
    )
    from payport.providers.deliveries import (
        Delivery,
        ReceivesWebhooks,
        Statement,
        WebhookRequest,
    )
    from payport.providers.exchange import Call, Request
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Store, Transaction
    from payport.testing.explorer.network import Network
    from payport.testing.explorer.watch import Watch

__all__ = ["Disk", "Stage", "WatchedProvider", "WatchedStore"]

T = TypeVar("T")


class Disk(Protocol):
    """What can go wrong with a commit; each may raise what a store raises."""

    def before(self) -> None:
        """Called before the transaction begins: nothing of it happens where this raises."""
        ...

    def after(self) -> None:
        """Called after the commit: it stands, and its caller does not learn of it."""
        ...


class Stage:
    """
    Whose turn it is, and what is watched.

    Attributes:
        turn: The task that is going on at this moment.
    """

    def __init__(self, watch: Watch, network: Network, disk: Disk) -> None:
        self.watch = watch
        self.network = network
        self.disk = disk
        self.turn: Task | None = None

    @property
    def task(self) -> Task:
        """
        Whose turn it is.

        Raises:
            RuntimeError: Nobody's: something ran that no task was asked to do.
        """
        if self.turn is None or not self.turn.process.alive:
            raise RuntimeError("something was done in nobody's turn, or by a dead process")
        return self.turn


class WatchedStore:
    """A process's store. An `AsyncStore`."""

    def __init__(self, store: Store, stage: Stage) -> None:
        self._store = store
        self._stage = stage

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        stage = self._stage
        await reach(Pause(Point.BEFORE_COMMIT))
        task = stage.task
        stage.disk.before()
        written: list[tuple[str, Any]] = []

        def spied(tx: Transaction) -> T:
            written.clear()  # it may be tried again
            return work(cast("Transaction", _Spied(tx, written)))

        result = self._store.transact(spied)
        if written:
            stage.watch.committed(task, written)
            stage.disk.after()
        await reach(Pause(Point.AFTER_COMMIT if written else Point.AFTER_READ))
        return result

    async def aclose(self) -> None:
        """Do nothing: the world closes what it opened."""


#: What a transaction is called to write with.
_WRITES = frozenset(
    {
        "insert_operation",
        "save_operation",
        "swap_operation",
        "reroute_operation",
        "save_payment",
        "add_resolution",
        "add_events",
        "add_delivery",
        "save_delivery",
        "add_handler_runs",
        "save_handler_run",
    }
)


class _Spied:
    """A transaction that notes what is written with it."""

    __slots__ = ("_tx", "_written")

    def __init__(self, tx: Transaction, written: list[tuple[str, Any]]) -> None:
        self._tx = tx
        self._written = written

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._tx, name)
        if name not in _WRITES:
            return method

        def noted(*values: Any, **named: Any) -> Any:
            result = method(*values, **named)
            # What is written is said last: a swap says first what was there.
            self._written.append((name, values[-1]))
            return result

        return noted


class WatchedProvider:
    """
    A process's provider. An `AsyncPaymentProvider` over a blocking one.

    Args:
        account, name: The account and the provider it says it is at, where not at its own: what a
            process is that was given other credentials, or another route.
    """

    def __init__(
        self,
        provider: PaymentProvider,
        stage: Stage,
        *,
        account: str | None = None,
        name: str | None = None,
    ) -> None:
        self._provider = provider
        self._stage = stage
        self._account = account
        self.spec: ProviderSpec = (
            provider.spec if name is None else replace(provider.spec, name=name)
        )

    @property
    def environment(self) -> Environment:
        """See `AsyncPaymentProvider.environment`."""
        return self._provider.environment

    def render(self, command: Command, key: str) -> Request:
        """See `AsyncPaymentProvider.render`."""
        return self._provider.render(command, key)

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        return self._webhooks().parse_webhook(request, now=now)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        return self._webhooks().read_webhook(body)

    def _webhooks(self) -> ReceivesWebhooks:
        return cast("ReceivesWebhooks", self._provider)

    async def account(self, call: Call) -> Account | Failure:
        """See `AsyncPaymentProvider.account`."""
        told = await self._read("account", lambda: self._provider.account(call))
        if self._account is None or isinstance(told, Failure):
            return told
        return replace(told, id=self._account)

    async def create_payment(self, command: CreatePayment, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.create_payment`."""
        return await self._sent(command, call)

    async def confirm_payment(self, command: ConfirmPayment, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.confirm_payment`."""
        return await self._sent(command, call)

    async def capture_payment(self, command: CapturePayment, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.capture_payment`."""
        return await self._sent(command, call)

    async def cancel_payment(self, command: CancelPayment, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.cancel_payment`."""
        return await self._sent(command, call)

    async def create_refund(self, command: CreateRefund, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.create_refund`."""
        return await self._sent(command, call)

    async def retrieve_payment(self, payment_ref: str, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.retrieve_payment`."""
        read = self._provider.retrieve_payment
        return await self._read("retrieve_payment", lambda: read(payment_ref, call))

    async def retrieve_refund(self, refund_ref: str, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.retrieve_refund`."""
        read = self._provider.retrieve_refund
        return await self._read("retrieve_refund", lambda: read(refund_ref, call))

    async def find(self, lookup: Lookup, call: Call) -> Outcome:
        """See `AsyncPaymentProvider.find`."""
        return await self._read("find", lambda: self._provider.find(lookup, call))

    async def aclose(self) -> None:
        """Do nothing: the world closes what it opened."""

    async def _sent(self, command: Command, call: Call) -> Outcome:
        carry_out: Callable[[Command, Call], Outcome] = getattr(self._provider, command.operation)
        task, key = self._stage.task, call.key or ""

        def guard() -> None:
            call.guard()
            self._stage.watch.sending(task, command, key)

        watched = replace(call, guard=guard)
        return await self._stopped(command.operation, lambda: carry_out(command, watched))

    async def _read(self, operation: str, ask: Callable[[], T]) -> T:
        return await self._stopped(operation, ask)

    async def _stopped(self, operation: str, ask: Callable[[], T]) -> T:
        """Ask between two stops; the second lasts as long as the answer takes."""
        network = self._stage.network
        await reach(Pause(Point.BEFORE_SEND, operation))
        _ = self._stage.task  # nobody's turn, nobody's request
        network.seconds = 0.0
        outcome = ask()
        await reach(Pause(Point.AFTER_SEND, operation, network.seconds))
        return outcome
