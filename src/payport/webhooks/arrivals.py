"""
What a verified delivery becomes in the inbox: whose it is, under which key it is kept, and what of
its body. Pure: no store, no clock.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from payport.domain.errors import WebhookRejected
from payport.domain.identifiers import short_digest
from payport.storage.inbox import Arrival, InboxState
from payport.webhooks.bodies import without_client_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from payport.operations.session import Session
    from payport.providers.deliveries import Delivery

__all__ = ["arrivals_of", "inbox_id"]


def inbox_id(provider: str, environment: str, key: str) -> str:
    """The id of a delivery's row, by what it is kept under."""
    return f"inb_{short_digest((provider, environment, key))}"


def arrivals_of(
    session: Session, deliveries: Sequence[Delivery], body: bytes, now: datetime
) -> list[Arrival]:
    """
    What is inserted of a body's deliveries.

    Raises:
        WebhookRejected: They hold text that no store can keep.
    """
    name, environment = session.spec.name, session.environment
    account = session.known_account
    kept, digest = without_client_secrets(body), hashlib.sha256(body).hexdigest()
    arrivals: list[Arrival] = []
    try:
        for position, told in enumerate(deliveries):
            key, why = _place(session, told)
            _check_words(told)
            arrivals.append(
                Arrival(
                    id=inbox_id(name, environment, key),
                    provider=name,
                    environment=environment,
                    account=told.account,
                    dedupe_key=key,
                    ordering_key=told.ordering_key,
                    type=told.type,
                    fingerprint=told.fingerprint,
                    attempt_ref=told.attempt_ref,
                    tag=told.tag,
                    api_version=told.api_version,
                    body=kept,
                    position=position,
                    digest=digest,
                    occurred_at=told.occurred_at,
                    received_at=now,
                    state=InboxState.DUE if why is None else InboxState.QUARANTINED,
                    error=why,
                    received_for=account,
                )
            )
    except UnicodeError:
        # JSON can name half of a surrogate pair, which no digest and no store can write down.
        arrivals = []
    else:
        return arrivals
    message = "it holds text that is not Unicode"
    raise WebhookRejected(message, operation="webhooks.receive", field="body")


def _check_words(told: Delivery) -> None:
    """Raise UnicodeError where a store could not write down what a delivery says."""
    words = f"{told.ordering_key}{told.type}{told.attempt_ref}{told.tag}{told.account}"
    f"{words}{told.api_version}".encode()


def _place(session: Session, told: Delivery) -> tuple[str, str | None]:
    """
    What a delivery is kept under, and why it is not handled here if it came to the wrong endpoint:
    it must not pass for the one that will come to the right one.
    """
    environment, here = told.environment, session.environment
    if environment is not None and environment is not here:
        why = f"environment mismatch: it is of {environment}, and this endpoint of {here}"
        return f"{told.dedupe_key}@{environment}", why
    account = told.account
    if account is not None:
        known = session.known_account
        if known is not None and account != known:
            why = f"account mismatch: it is about {account}, and this client is at {known}"
            return f"{told.dedupe_key}@{account}", why
    return told.dedupe_key, None
