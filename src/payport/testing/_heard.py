"""What a webhook's delivery brings in all: its envelope, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payport.providers.deliveries import (
    Delivery,
    ReceivesWebhooks,
    Statement,
    Subject,
    WebhookRequest,
)
from payport.webhooks.bodies import without_client_secrets

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.domain.identifiers import Environment
    from payport.domain.payout import PayoutFact
    from payport.domain.secrets import Sealed

__all__ = ["Heard", "heard"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One delivery and its statement; the attributes of both."""

    delivery: Delivery
    statement: Statement

    @property
    def dedupe_key(self) -> str:
        """See `Delivery`."""
        return self.delivery.dedupe_key

    @property
    def ordering_key(self) -> str:
        """See `Delivery`."""
        return self.delivery.ordering_key

    @property
    def type(self) -> str:
        """See `Delivery`."""
        return self.delivery.type

    @property
    def fingerprint(self) -> str:
        """See `Delivery`."""
        return self.delivery.fingerprint

    @property
    def occurred_at(self) -> datetime:
        """See `Delivery`."""
        return self.delivery.occurred_at

    @property
    def attempt_ref(self) -> str | None:
        """See `Delivery`."""
        return self.delivery.attempt_ref

    @property
    def tag(self) -> str | None:
        """See `Delivery`."""
        return self.delivery.tag

    @property
    def api_version(self) -> str | None:
        """See `Delivery`."""
        return self.delivery.api_version

    @property
    def environment(self) -> Environment | None:
        """See `Delivery`."""
        return self.delivery.environment

    @property
    def account(self) -> str | None:
        """See `Delivery`."""
        return self.delivery.account

    @property
    def facts(self) -> Facts | None:
        """See `Statement`."""
        return self.statement.facts

    @property
    def payout(self) -> PayoutFact | None:
        """See `Statement`."""
        return self.statement.payout

    @property
    def subject(self) -> Subject | None:
        """See `Statement`."""
        return self.statement.subject

    @property
    def needs_fetch(self) -> bool:
        """See `Statement`."""
        return self.statement.needs_fetch

    @property
    def raw(self) -> Sealed[Any]:
        """See `Statement`."""
        return self.statement.raw


def heard(provider: ReceivesWebhooks, request: WebhookRequest, now: datetime) -> tuple[Heard, ...]:
    """A webhook, verified now and read as a worker reads it later: without client secrets."""
    deliveries = provider.parse_webhook(request, now=now)
    statements = provider.read_webhook(without_client_secrets(request.body))
    return tuple([Heard(d, s) for d, s in zip(deliveries, statements, strict=True)])
