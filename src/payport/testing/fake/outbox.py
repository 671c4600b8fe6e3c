"""
The bank's outbox: a signed webhook for everything that changed, kept until a test takes it.

A statement is written down when it happens and signed when it is taken, as a sender signs each
delivery. It sends nothing: the test carries it, in whatever order and as often as it likes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from payport.domain.identifiers import Environment
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Change
from payport.testing.fake.documents import Documents

__all__ = [
    "API_VERSION",
    "MOST_SIGNATURES",
    "SIGNATURE_HEADER",
    "WEBHOOK_URL",
    "Kept",
    "Outbox",
    "signature",
]

#: The version of the bank's documents.
API_VERSION: Final = "2026-01-01"
SIGNATURE_HEADER: Final = "bank-signature"
#: Where the bank believes the application to listen. Nobody can register this address.
WEBHOOK_URL: Final = "https://shop.invalid/webhooks/fake"
#: More signatures than this in one header are nobody's rotation.
MOST_SIGNATURES: Final = 16

#: Id, type, second and document of a statement.
_Statement: TypeAlias = tuple[str, str, int, dict[str, Any]]

_SECOND = 1_000_000
_encode = json.JSONEncoder(separators=(",", ":")).encode
_TO_TEXT = {True: "true", False: "false"}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body at a time: HMAC-SHA256 over `timestamp.body`, in hexadecimal."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Kept:
    """
    Something that was told.

    Attributes:
        ref: The statement's id.
        created: The second in which it happened.
    """

    __slots__ = ("created", "ref", "statement")

    def __init__(self, statement: _Statement) -> None:
        self.statement: _Statement = statement
        self.ref: str = statement[0]
        self.created: int = statement[2]


class Outbox:
    """What is to be delivered. Shared by all providers in front of one bank."""

    def __init__(self, bank: Bank, documents: Documents) -> None:
        self._bank = bank
        self._documents = documents
        self._pending: deque[_Statement] = deque()
        self._kept: list[_Statement] = []

    def add(self, change: Change) -> None:
        """Write a statement down. Called by the bank, with its lock held."""
        document = self._documents.of_change(change)
        ref = self._bank.vault.new_ref("be")
        statement = (ref, str(change.what), change.at // _SECOND, document)
        self._pending.append(statement)
        self._kept.append(statement)

    def kept(self) -> Sequence[Kept]:
        """All that was ever told, the newest first, whether it was taken or not."""
        return [Kept(statement) for statement in reversed(self._kept)]

    def envelope(self, kept: Kept) -> dict[str, Any]:
        """Something that was told, as a webhook tells it."""
        return self._envelope([kept.statement], API_VERSION)

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
        if not self._bank.behaviour.signs_webhooks:
            requests = [_hint(document) for _, _, _, document in pending if "ref" in document]
            return _carried(requests, duplicate, shuffle)
        size = self._bank.behaviour.batches
        batches = [pending[at : at + size] for at in range(0, len(pending), size)]
        requests = [self._signed(self._body(batch, api_version)) for batch in batches]
        return _carried(requests, duplicate, shuffle)

    def _body(self, statements: Sequence[_Statement], api_version: str) -> bytes:
        return _encode(self._envelope(statements, api_version)).encode()

    def _envelope(self, statements: Sequence[_Statement], api_version: str) -> dict[str, Any]:
        live = self._bank.environment is Environment.LIVE
        envelope: dict[str, Any] = {"api_version": api_version, "account": self._bank.account}
        if self._bank.behaviour.batches > 1:
            # As some processors do it: booleans as text, and statements without an id.
            envelope["live"] = _TO_TEXT[live]
            envelope["items"] = [_told(statement) for statement in statements]
        else:
            envelope |= {"livemode": live, "id": statements[0][0], **_told(statements[0])}
        return envelope

    def _signed(self, body: bytes) -> WebhookRequest:
        timestamp = str(self._bank.vault.wall() // _SECOND)
        secrets = self._bank.signing_secrets
        values = [f"v1={signature(secret.reveal(), timestamp, body)}" for secret in secrets]
        headers = {
            "content-type": "application/json",
            SIGNATURE_HEADER: ",".join([f"t={timestamp}", *values]),
        }
        return WebhookRequest(body=body, headers=headers, url=WEBHOOK_URL)


def _hint(document: dict[str, Any]) -> WebhookRequest:
    body = _encode({"id": document["ref"]}).encode()
    return WebhookRequest(body=body, headers={"content-type": "application/json"}, url=WEBHOOK_URL)


def _carried(
    requests: list[WebhookRequest], duplicate: int, shuffle: int | None
) -> list[WebhookRequest]:
    """Webhooks as a network carries them: as often and in the order that `take` was asked for."""
    carried = [request for request in requests for _ in range(1 + duplicate)]
    if shuffle is not None:
        # Chance that a test can repeat, not chance that anybody's money depends on.
        random.Random(shuffle).shuffle(carried)  # noqa: S311
    return carried


def _told(statement: _Statement) -> dict[str, Any]:
    _, kind, created, document = statement
    return {"type": kind, "created": created, "data": document}
