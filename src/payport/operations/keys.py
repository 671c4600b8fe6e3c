"""
Idempotency keys: derived, never drawn. The same operation has the same key in every process, for
ever; anything that makes it another operation makes another key.

The format is frozen: a changed key is a new key to the provider, so an upgrade in the middle of an
operation would charge twice. `tests/operations/test_keys.py` holds golden vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from payport.domain.identifiers import Environment, digest
from payport.providers.exchange import KEY_PREFIX

__all__ = ["KEY_PREFIX", "KeyParts", "derive_key"]

#: Part of the format. An operation's further requests have keys derived from this one, by
#: `payport.providers.exchange.step_key`.
_FIRST_STEP = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyParts:
    """
    What makes an operation this one and no other.

    Attributes:
        scope: The order space.
        account: The provider's account.
        operation: The operation's name at the provider boundary.
        aggregate: payport's id of the payment or refund.
        reference: The application's reference of this operation within the aggregate; may be "".
        attempt: From 1.
    """

    scope: str
    environment: Environment
    provider: str
    account: str
    operation: str
    aggregate: str
    reference: str
    attempt: int


def derive_key(parts: KeyParts) -> str:
    """Return the key: 56 characters of `[a-z2-7_]` and the digit of the format."""
    return KEY_PREFIX + digest(
        (
            parts.scope,
            parts.environment,
            parts.provider,
            parts.account,
            parts.operation,
            parts.aggregate,
            parts.reference,
            str(parts.attempt),
            _FIRST_STEP,
        )
    )
