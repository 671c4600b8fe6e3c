"""Captures, cancels, reversals and refunds: acknowledged, decided later, told by webhooks."""

from datetime import timedelta

import pytest
from simulated_adyen import Shop, card, euros

from payport import Money
from payport.testing import As, Declined
from payport.testing.tokens import Tokens


def only(shop):
    """The one item that is told of a modification; the authorisation is left out."""
    (item,) = [item for item in shop.items() if item["eventCode"] != "AUTHORISATION"]
    return item


def test_a_capture_is_received_and_then_told(shop):
    held = shop.hold()
    asked = shop.modify("captures", held["pspReference"], amount=euros(1_000), reference="cap_1")
    assert asked["paymentPspReference"] == held["pspReference"]
    assert asked["reference"] == "cap_1"
    assert asked["amount"] == euros(1_000)
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CAPTURE", "true")
    assert item["pspReference"] == asked["pspReference"] != held["pspReference"]
    assert item["originalReference"] == held["pspReference"]
    assert item["merchantReference"] == "cap_1"
    assert shop.bank.charged("order_1") == Money(1_000, "EUR")
    assert shop.bank.payment(asked["pspReference"]) is shop.bank.payment("order_1")


def test_a_modification_without_a_reference_is_told_with_the_payments(shop):
    held = shop.hold(reference="order_9")
    asked = shop.modify("captures", held["pspReference"], amount=euros(1_000))
    assert "reference" not in asked
    assert only(shop)["merchantReference"] == "order_9"


@pytest.mark.parametrize("ok", [True, False])
def test_modifications_wait_until_they_are_decided(ok):
    shop = Shop(decides_after=timedelta(days=1))
    held = shop.hold()
    asked = shop.modify("captures", held["pspReference"], amount=euros(1_000))
    assert shop.told() == [("AUTHORISATION", True)]
    shop.bank.settle(asked["pspReference"], ok=ok)
    item = only(shop)
    assert item["success"] == ("true" if ok else "false")
    assert shop.bank.charged("order_1").minor == (1_000 if ok else 0)
    shop.simulator.clock.advance(timedelta(days=2))
    assert shop.told() == []


def test_the_first_capture_releases_the_rest_unless_the_account_takes_several(shop):
    held = shop.hold()
    shop.modify("captures", held["pspReference"], amount=euros(400))
    shop.modify("captures", held["pspReference"], amount=euros(400))
    items = [item for item in shop.items() if item["eventCode"] == "CAPTURE"]
    assert [item["success"] for item in items] == ["true", "false"]
    assert items[1]["reason"]
    assert shop.bank.charged("order_1") == Money(400, "EUR")
    several = Shop(several_captures=True)
    held = several.hold()
    for amount in (400, 400, 200):
        several.modify("captures", held["pspReference"], amount=euros(amount))
    assert several.bank.charged("order_1") == Money(1_000, "EUR")
    assert [ok for event, ok in several.told() if event == "CAPTURE"] == [True] * 3


def test_what_is_left_of_several_captures_expires():
    shop = Shop(several_captures=True)
    held = shop.hold()
    shop.modify("captures", held["pspReference"], amount=euros(400))
    shop.simulator.clock.advance(timedelta(days=8))
    events = [event for event, _ in shop.told()]
    assert events == ["AUTHORISATION", "CAPTURE", "EXPIRE"]
    assert shop.bank.charged("order_1") == Money(400, "EUR")


@pytest.mark.parametrize("amount", [1_001, 5_000])
def test_more_than_was_held_is_acknowledged_and_not_taken(shop, amount):
    held = shop.hold()
    asked = shop.modify("captures", held["pspReference"], amount=euros(amount), reference="cap")
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CAPTURE", "false")
    assert item["reason"] == "Insufficient balance on payment"
    assert item["pspReference"] == asked["pspReference"]
    assert item["merchantReference"] == "cap"
    assert item["amount"] == euros(amount)
    assert shop.bank.charged("order_1") == Money(0, "EUR")


def test_a_capture_may_come_back(shop):
    held = shop.hold(card(holderName="capture failed"))
    asked = shop.modify("captures", held["pspReference"], amount=euros(1_000), reference="cap")
    assert only(shop)["eventCode"] == "CAPTURE"
    shop.simulator.clock.advance(timedelta(days=3))
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CAPTURE_FAILED", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert item["originalReference"] == held["pspReference"]
    assert shop.bank.charged("order_1") == Money(0, "EUR")


def test_a_capture_that_nobody_asked_for_is_told_only_if_it_fails(shop):
    paid = shop.pay(card(holderName="capture failed"))
    assert shop.told() == [("AUTHORISATION", True)]
    shop.simulator.clock.advance(timedelta(days=3))
    item = only(shop)
    assert item["eventCode"] == "CAPTURE_FAILED"
    assert item["originalReference"] == paid["pspReference"]
    assert item["merchantReference"] == "order_1"


def test_a_capture_that_nobody_asked_for_and_that_fails_at_once_is_told_the_same_way():
    shop = Shop(decides_after=timedelta(days=1))
    paid = shop.pay()
    shop.bank.settle(paid["pspReference"], ok=False)
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CAPTURE_FAILED", "true")


def test_what_somebody_does_by_hand_is_told_without_a_reference_of_its_own(shop):
    """In the Customer Area: captures and cancels that no request asked for."""
    taken = shop.bank.payment(shop.hold(reference="taken")["pspReference"])
    released = shop.bank.payment(shop.hold(reference="released")["pspReference"])
    with shop.bank.open():
        shop.bank.captures_desk.capture(taken.ref, 1_000, tag=None, final=True)
        shop.bank.payments_desk.cancel(released.ref, tag=None)
    items = [item for item in shop.items() if item["eventCode"] != "AUTHORISATION"]
    told = [(item["eventCode"], item["merchantReference"]) for item in items]
    assert told == [("CAPTURE", "taken"), ("CANCELLATION", "released")]


def test_a_capture_may_be_scripted_to_fail(shop):
    held = shop.hold()
    shop.simulator.next("capture_payment", Declined())
    shop.modify("captures", held["pspReference"], amount=euros(1_000))
    assert only(shop)["success"] == "false"


# -- given back ----------------------------------------------------------------------------------


def test_a_refund_is_received_and_then_told(shop):
    paid = shop.pay()
    asked = shop.modify(
        *("refunds", paid["pspReference"]),
        amount=euros(300),
        reference="return_1",
        merchantRefundReason="RETURN",
    )
    assert asked["merchantRefundReason"] == "RETURN"
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("REFUND", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert item["originalReference"] == paid["pspReference"]
    assert item["merchantReference"] == "return_1"
    assert item["amount"] == euros(300)
    assert shop.bank.refunded("order_1") == Money(300, "EUR")


@pytest.mark.parametrize(
    ("pay", "reason"),
    [
        ("pay", "Insufficient balance on payment"),
        ("hold", "Transaction hasn't been captured, refund not possible"),
    ],
)
def test_a_refund_that_is_not_possible_is_told_as_such(shop, pay, reason):
    paid = getattr(shop, pay)()
    asked = shop.modify("refunds", paid["pspReference"], amount=euros(1_100))
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("REFUND", "false")
    assert item["reason"] == reason
    assert item["pspReference"] == asked["pspReference"]
    assert shop.bank.refunded("order_1").minor == 0


def test_a_refund_that_the_network_rejects_fails_late(shop):
    paid = shop.pay(card(holderName="refund failed"))
    asked = shop.modify("refunds", paid["pspReference"], amount=euros(1_000), reference="return_1")
    shop.items()
    shop.simulator.clock.advance(timedelta(days=3))
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("REFUND_FAILED", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert item["merchantReference"] == "return_1"
    assert shop.bank.refunded("order_1").minor == 0


def test_a_refund_may_succeed_and_come_back(shop):
    paid = shop.pay(card(Tokens.REFUND_REVERSES))
    asked = shop.modify("refunds", paid["pspReference"], amount=euros(1_000))
    assert only(shop)["eventCode"] == "REFUND"
    shop.simulator.clock.advance(timedelta(days=3))
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("REFUNDED_REVERSED", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert shop.bank.refunded("order_1").minor == 0


def test_a_refund_may_be_scripted_to_fail(shop):
    paid = shop.pay()
    shop.simulator.next("create_refund", Declined())
    shop.modify("refunds", paid["pspReference"], amount=euros(1_000))
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("REFUND", "false")


# -- released ------------------------------------------------------------------------------------


def test_a_cancel_releases_what_is_held(shop):
    held = shop.hold()
    asked = shop.modify("cancels", held["pspReference"], reference="void_1")
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CANCELLATION", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert item["originalReference"] == held["pspReference"]
    assert item["merchantReference"] == "void_1"
    shop.modify("captures", held["pspReference"], amount=euros(1_000))
    assert only(shop)["success"] == "false"


def test_what_was_taken_cannot_be_canceled(shop):
    paid = shop.pay()
    shop.modify("cancels", paid["pspReference"])
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CANCELLATION", "false")
    assert shop.bank.charged("order_1") == Money(1_000, "EUR")


def test_a_cancel_may_be_scripted_to_fail_or_be_decided_so():
    shop = Shop(decides_after=timedelta(days=1))
    held = shop.hold()
    shop.modify("cancels", held["pspReference"])
    shop.modify("cancels", held["pspReference"], reference="second")
    shop.bank.settle(held["pspReference"], ok=False)
    shop.simulator.clock.advance(timedelta(days=2))
    told = [event for event in shop.told() if event[0] == "CANCELLATION"]
    assert told == [("CANCELLATION", False)] * 2
    shop.simulator.next("cancel_payment", Declined())
    shop.modify("cancels", held["pspReference"])
    shop.simulator.clock.advance(timedelta(days=1))
    assert ("CANCELLATION", False) in shop.told()


@pytest.mark.parametrize(("pay", "action"), [("hold", "cancel"), ("pay", "refund")])
def test_a_reversal_cancels_or_refunds_what_there_is(shop, pay, action):
    paid = getattr(shop, pay)()
    asked = shop.modify("reversals", paid["pspReference"], reference="undo_1")
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("CANCEL_OR_REFUND", "true")
    assert item["pspReference"] == asked["pspReference"]
    assert item["merchantReference"] == "undo_1"
    assert item["additionalData"]["modification.action"] == action
    assert item["additionalData"]["originalMerchantReference"] == "order_1"
    assert shop.bank.moved("order_1").minor == 0


def test_a_payment_whose_answer_was_lost_is_canceled_by_its_reference(shop):
    shop.hold(reference="lost")
    answer = shop.send("/cancels", paymentReference="lost", reference="void_1")
    assert answer.status_code == 201
    assert answer.json()["paymentReference"] == "lost"
    item = only(shop)
    assert (item["eventCode"], item["success"]) == ("TECHNICAL_CANCEL", "true")
    assert item["pspReference"] == answer.json()["pspReference"]
    assert item["merchantReference"] == "void_1"
    assert shop.bank.payment("lost").state == "voided"


def test_of_several_with_one_reference_the_latest_open_one_is_canceled(shop):
    first, second = shop.hold(reference="twice"), shop.hold(reference="twice")
    for _ in range(2):
        shop.send("/cancels", paymentReference="twice")
    originals = [i["originalReference"] for i in shop.items() if "originalReference" in i]
    assert originals == [second["pspReference"], first["pspReference"]]


def test_a_reference_that_nobody_has_is_told_as_not_found(shop):
    answer = shop.send("/cancels", paymentReference="nobody's")
    (item,) = shop.items()
    assert (item["eventCode"], item["success"]) == ("TECHNICAL_CANCEL", "false")
    assert item["reason"] == "Transaction not found"
    assert item["pspReference"] == answer.json()["pspReference"]
    assert "originalReference" not in item


def test_a_shopper_who_is_asked_something_can_be_canceled(shop):
    shop.pay(card("4212345678901237"))
    shop.send("/cancels", paymentReference="order_1")
    assert shop.told() == [("TECHNICAL_CANCEL", True)]
    done = shop.details(shop.simulator.redirect_result("order_1")).json()
    assert done["resultCode"] == "Cancelled"


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["captures", "refunds", "cancels", "reversals"])
def test_a_payment_that_nobody_knows_is_refused(shop, what):
    fields = {"amount": euros(1)} if what in {"captures", "refunds"} else {}
    shop.refuses(shop.send(f"/payments/NOBODYS000000000/{what}", **fields), 422, "167")


def test_another_currency_is_refused(shop):
    paid = shop.pay()
    answer = shop.send(f"/payments/{paid['pspReference']}/refunds", amount=euros(1, "USD"))
    shop.refuses(answer, 422, "138")


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({}, 422, "100"),
        ({"amount": euros(0)}, 422, "137"),
        ({"amount": euros(1), "splits": []}, 422, "000"),
        ({"amount": euros(1), "colour": 1}, 400, "702"),
        ({"amount": euros(1), "reference": "x" * 81}, 422, "000"),
        ({"amount": euros(1), "merchantAccount": "SomebodyElses"}, 403, "901"),
    ],
)
def test_a_modification_that_says_the_wrong_thing_is_refused(shop, wrong, status, code):
    held = shop.hold()
    for what in ("captures", "refunds"):
        answer = shop.send(f"/payments/{held['pspReference']}/{what}", **wrong)
        shop.refuses(answer, status, code)
    assert shop.told() == [("AUTHORISATION", True)]


def test_amounts_cannot_be_adjusted_here(shop):
    held = shop.hold()
    answer = shop.send(f"/payments/{held['pspReference']}/amountUpdates", amount=euros(2_000))
    shop.refuses(answer, 404, "000")


def test_an_accounts_payments_are_its_own():
    shop = Shop(more_accounts=["OtherECOM"])
    paid = shop.pay()
    shop.account = "OtherECOM"
    answer = shop.send(f"/payments/{paid['pspReference']}/cancels")
    shop.refuses(answer, 422, "167")
    other = shop.hold()
    shop.modify("cancels", other["pspReference"])
    items = [item for item in shop.items() if item["merchantAccountCode"] == "OtherECOM"]
    assert [item["eventCode"] for item in items] == ["AUTHORISATION", "CANCELLATION"]


# -- disputes ------------------------------------------------------------------------------------


def disputed(shop, *turns, inquiry=False):
    shop.pay()
    shop.items()
    ref = shop.bank.dispute("order_1", inquiry=inquiry)
    for turn in turns:
        getattr(shop.bank, turn)(ref)
    return shop.items()


@pytest.mark.parametrize(
    ("turns", "events"),
    [
        ((), []),
        (("submit_evidence", "win"), ["INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED"]),
        (("lose",), ["DISPUTE_DEFENSE_PERIOD_ENDED"]),
        (("win", "reopen"), ["CHARGEBACK_REVERSED", "SECOND_CHARGEBACK"]),
        (("lose", "win"), ["DISPUTE_DEFENSE_PERIOD_ENDED", "PREARBITRATION_WON"]),
        (("lose", "reopen"), ["DISPUTE_DEFENSE_PERIOD_ENDED", "PREARBITRATION_OPEN"]),
    ],
)
def test_a_dispute_is_told_by_its_turns(shop, turns, events):
    items = disputed(shop, *turns)
    told = [item["eventCode"] for item in items]
    assert told == ["NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", *events]
    assert len({item["pspReference"] for item in items}) == 1
    paid = shop.bank.payment("order_1")
    assert {shop.bank.payment(item["originalReference"]) for item in items} == {paid}
    assert {item["merchantReference"] for item in items} == {"order_1"}
    assert {item["success"] for item in items} == {"true"}
    assert shop.bank.payment(items[0]["pspReference"]) is paid
    more = items[1]["additionalData"]
    assert more["chargebackReasonCode"] == "10.4"
    assert more["disputeStatus"] == "Undefended"
    assert more["defensePeriodEndsAt"] == "2026-01-15T00:00:00+00:00"


@pytest.mark.parametrize(
    ("turn", "events"),
    [
        ("close_inquiry", ["ISSUER_RESPONSE_TIMEFRAME_EXPIRED"]),
        ("reopen", ["NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"]),
    ],
)
def test_a_question_of_the_issuers_is_told(shop, turn, events):
    items = disputed(shop, turn, inquiry=True)
    assert [item["eventCode"] for item in items] == ["REQUEST_FOR_INFORMATION", *events]
    assert items[0]["additionalData"]["rfiReasonCode"] == "10.4"


def test_a_card_that_is_disputed_is_disputed_by_itself(shop):
    shop.simulator.next("create_payment", As(Tokens.DISPUTE))
    shop.pay(shopperReference="shopper_1")
    shop.items()
    shop.simulator.clock.advance(timedelta(days=2))
    items = shop.items()
    assert [i["eventCode"] for i in items] == ["NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"]
    assert items[0]["additionalData"]["shopperReference"] == "shopper_1"
