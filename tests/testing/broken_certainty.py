"""Providers with one mistake each in what they know: keys, doubts, evidence."""

from dataclasses import replace
from typing import Any

from mistakes import (
    each_fact,
    is_failure,
    made_up,
    passed,
    refacted,
    turns_red,
)

from payport.domain.facts import AttemptFact, AttemptStatus, CaptureFact, CaptureStatus, Facts
from payport.domain.outcomes import FailureKind
from payport.providers.commands import ConfirmPayment, CreatePayment
from payport.providers.exchange import TransportError, run
from payport.providers.outcomes import Answer, Failure
from payport.providers.spec import Capability
from payport.testing import FakeProvider
from payport.testing.fake.adapter import FakeAdapter


@turns_red(
    "test_one_key_has_one_effect_however_often_it_is_sent",
    "test_a_key_lives_as_long_as_declared",
    "test_senders_who_race_have_one_effect",
    "test_a_declined_try_is_replayed_as_declined",
    "test_a_key_is_the_same_in_another_process",
    "test_a_replay_undoes_nothing_that_was_told_since",
    "test_server_errors_are_remembered_as_declared",
)
class IgnoresKeys(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key), lambda one: replace(one, key=None)
        )


@turns_red(
    "test_long_keys_are_told_apart_to_their_last_character", "test_another_key_has_another_effect"
)
class CutsKeys(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return super()._changes(operation, target, {**fields, "tag": key[:40]}, key[:40])


@turns_red("test_the_key_goes_where_it_is_declared")
class PutsKeysElsewhere(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key),
            lambda one: replace(one, key=one.key[::-1] if one.key else None),
        )


@turns_red(
    "test_another_body_under_a_key_is_refused", "test_the_providers_clock_is_told_as_it_is_now"
)
class AcceptsAnotherBodyUnderAKey(FakeProvider):
    """Remembers its own answers, and looks at the key alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._answers: dict[str, Answer] = {}

    def _run(self, exchange, call):
        if call.key in self._answers:
            exchange.close()
            return self._answers[call.key]
        outcome = super()._run(exchange, call)
        if call.key and isinstance(outcome, Answer):
            self._answers[call.key] = outcome
        return outcome


@turns_red("test_a_replay_says_what_was_answered_first")
class DatesReplaysAsNow(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def dated(answer):
            at = getattr(answer, "provider_time", None)
            return refacted(
                answer, lambda facts: each_fact(facts, lambda fact: replace(fact, at=at or fact.at))
            )

        return passed(super()._changes(operation, target, fields, key), outcome=dated)


@turns_red("test_a_replay_says_that_it_is_one")
class HidesReplays(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def hidden(outcome):
            return replace(outcome, replayed=False) if isinstance(outcome, Answer) else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=hidden)


@turns_red("test_another_body_under_a_key_is_refused", "test_a_key_of_another_operation_is_refused")
class CallsAUsedKeyARejection(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def classified(outcome):
            used = is_failure(outcome, FailureKind.KEY_REUSED)
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if used else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=classified)


@turns_red("test_doubt_is_doubt_until_there_is_evidence")
class MapsUnknownToFailed(FakeAdapter):
    """What is not understood is told as a failed payment."""

    def create_payment(self, command, key):
        def told(outcome):
            unknown = is_failure(outcome, FailureKind.UNKNOWN)
            return made_up(command, key, AttemptStatus.FAILED) if unknown else outcome

        return passed(super().create_payment(command, key), outcome=told)


@turns_red("test_a_word_that_nobody_knows_is_never_guessed")
class CallsUnheardOfWordsFailed(FakeAdapter):
    def read_webhook(self, body):
        def guessed(fact):
            unknown = fact.status == "unknown"
            failed = CaptureStatus.FAILED if isinstance(fact, CaptureFact) else AttemptStatus.FAILED
            return replace(fact, status=failed) if unknown else fact

        told = super().read_webhook(body)
        return tuple(
            replace(d, facts=each_fact(d.facts, guessed)) if d.facts is not None else d
            for d in told
        )


@turns_red(
    "test_doubt_is_doubt_until_there_is_evidence", "test_a_replayed_server_error_is_no_evidence"
)
class TreatsServerErrorsAsDeclines(FakeAdapter):
    def create_payment(self, command, key):
        def told(outcome):
            broken = is_failure(outcome, FailureKind.UNKNOWN) and outcome.code == "server_error"
            return made_up(command, key, AttemptStatus.DECLINED) if broken else outcome

        return passed(super().create_payment(command, key), outcome=told)


@turns_red(
    "test_doubt_is_doubt_until_there_is_evidence",
    "test_what_was_not_executed_is_executed_by_the_next_send",
    "test_what_was_refused_unread_had_no_effect",
)
class GuessesSuccess(FakeProvider):
    """After a lost response: 'it usually works'."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        if isinstance(outcome, Failure) and isinstance(outcome.cause, TransportError):
            return made_up(command, call.key or "", AttemptStatus.SUCCEEDED)
        return outcome


@turns_red("test_a_later_refusal_does_not_answer_an_earlier_request")
class TakesTheLastError(FakeProvider):
    """Sends again by itself and reports how the last send ended."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        return super().create_payment(command, call) if isinstance(outcome, Failure) else outcome


@turns_red(
    "test_a_later_refusal_does_not_answer_an_earlier_request", "test_a_slow_answer_is_an_answer"
)
class ForgetsWhatWasAnswered(FakeProvider):
    """Two requests for one operation, and only the second one counts."""

    def create_payment(self, command, call):
        if not command.confirm or not self.spec.has(Capability.CREATE_UNCONFIRMED):
            return super().create_payment(command, call)
        first = super().create_payment(replace(command, confirm=False), call)
        if not isinstance(first, Answer):
            return first
        confirm = ConfirmPayment(
            payment_id=command.payment_id,
            reference=command.reference,
            attempt=command.attempt,
            payment_ref=first.facts.attempt_ref,
            terms=command.terms,
        )
        second = passed(
            self.adapter.confirm_payment(confirm, call.key),
            lambda one: replace(one, operation="create_payment", key=one.key and f"{one.key}_2"),
        )
        try:
            return run(second, lambda one: self._send(one, timeout=call.timeout))
        except TransportError as error:
            kind = FailureKind.UNKNOWN if error.sent else FailureKind.UNAVAILABLE
            return Failure(kind=kind, message="no")


@turns_red("test_doubt_is_doubt_until_there_is_evidence")
class BelievesPages(FakeAdapter):
    """A 400 is a rejection, whoever answered it."""

    def _changes(self, operation, target, fields, key):
        def told(outcome):
            page = is_failure(outcome, FailureKind.UNKNOWN) and "status 400" in outcome.message
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if page else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=told)


@turns_red("test_a_key_in_use_is_in_progress")
class CallsInProgressUnknown(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def told(outcome):
            busy = is_failure(outcome, FailureKind.IN_PROGRESS)
            return replace(outcome, kind=FailureKind.UNKNOWN) if busy else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=told)


@turns_red("test_unavailable_is_at_most_without_effect")
class CallsUnavailableARejection(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def told(outcome):
            down = is_failure(outcome, FailureKind.UNAVAILABLE)
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if down else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=told)


@turns_red("test_how_long_to_wait_is_told")
class ForgetsHowLongToWait(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def told(outcome):
            failed = isinstance(outcome, Failure)
            return replace(outcome, retry_after=None) if failed else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=told)


@turns_red(
    "test_a_payment_that_nobody_made_is_not_found", "test_a_refund_that_nobody_made_is_not_found"
)
class InventsWhatItCannotRead(FakeAdapter):
    """An empty answer is an answer."""

    def _reads(self, operation, target, *, tag=None):
        def told(outcome):
            absent = is_failure(outcome, FailureKind.NOT_FOUND)
            return Answer(facts=Facts(attempt_ref=target)) if absent else outcome

        return passed(super()._reads(operation, target, tag=tag), outcome=told)


@turns_red("test_what_the_customer_needs_is_told_again")
class HidesTheCustomersTask(FakeAdapter):
    """Reading a payment does not bring what the customer needs."""

    def _reads(self, operation, target, *, tag=None):
        def hidden(fact):
            return replace(fact, next_action=None) if isinstance(fact, AttemptFact) else fact

        return passed(
            super()._reads(operation, target, tag=tag),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, hidden)),
        )


@turns_red(
    "test_doubt_is_doubt_until_there_is_evidence",
    "test_a_read_that_fails_is_a_failure_and_says_nothing",
    "test_an_account_that_cannot_be_asked_for_is_a_failure",
)
class RaisesInsteadOfTelling(FakeProvider):
    def _run(self, exchange, call):
        return run(exchange, lambda one: self._send(one, timeout=call.timeout))


@turns_red(
    "test_a_process_that_dies_takes_no_evidence_along", "test_what_the_guard_forbids_never_leaves"
)
class CatchesEverything(FakeProvider):
    """Also what is no error: that its own process ends."""

    def create_payment(self, command, call):
        try:
            return super().create_payment(command, call)
        except BaseException as error:  # noqa: BLE001 - the mistake
            return Failure(kind=FailureKind.UNAVAILABLE, message="caught", cause=error)


@turns_red(
    "test_an_equal_refund_made_by_hand_is_not_found",
    "test_an_equal_refund_of_ours_is_not_found_for_another",
    "test_an_equal_capture_of_ours_is_not_found_for_another",
    "test_an_equal_payment_made_by_hand_is_not_found",
)
class FindsUntagged(FakeProvider):
    """What has the right amount will be the one."""

    def find(self, lookup, call):
        outcome = super().find(lookup, call)
        command, key = lookup.command, lookup.key
        if not is_failure(outcome, FailureKind.NOT_FOUND):
            return outcome
        if isinstance(command, CreatePayment):
            named = self.bank.payments_named(command.reference)
            return made_up(command, key, AttemptStatus.SUCCEEDED) if named else outcome
        minor = getattr(getattr(command, "amount", None), "minor", None)
        alike = [one for one in (*self.bank.refunds, *self.bank.captures) if one.amount == minor]
        facts = Facts(attempt_ref=lookup.payment_ref, tag=key)
        return Answer(facts=facts) if alike else outcome


@turns_red("test_absence_proves_nothing")
class CallsAbsenceARejection(FakeAdapter):
    def find(self, lookup):
        def told(outcome):
            absent = is_failure(outcome, FailureKind.NOT_FOUND)
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if absent else outcome

        return passed(super().find(lookup), outcome=told)
