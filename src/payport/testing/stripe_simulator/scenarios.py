"""
What has to happen at a processor for it to send an event: the scenarios of `payport trigger`.

Each is played on the Stripe simulator by requests as an application would make them, and by what
the customer, the issuer or the bank does then. So an event comes with those before and after it,
about the same objects.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from payport.testing.simulation.wire import HttpRequest

if TYPE_CHECKING:
    from payport.testing.bank.bank import Bank
    from payport.testing.stripe_simulator.simulator import StripeSimulator

__all__ = ["SCENARIOS", "Stage"]

_KEY: Final = "sk_test_trigger"
_OK: Final = 200


class Stage:
    """A simulator, and somebody who asks it for things."""

    def __init__(self, simulator: StripeSimulator) -> None:
        self.simulator = simulator
        self.bank: Bank = simulator.bank

    def ask(self, target: str, **fields: str) -> str:
        """Make a request; return the id of what it is about, also where it was declined."""
        headers = {
            "authorization": f"Bearer {_KEY}",
            "content-type": "application/x-www-form-urlencoded",
            "idempotency-key": str(uuid.uuid4()),
        }
        request = HttpRequest(
            method="POST", target=target, headers=headers, body=urlencode(fields).encode()
        )
        response = self.simulator.handle(request)
        document: Any = json.loads(response.body)
        if response.status != _OK:
            document = document["error"]["payment_intent"]
        return str(document["id"])

    def pay(self, card: str = "pm_card_visa", **fields: str) -> str:
        """Ask for a payment of 20.00, confirmed at once."""
        return self.ask(
            "/v1/payment_intents",
            amount="2000",
            currency="usd",
            confirm="true",
            payment_method=card,
            return_url="https://shop.invalid/return",
            **fields,
        )

    def hold(self) -> str:
        """Hold 20.00 without taking it."""
        return self.pay(capture_method="manual")

    def refund(self, card: str = "pm_card_visa") -> str:
        """Take a payment and give a part of it back."""
        payment = self.pay(card)
        self.ask("/v1/refunds", payment_intent=payment, amount="500")
        return payment

    def dispute(self) -> str:
        """Take a payment whose holder disputes it; return the dispute's id at the bank."""
        return self.bank.dispute(self.pay())


def _created(stage: Stage) -> None:
    stage.ask("/v1/payment_intents", amount="2000", currency="usd")


def _succeeded(stage: Stage) -> None:
    stage.pay()


def _failed(stage: Stage) -> None:
    stage.pay("pm_card_visa_chargeDeclined")


def _requires_action(stage: Stage) -> None:
    stage.pay("pm_card_threeDSecure2Required")


def _processing(stage: Stage) -> None:
    stage.pay("pm_card_processing")


def _held(stage: Stage) -> None:
    stage.hold()


def _captured(stage: Stage) -> None:
    stage.ask(f"/v1/payment_intents/{stage.hold()}/capture")


def _canceled(stage: Stage) -> None:
    stage.ask(f"/v1/payment_intents/{stage.hold()}/cancel")


def _refunded(stage: Stage) -> None:
    stage.refund()


def _refund_updated(stage: Stage) -> None:
    stage.bank.settle(stage.refund("pm_card_pendingRefund"))


def _refund_failed(stage: Stage) -> None:
    stage.bank.settle(stage.refund("pm_card_pendingRefund"), ok=False)


def _disputed(stage: Stage) -> None:
    stage.dispute()


def _won(stage: Stage) -> None:
    stage.bank.win(stage.dispute())


def _lost(stage: Stage) -> None:
    stage.bank.lose(stage.dispute())


def _examined(stage: Stage) -> None:
    stage.bank.submit_evidence(stage.dispute())


def _paid_out(stage: Stage) -> None:
    stage.pay()
    stage.bank.pay_out()


def _came_back(stage: Stage) -> None:
    _paid_out(stage)
    stage.bank.move_payout(stage.bank.payouts[-1].ref, "bounced")


#: By the event that is asked for.
SCENARIOS: Final[Mapping[str, Callable[[Stage], None]]] = {
    "charge.captured": _captured,
    "charge.dispute.closed": _lost,
    "charge.dispute.created": _disputed,
    "charge.dispute.funds_reinstated": _won,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.updated": _examined,
    "charge.failed": _failed,
    "charge.refund.updated": _refund_updated,
    "charge.refunded": _refunded,
    "charge.succeeded": _succeeded,
    "payment_intent.amount_capturable_updated": _held,
    "payment_intent.canceled": _canceled,
    "payment_intent.created": _created,
    "payment_intent.payment_failed": _failed,
    "payment_intent.processing": _processing,
    "payment_intent.requires_action": _requires_action,
    "payment_intent.succeeded": _succeeded,
    "payout.created": _paid_out,
    "payout.failed": _came_back,
    "payout.paid": _paid_out,
    "refund.created": _refunded,
    "refund.failed": _refund_failed,
    "refund.updated": _refund_updated,
}
