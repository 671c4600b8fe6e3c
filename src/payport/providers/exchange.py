"""
Exchanges: operations written as generators that yield requests and return results.

    def capture_payment(self, command, key):
        response = yield Request(operation="capture_payment", ...)
        return facts_from(response)

An exchange does no I/O. `run` and `run_async` drive it with a function that sends: so an operation
is written once for both colours, and is tested with `next()` and `.send()`. Failures of the
transport are raised by the sender in the caller's frame; they are not thrown into the exchange.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from payport.domain.errors import ConfigurationError
from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.identifiers import digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

__all__ = [
    "KEY_PREFIX",
    "AsyncSend",
    "Call",
    "Exchange",
    "Request",
    "Response",
    "Send",
    "SendRefused",
    "TransportError",
    "Wire",
    "run",
    "run_async",
    "step_key",
]

T = TypeVar("T")

#: Names the format of keys. A second format would keep this one for the operations that began with
#: it.
KEY_PREFIX = "pp1_"


def step_key(key: str, step: str) -> str:
    """
    The key of an operation's further request, derived from the operation's own: the same in every
    process, and unlike any other. For operations that take two requests which change something.

    Args:
        key: The operation's key, which its first request carries.
        step: The further request's `Request.step`, such as `confirm`.

    Raises:
        ConfigurationError: The step has no name.
    """
    if not step:
        message = "a further request needs a step of its own, such as 'confirm'"
        raise ConfigurationError(message, operation="step_key", field="step")
    return KEY_PREFIX + digest((key, step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request of an exchange, exactly as it goes on the wire but for the credentials, which the
    sender adds: a stored request never holds a secret.

    Attributes:
        operation: The protocol's name of the operation, such as `create_payment`.
        target: Path and query below the provider's base address.
        key: The idempotency key; the sender or the adapter's headers carry it.
        step: Tells apart the requests of one operation that change something; "" for the first.
            A further one has a key of its own, `step_key(key, step)`.
        mutates: Whether executing it changes anything at the provider.
        storable: Whether it may be written to a journal and sent again from there. False where it
            holds what must never be stored, such as a security code, even encrypted.
    """

    operation: str
    method: str
    target: str
    headers: FrozenMapping = field(default=EMPTY, repr=False)
    body: bytes = field(default=b"", repr=False)
    key: str | None = None
    step: str = ""
    mutates: bool = True
    storable: bool = True

    def to_bytes(self) -> bytes:
        """The request as a journal keeps it."""
        kept: dict[str, Any] = {
            "operation": self.operation,
            "method": self.method,
            "target": self.target,
            "headers": dict(self.headers),
            "body": base64.b64encode(self.body).decode(),
            "key": self.key,
            "step": self.step,
        }
        return json.dumps(kept, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Request:
        """The request that `to_bytes` kept, byte for byte."""
        kept = json.loads(stored)
        headers = FrozenMapping(kept.pop("headers"))
        body = base64.b64decode(kept.pop("body"))
        return cls(headers=headers, body=body, **kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: a whole answer, whatever its status. Header names are lower-case."""

    status: int
    headers: FrozenMapping = field(default=EMPTY, repr=False)
    body: bytes = field(default=b"", repr=False)


class TransportError(Exception):
    """
    No whole answer came back.

    Attributes:
        sent: Whether a byte of the request may have reached the provider. Only False proves that
            nothing was executed: the connection was refused, the name not found, TLS not agreed.
        congested: Whether it was not even tried, because none of this process's own connections
            was free in time: that says nothing of the provider.
    """

    def __init__(self, message: str, *, sent: bool, congested: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.congested: bool = congested and not sent


class SendRefused(Exception):
    """The guard forbade the send: our time for it is over. Nothing was sent."""


#: Yields the requests an operation needs and returns its result. Does no I/O.
Exchange: TypeAlias = Generator[Request, Response, T]


class Send(Protocol):
    """
    Sends one request with the credentials and returns the whole answer, within `timeout` seconds.

    Header names of the answer are lower-case. No local variable of a frame that can end up in a
    traceback holds a credential in the clear, and neither does an exception that is chained.
    """

    def __call__(self, request: Request, *, timeout: float) -> Response:
        """Raise TransportError where no whole answer came."""
        ...


class AsyncSend(Protocol):
    """`Send`, awaited."""

    def __call__(self, request: Request, *, timeout: float) -> Awaitable[Response]:
        """Raise TransportError where no whole answer came."""
        ...


def _allow() -> None:
    """The guard of a call that nobody guards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    How one operation is to be carried out; who it is for is in the command.

    Attributes:
        key: The idempotency key, and the tag of whatever the operation creates. None for reads.
        timeout: Seconds that each request may take.
        guard: Called before each write to the wire; raises SendRefused to forbid it. It reads a
            monotonic clock and does no I/O, so both colours call it alike.
        exact: The stored first request: it is sent instead of a newly rendered one, byte for byte,
            because a newer version may render the same command differently.
        first_sent_at: When the operation was sent for the first time, by whomever, and not later:
            what is answered may be the stored answer to that.
    """

    key: str | None = None
    timeout: float = 10.0
    guard: Callable[[], None] = _allow
    exact: Request | None = None
    first_sent_at: datetime | None = None


def run(
    exchange: Exchange[T], send: Callable[[Request], Response], first: Request | None = None
) -> T:
    """
    Drive an exchange with a blocking sender and return its result.

    Args:
        first: Its first request, where it is begun already.
    """
    try:
        request = first or next(exchange)
        while True:
            try:
                response = send(request)
            except StopIteration as leaked:
                # A coroutine turns it into the same error by itself. Caught below, it would read
                # as the end of the exchange, with None for its result.
                raise RuntimeError("the sender raised StopIteration") from leaked
            request = exchange.send(response)
    except StopIteration as finished:
        result: T = finished.value
        return result
    finally:
        exchange.close()


async def run_async(
    exchange: Exchange[T],
    send: Callable[[Request], Awaitable[Response]],
    first: Request | None = None,
) -> T:
    """As `run`, with an awaitable sender."""
    try:
        request = first or next(exchange)
        while True:
            request = exchange.send(await send(request))
    except StopIteration as finished:
        result: T = finished.value
        return result
    finally:
        exchange.close()


class Wire:
    """
    The bookkeeping of one call's requests: guard, exact re-send, and what was answered so far.

    Knows nothing of colours: a runner calls `outgoing` before each send.

    Attributes:
        answered: How many requests that may have changed something were answered before the
            latest one. Whatever ends the call, it says nothing about those.
    """

    __slots__ = ("_call", "_keys", "_mutations", "answered")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._mutations = 0
        self._keys: set[str] = set()
        self.answered: int = 0

    def outgoing(self, request: Request) -> Request:
        """
        The request that goes on the wire in place of `request`.

        Raises:
            SendRefused: The guard forbade it, and nothing of this call was executed.
            TransportError: The guard forbade it after a request of this call that may have changed
                something: that nothing was sent would say too much then.
            ConfigurationError: The adapter gave a second request the key of the first, which the
                provider would answer with the first one's answer.
        """
        self.answered = self._mutations
        try:
            self._call.guard()
        except SendRefused as refused:
            if not self.answered:
                raise
            message = "the rest of the operation was not sent: its time was over"
            raise TransportError(message, sent=False) from refused
        if not request.mutates:
            return request
        if request.key is not None and request.key in self._keys:
            message = "two requests that change something share one key: give each a step_key"
            raise ConfigurationError(message, operation=request.operation)
        self._mutations += 1
        self._keys.update(() if request.key is None else (request.key,))
        exact = self._call.exact
        if exact is not None and exact.step == request.step:
            return exact
        return request
