"""
Both colours of a provider that is made of an `Adapter`: what runs its exchanges.

Import them from `payport.providers.base`. Only what must say `await` is written twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from payport.domain.errors import ConfigurationError
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
    from datetime import datetime

    from payport.domain.identifiers import Environment
    from payport.providers.base import Adapter
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

__all__ = ["AsyncProvider", "SyncProvider"]

R = TypeVar("R")
A = TypeVar("A", bound="Adapter")


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
