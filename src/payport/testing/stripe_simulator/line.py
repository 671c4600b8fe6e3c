"""One request at the server: read, answered from what is kept or carried out, and worded."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from payport.domain.frozen import FrozenMapping
from payport.providers.exchange import Response
from payport.testing.clock import FakeClock
from payport.testing.script import As, Asked, Declined, Scripted
from payport.testing.simulation.documents import encode
from payport.testing.simulation.wire import HttpRequest
from payport.testing.stripe_simulator.errors import ApiError, Doc, invalid
from payport.testing.stripe_simulator.events import API_VERSION
from payport.testing.stripe_simulator.forms import decode
from payport.testing.stripe_simulator.memory import stripe_id
from payport.testing.stripe_simulator.refusals import refusal_of
from payport.testing.stripe_simulator.routes import route_of
from payport.testing.stripe_simulator.wire import check_whole

if TYPE_CHECKING:
    from payport.testing.stripe_simulator.server import StripeServer

__all__ = ["Kept", "Line"]

_OK: Final = 200
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered under a key: the request, its answer, and since when."""

    path: str
    fields: Doc = field(repr=False)
    status: int
    body: str = field(repr=False)
    request_id: str
    since: int


class Line:
    """One request at the server: what faults act on. A `payport.testing.faults.Line`."""

    __slots__ = ("_fields", "_path", "_request", "_server", "request_id", "scripted", "timeout")

    def __init__(self, server: StripeServer, request: HttpRequest) -> None:
        self._server = server
        self._request = request
        self._path = request.target.partition("?")[0]
        self._fields: Doc | None = None
        self.request_id: str = stripe_id("req", server.bank.vault.new_ref("rq"))
        self.scripted: Scripted = None
        self.timeout: float = request.timeout

    def asked(self) -> Asked:
        """The request as a script sees it."""
        request = self._request
        found = route_of(request.method, self._path)
        try:
            fields = self._read()
        except ApiError:
            fields = {}
        operation = found[0].operation if found is not None else "unknown"
        shown: MappingProxyType[str, Any] = MappingProxyType(dict(fields))
        return Asked(operation=operation, key=request.key, target=request.target, fields=shown)

    def execute(self) -> Response:
        """Answer from what is kept under the key, or carry the request out and keep the answer."""
        self._count()
        request, server = self._request, self._server
        key = request.key
        try:
            server.admit(request)
            fields = self._read()
            kept = server.kept(key) if key is not None else None
            if kept is not None and key is not None:
                return self._replayed(key, kept, fields)
            body = self._serve(fields)
        except ApiError as error:
            return self._failed(error)
        if key is not None:
            self._keep(key, fields, _OK, body)
        return self._answered(_OK, body)

    def _serve(self, fields: Doc) -> str:
        request, server = self._request, self._server
        found = route_of(request.method, self._path)
        if found is None:
            message = (
                f"Unrecognized request URL ({request.method}: {self._path}). Please see"
                " https://stripe.com/docs or we can help at https://support.stripe.com/."
            )
            raise invalid(message, status=404)
        route, ref = found
        server.permit(request, route, fields)
        outcome = self.scripted if isinstance(self.scripted, Declined | As) else None
        server.desks.events.request = (self.request_id, request.key)
        return server.desks.serve(
            route, fields, ref=ref, path=self._path, key=request.key, outcome=outcome
        )

    def _read(self) -> Doc:
        """The request's fields, once it is known to be whole."""
        if self._fields is None:
            request = self._request
            check_whole(request)
            if request.method == "GET":
                self._fields = decode(request.target.partition("?")[2])
            else:
                try:
                    self._fields = decode(request.body.decode())
                except UnicodeDecodeError:
                    raise invalid("Invalid request body: it is not UTF-8.") from None
        return self._fields

    def _replayed(self, key: str, kept: Kept, fields: Doc) -> Response:
        if kept.path != self._path:
            what = f"for the same endpoint they were first used for ('{kept.path}')"
        elif kept.fields != fields:
            what = "with the same parameters they were first used with"
        else:
            told = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            return self._answered(kept.status, kept.body, told)
        message = (
            f"Keys for idempotent requests can only be used {what}. Try using a key other than"
            f" '{key}' if you meant to execute a different request."
        )
        raise invalid(message, kind="idempotency_error")

    def _failed(self, error: ApiError) -> Response:
        key = self._request.key
        body = self._worded(error)
        if error.executed and key is not None:
            fields = self._fields or {}
            self._keep(key, fields, error.status, body)
        return self._answered(error.status, body, error.headers)

    def _worded(self, error: ApiError) -> str:
        if error.status == _UNAUTHORIZED:
            return encode({"error": error.error})  # nobody's logs, as nobody knows who asked
        account = self._server.bank.account
        log = f"https://dashboard.stripe.com/{account}/test/workbench/logs?object={self.request_id}"
        return encode({"error": {**error.error, "request_log_url": log}})

    def _keep(self, key: str, fields: Doc, status: int, body: str) -> None:
        since = self._server.bank.vault.wall()
        self._server.keep(key, Kept(self._path, fields, status, body, self.request_id, since))

    # -- what faults do -------------------------------------------------------------------------

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        """An answer that says no before anything was looked at."""
        self._count()
        error = refusal_of(status, code, self._request.key, retry_after)
        return self._answered(error.status, self._worded(error), error.headers)

    def break_down(self, status: int, *, effect: bool) -> Response:
        """A server error in place of the answer, kept under the key as Stripe keeps it."""
        server, key = self._server, self._request.key
        known = key is not None and server.kept(key) is not None
        if effect:
            self.execute()
        else:
            self._count()
        message = "An unknown error occurred"
        body = encode({"error": {"message": message, "type": "api_error"}})
        if key is not None and not known:
            try:
                fields = self._read()
            except ApiError:
                fields = {}
            self._keep(key, fields, status, body)
        return self._answered(status, body)

    def pass_time(self, seconds: float) -> None:
        """Advance the bank's clock, where it is one that tests advance."""
        clock = self._server.bank.clock
        if isinstance(clock, FakeClock):
            clock.advance(seconds)

    def _count(self) -> None:
        if self._request.key is not None:
            self._server.bank.vault.arrived[self._request.key] += 1

    def _answered(self, status: int, body: str, headers: dict[str, str] | None = None) -> Response:
        request = self._request
        told = {
            "server": "nginx",
            "date": self._server.date(),
            "content-type": "application/json",
            "request-id": self.request_id,
            "stripe-version": request.headers.get("stripe-version", API_VERSION),
        }
        account = request.headers.get("stripe-account")
        if account is not None:
            told["stripe-account"] = account
        if request.key is not None:
            told["idempotency-key"] = request.key
            told["original-request"] = self.request_id
            if status == _OK:
                told["stripe-should-retry"] = "false"
        for name, value in (headers or {}).items():
            told[name.lower()] = value
        return Response(status=status, headers=FrozenMapping(told), body=body.encode())
