"""
What the journal writes before a send: the operation prepared, and sent where that is known already.

Each is a plain function of one transaction. None of them talks to a provider, so commits and sends
lie apart, and a crash between any two of them leaves a row that says how far the operation came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payport.domain.errors import IdempotencyConflict
from payport.domain.outcomes import Certainty
from payport.operations.claiming import Claim
from payport.operations.evidence import baseline
from payport.operations.homes import check_home, is_at
from payport.operations.keys import KeyParts, derive_key
from payport.operations.messages import Message, Messages, kept
from payport.operations.plan import ONLY, Beginning, Concluded, Route
from payport.operations.records import OperationRecord, OperationState
from payport.operations.settling import (
    is_over,
    locked_operation,
    locked_payment,
    released,
    saved,
)
from payport.providers.outcomes import Account

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.leases import Leases
    from payport.operations.plan import JournalSettings, Plan
    from payport.operations.reckoning import Reckoning
    from payport.providers.commands import Command
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction

__all__ = ["Prepared", "Preparing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """
    The operation's row and the payment.

    Attributes:
        message: What goes on the wire, where this call wrote the row.
        granted: Whether this call wrote the row as sent, and so holds the lease already.
    """

    record: OperationRecord
    intent: PaymentIntent
    message: Message | None = None
    granted: bool = False

    def claim(self) -> Claim:
        """The lease that it was written down with."""
        return Claim(record=self.record, intent=self.intent, granted=True, message=self.message)


class Preparing:
    """The journal's transactions before a send."""

    def __init__(
        self,
        settings: JournalSettings,
        spec: ProviderSpec,
        messages: Messages,
        leases: Leases,
        reckoning: Reckoning,
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._messages = messages
        self._leases = leases
        self._reckoning = reckoning

    def known(self, tx: Transaction, plan: Plan) -> Concluded | None:
        """
        How the operation was concluded by facts, if it was: nobody has to be asked then.

        Raises:
            IdempotencyConflict: It was asked before with other parameters.
        """
        record = tx.operation(plan.identity.id)
        if record is None:
            return None
        self._check_same(record, plan)
        if not is_over(record):
            return None
        return Concluded(record=record, intent=locked_payment(tx, record))

    def prepare(
        self,
        tx: Transaction,
        plan: Plan,
        account: Account,
        owner: str,
        route: Route = ONLY,
        *,
        send: bool,
        trusted: bool = False,
    ) -> Prepared:
        """
        Write the operation down, or find it written.

        A row at another provider, of which nothing was ever sent, is moved here by a route that
        may take the payment; any other row stays where it is.

        Args:
            send: Whether the request goes out as soon as this is committed: a new row then says
                from the beginning that it was sent, under our lease.
            trusted: Whether neither payment nor operation is taken to be there, and looked for.

        Raises:
            StoreConflict: What was trusted is not so. Nothing was written.
            IdempotencyConflict: It was asked before with other parameters.
            ConfigurationError: The payment is at another provider or account, or the store was
                restored from a backup and real money would move.
        """
        stored = known = None
        if not trusted:
            # The payment first: another process may write both between two reads.
            stored = tx.payment(plan.payment_id, lock=True)
            known = tx.operation(plan.identity.id)
        if known is not None:
            self._check_same(known, plan)
            stored = stored or locked_payment(tx, known)
            free = self._freed(tx, known, stored, account, route)
            if free is None:
                return Prepared(record=known, intent=stored)
            # Prepared only: it is sent in a commit of its own, once it is known to be here.
            moved = self._written(tx, plan, free, account, owner=owner, route=route, send=False)
            record = _continued(moved.record, known)
            tx.reroute_operation(known, record)
            self._check_sendable(tx, moved)
            return replace(moved, record=record)
        if stored is not None and not self._holds(plan, stored, account):
            if route.may_take(stored):
                stored = stored.moved(self._spec.name, account.id)
            else:
                check_home(stored, self._spec.name, account, plan.named)
        prepared = self._written(tx, plan, stored, account, owner=owner, route=route, send=send)
        tx.insert_operation(prepared.record)
        self._check_sendable(tx, prepared)
        return prepared

    def _check_sendable(self, tx: Transaction, prepared: Prepared) -> None:
        """
        Refuse to begin what a restored store may not send. Asked once it is known to be new: what
        was begun before can be asked for again, also from a store that may not send.
        """
        if prepared.message is not None:
            tx.check_sendable(self._settings.environment, count=prepared.granted)

    def _holds(self, plan: Plan, stored: PaymentIntent, account: Account) -> bool:
        """Whether what the operation is on is at this account."""
        ref = plan.held_by(stored)
        if ref is None:
            return is_at(stored, self._spec.name, account)
        return stored.home_of(ref) == (self._spec.name, account.id)

    def _freed(
        self,
        tx: Transaction,
        known: OperationRecord,
        stored: PaymentIntent,
        account: Account,
        route: Route,
    ) -> PaymentIntent | None:
        """
        The payment, taken over from the provider that the operation is at, if nothing was ever sent
        there, nobody is about to, and nothing else of the payment can be charged there.
        """
        record = locked_operation(tx, known.id)
        if (record.provider, record.account) == (self._spec.name, account.id):
            return None
        now = self._settings.clock.now()
        if not record.was_never_sent or self._leases.is_held(record, "", now):
            return None
        free = released(stored, record, Certainty.NO_EFFECT, "")
        return free.moved(self._spec.name, account.id) if route.may_take(free) else None

    def _written(
        self,
        tx: Transaction,
        plan: Plan,
        stored: PaymentIntent | None,
        account: Account,
        *,
        owner: str,
        route: Route,
        send: bool,
    ) -> Prepared:
        """The payment written with the operation begun on it, and the operation's row to write."""
        now = self._settings.clock.now()
        key = self._key(plan, account)
        begun = plan.begin(
            Beginning(tx=tx, spec=self._spec, stored=stored, account=account, now=now, key=key)
        )
        message, intent = self._messages.made(begun, key), begun.intent
        standing = self._standing(owner, now, is_sent=message is not None, at_once=send)
        if message is not None:
            intent = intent.evolve(in_flight=(*intent.in_flight, key))
        record = self._row(
            plan,
            begun.command,
            message,
            account,
            now,
            key=key,
            baseline=baseline(stored),
            route=route.reason,
            **standing,
        )
        granted = send and message is not None
        return Prepared(record=record, intent=saved(tx, intent), message=message, granted=granted)

    def _standing(
        self, owner: str, now: datetime, *, is_sent: bool, at_once: bool
    ) -> dict[str, Any]:
        """How a new row stands: concluded where nothing is sent, and otherwise under our lease."""
        if not is_sent:
            return {"state": OperationState.CONFIRMED, "concluded_at": now}
        until = self._leases.end(now)
        leased = {"lease_owner": owner, "lease_until": until, "next_look_at": until}
        if not at_once:
            return {"state": OperationState.PREPARED, **leased}
        first = self._reckoning.earliest()
        sent = {"state": OperationState.SENT, "fencing": 1, "sends": 1, "first_sent_at": first}
        return {**leased, **sent}

    def _check_same(self, known: OperationRecord, plan: Plan) -> None:
        if known.fingerprint != plan.fingerprint:
            raise IdempotencyConflict(
                operation=plan.named, reference=plan.reference, idempotency_key=known.key
            )

    def _key(self, plan: Plan, account: Account) -> str:
        identity = plan.identity
        return derive_key(
            KeyParts(
                scope=identity.scope,
                environment=identity.environment,
                provider=self._spec.name,
                account=account.id,
                operation=identity.operation,
                aggregate=identity.aggregate_id,
                reference=identity.reference,
                attempt=identity.attempt,
            )
        )

    def _row(
        self,
        plan: Plan,
        command: Command,
        message: Message | None,
        account: Account,
        now: datetime,
        **standing: Any,
    ) -> OperationRecord:
        """The row of a new operation."""
        identity = plan.identity
        exact = message.exact if message is not None else None
        document, request = kept(command, exact)
        return OperationRecord(
            id=identity.id,
            scope=identity.scope,
            environment=identity.environment,
            operation=identity.operation,
            aggregate_id=identity.aggregate_id,
            payment_id=plan.payment_id,
            reference=identity.reference,
            attempt=identity.attempt,
            fingerprint=plan.fingerprint,
            command=document,
            request=request,
            provider=self._spec.name,
            account=account.id,
            endpoint=account.endpoint,
            prepared_at=now,
            latest_at=now,
            send_before=self._messages.send_before(command),
            **standing,
        )


#: The longest history of routes that a row keeps.
_LONGEST_ROUTE = 1000


def _continued(moved: OperationRecord, before: OperationRecord) -> OperationRecord:
    """The row at its new provider, as the one it was before: the same operation, later."""
    route = f"{before.route}; then {moved.route}"
    if len(route) > _LONGEST_ROUTE:
        route = f"{route[: _LONGEST_ROUTE // 2]} ... {route[-_LONGEST_ROUTE // 3 :]}"
    return replace(
        moved,
        route=route,
        fencing=before.fencing + moved.fencing,
        prepared_at=before.prepared_at,
        latest_at=max(before.latest_at, moved.latest_at),
    )
