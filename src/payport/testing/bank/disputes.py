"""How a holder's bank asks for money back, and who wins."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.testing.bank.books import EntryKind
from payport.testing.bank.records import (
    Dispute,
    DisputeState,
    Happening,
    Payment,
    Refused,
)
from payport.testing.bank.vault import MICROSECOND, Vault

__all__ = ["DISPUTED_AFTER", "RESPOND_WITHIN", "Disputes"]

#: How long the holder of a card that disputes takes for it.
DISPUTED_AFTER: Final = timedelta(days=1)
#: How long the merchant has to answer.
RESPOND_WITHIN: Final = timedelta(days=14)

_S = DisputeState

#: What may follow what. A dispute that was won can be raised again, one that was lost reversed.
_FOLLOWS: dict[DisputeState, frozenset[DisputeState]] = {
    _S.ANSWERED: frozenset({_S.INQUIRY}),
    _S.RAISED: frozenset({_S.INQUIRY, _S.WON, _S.LOST}),
    _S.EXAMINED: frozenset({_S.RAISED}),
    _S.WON: frozenset({_S.RAISED, _S.EXAMINED, _S.LOST}),
    _S.LOST: frozenset({_S.RAISED, _S.EXAMINED}),
}
#: States in which the merchant has the money.
_MERCHANT_HAS_IT = frozenset({_S.INQUIRY, _S.ANSWERED, _S.WON})

_TOLD: dict[DisputeState, Happening] = {
    _S.INQUIRY: Happening.DISPUTE_INQUIRY,
    _S.ANSWERED: Happening.DISPUTE_ANSWERED,
    _S.RAISED: Happening.DISPUTE_RAISED,
    _S.EXAMINED: Happening.DISPUTE_EXAMINED,
    _S.WON: Happening.DISPUTE_WON,
    _S.LOST: Happening.DISPUTE_LOST,
}


class Disputes:
    """The part of the bank that answers other banks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def expect(self, payment: Payment) -> None:
        """The holder is going to dispute the payment."""

        def decide(stays: bool) -> None:  # noqa: FBT001 - the shape of every decision
            if not stays and payment.free > 0:
                self.open(payment, payment.free, reason="fraudulent", inquiry=False)

        self._vault.wait(payment, decide, planned=False, after=DISPUTED_AFTER)

    def open(self, payment: Payment, amount: int, *, reason: str, inquiry: bool) -> Dispute:
        """
        Raise a dispute, which takes the money back, or begin with an inquiry, which does not.

        Raises:
            Refused: That much is not there to be disputed.
        """
        vault = self._vault
        if not 0 < amount <= payment.free:
            raise Refused(
                "dispute_too_large", "That is more than what was taken and is still there."
            )
        at = vault.stamp()
        dispute = Dispute(
            ref=vault.new_ref("bd"),
            amount=amount,
            reason=reason,
            state=_S.INQUIRY if inquiry else _S.RAISED,
            respond_by=at + RESPOND_WITHIN // MICROSECOND,
            created=at,
            updated=at,
        )
        payment.disputes += (dispute,)
        vault.disputes[dispute.ref] = (payment, dispute)
        vault.name(payment, dispute.ref)
        if not inquiry:
            vault.books.disputed(payment, amount, dispute.ref, at)
        vault.tell(_TOLD[dispute.state], payment, dispute)
        return dispute

    def turn(self, ref: str, state: DisputeState) -> None:
        """
        Move a dispute on.

        Raises:
            Refused: There is none, it cannot go there from where it is, or the money that it would
                take is not there any more.
        """
        vault = self._vault
        if ref not in vault.disputes:
            raise Refused("no_such_dispute", "There is no such dispute.", status=404)
        payment, dispute = vault.disputes[ref]
        if dispute.state not in _FOLLOWS.get(state, frozenset()):
            raise Refused("wrong_state", f"A dispute that is {dispute.state} cannot be {state}.")
        had, has = dispute.state in _MERCHANT_HAS_IT, state in _MERCHANT_HAS_IT
        if had and not has and payment.free < dispute.amount:
            raise Refused("dispute_too_large", "The money is not there any more.")
        dispute.state = state
        dispute.round += 1
        dispute.updated = vault.stamp()
        if had and not has:
            vault.books.disputed(payment, dispute.amount, ref, dispute.updated)
        elif has and not had:
            reversal = EntryKind.DISPUTE_REVERSAL
            vault.books.move(reversal, dispute.amount, payment, ref, dispute.updated)
        vault.tell(_TOLD[state], payment, dispute)
