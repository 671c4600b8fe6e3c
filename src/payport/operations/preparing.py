"""
What the journal writes before a send: the operation prepared, and the lease to send it claimed.

Each is a plain function of one transaction. None of them talks to a provider, so commits and sends
lie apart, and a crash between any two of them leaves a row that says how far the operation came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payport.domain.errors import IdempotencyConflict
from payport.domain.frozen import EMPTY
from payport.domain.outcomes import Certainty
from payport.operations.evidence import baseline
from payport.operations.keys import KeyParts, derive_key
from payport.operations.plan import ONLY, Beginning, Begun, Concluded, Elsewhere, Route
from payport.operations.records import OperationRecord, OperationState
from payport.operations.settling import (
    is_over,
    locked_operation,
    locked_payment,
    released,
    saved,
)
from payport.providers.commands import (
    Command,
    ConfirmPayment,
    CreatePayment,
    command_from_json,
    command_to_json,
)
from payport.providers.exchange import Request
from payport.providers.outcomes import Account

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.leases import Leases
    from payport.operations.plan import JournalSettings, Plan
    from payport.operations.reckoning import Reckoning
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction

__all__ = ["Claim", "Message", "Prepared", "Preparing", "check_home", "stored_message"]

#: States in which nothing was executed and the operation may begin anew under its old key.
_MAY_BEGIN_AGAIN = frozenset(
    {OperationState.NO_EFFECT, OperationState.REJECTED, OperationState.ABANDONED}
)


@dataclass(frozen=True, slots=True)
class Message:
    """
    A command, and the exact request that carries it out.

    Held in memory by the call that begins the operation, because some may not be stored: then
    there is none later, and the command can be used to look for what it did, but not to do it.
    """

    command: Command
    exact: Request | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    What a caller who asks for the lease is told.

    Attributes:
        record: The row; with our lease where `granted`.
        granted: Whether we hold the lease.
        resume: Whether it was sent before: then find out what became of it, first of all.
        message: What goes on the wire, or what was stored of it.
    """

    record: OperationRecord
    intent: PaymentIntent
    granted: bool
    resume: bool = False
    message: Message | None = None


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
        render: Callable[[Command, str], Request],
        leases: Leases,
        reckoning: Reckoning,
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._render = render
        self._leases = leases
        self._reckoning = reckoning

    # -- prepare --------------------------------------------------------------------------------

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
            return replace(moved, record=record)
        if stored is not None and not self._holds(plan, stored, account):
            if not route.may_take(stored):
                check_home(stored, self._spec.name, account, plan.named)
            stored = stored.moved(self._spec.name, account.id)
        prepared = self._written(tx, plan, stored, account, owner=owner, route=route, send=send)
        tx.insert_operation(prepared.record)
        return prepared

    def _holds(self, plan: Plan, stored: PaymentIntent, account: Account) -> bool:
        """Whether what the operation is on is at this account."""
        ref = plan.held_by(stored)
        if ref is None:
            return _is_at(stored, self._spec.name, account)
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
        begun = plan.begin(self._beginning(tx, stored, account, now=now, key=key))
        message, intent = self._message(begun, key), begun.intent
        standing = self._standing(owner, now, is_sent=message is not None, at_once=send)
        if message is not None:
            tx.check_sendable(self._settings.environment, count=send)
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

    def _beginning(
        self,
        tx: Transaction,
        stored: PaymentIntent | None,
        account: Account,
        *,
        now: datetime,
        key: str,
        earlier: Command | None = None,
    ) -> Beginning:
        return Beginning(
            tx=tx,
            spec=self._spec,
            stored=stored,
            account=account,
            now=now,
            key=key,
            earlier=earlier,
        )

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

    def _message(self, begun: Begun, key: str) -> Message | None:
        if not begun.send:
            return None
        self._spec.check(begun.command)
        return Message(begun.command, self._render(begun.command, key))

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
        storable = exact is None or exact.storable
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
            command=command_to_json(command if storable else _bare(command)),
            request=exact.to_bytes() if exact is not None and storable else None,
            provider=self._spec.name,
            account=account.id,
            endpoint=account.endpoint,
            prepared_at=now,
            latest_at=now,
            send_before=self._send_before(command),
            **standing,
        )

    # -- claim ----------------------------------------------------------------------------------

    def claim(
        self,
        tx: Transaction,
        plan: Plan,
        account: Account,
        owner: str,
        own: Prepared | None = None,
        *,
        trusted: bool = False,
    ) -> Claim:
        """
        Take the lease of an operation that nobody holds, so as to send it or to learn its outcome.

        A row that was sent and whose lease is over is doubtful from here on: its sender may have
        died after the last byte.

        Args:
            own: What this call prepared a moment ago.
            trusted: Whether the row is taken to be as it was prepared, and not read again.

        Raises:
            StoreConflict: What was trusted was changed since. Nothing was written.
            ConfigurationError: The operation began at another account, mode or endpoint, or the
                store may not send.
        """
        if own is not None and trusted:
            record, intent = own.record, own.intent
        else:
            stored = tx.payment(plan.payment_id, lock=True)
            record = locked_operation(tx, plan.identity.id)
            intent = stored or locked_payment(tx, record)
        now = self._settings.clock.now()
        if is_over(record) or self._leases.is_held(record, owner, now):
            return Claim(record=record, intent=intent, granted=False)
        self._check_account(record, account, plan)
        tx.check_sendable(self._settings.environment, count=True)
        message = (own.message if own is not None else None) or stored_message(record)
        resume = record.state not in {OperationState.PREPARED, *_MAY_BEGIN_AGAIN}
        never_kept = message is None or message.exact is None
        if not resume and (never_kept or record.state in _MAY_BEGIN_AGAIN):
            beginning = self._beginning(
                tx,
                released(intent, record, Certainty.NO_EFFECT, ""),
                account,
                now=now,
                key=record.key,
                earlier=message.command if message is not None else None,
            )
            intent, message = self._begun_again(plan.begin(beginning), beginning, message)
        claimed = replace(
            self._leases.taken(record, owner, now),
            doubtful=record.doubtful or resume,
            sends=record.sends + 1,
            # The earliest it can be: a key is rather taken for older than it is than for younger.
            first_sent_at=record.first_sent_at or self._reckoning.earliest(),
            send_before=self._send_before(message.command) if message else record.send_before,
        )
        if trusted:
            tx.swap_operation(record, claimed)
        else:
            tx.save_operation(claimed)
        return Claim(record=claimed, intent=intent, granted=True, resume=resume, message=message)

    def _begun_again(
        self, begun: Begun, beginning: Beginning, message: Message | None
    ) -> tuple[PaymentIntent, Message | None]:
        """
        The payment and the message of an operation without effect that begins anew.

        Its old request goes on the wire again where there is one: the provider may remember the key
        with it. Where it was not kept, the caller just said the same again.
        """
        if message is None or message.exact is None:
            message = self._message(begun, beginning.key)
        intent = begun.intent.evolve(in_flight=(*begun.intent.in_flight, beginning.key))
        return saved(beginning.tx, intent), message

    def _check_account(self, record: OperationRecord, account: Account, plan: Plan) -> None:
        begun_at = (record.provider, record.account, record.endpoint)
        if begun_at != (self._spec.name, account.id, account.endpoint):
            raise Elsewhere(
                f"the operation began at {record.provider} account {record.account} "
                f"({record.endpoint}), and this client is at {self._spec.name} account "
                f"{account.id} ({account.endpoint}). Nothing was sent: use the first account's "
                "credentials to conclude it.",
                operation=plan.named,
                reference=plan.reference,
            )

    def _send_before(self, command: Command) -> datetime:
        """
        Until when recovery may send the command again, if it was sent at all.

        A customer who is present is not charged hours later. What needs no customer is sent while
        the provider knows the key, which bounds every send anyway.
        """
        now, life = self._reckoning.earliest(), self._spec.idempotency.life
        if life is None or _charges_somebody_present(command):
            return now + self._settings.send_within
        return now + life


def stored_message(record: OperationRecord) -> Message | None:
    """What the journal holds of what goes on the wire for an operation."""
    if record.command is None:
        return None
    exact = Request.from_bytes(record.request) if record.request is not None else None
    return Message(command_from_json(record.command), exact)


def check_home(intent: PaymentIntent, provider: str, account: Account, operation: str) -> None:
    """
    Refuse to touch a payment from elsewhere: one order's objects are all at one account.

    Raises:
        ConfigurationError: The payment is at another provider or account.
    """
    if not _is_at(intent, provider, account):
        raise Elsewhere(
            f"the payment is at {intent.provider} account {intent.account}, and this client is at "
            f"{provider} account {account.id}. Nothing was sent: use the first account's "
            "credentials.",
            operation=operation,
            reference=intent.reference,
        )


def _is_at(intent: PaymentIntent, provider: str, account: Account) -> bool:
    return (intent.provider, intent.account) == (provider, account.id)


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


def _bare(command: Command) -> Command:
    """The command without what may be the reason why its request must not be stored."""
    if isinstance(command, CreatePayment | ConfirmPayment):
        command = replace(command, terms=replace(command.terms, payment_method=None))
    if isinstance(command, ConfirmPayment):
        command = replace(command, action_result=EMPTY)
    return command


def _charges_somebody_present(command: Command) -> bool:
    if isinstance(command, CreatePayment) and not command.confirm:
        return False
    return isinstance(command, CreatePayment | ConfirmPayment) and not command.terms.off_session
