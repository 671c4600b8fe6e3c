"""
Adyen in memory, for tests: the real wire of its Checkout API, version 72.

`python -m payport.testing.adyen_simulator` runs it on a loopback port.

It serves `/payments` and `/payments/details`, `/sessions`, captures, cancels, reversals and refunds
of a payment, `/cancels` by reference, `/paymentMethods` and `/storedPaymentMethods`, for cards,
iDEAL, SEPA direct debit, bank transfers and Multibanco, and tells webhooks of all that follows.

What Adyen's documentation leaves open is decided here so:

- A key that was used for another request is answered 422 with errorCode 704 and without the header
  `transient-error`; or, with `refuses_other_requests=False`, as the first request was.
- A key is remembered for seven days, the shorter of two texts of Adyen's; answers that say no
  before anything was executed (400, 401, 403, 422) and server errors are not kept under it.
- A key that is in use is answered 422, and 409 where a test scripts it: Adyen names both.
- Of several payments with one reference, `/cancels` cancels the latest that is still open.
- A modification that cannot be carried out is acknowledged, and told by `success: false`; one of a
  payment that nobody knows is refused with errorCode 167.
- A refund that a card's network rejects is told by REFUND_FAILED alone, two days later.
- EXPIRE has the payment's own pspReference, as in Adyen's example; a modification's webhook has the
  modification's reference as `merchantReference`, and the payment's where it has none.
- An API key that begins with `test_` or `live_` is good for that environment only; Adyen's own keys
  do not tell. Any other key of eight characters is taken.
- Two secrets do not sign one item: the latest does.

Not simulated: encryption (only `test_` values are taken), partial orders and gift cards, amount
updates, installments, splits, payment links, donations, payouts, terminals, wallets, risk checks
and manual review, AutoRescue, Account Updater, reports, tokenization webhooks (RECURRING_CONTRACT
is told), and every other API of Adyen's, such as that for disputes. What would change what happens,
and is not simulated, is refused with a message that says so; what only says something is checked
and left aside.
"""

from __future__ import annotations

from payport.testing.adyen_simulator.outbox import signature
from payport.testing.adyen_simulator.routes import VERSION
from payport.testing.adyen_simulator.simulator import HMAC_KEY, MERCHANT_ACCOUNT, AdyenSimulator
from payport.testing.simulation.wire import HttpRequest

__all__ = [
    "HMAC_KEY",
    "MERCHANT_ACCOUNT",
    "VERSION",
    "AdyenSimulator",
    "HttpRequest",
    "signature",
]
