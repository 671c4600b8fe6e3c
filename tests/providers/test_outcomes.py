"""What a call proves: only an unsent request is proof, and none of it outlives an answer."""

from datetime import UTC, datetime, timedelta

import pytest

from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.outcomes import CERTAINTY, Certainty, FailureKind
from payport.providers.exchange import TransportError
from payport.providers.outcomes import (
    Account,
    Answer,
    Failure,
    aged,
    failure_from_transport,
    judged,
)

ANSWER = Answer(facts=Facts())


def test_an_answer_confirms_even_when_it_is_replayed():
    assert ANSWER.certainty is Certainty.CONFIRMED
    assert Answer(facts=Facts(), replayed=True).certainty is Certainty.CONFIRMED


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_proves_what_its_kind_proves(kind):
    assert Failure(kind=kind, message="no").certainty is CERTAINTY[kind]


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_after_an_answered_mutation_proves_nothing(kind):
    failure = Failure(kind=kind, message="no", code="c", retry_after=2.0)
    after = judged(failure, answered=1)
    assert after.certainty is Certainty.UNKNOWN
    assert (after.kind, after.message, after.code, after.retry_after) == (kind, "no", "c", 2.0)
    assert judged(failure, answered=0) == failure


def test_an_answer_that_may_be_a_stored_one_is_as_old_as_the_first_send():
    first, now = datetime(2026, 3, 1, 12, 0, 0, 500, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
    fact = {"attempt_ref": "obj_1", "amount": Money(500, "USD"), "at": now}
    facts = Facts(
        attempts=(
            AttemptFact(
                ref="obj_1", status=AttemptStatus.AUTHORIZED, authorized=Money(500, "USD"), at=now
            ),
        ),
        captures=(CaptureFact(ref="cap_1", status=CaptureStatus.PENDING, **fact),),
        refunds=(RefundFact(ref="ref_1", status=RefundStatus.PENDING, **fact),),
    )
    answer = Answer(facts=facts, provider_time=now)
    old = aged(answer, first)
    # In whole seconds, as webhooks tell the time: what happened in the same second is not older.
    assert {told.at for told in old.facts} == {first.replace(microsecond=0)}
    assert old.provider_time == now, "how old a key is depends on it"
    assert aged(answer, None) is answer
    assert {told.at for told in aged(answer, now + timedelta(days=1)).facts} == {now}
    failure = Failure(kind=FailureKind.UNKNOWN, message="no")
    assert aged(failure, first) is failure


def test_an_answer_stands_whatever_was_answered_before():
    assert judged(ANSWER, answered=3) is ANSWER
    account = Account(id="acct_1", endpoint="https://api.example")
    assert judged(account, answered=1) is account


@pytest.mark.parametrize(
    ("sent", "kind", "certainty"),
    [
        (False, FailureKind.UNAVAILABLE, Certainty.NO_EFFECT),
        (True, FailureKind.UNKNOWN, Certainty.UNKNOWN),
    ],
)
def test_only_an_unsent_request_is_proof_that_nothing_was_executed(sent, kind, certainty):
    error = TransportError("the connection was refused", sent=sent)
    failure = failure_from_transport(error)
    assert (failure.kind, failure.certainty) == (kind, certainty)
    assert failure.message == "the connection was refused"
    assert failure.cause is error


def test_whether_a_request_was_sent_has_to_be_said():
    with pytest.raises(TypeError):
        TransportError("reset")


def test_the_exception_behind_a_failure_is_neither_compared_nor_printed():
    one, other = (
        Failure(kind=FailureKind.UNKNOWN, message="?", cause=ValueError(f"canary_{n}"))
        for n in (1, 2)
    )
    assert one == other
    assert "canary" not in repr(one)


def test_outcomes_keep_what_support_asks_for():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    answer = Answer(facts=Facts(), request_id="req_1", provider_time=moment)
    failure = Failure(
        kind=FailureKind.RATE_LIMITED, message="slow", request_id="req_2", provider_time=moment
    )
    assert (answer.request_id, failure.request_id) == ("req_1", "req_2")
    assert answer.provider_time == failure.provider_time == moment


@pytest.mark.parametrize("sent", [True, False])
def test_only_what_never_left_counts_as_unsent(sent):
    failure = failure_from_transport(TransportError("it broke", sent=sent))
    assert failure.unsent is not sent
    assert not judged(failure, answered=1).unsent, "an earlier request of the call was answered"
