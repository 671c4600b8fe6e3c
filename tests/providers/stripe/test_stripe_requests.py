"""Commands become requests that Stripe's own types allow, written as its own SDK writes them."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe import params
from stripe_help import (
    EVERY_COMMAND,
    KEY,
    MOMENT,
    NOW,
    TAG,
    adapter,
    canceling,
    capturing,
    confirming,
    creating,
    refunding,
)

from payport.domain.errors import InvalidRequest, UnsupportedOperation
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason
from payport.providers.commands import Lookup
from payport.providers.exchange import Request
from payport.providers.listings import PaymentsQuery, RefundsQuery
from payport.providers.stripe import API_VERSION
from payport.providers.stripe.requests import REASONS, Requests, encoded

each_command = pytest.mark.parametrize(
    "command", list(EVERY_COMMAND.values()), ids=list(EVERY_COMMAND)
)

#: The SDK's own types of what may be asked, by method and path.
TYPES = {
    "POST /v1/payment_intents": params.PaymentIntentCreateParams,
    "POST /v1/payment_intents/{id}/confirm": params.PaymentIntentConfirmParams,
    "POST /v1/payment_intents/{id}/capture": params.PaymentIntentCaptureParams,
    "POST /v1/payment_intents/{id}/cancel": params.PaymentIntentCancelParams,
    "POST /v1/refunds": params.RefundCreateParams,
    "GET /v1/payment_intents/{id}": params.PaymentIntentRetrieveParams,
    "GET /v1/payment_intents": params.PaymentIntentListParams,
    "GET /v1/payment_intents/search": params.PaymentIntentSearchParams,
    "GET /v1/refunds": params.RefundListParams,
    "GET /v1/refunds/{id}": params.RefundRetrieveParams,
    "GET /v1/disputes": params.DisputeListParams,
    "GET /v1/account": params.AccountRetrieveCurrentParams,
}


def rendered(command: Any, **options: Any) -> Request:
    return adapter(**options).render(command, TAG)


def form_of(request: Request) -> dict[str, Any]:
    """The fields of a request, nested again."""
    text = request.body.decode() or urlsplit(request.target).query
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        *path, last = re.findall(r"[^\[\]]+", name)
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        assert last not in place, f"{name} is there twice"
        place[last] = value
    return {
        name: list(value.values()) if name == "expand" else value for name, value in tree.items()
    }


def route_of(request: Request) -> str:
    path = urlsplit(request.target).path
    return f"{request.method} {re.sub(r'/(pi|re)_[0-9]+', '/{id}', path)}"


def every_read() -> list[Request]:
    ask = Requests(account=None, multicapture=False)
    return [
        ask.account(),
        ask.payment("pi_1", "retrieve_payment"),
        ask.payments("find", None, None),
        ask.payments("find", "cus_1", "pi_9"),
        ask.search("find", TAG),
        ask.refunds("find", "pi_1", None),
        ask.refunds("find", "pi_1", "re_9"),
        ask.disputes("retrieve_payment", "pi_1", None),
        ask.one_refund("re_1", "retrieve_refund"),
        ask.listed_payments(PaymentsQuery()),
        ask.listed_payments(
            PaymentsQuery(
                created_from=MOMENT, created_before=MOMENT, customer="cus_1", after="pi_9", limit=7
            )
        ),
        ask.listed_refunds(RefundsQuery(payment_ref="pi_1", after="re_9", limit=7)),
    ]


# -- the wire -------------------------------------------------------------------------------------


class Capturing(stripe.HTTPClient):
    name = "capturing"

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Any:
        self.written = (method.upper(), url, dict(headers), post_data or "")
        return "{}", 200, {}


def as_the_sdk_writes(method: str, path: str, fields: dict[str, Any]) -> tuple[str, str]:
    client = Capturing()
    sdk = stripe.StripeClient(KEY, http_client=client)
    sdk.raw_request(method.lower(), path, **fields)
    _, url, _, body = client.written
    return url.removeprefix("https://api.stripe.com"), body


@each_command
def test_a_form_is_written_as_the_sdk_writes_it(command: Any) -> None:
    request = rendered(command)
    assert as_the_sdk_writes("POST", request.target, form_of(request)) == (
        request.target,
        request.body.decode(),
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(TEXTS.filter(lambda n: n and not set(n) & set("[]")), TEXTS, max_size=4))
def test_any_texts_are_written_as_the_sdk_writes_them(texts: dict[str, str]) -> None:
    fields = {"metadata": texts, "amount": 5, "confirm": True, "off": None, "no": False}
    wanted = as_the_sdk_writes("POST", "/v1/refunds", fields)[1]
    assert encoded(fields, "refunds.create") == wanted
    # And what was written can be read again without a loss: it is sent through the SDK once more.
    again = dict(parse_qsl(wanted, keep_blank_values=True))
    assert as_the_sdk_writes("POST", "/v1/refunds", again)[1] == wanted


@each_command
def test_the_sdks_types_allow_every_change(command: Any) -> None:
    check_typed(rendered(command, multicapture=True))


@pytest.mark.parametrize(
    "request_", every_read(), ids=lambda one: f"{one.operation} {one.target[:60]}"
)
def test_the_sdks_types_allow_every_read(request_: Request) -> None:
    check_typed(request_)
    assert not request_.mutates
    assert request_.key is None
    assert "Idempotency-Key" not in request_.headers


def check_typed(request: Request) -> None:
    shape = TYPES[route_of(request)]
    check_fields(form_of(request), shape)


def check_fields(form: dict[str, Any], shape: Any) -> None:
    assert form.keys() <= shape.__annotations__.keys()
    assert shape.__required_keys__ <= form.keys()
    for name, value in form.items():
        kind = str(shape.__annotations__[name])
        if isinstance(value, list):
            assert "List[str]" in kind, name
        elif isinstance(value, dict):
            check_nested(name, value, kind, sys.modules[shape.__module__])
        elif value in {"true", "false"}:
            assert "bool" in kind, name
        elif re.search(r"\bint\b", kind):
            assert value.isdigit(), name
        else:
            assert "str" in kind, name


def check_nested(name: str, value: dict[str, Any], kind: str, module: Any) -> None:
    if name == "metadata":
        assert all(isinstance(text, str) for text in value.values())
        return
    (nested,) = set(re.findall(r"PaymentIntent\w+Params\w+", kind))
    check_fields(value, getattr(module, nested))


# -- what is asked --------------------------------------------------------------------------------


def test_a_payment_is_asked_for_with_all_its_terms() -> None:
    assert form_of(rendered(EVERY_COMMAND["create with everything"])) == {
        "amount": "4999",
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": "true"},
        "capture_method": "manual",
        "confirm": "true",
        "currency": "usd",
        "customer": "cus_1",
        "description": "Zwölf Äpfel & 100 % mehr",
        "expand": ["latest_charge"],
        "metadata": {
            "colour": "grün",
            "empty": "",
            "note": "a=b&c %5B",
            "payport_key": TAG,
            "payport_reference": "order_1",
        },
        "off_session": "true",
        "payment_method": "pm_card_visa",
        "receipt_email": "a+b@shop.example",
        "return_url": "https://shop.example/back?a=b&c=[d]",
        "setup_future_usage": "off_session",
        "statement_descriptor_suffix": "APPLES",
    }


def test_what_belongs_to_a_confirmation_waits_for_it() -> None:
    """Stripe refuses it otherwise."""
    form = form_of(rendered(creating(confirm=False, return_url="https://shop.example")))
    assert form["confirm"] == "false"
    assert form.keys().isdisjoint({"return_url", "off_session"})
    assert form["automatic_payment_methods"]["allow_redirects"] == "always"


def test_without_a_way_back_no_method_leaves_the_page() -> None:
    """Stripe refuses to confirm a payment that could need one."""
    form = form_of(rendered(creating()))
    assert form["automatic_payment_methods"] == {"enabled": "true", "allow_redirects": "never"}


def test_a_confirmation_goes_to_its_object() -> None:
    request = rendered(EVERY_COMMAND["confirm with everything"])
    assert request.target == "/v1/payment_intents/pi_1/confirm"
    assert form_of(request) == {
        "expand": ["latest_charge"],
        "off_session": "true",
        "payment_method": "pm_card_visa",
        "return_url": "https://shop.example",
        "setup_future_usage": "off_session",
    }


def test_a_confirmation_without_an_object_makes_one() -> None:
    request = rendered(confirming(None, attempt=2))
    assert request.target == "/v1/payment_intents"
    assert form_of(request)["confirm"] == "true"
    assert form_of(request)["metadata"]["payport_key"] == TAG


def test_a_capture_carries_its_tag_apart_from_the_payments() -> None:
    form = form_of(rendered(capturing(Money(1_000, "USD"))))
    assert form == {
        "amount_to_capture": "1000",
        "expand": ["latest_charge"],
        "metadata": {"payport_capture": TAG},
    }


def test_what_a_capture_leaves_is_kept_only_where_the_account_may() -> None:
    part = capturing(Money(1_000, "USD"), final=False, capture_reference="first")
    with pytest.raises(UnsupportedOperation):
        rendered(part)
    assert form_of(rendered(part, multicapture=True))["final_capture"] == "false"


def test_several_captures_are_asked_for_only_where_the_account_may() -> None:
    """Asking unsaid makes Stripe refuse the confirmation on most accounts."""
    assert "payment_method_options" not in form_of(rendered(creating(manual=True)))
    form = form_of(rendered(creating(manual=True), multicapture=True))
    assert form["payment_method_options"] == {"card": {"request_multicapture": "if_available"}}
    assert "payment_method_options" not in form_of(rendered(creating(), multicapture=True))


def test_a_cancel_goes_to_its_object() -> None:
    request = rendered(canceling())
    assert request.target == "/v1/payment_intents/pi_1/cancel"


@pytest.mark.parametrize("reason", list(RefundReason))
def test_a_refunds_reason_is_told_where_stripe_has_a_word(reason: RefundReason) -> None:
    form = form_of(rendered(refunding(reason=reason)))
    assert form.get("reason") == REASONS.get(reason)
    words = re.findall(r"'(\w+)'", str(params.RefundCreateParams.__annotations__["reason"]))
    assert set(REASONS.values()) == set(words)


def test_capture_methods_are_the_sdks_words() -> None:
    kind = str(params.PaymentIntentCreateParams.__annotations__["capture_method"])
    for method in CaptureMethod:
        form = form_of(rendered(creating(manual=method is CaptureMethod.MANUAL)))
        assert f"'{form['capture_method']}'" in kind


# -- the frame ------------------------------------------------------------------------------------


@each_command
def test_a_change_carries_key_and_version_and_no_credentials(command: Any) -> None:
    request = rendered(command)
    assert dict(request.headers) == {"Idempotency-Key": TAG, "Stripe-Version": API_VERSION}
    assert (request.method, request.key, request.mutates) == ("POST", TAG, True)
    assert request.operation == command.operation
    assert KEY.encode() not in request.to_bytes()


@each_command
def test_a_connected_account_is_named_in_every_request(command: Any) -> None:
    assert rendered(command, account="acct_1").headers["Stripe-Account"] == "acct_1"
    assert rendered(command, account="acct_1").body == rendered(command).body


@each_command
def test_rendering_is_repeatable_and_survives_the_journal(command: Any) -> None:
    request = rendered(command)
    assert rendered(command).to_bytes() == request.to_bytes()
    assert Request.from_bytes(request.to_bytes()) == request


@pytest.mark.parametrize(
    "ref", ["", "pi_1/../../refunds", "pi_1?a=b", "pi 1", "pi_1%2f", "pi_1#", "\u0661", "a" * 256]
)
def test_an_id_that_could_lead_elsewhere_is_refused_before_anything_is_sent(ref: str) -> None:
    one = adapter()
    for command in (confirming(ref), capturing(ref=ref), canceling(ref), refunding(ref=ref)):
        with pytest.raises(InvalidRequest) as raised:
            one.render(command, TAG)
        assert raised.value.field == "payment_ref"
        assert raised.value.operation == command.operation
    lookup = Lookup(key=TAG, command=canceling(ref), payment_ref=ref)
    for read in (
        lambda: next(one.retrieve_payment(ref)),
        lambda: next(one.retrieve_refund(ref)),
        lambda: next(one.find(lookup)),
    ):
        with pytest.raises(InvalidRequest):
            read()


@pytest.mark.parametrize(
    ("moment", "second"),
    [
        (MOMENT, NOW),
        (MOMENT + timedelta(microseconds=1), NOW + 1),
        (MOMENT - timedelta(hours=1), NOW - 3_600),
    ],
)
def test_a_window_begins_and_ends_at_the_next_whole_second(moment: datetime, second: int) -> None:
    ask = Requests(account=None, multicapture=False)
    query = PaymentsQuery(created_from=moment, created_before=moment)
    assert form_of(ask.listed_payments(query))["created"] == {
        "gte": str(second),
        "lt": str(second),
    }


def test_a_listing_asks_for_no_more_than_stripe_gives() -> None:
    ask = Requests(account="acct_1", multicapture=False)
    asked = ask.listed_payments(PaymentsQuery(limit=1_000))
    assert form_of(asked)["limit"] == "100"
    assert asked.headers["Stripe-Account"] == "acct_1"


@pytest.mark.parametrize("given", ["../x", "", "pi 1", "pi?1"])
def test_a_cursor_or_customer_that_could_lead_elsewhere_is_refused(given: str) -> None:
    ask = Requests(account=None, multicapture=False)
    with pytest.raises(InvalidRequest, match="cursor"):
        ask.listed_payments(PaymentsQuery(after=given))
    with pytest.raises(InvalidRequest, match="customer"):
        ask.listed_payments(PaymentsQuery(customer=given))
    with pytest.raises(InvalidRequest, match="cursor"):
        ask.listed_refunds(RefundsQuery(payment_ref="pi_1", after=given))
    with pytest.raises(InvalidRequest, match="payment_ref"):
        ask.listed_refunds(RefundsQuery(payment_ref=given))


def test_a_key_that_could_end_a_query_is_refused() -> None:
    with pytest.raises(InvalidRequest) as raised:
        Requests(account=None, multicapture=False).search("find", "a' OR 'b")
    assert raised.value.field == "key"


def test_half_a_character_is_refused_and_not_sent() -> None:
    with pytest.raises(InvalidRequest, match="half a character"):
        rendered(creating(description="cut \ud83d"))


# -- amounts --------------------------------------------------------------------------------------

#: What a thousand major units are on the wire. https://docs.stripe.com/currencies
WIRE = {
    "USD": 100_000,
    "EUR": 100_000,
    "HUF": 100_000,
    "TWD": 100_000,
    "IDR": 100_000,
    "JPY": 1_000,
    "KRW": 1_000,
    "VND": 1_000,
    "ISK": 100_000,
    "UGX": 100_000,
    "MGA": 1_000,
    "KWD": 1_000_000,
    "TND": 1_000_000,
}


@pytest.mark.parametrize(("currency", "wire"), list(WIRE.items()))
def test_amounts_are_written_as_stripe_counts_them(currency: str, wire: int) -> None:
    amount = Money.from_major(1000, currency)
    for command in (creating(amount=amount), capturing(amount), refunding(amount)):
        form = form_of(rendered(command))
        told = form.get("amount") or form["amount_to_capture"]
        assert told == str(wire)
    assert form_of(rendered(creating(amount=amount)))["currency"] == currency.lower()


def test_a_fraction_that_stripe_cannot_count_is_refused() -> None:
    for command in (creating(amount=Money(150, "MGA")), refunding(Money(150, "MGA"))):
        with pytest.raises(InvalidRequest, match="whole MGA") as raised:
            rendered(command)
        assert raised.value.field == "amount"


def test_more_digits_than_stripe_takes_are_refused() -> None:
    assert form_of(rendered(creating(amount=Money(9_999_999_999, "ISK"))))["amount"]
    with pytest.raises(InvalidRequest, match="12 digits"):
        rendered(creating(amount=Money(10_000_000_000, "ISK")))
    with pytest.raises(InvalidRequest, match="at most"):
        rendered(creating(amount=Money(1_000_000_000_000, "USD")))
