"""A shop on Adyen, from end to end in front of the simulator, in both colours and on each store."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from adyen_shop import BACK, PRICE, Shop, on_every_store

from payport import (
    ConfigurationError,
    InvalidRequest,
    InvalidTransition,
    Money,
    OutcomeUnknown,
    PaymentStatus,
    RefundStatus,
    SensitiveData,
    UnsupportedOperation,
)
from payport.domain.actions import ClientToken, Redirect
from payport.domain.errors import ProviderPermissionDenied
from payport.providers.adyen import HOSTED, SESSION, payment_method_from, stored_methods_in
from payport.storage.base import InboxState
from payport.testing import Conflict, LostRequest, LostResponse, ServerError

ENCRYPTED = {
    "paymentMethod": {
        "type": "scheme",
        "encryptedCardNumber": "test_4111111111111111",
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737",
        "holderName": "John Smith",
    },
    "browserInfo": {
        "userAgent": "Mozilla/5.0",
        "acceptHeader": "*/*",
        "language": "nl-NL",
        "colorDepth": 24,
        "screenHeight": 723,
        "screenWidth": 1536,
        "timeZoneOffset": 0,
        "javaEnabled": True,
    },
    "storePaymentMethod": False,
    "clientStateDataIndicator": True,
}

pytestmark = on_every_store


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def test_a_payment_is_taken_and_its_webhook_says_nothing_new(shop: Shop) -> None:
    intent = shop.buy()
    assert intent.status is PaymentStatus.SUCCEEDED
    assert shop.bank.charged("order_1") == PRICE
    shop.deliver()
    assert shop.get().status is PaymentStatus.SUCCEEDED
    assert [row.state for row in shop.do(shop.pay.webhooks.list())] == [InboxState.DONE]


def test_what_was_only_received_is_pending_until_a_webhook_decides(shop: Shop) -> None:
    intent = shop.buy(capture_method="manual")
    assert intent.status is PaymentStatus.REQUIRES_CAPTURE
    captured = shop.do(shop.pay.payments.capture(intent.id))
    assert captured.status is PaymentStatus.PROCESSING
    assert captured.captured.is_zero
    assert captured.capture_pending == PRICE
    shop.deliver()
    assert shop.get().status is PaymentStatus.SUCCEEDED
    refund = shop.do(shop.pay.refunds.create(payment=intent.id, reference="back_1"))
    assert refund.status is RefundStatus.PENDING
    shop.deliver()
    assert shop.get().refunded == PRICE


def test_a_capture_that_the_scheme_rejects_later_undoes_itself(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDCAPTUREFAILS")
    assert intent.is_paid
    shop.simulator.clock.advance(timedelta(days=3))
    shop.deliver()
    assert not shop.get().is_paid
    assert shop.get().captured.is_zero
    assert shop.bank.charged("order_1").is_zero


def test_a_refund_that_comes_back_is_not_given_any_more(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDREFUNDREVERSES")
    shop.do(shop.pay.refunds.create(payment=intent.id, reference="back_1"))
    shop.deliver()
    assert shop.get().refunded == PRICE
    shop.simulator.clock.advance(timedelta(days=3))
    shop.deliver()
    assert shop.get().refunded.is_zero


def test_another_attempt_is_another_payment_under_another_reference(shop: Shop) -> None:
    assert shop.buy(method="PMCARDINSUFFICIENTFUNDS").decline is not None
    shop.deliver()
    again = shop.do(
        shop.pay.payments.create(
            reference="order_1",
            amount=PRICE,
            payment_method="PMCARDOK",
            return_url=BACK,
            confirm=True,
            attempt=2,
        )
    )
    assert again.status is PaymentStatus.SUCCEEDED
    references = [json.loads(one.body)["reference"] for one in shop.asked("/payments")]
    assert len(set(references)) == 2
    assert all(len(reference) <= 80 for reference in references)
    shop.deliver()
    assert [a.number for a in sorted(shop.get().attempts, key=lambda a: a.number)] == [1, 2]


def test_the_same_order_sends_the_same_reference_from_any_process(shop: Shop) -> None:
    shop.simulator.next(
        "create_payment", LostRequest(), LostRequest(), LostRequest(), LostRequest()
    )
    with pytest.raises(OutcomeUnknown):
        shop.buy()
    shop.simulator.script.clear()
    shop.pay = shop.client(shop.provider)
    assert shop.buy().is_paid
    bodies = {one.body for one in shop.asked("/payments")}
    assert len(bodies) == 1


def test_a_description_and_metadata_arrive(shop: Shop) -> None:
    shop.buy(description="Two tickets", metadata={"seat": "12a"}, statement_descriptor="TICKETS")
    (request,) = shop.asked("/payments")
    body = json.loads(request.body)
    assert body["metadata"] == {"seat": "12a", "payport_description": "Two tickets"}
    assert body["merchantOrderReference"] == "order_1"
    assert body["shopperStatement"] == "TICKETS"


# -- the customer acts ------------------------------------------------------------------------


def test_a_redirect_brings_a_result_that_is_handed_in(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE")
    assert intent.status is PaymentStatus.REQUIRES_ACTION
    assert isinstance(intent.next_action, Redirect)
    back = parse_qs(urlsplit(shop.simulator.return_url("order_1")).query)
    result = {"redirectResult": back["redirectResult"][0]}
    paid = shop.do(shop.pay.payments.confirm(intent.id, action_result=result))
    assert paid.status is PaymentStatus.SUCCEEDED
    # A page that is loaded twice hands it in again.
    assert shop.do(shop.pay.payments.confirm(intent.id, action_result=result)).is_paid
    assert len(shop.asked("/payments/details")) == 1
    shop.deliver()
    assert len(shop.get().attempts) == 1
    assert shop.bank.charged("order_1") == PRICE


def test_a_failed_authentication_is_a_decline_and_another_attempt_may_follow(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE")
    result = {"redirectResult": shop.simulator.redirect_result("order_1", ok=False)}
    failed = shop.do(shop.pay.payments.confirm(intent.id, action_result=result))
    assert failed.decline is not None
    assert failed.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
    again = {"payment_method": "PMCARDOK", "amount": PRICE, "return_url": BACK, "confirm": True}
    paid = shop.do(shop.pay.payments.create(reference="order_1", attempt=2, **again))
    assert paid.is_paid


@pytest.mark.parametrize("shop", [{"native_3ds": True}], indirect=True)
def test_an_authentication_in_the_page_takes_two_results(shop: Shop) -> None:
    card = {**ENCRYPTED["paymentMethod"], "encryptedCardNumber": "test_4917610000000000"}
    browser = {"origin": "https://shop.example", "channel": "Web"}
    token = payment_method_from({**ENCRYPTED, **browser, "paymentMethod": card})
    intent = shop.buy(method=token)
    asked = json.loads(shop.asked("/payments")[0].body)["authenticationData"]
    assert asked == {"threeDSRequestData": {"nativeThreeDS": "preferred"}}
    for said, status in (
        ({"threeDSCompInd": "Y"}, PaymentStatus.REQUIRES_ACTION),
        ({"transStatus": "Y"}, PaymentStatus.SUCCEEDED),
    ):
        assert isinstance(intent.next_action, ClientToken)
        action = json.loads(intent.next_action.token or "")
        result = {**said, "authorisationToken": action["authorisationToken"]}
        brought = {"threeDSResult": base64.b64encode(json.dumps(result).encode()).decode()}
        intent = shop.do(shop.pay.payments.confirm(intent.id, action_result=brought))
        assert intent.status is status
    assert len(shop.asked("/payments/details")) == 2
    shop.deliver()
    assert len(shop.get().attempts) == 1
    assert shop.bank.charged("order_1") == PRICE


def test_a_lost_answer_to_a_result_is_told_by_the_webhook(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE", capture_method="manual")
    result = {"redirectResult": shop.simulator.redirect_result("order_1")}
    shop.simulator.next("confirm_payment", *[LostResponse()] * 4)
    with pytest.raises(OutcomeUnknown):
        shop.do(shop.pay.payments.confirm(intent.id, action_result=result))
    assert shop.get().status is PaymentStatus.UNKNOWN
    shop.simulator.script.clear()
    shop.deliver()
    assert shop.get().status is PaymentStatus.REQUIRES_CAPTURE
    assert not shop.get().unresolved


@pytest.mark.parametrize("completed_first", [False, True])
def test_a_result_of_another_order_pays_nothing_of_this_one(
    shop: Shop,
    completed_first: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    big = shop.buy("big", method="PMCARDAUTHENTICATE")
    cheap = shop.buy("cheap", method="PMCARDAUTHENTICATE")
    result = {"redirectResult": shop.simulator.redirect_result("cheap")}
    if completed_first:
        assert shop.do(shop.pay.payments.confirm(cheap.id, action_result=result)).is_paid
    with pytest.raises(InvalidRequest, match="of another payment"):
        shop.do(shop.pay.payments.confirm(big.id, action_result=result))
    shop.deliver()
    assert not shop.get("big").is_paid
    assert shop.get("cheap").is_paid
    assert not shop.get("big").unresolved


def test_a_result_is_never_stored(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE")
    token = shop.simulator.redirect_result("order_1")
    shop.do(shop.pay.payments.confirm(intent.id, action_result={"redirectResult": token}))
    kept = [
        (record.command or b"", record.request or b"")
        for record in shop.do(shop.pay.operations.list())
    ]
    assert len(kept) == 2
    assert token not in repr(kept)


def test_a_result_is_refused_where_nothing_waits_for_one(shop: Shop) -> None:
    intent = shop.buy()
    with pytest.raises(InvalidTransition):
        shop.do(shop.pay.payments.confirm(intent.id, action_result={"redirectResult": "x"}))
    for wrong in ({}, {"a": 1}, "text", {"a": "x" * 300_001}):
        with pytest.raises(InvalidRequest, match="action_result"):
            shop.do(shop.pay.payments.confirm(intent.id, action_result=wrong))
    with pytest.raises(InvalidRequest, match="nothing beside"):
        shop.do(
            shop.pay.payments.confirm(intent.id, action_result={"a": "b"}, payment_method="PMX1")
        )
    assert not shop.asked("/payments/details")


def test_a_session_is_paid_on_adyens_page(shop: Shop) -> None:
    intent = shop.buy(method=HOSTED)
    assert isinstance(intent.next_action, Redirect)
    assert (intent.next_action.url or "").startswith("https://")
    assert json.loads(shop.asked("/sessions")[0].body)["mode"] == "hosted"
    assert shop.bank.charged("order_1").is_zero
    _pay_session(shop, "PMCARDOK")
    shop.deliver()
    assert shop.get().is_paid
    assert len(shop.get().attempts) == 1


def test_a_session_for_drop_in_brings_its_data_and_allows_a_second_try(shop: Shop) -> None:
    intent = shop.buy(method=SESSION, capture_method="manual")
    assert isinstance(intent.next_action, ClientToken)
    told = json.loads(intent.next_action.token or "")
    assert told.keys() == {"id", "sessionData"}
    _pay_session(shop, "PMCARDINSUFFICIENTFUNDS")
    shop.deliver()
    assert shop.get().status is PaymentStatus.REQUIRES_ACTION, "the customer may try again"
    _pay_session(shop, "PMCARDOK")
    shop.deliver()
    assert shop.get().status is PaymentStatus.REQUIRES_CAPTURE


def _pay_session(shop: Shop, method: str) -> None:
    (session,) = shop.simulator.server.desks.memory.sessions
    shop.simulator.pay_session(session, {"type": "scheme", "storedPaymentMethodId": method})


# -- methods ----------------------------------------------------------------------------------


def test_encrypted_card_data_pays_and_is_never_stored(shop: Shop) -> None:
    token = payment_method_from(ENCRYPTED)
    intent = shop.buy(method=token)
    assert intent.is_paid
    (record,) = shop.do(shop.pay.operations.list())
    assert record.request is None
    assert "encrypted" not in repr(record.command)
    assert token not in repr(record.command)
    body = json.loads(shop.asked("/payments")[0].body)
    assert body["paymentMethod"] == ENCRYPTED["paymentMethod"]
    assert body["browserInfo"] == ENCRYPTED["browserInfo"]
    assert "clientStateDataIndicator" not in body


def test_a_payment_that_may_not_be_stored_is_not_sent_again_by_recovery(shop: Shop) -> None:
    shop.simulator.next("create_payment", *[LostRequest()] * 4)
    with pytest.raises(OutcomeUnknown):
        shop.buy(method=payment_method_from(ENCRYPTED))
    shop.simulator.script.clear()
    sent = len(shop.heard)
    shop.simulator.clock.advance(timedelta(minutes=5))
    shop.do(shop.pay.operations.recover())
    assert len(shop.heard) == sent
    assert shop.get().status is PaymentStatus.UNKNOWN


def test_a_saved_method_is_charged_while_the_customer_is_absent(shop: Shop) -> None:
    shop.buy(method=payment_method_from(ENCRYPTED), customer="shopper_1", save_payment_method=True)
    first = json.loads(shop.asked("/payments")[0].body)
    assert first["storePaymentMethod"] is True
    assert first["shopperReference"] == "shopper_1"
    assert first["recurringProcessingModel"] == "UnscheduledCardOnFile"
    (request,) = shop.simulator.webhooks()
    shop.receive(request)
    (stored,) = stored_methods_in(request.body)
    assert (stored.customer, stored.payment_ref) == ("shopper_1", shop.get().latest_attempt.ref)
    saved = stored.id
    later = shop.buy("order_2", saved, customer="shopper_1", off_session=True)
    assert later.is_paid
    second = json.loads(shop.asked("/payments")[1].body)
    assert second["shopperInteraction"] == "ContAuth"
    assert second["paymentMethod"]["storedPaymentMethodId"] == saved
    shop.do(shop.pay.webhooks.process_due())
    states = {row.type: row.state for row in shop.do(shop.pay.webhooks.list())}
    assert states["RECURRING_CONTRACT"] is InboxState.DONE


@pytest.mark.parametrize("method", ["pm_card_visa", "card_1Nv0FG", "tok-visa", "src_1"])
def test_a_method_of_another_provider_is_refused_before_anything_is_sent(
    shop: Shop, method: str
) -> None:
    with pytest.raises(InvalidRequest, match="payment_method"):
        shop.buy(method=method)
    assert not shop.asked("/payments")


def test_card_data_that_is_not_encrypted_is_refused(shop: Shop) -> None:
    plain = {"type": "scheme", "number": "4111111111111111", "expiryMonth": "03", "cvc": "737"}
    with pytest.raises(SensitiveData):
        payment_method_from({"paymentMethod": plain})
    for wrong in ({}, {"paymentMethod": {"type": "scheme"}, "amount": {"value": 1}}):
        with pytest.raises(InvalidRequest):
            payment_method_from(wrong)
    assert not shop.heard


def test_what_a_browser_says_never_decides_what_is_paid(shop: Shop) -> None:
    token = payment_method_from({**ENCRYPTED, "shopperEmail": "shopper@shop.example"})
    shop.buy(method=token, receipt_email="known@shop.example")
    body = json.loads(shop.asked("/payments")[0].body)
    assert body["shopperEmail"] == "known@shop.example"
    for name in ("amount", "reference", "merchantAccount", "shopperReference", "metadata"):
        with pytest.raises(InvalidRequest, match=name):
            payment_method_from({**ENCRYPTED, name: "x"})


# -- canceling --------------------------------------------------------------------------------


def test_a_payment_that_may_be_captured_meanwhile_is_reversed(shop: Shop) -> None:
    intent = shop.buy(capture_method="manual")
    shop.deliver()
    shop.do(shop.pay.payments.capture(intent.id))
    shop.do(shop.pay.payments.cancel(intent.id))
    assert len(shop.asked("/reversals")) == 1
    shop.deliver()
    after = shop.get()
    assert after.captured == after.refunded, "nothing of it was kept"
    assert shop.bank.charged("order_1") == shop.bank.refunded("order_1")


def test_a_payment_that_waits_for_its_customer_is_not_canceled_unasked(shop: Shop) -> None:
    intent = shop.buy(method="PMCARDAUTHENTICATE")
    with pytest.raises(UnsupportedOperation, match="cancel_lost"):
        shop.do(shop.pay.payments.cancel(intent.id))
    assert not shop.asked("/cancels")


def test_a_payment_whose_answer_was_lost_is_not_canceled_unless_it_may(shop: Shop) -> None:
    _lose(shop)
    with pytest.raises(InvalidTransition):
        shop.do(shop.pay.payments.cancel(shop.get().id))
    assert not shop.asked("/cancels")


@pytest.mark.parametrize("shop", [{"cancel_lost": True}], indirect=True)
def test_a_payment_whose_answer_was_lost_is_canceled_by_its_reference(shop: Shop) -> None:
    _lose(shop)
    canceled = shop.do(shop.pay.payments.cancel(shop.get().id))
    assert canceled.status is PaymentStatus.UNKNOWN, "received is not done"
    (request,) = shop.asked("/v72/cancels")
    made = json.loads(shop.asked("/payments")[0].body)["reference"]
    assert json.loads(request.body)["paymentReference"] == made
    shop.deliver()
    assert shop.get().status is PaymentStatus.CANCELED
    assert shop.bank.charged("order_1").is_zero


@pytest.mark.parametrize("shop", [{"cancel_lost": True}], indirect=True)
def test_what_somebody_may_be_sending_again_is_not_canceled_unknown(shop: Shop) -> None:
    """A replay that arrives after the cancellation would charge."""
    _lose(shop)
    (lost,) = shop.do(shop.pay.operations.list(state="unknown"))
    until = shop.simulator.clock.now() + timedelta(seconds=30)
    held = replace(lost, lease_owner="a recoverer", lease_until=until)
    shop.transact(lambda tx: tx.save_operation(held))
    with pytest.raises(InvalidTransition, match="in a minute"):
        shop.do(shop.pay.payments.cancel(shop.get().id))
    assert not shop.asked("/v72/cancels")
    shop.simulator.clock.advance(timedelta(seconds=31))
    shop.do(shop.pay.payments.cancel(shop.get().id))
    assert len(shop.asked("/v72/cancels")) == 1


@pytest.mark.parametrize("shop", [{"cancel_lost": True}], indirect=True)
def test_what_is_canceled_unknown_is_never_sent_again(shop: Shop) -> None:
    shop.simulator.next("create_payment", *[LostRequest()] * 4)
    with pytest.raises(OutcomeUnknown):
        shop.buy(capture_method="manual")
    shop.simulator.script.clear()
    shop.do(shop.pay.payments.cancel(shop.get().id))
    sent = len(shop.asked("/payments"))
    shop.simulator.clock.advance(timedelta(minutes=2))
    shop.do(shop.pay.operations.recover())
    with pytest.raises(OutcomeUnknown):
        shop.buy(capture_method="manual")
    assert len(shop.asked("/payments")) == sent
    assert not shop.bank.payments_named("order_1")


def _lose(shop: Shop) -> None:
    shop.simulator.next("create_payment", *[ServerError(effect=True, status=502)] * 4)
    with pytest.raises(OutcomeUnknown):
        shop.buy(method=payment_method_from(ENCRYPTED), capture_method="manual")
    shop.simulator.script.clear()
    assert shop.get().status is PaymentStatus.UNKNOWN


# -- keys -------------------------------------------------------------------------------------


def test_a_refund_is_sent_again_only_while_adyen_knows_its_key(shop: Shop) -> None:
    """Seven days, less what clocks may differ by; then only a webhook or a person knows."""
    for number, days in enumerate((6, 7)):
        intent = shop.buy(f"order_{number}")
        shop.simulator.next("create_refund", *[LostRequest()] * 4)
        with pytest.raises(OutcomeUnknown):
            shop.do(shop.pay.refunds.create(payment=intent.id, reference=f"return_{number}"))
        shop.simulator.script.clear()
        sent = len(shop.asked("/refunds"))
        shop.simulator.clock.advance(timedelta(days=days))
        shop.do(shop.pay.operations.recover())
        assert len(shop.asked("/refunds")) - sent == (1 if days < 7 else 0)
    assert len(shop.bank.refunds) == 1
    (left,) = shop.do(shop.pay.operations.list(state="needs_review"))
    assert left.operation == "create_refund", left


def test_a_key_that_is_in_use_is_waited_for(shop: Shop) -> None:
    shop.simulator.next("create_payment", Conflict(), Conflict())
    assert shop.buy().is_paid
    assert len(shop.asked("/payments")) == 3
    assert shop.bank.charged("order_1") == PRICE


# -- accounts and regions ---------------------------------------------------------------------


def test_a_payment_of_one_region_is_not_touched_from_another(shop: Shop) -> None:
    intent = shop.buy(capture_method="manual")
    elsewhere = shop.client(shop.provider_with(region="us"))
    with pytest.raises(ConfigurationError, match="@us"):
        shop.do(elsewhere.payments.capture(intent.id))
    assert not shop.asked("/captures")


def test_a_merchant_account_that_the_key_may_not_use_is_told_before_anything_is_sent(
    shop: Shop,
) -> None:
    other = shop.client(shop.provider_with(merchant_account="SomebodyElsesECOM"))
    with pytest.raises(ProviderPermissionDenied, match="Invalid Merchant Account"):
        shop.do(
            other.payments.create(
                reference="order_1",
                amount=PRICE,
                payment_method="PMCARDOK",
                return_url=BACK,
                confirm=True,
            )
        )
    assert shop.asked("/paymentMethods")
    assert not shop.asked("/payments")
    assert shop.do(other.operations.list()) == []


def test_a_currency_that_adyen_does_not_take_is_refused_before_anything_is_sent(shop: Shop) -> None:
    call = {"reference": "order_9", "payment_method": "PMCARDOK", "return_url": BACK}
    with pytest.raises(InvalidRequest, match="amount"):
        shop.do(shop.pay.payments.create(amount=Money(100, "KPW"), confirm=True, **call))
    with pytest.raises(InvalidRequest, match="return_url"):
        shop.do(
            shop.pay.payments.create(
                reference="order_8", amount=PRICE, payment_method="PMCARDOK", confirm=True
            )
        )
    with pytest.raises(InvalidRequest, match="customer"):
        shop.buy("order_7", customer="ab")
    with pytest.raises(InvalidRequest, match="customer"):
        shop.buy("order_6", save_payment_method=True)
    assert not shop.asked("/payments")
