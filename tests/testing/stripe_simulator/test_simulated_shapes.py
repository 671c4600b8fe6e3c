"""Answers have the keys and kinds of value that Stripe's real ones and its SDK's types have."""

import ast
import importlib.util
import json
from functools import cache
from pathlib import Path

import pytest
import stripe
from simulated import KEY

from payport.testing.stripe_simulator import API_VERSION
from payport.testing.stripe_simulator.parameters import PARAMETERS

RECORDINGS = Path(__file__).parents[2] / "data" / "stripe" / "recordings"
PACKAGE = Path(importlib.util.find_spec("stripe").origin).parent

#: What differs between recorded keys and ours, and why.
LATER = {  # added by versions after the recordings
    "payment_intent": {"allowed_payment_method_types", "managed_payments", "payment_record"},
    "refund": {"customer", "payment_method"},
}
CONNECT_2026 = {"customer_account"}  # added between the older recordings and the newer ones


def recorded(name):
    return json.loads((RECORDINGS / f"{name}.json").read_text())


def replay(shop, calls):
    """Send recorded calls in their order, ids mapped; yield their answers and ours."""
    names = {}
    for call in calls:
        request, response = call["request"], call["response"]
        path, query, form = request["path"], request["query"] or "", request["form"] or ""
        if path in BILLING:
            continue
        for theirs, ours in names.items():
            path, query, form = (text.replace(theirs, ours) for text in (path, query, form))
        answer = shop.http.request(
            request["method"],
            f"{path}?{query}" if query else path,
            content=form.encode() or None,
            headers={"authorization": f"Bearer {KEY}"}
            | ({"content-type": "application/x-www-form-urlencoded"} if form else {}),
        )
        ours = answer.json()
        names |= dict(ids(response["body"], ours))
        yield request["path"], response, answer.status_code, ours


def ids(theirs, ours):
    """Pairs of ids in the same places."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() & ours.keys():
            yield from ids(theirs[key], ours[key])
    elif isinstance(theirs, str) and isinstance(ours, str) and "_" in theirs:
        yield theirs, ours


def differences(theirs, ours, at=""):
    """Where keys or kinds of value differ; null may stand for anything."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        kind = ours.get("object", "")
        extra = ours.keys() - theirs.keys() - LATER.get(kind, set()) - CONNECT_2026
        for key in sorted(extra):
            yield f"{at}.{key} is ours alone"
        for key in theirs:
            if key not in ours:
                yield f"{at}.{key} is missing"
            else:
                yield from differences(theirs[key], ours[key], f"{at}.{key}")
    elif theirs is not None and ours is not None and type(theirs) is not type(ours):
        yield f"{at} is {type(ours).__name__} and not {type(theirs).__name__}"


#: Asked by the recorded client only to find out whether a payment belongs to an invoice.
BILLING = {"/v1/invoice_payments"}

#: Payment methods other than cards are what a dashboard turns on.
TOLERATED = (
    ".payment_method_options.",
    ".error.request_log_url is ours alone",
    ".param is missing",
    ".invoice_prefix",
)


@pytest.mark.parametrize(
    "name",
    [
        "can_capture_an_authorized_charge",
        "performing_multiple_refunds_increments_total_refund_amount",
        "can_create_a_charge",
        "can_pass_shipping_information_to_charge",
        "updating_a_stripe_card",
        "handles_exception_when_creating_a_customer",
    ],
)
def test_recorded_calls_are_answered_alike(shop, name):
    calls = recorded(name)
    count = 0
    for path, response, status, ours in replay(shop, calls):
        assert status == response["status"], (path, ours)
        theirs = response["body"]
        for kind in ("type", "code", "decline_code", "message"):
            assert ours.get("error", {}).get(kind) == theirs.get("error", {}).get(kind)
        wrong = [
            difference
            for difference in differences(theirs, ours)
            if not any(known in difference for known in TOLERATED)
        ]
        assert not wrong, (path, wrong)
        count += 1
    assert count == sum(call["request"]["path"] not in BILLING for call in calls)


def test_a_recorded_redirect_is_answered_alike(shop):
    calls = recorded("raises_action_required_error_when_SCA_required")[-4:]
    *_, (_, response, status, ours) = replay(shop, calls)
    assert status == response["status"] == 200
    theirs = response["body"]
    assert ours["status"] == theirs["status"] == "requires_action"
    assert ours["next_action"].keys() == theirs["next_action"].keys()
    assert ours["latest_charge"] is theirs["latest_charge"] is None


# -- the SDK's types ----------------------------------------------------------------------------


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
