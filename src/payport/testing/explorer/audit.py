"""
What must hold when a world is at rest: the journal, the payments and the bank say the same.

`audit` looks; `review` is the person whom recovery left the rest to, and who knows what the bank
did. What does not hold is said to the world's `Watch`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from payport.domain.events import (
    CaptureFailed,
    CaptureSucceeded,
    DuplicatePayment,
    PaymentSucceeded,
    RefundSucceeded,
)
from payport.operations.records import OperationRecord, OperationState, Verdict
from payport.providers.commands import Operation
from payport.storage.base import Query
from payport.testing.bank.records import State
from payport.testing.explorer.processes import SCOPE
from payport.testing.explorer.tasks import Role
from payport.testing.explorer.watch import is_declined

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.storage.base import Transaction
    from payport.testing.bank.records import Payment
    from payport.testing.explorer.world import World

__all__ = ["audit", "review"]

#: Where nothing of a payment will ever be charged.
_ENDED: Final = frozenset({State.VOIDED, State.LAPSED, State.DONE})
_CHARGEABLE: Final = frozenset({State.HELD, State.PENDING, State.CHALLENGED})


def audit(world: World) -> None:
    """Hold the journal, the payments and the events against the bank."""
    rows = world.journal()
    of_payment: dict[str, list[OperationRecord]] = defaultdict(list)
    for row in rows:
        of_payment[row.payment_id].append(row)
        for why in _row_is_wrong(world, row):
            world.watch.breaks(f"{why} ({_said(row)})")
    _nothing_is_orphaned(world, rows)
    query = Query(scope=SCOPE, environment=world.environment, limit=100_000)
    for payment, events in world.store.transact(lambda tx: _told(tx, query)):
        own = of_payment[payment.id]
        for why in (
            *_payment_is_wrong(world, payment, own),
            *_events_are_wrong(world, payment, events),
        ):
            world.watch.breaks(f"{why} ({payment.reference}: {payment.status})")


def _told(tx: Transaction, query: Query) -> list[tuple[PaymentIntent, Sequence[DomainEvent]]]:
    return [(payment, tx.events(payment.id)) for payment in tx.payments(query)]


def _row_is_wrong(world: World, row: OperationRecord) -> Iterator[str]:
    effects = world.bank.effects(row.key)
    if effects > 1:
        yield f"the bank carried one operation out {effects} times"
    if not row.is_concluded and row.state is not OperationState.NEEDS_REVIEW:
        yield "an operation is neither concluded nor left to a person"
    if row.lease_owner is not None or row.lease_until is not None or row.next_look_at is not None:
        yield "an operation that is over still has a lease, or is still looked for"
    if row.state is OperationState.CONFIRMED and row.sends and not effects:
        if not _came_about_otherwise(world, row):
            yield "an operation is confirmed that the bank never carried out"
    elif row.state is OperationState.CONFIRMED and not row.sends and effects:
        yield "an operation that needed no sending was carried out"
    elif row.is_concluded and row.state is not OperationState.CONFIRMED and effects:
        if not is_declined(row):
            yield "an operation is said to have had no effect that the bank carried out"
    elif is_declined(row) and not effects:
        yield "an operation is said to be declined that the bank never saw"


def _came_about_otherwise(world: World, row: OperationRecord) -> bool:
    """A cancel is done where there is nothing left to cancel, whoever ended it."""
    if row.operation is not Operation.CANCEL_PAYMENT:
        return False
    own = _bank_payments(world, [r for r in world.journal() if r.payment_id == row.payment_id])
    return all(payment.state in _ENDED for payment in own)


def _nothing_is_orphaned(world: World, rows: Sequence[OperationRecord]) -> None:
    keys = {row.key for row in rows}
    for payment in world.bank.payments:
        tags = [payment.order.tag, *(t.tag for t in payment.tries)]
        tags += [c.tag for c in payment.captures]
        tags += [r.tag for r in payment.refunds]
        if any(tag is not None and tag not in keys for tag in tags):
            world.watch.breaks(f"the bank has something no journal knows of ({payment.ref})")


def _bank_payments(world: World, rows: Sequence[OperationRecord]) -> list[Payment]:
    found: dict[str, Payment] = {}
    for row in rows:
        for payment in world.bank.payments_named(row.key):
            found[payment.ref] = payment
    return list(found.values())


def _payment_is_wrong(
    world: World, payment: PaymentIntent, rows: Sequence[OperationRecord]
) -> Iterator[str]:
    theirs = _bank_payments(world, rows)
    charged = [p for p in theirs if p.taken or p.state in _CHARGEABLE]
    if len(charged) > 1:
        yield f"two objects of one order took money, or may yet: {len(charged)}"
    if any(row.state is OperationState.NEEDS_REVIEW for row in rows):
        return
    taken = sum(p.taken for p in theirs)
    given = sum(p.given_back for p in theirs)
    if (payment.captured.minor, payment.refunded.minor) != (taken, given):
        yield (
            f"the payment says {payment.captured} taken and {payment.refunded} given back, "
            f"and the bank {taken} and {given}"
        )
    if payment.in_flight or payment.unresolved:
        yield "a payment at rest speaks of operations under way"
    if payment.capture_pending.minor or payment.refund_pending.minor:
        yield "a payment at rest has something pending"


def _events_are_wrong(
    world: World, payment: PaymentIntent, events: Sequence[DomainEvent]
) -> Iterator[str]:
    if len({event.id for event in events}) != len(events):
        yield "an event was stored twice"
    if any(not world.heard[event.id] for event in events):
        yield "an event was never handled"
    taken = sum(e.amount.minor for e in events if isinstance(e, CaptureSucceeded))
    back = sum(e.amount.minor for e in events if isinstance(e, CaptureFailed) and _took(events, e))
    if taken - back != payment.captured.minor:
        yield f"the events say {taken} taken and {back} back, and the payment {payment.captured}"
    given = [e.refund_id for e in events if isinstance(e, RefundSucceeded)]
    if len(given) != len(set(given)):
        yield "a refund was told of twice"
    if sum(isinstance(e, PaymentSucceeded) for e in events) > 1:
        yield "a payment was told to be paid twice"
    if any(isinstance(e, DuplicatePayment) for e in events):
        yield "an order was paid twice"


def _took(events: Sequence[DomainEvent], failed: CaptureFailed) -> bool:
    return any(
        isinstance(e, CaptureSucceeded) and e.effect_ref == failed.effect_ref for e in events
    )


# -- the person -----------------------------------------------------------------------------------


def review(world: World) -> None:
    """Resolve what is left to a person by what the bank did."""
    for row in [r for r in world.journal() if r.state is OperationState.NEEDS_REVIEW]:
        world.reviewed += 1
        executed = world.bank.effects(row.key) > 0
        verdict = Verdict.EXECUTED if executed else Verdict.NOT_EXECUTED
        word = world.home.operations.resolve(
            row.id,
            verdict,
            reason="looked it up at the bank",
            author="explorer",
            provider_ref=_object_of(world, row) if executed else None,
        )
        task = world.do(f"review of {_said(row)}", Role.PERSON, world.home, word)
        if task.error is not None:
            world.watch.breaks(f"the truth about {_said(row)} was not accepted: {task.error}")


def _object_of(world: World, row: OperationRecord) -> str | None:
    """The bank's id of what an operation made or changed."""
    for payment in world.bank.payments_named(row.key):
        made: dict[Operation, str | None] = {
            Operation.CAPTURE_PAYMENT: next(
                (c.ref for c in payment.captures if c.tag == row.key), None
            ),
            Operation.CREATE_REFUND: next(
                (r.ref for r in payment.refunds if r.tag == row.key), None
            ),
        }
        return made.get(row.operation, payment.ref)
    return None


def _said(row: OperationRecord) -> str:
    return f"{row.operation} {row.reference} attempt {row.attempt}: {row.state}"
