"""
Stripe's test payment methods, as cards of the bank, and declines in Stripe's words.

What a token does: https://docs.stripe.com/testing; what decline codes there are:
https://docs.stripe.com/declines/codes. The bank's own tokens, such as `tok_declined_duplicate`, are
taken too, and look like a Visa card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payport.testing.tokens import Card, Challenge, Refunds, Tokens

__all__ = [
    "ABSENT",
    "DECLINES",
    "LOOKS",
    "SAVED_ALL_THE_SAME",
    "STRIPE_CARDS",
    "Look",
    "Refusal",
    "refusal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be seen of a card."""

    brand: str = "visa"
    last4: str = "4242"
    country: str = "US"
    funding: str = "credit"
    fingerprint: str = "SimFingerprint01"

    @property
    def display_brand(self) -> str:
        """The brand as it is shown to customers."""
        return "american_express" if self.brand == "amex" else self.brand


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """
    A decline in Stripe's words.

    Attributes:
        code: The error's code.
        decline_code: The issuer's reason; None where no issuer was asked.
        advice: What Stripe advises; None where it does not.
        network_code: What the network said.
        charged: Whether there is a charge that failed.
        kind: The type of the error.
    """

    code: str
    message: str
    decline_code: str | None = None
    advice: str | None = None
    network_code: str | None = None
    charged: bool = True
    kind: str = "card_error"


_DECLINED: Final = "Your card was declined."
_UNSUPPORTED: Final = "Your card is not supported."
_FAILED_AUTHENTICATION: Final = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a"
    " new PaymentMethod to attempt to fulfill this PaymentIntent again."
)
_EXPIRED_ATTEMPT: Final = (
    "The latest attempt to confirm the payment has expired. You can provide payment_method_data or"
    " a new PaymentMethod to attempt to fulfill this PaymentIntent again."
)
_AGAIN, _NEVER, _CHECK = "try_again_later", "do_not_try_again", "confirm_card_data"

#: Decline codes that have an error code of their own: the message, the network's code, the advice.
_OWN: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "expired_card": ("Your card has expired.", "54", _CHECK),
    "incorrect_cvc": ("Your card's security code is incorrect.", "N7", _CHECK),
    "incorrect_number": ("Your card number is incorrect.", "14", _CHECK),
    "incorrect_zip": ("The zip code you supplied failed validation.", "05", _CHECK),
    "invalid_cvc": ("Your card's security code is invalid.", "N7", _CHECK),
    "invalid_expiry_month": ("Your card's expiration month is invalid.", "54", _CHECK),
    "invalid_expiry_year": ("Your card's expiration year is invalid.", "54", _CHECK),
    "invalid_number": ("Your card number is not a valid credit card number.", "14", _CHECK),
    "processing_error": (
        "An error occurred while processing your card. Try again in a little bit.",
        "96",
        _AGAIN,
    ),
    "authentication_required": (
        "Your card was declined. This transaction requires authentication.",
        "1A",
        None,
    ),
}
#: All others come with the code `card_declined`.
_OTHERS: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "approve_with_id": (_DECLINED, "08", _AGAIN),
    "call_issuer": (_DECLINED, "02", _AGAIN),
    "card_not_supported": (_UNSUPPORTED, "57", None),
    "card_velocity_exceeded": (_DECLINED, "65", _AGAIN),
    "currency_not_supported": (_DECLINED, "57", None),
    "do_not_honor": (_DECLINED, "05", _AGAIN),
    "do_not_try_again": (_DECLINED, "R0", _NEVER),
    "duplicate_transaction": (_DECLINED, "94", None),
    "fraudulent": (_DECLINED, "59", _NEVER),
    "generic_decline": (_DECLINED, "05", _AGAIN),
    "highest_risk_level": (_DECLINED, "", None),
    "incorrect_address": (_DECLINED, "05", _CHECK),
    "incorrect_pin": (_DECLINED, "55", _CHECK),
    "insufficient_funds": ("Your card has insufficient funds.", "51", _AGAIN),
    "invalid_account": (_DECLINED, "14", _CHECK),
    "invalid_amount": (_DECLINED, "13", None),
    "invalid_pin": (_DECLINED, "55", _CHECK),
    "issuer_not_available": (_DECLINED, "91", _AGAIN),
    "lost_card": (_DECLINED, "41", _NEVER),
    "merchant_blacklist": (_DECLINED, "", None),
    "new_account_information_available": (_DECLINED, "05", _CHECK),
    "no_action_taken": (_DECLINED, "21", _AGAIN),
    "not_permitted": (_DECLINED, "57", None),
    "offline_pin_required": (_DECLINED, "1A", None),
    "online_or_offline_pin_required": (_DECLINED, "1A", None),
    "pickup_card": (_DECLINED, "04", _NEVER),
    "pin_try_exceeded": (_DECLINED, "75", None),
    "reenter_transaction": (_DECLINED, "19", _AGAIN),
    "restricted_card": (_DECLINED, "62", _NEVER),
    "revocation_of_all_authorizations": (_DECLINED, "R1", _NEVER),
    "revocation_of_authorization": (_DECLINED, "R3", _NEVER),
    "security_violation": (_DECLINED, "63", _AGAIN),
    "service_not_allowed": (_DECLINED, "57", None),
    "stolen_card": (_DECLINED, "43", _NEVER),
    "stop_payment_order": (_DECLINED, "R0", _NEVER),
    "testmode_decline": ("Your card was declined. It is a real card in test mode.", "", None),
    "transaction_not_allowed": (_DECLINED, "57", None),
    "try_again_later": (_DECLINED, "91", _AGAIN),
    "withdrawal_count_limit_exceeded": (_DECLINED, "65", _AGAIN),
}

#: The bank's words that Stripe has another one for.
_TRANSLATED: Final[Mapping[str, str]] = {
    "limit_exceeded": "withdrawal_count_limit_exceeded",
    "velocity_exceeded": "card_velocity_exceeded",
    "incorrect_expiry": "invalid_expiry_year",
    "pin_tries_exceeded": "pin_try_exceeded",
    "pin_required": "online_or_offline_pin_required",
    "outdated_details": "new_account_information_available",
    "generic": "generic_decline",
    "lost_or_stolen": "lost_card",
    "suspected_fraud": "fraudulent",
    "blocked_by_rules": "merchant_blacklist",
    "restricted": "restricted_card",
    "duplicate": "duplicate_transaction",
    "issuer_unavailable": "issuer_not_available",
    "mandate_revoked": "revocation_of_authorization",
    "canceled_by_customer": "stop_payment_order",
    "wrong_mode": "testmode_decline",
}
#: What is no issuer's decision.
_NOT_ASKED: Final[Mapping[str, Refusal]] = {
    "authentication_failed": Refusal(
        code="payment_intent_authentication_failure",
        message=_FAILED_AUTHENTICATION,
        charged=False,
        kind="invalid_request_error",
    ),
    "customer_timed_out": Refusal(
        code="payment_intent_payment_attempt_expired",
        message=_EXPIRED_ATTEMPT,
        charged=False,
        kind="invalid_request_error",
    ),
}


def _told(decline_code: str) -> Refusal:
    own = decline_code in _OWN
    message, network, advice = (_OWN if own else _OTHERS).get(decline_code, (_DECLINED, "", None))
    return Refusal(
        code=decline_code if own else "card_declined",
        message=message,
        decline_code=decline_code,
        advice=advice,
        network_code=network or None,
    )


#: Every decline code that the simulator can say.
DECLINES: Final[Mapping[str, Refusal]] = {code: _told(code) for code in (*_OWN, *_OTHERS)}


def refusal(word: str) -> Refusal:
    """The bank's word for a decline, in Stripe's words; an unheard one is passed on as it is."""
    known = _NOT_ASKED.get(word)
    if known is not None:
        return known
    code = _TRANSLATED.get(word, word)
    return DECLINES.get(code) or _told(code)


def _no(code: str, last4: str) -> tuple[Card, Look]:
    return Card(declined=code), Look(last4=last4)


_ASKS: Final = Card(challenge=Challenge.REDIRECT)

_TABLE: Final[Mapping[str, tuple[Card, Look]]] = {
    "pm_card_visa": (Card(), Look()),
    "pm_card_visa_debit": (Card(), Look(last4="5556", funding="debit")),
    "pm_card_mastercard": (Card(), Look(brand="mastercard", last4="4444")),
    "pm_card_mastercard_debit": (Card(), Look(brand="mastercard", last4="8210", funding="debit")),
    "pm_card_mastercard_prepaid": (
        Card(),
        Look(brand="mastercard", last4="5100", funding="prepaid"),
    ),
    "pm_card_amex": (Card(), Look(brand="amex", last4="8431")),
    "pm_card_discover": (Card(), Look(brand="discover", last4="9424")),
    "pm_card_diners": (Card(), Look(brand="diners", last4="0004")),
    "pm_card_jcb": (Card(), Look(brand="jcb", last4="0505")),
    "pm_card_unionpay": (Card(), Look(brand="unionpay", last4="0005")),
    "pm_card_us": (Card(), Look()),
    "pm_card_de": (Card(), Look(last4="0016", country="DE")),
    "pm_card_gb": (Card(), Look(last4="0000", country="GB", funding="debit")),
    "pm_card_bypassPending": (Card(), Look(last4="0077")),
    "pm_card_visa_chargeDeclined": _no("generic_decline", "0002"),
    "pm_card_chargeDeclined": _no("generic_decline", "0002"),
    "pm_card_chargeCustomerFail": _no("generic_decline", "0341"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _no("insufficient_funds", "9995"),
    "pm_card_chargeDeclinedInsufficientFunds": _no("insufficient_funds", "9995"),
    "pm_card_visa_chargeDeclinedLostCard": _no("lost_card", "9987"),
    "pm_card_chargeDeclinedLostCard": _no("lost_card", "9987"),
    "pm_card_visa_chargeDeclinedStolenCard": _no("stolen_card", "9979"),
    "pm_card_chargeDeclinedStolenCard": _no("stolen_card", "9979"),
    "pm_card_chargeDeclinedExpiredCard": _no("expired_card", "0069"),
    "pm_card_chargeDeclinedIncorrectCvc": _no("incorrect_cvc", "0127"),
    "pm_card_chargeDeclinedProcessingError": _no("processing_error", "0119"),
    "pm_card_chargeDeclinedFraudulent": _no("fraudulent", "0019"),
    "pm_card_radarBlock": _no("highest_risk_level", "0019"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _no("card_velocity_exceeded", "6975"),
    "pm_card_threeDSecure2Required": (_ASKS, Look(last4="3220", country="IE")),
    "pm_card_threeDSecureRequired": (_ASKS, Look(last4="3063")),
    "pm_card_threeDSecureOptional": (Card(), Look(last4="3055")),
    "pm_card_authenticationRequired": (_ASKS, Look(last4="3184", country="DE")),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": (
        Card(challenge=Challenge.REDIRECT, declined="insufficient_funds"),
        Look(last4="3178"),
    ),
    "pm_card_createDispute": (Card(disputed=True), Look(last4="0259")),
    "pm_card_refundFail": (Card(refunds=Refunds.REVERSE), Look(last4="5126")),
    "pm_card_pendingRefund": (Card(refunds=Refunds.WAIT), Look(last4="7726")),
}

#: Stripe's test payment methods, and what the bank does with them.
STRIPE_CARDS: Final[Mapping[str, Card]] = {token: card for token, (card, _) in _TABLE.items()}
#: What is to be seen of them.
LOOKS: Final[Mapping[str, Look]] = {token: look for token, (_, look) in _TABLE.items()}
#: The only declined ones that can be saved with a customer.
SAVED_ALL_THE_SAME: Final = frozenset({"pm_card_chargeCustomerFail", "pm_card_radarBlock"})
#: Tokens of the bank's that stand for what card payments at Stripe never do.
ABSENT: Final = frozenset({Tokens.ERROR, Tokens.CAPTURE_FAILS, Tokens.PARTIAL})
