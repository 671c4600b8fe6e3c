"""
Receiving and processing webhooks: verify, store, acknowledge; then apply, and commit facts first.

`receive` stores what was verified and returns; whatever happens afterwards, an acknowledged
delivery is in the store. `process` applies one stored delivery to its payment: whoever learned the
same fact before, the payment ends in the same state. Written as steps, for both colours.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from payport.domain.errors import (
    InvalidRequest,
    NotFound,
    PayportError,
    StoreUnavailable,
    WebhookRejected,
)
from payport.domain.events import UnmappedEvent, event_id
from payport.domain.identifiers import digest
from payport.operations.steps import Steps, transact
from payport.providers.deliveries import Delivery, WebhookRequest
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability
from payport.storage.base import InboxRow, InboxState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["MAX_BODY", "Receipt", "ReceiptStatus", "is_ours", "next_try", "process", "receive"]

_log = logging.getLogger("payport.webhooks")

#: Bytes. Providers send a few kilobytes; more is an attack or a mistake.
MAX_BODY = 256 * 1024
#: After this many tries a delivery waits for a person.
MOST_TRIES = 12
_PROCESS = "webhooks.process"
_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(hours=1)


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
    """

    status: ReceiptStatus
    ids: tuple[str, ...]


def receive(
    session: Session, *, body: bytes, headers: Mapping[str, str], url: str | None
) -> Steps[Receipt]:
    """
    Verify a request and store its deliveries in one commit.

    Raises:
        WebhookRejected: Too large, wrongly signed, too old or malformed; nothing was stored.
        StoreUnavailable: It could not be stored; answer 503, so that the provider sends it again.
    """
    _check_bytes(body)
    if len(body) > MAX_BODY:
        message = f"the body has {len(body)} bytes; at most {MAX_BODY} are read"
        raise WebhookRejected(message, status=413, operation="webhooks.receive", field="body")
    now = session.settings.clock.now()
    request = WebhookRequest(body=body, headers=headers, url=url)
    deliveries = session.parse_webhook(request, now=now)
    try:
        rows = [_row(session, delivery, request.body, now) for delivery in deliveries]
        return (yield from transact(lambda tx: _stored(tx, rows)))
    except UnicodeError as error:
        # JSON can name half of a surrogate pair, which no digest and no store can write down.
        message = "it holds text that is not Unicode"
        raise WebhookRejected(message, operation="webhooks.receive", field="body") from error


def _check_bytes(body: object) -> None:
    if not isinstance(body, bytes | bytearray):
        given = type(body).__name__
        message = f"must be the raw bytes, not {given}: the signature covers them as they came"
        raise InvalidRequest(message, operation="webhooks.receive", field="body")


def _row(session: Session, delivery: Delivery, body: bytes, now: datetime) -> InboxRow:
    environment = delivery.environment or session.environment
    here = environment == session.environment
    name = session.spec.name
    account = delivery.account or ""
    return InboxRow(
        id=f"inb_{digest((name, environment, account, delivery.dedupe_key))[:26]}",
        provider=name,
        environment=environment,
        account=delivery.account,
        dedupe_key=delivery.dedupe_key,
        ordering_key=delivery.ordering_key,
        type=delivery.type,
        attempt_ref=delivery.attempt_ref,
        tag=delivery.tag,
        facts=delivery.facts,
        needs_fetch=delivery.needs_fetch,
        api_version=delivery.api_version,
        body=body,
        digest=hashlib.sha256(body).hexdigest(),
        occurred_at=delivery.occurred_at,
        received_at=now,
        state=InboxState.DUE if here else InboxState.QUARANTINED,
        due_at=now,
        error=None if here else f"it is of {environment}, and this endpoint of the other",
    )


def _stored(tx: Transaction, rows: list[InboxRow]) -> Receipt:
    status = ReceiptStatus.DUPLICATE
    ids: list[str] = []
    for row in rows:
        there = tx.add_delivery(row)
        ids.append(row.id if there is None else there.id)
        if there is None:
            status = ReceiptStatus.ACCEPTED if status is not ReceiptStatus.CONFLICT else status
        elif there.facts != row.facts:
            # Redelivered bytes differ harmlessly; what they say of money must not.
            status = ReceiptStatus.CONFLICT
            tx.save_delivery(replace(there, conflict=True))
    return Receipt(status=status, ids=tuple(ids))


def process(session: Session, row_id: str) -> Steps[InboxState]:
    """
    Apply one stored delivery. Returns where it stands afterwards; a failure is kept with it.

    What it says is committed before any handler of what it changed runs.

    Raises:
        NotFound: There is no such delivery.
        StoreUnavailable: The store failed; the delivery is due as before.
    """
    row = yield from transact(lambda tx: tx.delivery(row_id))
    if row is None:
        message = "the inbox holds no such delivery"
        raise NotFound(message, operation=_PROCESS, reference=row_id)
    if row.state is not InboxState.DUE or not is_ours(session, row):
        return row.state
    try:
        return (yield from _processed(session, row))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one delivery must not keep the others waiting
        why = str(error) if isinstance(error, PayportError) else type(error).__name__
        may_die = not (isinstance(error, PayportError) and error.retryable)
        return (yield from transact(lambda tx: _postponed(tx, session, row_id, why, may_die)))


def is_ours(session: Session, row: InboxRow) -> bool:
    """Whether a delivery is this client's to process: others may share the store."""
    return (row.provider, row.environment) == (session.spec.name, session.environment)


def _processed(session: Session, row: InboxRow) -> Steps[InboxState]:
    account = yield from session.account(_PROCESS, row.id)
    if row.account is not None and row.account != account.id:
        why = f"it is about account {row.account}, and this client is at {account.id}"
        return (yield from transact(lambda tx: _marked(tx, row.id, InboxState.QUARANTINED, why)))
    facts = yield from _fetched(session, row)
    state, tied = yield from transact(lambda tx: _applied(tx, session, row.id, facts))
    if tied is not None and not row.needs_fetch:
        yield from _settled(session, *tied)
    return state


def _settled(session: Session, payment_id: str, ref: str) -> Steps[None]:
    """
    Read a payment of which two statements were told for one moment.

    Both are committed, and the rank of their states decided which one stands. Where the provider
    cannot be read, or not now, it stays at that.
    """
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if isinstance(outcome, Answer):
        yield from session.observed(payment_id, _as_of_the_read(outcome), _PROCESS)
    else:
        _log.warning("a tie of %s was decided by rank: %s", payment_id, outcome.message)


def _as_of_the_read(answer: Answer) -> Answer:
    """
    The answer's facts, dated by the provider's clock as of the read, in whole seconds.

    Many providers tell the times of changes in whole seconds: a later date than that, or one of our
    own clock, would stand over a change that comes after the read, and for ever.
    """
    if answer.provider_time is None:
        return answer
    return replace(answer, facts=answer.facts.restated(answer.provider_time.replace(microsecond=0)))


def _fetched(session: Session, row: InboxRow) -> Steps[Facts | None]:
    """
    The delivery's facts; read from the provider where they cannot be trusted as they are, and None
    where it cannot be read either.
    """
    if not row.needs_fetch:
        return row.facts
    ref = row.attempt_ref
    if ref is None or not session.spec.has(Capability.RETRIEVE_PAYMENT):
        return None
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if isinstance(outcome, Answer):
        return outcome.facts
    raise session.fault(outcome, _PROCESS, row.id) from outcome.cause


def _applied(
    tx: Transaction, session: Session, row_id: str, facts: Facts | None
) -> tuple[InboxState, tuple[str, str] | None]:
    """Where the delivery stands now, and which payment and object of it has to be read."""
    row = tx.delivery(row_id)
    if row is None or row.state is not InboxState.DUE:
        return InboxState.DONE, None
    found = _payment(tx, session, row)
    if found is None:
        return _marked(tx, row_id, InboxState.FOREIGN, None), None
    if (found.provider, found.account) != (row.provider, session.known_account):
        why = f"our tag on it is of a payment at {found.provider} account {found.account}"
        return _marked(tx, row_id, InboxState.QUARANTINED, why), None
    intent = tx.payment(found.id, lock=True) or found
    tie = False
    if facts is None:
        _unmapped(tx, session, row, intent)
    else:
        tie = session.journal.concluding.observe(tx, intent, facts).tie
    ref = row.attempt_ref or intent.provider_ref
    readable = tie and ref is not None and session.spec.has(Capability.RETRIEVE_PAYMENT)
    tied = (intent.id, ref) if readable and ref is not None else None
    return _marked(tx, row_id, InboxState.DONE, None), tied


def _payment(tx: Transaction, session: Session, row: InboxRow) -> PaymentIntent | None:
    """The payment a delivery is about: by our tag, else by the provider's id of an attempt."""
    record = tx.operation_by_key(row.tag) if row.tag is not None else None
    if record is not None:
        return tx.payment(record.payment_id)
    account = row.account or session.known_account
    if row.attempt_ref is None or account is None:
        return None
    return tx.payment_by_ref(row.provider, account, row.attempt_ref)


def _unmapped(tx: Transaction, session: Session, row: InboxRow, intent: PaymentIntent) -> None:
    event = UnmappedEvent(
        id=event_id(intent.id, UnmappedEvent.kind, row.id, row.type),
        occurred_at=row.occurred_at,
        payment_id=intent.id,
        reference=intent.reference,
        scope=intent.scope,
        environment=intent.environment,
        provider=intent.provider,
        account=intent.account,
        effect_ref=row.attempt_ref or "",
        api_version=row.api_version,
        type=row.type,
    )
    now = session.settings.clock.now()
    new = tx.add_events((event,), at=now)
    session.settings.on_events(tx, new, now)


def _marked(tx: Transaction, row_id: str, state: InboxState, error: str | None) -> InboxState:
    row = tx.delivery(row_id)
    if row is not None:
        tx.save_delivery(replace(row, state=state, error=error))
    return state


def _postponed(
    tx: Transaction,
    session: Session,
    row_id: str,
    why: str,
    may_die: bool,  # noqa: FBT001 - private, and passed by name of a variable
) -> InboxState:
    """Try again later. What is no fault of the delivery, such as an outage, never kills it."""
    row = tx.delivery(row_id)
    if row is None or row.state is not InboxState.DUE:
        return InboxState.DONE if row is None else row.state
    tries = row.tries + 1
    state = InboxState.DEAD if may_die and tries >= MOST_TRIES else InboxState.DUE
    due_at = session.settings.clock.now() + next_try(tries)
    tx.save_delivery(replace(row, state=state, tries=tries, due_at=due_at, error=why))
    _log.warning("delivery %s: %s, try %d: %s", row_id, state, tries, why)
    return state


def next_try(tries: int) -> timedelta:
    """How long to wait after this many failed tries: 2 s, doubling, at most an hour."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * float(2 ** min(tries - 1, 20)))
