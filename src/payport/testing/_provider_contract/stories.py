"""Stories of payments, from the first request to the end, in which much is told more than once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payport.providers.spec import Capability
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing.bank.captures import BOUNCES_AFTER
from payport.testing.bank.payments import HOLD_LIVES, PROCESSING_TAKES
from payport.testing.bank.refunds import COMES_BACK_AFTER
from payport.testing.tokens import Tokens

__all__ = ["STORIES", "Story"]

_SECOND: Final = timedelta(seconds=1)
_HELD: Final = frozenset({Capability.MANUAL_CAPTURE})
_RETURNED: Final = frozenset({Capability.REFUND, Capability.PARTIAL_REFUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """
    One story.

    Attributes:
        tell: Has it happen; returns the sale, which has learned all of it.
        needs: What the provider has to be able to do.
    """

    tell: Callable[[Merchant], Sale]
    needs: frozenset[Capability] = frozenset()


def _paid(merchant: Merchant) -> Sale:
    return merchant.sale().paid()


def _declined_and_paid(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS)
    sale.done(sale.confirmation(Tokens.EXPIRED, attempt=2))
    sale.done(sale.confirmation(attempt=3))
    return sale


def _declined_and_asked(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS)
    sale.done(sale.confirmation(Tokens.AUTHENTICATE, attempt=2))
    return sale


def _authenticated(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.AUTHENTICATE)
    merchant.bank.authenticate(sale.reference)
    sale.catch_up()
    return sale


def _decided_later(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.PROCESSING)
    merchant.clock.advance(PROCESSING_TAKES + _SECOND)
    sale.catch_up()
    return sale


def _captured(merchant: Merchant) -> Sale:
    sale = merchant.sale().held()
    sale.done(sale.taking())
    return sale


def _captured_in_parts(merchant: Merchant) -> Sale:
    sale = merchant.sale().held()
    sale.done(sale.taking(1_000, final=False, reference="first"))
    sale.done(sale.taking(1_000, final=False, reference="second"))
    sale.done(sale.taking(1_500))
    return sale


def _captured_and_lost(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.CAPTURE_FAILS)
    merchant.clock.advance(BOUNCES_AFTER + _SECOND)
    sale.catch_up()
    return sale


def _canceled(merchant: Merchant) -> Sale:
    sale = merchant.sale().held()
    sale.done(sale.cancellation())
    return sale


def _lapsed(merchant: Merchant) -> Sale:
    sale = merchant.sale().held()
    merchant.clock.advance(HOLD_LIVES + _SECOND)
    sale.catch_up()
    return sale


def _refunded_in_equal_parts(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid()
    sale.done(sale.refunding(1_000, reference="return_1"))
    sale.done(sale.refunding(1_000, reference="return_2"))
    return sale


def _refund_came_back(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid(Tokens.REFUND_REVERSES)
    sale.done(sale.refunding(1_000))
    merchant.clock.advance(COMES_BACK_AFTER + _SECOND)
    sale.catch_up()
    return sale


def _disputed_to_and_fro(merchant: Merchant) -> Sale:
    sale = merchant.sale().paid()
    dispute = merchant.bank.dispute(sale.reference, sale.money(2_000), inquiry=True)
    merchant.bank.reopen(dispute)
    merchant.bank.submit_evidence(dispute)
    merchant.bank.win(dispute)
    merchant.bank.reopen(dispute)
    merchant.bank.lose(dispute)
    merchant.bank.win(dispute)
    sale.catch_up()
    return sale


#: None of them waits between its steps unless something has to become due: most happens within one
#: second, which is how exactly many providers tell the time.
STORIES: Final[Mapping[str, Story]] = {
    "paid": Story(tell=_paid),
    "declined twice and paid": Story(
        tell=_declined_and_paid, needs=frozenset({Capability.RECONFIRM})
    ),
    "declined and asked to authenticate": Story(
        tell=_declined_and_asked, needs=frozenset({Capability.RECONFIRM})
    ),
    "authenticated": Story(tell=_authenticated),
    "decided later": Story(tell=_decided_later),
    "captured": Story(tell=_captured, needs=_HELD),
    "captured in parts": Story(
        tell=_captured_in_parts,
        needs=_HELD | {Capability.MULTIPLE_CAPTURES, Capability.PARTIAL_CAPTURE},
    ),
    "captured and lost": Story(tell=_captured_and_lost),
    "canceled": Story(tell=_canceled, needs=_HELD | {Capability.CANCEL}),
    "lapsed": Story(tell=_lapsed, needs=_HELD),
    "refunded in equal parts": Story(tell=_refunded_in_equal_parts, needs=_RETURNED),
    "a refund came back": Story(tell=_refund_came_back, needs=_RETURNED),
    "disputed to and fro": Story(tell=_disputed_to_and_fro),
}
