"""Payments: what is answered, what the shopper has to do, and what webhooks tell of it."""

import base64
import json
from datetime import timedelta

import pytest
from simulated_adyen import CARD, KEY, RETURN_URL, Shop, card, euros

from payport import Money
from payport.domain.declines import DeclineReason
from payport.domain.identifiers import Environment
from payport.testing import As, Declined
from payport.testing.adyen_simulator.refusals import OUTCOMES
from payport.testing.tokens import Tokens

BROWSER = {
    "acceptHeader": "*/*",
    "userAgent": "x",
    "language": "nl-NL",
    "colorDepth": 24,
    "screenHeight": 723,
    "screenWidth": 1536,
    "timeZoneOffset": 0,
    "javaEnabled": False,
}
NATIVE = {"threeDSRequestData": {"nativeThreeDS": "preferred"}}
ADDRESS = {
    "city": "Utrecht",
    "country": "NL",
    "houseNumberOrName": "1",
    "postalCode": "3500 AA",
    "street": "Oudegracht",
}
REFUSALS = [one for one in OUTCOMES.values() if one.reason is not None]


def test_an_authorised_payment_is_taken_and_told_once(shop):
    paid = shop.pay(reference="order_7", merchantOrderReference="cart_7")
    assert paid["resultCode"] == "Authorised"
    assert paid["merchantReference"] == "order_7"
    assert paid["amount"] == euros(1_000)
    assert len(paid["pspReference"]) == 16
    assert paid["pspReference"].isalnum()
    assert paid["pspReference"].isupper()
    for name in (paid["pspReference"], "order_7", "cart_7"):
        assert shop.bank.charged(name) == Money(1_000, "EUR")
    (item,) = shop.items()
    assert item["eventCode"] == "AUTHORISATION"
    assert item["success"] == "true"
    assert item["pspReference"] == paid["pspReference"]
    assert "originalReference" not in item
    assert item["merchantReference"] == "order_7"
    assert item["additionalData"]["merchantOrderReference"] == "cart_7"
    assert item["operations"] == ["REFUND"]
    code = item["additionalData"]["authCode"]
    assert item["reason"] == f"{code}:1111:03/2030"


def test_the_same_requests_are_given_the_same_references_in_every_run():
    first, second = ([shop.pay()["pspReference"] for _ in range(3)] for shop in (Shop(), Shop()))
    assert first == second
    assert len(set(first)) == 3
    assert Shop(first_number=900).pay()["pspReference"] not in first


@pytest.mark.parametrize("outcome", REFUSALS, ids=lambda one: one.holder)
@pytest.mark.parametrize("by", ["holder", "code"])
def test_the_test_environment_refuses_as_it_is_asked_to(shop, outcome, by):
    if by == "holder":
        paid = shop.pay(card(holderName=outcome.holder))
    else:
        more = {"RequestedTestAcquirerResponseCode": outcome.code}
        paid = shop.pay(additionalData=more)
    assert paid["resultCode"] == outcome.result
    assert paid["refusalReason"] == outcome.reason
    assert paid["refusalReasonCode"] == ("4" if outcome.code == "4" else outcome.code)
    assert "amount" not in paid
    (item,) = shop.items()
    assert (item["eventCode"], item["success"]) == ("AUTHORISATION", "false")
    assert item["reason"] == outcome.reason
    assert item["pspReference"] == paid["pspReference"]
    assert shop.bank.charged("order_1") == Money(0, "USD") or not shop.bank.charged("order_1").minor


def test_a_holder_may_say_what_the_network_says(shop):
    assert shop.pay(card(holderName="DECLINED : 06 : ERROR"))["refusalReasonCode"] == "2"


@pytest.mark.parametrize("reason", DeclineReason)
def test_every_reason_of_the_banks_is_told_as_one_of_adyens(shop, reason):
    token = Tokens.declined(reason)
    for method in (card(token), {"type": "scheme", "storedPaymentMethodId": token}):
        paid = shop.pay(method)
        assert paid["resultCode"] == "Refused"
        assert paid["refusalReasonCode"] in OUTCOMES


def test_wrong_details_of_a_test_card_are_refused_by_its_issuer(shop):
    for wrong in (
        {"encryptedSecurityCode": "test_111"},
        {"encryptedExpiryYear": "test_2031"},
    ):
        assert shop.pay(card(**wrong))["refusalReasonCode"] == "2"


def test_a_script_puts_another_card_in_place(shop):
    shop.simulator.next("create_payment", Declined(DeclineReason.EXPIRED_CARD), As(Tokens.PARTIAL))
    assert shop.pay()["refusalReason"] == "Expired Card"
    assert shop.pay()["resultCode"] == "PartiallyAuthorised"
    shop.simulator.next("confirm_payment", Declined())
    assert shop.pay()["resultCode"] == "Refused"
    assert not shop.simulator.script.pending


def test_a_part_that_is_authorised_is_told_as_such(shop):
    paid = shop.pay(card(Tokens.PARTIAL), amount=euros(1_001))
    assert paid["resultCode"] == "PartiallyAuthorised"
    assert paid["amount"] == euros(501)
    (item,) = shop.items()
    assert item["amount"] == euros(501)
    assert item["additionalData"]["authorisedAmountValue"] == "501"
    assert shop.bank.charged("order_1") == Money(501, "EUR")


# -- captured when -------------------------------------------------------------------------------


def test_a_payment_with_manual_capture_is_only_held(shop):
    held = shop.hold()
    assert held["resultCode"] == "Authorised"
    assert shop.bank.charged(held["pspReference"]) == Money(0, "EUR")
    (item,) = shop.items()
    assert item["operations"] == ["CANCEL", "CAPTURE", "REFUND"]


def test_a_delay_of_the_request_wins_over_the_accounts():
    shop = Shop(capture_delay=None, automatic_capture_webhooks=True)
    for more in ({}, {"additionalData": {"manualCapture": "true"}, "captureDelayHours": 5}):
        shop.pay(reference="by_hand", **more)
    shop.pay(reference="later", captureDelayHours=5)
    shop.pay(reference="at_once", captureDelayHours=0)
    shop.pay(reference="not_by_hand", additionalData={"manualCapture": "false"})
    shop.simulator.clock.advance(timedelta(hours=5) - timedelta(seconds=1))
    names = ("by_hand", "later", "at_once", "not_by_hand")
    assert [shop.bank.charged(name).minor for name in names] == [0, 0, 1_000, 1_000]
    shop.simulator.clock.advance(1)
    assert shop.bank.charged("later") == Money(1_000, "EUR")
    assert sorted(shop.told()) == [("AUTHORISATION", True)] * 5 + [("CAPTURE", True)] * 3


def test_what_is_canceled_meanwhile_is_not_captured_after_the_delay(shop):
    paid = shop.pay(captureDelayHours=1)
    shop.modify("cancels", paid["pspReference"])
    shop.simulator.clock.advance(timedelta(hours=2))
    assert shop.bank.charged("order_1") == Money(0, "EUR")


def test_a_cancel_that_is_not_decided_yet_holds_up_the_capture():
    shop = Shop(decides_after=timedelta(hours=2))
    paid = shop.pay(captureDelayHours=1)
    shop.modify("cancels", paid["pspReference"])
    shop.simulator.clock.advance(timedelta(hours=5))
    assert shop.bank.charged("order_1") == Money(0, "EUR")
    assert shop.told() == [("AUTHORISATION", True), ("CANCELLATION", True)]


def test_held_money_expires(shop):
    held = shop.hold()
    shop.items()
    shop.simulator.clock.advance(timedelta(days=8))
    (item,) = shop.items()
    assert item["eventCode"] == "EXPIRE"
    assert item["pspReference"] == held["pspReference"]
    assert item["amount"] == euros(1_000)


# -- what shoppers do ----------------------------------------------------------------------------


def test_a_redirected_shopper_comes_back_with_the_result(shop):
    asked = shop.pay(card("4212345678901237"))
    assert asked["resultCode"] == "RedirectShopper"
    assert asked["action"]["type"] == "redirect"
    assert "pspReference" not in asked
    assert shop.told() == []
    back = shop.simulator.return_url("order_1")
    assert back.startswith(f"{RETURN_URL}&redirectResult=")
    done = shop.details(shop.simulator.redirect_result("order_1"), key="k2").json()
    assert done["resultCode"] == "Authorised"
    assert shop.bank.charged("k2") == Money(1_000, "EUR")
    (item,) = shop.items()
    assert item["pspReference"] == done["pspReference"]
    again = shop.details(shop.simulator.redirect_result("order_1")).json()
    assert again == done
    assert shop.bank.charged("order_1") == Money(1_000, "EUR")


def test_a_shopper_who_fails_or_leaves_pays_nothing(shop):
    shop.pay(card("4212345678901237"), reference="failed")
    result = shop.simulator.redirect_result("failed", ok=False)
    done = shop.details(result).json()
    assert (done["resultCode"], done["refusalReasonCode"]) == ("Refused", "11")
    assert shop.told() == [("AUTHORISATION", False)]
    shop.pay(card("4212345678901237"), reference="left")
    shop.bank.abandon("left")
    (item,) = shop.items()
    assert (item["eventCode"], item["success"]) == ("OFFER_CLOSED", "true")
    assert item["merchantReference"] == "left"


def encoded(**told):
    return base64.b64encode(json.dumps(told).encode()).decode()


@pytest.mark.parametrize(("status", "result"), [("Y", "Authorised"), ("N", "Refused")])
def test_a_shopper_authenticates_in_the_page(shop, status, result):
    asked = shop.pay(card("4917610000000000"), authenticationData=NATIVE)
    assert asked["resultCode"] == "IdentifyShopper"
    action = asked["action"]
    assert (action["type"], action["subtype"]) == ("threeDS2", "fingerprint")
    first = encoded(threeDSCompInd="Y", authorisationToken=action["authorisationToken"])
    challenged = shop.details(first, name="threeDSResult").json()
    assert challenged["resultCode"] == "ChallengeShopper"
    assert challenged["action"]["subtype"] == "challenge"
    second = encoded(transStatus=status)
    data = challenged["action"]["paymentData"]
    done = shop.details(second, name="threeDSResult", paymentData=data).json()
    assert done["resultCode"] == result
    assert shop.told() == [("AUTHORISATION", status == "Y")]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("redirectResult", "nobody's"),
        ("threeDSResult", "not base64"),
        ("threeDSResult", encoded(authorisationToken="nobody's")),
        ("threeDSResult", base64.b64encode(b"[]").decode()),
    ],
)
def test_what_no_shopper_brought_is_refused(shop, name, result):
    shop.refuses(shop.details(result, name=name), 422, "14_018")


def test_details_that_are_not_simulated_are_refused(shop):
    shop.refuses(shop.details("PaRes", name="PaRes"), 422, "000")
    shop.refuses(
        shop.send("/payments/details", merchantAccount=None, details={"redirectResult": 1}),
        400,
        "702",
    )
    shop.refuses(shop.send("/payments/details", merchantAccount=None, details={}), 422, "000")
    asked = shop.pay(card("4917610000000000"), authenticationData=NATIVE)
    nothing = encoded(authorisationToken=asked["action"]["authorisationToken"])
    shop.refuses(shop.details(nothing, name="threeDSResult"), 422, "14_018")


@pytest.mark.parametrize(
    ("method", "native", "result"),
    [
        ("4917610000000000", None, "RedirectShopper"),
        ("4917610000000000", "disabled", "RedirectShopper"),
        ("4917610000000000", "preferred", "IdentifyShopper"),
        ("4212345678901237", "preferred", "RedirectShopper"),
        (Tokens.AUTHENTICATE_TOKEN, None, "IdentifyShopper"),
        (Tokens.AUTHENTICATE_TOKEN, "disabled", "RedirectShopper"),
        (Tokens.AUTHENTICATE, "preferred", "RedirectShopper"),
    ],
)
def test_shoppers_authenticate_in_the_page_where_it_is_preferred(shop, method, native, result):
    more = {"authenticationData": {"threeDSRequestData": {"nativeThreeDS": native}}}
    asked = shop.pay(card(method), **(more if native else {}))
    assert asked["resultCode"] == result


def test_nobody_authenticates_by_telephone_or_where_it_is_not_wanted(shop):
    never = {"attemptAuthentication": "never"}
    for more in ({"shopperInteraction": "Moto"}, {"authenticationData": never}):
        assert shop.pay(card("4212345678901237"), **more)["resultCode"] == "Authorised"


def test_an_absent_shopper_cannot_authenticate(shop):
    more = {"shopperInteraction": "ContAuth", "recurringProcessingModel": "UnscheduledCardOnFile"}
    paid = shop.pay(card("4212345678901237"), shopperReference="shopper_1", **more)
    assert (paid["resultCode"], paid["refusalReasonCode"]) == ("Refused", "38")
    present = {**more, "recurringProcessingModel": "CardOnFile"}
    paid = shop.pay(card("4212345678901237"), shopperReference="shopper_1", **present)
    assert paid["resultCode"] == "RedirectShopper"


# -- other payment methods -----------------------------------------------------------------------

SEPA = {"type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A. Schneider"}


@pytest.mark.parametrize("ok", [True, False])
def test_a_direct_debit_is_received_and_decided_later(shop, ok):
    paid = shop.pay(SEPA)
    assert paid["resultCode"] == "Received"
    assert paid["paymentMethod"] == {"type": "sepadirectdebit"}
    assert shop.told() == []
    shop.bank.settle(paid["pspReference"], ok=ok)
    (item,) = shop.items()
    assert item["success"] == ("true" if ok else "false")
    assert item["paymentMethod"] == "sepadirectdebit"


def test_a_direct_debit_has_an_account(shop):
    for wrong in ({**SEPA, "iban": "12"}, {"type": "sepadirectdebit", "ownerName": "A"}):
        assert shop.try_to_pay(wrong).status_code == 422
    extra = shop.try_to_pay({**SEPA, "dueDate": "2026-01-01"})
    assert "dueDate" in shop.refuses(extra, 422, "000")["message"]


@pytest.mark.parametrize(("ok", "result"), [(True, "Authorised"), (False, "Cancelled")])
def test_a_shopper_is_sent_to_their_bank(shop, ok, result):
    asked = shop.pay({"type": "ideal"})
    assert asked["resultCode"] == "RedirectShopper"
    assert asked["action"]["paymentMethodType"] == "ideal"
    done = shop.details(shop.simulator.redirect_result("order_1", ok=ok)).json()
    assert done["resultCode"] == result
    assert shop.told() == [("AUTHORISATION", ok)]


@pytest.mark.parametrize(
    ("kind", "action"), [("bankTransfer_IBAN", "bankTransfer"), ("multibanco", "voucher")]
)
def test_a_shopper_is_shown_what_to_pay(shop, kind, action):
    asked = shop.pay({"type": kind})
    assert asked["resultCode"] == "PresentToShopper"
    assert asked["action"]["type"] == action
    assert asked["action"]["totalAmount"] == euros(1_000)
    shop.bank.settle(asked["pspReference"])
    assert shop.told() == [("AUTHORISATION", True)]


def test_an_issuer_that_thinks_is_received_at_first_and_pending_in_details(shop):
    assert shop.pay(card(holderName="PENDING"))["resultCode"] == "Received"
    shop.simulator.clock.advance(timedelta(hours=2))
    assert shop.told() == [("AUTHORISATION", True)]


# -- what is refused before anybody is asked -----------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"amount": None}, 422, "100"),
        ({"reference": None}, 422, "130"),
        ({"returnUrl": None}, 422, "14_030"),
        ({"paymentMethod": None}, 422, "000"),
        ({"reference": "x" * 81}, 422, "000"),
        ({"reference": " "}, 422, "130"),
        ({"reference": 7}, 400, "702"),
        ({"amount": euros(0)}, 422, "137"),
        ({"amount": euros(-1)}, 422, "137"),
        ({"amount": euros(2**70)}, 422, "137"),
        ({"amount": {"currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": 1}}, 422, "138"),
        ({"amount": {**euros(1), "tip": 1}}, 400, "702"),
        ({"amount": {"currency": "EUR", "value": "1"}}, 400, "702"),
        ({"amount": {"currency": "EUR", "value": True}}, 400, "702"),
        ({"amount": euros(1, "XXX")}, 422, "138"),
        ({"amount": euros(1, "eur")}, 422, "138"),
        ({"merchantAccount": None}, 422, "000"),
        ({"merchantAccount": "SomebodyElses"}, 403, "901"),
        ({"colour": "red"}, 400, "702"),
        ({"splits": []}, 422, "000"),
        ({"installments": {"value": 3}}, 422, "000"),
        ({"threeDSAuthenticationOnly": True}, 422, "000"),
        ({"captureDelayHours": 673}, 422, "000"),
        ({"captureDelayHours": "1"}, 400, "702"),
        ({"storePaymentMethod": "yes"}, 400, "702"),
        ({"metadata": {"x" * 21: "y"}}, 422, "177"),
        ({"metadata": {"x": "y" * 81}}, 422, "177"),
        ({"metadata": {str(n): "y" for n in range(21)}}, 422, "177"),
        ({"metadata": {"x": 1}}, 400, "702"),
        ({"shopperInteraction": "Letter"}, 422, "000"),
        ({"shopperInteraction": "POS"}, 422, "000"),
        ({"shopperReference": "me"}, 422, "000"),
        ({"storePaymentMethod": True}, 422, "000"),
        ({"storePaymentMethod": True, "shopperReference": "shopper"}, 422, "000"),
        ({"additionalData": {"authorisationType": "PreAuth"}}, 422, "000"),
        ({"additionalData": {"RequestedTestAcquirerResponseCode": "99"}}, 422, "000"),
        ({"additionalData": {"manualCapture": ["true"]}}, 400, "702"),
        ({"lineItems": {}}, 400, "702"),
        ({"lineItems": ["shoes"]}, 400, "702"),
        ({"shopperName": "A. Schneider"}, 400, "702"),
        ({"shopperName": {"firstName": "A."}}, 422, "000"),
        ({"shopperName": {"firstName": "A.", "lastName": "S.", "title": "Dr."}}, 400, "702"),
        ({"billingAddress": {**ADDRESS, "postalCode": 3500}}, 400, "702"),
        ({"billingAddress": {**ADDRESS, "street": None}}, 422, "000"),
        ({"browserInfo": {**BROWSER, "colorDepth": "24"}}, 400, "702"),
        ({"browserInfo": {"userAgent": "x"}}, 422, "000"),
        ({"authenticationData": {"authenticationOnly": True}}, 422, "000"),
        ({"authenticationData": {"attemptAuthentication": "perhaps"}}, 422, "000"),
        ({"authenticationData": {"threeDSRequestData": {"nativeThreeDS": "x"}}}, 422, "000"),
    ],
)
def test_a_request_that_says_the_wrong_thing_is_refused(shop, wrong, status, code):
    error = shop.refuses(shop.try_to_pay(**wrong), status, code)
    assert ("pspReference" in error) == (status != 400)
    assert not shop.bank.payments


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ({"type": "scheme"}, 422, "101"),
        (card("4111111111111112"), 422, "101"),
        (card("41111"), 422, "101"),
        (card(encryptedExpiryMonth="test_13"), 422, "140"),
        (card(encryptedSecurityCode="test_12"), 422, "103"),
        (card(encryptedCardNumber="adyenjs_0_1_25$whatever"), 422, "174"),
        ({"type": "scheme", "number": "4111111111111111"}, 403, "010"),
        ({"type": "scheme", "encryptedCard": "x"}, 422, "000"),
        ({"type": "scheme", "holderName": 7}, 400, "702"),
        ({"type": "klarna"}, 422, "000"),
        ({"type": "scheme", "storedPaymentMethodId": "8416038790273850"}, 422, "803"),
    ],
)
def test_a_payment_method_that_is_none_is_refused(shop, method, status, code):
    shop.refuses(shop.try_to_pay(method), status, code)
    assert not shop.bank.payments


def test_card_numbers_in_the_clear_are_for_companies_that_may():
    shop = Shop(raw_cards=True)
    raw = {"type": "scheme", "number": "5555555555554444", "expiryMonth": "03"}
    paid = shop.pay({**raw, "expiryYear": "2030", "cvc": "737"})
    assert paid["paymentMethod"]["brand"] == "mc"
    assert "5555555555554444" not in json.dumps([paid, shop.items()])


def test_what_only_says_something_is_taken(shop):
    paid = shop.pay(
        browserInfo=BROWSER,
        billingAddress=ADDRESS,
        deliveryAddress={**ADDRESS, "firstName": "A."},
        shopperName={"firstName": "A.", "lastName": "Schneider"},
        lineItems=[{"id": "shoes", "quantity": 2}],
        shopperEmail="a@shop.example",
        shopperIP="192.0.2.1",
        countryCode="NL",
        channel="Web",
        metadata={"cart": "blue"},
        additionalData={"riskdata.skipRisk": "true"},
    )
    assert paid["resultCode"] == "Authorised"
    (item,) = shop.items()
    assert item["additionalData"]["metadata.cart"] == "blue"
    assert shop.bank.charged("blue") == Money(1_000, "EUR")


@pytest.mark.parametrize(
    ("currency", "on_wire", "minor"),
    [
        ("JPY", 500, 500),
        ("KWD", 1_234, 1_234),
        ("CLP", 50_000, 500),
        ("ISK", 50_000, 500),
        ("IDR", 500, 50_000),
        ("CVE", 500, 50_000),
    ],
)
def test_amounts_are_in_adyens_minor_units(shop, currency, on_wire, minor):
    paid = shop.pay(amount=euros(on_wire, currency))
    assert paid["amount"] == euros(on_wire, currency)
    assert shop.bank.charged("order_1") == Money(minor, currency)
    (item,) = shop.items()
    assert item["amount"] == euros(on_wire, currency)


def test_hundredths_that_a_currency_does_not_have_are_refused(shop):
    shop.refuses(shop.try_to_pay(amount=euros(50_001, "ISK")), 422, "137")


def test_a_live_simulator_says_so():
    shop = Shop(environment=Environment.LIVE)
    shop.headers = {"X-API-Key": KEY}
    shop.refuses(shop.try_to_pay(), 401, "000")
    shop.headers = {"X-API-Key": "live_obviously_fake"}
    shop.pay()
    (request,) = shop.simulator.webhooks()
    assert json.loads(request.body)["live"] == "true"


def test_no_payment_can_be_read(shop):
    paid = shop.pay()
    shop.refuses(shop.get(f"/payments/{paid['pspReference']}"), 404, "000")


def test_what_the_bank_did_by_hand_is_told_too(shop):
    ref = shop.bank.charge(Money(700, "EUR"), reference="by_hand")
    shop.bank.refund(ref, Money(200, "EUR"))
    items = shop.items()
    assert [item["eventCode"] for item in items] == ["AUTHORISATION", "REFUND"]
    assert items[0]["merchantReference"] == "by_hand"
    assert items[1]["originalReference"] == items[0]["pspReference"]


def test_a_card_number_is_in_nothing_that_is_told(shop):
    paid = shop.pay(CARD)
    assert "4111111111111111" not in json.dumps([paid, shop.items()])
