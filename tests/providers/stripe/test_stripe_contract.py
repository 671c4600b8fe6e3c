"""The Stripe adapter keeps the contract in both colours, in front of the simulator."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

import httpx
import pytest

from payport.domain.declines import DeclineReason
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import WebhookRequest
from payport.providers.spec import Capability
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator
from payport.testing.blocking import Blocking
from payport.testing.provider_contract import Harness, ProviderContract, Rig, Sent
from payport.testing.script import Script
from payport.testing.stripe_simulator import HttpRequest
from payport.testing.tokens import Tokens

API_KEY = "sk_test_obviously_fake"
HEADER = "Stripe-Signature"
OLDER_VERSION = "2019-02-19"

#: Cards that Stripe has nothing like, or that it treats so only when it is asked to.
NO_SUCH_CARD = {
    Tokens.ERROR: "a failure that nobody decided is a decline at Stripe",
    Tokens.PARTIAL: "a part is authorised only where the request allows it, and it does not",
    Tokens.CAPTURE_FAILS: "what a card paid stays",
}
#: Reasons that Stripe has one word for, with others.
IN_STRIPES_WORDS = {
    DeclineReason.VELOCITY_EXCEEDED: DeclineReason.LIMIT_EXCEEDED,
    DeclineReason.CANCELED_BY_CUSTOMER: DeclineReason.MANDATE_REVOKED,
}
#: What is declared only by those who say that their account may.
NOT_UNASKED = {Capability.MULTIPLE_CAPTURES: "most accounts may not, and are refused if they ask"}


def starting_with(prefix: str, text: str) -> str:
    """A key or secret as it has to look at Stripe."""
    return text if text.startswith(prefix) else prefix + text


class StripeHarness(Harness):
    """Providers of one colour, in front of a simulator."""

    def __init__(self, make: Callable[..., Any], *, multicapture: bool = True) -> None:
        self.simulator = StripeSimulator()
        self.bank = self.simulator.bank
        self.clock = self.simulator.clock
        self._make = make
        self._multicapture = multicapture
        self._sent: list[Sent] = []
        self._made: list[PaymentProvider] = []
        self.simulator.listen(self._hear)

    def _hear(self, request: HttpRequest) -> None:
        self._sent.append(
            Sent(
                method=request.method,
                target=request.target,
                headers=request.headers,
                body=request.body,
            )
        )

    def make(
        self, *, api_key: str | None = None, webhook_secrets: Sequence[str] | None = None
    ) -> Rig:
        script = self._new_script()
        secrets = webhook_secrets
        if secrets is None:
            secrets = [secret.reveal() for secret in self.bank.signing_secrets]
        subject = self._make(
            api_key=starting_with("sk_test_", api_key or API_KEY),
            webhook_secrets=[starting_with("whsec_", secret) for secret in secrets],
            multicapture=self._multicapture,
            **self._reached(script),
        )
        view: Any = Blocking(subject) if isinstance(subject, AsyncStripeProvider) else subject
        provider = cast("PaymentProvider", view)
        self._made.append(provider)
        return Rig(provider=provider, subject=subject, script=script, sent=self._sent)

    def _new_script(self) -> Script:
        return self.simulator.new_script()

    def _reached(self, script: Script) -> dict[str, Any]:
        """How a provider reaches the simulator: arguments of the provider's."""
        if self._make is AsyncStripeProvider:
            transport = self.simulator.async_transport(script)
            return {"http_client": httpx.AsyncClient(transport=transport)}
        return {"http_client": httpx.Client(transport=self.simulator.transport(script))}

    def close(self) -> None:
        for provider in self._made:
            provider.close()

    def webhooks(self) -> Sequence[WebhookRequest]:
        # The contract gives the bank secrets of any form; all of Stripe's look alike.
        secrets = [secret.reveal() for secret in self.bank.signing_secrets]
        self.bank.sign_with(*(starting_with("whsec_", secret) for secret in secrets))
        return self.simulator.webhooks()

    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        seconds = str(int((at or self.clock.now()).timestamp()))
        secrets = [s.reveal() for s in self.bank.signing_secrets] if secret is None else [secret]
        keys = [starting_with("whsec_", one).encode() for one in secrets]
        payload = seconds.encode() + b"." + body
        values = [f"v1={hmac.new(key, payload, hashlib.sha256).hexdigest()}" for key in keys]
        headers = {HEADER: ",".join([f"t={seconds}", *values])}
        return WebhookRequest(body=body, headers=headers, url="https://shop.example/webhooks")

    def signature(self, request: WebhookRequest) -> str:
        return request.header(HEADER) or ""

    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        headers = {} if signature is None else {HEADER: signature}
        return WebhookRequest(body=request.body, headers=headers, url=request.url)

    def older(self, request: WebhookRequest) -> WebhookRequest | None:
        event = json.loads(request.body)
        event["api_version"] = OLDER_VERSION
        return self.sign(json.dumps(event).encode())

    def token(self, token: str) -> str | None:
        return None if token in NO_SUCH_CARD else token

    def decline(self, reason: DeclineReason) -> DeclineReason:
        return IN_STRIPES_WORDS.get(reason, reason)


class TestStripe(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with StripeHarness(StripeProvider) as harness:
            yield harness


class TestAsyncStripe(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with StripeHarness(AsyncStripeProvider) as harness:
            yield harness


class TestStripeAsItComes(ProviderContract):
    lacks = NOT_UNASKED

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with StripeHarness(StripeProvider, multicapture=False) as harness:
            yield harness
