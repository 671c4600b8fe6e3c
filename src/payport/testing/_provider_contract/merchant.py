"""
A merchant who uses a provider as the client does, but keeps no journal and retries nothing: what it
does once is what the contract checks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest

from payport.domain.money import Money
from payport.providers.base import PaymentProvider
from payport.providers.commands import Command, Lookup
from payport.providers.deliveries import Delivery, ReceivesWebhooks, WebhookRequest
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Outcome
from payport.providers.spec import ProviderSpec
from payport.testing._heard import Heard, heard
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.harness import Harness, Rig, Sent
from payport.testing._provider_contract.sale import Sale
from payport.testing.bank.bank import Bank
from payport.testing.clock import FakeClock
from payport.testing.script import Script
from payport.testing.tokens import CARDS, Tokens

__all__ = ["PRICE", "Merchant"]

#: What things cost unless a check says otherwise.
PRICE = Money(4_999, "USD")


class Merchant:
    """
    Whoever sells.

    Attributes:
        received: Every webhook so far, in order.
        heard: Every delivery in them.
    """

    def __init__(self, harness: Harness, rig: Rig | None = None) -> None:
        rig = rig or harness.make()
        self.harness = harness
        self.bank: Bank = harness.bank
        self.clock: FakeClock = harness.clock
        self.provider: PaymentProvider = rig.provider
        self.subject: object = rig.subject
        self.script: Script = rig.script
        self.sent: Sequence[Sent] = rig.sent
        self.spec: ProviderSpec = rig.provider.spec
        self.received: list[WebhookRequest] = []
        self.heard: list[Heard] = []
        self._numbers = itertools.count(1)
        self._first_sent: dict[str, datetime] = {}

    def another(self, **options: Any) -> Merchant:
        """The same merchant in another process: another provider object at the same bank."""
        other = Merchant(self.harness, self.harness.make(**options))
        other._numbers = self._numbers
        other._first_sent = self._first_sent
        return other

    def sale(self, amount: Money = PRICE) -> Sale:
        """Something new to be paid."""
        return Sale(self, amount, f"order_{next(self._numbers)}")

    def token(self, token: str) -> str:
        """The provider's token for one of the bank's; the check is skipped where it has none."""
        # What is no token of the table is one that the bank issued, for a method that it saved.
        known = self.harness.token(token) if token in CARDS else token
        if known is None:
            pytest.skip(f"the provider has nothing like {token}")
        return known

    @property
    def challenge(self) -> str:
        """
        The bank's token for a card whose holder has to do something: in the shop's own page where
        the provider has that, else on one of the provider's.
        """
        in_page = self.harness.token(Tokens.AUTHENTICATE_TOKEN) is not None
        return Tokens.AUTHENTICATE_TOKEN if in_page else Tokens.AUTHENTICATE

    def send(self, ask: Ask, **how: Any) -> Outcome:
        """
        Check a command as the client does, and have the provider carry it out.

        `how` are attributes of `Call`, such as `guard`.
        """
        self.spec.check(ask.command)
        carry_out: Callable[[Command, Call], Outcome] = getattr(
            self.provider, ask.command.operation
        )
        first_sent_at = self._first_sent.setdefault(ask.key, self.clock.now())
        return carry_out(ask.command, Call(key=ask.key, first_sent_at=first_sent_at, **how))

    def find(self, ask: Ask) -> Outcome:
        """Look for what carries the operation's key."""
        self.clock.advance(self.bank.behaviour.search_lag)
        lookup = Lookup(key=ask.key, command=ask.command, payment_ref=ask.payment_ref)
        return self.provider.find(lookup, Call())

    def hear(self) -> Sequence[Heard]:
        """Receive the webhooks that the bank sent meanwhile; return what is new."""
        requests = self.harness.webhooks()
        new = [delivery for request in requests for delivery in self.reads(request)]
        self.received.extend(requests)
        self.heard.extend(new)
        return new

    def reads(self, request: WebhookRequest) -> Sequence[Heard]:
        """Verify a webhook now, and read what it says, as a worker does later."""
        told = heard(self.webhooks, request, self.clock.now())
        return told if self.spec.signs_webhooks else [self._looked(one) for one in told]

    def _looked(self, hint: Heard) -> Heard:
        """A hint with what its object says, which is read as the client reads it."""
        outcome = self.provider.retrieve_payment(hint.attempt_ref or "", Call())
        facts = outcome.facts if isinstance(outcome, Answer) else None
        return replace(hint, statement=replace(hint.statement, facts=facts))

    def parses(self, request: WebhookRequest) -> Sequence[Delivery]:
        """Verify a webhook now, and read its envelope."""
        return self.webhooks.parse_webhook(request, now=self.clock.now())

    @property
    def webhooks(self) -> ReceivesWebhooks:
        """The provider as one that sends webhooks."""
        return cast("ReceivesWebhooks", self.provider)
