"""
Handlers of domain events: collected anywhere, without a client.

    handlers = Handlers()

    @handlers.on(PaymentSucceeded)
    def paid(event: PaymentSucceeded, tx) -> None: ...

Registering does nothing else: no I/O, no threads. Each handler has a name that is kept with its
deliveries, so it has to stay the same while deliveries of it are due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import ConfigurationError
from payport.domain.events import DomainEvent
from payport.storage.base import HandlerRun

if TYPE_CHECKING:
    from payport.storage.base import Transaction

__all__ = ["Handler", "Handlers"]

#: Called with an event and the transaction of its delivery; may be a coroutine function in a client
#: that awaits.
Handler = Callable[[Any, Any], Any]

H = TypeVar("H", bound=Handler)


class Handlers:
    """Which function handles which kind of event."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[type[DomainEvent], Handler]] = {}

    def on(self, kind: type[DomainEvent], *, name: str | None = None) -> Callable[[H], H]:
        """
        Register the decorated function for a kind of event; `DomainEvent` stands for every kind.

        Args:
            name: What its deliveries are kept under; module and qualified name if left out.

        Raises:
            ConfigurationError: The kind is not a domain event, or the name is taken.
        """
        if not _is_event(kind):
            message = f"{kind!r} is not a kind of domain event: pass a class such as PaymentFailed"
            raise ConfigurationError(message, operation="Handlers.on", field="kind")

        def register(handler: H) -> H:
            known_as = name or f"{handler.__module__}.{handler.__qualname__}"
            if known_as in self._by_name:
                message = f"a handler named '{known_as}' is there already: pass name="
                raise ConfigurationError(message, operation="Handlers.on", field="name")
            self._by_name[known_as] = (kind, handler)
            return handler

        return register

    def named(self, name: str) -> Handler | None:
        """The handler with this name."""
        found = self._by_name.get(name)
        return found[1] if found is not None else None

    def names_for(self, event: DomainEvent) -> Iterator[str]:
        """The names of the handlers that want the event, in the order of registration."""
        return (name for name, (kind, _) in self._by_name.items() if isinstance(event, kind))

    def subscribe(self, tx: Transaction, events: Sequence[DomainEvent], at: datetime) -> None:
        """Give each new event to each of its handlers: a delivery of its own, in `tx`."""
        runs = [
            HandlerRun(event_id=event.id, handler=name, due_at=at)
            for event in events
            for name in self.names_for(event)
        ]
        if runs:
            tx.add_handler_runs(runs)


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, DomainEvent)
