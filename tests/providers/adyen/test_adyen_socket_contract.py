"""
What a provider promises about requests and answers, kept over a real socket as well, in both
colours: whole groups of the contract, with the simulator behind uvicorn.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adyen_help import AdyenHarness
from switchboard import OnASocket, OverASocket, Switchboard
from test_adyen_contract import IN_PARTS

from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.testing.provider_contract import Harness


class SocketHarness(OverASocket, AdyenHarness):
    """Providers that reach the simulator by connections of their own."""


class TestAdyenOnASocket(OnASocket):
    lacks = IN_PARTS

    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(AdyenProvider, switchboard) as harness:
            yield harness


class TestAsyncAdyenOnASocket(OnASocket):
    lacks = IN_PARTS

    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(AsyncAdyenProvider, switchboard) as harness:
            yield harness
