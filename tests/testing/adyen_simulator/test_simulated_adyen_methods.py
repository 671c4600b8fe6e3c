"""Payment methods, stored ones, and sessions."""

from datetime import timedelta

import pytest
from simulated_adyen import CARD, RETURN_URL, card, euros

from payport import Money
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT
from payport.testing.adyen_simulator.errors import ApiError
from payport.testing.tokens import Tokens

SHOPPER = "shopper_1"
STORING = {
    "storePaymentMethod": True,
    "shopperReference": SHOPPER,
    "recurringProcessingModel": "Subscription",
}
LATER = {
    "shopperReference": SHOPPER,
    "shopperInteraction": "ContAuth",
    "recurringProcessingModel": "Subscription",
}


def stored(ref):
    return {"type": "scheme", "storedPaymentMethodId": ref}


def listed(shop, shopper=SHOPPER):
    params = {"merchantAccount": MERCHANT_ACCOUNT, "shopperReference": shopper}
    return shop.get("/storedPaymentMethods", **params).json()["storedPaymentMethods"]


def forget(shop, ref, shopper=SHOPPER):
    params = {"merchantAccount": MERCHANT_ACCOUNT, "shopperReference": shopper}
    return shop.http.delete(f"/storedPaymentMethods/{ref}", params=params, headers=shop.headers)


def save(shop, method=CARD, **more):
    paid = shop.pay(method, **{**STORING, **more})
    return paid["additionalData"]["tokenization.storedPaymentMethodId"]


def test_a_method_that_is_stored_with_a_payment_is_charged_later(shop):
    ref = save(shop, card(holderName="J. Smith"))
    first, contract = shop.items()
    assert first["additionalData"]["tokenization.storedPaymentMethodId"] == ref
    assert first["additionalData"]["shopperReference"] == SHOPPER
    assert contract["eventCode"] == "RECURRING_CONTRACT"
    assert contract["pspReference"] == ref
    assert contract["originalReference"] == first["pspReference"]
    assert shop.bank.methods(SHOPPER) == (ref,)
    paid = shop.pay(stored(ref), reference="month_2", **LATER)
    assert paid["resultCode"] == "Authorised"
    assert shop.bank.charged("month_2") == Money(1_000, "EUR")
    assert [event for event, _ in shop.told()] == ["AUTHORISATION"]
    (resource,) = listed(shop)
    assert resource["id"] == ref
    assert (resource["lastFour"], resource["holderName"]) == ("1111", "J. Smith")
    assert resource["firstPspReference"] == first["pspReference"]


def test_what_is_stored_is_not_stored_again(shop):
    ref = save(shop)
    shop.pay(stored(ref), **STORING)
    assert [resource["id"] for resource in listed(shop)] == [ref]


def test_a_declined_payment_stores_nothing(shop):
    shop.pay(card(holderName="DECLINED"), **STORING)
    assert listed(shop) == []
    assert shop.told() == [("AUTHORISATION", False)]


def test_who_authenticated_when_it_was_stored_is_asked_no_more(shop):
    shop.pay(card("4212345678901237"), **STORING)
    shop.details(shop.simulator.redirect_result("order_1"))
    (resource,) = listed(shop)
    paid = shop.pay(stored(resource["id"]), reference="month_2", **LATER)
    assert paid["resultCode"] == "Authorised"


def test_a_stored_method_may_be_refused_when_it_is_charged(shop):
    ref = save(shop)
    more = {"additionalData": {"RequestedTestAcquirerResponseCode": "12"}}
    paid = shop.pay(stored(ref), reference="month_2", **LATER, **more)
    assert paid["refusalReason"] == "Not enough balance"
    again = shop.pay(stored(ref), reference="month_3", **LATER)
    assert again["resultCode"] == "Authorised"


def test_a_stored_method_is_its_shoppers_alone(shop):
    ref = save(shop)
    nobody = {name: value for name, value in LATER.items() if name != "shopperReference"}
    shop.refuses(shop.try_to_pay(stored(ref), **nobody), 422, "000")
    other = {**LATER, "shopperReference": "shopper_2"}
    shop.refuses(shop.try_to_pay(stored(ref), **other), 422, "800")
    shop.refuses(forget(shop, ref, "shopper_2"), 422, "803")
    assert listed(shop, "shopper_2") == []


def test_a_stored_method_that_is_deleted_is_of_no_use(shop):
    kept, gone = save(shop), save(shop)
    answer = forget(shop, gone)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [resource["id"] for resource in listed(shop)] == [kept]
    assert shop.bank.methods(SHOPPER) == (kept,)
    shop.refuses(shop.try_to_pay(stored(gone), **LATER), 422, "803")
    shop.refuses(forget(shop, gone), 422, "803")


def test_a_method_may_be_stored_without_a_payment(shop):
    answer = shop.send(
        "/storedPaymentMethods",
        key="k1",
        paymentMethod=card("5555555555554444"),
        shopperReference=SHOPPER,
        recurringProcessingModel="CardOnFile",
    )
    assert answer.status_code == 201
    resource = answer.json()
    assert resource["brand"] == "mc"
    assert listed(shop) == [resource]
    assert shop.bank.effects("k1") == 1
    assert shop.bank.payments == ()
    for bad in (card(holderName="DECLINED"), {"type": "ideal"}):
        fields = {"shopperReference": SHOPPER, "recurringProcessingModel": "CardOnFile"}
        refused = shop.send("/storedPaymentMethods", paymentMethod=bad, **fields)
        shop.refuses(refused, 422, "000")


def test_a_test_may_store_any_card_of_the_banks(shop):
    ref = shop.simulator.store(SHOPPER, Tokens.PARTIAL)
    assert shop.pay(stored(ref), **LATER)["resultCode"] == "PartiallyAuthorised"
    with pytest.raises(KeyError):
        shop.simulator.store(SHOPPER, "pm_of_nobody")


@pytest.mark.parametrize("ref", [Tokens.PARTIAL, "PMCARDPARTIAL"])
def test_the_banks_tokens_are_stored_methods_of_everybody(shop, ref):
    assert shop.pay(stored(ref))["resultCode"] == "PartiallyAuthorised"


def test_methods_that_are_no_cards_are_not_stored_here(shop):
    shop.refuses(shop.try_to_pay({"type": "ideal"}, **STORING), 422, "000")


def test_the_shops_page_is_told_what_there_is(shop):
    save(shop, recurringProcessingModel="CardOnFile")
    answer = shop.send("/paymentMethods", shopperReference=SHOPPER, amount=euros(1))
    told = answer.json()
    kinds = [method["type"] for method in told["paymentMethods"]]
    assert {"scheme", "ideal", "sepadirectdebit"} <= set(kinds)
    assert [method["lastFour"] for method in told["storedPaymentMethods"]] == ["1111"]
    save(shop, shopperReference="subscriber")  # for charges in the shopper's absence alone
    theirs = shop.send("/paymentMethods", shopperReference="subscriber").json()
    assert theirs["storedPaymentMethods"] == []
    fewer = shop.send("/paymentMethods", blockedPaymentMethods=["ideal"]).json()
    assert "ideal" not in [method["type"] for method in fewer["paymentMethods"]]
    only = shop.send("/paymentMethods", allowedPaymentMethods=["scheme"]).json()
    assert [method["type"] for method in only["paymentMethods"]] == ["scheme"]


# -- sessions ------------------------------------------------------------------------------------


def session(shop, **more):
    fields = {"amount": euros(1_000), "reference": "order_1", "returnUrl": RETURN_URL}
    answer = shop.send("/sessions", **{**fields, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def status(shop, made):
    result = shop.simulator.session_result(made["id"])
    return shop.get(f"/sessions/{made['id']}", sessionResult=result).json()


def test_a_shopper_pays_in_a_session(shop):
    made = session(shop, key="k1", metadata={"cart": "blue"})
    assert made["id"].startswith("CS")
    assert made["sessionData"]
    assert made["expiresAt"] == "2026-01-01T01:00:00+00:00"
    assert shop.bank.payments == ()
    assert status(shop, made)["status"] == "active"
    psp = shop.simulator.pay_session(made["id"], CARD)
    told = status(shop, made)
    assert told["status"] == "completed"
    assert told["payments"][0]["pspReference"] == psp
    (item,) = shop.items()
    assert item["pspReference"] == psp
    assert item["additionalData"]["checkoutSessionId"] == made["id"]
    for name in ("order_1", "k1", "blue", psp):
        assert shop.bank.charged(name) == Money(1_000, "EUR")


def test_a_session_is_captured_stored_and_refused_as_a_payment_is(shop):
    manual = session(shop, additionalData={"manualCapture": "true"}, **STORING)
    shop.simulator.pay_session(manual["id"], CARD)
    assert shop.bank.charged("order_1") == Money(0, "EUR")
    assert len(listed(shop)) == 1
    refused = session(shop, reference="order_2")
    shop.simulator.pay_session(refused["id"], card(holderName="DECLINED"))
    assert status(shop, refused)["status"] == "refused"
    shop.simulator.pay_session(refused["id"], CARD)
    assert status(shop, refused)["status"] == "completed"


def test_a_session_waits_is_canceled_or_expires(shop):
    waiting = session(shop)
    debit = {"type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A"}
    shop.simulator.pay_session(waiting["id"], debit)
    assert status(shop, waiting)["status"] == "paymentPending"
    canceled = session(shop, reference="order_2")
    shop.simulator.pay_session(canceled["id"], {"type": "ideal"})
    shop.send("/cancels", paymentReference="order_2")
    assert status(shop, canceled)["status"] == "canceled"
    forgotten = session(shop, reference="order_3", expiresAt="2026-01-01T02:00:00+00:00")
    shop.simulator.clock.advance(timedelta(hours=2))
    assert status(shop, forgotten)["status"] == "expired"
    with pytest.raises(ApiError):
        shop.simulator.pay_session(forgotten["id"], CARD)
    with pytest.raises(LookupError):
        shop.simulator.pay_session("CSNOBODYS", CARD)


def test_a_hosted_session_has_an_address(shop):
    made = session(shop, mode="hosted")
    assert made["url"].endswith(made["id"])
    assert "sessionData" not in made


def test_a_session_is_made_once_under_a_key(shop):
    assert session(shop, key="k1") == session(shop, key="k1")
    assert session(shop, key="k2")["id"] != session(shop, key="k1")["id"]
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"returnUrl": None}, 422, "14_030"),
        ({"splits": []}, 422, "000"),
        ({"expiresAt": "tomorrow"}, 400, "702"),
        ({"expiresAt": "2026-01-01T02:00:00"}, 400, "702"),
        ({"expiresAt": "2026-01-03T00:00:00+00:00"}, 422, "000"),
        ({"expiresAt": "2025-01-01T00:00:00+00:00"}, 422, "000"),
        ({"mode": "floating"}, 422, "000"),
    ],
)
def test_a_session_that_says_the_wrong_thing_is_refused(shop, wrong, status, code):
    fields = {"amount": euros(1_000), "reference": "order_1", "returnUrl": RETURN_URL}
    shop.refuses(shop.send("/sessions", **{**fields, **wrong}), status, code)


def test_only_the_page_knows_the_result_of_a_session(shop):
    made = session(shop)
    answer = shop.get(f"/sessions/{made['id']}", sessionResult="guessed")
    shop.refuses(answer, 422, "14_018")
    shop.refuses(shop.get("/sessions/CSNOBODYS", sessionResult="x"), 404, "000")
    shop.refuses(shop.get(f"/sessions/{made['id']}"), 422, "000")
