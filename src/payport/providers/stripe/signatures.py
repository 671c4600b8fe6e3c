"""
Whether Stripe signed a webhook: within five minutes of now on either side, by a secret that we
hold, compared in constant time. Nothing of the body is read here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NoReturn

from payport.domain.errors import WebhookRejected
from payport.providers.deliveries import WebhookRequest
from payport.providers.webhook_secrets import WebhookSecret, matched_secret

__all__ = ["MOST_SIGNATURES", "SIGNATURE_HEADER", "TOLERANCE", "verified"]

#: https://docs.stripe.com/webhooks#verify-manually
SIGNATURE_HEADER: Final = "Stripe-Signature"
#: Seconds that a signature may be old, or ahead of us.
TOLERANCE: Final = 300
#: Stripe signs with every active secret of an endpoint, of which there are two at most.
MOST_SIGNATURES: Final = 16

_RECEIVE: Final = "webhooks.receive"
_TIMESTAMP: Final = re.compile("[0-9]{1,12}")


def verified(request: WebhookRequest, secrets: Sequence[WebhookSecret], now: datetime) -> int:
    """
    Which of the secrets signed a request, from 0.

    Raises:
        WebhookRejected: None of them, or not now.
    """
    timestamp, given = _signatures(request.header(SIGNATURE_HEADER))
    signed = b"%b.%b" % (timestamp.encode(), request.body)
    secret = matched_secret(secrets, given, lambda text: _signature(text, signed), now)
    if secret is None:
        _reject("no signature matches. Is it this endpoint's secret?")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        _reject(f"the signature is more than {TOLERANCE} s away from now. Is the clock right?")
    return secret


def _signature(secret: str, signed: bytes) -> bytes:
    return hmac.digest(secret.encode(), signed, "sha256").hex().encode()


def _signatures(header: str | None) -> tuple[str, list[bytes]]:
    if header is None:
        _reject(f"there is no {SIGNATURE_HEADER} header")
    times: list[str] = []
    given: list[bytes] = []
    for part in header.split(",", MOST_SIGNATURES + 1):
        name, _, value = part.partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            given.append(value.encode(errors="replace"))
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or len(given) > MOST_SIGNATURES:
        _reject(f"the {SIGNATURE_HEADER} header is malformed")
    return times[0], given


def _reject(why: str) -> NoReturn:
    raise WebhookRejected(why, operation=_RECEIVE)
