"""Evidence: what was made is found by its tag, and what nobody did is not found."""

from __future__ import annotations

from typing import Any

import pytest
from stripe_help import (
    MOMENT,
    TAG,
    Ran,
    adapter,
    answer,
    canceling,
    capturing,
    charge,
    confirming,
    creating,
    declined,
    error,
    held,
    listing,
    payment,
    refund,
    refunding,
    unpaid,
)

from payport.domain.money import Money
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.commands import Lookup
from payport.providers.outcomes import Answer, Failure

OTHER = {"metadata": {"payport_key": "pp1_of_somebody_else"}}


def finding(command: Any, *answers: Any) -> Ran:
    ref = getattr(command, "payment_ref", None)
    lookup = Lookup(key=TAG, command=command, payment_ref=ref)
    return Ran(adapter().find(lookup), *answers)


def check_absent(one: Ran) -> None:
    assert isinstance(one.outcome, Failure)
    assert one.outcome.kind is FailureKind.NOT_FOUND
    assert one.outcome.certainty is Certainty.UNKNOWN


# -- what is made ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [creating(), confirming(None)], ids=["create", "anew"])
def test_a_payment_is_found_among_the_newest(command: Any) -> None:
    ours = payment(latest_charge=charge())
    one = finding(command, answer(listing(payment(id="pi_9", **OTHER), ours)))
    assert isinstance(one.outcome, Answer)
    assert (one.facts.attempt_ref, one.facts.tag) == ("pi_1", TAG)
    assert one.attempt.at == MOMENT
    assert one.targets == ["GET /v1/payment_intents?limit=100&expand[0]=data.latest_charge"]


def test_a_customers_payments_are_looked_through_alone() -> None:
    one = finding(creating(customer="cus_1"), answer(listing(payment())))
    assert one.targets[0].startswith("GET /v1/payment_intents?customer=cus_1&")


def test_some_pages_are_looked_through_and_then_it_is_searched() -> None:
    page = answer(listing(payment(id="pi_8", **OTHER), payment(id="pi_9", **OTHER), more=True))
    # A search may tell how something looked long ago: it is read anew.
    old, now = unpaid("requires_confirmation"), payment(latest_charge=charge())
    one = finding(creating(), page, page, page, answer(listing(old)), answer(now))
    assert [target.partition("?")[0] for target in one.targets] == [
        *["GET /v1/payment_intents"] * 3,
        "GET /v1/payment_intents/search",
        "GET /v1/payment_intents/pi_1",
    ]
    assert "starting_after=pi_9" in one.targets[1]
    assert TAG in one.targets[3]
    assert one.attempt.status == "succeeded"


def test_an_equal_payment_without_our_tag_is_not_ours() -> None:
    same = payment(metadata={"payport_reference": "order_1"})
    check_absent(finding(creating(), answer(listing(same)), answer(listing())))


@pytest.mark.parametrize("command", [creating(), refunding()], ids=["create", "refund"])
def test_a_listing_that_fails_is_a_failure(command: Any) -> None:
    refused = answer(error(None), 403)
    assert finding(command, refused).outcome.kind is FailureKind.PERMISSION
    garbled = answer({"data": "none"})
    assert finding(command, garbled).outcome.kind is FailureKind.UNKNOWN


def test_a_search_that_is_refused_is_a_failure() -> None:
    """It is not offered everywhere."""
    one = finding(creating(), answer(listing()), answer(error(None), 400))
    assert isinstance(one.outcome, Failure)


def test_a_refund_is_found_by_its_tag() -> None:
    equal = refund(id="re_9", **OTHER)
    one = finding(refunding(), answer(listing(equal, more=True)), answer(listing(refund())))
    assert [r.ref for r in one.facts.refunds] == ["re_1"]
    assert one.facts.tag == TAG
    check_absent(finding(refunding(), answer(listing(equal, refund(metadata={})))))


# -- what is changed ------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [held(), payment(), unpaid("requires_action"), declined()])
def test_a_first_confirmation_is_found_by_what_it_changed(told: Any) -> None:
    assert isinstance(finding(confirming(), answer(told)).outcome, Answer)


@pytest.mark.parametrize(
    "told",
    [
        unpaid(),
        unpaid("requires_confirmation"),
        unpaid("canceled"),
        unpaid("canceled", cancellation_reason="expired"),
        unpaid("something_new"),
    ],
)
def test_what_others_may_have_done_does_not_show_a_confirmation(told: Any) -> None:
    check_absent(finding(confirming(), answer(told)))


def test_an_old_decline_does_not_show_another_try() -> None:
    check_absent(finding(confirming(attempt=2), answer(declined())))
    assert isinstance(finding(confirming(attempt=2), answer(payment())).outcome, Answer)


def test_a_capture_is_found_by_its_tag_and_its_money() -> None:
    tags = {"metadata": {"payport_capture": TAG}}
    one = finding(capturing(), answer(payment(**tags)))
    assert [c.tag for c in one.facts.captures] == [TAG]
    # A tag may be there though the bank refused; another's money may be there without our tag.
    check_absent(finding(capturing(), answer(held(**tags))))
    check_absent(finding(capturing(), answer(held(amount_received=1_000, **tags))))
    check_absent(finding(capturing(), answer(payment(metadata={"payport_capture": "pp1_other"}))))
    part = capturing(Money(1_000, "USD"))
    assert isinstance(finding(part, answer(held(amount_received=1_000, **tags))).outcome, Answer)


def test_a_cancel_is_found_by_its_end() -> None:
    for reason in (None, "requested_by_customer", "automatic"):
        gone = unpaid("canceled", cancellation_reason=reason)
        assert isinstance(finding(canceling(), answer(gone)).outcome, Answer)
    check_absent(finding(canceling(), answer(held())))


def test_a_payment_that_cannot_be_read_shows_nothing() -> None:
    for command in (confirming(), capturing(), canceling()):
        outcome = finding(command, answer(error(None), 401)).outcome
        assert outcome.kind is FailureKind.AUTHENTICATION
