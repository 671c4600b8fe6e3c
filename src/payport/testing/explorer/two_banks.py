"""
A world with two processors, each with a bank of its own, and shops that route between them.

Watches the one thing that a router must never do: have two processors at one order. Each request
that goes on the wire is noted with the processor it went to; at every stop the banks are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import PayportError
from payport.domain.events import DomainEvent
from payport.domain.money import Money
from payport.operations.records import OperationRecord
from payport.providers.commands import Operation
from payport.providers.routing.router import AsyncRouter
from payport.providers.routing.rules import Rule
from payport.testing._provider_contract.fake_harness import FakeHarness
from payport.testing.bank.behaviour import adyen_like, stripe_like
from payport.testing.bank.records import State
from payport.testing.clock import FakeClock
from payport.testing.explorer.network import Calm
from payport.testing.explorer.processes import SCOPE, MachineClock, Process
from payport.testing.explorer.stage import Stage, WatchedProvider, WatchedStore
from payport.testing.explorer.tasks import Role, Task, Work
from payport.testing.explorer.watch import NEVER_SENT
from payport.testing.faults import (
    Conflict,
    ConnectionRefused,
    Fault,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    TimedOut,
    Unavailable,
)
from payport.webhooks.handlers import Handlers

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.providers.commands import Command
    from payport.storage.base import Store
    from payport.testing.bank.bank import Bank
    from payport.testing.bank.records import Payment
    from payport.testing.explorer.stores import MakeStore
    from payport.testing.script import Asked, Scripted

__all__ = ["FAULTS", "NAMES", "PRICE", "REFERENCE", "TwoBanks", "strikes"]

#: What strikes a request, by what reports call it.
FAULTS: Final[Mapping[str, Fault]] = {
    "lost request": LostRequest(),
    "lost response": LostResponse(),
    "time-out with effect": TimedOut(effect=True),
    "time-out without effect": TimedOut(effect=False),
    "409": Conflict(),
    "429": RateLimited(),
    "503": Unavailable(),
    "500 with effect": ServerError(effect=True),
    "500 without effect": ServerError(effect=False),
    "connection refused": ConnectionRefused(),
}
#: The processors: the first one keeps objects before they are confirmed, the second one does not.
NAMES: Final = ("like_stripe", "like_adyen")
REFERENCE: Final = "order_1"
PRICE: Final = Money(5000, "USD")

_FIRST_NUMBERS: Final = (1, 500_001)
#: What begins something at a processor that can be charged.
_BEGINS: Final = frozenset({Operation.CREATE_PAYMENT, Operation.CONFIRM_PAYMENT})
_MUTATES: Final = frozenset(operation.value for operation in Operation)
_LIVE: Final = frozenset({State.OPEN, State.READY, State.CHALLENGED, State.PENDING, State.HELD})
_AGAIN: Final = frozenset({State.REFUSED, State.ERRORED})
_ENDLESS: Final = 20_000


@dataclass(slots=True)
class _Wire:
    """The network's part that the stage asks for: how long the answer to a request takes."""

    seconds: float = 0.0


class TwoBanks:
    """
    Two processors, one store, and processes with rules of their own.

    Attributes:
        asked: What every request asked for that went out so far, in all processes.
        exposed: The same of those that a fault could have struck; see `calm`.
        faults: What strikes which request, by its number from 0.
        sent: Which processors an operation was really sent to, by the operation's id.
        broken: What did not hold, in words.
        struck: How often each fault struck.
    """

    def __init__(self, store: MakeStore) -> None:
        self.clock: FakeClock = FakeClock()
        kinds = (stripe_like(), adyen_like())
        self.harnesses: dict[str, FakeHarness] = {
            name: FakeHarness(
                replace(kind, provider=name), clock=self.clock, first_number=first_number
            )
            for name, kind, first_number in zip(NAMES, kinds, _FIRST_NUMBERS, strict=True)
        }
        self._make_store = store
        self.store: Store = store()
        self._opened: list[Store] = [self.store]
        network: Any = _Wire()
        watch: Any = self
        self.stage: Stage = Stage(watch, network, Calm())
        self.asked: list[str] = []
        self.exposed: tuple[str, ...] = ()
        self.faults: dict[int, str] = {}
        self.sent: dict[str, set[str]] = {}
        self.broken: list[str] = []
        self.struck: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self._pending: OperationRecord | None = None
        self._counted: tuple[int, datetime] | None = None
        self._handlers = Handlers()
        self._handlers.on(DomainEvent, name="explorer")(self._hear)

    def _hear(self, event: DomainEvent, tx: object) -> None:
        del tx
        self.heard[event.id] += 1

    def bank(self, name: str) -> Bank:
        """A processor's bank."""
        return self.harnesses[name].bank

    def close(self) -> None:
        """Close what was opened."""
        for store in self._opened:
            store.close()
        for harness in self.harnesses.values():
            harness.close()

    # -- processes ------------------------------------------------------------------------------

    def process(self, name: str, rules: Sequence[Rule]) -> Process:
        """A new process of the shop, with these rules, and breakers that know of nothing."""
        providers: list[Any] = []
        for processor, harness in self.harnesses.items():
            rig = harness.make()
            rig.script.decide(self._decided(processor))
            providers.append(WatchedProvider(rig.provider, self.stage))
        store = self._make_store()
        if store is not self.store:
            self._opened.append(store)
        return Process(
            name,
            provider=AsyncRouter(providers, rules),
            store=WatchedStore(store, self.stage),
            clock=MachineClock(self.clock),
            handlers=self._handlers,
        )

    def _decided(self, processor: str) -> Callable[[Asked], Scripted]:
        """What happens to a processor's requests; notes what really goes to it."""

        def decide(asked: Asked) -> Scripted:
            fault = self.faults.get(len(self.asked))
            self.asked.append(asked.operation)
            if fault is not None and not strikes(fault, asked.operation):
                fault = None
            record, self._pending = self._pending, None
            if record is not None and fault != "connection refused":
                self._went_to(processor, record)
            if fault is None:
                return None
            self.struck[fault] += 1
            return FAULTS[fault]

        return decide

    def calm(self) -> None:
        """Let nothing go wrong any more; a fault of a later request strikes nothing."""
        self.exposed, self.faults = tuple(self.asked), {}

    def _went_to(self, processor: str, record: OperationRecord) -> None:
        went = self.sent.setdefault(record.id, set())
        went.add(processor)
        if len(went) > 1:
            self.breaks(f"{record.operation} was sent to two processors")

    # -- what a stage tells ---------------------------------------------------------------------

    def committed(self, task: Task, written: Sequence[tuple[str, Any]]) -> None:
        """A transaction is committed: what was sent stays with whom it was sent to."""
        for name, value in written:
            if name.endswith("_operation"):
                went = self.sent.get(value.id, set[str]())
                stored = self._row(value.id)
                if stored is not None and went and went != {stored.provider}:
                    self.breaks(f"what was sent elsewhere was moved by {task}")

    def _row(self, operation_id: str) -> OperationRecord | None:
        return self.store.transact(lambda tx: tx.operation(operation_id))

    def sending(self, task: Task, command: Command, key: str) -> None:
        """A request that changes something is about to be written."""
        row = self.store.transact(lambda tx: tx.operation_by_key(key))
        # A key may be replayed after others concluded its row; what was never sent has no replay.
        if row is None or row.state in NEVER_SENT:
            self.breaks(f"{command.operation} was sent without a row that says so, by {task}")
        elif command.operation in _BEGINS:
            self._pending = row

    def breaks(self, what: str) -> None:
        """Note that something did not hold."""
        if what not in self.broken:
            self.broken.append(what)

    # -- tasks ----------------------------------------------------------------------------------

    def start(self, what: str, process: Process, work: Work) -> Task:
        """Begin something; nothing of it runs yet."""
        return Task(what, Role.CALLER, process, work)

    def step(self, task: Task) -> None:
        """Let a task go on to its next stop, and count what the banks have then."""
        if task.wakes_at > self.clock.monotonic():
            self.clock.advance(task.wakes_at - self.clock.monotonic())
        self.stage.turn = task
        try:
            task.step(self.clock.monotonic())
        finally:
            self.stage.turn = None
        if task.error is not None and not isinstance(task.error, PayportError):
            self.breaks(f"{task} raised {task.error!r}")
        self.count()

    def until(self, task: Task, stops: int) -> int:
        """Let a task go on for so many stops, or to its end for 0; return how many it made."""
        made = 0
        for _ in range(_ENDLESS):
            if task.over or (stops and made == stops):
                return made
            self.step(task)
            made += not task.over
        self.breaks(f"{task} never ends")
        return made

    def kill(self, task: Task) -> None:
        """Kill the process of a task where it stands."""
        task.process.alive = False
        task.drop()

    # -- the banks ------------------------------------------------------------------------------

    def count(self) -> None:
        """
        At no moment are there two objects for one order that can be charged, or were. Only a
        request or the time changes a bank: without either there is nothing new to count.
        """
        moment = (len(self.asked), self.clock.now())
        if moment == self._counted:
            return
        self._counted = moment
        live = [
            f"{name} {payment.ref}"
            for name in NAMES
            for payment in self.bank(name).payments
            if _is_live(payment, again=name == NAMES[0])
        ]
        if len(live) > 1:
            self.breaks(f"two objects for one order can be charged: {', '.join(live)}")

    def charged(self) -> dict[str, int]:
        """What each bank took for the order, in minor units."""
        return {name: self.bank(name).charged(REFERENCE).minor for name in NAMES}

    def journal(self) -> Sequence[OperationRecord]:
        """Every row, oldest first."""
        environment = self.bank(NAMES[0]).environment
        return self.store.transact(
            lambda tx: tx.list_operations(scope=SCOPE, environment=environment, limit=1000)
        )[::-1]

    def payment(self) -> PaymentIntent | None:
        """The order's payment, if there is one."""
        rows = self.journal()
        return self.store.transact(lambda tx: tx.payment(rows[0].payment_id)) if rows else None


def strikes(fault: str, operation: str) -> bool:
    """Whether a request can end so. A key that is in use is nothing that who reads hears of."""
    return fault != "409" or operation in _MUTATES


def _is_live(payment: Payment, *, again: bool) -> bool:
    if payment.taken or payment.state in _LIVE:
        return True
    return again and payment.state in _AGAIN
