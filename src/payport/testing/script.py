"""
What a test scripts for the next requests: faults, and outcomes that the bank decides on.

    outcome             what the bank does
    Declined(reason)    the issuer, or the card that gets a refund, says no
    As(token)           the card is taken for this token's
    None                as usual

A script decides nothing about requests that are answered from what is kept under their key: what
was executed once is answered as it was, whatever is scripted for the replay.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from payport.domain.declines import DeclineReason
from payport.domain.errors import InvalidRequest
from payport.testing.faults import Fault
from payport.testing.tokens import CARDS, Card, code_of

__all__ = ["OPERATIONS", "As", "Asked", "Declined", "Script", "Scripted"]

#: The operations of the provider protocols that send something.
OPERATIONS: Final = frozenset(
    {
        "account",
        "create_payment",
        "confirm_payment",
        "capture_payment",
        "cancel_payment",
        "retrieve_payment",
        "create_refund",
        "retrieve_refund",
        "find",
    }
)


@dataclass(frozen=True, slots=True)
class Declined:
    """The issuer says no, whatever the card; for a capture or refund, the money does not come."""

    reason: DeclineReason = DeclineReason.GENERIC

    @property
    def card(self) -> Card:
        """A card that does this."""
        return Card(declined=code_of(self.reason))


@dataclass(frozen=True, slots=True)
class As:
    """
    The card is taken for this token's, whatever was passed.

    Raises:
        InvalidRequest: There is no such token.
    """

    token: str

    def __post_init__(self) -> None:
        if self.token not in CARDS:
            message = f"there is no token {self.token!r}: see payport.testing.tokens"
            raise InvalidRequest(message, operation="As", field="token")

    @property
    def card(self) -> Card:
        """The token's card."""
        return CARDS[self.token]


#: What may be scripted for one request; None lets it pass.
Scripted: TypeAlias = Fault | Declined | As | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    A request, as a script sees it.

    Attributes:
        operation: The protocol operation it belongs to.
        key: Its idempotency key or tag, where it has one.
        target: Its path and query.
        fields: Its body's fields, in the face's language.
    """

    operation: str
    key: str | None
    target: str
    fields: Mapping[str, Any] = field(repr=False)


def _pass(asked: Asked) -> None:
    del asked


class Script:
    """
    What is to go wrong: a queue for each operation, and a function for what no queue decides.

    Belongs to one provider object, as a broken connection belongs to one process.

    Args:
        more: Operations that a face has beside those of the provider protocols.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._operations = OPERATIONS.union(more)
        self._lock = threading.Lock()
        self._queues: defaultdict[str, deque[Scripted]] = defaultdict(deque)
        self._decide: Callable[[Asked], Scripted] = _pass

    def next(self, operation: str, *scripted: Scripted) -> None:
        """
        Script the next requests of an operation, one each, after what is scripted already.

        Raises:
            InvalidRequest: There is no such operation, or something else than a fault or outcome.
        """
        if operation not in self._operations:
            named = ", ".join(sorted(self._operations))
            message = f"there is no operation {operation!r}; there are {named}"
            raise InvalidRequest(message, operation="Script.next", field="operation")
        for item in scripted:
            _check(item, "Script.next")
        with self._lock:
            self._queues[operation].extend(scripted)

    def decide(self, function: Callable[[Asked], Scripted]) -> None:
        """Ask `function` about every request that no queue decides, from now on."""
        with self._lock:
            self._decide = function

    def clear(self) -> None:
        """Let everything pass from now on."""
        with self._lock:
            self._queues.clear()
            self._decide = _pass

    @property
    def pending(self) -> dict[str, tuple[Scripted, ...]]:
        """What was scripted and did not happen yet. A test that scripts may assert it is empty."""
        with self._lock:
            return {name: tuple(queue) for name, queue in self._queues.items() if queue}

    @property
    def is_idle(self) -> bool:
        """Whether nothing was ever scripted: then nobody needs to look at requests."""
        return not self._queues and self._decide is _pass

    def take(self, asked: Asked) -> Scripted:
        """
        What is scripted for this request; it is then used up.

        Raises:
            InvalidRequest: The deciding function returned something else.
        """
        with self._lock:
            queue = self._queues.get(asked.operation)
            if queue:
                return queue.popleft()
            decide = self._decide
        scripted = decide(asked)
        _check(scripted, "Script.decide")
        return scripted


def _check(scripted: object, operation: str) -> None:
    if scripted is None or isinstance(scripted, Fault | Declined | As):
        return
    message = f"a fault, Declined, As or None is scripted, not {type(scripted).__name__}"
    raise InvalidRequest(message, operation=operation, field="scripted")
