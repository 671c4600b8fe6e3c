"""
What an adapter implements: two plain protocols of eleven methods, or one colourless `Adapter`.

Users never call these; the client does. A method that could change something takes a command and a
`Call`, and returns an `Answer` (facts) or a `Failure` (classified): it raises only for bugs. The
easy way to both protocols is one `Adapter` whose operations are exchanges, run by `SyncProvider`
and `AsyncProvider`. An adapter over a vendor's SDK with I/O of its own may implement a protocol
directly.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, runtime_checkable

from payport.domain.errors import ConfigurationError, UnsupportedOperation
from payport.providers.begun import Begun, BegunExchange
from payport.providers.exchange import Exchange, TransportError, Wire, run, run_async
from payport.providers.outcomes import (
    Account,
    Failure,
    Outcome,
    aged,
    failure_from_transport,
    judged,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from payport.domain.identifiers import Environment
    from payport.providers.commands import (
        CancelPayment,
        CapturePayment,
        Command,
        ConfirmPayment,
        CreatePayment,
        CreateRefund,
        Lookup,
    )
    from payport.providers.deliveries import Delivery, Statement, WebhookRequest
    from payport.providers.exchange import AsyncSend, Call, Request, Send
    from payport.providers.spec import ProviderSpec

__all__ = [
    "Adapter",
    "AsyncPaymentProvider",
    "AsyncProvider",
    "PaymentProvider",
    "SyncProvider",
]

R = TypeVar("R")


@runtime_checkable
class PaymentProvider(Protocol):
    """
    A processor, blocking.

    Every method that talks to the provider is safe to call from several threads. `call.guard` is
    called before each write to the wire and `call.exact` replaces the first request that changes
    something; `SyncProvider` does both. Every object that is created carries `call.key` as its tag.
    """

    @property
    def spec(self) -> ProviderSpec:
        """What the adapter declares."""
        ...

    @property
    def environment(self) -> Environment:
        """Test or live, decided by the credentials when the provider was constructed."""
        ...

    def account(self, call: Call) -> Account | Failure:
        """
        The account the credentials really belong to. Asked once per process and remembered by
        the client, so that an operation is never recovered at another account.
        """
        ...

    def render(self, command: Command, key: str) -> Request:
        """
        The exact first request that carries the command out, which is one that changes something.
        Pure: no I/O, and equal for equal arguments within one version of the adapter.
        """
        ...

    def create_payment(self, command: CreatePayment, call: Call) -> Outcome:
        """
        Make a chargeable object and, where `command.confirm`, charge or authorise it.

        Answer with the attempt's facts, and with captures where money was taken. A decline is an
        answer. A provider without CREATE_UNCONFIRMED is never called with `confirm=False`.
        """
        ...

    def confirm_payment(self, command: ConfirmPayment, call: Call) -> Outcome:
        """
        Charge or authorise: the object named `command.payment_ref`, or where that is None a new
        one made from the command's terms.
        """
        ...

    def capture_payment(self, command: CapturePayment, call: Call) -> Outcome:
        """Take held money. Answer with a capture fact; pending where it is only acknowledged."""
        ...

    def cancel_payment(self, command: CancelPayment, call: Call) -> Outcome:
        """Release held money. Answer with the attempt's facts; processing where acknowledged."""
        ...

    def retrieve_payment(self, payment_ref: str, call: Call) -> Outcome:
        """All facts about the object as they are now: attempt, captures, refunds, disputes."""
        ...

    def create_refund(self, command: CreateRefund, call: Call) -> Outcome:
        """
        Give money back. Answer with exactly one refund fact, that of this refund; pending where it
        is only acknowledged.
        """
        ...

    def retrieve_refund(self, refund_ref: str, call: Call) -> Outcome:
        """The refund's fact as it is now."""
        ...

    def find(self, lookup: Lookup, call: Call) -> Outcome:
        """
        Facts that prove that the operation took effect: of an object that carries its key.

        Whatever this answers concludes the operation, so it answers with an object that carries
        the key or not at all: NOT_FOUND otherwise, which proves nothing. Listings that are
        consistent come before searches that lag.
        """
        ...

    def close(self) -> None:
        """Free what this provider opened itself. Calling it again does nothing."""
        ...


@runtime_checkable
class AsyncPaymentProvider(Protocol):
    """
    A processor, awaited. The same contract as `PaymentProvider`, method by method; `render` is pure
    and so not awaited. Belongs to one running event loop.
    """

    @property
    def spec(self) -> ProviderSpec:
        """What the adapter declares."""
        ...

    @property
    def environment(self) -> Environment:
        """Test or live."""
        ...

    async def account(self, call: Call) -> Account | Failure:
        """See `PaymentProvider.account`."""
        ...

    def render(self, command: Command, key: str) -> Request:
        """See `PaymentProvider.render`."""
        ...

    async def create_payment(self, command: CreatePayment, call: Call) -> Outcome:
        """See `PaymentProvider.create_payment`."""
        ...

    async def confirm_payment(self, command: ConfirmPayment, call: Call) -> Outcome:
        """See `PaymentProvider.confirm_payment`."""
        ...

    async def capture_payment(self, command: CapturePayment, call: Call) -> Outcome:
        """See `PaymentProvider.capture_payment`."""
        ...

    async def cancel_payment(self, command: CancelPayment, call: Call) -> Outcome:
        """See `PaymentProvider.cancel_payment`."""
        ...

    async def retrieve_payment(self, payment_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_payment`."""
        ...

    async def create_refund(self, command: CreateRefund, call: Call) -> Outcome:
        """See `PaymentProvider.create_refund`."""
        ...

    async def retrieve_refund(self, refund_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_refund`."""
        ...

    async def find(self, lookup: Lookup, call: Call) -> Outcome:
        """See `PaymentProvider.find`."""
        ...

    async def aclose(self) -> None:
        """See `PaymentProvider.close`."""
        ...


class Adapter(abc.ABC):
    """
    A processor without colour: every operation is an exchange. What each has to do is said at
    `PaymentProvider`. Operations that a provider lacks keep their default here, which refuses.
    """

    spec: ProviderSpec
    environment: Environment

    @abc.abstractmethod
    def account(self) -> Exchange[Account | Failure]:
        """See `PaymentProvider.account`."""

    @abc.abstractmethod
    def create_payment(self, command: CreatePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_payment`."""

    @abc.abstractmethod
    def confirm_payment(self, command: ConfirmPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.confirm_payment`."""

    def capture_payment(self, command: CapturePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.capture_payment`."""
        del command, key
        self._lacks("capture_payment")

    def cancel_payment(self, command: CancelPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.cancel_payment`."""
        del command, key
        self._lacks("cancel_payment")

    def retrieve_payment(self, payment_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_payment`."""
        del payment_ref
        self._lacks("retrieve_payment")

    def create_refund(self, command: CreateRefund, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_refund`."""
        del command, key
        self._lacks("create_refund")

    def retrieve_refund(self, refund_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_refund`."""
        del refund_ref
        self._lacks("retrieve_refund")

    def find(self, lookup: Lookup) -> Exchange[Outcome]:
        """See `PaymentProvider.find`."""
        del lookup
        self._lacks("find")

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        del request, now
        self._lacks("parse_webhook")

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        del body
        self._lacks("read_webhook")

    def _lacks(self, operation: str) -> NoReturn:
        raise UnsupportedOperation(
            f"{self.spec.name} cannot do this. Nothing was sent.",
            operation=operation,
            provider=self.spec.name,
        )

    def exchange(self, command: Command, key: str) -> Exchange[Outcome]:
        """The exchange that carries a command out."""
        operation: Callable[[Any, str], Exchange[Outcome]] = getattr(self, command.operation)
        return operation(command, key)

    def render(self, command: Command, key: str) -> Request:
        """The exchange's first request; the exchange is then dropped. Raises as `begin`."""
        exchange, request = self.begin(command, key)
        exchange.close()
        return request

    def begin(self, command: Command, key: str) -> tuple[Exchange[Outcome], Request]:
        """
        The exchange that carries a command out, and its first request.

        Raises:
            ConfigurationError: The first request is a read. The journal keeps the first request and
                sends it again in place of the first one that changes something, so they have to be
                the same: read afterwards, or put what has to be read into the command.
        """
        exchange = self.exchange(command, key)
        request = next(exchange)
        if not request.mutates:
            exchange.close()
            raise ConfigurationError(
                f"the adapter begins {command.operation} with a read; its first request has to be "
                "the one that changes something",
                operation=command.operation,
            )
        return exchange, request


A = TypeVar("A", bound=Adapter)


class _Colourless(Generic[A]):
    """What both colours of a provider are alike in."""

    def __init__(self, adapter: A) -> None:
        self.adapter = adapter
        self._begun = Begun()

    @property
    def spec(self) -> ProviderSpec:
        """What the adapter declares."""
        return self.adapter.spec

    @property
    def environment(self) -> Environment:
        """Test or live."""
        return self.adapter.environment

    def render(self, command: Command, key: str) -> Request:
        """The exact first request that carries the command out."""
        exchange, request = self.adapter.begin(command, key)
        self._begun.keep(command, key, BegunExchange(exchange, request))
        return request

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        return self.adapter.parse_webhook(request, now=now)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        return self.adapter.read_webhook(body)

    def _exchange(self, command: Command, call: Call) -> BegunExchange:
        """What carries the command out: the exchange that rendered it just now, or a new one."""
        key = call.key or ""
        known = self._begun.take(command, key)
        return known or BegunExchange(self.adapter.exchange(command, key))

    def _judged(self, outcome: R | Failure, call: Call, wire: Wire) -> R | Failure:
        """What an exchange's outcome proves, given what else is known of the call."""
        if not self.spec.idempotency.tells_replays:
            outcome = aged(outcome, call.first_sent_at)
        return judged(outcome, answered=wire.answered)

    def __repr__(self) -> str:
        # Never the adapter's attributes: they hold the key.
        if not hasattr(self, "adapter"):
            # Half made: a traceback that shows local variables shows these as well.
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} {self.spec.name} {self.environment}>"

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "a provider holds credentials and connections and cannot be pickled. "
            "Construct one in each process.",
            operation=type(self).__name__,
        )


class SyncProvider(_Colourless[A]):
    """Runs an adapter's exchanges with a blocking sender. A `PaymentProvider`."""

    def __init__(self, adapter: A, send: Send) -> None:
        super().__init__(adapter)
        self._send = send

    def account(self, call: Call) -> Account | Failure:
        """See `PaymentProvider.account`."""
        return self._run(self.adapter.account(), call)

    def create_payment(self, command: CreatePayment, call: Call) -> Outcome:
        """See `PaymentProvider.create_payment`."""
        return self._carry_out(command, call)

    def confirm_payment(self, command: ConfirmPayment, call: Call) -> Outcome:
        """See `PaymentProvider.confirm_payment`."""
        return self._carry_out(command, call)

    def capture_payment(self, command: CapturePayment, call: Call) -> Outcome:
        """See `PaymentProvider.capture_payment`."""
        return self._carry_out(command, call)

    def cancel_payment(self, command: CancelPayment, call: Call) -> Outcome:
        """See `PaymentProvider.cancel_payment`."""
        return self._carry_out(command, call)

    def retrieve_payment(self, payment_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_payment`."""
        return self._run(self.adapter.retrieve_payment(payment_ref), call)

    def create_refund(self, command: CreateRefund, call: Call) -> Outcome:
        """See `PaymentProvider.create_refund`."""
        return self._carry_out(command, call)

    def retrieve_refund(self, refund_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_refund`."""
        return self._run(self.adapter.retrieve_refund(refund_ref), call)

    def find(self, lookup: Lookup, call: Call) -> Outcome:
        """See `PaymentProvider.find`."""
        return self._run(self.adapter.find(lookup), call)

    def close(self) -> None:
        """Close the sender, if it can be closed."""
        close = getattr(self._send, "close", None)
        if close is not None:
            close()

    def _carry_out(self, command: Command, call: Call) -> Outcome:
        begun = self._exchange(command, call)
        return self._run(begun.exchange, call, begun.first)

    def _run(
        self, exchange: Exchange[R | Failure], call: Call, first: Request | None = None
    ) -> R | Failure:
        wire = Wire(call)

        def send(request: Request) -> Any:
            return self._send(wire.outgoing(request), timeout=call.timeout)

        try:
            outcome = run(exchange, send, first)
        except TransportError as error:
            outcome = failure_from_transport(error)
        return self._judged(outcome, call, wire)


class AsyncProvider(_Colourless[A]):
    """Runs an adapter's exchanges with an awaitable sender. An `AsyncPaymentProvider`."""

    def __init__(self, adapter: A, send: AsyncSend) -> None:
        super().__init__(adapter)
        self._send = send

    async def account(self, call: Call) -> Account | Failure:
        """See `PaymentProvider.account`."""
        return await self._run(self.adapter.account(), call)

    async def create_payment(self, command: CreatePayment, call: Call) -> Outcome:
        """See `PaymentProvider.create_payment`."""
        return await self._carry_out(command, call)

    async def confirm_payment(self, command: ConfirmPayment, call: Call) -> Outcome:
        """See `PaymentProvider.confirm_payment`."""
        return await self._carry_out(command, call)

    async def capture_payment(self, command: CapturePayment, call: Call) -> Outcome:
        """See `PaymentProvider.capture_payment`."""
        return await self._carry_out(command, call)

    async def cancel_payment(self, command: CancelPayment, call: Call) -> Outcome:
        """See `PaymentProvider.cancel_payment`."""
        return await self._carry_out(command, call)

    async def retrieve_payment(self, payment_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_payment`."""
        return await self._run(self.adapter.retrieve_payment(payment_ref), call)

    async def create_refund(self, command: CreateRefund, call: Call) -> Outcome:
        """See `PaymentProvider.create_refund`."""
        return await self._carry_out(command, call)

    async def retrieve_refund(self, refund_ref: str, call: Call) -> Outcome:
        """See `PaymentProvider.retrieve_refund`."""
        return await self._run(self.adapter.retrieve_refund(refund_ref), call)

    async def find(self, lookup: Lookup, call: Call) -> Outcome:
        """See `PaymentProvider.find`."""
        return await self._run(self.adapter.find(lookup), call)

    async def aclose(self) -> None:
        """Close the sender, if it can be closed."""
        close = getattr(self._send, "aclose", None)
        if close is not None:
            await close()

    async def _carry_out(self, command: Command, call: Call) -> Outcome:
        begun = self._exchange(command, call)
        return await self._run(begun.exchange, call, begun.first)

    async def _run(
        self, exchange: Exchange[R | Failure], call: Call, first: Request | None = None
    ) -> R | Failure:
        wire = Wire(call)

        def send(request: Request) -> Any:
            return self._send(wire.outgoing(request), timeout=call.timeout)

        try:
            outcome = await run_async(exchange, send, first)
        except TransportError as error:
            outcome = failure_from_transport(error)
        return self._judged(outcome, call, wire)
