# ruff: noqa: S101 - contract tests live on assert
"""Hints: a webhook that is not signed says which object to read, and never anything of money."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from payport.domain.errors import WebhookRejected
from payport.providers.deliveries import Statement, WebhookRequest
from payport.providers.spec import Capability, Resolution
from payport.testing._provider_contract.checks import Checks, each_of
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing._provider_contract.stories import STORIES, Story

__all__ = ["HintChecks"]

#: What somebody might add to a hint in the hope that it is believed.
_CLAIMS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("status", "state", "event", "type"), "paid"),
    **dict.fromkeys(("amount", "captured", "total"), "49.99"),
    **dict.fromkeys(("paid", "success", "live"), True),
    "refunds": [],
}


class HintChecks(Checks):
    """Webhooks of a provider that declares `signs_webhooks=False`."""

    def hinted(self, merchant: Merchant, story: Story) -> Sale:
        """A story that happened, and that hints were sent of."""
        self.needs(Capability.WEBHOOKS, *story.needs)
        if merchant.spec.signs_webhooks:
            pytest.skip("the provider declares that its webhooks are signed")
        sale = story.tell(merchant)
        assert merchant.received, "no webhook came: have the simulator write one at each change"
        return sale

    @each_of("story", STORIES)
    def test_a_hint_says_nothing_of_money(self, merchant: Merchant, story: Story) -> None:
        self.hinted(merchant, story)
        for request in merchant.received:
            for said in merchant.webhooks.read_webhook(request.body):
                _check_silent(said)

    @each_of("story", STORIES)
    def test_a_hint_names_the_object_to_read(self, merchant: Merchant, story: Story) -> None:
        sale = self.hinted(merchant, story)
        named = {
            one.attempt_ref for request in merchant.received for one in _parsed(merchant, request)
        }
        assert named == {sale.ref}, (
            f"hints name {named}, and the payment is {sale.ref}: set Delivery.attempt_ref to what "
            "retrieve_payment is asked with"
        )

    def test_whatever_else_a_hint_says_is_not_believed(self, merchant: Merchant) -> None:
        self.hinted(merchant, STORIES["paid"])
        body = json.loads(merchant.received[0].body)
        claims = [{name: claim} for name, claim in _CLAIMS.items()]
        for claim in (*claims, dict(_CLAIMS)):
            forged = merchant.harness.sign(json.dumps({**body, **claim}).encode())
            if _parsed(merchant, forged):
                for said in merchant.webhooks.read_webhook(forged.body):
                    _check_silent(said)

    def test_a_hint_of_an_object_that_nobody_made_brings_nothing(self, merchant: Merchant) -> None:
        sale = self.hinted(merchant, STORIES["paid"])
        body = merchant.received[0].body
        other = body.replace(sale.ref.encode(), f"{sale.ref}0".encode())
        assert other != body, "the id of the object is not in the body of its hint"
        request = merchant.harness.sign(other)
        if _parsed(merchant, request):
            told = [one.facts for one in merchant.reads(request)]
            assert told == [None], "facts were made up for an id that does not exist"

    def test_a_hint_concludes_nothing(self, merchant: Merchant) -> None:
        if merchant.spec.signs_webhooks:
            pytest.skip("the provider declares that its webhooks are signed")
        assert Resolution.WEBHOOK not in merchant.spec.resolution, (
            "take Resolution.WEBHOOK out of the declaration: whoever knows the address could "
            "conclude an operation whose outcome is not known"
        )
        assert merchant.spec.has(Capability.RETRIEVE_PAYMENT) or not merchant.spec.has(
            Capability.WEBHOOKS
        ), "declare RETRIEVE_PAYMENT, or no webhooks: what cannot be read is not known by a hint"


def _parsed(merchant: Merchant, request: WebhookRequest) -> list[Any]:
    try:
        return list(merchant.parses(request))
    except WebhookRejected:
        return []


def _check_silent(said: Statement) -> None:
    assert said.needs_fetch, "anybody could have sent it: return Statement(needs_fetch=True)"
    assert said.facts is None or not list(said.facts), (
        "facts were read from a webhook that anybody could have sent: read_webhook has to return "
        "Statement(needs_fetch=True) and no facts"
    )
