"""Disputes in Adyen's words: the stages they go through, and how they stand at each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from payport.domain.facts import DisputeFact, DisputeStatus, Facts
from payport.domain.secrets import Sealed
from payport.providers.adyen.items import Item, about, amount_of
from payport.providers.adyen.objects import UNREADABLE, moment_from, object_in, word

__all__ = ["DISPUTES", "DISPUTE_STATUSES", "disputed"]

_D = DisputeStatus

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


def disputed(item: Item) -> Facts | None:
    """What an item says of a dispute. Raises one of UNREADABLE."""
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
        amount=amount_of(item),
        at=item.at,
        rank=_STAGES[item.code],
        reason_code=(word(code) or "").strip() or word(item.document.get("reason")),
        respond_by=_maybe_moment(due),
        raw=Sealed(item.document),
    )
    return about(item, disputes=(dispute,))


def _maybe_moment(told: object) -> datetime | None:
    try:
        return moment_from(told)
    except UNREADABLE:
        return None
