"""One server behind which every provider of a test has an application of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from loopback import serving

from payport.testing._provider_contract.captures import CaptureChecks
from payport.testing._provider_contract.doubts import DoubtChecks
from payport.testing._provider_contract.idempotency import IdempotencyChecks
from payport.testing._provider_contract.payments import PaymentChecks
from payport.testing._provider_contract.refunds import RefundChecks
from payport.testing._provider_contract.sending import SendingChecks
from payport.testing._provider_contract.webhooks import WebhookChecks
from payport.testing.faults import ConnectionRefused, CrashAfter, CrashBefore, Slow
from payport.testing.script import Script, Scripted
from payport.testing.simulation.asgi import AsgiApp

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


class OverASocket:
    """What a harness has its providers reach their simulator by; stands before the harness."""

    simulator: Any
    bank: Any

    def __init__(self, make: Callable[..., Any], switchboard: Switchboard) -> None:
        super().__init__(make)  # type: ignore[call-arg]  # the harness is the next class
        self._switchboard = switchboard
        self._switchboard.clear()

    def _new_script(self) -> Script:
        return SocketScript(more=self.simulator.operations)

    def _reached(self, script: Script) -> dict[str, Any]:
        face = type(self.simulator)(bank=self.bank)
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

    @pytest.fixture(scope="class")
    @classmethod
    def switchboard(cls) -> Iterator[Switchboard]:
        board = Switchboard()
        with serving(board, ports=PORTS) as board.addresses:
            yield board

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _certificates_are_read_once(cls) -> Iterator[None]:
        """Each client would read them anew, which takes longer than a test, and needs none."""
        context = ssl.create_default_context()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("httpx._transports.default.create_ssl_context", lambda **_: context)
            yield
