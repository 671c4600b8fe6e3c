"""
Webhooks: signed as Stripe signs, taken by a test or sent to an address by Stripe's schedule.

Signatures: https://docs.stripe.com/webhooks#verify-manually. An event is signed when it is sent, by
every secret, as while one is being replaced. Nothing is sent unless somebody calls `send_due`.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.simulation.outbox import Attempt, Endpoint, Sending
from payport.testing.simulation.posting import Post
from payport.testing.stripe_simulator.events import API_VERSION, Event, Events

__all__ = ["SIGNATURE_HEADER", "WEBHOOK_URL", "Outbox", "signature"]

SIGNATURE_HEADER: Final = "stripe-signature"
#: Where webhooks that a test takes are said to go. Nobody can register this address.
WEBHOOK_URL: Final = "https://shop.invalid/webhooks/stripe"

_HOUR: Final = timedelta(hours=1)
#: The waits between attempts; the last one is repeated. Live: until three days are over.
_WAITS: Final = (_HOUR / 12, _HOUR / 2, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 12 * _HOUR)
_GIVES_UP_AFTER: Final = timedelta(days=3)
#: In test mode Stripe tries three times more, over a few hours.
_TEST_RETRIES: Final = 3
_SECOND: Final = 1_000_000


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The `v1` signature of a body at a time."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Outbox:
    """What is to be delivered. Shared by all who stand in front of one bank."""

    def __init__(self, bank: Bank, events: Events) -> None:
        self._bank = bank
        self._pending: deque[Event] = deque()
        self.sending: Sending[Event] = Sending(
            bank, signed=self._to_address, wait=_wait, is_over=self._is_over
        )
        events.listeners.append(self._add)
        events.undelivered = self._undelivered

    @property
    def endpoints(self) -> list[Endpoint[Event]]:
        """The addresses."""
        return self.sending.endpoints

    def _add(self, event: Event) -> None:
        self._pending.append(event)
        self.sending.add(event)

    @property
    def pending(self) -> tuple[Event, ...]:
        """What nobody took yet."""
        with self._bank.open():
            return tuple(self._pending)

    def _undelivered(self) -> set[str]:
        """What some address was not given; where there is no address, what nobody took yet."""
        if not self.endpoints:
            return {event.id for event in self._pending}
        by_address = [(e.waits_for, e.underway, e.given_up) for e in self.endpoints]
        return {ref for lists in by_address for refs in lists for ref in refs}

    def take(
        self, *, duplicate: int = 0, shuffle: int | None = None, api_version: str = API_VERSION
    ) -> list[WebhookRequest]:
        """
        Take all pending webhooks, signed now.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
            api_version: What they say their version is.
        """
        with self._bank.open():
            pending = list(self._pending)
            self._pending.clear()
        requests = [
            self.signed(event.body(api_version=api_version).encode())
            for event in pending
            for _ in range(1 + duplicate)
        ]
        if shuffle is not None:
            # Chance that a test can repeat, not chance that anybody's money depends on.
            random.Random(shuffle).shuffle(requests)  # noqa: S311
        return requests

    def signed(
        self, body: bytes, *, secrets: Sequence[Secret] = (), at: int | None = None
    ) -> WebhookRequest:
        """
        A webhook with this body, signed.

        Args:
            secrets: What with; the bank's secrets unless told.
            at: The second it is signed; now unless told.
        """
        timestamp = str(self._bank.vault.wall() // _SECOND if at is None else at)
        values = [
            f"v1={signature(secret.reveal(), timestamp, body)}"
            for secret in secrets or self._bank.signing_secrets
        ]
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            SIGNATURE_HEADER: ",".join([f"t={timestamp}", *values]),
        }
        return WebhookRequest(body=body, headers=headers, url=WEBHOOK_URL)

    # -- addresses ------------------------------------------------------------------------------

    def send_due(self, post: Post) -> int:
        """Send every address what is due for it; return how many webhooks were taken."""
        return self.sending.send_due(post)

    def _to_address(self, endpoint: Endpoint[Event], attempt: Attempt[Event]) -> WebhookRequest:
        (event,) = attempt.statements
        return self.signed(event.body().encode(), secrets=endpoint.secrets)

    def _is_over(self, attempt: Attempt[Event]) -> bool:
        if self._bank.environment is Environment.LIVE:
            return attempt.due - attempt.first > _GIVES_UP_AFTER // MICROSECOND
        return attempt.failures > _TEST_RETRIES


def _wait(failures: int) -> timedelta:
    return _WAITS[min(failures, len(_WAITS)) - 1]
