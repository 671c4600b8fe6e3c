"""Providers with one mistake each in sending, secrecy and what they declare."""

import itertools
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from mistakes import each_fact, passed, refacted, turns_red

from payport.domain.errors import WebhookRejected
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Environment
from payport.domain.outcomes import FailureKind
from payport.providers.exchange import Call
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability, Resolution
from payport.testing import AsyncFakeProvider, FakeProvider, keyless
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.provider_contract import ProviderContract


@turns_red("test_rendering_does_nothing_and_is_repeatable")
class RendersDifferently(FakeAdapter):
    drawn = itertools.count()

    def _changes(self, operation, target, fields, key):
        return super()._changes(operation, target, {**fields, "nonce": next(self.drawn)}, key)


@turns_red("test_what_is_rendered_is_what_is_sent")
class SendsOtherThanItRenders(FakeProvider):
    def create_payment(self, command, call):
        described = replace(command.terms, description="made by a better renderer")
        return super().create_payment(replace(command, terms=described), call)


@turns_red("test_rendered_requests_hold_no_credentials")
class PutsTheKeyIntoTheRequest(FakeProvider):
    def render(self, command, key):
        secret = self._setup.api_key.reveal()
        return replace(
            super().render(command, key), headers=FrozenMapping({"authorization": secret})
        )


@turns_red("test_a_rendered_request_survives_the_journal")
class MarksRequestsUnstorable(FakeAdapter):
    """And has them stored all the same."""

    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key),
            lambda one: replace(one, storable=False),
        )


@turns_red("test_the_guard_is_asked_before_each_write", "test_what_the_guard_forbids_never_leaves")
class IgnoresTheGuard(FakeProvider):
    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, guard=lambda: None))


@turns_red(
    "test_the_guard_is_asked_before_each_write",
    "test_what_the_guard_forbids_never_leaves",
    behaviour=keyless,
)
class AsyncIgnoresTheGuard(AsyncFakeProvider):
    async def _run(self, exchange, call):
        return await super()._run(exchange, replace(call, guard=lambda: None))


@turns_red(
    "test_a_stored_request_is_sent_byte_for_byte", "test_a_stored_request_is_not_rendered_anew"
)
class IgnoresStoredRequests(FakeProvider):
    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, exact=None))


@turns_red("test_the_caller_says_how_long_to_wait")
class IsImpatient(FakeProvider):
    """Its own time-out, whatever it is told."""

    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, timeout=60.0))


@turns_red("test_a_provider_shows_no_secret")
class ShowsItsKey(FakeProvider):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self._setup.api_key.reveal()})"


@turns_red("test_a_provider_shows_no_secret")
class KeepsItsKeyAsText(FakeProvider):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.api_key = self._setup.api_key.reveal()


@turns_red("test_a_provider_shows_no_secret")
class SlotsItsKey(FakeProvider):
    """Where `vars` does not look."""

    __slots__ = ("_key",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._key = self._setup.api_key.reveal()


@turns_red("test_outcomes_show_and_keep_no_secret")
class QuotesItsKey(FakeProvider):
    """As some processors do when they refuse one."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        if isinstance(outcome, Failure) and outcome.kind is FailureKind.AUTHENTICATION:
            return replace(outcome, message=f"invalid key: {self._setup.api_key.reveal()}")
        return outcome


@turns_red("test_a_failure_names_no_payment_method")
class QuotesTheRequest(FakeProvider):
    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        if isinstance(outcome, Failure):
            return replace(
                outcome,
                message=f"{outcome.message} for {command.terms!r} by token "
                f"{command.terms.payment_method}",
            )
        return outcome


@turns_red("test_causes_show_no_secret_in_their_tracebacks")
class SendsWithItsKeyInHand(FakeProvider):
    """A local variable of the frame that a lost connection is raised through."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        wire = self._send

        def send(request, *, timeout):
            headers = {**request.headers, "authorization": self._setup.api_key.reveal()}
            return wire(request, timeout=timeout) if headers else None

        self._send = send


@turns_red("test_logs_at_debug_show_no_secret")
class LogsItsKey(FakeProvider):
    def create_payment(self, command, call):
        headers = {"authorization": self._setup.api_key.reveal()}
        logging.getLogger("payport.providers.fake").debug("sending with %s", headers)
        return super().create_payment(command, call)


@turns_red("test_rejected_webhooks_show_no_secret_in_their_tracebacks")
class TripsWithItsSecret(FakeAdapter):
    """A local variable that a traceback with locals shows."""

    def parse_webhook(self, request, *, now):
        secret = self._webhook_secrets[0].reveal()
        if not secret:
            raise WebhookRejected
        return super().parse_webhook(request, now=now)


@turns_red("test_client_tokens_are_carried_and_never_shown_or_kept")
class ShowsClientTokens(FakeAdapter):
    def create_payment(self, command, key):
        def shown(fact):
            action = getattr(fact, "next_action", None)
            token = getattr(action, "token", None) or getattr(action, "url", None)
            return replace(fact, try_ref=token) if token else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, shown)),
        )


@turns_red("test_a_provider_is_not_pickled")
class IsPickledWhole(FakeProvider):
    def __reduce__(self):
        return FakeProvider, (), {"api_key": self._setup.api_key.reveal()}


@turns_red("test_constructing_sends_nothing")
class AsksWhenItIsMade(FakeProvider):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.account(Call())


@turns_red("test_the_account_is_the_same_for_everybody_with_the_key")
class InventsItsAccount(FakeAdapter):
    drawn = itertools.count()

    def account(self):
        return passed(
            super().account(), outcome=lambda one: replace(one, id=f"acct_{next(self.drawn)}")
        )


@turns_red("test_closing_twice_is_closing")
class ClosesOnce(FakeProvider):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


@turns_red("test_what_is_declared_works_and_what_is_lacked_is_refused")
class PromisesTooMuch(FakeAdapter):
    """Declares a search and has none."""

    def find(self, lookup):
        self._lacks("find")


class Unsure(ProviderContract):
    """Lists as lacking what its provider declares and does, and does not say why."""

    lacks: ClassVar[Mapping[Capability, str]] = {Capability.CANCEL: " "}


@turns_red(
    "test_everything_is_either_declared_or_lacked",
    "test_what_is_declared_works_and_what_is_lacked_is_refused",
    "test_whatever_is_lacked_has_a_reason",
    contract=Unsure,
)
class IsUnsure(FakeProvider):
    """Does more than its contract says."""


def declaring(made: FakeProvider, **changes: Any) -> FakeProvider:
    """A fake that declares otherwise than it is."""
    made.adapter.spec = replace(made.spec, **changes)
    return made


@turns_red("test_payports_keys_fit")
def declares_keys_that_are_too_short(**options: Any) -> FakeProvider:
    made = FakeProvider(**options)
    return declaring(made, idempotency=replace(made.spec.idempotency, max_length=40))


@turns_red("test_the_last_way_is_a_person")
def declares_no_person(**options: Any) -> FakeProvider:
    return declaring(FakeProvider(**options), resolution=(Resolution.FIND,))


@turns_red("test_without_keys_nothing_is_resolved_by_sending_again", behaviour=keyless)
def declares_replays_without_keys(**options: Any) -> FakeProvider:
    return declaring(FakeProvider(**options), resolution=tuple(Resolution))


@turns_red("test_the_name_is_short_and_lower_case")
def has_a_name_for_people(**options: Any) -> FakeProvider:
    return declaring(FakeProvider(**options), name="The Fake")


@turns_red("test_the_environment_is_the_banks", "test_statements_say_when_where_and_about_whom")
def claiming_to_be_live(**options: Any) -> FakeProvider:
    made = FakeProvider(**options)
    made.adapter.environment = Environment.LIVE
    return made
