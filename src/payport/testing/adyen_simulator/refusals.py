"""
Declines in Adyen's words: codes, reasons, and how the test environment is asked for them.

https://docs.adyen.com/development-resources/refusal-reasons and
https://docs.adyen.com/development-resources/testing/result-codes. The bank's own reasons are told
as the nearest of Adyen's, which are fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from payport.domain.declines import DeclineReason
from payport.testing.tokens import code_of

__all__ = ["OUTCOMES", "Outcome", "decline_code", "outcome_of"]

_R = DeclineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What the test environment can be asked for.

    Attributes:
        code: The `refusalReasonCode`, and the `RequestedTestAcquirerResponseCode` that asks for it.
        holder: The `holderName` that asks for it.
        reason: The `refusalReason`; None where it is none.
        result: The `resultCode`.
        network: The `refusalReasonRaw`, as a network words it.
    """

    code: str
    holder: str
    reason: str | None
    result: str = "Refused"
    network: str = "05 : Do not honor"


#: Code, holder's name and reason. The result is a refusal unless told below.
_TABLE: Final[tuple[tuple[int, str, str | None], ...]] = (
    (0, "UNKNOWN", "Unknown"),
    (1, "APPROVED", None),
    (2, "DECLINED", "Refused"),
    (3, "REFERRAL", "Referral"),
    (4, "ERROR", "Acquirer Error"),
    (5, "BLOCK_CARD", "Blocked Card"),
    (6, "CARD_EXPIRED", "Expired Card"),
    (7, "INVALID_AMOUNT", "Invalid Amount"),
    (8, "INVALID_CARD_NUMBER", "Invalid Card Number"),
    (9, "ISSUER_UNAVAILABLE", "Issuer Unavailable"),
    (10, "NOT_SUPPORTED", "Not supported"),
    (11, "NOT_3D_AUTHENTICATED", "3D Not Authenticated"),
    (12, "NOT_ENOUGH_BALANCE", "Not enough balance"),
    (13, "PENDING", None),
    (14, "ACQUIRER_FRAUD", "Acquirer Fraud"),
    (15, "CANCELLED", "Cancelled"),
    (16, "SHOPPER_CANCELLED", "Shopper Cancelled"),
    (17, "INVALID_PIN", "Invalid Pin"),
    (18, "PIN_TRIES_EXCEEDED", "Pin tries exceeded"),
    (19, "PIN_VALIDATION_NOT_POSSIBLE", "Pin validation not possible"),
    (20, "FRAUD", "FRAUD"),
    (21, "NOT_SUBMITTED", "Not Submitted"),
    (22, "FRAUD_CANCELLED", "FRAUD-CANCELLED"),
    (23, "TRANSACTION_NOT_PERMITTED", "Transaction Not Permitted"),
    (24, "CVC_DECLINED", "CVC Declined"),
    (25, "RESTRICTED_CARD", "Restricted Card"),
    (26, "REVOCATION_OF_AUTH", "Revocation Of Auth"),
    (27, "DECLINED_NON_GENERIC", "Declined Non Generic"),
    (28, "WITHDRAWAL_AMOUNT_EXCEEDED", "Withdrawal amount exceeded"),
    (29, "WITHDRAWAL_COUNT_EXCEEDED", "Withdrawal count exceeded"),
    (31, "ISSUER_SUSPECTED_FRAUD", "Issuer Suspected Fraud"),
    (32, "AVS_DECLINED", "AVS Declined"),
    (33, "PIN_REQUIRED", "Card requires online pin"),
    (34, "NO_CHECKING_ACCOUNT_AVAILABLE_ON_CARD", "No checking account available on Card"),
    (35, "NO_SAVINGS_ACCOUNT_AVAILABLE_ON_CARD", "No savings account available on Card"),
    (36, "MOBILE_PIN_REQUIRED", "Mobile pin required"),
    (37, "CONTACTLESS_FALLBACK", "Contactless fallback"),
    (38, "AUTHENTICATION_REQUIRED", "Authentication required"),
    (39, "RREQ_NOT_RECEIVED", "RReq not received from DS"),
    (40, "BAN_CURRENT_AID", "Current AID is in Penalty Box."),
    (41, "CVM_REQUIRED", "CVM Required Restart Payment"),
    (42, "3DS_AUTHENTICATION_ERROR", "3DS Authentication Error"),
    (46, "TRANSACTION_BLOCKED", "Transaction blocked by Adyen to prevent excessive retry fees"),
)

#: Results that are no refusals.
_RESULTS: Final = {0: "Error", 1: "Authorised", 4: "Error", 13: "Received", 22: "Cancelled"}
#: What networks say where it is not a plain refusal.
_NETWORK: Final = {
    6: "54 : Expired card",
    8: "14 : Invalid card number",
    9: "91 : Issuer or switch inoperative",
    12: "51 : Insufficient funds/over credit limit",
    24: "N7 : Decline for CVV2 failure",
    38: "1A : Additional customer authentication required",
}

#: All of them, by code.
OUTCOMES: Final[dict[str, Outcome]] = {
    str(code): Outcome(
        code=str(code),
        holder=holder,
        reason=reason,
        result=_RESULTS.get(code, "Refused"),
        network=_NETWORK.get(code, "05 : Do not honor"),
    )
    for code, holder, reason in _TABLE
}

_PREFIX: Final = "adyen_"

#: The nearest of Adyen's codes for the bank's own reasons. What is not here is a plain refusal.
_OF_THE_BANK: Final[dict[DeclineReason, int]] = {
    _R.INSUFFICIENT_FUNDS: 12,
    _R.LIMIT_EXCEEDED: 28,
    _R.VELOCITY_EXCEEDED: 29,
    _R.EXPIRED_CARD: 6,
    _R.INCORRECT_NUMBER: 8,
    _R.INCORRECT_EXPIRY: 6,
    _R.INCORRECT_CVC: 24,
    _R.INCORRECT_ADDRESS: 32,
    _R.INCORRECT_PIN: 17,
    _R.PIN_TRIES_EXCEEDED: 18,
    _R.PIN_REQUIRED: 33,
    _R.INVALID_AMOUNT: 7,
    _R.INVALID_ACCOUNT: 8,
    _R.LOST_OR_STOLEN: 5,
    _R.SUSPECTED_FRAUD: 31,
    _R.BLOCKED_BY_RULES: 20,
    _R.RESTRICTED: 25,
    _R.AUTHENTICATION_REQUIRED: 38,
    _R.AUTHENTICATION_FAILED: 11,
    _R.CARD_NOT_SUPPORTED: 10,
    _R.CURRENCY_NOT_SUPPORTED: 10,
    _R.NOT_PERMITTED: 23,
    _R.DUPLICATE: 46,
    _R.ISSUER_UNAVAILABLE: 9,
    _R.TRY_AGAIN_LATER: 9,
    _R.PROCESSING_ERROR: 21,
    _R.MANDATE_REVOKED: 26,
    _R.CANCELED_BY_CUSTOMER: 16,
    _R.CUSTOMER_TIMED_OUT: 16,
}
_BY_DECLINE: Final = {code_of(reason): str(code) for reason, code in _OF_THE_BANK.items()}


def decline_code(code: str) -> str:
    """The bank's code for a decline by one of Adyen's codes."""
    return _PREFIX + code


def outcome_of(decline: str | None) -> Outcome:
    """The outcome that the bank's code stands for; an acquirer's error where there is none."""
    if decline is None:
        return OUTCOMES["4"]
    if decline.startswith(_PREFIX):
        return OUTCOMES[decline.removeprefix(_PREFIX)]
    return OUTCOMES[_BY_DECLINE.get(decline, "2")]
