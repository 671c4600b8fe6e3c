"""
From a webhook's item to facts: a table of event codes, and a function for each group of them.

An event that is in no table says nothing about money that payport has a word for: it is kept, and
told as `UnmappedEvent`. So is one that reports that something was not done, where nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.providers.adyen.declines import decline_from, is_error
from payport.providers.adyen.disputes import DISPUTES, disputed
from payport.providers.adyen.facts import authorized_facts
from payport.providers.adyen.items import Item, about, amount_of
from payport.providers.adyen.objects import object_in, word
from payport.providers.adyen.spec import EXPONENTS
from payport.providers.amounts import money_of

__all__ = ["BY_NAME", "EVENTS", "facts_of"]

_A = AttemptStatus


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
    refused = _attempt(item, item.psp, status, Money(0, amount_of(item).currency))
    return about(item, attempts=(refused,))


def _authorized(item: Item) -> Money:
    """
    What was authorised: less than the amount where the issuer approved a part.

    The part is said outside of what is signed, so it is believed only where it is one: money of the
    same currency, and less than what is signed.
    """
    signed = amount_of(item)
    more = object_in(item.document, "additionalData")
    value, currency = word(more.get("authorisedAmountValue")), more.get("authorisedAmountCurrency")
    if value is None or not value.isdecimal() or currency != signed.currency:
        return signed
    part = money_of(int(value), signed.currency, EXPONENTS)
    return part if 0 < part.minor < signed.minor else signed


def _adjusted(item: Item) -> Facts | None:
    if not item.success:
        return None
    return about(item, attempts=(_attempt(item, item.payment, _A.AUTHORIZED, amount_of(item)),))


def _ended(status: AttemptStatus) -> _Translation:
    def translate(item: Item) -> Facts | None:
        if not item.success:
            return None
        attempt = _attempt(item, item.payment, status, amount_of(item))
        return about(item, attempts=(attempt,), captures=_undone(item))

    return translate


def _undone(item: Item) -> tuple[CaptureFact, ...]:
    """
    What a cancellation undoes of a payment that is captured by itself, which was taken for captured
    as it was authorised: there is no such capture any more.
    """
    if item.reference is None or not item.reference.is_automatic:
        return ()
    capture = CaptureFact(
        ref=item.payment,
        attempt_ref=item.payment,
        status=CaptureStatus.FAILED,
        amount=amount_of(item),
        at=item.at,
        raw=Sealed(item.document),
    )
    return (capture,)


def _reversed(item: Item) -> Facts | None:
    """A reversal was a cancellation, or a refund of what was captured already."""
    done = object_in(item.document, "additionalData").get("modification.action")
    if not item.success or done not in {"cancel", "refund"}:
        return None
    if done == "cancel":
        return _ended(_A.CANCELED)(item)
    return about(item, refunds=(_refund(item, RefundStatus.SUCCEEDED),))


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
            amount=amount_of(item),
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
        return about(item, attempts=attempts, captures=(capture,))

    return translate


def _refunded(fixed: RefundStatus | None = None) -> _Translation:
    def translate(item: Item) -> Facts | None:
        if fixed is not None and not item.success:
            return None
        status = fixed or (RefundStatus.SUCCEEDED if item.success else RefundStatus.FAILED)
        return about(item, refunds=(_refund(item, status),))

    return translate


def _refund(item: Item, status: RefundStatus) -> RefundFact:
    failed = status is RefundStatus.FAILED
    return RefundFact(
        ref=item.psp,
        attempt_ref=item.payment,
        status=status,
        amount=amount_of(item),
        at=item.at,
        tag=item.own_tag,
        failure_code=word(item.document.get("reason")) if failed else None,
        raw=Sealed(item.document),
    )


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
        **dict.fromkeys(DISPUTES, disputed),
    }
)
#: Events whose own id is not the payment's: what was never authorised has the offer's, a dispute
#: its own.
BY_NAME: Final = frozenset({"OFFER_CLOSED", *DISPUTES})
