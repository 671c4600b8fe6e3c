# ruff: noqa: S101 - contract tests live on assert
"""Declarations: what an adapter says about its provider is verified, what it lacks included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

import pytest

from payport.domain.errors import UnsupportedOperation
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.payment_intent import PaymentStatus
from payport.providers.deliveries import Statement, Subject
from payport.providers.events import EventsPage, EventsQuery
from payport.providers.exchange import Call
from payport.providers.listings import FactsPage, PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Account, Answer, Failure, Outcome
from payport.providers.spec import Capability
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.events import events_page_of, subject_of
from payport.testing._provider_contract.listings import page_of
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing.faults import ConnectionRefused, Unauthorized
from payport.testing.tokens import Tokens

__all__ = ["DeclarationChecks"]

_BUYERS: Final = 8
_SALES: Final = 5

#: Uses a capability, everything being prepared.
Use: TypeAlias = Callable[[], Outcome | FactsPage | EventsPage | Statement]


def _creates_unconfirmed(merchant: Merchant) -> Use:
    ask = merchant.sale().creation(confirm=False)
    return lambda: merchant.send(ask)


def _reconfirms(merchant: Merchant) -> Use:
    ask = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS).confirmation(attempt=2)
    return lambda: merchant.send(ask)


def _holds(merchant: Merchant) -> Use:
    ask = merchant.sale().creation(manual=True)
    return lambda: merchant.send(ask)


def _captures_a_part(merchant: Merchant) -> Use:
    ask = merchant.sale().held().taking(1_000)
    return lambda: merchant.send(ask)


def _captures_again(merchant: Merchant) -> Use:
    ask = merchant.sale().held().taking(1_000, final=False, reference="first")
    return lambda: merchant.send(ask)


def _cancels(merchant: Merchant) -> Use:
    ask = merchant.sale().held().cancellation()
    return lambda: merchant.send(ask)


def _refunds(merchant: Merchant) -> Use:
    ask = merchant.sale().paid().refunding()
    return lambda: merchant.send(ask)


def _refunds_a_part(merchant: Merchant) -> Use:
    ask = merchant.sale().paid().refunding(1_000)
    return lambda: merchant.send(ask)


def _reads_a_payment(merchant: Merchant) -> Use:
    ref = merchant.sale().paid().ref
    return lambda: merchant.provider.retrieve_payment(ref, Call())


def _reads_a_refund(merchant: Merchant) -> Use:
    sale = merchant.sale().paid()
    ref = sale.done(sale.refunding()).refunds[0].ref
    return lambda: merchant.provider.retrieve_refund(ref, Call())


def _finds(merchant: Merchant) -> Use:
    ask = merchant.sale().paid().creation()
    return lambda: merchant.find(ask)


def _lists_payments(merchant: Merchant) -> Use:
    merchant.sale().paid()
    return _listing(merchant, Capability.LIST_PAYMENTS, PaymentsQuery())


def _lists_refunds(merchant: Merchant) -> Use:
    sale = merchant.sale().paid()
    return _listing(merchant, Capability.LIST_REFUNDS, RefundsQuery(payment_ref=sale.ref))


def _listing(
    merchant: Merchant, capability: Capability, query: PaymentsQuery | RefundsQuery
) -> Use:
    """Lists."""
    return _optional(merchant, capability, lambda: page_of(merchant, query))


def _optional(merchant: Merchant, capability: Capability, use: Use) -> Use:
    """Refused by the declaration alone where the provider has no such method."""

    def used() -> Outcome | FactsPage | EventsPage | Statement:
        if not hasattr(merchant.provider, capability):
            merchant.spec.require(capability, operation="contract")
        return use()

    return used


def _lists_events(merchant: Merchant) -> Use:
    merchant.sale().paid()
    query = EventsQuery()
    return _optional(merchant, Capability.LIST_EVENTS, lambda: events_page_of(merchant, query))


def _tells_of_payouts(merchant: Merchant) -> Use:
    outcome = merchant.send(merchant.sale().creation())
    merchant.bank.pay_out()
    assert any(one.payout is not None for one in merchant.hear()), "no payout was told of"
    return lambda: outcome


def _reads_a_subject(merchant: Merchant) -> Use:
    merchant.sale().paid()
    merchant.bank.pay_out()
    told = [one.subject for one in merchant.hear() if one.subject is not None]
    subject = told[0] if told else Subject(kind="payout", ref="po_1")
    return _optional(merchant, Capability.RETRIEVE_SUBJECT, lambda: subject_of(merchant, subject))


def _tells(merchant: Merchant) -> Use:
    outcome = merchant.send(merchant.sale().creation())
    told = [delivery for delivery in merchant.hear() if delivery.facts is not None]
    assert told, "no webhook came"
    return lambda: outcome


def _charges_absent(merchant: Merchant) -> Use:
    ask = merchant.sale().creation(off_session=True)
    return lambda: merchant.send(ask)


def _saves(merchant: Merchant) -> Use:
    customer = merchant.bank.add_customer()
    ask = merchant.sale().creation(customer=customer, save_payment_method=True)

    def use() -> Outcome:
        outcome = merchant.send(ask)
        assert merchant.bank.methods(customer), "no method was saved"
        return outcome

    return use


#: What needs each capability, and the capabilities that it takes to get there.
_USES: Final[Mapping[Capability, tuple[Callable[[Merchant], Use], tuple[Capability, ...]]]] = {
    Capability.CREATE_UNCONFIRMED: (_creates_unconfirmed, ()),
    Capability.RECONFIRM: (_reconfirms, ()),
    Capability.MANUAL_CAPTURE: (_holds, ()),
    Capability.PARTIAL_CAPTURE: (_captures_a_part, (Capability.MANUAL_CAPTURE,)),
    Capability.MULTIPLE_CAPTURES: (_captures_again, (Capability.MANUAL_CAPTURE,)),
    Capability.CANCEL: (_cancels, (Capability.MANUAL_CAPTURE,)),
    Capability.REFUND: (_refunds, ()),
    Capability.PARTIAL_REFUND: (_refunds_a_part, (Capability.REFUND,)),
    Capability.RETRIEVE_PAYMENT: (_reads_a_payment, ()),
    Capability.RETRIEVE_REFUND: (_reads_a_refund, (Capability.REFUND,)),
    Capability.FIND: (_finds, ()),
    Capability.LIST_PAYMENTS: (_lists_payments, ()),
    Capability.LIST_REFUNDS: (_lists_refunds, ()),
    Capability.WEBHOOKS: (_tells, ()),
    Capability.PAYOUTS: (_tells_of_payouts, (Capability.WEBHOOKS,)),
    Capability.RETRIEVE_SUBJECT: (_reads_a_subject, (Capability.PAYOUTS,)),
    Capability.LIST_EVENTS: (_lists_events, ()),
    Capability.OFF_SESSION: (_charges_absent, ()),
    Capability.SAVE_PAYMENT_METHOD: (_saves, ()),
}
#: What the provider itself refuses when it lacks the capability. The others depend on a payment's
#: state or on the amount that is held, which the client knows: it asks the declaration.
_REFUSED_BY_THE_PROVIDER: Final = frozenset(Capability) - {
    Capability.RECONFIRM,
    Capability.PARTIAL_CAPTURE,
    Capability.PARTIAL_REFUND,
    Capability.WEBHOOKS,
    Capability.PAYOUTS,
}


class DeclarationChecks(Checks):
    """Capabilities, account, environment, and the life of a provider object."""

    def test_everything_is_either_declared_or_lacked(self, merchant: Merchant) -> None:
        assert merchant.spec.capabilities == frozenset(Capability) - self.lacks.keys()

    def test_whatever_is_lacked_has_a_reason(self) -> None:
        assert all(reason.strip() for reason in self.lacks.values())

    @pytest.mark.parametrize("capability", list(Capability))
    def test_what_is_declared_works_and_what_is_lacked_is_refused(
        self, merchant: Merchant, capability: Capability
    ) -> None:
        use, besides = _USES[capability]
        self.needs(*besides)
        if capability not in self.lacks:
            assert isinstance(use(merchant)(), Answer | FactsPage | EventsPage | Statement)
            return
        with pytest.raises(UnsupportedOperation):
            merchant.spec.require(capability, operation="contract")
        if capability in _REFUSED_BY_THE_PROVIDER:
            attempt = use(merchant)
            before = len(merchant.sent)
            with pytest.raises(UnsupportedOperation):
                attempt()
            assert len(merchant.sent) == before, "it was refused after something was sent"

    def test_the_account_is_the_same_for_everybody_with_the_key(self, merchant: Merchant) -> None:
        first = merchant.provider.account(Call())
        assert isinstance(first, Account)
        assert first.id
        assert first.endpoint
        assert merchant.provider.account(Call()) == first
        assert merchant.another().provider.account(Call()) == first

    def test_an_account_that_cannot_be_asked_for_is_a_failure(self, merchant: Merchant) -> None:
        for fault in (Unauthorized(), ConnectionRefused()):
            merchant.script.next("account", fault)
            assert isinstance(merchant.provider.account(Call()), Failure)

    def test_the_environment_is_the_banks(self, merchant: Merchant) -> None:
        assert merchant.provider.environment is merchant.bank.environment
        assert isinstance(merchant.provider.environment, Environment)

    def test_the_name_is_short_and_lower_case(self, merchant: Merchant) -> None:
        name = merchant.spec.name
        assert name
        assert name == name.lower().strip()

    def test_constructing_sends_nothing(self, merchant: Merchant) -> None:
        merchant.another()
        assert not merchant.sent

    def test_closing_twice_is_closing(self, merchant: Merchant) -> None:
        merchant.sale().paid()
        other = merchant.another()
        for _ in range(2):
            other.provider.close()
        # The bank and everybody else go on.
        merchant.sale().paid().check_books()

    def test_threads_do_not_disturb_one_another(self, merchant: Merchant) -> None:
        sales = [merchant.sale() for _ in range(_BUYERS * _SALES)]
        asks = [sale.creation() for sale in sales]
        with ThreadPoolExecutor(_BUYERS) as pool:
            list(pool.map(_told, sales, asks))
        for sale in sales:
            sale.catch_up()
            assert sale.intent.status is PaymentStatus.SUCCEEDED
            sale.check_books(sale.amount.minor)


def _told(sale: Sale, ask: Ask) -> Facts:
    return sale.told(ask)
