"""Payments of any content, reachable or not: a store has no opinion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from payport.domain._currencies import EXPONENTS
from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import Decline, DeclineAdvice, DeclineReason, DeclineSource
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    RefundFact,
    RefundStatus,
)
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.payment_intent import Capture, CaptureMethod, PaymentIntent
from payport.domain.refund import Refund, RefundReason
from payport.domain.secrets import Sealed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    datetime(1970, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9999, 12, 28),  # noqa: DTZ001
    timezones=st.just(UTC) | zones,
)
amounts = st.integers(0, 2**63 - 1)
money = st.builds(Money, amounts, st.sampled_from(sorted(EXPONENTS)))
sealed = st.builds(Sealed, st.none() | st.dictionaries(texts, texts, max_size=2))
numbers = st.integers(0, 2**31)

declines = st.builds(
    Decline,
    reason=st.sampled_from(DeclineReason),
    source=st.sampled_from(DeclineSource),
    advice=st.sampled_from(DeclineAdvice),
    raw=st.none() | texts,
    network_code=st.none() | texts,
)
actions = st.builds(Redirect, target=st.builds(Sealed, texts)) | st.builds(
    ClientToken, secret=st.builds(Sealed, texts)
)
attempts = st.builds(
    AttemptFact,
    ref=names,
    status=st.sampled_from(AttemptStatus),
    authorized=money,
    at=moments,
    rank=numbers,
    number=st.none() | numbers,
    try_ref=texts,
    decline=st.none() | declines,
    next_action=st.none() | actions,
    raw=sealed,
)


def _effects(kind, status, **more):
    return st.builds(
        kind,
        ref=names,
        attempt_ref=texts,
        status=st.sampled_from(status),
        amount=money,
        at=moments,
        rank=numbers,
        raw=sealed,
        **more,
    )


captures = st.builds(
    Capture,
    key=st.none() | texts,
    reference=st.none() | texts,
    requested=money,
    fact=st.none() | _effects(CaptureFact, CaptureStatus, tag=st.none() | texts),
)
refunds = st.builds(
    Refund,
    id=names,
    reference=st.none() | texts,
    payment_id=st.just("pay_any"),
    key=st.none() | texts,
    requested=money,
    reason=st.sampled_from(RefundReason),
    outcome=st.sampled_from(RefundStatus),
    fact=st.none()
    | _effects(RefundFact, RefundStatus, tag=st.none() | texts, failure_code=st.none() | texts),
    failure=st.none() | texts,
    created_at=moments,
)
disputes = _effects(
    DisputeFact, DisputeStatus, reason_code=st.none() | texts, respond_by=st.none() | moments
)


@st.composite
def payments(draw):
    """Amounts are in one currency, and small enough to be added up; the rest is free."""
    currency = draw(st.sampled_from(sorted(EXPONENTS)))

    def tamed(value):
        return Money(value.minor % 2**40, currency)

    def tame_fact(entry):
        if entry.fact is None:
            return replace(entry, requested=tamed(entry.requested))
        fact = replace(entry.fact, amount=tamed(entry.fact.amount))
        return replace(entry, requested=tamed(entry.requested), fact=fact)

    return PaymentIntent(
        id="pay_any",
        reference=draw(texts),
        scope="shop",
        environment=Environment.TEST,
        provider=draw(texts),
        account=draw(texts),
        amount=tamed(draw(money)),
        capture_method=draw(st.sampled_from(CaptureMethod)),
        has_payment_method=draw(st.booleans()),
        description=draw(st.none() | texts),
        metadata=FrozenMapping(draw(st.dictionaries(texts, texts, max_size=3))),
        attempt=draw(numbers),
        attempts=tuple(
            replace(fact, authorized=tamed(fact.authorized))
            for fact in draw(_few(attempts, lambda a: a.ref))
        ),
        captures=tuple(tame_fact(capture) for capture in draw(_few(captures, id))),
        refunds=tuple(tame_fact(refund) for refund in draw(_few(refunds, lambda r: r.id))),
        disputes=tuple(draw(_few(disputes, id))),
        in_flight=tuple(draw(st.lists(texts, max_size=2))),
        unresolved=tuple(draw(st.lists(texts, max_size=2))),
        created_at=draw(moments),
    )


def _few(values, unique):
    return st.lists(values, max_size=3, unique_by=unique)
