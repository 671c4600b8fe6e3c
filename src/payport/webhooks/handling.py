"""
What a handler is given beside the event: the transaction of its delivery.

What it writes there commits with the mark that the handler ran, so it happens exactly once. Nothing
of payport itself is called inside: it would wait for the transaction that waits for the handler.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from payport.webhooks.outbox import Outbox

__all__ = ["IN_HANDLER", "Deferring", "HandlerTransaction", "no_connection"]

#: The name of the handler that is running here, if one is: payport calls are refused in it.
IN_HANDLER: ContextVar[str | None] = ContextVar("payport_handler", default=None)


class Deferring:
    """
    What a handler wants done after its transaction.

    Attributes:
        outbox: Messages that commit with the handler.
    """

    outbox: Outbox

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self._after: list[Callable[[], Any]] = []

    def later(self, operation: str, /, **arguments: Any) -> str:
        """See `Outbox.later`."""
        return self.outbox.later(operation, **arguments)

    def after_commit(self, function: Callable[[], Any]) -> None:
        """
        Call `function` once this delivery is committed.

        A crash in between loses the call: what must not be lost goes into the outbox.
        """
        self._after.append(function)

    @property
    def pending(self) -> tuple[Callable[[], Any], ...]:
        """What is to be called after the commit."""
        return tuple(self._after)


class HandlerTransaction(Deferring):
    """What a handler that is a plain function is given beside the event."""

    def __init__(self, outbox: Outbox, connection: Callable[[], Any]) -> None:
        super().__init__(outbox)
        self._connect = connection
        self._session: Any = None

    @property
    def connection(self) -> Any:
        """
        The SQLAlchemy connection of this delivery's transaction.

        Raises:
            ConfigurationError: The store is memory.
        """
        return self._connect()

    def session(self) -> Any:
        """
        A SQLAlchemy ORM session joined to the transaction, the same one each time.

        It is flushed and closed when the handler returns. Committing it commits nothing yet, and
        rolling it back takes back what it wrote itself.

        Raises:
            ConfigurationError: As `connection`; or the store's engine is an async one, whose
                sessions a handler gets that is a coroutine function.
        """
        if self._session is None:
            from sqlalchemy import Connection  # noqa: PLC0415 - needed by few
            from sqlalchemy.orm import Session  # noqa: PLC0415

            connection = self.connection
            if not isinstance(connection, Connection):
                raise ConfigurationError(
                    "the store's engine is an async one: define the handler with async def and "
                    "use `async with tx.session()`, or tx.connection",
                    operation="tx.session",
                )
            self._session = Session(connection, join_transaction_mode="create_savepoint")
        return self._session

    def end(self, *, well: bool) -> None:
        """Flush and close the session, if there is one; called before the commit."""
        session, self._session = self._session, None
        if session is not None:
            try:
                if well:
                    session.commit()
            finally:
                session.close()


def no_connection() -> ConfigurationError:
    """The error for a handler that asks a store in memory for a connection."""
    return ConfigurationError(
        "there is no database connection here: the store is memory. Use the event's id to do "
        "things once.",
        operation="tx.connection",
    )
