"""Answers and parameters have the names and kinds that the SDK's types have."""

import ast
import importlib.util
from functools import cache
from pathlib import Path

import pytest
import stripe

from payport.testing.stripe_simulator import API_VERSION
from payport.testing.stripe_simulator.parameters import PARAMETERS

PACKAGE = Path(importlib.util.find_spec("stripe").origin).parent


@cache
def annotations(module, name):
    tree = ast.parse((PACKAGE / module).read_text())
    (found,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in found.body
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node.annotation).startswith("Class")
    }


#: Keys that real answers have and the SDK's classes have not.
UNTYPED = {
    "charge": {"destination", "dispute", "order"},
    "dispute": {"balance_transaction"},
}
CLASSES = {
    "payment_intent": ("_payment_intent.py", "PaymentIntent"),
    "charge": ("_charge.py", "Charge"),
    "refund": ("_refund.py", "Refund"),
    "dispute": ("_dispute.py", "Dispute"),
    "event": ("_event.py", "Event"),
    "balance": ("_balance.py", "Balance"),
    "balance_transaction": ("_balance_transaction.py", "BalanceTransaction"),
    "customer": ("_customer.py", "Customer"),
    "payment_method": ("_payment_method.py", "PaymentMethod"),
    "account": ("_account.py", "Account"),
}
PRIMITIVE = {"int": int, "str": str, "bool": bool}


def every_object(shop):
    customer = shop.post("customers", email="a@example.org")["id"]
    declined = shop.pay("pm_card_chargeDeclined")["error"]["payment_intent"]
    asked = shop.pay("pm_card_authenticationRequired", return_url="https://a.b/c")
    held = shop.hold()
    paid = shop.pay(customer=customer, setup_future_usage="off_session")
    shop.post("refunds", payment_intent=paid["id"], amount=100)
    shop.bank.dispute(paid["id"])
    yield from (declined, asked, held, paid, shop.get("balance"), shop.get("account"))
    for path in ("payment_intents", "charges", "refunds", "disputes", "events", "customers"):
        yield from shop.get(path, limit=100)["data"]
    yield from shop.get("balance_transactions")["data"]
    yield from shop.get("payment_methods", customer=customer)["data"]


def test_objects_fit_the_sdks_classes(shop):
    seen = set()
    for document in every_object(shop):
        kind = document["object"]
        seen.add(kind)
        typed = annotations(*CLASSES[kind])
        assert set(document) <= set(typed) | UNTYPED.get(kind, set()), kind
        for key, value in document.items():
            annotation = typed.get(key, "Optional[Any]")
            if value is None:
                assert annotation.startswith("Optional["), (kind, key)
            elif annotation in PRIMITIVE:
                assert type(value) is PRIMITIVE[annotation], (kind, key)
        needed = {key for key, how in typed.items() if not how.startswith("Optional[")}
        assert needed <= set(document), kind
    assert seen == set(CLASSES)


#: Which of the SDK's parameter types each of our tables says.
SAID = {
    "create_payment": "PaymentIntentCreateParams",
    "confirm_payment": "PaymentIntentConfirmParams",
    "update_payment": "PaymentIntentUpdateParams",
    "capture_payment": "PaymentIntentCaptureParams",
    "cancel_payment": "PaymentIntentCancelParams",
    "retrieve_payment": "PaymentIntentRetrieveParams",
    "list_payments": "PaymentIntentListParams",
    "search_payments": "PaymentIntentSearchParams",
    "list_charges": "ChargeListParams",
    "create_refund": "RefundCreateParams",
    "update_refund": "RefundUpdateParams",
    "list_refunds": "RefundListParams",
    "list_disputes": "DisputeListParams",
    "list_balance_transactions": "BalanceTransactionListParams",
    "list_events": "EventListParams",
    "create_customer": "CustomerCreateParams",
    "update_customer": "CustomerUpdateParams",
    "list_customers": "CustomerListParams",
    "attach_method": "PaymentMethodAttachParams",
    "list_methods": "PaymentMethodListParams",
}
#: What is required by Stripe and not by the types.
REQUIRED = {"attach_method": {"customer"}}


@pytest.mark.parametrize("route", SAID)
def test_parameters_are_those_of_the_sdks_types(route):
    params = getattr(stripe.params, SAID[route])
    ours = PARAMETERS[route]
    options = set(stripe.RequestOptions.__annotations__)
    assert set(ours.kinds) == set(params.__annotations__) - options
    assert set(ours.required) == set(params.__required_keys__) | REQUIRED.get(route, set())


def test_the_version_is_the_sdks():
    assert API_VERSION == stripe._api_version._ApiVersion.CURRENT
