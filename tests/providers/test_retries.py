"""Which failures are tried again and when: exact, inside the deadline, alike in both colours."""

import asyncio
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import BaseRetrying

from payport.domain.errors import ConfigurationError
from payport.domain.facts import Facts
from payport.domain.outcomes import FailureKind
from payport.providers.outcomes import Answer, Failure
from payport.providers.retries import (
    DEFAULT_RETRIES,
    NO_RETRIES,
    Retrying,
    RetryPolicy,
    RetryRule,
)

ANSWER = Answer(facts=Facts())
FINAL = [FailureKind.INVALID_REQUEST, FailureKind.AUTHENTICATION, FailureKind.KEY_REUSED]
TRIED_AGAIN = [
    FailureKind.UNAVAILABLE,
    FailureKind.CONGESTED,
    FailureKind.IN_PROGRESS,
    FailureKind.RATE_LIMITED,
    FailureKind.UNKNOWN,
]


def failed(kind=FailureKind.UNAVAILABLE, retry_after=None):
    return Failure(kind=kind, message="no", retry_after=retry_after)


class World:
    """Scripted outcomes, a clock that only waiting and sending move, and the two drivers."""

    def __init__(self, *outcomes, deadline=20.0, cost=0.0):
        self.outcomes = list(outcomes)
        self.now = 0.0
        self.deadline = deadline
        self.cost = cost
        self.tries = 0
        self.waits = []

    def attempt(self):
        outcome = yield "send"
        return outcome

    def do(self, step):
        if step == "send":
            self.tries += 1
            self.now += self.cost
            return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        self.waits.append(step)
        self.now += step
        return None

    def retrying(self, policy=DEFAULT_RETRIES, allow=lambda _: True, chance=lambda: 0.0):
        return Retrying(
            policy, remaining=lambda: self.deadline - self.now, allow=allow, chance=chance
        )

    def drive(self, retrying):
        steps = retrying.steps(self.attempt, lambda seconds: seconds)
        try:
            step = next(steps)
            while True:
                step = steps.send(self.do(step))
        except StopIteration as finished:
            return finished.value

    async def drive_async(self, retrying):
        steps = retrying.steps(self.attempt, lambda seconds: seconds)
        try:
            step = next(steps)
            while True:
                await asyncio.sleep(0)
                step = steps.send(self.do(step))
        except StopIteration as finished:
            return finished.value


def carried_out(*outcomes, policy=DEFAULT_RETRIES, deadline=20.0, cost=0.0, **settings):
    """The outcome, the tries and the waits; checks that both colours come to the same."""
    blocking, awaited = (World(*outcomes, deadline=deadline, cost=cost) for _ in "ab")
    outcome = blocking.drive(blocking.retrying(policy, **settings))
    same = asyncio.run(awaited.drive_async(awaited.retrying(policy, **settings)))
    assert outcome == same
    assert (blocking.tries, blocking.waits) == (awaited.tries, awaited.waits)
    return outcome, blocking.tries, blocking.waits


def test_an_answer_is_not_asked_for_again():
    assert carried_out(ANSWER) == (ANSWER, 1, [])


@pytest.mark.parametrize("kind", TRIED_AGAIN)
def test_by_default_these_are_tried_again_after_one_two_and_four_seconds(kind):
    assert carried_out(failed(kind)) == (failed(kind), 4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind not in TRIED_AGAIN])
def test_by_default_nothing_else_is_tried_again(kind):
    assert carried_out(failed(kind)) == (failed(kind), 1, [])


def test_trying_again_ends_with_the_first_answer():
    assert carried_out(failed(), failed(), ANSWER) == (ANSWER, 3, [1.0, 2.0])


def test_the_last_outcome_is_returned_whatever_came_before():
    last = failed(FailureKind.INVALID_REQUEST)
    assert carried_out(failed(), last) == (last, 2, [1.0])


def test_without_retries_every_failure_is_the_last():
    assert carried_out(failed(), policy=NO_RETRIES) == (failed(), 1, [])


def test_the_operation_decides_what_may_be_sent_again_whatever_the_policy_says():
    kept_back = carried_out(
        failed(FailureKind.UNKNOWN), allow=lambda f: f.kind is not FailureKind.UNKNOWN
    )
    assert kept_back == (failed(FailureKind.UNKNOWN), 1, [])


# -- waits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "waits"),
    [(0.0, [1.0, 2.0, 4.0]), (1.0, [0.75, 1.5, 3.0]), (0.5, [0.875, 1.75, 3.5])],
)
def test_chance_takes_a_quarter_off_at_most(chance, waits):
    assert carried_out(failed(), chance=lambda: chance)[2] == waits


def test_chance_is_asked_anew_for_each_wait():
    chances = itertools.cycle([0.0, 1.0])
    assert carried_out(failed(), chance=lambda: next(chances))[2] == [1.0, 1.5, 4.0]


def test_clients_that_failed_together_do_not_come_back_together():
    random.seed(7)
    world = World(failed())
    waits = set()
    for _ in range(20):
        world = World(failed())
        world.drive(Retrying(DEFAULT_RETRIES, remaining=lambda: 20.0, allow=lambda _: True))
        waits.add(world.waits[0])
    assert len(waits) > 15
    assert all(0.75 <= wait <= 1.0 for wait in waits)


@pytest.mark.parametrize(
    ("told", "waited"), [(3.0, 3.0), (0.2, 1.0), (None, 1.0)], ids=["longer", "shorter", "silent"]
)
def test_what_the_provider_asks_to_wait_is_waited_where_it_is_longer(told, waited):
    limited = failed(FailureKind.RATE_LIMITED, retry_after=told)
    assert carried_out(limited, ANSWER) == (ANSWER, 2, [waited])


def test_chance_takes_nothing_off_what_the_provider_asked_for():
    limited = failed(FailureKind.RATE_LIMITED, retry_after=3.0)
    assert carried_out(limited, ANSWER, chance=lambda: 1.0)[2] == [3.0]


def test_only_rules_that_honour_it_wait_for_what_was_asked():
    asked = failed(FailureKind.UNAVAILABLE, retry_after=9.0)
    assert carried_out(asked, ANSWER)[2] == [1.0]


def test_each_kind_of_failure_goes_by_its_own_rule():
    policy = RetryPolicy(
        rules={
            FailureKind.UNAVAILABLE: RetryRule(waits=(1.0, 2.0), jitter=0.0),
            FailureKind.RATE_LIMITED: RetryRule(waits=(0.1, 0.2, 0.3), jitter=0.0),
        }
    )
    limited = failed(FailureKind.RATE_LIMITED)
    told = carried_out(failed(), limited, limited, limited, policy=policy)
    assert told == (limited, 4, [1.0, 0.2, 0.3])


# -- the deadline -------------------------------------------------------------------------------


def test_a_wait_that_does_not_fit_is_not_begun():
    assert carried_out(failed(), deadline=3.5) == (failed(), 3, [1.0, 2.0])
    assert carried_out(failed(), deadline=1.0) == (failed(), 1, [])


def test_a_provider_that_asks_for_more_than_there_is_time_is_not_asked_again():
    limited = failed(FailureKind.RATE_LIMITED, retry_after=60.0)
    assert carried_out(limited) == (limited, 1, [])


def test_the_time_that_sends_take_counts():
    assert carried_out(failed(), deadline=5.0, cost=1.5) == (failed(), 2, [1.0])


kinds = st.sampled_from(FailureKind)
policies = st.dictionaries(
    kinds.filter(lambda kind: kind not in FINAL),
    st.builds(
        RetryRule,
        waits=st.lists(st.floats(0, 30), max_size=5).map(tuple),
        jitter=st.floats(0, 1),
        honours_retry_after=st.booleans(),
    ),
).map(lambda rules: RetryPolicy(rules=rules))
outcomes = st.lists(
    st.builds(failed, kinds, st.none() | st.floats(0, 100)) | st.just(ANSWER),
    min_size=1,
    max_size=8,
)


@given(policies, outcomes, st.floats(0, 60), st.floats(0, 5), st.floats(0, 1))
def test_waiting_never_outlasts_the_deadline(policy, told, deadline, cost, chance):
    world = World(*told, deadline=deadline, cost=cost)
    ends = []

    def do(step, do=world.do):
        result = do(step)
        if step != "send":
            ends.append(world.now)
        return result

    world.do = do
    world.drive(world.retrying(policy, chance=lambda: chance))
    assert all(end < deadline for end in ends)
    assert world.tries <= 1 + max([len(r.waits) for r in policy.rules.values()], default=0)


# -- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FINAL)
def test_what_cannot_succeed_by_being_tried_again_has_no_rule(kind):
    with pytest.raises(ConfigurationError, match=f"{kind} cannot succeed") as caught:
        RetryPolicy(rules={kind: RetryRule(waits=(1.0,))})
    assert caught.value.field == "rules"


@pytest.mark.parametrize(
    "wrong", [{"waits": (1.0, -0.1)}, {"waits": (), "jitter": 1.1}, {"waits": (), "jitter": -0.1}]
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="must not be negative"):
        RetryRule(**wrong)


def test_a_policy_cannot_be_changed_behind_its_back():
    rules = {FailureKind.UNAVAILABLE: RetryRule(waits=(1.0,))}
    policy = RetryPolicy(rules=rules)
    rules.clear()
    assert set(policy.rules) == {FailureKind.UNAVAILABLE}
    with pytest.raises(TypeError):
        policy.rules[FailureKind.UNKNOWN] = RetryRule(waits=())


# -- tenacity -----------------------------------------------------------------------------------


def test_tenacity_decides_and_counts():
    world = World(failed(), failed(), ANSWER)
    retrying = world.retrying()
    asked = {"stop": 0, "wait": 0, "retry": 0}

    def counted(name, decide):
        def ask(state):
            asked[name] += 1
            return decide(state)

        return ask

    for name in asked:
        setattr(retrying, name, counted(name, getattr(retrying, name)))
    world.drive(retrying)
    assert isinstance(retrying, BaseRetrying)
    assert asked == {"stop": 2, "wait": 2, "retry": 3}
    assert retrying.statistics["attempt_number"] == 3
    assert retrying.statistics["idle_for"] == 3.0


def test_one_controller_can_carry_out_operation_after_operation():
    world = World(failed())
    retrying = world.retrying()
    world.drive(retrying)
    world.now = 0.0
    world.waits.clear()
    world.drive(retrying)
    assert world.waits == [1.0, 2.0, 4.0]


def test_the_controller_sleeps_for_nobody():
    with pytest.raises(ConfigurationError, match="driven by steps"):
        World(ANSWER).retrying()(print, "x")


def test_what_a_try_raises_is_not_swallowed():
    def attempt():
        yield "send"
        raise LookupError("a bug")

    steps = World(ANSWER).retrying().steps(attempt, lambda seconds: seconds)
    next(steps)
    with pytest.raises(LookupError):
        steps.send(None)
