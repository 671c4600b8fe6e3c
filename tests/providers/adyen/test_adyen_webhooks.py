"""Adyen's webhooks: every documented one is read, and nothing that was not signed is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from adyen_help import ACCOUNT, API_KEY, with_signature
from hypothesis import given
from hypothesis import strategies as st

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.providers.adyen import (
    AdyenProvider,
    StoredMethod,
    WebhookSecret,
    stored_methods_in,
)
from payport.providers.adyen.disputes import DISPUTES
from payport.providers.adyen.events import EVENTS
from payport.providers.adyen.references import Reference, of_capture, of_payment
from payport.providers.adyen.webhooks import signature
from payport.providers.deliveries import WebhookRequest

DATA = Path(__file__).parents[2] / "data/adyen/webhooks-v1-examples.json"
DOCUMENTED = json.loads(DATA.read_text(encoding="utf-8"))
EXAMPLES: dict[str, Any] = DOCUMENTED["examples"]
KEY, OTHER = "5a" * 32, "a5" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYMENT = "pp1_abc.a1"
HELD = "pp1_abc.m1"


def provider(**options: Any) -> AdyenProvider:
    given: dict[str, Any] = {
        "api_key": API_KEY,
        "merchant_account": ACCOUNT,
        "environment": "test",
        "webhook_secrets": [KEY],
        **options,
    }
    return AdyenProvider(**given)


def signed(body: Any, key: str = KEY) -> WebhookRequest:
    """A webhook as Adyen would sign it: each item by itself, or the whole body in a header."""
    raw = json.dumps(body).encode()
    if "notificationItems" not in body:
        mac = hmac.digest(bytes.fromhex(key), raw, "sha256")
        headers = {"HmacSignature": base64.b64encode(mac).decode()}
        return WebhookRequest(body=raw, headers=headers)
    request = WebhookRequest(body=raw, headers={})
    return with_signature(request, lambda item: signature(key, item).decode())


def item(code: str, *, success: bool = True, **more: Any) -> dict[str, Any]:
    """An item of a payment of ours."""
    return {
        "amount": {"currency": "EUR", "value": 1_000},
        "eventCode": code,
        "eventDate": "2026-03-01T13:00:00+01:00",
        "merchantAccountCode": ACCOUNT,
        "merchantReference": PAYMENT,
        "pspReference": "QFQTPCQ8HXSKGK82",
        "success": "true" if success else "false",
        **more,
    }


def batch(*items: dict[str, Any], live: str = "false") -> dict[str, Any]:
    return {"live": live, "notificationItems": [{"NotificationRequestItem": one} for one in items]}


def facts_of(one: dict[str, Any]) -> Any:
    (statement,) = provider().read_webhook(json.dumps(batch(one)).encode())
    return statement.facts


# -- what is documented -----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_of_adyens_description_is_read(name: str) -> None:
    example = EXAMPLES[name]
    request = signed(example)
    deliveries = provider().parse_webhook(request, now=NOW)
    statements = provider().read_webhook(request.body)
    assert len(deliveries) == len(statements) == len(example.get("notificationItems", [0]))
    for delivery, statement in zip(deliveries, statements, strict=True):
        assert statement.unreadable is None
        assert delivery.dedupe_key
        assert (
            delivery.type in name or delivery.type.partition(":")[0] in name or "." in delivery.type
        )
        live = str(example.get("live", "false")) == "true"
        assert delivery.environment is (Environment.LIVE if live else Environment.TEST)


def test_every_example_tells_something_else() -> None:
    keys = [
        (delivery.dedupe_key, delivery.fingerprint)
        for example in EXAMPLES.values()
        for delivery in provider().parse_webhook(signed(example), now=NOW)
    ]
    assert len(set(keys)) == len(keys)


def test_every_documented_code_is_mapped_or_kept() -> None:
    codes = {*DOCUMENTED["eventCodes"], *DOCUMENTED["webhooks"]}
    for code in codes:
        original = {"originalReference": "9913140798220028"} if code in DISPUTES else {}
        request = signed(batch(item(code, **original)))
        (delivery,) = provider().parse_webhook(request, now=NOW)
        (statement,) = provider().read_webhook(request.body)
        assert delivery.type == code
        assert (statement.facts is not None) == (code in EVENTS and code != "CANCEL_OR_REFUND")
    assert codes >= EVENTS.keys(), "a code is mapped that Adyen does not know"


# -- what each says ---------------------------------------------------------------------------


def test_an_authorisation_says_whether_the_money_was_taken() -> None:
    taken, held = (
        facts_of(item("AUTHORISATION")),
        facts_of(item("AUTHORISATION", merchantReference=HELD)),
    )
    assert [a.status for a in taken.attempts] == [AttemptStatus.SUCCEEDED]
    assert [c.status for c in taken.captures] == [CaptureStatus.SUCCEEDED]
    assert [a.status for a in held.attempts] == [AttemptStatus.AUTHORIZED]
    assert not held.captures
    assert taken.tag == held.tag == "pp1_abc"


def test_a_part_that_was_authorised_is_no_more() -> None:
    more = {"authorisedAmountValue": "600", "authorisedAmountCurrency": "EUR"}
    told = facts_of(item("AUTHORISATION", additionalData=more))
    assert [a.authorized.minor for a in told.attempts] == [600]
    assert [c.amount.minor for c in told.captures] == [600]


@pytest.mark.parametrize(
    "more",
    [
        {"authorisedAmountValue": "99999999", "authorisedAmountCurrency": "EUR"},
        {"authorisedAmountValue": "1000", "authorisedAmountCurrency": "USD"},
        {"authorisedAmountValue": "0", "authorisedAmountCurrency": "EUR"},
        {"authorisedAmountValue": "600"},
    ],
    ids=["more", "other money", "nothing", "of no currency"],
)
def test_what_nobody_signed_makes_no_more_and_no_other_money(more: dict[str, str]) -> None:
    told = facts_of(item("AUTHORISATION", additionalData=more))
    assert [a.authorized for a in told.attempts] == [Money(1_000, "EUR")]
    assert [c.amount for c in told.captures] == [Money(1_000, "EUR")]


@pytest.mark.parametrize("code", ["CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"])
@pytest.mark.parametrize("reference", [PAYMENT, "pp1_cancel.xa"])
def test_what_is_canceled_was_not_captured_by_itself(code: str, reference: str) -> None:
    more = {"originalReference": "P1", "merchantReference": reference}
    told = facts_of(item(code, **more))
    assert [(c.ref, c.status) for c in told.captures] == [("P1", CaptureStatus.FAILED)]
    for mark in (HELD, "pp1_cancel.x"):
        assert not facts_of(item(code, **{**more, "merchantReference": mark})).captures


def test_a_refusal_is_told_by_its_words() -> None:
    told = facts_of(item("AUTHORISATION", success=False, reason="Not enough balance"))
    (attempt,) = told.attempts
    assert attempt.status is AttemptStatus.DECLINED
    assert attempt.decline.reason == "insufficient_funds"
    error = facts_of(item("AUTHORISATION", success=False, reason="Acquirer Error"))
    assert [a.status for a in error.attempts] == [AttemptStatus.FAILED]


def test_a_payment_of_somebody_else_says_nothing_that_could_be_wrong() -> None:
    assert facts_of(item("AUTHORISATION", merchantReference="a shop's own")) is None


@pytest.mark.parametrize(
    ("code", "success", "status"),
    [
        ("CAPTURE", True, CaptureStatus.SUCCEEDED),
        ("CAPTURE", False, CaptureStatus.FAILED),
        ("CAPTURE_FAILED", True, CaptureStatus.FAILED),
    ],
)
def test_a_capture_is_told_with_its_tag(code: str, success: bool, status: CaptureStatus) -> None:  # noqa: FBT001
    said = {"originalReference": "PAYMENT1", "merchantReference": of_capture("key_2", 4_000)}
    told = facts_of(item(code, success=success, **said))
    (capture,) = told.captures
    assert (capture.status, capture.tag, capture.attempt_ref) == (status, "key_2", "PAYMENT1")
    assert told.tag is None, "it is the capture's, not the payment's"
    released = [a.authorized.minor for a in told.attempts]
    assert released == ([4_000] if status is CaptureStatus.SUCCEEDED else [])


def test_an_automatic_capture_that_fails_undoes_the_payments_own() -> None:
    taken = facts_of(item("AUTHORISATION", pspReference="PAYMENT1"))
    undone = facts_of(item("CAPTURE_FAILED", originalReference="PAYMENT1", pspReference="X2"))
    assert [c.ref for c in taken.captures] == [c.ref for c in undone.captures] == ["PAYMENT1"]


@pytest.mark.parametrize(
    ("code", "success", "status"),
    [
        ("REFUND", True, RefundStatus.SUCCEEDED),
        ("REFUND", False, RefundStatus.FAILED),
        ("REFUND_WITH_DATA", True, RefundStatus.SUCCEEDED),
        ("REFUND_FAILED", True, RefundStatus.FAILED),
        ("REFUNDED_REVERSED", True, RefundStatus.FAILED),
        ("POSTPONED_REFUND", True, RefundStatus.PENDING),
    ],
)
def test_a_refund_is_told_with_its_tag(code: str, success: bool, status: RefundStatus) -> None:  # noqa: FBT001
    told = facts_of(item(code, success=success, originalReference="P1", merchantReference="k.r"))
    (refund,) = told.refunds
    assert (refund.status, refund.tag, refund.attempt_ref) == (status, "k", "P1")


def test_a_reversal_cancels_or_refunds_as_it_says() -> None:
    said = {"originalReference": "P1", "merchantReference": "k.x"}
    for action, kept in (("cancel", "attempts"), ("refund", "refunds")):
        told = facts_of(
            item("CANCEL_OR_REFUND", additionalData={"modification.action": action}, **said)
        )
        assert len(getattr(told, kept)) == 1
    assert facts_of(item("CANCEL_OR_REFUND", **said)) is None


@pytest.mark.parametrize("code", ["CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE", "OFFER_CLOSED"])
def test_what_was_not_ended_says_nothing_of_money_and_is_told_as_failed(code: str) -> None:
    request = signed(batch(item(code, success=False, originalReference="P1")))
    (delivery,) = provider().parse_webhook(request, now=NOW)
    assert delivery.type == f"{code}:failed"
    assert provider().read_webhook(request.body)[0].facts is None


@pytest.mark.parametrize(("code", "status"), DISPUTES.items())
def test_disputes_stand_as_their_stage_says(code: str, status: DisputeStatus) -> None:
    told = facts_of(item(code, originalReference="P1"))
    assert [d.status for d in told.disputes] == [status]


def test_a_dispute_without_its_payments_id_is_found_by_our_tag() -> None:
    (delivery,) = provider().parse_webhook(signed(batch(item("CHARGEBACK_REVERSED"))), now=NOW)
    assert delivery.tag == "pp1_abc"


def test_an_authorisation_that_was_adjusted_holds_what_it_says() -> None:
    said = {"originalReference": "P1", "amount": {"currency": "EUR", "value": 1_500}}
    (attempt,) = facts_of(item("AUTHORISATION_ADJUSTMENT", **said)).attempts
    assert (attempt.status, attempt.authorized.minor) == (AttemptStatus.AUTHORIZED, 1_500)
    assert facts_of(item("AUTHORISATION_ADJUSTMENT", success=False, **said)) is None


@pytest.mark.parametrize(
    "code",
    ["CAPTURE_FAILED", "REFUND_FAILED", "REFUNDED_REVERSED", "POSTPONED_REFUND", "CHARGEBACK"],
)
def test_what_did_not_come_about_says_nothing(code: str) -> None:
    assert facts_of(item(code, success=False, originalReference="P1")) is None


def test_evidence_may_be_handed_in_until_a_moment_that_can_be_read() -> None:
    ends = {"defensePeriodEndsAt": "2026-04-01T00:00:00+02:00", "chargebackReasonCode": " 4853"}
    for more, until in ((ends, datetime(2026, 3, 31, 22, tzinfo=UTC)), ({}, None)):
        told = facts_of(item("CHARGEBACK", originalReference="P1", additionalData=more))
        (dispute,) = told.disputes
        assert dispute.respond_by == until
        assert dispute.reason_code in {"4853", None}


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "mars"},
        {"createdAt": "yesterday"},
        {"type": 7},
        {"data": {}},
        {"data": {"pspReference": "a b"}},
    ],
    ids=repr,
)
def test_a_notice_that_lacks_what_it_must_have_is_rejected(change: dict[str, Any]) -> None:
    (name,) = [n for n in EXAMPLES if n.startswith("post-ACH_")]
    request = signed({**EXAMPLES[name], **change})
    with pytest.raises(WebhookRejected):
        provider().parse_webhook(request, now=NOW)


# -- stored methods ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(n for n in EXAMPLES if "notificationItems" in EXAMPLES[n]))
def test_stored_methods_are_found_where_adyen_tells_of_them(name: str) -> None:
    found = stored_methods_in(json.dumps(EXAMPLES[name]).encode())
    telling = {one for one in EXAMPLES if "M5N7TQ4TG5PFWR50" in json.dumps(EXAMPLES[one])}
    assert [one.id for one in found] == (["M5N7TQ4TG5PFWR50"] if name in telling else [])
    assert {one.customer for one in found} <= {"YOUR_SHOPPER_REFERENCE"}


@pytest.mark.parametrize("change", [{"success": "false"}, {"additionalData": "none"}])
def test_what_was_not_stored_is_no_stored_method(change: dict[str, Any]) -> None:
    told = {"tokenization.shopperReference": "s1", "tokenization.storedPaymentMethodId": "M1"}
    one = item("AUTHORISATION", additionalData=told)
    assert [m.id for m in stored_methods_in(json.dumps(batch(one, one)).encode())] == ["M1"]
    assert stored_methods_in(json.dumps(batch({**one, **change})).encode()) == ()
    assert stored_methods_in(b"no batch") == ()


def token_notice(**said: Any) -> dict[str, Any]:
    """As Adyen tells the life of a stored method, by a webhook of its own."""
    data = {
        "merchantAccount": ACCOUNT,
        "storedPaymentMethodId": "M5N7TQ4TG5PFWR50",
        "type": "visastandarddebit",
        "operation": "created",
        "shopperReference": "shopper_1",
    }
    told = {"createdAt": "2026-03-01T16:40:23+02:00", "eventId": "QBQQ9DLNRHHKGK38"}
    return {**told, "environment": "test", "data": data, "type": "recurring.token.created", **said}


def test_the_life_of_a_stored_method_is_verified_and_kept() -> None:
    request = signed(token_notice())
    (delivery,) = provider().parse_webhook(request, now=NOW)
    assert (delivery.type, delivery.account) == ("recurring.token.created", ACCOUNT)
    assert delivery.environment is Environment.TEST
    (statement,) = provider().read_webhook(request.body)
    assert statement.facts is None
    (stored,) = stored_methods_in(request.body)
    assert stored == StoredMethod(
        id="M5N7TQ4TG5PFWR50", customer="shopper_1", payment_ref="QBQQ9DLNRHHKGK38"
    )
    with pytest.raises(WebhookRejected):
        provider().parse_webhook(signed(token_notice(), OTHER), now=NOW)
    assert stored_methods_in(signed(token_notice(type="recurring.token.disabled")).body) == ()


# -- batches ----------------------------------------------------------------------------------


def test_each_item_of_a_batch_is_a_delivery_of_its_own() -> None:
    one = item("AUTHORISATION")
    two = item("CAPTURE", originalReference="QFQTPCQ8HXSKGK82", pspReference="X2")
    request = signed(batch(one, two))
    deliveries = provider().parse_webhook(request, now=NOW)
    assert [d.type for d in deliveries] == ["AUTHORISATION", "CAPTURE"]
    assert len({d.ordering_key for d in deliveries}) == 1
    assert len({d.dedupe_key for d in deliveries}) == 2


def test_what_is_told_again_is_known_and_what_happens_again_is_not() -> None:
    """Adyen's items have no id: a code, an id, a result and a date tell them apart."""
    won = item("CHARGEBACK_REVERSED", originalReference="P1", pspReference="D1")
    later = {**won, "eventDate": "2026-03-09T13:00:00+01:00"}
    failed = {**won, "success": "false"}
    request = signed(batch(won, won, later, failed))
    first, again, other, undone = provider().parse_webhook(request, now=NOW)
    assert first.dedupe_key == again.dedupe_key
    assert len({one.dedupe_key for one in (first, other, undone)}) == 3


def test_an_old_item_under_another_date_is_known() -> None:
    """Nobody signs the date: an item that was heard before says nothing new under a later one."""
    taken = item("CAPTURE", originalReference="P1", pspReference="C1")
    later = {**taken, "eventDate": "2026-03-09T13:00:00+01:00"}
    first, again = provider().parse_webhook(signed(batch(taken, later)), now=NOW)
    assert (first.dedupe_key, first.fingerprint) == (again.dedupe_key, again.fingerprint)


def test_one_item_that_is_not_signed_rejects_the_batch() -> None:
    good, bad = signed(batch(item("AUTHORISATION"))), batch(item("CAPTURE"))
    body = json.loads(good.body)
    body["notificationItems"] += bad["notificationItems"]
    for wrapped in (body, {**body, "notificationItems": body["notificationItems"][::-1]}):
        request = WebhookRequest(body=json.dumps(wrapped).encode(), headers={})
        with pytest.raises(WebhookRejected):
            provider().parse_webhook(request, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"pspReference": "QFQTPCQ8HXSKGK83"},
        {"originalReference": "QFQTPCQ8HXSKGK82"},
        {"merchantAccountCode": "SomebodyElse"},
        {"merchantReference": "another"},
        {"amount": {"currency": "EUR", "value": 1_001}},
        {"amount": {"currency": "USD", "value": 1_000}},
        {"eventCode": "CAPTURE"},
        {"success": "false"},
    ],
    ids=str,
)
def test_what_was_changed_after_it_was_signed_is_rejected(change: dict[str, Any]) -> None:
    body = json.loads(signed(batch(item("AUTHORISATION"))).body)
    body["notificationItems"][0]["NotificationRequestItem"].update(change)
    request = WebhookRequest(body=json.dumps(body).encode(), headers={})
    with pytest.raises(WebhookRejected, match="does not match"):
        provider().parse_webhook(request, now=NOW)


def test_an_item_that_cannot_be_read_keeps_the_others() -> None:
    broken = item("CAPTURE", originalReference="P1", amount={"currency": "EUR"})
    body = json.dumps(batch(item("AUTHORISATION"), broken)).encode()
    first, second = provider().read_webhook(body)
    assert first.facts is not None
    assert second.unreadable is not None


# -- what is not believed ---------------------------------------------------------------------


def test_adyens_own_example_of_a_signature_fits() -> None:
    """https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures"""
    documented = {
        "pspReference": "7914073381342284",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    assert signature(key, documented) == b"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


@pytest.mark.parametrize("live", ["yes", "", "True", None, True], ids=repr)
def test_a_batch_that_does_not_say_which_environment_is_rejected(live: Any) -> None:
    with pytest.raises(WebhookRejected):
        provider().parse_webhook(signed(batch(item("AUTHORISATION"), live=live)), now=NOW)


@pytest.mark.parametrize("success", ["yes", "True", "", None, True, 1], ids=repr)
def test_success_is_a_word_or_nothing_is_believed(success: Any) -> None:
    one = {**item("AUTHORISATION"), "success": success}
    with pytest.raises(WebhookRejected):
        provider().parse_webhook(signed(batch(one)), now=NOW)


@pytest.mark.parametrize("name", ["eventDate", "pspReference", "eventCode", "merchantAccountCode"])
def test_an_item_without_what_every_item_has_is_rejected(name: str) -> None:
    for value in ("", None, 7, "\x00", "2026-03-01T12:00:00"):
        if (name, value) == ("pspReference", "2026-03-01T12:00:00") or (
            name in {"eventCode", "merchantAccountCode"} and value == "2026-03-01T12:00:00"
        ):
            continue
        one = {**item("AUTHORISATION"), name: value}
        with pytest.raises(WebhookRejected):
            provider().parse_webhook(signed(batch(one)), now=NOW)


def test_a_key_counts_until_it_ends() -> None:
    friday = NOW + timedelta(days=1)
    changing = provider(webhook_secrets=[KEY, WebhookSecret(OTHER, until=friday)])
    old, new = (signed(batch(item("AUTHORISATION")), key) for key in (OTHER, KEY))
    assert [d.secret for d in changing.parse_webhook(old, now=NOW)] == [1]
    assert [d.secret for d in changing.parse_webhook(new, now=NOW)] == [0]
    with pytest.raises(WebhookRejected):
        changing.parse_webhook(old, now=friday)


def test_without_a_key_nothing_is_believed() -> None:
    with pytest.raises(ConfigurationError, match="webhook_secrets"):
        provider(webhook_secrets=[]).parse_webhook(signed(batch(item("AUTHORISATION"))), now=NOW)


def test_a_notice_of_another_shape_is_verified_whole() -> None:
    (name,) = [n for n in EXAMPLES if n.startswith("post-ACH_")]
    request = signed(EXAMPLES[name])
    (delivery,) = provider().parse_webhook(request, now=NOW)
    assert delivery.type == "ach.notificationOfChange"
    for headers in ({}, {"HmacSignature": "AAAA"}):
        with pytest.raises(WebhookRejected):
            provider().parse_webhook(WebhookRequest(body=request.body, headers=headers), now=NOW)
    changed = WebhookRequest(body=request.body + b" ", headers=request.headers)
    with pytest.raises(WebhookRejected):
        provider().parse_webhook(changed, now=NOW)


def test_a_webhook_of_another_merchant_account_names_it() -> None:
    (delivery,) = provider().parse_webhook(
        signed(batch(item("AUTHORISATION", merchantAccountCode="AnotherECOM"))), now=NOW
    )
    assert delivery.account == "AnotherECOM"
    near = provider(region="us")
    (ours,) = near.parse_webhook(signed(batch(item("AUTHORISATION"))), now=NOW)
    assert ours.account == f"{ACCOUNT}@us"


@given(
    st.text("abcXYZ019_-", min_size=1, max_size=64),
    st.integers(1, 999_999),
    st.sampled_from(["automatic", "manual"]),
    st.booleans(),
)
def test_a_reference_is_read_as_it_was_made(
    key: str,
    attempt: int,
    mode: Any,
    session: bool,  # noqa: FBT001
) -> None:
    text = of_payment(key, attempt, mode, session=session)
    read = Reference.read(text)
    assert len(text) <= 80
    assert read is not None
    assert (read.key, read.attempt, read.is_session) == (key, attempt, session)
    assert read.is_automatic == (mode == "automatic")


@given(st.dictionaries(st.sampled_from(sorted(item("X"))), st.none() | st.text() | st.integers()))
def test_whatever_is_signed_is_read_or_rejected(said: dict[str, Any]) -> None:
    request = WebhookRequest(
        body=json.dumps(batch({**item("REFUND"), **said})).encode(), headers={}
    )
    request = with_signature(request, lambda one: signature(KEY, one).decode())
    try:
        deliveries = provider().parse_webhook(request, now=NOW)
    except WebhookRejected:
        return
    assert len(provider().read_webhook(request.body)) == len(deliveries)


def test_the_signature_is_made_as_adyen_makes_it() -> None:
    one = item("CAPTURE", originalReference="P1")
    said = f"{one['pspReference']}:P1:{ACCOUNT}:{PAYMENT}:1000:EUR:CAPTURE:true"
    made = hmac.new(bytes.fromhex(KEY), said.encode(), hashlib.sha256).digest()
    assert signature(KEY, one) == base64.b64encode(made)
