"""
Receiving webhooks: verify, store, acknowledge. Nothing of what they say is read here.

Whatever happens after `receive` returned, the delivery is in the store. Unsigned or malformed input
never gets there: of providers that sign nothing, a hint to look at an object does (`hints`).
Written as steps, for both colours; many that come at once share a commit.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from payport.domain.errors import InvalidRequest, WebhookRejected
from payport.domain.identifiers import digest as digest_of
from payport.operations.steps import Steps, transact_grouped
from payport.providers.deliveries import Delivery, WebhookRequest
from payport.storage.base import InboxRow, InboxState
from payport.webhooks import hints
from payport.webhooks.bodies import without_client_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payport.operations.session import Session
    from payport.providers.events import ToldEvent
    from payport.storage.base import Transaction

__all__ = ["MAX_BODY", "Receipt", "ReceiptStatus", "put", "receive", "rows_of"]

_log = logging.getLogger("payport.webhooks")

#: Bytes. Providers send a few kilobytes; more is an attack or a mistake.
MAX_BODY = 256 * 1024
_RECEIVE = "webhooks.receive"


class ReceiptStatus(StrEnum):
    """What became of a request. All of them are acknowledged with 200."""

    #: Something in it is new and stored.
    ACCEPTED = "accepted"
    #: All of it was here before.
    DUPLICATE = "duplicate"
    #: Something in it was here before and said otherwise: kept, and flagged for a person.
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """
    The stored request.

    Attributes:
        ids: The inbox's ids of the deliveries in it; pass one to `process_one`.
        secret: Which of the signing secrets fitted, from 0: where that is not the first one, the
            provider still signs with one that is being replaced.
    """

    status: ReceiptStatus
    ids: tuple[str, ...]
    secret: int | None = None


def receive(
    session: Session, *, body: bytes, headers: Mapping[str, str], url: str | None
) -> Steps[Receipt]:
    """
    Verify a request and store its deliveries in one commit.

    Raises:
        WebhookRejected: Too large, wrongly signed, too old or malformed; nothing was stored. Where
            the provider signs nothing, what names nothing known as well.
        ProviderFault: The provider signs nothing, and did not tell which account this client is at.
        StoreUnavailable: It could not be stored; answer 503, so that the provider sends it again.
    """
    _check_bytes(body)
    if len(body) > MAX_BODY:
        message = f"the body has {len(body)} bytes; at most {MAX_BODY} are read"
        raise WebhookRejected(message, status=413, operation=_RECEIVE, field="body")
    now = session.settings.clock.now()
    request = WebhookRequest(body=body, headers=headers, url=url)
    deliveries = session.webhooks(_RECEIVE).parse_webhook(request, now=now)
    if not session.spec.signs_webhooks:
        noted = yield from hints.note(session, deliveries, now)
        status = ReceiptStatus.ACCEPTED if noted.is_new else ReceiptStatus.DUPLICATE
        return Receipt(status=status, ids=noted.ids)
    secret = next((one.secret for one in deliveries if one.secret is not None), None)
    if secret:
        _log.info("a webhook was signed with secret %d, counted from 0", secret)
    rows = _rows(session, deliveries, request.body, now)
    return (yield from transact_grouped(lambda tx: _stored(tx, session, rows, now, secret)))


def _check_bytes(body: object) -> None:
    if not isinstance(body, bytes | bytearray):
        given = type(body).__name__
        message = f"must be the raw bytes, not {given}: the signature covers them as they came"
        raise InvalidRequest(message, operation=_RECEIVE, field="body")


def _rows(
    session: Session, deliveries: Sequence[Delivery], body: bytes, now: datetime
) -> list[InboxRow]:
    kept, hashed = without_client_secrets(body), hashlib.sha256(body).hexdigest()
    try:
        rows = [
            _row(session, delivery, now, body=kept, digest=hashed, position=position)
            for position, delivery in enumerate(deliveries)
        ]
        for row in rows:
            words = (row.ordering_key, row.type, row.attempt_ref, row.tag, row.account)
            "".join([word or "" for word in (*words, row.api_version)]).encode()
    except UnicodeError:
        # JSON can name half of a surrogate pair, which no digest and no store can write down.
        rows = []
    else:
        return rows
    message = "it holds text that is not Unicode"
    raise WebhookRejected(message, operation=_RECEIVE, field="body")


def _row(
    session: Session, delivery: Delivery, now: datetime, *, body: bytes, digest: str, position: int
) -> InboxRow:
    stray = _stray(session, delivery)
    # One that came to the wrong endpoint must not pass for the one that will come to the right one.
    key = delivery.dedupe_key if stray is None else f"{delivery.dedupe_key}@{stray[0]}"
    name, environment = session.spec.name, session.environment
    return InboxRow(
        id=_id(name, environment, key),
        provider=name,
        environment=environment,
        account=delivery.account,
        dedupe_key=key,
        ordering_key=delivery.ordering_key,
        type=delivery.type,
        fingerprint=delivery.fingerprint,
        attempt_ref=delivery.attempt_ref,
        tag=delivery.tag,
        api_version=delivery.api_version,
        body=body,
        position=position,
        digest=digest,
        occurred_at=delivery.occurred_at,
        received_at=now,
        state=InboxState.DUE if stray is None else InboxState.QUARANTINED,
        due_at=now,
        error=None if stray is None else stray[1],
        received_for=session.known_account,
    )


def _id(*parts: str) -> str:
    return f"inb_{digest_of(parts)[:26]}"


def _stray(session: Session, delivery: Delivery) -> tuple[str, str] | None:
    """Whose a delivery is that came to the wrong endpoint, and why it is not handled here."""
    environment, here = delivery.environment, session.environment
    if environment is not None and environment is not here:
        why = f"environment mismatch: it is of {environment}, and this endpoint of {here}"
        return environment.value, why
    account, known = delivery.account, session.known_account
    if account is not None and known is not None and account != known:
        why = f"account mismatch: it is about {account}, and this client is at {known}"
        return account, why
    return None


def _stored(
    tx: Transaction,
    session: Session,
    rows: Sequence[InboxRow],
    now: datetime,
    secret: int | None,
) -> Receipt:
    status = ReceiptStatus.DUPLICATE
    ids: list[str] = []
    for row in rows:
        there = tx.add_delivery(row)
        ids.append(row.id if there is None else there.id)
        if there is None:
            status = ReceiptStatus.ACCEPTED if status is not ReceiptStatus.CONFLICT else status
        elif there.fingerprint != row.fingerprint:
            # Redelivered bytes differ harmlessly; what they say of money must not.
            status = ReceiptStatus.CONFLICT
            _contradicted(tx, there, row, now)
        elif _is_home(session, there):
            tx.save_delivery(replace(there, state=InboxState.DUE, due_at=now, error=None))
    return Receipt(status=status, ids=tuple(ids), secret=secret)


def _is_home(session: Session, there: InboxRow) -> bool:
    """Whether a delivery that another account's client put aside came to its own client now."""
    own = there.account is not None and there.account == session.known_account
    return own and there.state is InboxState.QUARANTINED and not there.conflict


def _contradicted(tx: Transaction, there: InboxRow, row: InboxRow, now: datetime) -> None:
    """Keep both. Neither is believed: the object is read, also where the first was applied."""
    key = f"{row.dedupe_key}#{row.fingerprint}"
    why = f"it contradicts {there.id}, which came before with the same id"
    kept = replace(
        row,
        id=_id(row.provider, row.environment, key),
        dedupe_key=key,
        state=InboxState.QUARANTINED,
        error=why,
    )
    if tx.add_delivery(kept) is not None:
        return
    _log.error("delivery %s: %s", kept.id, why)
    stored = tx.delivery(there.id, lock=True) or there
    again = stored.state is InboxState.DONE
    tx.save_delivery(
        replace(
            stored,
            conflict=True,
            state=InboxState.DUE if again else stored.state,
            due_at=now if again else stored.due_at,
        )
    )


# -- what the provider lists ----------------------------------------------------------------------


def rows_of(session: Session, told: ToldEvent, now: datetime) -> list[InboxRow]:
    """The row of an event that the provider listed: as if its webhook had brought it."""
    return _rows(session, [told.delivery], told.body, now)


def put(tx: Transaction, session: Session, row: InboxRow, now: datetime) -> ReceiptStatus:
    """Store one row in a transaction of the caller's, and say what became of it."""
    return _stored(tx, session, [row], now, None).status
