"""
How Adyen words what it tells: items, and the modifications that they say the end of.

An item is what it was when it happened: nobody changes what was told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from payport.testing.adyen_simulator.amounts import amount_on_wire
from payport.testing.adyen_simulator.memory import Memory, Modification, Paid
from payport.testing.bank.vault import moment
from payport.testing.simulation.documents import Doc

__all__ = ["Notice", "Telling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    One thing that Adyen tells.

    Attributes:
        id: What the simulator knows it by; it is not told.
        type: The `eventCode`.
        item: The `NotificationRequestItem`, not signed.
        additional: Its `additionalData`, which the signature goes into.
    """

    id: str
    type: str
    item: Doc = field(repr=False)
    additional: dict[str, str] = field(repr=False)


class Telling:
    """
    Words items, keeps them and hands them on. Whoever calls it holds the bank's lock.

    Attributes:
        kept: All of them, oldest first.
        listeners: Called with each.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.kept: list[Notice] = []
        self.listeners: list[Callable[[Notice], None]] = []

    def tell(
        self,
        event: str,
        paid: Paid,
        amount: int,
        at: int,
        about: Doc,
        *,
        ok: bool = True,
        more: dict[str, str] | None = None,
        reason: str = "",
    ) -> None:
        """
        Tell of a payment.

        Args:
            amount: In the bank's minor units.
            about: What the item has beside or instead of what all have: at least `pspReference`.
            ok: Whether it succeeded.
            more: Its `additionalData`.
        """
        item: Doc = {
            "amount": amount_on_wire(amount, paid.currency),
            "merchantAccountCode": paid.asked.account,
            "merchantReference": paid.asked.reference,
            "paymentMethod": paid.asked.look.brand,
            **about,
        }
        self.add(event, item, more or {}, at, ok=ok, reason=reason)

    def add(
        self, event: str, item: Doc, more: dict[str, str], at: int, *, ok: bool, reason: str
    ) -> None:
        """Tell something, about a payment or not; see `tell`."""
        item["eventCode"] = event
        item["eventDate"] = moment(at).isoformat(timespec="seconds")
        item["reason"] = reason
        item["success"] = "true" if ok else "false"
        ref = self._memory.vault.new_ref("bn")
        notice = Notice(id=ref, type=event, item=item, additional=more)
        self.kept.append(notice)
        for listener in self.listeners:
            listener(notice)

    # -- what was not done ----------------------------------------------------------------------

    def failed(
        self, paid: Paid, request: Modification, amount: int, why: str, *, action: str | None = None
    ) -> None:
        """Tell that a modification that was acknowledged was not carried out."""
        vault = self._memory.vault
        vault.name(paid.payment, request.psp)
        vault.later(
            vault.behaviour.decides_after,
            lambda: self.decided(paid, request, amount, vault.stamp(), why, action=action),
        )

    def unknown(self, reference: str, account: str, request: Modification, why: str) -> None:
        """Tell that there is nothing that could be modified."""
        vault = self._memory.vault
        item: Doc = {
            "amount": {"currency": "EUR", "value": 0},
            "merchantAccountCode": account,
            "merchantReference": request.reference or reference,
            "pspReference": request.psp,
        }
        vault.later(
            vault.behaviour.decides_after,
            lambda: self.add(request.event, item, {}, vault.stamp(), ok=False, reason=why),
        )

    def decided(
        self,
        paid: Paid,
        request: Modification,
        amount: int,
        at: int,
        why: str | None = None,
        *,
        happened: bool | None = None,
        action: str | None = None,
    ) -> None:
        """Tell how a modification ended: well unless there is a reason why not."""
        more = {"paymentMethodVariant": paid.asked.look.brand}
        if request.event == "CANCEL_OR_REFUND":
            more["originalMerchantReference"] = paid.asked.reference
            if action is not None:
                more["modification.action"] = action
        about: Doc = {"pspReference": request.psp, "originalReference": paid.psp}
        if request.reference is not None:
            about["merchantReference"] = request.reference
        ok = why is None if happened is None else happened
        self.tell(request.event, paid, amount, at, about, ok=ok, more=more, reason=why or "")
