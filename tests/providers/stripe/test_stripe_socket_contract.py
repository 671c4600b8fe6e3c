"""
What a provider promises about requests and answers, kept over a real socket as well, in both
colours: whole groups of the contract, with the simulator behind uvicorn.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from loopback import serving
from test_stripe_contract import StripeHarness

from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator
from payport.testing._provider_contract.captures import CaptureChecks
from payport.testing._provider_contract.doubts import DoubtChecks
from payport.testing._provider_contract.idempotency import IdempotencyChecks
from payport.testing._provider_contract.payments import PaymentChecks
from payport.testing._provider_contract.refunds import RefundChecks
from payport.testing._provider_contract.sending import SendingChecks
from payport.testing._provider_contract.webhooks import WebhookChecks
from payport.testing.faults import ConnectionRefused, CrashAfter, CrashBefore, Slow
from payport.testing.provider_contract import Harness
from payport.testing.script import Script, Scripted
from payport.testing.simulation.asgi import AsgiApp
from payport.testing.stripe_simulator.routes import MORE_OPERATIONS

#: More providers than any test of the contract makes.
PORTS = 16
#: What the other end of a connection cannot do; `test_stripe_socket.py` has what stands for it.
NOT_BY_A_SERVER = {
    ConnectionRefused: "it has listened already",
    CrashAfter: "it is not the client's process",
    CrashBefore: "it is not the client's process",
    Slow: "it does not know how long the client waits",
}


class SocketScript(Script):
    """A script that leaves out what a server cannot do."""

    def next(self, operation: str, *scripted: Scripted) -> None:
        for one in scripted:
            if type(one) in NOT_BY_A_SERVER:
                pytest.skip(f"{type(one).__name__} by a server: {NOT_BY_A_SERVER[type(one)]}")
        super().next(operation, *scripted)


class Switchboard:
    """One server for all, with an application for each port."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._apps: dict[int, AsgiApp] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._apps[scope["server"][1]](scope, receive, send)

    def connect(self, app: AsgiApp) -> str:
        """The address at which an application is from now on, until all are cleared."""
        address = self.addresses[len(self._apps)]
        self._apps[httpx.URL(address).port or 0] = app
        return address

    def clear(self) -> None:
        self._apps.clear()


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


class SocketHarness(StripeHarness):
    """Providers that reach the simulator by connections of their own."""

    def __init__(self, make: Callable[..., Any], switchboard: Switchboard) -> None:
        super().__init__(make)
        self._switchboard = switchboard
        self._switchboard.clear()

    def _new_script(self) -> Script:
        return SocketScript(more=MORE_OPERATIONS)

    def _reached(self, script: Script) -> dict[str, Any]:
        face = StripeSimulator(bank=self.bank)
        face.script = script
        return {"base_url": self._switchboard.connect(face.asgi())}


class OnASocket(
    PaymentChecks,
    CaptureChecks,
    RefundChecks,
    IdempotencyChecks,
    DoubtChecks,
    SendingChecks,
    WebhookChecks,
):
    """The groups of the contract that send something, or are sent something."""


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
