"""
What a provider promises about requests and answers, kept over a real socket as well, in both
colours: whole groups of the contract, with the simulator behind uvicorn.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from switchboard import OnASocket, OverASocket, Switchboard
from test_stripe_contract import StripeHarness

from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing.provider_contract import Harness


class SocketHarness(OverASocket, StripeHarness):
    """Providers that reach the simulator by connections of their own."""


class TestStripeOnASocket(OnASocket):
    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(StripeProvider, switchboard) as harness:
            yield harness


class TestAsyncStripeOnASocket(OnASocket):
    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(AsyncStripeProvider, switchboard) as harness:
            yield harness
