# ruff: noqa: S101 - contract tests live on assert
"""
Errors and ambiguity: an outcome is never more certain than what happened allows, and what is found
out afterwards is what the bank did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.commands import Operation
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.providers.spec import Capability, Resolution
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.checks import Checks, each_of, each_operation
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing.faults import (
    Conflict,
    ConnectionRefused,
    Crash,
    CrashAfter,
    CrashBefore,
    Fault,
    Forbidden,
    Garbled,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    Slow,
    TimedOut,
    Truncated,
    Unauthorized,
    Unavailable,
)

__all__ = ["DoubtChecks"]

_PATIENCE: Final = Call().timeout

#: After these anything may have happened, so nothing is known.
_DOUBTFUL: Final[Mapping[str, Fault]] = {
    "the request was lost": LostRequest(),
    "the response was lost": LostResponse(),
    "it timed out before": TimedOut(effect=False),
    "it timed out after": TimedOut(effect=True),
    "it was too slow": Slow(_PATIENCE * 2),
    "a server error before": ServerError(effect=False),
    "a server error after": ServerError(effect=True),
    "a bad gateway after": ServerError(effect=True, status=502),
    "a gateway's time-out after": ServerError(effect=True, status=504),
    "the answer was cut": Truncated(),
    "the answer was garbled": Garbled(),
    "the answer was empty": Garbled(body=b""),
    "the answer was nothing": Garbled(body=b"null"),
    "the answer was a list": Garbled(body=b"[]"),
    "the answer was an object of nobody's": Garbled(body=b'{"hello": "world"}'),
    "the answer was no text": Garbled(body=b"\xff\xfe\x00"),
    "the answer was nested deeply": Garbled(body=b"[" * 200_000),
    "a page said bad request": Garbled(status=400),
    "a page said payment required": Garbled(status=402),
    "a page said not found": Garbled(status=404),
    "a page said unavailable": Garbled(status=503),
    "the key was in use": Conflict(),
}
#: These prove that nothing was executed. Beside each, what it is called.
_HARMLESS: Final[Mapping[str, tuple[Fault, FailureKind]]] = {
    "nobody listened": (ConnectionRefused(), FailureKind.UNAVAILABLE),
    "there were too many": (RateLimited(retry_after=7), FailureKind.RATE_LIMITED),
    "the credentials were refused": (Unauthorized(), FailureKind.AUTHENTICATION),
    "the credentials may not": (Forbidden(), FailureKind.PERMISSION),
}
#: What the reads of a protocol may meet.
_ANYTHING: Final[Mapping[str, Fault]] = {
    **_DOUBTFUL,
    **{name: fault for name, (fault, _) in _HARMLESS.items()},
    "it was unavailable": Unavailable(),
}
_WAYS: Final = [way for way in Resolution if way is not Resolution.REVIEW]


class DoubtChecks(Checks):
    """What is known after something went wrong, and how the rest is found out."""

    @each_of("fault", _DOUBTFUL)
    @each_operation
    def test_doubt_is_doubt_until_there_is_evidence(
        self, merchant: Merchant, operation: Operation, fault: Fault
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, fault)
        outcome = sale.send(ask)
        assert isinstance(outcome, Failure), f"success was guessed: {outcome}"
        assert outcome.certainty is Certainty.UNKNOWN
        _check_resolved(merchant, sale, ask)

    @each_of("case", _HARMLESS)
    @each_operation
    def test_what_was_refused_unread_had_no_effect(
        self, merchant: Merchant, operation: Operation, case: tuple[Fault, FailureKind]
    ) -> None:
        fault, kind = case
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, fault)
        outcome = sale.send(ask)
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.certainty) == (kind, Certainty.NO_EFFECT)
        assert merchant.bank.effects(ask.key) == 0

    @each_operation
    def test_a_slow_answer_is_an_answer(self, merchant: Merchant, operation: Operation) -> None:
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, Slow(_PATIENCE / 2))
        sale.done(ask)
        assert merchant.bank.effects(ask.key) == 1
        sale.check_books()

    def test_the_caller_says_how_long_to_wait(self, merchant: Merchant) -> None:
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        merchant.script.next("create_payment", Slow(_PATIENCE / 2))
        outcome = sale.send(ask, timeout=_PATIENCE / 4)
        assert outcome.certainty is Certainty.UNKNOWN
        _check_resolved(merchant, sale, ask)

    @each_operation
    def test_a_process_that_dies_takes_no_evidence_along(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        for death in (CrashBefore(), CrashAfter()):
            sale, ask = self.ready(operation, merchant)
            merchant.script.next(operation, death)
            with pytest.raises(Crash):
                sale.send(ask)
            _check_resolved(merchant, sale, ask)

    @each_operation
    def test_unavailable_is_at_most_without_effect(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, Unavailable())
        outcome = sale.send(ask)
        assert isinstance(outcome, Failure)
        # Not every provider says that it executed nothing; who does not is not believed.
        assert outcome.certainty in {Certainty.NO_EFFECT, Certainty.UNKNOWN}
        _check_resolved(merchant, sale, ask)

    def test_how_long_to_wait_is_told(self, merchant: Merchant) -> None:
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        merchant.script.next("create_payment", RateLimited(retry_after=7), RateLimited())
        waits = [outcome.retry_after for outcome in self._failures(sale, ask, 2)]
        assert waits == [7, None]

    def _failures(self, sale: Sale, ask: Ask, count: int) -> list[Failure]:
        outcomes = [sale.send(ask) for _ in range(count)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        assert len(failures) == count
        return failures

    @each_of("case", _HARMLESS)
    @each_operation
    def test_a_later_refusal_does_not_answer_an_earlier_request(
        self, merchant: Merchant, operation: Operation, case: tuple[Fault, FailureKind]
    ) -> None:
        """Whatever an adapter sends again by itself, and however many requests it makes."""
        requests = self._requests_of(operation, merchant)
        for earlier in (None, LostResponse(), LostRequest()):
            for before in range(1, requests + 1):
                sale, ask = self.ready(operation, merchant)
                merchant.script.next(operation, *[earlier] * before, case[0])
                outcome = sale.send(ask)
                merchant.script.clear()
                if merchant.bank.effects(ask.key):
                    assert outcome.certainty in {Certainty.UNKNOWN, Certainty.CONFIRMED}
                elif earlier is not None:
                    assert outcome.certainty is Certainty.UNKNOWN

    def _requests_of(self, operation: Operation, merchant: Merchant) -> int:
        sale, ask = self.ready(operation, merchant)
        before = len(merchant.sent)
        sale.told(ask)
        return len(merchant.sent) - before

    @each_operation
    def test_a_replayed_server_error_is_no_evidence(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        if not merchant.spec.idempotency.replays_errors:
            pytest.skip("the provider declares that it does not remember server errors")
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, ServerError(effect=True))
        for _ in range(3):
            assert sale.send(ask).certainty is Certainty.UNKNOWN
        _check_resolved(merchant, sale, ask)

    # -- ways to find out -----------------------------------------------------------------------

    @pytest.mark.parametrize("way", _WAYS)
    @each_operation
    def test_each_declared_way_finds_a_lost_answer(
        self, merchant: Merchant, operation: Operation, way: Resolution
    ) -> None:
        if way not in merchant.spec.resolution:
            pytest.skip(f"the provider declares nothing to be resolved by {way}")
        sale, ask = self.ready(operation, merchant)
        if way is Resolution.RETRIEVE and ask.payment_ref is None:
            pytest.skip("an object whose id nobody was told cannot be read")
        merchant.script.next(operation, LostResponse())
        assert sale.send(ask).certainty is Certainty.UNKNOWN
        assert sale.resolve_by(way, ask), f"{way} is declared and finds nothing"
        sale.catch_up()
        sale.check_books()

    def test_the_last_way_is_a_person(self, merchant: Merchant) -> None:
        ways = merchant.spec.resolution
        assert ways[-1:] == (Resolution.REVIEW,)
        assert len(set(ways)) == len(ways)

    @each_operation
    def test_absence_proves_nothing(self, merchant: Merchant, operation: Operation) -> None:
        self.needs(Capability.FIND)
        _, ask = self.ready(operation, merchant)
        absent = merchant.find(ask)
        assert isinstance(absent, Failure), "something was found that nobody made"
        assert absent.kind is FailureKind.NOT_FOUND
        assert absent.certainty is Certainty.UNKNOWN

    def test_an_equal_payment_made_by_hand_is_not_found(self, merchant: Merchant) -> None:
        self.needs(Capability.FIND)
        sale = merchant.sale()
        ask = sale.creation()
        merchant.bank.charge(sale.amount, reference=sale.reference)
        assert isinstance(merchant.find(ask), Failure)

    def test_an_equal_refund_made_by_hand_is_not_found(self, merchant: Merchant) -> None:
        self.needs(Capability.FIND, Capability.PARTIAL_REFUND)
        sale = merchant.sale().paid()
        ask = sale.refunding(1_000)
        merchant.bank.refund(sale.reference, sale.money(1_000))
        assert isinstance(merchant.find(ask), Failure)

    def test_an_equal_refund_of_ours_is_not_found_for_another(self, merchant: Merchant) -> None:
        self.needs(Capability.FIND, Capability.PARTIAL_REFUND)
        sale = merchant.sale().paid()
        sale.done(sale.refunding(1_000, reference="return_1"))
        assert isinstance(merchant.find(sale.refunding(1_000, reference="return_2")), Failure)

    def test_an_equal_capture_of_ours_is_not_found_for_another(self, merchant: Merchant) -> None:
        self.needs(Capability.FIND, Capability.MANUAL_CAPTURE, Capability.MULTIPLE_CAPTURES)
        sale = merchant.sale().held()
        sale.done(sale.taking(1_000, final=False, reference="first"))
        second = sale.taking(1_000, final=False, reference="second")
        assert isinstance(merchant.find(second), Failure)

    # -- reading --------------------------------------------------------------------------------

    @each_of("fault", _ANYTHING)
    def test_a_read_that_fails_is_a_failure_and_says_nothing(
        self, merchant: Merchant, fault: Fault
    ) -> None:
        sale = merchant.sale().paid()
        reads = {
            Capability.RETRIEVE_PAYMENT: "retrieve_payment",
            Capability.FIND: "find",
        }
        for capability in reads.keys() - self.lacks.keys():
            merchant.script.next(reads[capability], fault)
            if capability is Capability.FIND:
                outcome = merchant.find(sale.creation())
            else:
                outcome = merchant.provider.retrieve_payment(sale.ref, Call())
            assert not isinstance(outcome, Answer), f"{capability}: facts were guessed"
            assert outcome.certainty is not Certainty.REJECTED


def _check_resolved(merchant: Merchant, sale: Sale, ask: Ask) -> None:
    """The declared ways find out what happened, and what they find is what the bank did."""
    happened = merchant.bank.effects(ask.key)
    assert happened <= 1
    way = sale.resolve(ask)
    if happened:
        assert way is not None, "it happened, and no declared way finds it"
    if way is None:
        assert merchant.bank.effects(ask.key) == 0, "it happened afterwards, and nobody knows"
    assert merchant.bank.effects(ask.key) <= 1
    sale.catch_up()
    sale.check_books()
