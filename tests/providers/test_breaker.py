"""
The breaker: it opens after failures in a row, lets one request try, and never counts what proves
that the provider answers. Compared with a plain model over every sequence hypothesis thinks of.
"""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payport import BreakerPolicy, BreakerState, CircuitBreaker, ConfigurationError
from payport.domain.outcomes import FailureKind
from payport.providers.breaker import Permit
from payport.providers.outcomes import Failure
from payport.testing import FakeClock

WELL = object()
POLICY = BreakerPolicy(failures=3, rest=30.0)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker("fake", POLICY, clock.monotonic)


def failed(kind=FailureKind.UNAVAILABLE):
    return Failure(kind=kind, message="said so")


def send(breaker, outcome):
    permit = breaker.enter()
    if isinstance(permit, Permit):
        permit.leave(outcome)
        return True
    assert permit.kind is FailureKind.CIRCUIT_OPEN
    return False


def opened(breaker):
    for _ in range(POLICY.failures):
        assert send(breaker, failed())
    assert breaker.state is BreakerState.OPEN


def test_it_opens_after_so_many_failures_in_a_row(breaker):
    for _ in range(POLICY.failures - 1):
        send(breaker, failed())
    assert breaker.state is BreakerState.CLOSED
    send(breaker, failed())
    assert breaker.state is BreakerState.OPEN
    assert not send(breaker, WELL)


def test_a_success_in_between_starts_the_count_anew(breaker):
    for _ in range(5):
        send(breaker, failed())
        send(breaker, failed())
        send(breaker, WELL)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("kind", [FailureKind.UNAVAILABLE, FailureKind.UNKNOWN])
def test_outages_count(breaker, kind):
    for _ in range(POLICY.failures):
        send(breaker, failed(kind))
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.INVALID_REQUEST,
        FailureKind.PERMISSION,
        FailureKind.NOT_FOUND,
        FailureKind.KEY_REUSED,
        FailureKind.RATE_LIMITED,
        FailureKind.IN_PROGRESS,
        FailureKind.CONGESTED,
    ],
)
def test_what_proves_that_the_provider_answers_never_counts(breaker, kind):
    for _ in range(50):
        assert send(breaker, failed(kind))
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "kind", [FailureKind.RATE_LIMITED, FailureKind.IN_PROGRESS, FailureKind.CONGESTED]
)
def test_a_refusal_for_haste_does_not_excuse_failures(breaker, kind):
    send(breaker, failed())
    send(breaker, failed())
    send(breaker, failed(kind))
    send(breaker, failed())
    assert breaker.state is BreakerState.OPEN


def test_the_refusal_says_when_to_come_back(breaker, clock):
    opened(breaker)
    clock.advance(10)
    refusal = breaker.enter()
    assert refusal.retry_after == pytest.approx(20)
    assert "not sent" in refusal.message


def test_after_its_rest_exactly_one_request_tries(breaker, clock):
    opened(breaker)
    clock.advance(29.9)
    assert not send(breaker, WELL)
    clock.advance(0.1)
    probe = breaker.enter()
    assert isinstance(probe, Permit)
    assert breaker.state is BreakerState.HALF_OPEN
    assert [send(breaker, WELL) for _ in range(50)] == [False] * 50
    probe.leave(WELL)
    assert breaker.state is BreakerState.CLOSED
    assert send(breaker, WELL)


def test_of_fifty_threads_one_tries(breaker, clock):
    opened(breaker)
    clock.advance(30)
    gate = threading.Barrier(50)
    entered = []

    def ask():
        gate.wait()
        permit = breaker.enter()
        if isinstance(permit, Permit):
            entered.append(permit)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1


def test_a_failed_try_rests_again(breaker, clock):
    opened(breaker)
    clock.advance(30)
    send(breaker, failed())
    assert breaker.state is BreakerState.OPEN
    clock.advance(29)
    assert not send(breaker, WELL)
    clock.advance(1)
    assert send(breaker, WELL)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("nothing", [None, failed(FailureKind.RATE_LIMITED)])
def test_a_try_that_says_nothing_lets_another_one_try(breaker, clock, nothing):
    opened(breaker)
    clock.advance(30)
    send(breaker, nothing)
    assert breaker.state is BreakerState.OPEN
    assert send(breaker, WELL)
    assert breaker.state is BreakerState.CLOSED


def test_answers_to_requests_from_before_change_nothing_while_it_is_open(breaker):
    early = [breaker.enter() for _ in range(2)]
    opened(breaker)
    early[0].leave(WELL)
    assert breaker.state is BreakerState.OPEN
    early[1].leave(failed())
    assert breaker.state is BreakerState.OPEN


def test_an_early_answer_does_not_free_the_place_of_the_one_that_tries(breaker, clock):
    early = breaker.enter()
    opened(breaker)
    clock.advance(30)
    probe = breaker.enter()
    early.leave(WELL)
    assert not send(breaker, WELL)
    probe.leave(WELL)
    assert breaker.state is BreakerState.CLOSED


def test_refused_credentials_open_it_until_a_person_closes_it(breaker, clock, caplog):
    send(breaker, failed(FailureKind.AUTHENTICATION))
    assert breaker.state is BreakerState.LOCKED
    clock.advance(86_400 * 30)
    assert not send(breaker, WELL)
    assert [r.levelname for r in caplog.records] == ["CRITICAL"]
    breaker.close()
    assert breaker.state is BreakerState.CLOSED
    assert send(breaker, WELL)


def test_refused_credentials_lock_it_while_it_is_open_too(breaker, clock):
    early = breaker.enter()
    opened(breaker)
    early.leave(failed(FailureKind.AUTHENTICATION))
    clock.advance(31)
    assert not send(breaker, WELL)
    assert breaker.state is BreakerState.LOCKED


def test_it_can_be_opened_by_hand(breaker, clock):
    breaker.open()
    clock.advance(3600)
    assert not send(breaker, WELL)
    breaker.close()
    assert send(breaker, WELL)


@pytest.mark.parametrize("policy", [{"failures": 0}, {"rest": 0}, {"rest": -1.0}])
def test_a_policy_that_cannot_work_is_refused(policy):
    with pytest.raises(ConfigurationError):
        BreakerPolicy(**policy)


class Model:
    """One request at a time, told plainly."""

    def __init__(self):
        self.run = 0
        self.rests_until = None
        self.locked = False

    def send(self, now, outcome):
        if self.locked or (self.rests_until is not None and now < self.rests_until):
            return False
        kind = outcome.kind if isinstance(outcome, Failure) else None
        probe = self.rests_until is not None
        if kind is FailureKind.AUTHENTICATION:
            self.locked = True
        elif kind in {FailureKind.UNAVAILABLE, FailureKind.UNKNOWN}:
            self.run += 1
            if probe or self.run >= POLICY.failures:
                self.rests_until = now + POLICY.rest
        elif outcome is not None and kind not in {
            FailureKind.RATE_LIMITED,
            FailureKind.IN_PROGRESS,
            FailureKind.CIRCUIT_OPEN,
            FailureKind.CONGESTED,
        }:
            self.run, self.rests_until = 0, None
        return True


OUTCOMES = st.one_of(st.just(WELL), st.none(), st.sampled_from(FailureKind).map(failed))


@given(st.lists(st.tuples(st.integers(0, 40), OUTCOMES), max_size=60))
def test_it_does_what_the_model_does(sends):
    clock, model = FakeClock(), Model()
    breaker = CircuitBreaker("fake", POLICY, clock.monotonic)
    for seconds, outcome in sends:
        clock.advance(seconds)
        assert send(breaker, outcome) is model.send(clock.monotonic(), outcome)


def test_whether_it_would_refuse_is_told_without_taking_the_one_try(breaker, clock):
    assert breaker.refusal() is None
    opened(breaker)
    refused = breaker.refusal()
    assert refused == breaker.enter()
    assert refused.unsent
    clock.advance(POLICY.rest)
    assert breaker.refusal() is None
    assert breaker.refusal() is None
    permit = breaker.enter()
    assert isinstance(permit, Permit)
    assert permit.probe
    assert breaker.refusal() is not None, "one is trying"
    permit.leave(WELL)
    breaker.open("by hand")
    assert "by hand" in breaker.refusal().message
