"""How a mistake gets into a fake: its adapter, exchanges, outcomes and requests, changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from payport.domain.facts import AttemptFact, AttemptStatus, Facts, RefundFact, RefundStatus
from payport.providers.commands import CreateRefund
from payport.providers.exchange import Request
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.testing import Behaviour, FakeProvider, stripe_like
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.provider_contract import ProviderContract

T = TypeVar("T", bound=Any)


class Mistaken(NamedTuple):
    """A provider with a mistake, and the checks that it has to turn red."""

    fake: Callable[..., Any]
    red: tuple[str, ...]
    behaviour: Callable[[], Behaviour]
    contract: type[ProviderContract]


#: Every mistake by its name; the modules named `broken_...` fill it.
MISTAKES: dict[str, Mistaken] = {}


def turns_red(
    *red: str,
    behaviour: Callable[[], Behaviour] = stripe_like,
    contract: type[ProviderContract] = ProviderContract,
) -> Callable[[T], T]:
    """Enter a mistake: an adapter for the fake, a fake, or a function that makes one."""

    def enter(broken: T) -> T:
        is_adapter = isinstance(broken, type) and issubclass(broken, FakeAdapter)
        fake = with_adapter(broken) if is_adapter else broken
        MISTAKES[broken.__name__] = Mistaken(fake, red, behaviour, contract)
        return broken

    return enter


def with_adapter(adapter: type[FakeAdapter]) -> Callable[..., FakeProvider]:
    """A fake whose adapter is another one."""

    def make(**options: Any) -> FakeProvider:
        made = FakeProvider(**options)
        honest = made.adapter
        made.adapter = adapter(honest.spec, honest.environment, honest._webhook_secrets)
        return made

    return make


def same(one: Any) -> Any:
    """No change."""
    return one


def passed(exchange, request=same, outcome=same):
    """An exchange with its requests or its outcome changed."""
    asked = next(exchange)
    try:
        while True:
            asked = exchange.send((yield request(asked)))
    except StopIteration as finished:
        return outcome(finished.value)


def refacted(outcome, change: Callable[[Facts], Facts]):
    """An outcome with its facts changed, if it has some."""
    return replace(outcome, facts=change(outcome.facts)) if isinstance(outcome, Answer) else outcome


def body_changed(request: Request, **fields: Any) -> Request:
    told = json.loads(request.body) if request.body else {}
    return replace(request, body=json.dumps({**told, **fields}).encode())


def each_fact(facts: Facts, change: Callable[[Any], Any]) -> Facts:
    return replace(
        facts,
        attempts=tuple(map(change, facts.attempts)),
        captures=tuple(map(change, facts.captures)),
        refunds=tuple(map(change, facts.refunds)),
        disputes=tuple(map(change, facts.disputes)),
    )


def is_failure(outcome: Outcome, *kinds: str) -> bool:
    """Whether an outcome is a failure of one of these kinds."""
    return isinstance(outcome, Failure) and outcome.kind in kinds


def made_up(command: Any, key: str, status: AttemptStatus) -> Answer:
    """An answer that nobody gave: the payment is in this state."""
    took = command.terms.amount if status is AttemptStatus.SUCCEEDED else command.terms.amount * 0
    fact = AttemptFact(
        ref="bp_guessed", status=status, authorized=took, at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Answer(facts=Facts(attempt_ref=fact.ref, tag=key, attempts=(fact,)))


def refund_found(command: CreateRefund, key: str, ref: str) -> Answer:
    """An answer that nobody gave: this refund was given."""
    fact = RefundFact(
        ref=ref,
        attempt_ref=command.payment_ref,
        status=RefundStatus.SUCCEEDED,
        amount=command.amount,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        tag=key,
    )
    return Answer(facts=Facts(attempt_ref=command.payment_ref, tag=key, refunds=(fact,)))
