"""
What every simulator of a processor offers to a test: ways in, scripts, webhooks, addresses.

What is asked, answered and told is the processor's, in its own package.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from payport.domain.errors import ConfigurationError
from payport.domain.secrets import Secret
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Response
from payport.testing.bank.bank import Bank
from payport.testing.clock import FakeClock
from payport.testing.script import Asked, Script, Scripted
from payport.testing.simulation.outbox import Endpoint, Statement
from payport.testing.simulation.posting import Post
from payport.testing.simulation.wire import HttpRequest

if TYPE_CHECKING:
    from payport.testing.fake_provider import AsyncReceives, Receives
    from payport.testing.simulation.asgi import AsgiApp
    from payport.testing.simulation.transport import AsyncSimulatorTransport, SimulatorTransport

__all__ = ["Server", "Simulator", "bank_for"]

S = TypeVar("S", bound=Statement)


class Delivers(Protocol[S]):
    """As much of an outbox as is common."""

    @property
    def endpoints(self) -> list[Endpoint[S]]:
        """The addresses."""
        ...

    def send_due(self, post: Post) -> int:
        """Send every address what is due for it."""
        ...


class Server(Protocol[S]):
    """As much of a processor's front door as is common."""

    @property
    def outbox(self) -> Delivers[S]:
        """Webhooks that wait to be delivered."""
        ...

    @property
    def heard(self) -> list[Callable[[HttpRequest], None]]:
        """Called with each request that arrives."""
        ...

    def handle(self, request: HttpRequest, script: Script) -> Response:
        """
        Answer one request.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        ...

    def revoke(self, api_key: str | Secret) -> None:
        """Accept an API key no longer."""
        ...


def bank_for(
    name: str, bank: Bank | None, given: Mapping[str, object], make: Callable[[], Bank]
) -> Bank:
    """
    The bank that a simulator stands in front of: the one that was passed, or one of its own.

    Args:
        name: The simulator's.
        given: What was passed beside it, and is the bank's to say; None where it was not.

    Raises:
        ConfigurationError: Something of this was passed beside a bank.
    """
    if bank is None:
        return make()
    for field, value in given.items():
        if value is not None:
            message = "a bank that is passed has its own. Leave one of the two out."
            raise ConfigurationError(message, operation=name, field=field)
    return bank


class Simulator(abc.ABC, Generic[S]):
    """
    A simulator of a processor.

    Args:
        bank: What it stands in front of.
        server: What answers requests.

    Attributes:
        bank: What it holds, and what happens out there.
        script: What is scripted for requests of transports that were given no script of their own.
        operations: What may be scripted beside the operations of payport's provider protocols.
    """

    operations: ClassVar[Collection[str]]

    def __init__(self, bank: Bank, server: Server[S]) -> None:
        self.bank = bank
        self._front = server
        self.script: Script = self.new_script()

    # -- how to reach it ------------------------------------------------------------------------

    def transport(self, script: Script | None = None) -> SimulatorTransport:
        """
        A transport for `httpx.Client`.

        Args:
            script: What goes wrong with its requests alone; `self.script` unless passed.
        """
        from payport.testing.simulation.transport import (  # noqa: PLC0415 - httpx is optional
            SimulatorTransport,
        )

        return SimulatorTransport(self._front, script or self.script)

    def async_transport(self, script: Script | None = None) -> AsyncSimulatorTransport:
        """A transport for `httpx.AsyncClient`; see `transport`."""
        from payport.testing.simulation.transport import (  # noqa: PLC0415 - httpx is optional
            AsyncSimulatorTransport,
        )

        return AsyncSimulatorTransport(self._front, script or self.script)

    @abc.abstractmethod
    def asgi(self) -> AsgiApp:
        """An ASGI application, with the control surface under `/_control/`."""

    def handle(self, request: HttpRequest) -> Response:
        """
        Answer a request; what transports and the application are made of.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        return self._front.handle(request, self.script)

    # -- what goes wrong ------------------------------------------------------------------------

    @classmethod
    def new_script(cls) -> Script:
        """A script that knows all operations, for one transport."""
        return Script(more=cls.operations)

    def next(self, operation: str, *scripted: Scripted) -> None:
        """Script the next requests of an operation, one each; see `Script.next`."""
        self.script.next(operation, *scripted)

    def decide(self, function: Callable[[Asked], Scripted]) -> None:
        """Have a function decide about every request; see `Script.decide`."""
        self.script.decide(function)

    def revoke(self, api_key: str | Secret) -> None:
        """Answer 401 to an API key from now on."""
        self._front.revoke(api_key)

    def listen(self, listener: Callable[[HttpRequest], None]) -> None:
        """Call `listener` with every request that arrives."""
        self._front.heard.append(listener)

    @property
    def clock(self) -> FakeClock:
        """
        The bank's clock, for a test to advance.

        Raises:
            ConfigurationError: A clock was passed that nobody can advance.
        """
        clock = self.bank.clock
        if not isinstance(clock, FakeClock):
            message = "the clock that was passed is no FakeClock. Pass one, or none, to move time."
            raise ConfigurationError(message, operation=type(self).__name__, field="clock")
        return clock

    # -- webhooks -------------------------------------------------------------------------------

    @abc.abstractmethod
    def webhooks(self, *, duplicate: int = 0, shuffle: int | None = None) -> list[WebhookRequest]:
        """
        Take the pending webhooks, signed now, to deliver them yourself.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
        """

    def deliver(self, pay: Receives, *, duplicate: int = 0, shuffle: int | None = None) -> int:
        """
        Carry the webhooks to a `Payport` and have them processed, until there are none left.

        Returns:
            How many requests were delivered.
        """
        delivered = 0
        while requests := self.webhooks(duplicate=duplicate, shuffle=shuffle):
            for request in requests:
                pay.webhooks.receive(body=request.body, headers=request.headers, url=request.url)
            pay.webhooks.process_due()
            delivered += len(requests)
        return delivered

    async def adeliver(
        self, pay: AsyncReceives, *, duplicate: int = 0, shuffle: int | None = None
    ) -> int:
        """`deliver`, to an `AsyncPayport`."""
        delivered = 0
        while requests := self.webhooks(duplicate=duplicate, shuffle=shuffle):
            for request in requests:
                await pay.webhooks.receive(
                    body=request.body, headers=request.headers, url=request.url
                )
            await pay.webhooks.process_due()
            delivered += len(requests)
        return delivered

    def add_endpoint(
        self,
        url: str,
        *,
        types: Collection[str] = ("*",),
        signing_secrets: Sequence[str | Secret] = (),
    ) -> Endpoint[S]:
        """
        Have webhooks of what happens from now on sent to an address, when `send_due` is called.

        Args:
            types: The types of event that it is sent.
            signing_secrets: What they are signed with; the bank's secrets unless passed.
        """
        secrets = tuple(s if isinstance(s, Secret) else Secret(s) for s in signing_secrets)
        endpoint: Endpoint[S] = Endpoint(url=url, types=frozenset(types), secrets=secrets)
        self._front.outbox.endpoints.append(endpoint)
        return endpoint

    @property
    def addresses(self) -> Sequence[Endpoint[S]]:
        """Whom webhooks are sent to."""
        return self._front.outbox.endpoints

    def send_due(self, post: Post | None = None) -> int:
        """
        Send what is due by the clock to its addresses; return how many webhooks were taken.

        Args:
            post: How; over HTTP, to loopback addresses only, unless passed.
        """
        from payport.testing.simulation.posting import post_to_loopback  # noqa: PLC0415

        return self._front.outbox.send_due(post or post_to_loopback)
