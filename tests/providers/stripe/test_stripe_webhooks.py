"""Webhooks: only what Stripe signed just now is read, and what it says becomes facts once."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from stripe_help import (
    MADE,
    MOMENT,
    NOW,
    SECRET,
    TAG,
    adapter,
    answer,
    charge,
    creating,
    declined,
    delivered,
    dispute,
    event,
    held,
    payment,
    ran,
    refund,
    signature,
    signed,
    unpaid,
)

from payport.domain.apply import apply
from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.facts import AttemptStatus, DisputeStatus, RefundStatus
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentIntent, PaymentStatus
from payport.domain.payout import PayoutStatus
from payport.providers import webhook_secrets
from payport.providers.deliveries import Subject, WebhookRequest
from payport.providers.stripe import API_VERSION, signatures, webhooks
from payport.providers.stripe.payouts import PAYOUTS
from payport.testing._heard import heard

BODY = json.dumps(event("payment_intent.succeeded", payment())).encode()


def read(request: WebhookRequest, at: Any = MOMENT, secrets: Any = (SECRET,)) -> Any:
    """What is read, or None where it is rejected; anything else that is raised is a failure."""
    try:
        return heard(adapter(webhook_secrets=list(secrets)), request, at)
    except WebhookRejected:
        return None


def with_header(header: str | None, body: bytes = BODY) -> WebhookRequest:
    headers = {} if header is None else {"stripe-signature": header}
    return WebhookRequest(body=body, headers=headers)


# -- verification ---------------------------------------------------------------------------------


def test_what_stripe_signed_is_read() -> None:
    assert read(signed(BODY)) is not None


def test_the_sdks_own_signature_is_accepted() -> None:
    import stripe  # noqa: PLC0415 - this test alone compares with the SDK

    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, NOW)
    assert read(with_header(header)) is not None


@pytest.mark.parametrize("seconds", [-301, -(10**9), 301, 31_536_000])
def test_a_signature_counts_for_five_minutes_either_way(seconds: int) -> None:
    assert read(signed(BODY), MOMENT + timedelta(seconds=seconds)) is None
    for near in (-300, 0, 300):
        assert read(signed(BODY), MOMENT + timedelta(seconds=near)) is not None


@pytest.mark.parametrize(
    "time",
    [
        "-1",
        "1e30",
        "nan",
        "",
        " ",
        "+1790000000",
        "1790000000.0",
        "٣",
        "1_790_000_000",
        "9" * 5_000,
    ],
)
def test_a_time_that_is_none_is_rejected(time: str) -> None:
    assert read(with_header(f"t={time},v1={signature(BODY, time)}")) is None


def test_two_times_are_rejected() -> None:
    assert read(with_header(f"t={NOW},t={NOW},v1={signature(BODY)}")) is None
    assert read(with_header(f"v1={signature(BODY)}")) is None


RIGHT = signature(BODY)


@pytest.mark.parametrize(
    "given",
    [
        "",
        RIGHT[:-1],
        RIGHT + "0",
        RIGHT.upper(),
        " " + RIGHT,
        "0" * 64,
        "ünïcödé",
        "\ud800",
        "\x00",
        "v1=" + RIGHT,
    ],
)
def test_a_signature_that_is_none_is_rejected(given: str) -> None:
    assert read(with_header(f"t={NOW},v1={given}")) is None


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "words", "t=,v1=", f"t={NOW}", f"t={NOW},v0={RIGHT}", "," * 100_000, "=" * 9],
)
def test_a_header_that_is_none_is_rejected(header: str | None) -> None:
    assert read(with_header(header)) is None


def test_a_few_wrong_signatures_do_not_hide_the_right_one() -> None:
    wrong = ",".join(["v1=" + "0" * 64] * 15)
    assert read(with_header(f"t={NOW},{wrong},v1={RIGHT}")) is not None


def test_many_signatures_are_not_looked_at() -> None:
    wrong = ",".join(["v1=" + "0" * 64] * 20_000)
    assert read(with_header(f"t={NOW},v1={RIGHT},{wrong}")) is None
    assert read(with_header(f"t={NOW},{wrong},v1={RIGHT}")) is None


@pytest.mark.parametrize("change", ["byte", "space", "bom", "shorter", "rendered", "crlf"])
def test_a_changed_body_is_rejected(change: str) -> None:
    changed = {
        "byte": BODY.replace(b"4999", b"9999"),
        "space": BODY + b" ",
        "bom": b"\xef\xbb\xbf" + BODY,
        "shorter": BODY[:-1],
        "rendered": json.dumps(json.loads(BODY), indent=1).encode(),
        "crlf": BODY + b"\r\n",
    }[change]
    assert read(with_header(f"t={NOW},v1={RIGHT}", changed)) is None


def test_a_secret_can_be_replaced() -> None:
    for secret in ("whsec_old", "whsec_new"):
        request = signed(BODY, secret=secret)
        assert read(request, secrets=["whsec_new", "whsec_old"]) is not None
        assert read(request, secrets=["whsec_other"]) is None


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(ConfigurationError, match="signing secret"):
        read(signed(BODY), secrets=[])


def test_digests_are_compared_in_constant_time_and_in_no_other_way() -> None:
    assert "compare_digest" in inspect.getsource(webhook_secrets)
    assert "matched_secret(" in inspect.getsource(signatures)
    modules = (webhooks, signatures, webhook_secrets)
    trees = [ast.parse(inspect.getsource(module)) for module in modules]
    for node in [node for tree in trees for node in ast.walk(tree)]:
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq) for op in node.ops):
            assert "digest" not in ast.unparse(node)
            assert "signature" not in ast.unparse(node).lower()


# -- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'"paid"',
        b"[]",
        b"{}",
        b"{}{}",
        b"<html></html>",
        b"\xff\xfe{}",
        b'{"id": NaN}',
        b'{"id": 1e400}',
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"id": 1' + b"0" * 10_000 + b"}",
        b'{"type": "\\ud800", "id": "\\udfff", "object": "event"}',
        json.dumps({"object": "list"}).encode(),
    ],
)
def test_a_body_that_is_no_event_is_rejected(body: bytes) -> None:
    assert read(signed(body)) is None


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "id",
            [None, "", 7, "pi_1", "evt_", "evt_a b", "evt_'; drop", "evt_" + "a" * 300, "evt_\0"],
        ),
        ("type", [None, "", 7, [], "a" * 300, "payment\ud800", "a b"]),
        ("created", [None, "1790000000", True, 1.5, 10**30, -(10**30)]),
        ("livemode", [None, "false", 0, 1, []]),
        ("data", [None, [], {}, {"object": None}, {"object": "pi_1"}, {"object": []}]),
        ("api_version", [7, "", "2020-08-27\ud800", []]),
        ("account", [7, "", "cus_1", "acct_/..", []]),
        ("object", [None, "", 7, "charge"]),
    ],
)
def test_an_envelope_that_is_wrong_is_rejected(field: str, values: list[Any]) -> None:
    for value in values:
        told = event("payment_intent.succeeded", payment(), **{field: value})
        assert read(signed(told)) is None, value


def test_what_was_put_into_the_object_breaks_nothing() -> None:
    """Whoever holds the secret, or a change at Stripe, breaks no receiver."""
    values: list[Any] = [None, True, -1, 10**30, "", "\ud800", "../..", [], {}, [[]], {"id": 7}]
    for kind, make in ABOUT.items():
        for field, value in itertools.product(make(), values):
            told = event(kind, {**make(), field: value})
            (one,) = read(signed(told)) or (None,)
            assert one is not None
            if one.facts is None and one.attempt_ref is not None:
                assert one.needs_fetch or field == "object"


#: Every family of events and an object that it is about.
ABOUT = {
    "payment_intent.succeeded": payment,
    "charge.succeeded": charge,
    "refund.updated": refund,
    "charge.dispute.created": dispute,
}


@pytest.mark.parametrize(
    "what", ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"]
)
def test_every_event_about_a_dispute_tells_how_it_stands(what: str) -> None:
    one = delivered(event(f"charge.dispute.{what}", dispute(status="under_review")))
    (fact,) = one.facts.disputes
    assert (fact.status, fact.attempt_ref) == (DisputeStatus.UNDER_REVIEW, "pi_1")
    assert not one.needs_fetch


@pytest.mark.parametrize(
    "what", ["created", "updated", "paid", "failed", "canceled", "reconciliation_completed"]
)
def test_every_event_about_a_payout_tells_how_it_stands(what: str) -> None:
    told = delivered(event(f"payout.{what}", payout(reconciliation_status="completed")))
    fact = told.payout
    assert fact is not None
    assert (fact.ref, fact.amount, fact.at) == ("po_1", Money(4_999, "USD"), MOMENT)
    assert (fact.status, fact.arrives_on) == (PayoutStatus.PAID, date(2026, 9, 21))
    assert (fact.is_reconciled, fact.failure_code) == (True, None)
    assert (told.ordering_key, told.attempt_ref, told.facts) == ("po_1", None, None)


@pytest.mark.parametrize("status", [*PAYOUTS, "dreaming"])
def test_a_payouts_states_are_those_of_the_table(status: str) -> None:
    told = delivered(event("payout.updated", payout(status=status))).payout
    assert told is not None
    assert told.status is PAYOUTS.get(status, PayoutStatus.UNKNOWN)


def test_a_payouts_states_are_those_that_stripe_documents() -> None:
    import stripe  # noqa: PLC0415 - this test alone compares with the SDK

    source = inspect.getsource(stripe.Payout)
    (said,) = re.findall(r"Current status of the payout: (.*?)\.", source)
    assert set(re.findall(r"`(\w+)`", said)) == set(PAYOUTS)


@pytest.mark.parametrize(
    "wrong", [{"amount": None}, {"currency": 7}, {"arrival_date": "soon"}, {"status": []}]
)
def test_a_payout_that_cannot_be_read_is_fetched(wrong: dict[str, Any]) -> None:
    one = delivered(event("payout.paid", payout(**wrong)))
    assert (one.payout, one.needs_fetch) == (None, True)
    assert one.subject == Subject(kind="payout", ref="po_1")


def test_a_payout_without_an_id_says_nothing() -> None:
    one = delivered(event("payout.paid", payout(id=None)))
    assert (one.payout, one.needs_fetch, one.subject) == (None, False, None)


def payout(**more: Any) -> dict[str, Any]:
    told = {
        "id": "po_1",
        "object": "payout",
        "amount": 4_999,
        "arrival_date": NOW,
        "created": MADE,
        "currency": "usd",
        "failure_code": None,
        "status": "paid",
    }
    return {**told, **more}


def test_an_object_that_cannot_be_read_is_fetched() -> None:
    one = delivered(event("payment_intent.succeeded", payment(amount_received=None)))
    assert (one.facts, one.needs_fetch, one.attempt_ref) == (None, True, "pi_1")


# -- deliveries -----------------------------------------------------------------------------------


def test_a_delivery_says_when_where_and_about_whom() -> None:
    told = event("payment_intent.succeeded", payment(), account="acct_1", livemode=True)
    one = delivered(told)
    assert (one.dedupe_key, one.type) == (told["id"], "payment_intent.succeeded")
    assert (one.occurred_at, one.environment) == (MOMENT, Environment.LIVE)
    assert (one.account, one.api_version) == ("acct_1", API_VERSION)
    assert (one.attempt_ref, one.ordering_key, one.tag) == ("pi_1", "pi_1", TAG)
    assert not one.needs_fetch
    assert one.raw.value["id"] == "pi_1"


def test_a_delivery_of_the_keys_own_account_names_none() -> None:
    one = delivered(event("payment_intent.succeeded", payment()))
    assert (one.account, one.environment) == (None, Environment.TEST)


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("payment_intent.created", unpaid("requires_confirmation")),
        ("payment_intent.payment_failed", declined()),
        ("charge.captured", charge()),
        ("charge.refunded", charge(amount_refunded=5)),
        ("charge.refund.updated", refund()),
        ("refund.created", refund()),
        ("refund.failed", refund(status="failed")),
        ("charge.dispute.closed", dispute(status="won")),
    ],
)
def test_everything_about_one_payment_is_processed_one_by_one(kind: str, about: Any) -> None:
    one = delivered(event(kind, about))
    assert (one.attempt_ref, one.ordering_key) == ("pi_1", "pi_1")
    assert one.facts is not None
    assert one.facts.attempt_ref == "pi_1"


def test_facts_are_as_old_as_the_event() -> None:
    for kind, make in ABOUT.items():
        facts = delivered(event(kind, make())).facts
        assert {fact.at for fact in facts} == {MOMENT}
        assert facts.api_version == API_VERSION


def test_an_effect_is_told_with_its_own_tag() -> None:
    ours = refund(metadata={"payport_key": "pp1_of_the_refund"})
    one = delivered(event("refund.updated", ours))
    assert one.tag == one.facts.refunds[0].tag == "pp1_of_the_refund"


def test_what_was_made_elsewhere_carries_no_tag() -> None:
    for kind, make in ABOUT.items():
        assert delivered(event(kind, {**make(), "metadata": {"order_id": "7"}})).tag is None


def test_a_refunded_charge_is_fetched_because_it_does_not_say_how() -> None:
    one = delivered(event("charge.refunded", charge(amount_refunded=1_000)))
    assert one.needs_fetch
    assert not one.facts.refunds


@pytest.mark.parametrize("version", ["2020-08-27", "2026-09-30.endive", "2027-01-01.later", None])
def test_another_version_makes_no_money(version: str | None) -> None:
    for kind, make in ABOUT.items():
        one = delivered(event(kind, make(), api_version=version))
        assert one.needs_fetch
        assert (one.attempt_ref, one.api_version) == ("pi_1", version)
        assert not list(one.facts)


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("weather.changed", {}),
        ("weather.changed", payment()),
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("transfer.created", {"id": "tr_1", "object": "transfer", "amount": 5}),
        ("charge.dispute.created", dispute(payment_intent=None)),
        ("charge.succeeded", charge(payment_intent=None)),
    ],
)
def test_what_payport_has_no_meaning_for_is_kept(kind: str, about: Any) -> None:
    for version in (API_VERSION, "2020-08-27"):
        one = delivered(event(kind, about, api_version=version))
        assert (one.facts, one.needs_fetch, one.type) == (None, False, kind)
        assert one.ordering_key


def test_events_of_known_objects_that_say_nothing_change_nothing() -> None:
    """A declined card's charge is no failed capture."""
    failed = charge(status="failed", captured=False, amount_captured=0)
    one = delivered(event("charge.failed", failed))
    assert one.facts is not None
    assert not list(one.facts)


# -- thin events ----------------------------------------------------------------------------------


def thin(**more: Any) -> dict[str, Any]:
    told = {
        "id": "evt_test_65TJ",
        "object": "v2.core.event",
        "context": None,
        "created": "2026-09-21T14:13:20.000Z",
        "livemode": False,
        "related_object": {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/1"},
        "type": "v1.payment_intent.succeeded",
    }
    return {**told, **more}


def test_a_thin_event_about_a_payment_is_fetched() -> None:
    one = delivered(thin())
    assert (one.attempt_ref, one.needs_fetch, one.facts) == ("pi_1", True, None)
    assert (one.ordering_key, one.dedupe_key) == ("pi_1", "evt_test_65TJ")
    assert (one.occurred_at, one.environment) == (MOMENT, Environment.TEST)
    assert one.api_version is None


@pytest.mark.parametrize(
    "related",
    [None, {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/1"}, 7, {}],
)
def test_a_thin_event_about_anything_else_is_kept(related: Any) -> None:
    one = delivered(thin(related_object=related, type="v1.billing.meter.error_report_triggered"))
    assert (one.attempt_ref, one.needs_fetch, one.facts) == (None, False, None)


@pytest.mark.parametrize(
    ("context", "account"),
    [(None, None), ("acct_1", "acct_1"), ("org_7/acct_1", "acct_1"), ("org_7", None), (7, None)],
)
def test_a_thin_events_account_is_told(context: Any, account: str | None) -> None:
    assert delivered(thin(context=context)).account == account


@pytest.mark.parametrize(
    "more",
    [
        {"id": "evt 1"},
        {"type": None},
        {"livemode": None},
        {"created": NOW},
        {"created": "2026-09-21T14:13:20"},
        {"created": "9999999-01-01"},
    ],
)
def test_a_thin_event_that_is_wrong_is_rejected(more: dict[str, Any]) -> None:
    assert read(signed(thin(**more))) is None


# -- duplicates over event types ------------------------------------------------------------------


def new_payment() -> PaymentIntent:
    return PaymentIntent(
        id="pay_1",
        reference="order_1",
        scope="shop",
        environment=Environment.TEST,
        provider="stripe",
        account="acct_1",
        amount=Money(4_999, "USD"),
        created_at=MOMENT,
    )


#: A sale as Stripe tells it, most of it twice under different names.
STORY = [
    event("payment_intent.created", unpaid("requires_payment_method"), created=MADE),
    event("payment_intent.payment_failed", declined(), created=MADE + 1),
    event("charge.failed", charge(status="failed", captured=False, amount_captured=0)),
    event("payment_intent.amount_capturable_updated", held(), created=MADE + 3),
    event("charge.captured", charge(), created=MADE + 5),
    event("payment_intent.succeeded", payment(), created=MADE + 5),
    event("charge.refunded", charge(amount_refunded=1_000), created=MADE + 7),
    event("refund.created", refund(), created=MADE + 7),
    event("charge.refund.updated", refund(), created=MADE + 8),
    event("refund.updated", refund(), created=MADE + 8),
    event("charge.dispute.created", dispute(amount=500), created=MADE + 9),
    event(
        "charge.dispute.funds_withdrawn",
        dispute(amount=500, balance_transactions=["txn_1"]),
        created=MADE + 9,
    ),
]


def test_what_is_told_twice_happened_once_in_whatever_order() -> None:
    told = [delivered(one).facts for one in STORY]
    orders = [told, told[::-1], told * 2, [*told[6:], *told[:6]], [*told[::2], *told[1::2]]]
    ends = set()
    for order in orders:
        intent, events = new_payment(), []
        for facts in order:
            applied = apply(intent, facts)
            intent = applied.intent
            events += applied.events
        ends.add(intent)
        paid = [e for e in events if e.kind == "payment_succeeded"]
        assert len({e.id for e in paid}) == 1
        assert (intent.captured.minor, intent.refunded.minor) == (4_999, 1_000)
        assert intent.disputed.minor == 500
        assert intent.status is PaymentStatus.SUCCEEDED
    assert len(ends) == 1
    (end,) = ends
    assert [r.status for r in end.refunds] == [RefundStatus.SUCCEEDED]
    assert [d.status for d in end.disputes] == [DisputeStatus.OPEN]
    assert len(end.captures) == 1


def test_an_answer_and_its_webhook_are_one_effect() -> None:
    direct = ran(creating(), answer(payment(latest_charge=charge()))).facts
    hook = delivered(event("payment_intent.succeeded", payment())).facts
    intent = apply(new_payment(), direct).intent
    after = apply(intent, hook)
    assert not after.events
    assert after.intent.captured.minor == 4_999


def test_a_failed_authentication_in_the_same_second_stands_over_the_challenge() -> None:
    challenged = unpaid("requires_action", next_action={"type": "use_stripe_sdk"})
    direct = ran(creating(), answer(challenged)).facts
    why = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure"}
    hook = delivered(event("payment_intent.payment_failed", unpaid(last_payment_error=why))).facts
    intent = apply(apply(new_payment(), direct).intent, hook).intent
    assert [a.status for a in intent.attempts] == [AttemptStatus.DECLINED]
