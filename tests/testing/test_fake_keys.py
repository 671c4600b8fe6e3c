"""What the bank makes of idempotency keys, by its profile."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from fake_calls import (
    COLOURS,
    DOLLARS,
    ask,
    capturing,
    creating,
    failed,
    new_key,
    paid,
    refunding,
    told,
)

from payport.domain.errors import ConfigurationError
from payport.domain.money import Money
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability, Resolution
from payport.testing import (
    AsyncFakeProvider,
    Behaviour,
    Declined,
    FakeProvider,
    Tokens,
    adyen_like,
    keyless,
    stripe_like,
)


@pytest.fixture(params=COLOURS.values(), ids=COLOURS)
def make(request):
    return request.param


@pytest.fixture(params=[stripe_like, adyen_like], ids=["a day", "a week"])
def fake(make, request):
    return make(behaviour=request.param())


def test_the_same_request_with_the_same_key_is_answered_and_not_executed(fake):
    key = new_key()
    first = ask(fake, creating(), key)

    second = ask(fake, creating(), key)

    assert (first.replayed, second.replayed) == (False, True)
    assert first.facts == second.facts
    assert first.request_id != second.request_id
    assert (fake.bank.effects(key), fake.bank.requests(key)) == (1, 2)
    assert fake.bank.charged("order_1") == DOLLARS


def test_a_decline_is_kept_like_any_other_answer(fake):
    key = new_key()
    told(fake, creating(Tokens.EXPIRED), key)

    answer = ask(fake, creating(Tokens.EXPIRED), key)

    assert answer.replayed
    assert Certainty.CONFIRMED is answer.certainty
    assert fake.bank.effects(key) == 1


def test_another_request_with_the_same_key_is_refused(fake):
    key = new_key()
    told(fake, creating(), key)

    failure = failed(fake, creating(amount=Money(1, "USD")), key)

    assert FailureKind.KEY_REUSED is failure.kind
    assert Money(5000, "USD") == fake.bank.charged("order_1")
    assert FailureKind.KEY_REUSED is failed(fake, refunding(paid(fake)), key).kind


def test_the_same_words_about_another_payment_are_another_request(fake):
    one, other, key = paid(fake), paid(fake), new_key()
    told(fake, refunding(one), key)

    failure = failed(fake, refunding(other), key)

    assert failure.kind is FailureKind.KEY_REUSED
    assert fake.bank.refunded(other) == Money(0, "USD")


def test_a_replayed_answer_is_as_old_as_the_original(fake):
    ref, key = paid(fake, manual=True), new_key()
    first = told(fake, capturing(ref, 1000, final=False), key)
    fake.clock.advance(3600)
    told(fake, capturing(ref, 1000, final=False))

    again = ask(fake, capturing(ref, 1000, final=False), key)

    assert first == again.facts
    assert first.captures[0].at < fake.clock.now() - timedelta(minutes=59)
    assert fake.clock.now() - again.provider_time < timedelta(seconds=1)


def test_what_was_refused_is_not_kept(fake):
    ref, key = paid(fake, manual=True), new_key()
    failed(fake, refunding(ref), key)
    told(fake, capturing(ref))

    answer = ask(fake, refunding(ref), key)

    assert isinstance(answer, Answer)
    assert not answer.replayed
    assert fake.bank.effects(key) == 1


def test_a_key_is_forgotten_when_its_life_is_over(fake):
    key, life = new_key(), fake.spec.idempotency.life
    told(fake, creating(), key)
    fake.clock.advance(life - timedelta(seconds=1))
    assert ask(fake, creating(), key).replayed

    fake.clock.advance(1)

    assert not ask(fake, creating(), key).replayed
    assert Money(10_000, "USD") == fake.bank.charged(key)
    assert fake.bank.effects(key) == 2


def test_a_clock_that_steps_back_does_not_bring_a_key_back_to_life(fake):
    key, life = new_key(), fake.spec.idempotency.life
    told(fake, creating(), key)
    fake.clock.advance(life)
    failed(fake, creating("pm_card_of_nobody"))

    fake.clock.step_back(timedelta(days=3))

    assert not ask(fake, creating(), key).replayed


def test_two_processes_share_the_banks_memory(make, fake):
    key = new_key()
    told(fake, creating(), key)

    assert ask(make(bank=fake.bank), creating(), key).replayed


def test_a_stored_request_is_sent_as_it_was_stored(fake):
    key = new_key()
    exact = fake.render(creating(), key)
    told(fake, creating(), key)

    changed = creating(amount=Money(1, "USD"))
    answer = fake.create_payment(
        changed, Call(key=key, exact=type(exact).from_bytes(exact.to_bytes()))
    )

    assert answer.replayed


def test_rendering_is_pure():
    fake, command, key = FakeProvider(), creating(metadata={"a": "1"}), new_key()

    assert fake.render(command, key) == fake.render(command, key)
    assert key == fake.render(command, key).key
    assert fake.bank.payments == ()


def test_without_keys_no_key_is_sent_but_every_object_is_tagged():
    fake, key = FakeProvider(behaviour=keyless()), new_key()

    request = fake.render(creating(), key)
    facts = told(fake, creating(), key)

    assert request.key is None
    assert key == facts.tag == facts.captures[0].tag


@pytest.mark.parametrize("behaviour", [stripe_like, adyen_like, keyless])
def test_everything_that_is_made_carries_our_tag(make, behaviour):
    fake = make(behaviour=behaviour())
    made, taken, back = new_key(), new_key(), new_key()

    payment = told(fake, creating(manual=True), made)
    capture = told(fake, capturing(payment.attempt_ref), taken)
    refund = told(fake, refunding(payment.attempt_ref), back)

    assert (made, made, made) == (payment.tag, capture.tag, refund.tag)
    assert (taken, back) == (capture.captures[0].tag, refund.refunds[0].tag)


def test_one_key_in_many_threads_has_one_effect():
    fake, key, answers = FakeProvider(), new_key(), []
    barrier = threading.Barrier(16)

    def run() -> None:
        barrier.wait()
        answers.append(ask(fake, creating(), key))

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (fake.bank.effects(key), fake.bank.requests(key)) == (1, 16)
    assert sum(answer.replayed for answer in answers) == 15
    assert len({answer.facts.attempt_ref for answer in answers}) == 1


# -- declared -------------------------------------------------------------------------------------


def test_the_presets_declare_what_they_do():
    stripe, adyen, without = (
        FakeProvider(behaviour=b()).spec for b in (stripe_like, adyen_like, keyless)
    )

    assert timedelta(hours=24) == stripe.idempotency.life
    assert timedelta(days=7) == adyen.idempotency.life
    assert without.idempotency.life is None
    assert stripe.has(Capability.CREATE_UNCONFIRMED)
    assert not adyen.has(Capability.RETRIEVE_PAYMENT)
    assert adyen.resolution == (Resolution.REPLAY, Resolution.WEBHOOK, Resolution.REVIEW)
    assert Resolution.REPLAY not in without.resolution
    assert all(spec.fake and spec.name == "fake" for spec in (stripe, adyen, without))


def test_the_fake_is_like_stripe_unless_told():
    assert stripe_like() == FakeProvider().bank.behaviour == AsyncFakeProvider().bank.behaviour


@pytest.mark.parametrize(
    ("resolution", "lacks"),
    [
        ((Resolution.REPLAY, Resolution.REVIEW), frozenset()),
        ((Resolution.RETRIEVE, Resolution.REVIEW), {Capability.RETRIEVE_PAYMENT}),
        ((Resolution.FIND, Resolution.REVIEW), {Capability.FIND}),
        ((Resolution.WEBHOOK, Resolution.REVIEW), {Capability.WEBHOOKS}),
        ((Resolution.FIND,), frozenset()),
        ((), frozenset()),
    ],
)
def test_a_behaviour_does_not_promise_what_it_has_not_got(resolution, lacks):
    with pytest.raises(ConfigurationError, match="resolution"):
        Behaviour(
            name="liar",
            idempotency=keyless().idempotency,
            resolution=resolution,
            lacks=frozenset(lacks),
        )


def test_a_scripted_decline_is_an_answer_to_its_key():
    fake, key = FakeProvider(), new_key()
    fake.next("create_payment", Declined())
    first = ask(fake, creating(), key)

    assert first.facts == ask(fake, creating(), key).facts
