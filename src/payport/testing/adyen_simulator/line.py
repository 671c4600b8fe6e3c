"""One request at the server: read, answered from what is kept or carried out, and worded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from payport.domain.frozen import FrozenMapping
from payport.providers.exchange import Response
from payport.testing.adyen_simulator.errors import ApiError, forbidden, not_found, unauthorized
from payport.testing.adyen_simulator.routes import route_of
from payport.testing.adyen_simulator.wire import read
from payport.testing.clock import FakeClock
from payport.testing.script import As, Asked, Declined, Scripted
from payport.testing.simulation.documents import Doc, encode
from payport.testing.simulation.wire import HttpRequest

if TYPE_CHECKING:
    from payport.testing.adyen_simulator.server import AdyenServer

__all__ = ["Kept", "Line"]

_OK: Final = 200
_NO_CONTENT: Final = 204
_TRANSIENT: Final = {"transient-error": "true"}
#: What something in front of Adyen's servers answers in their place.
_GATEWAYS: Final = {
    502: b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    504: b"<html><body><h1>504 Gateway Time-out</h1></body></html>",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered under a key: the request, its answer, and since when."""

    path: str
    fields: Doc = field(repr=False)
    status: int
    body: str = field(repr=False)
    psp: str
    since: int


class Line:
    """One request at the server: what faults act on. A `payport.testing.faults.Line`."""

    __slots__ = ("_fields", "_found", "_path", "_request", "_server", "psp", "scripted", "timeout")

    def __init__(self, server: AdyenServer, request: HttpRequest) -> None:
        self._server = server
        self._request = request
        self._path = request.target.partition("?")[0]
        self._found = route_of(request.method, self._path)
        self._fields: Doc | None = None
        self.psp: str = server.desks.memory.new_psp()
        self.scripted: Scripted = None
        self.timeout: float = request.timeout

    def asked(self, pending: Mapping[str, object]) -> Asked:
        """
        The request as a script sees it.

        Args:
            pending: What is scripted: where a request belongs to several operations of payport's,
                it is of the first that something is scripted for.
        """
        request = self._request
        try:
            fields = self._read()
        except ApiError:
            fields = {}
        operations = self._found[0].operations if self._found is not None else ("unknown",)
        operation = next((name for name in operations if name in pending), operations[0])
        shown: MappingProxyType[str, Any] = MappingProxyType(dict(fields))
        return Asked(operation=operation, key=request.key, target=request.target, fields=shown)

    def execute(self) -> Response:
        """Answer from what is kept under the key, or carry the request out and keep the answer."""
        self._count()
        request, server = self._request, self._server
        try:
            server.admit(request, self._found[0].operations if self._found is not None else ())
            if self._found is None:
                raise not_found(f"{request.method} {self._path}")
            fields = self._read()
            kept = server.kept(request)
            if kept is not None:
                return self._replayed(kept, fields)
            route, ref = self._found
            outcome = self.scripted if isinstance(self.scripted, Declined | As) else None
            body = server.desks.serve(
                route, fields, ref=ref, key=request.key, psp=self.psp, scripted=outcome
            )
        except ApiError as error:
            return self._failed(error)
        self._keep(route.status, body)
        return self._answered(route.status, body)

    def _read(self) -> Doc:
        if self._fields is None:
            self._fields = read(self._request)
        return self._fields

    def _replayed(self, kept: Kept, fields: Doc) -> Response:
        other = kept.path != self._path or kept.fields != fields
        if other and self._server.refuses_other_requests:
            # Not a transient error: it was processed, and stays so.
            raise ApiError(422, "704", "request already processed or in progress")
        self.psp = kept.psp
        return self._answered(kept.status, kept.body)

    def _failed(self, error: ApiError) -> Response:
        return self._answered(error.status, encode(error.document(self.psp)), error.headers)

    def _keep(self, status: int, body: str) -> None:
        if self._request.key is not None:
            since = self._server.bank.vault.wall()
            kept = Kept(self._path, self._fields or {}, status, body, self.psp, since)
            self._server.keep(self._request, kept)

    # -- what faults do -------------------------------------------------------------------------

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        """An answer that says no before anything was looked at."""
        self._count()
        return self._failed(_refusal(status, code, retry_after))

    def break_down(self, status: int, *, effect: bool) -> Response:
        """A server error in place of the answer. It is not kept; what was executed is."""
        if effect:
            self.execute()
        else:
            self._count()
        if status in _GATEWAYS:
            headers = {"content-type": "text/html", "date": self._server.date()}
            return Response(status=status, headers=FrozenMapping(headers), body=_GATEWAYS[status])
        return self._failed(ApiError(status, "000", "Internal Server Error", "internal"))

    def pass_time(self, seconds: float) -> None:
        """Advance the bank's clock, where it is one that tests advance."""
        clock = self._server.bank.clock
        if isinstance(clock, FakeClock):
            clock.advance(seconds)

    def _count(self) -> None:
        if self._request.key is not None:
            self._server.bank.vault.arrived[self._request.key] += 1

    def _answered(self, status: int, body: str, headers: dict[str, str] | None = None) -> Response:
        told = {
            "date": self._server.date(),
            "content-type": "application/json;charset=UTF-8",
            "pspreference": self.psp,
        }
        if self._request.key is not None:
            told["idempotency-key"] = self._request.key
        told |= headers or {}
        content = b"" if status == _NO_CONTENT else body.encode()
        return Response(status=status, headers=FrozenMapping(told), body=content)


def _refusal(status: int, code: str, retry_after: float | None) -> ApiError:
    """A fault's refusal, in Adyen's words."""
    if code == "key_in_use":
        message = "request already processed or in progress"
        return ApiError(status, "704", message, headers=dict(_TRANSIENT))
    if code == "rate_limited":
        more = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return ApiError(status, "000", "Too Many Requests", "security", headers=more)
    if code == "bad_credentials":
        return unauthorized()
    if code == "not_permitted":
        return forbidden()
    message = "required resource temporarily unavailable"
    return ApiError(status, "703", message, "internal", headers=dict(_TRANSIENT))
