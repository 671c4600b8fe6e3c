"""Every decline code that Stripe documents has a reason; unknown ones are safe to show."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from stripe_help import words_of

from payport.domain.declines import (
    MESSAGES,
    DeclineAdvice,
    DeclineReason,
    DeclineSource,
)
from payport.providers.stripe.declines import ADVICE, ERROR_CODES, REASONS, decline_from

#: https://docs.stripe.com/declines/codes as of September 2026. A gap here is a gap in the table.
CARDS = [
    "approve_with_id",
    "authentication_not_handled",
    "authentication_required",
    "call_issuer",
    "card_not_supported",
    "card_velocity_exceeded",
    "currency_not_supported",
    "do_not_honor",
    "do_not_try_again",
    "duplicate_transaction",
    "expired_card",
    "fraudulent",
    "generic_decline",
    "incorrect_address",
    "incorrect_cvc",
    "incorrect_number",
    "incorrect_pin",
    "incorrect_zip",
    "insufficient_funds",
    "invalid_account",
    "invalid_amount",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "invalid_pin",
    "issuer_not_available",
    "lost_card",
    "merchant_blacklist",
    "mobile_device_authentication_required",
    "new_account_information_available",
    "no_action_taken",
    "not_permitted",
    "offline_pin_required",
    "online_or_offline_pin_required",
    "pickup_card",
    "pin_try_exceeded",
    "processing_error",
    "reenter_transaction",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
    "transaction_not_allowed",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
]
#: The same page's table for local payment methods.
LOCAL = [
    "card_already_activated",
    "compliance_violation",
    "expired_payment_information",
    "invalid_authorization",
    "invalid_billing_agreement",
    "invalid_business_account",
    "invalid_customer_account",
    "invalid_payment_information",
    "invalid_track_data",
    "lost_or_stolen_card",
    "partner_action_not_supported",
    "partner_duplicate_transaction",
    "partner_expired_card",
    "partner_generic_decline",
    "partner_high_risk_customer",
    "partner_insufficient_funds",
    "partner_invalid_amount",
    "partner_invalid_currency",
    "partner_payment_not_found",
    "partner_processing_error",
    "payment_disputed",
    "payment_limit_exceeded",
    "recurring_not_supported_by_bank",
]


def decline(**error: Any) -> Any:
    return decline_from({"type": "card_error", **error})


def test_every_documented_code_has_a_reason_and_no_other() -> None:
    assert set(REASONS) == {*CARDS, *LOCAL}
    assert len(CARDS) == 50


@pytest.mark.parametrize("code", [*CARDS, *LOCAL])
def test_each_code_means_something_and_is_safe_to_show(code: str) -> None:
    told = decline(code="card_declined", decline_code=code)
    assert told.reason is REASONS[code]
    assert told.reason is not DeclineReason.UNKNOWN
    assert told.raw == code
    assert told.user_message in MESSAGES.values()
    assert DeclineSource.UNKNOWN is not told.source
    assert DeclineAdvice.UNKNOWN is not told.advice


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent", "merchant_blacklist"])
def test_what_would_help_a_thief_reads_like_any_refusal(code: str) -> None:
    """Stripe asks for this in the same table."""
    assert decline(decline_code=code).user_message == decline(code="card_declined").user_message


@pytest.mark.parametrize("code", list(ERROR_CODES))
def test_an_error_without_a_decline_code_is_told_by_its_own(code: str) -> None:
    told = decline(code=code)
    assert (told.reason, told.raw) == (ERROR_CODES[code], code)


def test_every_error_code_is_one_of_stripes() -> None:
    assert set(ERROR_CODES) <= words_of(stripe.PaymentIntent.LastPaymentError)


def test_an_unknown_code_is_unknown_and_kept() -> None:
    told = decline(code="card_declined", decline_code="came_up_in_2031")
    assert (told.reason, told.raw) == (DeclineReason.UNKNOWN, "came_up_in_2031")
    assert told.user_message == MESSAGES[DeclineReason.UNKNOWN]


def test_beside_an_unknown_code_the_error_may_say_more() -> None:
    assert decline(code="expired_card", decline_code="new").reason is DeclineReason.EXPIRED_CARD


@pytest.mark.parametrize("error", [{}, {"code": 7}, {"decline_code": "ü" * 3}, {"code": "a" * 101}])
def test_what_says_nothing_is_unknown(error: Any) -> None:
    told = decline_from(error)
    assert (told.reason, told.raw) == (DeclineReason.UNKNOWN, None)


def test_the_networks_code_is_kept() -> None:
    assert decline(decline_code="do_not_honor", network_decline_code="05").network_code == "05"


@pytest.mark.parametrize(("code", "advice"), list(ADVICE.items()))
def test_the_issuers_advice_goes_before_the_usual_one(code: str, advice: DeclineAdvice) -> None:
    """Codes and advice as test mode gives them for its test cards."""
    assert decline(decline_code="generic_decline", advice_code=code).advice is advice


def test_every_advice_is_documented() -> None:
    """https://docs.stripe.com/declines/card#retrying-issuer-declines"""
    assert set(ADVICE) == {"confirm_card_data", "do_not_try_again", "try_again_later"}


def test_waiting_does_not_authenticate() -> None:
    told = decline(decline_code="authentication_required", advice_code="try_again_later")
    assert told.advice is DeclineAdvice.AUTHENTICATE
    never = decline(decline_code="authentication_required", advice_code="do_not_try_again")
    assert never.advice is DeclineAdvice.DO_NOT_RETRY


def test_a_code_may_be_its_own_advice() -> None:
    assert decline(decline_code="do_not_try_again").advice is DeclineAdvice.DO_NOT_RETRY


def test_who_declined_is_told() -> None:
    assert decline(decline_code="fraudulent").source is DeclineSource.PROCESSOR
    assert decline(decline_code="insufficient_funds").source is DeclineSource.ISSUER
    failed = decline(code="payment_intent_authentication_failure")
    assert failed.source is DeclineSource.CUSTOMER
