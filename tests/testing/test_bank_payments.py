from __future__ import annotations

from datetime import timedelta

import pytest
from fake_calls import (
    DOLLARS,
    ask,
    canceling,
    capturing,
    confirming,
    creating,
    deliveries,
    failed,
    found,
    new_key,
    paid,
    read,
    refunding,
    told,
)

from payport.domain.facts import AttemptStatus, CaptureStatus, RefundStatus
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.secrets import Secret
from payport.providers.outcomes import Answer
from payport.testing import (
    Bank,
    Behaviour,
    Declined,
    FakeProvider,
    Refused,
    Tokens,
    adyen_like,
    keyless,
    stripe_like,
)


@pytest.fixture
def fake():
    return FakeProvider()


@pytest.fixture
def slow():
    """A bank that only acknowledges, and decides five seconds later."""
    decides = adyen_like()
    return FakeProvider(
        behaviour=Behaviour(
            name="slow",
            idempotency=decides.idempotency,
            resolution=stripe_like().resolution,
            acknowledges=True,
            decides_after=timedelta(seconds=5),
        )
    )


def held(fake, token=Tokens.OK):
    return paid(fake, token, manual=True)


# -- made and confirmed ---------------------------------------------------------------------------


def test_a_payment_without_a_method_waits_for_one(fake):
    ref = told(fake, creating(None, confirm=False)).attempt_ref
    assert AttemptStatus.REQUIRES_PAYMENT_METHOD is read(fake, ref).attempts[0].status
    assert failed(fake, confirming(ref, None)).code == "no_method"

    assert AttemptStatus.SUCCEEDED is told(fake, confirming(ref)).attempts[0].status


def test_a_payment_with_a_method_waits_to_be_confirmed(fake):
    facts = told(fake, creating(confirm=False))
    assert AttemptStatus.REQUIRES_CONFIRMATION is facts.attempts[0].status
    assert Money(0, "USD") == fake.bank.charged("order_1")

    told(fake, confirming(facts.attempt_ref, None))

    assert fake.bank.charged("order_1") == DOLLARS


def test_a_payment_is_not_confirmed_twice(fake):
    ref = paid(fake)

    failure = failed(fake, confirming(ref))

    assert (failure.kind, failure.code) == (FailureKind.INVALID_REQUEST, "wrong_state")
    assert fake.bank.charged("order_1") == DOLLARS


def test_a_payment_is_confirmed_for_the_amount_it_was_made_for(fake):
    ref = told(fake, creating(confirm=False)).attempt_ref

    assert failed(fake, confirming(ref, amount=Money(1, "USD"))).code == "terms_changed"
    assert failed(fake, confirming(ref, amount=Money(5000, "EUR"))).code == "terms_changed"


def test_a_confirmation_without_a_method_needs_one_at_creation_too(fake):
    assert failed(fake, creating(None)).code == "no_method"
    assert fake.bank.payments == ()


@pytest.mark.parametrize("minor", [0, -5])
def test_a_payment_of_nothing_is_none(fake, minor):
    assert failed(fake, creating(amount=Money(minor, "USD"))).code == "bad_amount"


def test_what_the_bank_refused_did_not_happen(fake):
    key = new_key()

    failed(fake, creating("pm_card_of_nobody"), key)

    assert fake.bank.effects(key) == 0
    assert fake.bank.requests(key) == 1
    assert fake.bank.entries == ()


def test_nothing_is_kept_before_a_confirmation_where_the_bank_does_not():
    bank = Bank(behaviour=adyen_like())
    stripe = FakeProvider()
    request = stripe.render(creating(confirm=False), new_key())

    # An adapter that lacks the check would send this.
    server = FakeProvider(bank=bank)._setup.server
    answer = server.handle(request, api_key=Secret("any"), script=stripe.script, timeout=1)

    assert answer.status == 400
    assert b"not_supported" in answer.body


def test_an_unknown_payment_cannot_be_changed(fake):
    for command in (
        confirming("bp_000009"),
        capturing("bp_000009"),
        canceling("bp_000009"),
        refunding("bp_000009"),
    ):
        failure = failed(fake, command)
        assert (failure.kind, failure.code) == (FailureKind.INVALID_REQUEST, "no_such_payment")


# -- captured -------------------------------------------------------------------------------------


def test_held_money_is_not_taken(fake):
    ref = held(fake)

    (attempt,) = read(fake, ref).attempts
    assert AttemptStatus.AUTHORIZED is attempt.status
    assert attempt.authorized == DOLLARS
    assert Money(0, "USD") == fake.bank.charged(ref)


def test_a_final_capture_takes_its_amount_and_releases_the_rest(fake):
    ref = held(fake)

    facts = told(fake, capturing(ref, 3000))

    assert AttemptStatus.SUCCEEDED is facts.attempts[0].status
    assert Money(3000, "USD") == fake.bank.charged(ref)
    assert failed(fake, capturing(ref, 1)).code == "wrong_state"


def test_several_captures_take_until_nothing_is_left(fake):
    ref = held(fake)

    first = told(fake, capturing(ref, 2000, final=False))
    assert AttemptStatus.AUTHORIZED is first.attempts[0].status
    assert failed(fake, capturing(ref, 3001)).code == "capture_too_large"
    second = told(fake, capturing(ref, 3000, final=False))

    assert AttemptStatus.SUCCEEDED is second.attempts[0].status
    assert fake.bank.charged(ref) == DOLLARS


def test_captures_are_told_as_one_that_grows_where_the_bank_counts_so(fake):
    ref = held(fake)

    (first,) = told(fake, capturing(ref, 2000, final=False)).captures
    (second,) = told(fake, capturing(ref, 1000, final=False)).captures

    assert first.ref == second.ref
    assert [first.amount.minor, second.amount.minor] == [2000, 3000]
    assert first.tag != second.tag
    assert second.rank > first.rank


def test_captures_are_told_one_by_one_where_the_bank_keeps_them_apart():
    fake = FakeProvider(behaviour=keyless())
    ref = held(fake)

    (first,) = told(fake, capturing(ref, 2000, final=False)).captures
    (second,) = told(fake, capturing(ref, 2000, final=False)).captures

    assert first.ref != second.ref
    assert [c.amount.minor for c in read(fake, ref).captures] == [2000, 2000]


@pytest.mark.parametrize("minor", [0, -1, 5001])
def test_a_capture_takes_something_and_no_more_than_is_held(fake, minor):
    ref = held(fake)

    assert failed(fake, capturing(ref, minor)).code == "capture_too_large"
    assert Money(0, "USD") == fake.bank.charged(ref)


def test_a_bank_that_takes_once_refuses_to_take_a_part():
    like = keyless()
    once = Behaviour(
        name="once",
        idempotency=like.idempotency,
        resolution=like.resolution,
        lacks=frozenset({"multiple_captures"}),
    )
    fake = FakeProvider(behaviour=once)
    ref = held(fake)

    with pytest.raises(Refused, match="taken once"):
        fake.bank.captures_desk.capture(ref, 100, tag=None, final=False)


def test_money_is_held_for_a_week(fake):
    ref = held(fake)
    fake.clock.advance(timedelta(days=6, hours=23))
    assert AttemptStatus.AUTHORIZED is read(fake, ref).attempts[0].status

    fake.clock.advance(timedelta(hours=1))

    assert AttemptStatus.EXPIRED is read(fake, ref).attempts[0].status
    assert failed(fake, capturing(ref)).code == "wrong_state"


def test_what_was_taken_before_a_hold_lapses_stays_taken(fake):
    ref = held(fake)
    told(fake, capturing(ref, 1000, final=False))

    fake.clock.advance(timedelta(days=7))

    assert AttemptStatus.SUCCEEDED is read(fake, ref).attempts[0].status
    assert Money(1000, "USD") == fake.bank.charged(ref)


def test_a_captured_payment_does_not_lapse(fake):
    ref = held(fake)
    told(fake, capturing(ref))

    fake.clock.advance(timedelta(days=30))

    assert AttemptStatus.SUCCEEDED is read(fake, ref).attempts[0].status


def test_what_happens_by_the_clock_is_dated_as_of_its_moment(fake):
    ref = held(fake)
    lapses = fake.clock.now() + timedelta(days=7)

    fake.clock.advance(timedelta(days=20))

    assert lapses == read(fake, ref).attempts[0].at


def test_a_scripted_capture_bounces(fake):
    ref = held(fake)
    fake.next("capture_payment", Declined())

    facts = told(fake, capturing(ref))

    assert CaptureStatus.FAILED is facts.captures[0].status
    assert AttemptStatus.AUTHORIZED is facts.attempts[0].status
    assert Money(0, "USD") == fake.bank.charged(ref)
    assert CaptureStatus.SUCCEEDED is told(fake, capturing(ref)).captures[0].status


# -- canceled -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", [Tokens.OK, Tokens.EXPIRED, Tokens.AUTHENTICATE, "pm_card_processing"]
)
def test_what_is_not_taken_can_be_canceled(fake, token):
    ref = held(fake, token)

    facts = told(fake, canceling(ref))

    assert AttemptStatus.CANCELED is facts.attempts[0].status
    assert facts.attempts[0].next_action is None
    assert failed(fake, confirming(ref)).code == "wrong_state"


def test_what_is_taken_cannot_be_canceled(fake):
    assert failed(fake, canceling(paid(fake))).code == "wrong_state"

    ref = held(fake)
    told(fake, capturing(ref, 1000, final=False))
    assert failed(fake, canceling(ref)).code == "wrong_state"


def test_an_issuer_that_thinks_is_not_heard_after_a_cancel(fake):
    ref = paid(fake, Tokens.PROCESSING)
    told(fake, canceling(ref))

    fake.bank.settle(ref)

    assert AttemptStatus.CANCELED is read(fake, ref).attempts[0].status
    assert Money(0, "USD") == fake.bank.charged(ref)


def test_a_customer_is_not_timed_out_of_a_later_try(fake):
    ref = paid(fake, Tokens.AUTHENTICATE)
    fake.bank.authenticate(ref, ok=False)
    fake.clock.advance(timedelta(minutes=30))
    told(fake, confirming(ref, Tokens.AUTHENTICATE, attempt=2))

    fake.clock.advance(timedelta(minutes=30))

    assert AttemptStatus.REQUIRES_ACTION is read(fake, ref).attempts[0].status


def test_a_scripted_cancel_is_refused(fake):
    ref = held(fake)
    fake.next("cancel_payment", Declined())

    assert failed(fake, canceling(ref)).code == "cancel_refused"
    assert AttemptStatus.AUTHORIZED is read(fake, ref).attempts[0].status


def test_nobody_authenticates_who_was_not_asked(fake):
    ref = paid(fake)

    with pytest.raises(Refused, match="asks nobody"):
        fake.bank.authenticate(ref)
    with pytest.raises(Refused, match="asks nobody"):
        fake.bank.abandon(ref)


# -- acknowledged ---------------------------------------------------------------------------------


def test_an_acknowledged_capture_is_pending_until_it_is_decided(slow):
    ref = held(slow)
    (asked,) = told(slow, capturing(ref)).captures
    assert CaptureStatus.PENDING is asked.status
    assert Money(0, "USD") == slow.bank.charged(ref)

    slow.clock.advance(5)

    facts = read(slow, ref)
    assert CaptureStatus.SUCCEEDED is facts.captures[0].status
    assert AttemptStatus.SUCCEEDED is facts.attempts[0].status


def test_an_acknowledged_capture_may_fail_and_be_asked_again(slow):
    ref = held(slow)
    slow.next("capture_payment", Declined())
    told(slow, capturing(ref))

    slow.clock.advance(5)

    assert CaptureStatus.FAILED is read(slow, ref).captures[0].status
    told(slow, capturing(ref))
    slow.clock.advance(5)
    assert slow.bank.charged(ref) == DOLLARS


def test_what_an_acknowledged_capture_may_take_is_spoken_for(slow):
    ref = held(slow)
    told(slow, capturing(ref, 3000, final=False))

    assert failed(slow, capturing(ref, 2001)).code == "capture_too_large"
    assert failed(slow, canceling(ref)).code == "wrong_state"


def test_an_automatic_capture_is_decided_later_too(slow):
    facts = told(slow, creating())

    assert AttemptStatus.AUTHORIZED is facts.attempts[0].status
    assert CaptureStatus.PENDING is facts.captures[0].status
    slow.bank.settle("order_1")
    assert slow.bank.charged("order_1") == DOLLARS


def test_a_hold_does_not_lapse_under_a_capture_that_is_pending():
    like = adyen_like()
    fake = FakeProvider(
        behaviour=Behaviour(
            name="very slow",
            idempotency=like.idempotency,
            resolution=stripe_like().resolution,
            acknowledges=True,
            decides_after=timedelta(days=8),
        )
    )
    ref = held(fake)
    told(fake, capturing(ref))

    fake.clock.advance(timedelta(days=7, hours=12))
    assert read(fake, ref).attempts[0].status is AttemptStatus.AUTHORIZED
    fake.clock.advance(timedelta(hours=12))

    assert AttemptStatus.SUCCEEDED is read(fake, ref).attempts[0].status
    assert fake.bank.charged(ref) == DOLLARS


def test_an_acknowledged_cancel_is_under_way_until_it_is_decided(slow):
    ref, key = held(slow), new_key()
    asked = told(slow, canceling(ref), key)
    assert AttemptStatus.PROCESSING is asked.attempts[0].status
    assert failed(slow, canceling(ref)).code == "wrong_state"
    assert isinstance(found(slow, canceling(ref), key), Answer)

    slow.clock.advance(5)

    assert AttemptStatus.CANCELED is read(slow, ref).attempts[0].status
    assert isinstance(found(slow, canceling(ref), key), Answer)


def test_an_acknowledged_cancel_may_be_refused(slow):
    ref, key = held(slow), new_key()
    slow.next("cancel_payment", Declined())
    asked = told(slow, canceling(ref), key)

    slow.clock.advance(5)

    (attempt,) = read(slow, ref).attempts
    assert AttemptStatus.AUTHORIZED is attempt.status
    assert attempt.rank > asked.attempts[0].rank
    assert deliveries(slow)[-1].type == "payment.kept"
    assert FailureKind.NOT_FOUND is found(slow, canceling(ref), key).kind


def test_of_a_cancel_and_a_capture_that_meet_the_capture_wins(slow):
    ref = held(slow)
    told(slow, canceling(ref))
    told(slow, capturing(ref))

    slow.clock.advance(5)

    assert slow.bank.charged(ref) == DOLLARS
    assert AttemptStatus.SUCCEEDED is read(slow, ref).attempts[0].status


def test_an_acknowledged_refund_is_pending_until_it_is_decided(slow):
    ref = paid(slow)
    slow.clock.advance(5)
    (asked,) = told(slow, refunding(ref)).refunds
    assert RefundStatus.PENDING is asked.status
    assert Money(0, "USD") == slow.bank.refunded(ref)

    slow.clock.advance(5)

    assert RefundStatus.SUCCEEDED is read(slow, ref).refunds[0].status


def test_right_after_the_answer_is_soon_enough_for_a_bank_without_patience():
    fake = FakeProvider(behaviour=adyen_like())
    ref = paid(fake)

    assert RefundStatus.PENDING is told(fake, refunding(ref)).refunds[0].status
    assert Money(1000, "USD") == fake.bank.refunded(ref)


# -- saved methods --------------------------------------------------------------------------------


def test_a_saved_method_pays_while_the_customer_is_absent(fake):
    customer = fake.bank.add_customer()
    paid(fake, customer=customer, save_payment_method=True)
    (token,) = fake.bank.methods(customer)

    facts = told(fake, creating(token, customer=customer, off_session=True))

    assert AttemptStatus.SUCCEEDED is facts.attempts[0].status


def test_a_method_is_not_saved_when_it_does_not_pay(fake):
    customer = fake.bank.add_customer()

    paid(fake, Tokens.EXPIRED, customer=customer, save_payment_method=True)

    assert fake.bank.methods(customer) == ()


def test_a_saved_method_is_its_customers_alone(fake):
    owner, other = fake.bank.add_customer(), fake.bank.add_customer()
    paid(fake, customer=owner, save_payment_method=True)
    (token,) = fake.bank.methods(owner)

    assert failed(fake, creating(token, customer=other)).code == "no_such_method"
    assert failed(fake, creating(token)).code == "no_such_method"


def test_a_customer_has_to_exist(fake):
    assert failed(fake, creating(customer="bu_000001")).code == "no_such_customer"
    assert failed(fake, creating(save_payment_method=True)).code == "no_such_customer"


# -- found ----------------------------------------------------------------------------------------


def test_what_carries_a_tag_is_found_by_it(fake):
    made, tried, taken, canceled, back = (new_key() for _ in range(5))
    ref = told(fake, creating(confirm=False, manual=True), made).attempt_ref
    told(fake, confirming(ref), tried)
    told(fake, capturing(ref), taken)
    told(fake, refunding(ref), back)
    voided = held(fake)
    told(fake, canceling(voided), canceled)

    for command, key in (
        (creating(), made),
        (confirming(ref), tried),
        (capturing(ref), taken),
        (refunding(ref), back),
        (canceling(voided), canceled),
    ):
        outcome = found(fake, command, key)
        assert isinstance(outcome, Answer)
        assert key == outcome.facts.tag
        assert (voided if key == canceled else ref) == outcome.facts.attempt_ref


def test_there_is_no_searching_for_what_the_bank_does_not_keep(fake):
    key = new_key()
    told(fake, creating(), key)
    sample = fake.render(creating(), key)
    target = f"/search?what=planets&tag={key}"
    request = type(sample)(operation="find", method="GET", target=target, mutates=False)

    answer = fake._setup.server.handle(
        request, api_key=Secret("any"), script=fake.script, timeout=1
    )

    assert answer.status == 404


def test_a_tag_is_no_evidence_for_another_operation(fake):
    made, taken = new_key(), new_key()
    ref = told(fake, creating(manual=True), made).attempt_ref
    told(fake, capturing(ref), taken)

    assert found(fake, creating(), taken).kind is FailureKind.NOT_FOUND
    assert found(fake, confirming(ref), taken).kind is FailureKind.NOT_FOUND
    for command in (capturing(ref), canceling(ref), refunding(ref)):
        assert FailureKind.NOT_FOUND is found(fake, command, made).kind
    assert FailureKind.NOT_FOUND is found(fake, creating(), new_key()).kind


def test_a_capture_is_found_by_its_own_tag_in_a_running_total(fake):
    ref, first = held(fake), new_key()
    told(fake, capturing(ref, 1000, final=False), first)
    told(fake, capturing(ref, 500, final=False))

    (capture,) = found(fake, capturing(ref, 1000, final=False), first).facts.captures

    assert (first, 1500) == (capture.tag, capture.amount.minor)


def test_a_lagging_search_does_not_find_what_is_there():
    like = stripe_like()
    fake = FakeProvider(
        behaviour=Behaviour(
            name="lagging",
            idempotency=like.idempotency,
            resolution=like.resolution,
            search_lag=timedelta(minutes=1),
        )
    )
    key = new_key()
    told(fake, creating(), key)

    assert FailureKind.NOT_FOUND is found(fake, creating(), key).kind
    fake.clock.advance(61)
    assert isinstance(found(fake, creating(), key), Answer)


# -- time -----------------------------------------------------------------------------------------


def test_two_changes_never_have_the_same_moment_unless_the_bank_counts_seconds():
    fine, coarse = FakeProvider(behaviour=keyless()), FakeProvider(behaviour=stripe_like())
    moments = []
    for fake in (fine, coarse):
        facts = told(fake, creating(confirm=False))
        after = told(fake, confirming(facts.attempt_ref))
        moments.append((facts.attempts[0].at, after.attempts[0].at))

    assert moments[0][0] < moments[0][1]
    assert moments[1][0] == moments[1][1] == coarse.clock.now()


def test_states_of_one_second_are_ranked_in_the_order_they_happened(fake):
    ref = told(fake, creating(Tokens.AUTHENTICATE, confirm=False)).attempt_ref
    told(fake, confirming(ref, None))
    fake.bank.authenticate(ref, ok=False)
    told(fake, confirming(ref, None, attempt=2))
    fake.bank.authenticate(ref)

    facts = [d.facts.attempts[0] for d in deliveries(fake)]

    assert [f.status for f in facts] == [
        AttemptStatus.REQUIRES_CONFIRMATION,
        AttemptStatus.REQUIRES_ACTION,
        AttemptStatus.DECLINED,
        AttemptStatus.REQUIRES_ACTION,
        AttemptStatus.SUCCEEDED,
    ]
    assert len({f.at for f in facts}) == 1
    ranks = [f.rank for f in facts]
    assert sorted(set(ranks)) == ranks


def test_the_banks_time_never_goes_back():
    fake = FakeProvider(behaviour=keyless())
    before = told(fake, creating()).attempts[0].at

    fake.clock.step_back(3600)

    assert told(fake, creating()).attempts[0].at > before


# -- asked afterwards -----------------------------------------------------------------------------


def test_a_double_charge_shows(fake):
    paid(fake, reference="order_7")
    paid(fake, reference="order_7")

    assert Money(10_000, "USD") == fake.bank.charged("order_7")
    assert len(fake.bank.payments_named("order_7")) == 2


def test_nothing_is_charged_for_a_name_that_nobody_knows(fake):
    assert Money(0, "EUR") == fake.bank.charged("order_9", "EUR")
    assert fake.bank.effects("order_9") == 0
    assert fake.bank.requests("order_9") == 0
    with pytest.raises(LookupError, match="order_9"):
        fake.bank.payment("order_9")
    with pytest.raises(LookupError, match="order_9"):
        fake.bank.settle("order_9")


def test_a_payment_is_known_by_all_its_names(fake):
    made, taken, back = new_key(), new_key(), new_key()
    facts = told(fake, creating(manual=True), made)
    capture = told(fake, capturing(facts.attempt_ref), taken).captures[0].ref
    refund = told(fake, refunding(facts.attempt_ref), back).refunds[0].ref

    names = ("order_1", "return_1", facts.attempt_ref, made, taken, back, capture, refund)
    assert len({fake.bank.payment(name) for name in names}) == 1
    assert Money(4000, "USD") == fake.bank.moved(back)


def test_everything_that_was_taken_or_given_back_is_listed(fake):
    ref = paid(fake)
    told(fake, refunding(ref))

    assert [c.amount for c in fake.bank.captures] == [5000]
    assert [r.amount for r in fake.bank.refunds] == [1000]
    assert repr(fake.bank) == "<Bank stripe-like: 1 payments>"


def test_every_execution_counts_as_one_effect(fake):
    key, other = new_key(), new_key()
    ref = told(fake, creating(Tokens.EXPIRED), key).attempt_ref
    told(fake, confirming(ref), other)
    ask(fake, creating(Tokens.EXPIRED), key)

    assert (fake.bank.effects(key), fake.bank.effects(other)) == (1, 1)
    assert (fake.bank.requests(key), fake.bank.requests(other)) == (2, 1)
