"""Any permutation with duplicates of what a provider tells ends in the same payment."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saying import (
    asked_capture,
    asked_refund,
    attempt,
    capture,
    payment,
    refund,
    said,
    tell,
    together,
    usd,
)

from payport.domain.apply import apply
from payport.domain.facts import AttemptStatus, CaptureStatus, Facts, RefundStatus
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentStatus
from payport.testing import histories, strategies

_TWENTY = Money(2_000, "USD")

#: Each with its totals in cents, worked out by hand: captured, refunded, disputed.
STORIES = [
    (histories.three_d_secure(_TWENTY), (2_000, 0, 0)),
    (histories.declined_then_paid(_TWENTY), (2_000, 0, 0)),
    (histories.debit_fails(_TWENTY), (0, 0, 0)),
    (histories.debit_comes_back(_TWENTY), (0, 0, 0)),
    (histories.partial_captures(_TWENTY, [500, 500]), (1_000, 0, 0)),
    (histories.partial_captures(_TWENTY, [500, 1_500]), (2_000, 0, 0)),
    (histories.running_total(_TWENTY, [700, 700, 600]), (2_000, 0, 0)),
    (histories.running_total(_TWENTY, [700, 700]), (1_400, 0, 0)),
    (histories.authorization_ends(_TWENTY), (0, 0, 0)),
    (histories.authorization_ends(_TWENTY, 1_500, expired=True), (1_500, 0, 0)),
    (histories.paid_twice(_TWENTY), (4_000, 0, 0)),
    (histories.refunds_that_fail(_TWENTY, 300), (2_000, 300, 0)),
    (histories.equal_refunds(_TWENTY, 250, 4), (2_000, 1_000, 0)),
    (histories.disputed(_TWENTY, 1_200), (2_000, 0, 1_200)),
    (histories.disputed(_TWENTY, 1_200, won=True), (2_000, 0, 0)),
]
NAMES = [f"{number}-{story.kind}" for number, (story, _) in enumerate(STORIES)]


def totals(intent):
    return (intent.captured.minor, intent.refunded.minor, intent.disputed.minor)


def every_end(intent, rest, told=()):
    """How every order of the rest ends; each step tells something old once more."""
    if not rest:
        yield intent
    for number, statement in enumerate(rest):
        after = apply(intent, statement).intent
        if told:
            after = apply(after, told[number % len(told)]).intent
        yield from every_end(after, rest[:number] + rest[number + 1 :], (*told, statement))


@pytest.mark.parametrize(("story", "worked_out"), STORIES, ids=NAMES)
def test_a_history_ends_in_the_totals_worked_out_by_hand(story, worked_out):
    end, _ = tell(story.payment, story.told)
    assert totals(end) == worked_out
    assert totals(end) == (story.captured.minor, story.refunded.minor, story.disputed.minor)
    assert end.status is story.status


SHORT = [story for story, _ in STORIES if len(story.told) <= 6]


@pytest.mark.parametrize("story", SHORT, ids=[f"{n}-{s.kind}" for n, s in enumerate(SHORT)])
def test_every_order_with_repetitions_ends_in_the_same_payment(story):
    in_order, _ = tell(story.payment, story.told)
    assert all(end == in_order for end in every_end(story.payment, story.told))


NAMED_LATER = [
    said(
        attempt(AttemptStatus.REQUIRES_ACTION, ref="our_name", s=9, number=2),
        attempt_ref="our_name",
    ),
    said(attempt(AttemptStatus.DECLINED, ref="obj_7", s=3, number=2, replaces="our_name")),
    said(attempt(AttemptStatus.AUTHORIZED, 2_000, ref="obj_8", s=5, replaces="our_name")),
    said(capture(CaptureStatus.SUCCEEDED, 2_000, of="obj_8", s=7)),
]


def test_an_object_that_got_its_id_is_not_counted_under_its_first_name_too():
    start = payment(minor=2_000)
    in_order, events = tell(start, NAMED_LATER)
    assert [a.ref for a in in_order.attempts] == ["obj_7", "obj_8"]
    assert in_order.attempt == 2
    assert in_order.status is PaymentStatus.SUCCEEDED
    assert [e.kind for e in events].count("payment_requires_action") == 1
    for end in every_end(start, NAMED_LATER):
        assert end == in_order


@given(st.data())
def test_a_long_history_ends_the_same_in_any_order_with_any_repetitions(data):
    story = data.draw(strategies.histories())
    end, _ = tell(story.payment, story.told)
    repeated = data.draw(st.lists(st.sampled_from(story.told), max_size=10))
    shuffled = data.draw(st.permutations([*story.told, *repeated]))
    assert tell(story.payment, shuffled)[0] == end
    assert end.captured == story.captured
    assert end.refunded == story.refunded
    assert end.disputed == story.disputed
    assert end.status is story.status


@settings(max_examples=max(150, settings.default.max_examples))
@given(st.data())
def test_even_contradictory_statements_end_the_same_in_any_order(data):
    # Kinds of statement no provider tells in this mixture: nothing rests on their making sense.
    start = replace(
        data.draw(strategies.payment_intents()),
        refunds=(asked_refund(300, key="tag_of_ref_0"),),
    )
    told = data.draw(st.lists(strategies.facts(), min_size=2, max_size=4))
    shuffled = data.draw(st.permutations([*told, *told]))
    assert tell(start, shuffled)[0] == tell(start, told)[0]


@given(strategies.payment_intents(), strategies.facts())
def test_telling_the_same_again_changes_and_emits_nothing(start, facts):
    once = apply(start, facts)
    again = apply(once.intent, facts)
    assert again.intent == once.intent
    assert again.events == ()


@given(strategies.payment_intents())
def test_telling_nothing_changes_and_emits_nothing(start):
    once = apply(start, Facts())
    assert once.intent == apply(once.intent, Facts()).intent
    assert (once.events, once.tie) == ((), False)


@given(strategies.payment_intents(), strategies.facts())
def test_applying_leaves_the_payment_it_was_given_as_it_was(start, facts):
    before = repr(start)
    apply(start, facts)
    assert repr(start) == before


@given(strategies.payment_intents(), st.lists(strategies.facts(), max_size=3))
def test_it_does_not_matter_how_facts_are_batched(start, told):
    one_by_one = [said(fact) for one in told for fact in one]
    end, _ = tell(start, told)
    assert apply(start, together(*told)).intent == end or not told
    assert tell(start, one_by_one)[0] == end or not one_by_one


def test_two_equal_refunds_are_two_refunds():
    twins = [refund(RefundStatus.SUCCEEDED, 250, ref=f"ref_{n}") for n in (1, 2)]
    assert payment(*twins).refunded == usd(500)


def test_our_tag_finds_our_refund_and_no_equal_one():
    start = payment(refunds=(asked_refund(250),))
    foreign = refund(RefundStatus.SUCCEEDED, 250, ref="ref_dashboard")
    ours = refund(RefundStatus.SUCCEEDED, 250, ref="ref_ours", tag="key_r1")
    end, _ = tell(start, [said(foreign), said(ours)])
    by_reference = {r.reference: r.provider_ref for r in end.refunds}
    assert by_reference == {None: "ref_dashboard", "return_1": "ref_ours"}


def test_a_refund_told_first_without_our_tag_becomes_ours_and_is_counted_once():
    start = payment(refunds=(asked_refund(250),))
    untagged = refund(RefundStatus.PENDING, 250, s=1)
    tagged = refund(RefundStatus.SUCCEEDED, 250, s=2, tag="key_r1")
    for order in ([untagged, tagged], [tagged, untagged]):
        end, _ = tell(start, [said(f) for f in order])
        assert [(r.reference, r.id) for r in end.refunds] == [("return_1", start.refunds[0].id)]
        assert (end.refunded, end.refund_pending) == (usd(250), usd(0))


def test_no_refund_of_ours_is_lost_when_one_object_carries_two_of_our_tags():
    start = payment(refunds=(asked_refund(250), asked_refund(250, number=2)))
    told = [
        said(refund(RefundStatus.SUCCEEDED, 250, tag="key_r1")),
        said(refund(RefundStatus.SUCCEEDED, 250, tag="key_r2")),
    ]
    for order in permutations(told):
        end, _ = tell(start, order)
        assert {r.reference for r in end.refunds} == {"return_1", "return_2"}
        # One object is one refund. The other is still spoken for.
        assert (end.refunded, end.refund_pending) == (usd(250), usd(250))


def test_money_that_moved_twice_under_one_tag_is_counted_twice():
    # What must never happen, happened: nothing of it may be hidden.
    start = payment(captures=(asked_capture(2_000),), refunds=(asked_refund(250),))
    told = [
        said(capture(CaptureStatus.SUCCEEDED, 2_000, ref=f"cap_{n}", tag="key_c1")) for n in (1, 2)
    ]
    told += [
        said(refund(RefundStatus.SUCCEEDED, 250, ref=f"ref_{n}", tag="key_r1")) for n in (1, 2)
    ]
    for order in permutations(told):
        end, _ = tell(start, order)
        assert (end.captured, end.refunded) == (usd(4_000), usd(500))
        assert [r.reference for r in end.refunds if r.reference] == ["return_1"]


def test_what_ours_asked_for_stays_what_was_asked_for():
    start = payment(refunds=(asked_refund(250),))
    end, _ = tell(start, [said(refund(RefundStatus.SUCCEEDED, 200, tag="key_r1"))])
    assert (end.refunds[0].requested, end.refunds[0].amount) == (usd(250), usd(200))
    assert end.refunds[0].created_at == start.refunds[0].created_at
    start = payment(captures=(asked_capture(2_000),))
    end, _ = tell(start, [said(capture(CaptureStatus.SUCCEEDED, 1_900, tag="key_c1"))])
    assert (end.captures[0].requested, end.captures[0].amount) == (usd(2_000), usd(1_900))


def test_a_refund_made_elsewhere_has_the_same_id_wherever_it_is_learned():
    told = [said(refund(RefundStatus.PENDING, 250, s=1)), said(refund(RefundStatus.FAILED, 250))]
    ids = {tell(payment(), order)[0].refunds[0].id for order in permutations(told)}
    assert len(ids) == 1


def test_a_running_total_counts_once_and_releases_what_each_capture_spoke_for():
    story = histories.running_total(_TWENTY, [700, 600])
    end, _ = tell(story.payment, story.told[:-1])
    assert [c.amount for c in end.captures] == [usd(1_300)]
    assert (end.capture_pending, end.capturable) == (usd(0), usd(700))


def test_a_capture_that_was_decided_is_not_undecided_by_a_later_statement():
    done = capture(CaptureStatus.SUCCEEDED, 5_000, s=1)
    late = capture(CaptureStatus.PENDING, 5_000, s=9)
    assert payment(done, late).captured == usd(5_000)


def test_a_word_the_adapter_does_not_know_never_hides_one_it_knows():
    known = payment(refund(RefundStatus.SUCCEEDED, 100, s=1))
    end, _ = tell(known, [said(refund(RefundStatus.UNKNOWN, 100, s=9))])
    assert end == known


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_decisions_of_one_moment_the_failure_is_the_later_one(first):
    told = [refund(RefundStatus.SUCCEEDED, 100), refund(RefundStatus.FAILED, 100)]
    end, _ = tell(payment(), [said(told[first]), said(told[1 - first])])
    assert end.refunds[0].status is RefundStatus.FAILED


def test_the_adapters_rank_decides_before_our_own_where_the_moment_is_the_same():
    told = [refund(RefundStatus.SUCCEEDED, 100, rank=1), refund(RefundStatus.FAILED, 100, rank=0)]
    for order in permutations(told):
        end, _ = tell(payment(), [said(f) for f in order])
        assert end.refunds[0].status is RefundStatus.SUCCEEDED


def test_time_decides_before_rank():
    early = refund(RefundStatus.SUCCEEDED, 100, s=1, rank=9)
    late = refund(RefundStatus.FAILED, 100, s=2)
    for order in permutations([early, late]):
        assert tell(payment(), [said(f) for f in order])[0].refunds[0].status == "failed"


def test_a_tie_is_told_so_that_the_object_is_fetched():
    first = payment(refund(RefundStatus.SUCCEEDED, 100, s=1))
    same_moment = said(refund(RefundStatus.FAILED, 100, s=1))
    assert apply(first, same_moment).tie


@pytest.mark.parametrize(
    "next_one",
    [
        refund(RefundStatus.SUCCEEDED, 100, s=1),
        refund(RefundStatus.FAILED, 100, s=2),
        refund(RefundStatus.FAILED, 100, s=1, rank=1),
        refund(RefundStatus.PENDING, 100, s=1),
        refund(RefundStatus.FAILED, 100, s=1, ref="ref_2"),
    ],
    ids=["the same", "later", "ranked", "of another level", "another refund"],
)
def test_no_tie_where_something_orders_the_two(next_one):
    first = payment(refund(RefundStatus.SUCCEEDED, 100, s=1))
    assert not apply(first, said(next_one)).tie


def test_the_attempts_number_is_kept_from_whichever_statement_told_it():
    numbered = said(attempt(AttemptStatus.PROCESSING, s=1, number=2))
    silent = said(attempt(AttemptStatus.SUCCEEDED, 5_000, s=2))
    for order in permutations([numbered, silent]):
        end, _ = tell(payment(), order)
        assert (end.attempt, end.latest_attempt.number) == (2, 2)
        assert end.latest_attempt.status is AttemptStatus.SUCCEEDED


def test_a_history_in_doubt_is_unknown_until_it_is_paid():
    story = histories.three_d_secure(_TWENTY)
    start = replace(story.payment, unresolved=("key_x",))
    seen = [tell(start, story.told[:n])[0].status for n in range(len(story.told) + 1)]
    assert seen == [PaymentStatus.UNKNOWN] * 3 + [PaymentStatus.SUCCEEDED]
