"""Where a payment is. One order's objects are all at one account of one provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.operations.plan import Elsewhere

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.providers.outcomes import Account

__all__ = ["check_home", "is_at"]


def check_home(intent: PaymentIntent, provider: str, account: Account, operation: str) -> None:
    """
    Refuse to touch a payment from elsewhere: one order's objects are all at one account.

    Raises:
        ConfigurationError: The payment is at another provider or account.
    """
    if not is_at(intent, provider, account):
        raise Elsewhere(
            f"the payment is at {intent.provider} account {intent.account}, and this client is at "
            f"{provider} account {account.id}. Nothing was sent: use the first account's "
            "credentials.",
            operation=operation,
            reference=intent.reference,
        )


def is_at(intent: PaymentIntent, provider: str, account: Account) -> bool:
    """Whether the payment is at this account."""
    return (intent.provider, intent.account) == (provider, account.id)
