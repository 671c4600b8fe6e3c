"""Customers and payment methods."""

from payport import Money
from payport.testing.tokens import Tokens


def customer(shop, **fields):
    return shop.post("customers", email="a@example.org", name="A", **fields)


def test_a_saved_method_pays_off_session(shop):
    ref = customer(shop)["id"]
    paid = shop.pay(customer=ref, setup_future_usage="off_session")
    (saved,) = shop.bank.methods(ref)
    assert saved == paid["payment_method"]
    (listed,) = shop.get("payment_methods", customer=ref)["data"]
    assert (listed["id"], listed["customer"]) == (saved, ref)
    again = shop.pay(saved, customer=ref, off_session="true")
    assert again["status"] == "succeeded"
    assert shop.bank.methods(ref) == (saved,)


def test_a_customer_of_the_banks_is_one_of_stripes(shop):
    ref = shop.bank.add_customer()
    assert shop.get(f"customers/{ref}")["id"] == ref
    assert shop.pay(customer=ref)["customer"] == ref


def test_a_method_that_was_used_without_a_customer_is_used_up(shop):
    used = shop.pay()["payment_method"]
    error = shop.refuses(shop.try_to_pay(used), 400)
    assert "may not be used again" in error["message"]


def test_a_customers_method_is_of_use_with_that_customer_only(shop):
    one, other = customer(shop)["id"], customer(shop)["id"]
    method = shop.post("payment_methods/pm_card_amex/attach", customer=one)
    assert method["card"]["last4"] == "8431"
    shop.refuses(shop.try_to_pay(method["id"]), 400)
    shop.refuses(shop.try_to_pay(method["id"], customer=other), 400)
    assert shop.pay(method["id"], customer=one)["status"] == "succeeded"
    detached = shop.post(f"payment_methods/{method['id']}/detach")
    assert detached["customer"] is None
    shop.refuses(shop.try_to_pay(method["id"], customer=one), 400)
    shop.refuses(shop.send("POST", f"payment_methods/{method['id']}/detach"), 400)
    path = f"payment_methods/{method['id']}/attach"
    shop.refuses(shop.send("POST", path, customer=one), 400)
    assert shop.bank.methods(one) == ()


def test_a_declined_card_is_not_saved(shop):
    ref = customer(shop)["id"]
    path = "payment_methods/pm_card_chargeDeclined/attach"
    error = shop.refuses(shop.send("POST", path, customer=ref), 402, "card_declined")
    assert error["decline_code"] == "generic_decline"
    path = "payment_methods/pm_card_chargeCustomerFail/attach"
    saved = shop.post(path, customer=ref)["id"]
    shop.refuses(shop.try_to_pay(saved, customer=ref), 402, "card_declined")


def test_customers_are_changed_read_and_listed(shop):
    made = customer(shop, payment_method="pm_card_visa", **{"metadata[a]": "1"})
    (method,) = shop.bank.methods(made["id"])
    path = f"customers/{made['id']}"
    changed = shop.post(
        path,
        name="",
        description="x",
        **{"invoice_settings[default_payment_method]": method, "metadata[b]": "2"},
    )
    assert (changed["name"], changed["description"]) == (None, "x")
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert changed["invoice_settings"]["default_payment_method"] == method
    assert shop.get(path) == changed
    assert shop.get("customers", email="a@example.org")["data"] == [changed]
    assert shop.get("customers", email="b@example.org")["data"] == []
    wrong = {"invoice_settings[default_payment_method]": "pm_x"}
    shop.refuses(shop.send("POST", path, **wrong), 400, "resource_missing")
    expanded = shop.get(path, **{"expand[0]": "tax", "expand[1]": "invoice_credit_balance"})
    assert expanded["tax"]["provider"] == "stripe"
    assert expanded["invoice_credit_balance"] == {}
    assert "customer.updated" in shop.told()


def test_a_method_is_made_of_a_token(shop):
    made = shop.post("payment_methods", type="card", **{"card[token]": "tok_mastercard"})
    assert made["card"]["brand"] == "mastercard"
    assert shop.get(f"payment_methods/{made['id']}") == made
    data = {"payment_method_data[type]": "card", "payment_method_data[card][token]": "tok_visa"}
    fields = {"amount": 500, "currency": "usd", "confirm": "true", "off_session": "true"}
    assert shop.post("payment_intents", **fields, **data)["status"] == "succeeded"
    answer = shop.send("POST", "payment_methods", type="card", **{"card[token]": "tok_x"})
    shop.refuses(answer, 400, "resource_missing")
    shop.refuses(shop.send("POST", "payment_methods", type="ideal"), 400, "parameter_missing")


def test_saving_costs_nothing(shop):
    ref = customer(shop)["id"]
    shop.post(f"payment_methods/{Tokens.OK}/attach", customer=ref)
    assert shop.bank.balance() == Money(0, "USD")
    shop.refuses(shop.send("GET", "payment_methods", customer="cus_x"), 400, "resource_missing")
