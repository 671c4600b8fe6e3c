"""
Adyen in memory, for tests: the real wire of its Checkout API, version 72.

`python -m payport.testing.adyen_simulator` runs it on a loopback port.
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
