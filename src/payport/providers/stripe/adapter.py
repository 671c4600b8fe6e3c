"""
Stripe's operations as exchanges, without colour and without I/O.

Requests are rendered by `requests`, answers are read by `answers`, `errors` and `facts`; here is
what leads from one to the other: which answer concludes which operation, when a replayed answer has
to be read anew, and where evidence is looked for. Keeps no state but its configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.outcomes import FailureKind
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
)
from payport.providers.deliveries import Delivery, Statement, Subject, WebhookRequest
from payport.providers.events import EventsAdapter, EventsPage, EventsQuery
from payport.providers.exchange import Exchange, Request, Response
from payport.providers.listings import FactsPage, ListingAdapter, PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Account, Answer, Failure, Outcome
from payport.providers.spec import ProviderSpec
from payport.providers.stripe import answers, evidence
from payport.providers.stripe.errors import document_from, failure_from, provider_time
from payport.providers.stripe.facts import dispute_facts, payment_facts, refund_facts
from payport.providers.stripe.listings import events_page, facts_page
from payport.providers.stripe.objects import (
    charge_in,
    id_in,
    object_in,
    tag_in,
)
from payport.providers.stripe.requests import Requests
from payport.providers.stripe.settings import Settings
from payport.providers.stripe.spec import spec_with
from payport.providers.stripe.statements import statements
from payport.providers.stripe.subjects import retrieved
from payport.providers.stripe.webhooks import deliveries

__all__ = ["StripeAdapter"]

#: Pages that are looked through for one object before the search is asked, and for all of a kind.
_NEWEST: Final = 3
_ALL: Final = 20

#: A read that is part of an operation.
_Reads: TypeAlias = Generator[Request, Response, list[Facts] | Failure]


class StripeAdapter(ListingAdapter, EventsAdapter):
    """
    Speaks Stripe's API.

    Args:
        settings: What the provider was constructed with.
    """

    def __init__(self, settings: Settings) -> None:
        self.spec: ProviderSpec = spec_with(multicapture=settings.multicapture)
        self.environment: Environment = settings.environment
        self.settings = settings
        self._ask = Requests(account=settings.account, multicapture=settings.multicapture)

    def account(self) -> Exchange[Account | Failure]:
        """See `PaymentProvider.account`."""
        response = yield self._ask.account()
        document = document_from(response)
        ref = answers.account_in(response, document)
        if ref is None:
            return failure_from(response, document, reads=True)
        at = provider_time(response)
        return Account(id=ref, endpoint=self.settings.base_url, provider_time=at)

    # -- what changes something -----------------------------------------------------------------

    def create_payment(self, command: CreatePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_payment`."""
        self.spec.check(command)
        request = self._ask.create(command, key)
        # Nothing happened to an object that was only made: it is as old as itself, so that what
        # happens next is later, even if a replay tells of it.
        return self._made(request, command.attempt, aged=not command.confirm)

    def confirm_payment(self, command: ConfirmPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.confirm_payment`. Without an object it makes and confirms one."""
        self.spec.check(command)
        if command.payment_ref is None:
            return self._made(self._ask.create(command, key), command.attempt, aged=False)
        request = self._ask.confirm(command, command.payment_ref, key)
        return self._confirmed(request, command.payment_ref, command.attempt)

    def capture_payment(self, command: CapturePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.capture_payment`."""
        self.spec.check(command)
        return self._captured(self._ask.capture(command, key), command)

    def cancel_payment(self, command: CancelPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.cancel_payment`."""
        self.spec.check(command)
        return self._canceled(self._ask.cancel(command, key))

    def create_refund(self, command: CreateRefund, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_refund`."""
        self.spec.check(command)
        return self._refunded(self._ask.refund(command, key))

    def _made(self, request: Request, attempt: int, *, aged: bool) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        payment = answers.payment_in(response, document)
        return answers.payment_answer(response, document, payment, rank=attempt - 1, aged=aged)

    def _confirmed(self, request: Request, ref: str, attempt: int) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        payment = answers.payment_in(response, document)
        payment = payment or answers.standing_in(document, evidence.NOT_CONFIRMED)
        outcome = answers.payment_answer(response, document, payment, rank=attempt - 1)
        if not isinstance(outcome, Answer) or not outcome.replayed:
            return outcome
        if not any(fact.status in evidence.PASSING for fact in outcome.facts.attempts):
            return outcome
        # Its age decides what stands, and an object that was tried before does not tell its age.
        return (yield from self._renewed(outcome, ref, request.operation))

    def _captured(self, request: Request, command: CapturePayment) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        payment = answers.success_in(response, document)
        outcome = answers.payment_answer(response, document, payment)
        if not isinstance(outcome, Answer) or not outcome.replayed:
            return outcome
        if sum(capture.amount.minor for capture in outcome.facts.captures) <= command.amount.minor:
            return outcome
        # The running total of several captures: an old one must not stand over a younger one.
        return (yield from self._renewed(outcome, command.payment_ref, request.operation))

    def _canceled(self, request: Request) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        payment = answers.success_in(response, document)
        # Who cancels what is canceled already has what they asked for.
        payment = payment or answers.standing_in(document, evidence.NOT_ENDED)
        return answers.payment_answer(response, document, payment)

    def _refunded(self, request: Request) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        if answers.success_in(response, document) is None:
            return failure_from(response, document, reads=False)
        # A refund is answered in the state that it was made in: as old as itself, replayed or not.
        at = answers.created(document)
        return answers.object_answer(response, document, refund_facts, at=at)

    def _renewed(self, replayed: Answer, ref: str, operation: str) -> Exchange[Outcome]:
        """A replayed answer with the facts of now; as it was where they cannot be read."""
        outcome = yield from self._payment(ref, operation)
        return replace(replayed, facts=outcome.facts) if isinstance(outcome, Answer) else replayed

    # -- what reads -----------------------------------------------------------------------------

    def retrieve_payment(self, payment_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_payment`."""
        return self._payment(payment_ref, "retrieve_payment")

    def retrieve_refund(self, refund_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_refund`."""
        return self._refund(self._ask.one_refund(refund_ref, "retrieve_refund"))

    def _refund(self, request: Request) -> Exchange[Outcome]:
        response = yield request
        document = document_from(response)
        if answers.success_in(response, document) is None:
            return failure_from(response, document, reads=True)
        at = answers.now_or(response, answers.created(document))
        return answers.object_answer(response, document, refund_facts, at=at)

    def _payment(self, ref: str, operation: str) -> Exchange[Outcome]:
        """A payment with all its refunds and disputes, as they are now."""
        response = yield self._ask.payment(ref, operation)
        document = document_from(response)
        payment = answers.success_in(response, document)
        outcome = answers.payment_answer(response, document, payment, reads=True)
        if isinstance(outcome, Failure):
            return outcome
        charge = charge_in(document) or {}
        if object_in(charge, "refunds").get("has_more"):
            listed = yield from self._refunds(operation, ref)
            if isinstance(listed, Failure):
                return listed
            refunds = tuple(refund for facts in listed for refund in facts.refunds)
            outcome = replace(outcome, facts=replace(outcome.facts, refunds=refunds))
        if charge.get("disputed"):
            listed = yield from self._all(
                lambda after: self._ask.disputes(operation, ref, after), dispute_facts
            )
            if isinstance(listed, Failure):
                return listed
            disputes = tuple(dispute for facts in listed for dispute in facts.disputes)
            outcome = replace(outcome, facts=replace(outcome.facts, disputes=disputes))
        return outcome

    def _refunds(self, operation: str, ref: str) -> _Reads:
        return self._all(lambda after: self._ask.refunds(operation, ref, after), refund_facts)

    def _all(self, ask: Callable[[str | None], Request], reading: answers.Reading) -> _Reads:
        """All objects of a listing, read; a Failure where a page or an object cannot be."""
        found: list[Facts] = []
        after: str | None = None
        for _ in range(_ALL):
            page = yield from facts_page(ask(after), reading)
            if isinstance(page, Failure):
                return page
            found += page.items
            after = page.next_cursor
            if after is None:
                return found
        return Failure(kind=FailureKind.UNKNOWN, message="there are too many to read all of them")

    def list_payments(self, query: PaymentsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_payments`."""
        return facts_page(self._ask.listed_payments(query), payment_facts)

    def list_refunds(self, query: RefundsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_refunds`."""
        return facts_page(self._ask.listed_refunds(query), refund_facts)

    # -- evidence -------------------------------------------------------------------------------

    def find(self, lookup: Lookup) -> Exchange[Outcome]:
        """See `PaymentProvider.find`."""
        command, key = lookup.command, lookup.key
        match command:
            case CreatePayment() | ConfirmPayment(payment_ref=None):
                return self._made_under(key, command.terms.customer)
            case ConfirmPayment():
                return self._where(command.payment_ref or "", evidence.confirmed(command))
            case CapturePayment():
                return self._where(command.payment_ref, evidence.captured(command, key))
            case CancelPayment():
                return self._where(command.payment_ref, evidence.canceled())
            case CreateRefund():
                return self._refund_under(key, command.payment_ref)

    def _made_under(self, key: str, customer: str | None) -> Exchange[Outcome]:
        """The payment that carries a key: among the newest, which are consistent; then searched."""
        after: str | None = None
        for _ in range(_NEWEST):
            response = yield self._ask.payments("find", customer, after)
            document = document_from(response)
            page = answers.page_in(response, document)
            if isinstance(page, Failure):
                return page
            for payment in page:
                if tag_in(payment) == key:
                    return answers.payment_answer(response, document, payment, reads=True)
            after = answers.next_page(document)
            if after is None:
                break
        return (yield from self._searched(key))

    def _searched(self, key: str) -> Exchange[Outcome]:
        response = yield self._ask.search("find", key)
        page = answers.page_in(response, document_from(response))
        if isinstance(page, Failure):
            return page
        ref = id_in(page[0]) if page else None
        if ref is None:
            return answers.absent(response.headers.get("request-id"))
        # A search tells how something looked when it was indexed: it is read anew.
        return (yield from self._payment(ref, "find"))

    def _refund_under(self, key: str, payment_ref: str) -> Exchange[Outcome]:
        listed = yield from self._refunds("find", payment_ref)
        if isinstance(listed, Failure):
            return listed
        ours = next((facts for facts in listed if facts.tag == key), None)
        return Answer(facts=ours) if ours is not None else answers.absent()

    def _where(self, ref: str, proves: evidence.Proof) -> Exchange[Outcome]:
        """A payment, where it shows that something took effect."""
        outcome = yield from self._payment(ref, "find")
        if isinstance(outcome, Answer) and not proves(outcome.facts):
            return answers.absent(outcome.request_id)
        return outcome

    # -- webhooks -------------------------------------------------------------------------------

    def list_events(self, query: EventsQuery) -> Exchange[EventsPage | Failure]:
        """See `ListsEvents.list_events`."""
        return events_page(self._ask.events(query))

    def retrieve_subject(self, subject: Subject) -> Exchange[Statement | Failure]:
        """See `ReadsSubjects.retrieve_subject`."""
        return retrieved(self._ask.subject(subject), subject.kind, self._payment)

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        return deliveries(request, self.settings.webhook_secrets, now)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        return statements(body)
