"""
Listings of what the provider holds, without colour: each page is asked for when it is needed.

What is listed is told as it stands at the provider, whoever made it, with payport's id where the
store knows it. Nothing is stored, concluded or adopted here.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from payport.client.listing import Page
from payport.client.validation import Checker, check_id, check_limit, check_moment
from payport.domain.errors import InvalidRequest
from payport.domain.facts import AttemptStatus, CaptureStatus, Facts, RefundStatus
from payport.domain.identifiers import Kind
from payport.domain.money import Money
from payport.domain.secrets import NOTHING, Sealed
from payport.operations.steps import Steps, transact
from payport.providers.exchange import Call
from payport.providers.listings import FactsPage, PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from datetime import datetime

    from payport.domain.declines import Decline
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = [
    "ProviderPayment",
    "ProviderPayments",
    "ProviderRefund",
    "ProviderRefunds",
]

#: A place in a provider's listing, in its own words; behind the number of the object that it is of
#: where a listing goes over several.
_CURSOR = re.compile(r"(?=.)(?:([0-9]{1,6}):)?([\x21-\x7e]{0,255})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPayment:
    """
    A payment as the provider holds it.

    Attributes:
        ref: The provider's id of it.
        payment_id: payport's id of the payment that it belongs to; None where this scope's store
            knows of none: it was made by hand, by another program, or in another scope.
        authorized: What was authorised, as far as it is known.
        captured: What was taken of it, refunds not counted.
        decline: Why it was declined, where it was.
        raw: What the provider told.
    """

    ref: str
    payment_id: str | None
    status: AttemptStatus
    authorized: Money
    captured: Money
    decline: Decline | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRefund:
    """
    A refund as the provider holds it.

    Attributes:
        ref: The provider's id of it.
        refund_id: payport's id of the refund; None where the store does not know it yet.
        payment_ref: The provider's id of the payment that it is of.
        failure_code: The provider's word for why it failed, where it did.
        raw: What the provider told.
    """

    ref: str
    refund_id: str | None
    payment_ref: str
    status: RefundStatus
    amount: Money
    failure_code: str | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)


T = TypeVar("T")


class _Pages(abc.ABC, Generic[T]):
    """How one page is read, and where the next begins."""

    def __init__(self, session: Session, operation: str, capability: Capability) -> None:
        self._session = session
        self._operation = operation
        session.spec.require(capability, operation=operation)

    def page(self, cursor: str | None, limit: int) -> Steps[Page[T]]:
        """One page. Raises InvalidRequest for a bad cursor or limit, before any I/O."""
        most = check_limit(limit, operation=self._operation)
        if cursor is not None and not self._is_cursor(cursor):
            raise InvalidRequest(
                "is not a cursor: pass the next_cursor of a page of the same listing",
                operation=self._operation,
                field="cursor",
            )
        return self._paged(cursor, most)

    def _is_cursor(self, given: object) -> bool:
        return isinstance(given, str) and _CURSOR.fullmatch(given) is not None

    @abc.abstractmethod
    def _paged(self, cursor: str | None, most: int) -> Steps[Page[T]]:
        """One page, its arguments being checked."""

    def _asked(
        self, line: Session, method: str, query: PaymentsQuery | RefundsQuery
    ) -> Steps[FactsPage]:
        """What the provider lists. Raises ProviderFault where it does not."""
        call = Call(timeout=line.settings.call_timeout)
        told: Any = yield from line.gate.ask(methodcaller(method, query, call))
        if isinstance(told, Failure):
            raise line.fault(told, self._operation, "") from told.cause
        page: FactsPage = told
        return page


class ProviderPayments(_Pages[ProviderPayment]):
    """See `Payments.list_from_provider`."""

    def __init__(
        self,
        session: Session,
        *,
        created_from: datetime | None,
        created_before: datetime | None,
        customer: str | None,
        provider: str | None = None,
    ) -> None:
        operation = "payments.list_from_provider"
        line = session.line(provider, operation)
        super().__init__(line, operation, Capability.LIST_PAYMENTS)
        check = Checker(operation, line.spec.limits)
        self._query = PaymentsQuery(
            created_from=check_moment(created_from, operation=operation, field="created_from"),
            created_before=check_moment(
                created_before, operation=operation, field="created_before"
            ),
            customer=check.token(customer, "customer"),
        )

    def _paged(self, cursor: str | None, most: int) -> Steps[Page[ProviderPayment]]:
        session = self._session
        account = yield from session.account(self._operation, "")
        page = yield from self._asked(
            session, "list_payments", replace(self._query, after=cursor, limit=most)
        )
        refs = [facts.attempt_ref for facts in page.items if facts.attempt_ref is not None]

        def known(tx: Transaction) -> Mapping[str, str]:
            found = {ref: tx.payment_by_ref(session.spec.name, account.id, ref) for ref in refs}
            here = (session.scope, session.environment)
            return {
                ref: intent.id
                for ref, intent in found.items()
                if intent is not None and (intent.scope, intent.environment) == here
            }

        ids = yield from transact(known)
        items = tuple(_payment_from(facts, ids.get) for facts in page.items)
        return Page(items=items, next_cursor=page.next_cursor)


class ProviderRefunds(_Pages[ProviderRefund]):
    """See `Refunds.list_from_provider`."""

    def __init__(self, session: Session, *, payment: str) -> None:
        operation = "refunds.list_from_provider"
        super().__init__(session, operation, Capability.LIST_REFUNDS)
        self._payment_id = check_id(payment, Kind.PAYMENT, operation=operation, field="payment")

    def _paged(self, cursor: str | None, most: int) -> Steps[Page[ProviderRefund]]:
        session = self._session
        intent = yield from session.load(self._payment_id, self._operation)
        yield from session.at_home(intent, self._operation)
        # Each attempt may have an object of its own, and be refunded; the latest one comes first.
        refs = [attempt.ref for attempt in intent.attempts[::-1] if attempt.ref != intent.id]
        number, after = _place_in(cursor)
        if number >= len(refs):
            return Page(items=(), next_cursor=None)
        query = RefundsQuery(payment_ref=refs[number], after=after, limit=most)
        line = session.at(intent, self._operation, refs[number])
        line.spec.require(Capability.LIST_REFUNDS, operation=self._operation)
        page = yield from self._asked(line, "list_refunds", query)
        ids = {refund.provider_ref: refund.id for refund in intent.refunds}
        items = tuple(_refund_from(facts, ids.get) for facts in page.items)
        following = page.next_cursor
        if following is not None:
            return Page(items=items, next_cursor=f"{number}:{following}")
        return Page(items=items, next_cursor=f"{number + 1}:" if number + 1 < len(refs) else None)


def _place_in(cursor: str | None) -> tuple[int, str | None]:
    """Which object of several a cursor is of, and where in its listing."""
    found = _CURSOR.fullmatch(cursor or "")
    if found is None:
        return 0, None
    return int(found[1] or 0), found[2] or None


_IdOf = Callable[[str], str | None]


def _payment_from(facts: Facts, id_of: _IdOf) -> ProviderPayment:
    (attempt,) = facts.attempts
    taken = attempt.authorized * 0
    for capture in facts.captures:
        if capture.status is CaptureStatus.SUCCEEDED:
            taken += capture.amount
    return ProviderPayment(
        ref=attempt.ref,
        payment_id=id_of(attempt.ref),
        status=attempt.status,
        authorized=attempt.authorized,
        captured=taken,
        decline=attempt.decline,
        raw=attempt.raw,
    )


def _refund_from(facts: Facts, id_of: _IdOf) -> ProviderRefund:
    (refund,) = facts.refunds
    return ProviderRefund(
        ref=refund.ref,
        refund_id=id_of(refund.ref),
        payment_ref=refund.attempt_ref,
        status=refund.status,
        amount=refund.amount,
        failure_code=refund.failure_code,
        raw=refund.raw,
    )
