"""Adyen providers of both colours, in front of the simulator, as the contract wants them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

import httpx

from payport.domain.declines import DeclineReason
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import WebhookRequest
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT, HttpRequest, signature
from payport.testing.blocking import Blocking
from payport.testing.provider_contract import Harness, Rig, Sent
from payport.testing.script import Script

API_KEY = "AQE_obviously_fake_api_key"
ACCOUNT = MERCHANT_ACCOUNT
COLOURS: dict[str, Callable[..., Any]] = {"blocking": AdyenProvider, "awaited": AsyncAdyenProvider}
_HEX = re.compile("[0-9a-f]{64}")
_R = DeclineReason

#: Reasons that Adyen has one word for, with others.
IN_ADYENS_WORDS: dict[DeclineReason, DeclineReason] = {
    _R.INCORRECT_EXPIRY: _R.EXPIRED_CARD,
    _R.INVALID_ACCOUNT: _R.INCORRECT_NUMBER,
    _R.LOST_OR_STOLEN: _R.RESTRICTED,
    _R.CURRENCY_NOT_SUPPORTED: _R.CARD_NOT_SUPPORTED,
    _R.DUPLICATE: _R.VELOCITY_EXCEEDED,
    _R.TRY_AGAIN_LATER: _R.ISSUER_UNAVAILABLE,
    _R.CUSTOMER_TIMED_OUT: _R.CANCELED_BY_CUSTOMER,
    _R.OUTDATED_DETAILS: _R.GENERIC,
    _R.WRONG_MODE: _R.GENERIC,
    _R.UNKNOWN: _R.GENERIC,
}


def hmac_key(secret: str) -> str:
    """A signing secret as it has to look at Adyen: whatever the contract takes, in hexadecimal."""
    return secret if _HEX.fullmatch(secret) else hashlib.sha256(secret.encode()).hexdigest()


def items_in(body: bytes) -> tuple[Any, list[dict[str, Any]]]:
    """The batch in a body, and its items; none where it is no batch."""
    try:
        batch = json.loads(body)
        wrapped = batch["notificationItems"]
        items = [one["NotificationRequestItem"] for one in wrapped]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, []
    return batch, [item for item in items if isinstance(item, dict)]


def with_signature(
    request: WebhookRequest, make: Callable[[dict[str, Any]], object]
) -> WebhookRequest:
    """The webhook with another text in the place of each item's signature; None takes it out."""
    batch, items = items_in(request.body)
    if not items:
        return request
    for item in items:
        more = item.get("additionalData")
        more = dict(more) if isinstance(more, dict) else {}
        more.pop("hmacSignature", None)
        made = make(item)
        item["additionalData"] = more if made is None else {**more, "hmacSignature": made}
    body = json.dumps(batch, ensure_ascii=True).encode()
    return WebhookRequest(body=body, headers=request.headers, url=request.url)


class AdyenHarness(Harness):
    """Providers of one colour, in front of a simulator."""

    replay_window = None
    signs_whole_body = False
    signs_with_all = False
    currencies: ClassVar[Sequence[str]] = (
        *("USD", "EUR", "GBP", "JPY", "KRW", "CLP", "ISK", "UGX", "HUF", "TWD", "CVE", "IDR"),
        *("KWD", "BHD", "TND"),
    )

    def __init__(self, make: Callable[..., Any], *, multicapture: bool = True) -> None:
        self.simulator = AdyenSimulator(several_captures=multicapture)
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
            api_key=api_key or API_KEY,
            merchant_account=ACCOUNT,
            environment="test",
            webhook_secrets=[hmac_key(secret) for secret in secrets],
            multicapture=self._multicapture,
            **self._reached(script),
        )
        view: Any = Blocking(subject) if isinstance(subject, AsyncAdyenProvider) else subject
        provider = cast("PaymentProvider", view)
        self._made.append(provider)
        return Rig(provider=provider, subject=subject, script=script, sent=self._sent)

    def _new_script(self) -> Script:
        return self.simulator.new_script()

    def _reached(self, script: Script) -> dict[str, Any]:
        if self._make is AsyncAdyenProvider:
            transport = self.simulator.async_transport(script)
            return {"http_client": httpx.AsyncClient(transport=transport)}
        return {"http_client": httpx.Client(transport=self.simulator.transport(script))}

    def close(self) -> None:
        for provider in self._made:
            provider.close()

    def webhooks(self) -> Sequence[WebhookRequest]:
        secrets = [hmac_key(secret.reveal()) for secret in self.bank.signing_secrets]
        self.bank.sign_with(*secrets)
        return self.simulator.webhooks()

    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        key = hmac_key(secret or self.bank.signing_secrets[-1].reveal())
        request = WebhookRequest(body=body, headers={}, url="https://shop.example/webhooks")

        def signed(item: Mapping[str, Any]) -> str:
            try:
                return signature(key, dict(item))
            except (AttributeError, UnicodeError):
                return "unsignable"

        return with_signature(request, signed)

    def signature(self, request: WebhookRequest) -> str:
        (first, *_) = items_in(request.body)[1]
        return str(first["additionalData"]["hmacSignature"])

    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        return with_signature(request, lambda _: signature)

    def token(self, token: str) -> str | None:
        return token.replace("_", "").upper()

    def action_result(self, reference: str) -> Mapping[str, str]:
        return {"redirectResult": self.simulator.redirect_result(reference)}

    def decline(self, reason: DeclineReason) -> DeclineReason:
        return IN_ADYENS_WORDS.get(reason, reason)
