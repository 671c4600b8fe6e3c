"""
Take a payment and give part of it back with your own Stripe test key. Not run in CI.

    STRIPE_API_KEY=sk_test_... python examples/live_stripe.py

It takes play money only: anything but a test key is refused. The journal is in a temporary file.
STRIPE_BASE_URL sends it to another address, such as that of `python -m
payport.testing.stripe_simulator`.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import tempfile
from pathlib import Path

from payport import Money, Payport, PayportError
from payport.providers.stripe import StripeProvider

TEST_KEYS = ("sk_test_", "rk_test_")
HOW = """\
Set it to a secret or restricted TEST key of your Stripe account (sk_test_..., rk_test_...):
https://dashboard.stripe.com/test/apikeys"""


def refusal(key: str) -> str | None:
    """Why a key is not used; never repeats any of it."""
    if not key:
        return f"STRIPE_API_KEY is not set. {HOW}"
    if not key.startswith(TEST_KEYS):
        return f"STRIPE_API_KEY is no test key, and this example takes no real money. {HOW}"
    return None


def sell(pay: Payport, order: str) -> None:
    """Charge an order, ask a second time, be declined for another, and refund a part."""
    paid = pay.payments.create(
        reference=order, amount=Money(4999, "USD"), payment_method="pm_card_visa", confirm=True
    )
    again = pay.payments.create(
        reference=order, amount=Money(4999, "USD"), payment_method="pm_card_visa", confirm=True
    )
    print("paid:", paid.captured, paid.provider_ref)
    print("asked again, charged once:", again.provider_ref == paid.provider_ref)

    declined = pay.payments.create(
        reference=f"{order}-declined",
        amount=Money(1200, "USD"),
        payment_method="pm_card_visa_chargeDeclinedInsufficientFunds",
        confirm=True,
    )
    print("declined:", declined.decline.user_message if declined.decline else declined.status)

    refund = pay.refunds.create(payment=paid.id, reference="return_1", amount=Money(1000, "USD"))
    print("refunded:", refund.amount, refund.status, refund.provider_ref)


def main() -> int:
    """Refuse, or sell one thing."""
    why_not = refusal(os.environ.get("STRIPE_API_KEY", ""))
    if why_not is not None:
        print(why_not, file=sys.stderr)
        return 2
    # One process alone uses this file: that is what the warning about old SQLite versions asks.
    logging.getLogger("payport.storage").setLevel(logging.ERROR)
    provider = StripeProvider.from_env(base_url=os.environ.get("STRIPE_BASE_URL"))
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'payments.db'}"
        with Payport(provider, scope="payport-example", store=store) as pay:
            try:
                # The journal ends with this run, so the next one must not use its references.
                sell(pay, f"order-{secrets.token_hex(4)}")
            except PayportError as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
