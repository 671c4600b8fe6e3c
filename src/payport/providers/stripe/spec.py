"""
What Stripe is to the core: the pinned API version, capabilities, keys, limits, and how it counts.

Declarations and two conversions of amounts, nothing else. The version is pinned here and not left
to the SDK, whose minor releases move it; a test fails when the two drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import Environment
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
    "EXPONENTS",
    "PROVIDER",
    "STEPS",
    "money_from",
    "spec_with",
    "wire_amount",
]

PROVIDER: Final = "stripe"

#: Sent with every request, and the only version whose webhooks are believed.
API_VERSION: Final = "2026-10-28.endive"

#: Where Stripe counts a currency otherwise than ISO 4217: crowns and shillings are written with two
#: decimals that are always 00, ariary without any.
#: https://docs.stripe.com/currencies#special-cases and #zero-decimal
EXPONENTS: Final[Mapping[str, int]] = MappingProxyType({"ISK": 2, "UGX": 2, "MGA": 0})

#: Of three decimals the last has to be zero. https://docs.stripe.com/currencies#three-decimal
STEPS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10)
)

#: The digits of an amount: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
#: Some networks and methods take less and say so themselves.
_MOST: Final = 999_999_999_999

#: Of Stripe's 50 entries three are payport's own: the tag, the reference, and a capture's tag.
#: https://docs.stripe.com/metadata
_METADATA_KEYS: Final = 47


#: What names of payment methods and customers begin with, older kinds included: a router sends
#: them nowhere else. https://docs.stripe.com/api/payment_methods
_METHODS: Final = ("pm_", "card_", "src_", "tok_", "ba_")
_TOKENS: Final = (*_METHODS, "cus_")


def spec_with(*, multicapture: bool) -> ProviderSpec:
    """
    What the adapter declares.

    Args:
        multicapture: Whether the account may capture one payment several times. Stripe refuses
            payments that ask for it on accounts that may not, so it is never asked for unsaid.
            https://docs.stripe.com/payments/multicapture
    """
    lacks = set[Capability]() if multicapture else {Capability.MULTIPLE_CAPTURES}
    return ProviderSpec(
        name=PROVIDER,
        capabilities=ALL_CAPABILITIES - lacks,
        # https://docs.stripe.com/api/idempotent_requests
        idempotency=IdempotencyProfile(
            placement="header Idempotency-Key",
            max_length=255,
            life=timedelta(hours=24),
            scope="account, and mode",
            replays_errors=True,
        ),
        resolution=(
            Resolution.REPLAY,
            Resolution.RETRIEVE,
            Resolution.FIND,
            Resolution.WEBHOOK,
            Resolution.REVIEW,
        ),
        token_prefixes=_TOKENS,
        method_prefixes=_METHODS,
        limits=Limits(max_amount=_MOST, metadata_keys=_METADATA_KEYS),
        exponents=EXPONENTS,
        steps=STEPS,
        # https://docs.stripe.com/rate-limits
        rates={Environment.LIVE: 100, Environment.TEST: 25},
        # https://docs.stripe.com/api/events/list
        events_kept=timedelta(days=30),
    )


def wire_amount(money: Money, operation: str) -> int:
    """
    An amount as Stripe writes it.

    Raises:
        InvalidRequest: Stripe does not count so finely, or not so far. It is never rounded.
    """
    minor = minor_units(money, EXPONENTS)
    if minor is None:
        raise InvalidRequest(
            f"{money} cannot be paid here: Stripe counts whole {money.currency}. Round it.",
            operation=operation,
            field="amount",
            provider=PROVIDER,
        )
    if minor > _MOST:
        raise InvalidRequest(
            f"{money} has more than the 12 digits that Stripe takes",
            operation=operation,
            field="amount",
            provider=PROVIDER,
        )
    return minor


def money_from(amount: object, currency: object) -> Money:
    """
    An amount as Stripe wrote it.

    Raises:
        ValueError, InvalidRequest: It is none, or has a fraction that its currency has not.
    """
    return money_of(amount, currency, EXPONENTS)
