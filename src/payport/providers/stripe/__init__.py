"""Stripe: payments and refunds through the official SDK. See `StripeProvider`."""

from payport.providers.stripe.provider import AsyncStripeProvider, StripeProvider
from payport.providers.stripe.spec import API_VERSION

__all__ = ["API_VERSION", "AsyncStripeProvider", "StripeProvider"]
