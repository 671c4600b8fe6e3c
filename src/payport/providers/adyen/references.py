"""
References: what payport calls a payment or a modification at Adyen, in the field `reference`.

A reference is the operation's idempotency key, a dot, and a mark. So it is the same in every
process, no two operations share one, and whatever Adyen tells of it later carries our tag. The mark
says what no webhook does: whether the payment is captured by itself, and what a capture leaves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from payport.domain.payment_intent import CaptureMethod

__all__ = ["LONGEST", "Reference", "of_cancel", "of_capture", "of_payment", "of_refund"]

#: https://docs.adyen.com/api-explorer/Checkout/72/post/payments
LONGEST: Final = 80

_REFERENCE: Final = re.compile(
    r"(?P<key>[A-Za-z0-9_-]{1,64})\."
    r"(?:(?P<mode>[am])(?P<session>s?)(?P<attempt>[1-9][0-9]{0,5})|f(?P<authorized>[0-9]{1,12})|x(?P<undone>a?)|[cr])"
)
_MODES: Final = {CaptureMethod.AUTOMATIC: "a", CaptureMethod.MANUAL: "m"}


def of_payment(key: str, attempt: int, method: CaptureMethod, *, session: bool = False) -> str:
    """The reference of a payment."""
    return f"{key}.{_MODES[method]}{'s' if session else ''}{attempt}"


def of_capture(key: str, authorized: int | None) -> str:
    """
    The reference of a capture.

    Args:
        authorized: All that was authorised, in minor units, where the capture is the last one.
    """
    return f"{key}.c" if authorized is None else f"{key}.f{authorized}"


def of_cancel(key: str, *, automatic: bool = False) -> str:
    """The reference of a cancellation; of a payment that is captured by itself, if it is one."""
    return f"{key}.xa" if automatic else f"{key}.x"


def of_refund(key: str) -> str:
    """The reference of a refund."""
    return f"{key}.r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """
    A reference that payport made, read again.

    Attributes:
        text: All of it.
        key: The operation's idempotency key.
        attempt: The number of the attempt, of a payment.
        is_automatic: Whether the payment is captured by itself; of a cancellation, whether that is
            known of the payment.
        is_session: Whether the payment is a session, in which a customer may try several times.
        authorized: Of a last capture: all that was authorised, in minor units.
    """

    text: str
    key: str
    attempt: int | None
    is_automatic: bool
    is_session: bool
    authorized: int | None

    @property
    def is_payment(self) -> bool:
        """Whether it names a payment rather than a modification."""
        return self.attempt is not None

    @classmethod
    def read(cls, text: object) -> Reference | None:
        """The reference, or None where payport made no such."""
        found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        attempt, authorized = found["attempt"], found["authorized"]
        return cls(
            text=found[0],
            key=found["key"],
            attempt=int(attempt) if attempt is not None else None,
            is_automatic="a" in (found["mode"], found["undone"]),
            is_session=found["session"] == "s",
            authorized=int(authorized) if authorized is not None else None,
        )
