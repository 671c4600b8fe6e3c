"""One item of a webhook, as far as all items are alike: what it is about, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payport.domain.facts import Facts
from payport.domain.money import Money
from payport.providers.adyen.objects import Document
from payport.providers.adyen.references import Reference
from payport.providers.adyen.spec import API_VERSION, money_from

__all__ = ["Item", "about", "amount_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One item of a webhook, as far as all have it.

    Attributes:
        psp: Adyen's id of what happened: the payment's own, or a modification's or dispute's.
        original: Adyen's id of the payment that a modification or dispute is of.
        reference: Our reference, where it is one.
        document: The whole item.
        is_named: Whether its own id is something else's than the payment's, so that the payment
            goes by our name where no original is told.
    """

    code: str
    success: bool
    psp: str
    original: str | None
    reference: Reference | None
    account: str
    at: datetime
    document: Document
    is_named: bool = False

    @property
    def payment(self) -> str:
        """Adyen's id of the payment, or what we called it where the item does not tell that."""
        if self.original is not None:
            return self.original
        named = self.reference is not None and self.reference.is_payment and self.is_named
        return self.reference.text if self.reference is not None and named else self.psp

    @property
    def own_tag(self) -> str | None:
        """Our key, where what happened was asked for under it."""
        made = self.reference is not None and not self.reference.is_payment
        return self.reference.key if self.reference is not None and made else None

    @property
    def payment_tag(self) -> str | None:
        """Our key of the payment, where the item tells it."""
        named = self.reference is not None and self.reference.is_payment
        return self.reference.key if self.reference is not None and named else None


def amount_of(item: Item) -> Money:
    """What an item is about. Raises one of UNREADABLE."""
    return money_from(item.document["amount"])


def about(item: Item, **told: Any) -> Facts:
    """What an item says of its payment."""
    return Facts(attempt_ref=item.payment, tag=item.payment_tag, api_version=API_VERSION, **told)
