"""
Addresses that webhooks are sent to, until they are taken or a processor's schedule is over.

What is sent and how it is signed is the simulator's business. Nothing is sent unless somebody calls
`send_due`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Generic, Protocol, TypeVar

from payport.domain.secrets import Secret
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.simulation.posting import Post

__all__ = ["Attempt", "Endpoint", "Sending", "Statement"]

_SUCCESSES: Final = range(200, 300)


class Statement(Protocol):
    """Something that a processor tells."""

    @property
    def id(self) -> str:
        """What tells it from all others."""
        ...

    @property
    def type(self) -> str:
        """What kind of thing it tells; addresses may want some kinds only."""
        ...


S = TypeVar("S", bound=Statement)


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt(Generic[S]):
    """Statements that an address is to be sent in one request. Moments are the bank's."""

    statements: list[S]
    due: int
    first: int
    failures: int = 0
    underway: bool = False

    @property
    def ids(self) -> list[str]:
        """The ids of the statements."""
        return [statement.id for statement in self.statements]


@dataclass(slots=True, kw_only=True, eq=False)
class Endpoint(Generic[S]):
    """
    An address that is sent webhooks.

    Attributes:
        types: The types of statement that it is sent; `*` for all.
        delivered: The ids of statements that were taken, in that order.
        given_up: The ids of statements that it never took.
    """

    url: str
    types: frozenset[str] = frozenset({"*"})
    secrets: tuple[Secret, ...] = ()
    delivered: list[str] = field(default_factory=list[str])
    given_up: list[str] = field(default_factory=list[str])
    waiting: list[Attempt[S]] = field(default_factory=list[Attempt[S]], repr=False)

    @property
    def waits_for(self) -> list[str]:
        """The ids of statements that it was not given yet, or did not take."""
        return [ref for attempt in self.waiting if not attempt.underway for ref in attempt.ids]

    @property
    def underway(self) -> list[str]:
        """The ids of statements that it is being sent at this moment."""
        return [ref for attempt in self.waiting if attempt.underway for ref in attempt.ids]

    def wants(self, statement: S) -> bool:
        """Whether it is sent this statement."""
        return "*" in self.types or statement.type in self.types


class Sending(Generic[S]):
    """
    Sends what addresses are to be sent.

    Args:
        bank: Whose clock and lock it goes by.
        signed: Words and signs a request to an address.
        wait: After how long to try again, by how often it failed.
        is_over: Whether to give up, instead of trying again then.
        batch: How many statements a request holds at most.

    Attributes:
        endpoints: The addresses.
    """

    def __init__(
        self,
        bank: Bank,
        *,
        signed: Callable[[Endpoint[S], Attempt[S]], WebhookRequest],
        wait: Callable[[int], timedelta],
        is_over: Callable[[Attempt[S]], bool],
        batch: int = 1,
    ) -> None:
        self._bank = bank
        self._signed = signed
        self._wait = wait
        self._is_over = is_over
        self.batch: int = batch
        self.endpoints: list[Endpoint[S]] = []

    def add(self, statement: S) -> None:
        """Have a statement sent to every address that wants it."""
        now = self._bank.vault.wall()
        for endpoint in self.endpoints:
            if endpoint.wants(statement):
                self._queue(endpoint, statement, now)

    def _queue(self, endpoint: Endpoint[S], statement: S, now: int) -> None:
        last = endpoint.waiting[-1] if endpoint.waiting else None
        joins = last is not None and not last.underway and not last.failures
        if joins and last is not None and len(last.statements) < self.batch:
            last.statements.append(statement)
        else:
            endpoint.waiting.append(Attempt(statements=[statement], due=now, first=now))

    def send_due(self, post: Post) -> int:
        """
        Send every address what is due for it; return how many webhooks were taken.

        Whatever is not taken with a 2xx waits for the next attempt of the schedule. What another
        caller is sending at this moment is left to that one.
        """
        taken = 0
        for endpoint in self.endpoints:
            for attempt in self._claimed(endpoint):
                try:
                    taken += self._send(endpoint, attempt, post)
                finally:
                    attempt.underway = False
        return taken

    def _claimed(self, endpoint: Endpoint[S]) -> Iterator[Attempt[S]]:
        """What is due now, one by one, each for one caller only."""
        with self._bank.open() as vault:
            now = vault.wall()
            due = [attempt for attempt in endpoint.waiting if attempt.due <= now]
        for attempt in due:
            with self._bank.open():
                if attempt.underway or attempt not in endpoint.waiting or attempt.due > now:
                    continue
                attempt.underway = True
            yield attempt

    def _send(self, endpoint: Endpoint[S], attempt: Attempt[S], post: Post) -> bool:
        """Try once, and again where the schedule says at once; return whether it was taken."""
        again = True
        while again:
            request = self._signed(endpoint, attempt)
            try:
                status = post(endpoint.url, request.headers, request.body)
            except OSError:
                status = 0
            with self._bank.open() as vault:
                if status in _SUCCESSES:
                    endpoint.waiting.remove(attempt)
                    endpoint.delivered += attempt.ids
                    return True
                attempt.failures += 1
                wait = self._wait(attempt.failures)
                attempt.due = vault.wall() + wait // MICROSECOND
                again = not wait
                if self._is_over(attempt):
                    endpoint.waiting.remove(attempt)
                    endpoint.given_up += attempt.ids
                    again = False
        return False
