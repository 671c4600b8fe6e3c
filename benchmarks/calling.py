"""What payport adds around a provider's call: driving its exchange, and being ready to retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

from figures import Figure, at_most, best, cpu

from payport.domain.facts import Facts
from payport.providers.exchange import Exchange, Request, Response, run
from payport.providers.outcomes import Answer, Outcome
from payport.providers.retries import DEFAULT_RETRIES, Retrying


def exchange_figure() -> Figure:
    """What driving an exchange costs over calling the sender and the parser directly."""
    request = Request(operation="create_payment", method="POST", target="/")
    response = Response(status=200)
    rounds = 100_000

    def exchange() -> Exchange[int]:
        answer = yield request
        return answer.status

    def send(asked: Request) -> Response:
        del asked
        return response

    def driven() -> float:
        began = time.process_time()
        for _ in range(rounds):
            run(exchange(), send)
        return time.process_time() - began

    def direct() -> float:
        began = time.process_time()
        for _ in range(rounds):
            _ = send(request).status
        return time.process_time() - began

    cost = (best(driven) - best(direct)) / rounds * 1e6
    return Figure(
        what="an exchange over a direct call, microseconds",
        measured=f"{cost:.2f}",
        bar="under 5",
        held=cost < 5,  # noqa: PLR2004 - the bar
    )


def retry_figure() -> Figure:
    """What being ready to retry adds to a call that succeeds."""
    answer, rounds = Answer(facts=Facts()), 20_000

    def attempt() -> Generator[float, None, Outcome]:
        yield from ()
        return answer

    def retried() -> Generator[float, None, Outcome]:
        retrying = Retrying(DEFAULT_RETRIES, remaining=lambda: 10.0, allow=lambda _: True)
        return (yield from retrying.steps(attempt, lambda seconds: seconds))

    def many(steps: Callable[[], Generator[float, None, Outcome]]) -> None:
        for _ in range(rounds):
            next(steps(), None)

    cost = best(lambda: cpu(lambda: many(retried))) - best(lambda: cpu(lambda: many(attempt)))
    what = "retrying by tenacity over a call that succeeds, CPU microseconds"
    return at_most(what, cost / rounds * 1e6, 20)


def figures() -> Iterator[Figure]:
    """All that is added without a store."""
    yield exchange_figure()
    yield retry_figure()
