"""Serves refunds."""

from __future__ import annotations

from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Payment, Refund
from payport.testing.stripe_simulator.amounts import from_wire, shown
from payport.testing.stripe_simulator.asking import Ask
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import Doc, invalid, missing
from payport.testing.stripe_simulator.memory import Intent, Memory
from payport.testing.stripe_simulator.methods_desk import merged

__all__ = ["RefundsDesk"]

#: Parameters that belong to what is not simulated.
_NOT_SIMULATED = ("customer", "currency", "instructions_email", "origin")
_CONNECT = ("refund_application_fee", "reverse_transfer")


class RefundsDesk:
    """Serves `/v1/refunds`. Whoever calls it holds the bank's lock."""

    def __init__(self, bank: Bank, memory: Memory, effects: Effects) -> None:
        self._bank = bank
        self._memory = memory
        self._effects = effects

    def create_refund(self, ask: Ask) -> Doc:
        """POST /v1/refunds."""
        params = ask.params
        for name in _NOT_SIMULATED:
            if name in params:
                message = f"The simulator does not know what `{name}` does. Leave it out."
                raise invalid(message, "parameter_unknown", param=name)
        for name in _CONNECT:
            if params.get(name):
                message = f"`{name}` may only be set for a charge made by Connect."
                raise invalid(message, param=name)
        intent = self._refunded(params)
        amount = self._amount(intent, params)
        metadata = merged({}, params.get("metadata"))
        payment, refund = self._bank.refunds_desk.refund(
            intent.payment.ref,
            amount,
            tag=ask.key,
            reason=params.get("reason", "unknown"),
            metadata=metadata,
            refused=ask.declined,
        )
        self._memory.vault.name(payment, *metadata.values())
        return self._effects.refund(payment, refund)

    def _refunded(self, params: Doc) -> Intent:
        ref, charge_ref = params.get("payment_intent"), params.get("charge")
        if ref is None and charge_ref is None:
            message = (
                "One of the following params should be provided for this request: payment_intent"
                " or charge."
            )
            raise invalid(message, "parameter_missing", param="payment_intent")
        memory = self._memory
        if charge_ref is not None:
            if charge_ref not in memory.charges:
                raise missing("charge", charge_ref, param="charge", status=404)
            intent = memory.charges[charge_ref][0]
            if ref is not None and intent.id != ref:
                message = "The charge does not belong to the PaymentIntent."
                raise invalid(message, "parameters_exclusive", param="charge", executed=True)
            return intent
        if ref not in memory.intents:
            raise missing("payment_intent", str(ref), param="payment_intent", status=404)
        return memory.intents[ref]

    def _amount(self, intent: Intent, params: Doc) -> int:
        payment, currency, charge = intent.payment, intent.currency, intent.charge
        if charge is None or not payment.taken:
            message = (
                f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
            )
            raise invalid(message, "charge_not_refundable", executed=True)
        if payment.free <= 0:
            if payment.disputed:
                message = f"Charge {charge.id} has been charged back; cannot issue a refund."
                raise invalid(message, "charge_disputed", executed=True)
            message = f"Charge {charge.id} has already been refunded."
            raise invalid(message, "charge_already_refunded", executed=True)
        asked = params.get("amount")
        amount = payment.free if asked is None else from_wire(asked, currency)
        if amount > payment.free:
            message = (
                f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on"
                f" charge ({shown(payment.free, currency)})"
            )
            raise invalid(message, "amount_too_large", param="amount", executed=True)
        return amount

    def update_refund(self, ask: Ask) -> Doc:
        """POST /v1/refunds/:id."""
        payment, refund = self._refund(ask.ref)
        kept = self._memory.refund_metadata.get(refund.ref, dict(refund.metadata))
        changed = merged(kept, ask.params.get("metadata"))
        self._memory.refund_metadata[refund.ref] = changed
        return self._effects.refund(payment, refund)

    def retrieve_refund(self, ask: Ask) -> Doc:
        """GET /v1/refunds/:id."""
        return self._effects.refund(*self._refund(ask.ref))

    def _refund(self, ref: str) -> tuple[Payment, Refund]:
        found = self._memory.refund(ref)
        if found is None:
            raise missing("refund", ref, param="id", status=404)
        return found
