"""Every fault: what the client sees, and what it did to the money."""

from __future__ import annotations

import pytest
from fake_calls import (
    COLOURS,
    DOLLARS,
    ask,
    capturing,
    confirming,
    creating,
    failed,
    found,
    new_key,
    paid,
    refunding,
    told,
)

from payport.domain.declines import DeclineReason
from payport.domain.errors import InvalidRequest
from payport.domain.facts import AttemptStatus, RefundStatus
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.operations.clock import SystemClock
from payport.providers.exchange import Call
from payport.providers.outcomes import Account, Answer, Failure
from payport.testing import (
    As,
    Asked,
    Conflict,
    ConnectionRefused,
    Crash,
    CrashAfter,
    CrashBefore,
    Declined,
    FakeProvider,
    Forbidden,
    Garbled,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    Slow,
    TimedOut,
    Tokens,
    Truncated,
    Unauthorized,
    Unavailable,
    adyen_like,
    keyless,
    stripe_like,
)
from payport.testing.script import OPERATIONS


@pytest.fixture(params=COLOURS.values(), ids=COLOURS)
def make(request):
    return request.param


@pytest.fixture
def fake(make):
    return make()


FAULTS = {
    "lost request": (LostRequest(), FailureKind.UNKNOWN, 0),
    "lost response": (LostResponse(), FailureKind.UNKNOWN, 1),
    "timed out after": (TimedOut(effect=True), FailureKind.UNKNOWN, 1),
    "timed out before": (TimedOut(effect=False), FailureKind.UNKNOWN, 0),
    "refused": (ConnectionRefused(), FailureKind.UNAVAILABLE, 0),
    "conflict": (Conflict(), FailureKind.IN_PROGRESS, 0),
    "rate limit": (RateLimited(retry_after=7), FailureKind.RATE_LIMITED, 0),
    "unavailable": (Unavailable(), FailureKind.UNAVAILABLE, 0),
    "server error after": (ServerError(effect=True), FailureKind.UNKNOWN, 1),
    "server error before": (ServerError(effect=False), FailureKind.UNKNOWN, 0),
    "bad gateway": (ServerError(effect=True, status=502), FailureKind.UNKNOWN, 1),
    "truncated": (Truncated(), FailureKind.UNKNOWN, 1),
    "garbled": (Garbled(), FailureKind.UNKNOWN, 1),
    "garbled 400": (Garbled(status=400), FailureKind.UNKNOWN, 1),
    "a list": (Garbled(body=b"[]"), FailureKind.UNKNOWN, 1),
    "not utf-8": (Garbled(body=b"\xff"), FailureKind.UNKNOWN, 1),
    "unauthorized": (Unauthorized(), FailureKind.AUTHENTICATION, 0),
    "forbidden": (Forbidden(), FailureKind.PERMISSION, 0),
    "too slow": (Slow(11), FailureKind.UNKNOWN, 1),
}


@pytest.mark.parametrize(("fault", "kind", "effects"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("behaviour", [stripe_like, adyen_like, keyless])
def test_a_fault_is_classified_by_what_it_proves(make, behaviour, fault, kind, effects):
    fake, key = make(behaviour=behaviour()), new_key()
    fake.next("create_payment", fault)

    failure = failed(fake, creating(), key)

    assert kind is failure.kind
    assert effects == fake.bank.effects(key)
    assert Money(5000 * effects, "USD") == fake.bank.charged("order_1")


@pytest.mark.parametrize("fault", [LostResponse(), TimedOut(), ServerError(), Truncated()])
def test_what_was_executed_is_answered_to_the_same_key_unless_errors_are_kept(make, fault):
    fake, key = make(behaviour=adyen_like()), new_key()
    fake.next("create_payment", fault)
    failed(fake, creating(), key)

    answer = ask(fake, creating(), key)

    assert isinstance(answer, Answer)
    assert answer.replayed
    assert fake.bank.effects(key) == 1


@pytest.mark.parametrize("effect", [True, False])
def test_a_bank_that_keeps_errors_answers_them_again_and_executes_nothing(fake, effect):
    key = new_key()
    fake.next("create_payment", ServerError(effect=effect))
    failed(fake, creating(), key)

    failure = failed(fake, creating(), key)

    assert (failure.kind, failure.code) == (FailureKind.UNKNOWN, "server_error")
    assert int(effect) == fake.bank.effects(key)
    assert isinstance(found(fake, creating(), key), Answer) == effect


def test_an_error_does_not_overwrite_what_is_kept(fake):
    key = new_key()
    told(fake, creating(), key)
    fake.next("create_payment", ServerError(effect=True))
    failed(fake, creating(), key)

    assert ask(fake, creating(), key).replayed


def test_a_server_error_on_a_read_is_not_kept(fake):
    ref = paid(fake)
    fake.next("retrieve_payment", ServerError())

    assert isinstance(fake.retrieve_payment(ref, Call()), Failure)
    assert isinstance(fake.retrieve_payment(ref, Call()), Answer)


def test_without_keys_every_request_is_executed(make):
    fake, key = make(behaviour=keyless()), new_key()
    fake.next("create_payment", LostResponse())
    failed(fake, creating(), key)

    told(fake, creating(), key)

    assert (fake.bank.effects(key), fake.bank.requests(key)) == (2, 2)
    assert Money(10_000, "USD") == fake.bank.charged(key)


def test_a_rate_limit_says_when_to_come_back_if_the_bank_says_so(fake):
    fake.next("create_payment", RateLimited(retry_after=2.5), RateLimited())

    assert failed(fake, creating()).retry_after == 2.5
    assert failed(fake, creating()).retry_after is None


def test_a_time_out_takes_as_long_as_the_client_waits(fake):
    fake.next("create_payment", TimedOut(effect=False))

    fake.create_payment(creating(), Call(key=new_key(), timeout=3.5))

    assert fake.clock.monotonic() == 3.5


def test_a_slow_answer_takes_its_time_and_no_longer_than_the_client_waits(fake):
    fake.next("create_payment", Slow(4), Slow(400))

    told(fake, creating())
    assert fake.clock.monotonic() == 4

    fake.create_payment(creating(), Call(key=new_key(), timeout=10))
    assert fake.clock.monotonic() == 14


def test_nobody_waits_for_a_clock_that_cannot_be_advanced(make):
    fake = make(clock=SystemClock())
    fake.next("create_payment", Slow(9))

    told(fake, creating())


def test_a_crash_passes_every_handler_of_exceptions(fake):
    key = new_key()
    fake.next("create_payment", CrashBefore(), CrashAfter())

    with pytest.raises(Crash):
        ask(fake, creating(), key)
    assert fake.bank.effects(key) == 0

    with pytest.raises(Crash):
        ask(fake, creating(), key)
    assert fake.bank.effects(key) == 1
    assert not issubclass(Crash, Exception)


def test_another_process_goes_on_where_one_crashed(make, fake):
    key = new_key()
    fake.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        ask(fake, creating(), key)

    other = make(bank=fake.bank)

    assert ask(other, creating(), key).replayed
    assert fake.bank.charged("order_1") == DOLLARS


def test_a_script_strikes_one_process_only(make, fake):
    other = make(bank=fake.bank)
    fake.next("create_payment", ConnectionRefused())

    told(other, creating())

    assert FailureKind.UNAVAILABLE is failed(fake, creating()).kind


# -- scripted -------------------------------------------------------------------------------------


def test_what_is_scripted_happens_in_order_and_then_nothing_does(fake):
    fake.next("create_payment", Declined(DeclineReason.EXPIRED_CARD), None)
    fake.next("create_payment", As(Tokens.AUTHENTICATE))

    reasons = [told(fake, creating()).attempts[0] for _ in range(4)]

    assert DeclineReason.EXPIRED_CARD is reasons[0].decline.reason
    assert [a.status for a in reasons] == [
        AttemptStatus.DECLINED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.REQUIRES_ACTION,
        AttemptStatus.SUCCEEDED,
    ]


def test_a_script_is_about_one_operation(fake):
    fake.next("confirm_payment", Declined())

    ref = told(fake, creating(confirm=False)).attempt_ref

    assert AttemptStatus.DECLINED is told(fake, confirming(ref)).attempts[0].status
    assert AttemptStatus.SUCCEEDED is told(fake, confirming(ref, None)).attempts[0].status


def test_a_scripted_decline_does_not_forget_the_payment_method(fake):
    fake.next("confirm_payment", Declined())
    ref = told(fake, creating(None, confirm=False)).attempt_ref
    told(fake, confirming(ref, Tokens.PARTIAL))

    told(fake, confirming(ref, None, attempt=2))

    assert fake.bank.charged(ref) == Money(2500, "USD")


def test_a_scripted_refund_is_declined(fake):
    ref = paid(fake)
    fake.next("create_refund", Declined())

    (refund,) = told(fake, refunding(ref)).refunds

    assert (refund.status, refund.failure_code) == (RefundStatus.FAILED, "declined")
    assert Money(0, "USD") == fake.bank.refunded(ref)


def test_a_function_may_decide_about_everything(fake):
    seen: list[Asked] = []

    def decide(asked: Asked):
        seen.append(asked)
        return Declined() if asked.fields.get("amount") == 13 else None

    fake.decide(decide)
    key = new_key()
    unlucky = told(fake, creating(amount=Money(13, "USD")), key)
    lucky = told(fake, creating(amount=Money(14, "USD")))
    fake.retrieve_payment(lucky.attempt_ref, Call())

    assert AttemptStatus.DECLINED is unlucky.attempts[0].status
    assert AttemptStatus.SUCCEEDED is lucky.attempts[0].status
    assert [a.operation for a in seen] == ["create_payment", "create_payment", "retrieve_payment"]
    assert (key, "/payments") == (seen[0].key, seen[0].target)
    assert (None, f"/payments/{lucky.attempt_ref}") == (seen[2].key, seen[2].target)
    with pytest.raises(TypeError):
        seen[0].fields["amount"] = 1


def test_a_queue_goes_before_the_function(fake):
    fake.decide(lambda asked: Declined())
    fake.next("create_payment", None)

    assert AttemptStatus.SUCCEEDED is told(fake, creating()).attempts[0].status
    assert AttemptStatus.DECLINED is told(fake, creating()).attempts[0].status


def test_a_script_says_what_did_not_happen_yet_and_can_be_cleared(fake):
    fake.next("create_payment", LostResponse(), None)
    fake.decide(lambda asked: Declined())
    assert {"create_payment": (LostResponse(), None)} == fake.script.pending

    fake.script.clear()

    assert fake.script.pending == {}
    assert AttemptStatus.SUCCEEDED is told(fake, creating()).attempts[0].status


def test_what_was_executed_is_answered_as_it_was_whatever_is_scripted(fake):
    key = new_key()
    told(fake, creating(), key)
    fake.next("create_payment", Declined())

    assert AttemptStatus.SUCCEEDED is told(fake, creating(), key).attempts[0].status


def test_every_operation_can_be_scripted(fake):
    ref = paid(fake, manual=True)
    for operation in OPERATIONS:
        fake.next(operation, ConnectionRefused())

    outcomes = [
        fake.account(Call()),
        failed(fake, creating()),
        failed(fake, confirming(ref)),
        failed(fake, capturing(ref)),
        found(fake, creating(), new_key()),
        fake.retrieve_payment(ref, Call()),
        fake.retrieve_refund("br_000001", Call()),
        failed(fake, refunding(ref)),
    ]

    assert {FailureKind.UNAVAILABLE} == {outcome.kind for outcome in outcomes}
    assert {"cancel_payment"} == set(fake.script.pending)


def test_a_misspelt_operation_is_refused_with_those_there_are(fake):
    with pytest.raises(InvalidRequest, match="create_payment"):
        fake.next("create_paymnet", LostResponse())


@pytest.mark.parametrize("nonsense", ["lost", LostResponse, 500, ValueError()])
def test_nonsense_cannot_be_scripted(fake, nonsense):
    with pytest.raises(InvalidRequest, match="is scripted, not"):
        fake.next("create_payment", nonsense)

    fake.decide(lambda asked: nonsense)
    with pytest.raises(InvalidRequest, match="is scripted, not"):
        ask(fake, creating())


def test_a_token_that_does_not_exist_cannot_stand_in(fake):
    with pytest.raises(InvalidRequest, match="pm_card_nobody"):
        fake.next("create_payment", As("pm_card_nobody"))


def test_faults_are_values():
    assert LostResponse() == LostResponse()
    assert Slow(3) != Slow(4)
    assert repr(RateLimited(retry_after=7)) == "RateLimited(retry_after=7)"


def test_a_revoked_key_is_refused_and_another_process_with_another_key_is_not(make, fake):
    fake.revoke_key()

    assert FailureKind.AUTHENTICATION is failed(fake, creating()).kind
    assert isinstance(fake.account(Call()), Failure)
    other = make(bank=fake.bank, api_key="fake_key_0002")
    assert isinstance(other.account(Call()), Account)
    told(other, creating())


def test_a_fault_during_a_request_does_not_stop_what_is_due():
    fake = FakeProvider(behaviour=adyen_like())
    ref = paid(fake)
    fake.next("create_refund", LostResponse())

    failed(fake, refunding(ref))

    assert sum(p.given_back == 1000 for p in fake.bank.vault.payments.values()) == 1
