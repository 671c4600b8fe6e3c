"""
Hints: webhooks of providers that do not sign them, and which anybody may have sent.

A hint says which object to look at, and nothing that it says is believed, stored or applied: the
object is read at the provider, and what was read says whose it is. What somebody who sends many can
bring about is bounded. A hint that names nothing known here stores nothing and reads nothing, and
is answered 404, so that the provider sends it again; the others share one row for each object,
which is read at most every few seconds, ever more rarely where nothing new is found, and all of
them together at most `HINTS_PER_SECOND` times a second by one client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from payport.domain.errors import WebhookRejected
from payport.operations.steps import Steps, transact_grouped
from payport.providers.deliveries import Delivery, fingerprint
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.arrivals import inbox_id

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = [
    "Noted",
    "is_hint",
    "kept_back",
    "looked",
    "note",
    "payment_read",
]

#: Between two reads of one object; doubled for each read in a row that told nothing new.
_PAUSE: Final = timedelta(seconds=2)
#: So often, and no more: 2 s become 512 s.
_MOST_DOUBLINGS: Final = 8
#: When to look again for what the client had no read left for.
_LATER: Final = timedelta(seconds=10)

#: Objects that one request may name, and how long a name may be.
_MOST: Final = 10
_LONGEST: Final = 255
_RECEIVE: Final = "webhooks.receive"


# -- received -------------------------------------------------------------------------------------


class Noted:
    """
    What became of a request's hints.

    Attributes:
        ids: The inbox's ids of those that name something known.
        is_new: Whether something is looked at that would not have been.
    """

    def __init__(self, ids: Sequence[str], *, is_new: bool) -> None:
        self.ids: tuple[str, ...] = tuple(ids)
        self.is_new = is_new


def note(session: Session, deliveries: Sequence[Delivery], now: datetime) -> Steps[Noted]:
    """
    Have the objects looked at that a request names.

    Raises:
        WebhookRejected: It names nothing, or too much, or something that is not known here: with
            status 404, so that a provider which is ahead of our own answer sends it again.
        ProviderFault: Nobody told yet which account this client is at.
    """
    refs = _refs(deliveries)
    account = yield from session.account(_RECEIVE, "a hint")
    named = list(zip(refs, (one.tag for one in deliveries), strict=True))

    def work(tx: Transaction) -> tuple[Noted, bool]:
        keys = [_key(tx, session, account.id, *one) for one in named]
        known = [(key, ref) for key, ref in zip(keys, refs, strict=True) if key is not None]
        rows = [_row(session, account.id, key, ref, now) for key, ref in known]
        new = [_noted(tx, row, now) for row in rows]
        noted = Noted([row.id for row in rows], is_new=any(new))
        return noted, len(known) == len(named)

    noted, complete = yield from transact_grouped(work)
    if not complete:
        message = "it names nothing that is known here, or not yet"
        raise WebhookRejected(message, status=404, operation=_RECEIVE, field="body")
    return noted


def _refs(deliveries: Sequence[Delivery]) -> list[str]:
    refs = [one.attempt_ref for one in deliveries if one.attempt_ref is not None]
    fine = all(ref.isprintable() and 0 < len(ref) <= _LONGEST for ref in refs)
    if not fine or not refs or len(refs) != len(deliveries) or len(refs) > _MOST:
        message = "a webhook that is not signed names an object to look at, and nothing else counts"
        raise WebhookRejected(message, operation=_RECEIVE, field="body")
    return refs


def _key(tx: Transaction, session: Session, account: str, ref: str, tag: str | None) -> str | None:
    """
    What the row of a hint is kept under: the object, where a payment has it; our tag, where an
    operation at this account has that, so that whoever knows one tag fills one row and no more;
    None where neither is known.
    """
    name, environment = session.spec.name, session.environment
    payment = tx.payment_by_ref(name, account, ref)
    if payment is not None:
        return f"hint:{ref}" if payment.environment is environment else None
    record = tx.operation_by_key(tag) if tag is not None else None
    here = (name, account, environment)
    if record is None or (record.provider, record.account, record.environment) != here:
        return None
    return f"hint:{tag}"


def _row(session: Session, account: str, key: str, ref: str, now: datetime) -> InboxRow:
    """The row of a hint, whatever else the hint says: somebody else may have worded it."""
    name, environment = session.spec.name, session.environment
    return InboxRow(
        id=inbox_id(name, environment, key),
        provider=name,
        environment=environment,
        account=account,
        dedupe_key=key,
        ordering_key=ref,
        type="hint",
        fingerprint=fingerprint(key),
        attempt_ref=ref,
        tag=None,
        api_version=None,
        body=None,
        digest="",
        occurred_at=now,
        received_at=now,
        due_at=now,
        received_for=account,
    )


def is_hint(row: InboxRow) -> bool:
    """Whether a row is a hint's. Of one, nothing was kept that a digest could be of."""
    return not row.digest


def _noted(tx: Transaction, row: InboxRow, now: datetime) -> bool:
    """Have a row looked at once more, when it may be; False where it will be anyhow."""
    there = tx.add_delivery(row)
    if there is None:
        return True
    stored = tx.delivery(there.id, lock=True) or there
    is_due = stored.state is InboxState.DUE
    is_read = is_due and stored.claimed_until is not None and now < stored.claimed_until
    if is_due and not is_read:
        return False
    # Whoever reads it at this moment may have read too early, and is told so by the flag.
    again = replace(stored, conflict=is_read)
    if not is_read:
        tries = min(stored.tries, _MOST_DOUBLINGS)
        due_at = max(now, stored.due_at)
        again = replace(again, state=InboxState.DUE, tries=tries, due_at=due_at, claimed_until=None)
    tx.save_delivery(again)
    return True


# -- looked at ------------------------------------------------------------------------------------


def kept_back(tx: Transaction, row: InboxRow, now: datetime) -> InboxState:
    """The row of an object for which no read was left: due again in a while."""
    tx.save_delivery(replace(row, due_at=now + _LATER, claimed_until=None))
    return row.state


def payment_read(tx: Transaction, row: InboxRow, facts: Facts | None) -> PaymentIntent | None:
    """
    The payment that an object is of, by what was read of it: by our tag on it, else by its id.

    What the hint said is no part of this. Somebody could name an object that was paid by another
    customer, beside the tag of an order of their own.
    """
    if facts is None or facts.attempt_ref != row.attempt_ref:
        return None
    record = tx.operation_by_key(facts.tag) if facts.tag is not None else None
    if record is not None:
        return tx.payment(record.payment_id)
    return tx.payment_by_ref(row.provider, row.account or "", row.attempt_ref or "")


def looked(tx: Transaction, row: InboxRow, now: datetime, *, changed: bool) -> InboxState:
    """
    The row of an object that was read: done, until the next hint; due again, if one came meanwhile.

    Args:
        changed: Whether anything was learned. Where not, the next read waits twice as long.
    """
    tries = 0 if changed else min(row.tries + 1, _MOST_DOUBLINGS)
    state = InboxState.DUE if row.conflict else InboxState.DONE
    tx.save_delivery(
        replace(
            row,
            state=state,
            tries=tries,
            due_at=now + _PAUSE * float(2**tries),
            claimed_until=None,
            error=None,
            trace=None,
            conflict=False,
        )
    )
    return state
