"""Whatever order Adyen tells things in, and wherever they are kept, a payment ends the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from adyen_help import ACCOUNT, API_KEY
from adyen_shop import BACK, Shop, on_every_store
from hypothesis import given
from hypothesis import strategies as st

from payport import Money, OutcomeUnknown, PaymentIntent, PaymentStatus, RefundStatus
from payport.domain.apply import apply
from payport.domain.facts import Facts
from payport.providers.adyen import AdyenProvider, payment_method_from
from payport.providers.adyen.references import of_capture, of_payment, of_refund
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.testing import LostResponse
from payport.testing.adyen_simulator import HMAC_KEY
from payport.testing.histories import new_payment

KEY, AMOUNT = "pp1_" + "a" * 52, Money(5_000, "EUR")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "api_key": API_KEY,
    "merchant_account": ACCOUNT,
    "environment": "test",
    "webhook_secrets": [HMAC_KEY],
}


def item(second: int, code: str, psp: str, reference: str, **more: Any) -> dict[str, Any]:
    original = {} if psp == "P" else {"originalReference": "P"}
    return {
        "amount": {"currency": "EUR", "value": more.pop("value", 5_000)},
        "eventCode": code,
        "eventDate": (NOON + timedelta(seconds=second)).isoformat(),
        "merchantAccountCode": ACCOUNT,
        "merchantReference": reference,
        "pspReference": psp,
        "success": more.pop("success", "true"),
        **original,
        **more,
    }


HELD = of_payment(KEY, 1, "manual")  # type: ignore[arg-type]
LAST, FIRST = of_capture("key_c", 5_000), of_refund("key_r1")
#: All that Adyen may tell of one payment, more than once and undone again.
TOLD = [
    item(1, "AUTHORISATION", "P", HELD),
    item(2, "CAPTURE", "C", LAST),
    item(3, "REFUND", "R1", FIRST, value=1_000),
    item(3, "REFUND", "R2", of_refund("key_r2"), value=700, success="false", reason="No"),
    item(4, "REFUND_FAILED", "R1", FIRST, value=1_000),
    item(5, "REQUEST_FOR_INFORMATION", "D", HELD, value=300),
    item(6, "NOTIFICATION_OF_CHARGEBACK", "D", HELD, value=300),
    item(6, "CHARGEBACK", "D", HELD, value=300),
    item(7, "CHARGEBACK_REVERSED", "D", HELD, value=300),
    item(7, "SECOND_CHARGEBACK", "D", HELD, value=300),
    item(9, "EXPIRE", "P", HELD),
]


def facts_of(told: dict[str, Any]) -> Facts:
    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": told}]}
    (statement,) = AdyenProvider(**GIVEN).read_webhook(json.dumps(body).encode())
    assert statement.facts is not None
    return statement.facts


def answered() -> Facts:
    """What the payment was answered with: an action, by its first name."""
    body = {"resultCode": "RedirectShopper", "action": {"type": "redirect", "method": "POST"}}
    carried = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    provider = AdyenProvider(http_client=httpx.Client(transport=carried), **GIVEN)
    terms = Terms(amount=AMOUNT, payment_method="STORED1", return_url=BACK)
    command = CreatePayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=1,
        terms=replace(terms, capture_method="manual"),  # type: ignore[arg-type]
        confirm=True,
    )
    return provider.create_payment(command, Call(key=KEY)).facts  # type: ignore[union-attr]


STATEMENTS = [answered(), *map(facts_of, TOLD)]


def end_of(statements: list[Facts]) -> PaymentIntent:
    intent = new_payment(AMOUNT)
    for facts in statements:
        intent = apply(intent, facts).intent
    return intent


@given(st.data())
def test_any_order_with_any_repetitions_ends_the_same(data: st.DataObject) -> None:
    repeated = data.draw(st.lists(st.sampled_from(STATEMENTS), max_size=6))
    shuffled = data.draw(st.permutations([*STATEMENTS, *repeated]))
    end = end_of(shuffled)
    assert end == end_of(STATEMENTS)
    assert [attempt.ref for attempt in end.attempts] == ["P"]
    totals = end.captured.minor, end.refunded.minor, end.disputed.minor
    assert totals == (5_000, 0, 300)
    assert end.status is PaymentStatus.SUCCEEDED


# -- where they are kept ----------------------------------------------------------------------


@on_every_store
def test_a_payment_lives_from_its_redirect_to_its_refund(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE", capture_method="manual")
    brought = {"redirectResult": shop.simulator.redirect_result("order_1")}
    held = shop.do(shop.pay.payments.confirm(intent.id, action_result=brought))
    assert held.status is PaymentStatus.REQUIRES_CAPTURE
    shop.do(shop.pay.payments.capture(intent.id))
    shop.deliver()
    back = {"payment": intent.id, "reference": "return_1", "amount": Money(1_000, "USD")}
    shop.do(shop.pay.refunds.create(**back))
    shop.deliver()
    after = shop.get()
    assert (after.captured.minor, after.refunded.minor) == (4_999, 1_000)
    assert [refund.status for refund in after.refunds] == [RefundStatus.SUCCEEDED]
    assert len(after.attempts) == 1
    assert not shop.do(shop.pay.operations.list(state="unknown"))


@on_every_store
@pytest.mark.parametrize("shop", [{"cancel_lost": True}], indirect=True)
def test_a_lost_payment_is_canceled_by_its_reference_wherever_it_is_kept(shop: Shop) -> None:
    encrypted = {"type": "scheme", "encryptedCardNumber": "test_4111111111111111"}
    encrypted |= {"encryptedExpiryMonth": "test_03", "encryptedExpiryYear": "test_2030"}
    method = payment_method_from({"paymentMethod": encrypted})
    shop.simulator.next("create_payment", *[LostResponse()] * 4)
    with pytest.raises(OutcomeUnknown):
        shop.buy(method=method, capture_method="manual")
    shop.simulator.script.clear()
    shop.do(shop.pay.payments.cancel(shop.get().id))
    (lost,) = shop.do(shop.pay.operations.list(state="unknown"))
    assert lost.request is None
    shop.deliver()
    assert shop.get().status is PaymentStatus.CANCELED
    assert not shop.do(shop.pay.operations.list(state="unknown"))
