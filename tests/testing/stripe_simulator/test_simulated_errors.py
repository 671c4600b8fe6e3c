"""What is wrong with a request, in Stripe's words, before anything is executed."""

import pytest

from payport.testing.tokens import Tokens


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": 500}, "parameter_missing", "currency"),
        ({"amount": "lots", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1.5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "-5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "", "currency": "usd"}, "parameter_invalid_empty", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 10**12, "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": 500, "currency": "xyz"}, None, "currency"),
        ({"amount": 500, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": 500, "currency": "usd", "confirm": "maybe"}, None, "confirm"),
        ({"amount": 500, "currency": "usd", "capture_method": "late"}, None, "capture_method"),
        ({"amount": 500, "currency": "usd", "shipping": "here"}, None, "shipping"),
        ({"amount": 500, "currency": "usd", "expand": "x"}, None, "expand"),
        ({"amount": 500, "currency": "usd", "expand[]": "nothing"}, None, "expand"),
        ({"amount": 500, "currency": "usd", "expand[]": "data.latest_charge"}, None, "expand"),
        (
            {"amount": 500, "currency": "usd", "receipt_email": "x"},
            "email_invalid",
            "receipt_email",
        ),
        ({"amount": 500, "currency": "usd", "description[a]": "x"}, None, "description"),
        ({"amount": 500, "currency": "usd", "description": "x" * 5_001}, None, "description"),
        ({"amount": 500, "currency": "usd", "metadata": "x"}, None, "metadata"),
        ({"amount": 500, "currency": "usd", "metadata[a]": "x" * 501}, None, "metadata[a]"),
        ({"amount": 500, "currency": "usd", "metadata[a][b]": "x"}, None, "metadata[a]"),
        ({"amount": 500, "currency": "usd", "off_session": "true"}, None, "off_session"),
        ({"amount": 500, "currency": "usd", "transfer_data[x]": "y"}, "parameter_unknown", None),
        ({"amount": 500, "currency": "usd", "customer": "cus_x"}, "resource_missing", "customer"),
        (
            {"amount": 500, "currency": "usd", "payment_method": "pm_x"},
            "resource_missing",
            "payment_method",
        ),
        (
            {"amount": 500, "currency": "usd", "payment_method": Tokens.ERROR},
            "resource_missing",
            "payment_method",
        ),
    ],
)
def test_bad_parameters_are_named(shop, fields, code, param):
    error = shop.refuses(shop.send("POST", "payment_intents", key="k1", **fields), 400, code)
    assert error["type"] == "invalid_request_error"
    assert param in {None, error.get("param")}
    assert not shop.bank.payments
    if code is not None:
        assert error["doc_url"].endswith(code.replace("_", "-"))


def test_metadata_has_limits(shop):
    many = {f"metadata[k{n}]": "x" for n in range(51)}
    shop.refuses(shop.send("POST", "payment_intents", amount=500, currency="usd", **many), 400)
    long = {f"metadata[{'k' * 41}]": "x"}
    shop.refuses(shop.send("POST", "payment_intents", amount=500, currency="usd", **long), 400)


def test_a_confirmation_needs_a_method_and_a_way_back(shop):
    plain = {"amount": 500, "currency": "usd", "confirm": "true"}
    answer = shop.send("POST", "payment_intents", **plain)
    shop.refuses(answer, 400, "payment_intent_unexpected_state")
    answer = shop.send("POST", "payment_intents", **plain, payment_method="pm_card_visa")
    assert "return_url" in shop.refuses(answer, 400)["message"]
    answer = shop.send(
        "POST", "payment_intents", **plain, payment_method="pm_card_visa", return_url="nowhere"
    )
    shop.refuses(answer, 400, "url_invalid")
    answer = shop.try_to_pay("pm_card_visa", statement_descriptor="SHOES")
    assert shop.refuses(answer, 400)["param"] == "statement_descriptor"
    made = shop.post("payment_intents", amount=500, currency="usd")
    answer = shop.send("POST", f"payment_intents/{made['id']}/confirm", return_url="https://a.b")
    shop.refuses(answer, 400, "payment_intent_unexpected_state")


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("payment_intents/pi_x", "intent"),
        ("charges/ch_x", "id"),
        ("disputes/dp_x", "id"),
        ("events/evt_x", "id"),
        ("customers/cus_x", "id"),
        ("balance_transactions/txn_x", "id"),
        ("payment_methods/pm_x", "payment_method"),
    ],
)
def test_what_is_not_there_is_a_404(shop, path, param):
    error = shop.refuses(shop.send("GET", path), 404, "resource_missing")
    assert error["param"] == param
    assert path.rpartition("/")[2] in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "subscriptions"), ("POST", "charges"), ("GET", ""), ("GET", "charges/ch_1/x/y")],
)
def test_an_unknown_address_is_a_404_of_stripes(shop, method, path):
    error = shop.refuses(shop.send(method, path), 404)
    assert error["message"].startswith(f"Unrecognized request URL ({method}: /v1/{path})")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "card", "card[number]": "4242424242424242", "card[cvc]": "123"},
        {"type": "card", "card[number]": "1"},
    ],
)
def test_card_numbers_are_refused(shop, fields):
    answer = shop.send("POST", "payment_methods", **fields)
    assert "generally unsafe" in shop.refuses(answer, 402)["message"]
    nested = {f"payment_method_data[{name.replace('[', '][', 1)}": v for name, v in fields.items()}
    nested = {name if name.endswith("]") else f"{name}]": v for name, v in nested.items()}
    answer = shop.send("POST", "payment_intents", amount=500, currency="usd", **nested)
    shop.refuses(answer, 402)
    assert not shop.bank.payments
