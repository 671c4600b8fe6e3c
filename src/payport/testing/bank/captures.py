"""How held money is taken, and how it sometimes comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.providers.spec import Capability
from payport.testing.bank.books import EntryKind
from payport.testing.bank.disputes import Disputes
from payport.testing.bank.records import Capture, CaptureState, Happening, Payment, Refused, State
from payport.testing.bank.vault import Vault

__all__ = ["BOUNCES_AFTER", "Captures"]

#: How long it takes until money comes back.
BOUNCES_AFTER: Final = timedelta(days=2)


class Captures:
    """The part of the bank that takes money."""

    def __init__(self, vault: Vault, disputes: Disputes) -> None:
        self._vault = vault
        self._disputes = disputes

    def capture(
        self, ref: str, amount: int, *, tag: str | None, final: bool, refused: bool = False
    ) -> tuple[Payment, Capture]:
        """
        Take held money.

        Args:
            final: Whether the rest is released.
            refused: Whether the money does not come.

        Raises:
            Refused: Nothing is held, or less than the amount; or the bank takes once only.
        """
        vault = self._vault
        payment = vault.payment(ref)
        if payment.state is not State.HELD:
            raise Refused("wrong_state", f"A payment that is {payment.state} holds no money.")
        if not 0 < amount <= payment.authorized - payment.spoken_for:
            raise Refused("capture_too_large", "That is more than what is held.")
        if not final and not vault.behaviour.can(Capability.MULTIPLE_CAPTURES):
            raise Refused("not_supported", "Money is taken once: make the capture a final one.")
        if tag is not None:
            vault.executed[tag] += 1
            vault.name(payment, tag)
        capture = self.begin(payment, amount, tag=tag, final=final, refused=refused)
        return payment, capture

    def begin(
        self,
        payment: Payment,
        amount: int,
        *,
        tag: str | None,
        final: bool,
        refused: bool = False,
        what: Happening = Happening.CAPTURE_TAKEN,
    ) -> Capture:
        """Ask for money that is known to be held."""
        vault = self._vault
        at = vault.stamp()
        ref = vault.new_ref("bc")
        capture = Capture(ref=ref, tag=tag, amount=amount, final=final, created=at, updated=at)
        payment.captures += (capture,)
        vault.name(payment, ref)

        def decide(verdict: bool) -> None:  # noqa: FBT001 - the shape of every decision
            if verdict:
                self._take(payment, capture, what)
            else:
                self._bounce(payment, capture)

        if vault.behaviour.acknowledges:
            after = vault.behaviour.decides_after
            vault.wait(payment, decide, planned=not refused, after=after)
        else:
            decide(not refused)
        return capture

    def _take(self, payment: Payment, capture: Capture, what: Happening) -> None:
        vault = self._vault
        self._turn(payment, capture, CaptureState.TAKEN)
        vault.books.charged(payment, capture.amount, capture.ref, capture.updated)
        if capture.final or payment.taken >= payment.authorized:
            payment.state = State.DONE
            payment.updated = capture.updated
        vault.tell(what, payment, capture)
        card = payment.card
        if card is not None and not card.captures_stay:
            vault.wait(
                payment,
                lambda stays: None if stays else self._come_back(payment, capture),
                planned=False,
                after=BOUNCES_AFTER,
            )
        if card is not None and card.disputed:
            self._disputes.expect(payment)

    def _come_back(self, payment: Payment, capture: Capture) -> None:
        # Money that was given back or disputed is not there to come back.
        if payment.free >= capture.amount:
            self._bounce(payment, capture)

    def _bounce(self, payment: Payment, capture: Capture) -> None:
        had = capture.amount if capture.state is CaptureState.TAKEN else 0
        self._turn(payment, capture, CaptureState.BOUNCED)
        kind = EntryKind.CHARGE_FAILURE
        self._vault.books.move(kind, -had, payment, capture.ref, capture.updated)
        self._vault.tell(Happening.CAPTURE_BOUNCED, payment, capture)

    def _turn(self, payment: Payment, capture: Capture, state: CaptureState) -> None:
        payment.taken_rounds += 1
        capture.state = state
        capture.round += 1
        capture.updated = self._vault.stamp()
