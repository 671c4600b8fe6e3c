"""Providers with one mistake each in webhooks that nobody signs."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from mistakes import turns_red

from payport.domain.facts import AttemptFact, AttemptStatus, Facts
from payport.domain.money import Money
from payport.providers.deliveries import Statement, WebhookRequest
from payport.providers.spec import ALL_CAPABILITIES, Capability, Resolution
from payport.testing import FakeProvider, redirecting
from payport.testing.bank.vault import EPOCH
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.provider_contract import ProviderContract


class Redirecting(ProviderContract):
    lacks: ClassVar[Mapping[Capability, str]] = dict.fromkeys(
        ALL_CAPABILITIES - redirecting().spec.capabilities, "there are pages only"
    )


def unsigned(*red):
    return turns_red(*red, behaviour=redirecting, contract=Redirecting)


@unsigned("test_a_hint_says_nothing_of_money")
class TakesAHintForTheTruth(FakeAdapter):
    def read_webhook(self, body):
        return tuple(replace(said, needs_fetch=False) for said in super().read_webhook(body))


@unsigned("test_whatever_else_a_hint_says_is_not_believed")
class BelievesWhatAHintClaims(FakeAdapter):
    def parse_webhook(self, request, *, now):
        bare = json.dumps({"id": json.loads(request.body)["id"]}).encode()
        return super().parse_webhook(WebhookRequest(body=bare, headers={}), now=now)

    def read_webhook(self, body):
        said = json.loads(body)
        paid = AttemptFact(
            ref=said["id"],
            status=AttemptStatus.SUCCEEDED,
            authorized=Money(4_999, "USD"),
            at=EPOCH,
        )
        facts = Facts(attempts=(paid,)) if said.get("status") == "paid" else None
        return (Statement(facts=facts, needs_fetch=True),)


@unsigned("test_a_hint_names_the_object_to_read")
class NamesAnotherObject(FakeAdapter):
    def parse_webhook(self, request, *, now):
        return tuple(
            replace(one, attempt_ref="bp_000000") for one in super().parse_webhook(request, now=now)
        )


@unsigned("test_a_hint_of_an_object_that_nobody_made_brings_nothing")
class FindsWhatLooksAlike(FakeAdapter):
    def retrieve_payment(self, payment_ref):
        return super().retrieve_payment(payment_ref[: len("bp_000001")])


def waiting_for_hints():
    ways = (Resolution.RETRIEVE, Resolution.FIND, Resolution.WEBHOOK, Resolution.REVIEW)
    return replace(redirecting(), resolution=ways)


@turns_red("test_a_hint_concludes_nothing", behaviour=waiting_for_hints, contract=Redirecting)
class WaitsForHints(FakeProvider):
    pass
