"""
Adyen's operations as exchanges, without colour and without I/O.

Each is one request: Adyen keeps nothing before the first confirmation, and can be asked nothing
afterwards. Requests are rendered by `requests`, answers read by `errors` and `facts`; what becomes
of what was only received is told by webhooks. Keeps no state but its configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.providers.adyen.errors import failure_from, of_another, unreadable
from payport.providers.adyen.facts import (
    cancel_facts,
    capture_facts,
    is_about,
    payment_facts,
    refund_facts,
    session_facts,
)
from payport.providers.adyen.objects import (
    EPOCH,
    UNREADABLE,
    Document,
    document_from,
    provider_time,
    psp_in,
)
from payport.providers.adyen.references import Reference
from payport.providers.adyen.requests import Requests, named_by, reference_of
from payport.providers.adyen.settings import Settings
from payport.providers.adyen.spec import spec_with
from payport.providers.adyen.webhooks import deliveries, statements
from payport.providers.base import Adapter
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
)
from payport.providers.deliveries import Delivery, Statement, WebhookRequest
from payport.providers.exchange import Exchange, Request
from payport.providers.outcomes import Account, Answer, Failure, Outcome
from payport.providers.spec import ProviderSpec

__all__ = ["AdyenAdapter"]

_OK: Final = range(200, 300)

#: Reads the facts out of an answer, given when it was told.
_Reading: TypeAlias = Callable[[Document, datetime], Facts]


class AdyenAdapter(Adapter):
    """
    Speaks Adyen's Checkout API.

    Args:
        settings: What the provider was constructed with.
    """

    def __init__(self, settings: Settings) -> None:
        self.spec: ProviderSpec = spec_with(
            multicapture=settings.multicapture, cancel_lost=settings.cancel_lost
        )
        self.environment: Environment = settings.environment
        self.settings = settings
        self._ask = Requests(settings)

    def account(self) -> Exchange[Account | Failure]:
        """
        See `PaymentProvider.account`. Adyen does not say whose a key is: it is asked for something
        that only a key of the merchant account may see.
        """
        response = yield self._ask.account()
        document = document_from(response)
        if response.status not in _OK:
            return failure_from(response, document)
        if not isinstance(document.get("paymentMethods", []), list) or not document:
            return unreadable(response)
        return Account(
            id=self.settings.account_id,
            endpoint=self.settings.base_url,
            provider_time=provider_time(response),
        )

    def create_payment(self, command: CreatePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_payment`."""
        self.spec.check(command)
        return self._paid(command, key)

    def confirm_payment(self, command: ConfirmPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.confirm_payment`."""
        self.spec.check(command)
        if not command.action_result:
            return self._paid(command, key)
        named = Reference.read(command.payment_ref) or reference_of(command, key)
        amount = command.terms.amount
        return self._told(
            self._ask.details(command, key),
            lambda d, at: payment_facts(d, named, amount, at),
            about=named,
        )

    def _paid(self, command: CreatePayment | ConfirmPayment, key: str) -> Exchange[Outcome]:
        request, amount = self._ask.payment(command, key), command.terms.amount
        is_session = request.target.endswith("/sessions")
        read = session_facts if is_session else payment_facts
        named = reference_of(command, key)
        return self._told(request, lambda d, at: read(d, named, amount, at))

    def capture_payment(self, command: CapturePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.capture_payment`."""
        self.spec.check(command)
        request = self._ask.capture(command, key)
        return self._told(request, lambda d, at: capture_facts(d, command, key, at))

    def cancel_payment(self, command: CancelPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.cancel_payment`."""
        self.spec.check(command)
        ref = named_by(command) or command.payment_ref
        request = self._ask.cancel(command, key)
        return self._told(request, lambda d, at: cancel_facts(d, command, ref, at))

    def create_refund(self, command: CreateRefund, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_refund`."""
        self.spec.check(command)
        request = self._ask.refund(command, key)
        return self._told(request, lambda d, at: refund_facts(d, command, key, at))

    def _told(
        self, request: Request, read: _Reading, *, about: Reference | None = None
    ) -> Exchange[Outcome]:
        """
        One request, and the facts in its answer.

        Args:
            about: The payment that the answer has to be about, where the request does not name it.
        """
        response = yield request
        document = document_from(response)
        if response.status not in _OK:
            return failure_from(response, document)
        if about is not None and not is_about(document, about):
            return of_another(response, document)
        answered_at = provider_time(response)
        try:
            # Without a date it is as old as can be, and stands over nothing.
            facts = read(document, answered_at or EPOCH)
        except UNREADABLE as error:
            # Its frames hold the document, and that a client's secret.
            return unreadable(response, error.with_traceback(None))
        return Answer(facts=facts, request_id=psp_in(document), provider_time=answered_at)

    # -- webhooks -------------------------------------------------------------------------------

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        ours = {self.settings.merchant_account: self.settings.account_id}
        return deliveries(request, self.settings.webhook_secrets, ours, now)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        return statements(body)
