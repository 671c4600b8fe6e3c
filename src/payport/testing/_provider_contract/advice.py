"""
What an author does about a red check: a sentence for each, or for its group, added to the failure.

The assertion says what was seen; the advice says where to look and what to write there. It knows no
processor, and nothing here decides whether a check is red.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pytest

__all__ = ["ADVICE", "GROUPS", "advice_on", "advised"]

T = TypeVar("T", bound=type)

#: What to look at, by the group of checks (the module that they are in).
GROUPS: Final[Mapping[str, str]] = {
    "declarations": (
        "Compare the ProviderSpec, and `lacks` of the test, with what the adapter does."
    ),
    "payments": (
        "Look at the table of the attempt's states, at where money is read as captured, and at "
        "whether the simulator does what the bank does."
    ),
    "captures": (
        "Make each capture a CaptureFact with a ref, amount and tag of its own, pending where it "
        "is only acknowledged; report what fails later under the same ref."
    ),
    "refunds": (
        "Make each refund a RefundFact with a ref, amount and tag of its own, pending where it "
        "is only acknowledged; report what fails later under the same ref. A dispute is a "
        "DisputeFact."
    ),
    "listings": (
        "list_payments and list_refunds return the newest first, whole and once; next_cursor "
        "names the last item of a page, and an item that cannot be read fails it."
    ),
    "events": (
        "list_events returns the newest first, whole and once, as the webhooks said it; "
        "retrieve_subject reads what an event is about, and a payout is a PayoutFact."
    ),
    "idempotency": (
        "Compare the IdempotencyProfile with what the processor does, and see that `key` reaches "
        "the request, is in no other one, and that the simulator keeps answers by it."
    ),
    "doubts": (
        "Look at what each answer proves: everything that is not in the table of errors, by "
        "status and the processor's own code, is FailureKind.UNKNOWN, whatever its status."
    ),
    "sending": (
        "Render the request from the command and the key alone, as the first thing that the "
        "exchange yields, and let SyncProvider or AsyncProvider run it."
    ),
    "webhooks": (
        "Look at Delivery and Statement: what is the same for every delivery of a statement, "
        "which payment it is about, and that the facts are those that a read would bring."
    ),
    "forgeries": (
        "Verify before anything is read, in constant time (`matched_secret`), and turn whatever "
        "is wrong with what anybody sent into WebhookRejected, and nothing else."
    ),
    "hints": (
        "Return `hint(ref, now)` from parse_webhook and Statement(needs_fetch=True) from "
        "read_webhook, and read nothing else of a webhook that is not signed."
    ),
    "money": (
        "Convert amounts in one place, by the currency's exponent and the spec's exceptions, "
        "with integers or Decimal; refuse what would have to be rounded, before the first yield."
    ),
    "secrecy": (
        "Keep credentials in a Secret, reveal them where they are written and in no variable, "
        "seal raw objects and tokens (Sealed), and chain no exception whose frames hold them."
    ),
}

_TAG: Final = (
    "Put `key` on the object (metadata, reference), and tell it back as `tag`: of the payment on "
    "Facts, of a capture or refund on its own fact."
)
_EVIDENCE: Final = (
    "`find` answers with an object only if our key is on it, for a capture or refund on that very "
    "one; what merely looks alike is NOT_FOUND."
)
_DATES: Final = (
    "Date facts by the moment at which the object says that it changed last, never by now nor "
    "by the answer; where moments tie, let `rank` order the states."
)
_NO_EFFECT: Final = (
    "List the processor's own codes that prove that nothing was executed; raise "
    "TransportError(sent=False) only where no connection was made."
)

#: What to do, by the check. Each says more than its group does.
ADVICE: Final[Mapping[str, str]] = {
    "everything_is_either_declared_or_lacked": (
        "Declare the capability in the spec, or list it in `lacks` of the test with the reason "
        "why the processor has nothing like it."
    ),
    "whatever_is_lacked_has_a_reason": (
        "Write beside each capability in `lacks` why it is not there."
    ),
    "what_is_declared_works_and_what_is_lacked_is_refused": (
        "Take the capability out of the spec and into `lacks`, or make it work; begin each "
        "operation with `self.spec.check(command)`, so that what is lacked is refused before "
        "anything is sent."
    ),
    "the_account_is_the_same_for_everybody_with_the_key": (
        "`account()` returns the id that the processor gives for these credentials, and the "
        "address; not the key, and nothing that changes."
    ),
    "constructing_sends_nothing": "Ask for the account in `account()`, not in the constructor.",
    "closing_twice_is_closing": (
        "Close what the provider opened itself, once; leave clients open that were passed."
    ),
    "threads_do_not_disturb_one_another": (
        "Keep nothing of a call on the adapter or the sender: an exchange has local variables."
    ),
    "everything_that_is_made_carries_our_tag": _TAG,
    "a_capture_carries_our_tag": _TAG,
    "a_refund_carries_our_tag": _TAG,
    "absence_proves_nothing": _EVIDENCE,
    "an_equal_payment_made_by_hand_is_not_found": _EVIDENCE,
    "an_equal_refund_made_by_hand_is_not_found": _EVIDENCE,
    "an_equal_refund_of_ours_is_not_found_for_another": _EVIDENCE,
    "an_equal_capture_of_ours_is_not_found_for_another": _EVIDENCE,
    "facts_are_dated_by_the_provider": _DATES,
    "a_replay_undoes_nothing_that_was_told_since": _DATES,
    "a_replay_says_what_was_answered_first": _DATES,
    "the_order_in_which_it_is_told_does_not_matter": _DATES,
    "what_was_refused_unread_had_no_effect": _NO_EFFECT,
    "how_long_to_wait_is_told": _NO_EFFECT,
    "a_decline_is_an_answer_with_its_reason": (
        "A decline is an Answer with a DECLINED attempt and a Decline from the table of reasons, "
        "not a Failure, whatever its status. If your processor has fewer words than the bank, "
        "say in Harness.decline as what each of its reasons arrives."
    ),
    "what_each_card_does_is_told": (
        "Add the state to the table of the attempt's states; give None in Harness.token for "
        "cards that the processor has nothing like."
    ),
    "what_the_customer_needs_is_told_again": (
        "Tell `next_action` from retrieve_payment too: it is never stored."
    ),
    "a_payment_that_nobody_made_is_not_found": (
        "List the code for an unknown object of a read as FailureKind.NOT_FOUND."
    ),
    "doubt_is_doubt_until_there_is_evidence": (
        "Classify the answer as FailureKind.UNKNOWN; then one of the declared ways of resolution "
        "has to find what happened."
    ),
    "a_later_refusal_does_not_answer_an_earlier_request": (
        "Retry nothing in the sender or its HTTP client; let SyncProvider and AsyncProvider "
        "judge what several requests prove together."
    ),
    "each_declared_way_finds_a_lost_answer": (
        "Take the way out of `resolution`, or make it find the operation by our key."
    ),
    "the_last_way_is_a_person": "End `resolution` in Resolution.REVIEW, and name each way once.",
    "the_caller_says_how_long_to_wait": (
        "Hand `timeout` on to the HTTP client, for the whole request."
    ),
    "one_key_has_one_effect_however_often_it_is_sent": (
        "Send `key` where `placement` says. If the processor has no keys, declare `life=None`: "
        "then nothing is sent twice."
    ),
    "a_key_lives_as_long_as_declared": "Declare the shortest life that the documentation gives.",
    "server_errors_are_remembered_as_declared": "Declare `replays_errors` as it is there.",
    "the_key_goes_where_it_is_declared": (
        "Write `placement` as `header Name` or `body field`, and put the key there."
    ),
    "without_keys_nothing_is_resolved_by_sending_again": (
        "Take Resolution.REPLAY out of `resolution`: a processor without keys would carry the "
        "request out once more."
    ),
    "payports_keys_fit": (
        "Declare the longest key that the processor takes; payport's have 56 characters. Where "
        "fewer fit, the processor has no keys that payport could use."
    ),
    "rendering_does_nothing_and_is_repeatable": (
        "Take nothing into a request that differs the next time: no clock, no random, no set order."
    ),
    "the_guard_is_asked_before_each_write": (
        "Call `call.guard()` before each write to the wire, or subclass SyncProvider and "
        "AsyncProvider, which do."
    ),
    "a_redelivery_has_the_same_dedupe_keys": (
        "Make `dedupe_key` of the statement's id, or of what it says; not of when it was sent or "
        "signed."
    ),
    "an_unknown_event_is_kept_and_means_nothing": (
        "Return a Delivery for every signed event, and a Statement without facts for what "
        "payport has no meaning for."
    ),
    "reading_a_webhook_is_pure": (
        "Send nothing and read no clock in parse_webhook and read_webhook: `now` is passed."
    ),
    "another_version_makes_no_money": (
        "Return Statement(needs_fetch=True) for a payload of another version than the adapter "
        "was written for."
    ),
    "a_secret_can_be_replaced": "Try each of the secrets, by `matched_secret`.",
    "a_signature_counts_within_its_window_alone": (
        "Reject a signature that is older or younger than Harness.replay_window; set that to "
        "None where webhooks do not say when they were signed."
    ),
    "a_word_that_nobody_knows_is_never_guessed": "Look words up by `.get(word, UNKNOWN)`.",
    "amounts_that_the_provider_cannot_count_are_refused_before_anything_is_sent": (
        "Declare `steps` and `exponents`, and begin each operation with `self.spec.check(command)`."
    ),
}


def advice_on(check: str, module: str) -> str:
    """
    What to do about a check.

    Args:
        check: Its name, without `test_`.
        module: Where it is defined.
    """
    return ADVICE.get(check) or GROUPS.get(module.rpartition(".")[2], "")


def advised(contract: T) -> T:
    """A contract whose checks say what to do, in a note beneath the failure."""
    for name, check in inspect.getmembers(contract, inspect.isfunction):
        advice = advice_on(name.removeprefix("test_"), check.__module__)
        if name.startswith("test_") and advice:
            setattr(contract, name, _advising(check, advice))
    return contract


def _advising(check: Callable[..., None], advice: str) -> Callable[..., None]:
    @functools.wraps(check)
    def advising(*args: Any, **named: Any) -> None:
        try:
            check(*args, **named)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"What to do: {advice}")
            raise

    return advising
