"""
From Adyen's refusal reasons to payport's: one table, and a function that reads a refusal.

An answer tells the code; a webhook tells only the words beside it, so both are in the table. What
is in no table is UNKNOWN, with a message that is safe to show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from payport.domain.declines import Decline, DeclineAdvice, DeclineReason, DeclineSource
from payport.providers.adyen.objects import UNREADABLE, Document, object_in, word

__all__ = ["ADVICE", "REFUSALS", "decline_from", "is_error"]

_R = DeclineReason

#: `refusalReasonCode`, with the words of `refusalReason`, and what it is here.
#: https://docs.adyen.com/development-resources/refusal-reasons
REFUSALS: Final[Mapping[str, tuple[str, DeclineReason]]] = MappingProxyType(
    {
        "0": ("Unknown", _R.UNKNOWN),
        "2": ("Refused", _R.GENERIC),
        "3": ("Referral", _R.GENERIC),
        "4": ("Acquirer Error", _R.PROCESSING_ERROR),
        "5": ("Blocked Card", _R.RESTRICTED),
        "6": ("Expired Card", _R.EXPIRED_CARD),
        "7": ("Invalid Amount", _R.INVALID_AMOUNT),
        "8": ("Invalid Card Number", _R.INCORRECT_NUMBER),
        "9": ("Issuer Unavailable", _R.ISSUER_UNAVAILABLE),
        "10": ("Not supported", _R.CARD_NOT_SUPPORTED),
        "11": ("3D Not Authenticated", _R.AUTHENTICATION_FAILED),
        "12": ("Not enough balance", _R.INSUFFICIENT_FUNDS),
        "14": ("Acquirer Fraud", _R.SUSPECTED_FRAUD),
        "15": ("Cancelled", _R.CANCELED_BY_CUSTOMER),
        "16": ("Shopper Cancelled", _R.CANCELED_BY_CUSTOMER),
        "17": ("Invalid Pin", _R.INCORRECT_PIN),
        "18": ("Pin tries exceeded", _R.PIN_TRIES_EXCEEDED),
        "19": ("Pin validation not possible", _R.INCORRECT_PIN),
        "20": ("FRAUD", _R.BLOCKED_BY_RULES),
        "21": ("Not Submitted", _R.PROCESSING_ERROR),
        "22": ("FRAUD-CANCELLED", _R.BLOCKED_BY_RULES),
        "23": ("Transaction Not Permitted", _R.NOT_PERMITTED),
        "24": ("CVC Declined", _R.INCORRECT_CVC),
        "25": ("Restricted Card", _R.RESTRICTED),
        "26": ("Revocation Of Auth", _R.MANDATE_REVOKED),
        "27": ("Declined Non Generic", _R.GENERIC),
        "28": ("Withdrawal amount exceeded", _R.LIMIT_EXCEEDED),
        "29": ("Withdrawal count exceeded", _R.VELOCITY_EXCEEDED),
        "31": ("Issuer Suspected Fraud", _R.SUSPECTED_FRAUD),
        "32": ("AVS Declined", _R.INCORRECT_ADDRESS),
        "33": ("Card requires online pin", _R.PIN_REQUIRED),
        "34": ("No checking account available on Card", _R.INVALID_ACCOUNT),
        "35": ("No savings account available on Card", _R.INVALID_ACCOUNT),
        "36": ("Mobile pin required", _R.PIN_REQUIRED),
        "37": ("Contactless fallback", _R.PIN_REQUIRED),
        "38": ("Authentication required", _R.AUTHENTICATION_REQUIRED),
        "39": ("RReq not received from DS", _R.AUTHENTICATION_FAILED),
        "40": ("Current AID is in Penalty Box", _R.PROCESSING_ERROR),
        "41": ("CVM Required Restart Payment", _R.PIN_REQUIRED),
        "42": ("3DS Authentication Error", _R.AUTHENTICATION_FAILED),
        "43": ("Online PIN required", _R.PIN_REQUIRED),
        "44": ("Try another interface", _R.PIN_REQUIRED),
        "45": ("Chip downgrade mode", _R.PROCESSING_ERROR),
        "46": (
            "Transaction blocked by Adyen to prevent excessive retry fees",
            _R.VELOCITY_EXCEEDED,
        ),
    }
)

_CODES: Final = {words.lower(): code for code, (words, _) in REFUSALS.items()}

#: `merchantAdviceCode`: what the network advises.
#: https://docs.adyen.com/development-resources/raw-acquirer-responses#merchant-advice-codes
ADVICE: Final[Mapping[str, DeclineAdvice]] = MappingProxyType(
    {
        "01": DeclineAdvice.OTHER_METHOD,
        "02": DeclineAdvice.RETRY_LATER,
        "03": DeclineAdvice.DO_NOT_RETRY,
        "21": DeclineAdvice.DO_NOT_RETRY,
        **{str(code): DeclineAdvice.RETRY_LATER for code in range(24, 31)},
    }
)

#: Codes of what nobody decided: an answer says so by its result, and a webhook by these alone.
_ERRORS: Final = frozenset({"0", "4"})
#: Codes of refusals that Adyen's own rules make, without the bank.
_ADYENS_OWN: Final = frozenset({"20", "21", "22", "46"})
#: A code in front of its words: "51 : Insufficient funds".
_CODE: Final = re.compile(r"\s*([A-Za-z0-9]{1,6})\s*(?::.*)?", re.DOTALL)


def decline_from(told: Document, *, reason: str = "refusalReason") -> Decline:
    """
    Why a payment was refused, from an answer or from a webhook's item.

    Args:
        reason: The field that tells it in words.
    """
    code, words = _refusal(told, reason), word(told.get(reason))
    _, known = REFUSALS.get(code or "", ("", _R.UNKNOWN))
    more = _additional(told)
    return Decline.of(
        known,
        raw=code or words or "refused",
        network_code=_code_in(more.get("refusalReasonRaw")),
        source=DeclineSource.PROCESSOR if code in _ADYENS_OWN else None,
        advice=ADVICE.get(_code_in(more.get("merchantAdviceCode")) or ""),
    )


def is_error(told: Document, *, reason: str) -> bool:
    """Whether it was nobody's decision, such as the acquirer's own fault."""
    return _refusal(told, reason) in _ERRORS


def _refusal(told: Document, reason: str) -> str | None:
    code, words = word(told.get("refusalReasonCode")), word(told.get(reason))
    if code in REFUSALS:
        return code
    return _CODES.get((words or "").strip(" .").lower(), code)


def _additional(told: Document) -> Document:
    try:
        return object_in(told, "additionalData")
    except UNREADABLE:
        return {}


def _code_in(told: object) -> str | None:
    found = _CODE.fullmatch(told) if isinstance(told, str) else None
    return found[1] if found is not None else None
