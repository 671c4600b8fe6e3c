"""
Receiving webhooks: verify, store, acknowledge. Nothing of what they say is read here.

Whatever happens after `receive` returned, the delivery is in the store. Unsigned or malformed input
never gets there: of providers that sign nothing, a hint to look at an object does (`hints`).
Written as steps, for both colours; many that come at once share a commit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from payport.domain.errors import InvalidRequest, WebhookRejected
from payport.operations.steps import Steps, add_arrivals, transact_patiently
from payport.providers.deliveries import WebhookRequest
from payport.storage.base import InboxState
from payport.webhooks import hints
from payport.webhooks.arrivals import arrivals_of, inbox_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from payport.operations.session import Session
    from payport.providers.events import ToldEvent
    from payport.storage.base import Arrival, InboxRow, Transaction

__all__ = ["MAX_BODY", "Receipt", "ReceiptStatus", "put", "receive", "rows_of"]

_log = logging.getLogger("payport.webhooks")

#: Bytes. Providers send a few kilobytes; more is an attack or a mistake.
MAX_BODY = 256 * 1024
_RECEIVE = "webhooks.receive"
#: Of a delivery that was put aside; it may be this client's after all.
_ASIDE = InboxState.QUARANTINED


class ReceiptStatus(StrEnum):
    """What became of a request. All of them are acknowledged with 200."""

    #: Something in it is new and stored.
    ACCEPTED = "accepted"
    #: All of it was here before.
    DUPLICATE = "duplicate"
    #: Something in it was here before and said otherwise: kept, and flagged for a person.
    CONFLICT = "conflict"


#: What is told of a request of several deliveries.
_GRAVEST_FIRST = (ReceiptStatus.CONFLICT, ReceiptStatus.ACCEPTED, ReceiptStatus.DUPLICATE)


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
    arrivals = arrivals_of(session, deliveries, request.body, now)
    return (yield from _taken_in(session, arrivals, now, secret))


def _check_bytes(body: object) -> None:
    if not isinstance(body, bytes | bytearray):
        given = type(body).__name__
        message = f"must be the raw bytes, not {given}: the signature covers them as they came"
        raise InvalidRequest(message, operation=_RECEIVE, field="body")


def _taken_in(
    session: Session, arrivals: Sequence[Arrival], now: datetime, secret: int | None
) -> Steps[Receipt]:
    """Insert what is new; what was here and may say otherwise, or be put aside, is looked at."""
    known = yield from add_arrivals(arrivals)
    ids: list[str] = []
    told: list[ReceiptStatus] = []
    odd: list[Arrival] = []
    for arrival, there in zip(arrivals, known, strict=True):
        ids.append(arrival.id if there is None else there.id)
        if there is None:
            told.append(ReceiptStatus.ACCEPTED)
        elif there.fingerprint == arrival.fingerprint and there.state is not _ASIDE:
            told.append(ReceiptStatus.DUPLICATE)
        else:
            odd.append(arrival)
    if odd:
        rows = [arrival.row() for arrival in odd]
        told += yield from transact_patiently(lambda tx: [put(tx, session, r, now) for r in rows])
    status = next((one for one in _GRAVEST_FIRST if one in told), ReceiptStatus.DUPLICATE)
    return Receipt(status=status, ids=tuple(ids), secret=secret)


def put(tx: Transaction, session: Session, row: InboxRow, now: datetime) -> ReceiptStatus:
    """Store one row in a transaction of the caller's, and say what became of it."""
    there = tx.add_delivery(row)
    if there is None:
        return ReceiptStatus.ACCEPTED
    if there.fingerprint != row.fingerprint:
        # Redelivered bytes differ harmlessly; what they say of money must not.
        _contradicted(tx, there, row, now)
        return ReceiptStatus.CONFLICT
    if _is_home(session, there):
        tx.save_delivery(replace(there, state=InboxState.DUE, due_at=now, error=None))
    return ReceiptStatus.DUPLICATE


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
        id=inbox_id(row.provider, row.environment, key),
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


def rows_of(session: Session, told: ToldEvent, now: datetime) -> list[InboxRow]:
    """The row of an event that the provider listed: as if its webhook had brought it."""
    return [one.row() for one in arrivals_of(session, [told.delivery], told.body, now)]
