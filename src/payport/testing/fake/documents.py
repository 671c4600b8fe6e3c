"""
The bank's own wire format: what it keeps, as JSON documents, each about one payment.

    {"ref", "tag", "reference", "attempt": {...}, "captures": [...], "refunds": [...],
     "disputes": [...]}

A document holds the parts that it has something to say about; moments are microseconds since 1970.
The other direction, from documents to facts, is the adapter's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from payport.testing.bank.records import (
    Capture,
    CaptureState,
    Change,
    Dispute,
    Payment,
    Payout,
    Refund,
)
from payport.testing.tokens import Challenge

__all__ = ["CHALLENGE_PAGE", "Documents"]

#: Where customers of the bank authenticate. Nobody can register this address.
CHALLENGE_PAGE: Final = "https://bank.invalid/authenticate"

_SECOND = 1_000_000


class Documents:
    """
    Writes documents.

    Args:
        running_total: Whether captures are told as one whose amount grows.
        whole_seconds: Whether moments are cut to whole seconds.
    """

    def __init__(self, *, running_total: bool, whole_seconds: bool) -> None:
        self._running_total = running_total
        self._step = _SECOND if whole_seconds else 1

    def told(self, at: int) -> int:
        """A moment as the bank tells it."""
        return at - at % self._step

    def of_payment(self, payment: Payment, *, public: bool = False) -> dict[str, Any]:
        """The payment and what was captured; without credentials where `public`."""
        document = _head(payment)
        document["attempt"] = self._attempt(payment, public=public)
        if payment.captures:
            document["captures"] = self._captures(payment, payment.captures)
        return document

    def whole(self, payment: Payment) -> dict[str, Any]:
        """The payment and everything that happened to it."""
        document = self.of_payment(payment)
        document["refunds"] = [self._refund(payment, refund) for refund in payment.refunds]
        document["disputes"] = [self._dispute(payment, dispute) for dispute in payment.disputes]
        return document

    def of_capture(self, payment: Payment, capture: Capture) -> dict[str, Any]:
        """The payment and one capture."""
        document = _head(payment)
        document["attempt"] = self._attempt(payment)
        document["captures"] = self._captures(payment, (capture,))
        return document

    def of_refund(self, payment: Payment, refund: Refund) -> dict[str, Any]:
        """One refund."""
        document = _head(payment)
        document["refunds"] = [self._refund(payment, refund)]
        return document

    def of_dispute(self, payment: Payment, dispute: Dispute) -> dict[str, Any]:
        """One dispute."""
        document = _head(payment)
        document["disputes"] = [self._dispute(payment, dispute)]
        return document

    def of_payout(self, payout: Payout) -> dict[str, Any]:
        """A payout, which is of no payment."""
        return {
            "ref": payout.ref,
            "status": payout.state,
            "amount": payout.amount,
            "currency": payout.currency,
            "arrives": self.told(payout.arrives),
            "failure": payout.failure,
            "itemized": payout.itemized,
            "at": self.told(payout.updated),
        }

    def of_change(self, change: Change) -> dict[str, Any]:
        """What changed, without credentials."""
        payment = change.payment
        if change.payout is not None:
            return self.of_payout(change.payout)
        if payment is None:
            return dict(change.details)
        effect = change.effects[0] if change.effects else None
        if isinstance(effect, Refund):
            return self.of_refund(payment, effect)
        if isinstance(effect, Dispute):
            return self.of_dispute(payment, effect)
        if isinstance(effect, Capture):
            return self.of_capture(payment, effect)
        return self.of_payment(payment, public=True)

    def _attempt(self, payment: Payment, *, public: bool = False) -> dict[str, Any]:
        order = payment.order
        attempt: dict[str, Any] = {
            "status": payment.state,
            "authorized": payment.authorized,
            "currency": order.currency,
            "number": payment.attempt,
            "round": payment.round,
            "at": self.told(payment.updated),
        }
        if payment.tries:
            attempt["try"] = payment.tries[-1].ref
        if payment.decline is not None:
            attempt["decline"] = payment.decline
        if payment.canceling is not None:
            attempt["canceling"] = True
        if payment.secret is not None:
            attempt["action"] = _action(payment, "" if public else payment.secret)
        return attempt

    def _captures(self, payment: Payment, captures: Iterable[Capture]) -> list[dict[str, Any]]:
        if self._running_total:
            return [self._total(payment, tuple(captures)[-1])]
        return [self._capture(payment, capture) for capture in captures]

    def _capture(self, payment: Payment, capture: Capture) -> dict[str, Any]:
        return {
            "ref": capture.ref,
            "tag": capture.tag,
            "status": capture.state,
            "amount": capture.amount,
            "currency": payment.order.currency,
            "round": capture.round,
            "at": self.told(capture.updated),
        }

    def _total(self, payment: Payment, asked: Capture) -> dict[str, Any]:
        """All captures as one under the first one's id, with the tag of the one asked about."""
        first, taken = payment.captures[0], payment.taken
        waiting = any(c.state is CaptureState.ASKED for c in payment.captures)
        status = CaptureState.ASKED if waiting else CaptureState.BOUNCED
        return {
            "ref": first.ref,
            "tag": asked.tag,
            "status": CaptureState.TAKEN if taken else status,
            "amount": taken or sum(c.amount for c in payment.captures),
            "currency": payment.order.currency,
            "round": payment.taken_rounds,
            "at": self.told(max(c.updated for c in payment.captures)),
        }

    def _refund(self, payment: Payment, refund: Refund) -> dict[str, Any]:
        return {
            "ref": refund.ref,
            "tag": refund.tag,
            "reference": refund.reference,
            "status": refund.state,
            "amount": refund.amount,
            "currency": payment.order.currency,
            "failure": refund.failure,
            "round": refund.round,
            "at": self.told(refund.updated),
        }

    def _dispute(self, payment: Payment, dispute: Dispute) -> dict[str, Any]:
        return {
            "ref": dispute.ref,
            "status": dispute.state,
            "amount": dispute.amount,
            "currency": payment.order.currency,
            "reason": dispute.reason,
            "respond_by": self.told(dispute.respond_by),
            "round": dispute.round,
            "at": self.told(dispute.updated),
        }


def _head(payment: Payment) -> dict[str, Any]:
    order = payment.order
    return {"ref": payment.ref, "tag": order.tag, "reference": order.reference}


def _action(payment: Payment, secret: str) -> dict[str, str]:
    """What the customer needs: a credential, so it is left out where anybody may read along."""
    if payment.card is not None and payment.card.challenge is Challenge.CLIENT_TOKEN:
        return {"kind": "client_token", "token": secret}
    page = f"{CHALLENGE_PAGE}/{payment.ref}?token={secret}" if secret else ""
    return {"kind": "redirect", "url": page}
