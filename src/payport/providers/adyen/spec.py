"""
What Adyen is to the core: API version, capabilities, keys, limits, and how it counts.

Declarations and two conversions of amounts, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, cast

from payport.domain.errors import InvalidRequest
from payport.domain.money import Money
from payport.providers.amounts import minor_units, money_of
from payport.providers.spec import (
    ALL_CAPABILITIES,
    Capability,
    IdempotencyProfile,
    Limits,
    ProviderSpec,
    Resolution,
)

__all__ = [
    "API_VERSION",
    "CURRENCIES",
    "EXPONENTS",
    "PROVIDER",
    "UNSTORABLE",
    "money_from",
    "spec_with",
    "wire_amount",
]

PROVIDER: Final = "adyen"

#: The version of the Checkout API, which is part of every path.
API_VERSION: Final = "v72"

#: Where Adyen counts a currency otherwise than ISO 4217.
#: https://docs.adyen.com/development-resources/currency-codes
EXPONENTS: Final[Mapping[str, int]] = MappingProxyType({"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2})

_TAKEN: Final = (
    "AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD"
    " CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF"
    " GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK"
    " LBP LKR LYD MAD MDL MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR"
    " PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC"
    " SZL THB TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR"
    " ZMW"
)
#: The currencies of the same table; others are refused before anything is sent.
CURRENCIES: Final[frozenset[str]] = frozenset(_TAKEN.split())

#: Fields of a payment method that must never be stored, even encrypted: whoever sends them again
#: pays again. https://docs.adyen.com/api-explorer/Checkout/72/post/payments
UNSTORABLE: Final[frozenset[str]] = frozenset(
    {
        *("encryptedCard", "encryptedCardNumber", "encryptedExpiryMonth", "encryptedExpiryYear"),
        *("encryptedPassword", "encryptedSecurityCode", "applePayToken", "googlePayToken"),
        *("details", "paymentData"),
    }
)

_LACKS: Final[frozenset[Capability]] = frozenset(
    {
        # Nothing is there before the first confirmation, and nothing is tried twice.
        Capability.CREATE_UNCONFIRMED,
        Capability.RECONFIRM,
        # There is no request that reads a payment or a refund, and none that lists them.
        Capability.RETRIEVE_PAYMENT,
        Capability.RETRIEVE_REFUND,
        Capability.FIND,
        Capability.LIST_PAYMENTS,
        Capability.LIST_REFUNDS,
        Capability.LIST_EVENTS,
        # What is paid out is told by reports, and by other webhooks than these.
        Capability.PAYOUTS,
        Capability.RETRIEVE_SUBJECT,
    }
)


def spec_with(*, multicapture: bool, cancel_lost: bool) -> ProviderSpec:
    """
    What the adapter declares.

    Args:
        multicapture: Whether the account has multiple partial captures, which Adyen turns on.
            https://docs.adyen.com/online-payments/capture/#multiple-partial-captures
        cancel_lost: Whether a payment whose answer was lost may be canceled by its reference.
    """
    # With several captures allowed, none of them releases what it leaves, and without, each does.
    lacks = {Capability.PARTIAL_CAPTURE if multicapture else Capability.MULTIPLE_CAPTURES}
    return ProviderSpec(
        name=PROVIDER,
        capabilities=ALL_CAPABILITIES - _LACKS - lacks,
        # https://docs.adyen.com/development-resources/api-idempotency
        idempotency=IdempotencyProfile(
            placement="header Idempotency-Key",
            max_length=64,
            life=timedelta(days=7),
            scope="company account, in one region",
            tells_replays=False,
        ),
        resolution=(Resolution.REPLAY, Resolution.WEBHOOK, Resolution.REVIEW),
        # https://docs.adyen.com/api-explorer/Checkout/72/post/payments: metadata has 20 entries, of
        # which one is the description. What a customer's browser encrypted makes a long token.
        limits=Limits(
            metadata_keys=19,
            metadata_key_length=20,
            metadata_value_length=80,
            description_length=80,
            token_length=32_768,
        ),
        # Ids of stored methods begin with nothing of their own; whatever else is paid with does.
        token_prefixes=("adyen:",),
        exponents=EXPONENTS,
        currencies=CURRENCIES,
        unstorable=UNSTORABLE,
        takes_action_results=True,
        cancels_lost=cancel_lost,
    )


def wire_amount(money: Money, operation: str) -> dict[str, object]:
    """
    An amount as Adyen writes it.

    Raises:
        InvalidRequest: Adyen does not take the currency, or does not count it so finely.
    """
    minor = minor_units(money, EXPONENTS)
    if money.currency not in CURRENCIES:
        why = f"{money} cannot be paid here: Adyen does not take {money.currency}"
    elif minor is None:
        why = f"{money} cannot be paid here: Adyen counts whole {money.currency}. Round it."
    else:
        return {"currency": money.currency, "value": minor}
    raise InvalidRequest(why, operation=operation, field="amount", provider=PROVIDER)


def money_from(amount: object) -> Money:
    """
    An amount as Adyen wrote it.

    Raises:
        One of UNREADABLE: It is none, or has a fraction that its currency has not.
    """
    if not isinstance(amount, Mapping):
        message = "an amount is missing"
        raise TypeError(message)
    told = cast("Mapping[str, object]", amount)
    return money_of(told["value"], told["currency"], EXPONENTS)
