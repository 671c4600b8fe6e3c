# ruff: noqa: S101 - contract tests live on assert
"""
One sale, from the first request to the last webhook: what was told is applied to a `PaymentIntent`
as the client applies it, and compared with the bank's books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from payport.domain.apply import apply
from payport.domain.errors import ProviderFault
from payport.domain.facts import AttemptStatus, Facts
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentIntent
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
)
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Outcome
from payport.providers.spec import Capability, Resolution
from payport.testing._heard import Heard
from payport.testing._provider_contract.asking import Ask, Asking
from payport.testing.bank.records import Payment, State
from payport.testing.tokens import Tokens

if TYPE_CHECKING:
    from payport.testing._provider_contract.merchant import Merchant

__all__ = ["Sale", "applied", "facts_of"]


def applied(intent: PaymentIntent, facts: Facts) -> PaymentIntent:
    """A payment with facts applied, as the client does whoever brings them."""
    try:
        return apply(intent, facts).intent
    except ProviderFault as fault:
        pytest.fail(f"the facts cannot be applied: {fault}")


def facts_of(outcome: Outcome, what: str) -> Facts:
    """The facts of an outcome that has to have some."""
    assert isinstance(outcome, Answer), f"{what} brought no facts: {outcome}"
    return outcome.facts


class Sale(Asking):
    """
    One payment for one thing.

    Attributes:
        answers: All facts that were answered, in order, as often as they were answered.
    """

    def __init__(self, merchant: Merchant, amount: Money, reference: str) -> None:
        super().__init__(merchant, amount, reference)
        self.answers: list[Facts] = []

    # -- asking ---------------------------------------------------------------------------------

    def send(self, ask: Ask, **how: Any) -> Outcome:
        """Ask, and apply what was answered."""
        outcome = self.merchant.send(ask, **how)
        if isinstance(outcome, Answer):
            self.learn(outcome.facts)
        return outcome

    def told(self, ask: Ask) -> Facts:
        """Ask something that has to be answered with facts; apply and return them."""
        return facts_of(self.send(ask), ask.command.operation)

    def paid(self, token: str = Tokens.OK, **terms: Any) -> Self:
        """Pay at once, and learn what became of it."""
        self.told(self.creation(token, **terms))
        self.catch_up()
        return self

    def held(self, token: str = Tokens.OK, **terms: Any) -> Self:
        """Have the money held."""
        return self.paid(token, manual=True, **terms)

    def done(self, ask: Ask) -> Facts:
        """Ask, and learn what became of it; return what was answered at once."""
        facts = self.told(ask)
        self.catch_up()
        return facts

    # -- learning -------------------------------------------------------------------------------

    def learn(self, facts: Facts) -> None:
        """Apply facts that were answered."""
        self.answers.append(facts)
        self.intent = applied(self.intent, facts)

    def read(self) -> Facts:
        """Read the payment at the provider and apply what it says."""
        outcome = self.merchant.provider.retrieve_payment(self.ref, Call())
        facts = facts_of(outcome, "retrieve_payment")
        self.learn(facts)
        return facts

    def hear(self) -> Sequence[Heard]:
        """Receive webhooks and apply all so far about this payment; return those."""
        self.merchant.hear()
        ours = [d for d in self.merchant.heard if self.is_ours(d)]
        for delivery in ours:
            if delivery.facts is not None:
                self.intent: PaymentIntent = applied(self.intent, delivery.facts)
        return ours

    def catch_up(self) -> None:
        """Learn all that there is to be told by now, in the way that the provider has."""
        self._let_it_be_decided()
        if self.merchant.spec.has(Capability.WEBHOOKS):
            self.hear()
        elif self.merchant.spec.has(Capability.RETRIEVE_PAYMENT):
            self.read()

    def _let_it_be_decided(self) -> None:
        self.merchant.bank.visit()
        self.merchant.clock.advance(self.merchant.bank.behaviour.decides_after)

    def is_ours(self, delivery: Heard) -> bool:
        """Whether a delivery is about this payment: by our tag, else by the object."""
        refs = {attempt.ref for attempt in self.intent.attempts}
        read = delivery.facts.tag if delivery.needs_fetch and delivery.facts is not None else None
        return bool({delivery.tag, read} & {*self.keys}) or delivery.attempt_ref in refs

    # -- when an outcome is not known -----------------------------------------------------------

    def resolve(self, ask: Ask) -> Resolution | None:
        """
        Follow the declared ways until one proves that the operation took effect, and apply what it
        says. Return that way; None where only a person is left.
        """
        ways = self.merchant.spec.resolution
        return next((way for way in ways if self.resolve_by(way, ask)), None)

    def resolve_by(self, way: Resolution, ask: Ask) -> bool:
        """Whether one way proves that the operation took effect; applies what it says."""
        match way:
            case Resolution.REPLAY:
                # What the provider answers to our own request is about our own object.
                return isinstance(self.send(ask), Answer)
            case Resolution.RETRIEVE:
                ref = ask.payment_ref
                return ref is not None and self._proven(
                    self.merchant.provider.retrieve_payment(ref, Call()), ask
                )
            case Resolution.FIND:
                return self._proven(self.merchant.find(ask), ask)
            case Resolution.WEBHOOK:
                self._let_it_be_decided()
                told = [d.facts for d in self.hear() if d.facts is not None]
                return any(self.proves(ask, facts) for facts in told)
            case Resolution.REVIEW:
                return False

    def _proven(self, outcome: Outcome, ask: Ask) -> bool:
        if not isinstance(outcome, Answer):
            return False
        self.learn(outcome.facts)
        return self.proves(ask, outcome.facts)

    def proves(self, ask: Ask, facts: Facts) -> bool:
        """Whether facts that were read, found or heard prove that an operation took effect."""
        command = ask.command
        match command:
            case CreatePayment() | ConfirmPayment(payment_ref=None):
                return facts.tag == ask.key
            case ConfirmPayment():
                ours = [a for a in facts.attempts if a.ref == command.payment_ref]
                return any(a.status not in _UNCONFIRMED for a in ours)
            case CapturePayment():
                return any(c.tag == ask.key for c in facts.captures)
            case CancelPayment():
                ours = [a for a in facts.attempts if a.ref == command.payment_ref]
                return any(a.status is AttemptStatus.CANCELED for a in ours)
            case CreateRefund():
                return any(r.tag == ask.key for r in facts.refunds)

    # -- the bank's books -----------------------------------------------------------------------

    @property
    def objects(self) -> Sequence[Payment]:
        """The bank's payments for this sale, by our keys and reference."""
        names = (self.reference, *self.keys)
        found = {p.ref: p for name in names for p in self.merchant.bank.payments_named(name)}
        return tuple(found.values())

    @property
    def books(self) -> tuple[int, int, int]:
        """What the bank took, gave back and lost to disputes for this sale."""
        objects = self.objects
        return (
            sum(p.taken for p in objects),
            sum(p.given_back for p in objects),
            sum(p.disputed for p in objects),
        )

    @property
    def totals(self) -> tuple[int, int, int]:
        """What the facts say was taken, given back and lost to disputes."""
        intent = self.intent
        return intent.captured.minor, intent.refunded.minor, intent.disputed.minor

    def check_books(self, *expected: int) -> None:
        """
        The facts say what the bank's books say, and where the bank has the payment.

        Args:
            expected: What the books have to say: taken, given back, disputed; or the first.
        """
        assert self.totals == self.books, (
            f"facts say taken, given back, disputed {self.totals}; the bank's books {self.books}"
        )
        assert self.books[: len(expected)] == expected, (
            f"the bank moved {self.books}, and {expected} was to be moved"
        )
        if len(self.objects) == len(self.intent.attempts) == 1:
            payment, attempt = self.objects[0], self.intent.attempts[0]
            assert attempt.status in _STANDS[payment.state], (
                f"told as {attempt.status}, and at the bank it is {payment.state}"
            )


_A = AttemptStatus

#: How a payment may be told that stands somewhere at the bank. Some providers have one word for
#: what lapsed and what was canceled, or for what failed and what was declined.
_STANDS: Final[Mapping[State, frozenset[AttemptStatus]]] = {
    State.OPEN: frozenset({_A.REQUIRES_PAYMENT_METHOD}),
    State.READY: frozenset({_A.REQUIRES_CONFIRMATION}),
    State.CHALLENGED: frozenset({_A.REQUIRES_ACTION}),
    State.PENDING: frozenset({_A.PROCESSING}),
    # Also what the customer let lapse before anything was decided.
    State.REFUSED: frozenset({_A.DECLINED, _A.EXPIRED}),
    State.ERRORED: frozenset({_A.FAILED, _A.DECLINED}),
    State.HELD: frozenset({_A.AUTHORIZED}),
    State.DONE: frozenset({_A.SUCCEEDED}),
    State.VOIDED: frozenset({_A.CANCELED}),
    State.LAPSED: frozenset({_A.EXPIRED, _A.CANCELED}),
}

_UNCONFIRMED = frozenset(
    {AttemptStatus.REQUIRES_PAYMENT_METHOD, AttemptStatus.REQUIRES_CONFIRMATION}
)
