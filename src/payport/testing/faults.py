"""
What can go wrong between a client and a provider.

A fault is a value that strikes one request; a `Script` says which. Faults act on a `Line`, which
every face of the bank offers, so they mean the same to the fake and to the simulators. What a fault
did to the money is in the bank; what the client was told is what the fault left of the answer.

    fault                              executed      the client sees
    LostRequest                        no            the connection breaks after the request
    LostResponse                       yes           the same
    TimedOut(effect=...)               as told       nothing, until its time is over
    ConnectionRefused                  no            no connection: nothing was sent
    Conflict                           no            409: the key is in use at this moment
    RateLimited(retry_after=...)       no            429
    Unavailable                        no            503 that says that nothing was executed
    ServerError(effect=...)            as told       500; kept under the key if the bank does that
    Unauthorized, Forbidden            no            401, 403
    Truncated, Garbled                 yes           half an answer, an answer in no language
    Slow(seconds)                      yes           the answer after that time, or a time-out
    CrashBefore, CrashAfter            no, yes       nothing: the client's process died (`Crash`)
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Protocol

from payport.providers.exchange import Response, TransportError

__all__ = [
    "Conflict",
    "ConnectionRefused",
    "Crash",
    "CrashAfter",
    "CrashBefore",
    "Fault",
    "Forbidden",
    "Garbled",
    "Line",
    "LostRequest",
    "LostResponse",
    "RateLimited",
    "ServerError",
    "Slow",
    "TimedOut",
    "Truncated",
    "Unauthorized",
    "Unavailable",
]


class Crash(BaseException):
    """The client's process died here. No `except Exception` sees it, as none would a SIGKILL."""


class Line(Protocol):
    """One request on its way, as a fault sees it. Every face of the bank offers this."""

    @property
    def timeout(self) -> float:
        """Seconds that the client waits for the answer."""
        ...

    def execute(self) -> Response:
        """Carry the request out, or answer it from what is kept under its key."""
        ...

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        """An answer that says no, in the face's language. Nothing is executed or kept."""
        ...

    def break_down(self, status: int, *, effect: bool) -> Response:
        """
        A server error, after executing or instead. Kept under the key where the bank keeps errors;
        where it does not, what was executed is kept.
        """
        ...

    def pass_time(self, seconds: float) -> None:
        """Let the bank's clock advance, if it is one that can be advanced."""
        ...


class Fault(abc.ABC):
    """Something that goes wrong with one request."""

    @abc.abstractmethod
    def strike(self, line: Line) -> Response:
        """
        Answer in the bank's place.

        Raises:
            TransportError: No whole answer came back.
            Crash: Nobody is there any more to get one.
        """


@dataclass(frozen=True, slots=True)
class LostRequest(Fault):
    """The connection broke before the provider had the request; the client cannot know."""

    def strike(self, line: Line) -> Response:
        """Execute nothing."""
        del line
        raise TransportError("the connection was reset", sent=True)


@dataclass(frozen=True, slots=True)
class LostResponse(Fault):
    """The connection broke after the request was carried out."""

    def strike(self, line: Line) -> Response:
        """Execute, and lose the answer."""
        line.execute()
        raise TransportError("the connection was reset", sent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(Fault):
    """
    No answer came in time.

    Attributes:
        effect: Whether the request was carried out.
    """

    effect: bool = True

    def strike(self, line: Line) -> Response:
        """Execute if told to, and let the client's patience run out."""
        if self.effect:
            line.execute()
        line.pass_time(line.timeout)
        raise TransportError(f"no answer within {line.timeout:g} s", sent=True)


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Fault):
    """Nobody listens: the one transport fault that proves something."""

    def strike(self, line: Line) -> Response:
        """Send nothing."""
        del line
        raise TransportError("the connection was refused", sent=False)


@dataclass(frozen=True, slots=True)
class Conflict(Fault):
    """A request with the same key is being carried out at this moment."""

    def strike(self, line: Line) -> Response:
        """Refuse with 409."""
        return line.refuse(409, "key_in_use")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited(Fault):
    """
    Too many requests.

    Attributes:
        retry_after: Seconds the provider asks to wait; None where it does not say.
    """

    retry_after: float | None = None

    def strike(self, line: Line) -> Response:
        """Refuse with 429."""
        return line.refuse(429, "rate_limited", retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Unavailable(Fault):
    """The provider is down and says that it executed nothing."""

    def strike(self, line: Line) -> Response:
        """Refuse with 503."""
        return line.refuse(503, "not_executed")


@dataclass(frozen=True, slots=True)
class Unauthorized(Fault):
    """The provider does not accept the credentials."""

    def strike(self, line: Line) -> Response:
        """Refuse with 401."""
        return line.refuse(401, "bad_credentials")


@dataclass(frozen=True, slots=True)
class Forbidden(Fault):
    """The credentials may not do this."""

    def strike(self, line: Line) -> Response:
        """Refuse with 403."""
        return line.refuse(403, "not_permitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(Fault):
    """
    The provider failed, and its answer does not say when.

    Attributes:
        effect: Whether the request was carried out before it failed.
        status: The HTTP status: 500, 502, 503, 504.
    """

    effect: bool = True
    status: int = 500

    def strike(self, line: Line) -> Response:
        """Break down."""
        return line.break_down(self.status, effect=self.effect)


@dataclass(frozen=True, slots=True)
class Truncated(Fault):
    """Half of the answer came, and the connection was closed as if that were all."""

    def strike(self, line: Line) -> Response:
        """Execute, and cut the body in half."""
        whole = line.execute()
        half = whole.body[: len(whole.body) // 2]
        return Response(status=whole.status, headers=whole.headers, body=half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbled(Fault):
    """
    Something in between answered in the provider's place, in another language.

    Attributes:
        body: What it said.
        status: With which status; None for the status that the provider answered with.
    """

    body: bytes = b"<html><body>It works!</body></html>"
    status: int | None = None

    def strike(self, line: Line) -> Response:
        """Execute, and replace the body."""
        whole = line.execute()
        status = whole.status if self.status is None else self.status
        return Response(status=status, headers=whole.headers, body=self.body)


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """
    It takes a while.

    Attributes:
        seconds: How long. Longer than the client waits, it is a time-out after the effect.
    """

    seconds: float

    def strike(self, line: Line) -> Response:
        """Execute, and let time pass."""
        answer = line.execute()
        line.pass_time(min(self.seconds, line.timeout))
        if self.seconds > line.timeout:
            raise TransportError(f"no answer within {line.timeout:g} s", sent=True)
        return answer


@dataclass(frozen=True, slots=True)
class CrashBefore(Fault):
    """The client's process dies before the request is on the wire."""

    def strike(self, line: Line) -> Response:
        """Execute nothing."""
        del line
        raise Crash


@dataclass(frozen=True, slots=True)
class CrashAfter(Fault):
    """The client's process dies before it reads the answer."""

    def strike(self, line: Line) -> Response:
        """Execute."""
        line.execute()
        raise Crash
