"""How the balance goes to the merchant's own bank, and comes back where that does not take it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.testing.bank.books import EntryKind
from payport.testing.bank.records import Change, Happening, Payout, PayoutState, Refused
from payport.testing.bank.vault import MICROSECOND, Vault

__all__ = ["TAKES", "Payouts"]

#: How long a payout is expected to take.
TAKES: Final = timedelta(days=2)

_S = PayoutState

#: What may follow what. What the other bank was believed to have paid may come back.
_FOLLOWS: dict[PayoutState, frozenset[PayoutState]] = {
    _S.SENT: frozenset({_S.ASKED}),
    _S.PAID: frozenset({_S.ASKED, _S.SENT}),
    _S.VOIDED: frozenset({_S.ASKED}),
    _S.BOUNCED: frozenset({_S.ASKED, _S.SENT, _S.PAID}),
}
_TOLD: dict[PayoutState, Happening] = {
    _S.SENT: Happening.PAYOUT_SENT,
    _S.PAID: Happening.PAYOUT_PAID,
    _S.VOIDED: Happening.PAYOUT_VOIDED,
    _S.BOUNCED: Happening.PAYOUT_BOUNCED,
}
_GIVES_BACK = frozenset({_S.VOIDED, _S.BOUNCED})


class Payouts:
    """The part of the bank that pays the merchant."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def ask(
        self, currency: str, amount: int | None = None, *, automatic: bool = True
    ) -> Payout | None:
        """
        Take the balance for a payout, or so much of it; None where there is none to take.

        Args:
            automatic: Whether nobody asked for this payout in particular.

        Raises:
            Refused: There is not so much.
        """
        vault = self._vault
        there = max(0, vault.books.balances[currency])
        minor = there if amount is None else amount
        if minor > there:
            raise Refused("payout_too_large", "There is not so much on the balance.")
        if not minor:
            return None
        at = vault.stamp()
        payout = Payout(
            ref=vault.new_ref("bo"),
            amount=minor,
            currency=currency,
            automatic=automatic,
            arrives=at + TAKES // MICROSECOND,
            created=at,
            updated=at,
        )
        vault.payouts[payout.ref] = payout
        self._write(payout, -minor, EntryKind.PAYOUT)
        self._tell(Happening.PAYOUT_ASKED, payout)
        return payout

    def turn(self, ref: str, state: PayoutState, failure: str | None = None) -> None:
        """
        Move a payout on.

        Raises:
            Refused: There is none, or it cannot go there from where it is.
        """
        payout = self._known(ref)
        if payout.state not in _FOLLOWS.get(state, frozenset()):
            raise Refused("wrong_state", f"A payout that is {payout.state} cannot be {state}.")
        payout.state = state
        payout.updated = self._vault.stamp()
        if state is _S.BOUNCED:
            payout.failure = failure or "account_closed"
        if state in _GIVES_BACK:
            self._write(payout, payout.amount, EntryKind.PAYOUT_FAILURE)
        self._tell(_TOLD[state], payout)

    def itemize(self, ref: str) -> None:
        """
        Say of which entries a payout is made, once.

        Raises:
            Refused: There is none, or it was said.
        """
        payout = self._known(ref)
        if payout.itemized:
            raise Refused("wrong_state", "It was said of what this payout is made.")
        payout.itemized = True
        payout.updated = self._vault.stamp()
        self._tell(Happening.PAYOUT_ITEMIZED, payout)

    def _known(self, ref: str) -> Payout:
        if ref not in self._vault.payouts:
            raise Refused("no_such_payout", "There is no such payout.", status=404)
        return self._vault.payouts[ref]

    def _write(self, payout: Payout, minor: int, kind: EntryKind) -> None:
        self._vault.books.write(
            kind, minor, payout.currency, payment=None, effect=payout.ref, at=payout.updated
        )

    def _tell(self, what: Happening, payout: Payout) -> None:
        change = Change(what=what, at=payout.updated, payout=payout)
        for listener in self._vault.listeners:
            listener(change)
