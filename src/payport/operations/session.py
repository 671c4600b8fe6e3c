"""
What the resources of one client share: settings, the journal, the provider's account.

Has no colour: it makes steps, and `Payport` and `AsyncPayport` carry them out. A client of several
providers has a `RoutedSession`, whose `lines` are sessions like this one, one for each provider.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from payport.domain.errors import InvalidRequest, NotFound, UnsupportedOperation
from payport.operations.faults import read_fault
from payport.operations.gate import Gate
from payport.operations.homes import check_home
from payport.operations.journal import Journal
from payport.operations.plan import Deadline
from payport.operations.steps import Steps, transact
from payport.providers.breaker import CircuitBreaker
from payport.providers.deliveries import ReceivesWebhooks
from payport.providers.exchange import Call
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.rates import Allowance, rate_limit
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from payport.domain.errors import PayportError
    from payport.domain.identifiers import Environment
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.concluding import Concluding
    from payport.operations.plan import Concluded, JournalSettings, Plan
    from payport.operations.records import Identity
    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.outcomes import Outcome
    from payport.providers.routing.rules import Asked
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction
    from payport.webhooks.handlers import Handlers

__all__ = ["HINTS_PER_SECOND", "Session"]


T = TypeVar("T")

#: How many objects a client reads a second, at most, because of webhooks that are not signed.
HINTS_PER_SECOND: Final = 5


class Session:
    """One scope of one client."""

    def __init__(
        self,
        *,
        settings: JournalSettings,
        provider: PaymentProvider | AsyncPaymentProvider,
        handlers: Handlers,
        gate: Gate | None = None,
        accounts: dict[str, Account] | None = None,
        hints: Allowance | None = None,
    ) -> None:
        self.settings = settings
        self.handlers = handlers
        # Shared by the scopes of one client, like the account.
        self.gate: Gate = gate or _gate(settings, provider)
        self.journal: Journal = Journal(settings, provider.spec, provider.render, self.gate)
        # Shared too: how often the provider is read because of what anybody may have sent.
        self.hints: Allowance = hints or Allowance(HINTS_PER_SECOND, settings.clock.monotonic)
        self._provider = provider
        #: The provider once more, when it was seen to be one: asking takes as long as a signature.
        self._receiving: ReceivesWebhooks | None = None
        # Shared by the scopes of one client: they have one provider, so one account.
        self._accounts = accounts if accounts is not None else {}

    @property
    def scope(self) -> str:
        """The order space."""
        return self.settings.scope

    @property
    def environment(self) -> Environment:
        """Test or live."""
        return self.settings.environment

    @property
    def spec(self) -> ProviderSpec:
        """What the provider's adapter declares."""
        return self.journal.spec

    @property
    def concluding(self) -> Concluding:
        """What writes down facts, whoever brings them."""
        return self.journal.concluding

    # -- lines ----------------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Session]:
        """A session for each provider; here this one."""
        return (self,)

    def line(self, provider: str | None, operation: str) -> Session:
        """
        The session of a provider that the caller names; of the only one if left out.

        Raises:
            InvalidRequest: This client has none of that name, or has several.
        """
        if provider is not None and provider != self.spec.name:
            raise InvalidRequest(
                f"this client is at {self.spec.name}, and has no provider {provider!r}",
                operation=operation,
                field="provider",
            )
        return self

    def at(self, intent: PaymentIntent, operation: str, ref: str | None = None) -> Session:
        """
        The session of the provider that holds the payment, or one of its attempts.

        Raises:
            ConfigurationError: This client has no such provider.
        """
        del intent, operation, ref  # `at_home` refuses, by the account too
        return self

    def goes_elsewhere(
        self, intent: PaymentIntent, identity: Identity, asked: Asked
    ) -> Steps[bool]:
        """Whether a further attempt is to be made at another provider than the one before."""
        del intent, identity, asked
        return False
        yield

    @property
    def known_account(self) -> str | None:
        """The provider's account, once it was asked for."""
        known = self._accounts.get("")
        return known.id if known is not None else None

    def webhooks(self, operation: str) -> ReceivesWebhooks:
        """
        The provider as one that sends webhooks.

        Raises:
            UnsupportedOperation: It sends none.
        """
        if self._receiving is None:
            self.spec.require(Capability.WEBHOOKS, operation=operation)
            if not isinstance(self._provider, ReceivesWebhooks):
                message = "the adapter reads no webhooks: it lacks parse_webhook and read_webhook"
                raise UnsupportedOperation(message, operation=operation, provider=self.spec.name)
            self._receiving = self._provider
        return self._receiving

    def scoped(self, scope: str) -> Session:
        """The same session in another order space."""
        return Session(
            settings=replace(self.settings, scope=scope),
            provider=self._provider,
            handlers=self.handlers,
            gate=self.gate,
            accounts=self._accounts,
            hints=self.hints,
        )

    def account(self, operation: str, reference: str) -> Steps[Account]:
        """
        The account the credentials belong to; asked once, remembered for the client's life.

        Raises:
            ProviderFault: The provider did not tell. Nothing was sent that changes anything.
        """
        known = self._accounts.get("")
        if known is not None:
            return known
        told = yield from self.told_account()
        if isinstance(told, Failure):
            raise self.fault(told, operation, reference) from told.cause
        return told

    def told_account(self) -> Steps[Account | Failure]:
        """The account, or the failure where the provider did not tell."""
        told = self._accounts.get("") or (
            yield from self.asked(lambda provider, call: provider.account(call))
        )
        if isinstance(told, Account):
            self._accounts[""] = told
        return told

    def asked(
        self, question: Callable[[PaymentProvider, Call], T], seconds: float | None = None
    ) -> Steps[T | Failure]:
        """
        Ask the provider something that changes nothing, if it is well and a turn is free.

        Args:
            seconds: How long it may take; the time-out of one request if left out.
        """
        timeout = self.settings.call_timeout if seconds is None else seconds
        call = Call(timeout=timeout)
        deadline = Deadline(self.settings.clock, timeout)
        return self.gate.asked(lambda provider: question(provider, call), deadline.remaining)

    def execute(self, plan: Plan) -> Steps[Concluded]:
        """
        Carry the plan out, or find out what became of it; see `Journal.execute`.

        A client that does not know its account yet looks into the store first, so that what is
        known already can be had while the provider is away.
        """
        if self.known_account is None:
            known = yield from self.journal.known(plan)
            if known is not None:
                return known
        account = yield from self.account(plan.named, plan.reference)
        return (yield from self.journal.execute(plan, account))

    def load(self, payment_id: str, operation: str) -> Steps[PaymentIntent]:
        """
        The stored payment of this scope and environment.

        Raises:
            NotFound: There is none.
        """
        found = yield from transact(lambda tx: tx.payment(payment_id))
        return self.owned(found, payment_id, operation)

    def fault(self, failure: Failure, operation: str, reference: str) -> PayportError:
        """The error for a read that brought no facts; raise it from `failure.cause`."""
        return read_fault(
            failure, operation=operation, reference=reference, provider=self.spec.name
        )

    def at_home(self, intent: PaymentIntent, operation: str) -> Steps[None]:
        """
        Make sure that the payment is at this client's account, before the provider is asked.

        Raises:
            ConfigurationError: It is elsewhere.
            ProviderFault: The provider did not tell which account this is.
        """
        account = yield from self.account(operation, intent.id)
        if not intent.is_known_at(self.spec.name, account.id):
            check_home(intent, self.spec.name, account, operation)

    def owned(self, found: PaymentIntent | None, named: str, operation: str) -> PaymentIntent:
        """The payment, if it is there and of this scope and environment."""
        here = (self.scope, self.environment)
        if found is None or (found.scope, found.environment) != here:
            raise NotFound(
                f"the store holds no such payment in scope '{self.scope}', {self.environment}",
                operation=operation,
                reference=named,
            )
        return found

    def observed(self, payment_id: str, outcome: Outcome, operation: str) -> Steps[PaymentIntent]:
        """
        The payment after a read: facts applied and stored, or the fault raised.

        Raises:
            ProviderFault, NotFound: The read brought no facts.
        """
        if isinstance(outcome, Failure):
            raise self.fault(outcome, operation, payment_id) from outcome.cause
        answer: Answer = outcome
        concluding = self.concluding

        def work(tx: Transaction) -> PaymentIntent:
            stored = self.owned(tx.payment(payment_id, lock=True), payment_id, operation)
            return concluding.observe(tx, stored, answer.facts).intent

        return (yield from transact(work))


def _gate(settings: JournalSettings, provider: PaymentProvider | AsyncPaymentProvider) -> Gate:
    clock = settings.clock
    breaker = CircuitBreaker(provider.spec.name, settings.breaker, clock.monotonic)
    return Gate(provider, breaker, rate_limit(settings.rate, clock.monotonic), clock)
