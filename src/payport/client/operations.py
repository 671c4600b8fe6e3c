"""
`pay.operations`: the journal. Every operation, how it ended and why; recovery of those whose
outcome is not known, and a person's word where nothing automatic is left.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from payport.client.listing import AsyncListing, Listing, ListingSteps
from payport.client.validation import Checker, check_id, check_moment, checked_status
from payport.domain.errors import (
    CircuitOpen,
    InvalidRequest,
    NotFound,
    PayportError,
    ProviderFault,
    StoreUnavailable,
)
from payport.domain.identifiers import Kind
from payport.operations.records import (
    OperationRecord,
    OperationState,
    ResolutionRecord,
    Verdict,
)
from payport.operations.recovery import (
    CIRCUIT_OPEN,
    TOLD_TO_STOP,
    Recovered,
    Recovery,
    waiting_elsewhere,
)
from payport.operations.steps import Steps, transact
from payport.operations.verdicts import Word, resolved
from payport.providers.spec import Limits
from payport.storage.base import Cursor, Query

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import datetime
    from threading import Event

    from payport.client.runners import AsyncRunner, Runner
    from payport.operations.session import Session

__all__ = ["AsyncOperations", "Operations"]

_log = logging.getLogger("payport.operations")

_RESOLVE = "operations.resolve"
_LONGEST_REASON = 2000
_LONGEST_AUTHOR = 200


class Operations:
    """The journal, blocking."""

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._drive = runner

    def get(self, operation: str) -> OperationRecord:
        """
        One row of the journal, by the operation's id.

        Raises:
            NotFound: There is none in this scope and environment.
        """
        return self._drive(_get(self._session, operation))

    def list(
        self,
        *,
        payment: str | None = None,
        state: OperationState | str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Listing[OperationRecord]:
        """Rows of the journal, newest first, as a lazy iterable with `.page(cursor=, limit=)`."""
        steps = _listing(self._session, payment, state, created_from, created_before)
        return Listing(steps, self._drive)

    def recover(
        self,
        *,
        limit: int | None = None,
        every_scope: bool = False,
        stop: Event | None = None,
        progress: Callable[[Recovered], object] | None = None,
    ) -> Recovered:
        """
        Find out what became of every operation that is due: its sender died, or its outcome was not
        known at last. Safe to run anywhere, at any time, by several processes at once.

        Args:
            limit: How many operations at most.
            every_scope: Whether to look after all scopes of the store, and not this one alone.
            stop: Once it is set, the run ends with the operation that it is at.
            progress: Called with what was done so far before each operation.

        Raises:
            ProviderFault: The provider did not tell which account this is.
            StoreUnavailable: The store failed; what was concluded before is.
            InvalidRequest: The limit is not a positive whole number.
        """
        watch = _watch(stop, progress)
        return self._drive(_recovered(self._session, limit, watch, every_scope=every_scope))

    def run_recovery(
        self,
        *,
        stop: Event,
        every: float = 30.0,
        every_scope: bool = False,
        progress: Callable[[Recovered], object] | None = None,
    ) -> None:
        """
        Recover every so many seconds until `stop` is set. For a thread or a process of its own.

        A run that fails is logged, and the next one tries again. `stop` ends a run with the
        operation that it is at. `progress` is called with what each run did so far.
        """
        pause = _pause(every)
        while not stop.is_set():
            try:
                self.recover(every_scope=every_scope, stop=stop, progress=progress)
            except PayportError as error:
                _failed(error)
            stop.wait(pause)

    def resolve(
        self,
        operation: str,
        verdict: Verdict | str,
        *,
        reason: str,
        author: str,
        provider_ref: str | None = None,
    ) -> OperationRecord:
        """
        A person's word on an operation that needs review; kept for ever. Evidence that comes later
        reopens it.

        Args:
            operation: Its id, as `list` tells it.
            verdict: `executed` or `not_executed`. What was executed is read from the provider
                where it can be, and has to show there.
            reason: Why, in the person's words.
            author: Who says so.
            provider_ref: The provider's id of the object that was made; needed with `executed`
                unless the operation was on an object that is known.

        Returns:
            The operation as it stands now.

        Raises:
            NotFound: There is none in this scope and environment.
            InvalidTransition: It does not need review.
            InvalidRequest: Reason or author are missing, or the provider's object does not show it.
            ProviderFault: The provider could not be read.
        """
        word = _word(verdict, reason, author, provider_ref, operation)
        return self._drive(_resolved(self._session, operation, word))

    def resolutions(self, operation: str) -> tuple[ResolutionRecord, ...]:
        """What persons, and evidence after them, said about an operation, oldest first."""
        return self._drive(_resolutions(self._session, operation))


class AsyncOperations:
    """The journal, awaited. Each method is that of `Operations`."""

    def __init__(self, session: Session, runner: AsyncRunner) -> None:
        self._session = session
        self._drive = runner

    async def get(self, operation: str) -> OperationRecord:
        """See `Operations.get`."""
        return await self._drive(_get(self._session, operation))

    def list(
        self,
        *,
        payment: str | None = None,
        state: OperationState | str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
    ) -> AsyncListing[OperationRecord]:
        """See `Operations.list`; the listing is an async iterable."""
        steps = _listing(self._session, payment, state, created_from, created_before)
        return AsyncListing(steps, self._drive)

    async def recover(
        self,
        *,
        limit: int | None = None,
        every_scope: bool = False,
        stop: asyncio.Event | None = None,
        progress: Callable[[Recovered], object] | None = None,
    ) -> Recovered:
        """See `Operations.recover`."""
        watch = _watch(stop, progress)
        return await self._drive(_recovered(self._session, limit, watch, every_scope=every_scope))

    async def run_recovery(
        self,
        *,
        stop: asyncio.Event,
        every: float = 30.0,
        every_scope: bool = False,
        progress: Callable[[Recovered], object] | None = None,
    ) -> None:
        """See `Operations.run_recovery`."""
        import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

        pause = _pause(every)
        while not stop.is_set():
            try:
                await self.recover(every_scope=every_scope, stop=stop, progress=progress)
            except PayportError as error:
                _failed(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def resolve(
        self,
        operation: str,
        verdict: Verdict | str,
        *,
        reason: str,
        author: str,
        provider_ref: str | None = None,
    ) -> OperationRecord:
        """See `Operations.resolve`."""
        word = _word(verdict, reason, author, provider_ref, operation)
        return await self._drive(_resolved(self._session, operation, word))

    async def resolutions(self, operation: str) -> tuple[ResolutionRecord, ...]:
        """See `Operations.resolutions`."""
        return await self._drive(_resolutions(self._session, operation))


def _get(session: Session, operation: str) -> Steps[OperationRecord]:
    named = check_id(operation, Kind.OPERATION, operation="operations.get", field="operation")
    return _loaded(session, named)


def _watch(
    stop: Event | asyncio.Event | None, progress: Callable[[Recovered], object] | None
) -> Callable[[Recovered], bool]:
    def watch(so_far: Recovered) -> bool:
        if progress is not None:
            progress(so_far)
        return stop is None or not stop.is_set()

    return watch


def _recovered(
    session: Session,
    limit: int | None,
    watch: Callable[[Recovered], bool],
    *,
    every_scope: bool,
) -> Steps[Recovered]:
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        message = "must be at least 1, or left out for all"
        raise InvalidRequest(message, operation="operations.recover", field="limit")
    return _recovering(session, limit, None if every_scope else session.scope, watch)


def _recovering(
    session: Session, limit: int | None, scope: str | None, watch: Callable[[Recovered], bool]
) -> Steps[Recovered]:
    """Each provider's operations in turn; one that cannot be asked does not hold up the others."""
    names = frozenset(line.spec.name for line in session.lines)
    done, unheard = Recovered(), None
    for line in session.lines:
        left = None if limit is None else limit - done.looked_at
        if done.stopped == TOLD_TO_STOP or left == 0:
            break
        try:
            account = yield from line.account("operations.recover", scope or "every scope")
        except ProviderFault as fault:
            unheard = unheard or fault
            continue
        run = Recovery(line.journal, scope, names - {line.spec.name})
        done += yield from run.run(account, left, partial(_watched, watch, done))
    if unheard is not None:
        if len(session.lines) == 1:
            raise unheard
        _log.error("operations at %s were not looked at: %s", unheard.provider, unheard)
        why = CIRCUIT_OPEN if isinstance(unheard, CircuitOpen) else f"{unheard.provider}: {unheard}"
        done += Recovered(stopped=why)
    waiting = yield from transact(
        lambda tx: waiting_elsewhere(
            tx,
            names=names,
            scope=scope,
            environment=session.environment,
            now=session.settings.clock.now(),
        )
    )
    for name, count in waiting.items():
        _log.error("%s operations wait for %s, which this client has not", count, name)
    return replace(done, waiting=waiting)


def _watched(watch: Callable[[Recovered], bool], before: Recovered, so_far: Recovered) -> bool:
    return watch(before + so_far)


def _pause(every: float) -> float:
    if isinstance(every, bool) or not every > 0:
        message = "must be more than 0 seconds"
        raise InvalidRequest(message, operation="operations.run_recovery", field="every")
    return float(every)


def _failed(error: PayportError) -> None:
    if not isinstance(error, ProviderFault | StoreUnavailable):
        raise error
    _log.error("recovery failed, and is tried again: %s", error)


def _word(
    verdict: Verdict | str, reason: str, author: str, provider_ref: str | None, operation: str
) -> Word:
    checker = Checker(_RESOLVE, Limits(), operation)
    return Word(
        verdict=checker.member(verdict, Verdict, "verdict"),
        reason=_said(checker.text(reason, "reason", _LONGEST_REASON), "reason"),
        author=_said(checker.text(author, "author", _LONGEST_AUTHOR), "author"),
        provider_ref=checker.token(provider_ref, "provider_ref"),
    )


def _said(text: str | None, field: str) -> str:
    if text is None or not text.strip():
        message = "is needed: it is kept for ever, for whoever asks later"
        raise InvalidRequest(message, operation=_RESOLVE, field=field)
    return text


def _resolved(session: Session, operation: str, word: Word) -> Steps[OperationRecord]:
    named = check_id(operation, Kind.OPERATION, operation=_RESOLVE, field="operation")
    yield from _loaded(session, named)
    return (yield from resolved(session, named, word))


def _resolutions(session: Session, operation: str) -> Steps[tuple[ResolutionRecord, ...]]:
    called = "operations.resolutions"
    named = check_id(operation, Kind.OPERATION, operation=called, field="operation")
    yield from _loaded(session, named)
    return tuple((yield from transact(lambda tx: tx.resolutions(named))))


def _loaded(session: Session, named: str) -> Steps[OperationRecord]:
    record = yield from transact(lambda tx: tx.operation(named))
    here = (session.scope, session.environment)
    if record is None or (record.scope, record.environment) != here:
        message = f"the journal holds no such operation in scope '{session.scope}'"
        raise NotFound(message, operation="operations.get", reference=named)
    return record


def _listing(
    session: Session,
    payment: str | None,
    state: OperationState | str | None,
    created_from: datetime | None,
    created_before: datetime | None,
) -> ListingSteps[OperationRecord]:
    operation = "operations.list"
    if payment is not None:
        check_id(payment, Kind.PAYMENT, operation=operation, field="payment")
    query = Query(
        scope=session.scope,
        environment=session.environment,
        payment_id=payment,
        created_from=check_moment(created_from, operation=operation, field="created_from"),
        created_before=check_moment(created_before, operation=operation, field="created_before"),
        status=checked_status(session.spec.limits, state, OperationState, operation),
    )
    return ListingSteps(
        query,
        lambda tx, asked: tx.operations(asked),
        lambda record: Cursor(created_at=record.prepared_at, id=record.id),
        operation,
    )
