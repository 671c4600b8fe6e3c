"""How a mistake gets into a fake: its adapter, exchanges, outcomes and requests, changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from payport.domain.facts import AttemptFact, AttemptStatus, Facts
from payport.domain.money import Money
from payport.providers.exchange import Request
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.testing import FakeProvider
from payport.testing.fake.adapter import FakeAdapter


def with_adapter(adapter: type[FakeAdapter], fake: type = FakeProvider) -> Callable[..., Any]:
    """A fake whose adapter is another one."""

    def make(**options: Any) -> Any:
        made = fake(**options)
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
