"""Providers with one mistake each in how they read webhooks."""

import contextlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from mistakes import (
    each_fact,
    turns_red,
)

from payport.domain.errors import WebhookRejected
from payport.providers.deliveries import WebhookRequest
from payport.providers.spec import Capability
from payport.testing import FakeProvider, adyen_like
from payport.testing.fake import webhooks as reading
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.fake.outbox import API_VERSION, SIGNATURE_HEADER
from payport.testing.provider_contract import ProviderContract


def said_unless(body, statements, is_unknown):
    """The statements, without what is said by types that have no meaning."""
    envelope = json.loads(body)
    types = [one["type"] for one in envelope.get("items", [envelope])]
    told = zip(types, statements, strict=True)
    return tuple(replace(s, facts=None) if is_unknown(kind) else s for kind, s in told)


@turns_red(
    "test_a_signature_that_is_none_is_rejected",
    "test_a_signature_of_another_secret_is_rejected",
    "test_a_changed_amount_is_rejected",
    "test_a_secret_can_be_replaced",
    "test_without_a_secret_nothing_is_accepted",
    "test_a_changed_byte_is_rejected",
    "test_a_great_many_signatures_are_rejected",
    "test_a_shortened_signature_is_rejected",
    "test_a_signature_of_another_body_is_rejected",
)
class AcceptsAnySignature(FakeAdapter):
    def parse_webhook(self, request, *, now):
        try:
            return reading.deliveries_from(json.loads(request.body))
        except (ValueError, TypeError, RecursionError) as error:
            raise WebhookRejected(operation="webhooks.receive") from error


@turns_red("test_a_signature_counts_within_its_window_alone")
class AcceptsOldSignatures(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = (request.header(SIGNATURE_HEADER) or "").partition("t=")[2].partition(",")[0]
        with contextlib.suppress(ValueError, OverflowError, OSError):
            now = type(now).fromtimestamp(int(told), now.tzinfo)
        return super().parse_webhook(request, now=now)


@turns_red("test_a_signed_body_that_is_no_envelope_is_rejected")
class StumblesOverBodies(FakeAdapter):
    def parse_webhook(self, request, *, now):
        return reading.deliveries_from(
            {**json.loads(request.body), **reading.verified(request, self._webhook_secrets, now)}
        )


@turns_red("test_a_signed_body_of_any_shape_is_read_or_rejected")
class ExpectsOneShape(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        assert json.loads(request.body)["data"]["captures"][0]["tag"]
        return told


@turns_red(
    "test_an_unknown_event_is_kept_and_means_nothing",
    "test_an_unknown_event_takes_nothing_else_along",
)
class SwallowsUnknownEvents(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        said = self.read_webhook(request.body)
        return tuple(d for d, s in zip(told, said, strict=True) if s.facts is not None)


class Acknowledging(ProviderContract):
    """The contract for a bank that only acknowledges."""

    lacks: ClassVar[Mapping[Capability, str]] = dict.fromkeys(adyen_like().lacks, "as it is")


@turns_red("test_a_batch_is_read_whole_or_not_at_all", behaviour=adyen_like, contract=Acknowledging)
class SkipsWhatItCannotRead(FakeAdapter):
    """Of a batch it takes what it understands, and acknowledges the rest as well."""

    def parse_webhook(self, request, *, now):
        envelope = reading.verified(request, self._webhook_secrets, now)
        told = []
        for item in envelope.get("items", [envelope]):
            with contextlib.suppress(WebhookRejected):
                told.extend(reading.deliveries_from({**envelope, "items": [item]}))
        return tuple(told)


@turns_red("test_a_redelivery_has_the_same_dedupe_keys", "test_reading_a_webhook_is_pure")
class CountsDeliveries(FakeAdapter):
    """A dedupe key that differs whenever it is delivered."""

    drawn = itertools.count()

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, dedupe_key=f"{d.dedupe_key}{next(self.drawn)}") for d in told)


@turns_red("test_each_statement_has_a_dedupe_key_of_its_own")
class TakesAPaymentForAStatement(FakeAdapter):
    """A dedupe key that is the payment's id: its second statement is a duplicate of the first."""

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, dedupe_key=d.ordering_key) for d in told)


@turns_red("test_the_order_in_which_it_is_told_does_not_matter")
class DatesStatementsByArrival(FakeAdapter):
    def parse_webhook(self, request, *, now):
        self.now = now
        return super().parse_webhook(request, now=now)

    def read_webhook(self, body):
        return tuple(
            replace(s, facts=each_fact(s.facts, lambda fact: replace(fact, at=self.now)))
            if s.facts is not None
            else s
            for s in super().read_webhook(body)
        )


@turns_red("test_every_statement_is_about_its_payment")
class MixesUpPayments(FakeAdapter):
    def parse_webhook(self, request, *, now):
        return tuple(
            replace(d, ordering_key="all") for d in super().parse_webhook(request, now=now)
        )


@turns_red(
    "test_an_authentication_that_nobody_ends_takes_nothing",
    "test_money_that_is_held_too_long_is_released",
    "test_what_an_issuer_decides_later_is_told",
    "test_captured_money_that_comes_back_is_told",
    "test_a_cardholder_who_disputes_is_heard_of",
    "test_a_dispute_that_was_won_may_be_raised_again",
    "test_an_inquiry_takes_nothing",
    "test_disputed_money_is_told_as_taken_back",
    "test_disputes_are_in_the_payments_currency",
    "test_a_refund_that_fails_late_is_told",
    "test_a_refund_that_comes_back_is_told",
)
class KnowsTheHappyEvents(FakeAdapter):
    """Has a meaning for what the quickstart shows."""

    def read_webhook(self, body):
        happy = {"payment.done", "payment.held", "capture.taken", "refund.given"}
        return said_unless(body, super().read_webhook(body), lambda kind: kind not in happy)


@turns_red("test_a_dispute_that_was_won_returns_the_money")
class ThinksDisputesAreLost(FakeAdapter):
    """Has no meaning for a dispute that was won."""

    def read_webhook(self, body):
        return said_unless(body, super().read_webhook(body), lambda kind: kind == "dispute.won")


@turns_red("test_what_was_made_by_hand_carries_no_tag")
class InventsTags(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, tag=d.tag or d.ordering_key) for d in told)


@turns_red("test_what_the_bank_signs_twice_is_accepted_by_either")
class ReadsTheFirstSignature(FakeAdapter):
    def parse_webhook(self, request, *, now):
        parts = (request.header(SIGNATURE_HEADER) or "").split(",")[:2]
        first = WebhookRequest(body=request.body, headers={SIGNATURE_HEADER: ",".join(parts)})
        return super().parse_webhook(first, now=now)


@turns_red("test_deliveries_show_and_keep_no_client_token")
class RemembersClientTokens(FakeProvider):
    """Adds to a webhook what the webhook leaves out."""

    token = None

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        self.token = getattr(outcome.facts.attempts[0].next_action, "token", None)
        return outcome

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, account=self.token or d.account) for d in told)


@turns_red("test_another_version_makes_no_money")
class BelievesEveryVersion(FakeAdapter):
    def read_webhook(self, body):
        return reading.statements_from({**json.loads(body), "api_version": API_VERSION})


@turns_red("test_a_statement_that_says_otherwise_has_another_fingerprint")
class LooksAtTheTypeAlone(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, fingerprint=d.type) for d in told)


@turns_red("test_a_worker_reads_what_was_stored_without_client_secrets")
class ReadsTheFirstStatementAlone(FakeAdapter):
    def read_webhook(self, body):
        if b"payment.done" not in body:
            return super().read_webhook(body)
        return ()
