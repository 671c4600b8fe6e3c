# ruff: noqa: S101 - contract tests live on assert
"""Idempotency: one key has one effect, for as long and in the way that the adapter declares."""

from __future__ import annotations

import string
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from payport.domain.money import Money
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.commands import Command, ConfirmPayment, CreatePayment, Operation
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.providers.spec import Capability, Resolution
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.checks import Checks, each_of, each_operation
from payport.testing._provider_contract.merchant import Merchant
from payport.testing.faults import Conflict, Fault, LostRequest, RateLimited, ServerError
from payport.testing.tokens import Tokens

__all__ = ["IdempotencyChecks"]

_SECOND: Final = timedelta(seconds=1)
_HOUR: Final = timedelta(hours=1)
#: payport's keys are never longer, whatever a provider would take.
_LONGEST_KEY: Final = 64
_ALPHABET: Final = string.ascii_letters + string.digits + "_-"

#: Answers that a provider does not remember under the key, so that the next send is carried out.
_PASSING: Final[Mapping[str, Fault]] = {
    "the request was lost": LostRequest(),
    "another was in progress": Conflict(),
    "there were too many": RateLimited(),
}
#: Answers that some providers remember under the key.
_BROKEN: Final[Mapping[str, Fault]] = {
    "after it was executed": ServerError(effect=True),
    "before it was executed": ServerError(effect=False),
}


class IdempotencyChecks(Checks):
    """What a provider makes of the same key, and of the same body under another one."""

    def needs_keys(self, merchant: Merchant) -> timedelta:
        """Skip the check where the provider has no keys; return how long it remembers them."""
        life = merchant.spec.idempotency.life
        if life is None:
            pytest.skip("the provider declares that it has no keys")
        return life

    @each_operation
    def test_one_key_has_one_effect_however_often_it_is_sent(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        for _ in range(4):
            sale.done(ask)
        assert merchant.bank.effects(ask.key) == 1
        sale.check_books()

    @each_operation
    def test_a_key_is_the_same_in_another_process(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        sale.told(ask)
        assert isinstance(merchant.another().send(ask), Answer)
        assert merchant.bank.effects(ask.key) == 1

    def test_senders_who_race_have_one_effect(self, merchant: Merchant) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        senders = [merchant, merchant.another()] * 4
        with ThreadPoolExecutor(len(senders)) as pool:
            outcomes = list(pool.map(Merchant.send, senders, [ask] * len(senders)))
        assert merchant.bank.effects(ask.key) == 1
        told = {o.facts.attempt_ref or "" for o in outcomes if isinstance(o, Answer)}
        assert len(told) == 1
        assert merchant.bank.payments_named(*told) == sale.objects

    def test_another_key_has_another_effect(self, merchant: Merchant) -> None:
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        sale.told(ask)
        sale.told(sale.under(f"{ask.key}2", ask.command))
        assert len(sale.objects) == 2  # noqa: PLR2004 - one for each key

    @each_of("fault", _PASSING)
    @each_operation
    def test_what_was_not_executed_is_executed_by_the_next_send(
        self, merchant: Merchant, operation: Operation, fault: Fault
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, fault)
        assert isinstance(sale.send(ask), Failure)
        assert merchant.bank.effects(ask.key) == 0
        sale.done(ask)
        assert merchant.bank.effects(ask.key) == 1
        sale.check_books()

    # -- what a replay says ---------------------------------------------------------------------

    @each_operation
    def test_a_replay_says_what_was_answered_first(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        first = sale.told(ask)
        merchant.clock.advance(_HOUR)
        again = merchant.send(ask)
        assert isinstance(again, Answer)
        assert list(again.facts) == list(first), "a replay is as old as what it replays"
        assert again.facts.tag == first.tag

    def test_a_replay_says_that_it_is_one(self, merchant: Merchant) -> None:
        self.needs_keys(merchant)
        if not merchant.spec.idempotency.tells_replays:
            pytest.skip("the provider's answers do not say it")
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        first, again = sale.send(ask), sale.send(ask)
        assert isinstance(first, Answer)
        assert isinstance(again, Answer)
        assert (first.replayed, again.replayed) == (False, True)

    def test_the_providers_clock_is_told_as_it_is_now(self, merchant: Merchant) -> None:
        """How old a key is depends on it, so a replay does not set it back."""
        self.needs_keys(merchant)
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        for _ in range(2):
            outcome = sale.send(ask)
            now = merchant.clock.now()
            assert isinstance(outcome, Answer)
            assert outcome.provider_time is None or abs(outcome.provider_time - now) <= _SECOND
            merchant.clock.advance(_HOUR)

    def test_a_replay_undoes_nothing_that_was_told_since(self, merchant: Merchant) -> None:
        self.needs_keys(merchant)
        self.needs(Capability.MANUAL_CAPTURE, Capability.REFUND)
        sale = merchant.sale()
        ask = sale.creation(manual=True)
        sale.done(ask)
        sale.done(sale.taking())
        sale.done(sale.refunding(1_000))
        merchant.clock.advance(_HOUR)
        before = sale.intent
        sale.done(ask)
        assert sale.intent == before
        sale.check_books(sale.amount.minor, 1_000)

    def test_a_declined_try_is_replayed_as_declined(self, merchant: Merchant) -> None:
        self.needs_keys(merchant)
        sale = merchant.sale()
        ask = sale.creation(Tokens.INSUFFICIENT_FUNDS)
        first = sale.told(ask)
        assert list(sale.told(ask)) == list(first)
        assert merchant.bank.effects(ask.key) == 1

    # -- what is declared -----------------------------------------------------------------------

    @each_operation
    def test_a_key_lives_as_long_as_declared(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        life = self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        sale.told(ask)
        merchant.clock.advance(life - _SECOND)
        sale.send(ask)
        assert merchant.bank.effects(ask.key) == 1

    @each_operation
    def test_another_body_under_a_key_is_refused(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        if operation is Operation.CANCEL_PAYMENT:
            pytest.skip("a cancel has nothing that could be another")
        sale.told(ask)
        _check_reused(merchant, replace(ask, command=_other(ask.command, merchant)))
        sale.catch_up()
        sale.check_books()

    def test_a_key_of_another_operation_is_refused(self, merchant: Merchant) -> None:
        self.needs_keys(merchant)
        self.needs(Capability.REFUND)
        sale = merchant.sale()
        paying = sale.creation()
        sale.done(paying)
        _check_reused(merchant, replace(sale.refunding(), key=paying.key))
        sale.catch_up()
        sale.check_books(sale.amount.minor, 0)

    @each_operation
    def test_a_key_in_use_is_in_progress(self, merchant: Merchant, operation: Operation) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, Conflict())
        outcome = sale.send(ask)
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.IN_PROGRESS

    @each_of("fault", _BROKEN)
    @each_operation
    def test_server_errors_are_remembered_as_declared(
        self, merchant: Merchant, operation: Operation, fault: Fault
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        merchant.script.next(operation, fault)
        assert isinstance(sale.send(ask), Failure)
        again = sale.send(ask)
        remembered = merchant.spec.idempotency.replays_errors
        assert isinstance(again, Failure) == remembered
        if isinstance(again, Failure):
            assert again.certainty is Certainty.UNKNOWN, "a replayed server error is no evidence"

    def test_long_keys_are_told_apart_to_their_last_character(self, merchant: Merchant) -> None:
        longest = min(merchant.spec.idempotency.max_length, _LONGEST_KEY)
        key = (_ALPHABET * 2)[: longest - 1]
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        for one in (sale.under(f"{key}a", ask.command), sale.under(f"{key}b", ask.command)):
            assert sale.told(one).tag == one.key
            assert merchant.bank.effects(one.key) == 1

    def test_payports_keys_fit(self, merchant: Merchant) -> None:
        assert merchant.spec.idempotency.max_length >= len(merchant.sale().creation().key)

    @each_operation
    def test_the_key_goes_where_it_is_declared(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        self.needs_keys(merchant)
        sale, ask = self.ready(operation, merchant)
        sale.told(ask)
        place, _, name = merchant.spec.idempotency.placement.partition(" ")
        sent = merchant.sent[-1]
        if place == "header":
            assert sent.headers.get(name.lower()) == ask.key
        else:
            assert ask.key.encode() in sent.body

    def test_without_keys_nothing_is_resolved_by_sending_again(self, merchant: Merchant) -> None:
        declared = merchant.spec
        if not declared.idempotency.has_keys:
            assert Resolution.REPLAY not in declared.resolution


def _other(command: Command, merchant: Merchant) -> Command:
    """The same command for a little less, and with another card where there is one."""
    if isinstance(command, CreatePayment | ConfirmPayment):
        # Where the amount was said before the confirmation, the card alone is said by it.
        card = merchant.token(Tokens.VISA)
        terms = replace(command.terms, amount=_less(command.terms.amount), payment_method=card)
        return replace(command, terms=terms)
    return replace(command, amount=_less(command.amount))


def _less(amount: Money) -> Money:
    return Money(amount.minor - 100, amount.currency)


def _check_reused(merchant: Merchant, ask: Ask) -> None:
    outcome: Outcome = merchant.send(ask)
    assert isinstance(outcome, Failure), f"another body under a used key was accepted: {outcome}"
    assert outcome.kind is FailureKind.KEY_REUSED
    assert outcome.certainty is Certainty.UNKNOWN, "something was executed under this key"
    assert merchant.bank.effects(ask.key) == 1
