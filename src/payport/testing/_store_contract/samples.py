"""Values for the store's contract: full ones, so that what a store forgets is missed. Made up."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import Decline, DeclineReason
from payport.domain.events import EVENT_TYPES, DomainEvent, PayoutEvent
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    RefundFact,
    RefundStatus,
)
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import Capture, CaptureMethod, Home, PaymentIntent
from payport.domain.payout import PayoutStatus
from payport.domain.refund import Refund, RefundReason
from payport.domain.secrets import Sealed
from payport.operations.records import (
    Identity,
    OperationRecord,
    OperationState,
    ResolutionRecord,
)
from payport.providers.commands import Operation
from payport.storage.base import (
    Arrival,
    HandlerRun,
    InboxRow,
    InboxState,
    Query,
    RestorationKind,
    RestorationRecord,
)

__all__ = [
    "CANARY",
    "NOW",
    "PLACE",
    "after",
    "all_events",
    "arrival",
    "attempt",
    "delivery",
    "event",
    "everything",
    "operation",
    "other_operation",
    "payment",
    "query",
    "refund",
    "resolution",
    "restoration",
    "run",
]

#: Microseconds that no rounding to milliseconds keeps.
NOW: Final = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)

#: Must never come back from a store, nor be found in what it writes.
CANARY: Final = "canary-7f3a9-client-token"

_USD: Final = "USD"


def after(**gap: float) -> datetime:
    """The moment some time after `NOW`: `after(seconds=1)`."""
    return NOW + timedelta(**gap)


def payment(name: str = "order_1", **changes: Any) -> PaymentIntent:
    """A new payment that only has what every payment has."""
    values: dict[str, Any] = {
        "id": f"pay_{name}",
        "reference": name,
        "scope": "shop",
        "environment": Environment.TEST,
        "provider": "fake",
        "account": "acct_1",
        "amount": Money(4999, _USD),
        "created_at": NOW,
        **changes,
    }
    return PaymentIntent(**values)


def attempt(ref: str = "obj_1", **changes: Any) -> AttemptFact:
    """An attempt that succeeded."""
    values: dict[str, Any] = {
        "ref": ref,
        "status": AttemptStatus.SUCCEEDED,
        "authorized": Money(4999, _USD),
        "at": NOW,
        **changes,
    }
    return AttemptFact(**values)


def refund(name: str = "return_1", of: str = "pay_order_1", **changes: Any) -> Refund:
    """A refund that nothing was told about."""
    values: dict[str, Any] = {
        "id": f"rfd_{name}",
        "reference": name,
        "payment_id": of,
        "key": f"key_{name}",
        "requested": Money(100, _USD),
        "created_at": NOW,
        **changes,
    }
    return Refund(**values)


def _sealed() -> Sealed[Any]:
    return Sealed({"client_secret": CANARY})


def everything(name: str = "order_1") -> PaymentIntent:
    """A payment with every effect and every attribute set, tokens and payloads included."""
    return payment(
        name,
        capture_method=CaptureMethod.MANUAL,
        has_payment_method=True,
        description="Zwei Paar Söckchen 🧦 \u202eאבג\u202c \x00 e\u0301",
        metadata=FrozenMapping({"größe": "42", "note": "'; DROP TABLE payport_payments; --"}),
        attempt=2,
        left=(Home(provider="another", account="acct_old", refs=(f"{name}_obj_0",)),),
        attempts=(
            attempt(
                f"{name}_obj_1",
                status=AttemptStatus.DECLINED,
                at=after(microseconds=1),
                rank=3,
                number=1,
                try_ref="try_1",
                decline=Decline.of(DeclineReason.INSUFFICIENT_FUNDS, raw="51", network_code="51"),
                raw=_sealed(),
            ),
            attempt(
                f"{name}_obj_2",
                status=AttemptStatus.REQUIRES_ACTION,
                next_action=Redirect(target=Sealed(f"https://bank.example/{CANARY}")),
            ),
            attempt(f"{name}_obj_3", next_action=ClientToken(secret=Sealed(CANARY))),
        ),
        captures=(
            Capture(key="key_waiting", reference="part_2", requested=Money(1, _USD)),
            Capture(key="key_taken", requested=Money(900, _USD), fact=_capture_fact()),
        ),
        refunds=(
            refund(f"{name}_return_1", f"pay_{name}", fact=_refund_fact(), failure="came back"),
            refund(
                f"{name}_return_2",
                f"pay_{name}",
                key=None,
                reference=None,
                reason=RefundReason.DUPLICATE,
                outcome=RefundStatus.UNKNOWN,
                created_at=after(days=-1),
            ),
        ),
        disputes=(_dispute_fact(),),
        in_flight=("key_a",),
        unresolved=("key_b", "key_c"),
    )


def _capture_fact() -> CaptureFact:
    return CaptureFact(
        ref="cap_1",
        attempt_ref="obj_3",
        status=CaptureStatus.SUCCEEDED,
        amount=Money(900, _USD),
        at=NOW,
        tag="key_taken",
        raw=_sealed(),
    )


def _refund_fact() -> RefundFact:
    return RefundFact(
        ref="ref_1",
        attempt_ref="obj_3",
        status=RefundStatus.FAILED,
        amount=Money(100, _USD),
        at=NOW,
        tag="key_return_1",
        failure_code="account_closed",
        raw=_sealed(),
    )


def _dispute_fact() -> DisputeFact:
    return DisputeFact(
        ref="dsp_1",
        attempt_ref="obj_3",
        status=DisputeStatus.OPEN,
        amount=Money(500, "JPY"),
        at=NOW,
        reason_code="fraudulent",
        respond_by=after(days=14),
        raw=_sealed(),
    )


def operation(name: str = "order_1", **changes: Any) -> OperationRecord:
    """An operation with every attribute set. Its id follows from its identity."""
    values: dict[str, Any] = {
        "scope": "shop",
        "environment": Environment.TEST,
        "operation": Operation.CREATE_PAYMENT,
        "aggregate_id": f"pay_{name}",
        "payment_id": f"pay_{name}",
        "reference": "",
        "attempt": 1,
        "fingerprint": "1:abc",
        "command": b'{"operation":"create_payment"}',
        "request": b"\x00\xff exactly",
        "key": f"pp1_{name}",
        "provider": "fake",
        "account": "acct_1",
        "endpoint": "memory://bank",
        "route": "the cheapest",
        "baseline": "captured=0",
        "state": OperationState.SENT,
        "lease_owner": "worker_1",
        "lease_until": after(seconds=30),
        "fencing": 3,
        "sends": 2,
        "doubtful": True,
        "prepared_at": NOW,
        "first_sent_at": after(microseconds=1),
        "latest_at": after(seconds=1),
        "send_before": after(minutes=15),
        "next_look_at": after(minutes=1),
        "concluded_at": after(seconds=2),
        "failure": FailureKind.UNKNOWN,
        "failure_code": "timeout",
        "failure_message": "nothing came back",
        "request_id": "req_1",
        **changes,
    }
    identity = {part.name: values[part.name] for part in fields(Identity)}
    return OperationRecord(id=Identity(**identity).id, **values)


def other_operation(record: OperationRecord) -> OperationRecord:
    """The same operation with every attribute but its id another one."""
    return OperationRecord(
        id=record.id,
        scope="elsewhere",
        environment=Environment.LIVE,
        operation=Operation.CREATE_REFUND,
        aggregate_id="pay_other",
        payment_id="pay_other",
        reference="other",
        attempt=7,
        fingerprint="2:other",
        command=None,
        request=None,
        key="pp1_other",
        provider="other",
        account="acct_other",
        endpoint="memory://other",
        route="another",
        baseline="captured=1",
        state=OperationState.CONFIRMED,
        lease_owner=None,
        lease_until=None,
        fencing=4,
        sends=3,
        doubtful=False,
        prepared_at=after(hours=1),
        first_sent_at=None,
        latest_at=after(hours=2),
        send_before=after(hours=3),
        next_look_at=None,
        concluded_at=None,
        failure=None,
        failure_code=None,
        failure_message=None,
        request_id=None,
    )


def resolution(name: str = "order_1", **changes: Any) -> ResolutionRecord:
    """A person's word on an operation."""
    values: dict[str, Any] = {
        "operation_id": operation(name).id,
        "at": NOW,
        "author": "ada@shop.example",
        "reason": "The bank's report shows the money.",
        "from_state": OperationState.NEEDS_REVIEW,
        "to_state": OperationState.CONFIRMED,
        **changes,
    }
    return ResolutionRecord(**values)


def restoration(
    kind: RestorationKind = RestorationKind.RESTORED, **changes: Any
) -> RestorationRecord:
    """A person's word on the database."""
    values: dict[str, Any] = {
        "at": NOW,
        "kind": kind,
        "author": "ada@shop.example",
        "reason": "The disk was lost.",
        **changes,
    }
    return RestorationRecord(**values)


_TOLD: Final[dict[str, Any]] = {
    "amount": Money(4999, _USD),
    "captured": Money(5000, _USD),
    "attempt": 2,
    "decline": Decline.of(DeclineReason.LOST_OR_STOLEN),
    "expired": True,
    "capture_reference": "part_1",
    "refund_id": "rfd_1",
    "refund_reference": "return_1",
    "status": "open",
    "respond_by": after(days=3),
    "attempt_refs": ("obj_1", "obj_2"),
    "type": "something.new",
    "payment_id": "pay_order_1",
    "reference": "order_1",
    "payout_id": "pyt_1",
    "arrives_on": after(days=2).date(),
    "failure_code": "account_closed",
}


def event(name: str = "evt_1", kind: str = "payment_succeeded", **changes: Any) -> DomainEvent:
    """An event of any kind."""
    values: dict[str, Any] = {
        "id": name,
        "occurred_at": NOW,
        "scope": "shop",
        "environment": Environment.TEST,
        "provider": "fake",
        "account": "acct_1",
        "effect_ref": "cap_1",
        "api_version": "2026-01-01",
        **changes,
    }
    made = EVENT_TYPES[kind]
    own = {part.name: _TOLD[part.name] for part in fields(made) if part.name not in values}
    if issubclass(made, PayoutEvent):
        own["status"] = PayoutStatus.FAILED
    return made(**values, **own)


def all_events() -> list[DomainEvent]:
    """One event of each kind."""
    return [event(f"evt_{kind}", kind) for kind in EVENT_TYPES]


#: Whose deliveries and runs the samples are.
PLACE: Final[Any] = {"provider": "fake", "environment": Environment.TEST}


def delivery(name: str = "dlv_1", **changes: Any) -> InboxRow:
    """A received delivery that is due."""
    values: dict[str, Any] = {
        "id": name,
        "provider": "fake",
        "environment": Environment.TEST,
        "account": "acct_1",
        "dedupe_key": f"once_{name}",
        "ordering_key": f"line_{name}",
        "type": "payment.changed",
        "fingerprint": "says_1",
        "attempt_ref": "obj_1",
        "tag": "key_1",
        "api_version": "2026-01-01",
        "body": b'{"\x00": "\xff"}',
        "position": 2,
        "digest": "sha256:abc",
        "occurred_at": after(seconds=-1),
        "received_at": NOW,
        "tries": 1,
        "due_at": NOW,
        "claimed_until": after(seconds=-30),
        "fencing": 3,
        "error": "the last try failed",
        "trace": "shop.py:7 in paid",
        "received_for": "acct_2",
        **changes,
    }
    return InboxRow(**values)


def arrival(name: str = "dlv_1", **changes: Any) -> Arrival:
    """The same as it is received."""
    row = delivery(name, **changes)
    return Arrival(**{part: getattr(row, part) for part in Arrival._fields})


def run(event_id: str = "evt_1", handler: str = "shop.paid", **changes: Any) -> HandlerRun:
    """A handler's run that is due."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "handler": handler,
        "provider": "fake",
        "environment": Environment.TEST,
        "scope": "shop",
        "message": '{"order":"7"}',
        "state": InboxState.DUE,
        "tries": 1,
        "due_at": NOW,
        "claimed_until": after(seconds=-30),
        "fencing": 3,
        "error": "the last try failed",
        "trace": "shop.py:7 in paid",
        "account": "acct_2",
        **changes,
    }
    return HandlerRun(**values)


def query(**changes: Any) -> Query:
    """Everything in the usual scope."""
    values: dict[str, Any] = {"scope": "shop", "environment": Environment.TEST, **changes}
    return Query(**values)
