"""The simulator beside Adyen's description: the same fields, and Adyen's own examples."""

import pytest
from adyen_description import check, described
from simulated_adyen import Shop

from payport.testing.adyen_simulator.parameters import PARAMETERS
from payport.testing.adyen_simulator.shapes import SHAPES

#: The schema of each request with a body.
SCHEMAS = {
    "payments": "PaymentRequest",
    "details": "PaymentDetailsRequest",
    "sessions": "CreateCheckoutSessionRequest",
    "captures": "PaymentCaptureRequest",
    "refunds": "PaymentRefundRequest",
    "cancels": "PaymentCancelRequest",
    "reversals": "PaymentReversalRequest",
    "cancels_by_reference": "StandalonePaymentCancelRequest",
    "payment_methods": "PaymentMethodsRequest",
    "store_method": "StoredPaymentMethodRequest",
}


def schema(name):
    return described("checkout-v72")["components"]["schemas"][name]


@pytest.mark.parametrize(("name", "kind"), SCHEMAS.items())
def test_every_field_that_adyen_describes_is_used_told_or_refused(name, kind):
    known = PARAMETERS[name]
    assert known.kinds.keys() | known.refused == schema(kind)["properties"].keys()
    assert not known.kinds.keys() & known.refused
    assert set(known.required) == set(schema(kind)["required"])


def compare(kinds, described):
    for field, ours in kinds.items():
        theirs = described["properties"][field]
        if "enum" in theirs:
            assert sorted(ours.split("|")) == sorted(theirs["enum"]), field
            continue
        told = theirs.get("type", "object")
        simple = {"amount": "object", "strings": "object"}.get(ours, ours.partition(":")[0])
        assert simple == told, field
        longest = theirs.get("maxLength")
        if longest is not None:
            assert ours == f"string:{longest}", field


@pytest.mark.parametrize(("name", "kind"), SCHEMAS.items())
def test_fields_are_of_the_kinds_that_adyen_describes(name, kind):
    compare(PARAMETERS[name].kinds, schema(kind))


@pytest.mark.parametrize("name", SHAPES)
def test_objects_within_requests_are_as_adyen_describes_them(name):
    theirs = schema({"threeDSRequestData": "ThreeDSRequestData"}.get(name, _kind_of(name)))
    assert SHAPES[name].kinds.keys() == theirs["properties"].keys()
    assert set(SHAPES[name].required) == set(theirs.get("required", ()))
    compare(SHAPES[name].kinds, theirs)


def _kind_of(field):
    described = schema("PaymentRequest")["properties"].get(field, {"$ref": ""})
    return described["$ref"].rpartition("/")[2]


def test_every_request_that_is_served_is_described():
    reads = {"session", "stored_methods", "delete_method"}
    assert PARAMETERS.keys() == SCHEMAS.keys() | reads
    assert len(described("checkout-v72")["paths"]) == 12


def test_the_checks_can_fail():
    with pytest.raises(AssertionError, match="required"):
        check("checkout-v72", "/components/schemas/PaymentCancelRequest", {})
    with pytest.raises(AssertionError, match="resultCode"):
        check("checkout-v72", "/components/schemas/PaymentResponse", {"resultCode": "Paid"})


EXAMPLES = described("checkout-v72")["components"]["examples"]
#: What stands in for references to things that Adyen's examples made before.
TAKEN = {
    "post-payments-card-3d-secure-2-web": "IdentifyShopper",
    "post-payments-card-3d-secure-redirect": "RedirectShopper",
    "post-payments-card-direct": "Authorised",
    "post-payments-card-securedfields": "Authorised",
    "post-payments-enableOneClick-SF": "Authorised",
    "post-payments-ideal": "RedirectShopper",
    "post-payments-subscription-first-transaction": "Authorised",
}


@pytest.mark.parametrize(("example", "result"), TAKEN.items())
def test_adyens_examples_of_payments_are_taken(example, result):
    shop = Shop(account="YOUR_MERCHANT_ACCOUNT", raw_cards=True)
    asked = EXAMPLES[example]["value"]
    answer = shop.http.post("/payments", json=asked, headers=shop.headers)
    assert answer.json()["resultCode"] == result
    told = EXAMPLES[f"{example}-200"]["value"]
    assert told["resultCode"] in {result, answer.json()["resultCode"]}
    # What Adyen tells in its example is told here as well, except for what only it knows.
    assert told.keys() - answer.json().keys() <= {"additionalData", "pspReference"}


@pytest.mark.parametrize(
    "example",
    [
        "post-payments-applepay",
        "post-payments-klarna",
        "post-payments-split-classic",
    ],
)
def test_adyens_examples_of_what_is_not_simulated_are_refused(example):
    shop = Shop(account="YOUR_MERCHANT_ACCOUNT", raw_cards=True)
    asked = EXAMPLES[example]["value"]
    answer = shop.http.post("/payments", json=asked, headers=shop.headers)
    assert "simulator" in shop.refuses(answer, 422, "000")["message"]


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("captures", "capture"),
        ("cancels", "cancel-with-psp-reference"),
        ("refunds", "refund"),
        ("reversals", "reversal"),
    ],
)
def test_adyens_examples_of_modifications_are_answered_alike(what, example):
    shop = Shop(account="YOUR_MERCHANT_ACCOUNT")
    shop.account = "YOUR_MERCHANT_ACCOUNT"
    held = shop.hold()
    name = f"post-payments-paymentPspReference-{what}-{example}"
    path = f"/payments/{held['pspReference']}/{what}"
    answer = shop.http.post(path, json=EXAMPLES[name]["value"], headers=shop.headers)
    told = EXAMPLES[f"{name}-201"]["value"]
    assert answer.status_code == 201
    assert answer.json().keys() == told.keys()
    same = {"merchantAccount", "reference", "amount", "status"} & told.keys()
    assert {n: answer.json()[n] for n in same} == {n: told[n] for n in same}
