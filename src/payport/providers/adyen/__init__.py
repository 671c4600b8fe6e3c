"""Adyen: payments and refunds through its Checkout API. See `AdyenProvider`."""

from payport.providers.adyen.methods import HOSTED, SESSION, payment_method_from
from payport.providers.adyen.provider import AdyenProvider, AsyncAdyenProvider
from payport.providers.adyen.stored import StoredMethod, stored_methods_in
from payport.providers.webhook_secrets import WebhookSecret

__all__ = [
    "HOSTED",
    "SESSION",
    "AdyenProvider",
    "AsyncAdyenProvider",
    "StoredMethod",
    "WebhookSecret",
    "payment_method_from",
    "stored_methods_in",
]
