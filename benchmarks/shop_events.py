"""
Webhooks to measure with: events of payments that wait for their customers, who then pay, in the
words of the Stripe simulator and signed with its secret; and numbered copies of one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from payport import AsyncPayport, Handlers, Money, Payport
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

__all__ = ["API_KEY", "SECRET", "Event", "Shop", "numbered", "pretty", "signed"]

API_KEY: Final = "sk_test_obviouslyfake"
SECRET: Final = SIGNING_SECRET
#: What a shop keeps with a payment, more or less.
_METADATA: Final = {f"detail_{n}": f"something about the order, number {n:02d}" for n in range(12)}
_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider says once: its id, the order that it is about, and the body."""

    id: str
    reference: str
    body: bytes


def signed(body: bytes) -> dict[str, str]:
    """The headers that Stripe would send with a body now."""
    at = str(int(time.time()))
    mac = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={mac}", "Content-Type": "application/json"}


def pretty(body: bytes) -> bytes:
    """The body as Stripe sends it, in lines."""
    return json.dumps(json.loads(body), indent=2).encode()


def numbered(event: Event, many: int) -> list[bytes]:
    """Copies of an event, each of which says that it is another one."""
    ids = (f"evt_{next(_numbers):024d}" for _ in range(many))
    return [event.body.replace(event.id.encode(), one.encode()) for one in ids]


class Shop:
    """
    A shop at a simulator of its own.

    Args:
        store: As `Payport` takes it.
    """

    def __init__(self, store: Any, handlers: Handlers | None = None) -> None:
        self.store = store
        self._simulator = StripeSimulator()
        self._options: dict[str, Any] = {
            "scope": "shop",
            "store": store,
            "handlers": handlers or Handlers(),
            "rate_limit": 0,
        }

    def client(self) -> Payport:
        """A client that blocks."""
        http_client = httpx.Client(transport=self._simulator.transport())
        provider = StripeProvider(
            api_key=API_KEY, webhook_secrets=[SECRET], http_client=http_client
        )
        return Payport(provider, **self._options)

    def async_client(self) -> AsyncPayport:
        """A client that is awaited."""
        http_client = httpx.AsyncClient(transport=self._simulator.async_transport())
        provider = AsyncStripeProvider(
            api_key=API_KEY, webhook_secrets=[SECRET], http_client=http_client
        )
        return AsyncPayport(provider, **self._options)

    def events(self, pay: Payport, many: int) -> Sequence[Event]:
        """Take so many payments whose customers have paid since: one event about each."""
        return [self._paid(pay)[-1] for _ in range(many)]

    def stories(self, pay: Payport, many: int) -> Iterator[list[bytes]]:
        """The same, with all that the provider tells of each: the bodies, in order."""
        for _ in range(many):
            yield [event.body for event in self._paid(pay)]

    def _paid(self, pay: Payport) -> list[Event]:
        reference = f"order_{next(_numbers)}"
        intent = pay.payments.create(
            reference=reference,
            amount=Money(4999, "USD"),
            payment_method="pm_card_authenticate",
            confirm=True,
            return_url="https://shop.example/",
            metadata=_METADATA,
        )
        self._simulator.bank.authenticate(intent.provider_ref or "")
        bodies = [pretty(request.body) for request in self._simulator.webhooks()]
        return [Event(json.loads(body)["id"], reference, body) for body in bodies]
