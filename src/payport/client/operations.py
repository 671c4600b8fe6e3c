"""`pay.operations`: a look into the journal. Every operation, how it ended, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.listing import AsyncListing, Listing, ListingSteps
from payport.client.validation import check_id, check_moment, checked_status
from payport.domain.errors import NotFound
from payport.domain.identifiers import Kind
from payport.operations.records import OperationRecord, OperationState
from payport.operations.steps import Steps, transact
from payport.storage.base import Cursor, Query

if TYPE_CHECKING:
    from datetime import datetime

    from payport.client.runners import AsyncRunner, Runner
    from payport.operations.session import Session

__all__ = ["AsyncOperations", "Operations"]


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


def _get(session: Session, operation: str) -> Steps[OperationRecord]:
    named = check_id(operation, Kind.OPERATION, operation="operations.get", field="operation")
    return _loaded(session, named)


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
