"""
Handlers of domain events: collected anywhere, without a client.

    handlers = Handlers()

    @handlers.on(PaymentSucceeded)
    def paid(event: PaymentSucceeded, tx: HandlerTransaction) -> None:
        tx.outbox.send("mail.receipt", {"order": event.reference})

    @handlers.on_message("mail.receipt")
    def mail(message: Message, tx: HandlerTransaction) -> None: ...

Registering does nothing else: no I/O, no threads. Each handler has a name that is kept with its
deliveries, so it has to stay the same while deliveries of it are due.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, overload

from payport.domain.errors import ConfigurationError
from payport.domain.events import DomainEvent
from payport.storage.base import HandlerRun

if TYPE_CHECKING:
    from payport.storage.base import Transaction
    from payport.webhooks.awaiting import AwaitedTransaction
    from payport.webhooks.handling import HandlerTransaction
    from payport.webhooks.outbox import Message

__all__ = ["AsyncHandler", "Handler", "Handlers", "Register", "SyncHandler"]

#: Called with an event or a message, and the transaction of its delivery.
Handler: TypeAlias = Callable[[Any, Any], Any]

E = TypeVar("E", bound=DomainEvent)
T = TypeVar("T")

#: A plain function of what it handles, in a client of either colour.
SyncHandler: TypeAlias = Callable[[T, "HandlerTransaction"], None]
#: A coroutine function of it, in a client that awaits.
AsyncHandler: TypeAlias = Callable[[T, "AwaitedTransaction"], Coroutine[Any, Any, None]]


class Register(Protocol[T]):
    """A decorator that registers a function and returns it as it is."""

    @overload
    def __call__(self, handler: AsyncHandler[T], /) -> AsyncHandler[T]: ...
    @overload
    def __call__(self, handler: SyncHandler[T], /) -> SyncHandler[T]: ...


class Handlers:
    """Which function handles which kind of event, and which topic of messages."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[type[DomainEvent], Handler]] = {}
        self._by_topic: dict[str, Handler] = {}

    def on(self, kind: type[E], *, name: str | None = None) -> Register[E]:
        """
        Register the decorated function for a kind of event; `DomainEvent` stands for every kind.

        The function may be a coroutine function in a client that awaits. Several functions may be
        registered for one kind; each gets a delivery of its own.

        Args:
            name: What its deliveries are kept under; module and qualified name if left out.

        Raises:
            ConfigurationError: The kind is not a domain event, or the name is taken.
        """
        if not _is_event(kind):
            message = f"{kind!r} is not a kind of domain event: pass a class such as PaymentFailed"
            raise ConfigurationError(message, operation="Handlers.on", field="kind")

        def register(handler: Any) -> Any:
            known_as = name or f"{handler.__module__}.{handler.__qualname__}"
            if known_as in self._by_name:
                message = f"a handler named '{known_as}' is there already: pass name="
                raise ConfigurationError(message, operation="Handlers.on", field="name")
            self._by_name[known_as] = (kind, handler)
            return handler

        return register

    def on_message(self, topic: str) -> Register[Message]:
        """
        Register the decorated function for the messages that handlers send to a topic by
        `tx.outbox.send`. Called as a handler of events is, with a `Message`.

        Raises:
            ConfigurationError: Another function has the topic.
        """

        def register(handler: Any) -> Any:
            if topic in self._by_topic:
                message = f"messages of '{topic}' are handled by another function already"
                raise ConfigurationError(message, operation="Handlers.on_message", field="topic")
            self._by_topic[topic] = handler
            return handler

        return register

    def of(self, run: HandlerRun) -> Handler | None:
        """Who handles what a run is to deliver."""
        if run.message is not None:
            return self._by_topic.get(run.handler)
        return self.named(run.handler)

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
            HandlerRun(
                event_id=event.id,
                handler=name,
                provider=event.provider,
                environment=event.environment,
                scope=event.scope,
                due_at=at,
                account=event.account or None,
            )
            for event in events
            for name in self.names_for(event)
        ]
        if runs:
            tx.add_handler_runs(runs)


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, DomainEvent)
