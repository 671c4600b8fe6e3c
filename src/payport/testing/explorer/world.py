"""
A world: one bank, one clock, one store, and the processes of a shop in front of them.

Nothing happens in it by itself. Whoever holds it starts tasks, lets them go on one stop at a time,
kills processes, moves time and carries webhooks. The same calls make the same world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from payport.domain.errors import PayportError
from payport.domain.events import DomainEvent
from payport.operations.records import OperationRecord
from payport.testing.explorer.network import Calm, Network
from payport.testing.explorer.processes import SCOPE, MachineClock, Process
from payport.testing.explorer.stage import Disk, Stage, WatchedProvider, WatchedStore
from payport.testing.explorer.tasks import Role, Task, Work
from payport.testing.explorer.watch import Watch
from payport.webhooks.handlers import Handlers

if TYPE_CHECKING:
    from payport.domain.identifiers import Environment
    from payport.providers.spec import Capability, ProviderSpec
    from payport.storage.base import Store
    from payport.testing.bank.bank import Bank
    from payport.testing.clock import FakeClock
    from payport.testing.explorer.processors import MakeProcessor, Processor
    from payport.testing.explorer.stores import MakeStore

__all__ = ["Letter", "World"]

#: More stops than any call makes: one that makes more never ends.
_ENDLESS: Final = 20_000


class Letter:
    """A webhook that the provider sends until it is taken."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.taken: bool = False


class World:
    """
    One world.

    Attributes:
        letters: Every webhook that the bank sent, taken or not.
        heard: How often the shop's handler was told of each event, by the event's id.
        tasks: What goes on at present.
        crashes: How many processes were killed.
        reviewed: How many operations a person concluded.
        history: What happened, in words; empty unless it is telling.

    Args:
        store: Opens the world's store; called once for each process.
        telling: Whether to keep a history.
    """

    def __init__(
        self,
        processor: MakeProcessor,
        store: MakeStore,
        disk: Disk | None = None,
        *,
        telling: bool = False,
    ) -> None:
        self._make_store = store
        self._telling = telling
        self._own: Store = self._make_store()
        self.processor: Processor = processor()
        self.bank: Bank = self.processor.bank
        self.clock: FakeClock = self.processor.clock
        self.network: Network = Network(self.bank, self.clock)
        self.watch: Watch = Watch(self.bank, self.clock, self.network, self._own)
        self.stage: Stage = Stage(self.watch, self.network, disk or Calm())
        self.letters: list[Letter] = []
        self.heard: Counter[str] = Counter()
        self.tasks: list[Task] = []
        self.crashes: int = 0
        self.reviewed: int = 0
        self.history: list[str] = []
        self._opened: list[Store] = [self._own]
        self._born: int = 0
        self._handlers = Handlers()
        self._handlers.on(DomainEvent, name="explorer")(self._hear)
        self.home: Process = self.process()

    def _hear(self, event: DomainEvent, tx: object) -> None:
        del tx
        self.heard[event.id] += 1

    @property
    def spec(self) -> ProviderSpec:
        """What the provider's adapter declares."""
        return self.home.session.spec

    def has(self, capability: Capability) -> bool:
        """Whether the provider can do it."""
        return self.spec.has(capability)

    def token(self, token: str) -> str | None:
        """The provider's token for one of the bank's; None where it has nothing like it."""
        return self.processor.token(token)

    @property
    def environment(self) -> Environment:
        """Test or live."""
        return self.home.session.environment

    def close(self) -> None:
        """Drop what still goes on, and close what was opened."""
        for task in self.tasks:
            task.drop()
        for store in self._opened:
            store.close()
        self.processor.close()

    # -- processes ------------------------------------------------------------------------------

    def process(
        self,
        clock: MachineClock | None = None,
        *,
        account: str | None = None,
        route: str | None = None,
    ) -> Process:
        """
        A new process of the shop.

        Args:
            clock: Its machine's; one that is right if left out.
            account, route: Another account's credentials, or another provider's name.
        """
        self._born += 1
        rig = self.processor.make()
        rig.script.decide(self.network.decide)
        store = self._make_store()
        if store is not self._own:
            self._opened.append(store)
        elsewhere = account is not None or route is not None
        return Process(
            f"{'stranger' if elsewhere else 'process'}-{self._born}",
            provider=WatchedProvider(rig.provider, self.stage, account=account, name=route),
            store=WatchedStore(store, self.stage),
            clock=clock or MachineClock(self.clock),
            handlers=self._handlers,
            elsewhere=elsewhere,
        )

    def crash(self, process: Process) -> None:
        """Kill a process, wherever its tasks stand."""
        process.alive = False
        self.crashes += 1
        for task in self.tasks:
            if task.process is process:
                self._say(task, "dies ")
                task.drop()
        self.tasks = [task for task in self.tasks if not task.over]

    # -- tasks ----------------------------------------------------------------------------------

    def start(self, what: str, role: Role, process: Process, work: Work) -> Task:
        """Begin something; nothing of it runs yet."""
        task = Task(what, role, process, work)
        self.tasks.append(task)
        return task

    def step(self, task: Task) -> None:
        """Let a task go on to its next stop."""
        self.stage.turn = task
        try:
            task.step(self.clock.monotonic())
        finally:
            self.stage.turn = None
        if task.over:
            self.tasks.remove(task)
            self._ended(task)
        else:
            self._say(task)

    def _ended(self, task: Task) -> None:
        said = type(task.error).__name__ if task.error is not None else _told(task.result)
        if self._telling:
            self._tell(f"{task} ends: {said}")
        if task.role is Role.CALLER:
            self.watch.told(task)
        if task.error is not None and not isinstance(task.error, PayportError):
            self.watch.breaks(f"{task.what} raised {said}: {task.error}")

    def run(self, task: Task) -> Task:
        """Let a task go on to its end, time passing as it waits."""
        for _ in range(_ENDLESS):
            if task.over:
                return task
            if task.wakes_at > self.clock.monotonic():
                self.clock.advance(task.wakes_at - self.clock.monotonic())
            self.step(task)
        self.watch.breaks(f"{task.what} never ends")
        task.drop()
        self.tasks.remove(task)
        return task

    def do(self, what: str, role: Role, process: Process, work: Work) -> Task:
        """`start` and `run`."""
        return self.run(self.start(what, role, process, work))

    def recover(self, process: Process) -> Task:
        """Begin a run of recovery."""
        return self.start("recovery", Role.RECOVERY, process, process.operations.recover())

    def process_due(self, process: Process) -> Task:
        """Begin to process what is due of the webhooks that were received."""
        work = process.webhooks.process_due()
        return self.start("process_due", Role.WEBHOOKS, process, work)

    # -- webhooks -------------------------------------------------------------------------------

    def post(self) -> Sequence[Letter]:
        """What the bank sent and nobody took yet, or took and did not say so."""
        self.letters += [Letter(request.body) for request in self.processor.webhooks()]
        return [letter for letter in self.letters if not letter.taken]

    def deliver(self, letter: Letter, process: Process) -> Task:
        """Begin to hand a webhook to a process. It is signed now, as each delivery is."""
        signed = self.processor.sign(letter.body)

        async def received() -> object:
            receipt = await process.webhooks.receive(
                body=signed.body, headers=signed.headers, url=signed.url
            )
            letter.taken = True
            return receipt

        return self.start("webhook", Role.WEBHOOKS, process, received())

    # -- what there is --------------------------------------------------------------------------

    def journal(self) -> Sequence[OperationRecord]:
        """Every row, as the store has it."""
        scope, environment = SCOPE, self.environment
        return self._own.transact(
            lambda tx: tx.list_operations(scope=scope, environment=environment, limit=100_000)
        )

    @property
    def store(self) -> Store:
        """The store, for whoever looks into it."""
        return self._own

    def _say(self, task: Task, how: str = "") -> None:
        """Note where a task stands, if anybody wants to know."""
        if self._telling:
            self._tell(f"{task} {how}{task.at.point} {task.at.what}".rstrip())

    def _tell(self, what: str) -> None:
        self.history.append(f"{self.clock.now():%d %H:%M:%S} {what}")


def _told(result: object) -> str:
    status = getattr(result, "status", None) or getattr(result, "state", None)
    return str(status if isinstance(status, str) else result)
