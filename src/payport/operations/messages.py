"""
What goes on the wire for an operation: a command, and the exact request that carries it out. Made
when the operation begins, kept in its row as far as it may be stored, and read from there again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from payport.domain.frozen import EMPTY
from payport.providers.commands import (
    Command,
    ConfirmPayment,
    CreatePayment,
    command_from_json,
    command_to_json,
)
from payport.providers.exchange import Request

if TYPE_CHECKING:
    from payport.operations.plan import Begun, JournalSettings
    from payport.operations.reckoning import Reckoning
    from payport.operations.records import OperationRecord
    from payport.providers.spec import ProviderSpec

__all__ = ["Message", "Messages", "kept", "stored_message"]


@dataclass(frozen=True, slots=True)
class Message:
    """
    A command, and the exact request that carries it out.

    Held in memory by the call that begins the operation, because some may not be stored: then
    there is none later, and the command can be used to look for what it did, but not to do it.
    """

    command: Command
    exact: Request | None


class Messages:
    """Makes messages for one provider."""

    def __init__(
        self,
        settings: JournalSettings,
        spec: ProviderSpec,
        render: Callable[[Command, str], Request],
        reckoning: Reckoning,
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._render = render
        self._reckoning = reckoning

    def made(self, begun: Begun, key: str) -> Message | None:
        """The message of an operation that begins; None where nothing is sent."""
        if not begun.send:
            return None
        self._spec.check(begun.command)
        return Message(begun.command, self._render(begun.command, key))

    def send_before(self, command: Command) -> datetime:
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


def kept(command: Command, exact: Request | None) -> tuple[bytes, bytes | None]:
    """A command and its request as they are stored, as far as they may be."""
    storable = exact is None or exact.storable
    document = command_to_json(command if storable else _bare(command))
    return document, exact.to_bytes() if exact is not None and storable else None


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
