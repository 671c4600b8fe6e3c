"""
From Stripe's decline codes to payport's reasons: tables, and one function that reads an error.

A code that is in no table is UNKNOWN, with a message that is safe to show. What Stripe wrote for
customers is not passed on: it may say that a card is stolen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from payport.domain.declines import Decline, DeclineAdvice, DeclineReason, DeclineSource

__all__ = ["ADVICE", "ERROR_CODES", "REASONS", "decline_from"]

_R = DeclineReason

_WORD: Final = re.compile(r"[\x21-\x7e]{1,100}")

#: `decline_code`, by https://docs.stripe.com/declines/codes
REASONS: Final[Mapping[str, DeclineReason]] = MappingProxyType(
    {
        # Cards.
        "approve_with_id": _R.TRY_AGAIN_LATER,
        "authentication_not_handled": _R.AUTHENTICATION_REQUIRED,
        "authentication_required": _R.AUTHENTICATION_REQUIRED,
        "call_issuer": _R.GENERIC,
        "card_not_supported": _R.CARD_NOT_SUPPORTED,
        "card_velocity_exceeded": _R.LIMIT_EXCEEDED,
        "currency_not_supported": _R.CURRENCY_NOT_SUPPORTED,
        "do_not_honor": _R.GENERIC,
        "do_not_try_again": _R.GENERIC,
        "duplicate_transaction": _R.DUPLICATE,
        "expired_card": _R.EXPIRED_CARD,
        "fraudulent": _R.SUSPECTED_FRAUD,
        "generic_decline": _R.GENERIC,
        "incorrect_address": _R.INCORRECT_ADDRESS,
        "incorrect_cvc": _R.INCORRECT_CVC,
        "incorrect_number": _R.INCORRECT_NUMBER,
        "incorrect_pin": _R.INCORRECT_PIN,
        "incorrect_zip": _R.INCORRECT_ADDRESS,
        "insufficient_funds": _R.INSUFFICIENT_FUNDS,
        "invalid_account": _R.INVALID_ACCOUNT,
        "invalid_amount": _R.INVALID_AMOUNT,
        "invalid_cvc": _R.INCORRECT_CVC,
        "invalid_expiry_month": _R.INCORRECT_EXPIRY,
        "invalid_expiry_year": _R.INCORRECT_EXPIRY,
        "invalid_number": _R.INCORRECT_NUMBER,
        "invalid_pin": _R.INCORRECT_PIN,
        "issuer_not_available": _R.ISSUER_UNAVAILABLE,
        "lost_card": _R.LOST_OR_STOLEN,
        "merchant_blacklist": _R.BLOCKED_BY_RULES,
        "mobile_device_authentication_required": _R.AUTHENTICATION_REQUIRED,
        "new_account_information_available": _R.OUTDATED_DETAILS,
        "no_action_taken": _R.GENERIC,
        "not_permitted": _R.NOT_PERMITTED,
        "offline_pin_required": _R.PIN_REQUIRED,
        "online_or_offline_pin_required": _R.PIN_REQUIRED,
        "pickup_card": _R.LOST_OR_STOLEN,
        "pin_try_exceeded": _R.PIN_TRIES_EXCEEDED,
        "processing_error": _R.PROCESSING_ERROR,
        "reenter_transaction": _R.TRY_AGAIN_LATER,
        "restricted_card": _R.RESTRICTED,
        "revocation_of_all_authorizations": _R.MANDATE_REVOKED,
        "revocation_of_authorization": _R.MANDATE_REVOKED,
        "security_violation": _R.RESTRICTED,
        "service_not_allowed": _R.NOT_PERMITTED,
        "stolen_card": _R.LOST_OR_STOLEN,
        "stop_payment_order": _R.MANDATE_REVOKED,
        "testmode_decline": _R.WRONG_MODE,
        "transaction_not_allowed": _R.NOT_PERMITTED,
        "try_again_later": _R.TRY_AGAIN_LATER,
        "withdrawal_count_limit_exceeded": _R.LIMIT_EXCEEDED,
        # Local payment methods.
        "card_already_activated": _R.GENERIC,
        "compliance_violation": _R.BLOCKED_BY_RULES,
        "expired_payment_information": _R.OUTDATED_DETAILS,
        "invalid_authorization": _R.AUTHENTICATION_REQUIRED,
        "invalid_billing_agreement": _R.MANDATE_REVOKED,
        "invalid_business_account": _R.PROCESSING_ERROR,
        "invalid_customer_account": _R.INVALID_ACCOUNT,
        "invalid_payment_information": _R.INVALID_ACCOUNT,
        "invalid_track_data": _R.PROCESSING_ERROR,
        "lost_or_stolen_card": _R.LOST_OR_STOLEN,
        "partner_action_not_supported": _R.CARD_NOT_SUPPORTED,
        "partner_duplicate_transaction": _R.DUPLICATE,
        "partner_expired_card": _R.EXPIRED_CARD,
        "partner_generic_decline": _R.GENERIC,
        "partner_high_risk_customer": _R.SUSPECTED_FRAUD,
        "partner_insufficient_funds": _R.INSUFFICIENT_FUNDS,
        "partner_invalid_amount": _R.INVALID_AMOUNT,
        "partner_invalid_currency": _R.CURRENCY_NOT_SUPPORTED,
        "partner_payment_not_found": _R.CUSTOMER_TIMED_OUT,
        "partner_processing_error": _R.PROCESSING_ERROR,
        "payment_disputed": _R.NOT_PERMITTED,
        "payment_limit_exceeded": _R.LIMIT_EXCEEDED,
        "recurring_not_supported_by_bank": _R.NOT_PERMITTED,
    }
)

#: `code`, for errors without a decline code: https://docs.stripe.com/error-codes
ERROR_CODES: Final[Mapping[str, DeclineReason]] = MappingProxyType(
    {
        "account_closed": _R.INVALID_ACCOUNT,
        "amount_too_large": _R.INVALID_AMOUNT,
        "amount_too_small": _R.INVALID_AMOUNT,
        "authentication_failure": _R.AUTHENTICATION_FAILED,
        "authentication_required": _R.AUTHENTICATION_REQUIRED,
        "bank_account_declined": _R.GENERIC,
        "bank_account_restricted": _R.RESTRICTED,
        "bank_account_unusable": _R.INVALID_ACCOUNT,
        "card_decline_rate_limit_exceeded": _R.VELOCITY_EXCEEDED,
        "card_declined": _R.GENERIC,
        "charge_exceeds_source_limit": _R.LIMIT_EXCEEDED,
        "charge_exceeds_transaction_limit": _R.LIMIT_EXCEEDED,
        "debit_not_authorized": _R.MANDATE_REVOKED,
        "expired_card": _R.EXPIRED_CARD,
        "expired_payment_method": _R.OUTDATED_DETAILS,
        "incorrect_address": _R.INCORRECT_ADDRESS,
        "incorrect_cvc": _R.INCORRECT_CVC,
        "incorrect_number": _R.INCORRECT_NUMBER,
        "incorrect_postal_code": _R.INCORRECT_ADDRESS,
        "incorrect_zip": _R.INCORRECT_ADDRESS,
        "india_recurring_payment_mandate_canceled": _R.MANDATE_REVOKED,
        "insufficient_funds": _R.INSUFFICIENT_FUNDS,
        "invalid_card_type": _R.CARD_NOT_SUPPORTED,
        "invalid_charge_amount": _R.INVALID_AMOUNT,
        "invalid_cvc": _R.INCORRECT_CVC,
        "invalid_expiry_month": _R.INCORRECT_EXPIRY,
        "invalid_expiry_year": _R.INCORRECT_EXPIRY,
        "invalid_number": _R.INCORRECT_NUMBER,
        "no_account": _R.INVALID_ACCOUNT,
        "payment_intent_authentication_failure": _R.AUTHENTICATION_FAILED,
        "payment_intent_mandate_invalid": _R.MANDATE_REVOKED,
        "payment_intent_payment_attempt_expired": _R.CUSTOMER_TIMED_OUT,
        "payment_intent_payment_attempt_failed": _R.GENERIC,
        "payment_method_currency_mismatch": _R.CURRENCY_NOT_SUPPORTED,
        "payment_method_customer_decline": _R.CANCELED_BY_CUSTOMER,
        "payment_method_not_available": _R.TRY_AGAIN_LATER,
        "payment_method_provider_decline": _R.GENERIC,
        "payment_method_provider_timeout": _R.CUSTOMER_TIMED_OUT,
        "payment_method_restricted": _R.RESTRICTED,
        "payment_method_unactivated": _R.CARD_NOT_SUPPORTED,
        "processing_error": _R.PROCESSING_ERROR,
        "refer_to_customer": _R.MANDATE_REVOKED,
        "setup_intent_authentication_failure": _R.AUTHENTICATION_FAILED,
    }
)

#: `advice_code`, by https://docs.stripe.com/declines/card#retrying-issuer-declines
ADVICE: Final[Mapping[str, DeclineAdvice]] = MappingProxyType(
    {
        "confirm_card_data": DeclineAdvice.CORRECT_AND_RETRY,
        "do_not_try_again": DeclineAdvice.DO_NOT_RETRY,
        "try_again_later": DeclineAdvice.RETRY_LATER,
    }
)

#: Codes whose advice is in the code itself; Stripe calls them deprecated and still sends them.
_ADVISES: Final[Mapping[str, DeclineAdvice]] = {
    "do_not_try_again": DeclineAdvice.DO_NOT_RETRY,
    "revocation_of_all_authorizations": DeclineAdvice.DO_NOT_RETRY,
}

#: Codes that Stripe gives by its own judgement, without the bank's.
_STRIPES_OWN: Final = frozenset({"fraudulent", "merchant_blacklist", "compliance_violation"})


def decline_from(error: Mapping[str, Any]) -> Decline:
    """
    Why a payment was declined, from an error or from a payment's `last_payment_error`.

    The decline code says most; where there is none, or one that nobody knows, the error's code
    does.
    """
    code = _text(error, "decline_code")
    general = _text(error, "code")
    reason = REASONS.get(code or "")
    if reason is None:
        known = ERROR_CODES.get(general or "", _R.UNKNOWN)
        # "card_declined" beside a code that nobody knows says less than that code would.
        reason = known if code is None or known is not _R.GENERIC else _R.UNKNOWN
    return Decline.of(
        reason,
        raw=code or general,
        network_code=_text(error, "network_decline_code"),
        source=DeclineSource.PROCESSOR if code in _STRIPES_OWN else None,
        advice=_advice(error, code, reason),
    )


def _advice(
    error: Mapping[str, Any], code: str | None, reason: DeclineReason
) -> DeclineAdvice | None:
    told = ADVICE.get(_text(error, "advice_code") or "") or _ADVISES.get(code or "")
    if reason is _R.AUTHENTICATION_REQUIRED and told is DeclineAdvice.RETRY_LATER:
        # No waiting helps there: the customer has to authenticate.
        return None
    return told


def _text(error: Mapping[str, Any], name: str) -> str | None:
    value = error.get(name)
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None
