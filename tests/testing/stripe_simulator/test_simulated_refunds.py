"""Refunds, disputes and the balance on the wire."""

import pytest

from payport import Money
from payport.testing import Declined
from payport.testing.bank.refunds import COMES_BACK_AFTER


def test_refunds_add_up_to_what_was_taken_and_no_more(shop):
    paid = shop.pay()
    first = shop.post(
        "refunds",
        key="r1",
        payment_intent=paid["id"],
        amount=500,
        reason="duplicate",
        **{"metadata[return]": "return_1"},
    )
    assert (first["status"], first["amount"]) == ("succeeded", 500)
    assert (first["reason"], first["metadata"]) == ("duplicate", {"return": "return_1"})
    answer = shop.send("POST", "refunds", payment_intent=paid["id"], amount=1_501)
    error = shop.refuses(answer, 400, "amount_too_large")
    assert "$15.00" in error["message"]
    rest = shop.post("refunds", charge=paid["latest_charge"])
    assert rest["amount"] == 1_500
    again = shop.send("POST", "refunds", payment_intent=paid["id"])
    shop.refuses(again, 400, "charge_already_refunded")
    charge = shop.get(f"charges/{paid['latest_charge']}", **{"expand[]": "refunds"})
    assert charge["refunded"]
    assert [refund["id"] for refund in charge["refunds"]["data"]] == [rest["id"], first["id"]]
    assert shop.bank.refunded("return_1") == Money(2_000, "USD")
    assert shop.bank.effects("r1") == 1


def test_refunds_are_read_listed_and_changed(shop):
    paid, other = shop.pay(), shop.pay()
    refund = shop.post("refunds", payment_intent=paid["id"], amount=100)
    shop.post("refunds", payment_intent=other["id"])
    assert shop.get(f"refunds/{refund['id']}") == refund
    listed = shop.get("refunds", payment_intent=paid["id"])["data"]
    assert [one["id"] for one in listed] == [refund["id"]]
    assert shop.get("refunds", charge=paid["latest_charge"])["data"] == listed
    changed = shop.post(f"refunds/{refund['id']}", **{"metadata[a]": "1"})
    assert changed["metadata"] == {"a": "1"}
    assert len(shop.get("refunds")["data"]) == 2


def test_what_was_not_taken_is_not_refunded(shop):
    held = shop.hold()
    answer = shop.send("POST", "refunds", payment_intent=held["id"])
    shop.refuses(answer, 400, "charge_not_refundable")
    shop.refuses(shop.send("POST", "refunds", amount=5), 400, "parameter_missing")
    missing = shop.send("POST", "refunds", payment_intent="pi_nothing")
    shop.refuses(missing, 404, "resource_missing")
    shop.refuses(shop.send("POST", "refunds", charge="ch_x"), 404, "resource_missing")
    shop.refuses(shop.send("GET", "refunds/re_x"), 404, "resource_missing")
    for fields in ({"payment_intent": "pi_x"}, {"charge": "ch_x"}):
        shop.refuses(shop.send("GET", "refunds", **fields), 404, "resource_missing")
    paid = shop.pay()
    both = {"charge": paid["latest_charge"], "payment_intent": held["id"]}
    shop.refuses(shop.send("POST", "refunds", **both), 400, "parameters_exclusive")
    for name in ("origin", "reverse_transfer"):
        value = "customer_balance" if name == "origin" else "true"
        answer = shop.send("POST", "refunds", payment_intent=paid["id"], **{name: value})
        assert shop.refuses(answer, 400, answer.json()["error"].get("code"))["param"] == name


def test_a_refund_that_comes_back_is_told(shop):
    paid = shop.pay("pm_card_refundFail")
    refund = shop.post("refunds", payment_intent=paid["id"])
    assert refund["status"] == "succeeded"
    assert shop.told()[-2:] == ["refund.created", "charge.refunded"]
    shop.simulator.clock.advance(COMES_BACK_AFTER)
    after = shop.get(f"refunds/{refund['id']}")
    assert after["status"] == "failed"
    assert after["failure_reason"] == "expired_or_canceled_card"
    assert after["failure_balance_transaction"] != after["balance_transaction"]
    assert shop.told() == ["refund.failed", "refund.updated", "charge.refund.updated"]
    assert shop.bank.refunded(paid["id"]) == Money(0, "USD")


def test_a_pending_refund_is_decided_later(shop):
    paid = shop.pay("pm_card_pendingRefund")
    refund = shop.post("refunds", payment_intent=paid["id"])
    assert (refund["status"], refund["balance_transaction"]) == ("pending", None)
    assert shop.told()[-2:] == ["refund.created", "charge.refunded"]
    shop.bank.settle(refund["id"])
    assert shop.get(f"refunds/{refund['id']}")["status"] == "succeeded"
    assert shop.told() == ["refund.updated", "charge.refund.updated"]


def test_a_scripted_decline_fails_the_refund(shop):
    paid = shop.pay()
    shop.simulator.next("create_refund", Declined())
    refund = shop.post("refunds", payment_intent=paid["id"])
    assert (refund["status"], refund["failure_reason"]) == ("failed", "declined")
    assert shop.bank.refunded(paid["id"]) == Money(0, "USD")


def test_a_dispute_takes_the_money_and_forbids_refunds(shop):
    paid = shop.pay("pm_card_createDispute")
    shop.told()
    ref = shop.bank.dispute(paid["id"])
    (dispute,) = shop.get("disputes", payment_intent=paid["id"])["data"]
    assert dispute == shop.get(f"disputes/{dispute['id']}")
    assert (dispute["status"], dispute["amount"]) == ("needs_response", 2_000)
    assert dispute["balance_transactions"][0]["fee"] == 1_500
    assert shop.get(f"charges/{paid['latest_charge']}")["disputed"]
    answer = shop.send("POST", "refunds", payment_intent=paid["id"])
    shop.refuses(answer, 400, "charge_disputed")
    shop.bank.submit_evidence(ref)
    shop.bank.win(ref)
    assert shop.get(f"disputes/{dispute['id']}")["status"] == "won"
    assert shop.told() == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_an_inquiry_takes_nothing(shop):
    paid = shop.pay()
    ref = shop.bank.dispute(paid["id"], inquiry=True)
    (dispute,) = shop.get("disputes", charge=paid["latest_charge"])["data"]
    assert (dispute["status"], dispute["is_charge_refundable"]) == ("warning_needs_response", True)
    shop.bank.close_inquiry(ref)
    assert shop.get(f"disputes/{dispute['id']}")["status"] == "warning_closed"


@pytest.mark.parametrize("lost", [True, False])
def test_the_balance_is_the_sum_of_its_transactions(shop, lost):
    paid = shop.pay("pm_card_refundFail")
    shop.post("refunds", payment_intent=paid["id"], amount=300)
    shop.simulator.clock.advance(COMES_BACK_AFTER)
    dispute = shop.bank.dispute(paid["id"])
    (shop.bank.lose if lost else shop.bank.win)(dispute)
    other = shop.pay(amount=9_999)
    shop.bank.pay_out()
    shop.pay()
    listed = shop.get("balance_transactions", limit=100)["data"]
    (pending,) = shop.get("balance")["pending"]
    assert sum(one["net"] for one in listed) == pending["amount"] == shop.bank.balance().minor
    assert len({one["id"] for one in listed}) == len(listed)
    of_charge = shop.get("balance_transactions", source=other["latest_charge"])["data"]
    assert [one["amount"] for one in of_charge] == [9_999]
    one = shop.get(f"balance_transactions/{of_charge[0]['id']}", **{"expand[]": "source"})
    assert one["source"]["id"] == other["latest_charge"]
    assert "payout.paid" in shop.told()
