"""
Why a payment was declined, in payport's own words, and what the customer may be told.

Adapters map their provider's codes to `DeclineReason` and keep the code in `raw`. What a customer
reads never comes from a provider: it comes from `MESSAGES`, and reasons that would tell a thief
that a card is known to be stolen read like any refusal, in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "DISCREET",
    "MESSAGES",
    "Decline",
    "DeclineAdvice",
    "DeclineReason",
    "DeclineSource",
]


class DeclineReason(StrEnum):
    """Why. Members may be added: match with a `case _`."""

    #: The account does not hold, or the credit line does not allow, the amount.
    INSUFFICIENT_FUNDS = "insufficient_funds"
    #: The amount is above what the card or account may spend at once or in a period.
    LIMIT_EXCEEDED = "limit_exceeded"
    #: Too many payments or attempts in a short time.
    VELOCITY_EXCEEDED = "velocity_exceeded"
    #: The card's expiry date has passed.
    EXPIRED_CARD = "expired_card"
    #: The card or account number is wrong.
    INCORRECT_NUMBER = "incorrect_number"
    #: The expiry date does not match, or is no date.
    INCORRECT_EXPIRY = "incorrect_expiry"
    #: The security code does not match.
    INCORRECT_CVC = "incorrect_cvc"
    #: The address or postal code does not match.
    INCORRECT_ADDRESS = "incorrect_address"
    #: The PIN is wrong.
    INCORRECT_PIN = "incorrect_pin"
    #: The PIN was wrong too often; the card is blocked for PIN payments.
    PIN_TRIES_EXCEEDED = "pin_tries_exceeded"
    #: The payment needs a PIN, or the card to be inserted.
    PIN_REQUIRED = "pin_required"
    #: The amount is zero, too small, too large or malformed for the bank.
    INVALID_AMOUNT = "invalid_amount"
    #: The account is closed, unknown or cannot be paid from.
    INVALID_ACCOUNT = "invalid_account"
    #: The card was replaced: newer details exist and the customer has them.
    OUTDATED_DETAILS = "outdated_details"
    #: The bank refused and gave no reason. The most frequent of all.
    GENERIC = "generic"
    #: The card was reported lost or stolen, or the bank wants it back. Never told to the customer.
    LOST_OR_STOLEN = "lost_or_stolen"
    #: The bank suspects fraud. Never told to the customer.
    SUSPECTED_FRAUD = "suspected_fraud"
    #: The processor's or the business's own risk rules refused. Never told to the customer.
    BLOCKED_BY_RULES = "blocked_by_rules"
    #: The bank restricted or blocked the card. Never told to the customer.
    RESTRICTED = "restricted"
    #: The customer has to authenticate first; off-session payments meet this.
    AUTHENTICATION_REQUIRED = "authentication_required"
    #: The customer failed, or gave up, authenticating.
    AUTHENTICATION_FAILED = "authentication_failed"
    #: This kind of card or method is not accepted here, or not for this purchase.
    CARD_NOT_SUPPORTED = "card_not_supported"
    #: The card or account does not pay in this currency.
    CURRENCY_NOT_SUPPORTED = "currency_not_supported"
    #: The bank does not permit this transaction to this card, in this country or trade.
    NOT_PERMITTED = "not_permitted"
    #: The same payment was made moments before.
    DUPLICATE = "duplicate"
    #: The bank could not be reached.
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    #: The bank or network asks to try again later.
    TRY_AGAIN_LATER = "try_again_later"
    #: Something went wrong on the way; the card may be fine.
    PROCESSING_ERROR = "processing_error"
    #: The customer, or the bank for the customer, stopped this or all future payments.
    MANDATE_REVOKED = "mandate_revoked"
    #: The customer withdrew: closed the window, pressed cancel.
    CANCELED_BY_CUSTOMER = "canceled_by_customer"
    #: The customer did not act in time.
    CUSTOMER_TIMED_OUT = "customer_timed_out"
    #: A test card in live mode or a real card in test mode.
    WRONG_MODE = "wrong_mode"
    #: The provider gave a code that payport does not know; see `raw`.
    UNKNOWN = "unknown"


class DeclineSource(StrEnum):
    """Who declined."""

    #: The customer: withdrew, failed to authenticate, let it expire.
    CUSTOMER = "customer"
    #: The bank that issued the card or holds the account.
    ISSUER = "issuer"
    #: The card network.
    NETWORK = "network"
    #: The payment processor or the business's rules there; the bank was not asked.
    PROCESSOR = "processor"
    #: Not told.
    UNKNOWN = "unknown"


class DeclineAdvice(StrEnum):
    """What helps."""

    #: The same method may work after a while.
    RETRY_LATER = "retry_later"
    #: The customer corrects what was entered and tries again.
    CORRECT_AND_RETRY = "correct_and_retry"
    #: The customer authenticates and tries again.
    AUTHENTICATE = "authenticate"
    #: Another card or method.
    OTHER_METHOD = "other_method"
    #: Only the customer's bank can tell or change it.
    CONTACT_BANK = "contact_bank"
    #: Never with this method. Networks fine businesses that go on.
    DO_NOT_RETRY = "do_not_retry"
    #: Not told.
    UNKNOWN = "unknown"


_R, _S, _A = DeclineReason, DeclineSource, DeclineAdvice

#: Who and what helps, where the provider does not tell.
_DEFAULTS: Final[Mapping[DeclineReason, tuple[DeclineSource, DeclineAdvice]]] = {
    _R.INSUFFICIENT_FUNDS: (_S.ISSUER, _A.OTHER_METHOD),
    _R.LIMIT_EXCEEDED: (_S.ISSUER, _A.OTHER_METHOD),
    _R.VELOCITY_EXCEEDED: (_S.ISSUER, _A.RETRY_LATER),
    _R.EXPIRED_CARD: (_S.ISSUER, _A.OTHER_METHOD),
    _R.INCORRECT_NUMBER: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.INCORRECT_EXPIRY: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.INCORRECT_CVC: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.INCORRECT_ADDRESS: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.INCORRECT_PIN: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.PIN_TRIES_EXCEEDED: (_S.ISSUER, _A.OTHER_METHOD),
    _R.PIN_REQUIRED: (_S.ISSUER, _A.AUTHENTICATE),
    _R.INVALID_AMOUNT: (_S.ISSUER, _A.CONTACT_BANK),
    _R.INVALID_ACCOUNT: (_S.ISSUER, _A.DO_NOT_RETRY),
    _R.OUTDATED_DETAILS: (_S.ISSUER, _A.CORRECT_AND_RETRY),
    _R.GENERIC: (_S.ISSUER, _A.CONTACT_BANK),
    _R.LOST_OR_STOLEN: (_S.ISSUER, _A.DO_NOT_RETRY),
    _R.SUSPECTED_FRAUD: (_S.ISSUER, _A.DO_NOT_RETRY),
    _R.BLOCKED_BY_RULES: (_S.PROCESSOR, _A.DO_NOT_RETRY),
    _R.RESTRICTED: (_S.ISSUER, _A.CONTACT_BANK),
    _R.AUTHENTICATION_REQUIRED: (_S.ISSUER, _A.AUTHENTICATE),
    _R.AUTHENTICATION_FAILED: (_S.CUSTOMER, _A.AUTHENTICATE),
    _R.CARD_NOT_SUPPORTED: (_S.PROCESSOR, _A.OTHER_METHOD),
    _R.CURRENCY_NOT_SUPPORTED: (_S.ISSUER, _A.OTHER_METHOD),
    _R.NOT_PERMITTED: (_S.ISSUER, _A.CONTACT_BANK),
    _R.DUPLICATE: (_S.ISSUER, _A.DO_NOT_RETRY),
    _R.ISSUER_UNAVAILABLE: (_S.NETWORK, _A.RETRY_LATER),
    _R.TRY_AGAIN_LATER: (_S.ISSUER, _A.RETRY_LATER),
    _R.PROCESSING_ERROR: (_S.PROCESSOR, _A.RETRY_LATER),
    _R.MANDATE_REVOKED: (_S.CUSTOMER, _A.DO_NOT_RETRY),
    _R.CANCELED_BY_CUSTOMER: (_S.CUSTOMER, _A.OTHER_METHOD),
    _R.CUSTOMER_TIMED_OUT: (_S.CUSTOMER, _A.RETRY_LATER),
    _R.WRONG_MODE: (_S.PROCESSOR, _A.OTHER_METHOD),
    _R.UNKNOWN: (_S.UNKNOWN, _A.UNKNOWN),
}

#: Reasons whose message is that of `GENERIC`, whatever a translation says: told apart, they would
#: help whoever tries out stolen cards.
DISCREET: Final = frozenset(
    {_R.LOST_OR_STOLEN, _R.SUSPECTED_FRAUD, _R.BLOCKED_BY_RULES, _R.RESTRICTED}
)

_REFUSED: Final = (
    "Your bank declined the payment. Please use another payment method or contact your bank."
)
_AUTHENTICATE: Final = "Your bank asks you to confirm this payment. Please try again."
_TEMPORARY: Final = "The payment could not be processed right now. Please try again in a while."

#: What a customer may read, in English. Copy it to translate it: see `Decline.message`.
MESSAGES: Final[Mapping[DeclineReason, str]] = MappingProxyType(
    {
        _R.INSUFFICIENT_FUNDS: (
            "There is not enough money for this payment. Please use another payment method."
        ),
        _R.LIMIT_EXCEEDED: (
            "This payment is above your card's limit. Please use another payment method or contact "
            "your bank."
        ),
        _R.VELOCITY_EXCEEDED: (
            "There were too many payments in a short time. Please try again later or use another "
            "payment method."
        ),
        _R.EXPIRED_CARD: "Your card has expired. Please use another card.",
        _R.INCORRECT_NUMBER: "The number is not correct. Please check it and try again.",
        _R.INCORRECT_EXPIRY: "The expiry date is not correct. Please check it and try again.",
        _R.INCORRECT_CVC: "The security code is not correct. Please check it and try again.",
        _R.INCORRECT_ADDRESS: "The billing address is not correct. Please check it and try again.",
        _R.INCORRECT_PIN: "The PIN is not correct. Please try again.",
        _R.PIN_TRIES_EXCEEDED: "The PIN was wrong too often. Please use another payment method.",
        _R.PIN_REQUIRED: "Please insert your card and enter your PIN.",
        _R.INVALID_AMOUNT: (
            "Your bank does not accept this amount. Please use another payment method or contact "
            "your bank."
        ),
        _R.INVALID_ACCOUNT: (
            "This card or account cannot be used. Please use another payment method."
        ),
        _R.OUTDATED_DETAILS: (
            "Your card details are out of date. Please enter those of your new card."
        ),
        _R.GENERIC: _REFUSED,
        _R.LOST_OR_STOLEN: _REFUSED,
        _R.SUSPECTED_FRAUD: _REFUSED,
        _R.BLOCKED_BY_RULES: _REFUSED,
        _R.RESTRICTED: _REFUSED,
        _R.AUTHENTICATION_REQUIRED: _AUTHENTICATE,
        _R.AUTHENTICATION_FAILED: (
            "The payment could not be confirmed. Please try again or use another payment method."
        ),
        _R.CARD_NOT_SUPPORTED: (
            "This card cannot be used here. Please use another payment method."
        ),
        _R.CURRENCY_NOT_SUPPORTED: (
            "Your card cannot pay in this currency. Please use another payment method."
        ),
        _R.NOT_PERMITTED: (
            "Your bank does not allow this payment. Please use another payment method or contact "
            "your bank."
        ),
        _R.DUPLICATE: "The same payment was made a moment ago. Please check before you pay again.",
        _R.ISSUER_UNAVAILABLE: "Your bank cannot be reached. Please try again in a while.",
        _R.TRY_AGAIN_LATER: _TEMPORARY,
        _R.PROCESSING_ERROR: _TEMPORARY,
        _R.MANDATE_REVOKED: (
            "This payment method no longer allows payments to us. Please use another one."
        ),
        _R.CANCELED_BY_CUSTOMER: "The payment was canceled. You can try again at any time.",
        _R.CUSTOMER_TIMED_OUT: "The time to pay ran out. Please try again.",
        _R.WRONG_MODE: "This card cannot be used here. Please use another payment method.",
        _R.UNKNOWN: "The payment did not go through. Please use another payment method.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """
    Why a payment was declined.

    Two declines are equal when they mean the same; the provider's codes do not count.

    Attributes:
        reason: Why, in payport's vocabulary.
        source: Who declined.
        advice: What helps. For the application: it may say that a card is stolen.
        raw: The provider's own code, for support and logs. Never shown to a customer.
        network_code: The card network's code, where the provider passes it on.
    """

    reason: DeclineReason
    source: DeclineSource
    advice: DeclineAdvice
    raw: str | None = field(default=None, compare=False)
    network_code: str | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        reason: DeclineReason,
        *,
        raw: str | None = None,
        network_code: str | None = None,
        source: DeclineSource | None = None,
        advice: DeclineAdvice | None = None,
    ) -> Decline:
        """Make a decline whose source and advice are the reason's usual ones unless given."""
        usual_source, usual_advice = _DEFAULTS[reason]
        return cls(
            reason=reason,
            source=source or usual_source,
            advice=advice or usual_advice,
            raw=raw,
            network_code=network_code,
        )

    @property
    def user_message(self) -> str:
        """An English sentence or two that is safe to show to the customer."""
        return self.message()

    def message(
        self, catalogue: Mapping[DeclineReason, str] | Mapping[str, str] | None = None
    ) -> str:
        """
        Return the sentence to show, from a catalogue in the customer's language.

        Args:
            catalogue: Sentences by reason; keys may be plain strings, as JSON gives them. What it
                lacks, and no catalogue at all, falls back to `MESSAGES`. Its entries for `DISCREET`
                reasons are not used: those always read like `GENERIC`.
        """
        shown = DeclineReason.GENERIC if self.reason in DISCREET else self.reason
        # str(), because lazily translated texts only become text when asked.
        return str((catalogue or MESSAGES).get(shown, MESSAGES[shown]))
