"""
The bank's wire: takes requests as they came over the network, remembers keys, answers in JSON.

It sees what a server sees (method, target, key, body) and nothing of the adapter that wrote it. One
server stands in front of a bank, however many clients there are. It never executes a request twice
for a key that it remembers, and always does for one that it has forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from payport.domain.frozen import FrozenMapping
from payport.domain.secrets import Secret
from payport.providers.exchange import Request, Response
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Refused
from payport.testing.bank.vault import MICROSECOND
from payport.testing.clock import FakeClock
from payport.testing.fake.desk import Desk
from payport.testing.fake.documents import Documents
from payport.testing.fake.outbox import Outbox
from payport.testing.faults import Fault
from payport.testing.script import As, Asked, Declined, Script, Scripted

__all__ = ["FakeServer"]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered under a key: the request, its answer, and since when."""

    target: str
    body: bytes = field(repr=False)
    status: int
    answer: bytes = field(repr=False)
    since: int


class FakeServer:
    """
    The server in front of a bank; get it by `bank.face(FakeServer)`.

    Attributes:
        outbox: Webhooks that wait to be delivered.
    """

    def __init__(self, bank: Bank) -> None:
        behaviour = bank.behaviour
        documents = Documents(
            running_total=behaviour.running_total, whole_seconds=behaviour.whole_seconds
        )
        life = behaviour.idempotency.life
        self.bank = bank
        self.outbox: Outbox = Outbox(bank, documents)
        self.keeps_errors: bool = behaviour.idempotency.replays_errors
        self._life = life // MICROSECOND if life is not None else None
        self._desk = Desk(bank, documents, self.outbox)
        self._kept: dict[str, _Kept] = {}
        self._revoked: set[Secret] = set()
        bank.listen(self.outbox.add)

    def revoke(self, api_key: Secret) -> None:
        """Accept an API key no longer: whoever uses it is answered 401."""
        self._revoked.add(api_key)

    def handle(
        self, request: Request, *, api_key: Secret, script: Script, timeout: float
    ) -> Response:
        """
        Answer one request.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        with self.bank.lock:
            vault = self.bank.vault
            vault.catch_up()
            line = _Line(self, request, timeout)
            try:
                if not script.is_idle:
                    line.scripted = script.take(line.asked())
                if isinstance(line.scripted, Fault):
                    return line.scripted.strike(line)
                if api_key in self._revoked:
                    return line.refuse(401, "bad_credentials")
                return line.execute()
            finally:
                vault.catch_up()

    # -- keys -----------------------------------------------------------------------------------

    def kept(self, request: Request) -> _Kept | None:
        """What is remembered under the request's key; what is older than its life is forgotten."""
        if request.key is None or self._life is None:
            return None
        kept = self._kept.get(request.key)
        if kept is not None and self.bank.vault.wall() - kept.since >= self._life:
            del self._kept[request.key]
            return None
        return kept

    def keep(self, request: Request, status: int, answer: bytes) -> None:
        """Remember an answer under the request's key; reads have none."""
        if request.key is not None and self._life is not None:
            since = self.bank.vault.wall()
            self._kept[request.key] = _Kept(request.target, request.body, status, answer, since)

    # -- answers --------------------------------------------------------------------------------

    def answered(self, status: int, body: bytes, **headers: str) -> Response:
        """An answer on its way out."""
        vault = self.bank.vault
        told = {"request-id": vault.new_ref("rq"), "bank-time": str(vault.wall()), **headers}
        return Response(status=status, headers=FrozenMapping(told), body=body)

    def perform(
        self, request: Request, fields: Mapping[str, Any], scripted: Scripted
    ) -> tuple[int, bytes]:
        """Carry a request out; return the status and body of its answer."""
        outcome = scripted if isinstance(scripted, Declined | As) else None
        try:
            status, document = self._desk.serve(request.method, request.target, fields, outcome)
        except Refused as refused:
            return refused.status, _error(refused.code, refused.message)
        return status, _encode(document).encode()


class _Line:
    """One request at the server: what faults act on. A `payport.testing.faults.Line`."""

    __slots__ = ("_fields", "_request", "_server", "_tag", "scripted", "timeout")

    def __init__(self, server: FakeServer, request: Request, timeout: float) -> None:
        self._server = server
        self._request = request
        self._fields = fields = _fields(request.body)
        # Where there are no keys, the tag in the body still tells one operation from another.
        self._tag: str | None = request.key or fields.get("tag")
        self.scripted: Scripted = None
        self.timeout = timeout

    def asked(self) -> Asked:
        """The request as a script sees it."""
        return Asked(
            operation=self._request.operation,
            key=self._tag,
            target=self._request.target,
            fields=MappingProxyType(dict(self._fields)),
        )

    def execute(self) -> Response:
        """Answer from what is kept under the key, or carry the request out and keep the answer."""
        server, request = self._server, self._request
        self._count()
        kept = server.kept(request)
        if kept is not None:
            return self._replayed(kept)
        status, body = server.perform(request, self._fields, self.scripted)
        if status in _EXECUTED:
            server.keep(request, status, body)
        return server.answered(status, body)

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        """An answer that says no before anything was looked at."""
        self._count()
        after = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        body = _error(code, "The request was refused.")
        return self._server.answered(status, body, **after)

    def break_down(self, status: int, *, effect: bool) -> Response:
        """A server error in place of the answer."""
        server, request = self._server, self._request
        known = server.kept(request) is not None
        if effect:
            self.execute()
        else:
            self._count()
        body = _error("server_error", "Something went wrong.")
        if server.keeps_errors and not known:
            server.keep(request, status, body)
        return server.answered(status, body)

    def pass_time(self, seconds: float) -> None:
        """Advance the bank's clock, where it is one that tests advance."""
        clock = self._server.bank.clock
        if isinstance(clock, FakeClock):
            clock.advance(seconds)

    def _replayed(self, kept: _Kept) -> Response:
        server, request = self._server, self._request
        if (kept.target, kept.body) != (request.target, request.body):
            message = "The key was used before with other parameters."
            return server.answered(400, _error("key_reused", message))
        return server.answered(kept.status, kept.answer, **{"idempotent-replayed": "true"})

    def _count(self) -> None:
        if self._tag is not None:
            self._server.bank.vault.arrived[self._tag] += 1


#: Answers to requests that were carried out. What was refused changed nothing, so it is not kept.
_EXECUTED = frozenset({200, 402})


def _fields(body: bytes) -> Mapping[str, Any]:
    """The body's fields. The adapter wrote them; a body that it did not write is an empty one."""
    fields: Mapping[str, Any] = _decode(body.decode()) if body else _NOTHING
    return fields


def _error(code: str, message: str) -> bytes:
    return _encode({"error": {"code": code, "message": message}}).encode()
