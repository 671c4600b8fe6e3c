from __future__ import annotations

import pytest
from fake_calls import DOLLARS, capturing, deliveries, failed, paid, read, refunding, told

from payport.domain.facts import DisputeStatus
from payport.domain.money import Money
from payport.testing import FakeProvider, Fees, Refused
from payport.testing.bank.bank import Bank


@pytest.fixture
def fake():
    return FakeProvider()


@pytest.fixture
def ref(fake):
    return paid(fake)


def stands(fake, ref):
    """The dispute's status as told, and what moved."""
    return read(fake, ref).disputes[-1].status, fake.bank.moved(ref).minor


def test_a_dispute_takes_the_money_and_a_won_one_returns_it(fake, ref):
    dispute = fake.bank.dispute(ref)
    assert stands(fake, ref) == (DisputeStatus.OPEN, 0)

    fake.bank.submit_evidence(dispute)
    assert stands(fake, ref) == (DisputeStatus.UNDER_REVIEW, 0)

    fake.bank.win(dispute)
    assert stands(fake, ref) == (DisputeStatus.WON, 5000)


def test_a_lost_dispute_keeps_the_money(fake, ref):
    fake.bank.lose(fake.bank.dispute(ref, Money(2000, "USD"), reason="product_not_received"))

    assert stands(fake, ref) == (DisputeStatus.LOST, 3000)
    (dispute,) = read(fake, ref).disputes
    assert ("product_not_received", Money(2000, "USD")) == (dispute.reason_code, dispute.amount)


def test_a_won_dispute_may_be_raised_again(fake, ref):
    dispute = fake.bank.dispute(ref)
    fake.bank.win(dispute)

    fake.bank.reopen(dispute)

    assert stands(fake, ref) == (DisputeStatus.OPEN, 0)


def test_a_lost_dispute_may_be_reversed_or_raised_again(fake, ref):
    dispute = fake.bank.dispute(ref)
    fake.bank.lose(dispute)
    fake.bank.reopen(dispute)
    assert stands(fake, ref) == (DisputeStatus.OPEN, 0)
    fake.bank.lose(dispute)

    fake.bank.win(dispute)

    assert stands(fake, ref) == (DisputeStatus.WON, 5000)


def test_an_inquiry_takes_nothing_and_may_end_so(fake, ref):
    inquiry = fake.bank.dispute(ref, inquiry=True)
    assert stands(fake, ref) == (DisputeStatus.INQUIRY, 5000)

    fake.bank.close_inquiry(inquiry)

    assert stands(fake, ref) == (DisputeStatus.INQUIRY_CLOSED, 5000)


def test_an_inquiry_may_become_a_dispute(fake, ref):
    fake.bank.reopen(fake.bank.dispute(ref, inquiry=True))

    assert stands(fake, ref) == (DisputeStatus.OPEN, 0)


@pytest.mark.parametrize("verb", ["submit_evidence", "win", "lose"])
def test_an_inquiry_that_ended_goes_nowhere(fake, ref, verb):
    inquiry = fake.bank.dispute(ref, inquiry=True)
    fake.bank.close_inquiry(inquiry)

    with pytest.raises(Refused, match="answered"):
        getattr(fake.bank, verb)(inquiry)


def test_there_has_to_be_a_dispute(fake):
    with pytest.raises(Refused, match="no such dispute"):
        fake.bank.win("bd_000009")


def test_money_is_not_given_back_twice(fake, ref):
    fake.bank.dispute(ref, Money(4500, "USD"))

    assert failed(fake, refunding(ref, 501)).code == "refund_too_large"
    told(fake, refunding(ref, 500))
    with pytest.raises(Refused, match="still there"):
        fake.bank.dispute(ref, Money(1, "USD"))


def test_a_dispute_is_not_raised_again_over_money_that_was_given_back(fake, ref):
    dispute = fake.bank.dispute(ref)
    fake.bank.win(dispute)
    told(fake, refunding(ref, 1))

    with pytest.raises(Refused, match="not there any more"):
        fake.bank.reopen(dispute)

    assert fake.bank.moved(ref).minor == 4999


def test_a_holder_who_got_the_money_back_does_not_dispute(fake):
    ref = paid(fake, "pm_card_dispute")
    told(fake, refunding(ref, 5000))

    fake.clock.advance(24 * 3600)

    assert fake.bank.disputes == ()


def test_a_test_may_keep_the_holder_from_disputing(fake):
    ref = paid(fake, "pm_card_dispute")

    fake.bank.settle(ref, ok=True)
    fake.clock.advance(10 * 24 * 3600)

    assert fake.bank.disputes == ()


def test_captured_money_does_not_come_back_after_it_was_given_back(fake):
    ref = paid(fake, "pm_card_capture_fails")
    told(fake, refunding(ref, 1))

    fake.clock.advance(2 * 24 * 3600)

    assert fake.bank.charged(ref) == DOLLARS


def test_captured_money_stays_if_a_test_says_so(fake):
    ref = paid(fake, "pm_card_capture_fails", manual=True)
    told(fake, capturing(ref))

    fake.bank.settle(ref, ok=True)
    fake.clock.advance(2 * 24 * 3600)

    assert fake.bank.charged(ref) == DOLLARS


def test_a_refund_stays_given_if_a_test_says_so(fake):
    ref = paid(fake, "pm_card_refund_reverses")
    told(fake, refunding(ref))

    fake.bank.settle(ref, ok=True)
    fake.clock.advance(2 * 24 * 3600)

    assert Money(1000, "USD") == fake.bank.refunded(ref)


def test_two_decisions_of_one_dispute_in_one_second_are_ranked(fake, ref):
    dispute = fake.bank.dispute(ref)
    fake.bank.win(dispute)
    fake.bank.reopen(dispute)

    told_of = [d.facts.disputes[0] for d in deliveries(fake) if d.facts.disputes]

    assert [f.rank for f in told_of] == [0, 1, 2]


def test_a_dispute_costs_a_fee_each_time_it_takes_money():
    bank = Bank(fees=Fees(basis_points=0, fixed=0, dispute=700))
    ref = bank.charge(DOLLARS)

    dispute = bank.dispute(ref)
    bank.win(dispute)
    bank.reopen(dispute)

    assert bank.balance().minor == -1400
