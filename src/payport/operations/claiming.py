"""
What the journal writes to send an operation whose row is there: the lease, claimed in a commit of
its own. A plain function of one transaction, which talks to no provider.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payport.domain.outcomes import Certainty
from payport.operations.messages import Message, Messages, stored_message
from payport.operations.plan import Beginning, Begun, Elsewhere
from payport.operations.records import OperationRecord, OperationState
from payport.operations.settling import (
    is_over,
    locked_operation,
    locked_payment,
    released,
    saved,
)

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.leases import Leases
    from payport.operations.plan import JournalSettings, Plan
    from payport.operations.preparing import Prepared
    from payport.operations.reckoning import Reckoning
    from payport.providers.outcomes import Account
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction

__all__ = ["Claim", "Claiming"]

#: States in which nothing was executed and the operation may begin anew under its old key.
_MAY_BEGIN_AGAIN = frozenset(
    {OperationState.NO_EFFECT, OperationState.REJECTED, OperationState.ABANDONED}
)


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


class Claiming:
    """The journal's transaction that takes a lease."""

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
            beginning = Beginning(
                tx=tx,
                spec=self._spec,
                stored=released(intent, record, Certainty.NO_EFFECT, ""),
                account=account,
                now=now,
                key=record.key,
                earlier=message.command if message is not None else None,
            )
            intent, message = self._begun_again(plan.begin(beginning), beginning, message)
        before = self._messages.send_before(message.command) if message else record.send_before
        claimed = replace(
            self._leases.taken(record, owner, now),
            doubtful=record.doubtful or resume,
            sends=record.sends + 1,
            # The earliest it can be: a key is rather taken for older than it is than for younger.
            first_sent_at=record.first_sent_at or self._reckoning.earliest(),
            send_before=before,
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
            message = self._messages.made(begun, beginning.key)
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
