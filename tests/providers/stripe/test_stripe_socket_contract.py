"""The Stripe adapter keeps the contract over a real socket too, in both colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from loopback import serving
from test_stripe_contract import StripeHarness

from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator
from payport.testing.provider_contract import Harness, ProviderContract
from payport.testing.script import Script
from payport.testing.stripe_simulator.asgi import AsgiApp

#: As many providers as a test of the contract makes.
PORTS = 24


class Switchboard:
    """An application for each port, one server for all."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.apps: dict[int, AsgiApp] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.apps[scope["server"][1]](scope, receive, send)

    def connect(self, app: AsgiApp) -> str:
        address = self.addresses[len(self.apps)]
        self.apps[httpx.URL(address).port or 0] = app
        return address


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    board = Switchboard()
    with serving(board, ports=PORTS) as board.addresses:
        yield board


class SocketHarness(StripeHarness):
    def __init__(self, make: Callable[..., Any], switchboard: Switchboard) -> None:
        super().__init__(make)
        self._switchboard = switchboard
        self._switchboard.apps.clear()

    def _reached(self, script: Script) -> dict[str, Any]:
        face = StripeSimulator(bank=self.bank)
        face.script = script
        return {"base_url": self._switchboard.connect(face.asgi())}


class TestStripeOnASocket(ProviderContract):
    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(StripeProvider, switchboard) as harness:
            yield harness


class TestAsyncStripeOnASocket(ProviderContract):
    @pytest.fixture
    def harness(self, switchboard: Switchboard) -> Iterator[Harness]:
        with SocketHarness(AsyncStripeProvider, switchboard) as harness:
            yield harness
