"""
The wording of histories: statements about one payment, each a while after the one before.

Only `payport.testing.histories` speaks through it; what it makes is described there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.identifiers import Environment, Kind, derive_id
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentIntent, PaymentStatus

__all__ = ["START", "History", "Teller", "new_payment"]

#: When a history begins, unless it is told otherwise.
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_ATTEMPT = "obj_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """
    One payment's statements, and what they amount to.

    Attributes:
        kind: The name of the function that told it.
        payment: The payment before anything was told. What the application asks for by reference,
            partial captures and refunds, is asked for already.
        told: The statements, in the order in which they became true.
        status: The payment's status at the end.
        captured: What was taken at the end, before refunds.
        refunded: What was given back at the end.
        disputed: What banks took back and kept at the end.
        events: The kinds of event that telling it in order makes, in order.
    """

    kind: str
    payment: PaymentIntent
    told: tuple[Facts, ...]
    status: PaymentStatus
    captured: Money
    refunded: Money
    disputed: Money
    events: tuple[str, ...]


def new_payment(amount: Money, *, reference: str = "order_1", **known: Any) -> PaymentIntent:
    """
    Return a payment that nothing was told about yet, in scope `shop` at provider `fake`.

    `known` are other attributes of `PaymentIntent`, such as `capture_method` or `refunds`.
    """
    scope, environment = "shop", Environment.TEST
    base = PaymentIntent(
        id=derive_id(Kind.PAYMENT, scope, environment, reference),
        reference=reference,
        scope=scope,
        environment=environment,
        provider="fake",
        account="acct_fake",
        amount=amount,
        has_payment_method=True,
        created_at=START,
    )
    return replace(base, **known)


class Teller:
    """Words statements about one payment, each a gap later than the one before."""

    def __init__(self, amount: Money, start: datetime, gap: timedelta) -> None:
        self.amount = amount
        self.at = start
        self._gap = gap
        self.told: list[Facts] = []

    def say(self, *facts: AttemptFact | CaptureFact | RefundFact | DisputeFact) -> None:
        """Tell facts at once, and let time pass."""
        self.told.append(
            Facts(
                attempt_ref=_ATTEMPT,
                attempts=tuple(f for f in facts if isinstance(f, AttemptFact)),
                captures=tuple(f for f in facts if isinstance(f, CaptureFact)),
                refunds=tuple(f for f in facts if isinstance(f, RefundFact)),
                disputes=tuple(f for f in facts if isinstance(f, DisputeFact)),
                api_version="2026-01-01",
            )
        )
        self.at += self._gap

    def attempt(self, status: AttemptStatus, ref: str = _ATTEMPT, **more: Any) -> AttemptFact:
        """A statement about an attempt. Nothing is held before the issuer said yes."""
        held = status in {AttemptStatus.AUTHORIZED, AttemptStatus.SUCCEEDED}
        told: dict[str, Any] = {"authorized": self.some(self.amount.minor if held else 0), **more}
        return AttemptFact(ref=ref, status=status, at=self.at, **told)

    def capture(
        self, status: CaptureStatus, minor: int, ref: str = "cap_1", **more: Any
    ) -> CaptureFact:
        """A statement about a capture."""
        told: dict[str, Any] = {"attempt_ref": _ATTEMPT, **more}
        return CaptureFact(ref=ref, status=status, amount=self.some(minor), at=self.at, **told)

    def refund(
        self, status: RefundStatus, minor: int, ref: str, tag: str | None = None
    ) -> RefundFact:
        """A statement about a refund."""
        return RefundFact(
            ref=ref,
            attempt_ref=_ATTEMPT,
            status=status,
            amount=self.some(minor),
            at=self.at,
            tag=tag,
        )

    def dispute(self, status: DisputeStatus, minor: int) -> DisputeFact:
        """A statement about the one dispute."""
        return DisputeFact(
            ref="dsp_1", attempt_ref=_ATTEMPT, status=status, amount=self.some(minor), at=self.at
        )

    def pay(self) -> None:
        """Tell a payment that simply went through."""
        whole = self.capture(CaptureStatus.SUCCEEDED, self.amount.minor)
        self.say(self.attempt(AttemptStatus.SUCCEEDED), whole)

    def some(self, minor: int) -> Money:
        """An amount in the payment's currency."""
        return Money(minor, self.amount.currency)

    def ends(
        self,
        kind: str,
        status: PaymentStatus,
        events: Sequence[str],
        *,
        payment: PaymentIntent | None = None,
        captured: int = 0,
        refunded: int = 0,
        disputed: int = 0,
    ) -> History:
        """The history, with what it amounts to."""
        return History(
            kind=kind,
            payment=payment or new_payment(self.amount),
            told=tuple(self.told),
            status=status,
            captured=self.some(captured),
            refunded=self.some(refunded),
            disputed=self.some(disputed),
            events=tuple(events),
        )
