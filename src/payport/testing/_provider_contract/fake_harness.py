"""
The harness of the fake: the model for every other one, and the one that the contract is tried on.

It listens at the bank's server, so it sees what arrived and not what an adapter says it sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, cast

from payport.domain.secrets import Secret
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Request, Response
from payport.testing._provider_contract.harness import Harness, Rig, Sent
from payport.testing.bank.bank import Bank
from payport.testing.bank.behaviour import Behaviour
from payport.testing.blocking import Blocking
from payport.testing.clock import FakeClock
from payport.testing.fake.outbox import SIGNATURE_HEADER, WEBHOOK_URL, signature
from payport.testing.fake.server import FakeServer
from payport.testing.fake_provider import AsyncFakeProvider, FakeProvider

__all__ = ["FakeHarness"]

API_KEY: Final = "fake_key_of_the_contract"
#: What webhooks say when they are of a version that payport was not written for.
OLDER_VERSION: Final = "2019-01-01"


class FakeHarness(Harness):
    """
    The fake in front of a bank.

    Args:
        behaviour: What kind of processor it is.
        fake: `FakeProvider`, `AsyncFakeProvider`, or whatever is constructed like them.
        clock: The bank's, where several share one.
        first_number: What the bank's ids are counted from.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        fake: Callable[..., FakeProvider | AsyncFakeProvider] = FakeProvider,
        *,
        clock: FakeClock | None = None,
        first_number: int = 1,
    ) -> None:
        self.clock: FakeClock = clock or FakeClock()
        self.bank: Bank = Bank(behaviour=behaviour, clock=self.clock, first_number=first_number)
        self._fake = fake
        self._server = self.bank.face(FakeServer)
        self._sent = _listen(self._server)
        self._made: list[PaymentProvider] = []

    def make(
        self, *, api_key: str | None = None, webhook_secrets: Sequence[str] | None = None
    ) -> Rig:
        """See `Harness.make`."""
        fake = self._fake(
            bank=self.bank, api_key=api_key or API_KEY, webhook_secrets=webhook_secrets
        )
        view: Any = Blocking(fake) if isinstance(fake, AsyncFakeProvider) else fake
        provider = cast("PaymentProvider", view)
        self._made.append(provider)
        return Rig(provider=provider, subject=fake, script=fake.script, sent=self._sent)

    def close(self) -> None:
        """See `Harness.close`."""
        for provider in self._made:
            provider.close()

    def webhooks(self) -> Sequence[WebhookRequest]:
        """See `Harness.webhooks`."""
        return self._server.outbox.take()

    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        """See `Harness.sign`."""
        timestamp = str(int((at or self.clock.now()).timestamp()))
        secrets = self.bank.signing_secrets if secret is None else (Secret(secret),)
        values = [f"v1={signature(one.reveal(), timestamp, body)}" for one in secrets]
        headers = {SIGNATURE_HEADER: ",".join([f"t={timestamp}", *values])}
        return WebhookRequest(body=body, headers=headers, url=WEBHOOK_URL)

    def signature(self, request: WebhookRequest) -> str:
        """See `Harness.signature`."""
        return request.header(SIGNATURE_HEADER) or ""

    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        """See `Harness.forge`."""
        headers = {} if signature is None else {SIGNATURE_HEADER: signature}
        return WebhookRequest(body=request.body, headers=headers, url=request.url)

    def older(self, request: WebhookRequest) -> WebhookRequest | None:
        """See `Harness.older`."""
        envelope = json.loads(request.body)
        if "api_version" not in envelope:
            return None
        envelope["api_version"] = OLDER_VERSION
        return self.sign(json.dumps(envelope).encode())


def _listen(server: FakeServer) -> list[Sent]:
    """A list of what arrives at the server from now on."""
    arrived: list[Sent] = []
    handle = server.handle

    def listening(request: Request, **how: Any) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.key is not None:
            headers["idempotency-key"] = request.key
        arrived.append(
            Sent(method=request.method, target=request.target, headers=headers, body=request.body)
        )
        return handle(request, **how)

    server.handle = listening  # type: ignore[method-assign]  # the one place all requests pass
    return arrived
