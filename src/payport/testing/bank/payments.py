"""
How payments live: made, tried, authenticated, held, canceled, lapsed. Captures: see `captures`.

Everything is checked before anything changes; what the bank does not do is `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from payport.domain.declines import DeclineReason
from payport.providers.spec import Capability
from payport.testing.bank.captures import Captures
from payport.testing.bank.records import Happening, Order, Payment, Refused, State, Try
from payport.testing.bank.vault import Vault
from payport.testing.tokens import Card, code_of

__all__ = ["CHALLENGE_LIVES", "HOLD_LIVES", "PROCESSING_TAKES", "Payments"]

#: How long the customer may take to authenticate.
CHALLENGE_LIVES: Final = timedelta(hours=1)
#: How long an issuer thinks that does not decide at once.
PROCESSING_TAKES: Final = timedelta(hours=1)
#: How long money is held for a capture.
HOLD_LIVES: Final = timedelta(days=7)

_CONFIRMABLE = frozenset({State.OPEN, State.READY, State.REFUSED})
_CANCELABLE = frozenset(
    {State.OPEN, State.READY, State.REFUSED, State.CHALLENGED, State.PENDING, State.HELD}
)


class Payments:
    """The part of the bank that keeps payments."""

    def __init__(self, vault: Vault, captures: Captures) -> None:
        self._vault = vault
        self._captures = captures

    # -- made and tried -------------------------------------------------------------------------

    def create(self, order: Order, *, confirm: bool, forced: Card | None = None) -> Payment:
        """
        Make a payment, and try it where `confirm`.

        Args:
            forced: What the card does, whatever card it is.

        Raises:
            Refused: The bank keeps nothing before a confirmation, or the order is not one.
        """
        vault = self._vault
        if not confirm and not vault.behaviour.can(Capability.CREATE_UNCONFIRMED):
            raise Refused("not_supported", "Nothing is kept here before it is confirmed.")
        card = self._card_for(order)
        if confirm and card is None:
            raise Refused("no_method", "A payment is confirmed with a payment method.")
        at = vault.stamp()
        payment = Payment(
            ref=vault.new_ref("bp"),
            order=order,
            terms=order,
            attempt=order.attempt,
            state=State.OPEN if card is None else State.READY,
            method=card,
            created=at,
            updated=at,
        )
        vault.payments[payment.ref] = payment
        vault.name(payment, payment.ref, order.reference, order.tag)
        if order.tag is not None:
            vault.executed[order.tag] += 1
        if confirm and card is not None:
            self._begin(payment, order.tag, forced or card)
        else:
            vault.tell(Happening.PAYMENT_CREATED, payment)
        return payment

    def confirm(self, ref: str, order: Order, *, forced: Card | None = None) -> Payment:
        """
        Try a payment that was made before.

        Args:
            order: The terms again; tag, attempt and payment method are of this try.

        Raises:
            Refused: It is in no state for that, or the terms are not those it was made for.
        """
        vault = self._vault
        payment = vault.payment(ref)
        if payment.state not in _CONFIRMABLE:
            raise Refused("wrong_state", f"A payment that is {payment.state} cannot be confirmed.")
        if payment.state is State.REFUSED and not vault.behaviour.can(Capability.RECONFIRM):
            raise Refused("wrong_state", "A declined payment is not tried again: make another.")
        if (order.amount, order.currency) != (payment.order.amount, payment.order.currency):
            raise Refused("terms_changed", "The amount is not what the payment was made for.")
        card = self._card_for(order) or payment.method
        if card is None:
            raise Refused("no_method", "A payment is confirmed with a payment method.")
        payment.method = card
        payment.attempt = order.attempt
        payment.terms = order
        if order.tag is not None:
            vault.name(payment, order.tag)
            vault.executed[order.tag] += 1
        self._begin(payment, order.tag, forced or card)
        return payment

    def amend(self, ref: str, order: Order) -> Payment:
        """
        Change what a payment is for, where that is still open.

        Args:
            order: The terms as they are to be; its tag and reference stay as they were.

        Raises:
            Refused: It is in no state for that, or the order is not one.
        """
        vault = self._vault
        payment = vault.payment(ref)
        if payment.state not in _CONFIRMABLE:
            raise Refused("wrong_state", f"A payment that is {payment.state} cannot be changed.")
        card = self._card_for(order)
        kept = replace(order, tag=payment.order.tag, reference=payment.order.reference)
        payment.order = payment.terms = kept
        if card is not None:
            payment.method = card
            payment.state = State.READY
        payment.updated = vault.stamp()
        return payment

    def _card_for(self, order: Order) -> Card | None:
        vault = self._vault
        if order.amount <= 0:
            raise Refused("bad_amount", "An amount is positive.")
        if order.customer is not None and order.customer not in vault.customers:
            raise Refused("no_such_customer", "There is no such customer: bank.add_customer().")
        if order.save and order.customer is None:
            raise Refused("no_such_customer", "A method is saved with a customer.")
        if order.token is None:
            return None
        if order.token in vault.methods:
            card, owner = vault.methods[order.token]
            if owner is not None and owner != order.customer:
                raise Refused("no_such_method", "The payment method is another customer's.")
            return card
        if order.token not in vault.cards:
            raise Refused("no_such_method", "There is no such payment method.")
        return vault.cards[order.token]

    def _begin(self, payment: Payment, tag: str | None, card: Card) -> None:
        vault = self._vault
        payment.round += 1
        payment.decline = payment.secret = None
        ref, at = vault.new_ref("bt"), vault.stamp()
        payment.tries += (Try(ref=ref, tag=tag, card=card, created=at),)
        # What somebody takes by hand, without a tag, is taken without a page.
        on_page = vault.behaviour.pages and payment.order.tag is not None
        if card.challenge is None and not on_page:
            self._ask_issuer(payment, card)
        elif payment.terms.off_session:
            self._refuse(payment, code_of(DeclineReason.AUTHENTICATION_REQUIRED))
        else:
            payment.secret = f"{payment.ref}_secret_{payment.round}"
            self._turn(payment, State.CHALLENGED, Happening.PAYMENT_CHALLENGED)
            vault.later(CHALLENGE_LIVES, self._expiry(payment, payment.tries[-1]))

    def _expiry(self, payment: Payment, of: Try) -> Callable[[], None]:
        def expire() -> None:
            if payment.state is State.CHALLENGED and payment.tries[-1] is of:
                self.abandon(payment)

        return expire

    # -- authenticated --------------------------------------------------------------------------

    def authenticate(self, payment: Payment, *, ok: bool) -> None:
        """
        The customer authenticates, or fails to.

        Raises:
            Refused: Nobody asked.
        """
        if payment.state is not State.CHALLENGED or payment.card is None:
            raise Refused("wrong_state", f"A payment that is {payment.state} asks nobody anything.")
        payment.secret = None
        if ok:
            self._ask_issuer(payment, payment.card)
        else:
            self._refuse(payment, code_of(DeclineReason.AUTHENTICATION_FAILED))

    def abandon(self, payment: Payment) -> None:
        """
        The customer does nothing until the time is over.

        Raises:
            Refused: Nobody asked.
        """
        if payment.state is not State.CHALLENGED:
            raise Refused("wrong_state", f"A payment that is {payment.state} asks nobody anything.")
        payment.secret = None
        self._refuse(payment, code_of(DeclineReason.CUSTOMER_TIMED_OUT))

    # -- decided --------------------------------------------------------------------------------

    def _ask_issuer(self, payment: Payment, card: Card) -> None:
        if card.errs:
            self._turn(payment, State.ERRORED, Happening.PAYMENT_ERRORED)
        elif card.declined is not None:
            self._refuse(payment, card.declined)
        elif card.waits:
            self._turn(payment, State.PENDING, Happening.PAYMENT_PENDING)
            self._wait_for_issuer(payment, card)
        else:
            self._approve(payment, card)

    def _wait_for_issuer(self, payment: Payment, card: Card) -> None:
        def decide(verdict: bool) -> None:  # noqa: FBT001 - the shape of every decision
            if payment.state is not State.PENDING:
                return  # it was canceled meanwhile
            if verdict:
                self._approve(payment, card)
            else:
                self._refuse(payment, code_of(DeclineReason.PROCESSING_ERROR))

        self._vault.wait(payment, decide, planned=card.pays, after=PROCESSING_TAKES)

    def _refuse(self, payment: Payment, code: str) -> None:
        payment.decline = code
        self._turn(payment, State.REFUSED, Happening.PAYMENT_REFUSED)

    def _approve(self, payment: Payment, card: Card) -> None:
        amount = payment.order.amount
        payment.authorized = amount - amount * (100 - card.share) // 100
        self._save_method(payment)
        tag = payment.tries[-1].tag
        if payment.order.manual:
            self._hold(payment)
        elif self._vault.behaviour.acknowledges:
            self._hold(payment)
            self._captures.begin(payment, payment.authorized, tag=tag, final=True)
        else:
            # Held and taken in one: nobody is told of a state that lasts no time.
            payment.state = State.HELD
            self._captures.begin(
                payment, payment.authorized, tag=tag, final=True, what=Happening.PAYMENT_DONE
            )

    def _hold(self, payment: Payment) -> None:
        self._turn(payment, State.HELD, Happening.PAYMENT_HELD)
        self._vault.later(HOLD_LIVES, self._lapse(payment))

    def _lapse(self, payment: Payment) -> Callable[[], None]:
        def lapse() -> None:
            if payment.state is State.HELD and payment.spoken_for == payment.taken:
                # What was taken stays taken: then only the rest is released.
                taken = bool(payment.taken)
                state = State.DONE if taken else State.LAPSED
                what = Happening.PAYMENT_DONE if taken else Happening.PAYMENT_LAPSED
                self._turn(payment, state, what)

        return lapse

    def _save_method(self, payment: Payment) -> None:
        order, vault = payment.terms, self._vault
        if order.save and order.customer is not None and payment.method is not None:
            token = order.token
            if token not in vault.methods or vault.methods[token][1] is not None:
                token = vault.new_ref("bm")
            vault.methods[token] = (payment.method, order.customer)
            vault.customers[order.customer].append(token)

    # -- canceled -------------------------------------------------------------------------------

    def cancel(self, ref: str, *, tag: str | None, refused: bool = False) -> Payment:
        """
        Release what is held, or end what was not completed.

        Args:
            refused: Whether the bank does not, where it is only acknowledged.

        Raises:
            Refused: It is over, money was taken, or a cancel is under way.
        """
        vault = self._vault
        payment = vault.payment(ref)
        if payment.state not in _CANCELABLE or payment.spoken_for:
            raise Refused("wrong_state", f"A payment that is {payment.state} cannot be canceled.")
        if payment.canceling is not None:
            raise Refused("wrong_state", "The payment is being canceled.")
        if refused and not vault.behaviour.acknowledges:
            raise Refused("cancel_refused", "The payment cannot be canceled.")
        if tag is not None:
            vault.executed[tag] += 1
            vault.name(payment, tag)
        if vault.behaviour.acknowledges:
            self._acknowledge_cancel(payment, tag, refused=refused)
        else:
            self._void(payment, tag)
        return payment

    def _acknowledge_cancel(self, payment: Payment, tag: str | None, *, refused: bool) -> None:
        vault = self._vault
        payment.canceling = tag or ""
        payment.round += 1
        payment.updated = vault.stamp()

        def decide(verdict: bool) -> None:  # noqa: FBT001 - the shape of every decision
            payment.canceling = None
            payment.round += 1
            # A capture may have been first, or the time over.
            if verdict and payment.state in _CANCELABLE and not payment.spoken_for:
                self._void(payment, tag)
            else:
                self._turn(payment, payment.state, Happening.PAYMENT_KEPT)

        vault.wait(payment, decide, planned=not refused, after=vault.behaviour.decides_after)

    def _void(self, payment: Payment, tag: str | None) -> None:
        payment.canceled_by = tag
        payment.decline = payment.secret = None
        self._turn(payment, State.VOIDED, Happening.PAYMENT_VOIDED)

    def _turn(self, payment: Payment, state: State, what: Happening) -> None:
        payment.state = state
        payment.updated = self._vault.stamp()
        self._vault.tell(what, payment)
