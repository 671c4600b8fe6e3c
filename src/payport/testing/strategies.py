"""
Hypothesis strategies for payments: `from payport.testing import strategies`.

They make what payport accepts, and what a provider may tell: values for references, scopes,
metadata and money, facts about one payment, whole histories of one, and payments in any state that
facts can lead to. Nothing here is made to be refused. This is the one module that needs hypothesis;
import it where hypothesis is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from payport.domain._currencies import EXPONENTS
from payport.domain.apply import apply
from payport.domain.declines import Decline, DeclineReason
from payport.domain.errors import InvalidRequest
from payport.domain.events import PayoutEvent
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
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import MAX_REFERENCE, MAX_SCOPE, Environment, check_reference
from payport.domain.money import Money
from payport.domain.payment_intent import Capture, CaptureMethod, PaymentIntent
from payport.domain.payout import PayoutFact, PayoutStatus
from payport.domain.payout_events import events_of_payout, payout_id
from payport.domain.sensitive import refuse_sensitive
from payport.testing import histories as tell
from payport.testing.histories import History

__all__ = [
    "History",
    "currencies",
    "declines",
    "facts",
    "histories",
    "metadata",
    "moments",
    "money",
    "payment_intents",
    "payout_facts",
    "payouts",
    "references",
    "scopes",
]

#: The largest amount drawn unless told otherwise: what payport lets providers take at once.
MOST = 999_999_999_999

_PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="/\\?#%")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def currencies() -> SearchStrategy[str]:
    """ISO 4217 codes that money can be in, of every exponent."""
    return st.sampled_from(sorted(EXPONENTS))


@st.composite
def money(
    draw: DrawFn, currency: str | None = None, *, at_least: int = 1, at_most: int = MOST
) -> Money:
    """Amounts that can be asked for, in minor units from `at_least` to `at_most`."""
    minor = draw(st.integers(at_least, at_most))
    return Money(minor, currency or draw(currencies()))


def references() -> SearchStrategy[str]:
    """References that payport accepts; none looks like a card number."""
    texts = st.text(_PRINTABLE, min_size=1, max_size=MAX_REFERENCE)
    return texts.map(lambda text: text.strip(" ")).filter(_is_reference)


def scopes() -> SearchStrategy[str]:
    """Scopes that payport accepts."""
    return references().filter(lambda text: len(text) <= MAX_SCOPE)


def metadata(*, at_most: int = 5) -> SearchStrategy[FrozenMapping]:
    """
    Metadata that payport and every provider accept, without anything that looks sensitive.

    Args:
        at_most: The largest number of entries.
    """
    keys = st.from_regex(r"[a-z][a-z0-9_]{0,38}[a-z0-9]", fullmatch=True)
    values = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=100)
    kept = st.dictionaries(keys, values, max_size=at_most).filter(_is_harmless)
    return kept.map(FrozenMapping)


def moments() -> SearchStrategy[datetime]:
    """Moments in whole seconds, in UTC, from 2020 on: providers tell no finer ones."""
    return st.integers(0, 10 * 365 * 86_400).map(lambda s: _LONG_AGO + timedelta(seconds=s))


def declines() -> SearchStrategy[Decline]:
    """Declines for every reason."""
    return st.sampled_from(DeclineReason).map(lambda reason: Decline.of(reason, raw="a_code"))


@st.composite
def facts(draw: DrawFn, currency: str = "USD", *, at_most: int = 3) -> Facts:
    """
    Statements about one payment, as contradictory as you like.

    Few refs, moments and amounts are used, so that statements meet: the same capture succeeds and
    fails, at one moment or at two, with or without our tag. A tag is always on the same object, as
    it is at a provider; one capture may be told with several, as a running total is. There are
    `at_most` statements of each kind.
    """
    about_attempts = st.lists(_attempt_facts(currency), max_size=at_most)
    about_captures = st.lists(_capture_facts(currency), max_size=at_most)
    about_refunds = st.lists(_refund_facts(currency), max_size=at_most)
    about_disputes = st.lists(_dispute_facts(currency), max_size=at_most)
    return Facts(
        attempt_ref=draw(st.none() | _refs("obj")),
        attempts=tuple(draw(about_attempts)),
        captures=tuple(draw(about_captures)),
        refunds=tuple(draw(about_refunds)),
        disputes=tuple(draw(about_disputes)),
        api_version=draw(st.none() | st.just("2026-01-01")),
    )


@st.composite
def payout_facts(draw: DrawFn, currency: str = "USD", *, ref: str | None = None) -> PayoutFact:
    """Statements about one of a few payouts, or about that one, in any state."""
    status = draw(st.sampled_from(PayoutStatus))
    at = draw(_soon)
    return PayoutFact(
        ref=ref or draw(_refs("po")),
        status=status,
        amount=Money(draw(_parts), currency),
        at=at,
        arrives_on=draw(st.none() | st.just(at.date())),
        failure_code="account_closed" if status is PayoutStatus.FAILED else None,
        is_reconciled=draw(st.booleans()),
    )


@st.composite
def payouts(draw: DrawFn, currency: str = "USD") -> list[PayoutEvent]:
    """
    What handlers are told of one payout of provider `fake`, in the order in which they are.

    It is told in whatever order it was learned, so some of it may be missing, and the last event
    that is no `PayoutReconciled` says where the payout ends.
    """
    known_as = payout_id("fake", Environment.TEST, "acct_fake", "po_0")
    common: dict[str, Any] = {
        "payout_id": known_as,
        "scope": "shop",
        "environment": Environment.TEST,
        "provider": "fake",
        "account": "acct_fake",
        "api_version": "2026-01-01",
    }
    told: list[PayoutEvent] = []
    for fact in draw(st.lists(payout_facts(currency, ref="po_0"), min_size=1, max_size=6)):
        told += events_of_payout(fact, told, common)
    return told


@st.composite
def histories(draw: DrawFn, *kinds: str, currency: str | None = None) -> History:
    """
    Realistic histories of one payment, of any amount and pace.

    `kinds` are names of functions of `payport.testing.histories`; all of them by default.
    """
    kind = draw(st.sampled_from(sorted(kinds or _TELLERS)))
    # Shared three ways at least, so never fewer units than that.
    amount = draw(money(currency, at_least=6))
    start = draw(moments())
    gap = timedelta(seconds=draw(st.integers(1, 10 * 86_400)))
    return _TELLERS[kind](draw, amount, start, gap)


@st.composite
def payment_intents(draw: DrawFn, currency: str = "USD") -> PaymentIntent:
    """
    Payments in any state that facts and operations can lead to: new ones, ones with a single
    statement, ones amid a history, and ones with whatever was said of them.
    """
    payment, told = draw(_beginnings(currency))
    payment = replace(
        payment,
        description=draw(st.none() | st.just("Two pairs of socks")),
        metadata=draw(metadata(at_most=2)),
        in_flight=draw(_rarely("key_f")),
        unresolved=draw(_rarely("key_u")),
    )
    for said in told:
        payment = apply(payment, said).intent
    return payment


def _rarely(key: str) -> SearchStrategy[tuple[str, ...]]:
    nothing: tuple[str, ...] = ()
    return st.sampled_from([*[nothing] * 7, (key,)])


@st.composite
def _beginnings(draw: DrawFn, currency: str) -> tuple[PaymentIntent, Sequence[Facts]]:
    """A payment that nothing was told about, and what is told about it."""
    amid = draw(st.sampled_from(["a history", "a single statement", "whatever is said"]))
    if amid == "a history":
        story = draw(histories(currency=currency))
        return story.payment, story.told[: draw(st.integers(0, len(story.told)))]
    payment = tell.new_payment(
        draw(money(currency, at_most=10_000)),
        reference=draw(references()),
        capture_method=draw(st.sampled_from(CaptureMethod)),
        has_payment_method=draw(st.booleans()),
    )
    if amid == "a single statement":
        return payment, [Facts(attempts=(draw(_attempt_facts(currency)),))]
    payment = replace(payment, captures=tuple(draw(_asked_captures(currency))))
    return payment, draw(st.lists(facts(currency, at_most=2), max_size=3))


@st.composite
def _asked_captures(draw: DrawFn, currency: str) -> list[Capture]:
    """Captures of ours that nothing was told about; some share what will be a running total."""
    tags = draw(st.sets(st.sampled_from(["a_of_cap_0", "b_of_cap_0", "a_of_cap_1"])))
    return [
        Capture(
            key=f"tag_{tag}",
            reference=draw(st.sampled_from([f"part_{tag}", None])),
            requested=Money(draw(_parts), currency),
        )
        for tag in sorted(tags)
    ]


# -- facts ------------------------------------------------------------------------------------

_parts = st.integers(1, 12_000)
_soon = st.integers(0, 3).map(lambda s: _LONG_AGO + timedelta(seconds=s))
_ranks = st.integers(0, 1)


def _refs(kind: str) -> SearchStrategy[str]:
    return st.sampled_from([f"{kind}_{number}" for number in range(3)])


@st.composite
def _attempt_facts(draw: DrawFn, currency: str) -> AttemptFact:
    status = draw(st.sampled_from(AttemptStatus))
    said_no = status in {AttemptStatus.DECLINED, AttemptStatus.FAILED}
    return AttemptFact(
        ref=draw(_refs("obj")),
        status=status,
        authorized=Money(draw(st.just(0) | _parts), currency),
        at=draw(_soon),
        rank=draw(_ranks),
        number=draw(st.none() | st.integers(1, 3)),
        try_ref=draw(st.sampled_from(["", "try_1", "try_2"])),
        decline=draw(declines()) if said_no else None,
    )


@st.composite
def _capture_facts(draw: DrawFn, currency: str) -> CaptureFact:
    ref = draw(_refs("cap"))
    return CaptureFact(
        ref=ref,
        attempt_ref=draw(_refs("obj")),
        status=draw(st.sampled_from(CaptureStatus)),
        amount=Money(draw(_parts), currency),
        at=draw(_soon),
        rank=draw(_ranks),
        tag=draw(st.sampled_from([None, f"tag_a_of_{ref}", f"tag_b_of_{ref}"])),
    )


@st.composite
def _refund_facts(draw: DrawFn, currency: str) -> RefundFact:
    ref = draw(_refs("ref"))
    return RefundFact(
        ref=ref,
        attempt_ref=draw(_refs("obj")),
        status=draw(st.sampled_from(RefundStatus)),
        amount=Money(draw(_parts), currency),
        at=draw(_soon),
        rank=draw(_ranks),
        tag=draw(st.sampled_from([None, f"tag_of_{ref}"])),
        failure_code=draw(st.sampled_from([None, "account_closed"])),
    )


@st.composite
def _dispute_facts(draw: DrawFn, currency: str) -> DisputeFact:
    return DisputeFact(
        ref=draw(_refs("dsp")),
        attempt_ref=draw(_refs("obj")),
        status=draw(st.sampled_from(DisputeStatus)),
        amount=Money(draw(_parts), draw(st.sampled_from([currency, "JPY"]))),
        at=draw(_soon),
        rank=draw(_ranks),
    )


# -- histories --------------------------------------------------------------------------------

_Teller: TypeAlias = Callable[[DrawFn, Money, datetime, timedelta], History]


def _shares(draw: DrawFn, amount: Money) -> list[int]:
    """Parts of an amount, equal ones among them, that make up all of it or less."""
    count = draw(st.integers(1, 4))
    part = draw(st.integers(1, max(1, amount.minor // count)))
    parts = [part] * count if part * count <= amount.minor else [amount.minor]
    rest = amount.minor - sum(parts)
    return [*parts, rest] if rest and draw(st.booleans()) else parts


def _told_refunds(draw: DrawFn, amount: Money, start: datetime, gap: timedelta) -> History:
    minor = draw(st.integers(1, amount.minor // 3))
    return tell.refunds_that_fail(amount, minor, start=start, gap=gap)


def _told_equal_refunds(draw: DrawFn, amount: Money, start: datetime, gap: timedelta) -> History:
    count = draw(st.integers(2, 5))
    minor = draw(st.integers(1, amount.minor // count))
    # Asked for together, they may well be told for one and the same second.
    pace = draw(st.sampled_from([timedelta(0), gap]))
    return tell.equal_refunds(amount, minor, count, start=start, gap=pace)


def _told_disputed(draw: DrawFn, amount: Money, start: datetime, gap: timedelta) -> History:
    minor = draw(st.integers(1, amount.minor))
    return tell.disputed(amount, minor, won=draw(st.booleans()), start=start, gap=gap)


def _told_authorization_ends(
    draw: DrawFn, amount: Money, start: datetime, gap: timedelta
) -> History:
    taken = draw(st.integers(0, amount.minor - 1))
    expired = draw(st.booleans())
    return tell.authorization_ends(amount, taken, expired=expired, start=start, gap=gap)


def _told_declined_then_paid(
    draw: DrawFn, amount: Money, start: datetime, gap: timedelta
) -> History:
    reasons = draw(st.lists(st.sampled_from(DeclineReason), min_size=1, max_size=4))
    return tell.declined_then_paid(amount, reasons, start=start, gap=gap)


_TELLERS: dict[str, _Teller] = {
    "authorization_ends": _told_authorization_ends,
    "debit_comes_back": lambda _, amount, start, gap: tell.debit_comes_back(
        amount, start=start, gap=gap
    ),
    "debit_fails": lambda _, amount, start, gap: tell.debit_fails(amount, start=start, gap=gap),
    "declined_then_paid": _told_declined_then_paid,
    "disputed": _told_disputed,
    "equal_refunds": _told_equal_refunds,
    "paid_twice": lambda _, amount, start, gap: tell.paid_twice(amount, start=start, gap=gap),
    "partial_captures": lambda draw, amount, start, gap: tell.partial_captures(
        amount, _shares(draw, amount), start=start, gap=gap
    ),
    "refunds_that_fail": _told_refunds,
    "running_total": lambda draw, amount, start, gap: tell.running_total(
        amount, _shares(draw, amount), start=start, gap=gap
    ),
    "three_d_secure": lambda _, amount, start, gap: tell.three_d_secure(
        amount, start=start, gap=gap
    ),
}


# -- values -----------------------------------------------------------------------------------


def _is_harmless(value: object) -> bool:
    try:
        refuse_sensitive(value, operation=None, field="value")
    except InvalidRequest:
        return False
    return True


def _is_reference(text: str) -> bool:
    try:
        check_reference(text, operation="strategies")
    except InvalidRequest:
        return False
    return _is_harmless(text)
