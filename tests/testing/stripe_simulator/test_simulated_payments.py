"""PaymentIntents on the wire: what is asked, what is answered, and what the bank moved."""

import pytest
from simulated import NO_REDIRECTS, Shop

from payport import Money
from payport.testing import As, Declined
from payport.testing.bank.payments import HOLD_LIVES
from payport.testing.stripe_simulator.cards import DECLINES, STRIPE_CARDS
from payport.testing.tokens import Tokens


def test_a_confirmed_payment_moves_the_money_once(shop):
    intent = shop.pay(key="k1", **{"metadata[order]": "order_1"})
    assert intent["status"] == "succeeded"
    assert intent["amount_received"] == 2_000
    for name in (intent["id"], intent["latest_charge"], "k1", "order_1"):
        assert shop.bank.charged(name) == Money(2_000, "USD")
    assert shop.bank.effects("k1") == 1
    assert shop.told() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_a_payment_is_made_first_and_confirmed_later(shop):
    made = shop.post("payment_intents", amount=500, currency="eur", **NO_REDIRECTS)
    assert made["status"] == "requires_payment_method"
    assert made["latest_charge"] is made["payment_method"] is None
    ref = made["id"]
    changed = shop.post(f"payment_intents/{ref}", amount=700, payment_method="pm_card_visa")
    assert (changed["status"], changed["amount"]) == ("requires_confirmation", 700)
    done = shop.post(f"payment_intents/{ref}/confirm", key="k2")
    assert done["status"] == "succeeded"
    assert shop.bank.charged(ref) == Money(700, "EUR")
    assert shop.bank.effects("k2") == 1


def test_a_decline_is_a_402_with_the_whole_payment(shop):
    answer = shop.try_to_pay("pm_card_visa_chargeDeclinedLostCard", key="k1")
    error = shop.refuses(answer, 402, "card_declined")
    assert error["type"] == "card_error"
    assert error["decline_code"] == "lost_card"
    assert error["network_decline_code"] == "41"
    assert error["advice_code"] == "do_not_try_again"
    intent = error["payment_intent"]
    assert intent["status"] == "requires_payment_method"
    assert intent["payment_method"] is None
    assert intent["last_payment_error"]["charge"] == error["charge"] == intent["latest_charge"]
    charge = shop.get(f"charges/{error['charge']}")
    assert (charge["status"], charge["paid"]) == ("failed", False)
    assert charge["outcome"]["type"] == "issuer_declined"
    assert shop.bank.charged(intent["id"]) == Money(0, "USD")
    assert shop.told()[1:] == ["charge.failed", "payment_intent.payment_failed"]


def test_a_declined_payment_is_paid_with_another_card(shop):
    declined = shop.pay("pm_card_chargeDeclined")["error"]["payment_intent"]
    paid = shop.post(f"payment_intents/{declined['id']}/confirm", payment_method="pm_card_visa")
    assert paid["status"] == "succeeded"
    assert paid["last_payment_error"] is None
    charges = shop.get("charges", payment_intent=paid["id"])["data"]
    assert [charge["status"] for charge in charges] == ["succeeded", "failed"]
    assert charges[0]["id"] == paid["latest_charge"]


@pytest.mark.parametrize(
    ("token", "code", "decline"),
    [
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_radarBlock", "card_declined", "highest_risk_level"),
        ("tok_declined_velocity_exceeded", "card_declined", "card_velocity_exceeded"),
        ("tok_declined_unknown", "card_declined", "unheard_of"),
    ],
)
def test_each_declined_card_says_why(shop, token, code, decline):
    error = shop.refuses(shop.try_to_pay(token), 402, code)
    assert error["decline_code"] == decline


def test_every_declined_card_has_words_for_it():
    words = {card.declined for card in STRIPE_CARDS.values()} - {None}
    assert words <= set(DECLINES)


def test_authentication_leads_to_a_page_and_back(shop):
    answer = shop.pay(
        "pm_card_authenticationRequired",
        return_url="https://shop.invalid/back",
        **{"automatic_payment_methods[allow_redirects]": "always"},
    )
    assert answer["status"] == "requires_action"
    assert answer["latest_charge"] is None
    redirect = answer["next_action"]["redirect_to_url"]
    assert redirect["return_url"] == "https://shop.invalid/back"
    assert answer["id"] in redirect["url"]
    assert shop.bank.authenticate(answer["id"]) == "https://shop.invalid/back"
    after = shop.get(f"payment_intents/{answer['id']}")
    assert (after["status"], after["next_action"]) == ("succeeded", None)
    assert "payment_intent.requires_action" in shop.told()


def test_without_a_way_back_stripes_own_code_authenticates(shop):
    answer = shop.pay("pm_card_threeDSecure2Required")
    assert answer["next_action"]["type"] == "use_stripe_sdk"
    shop.bank.authenticate(answer["id"], ok=False)
    after = shop.get(f"payment_intents/{answer['id']}")
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert after["latest_charge"] is None


def test_a_challenge_ends_with_another_card(shop):
    asked = shop.pay("pm_card_authenticationRequired")
    path = f"payment_intents/{asked['id']}/confirm"
    assert shop.post(path)["status"] == "requires_action"
    assert shop.post(path, payment_method="pm_card_visa")["status"] == "succeeded"


def test_off_session_a_card_that_asks_is_declined(shop):
    answer = shop.try_to_pay("pm_card_authenticationRequired", off_session="true")
    error = shop.refuses(answer, 402, "authentication_required")
    assert error["payment_intent"]["latest_charge"] is not None
    again = shop.try_to_pay("pm_card_authenticationRequired", error_on_requires_action="true")
    shop.refuses(again, 402, "authentication_required")


def test_held_money_is_captured_in_part_and_the_rest_released(shop):
    held = shop.hold()
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 2_000)
    path = f"payment_intents/{held['id']}/capture"
    taken = shop.post(path, key="c1", amount_to_capture=1_500, **{"metadata[part]": "p1"})
    assert (taken["status"], taken["amount_received"]) == ("succeeded", 1_500)
    assert taken["metadata"] == {"part": "p1"}
    assert taken["amount_capturable"] == 0
    assert shop.bank.charged("p1") == shop.bank.charged("c1") == Money(1_500, "USD")
    assert shop.told()[-2:] == ["charge.captured", "payment_intent.succeeded"]


def test_captures_are_several_where_that_was_asked_for(shop):
    option = {"payment_method_options[card][request_multicapture]": "if_available"}
    path = f"payment_intents/{shop.hold(**option)['id']}/capture"
    first = shop.post(path, amount_to_capture=500, final_capture="false")
    assert (first["status"], first["amount_capturable"]) == ("requires_capture", 1_500)
    assert shop.post(path, amount_to_capture=1_500)["amount_received"] == 2_000
    plain = f"payment_intents/{shop.hold()['id']}/capture"
    answer = shop.send("POST", plain, amount_to_capture=500, final_capture="false")
    assert shop.refuses(answer, 400)["param"] == "final_capture"


def test_nobody_captures_more_than_is_held(shop):
    path = f"payment_intents/{shop.hold()['id']}/capture"
    shop.refuses(shop.send("POST", path, amount_to_capture=2_001), 400, "amount_too_large")
    assert shop.bank.balance() == Money(0, "USD")


def test_a_scripted_decline_of_a_capture_leaves_the_money_held(shop):
    held = shop.hold()
    shop.simulator.next("capture_payment", Declined())
    error = shop.refuses(
        shop.send("POST", f"payment_intents/{held['id']}/capture"), 402, "card_declined"
    )
    assert error["payment_intent"]["status"] == "requires_capture"


def test_a_canceled_payment_says_why_and_releases_the_money(shop):
    held = shop.hold()
    path = f"payment_intents/{held['id']}/cancel"
    gone = shop.post(path, key="v1", cancellation_reason="abandoned")
    assert (gone["status"], gone["cancellation_reason"]) == ("canceled", "abandoned")
    assert gone["canceled_at"] is not None
    charge = shop.get(f"charges/{held['latest_charge']}")
    assert (charge["captured"], charge["refunded"]) == (False, True)
    error = shop.refuses(shop.send("POST", path), 400, "payment_intent_unexpected_state")
    assert error["payment_intent"]["status"] == "canceled"
    assert shop.bank.effects("v1") == 1


def test_a_hold_that_nobody_captures_expires(shop):
    held = shop.hold()
    shop.simulator.clock.advance(HOLD_LIVES)
    after = shop.get(f"payment_intents/{held['id']}")
    assert (after["status"], after["cancellation_reason"]) == ("canceled", "automatic")
    assert shop.told()[-2:] == ["charge.expired", "payment_intent.canceled"]


@pytest.mark.parametrize("verb", ["confirm", "capture", "cancel"])
def test_what_the_status_does_not_allow_is_refused_with_the_payment(shop, verb):
    paid = shop.pay()
    answer = shop.send("POST", f"payment_intents/{paid['id']}/{verb}")
    error = shop.refuses(answer, 400, "payment_intent_unexpected_state")
    assert error["payment_intent"]["id"] == paid["id"]
    shop.refuses(
        shop.send("POST", f"payment_intents/{paid['id']}", amount=100),
        400,
        "payment_intent_unexpected_state",
    )
    assert shop.bank.charged(paid["id"]) == Money(2_000, "USD")


def test_metadata_is_merged_and_unset(shop):
    paid = shop.pay(**{"metadata[a]": "1", "metadata[b]": "2"})
    path = f"payment_intents/{paid['id']}"
    changed = shop.post(path, **{"metadata[a]": "", "metadata[c]": "3"})
    assert changed["metadata"] == {"b": "2", "c": "3"}
    assert shop.post(path, metadata="")["metadata"] == {}
    assert shop.bank.charged("3") == Money(2_000, "USD")


def test_an_undecided_payment_is_processing_until_the_bank_decides(shop):
    asked = shop.pay(Tokens.PROCESSING)
    assert asked["status"] == "processing"
    assert shop.get(f"charges/{asked['latest_charge']}")["status"] == "pending"
    shop.bank.settle(asked["id"], ok=False)
    after = shop.get(f"payment_intents/{asked['id']}")
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["charge"] == asked["latest_charge"]


def test_a_scripted_card_takes_the_place_of_the_real_one(shop):
    shop.simulator.next("create_payment", As("pm_card_insufficient_funds"))
    error = shop.refuses(shop.try_to_pay("pm_card_visa"), 402, "card_declined")
    assert error["decline_code"] == "insufficient_funds"


def test_shipping_and_descriptors_are_told_again(shop):
    paid = shop.pay(
        description="Shoes",
        receipt_email="a@example.org",
        statement_descriptor_suffix="SHOES",
        **{"shipping[name]": "A", "shipping[address][line1]": "B", "expand[]": "latest_charge"},
    )
    assert paid["shipping"]["address"]["line1"] == "B"
    charge = paid["latest_charge"]
    assert charge["calculated_statement_descriptor"].endswith("SHOES")
    assert charge["receipt_email"] == paid["receipt_email"] == "a@example.org"


@pytest.mark.parametrize(
    ("currency", "wire", "major"), [("jpy", 500, 500), ("isk", 50_000, 500), ("kwd", 1_230, 1_230)]
)
def test_amounts_are_counted_as_stripe_counts_them(shop, currency, wire, major):
    paid = shop.pay(amount=wire, currency=currency)
    assert paid["amount_received"] == wire
    assert shop.bank.charged(paid["id"]) == Money(major, currency.upper())


@pytest.mark.parametrize(("currency", "amount"), [("isk", 50_050), ("kwd", 1_234)])
def test_amounts_that_a_currency_cannot_have_are_refused(shop, currency, amount):
    answer = shop.try_to_pay("pm_card_visa", amount=amount, currency=currency)
    shop.refuses(answer, 400, "parameter_invalid_integer")


def test_a_payment_made_by_hand_is_there_for_everybody():
    shop = Shop()
    ref = shop.bank.charge(Money(900, "USD"))
    (listed,) = shop.get("payment_intents")["data"]
    assert listed["amount_received"] == 900
    assert shop.bank.charged(listed["id"]) == shop.bank.charged(ref)
