"""
From a webhook's item to facts: a table of event codes, and a function for each group of them.

An event that is in no table says nothing about money that payport has a word for: it is kept, and
told as `UnmappedEvent`. So is one that reports that something was not done, where nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.providers.adyen.declines import decline_from, is_error
from payport.providers.adyen.facts import authorized_facts
from payport.providers.adyen.objects import UNREADABLE, Document, moment_from, object_in, word
from payport.providers.adyen.references import Reference
from payport.providers.adyen.spec import API_VERSION, EXPONENTS, money_from
from payport.providers.amounts import money_of

__all__ = ["DISPUTES", "DISPUTE_STATUSES", "EVENTS", "Item", "facts_of"]

_A, _D = AttemptStatus, DisputeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One item of a webhook, as far as all have it.

    Attributes:
        psp: Adyen's id of what happened: the payment's own, or a modification's or dispute's.
        original: Adyen's id of the payment that a modification or dispute is of.
        reference: Our reference, where it is one.
        document: The whole item.
    """

    code: str
    success: bool
    psp: str
    original: str | None
    reference: Reference | None
    account: str
    at: datetime
    document: Document

    @property
    def payment(self) -> str:
        """Adyen's id of the payment, or what we called it where the item does not tell that."""
        by_name = self.reference.text if self.reference and self.reference.is_payment else self.psp
        if self.code in _BY_NAME and not self.original:
            return by_name
        return self.original or self.psp

    @property
    def own_tag(self) -> str | None:
        """Our key, where what happened was asked for under it."""
        made = self.reference is not None and not self.reference.is_payment
        return self.reference.key if self.reference is not None and made else None

    @property
    def payment_tag(self) -> str | None:
        """Our key of the payment, where the item tells it."""
        named = self.reference is not None and self.reference.is_payment
        return self.reference.key if self.reference is not None and named else None


_Translation: TypeAlias = Callable[[Item], Facts | None]


def facts_of(item: Item) -> Facts | None:
    """
    What an item says of money; None where payport has no word for it.

    Raises:
        One of UNREADABLE: It lacks what it must have.
    """
    translate = EVENTS.get(item.code)
    return translate(item) if translate is not None else None


# -- payments -------------------------------------------------------------------------------------


def _authorisation(item: Item) -> Facts | None:
    reference = item.reference
    if reference is None or not reference.is_payment:
        # Made by somebody else: nobody can tell whether it is captured by itself.
        return None
    if item.success:
        return authorized_facts(item.psp, reference, _authorized(item), item.at, item.document)
    if reference.is_session:
        # A try; the customer can try again in the same session.
        return None
    status = _A.FAILED if is_error(item.document, reason="reason") else _A.DECLINED
    refused = _attempt(item, item.psp, status, Money(0, _amount(item).currency))
    return _about(item, attempts=(refused,))


def _authorized(item: Item) -> Money:
    """What was authorised: less than the amount where the issuer approved a part."""
    more = object_in(item.document, "additionalData")
    value = word(more.get("authorisedAmountValue"))
    if value is None or not value.isdecimal():
        return _amount(item)
    return money_of(int(value), more["authorisedAmountCurrency"], EXPONENTS)


def _adjusted(item: Item) -> Facts | None:
    if not item.success:
        return None
    return _about(item, attempts=(_attempt(item, item.payment, _A.AUTHORIZED, _amount(item)),))


def _ended(status: AttemptStatus) -> _Translation:
    def translate(item: Item) -> Facts | None:
        if not item.success:
            return None
        return _about(item, attempts=(_attempt(item, item.payment, status, _amount(item)),))

    return translate


def _reversed(item: Item) -> Facts | None:
    """A reversal was a cancellation, or a refund of what was captured already."""
    done = object_in(item.document, "additionalData").get("modification.action")
    if not item.success or done not in {"cancel", "refund"}:
        return None
    if done == "cancel":
        return _ended(_A.CANCELED)(item)
    return _about(item, refunds=(_refund(item, RefundStatus.SUCCEEDED),))


_REFUSED: Final = frozenset({_A.DECLINED, _A.FAILED})


def _attempt(item: Item, ref: str, status: AttemptStatus, held: Money) -> AttemptFact:
    reference = item.reference if item.payment_tag is not None else None
    named = reference.text if reference is not None else None
    return AttemptFact(
        ref=ref,
        status=status,
        authorized=held,
        at=item.at,
        number=reference.attempt if reference is not None else None,
        replaces=named if named != ref else None,
        decline=decline_from(item.document, reason="reason") if status in _REFUSED else None,
        raw=Sealed(item.document),
    )


# -- captures and refunds -------------------------------------------------------------------------


def _capture(failed: CaptureStatus | None = None) -> _Translation:
    def translate(item: Item) -> Facts | None:
        if failed is not None and not item.success:
            return None
        status = failed or (CaptureStatus.SUCCEEDED if item.success else CaptureStatus.FAILED)
        reference = item.reference
        # An automatic capture is the payment's own, and goes by its id.
        own = reference is not None and reference.is_payment and reference.is_automatic
        capture = CaptureFact(
            ref=item.payment if own else item.psp,
            attempt_ref=item.payment,
            status=status,
            amount=_amount(item),
            at=item.at,
            tag=item.own_tag,
            raw=Sealed(item.document),
        )
        attempts: tuple[AttemptFact, ...] = ()
        if reference is not None and reference.authorized is not None:
            held = Money(reference.authorized, capture.amount.currency)
            if status is CaptureStatus.SUCCEEDED:
                # It was the last one: Adyen releases what it left.
                attempts = (_attempt(item, item.payment, _A.SUCCEEDED, held),)
        return _about(item, attempts=attempts, captures=(capture,))

    return translate


def _refunded(fixed: RefundStatus | None = None) -> _Translation:
    def translate(item: Item) -> Facts | None:
        if fixed is not None and not item.success:
            return None
        status = fixed or (RefundStatus.SUCCEEDED if item.success else RefundStatus.FAILED)
        return _about(item, refunds=(_refund(item, status),))

    return translate


def _refund(item: Item, status: RefundStatus) -> RefundFact:
    failed = status is RefundStatus.FAILED
    return RefundFact(
        ref=item.psp,
        attempt_ref=item.payment,
        status=status,
        amount=_amount(item),
        at=item.at,
        tag=item.own_tag,
        failure_code=word(item.document.get("reason")) if failed else None,
        raw=Sealed(item.document),
    )


# -- disputes -------------------------------------------------------------------------------------

#: Event codes of disputes in the order of their stages, which ranks those of one second.
#: https://docs.adyen.com/risk-management/disputes-api/dispute-notifications
DISPUTES: Final[Mapping[str, DisputeStatus]] = MappingProxyType(
    {
        # No money moves yet.
        "REQUEST_FOR_INFORMATION": _D.INQUIRY,
        "NOTIFICATION_OF_CHARGEBACK": _D.INQUIRY,
        "CHARGEBACK": _D.OPEN,
        "INFORMATION_SUPPLIED": _D.UNDER_REVIEW,
        "DISPUTE_DEFENSE_PERIOD_ENDED": _D.LOST,
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": _D.WON,
        "CHARGEBACK_REVERSED": _D.WON,
        # The defence was declined, and the money is gone again.
        "SECOND_CHARGEBACK": _D.LOST,
        "PREARBITRATION_OPEN": _D.UNDER_REVIEW,
        "PREARBITRATION_DECLINED": _D.UNDER_REVIEW,
        "PREARBITRATION_ACCEPTED": _D.LOST,
        "PREARBITRATION_LOST": _D.LOST,
        "PREARBITRATION_ISSUER_WITHDRAWN": _D.WON,
        "PREARBITRATION_WON": _D.WON,
        "SCHEME_ARBITRATION": _D.UNDER_REVIEW,
        "SCHEME_ARBITRATION_LOST": _D.LOST,
        "SCHEME_ARBITRATION_WON": _D.WON,
    }
)
#: `disputeStatus`, by which some events say how a dispute stands. The first three are of requests
#: for information.
DISPUTE_STATUSES: Final[Mapping[str, DisputeStatus]] = MappingProxyType(
    {
        "Unresponded": _D.INQUIRY,
        "Responded": _D.INQUIRY,
        "Expired": _D.INQUIRY_CLOSED,
        "Undefended": _D.OPEN,
        "Pending": _D.UNDER_REVIEW,
        "Accepted": _D.LOST,
        "Lost": _D.LOST,
        "Won": _D.WON,
    }
)
#: Events that say by `disputeStatus` how it stands. A reversed chargeback is "Pending" as well, and
#: the money came back with it.
_DECIDED_BY_STATUS: Final = frozenset(
    {
        *("CHARGEBACK", "INFORMATION_SUPPLIED"),
        *("DISPUTE_DEFENSE_PERIOD_ENDED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"),
    }
)
_STAGES: Final = {code: rank for rank, code in enumerate(DISPUTES)}


def _disputed(item: Item) -> Facts | None:
    if not item.success:
        return None
    more = object_in(item.document, "additionalData")
    status = DISPUTES[item.code]
    if item.code in _DECIDED_BY_STATUS:
        status = DISPUTE_STATUSES.get(word(more.get("disputeStatus")) or "", status)
    due = more.get("defensePeriodEndsAt")
    code = more.get("chargebackReasonCode") or more.get("rfiReasonCode")
    dispute = DisputeFact(
        ref=item.psp,
        attempt_ref=item.payment,
        status=status,
        amount=_amount(item),
        at=item.at,
        rank=_STAGES[item.code],
        reason_code=(word(code) or "").strip() or word(item.document.get("reason")),
        respond_by=_maybe_moment(due),
        raw=Sealed(item.document),
    )
    return _about(item, disputes=(dispute,))


def _maybe_moment(told: object) -> datetime | None:
    try:
        return moment_from(told)
    except UNREADABLE:
        return None


# -- all of them ----------------------------------------------------------------------------------

#: What each event code means here. https://docs.adyen.com/development-resources/webhooks/webhook-types
EVENTS: Final[Mapping[str, _Translation]] = MappingProxyType(
    {
        "AUTHORISATION": _authorisation,
        "AUTHORISATION_ADJUSTMENT": _adjusted,
        "CANCELLATION": _ended(_A.CANCELED),
        "TECHNICAL_CANCEL": _ended(_A.CANCELED),
        "CANCEL_OR_REFUND": _reversed,
        "EXPIRE": _ended(_A.EXPIRED),
        "OFFER_CLOSED": _ended(_A.EXPIRED),
        "CAPTURE": _capture(),
        "CAPTURE_FAILED": _capture(CaptureStatus.FAILED),
        "REFUND": _refunded(),
        "REFUND_WITH_DATA": _refunded(),
        "REFUND_FAILED": _refunded(RefundStatus.FAILED),
        "REFUNDED_REVERSED": _refunded(RefundStatus.FAILED),
        "POSTPONED_REFUND": _refunded(RefundStatus.PENDING),
        **dict.fromkeys(DISPUTES, _disputed),
    }
)
#: Events of what was never authorised, which goes by our name: the id in them is the offer's. And
#: of disputes, which name the payment only where they name an original.
_BY_NAME: Final = frozenset({"OFFER_CLOSED", *DISPUTES})


def _amount(item: Item) -> Money:
    return money_from(item.document["amount"])


def _about(item: Item, **told: Any) -> Facts:
    return Facts(attempt_ref=item.payment, tag=item.payment_tag, api_version=API_VERSION, **told)
