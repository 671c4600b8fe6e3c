"""How money is given back, and how a refund fails late or comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from payport.domain.frozen import EMPTY
from payport.testing.bank.books import EntryKind
from payport.testing.bank.records import Happening, Payment, Refund, RefundState, Refused
from payport.testing.bank.vault import Vault
from payport.testing.tokens import Refunds as Treated

__all__ = ["COMES_BACK_AFTER", "Refunds"]

#: How long it takes until a refund fails or comes back.
COMES_BACK_AFTER: Final = timedelta(days=2)

_DECLINED = "declined"
_RETURNED = "returned"


class Refunds:
    """The part of the bank that gives money back."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def refund(
        self,
        ref: str,
        amount: int,
        *,
        tag: str | None,
        reference: str | None = None,
        reason: str = "unknown",
        metadata: Mapping[str, str] = EMPTY,
        refused: bool = False,
    ) -> tuple[Payment, Refund]:
        """
        Give money back.

        Args:
            refused: Whether the card takes it not.

        Raises:
            Refused: That much was not taken, or is given back, promised or disputed.
        """
        vault = self._vault
        payment = vault.payment(ref)
        if not 0 < amount <= payment.free:
            raise Refused("refund_too_large", "That is more than what can be given back.")
        at = vault.stamp()
        refund = Refund(
            ref=vault.new_ref("br"),
            tag=tag,
            reference=reference,
            amount=amount,
            reason=reason,
            metadata=metadata,
            created=at,
            updated=at,
        )
        payment.refunds += (refund,)
        vault.refunds[refund.ref] = (payment, refund)
        vault.name(payment, refund.ref, reference, tag)
        if tag is not None:
            vault.executed[tag] += 1
        self._begin(payment, refund, refused=refused)
        return payment, refund

    def _begin(self, payment: Payment, refund: Refund, *, refused: bool) -> None:
        vault = self._vault
        ways = payment.card.refunds if payment.card is not None else Treated.GIVEN

        def decide(verdict: bool) -> None:  # noqa: FBT001 - the shape of every decision
            if verdict:
                self._give(payment, refund, comes_back=ways is Treated.REVERSE)
            else:
                self._bounce(payment, refund, _DECLINED)

        if ways in _SLOW:
            planned, after = _SLOW[ways]
        elif vault.behaviour.acknowledges:
            planned, after = not refused, vault.behaviour.decides_after
        else:
            decide(not refused)
            return
        vault.tell(Happening.REFUND_ASKED, payment, refund)
        vault.wait(payment, decide, planned=planned and not refused, after=after)

    def _give(self, payment: Payment, refund: Refund, *, comes_back: bool) -> None:
        vault = self._vault
        self._turn(refund, RefundState.GIVEN)
        vault.books.move(EntryKind.REFUND, -refund.amount, payment, refund.ref, refund.updated)
        vault.tell(Happening.REFUND_GIVEN, payment, refund)
        if comes_back:
            vault.wait(
                payment,
                lambda stays: None if stays else self._bounce(payment, refund, _RETURNED),
                planned=False,
                after=COMES_BACK_AFTER,
            )

    def _bounce(self, payment: Payment, refund: Refund, why: str) -> None:
        had = refund.amount if refund.state is RefundState.GIVEN else 0
        refund.failure = why
        self._turn(refund, RefundState.BOUNCED)
        kind = EntryKind.REFUND_FAILURE
        self._vault.books.move(kind, had, payment, refund.ref, refund.updated)
        self._vault.tell(Happening.REFUND_BOUNCED, payment, refund)

    def _turn(self, refund: Refund, state: RefundState) -> None:
        refund.state = state
        refund.round += 1
        refund.updated = self._vault.stamp()


#: Refunds that are not decided at once anywhere: how the clock decides them, and after how long.
_SLOW: dict[Treated, tuple[bool, timedelta | None]] = {
    Treated.WAIT: (True, None),
    Treated.FAIL: (False, COMES_BACK_AFTER),
}
