"""Providers with one mistake each in what they do and tell: money, effects, dates."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mistakes import (
    body_changed,
    each_fact,
    is_failure,
    passed,
    refacted,
    refund_found,
    turns_red,
)

from payport.domain.declines import Decline, DeclineReason
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    Facts,
    RefundStatus,
)
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.providers.commands import CapturePayment
from payport.providers.outcomes import Answer
from payport.testing import FakeProvider
from payport.testing.fake.adapter import FakeAdapter


@turns_red(
    "test_an_amount_arrives_in_its_currency",
    "test_parts_arrive_in_its_currency",
    "test_payments_of_two_currencies_do_not_mix",
)
class DropsTheCurrency(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def in_dollars(fact):
            if isinstance(fact, AttemptFact):
                return replace(fact, authorized=Money(fact.authorized.minor, "USD"))
            return replace(fact, amount=Money(fact.amount.minor, "USD"))

        return passed(
            super()._changes(operation, target, fields, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, in_dollars)),
        )


@turns_red("test_what_an_action_brought_is_handed_in_where_the_provider_takes_it")
class ClaimsToTakeWhatAnActionBrought(FakeAdapter):
    """And stores it, and has no use for it."""

    def __init__(self, spec, *rest):
        super().__init__(replace(spec, takes_action_results=True), *rest)


@turns_red("test_an_amount_arrives_in_its_currency")
class CountsEverythingInCents(FakeAdapter):
    """Sends yen as if they had a hundred parts."""

    def create_payment(self, command, key):
        minor = command.terms.amount.minor * 10 ** (2 - command.terms.amount.exponent)
        return passed(
            super().create_payment(command, key),
            lambda one: body_changed(one, amount=int(minor)),
        )


@turns_red(
    "test_no_minor_unit_is_lost",
    "test_amounts_that_the_provider_cannot_count_are_refused_before_anything_is_sent",
    "test_a_payment_is_taken_in_full",
    "test_the_most_that_it_takes_is_taken_whole",
    "test_a_cancel_after_the_money_was_taken_changes_nothing",
    "test_a_capture_takes_what_is_held",
    "test_an_authenticated_payment_is_taken",
)
class CountsInFloats(FakeAdapter):
    def create_payment(self, command, key):
        major = round(command.terms.amount.minor / 100)
        return passed(
            super().create_payment(command, key),
            lambda one: body_changed(one, amount=major * 100),
        )


@turns_red(
    "test_more_than_was_taken_is_never_given_back",
    "test_held_money_is_not_refunded",
    "test_what_was_given_back_is_not_given_back_again",
    "test_a_refund_that_the_bank_refuses_is_told_as_failed",
)
class ReportsRefundsThatWereRefused(FakeAdapter):
    """A refund that was accepted by us was accepted."""

    def create_refund(self, command, key):
        def told(outcome):
            refused = is_failure(outcome, FailureKind.INVALID_REQUEST)
            if isinstance(outcome, Answer) and outcome.facts.refunds:
                refused = outcome.facts.refunds[0].status is RefundStatus.FAILED
            return refund_found(command, key, f"br_guess_{key[-8:]}") if refused else outcome

        return passed(super().create_refund(command, key), outcome=told)


@turns_red(
    "test_equal_refunds_are_two_refunds",
    "test_a_story_ends_in_what_the_books_say",
    "test_a_refund_gives_the_money_back",
    "test_a_refund_is_read_as_it_is_now",
    "test_a_refund_made_by_hand_is_told_and_is_not_ours",
    "test_a_refund_may_be_of_a_part",
    "test_a_refund_that_waits_is_pending_until_it_is_given",
)
class MergesEqualRefunds(FakeAdapter):
    """Names a refund after what it gives back."""

    def create_refund(self, command, key):
        def named(facts):
            amount = command.amount.minor
            refunds = tuple(replace(r, ref=f"refund_{amount}") for r in facts.refunds)
            return replace(facts, refunds=refunds)

        return passed(super().create_refund(command, key), outcome=lambda one: refacted(one, named))


@turns_red(
    "test_everything_that_is_made_carries_our_tag",
    "test_a_capture_carries_our_tag",
    "test_a_refund_carries_our_tag",
    "test_each_declared_way_finds_a_lost_answer",
    "test_an_effect_is_told_with_its_own_tag",
    "test_confirming_without_an_object_makes_one",
)
class ForgetsTheTag(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key),
            lambda one: body_changed(one, tag=None),
        )


@turns_red(
    "test_confirming_charges_the_object_that_was_made",
    "test_a_declined_object_is_tried_again_with_another_card",
)
class MakesASecondObject(FakeAdapter):
    """Confirms by paying anew."""

    def confirm_payment(self, command, key):
        return super().confirm_payment(replace(command, payment_ref=None), key)


@turns_red(
    "test_what_a_capture_leaves_can_still_be_captured",
    "test_equal_captures_are_two",
    "test_captures_add_up_to_the_whole",
)
class CapturesEverything(FakeAdapter):
    def capture_payment(self, command, key):
        return passed(
            super().capture_payment(command, key), lambda one: body_changed(one, final=True)
        )


@turns_red("test_held_money_is_not_taken")
class TakesAtOnce(FakeAdapter):
    """Does not know that money can be held."""

    def create_payment(self, command, key):
        return passed(
            super().create_payment(command, key), lambda one: body_changed(one, manual=False)
        )


@turns_red("test_reading_tells_all_that_happened")
class ReadsTheAttemptAlone(FakeAdapter):
    def _reads(self, operation, target, *, tag=None):
        return passed(
            super()._reads(operation, target, tag=tag),
            outcome=lambda one: refacted(
                one, lambda facts: replace(facts, refunds=(), disputes=())
            ),
        )


@turns_red("test_a_final_capture_of_less_releases_the_rest")
class CapturesNothingForGood(FakeAdapter):
    """Never says that a capture is the last one."""

    def capture_payment(self, command, key):
        return passed(
            super().capture_payment(command, key), lambda one: body_changed(one, final=False)
        )


@turns_red(
    "test_a_capture_of_nothing_held_takes_nothing",
    "test_a_capture_that_the_bank_refuses_is_told_as_failed",
    "test_more_than_is_held_is_never_taken",
)
class ReportsCapturesThatWereRefused(FakeAdapter):
    def capture_payment(self, command, key):
        def told(outcome):
            refused = is_failure(outcome, FailureKind.INVALID_REQUEST)
            if isinstance(outcome, Answer) and outcome.facts.captures:
                refused = outcome.facts.captures[0].status is CaptureStatus.FAILED
            return _captured(command, key) if refused else outcome

        return passed(super().capture_payment(command, key), outcome=told)


def _captured(command: CapturePayment, key: str) -> Answer:
    fact = CaptureFact(
        ref=f"bc_guess_{key[-8:]}",
        attempt_ref=command.payment_ref,
        status=CaptureStatus.SUCCEEDED,
        amount=command.amount,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        tag=key,
    )
    return Answer(facts=Facts(attempt_ref=command.payment_ref, tag=key, captures=(fact,)))


@turns_red("test_a_cancel_releases_what_is_held")
class CancelsByItself(FakeAdapter):
    """Tells what it wishes, and sends nothing."""

    def cancel_payment(self, command, key):
        yield from ()
        fact = AttemptFact(
            ref=command.payment_ref,
            status=AttemptStatus.CANCELED,
            authorized=command.amount * 0,
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return Answer(facts=Facts(attempt_ref=fact.ref, attempts=(fact,)))


@turns_red("test_an_issuer_may_authorise_less", "test_what_each_card_does_is_told")
class ClaimsWhatWasAsked(FakeAdapter):
    """Takes the amount from the command and not from the answer."""

    def create_payment(self, command, key):
        def claimed(fact):
            if isinstance(fact, AttemptFact):
                return replace(fact, authorized=command.terms.amount)
            return replace(fact, amount=command.terms.amount)

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, claimed)),
        )


@turns_red("test_facts_are_dated_by_the_provider")
class DatesInLocalTime(FakeAdapter):
    def create_payment(self, command, key):
        def shifted(fact):
            return replace(fact, at=fact.at + timedelta(hours=2))

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, shifted)),
        )


@turns_red(
    "test_an_authentication_on_a_page_brings_its_address",
    "test_an_authentication_in_the_shop_brings_its_token",
)
class ForgetsTheCustomer(FakeAdapter):
    """Says that something has to be done, and not what."""

    def create_payment(self, command, key):
        def vague(fact):
            return replace(fact, next_action=None) if isinstance(fact, AttemptFact) else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, vague)),
        )


@turns_red(
    "test_a_decline_is_an_answer_with_its_reason",
    "test_the_customers_absence_is_told_to_the_issuer",
)
class ForgetsTheDecline(FakeAdapter):
    def create_payment(self, command, key):
        def plain(fact):
            declined = isinstance(fact, AttemptFact) and fact.decline is not None
            general = Decline.of(DeclineReason.GENERIC)
            return replace(fact, decline=general) if declined else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, plain)),
        )


@turns_red(
    "test_webhooks_alone_tell_the_whole_story",
    "test_the_order_in_which_it_is_told_does_not_matter",
    "test_a_failed_authentication_is_a_decline",
    "test_an_issuer_may_decline_after_authentication",
)
class DoesNotRank(FakeAdapter):
    """Leaves the order of what happened within a second to chance."""

    def read_webhook(self, body):
        told = super().read_webhook(body)
        return tuple(
            replace(d, facts=each_fact(d.facts, lambda fact: replace(fact, rank=0)))
            if d.facts is not None
            else d
            for d in told
        )


@turns_red("test_a_payment_that_nobody_confirmed_moves_nothing")
class AlwaysConfirms(FakeAdapter):
    def create_payment(self, command, key):
        return passed(
            super().create_payment(command, key), lambda one: body_changed(one, confirm=True)
        )


@turns_red("test_a_payment_without_a_method_asks_for_one")
class CallsAMissingMethodADecline(FakeAdapter):
    """Reads one status word, and not whether anybody said no."""

    def create_payment(self, command, key):
        def declined(fact):
            missing = fact.status is AttemptStatus.REQUIRES_PAYMENT_METHOD
            why = Decline.of(DeclineReason.GENERIC)
            return replace(fact, status=AttemptStatus.DECLINED, decline=why) if missing else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, declined)),
        )


@turns_red("test_two_declines_of_one_object_are_told_apart")
class ForgetsTries(FakeAdapter):
    """Does not tell one try of an object from the next."""

    def _changes(self, operation, target, fields, key):
        def nameless(facts):
            return replace(facts, attempts=tuple(replace(a, try_ref="") for a in facts.attempts))

        return passed(
            super()._changes(operation, target, fields, key),
            outcome=lambda one: refacted(one, nameless),
        )

    def parse_webhook(self, request, *, now):
        return ()

    def read_webhook(self, body):
        return ()


@turns_red("test_a_saved_method_is_charged_while_the_customer_is_absent")
class ForgetsToSave(FakeAdapter):
    def create_payment(self, command, key):
        return passed(
            super().create_payment(command, key), lambda one: body_changed(one, save=False)
        )


@turns_red("test_threads_do_not_disturb_one_another")
class KeepsStateBetweenCalls(FakeProvider):
    """Remembers on itself what it is doing, which another thread is doing too."""

    def create_payment(self, command, call):
        self.command = command
        time.sleep(0.002)
        return super().create_payment(self.command, call)
