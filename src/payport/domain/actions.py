"""What a customer has to do before a payment can go on. Client tokens stay out of repr and rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from payport.domain.secrets import NOTHING, Sealed

__all__ = ["ClientToken", "NextAction", "Redirect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """
    Send the customer to `url`; the provider sends them back to the payment's return URL.

    The address may hold a token of its own: it is fetched again when asked for, and never stored.
    """

    kind: Literal["redirect"] = "redirect"
    target: Sealed[str] = field(default=NOTHING, compare=False)

    @property
    def url(self) -> str | None:
        """The address, or None when this value came from the store: ask `refresh` for it."""
        return self.target.value

    @property
    def is_complete(self) -> bool:
        """Whether the address is here: values from the store do not have it."""
        return self.target.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToken:
    """Hand `token` to the provider's own code in the customer's browser or app."""

    kind: Literal["client_token"] = "client_token"
    secret: Sealed[str] = field(default=NOTHING, compare=False)

    @property
    def token(self) -> str | None:
        """The token, or None when this value came from the store: ask `refresh` for it."""
        return self.secret.value

    @property
    def is_complete(self) -> bool:
        """Whether the token is here: values from the store do not have it."""
        return self.secret.value is not None


#: What the customer has to do.
NextAction: TypeAlias = Redirect | ClientToken
