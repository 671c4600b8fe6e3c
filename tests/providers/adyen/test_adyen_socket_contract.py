"""
What a provider promises about requests and answers, kept over a real socket as well, in both
colours: whole groups of the contract, with the simulator behind uvicorn.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adyen_help import AdyenHarness
from loopback import serving
from switchboard import PORTS, OnASocket, SocketScript, Switchboard
from test_adyen_contract import IN_PARTS

from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator.routes import MORE_OPERATIONS
from payport.testing.provider_contract import Harness
from payport.testing.script import Script


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    board = Switchboard()
    with serving(board, ports=PORTS) as board.addresses:
        yield board


@pytest.fixture(scope="module", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """Each client would read them anew, which takes longer than a test, and nothing needs them."""
    context = ssl.create_default_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", lambda **_: context)
        yield


class SocketHarness(AdyenHarness):
    """Providers that reach the simulator by connections of their own."""

    def __init__(self, make: Callable[..., Any], switchboard: Switchboard) -> None:
        super().__init__(make)
        self._switchboard = switchboard
        self._switchboard.clear()

    def _new_script(self) -> Script:
        return SocketScript(more=MORE_OPERATIONS)

    def _reached(self, script: Script) -> dict[str, Any]:
        face = AdyenSimulator(bank=self.bank, several_captures=True)
        face.script = script
        return {"base_url": self._switchboard.connect(face.asgi())}


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
