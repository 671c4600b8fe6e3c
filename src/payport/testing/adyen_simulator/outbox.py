"""
Webhooks: several items in one request, each signed inside its body, sent by Adyen's schedule.

Signatures: https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures.
Items are signed when they are sent; an item has room for one signature, so where there are two
secrets, as while one is being replaced, the latest signs. Retries:
https://docs.adyen.com/development-resources/webhooks/troubleshoot. Nothing is sent unless somebody
calls `send_due`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.deliveries import WebhookRequest
from payport.testing.adyen_simulator.telling import Notice, Telling
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.simulation.documents import Doc, encode
from payport.testing.simulation.outbox import Attempt, Endpoint, Sending
from payport.testing.simulation.posting import Post

__all__ = ["MOST_ITEMS", "WEBHOOK_URL", "Outbox", "signature"]

#: Where webhooks that a test takes are said to go. Nobody can register this address.
WEBHOOK_URL: Final = "https://shop.invalid/webhooks/adyen"
#: How many items a request holds at most, unless told otherwise.
MOST_ITEMS: Final = 6

_MINUTE: Final = timedelta(minutes=1)
#: The waits once three attempts in a row failed; the last one is repeated until it is over.
_WAITS: Final = tuple(_MINUTE * minutes for minutes in (2, 5, 10, 15, 30, 60, 120, 240, 480))
_AT_ONCE: Final = 2
_GIVES_UP_AFTER: Final = timedelta(days=30)


def signature(secret: str, item: Doc) -> str:
    """
    The `hmacSignature` of an item.

    Raises:
        ConfigurationError: The secret is not what Adyen signs with: bytes, in hexadecimal digits.
    """
    amount: Any = item.get("amount") or {}
    signed = ":".join(
        str(value)
        for value in (
            item.get("pspReference", ""),
            item.get("originalReference", ""),
            item.get("merchantAccountCode", ""),
            item.get("merchantReference", ""),
            amount.get("value", ""),
            amount.get("currency", ""),
            item.get("eventCode", ""),
            item.get("success", ""),
        )
    )
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        message = "Adyen's HMAC keys are hexadecimal digits"
        raise ConfigurationError(message, field="signing_secrets") from None
    return base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).decode()


class Outbox:
    """What is to be delivered. Shared by all who stand in front of one bank."""

    def __init__(self, bank: Bank, telling: Telling) -> None:
        self._bank = bank
        self._pending: deque[Notice] = deque()
        self.sending: Sending[Notice] = Sending(
            bank, signed=self._to_address, wait=_wait, is_over=_is_over, batch=MOST_ITEMS
        )
        telling.listeners.append(self._add)

    @property
    def endpoints(self) -> list[Endpoint[Notice]]:
        """The addresses."""
        return self.sending.endpoints

    def _add(self, notice: Notice) -> None:
        self._pending.append(notice)
        self.sending.add(notice)

    @property
    def pending(self) -> tuple[Notice, ...]:
        """What nobody took yet."""
        with self._bank.open():
            return tuple(self._pending)

    def take(
        self, *, duplicate: int = 0, shuffle: int | None = None, batch: int | None = None
    ) -> list[WebhookRequest]:
        """
        Take all pending items, signed now, in requests.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
            batch: How many items a request holds at most; as many as usual unless told.
        """
        with self._bank.open():
            notices = [notice for notice in self._pending for _ in range(1 + duplicate)]
            self._pending.clear()
        if shuffle is not None:
            # Chance that a test can repeat, not chance that anybody's money depends on.
            random.Random(shuffle).shuffle(notices)  # noqa: S311
        most = batch or self.sending.batch
        return [
            self.signed(notices[start : start + most]) for start in range(0, len(notices), most)
        ]

    def signed(
        self, notices: Iterable[Notice], *, secrets: Sequence[Secret] = ()
    ) -> WebhookRequest:
        """A request with these items, signed with the latest of the secrets, the bank's at most."""
        secret = (secrets or self._bank.signing_secrets)[-1].reveal()
        items = [
            {
                "NotificationRequestItem": {
                    **notice.item,
                    "additionalData": {
                        **notice.additional,
                        "hmacSignature": signature(secret, notice.item),
                    },
                }
            }
            for notice in notices
        ]
        live = "true" if self._bank.environment is Environment.LIVE else "false"
        body = encode({"live": live, "notificationItems": items}).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Adyen HttpClient 1.0",
        }
        return WebhookRequest(body=body, headers=headers, url=WEBHOOK_URL)

    # -- addresses ------------------------------------------------------------------------------

    def send_due(self, post: Post) -> int:
        """Send every address what is due for it; return how many webhooks were taken."""
        return self.sending.send_due(post)

    def _to_address(self, endpoint: Endpoint[Notice], attempt: Attempt[Notice]) -> WebhookRequest:
        return self.signed(attempt.statements, secrets=endpoint.secrets)


def _wait(failures: int) -> timedelta:
    if failures <= _AT_ONCE:
        return timedelta()
    return _WAITS[min(failures - _AT_ONCE, len(_WAITS)) - 1]


def _is_over(attempt: Attempt[Notice]) -> bool:
    return attempt.due - attempt.first > _GIVES_UP_AFTER // MICROSECOND
