"""
What providers really tell about one payment, from the first word to the last, and how it ends.

Each function tells one kind of history for a given amount, in the order in which it happened, with
the totals, the status and the events that have to come out of it. Those are written down here from
the amounts alone; nothing in this module applies a fact. Shuffle the statements, repeat them, tell
them through a store or a webhook: the end has to be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payport.domain.actions import Redirect
from payport.domain.declines import Decline, DeclineReason
from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.identifiers import Kind, derive_id
from payport.domain.money import Money
from payport.domain.payment_intent import Capture, CaptureMethod, PaymentIntent, PaymentStatus
from payport.domain.refund import Refund
from payport.domain.secrets import Sealed
from payport.testing._telling import START, History, Teller, new_payment

__all__ = [
    "START",
    "History",
    "authorization_ends",
    "debit_comes_back",
    "debit_fails",
    "declined_then_paid",
    "disputed",
    "equal_refunds",
    "new_payment",
    "paid_twice",
    "partial_captures",
    "refunds_that_fail",
    "running_total",
    "three_d_secure",
]

_PAID = ("capture_succeeded", "payment_succeeded")


def three_d_secure(
    amount: Money, *, start: datetime = START, gap: timedelta = timedelta(minutes=1)
) -> History:
    """The customer is sent to the bank, comes back, and the payment goes through."""
    tell = Teller(amount, start, gap)
    to_bank = Redirect(target=Sealed("https://bank.example/challenge"))
    tell.say(tell.attempt(AttemptStatus.REQUIRES_ACTION, next_action=to_bank))
    tell.say(tell.attempt(AttemptStatus.PROCESSING))
    tell.pay()
    events = ("payment_requires_action", *_PAID)
    return tell.ends("three_d_secure", PaymentStatus.SUCCEEDED, events, captured=amount.minor)


def declined_then_paid(
    amount: Money,
    reasons: Sequence[DeclineReason] = (DeclineReason.INSUFFICIENT_FUNDS, DeclineReason.GENERIC),
    *,
    start: datetime = START,
    gap: timedelta = timedelta(minutes=1),
) -> History:
    """Every try on one and the same object is declined, and the last one pays."""
    tell = Teller(amount, start, gap)
    for number, reason in enumerate(reasons, start=1):
        said_no = Decline.of(reason, raw=f"code_{number}")
        tell.say(tell.attempt(AttemptStatus.DECLINED, try_ref=f"try_{number}", decline=said_no))
    whole = tell.capture(CaptureStatus.SUCCEEDED, amount.minor)
    tell.say(tell.attempt(AttemptStatus.SUCCEEDED, try_ref=f"try_{len(reasons) + 1}"), whole)
    events = (*["payment_failed"] * len(reasons), *_PAID)
    return tell.ends("declined_then_paid", PaymentStatus.SUCCEEDED, events, captured=amount.minor)


def debit_fails(
    amount: Money, *, start: datetime = START, gap: timedelta = timedelta(days=5)
) -> History:
    """A bank debit that is under way for days, and then is refused."""
    tell = Teller(amount, start, gap)
    asked = tell.capture(CaptureStatus.PENDING, amount.minor)
    tell.say(tell.attempt(AttemptStatus.PROCESSING), asked)
    said_no = Decline.of(DeclineReason.INSUFFICIENT_FUNDS)
    failed = tell.capture(CaptureStatus.FAILED, amount.minor)
    tell.say(tell.attempt(AttemptStatus.DECLINED, decline=said_no), failed)
    events = ("payment_failed", "capture_failed")
    return tell.ends("debit_fails", PaymentStatus.REQUIRES_PAYMENT_METHOD, events)


def debit_comes_back(
    amount: Money, *, start: datetime = START, gap: timedelta = timedelta(days=5)
) -> History:
    """A bank debit that was taken, and days later is returned."""
    tell = Teller(amount, start, gap)
    asked = tell.capture(CaptureStatus.PENDING, amount.minor)
    tell.say(tell.attempt(AttemptStatus.PROCESSING), asked)
    tell.pay()
    tell.say(tell.capture(CaptureStatus.FAILED, amount.minor))
    events = (*_PAID, "capture_failed")
    return tell.ends("debit_comes_back", PaymentStatus.REQUIRES_PAYMENT_METHOD, events)


def _asked_captures(amount: Money, parts: Sequence[int]) -> PaymentIntent:
    asked = tuple(
        Capture(
            key=f"key_c{number}",
            reference=f"shipment_{number}",
            requested=Money(part, amount.currency),
        )
        for number, part in enumerate(parts, start=1)
    )
    return new_payment(amount, capture_method=CaptureMethod.MANUAL, captures=asked)


def partial_captures(
    amount: Money,
    parts: Sequence[int],
    *,
    start: datetime = START,
    gap: timedelta = timedelta(hours=1),
) -> History:
    """
    Held money is taken in parts, each first acknowledged and then decided; the rest is released.

    `parts` are the minor units of each capture, together at most the amount. Equal ones are normal.
    """
    tell = Teller(amount, start, gap)
    tell.say(tell.attempt(AttemptStatus.AUTHORIZED))
    for number, part in enumerate(parts, start=1):
        for status in (CaptureStatus.PENDING, CaptureStatus.SUCCEEDED):
            tell.say(tell.capture(status, part, f"cap_{number}", tag=f"key_c{number}"))
    tell.say(tell.attempt(AttemptStatus.SUCCEEDED))
    paid = ["payment_succeeded"] if sum(parts) == amount.minor else []
    return tell.ends(
        "partial_captures",
        PaymentStatus.SUCCEEDED,
        [*["capture_succeeded"] * len(parts), *paid],
        payment=_asked_captures(amount, parts),
        captured=sum(parts),
    )


def running_total(
    amount: Money,
    parts: Sequence[int],
    *,
    start: datetime = START,
    gap: timedelta = timedelta(hours=1),
) -> History:
    """As `partial_captures`, at a provider that tells one capture whose amount grows."""
    tell = Teller(amount, start, gap)
    tell.say(tell.attempt(AttemptStatus.AUTHORIZED))
    for number in range(1, len(parts) + 1):
        taken = sum(parts[:number])
        tell.say(tell.capture(CaptureStatus.SUCCEEDED, taken, "total", tag=f"key_c{number}"))
    tell.say(tell.attempt(AttemptStatus.SUCCEEDED))
    paid = ["payment_succeeded"] if sum(parts) == amount.minor else []
    return tell.ends(
        "running_total",
        PaymentStatus.SUCCEEDED,
        [*["capture_succeeded"] * len(parts), *paid],
        payment=_asked_captures(amount, parts),
        captured=sum(parts),
    )


def authorization_ends(
    amount: Money,
    taken: int = 0,
    *,
    expired: bool = False,
    start: datetime = START,
    gap: timedelta = timedelta(days=1),
) -> History:
    """
    Held money is released, by us or because it was held too long.

    `taken` minor units, fewer than the amount, were captured before.
    """
    tell = Teller(amount, start, gap)
    tell.say(tell.attempt(AttemptStatus.AUTHORIZED))
    if taken:
        tell.say(tell.capture(CaptureStatus.SUCCEEDED, taken))
    ended = AttemptStatus.EXPIRED if expired else AttemptStatus.CANCELED
    tell.say(tell.attempt(ended, authorized=amount))
    return tell.ends(
        "authorization_ends",
        PaymentStatus.SUCCEEDED if taken else PaymentStatus.CANCELED,
        [*["capture_succeeded"] * bool(taken), "payment_canceled"],
        payment=new_payment(amount, capture_method=CaptureMethod.MANUAL),
        captured=taken,
    )


def paid_twice(
    amount: Money, *, start: datetime = START, gap: timedelta = timedelta(minutes=1)
) -> History:
    """Two attempts for one order both take the money: the customer completed an old one too."""
    tell = Teller(amount, start, gap)
    tell.say(tell.attempt(AttemptStatus.REQUIRES_ACTION, number=1))
    for number in (2, 1):
        ref, yes = f"obj_{number}", CaptureStatus.SUCCEEDED
        whole = tell.capture(yes, amount.minor, f"cap_{number}", attempt_ref=ref)
        tell.say(tell.attempt(AttemptStatus.SUCCEEDED, ref, number=number), whole)
    events = ("payment_requires_action", *_PAID, "capture_succeeded", "duplicate_payment")
    return tell.ends("paid_twice", PaymentStatus.SUCCEEDED, events, captured=2 * amount.minor)


def _asked_refund(amount: Money, number: int, minor: int) -> Refund:
    payment_id = new_payment(amount).id
    reference = f"return_{number}"
    return Refund(
        id=derive_id(Kind.REFUND, payment_id, reference),
        reference=reference,
        payment_id=payment_id,
        key=f"key_r{number}",
        requested=Money(minor, amount.currency),
        created_at=START,
    )


def refunds_that_fail(
    amount: Money,
    minor: int,
    *,
    start: datetime = START,
    gap: timedelta = timedelta(days=1),
) -> History:
    """
    One refund of ours fails, one of ours succeeds and comes back, and one from a dashboard stays.

    Each is of `minor` minor units; three times that is at most the amount.
    """
    tell = Teller(amount, start, gap)
    tell.pay()
    tell.say(tell.refund(RefundStatus.PENDING, minor, "ref_1", "key_r1"))
    tell.say(tell.refund(RefundStatus.FAILED, minor, "ref_1", "key_r1"))
    tell.say(tell.refund(RefundStatus.SUCCEEDED, minor, "ref_2", "key_r2"))
    tell.say(tell.refund(RefundStatus.FAILED, minor, "ref_2"))
    tell.say(tell.refund(RefundStatus.SUCCEEDED, minor, "ref_3"))
    ours = tuple(_asked_refund(amount, number, minor) for number in (1, 2))
    changed = ("refund_failed", "refund_succeeded", "refund_reversed", "refund_succeeded")
    return tell.ends(
        "refunds_that_fail",
        PaymentStatus.SUCCEEDED,
        (*_PAID, *changed),
        payment=new_payment(amount, refunds=ours),
        captured=amount.minor,
        refunded=minor,
    )


def equal_refunds(
    amount: Money,
    minor: int,
    count: int,
    *,
    start: datetime = START,
    gap: timedelta = timedelta(0),
) -> History:
    """
    Several refunds of the same amount, as for several equal articles: all of them count.

    Each is of `minor` minor units; `count` times that is at most the amount.
    """
    tell = Teller(amount, start, gap)
    tell.pay()
    for number in range(1, count + 1):
        tell.say(tell.refund(RefundStatus.SUCCEEDED, minor, f"ref_{number}", f"key_r{number}"))
    ours = tuple(_asked_refund(amount, number, minor) for number in range(1, count + 1))
    return tell.ends(
        "equal_refunds",
        PaymentStatus.SUCCEEDED,
        (*_PAID, *["refund_succeeded"] * count),
        payment=new_payment(amount, refunds=ours),
        captured=amount.minor,
        refunded=minor * count,
    )


def disputed(
    amount: Money,
    minor: int,
    *,
    won: bool = False,
    start: datetime = START,
    gap: timedelta = timedelta(days=7),
) -> History:
    """
    The bank asks, takes the money back, returns it, and reopens the dispute that was won.

    It takes `minor` minor units, at most the amount; `won` is how it ends.
    """
    tell = Teller(amount, start, gap)
    tell.pay()
    end = DisputeStatus.WON if won else DisputeStatus.LOST
    told = (DisputeStatus.INQUIRY, DisputeStatus.OPEN, DisputeStatus.UNDER_REVIEW)
    for status in (*told, DisputeStatus.WON, DisputeStatus.OPEN, end):
        tell.say(tell.dispute(status, minor))
    changed = ("dispute_opened", "dispute_opened", "dispute_closed")
    return tell.ends(
        "disputed",
        PaymentStatus.SUCCEEDED,
        (*_PAID, *changed, "dispute_opened", "dispute_closed"),
        captured=amount.minor,
        disputed=0 if won else minor,
    )
