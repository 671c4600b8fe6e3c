# ruff: noqa: S101 - contract tests live on assert
"""Refunds and disputes: money that goes back, each movement by itself and none twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.domain.facts import DisputeStatus, RefundStatus
from payport.domain.outcomes import Certainty
from payport.domain.payment_intent import PaymentStatus
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.providers.spec import Capability
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale, facts_of
from payport.testing.bank.disputes import DISPUTED_AFTER
from payport.testing.bank.refunds import COMES_BACK_AFTER
from payport.testing.script import Declined
from payport.testing.tokens import Tokens

__all__ = ["RefundChecks"]

_SECOND: Final = timedelta(seconds=1)


class RefundChecks(Checks):
    """Giving money back, and having it taken back."""

    def paid(self, merchant: Merchant, *also: Capability, token: str = Tokens.OK) -> Sale:
        """A sale whose money was taken."""
        self.needs(Capability.REFUND, *also)
        return merchant.sale().paid(token)

    def test_a_refund_gives_the_money_back(self, merchant: Merchant) -> None:
        sale = self.paid(merchant)
        told = sale.told(sale.refunding())
        assert {r.status for r in told.refunds} <= {
            RefundStatus.SUCCEEDED,
            RefundStatus.PENDING,
        }
        sale.catch_up()
        assert sale.intent.status is PaymentStatus.SUCCEEDED, "a refund undoes no payment"
        sale.check_books(sale.amount.minor, sale.amount.minor, 0)

    def test_a_refund_carries_our_tag(self, merchant: Merchant) -> None:
        sale = self.paid(merchant)
        ask = sale.refunding()
        facts = sale.told(ask)
        assert [refund.tag for refund in facts.refunds] == [ask.key]
        assert [r.tag for payment in sale.objects for r in payment.refunds] == [ask.key]

    def test_a_refund_may_be_of_a_part(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, Capability.PARTIAL_REFUND)
        sale.done(sale.refunding(1_234))
        assert sale.intent.refundable == sale.money(sale.amount.minor - 1_234)
        sale.check_books(sale.amount.minor, 1_234)

    def test_equal_refunds_are_two_refunds(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, Capability.PARTIAL_REFUND)
        first = sale.done(sale.refunding(1_000, reference="return_1"))
        second = sale.done(sale.refunding(1_000, reference="return_2"))
        assert first.refunds[0].ref != second.refunds[0].ref
        assert len(sale.intent.refunds) == 2  # noqa: PLR2004 - as the name says
        sale.check_books(sale.amount.minor, 2_000)

    def test_a_refund_made_by_hand_is_told_and_is_not_ours(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, Capability.PARTIAL_REFUND)
        ours = sale.done(sale.refunding(1_000)).refunds[0].ref
        merchant.bank.refund(sale.reference, sale.money(1_000))
        sale.catch_up()
        tags = {r.fact.ref: r.fact.tag for r in sale.intent.refunds if r.fact is not None}
        assert [tag for ref, tag in tags.items() if ref != ours] == [None]
        sale.check_books(sale.amount.minor, 2_000)

    def test_more_than_was_taken_is_never_given_back(self, merchant: Merchant) -> None:
        sale = self.paid(merchant)
        outcome = sale.send(sale.refunding(sale.amount.minor + 1))
        if isinstance(outcome, Failure):
            assert outcome.certainty is Certainty.REJECTED
        sale.catch_up()
        assert sale.intent.refunded.is_zero
        assert sale.intent.refund_pending.is_zero
        sale.check_books(sale.amount.minor, 0, 0)

    def test_what_was_given_back_is_not_given_back_again(self, merchant: Merchant) -> None:
        sale = self.paid(merchant)
        sale.done(sale.refunding())
        sale.send(sale.refunding(reference="return_2"))
        sale.catch_up()
        sale.check_books(sale.amount.minor, sale.amount.minor)

    def test_held_money_is_not_refunded(self, merchant: Merchant) -> None:
        self.needs(Capability.REFUND, Capability.MANUAL_CAPTURE)
        sale = merchant.sale().held()
        sale.send(sale.refunding(sale.amount.minor))
        sale.catch_up()
        assert sale.intent.refunded.is_zero
        sale.check_books(0, 0, 0)

    # -- refunds that end otherwise -------------------------------------------------------------

    def test_a_refund_that_waits_is_pending_until_it_is_given(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, token=Tokens.REFUND_PENDING)
        sale.done(sale.refunding())
        assert sale.intent.refund_pending == sale.amount
        sale.check_books(sale.amount.minor, 0)
        merchant.bank.settle(sale.reference)
        sale.catch_up()
        assert sale.intent.refund_pending.is_zero
        sale.check_books(sale.amount.minor, sale.amount.minor)

    def test_a_refund_that_fails_late_is_told(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, token=Tokens.REFUND_FAILS)
        sale.done(sale.refunding())
        merchant.clock.advance(COMES_BACK_AFTER + _SECOND)
        sale.catch_up()
        assert [refund.status for refund in sale.intent.refunds] == [RefundStatus.FAILED]
        sale.check_books(sale.amount.minor, 0)

    def test_a_refund_that_comes_back_is_told(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, token=Tokens.REFUND_REVERSES)
        sale.done(sale.refunding())
        sale.check_books(sale.amount.minor, sale.amount.minor)
        merchant.clock.advance(COMES_BACK_AFTER + _SECOND)
        sale.catch_up()
        sale.check_books(sale.amount.minor, 0)

    def test_a_refund_that_the_bank_refuses_is_told_as_failed(self, merchant: Merchant) -> None:
        sale = self.paid(merchant)
        merchant.script.next("create_refund", Declined())
        outcome = sale.send(sale.refunding())
        if isinstance(outcome, Failure):
            assert outcome.certainty is Certainty.REJECTED
        sale.catch_up()
        assert sale.intent.refunded.is_zero
        assert sale.intent.refund_pending.is_zero
        sale.check_books(sale.amount.minor, 0)

    def test_a_refund_is_read_as_it_is_now(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, Capability.RETRIEVE_REFUND, token=Tokens.REFUND_PENDING)
        ref = sale.done(sale.refunding()).refunds[0].ref
        merchant.bank.settle(sale.reference)
        facts = facts_of(merchant.provider.retrieve_refund(ref, Call()), "retrieve_refund")
        assert [(r.ref, r.status) for r in facts.refunds] == [(ref, RefundStatus.SUCCEEDED)]

    def test_a_refund_that_nobody_made_is_not_found(self, merchant: Merchant) -> None:
        sale = self.paid(merchant, Capability.RETRIEVE_REFUND)
        ref = sale.done(sale.refunding()).refunds[0].ref
        assert not isinstance(merchant.provider.retrieve_refund(f"{ref}0", Call()), Answer)

    # -- disputes -------------------------------------------------------------------------------

    def test_disputed_money_is_told_as_taken_back(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid()
        merchant.bank.dispute(sale.reference, sale.money(2_000))
        sale.catch_up()
        assert [d.status for d in sale.intent.disputes] == [DisputeStatus.OPEN]
        sale.check_books(sale.amount.minor, 0, 2_000)

    def test_a_cardholder_who_disputes_is_heard_of(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid(Tokens.DISPUTE)
        merchant.clock.advance(DISPUTED_AFTER + _SECOND)
        sale.catch_up()
        sale.check_books(sale.amount.minor, 0, sale.amount.minor)

    def test_a_dispute_that_was_won_returns_the_money(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid()
        dispute = merchant.bank.dispute(sale.reference)
        sale.catch_up()
        merchant.bank.submit_evidence(dispute)
        merchant.bank.win(dispute)
        sale.catch_up()
        sale.check_books(sale.amount.minor, 0, 0)

    def test_a_dispute_that_was_won_may_be_raised_again(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid()
        dispute = merchant.bank.dispute(sale.reference)
        merchant.bank.win(dispute)
        sale.catch_up()
        merchant.bank.reopen(dispute)
        merchant.bank.lose(dispute)
        sale.catch_up()
        assert [d.status for d in sale.intent.disputes] == [DisputeStatus.LOST]
        sale.check_books(sale.amount.minor, 0, sale.amount.minor)

    def test_an_inquiry_takes_nothing(self, merchant: Merchant) -> None:
        sale = merchant.sale().paid()
        merchant.bank.dispute(sale.reference, inquiry=True)
        sale.catch_up()
        assert [d.status for d in sale.intent.disputes] == [DisputeStatus.INQUIRY]
        sale.check_books(sale.amount.minor, 0, 0)
