"""Who is paid through: payport's own fake, or Stripe's wire in memory. Everything else is alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx

from payport.providers.stripe import StripeProvider
from payport.testing import FakeProvider, StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET


def fake() -> tuple[Any, FakeProvider]:
    """Payport's own fake, which needs nothing at all."""
    provider = FakeProvider()
    return provider, provider


def simulator() -> tuple[Any, StripeSimulator]:
    """Stripe, as in production but for the transport and the clock."""
    stripe = StripeSimulator()
    provider = StripeProvider(
        api_key="sk_test_obviously_fake",
        webhook_secrets=[SIGNING_SECRET],
        http_client=httpx.Client(transport=stripe.transport()),
    )
    return provider, stripe


PROVIDERS: dict[str, Callable[[], tuple[Any, FakeProvider | StripeSimulator]]] = {
    "fake": fake,
    "simulator": simulator,
}
provider, outside = PROVIDERS[os.environ.get("PAYPORT_PROVIDER", "fake")]()
