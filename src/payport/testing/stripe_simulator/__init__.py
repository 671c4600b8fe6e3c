"""
Stripe in memory, for tests: the real wire format at the pinned API version.

`python -m payport.testing.stripe_simulator` runs it on a loopback port.
"""

from __future__ import annotations

from payport.testing.simulation.wire import HttpRequest
from payport.testing.stripe_simulator.events import API_VERSION
from payport.testing.stripe_simulator.simulator import SIGNING_SECRET, StripeSimulator

__all__ = ["API_VERSION", "SIGNING_SECRET", "HttpRequest", "StripeSimulator"]
