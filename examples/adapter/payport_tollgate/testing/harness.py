"""Tollgate's harness: how payport's contract and explorer get providers at its bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import httpx

from payport.domain.declines import DeclineReason
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import WebhookRequest
from payport.testing import Bank, FakeClock, Tokens
from payport.testing.blocking import Blocking
from payport.testing.provider_contract import Harness, Rig, Sent
from payport.testing.script import Script
from payport_tollgate.provider import AsyncTollgateProvider, TollgateProvider
from payport_tollgate.testing.simulator import TollgateSimulator, behaviour
from payport_tollgate.testing.wires import Transport

#: What Tollgate's page has nothing like.
_UNLIKE: Final = frozenset(
    {Tokens.ERROR, Tokens.PARTIAL, Tokens.CAPTURE_FAILS, Tokens.AUTHENTICATE_TOKEN}
)
#: Reasons that Tollgate has a word for. Everything else is `UNKNOWN` when it arrives.
_WORDS: Final = frozenset(
    {
        DeclineReason.INSUFFICIENT_FUNDS,
        DeclineReason.EXPIRED_CARD,
        DeclineReason.LOST_OR_STOLEN,
        DeclineReason.AUTHENTICATION_FAILED,
        DeclineReason.CUSTOMER_TIMED_OUT,
        DeclineReason.GENERIC,
    }
)


class TollgateHarness(Harness):
    """The blocking provider in front of a bank."""

    currencies = ("USD", "EUR", "GBP", "JPY", "KRW", "CLP", "ISK", "UGX", "HUF", "KWD", "BHD")

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bank = Bank(behaviour=behaviour(), clock=self.clock)
        self.simulator = TollgateSimulator(self.bank)
        self._made: list[PaymentProvider] = []

    def make(
        self, *, api_key: str | None = None, webhook_secrets: Sequence[str] | None = None
    ) -> Rig:
        """A new provider with a script of its own. It has no use for secrets."""
        del webhook_secrets
        script = Script()
        transport = Transport(self.simulator, script)
        subject = self._provider(f"tg_test_{api_key or 'of_the_contract'}", transport)
        view: Any = subject if isinstance(subject, TollgateProvider) else Blocking(subject)
        provider = cast("PaymentProvider", view)
        self._made.append(provider)
        sent = cast("Sequence[Sent]", self.simulator.seen)
        return Rig(provider=provider, subject=subject, script=script, sent=sent)

    def _provider(
        self, api_key: str, transport: Transport
    ) -> TollgateProvider | AsyncTollgateProvider:
        return TollgateProvider(api_key=api_key, http_client=httpx.Client(transport=transport))

    def close(self) -> None:
        """Close what was made."""
        for provider in self._made:
            provider.close()

    def webhooks(self) -> Sequence[WebhookRequest]:
        """Take the webhooks that were sent."""
        return [self.sign(body) for body in self.simulator.webhooks()]

    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        """A webhook with this body; nobody signs it."""
        del secret, at
        return WebhookRequest(body=body, headers={"content-type": "application/json"})

    def signature(self, request: WebhookRequest) -> str:
        """There is none."""
        del request
        return ""

    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        """The request: there is no place for a signature."""
        del signature
        return request

    def token(self, token: str) -> str | None:
        """In Tollgate's sandbox `method` says what the page does, in the bank's words."""
        return None if token in _UNLIKE else token

    def decline(self, reason: DeclineReason) -> DeclineReason:
        """Tollgate has few words."""
        return reason if reason in _WORDS else DeclineReason.UNKNOWN


class AsyncTollgateHarness(TollgateHarness):
    """The awaited provider in front of a bank."""

    def _provider(
        self, api_key: str, transport: Transport
    ) -> TollgateProvider | AsyncTollgateProvider:
        client = httpx.AsyncClient(transport=transport)
        return AsyncTollgateProvider(api_key=api_key, http_client=client)
