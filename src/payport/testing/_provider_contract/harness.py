"""
What the contract needs to know about a provider under test, and the bank it stands in front of.

A harness makes providers, hands over the webhooks that the bank sent, and forges others. The bank
is the judge: what moved is what its books say, whatever the provider told. Any simulator of a
processor that is a face of `payport.testing.bank.bank.Bank` can have one; the contract never asks
which processor it is.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import ClassVar, Self

from payport.domain.declines import DeclineReason
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.clock import FakeClock
from payport.testing.script import Script

__all__ = ["Harness", "Rig", "Sent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """
    A request that went on the wire.

    Attributes:
        target: Path and query below the provider's base address.
        headers: By lower-case name. Those with credentials may be left out.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """
    One provider under test.

    Attributes:
        provider: The provider; an async one through `payport.testing.blocking.Blocking`.
        subject: The same without that view: what an application would hold.
        script: What goes wrong with its next requests, by operation of the protocol.
        sent: Every request that a provider of the harness put on the wire, in order; grows. One
            that the script lost counts: it was sent.
    """

    provider: PaymentProvider
    subject: object
    script: Script
    sent: Sequence[Sent]


class Harness(abc.ABC):
    """
    A bank with a clock, and providers in front of it. Each test gets a new one.

    Attributes:
        bank: What really moves money.
        clock: The bank's clock, which the test advances.
        replay_window: How old, or how far ahead, a signed webhook may be. None where a webhook does
            not say when it was signed.
        signs_whole_body: Whether a signature covers every byte of the body.
        signs_with_all: Whether a webhook carries a signature by each secret that is active.
        currencies: Currencies that it takes, with exponents as different as it has them.
    """

    bank: Bank
    clock: FakeClock
    replay_window: ClassVar[timedelta | None] = timedelta(minutes=5)
    signs_whole_body: ClassVar[bool] = True
    signs_with_all: ClassVar[bool] = True
    currencies: ClassVar[Sequence[str]] = (
        *("USD", "EUR", "GBP", "JPY", "KRW", "CLP", "ISK", "UGX", "HUF", "TWD"),
        *("KWD", "BHD", "TND"),
    )

    @abc.abstractmethod
    def make(
        self, *, api_key: str | None = None, webhook_secrets: Sequence[str] | None = None
    ) -> Rig:
        """
        A new provider in front of the bank, with a script of its own.

        Args:
            api_key: The credentials it is constructed with; None for any that work.
            webhook_secrets: What it verifies webhooks with; None for those the bank signs with.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close every provider made here, and whatever they run on."""

    @abc.abstractmethod
    def webhooks(self) -> Sequence[WebhookRequest]:
        """Take the webhooks that the bank sent since the last call, in the order they happened."""

    @abc.abstractmethod
    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        """
        A webhook with this body and a signature that fits it.

        Args:
            body: Any bytes; where the signature is part of the body, put into it if there is a
                place for it.
            secret: What to sign with; None for what the bank signs with.
            at: When it is signed; None for now.
        """

    @abc.abstractmethod
    def signature(self, request: WebhookRequest) -> str:
        """The text in the place of the request's signature."""

    @abc.abstractmethod
    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        """The request with another text in the place of its signature; None takes it out."""

    def older(self, request: WebhookRequest) -> WebhookRequest | None:
        """
        The webhook as an API version would word it that the adapter was not written for; None where
        webhooks do not say their version.
        """
        del request
        return None

    def token(self, token: str) -> str | None:
        """
        The provider's token for one of the bank's, such as `Tokens.OK`; None where it has nothing
        that behaves like it: checks that need one are skipped.
        """
        return token

    def action_result(self, reference: str) -> Mapping[str, str]:
        """
        What comes back with a customer who authenticated for the payment of this reference. Only
        asked of providers that take it from the application.
        """
        raise NotImplementedError(f"what comes back with the customer of {reference}?")

    def decline(self, reason: DeclineReason) -> DeclineReason:
        """As what one of the bank's reasons arrives, where the provider has fewer words."""
        return reason

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
