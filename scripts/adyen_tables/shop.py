"""A provider in front of the simulator that writes down what it sends."""

import itertools
from collections.abc import Callable
from typing import Any

import httpx

from payport import Money
from payport.domain.payment_intent import CaptureMethod
from payport.providers.adyen import AdyenProvider
from payport.providers.adyen.adapter import AdyenAdapter
from payport.providers.adyen.settings import Settings
from payport.providers.adyen.transport import AdyenSend
from payport.providers.base import SyncProvider
from payport.providers.commands import Command, CreatePayment, Terms
from payport.providers.exchange import Call, Request, Response
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import HMAC_KEY, MERCHANT_ACCOUNT

__all__ = ["BACK", "PRICE", "STORED", "Shop", "provider", "settings"]

PRICE = Money(4_999, "USD")
BACK = "https://shop.example/back"
STORED = "PMCARDOK"


def provider(**options: Any) -> AdyenProvider:
    """A provider that is made and not used."""
    given: dict[str, Any] = {
        "api_key": "AQE_obviously_fake",
        "merchant_account": MERCHANT_ACCOUNT,
        "environment": "test",
        "webhook_secrets": [HMAC_KEY],
        **options,
    }
    return AdyenProvider(**given)


def settings(**options: Any) -> Settings:
    """What a provider is made of."""
    return provider(**options).adapter.settings


class Shop:
    """
    A provider at a simulator of its own.

    Attributes:
        requests: What the adapter's exchanges yielded and was sent, in order.
    """

    def __init__(self, **options: Any) -> None:
        parts = bool(options.get("multicapture"))
        self.simulator = AdyenSimulator(several_captures=parts)
        self.requests: list[Request] = []
        made = settings(**options)
        self._send = AdyenSend(made, httpx.Client(transport=self.simulator.transport()))
        self.provider = SyncProvider(AdyenAdapter(made), self._recorded)
        self._numbers = itertools.count(1)

    def _recorded(self, request: Request, *, timeout: float) -> Response:
        self.requests.append(request)
        return self._send(request, timeout=timeout)

    def key(self) -> str:
        """A new idempotency key."""
        return f"pp1_{next(self._numbers):052d}"

    def creating(self, method: str = STORED, *, manual: bool = False, **more: Any) -> CreatePayment:
        """The command."""
        how = CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC
        given: dict[str, Any] = {"return_url": BACK, **more}
        terms = Terms(amount=PRICE, payment_method=method, capture_method=how, **given)
        return CreatePayment(
            payment_id="pay_1", reference="order_1", attempt=1, terms=terms, confirm=True
        )

    def run(self, command: Command) -> Any:
        """Carry a command out; its outcome."""
        operation: Callable[[Any, Call], Any] = getattr(self.provider, command.operation)
        return operation(command, Call(key=self.key()))

    def made(self, **more: Any) -> str:
        """Adyen's id of a payment that was made."""
        ref: str = self.run(self.creating(**more)).facts.attempt_ref
        return ref
