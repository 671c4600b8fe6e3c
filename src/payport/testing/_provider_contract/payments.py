# ruff: noqa: S101 - contract tests live on assert
"""Payments: what each kind of card does is told as it is, and nothing is told that was not so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import (
    MESSAGES,
    Decline,
    DeclineAdvice,
    DeclineReason,
    DeclineSource,
)
from payport.domain.errors import UnsupportedOperation
from payport.domain.facts import AttemptStatus
from payport.domain.frozen import FrozenMapping
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import PaymentStatus
from payport.providers.commands import ConfirmPayment
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.providers.spec import Capability
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import facts_of
from payport.testing.bank.payments import CHALLENGE_LIVES, HOLD_LIVES, PROCESSING_TAKES
from payport.testing.tokens import Tokens

__all__ = ["PaymentChecks"]

_SECOND: Final = timedelta(seconds=1)

#: What a payment with each card is, once everything that is decided at once is told.
_CARDS: Final[Mapping[str, PaymentStatus]] = {
    Tokens.OK: PaymentStatus.SUCCEEDED,
    Tokens.VISA: PaymentStatus.SUCCEEDED,
    Tokens.INSUFFICIENT_FUNDS: PaymentStatus.REQUIRES_PAYMENT_METHOD,
    Tokens.EXPIRED: PaymentStatus.REQUIRES_PAYMENT_METHOD,
    Tokens.ERROR: PaymentStatus.FAILED,
    Tokens.AUTHENTICATE: PaymentStatus.REQUIRES_ACTION,
    Tokens.AUTHENTICATE_TOKEN: PaymentStatus.REQUIRES_ACTION,
    Tokens.PROCESSING: PaymentStatus.PROCESSING,
    # What the issuer did not authorise is still due.
    Tokens.PARTIAL: PaymentStatus.REQUIRES_PAYMENT_METHOD,
}
#: What becomes of a payment that its issuer thinks about.
_DECIDED: Final[Mapping[str, PaymentStatus]] = {
    Tokens.PROCESSING: PaymentStatus.SUCCEEDED,
    Tokens.PROCESSING_FAILS: PaymentStatus.REQUIRES_PAYMENT_METHOD,
}


class PaymentChecks(Checks):
    """Making, confirming, authenticating, canceling and reading payments."""

    @pytest.mark.parametrize(("token", "status"), list(_CARDS.items()))
    def test_what_each_card_does_is_told(
        self, merchant: Merchant, token: str, status: PaymentStatus
    ) -> None:
        sale = merchant.sale().paid(token)
        assert sale.intent.status == status
        assert len(sale.objects) == 1
        sale.check_books()

    def test_a_payment_is_taken_in_full(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid()
        sale.check_books(sale.amount.minor, 0, 0)
        assert sale.intent.authorized == sale.amount

    def test_held_money_is_not_taken(self, merchant: Merchant) -> None:
        self.needs(Capability.MANUAL_CAPTURE)
        sale = merchant.sale().held()
        assert sale.intent.status is PaymentStatus.REQUIRES_CAPTURE
        assert sale.intent.authorized == sale.intent.capturable == sale.amount
        sale.check_books(0, 0, 0)

    def test_an_issuer_may_authorise_less(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.PARTIAL)
        authorized = sale.objects[0].authorized
        assert 0 < authorized < sale.amount.minor
        assert sale.intent.authorized == sale.money(authorized)
        sale.check_books(authorized)

    def test_facts_are_dated_by_the_provider(self, merchant: Merchant) -> None:
        merchant.clock.advance(timedelta(days=30))
        facts = merchant.sale().told(merchant.sale().creation())
        for fact in facts:
            assert abs(fact.at - merchant.clock.now()) <= _SECOND, "a fact is dated otherwise"

    def test_everything_that_is_made_carries_our_tag(self, merchant: Merchant) -> None:
        sale = merchant.sale()
        ask = sale.creation()
        facts = sale.told(ask)
        assert facts.tag == ask.key
        made = merchant.bank.payments_named(ask.key)
        assert [payment.order.tag for payment in made] == [ask.key]

    # -- declines -------------------------------------------------------------------------------

    @pytest.mark.parametrize("reason", list(DeclineReason))
    def test_a_decline_is_an_answer_with_its_reason(
        self, merchant: Merchant, reason: DeclineReason
    ) -> None:
        decline = _declined(merchant, reason)
        expected = merchant.harness.decline(reason)
        assert decline.reason is expected
        assert decline.raw, "the provider's own code is kept"
        assert decline.user_message in MESSAGES.values(), "the customer reads our words alone"
        if expected is not DeclineReason.UNKNOWN:
            assert decline.source is not DeclineSource.UNKNOWN
            assert decline.advice is not DeclineAdvice.UNKNOWN

    # -- the customer has to do something -------------------------------------------------------

    def test_an_authentication_on_a_page_brings_its_address(self, merchant: Merchant) -> None:
        sale = merchant.sale()
        sale.told(sale.creation(Tokens.AUTHENTICATE))
        action = sale.intent.next_action
        assert isinstance(action, Redirect)
        assert action.url is not None
        assert action.url.startswith("https://")

    def test_an_authentication_in_the_shop_brings_its_token(self, merchant: Merchant) -> None:
        sale = merchant.sale()
        sale.told(sale.creation(Tokens.AUTHENTICATE_TOKEN))
        action = sale.intent.next_action
        assert isinstance(action, ClientToken)
        assert action.token

    def test_what_the_customer_needs_is_told_again(self, merchant: Merchant) -> None:
        """It is never stored, so whoever lost it has to be able to ask."""
        sale = merchant.sale()
        ask = sale.creation(merchant.challenge)
        first = sale.told(ask).attempts[0].next_action
        if Capability.RETRIEVE_PAYMENT in self.lacks:
            again = sale.told(ask).attempts[0].next_action
        else:
            again = sale.read().attempts[0].next_action
        assert _needed(first)
        assert _needed(again) == _needed(first)

    def test_an_authenticated_payment_is_taken(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.AUTHENTICATE)
        merchant.bank.authenticate(sale.reference)
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        sale.check_books(sale.amount.minor)

    def test_what_an_action_brought_is_handed_in_where_the_provider_takes_it(
        self, merchant: Merchant
    ) -> None:
        sale = merchant.sale().paid(Tokens.AUTHENTICATE)
        ask = sale.confirmation(Tokens.AUTHENTICATE)
        takes = merchant.spec.takes_action_results
        brought = merchant.harness.action_result(sale.reference) if takes else {"result": "it"}
        command = ask.command
        assert isinstance(command, ConfirmPayment)
        command = replace(command, action_result=FrozenMapping(brought))
        ask = replace(ask, command=command)
        if not takes:
            before = len(merchant.sent)
            with pytest.raises(UnsupportedOperation):
                sale.send(ask)
            assert len(merchant.sent) == before, "it was refused after something was sent"
            return
        assert not merchant.provider.render(ask.command, ask.key).storable, "it works once"
        for _ in range(2):
            sale.done(ask)
            assert sale.intent.status is PaymentStatus.SUCCEEDED
        assert len(sale.objects) == len(sale.intent.attempts) == 1
        sale.check_books(sale.amount.minor)

    def test_a_failed_authentication_is_a_decline(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.AUTHENTICATE)
        merchant.bank.authenticate(sale.reference, ok=False)
        sale.catch_up()
        expected = merchant.harness.decline(DeclineReason.AUTHENTICATION_FAILED)
        assert sale.intent.decline is not None
        assert sale.intent.decline.reason is expected
        sale.check_books(0)

    def test_an_issuer_may_decline_after_authentication(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.AUTHENTICATE_DECLINED)
        merchant.bank.authenticate(sale.reference)
        sale.catch_up()
        assert sale.intent.decline is not None
        sale.check_books(0)

    def test_an_authentication_that_nobody_ends_takes_nothing(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.AUTHENTICATE)
        merchant.clock.advance(CHALLENGE_LIVES + _SECOND)
        sale.catch_up()
        assert sale.intent.status is not PaymentStatus.REQUIRES_ACTION
        sale.check_books(0)

    def test_the_customers_absence_is_told_to_the_issuer(self, merchant: Merchant) -> None:
        self.needs(Capability.OFF_SESSION)
        sale = merchant.sale()
        sale.told(sale.creation(Tokens.AUTHENTICATE, off_session=True))
        assert sale.intent.decline is not None
        assert sale.intent.decline.reason is DeclineReason.AUTHENTICATION_REQUIRED

    def test_a_saved_method_is_charged_while_the_customer_is_absent(
        self, merchant: Merchant
    ) -> None:
        self.needs(Capability.SAVE_PAYMENT_METHOD, Capability.OFF_SESSION)
        customer = merchant.bank.add_customer()
        merchant.sale().paid(customer=customer, save_payment_method=True)
        (saved,) = merchant.bank.methods(customer)
        later = merchant.sale().paid(saved, customer=customer, off_session=True)
        later.check_books(later.amount.minor)

    # -- what is decided later ------------------------------------------------------------------

    @pytest.mark.parametrize(("token", "status"), list(_DECIDED.items()))
    def test_what_an_issuer_decides_later_is_told(
        self, merchant: Merchant, token: str, status: PaymentStatus
    ) -> None:
        sale = merchant.sale().paid(token)
        assert sale.intent.status is PaymentStatus.PROCESSING
        merchant.clock.advance(PROCESSING_TAKES + _SECOND)
        sale.catch_up()
        assert sale.intent.status is status
        sale.check_books()

    def test_money_that_is_held_too_long_is_released(self, merchant: Merchant) -> None:
        self.needs(Capability.MANUAL_CAPTURE)
        sale = merchant.sale().held()
        merchant.clock.advance(HOLD_LIVES + _SECOND)
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.CANCELED
        sale.check_books(0)

    # -- confirming -----------------------------------------------------------------------------

    def test_a_payment_that_nobody_confirmed_moves_nothing(self, merchant: Merchant) -> None:
        self.needs(Capability.CREATE_UNCONFIRMED)
        sale = merchant.sale()
        sale.done(sale.creation(confirm=False))
        assert sale.intent.status is PaymentStatus.REQUIRES_CONFIRMATION
        sale.check_books(0, 0, 0)

    def test_a_payment_without_a_method_asks_for_one(self, merchant: Merchant) -> None:
        self.needs(Capability.CREATE_UNCONFIRMED)
        sale = merchant.sale()
        sale.done(sale.creation(None, confirm=False))
        assert sale.intent.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
        assert sale.intent.decline is None, "nobody declined anything"

    def test_confirming_charges_the_object_that_was_made(self, merchant: Merchant) -> None:
        self.needs(Capability.CREATE_UNCONFIRMED)
        sale = merchant.sale()
        sale.done(sale.creation(None, confirm=False))
        sale.done(sale.confirmation())
        assert len(sale.objects) == 1, "a second chargeable object was made"
        sale.check_books(sale.amount.minor)

    def test_confirming_without_an_object_makes_one(self, merchant: Merchant) -> None:
        sale = merchant.sale()
        ask = sale.confirmation(anew=True)
        assert sale.done(ask).tag == ask.key
        sale.check_books(sale.amount.minor)

    def test_a_declined_object_is_tried_again_with_another_card(self, merchant: Merchant) -> None:
        self.needs(Capability.RECONFIRM)
        sale = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS)
        sale.done(sale.confirmation(attempt=2))
        assert len(sale.objects) == 1, "a second chargeable object was made"
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        assert sale.intent.decline is None
        sale.check_books(sale.amount.minor)

    def test_two_declines_of_one_object_are_told_apart(self, merchant: Merchant) -> None:
        self.needs(Capability.RECONFIRM)
        sale = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS)
        first = sale.intent.attempts[0]
        sale.done(sale.confirmation(Tokens.INSUFFICIENT_FUNDS, attempt=2))
        assert sale.intent.attempts[0].try_ref != first.try_ref

    # -- canceling ------------------------------------------------------------------------------

    def test_a_cancel_releases_what_is_held(self, merchant: Merchant) -> None:
        self.needs(Capability.MANUAL_CAPTURE, Capability.CANCEL)
        sale = merchant.sale().held()
        told = sale.told(sale.cancellation())
        assert {a.status for a in told.attempts} <= {
            AttemptStatus.CANCELED,
            AttemptStatus.PROCESSING,
        }
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.CANCELED
        assert sale.intent.capturable.is_zero
        sale.check_books(0, 0, 0)

    def test_a_cancel_after_the_money_was_taken_changes_nothing(self, merchant: Merchant) -> None:
        self.needs(Capability.CANCEL)
        sale = merchant.sale().paid()
        sale.send(sale.cancellation())
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        sale.check_books(sale.amount.minor, 0, 0)

    # -- reading --------------------------------------------------------------------------------

    def test_reading_tells_all_that_happened(self, merchant: Merchant) -> None:
        self.needs(Capability.RETRIEVE_PAYMENT, Capability.PARTIAL_REFUND)
        sale = merchant.sale().paid()
        sale.done(sale.refunding(1_200))
        merchant.bank.dispute(sale.reference, sale.money(700))
        fresh = merchant.sale(sale.amount)
        fresh.keys, fresh.reference = sale.keys, sale.reference
        fresh.learn(facts_of(merchant.provider.retrieve_payment(sale.ref, Call()), "retrieve"))
        fresh.check_books(sale.amount.minor, 1_200, 700)

    def test_a_payment_that_nobody_made_is_not_found(self, merchant: Merchant) -> None:
        self.needs(Capability.RETRIEVE_PAYMENT)
        ref = merchant.sale().paid().ref
        absent = merchant.provider.retrieve_payment(f"{ref}0", Call())
        assert isinstance(absent, Failure)
        assert absent.kind is FailureKind.NOT_FOUND


def _needed(action: object) -> str | None:
    """What a customer cannot go on without."""
    if isinstance(action, ClientToken):
        return action.token
    return action.url if isinstance(action, Redirect) else None


def _declined(merchant: Merchant, reason: DeclineReason) -> Decline:
    sale = merchant.sale()
    outcome = sale.send(sale.creation(Tokens.declined(reason)))
    assert isinstance(outcome, Answer), f"a decline is an answer, and this is {outcome}"
    if merchant.bank.behaviour.pages:
        sale.catch_up()  # the customer is declined on the provider's page
    else:
        assert [one.status for one in outcome.facts.attempts] == [AttemptStatus.DECLINED]
    assert [attempt.status for attempt in sale.intent.attempts] == [AttemptStatus.DECLINED]
    sale.check_books(0)
    decline = sale.intent.decline
    assert decline is not None, "the decline is not told"
    return decline
