"""One request as the desks see it: what it is about, what it says, and what a test scripted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from payport.testing.script import As, Declined
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Card

__all__ = ["Ask", "Scripted"]

#: What was scripted for a request.
Scripted: TypeAlias = Declined | As | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    A request whose parameters were checked.

    Attributes:
        ref: The id in its path.
        account: The merchant account that it names.
        key: Its idempotency key, which the bank keeps as the tag of what it makes.
        psp: The reference that the request was given.
    """

    ref: str
    params: Doc = field(repr=False)
    account: str
    key: str | None
    psp: str
    scripted: Scripted

    @property
    def forced(self) -> Card | None:
        """The card that is put in place of the real one."""
        return self.scripted.card if self.scripted is not None else None

    @property
    def declined(self) -> bool:
        """Whether a test wants it to be refused."""
        return isinstance(self.scripted, Declined)
