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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.stripe_simulator.events import API_VERSION, Event, Events

__all__ = ["SIGNATURE_HEADER", "WEBHOOK_URL", "Endpoint", "Outbox", "Post", "signature"]

SIGNATURE_HEADER: Final = "stripe-signature"
#: Where webhooks that a test takes are said to go. Nobody can register this address.
WEBHOOK_URL: Final = "https://shop.invalid/webhooks/stripe"

#: Sends a webhook to an address and returns the HTTP status; raises OSError if nobody answers.
Post: TypeAlias = Callable[[str, Mapping[str, str], bytes], int]

_HOUR: Final = timedelta(hours=1)
#: The waits between attempts; the last one is repeated. Live: until three days are over.
_WAITS: Final = (_HOUR / 12, _HOUR / 2, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 12 * _HOUR)
_GIVES_UP_AFTER: Final = timedelta(days=3)
#: In test mode Stripe tries three times more, over a few hours.
_TEST_RETRIES: Final = 3
_SECOND: Final = 1_000_000
_SUCCESSES: Final = range(200, 300)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The `v1` signature of a body at a time."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@dataclass(slots=True, kw_only=True, eq=False)
class _Attempt:
    """An event that an address is to be sent. Moments are the bank's."""

    event: Event
    due: int
    first: int
    failures: int = 0
    underway: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Endpoint:
    """
    An address that is sent webhooks.

    Attributes:
        types: The types of event that it is sent; `*` for all.
        delivered: The ids of events that were taken, in that order.
        given_up: The ids of events that it never took.
    """

    url: str
    types: frozenset[str] = frozenset({"*"})
    secrets: tuple[Secret, ...] = ()
    delivered: list[str] = field(default_factory=list[str])
    given_up: list[str] = field(default_factory=list[str])
    waiting: list[_Attempt] = field(default_factory=list[_Attempt], repr=False)

    @property
    def waits_for(self) -> list[str]:
        """The ids of events that it was not given yet, or did not take."""
        return [attempt.event.id for attempt in self.waiting if not attempt.underway]

    @property
    def underway(self) -> list[str]:
        """The ids of events that it is being sent at this moment."""
        return [attempt.event.id for attempt in self.waiting if attempt.underway]

    def wants(self, event: Event) -> bool:
        """Whether it is sent this event."""
        return "*" in self.types or event.type in self.types


class Outbox:
    """What is to be delivered. Shared by all who stand in front of one bank."""

    def __init__(self, bank: Bank, events: Events) -> None:
        self._bank = bank
        self._pending: deque[Event] = deque()
        self.endpoints: list[Endpoint] = []
        events.listeners.append(self._add)
        events.undelivered = self._undelivered

    def _add(self, event: Event) -> None:
        self._pending.append(event)
        now = self._bank.vault.wall()
        for endpoint in self.endpoints:
            if endpoint.wants(event):
                endpoint.waiting.append(_Attempt(event=event, due=now, first=now))

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
        """
        Send every address what is due for it; return how many webhooks were taken.

        Whatever is not taken with a 2xx waits for the next attempt of Stripe's schedule. What
        another caller is sending at this moment is left to that one.
        """
        taken = 0
        for endpoint in self.endpoints:
            for attempt in self._claimed(endpoint):
                try:
                    taken += self._send(endpoint, attempt, post)
                finally:
                    attempt.underway = False
        return taken

    def _claimed(self, endpoint: Endpoint) -> Iterator[_Attempt]:
        """What is due now, one by one, each for one caller only."""
        with self._bank.open() as vault:
            now = vault.wall()
            due = [attempt for attempt in endpoint.waiting if attempt.due <= now]
        for attempt in due:
            with self._bank.open():
                if attempt.underway or attempt not in endpoint.waiting or attempt.due > now:
                    continue
                attempt.underway = True
            yield attempt

    def _send(self, endpoint: Endpoint, attempt: _Attempt, post: Post) -> bool:
        body = attempt.event.body().encode()
        request = self.signed(body, secrets=endpoint.secrets)
        try:
            status = post(endpoint.url, request.headers, body)
        except OSError:
            status = 0
        with self._bank.open() as vault:
            if status in _SUCCESSES:
                endpoint.waiting.remove(attempt)
                endpoint.delivered.append(attempt.event.id)
                return True
            attempt.failures += 1
            wait = _WAITS[min(attempt.failures, len(_WAITS)) - 1]
            attempt.due = vault.wall() + wait // MICROSECOND
            if self._is_over(attempt):
                endpoint.waiting.remove(attempt)
                endpoint.given_up.append(attempt.event.id)
        return False

    def _is_over(self, attempt: _Attempt) -> bool:
        if self._bank.environment is Environment.LIVE:
            return attempt.due - attempt.first > _GIVES_UP_AFTER // MICROSECOND
        return attempt.failures > _TEST_RETRIES
