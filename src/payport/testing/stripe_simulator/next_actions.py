"""What a customer has to do next, as a PaymentIntent tells it: leave the page, or authenticate."""

from __future__ import annotations

from typing import Final

from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.memory import Intent, stripe_id
from payport.testing.tokens import Challenge

__all__ = ["next_action"]

_PAGE: Final = "https://hooks.stripe.invalid/redirect/authenticate"
#: What a card network's real certificates would be.
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----\nU2ltdWxhdGVk\n-----END CERTIFICATE-----\n"


def next_action(intent: Intent, *, merchant: str) -> Doc:
    """The next action of a payment whose customer is asked to authenticate."""
    payment, fields = intent.payment, intent.fields
    challenge = payment.card.challenge if payment.card is not None else None
    back = fields.get("return_url")
    if challenge is Challenge.REDIRECT and back and not fields.get("use_stripe_sdk"):
        secret = payment.secret or ""
        page = f"{_PAGE}/{intent.id}?client_secret={secret}"
        return {"redirect_to_url": {"return_url": back, "url": page}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": _for_the_sdk(intent, merchant)}


def _for_the_sdk(intent: Intent, merchant: str) -> Doc:
    payment = intent.payment
    return {
        "directory_server_encryption": {
            "algorithm": "RSA",
            "certificate": _CERTIFICATE,
            "directory_server_id": "A000000003",
            "root_certificate_authorities": [_CERTIFICATE],
        },
        "directory_server_name": "visa",
        "merchant": merchant,
        "one_click_authn": None,
        "server_transaction_id": f"{intent.id}_{payment.round}",
        "three_d_secure_2_source": stripe_id("payatt", payment.tries[-1].ref),
        "three_ds_frontend_optimizations": None,
        "three_ds_method_url": "",
        "three_ds_optimizations": "kf",
        "type": "stripe_3ds2_fingerprint",
    }
