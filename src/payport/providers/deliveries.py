"""
What arrives by webhook, in two readings: `ReceivesWebhooks`, an optional protocol beside
`PaymentProvider`.

While the provider waits for an answer, `parse_webhook` verifies the request and reads its envelope:
enough to store it, to know it again and to put it in its line. What it says of money is read later
from the stored body, by `read_webhook`, so that a body which takes long to read, or breaks its
reader, costs a worker's time and nobody's acknowledgement.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.payout import PayoutFact
from payport.domain.secrets import NOTHING, Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Delivery",
    "ReceivesWebhooks",
    "Statement",
    "Subject",
    "WebhookRequest",
    "fingerprint",
    "hint",
]


@runtime_checkable
class ReceivesWebhooks(Protocol):
    """A provider of either colour that sends webhooks. Both methods are pure, so nothing awaits."""

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """
        Verify the whole request, and read the envelopes of the deliveries in it.

        Raises:
            WebhookRejected: Signature, replay window or shape; for any input whatever.
        """
        ...

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """
        What the deliveries of a stored body say, in the order in which `parse_webhook` gave them.

        The body was verified when it came, and its client secrets have been taken out since. It may
        raise anything for what it cannot read: only that delivery is affected, and kept.
        """
        ...


class WebhookRequest:
    """
    The whole request, unparsed: signatures cover bytes, some cover the address.

    Header names are compared without case; a header that came twice keeps the last value.
    """

    __slots__ = ("_headers", "body", "url")

    def __init__(self, *, body: bytes, headers: Mapping[str, str], url: str | None = None) -> None:
        self.body: bytes = bytes(body)
        self.url: str | None = url
        self._headers = {name.lower(): value for name, value in headers.items()}

    @property
    def headers(self) -> dict[str, str]:
        """All headers, with their names in lower case; a copy."""
        return dict(self._headers)

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name."""
        return self._headers.get(name.lower())

    def __repr__(self) -> str:
        return f"WebhookRequest({len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    The envelope of one statement of a webhook; a request may hold several.

    Attributes:
        dedupe_key: The same for every delivery of the same statement.
        ordering_key: The same for statements about one payment; one of them is processed at a time.
        type: The provider's word for what happened.
        fingerprint: Of what it says: object, type, amount and state. A redelivery may be written
            otherwise; if this differs, it contradicts what was delivered first.
        attempt_ref: The provider's object the statement is about, where told.
        tag: Our key, where the object that the statement is about carries it: of a statement about
            a refund, the refund's.
        environment: Test or live, as the statement says.
        account: The provider's account it is about, where told.
        secret: Which of the signing secrets fitted, from 0.
    """

    dedupe_key: str
    ordering_key: str
    type: str
    fingerprint: str
    occurred_at: datetime
    attempt_ref: str | None = None
    tag: str | None = None
    api_version: str | None = None
    environment: Environment | None = None
    account: str | None = None
    secret: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    An object of the provider's that is no payment, and can be read: see `ReadsSubjects`.

    Attributes:
        kind: The provider's word for what it is.
        ref: The provider's id of it.
    """

    kind: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """
    What a delivery says.

    Attributes:
        facts: What it says of money; None where payport has no meaning for it. Their `tag` is
            always the payment's.
        payout: What it says of a payout.
        subject: What to read where it is not to be trusted, if that is not the payment named by
            the delivery's `attempt_ref`.
        needs_fetch: Whether the object must be read before it can be trusted, such as when the
            payload is of another API version, or is only a hint.
        unreadable: Why it cannot be read, where it is one of several in a body and the others can:
            it is tried again, and then kept for a person.
    """

    facts: Facts | None = None
    payout: PayoutFact | None = None
    subject: Subject | None = None
    needs_fetch: bool = False
    unreadable: str | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)


def hint(ref: str, now: datetime) -> Delivery:
    """
    The delivery of a webhook that is not signed: which object to read, and nothing else. For
    adapters that declare `signs_webhooks=False`, whose statements all need to be fetched.
    """
    return Delivery(
        dedupe_key=ref,
        ordering_key=ref,
        type="hint",
        fingerprint=fingerprint(ref),
        occurred_at=now,
        attempt_ref=ref,
    )


#: Made once: `json.dumps` would make an encoder each time.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(*said: Any) -> str:
    """A digest of JSON values, the same however they were written down."""
    return hashlib.sha256(_canonical(said).encode()).hexdigest()
