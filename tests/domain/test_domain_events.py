"""Each change of a payment is told once, under an id that is the same everywhere."""

import dataclasses
from dataclasses import fields, replace
from datetime import timedelta, timezone
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saying import (
    CANARY,
    asked_capture,
    asked_refund,
    at,
    attempt,
    capture,
    dispute,
    payment,
    refund,
    said,
    tell,
    usd,
)

from payport.domain import events as kinds
from payport.domain.apply import apply
from payport.domain.declines import Decline, DeclineReason
from payport.domain.events import EVENT_TYPES, DomainEvent, UnmappedEvent, event_id
from payport.domain.facts import (
    AttemptStatus,
    CaptureStatus,
    DisputeStatus,
    Facts,
    RefundStatus,
)
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.testing import histories, strategies

_TWENTY = Money(2_000, "USD")
_YES, _NO = CaptureStatus.SUCCEEDED, CaptureStatus.FAILED
_GIVEN, _BACK = RefundStatus.SUCCEEDED, RefundStatus.FAILED


def ids(events):
    return [event.id for event in events]


def kinds_of(events):
    return [event.kind for event in events]


@given(strategies.histories())
def test_a_history_told_in_order_makes_the_events_it_is_made_of_each_once(story):
    end, events = tell(story.payment, story.told)
    assert tuple(kinds_of(events)) == story.events
    assert len(set(ids(events))) == len(events)
    assert tell(end, story.told)[1] == []


@given(st.data())
def test_no_order_and_no_repetition_makes_an_event_twice(data):
    story = data.draw(strategies.histories())
    shuffled = data.draw(st.permutations([*story.told, *story.told]))
    end, events = tell(story.payment, shuffled)
    assert len(set(ids(events))) == len(events)
    assert tell(end, story.told)[1] == []


@given(strategies.payment_intents(), st.lists(strategies.facts(), max_size=4))
def test_not_even_contradictory_statements_tell_of_a_refund_or_dispute_twice(start, told):
    _, events = tell(start, [*told, *told])
    about = [e for e in events if e.kind.startswith(("refund_", "dispute_"))]
    assert len(set(ids(about))) == len(about)


#: Histories in which nothing that was decided is reversed.
_STRAIGHT = [
    histories.three_d_secure(_TWENTY),
    histories.partial_captures(_TWENTY, [500, 500]),
    histories.equal_refunds(_TWENTY, 100, 3),
    histories.authorization_ends(_TWENTY, 500),
]


@pytest.mark.parametrize("story", _STRAIGHT, ids=lambda story: story.kind)
def test_how_each_effect_ended_is_told_under_one_id_in_whatever_order_it_is_learned(story):
    ends = {"capture_succeeded", "refund_succeeded", "payment_canceled", "payment_succeeded"}
    told = {e.id for e in tell(story.payment, story.told)[1] if e.kind in ends}
    assert told
    for order in permutations(story.told):
        assert told == {e.id for e in tell(story.payment, order)[1] if e.kind in ends}


def test_an_events_id_does_not_depend_on_who_told_of_it():
    fact = capture(_YES, 5_000, s=1)
    by_webhook = said(fact, attempt_ref="obj_1", api_version="2020-08-27")
    by_answer = said(replace(fact, at=at(7), rank=3, raw=Sealed({"id": "ch_1"})), tag="key_1")
    first, second = (apply(payment(), facts).events for facts in (by_webhook, by_answer))
    assert ids(first) == ids(second)
    assert kinds_of(first) == ["capture_succeeded", "payment_succeeded"]


def test_event_ids_are_frozen():
    # A handler knows an event again by its id, across upgrades.
    assert event_id("pay_1", "payment_succeeded", "obj_1", "paid:0") == (
        "evt_ghjvw65ubm63g64be4r3bqtmsm"
    )
    known = {e.kind: e.id for e in tell(payment(), [said(capture(_YES, 5_000))])[1]}
    assert known == {
        "capture_succeeded": event_id(payment().id, "capture_succeeded", "cap_1", "succeeded:5000"),
        "payment_succeeded": event_id(payment().id, "payment_succeeded", "obj_1", "paid:0"),
    }


def test_an_event_says_whose_it_is_and_when_it_happened():
    start = payment()
    (event, _) = apply(start, said(capture(_YES, 5_000, s=3), api_version="2026-01-01")).events
    assert event.occurred_at == at(3)
    assert (event.payment_id, event.reference) == (start.id, "order_1")
    assert (event.scope, event.environment) == ("shop", Environment.TEST)
    assert (event.provider, event.account) == ("fake", "acct_fake")
    assert (event.effect_ref, event.api_version) == ("cap_1", "2026-01-01")


# -- paid ---------------------------------------------------------------------------------------


def test_paid_is_told_when_the_last_missing_cent_is_taken():
    parts = [capture(_YES, minor, ref=f"cap_{minor}") for minor in (3_000, 1_999, 1)]
    told = [kinds_of(tell(payment(), [said(*parts[:n])])[1]) for n in (2, 3)]
    assert told == [["capture_succeeded"] * 2, ["capture_succeeded"] * 3 + ["payment_succeeded"]]


def test_paid_carries_what_is_due_and_what_was_taken():
    (_, paid) = apply(payment(), said(capture(_YES, 5_100))).events
    assert (paid.amount, paid.captured, paid.effect_ref) == (usd(5_000), usd(5_100), "obj_1")


@pytest.mark.parametrize("again", ["cap_1", "cap_2"], ids=["the same capture", "another capture"])
def test_paid_is_told_once_for_each_time_that_it_became_so(again):
    told = [
        said(capture(_YES, 5_000, s=1)),
        said(capture(_NO, 5_000, s=2)),
        said(capture(_YES, 5_000, ref=again, s=3)),
    ]
    _, events = tell(payment(), [*told, *told])
    paid = [e for e in events if e.kind == "payment_succeeded"]
    assert len({e.id for e in paid}) == 2
    assert len({e.id for e in events if e.kind == "capture_succeeded"}) == 2


def test_more_money_for_a_paid_payment_does_not_tell_again_that_it_is_paid():
    paid = payment(capture(_YES, 5_000))
    assert kinds_of(apply(paid, said(capture(_YES, 100, ref="cap_2"))).events) == [
        "capture_succeeded"
    ]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_two_attempts_that_both_take_money_raise_one_alarm_with_one_id(order):
    told = [
        said(
            attempt(AttemptStatus.SUCCEEDED, 5_000, ref=f"obj_{n}", number=n),
            capture(_YES, 5_000, ref=f"cap_{n}", of=f"obj_{n}"),
        )
        for n in order
    ]
    end, events = tell(payment(), [*told, *told])
    (alarm,) = (e for e in events if isinstance(e, kinds.DuplicatePayment))
    assert alarm.id == event_id(end.id, "duplicate_payment", "obj_1+obj_2", "duplicate")
    assert alarm.attempt_refs == ("obj_1", "obj_2")
    assert alarm.captured == usd(10_000)
    assert kinds_of(events).count("payment_succeeded") == 1


def test_a_third_attempt_that_takes_money_raises_another_alarm():
    told = [said(capture(_YES, 5_000, ref=f"cap_{n}", of=f"obj_{n}")) for n in (1, 2, 3)]
    _, events = tell(payment(), told)
    assert [e.attempt_refs for e in events if e.kind == "duplicate_payment"] == [
        ("obj_1", "obj_2"),
        ("obj_1", "obj_2", "obj_3"),
    ]


def test_several_captures_of_one_attempt_are_no_duplicate():
    parts = [said(capture(_YES, 2_500, ref=f"cap_{n}")) for n in (1, 2)]
    assert "duplicate_payment" not in kinds_of(tell(payment(), parts)[1])


# -- attempts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (AttemptStatus.REQUIRES_PAYMENT_METHOD, None),
        (AttemptStatus.REQUIRES_CONFIRMATION, None),
        (AttemptStatus.REQUIRES_ACTION, "payment_requires_action"),
        (AttemptStatus.PROCESSING, None),
        (AttemptStatus.DECLINED, "payment_failed"),
        (AttemptStatus.FAILED, "payment_failed"),
        (AttemptStatus.AUTHORIZED, None),
        (AttemptStatus.SUCCEEDED, None),
        (AttemptStatus.CANCELED, "payment_canceled"),
        (AttemptStatus.EXPIRED, "payment_canceled"),
        (AttemptStatus.UNKNOWN, None),
    ],
)
def test_what_an_attempt_tells(status, kind):
    events = apply(payment(), said(attempt(status, 5_000))).events
    assert kinds_of(events) == ([kind] if kind else [])


def test_every_try_that_is_declined_on_one_object_is_told():
    story = histories.declined_then_paid(_TWENTY, [DeclineReason.GENERIC] * 3)
    _, events = tell(story.payment, story.told)
    failed = [e for e in events if e.kind == "payment_failed"]
    assert len({e.id for e in failed}) == 3
    assert all(e.decline == Decline.of(DeclineReason.GENERIC) for e in failed)


def test_a_second_decline_is_told_even_where_the_provider_does_not_name_the_try():
    turns = [AttemptStatus.REQUIRES_ACTION, AttemptStatus.DECLINED] * 2
    told = [said(attempt(status, s=n)) for n, status in enumerate(turns)]
    _, events = tell(payment(), [*told, *told])
    assert kinds_of(events) == ["payment_requires_action", "payment_failed"] * 2
    assert len(set(ids(events))) == 4


def test_one_named_try_is_told_once_whenever_it_is_dated():
    turns = [AttemptStatus.DECLINED, AttemptStatus.PROCESSING, AttemptStatus.DECLINED]
    told = [said(attempt(status, s=n, try_ref="try_1")) for n, status in enumerate(turns)]
    _, events = tell(payment(), told)
    assert len(set(ids(events))) == 1


def test_a_failed_attempt_is_told_with_its_number():
    told = [said(attempt(AttemptStatus.DECLINED, ref=f"obj_{n}", number=n, s=n)) for n in (1, 2)]
    assert [e.attempt for e in tell(payment(), told)[1]] == [1, 2]


def test_canceled_and_expired_are_told_apart():
    told = {
        status: apply(payment(), said(attempt(status))).events[0].expired
        for status in (AttemptStatus.CANCELED, AttemptStatus.EXPIRED)
    }
    assert told == {AttemptStatus.CANCELED: False, AttemptStatus.EXPIRED: True}


# -- captures -----------------------------------------------------------------------------------


def test_a_running_total_tells_what_each_capture_added_and_which_it_was():
    story = histories.running_total(_TWENTY, [700, 800, 500])
    _, events = tell(story.payment, story.told)
    took = [(e.capture_reference, e.amount) for e in events if e.kind == "capture_succeeded"]
    assert took == [
        ("shipment_1", usd(700)),
        ("shipment_2", usd(800)),
        ("shipment_3", usd(500)),
    ]


@given(st.data())
def test_whatever_the_order_a_running_totals_events_add_up_to_what_was_taken(data):
    story = data.draw(strategies.histories("running_total"))
    _, events = tell(story.payment, data.draw(st.permutations(story.told)))
    took = sum(e.amount.minor for e in events if e.kind == "capture_succeeded")
    assert took == story.captured.minor


def test_a_capture_is_told_with_the_applications_reference():
    start = payment(captures=(asked_capture(2_000),))
    (event,) = apply(start, said(capture(_YES, 2_000, tag="key_c1"))).events
    assert (event.capture_reference, event.amount) == ("shipment_1", usd(2_000))


def test_a_capture_that_goes_back_and_forth_is_told_each_time():
    told = [said(capture(status, 100, s=n)) for n, status in enumerate([_YES, _NO, _YES, _NO])]
    _, events = tell(payment(), told)
    assert kinds_of(events) == ["capture_succeeded", "capture_failed"] * 2
    assert len(set(ids(events))) == 4


def test_a_capture_that_failed_is_told_once():
    told = [said(capture(_NO, 2_000, s=1)), said(capture(_NO, 2_000, s=2))]
    _, events = tell(payment(), told)
    assert [(e.kind, e.amount) for e in events] == [("capture_failed", usd(2_000))]


@pytest.mark.parametrize("status", [CaptureStatus.PENDING, CaptureStatus.UNKNOWN])
def test_nothing_is_told_of_a_capture_that_is_not_decided(status):
    assert apply(payment(), said(capture(status, 2_000))).events == ()


# -- refunds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (RefundStatus.PENDING, _GIVEN, ["refund_succeeded"]),
        (RefundStatus.PENDING, _BACK, ["refund_failed"]),
        (RefundStatus.REQUIRES_ACTION, RefundStatus.CANCELED, ["refund_failed"]),
        (RefundStatus.UNKNOWN, _GIVEN, ["refund_succeeded"]),
        (_GIVEN, _GIVEN, ["refund_succeeded"]),
        (_GIVEN, _BACK, ["refund_succeeded", "refund_reversed"]),
        (_GIVEN, RefundStatus.CANCELED, ["refund_succeeded", "refund_reversed"]),
        (_GIVEN, RefundStatus.UNKNOWN, ["refund_succeeded"]),
        (_BACK, _GIVEN, ["refund_failed", "refund_succeeded"]),
        (_BACK, RefundStatus.CANCELED, ["refund_failed"]),
        (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, []),
    ],
)
def test_what_a_refund_tells(first, then, told):
    changes = [said(refund(first, 100, s=1)), said(refund(then, 100, s=2))]
    assert kinds_of(tell(payment(), changes)[1]) == told


def test_a_refund_is_told_with_the_applications_reference_and_payports_id():
    ours = asked_refund(100)
    start = payment(refunds=(ours,))
    (event,) = apply(start, said(refund(_GIVEN, 100, tag="key_r1"))).events
    assert (event.refund_id, event.refund_reference) == (ours.id, "return_1")
    assert (event.amount, event.effect_ref) == (usd(100), "ref_1")


def test_a_refund_that_goes_back_and_forth_is_told_each_time():
    turns = [_GIVEN, _BACK, _GIVEN, _BACK]
    told = [said(refund(status, 100, s=n)) for n, status in enumerate(turns)]
    _, events = tell(payment(), told)
    assert len(set(ids(events))) == 4


def test_learning_that_a_known_refund_is_ours_tells_nothing_again():
    start = payment(refunds=(asked_refund(100),))
    known, _ = tell(start, [said(refund(_GIVEN, 100, s=1))])
    assert apply(known, said(refund(_GIVEN, 100, s=2, tag="key_r1"))).events == ()


# -- disputes -----------------------------------------------------------------------------------

_D = DisputeStatus


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([_D.OPEN, _D.UNDER_REVIEW, _D.WON], ["opened", "closed"]),
        ([_D.OPEN, _D.LOST], ["opened", "closed"]),
        ([_D.INQUIRY, _D.INQUIRY_CLOSED], ["opened", "closed"]),
        # Nobody lost money by the inquiry; by what became of it somebody did.
        ([_D.INQUIRY, _D.OPEN, _D.LOST], ["opened", "opened", "closed"]),
        ([_D.UNKNOWN, _D.OPEN], ["opened", "opened"]),
        ([_D.INQUIRY_CLOSED, _D.OPEN], ["closed", "opened"]),
        ([_D.OPEN, _D.WON, _D.OPEN, _D.WON], ["opened", "closed", "opened", "closed"]),
        ([_D.OPEN, _D.LOST, _D.WON], ["opened", "closed", "closed"]),
        ([_D.OPEN, _D.UNKNOWN], ["opened"]),
        ([_D.OPEN, _D.OPEN], ["opened"]),
    ],
    ids="-".join,
)
def test_what_a_dispute_tells(turns, told):
    changes = [said(dispute(status, 100, s=n)) for n, status in enumerate(turns)]
    _, events = tell(payment(), changes)
    assert kinds_of(events) == [f"dispute_{word}" for word in told]
    assert len(set(ids(events))) == len(events)


def test_one_moment_in_two_time_zones_is_one_event():
    fact = dispute(_D.OPEN, 100)
    elsewhere = replace(fact, at=fact.at.astimezone(timezone(timedelta(hours=9))))
    assert ids(apply(payment(), said(fact)).events) == ids(apply(payment(), said(elsewhere)).events)


def test_an_opened_dispute_says_until_when_to_answer():
    facts = said(dispute(_D.OPEN, 100, respond_by=at(999)))
    (event,) = apply(payment(), facts).events
    assert (event.respond_by, event.amount, event.status) == (at(999), usd(100), "open")


# -- vocabulary ---------------------------------------------------------------------------------


def test_the_table_of_event_types_holds_every_kind_under_its_name():
    defined = {
        value
        for value in vars(kinds).values()
        if isinstance(value, type) and issubclass(value, DomainEvent)
    } - {DomainEvent, kinds.PaymentEvent, kinds.PayoutEvent}
    assert set(EVENT_TYPES.values()) == defined
    assert all(name == kind.kind for name, kind in EVENT_TYPES.items())
    assert EVENT_TYPES["refund_reversed"] is kinds.RefundReversed
    assert set(kinds.__all__) >= {kind.__name__ for kind in defined}


@pytest.mark.parametrize("kind", [*EVENT_TYPES.values()], ids=lambda kind: kind.kind)
def test_events_are_frozen_values_with_keywords_only(kind):
    assert kind.__dataclass_params__.frozen
    assert not hasattr(kind, "__dict__") or "__dict__" not in dir(kind.__new__(kind))
    assert all(f.kw_only for f in fields(kind))


def test_an_event_cannot_be_changed():
    (event, _) = apply(payment(), said(capture(_YES, 5_000))).events
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.reference = "order_2"


def test_no_event_repeats_what_the_provider_sealed():
    facts = said(
        attempt(AttemptStatus.DECLINED, raw=Sealed({"client_secret": CANARY})),
        capture(_YES, 5_000, raw=Sealed(CANARY)),
        refund(_GIVEN, 5, raw=Sealed(CANARY)),
        dispute(_D.OPEN, 5, raw=Sealed(CANARY)),
    )
    events = apply(payment(), facts).events
    assert len(events) == 5
    assert CANARY not in repr(events)


def test_an_unmapped_event_keeps_the_providers_word():
    common = {f.name: "x" for f in fields(DomainEvent)}
    assert UnmappedEvent(**common, type="radar.early_warning").type == "radar.early_warning"
    assert UnmappedEvent.kind == "unmapped_event"


def test_no_events_from_no_facts():
    assert apply(payment(), Facts()).events == ()
