"""Payouts as Stripe writes them, what is told of them, and who serves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from payport.testing.bank.records import Change, Happening, Payout, PayoutState, Refused
from payport.testing.stripe_simulator.amounts import currency_of, from_wire, to_wire
from payport.testing.stripe_simulator.asking import Ask
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import Doc, invalid, missing
from payport.testing.stripe_simulator.listing import page, within
from payport.testing.stripe_simulator.memory import Memory, bank_ref, stripe_id

__all__ = ["PayoutsDesk"]

_SECOND: Final = 1_000_000
_H = Happening

_STATUSES: Final = {
    PayoutState.ASKED: "pending",
    PayoutState.SENT: "in_transit",
    PayoutState.PAID: "paid",
    PayoutState.VOIDED: "canceled",
    PayoutState.BOUNCED: "failed",
}
#: https://docs.stripe.com/payouts#payout-failures
_MESSAGES: Final = {"account_closed": "The bank account has been closed."}
_TOLD: Final = {
    _H.PAYOUT_ASKED: "created",
    _H.PAYOUT_SENT: "updated",
    _H.PAYOUT_PAID: "paid",
    _H.PAYOUT_VOIDED: "canceled",
    _H.PAYOUT_BOUNCED: "failed",
    _H.PAYOUT_ITEMIZED: "reconciliation_completed",
}


class PayoutsDesk:
    """Serves payouts, and words what happens to them. Whoever calls it holds the bank's lock."""

    def __init__(self, memory: Memory, effects: Effects, *, live: bool) -> None:
        self._memory = memory
        self._effects = effects
        self._live = live

    def words(self, payout: Payout, change: Change) -> Iterator[tuple[str, Doc, Doc | None]]:
        """The events of a change: type, object, and what was otherwise before."""
        kind = _TOLD.get(Happening(change.what))
        if kind is not None:
            before: Doc | None = {"status": "pending"} if kind == "updated" else None
            yield f"payout.{kind}", self.document(payout), before

    def create_payout(self, ask: Ask) -> Doc:
        """POST /v1/payouts."""
        currency = currency_of(ask.params["currency"])
        amount = from_wire(ask.params["amount"], currency)
        try:
            payout = self._memory.bank.payouts_desk.ask(currency, amount, automatic=False)
        except Refused:
            message = "You have insufficient funds in your Stripe account for this transfer."
            raise invalid(message, "balance_insufficient", executed=True) from None
        if payout is None:
            raise AssertionError("an amount is never nothing")
        return self.document(payout)

    def retrieve_payout(self, ask: Ask) -> Doc:
        """GET /v1/payouts/:id."""
        found = self.find(ask.ref)
        if found is None:
            raise missing("payout", ask.ref, param="payout", status=404)
        return found

    def list_payouts(self, ask: Ask) -> Doc:
        """GET /v1/payouts."""
        params = ask.params
        found = [
            payout
            for payout in reversed(self._memory.vault.payouts.values())
            if params.get("status", _STATUSES[payout.state]) == _STATUSES[payout.state]
            if within(payout.created // _SECOND, params.get("created"))
            if within(payout.arrives // _SECOND, params.get("arrival_date"))
        ]
        return page(found, params, ask.path, ref=_id, write=self.document)

    def find(self, ref: str) -> Doc | None:
        """The payout with an id; None where there is none."""
        payouts = self._memory.vault.payouts
        payout = payouts.get(ref) or payouts.get(bank_ref("bo", ref))
        return self.document(payout) if payout is not None else None

    def document(self, payout: Payout) -> Doc:
        """A payout."""
        ref, moved = _id(payout), self._effects.of_source(_id(payout))
        return {
            "id": ref,
            "object": "payout",
            "amount": to_wire(payout.amount, payout.currency),
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": payout.arrives // _SECOND,
            "automatic": payout.automatic,
            "balance_transaction": moved[0]["id"],
            "created": payout.created // _SECOND,
            "currency": payout.currency.lower(),
            "description": "STRIPE PAYOUT",
            "destination": "ba_3Simulated0000Bank000001",
            "failure_balance_transaction": moved[1]["id"] if payout.failure else None,
            "failure_code": payout.failure,
            "failure_message": _MESSAGES.get(payout.failure or ""),
            "livemode": self._live,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": _reconciliation(payout),
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": _STATUSES[payout.state],
            "trace_id": {"status": "pending", "value": None},
            "type": "bank_account",
        }


def _reconciliation(payout: Payout) -> str:
    """Of what was asked for by hand, Stripe does not say of what it is made."""
    if not payout.automatic:
        return "not_applicable"
    return "completed" if payout.itemized else "in_progress"


def _id(payout: Payout) -> str:
    return stripe_id("po", payout.ref)
