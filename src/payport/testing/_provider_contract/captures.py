# ruff: noqa: S101 - contract tests live on assert
"""Captures: held money is taken as often and as much as was asked, and never more than is held."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.domain.facts import CaptureStatus
from payport.domain.outcomes import Certainty
from payport.domain.payment_intent import PaymentStatus
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing.bank.captures import BOUNCES_AFTER
from payport.testing.script import Declined
from payport.testing.tokens import Tokens

__all__ = ["CaptureChecks"]

_SECOND: Final = timedelta(seconds=1)


class CaptureChecks(Checks):
    """Taking held money."""

    def held(self, merchant: Merchant, *also: Capability) -> Sale:
        """A sale whose money is held."""
        self.needs(Capability.MANUAL_CAPTURE, *also)
        return merchant.sale().held()

    def test_a_capture_takes_what_is_held(self, merchant: Merchant) -> None:
        sale = self.held(merchant)
        told = sale.told(sale.taking())
        assert {c.status for c in told.captures} <= {
            CaptureStatus.SUCCEEDED,
            CaptureStatus.PENDING,
        }
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        sale.check_books(sale.amount.minor, 0, 0)

    def test_a_capture_carries_our_tag(self, merchant: Merchant) -> None:
        sale = self.held(merchant)
        ask = sale.taking()
        facts = sale.told(ask)
        assert [capture.tag for capture in facts.captures] == [ask.key]
        assert ask.key in {c.tag for payment in sale.objects for c in payment.captures}

    def test_a_final_capture_of_less_releases_the_rest(self, merchant: Merchant) -> None:
        sale = self.held(merchant, Capability.PARTIAL_CAPTURE)
        sale.done(sale.taking(1_999))
        assert sale.intent.capturable.is_zero
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        sale.check_books(1_999)

    def test_what_a_capture_leaves_can_still_be_captured(self, merchant: Merchant) -> None:
        sale = self.held(merchant, Capability.MULTIPLE_CAPTURES)
        sale.done(sale.taking(1_000, final=False, reference="first"))
        assert sale.intent.status is PaymentStatus.REQUIRES_CAPTURE
        assert sale.intent.capturable == sale.money(sale.amount.minor - 1_000)
        sale.check_books(1_000)

    def test_equal_captures_are_two(self, merchant: Merchant) -> None:
        sale = self.held(merchant, Capability.MULTIPLE_CAPTURES)
        sale.done(sale.taking(1_000, final=False, reference="first"))
        sale.done(sale.taking(1_000, final=False, reference="second"))
        sale.check_books(2_000)

    def test_captures_add_up_to_the_whole(self, merchant: Merchant) -> None:
        sale = self.held(merchant, Capability.MULTIPLE_CAPTURES)
        for part in ("first", "second"):
            sale.done(sale.taking(1_500, final=False, reference=part))
        sale.done(sale.taking())
        assert sale.intent.status is PaymentStatus.SUCCEEDED
        sale.check_books(sale.amount.minor)

    def test_more_than_is_held_is_never_taken(self, merchant: Merchant) -> None:
        sale = self.held(merchant)
        outcome = sale.send(sale.taking(sale.amount.minor + 1))
        if isinstance(outcome, Failure):
            assert outcome.certainty is Certainty.REJECTED
        sale.catch_up()
        assert sale.intent.captured.is_zero
        sale.check_books(0, 0, 0)

    def test_a_capture_that_the_bank_refuses_is_told_as_failed(self, merchant: Merchant) -> None:
        sale = self.held(merchant)
        merchant.script.next("capture_payment", Declined())
        outcome = sale.send(sale.taking())
        if isinstance(outcome, Failure):
            assert outcome.certainty is Certainty.REJECTED
        sale.catch_up()
        assert sale.intent.captured.is_zero
        assert sale.intent.capture_pending.is_zero
        sale.check_books(0)

    def test_captured_money_that_comes_back_is_told(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.CAPTURE_FAILS)
        sale.check_books(sale.amount.minor)
        merchant.clock.advance(BOUNCES_AFTER + _SECOND)
        sale.catch_up()
        assert not sale.intent.is_paid
        sale.check_books(0)

    def test_a_capture_of_nothing_held_takes_nothing(self, merchant: Merchant) -> None:
        sale = self.held(merchant, Capability.CANCEL)
        ask = sale.taking()
        sale.done(sale.cancellation())
        sale.send(ask)
        sale.catch_up()
        assert sale.intent.captured.is_zero
        sale.check_books(0)
