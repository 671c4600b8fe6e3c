"""A shop in front of the simulator that writes down what the adapter sends and is answered."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from payport import Money
from payport.domain.payment_intent import CaptureMethod
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
    Terms,
)
from payport.providers.events import SyncEventsProvider
from payport.providers.exchange import Call, Request, Response
from payport.providers.listings import SyncListingProvider
from payport.providers.outcomes import Answer
from payport.providers.stripe.adapter import StripeAdapter
from payport.providers.stripe.settings import Settings, settings_from
from payport.providers.stripe.transport import StripeSend
from payport.testing import StripeSimulator

__all__ = ["KEY", "PRICE", "SECRET", "Shop", "settings"]

KEY = "rk_test_obviously_fake"
SECRET = "whsec_simulated_0001"  # noqa: S105 - the simulator's own, which anybody may know
PRICE = Money(4_999, "USD")


def settings(*, multicapture: bool = False) -> Settings:
    """What a provider is made of."""
    made = settings_from(
        {"api_key": KEY, "webhook_secrets": [SECRET], "multicapture": multicapture}
    )
    if not isinstance(made, Settings):
        raise made
    return made


class _Recorded(SyncListingProvider[StripeAdapter], SyncEventsProvider[StripeAdapter]):
    """All that a provider can be asked, by another sender."""


class Shop:
    """
    A provider at a simulator of its own.

    Attributes:
        requests: What the adapter's exchanges yielded and was sent, in order.
        answers: What was answered, in order.
    """

    def __init__(self, *, multicapture: bool = False) -> None:
        self.simulator = StripeSimulator()
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        made = settings(multicapture=multicapture)
        self._send = StripeSend(made, httpx.Client(transport=self.simulator.transport()))
        self.provider = _Recorded(StripeAdapter(made), self._recorded)
        self._numbers = itertools.count(1)

    def _recorded(self, request: Request, *, timeout: float) -> Response:
        self.requests.append(request)
        response = self._send(request, timeout=timeout)
        self.answers.append(response)
        return response

    # -- commands -------------------------------------------------------------------------------

    def key(self) -> str:
        """A new idempotency key."""
        return f"pp1_{next(self._numbers):052d}"

    def terms(self, method: str | None = "pm_card_visa", **more: Any) -> Terms:
        """What is to be paid."""
        manual = more.pop("manual", False)
        how = CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC
        return Terms(amount=PRICE, payment_method=method, capture_method=how, **more)

    def creating(self, *, confirm: bool = True, **more: Any) -> CreatePayment:
        """The command."""
        return CreatePayment(
            payment_id="pay_1",
            reference="order_1",
            attempt=1,
            terms=self.terms(**more),
            confirm=confirm,
        )

    def confirming(self, ref: str | None, **more: Any) -> ConfirmPayment:
        """The command."""
        return ConfirmPayment(
            payment_id="pay_1",
            reference="order_1",
            attempt=1,
            payment_ref=ref,
            terms=self.terms(**more),
        )

    def capturing(
        self, ref: str, minor: int = PRICE.minor, *, final: bool = True
    ) -> CapturePayment:
        """The command."""
        return CapturePayment(
            payment_id="pay_1", payment_ref=ref, amount=Money(minor, "USD"), final=final
        )

    def canceling(self, ref: str) -> CancelPayment:
        """The command."""
        return CancelPayment(payment_id="pay_1", payment_ref=ref, amount=PRICE)

    def refunding(self, ref: str, minor: int = PRICE.minor, **more: Any) -> CreateRefund:
        """The command."""
        return CreateRefund(
            payment_id="pay_1",
            payment_ref=ref,
            refund_id="rfd_1",
            reference="return_1",
            amount=Money(minor, "USD"),
            **more,
        )

    # -- running --------------------------------------------------------------------------------

    def run(self, command: Command, key: str | None = None) -> Any:
        """Carry a command out; its outcome."""
        operation: Callable[[Any, Call], Any] = getattr(self.provider, command.operation)
        return operation(command, Call(key=key or self.key()))

    def made(self, **more: Any) -> str:
        """Stripe's id of a payment that was made."""
        outcome = self.run(self.creating(**more))
        if not isinstance(outcome, Answer) or outcome.facts.attempt_ref is None:
            message = f"the simulator did not answer: {outcome}"
            raise TypeError(message)
        return outcome.facts.attempt_ref

    def found(self, command: Command, key: str) -> Any:
        """Look for what carries a key; what was found."""
        return self.provider.find(Lookup(key=key, command=command), Call())

    def documents(self) -> Iterator[Any]:
        """What was answered so far, in JSON."""
        return (json.loads(answer.body) for answer in self.answers)
