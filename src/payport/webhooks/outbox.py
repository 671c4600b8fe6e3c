"""
The outbox: what a handler wants done after its transaction, and written down in it.

A message, or a payport operation that is put off, is a row that commits with the handler or not at
all, and is carried out afterwards at least once: with tries, waits and dead letters as handlers
have. Operations have the identity that their reference gives them, so that at least once is once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import short_digest
from payport.domain.money import Money
from payport.domain.sensitive import refuse_sensitive
from payport.storage.base import HandlerRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["OPERATIONS", "Message", "Outbox", "message_in", "operation_in"]

#: What can be put off: by the name that errors give it.
OPERATIONS: Final = frozenset(
    {
        "payments.cancel",
        "payments.capture",
        "payments.confirm",
        "payments.create",
        "payments.refresh",
        "refunds.create",
        "refunds.refresh",
    }
)
_OPERATION: Final = "payport:"
_SEND: Final = "tx.outbox.send"
_LATER: Final = "tx.later"
_LONGEST_TOPIC: Final = 200
#: Bytes. What is larger belongs in the application's own tables, and its id in a message.
_LARGEST: Final = 64 * 1024
_MONEY: Final = "$money"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A message of an outbox.

    Attributes:
        id: The same whenever it is delivered: do things that are not in `tx` once by it.
        body: What was sent: JSON values, and `Money`.
        scope: The order space of what it came from.
    """

    id: str
    topic: str
    body: Any
    scope: str


class Outbox:
    """What one handler sends. Nothing happens before its transaction commits."""

    def __init__(self, run: HandlerRun, scope: str) -> None:
        self._run = run
        self._scope = scope
        self._made: list[tuple[str, str]] = []

    def send(self, topic: str, body: Any = None) -> str:
        """
        Send a message to whoever is registered for its topic by `Handlers.on_message`.

        Args:
            body: JSON values and `Money`; at most 64 KiB as JSON.

        Returns:
            The message's id, the same if the handler runs again.

        Raises:
            InvalidRequest: The topic is no text, or the body no JSON, or too large.
            SensitiveData: It holds card data.
        """
        given = cast("object", topic)
        named = isinstance(given, str) and given.isprintable() and len(given) <= _LONGEST_TOPIC
        if not named or not topic or topic.startswith(_OPERATION):
            message = "must be a short name of your own, such as 'mail.receipt'"
            raise InvalidRequest(message, operation=_SEND, field="topic")
        return self._add(topic, body, _SEND, "body")

    def later(self, operation: str, /, **arguments: Any) -> str:
        """
        Put a payport operation off until after the commit.

            tx.later("refunds.create", payment=event.payment_id, reference="goodwill")

        Args:
            operation: Such as `payments.capture`, in the scope that the event is of.
            arguments: As the client's method takes them, by name.

        Raises:
            InvalidRequest: No such operation, or an argument that is no JSON value and no `Money`.
            SensitiveData: An argument holds card data.
        """
        if operation not in OPERATIONS:
            message = f"must be one of {', '.join(sorted(OPERATIONS))}"
            raise InvalidRequest(message, operation=_LATER, field="operation")
        return self._add(f"{_OPERATION}{operation}", arguments, _LATER, "arguments")

    def _add(self, topic: str, body: object, operation: str, field: str) -> str:
        refuse_sensitive(body, operation=operation, field=field)
        try:
            text = json.dumps(_plain(body), separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            message = "holds something else than JSON values and Money"
            raise InvalidRequest(message, operation=operation, field=field) from None
        if len(text) > _LARGEST:
            message = f"has more than {_LARGEST} bytes: keep it yourself, and send its id"
            raise InvalidRequest(message, operation=operation, field=field)
        self._made.append((topic, text))
        return self._id(len(self._made))

    def _id(self, number: int) -> str:
        parts = (self._run.event_id, self._run.handler, str(number))
        return f"msg_{short_digest(parts)}"

    def runs(self, now: datetime) -> list[HandlerRun]:
        """The rows that commit with the handler."""
        return [
            HandlerRun(
                event_id=self._id(number),
                handler=topic,
                provider=self._run.provider,
                environment=self._run.environment,
                scope=self._scope,
                message=text,
                due_at=now,
                account=self._run.account,
            )
            for number, (topic, text) in enumerate(self._made, 1)
        ]


def message_in(run: HandlerRun) -> Message:
    """The message that a run is to deliver."""
    body = _rich(json.loads(run.message or "null"))
    return Message(id=run.event_id, topic=run.handler, body=body, scope=run.scope)


def operation_in(run: HandlerRun) -> tuple[str, Mapping[str, Any]] | None:
    """The operation that was put off, with its arguments; None where it is a message."""
    if run.message is None or not run.handler.startswith(_OPERATION):
        return None
    return run.handler.removeprefix(_OPERATION), _rich(json.loads(run.message))


def _plain(value: object) -> object:
    """JSON values of it. Keys stay text: what JSON would turn into text comes back as another."""
    if isinstance(value, Money):
        return {_MONEY: [value.minor, value.currency]}
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        if not all(isinstance(key, str) and key != _MONEY for key in items):
            raise TypeError("a key is no text")
        return {key: _plain(item) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if items.keys() == {_MONEY}:
            minor, currency = items[_MONEY]
            return Money(minor, currency)
        return {key: _rich(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_rich(item) for item in cast("Any", value)]
    return value
