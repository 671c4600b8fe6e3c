# ruff: noqa: S101 - contract tests live on assert
"""Webhooks: what the bank says arrives to the last statement, once, in whatever order it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Final, TypeAlias

from payport.domain.facts import Facts
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentIntent
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Call
from payport.providers.outcomes import Account
from payport.providers.spec import Capability
from payport.testing._heard import heard
from payport.testing._provider_contract.checks import Checks, each_of
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale, applied
from payport.testing._provider_contract.stories import STORIES, Story
from payport.webhooks.bodies import without_client_secrets

__all__ = ["WebhookChecks"]

_SECOND: Final = timedelta(seconds=1)
#: Up to so many statements every order is tried; of more, so many orders drawn by a fixed seed.
_FEW: Final = 4
_SHUFFLES: Final = 20

#: Facts that were answered, or the body of a webhook.
Said: TypeAlias = Facts | bytes


class WebhookChecks(Checks):
    """Reading what was signed."""

    def happened(self, merchant: Merchant, story: Story) -> Sale:
        """A story that happened."""
        self.needs(Capability.WEBHOOKS, *story.needs)
        return story.tell(merchant)

    @each_of("story", STORIES)
    def test_a_story_ends_in_what_the_books_say(self, merchant: Merchant, story: Story) -> None:
        self.needs(*story.needs)
        story.tell(merchant).check_books()

    @each_of("story", STORIES)
    def test_webhooks_alone_tell_the_whole_story(self, merchant: Merchant, story: Story) -> None:
        sale = self.happened(merchant, story)
        sale.intent = sale.begun
        sale.hear()
        sale.check_books()

    @each_of("story", STORIES)
    def test_the_order_in_which_it_is_told_does_not_matter(
        self, merchant: Merchant, story: Story
    ) -> None:
        sale = self.happened(merchant, story)
        said: list[Said] = [*sale.answers, *(request.body for request in merchant.received)]
        ends = [_end(sale, order) for order in _orders(said)]
        assert all(end == ends[0] for end in ends), "another order, another end"
        sale.intent = ends[0]
        sale.check_books()

    @each_of("story", STORIES)
    def test_every_statement_is_about_its_payment(self, merchant: Merchant, story: Story) -> None:
        other = merchant.sale().paid()
        sale = self.happened(merchant, story)
        ours, theirs = sale.hear(), other.hear()
        assert ours
        assert theirs
        assert {d.attempt_ref for d in ours} == {sale.ref}
        for delivery in ours:
            assert delivery.tag is None or delivery.tag in sale.keys
        lines = {d.ordering_key for d in ours}
        assert len(lines) == 1, "statements about one payment are processed one at a time"
        assert lines.isdisjoint(d.ordering_key for d in theirs)

    @each_of("story", STORIES)
    def test_each_statement_has_a_dedupe_key_of_its_own(
        self, merchant: Merchant, story: Story
    ) -> None:
        self.needs_signatures(merchant)  # hints of one object are one hint
        keys = [delivery.dedupe_key for delivery in self.happened(merchant, story).hear()]
        assert all(keys)
        assert len(set(keys)) == len(keys), "a statement would be taken for another"

    def test_a_redelivery_has_the_same_dedupe_keys(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        merchant.sale().send(merchant.sale().creation())
        requests = merchant.harness.webhooks()
        first = [_keys(merchant, request) for request in requests]
        assert all(first)
        merchant.clock.advance(timedelta(hours=8))
        again = [_keys(merchant, merchant.harness.sign(request.body)) for request in requests]
        assert again == first

    def test_a_statement_that_says_otherwise_has_another_fingerprint(
        self, merchant: Merchant
    ) -> None:
        self.needs(Capability.WEBHOOKS)
        amount = Money(7_654_321, merchant.sale().amount.currency)
        merchant.send(merchant.sale(amount).creation())
        for request in merchant.harness.webhooks():
            other = request.body.replace(b"7654321", b"7654322")
            told = {one.fingerprint for one in merchant.parses(request)}
            signed = merchant.harness.sign(other)
            contradictory = {one.fingerprint for one in merchant.parses(signed)}
            assert len(told) == len(merchant.parses(request)), "statements look alike"
            assert other == request.body or told.isdisjoint(contradictory)

    def test_a_worker_reads_what_was_stored_without_client_secrets(
        self, merchant: Merchant
    ) -> None:
        self.needs(Capability.WEBHOOKS)
        merchant.send(merchant.sale().creation())
        for request in merchant.harness.webhooks():
            statements = merchant.webhooks.read_webhook(without_client_secrets(request.body))
            assert list(statements) == list(merchant.webhooks.read_webhook(request.body))
            assert len(statements) == len(merchant.parses(request))

    def test_reading_a_webhook_is_pure(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        merchant.sale().send(merchant.sale().creation())
        sent, now = len(merchant.sent), merchant.clock.now()
        for request in merchant.harness.webhooks():
            first = heard(merchant.webhooks, request, now)
            assert heard(merchant.webhooks, request, now) == first
            assert heard(merchant.another().webhooks, request, now) == first
        assert len(merchant.sent) == sent, "reading a webhook sent something"

    def test_what_was_made_by_hand_carries_no_tag(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        named = merchant.bank.payments_named
        made = named(merchant.bank.charge(merchant.sale().amount))
        told = [d for d in merchant.hear() if named(d.attempt_ref or "") == made]
        assert told
        assert {delivery.tag for delivery in told} == {None}

    def test_statements_say_when_where_and_about_whom(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        merchant.clock.advance(timedelta(days=30))
        account = merchant.provider.account(Call())
        assert isinstance(account, Account)
        for delivery in merchant.sale().paid().hear():
            assert abs(delivery.occurred_at - merchant.clock.now()) <= _SECOND
            assert delivery.environment in {None, merchant.provider.environment}
            assert delivery.account in {None, account.id}

    def test_an_effect_is_told_with_its_own_tag(self, merchant: Merchant) -> None:
        self.needs_signatures(merchant)
        self.needs(Capability.REFUND)
        sale = merchant.sale().paid()
        ask = sale.refunding()
        sale.done(ask)
        told = {d.tag for d in sale.hear() if d.facts is not None and d.facts.refunds}
        assert told == {ask.key}

    # -- what payport has no meaning for --------------------------------------------------------

    def test_an_unknown_event_is_kept_and_means_nothing(self, merchant: Merchant) -> None:
        self.needs_signatures(merchant)
        merchant.bank.announce("weather.changed")
        told = merchant.hear()
        assert [delivery.facts for delivery in told] == [None], "an event was swallowed"
        assert all(delivery.dedupe_key and delivery.ordering_key for delivery in told)
        assert "weather" in told[0].type

    def test_an_unknown_event_takes_nothing_else_along(self, merchant: Merchant) -> None:
        self.needs_signatures(merchant)
        merchant.bank.announce("weather.changed")
        sale = merchant.sale()
        merchant.send(sale.creation())
        merchant.bank.announce("weather.changed")
        merchant.clock.advance(merchant.bank.behaviour.decides_after)
        sale.hear()
        sale.check_books(sale.amount.minor)
        unknown = [d.dedupe_key for d in merchant.heard if d.facts is None]
        assert len(unknown) == 2  # noqa: PLR2004 - one before and one after

    def test_another_version_makes_no_money(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        merchant.send(merchant.sale().creation())
        older = [merchant.harness.older(request) for request in merchant.harness.webhooks()]
        for request in older:
            if request is None:
                continue
            for delivery in merchant.reads(request):
                assert delivery.needs_fetch
                assert delivery.attempt_ref
                assert delivery.facts is None or not list(delivery.facts)


def _keys(merchant: Merchant, request: WebhookRequest) -> list[tuple[str, str]]:
    return [(one.dedupe_key, one.fingerprint) for one in merchant.parses(request)]


def _orders(said: Sequence[Said]) -> list[Sequence[Said]]:
    """Orders in which something may be told; in most of them some of it is told twice."""
    if len(said) <= _FEW:
        return [(*order, order[0]) for order in permutations(said)]
    # Chance that a test repeats, not chance that anybody's money depends on.
    chance = random.Random(len(said))  # noqa: S311
    shuffled = [chance.sample(said, len(said)) for _ in range(_SHUFFLES)]
    return [said, tuple(reversed(said)), *((*order, *order[::3]) for order in shuffled)]


def _end(sale: Sale, said: Sequence[Said]) -> PaymentIntent:
    """Where a payment ends that is told all this, one after the other and each a second later."""
    merchant, intent = sale.merchant, sale.begun
    for one in said:
        merchant.clock.advance(_SECOND)
        if isinstance(one, Facts):
            intent = applied(intent, one)
            continue
        for delivery in merchant.reads(merchant.harness.sign(one)):
            if delivery.facts is not None and sale.is_ours(delivery):
                intent = applied(intent, delivery.facts)
    return intent
