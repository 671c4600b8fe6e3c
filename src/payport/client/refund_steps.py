"""What refunds can do, without colour. See `payment_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client import terms as asked
from payport.client.validation import Checker, check_id, checked_reference
from payport.domain.errors import InvalidRequest, NotFound
from payport.domain.facts import CaptureStatus, RefundStatus
from payport.domain.identifiers import Kind, check_reference, derive_id
from payport.domain.refund import Refund, RefundReason
from payport.domain.transitions import check_refund
from payport.operations.faults import raise_unless_known
from payport.operations.fingerprint import fingerprint
from payport.operations.plan import Beginning, Begun, Plan
from payport.operations.records import Identity
from payport.operations.steps import Steps, transact
from payport.providers.commands import CreateRefund, Operation
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from payport.domain.frozen import FrozenMapping
    from payport.domain.money import Money
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["RefundSteps"]

_CREATE = "refunds.create"
_NOT_REFUNDED = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})


class RefundSteps:
    """The operations on refunds of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self,
        *,
        payment: str,
        reference: str,
        amount: Money | None,
        reason: RefundReason | str,
        metadata: object,
    ) -> Steps[Refund]:
        """See `Refunds.create`."""
        reference = checked_reference(reference, operation=_CREATE)
        payment_id = check_id(payment, Kind.PAYMENT, operation=_CREATE, field="payment")
        checker = Checker(_CREATE, self._session.spec.limits, reference)
        wanted = checker.optional_amount(amount)
        why = checker.member(reason, RefundReason, "reason")
        texts = checker.metadata(metadata)
        self._session.spec.require(Capability.REFUND, operation=_CREATE)
        said = {
            "amount": asked.money(wanted),
            "metadata": dict(texts) or None,
            "payment": payment_id,
            "reason": why.value,
        }
        refund_id = self._id(reference)
        plan = Plan(
            identity=Identity(
                scope=self._session.scope,
                environment=self._session.environment,
                operation=Operation.CREATE_REFUND,
                aggregate_id=refund_id,
            ),
            payment_id=payment_id,
            fingerprint=fingerprint(said),
            named=_CREATE,
            reference=reference,
            begin=lambda beginning: self._begin(beginning, reference, wanted, why, texts),
            held_by=lambda intent: _holder(intent)[0],
        )
        return self._carried_out(plan, refund_id)

    def _id(self, reference: str) -> str:
        session = self._session
        return derive_id(Kind.REFUND, session.scope, session.environment, reference)

    def _begin(
        self,
        beginning: Beginning,
        reference: str,
        wanted: Money | None,
        reason: RefundReason,
        metadata: FrozenMapping,
    ) -> Begun:
        stored = self._session.owned(beginning.stored, reference, _CREATE)
        refund_id = self._id(reference)
        earlier = beginning.earlier
        before = earlier.amount if isinstance(earlier, CreateRefund) else None
        # What this refund itself spoke for before does not stand in its own way.
        others = tuple(r for r in stored.refunds if r.id != refund_id)
        tried = stored.refund(refund_id)
        free = stored.evolve(refunds=others)
        asked_for = wanted if before is None else before
        amount = _all_of(free) if asked_for is None else asked_for
        check_refund(free, amount)
        if amount.minor < free.captured.minor:
            beginning.spec.require(Capability.PARTIAL_REFUND, operation=_CREATE)
        begun = Refund(
            id=refund_id,
            reference=reference,
            payment_id=stored.id,
            key=beginning.key,
            requested=amount,
            reason=reason,
            created_at=tried.created_at if tried is not None else beginning.now,
        )
        command = CreateRefund(
            payment_id=stored.id,
            payment_ref=_refundable_ref(free, amount, reference),
            refund_id=refund_id,
            reference=reference,
            amount=amount,
            reason=reason,
            metadata=metadata,
        )
        return Begun(intent=stored.evolve(refunds=(*others, begun)), command=command)

    def _carried_out(self, plan: Plan, refund_id: str) -> Steps[Refund]:
        concluded = yield from self._session.execute(plan)
        refund = concluded.intent.refund(refund_id)
        raise_unless_known(concluded, operation=plan.named, reference=plan.reference, refund=refund)
        return self._there(refund, plan.reference, plan.named)

    # -- reading --------------------------------------------------------------------------------

    def get(self, refund: str | None, reference: str | None) -> Steps[Refund]:
        """See `Refunds.get`."""
        operation = "refunds.get"
        return self._loaded(self._named(refund, reference, operation), operation)

    def _loaded(self, refund_id: str, operation: str) -> Steps[Refund]:
        intent = yield from transact(lambda tx: self._payment_of(tx, refund_id, operation))
        return self._there(intent.refund(refund_id), refund_id, operation)

    def refresh(self, refund: str | None, reference: str | None) -> Steps[Refund]:
        """See `Refunds.refresh`."""
        operation = "refunds.refresh"
        self._session.spec.require(Capability.RETRIEVE_REFUND, operation=operation)
        return self._refreshed(self._named(refund, reference, operation), operation)

    def _refreshed(self, refund_id: str, operation: str) -> Steps[Refund]:
        intent = yield from transact(lambda tx: self._payment_of(tx, refund_id, operation))
        known = self._there(intent.refund(refund_id), refund_id, operation)
        if known.provider_ref is None:
            return known
        ref, of = known.provider_ref, known.fact.attempt_ref if known.fact is not None else None
        line = self._session.at(intent, operation, of)
        line.spec.require(Capability.RETRIEVE_REFUND, operation=operation)
        yield from line.at_home(intent, operation)
        outcome = yield from line.asked(lambda p, call: p.retrieve_refund(ref, call))
        after = yield from self._session.observed(intent.id, outcome, operation)
        return self._there(after.refund(refund_id), refund_id, operation)

    def _payment_of(self, tx: Transaction, refund_id: str, operation: str) -> PaymentIntent:
        payment_id = tx.payment_of_refund(refund_id)
        found = tx.payment(payment_id) if payment_id is not None else None
        if found is None:
            raise self._missing(refund_id, operation)
        return self._session.owned(found, refund_id, operation)

    def _there(self, refund: Refund | None, named: str, operation: str) -> Refund:
        if refund is None:
            raise self._missing(named, operation)
        return refund

    def _missing(self, named: str, operation: str) -> NotFound:
        where = f"scope '{self._session.scope}', {self._session.environment}"
        message = f"the store holds no such refund in {where}"
        return NotFound(message, operation=operation, reference=named)

    def _named(self, refund: str | None, reference: str | None, operation: str) -> str:
        if (refund is None) == (reference is None):
            message = "pass either the refund's id or reference="
            raise InvalidRequest(message, operation=operation, field="refund")
        if refund is not None:
            return check_id(refund, Kind.REFUND, operation=operation, field="refund")
        return self._id(check_reference(reference, operation=operation))


def _all_of(intent: PaymentIntent) -> Money:
    """All that can be refunded; the whole amount where that is nothing, to be refused as such."""
    return intent.refundable if intent.refundable.is_positive else intent.amount


def _refundable_ref(intent: PaymentIntent, amount: Money, reference: str) -> str:
    """
    The attempt that the money is given back from: the one with most left.

    A payment has more than one only where two attempts both paid.
    """
    ref, left = _holder(intent)
    if ref is None or left < amount.minor:
        raise InvalidRequest(
            f"{amount} is more than is left of any single attempt: refund each attempt by itself",
            operation=_CREATE,
            reference=reference,
            field="amount",
        )
    return ref


def _holder(intent: PaymentIntent) -> tuple[str | None, int]:
    """The attempt that most is left of, and how much; None where no money was taken."""
    left: dict[str, int] = {}
    for capture in intent.captures:
        if capture.fact is not None and capture.status is CaptureStatus.SUCCEEDED:
            of = capture.fact.attempt_ref
            left[of] = left.get(of, 0) + capture.amount.minor
    for refund in intent.refunds:
        if refund.fact is not None and refund.status not in _NOT_REFUNDED:
            of = refund.fact.attempt_ref
            left[of] = left.get(of, 0) - refund.amount.minor
    ref = max(left, key=lambda of: (left[of], of), default=None)
    return ref, 0 if ref is None else left[ref]
