"""
Payment-method tokens of the test bank: each stands for a card that behaves in one way.

What a card does is data (`Card`), so a scripted outcome can put one card in place of another. A
token that is not in the tables is refused by the bank like any token it never issued.

    token                               what happens
    pm_card_ok, pm_card_visa            pays at once
    tok_declined_<reason>               declined for a `DeclineReason`, such as
                                        `tok_declined_lost_or_stolen`
    pm_card_insufficient_funds          declined: insufficient_funds
    pm_card_expired                     declined: expired_card
    pm_card_error                       fails by nobody's decision
    pm_card_authenticate                the customer is sent to a page (`Redirect`), then it pays;
                                        see `bank.authenticate` and `bank.abandon`
    pm_card_authenticate_token          the same with a token for code of the bank's (`ClientToken`)
    pm_card_authenticate_declined       authentication works, and then the issuer declines
    pm_card_processing                  undecided for an hour, then it pays; see `bank.settle`
    pm_card_processing_fails            undecided for an hour, then declined
    pm_card_partial                     the issuer authorises half of the amount, rounded up
    pm_card_capture_fails               pays, and the money comes back after two days
    pm_card_refund_pending              pays; its refunds stay pending until `bank.settle`
    pm_card_refund_fails                pays; its refunds stay pending for two days, then fail
    pm_card_refund_reverses             pays; its refunds succeed and come back after two days
    pm_card_dispute                     pays, and is disputed after a day; see `bank.dispute`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from payport.domain.declines import DeclineReason

__all__ = ["CARDS", "Card", "Challenge", "Refunds", "Tokens", "code_of"]


class Challenge(StrEnum):
    """How the customer authenticates."""

    #: On a page of the bank's.
    REDIRECT = "redirect"
    #: In the shop's page, by code of the bank's that is handed a token.
    CLIENT_TOKEN = "client_token"  # noqa: S105 - the name of a way, not a token


class Refunds(StrEnum):
    """What becomes of refunds to a card."""

    #: They are given.
    GIVEN = "given"
    #: They wait until `bank.settle`.
    WAIT = "wait"
    #: They wait, and fail.
    FAIL = "fail"
    #: They are given, and come back.
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    What the issuer does with a card.

    Attributes:
        declined: The code it is declined with.
        challenge: How the customer authenticates first.
        errs: Whether it fails by nobody's decision.
        waits: Whether the issuer decides later.
        pays: How an issuer that decides later decides.
        share: What share of the amount is authorised, in per cent.
        captures_stay: Whether captured money stays.
        refunds: What becomes of refunds.
        disputed: Whether the holder disputes the payment.
    """

    declined: str | None = None
    challenge: Challenge | None = None
    errs: bool = False
    waits: bool = False
    pays: bool = True
    share: int = 100
    captures_stay: bool = True
    refunds: Refunds = Refunds.GIVEN
    disputed: bool = False


class Tokens:
    """The tokens by name; `Tokens.declined(reason)` for the declines."""

    OK: Final = "pm_card_ok"
    VISA: Final = "pm_card_visa"
    INSUFFICIENT_FUNDS: Final = "pm_card_insufficient_funds"
    EXPIRED: Final = "pm_card_expired"
    ERROR: Final = "pm_card_error"
    AUTHENTICATE: Final = "pm_card_authenticate"
    AUTHENTICATE_TOKEN: Final = "pm_card_authenticate_token"  # noqa: S105 - as all of these, a
    AUTHENTICATE_DECLINED: Final = "pm_card_authenticate_declined"  # name that anybody may know
    PROCESSING: Final = "pm_card_processing"
    PROCESSING_FAILS: Final = "pm_card_processing_fails"
    PARTIAL: Final = "pm_card_partial"
    CAPTURE_FAILS: Final = "pm_card_capture_fails"
    REFUND_PENDING: Final = "pm_card_refund_pending"
    REFUND_FAILS: Final = "pm_card_refund_fails"
    REFUND_REVERSES: Final = "pm_card_refund_reverses"
    DISPUTE: Final = "pm_card_dispute"

    @staticmethod
    def declined(reason: DeclineReason) -> str:
        """The token of a card that is declined for `reason`."""
        return f"tok_declined_{reason}"


def code_of(reason: DeclineReason) -> str:
    """
    The bank's code for a reason. The bank speaks payport's words here, except for the reason that
    payport does not know: that one is told in a word that nobody has heard.
    """
    return "unheard_of" if reason is DeclineReason.UNKNOWN else reason.value


#: Every token and what its card does.
CARDS: Final[Mapping[str, Card]] = MappingProxyType(
    {
        Tokens.OK: Card(),
        Tokens.VISA: Card(),
        Tokens.INSUFFICIENT_FUNDS: Card(declined=code_of(DeclineReason.INSUFFICIENT_FUNDS)),
        Tokens.EXPIRED: Card(declined=code_of(DeclineReason.EXPIRED_CARD)),
        Tokens.ERROR: Card(errs=True),
        Tokens.AUTHENTICATE: Card(challenge=Challenge.REDIRECT),
        Tokens.AUTHENTICATE_TOKEN: Card(challenge=Challenge.CLIENT_TOKEN),
        Tokens.AUTHENTICATE_DECLINED: Card(
            challenge=Challenge.REDIRECT, declined=code_of(DeclineReason.GENERIC)
        ),
        Tokens.PROCESSING: Card(waits=True),
        Tokens.PROCESSING_FAILS: Card(waits=True, pays=False),
        Tokens.PARTIAL: Card(share=50),
        Tokens.CAPTURE_FAILS: Card(captures_stay=False),
        Tokens.REFUND_PENDING: Card(refunds=Refunds.WAIT),
        Tokens.REFUND_FAILS: Card(refunds=Refunds.FAIL),
        Tokens.REFUND_REVERSES: Card(refunds=Refunds.REVERSE),
        Tokens.DISPUTE: Card(disputed=True),
        **{Tokens.declined(reason): Card(declined=code_of(reason)) for reason in DeclineReason},
    }
)
