"""Serves what is only read: charges, disputes, the balance and its transactions, events, lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from payport.testing.bank.records import Dispute, Payment, Refund
from payport.testing.bank.vault import MICROSECOND
from payport.testing.stripe_simulator.asking import Ask
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import Doc, missing
from payport.testing.stripe_simulator.events import Event, Events
from payport.testing.stripe_simulator.listing import matcher, page, search_page, within
from payport.testing.stripe_simulator.memory import Charge, Intent, Memory, stripe_id
from payport.testing.stripe_simulator.methods import payment_method
from payport.testing.stripe_simulator.objects import Payments
from payport.testing.stripe_simulator.payouts_desk import PayoutsDesk

__all__ = ["ReadsDesk"]

_SECOND: Final = 1_000_000
#: Seconds: thirty days. https://docs.stripe.com/api/events/list
_EVENTS_KEPT: Final = 30 * 86_400


class ReadsDesk:
    """
    Serves reads. Whoever calls it holds the bank's lock.

    Args:
        search_lag: How long after it was made a payment is found by a search.
    """

    def __init__(
        self,
        memory: Memory,
        payments: Payments,
        effects: Effects,
        events: Events,
        payouts: PayoutsDesk,
        *,
        live: bool,
        search_lag: timedelta,
    ) -> None:
        self._memory = memory
        self._payments = payments
        self._effects = effects
        self._events = events
        self._live = live
        self._lag = search_lag // MICROSECOND
        self._finders: dict[str, Callable[[str], Doc | None]] = {
            "pi": self._find_intent,
            "ch": self._find_charge,
            "pm": self._find_method,
            "re": self._find_refund,
            "dp": self._find_dispute,
            "txn": self._find_transaction,
            "po": payouts.find,
        }

    # -- one ------------------------------------------------------------------------------------

    def retrieve_charge(self, ask: Ask) -> Doc:
        """GET /v1/charges/:id."""
        if ask.ref not in self._memory.charges:
            raise missing("charge", ask.ref, param="id", status=404)
        return self._payments.charge(*self._memory.charges[ask.ref])

    def retrieve_dispute(self, ask: Ask) -> Doc:
        """GET /v1/disputes/:id."""
        found = self._memory.dispute(ask.ref)
        if found is None:
            raise missing("dispute", ask.ref, param="id", status=404)
        return self._effects.dispute(*found)

    def retrieve_balance_transaction(self, ask: Ask) -> Doc:
        """GET /v1/balance_transactions/:id."""
        found = self.find(ask.ref) if ask.ref.startswith("txn_") else None
        if found is None:
            raise missing("balance_transaction", ask.ref, param="id", status=404)
        return found

    def retrieve_event(self, ask: Ask) -> Doc:
        """GET /v1/events/:id."""
        for event in self._events.kept:
            if event.id == ask.ref:
                return event.document()
        raise missing("event", ask.ref, param="id", status=404)

    def balance(self, ask: Ask) -> Doc:
        """GET /v1/balance."""
        del ask
        return self._effects.balance()

    def account(self, ask: Ask) -> Doc:
        """GET /v1/account."""
        del ask
        return self._effects.account()

    # -- many -----------------------------------------------------------------------------------

    def list_payments(self, ask: Ask) -> Doc:
        """GET /v1/payment_intents."""
        found = self._intents(ask.params)
        return _page(ask, found, _id, self._payments.intent)

    def _intents(self, params: Doc) -> list[Intent]:
        customer, bounds = params.get("customer"), params.get("created")
        return [
            intent
            for intent in reversed(self._memory.intents.values())
            if customer is None or intent.payment.order.customer == customer
            if within(intent.payment.created // _SECOND, bounds)
        ]

    def search_payments(self, ask: Ask) -> Doc:
        """GET /v1/payment_intents/search."""
        matches = matcher(ask.params["query"])
        # By the second, as Stripe counts: the bank's moments differ by microseconds within one.
        newest = (self._memory.vault.latest() - self._lag) // _SECOND
        documents = (
            self._payments.intent(intent)
            for intent in reversed(self._memory.intents.values())
            if intent.payment.created // _SECOND <= newest
        )
        return search_page(filter(matches, documents), ask.params, ask.path)

    def list_charges(self, ask: Ask) -> Doc:
        """GET /v1/charges."""
        params = ask.params
        customer, of = params.get("customer"), params.get("payment_intent")
        bounds, group = params.get("created"), params.get("transfer_group")
        found = [
            (intent, charge)
            for intent, charge in reversed(self._memory.charges.values())
            if customer is None or intent.payment.order.customer == customer
            if of is None or intent.id == of
            if group is None or intent.fields.get("transfer_group") == group
            if within(charge.created, bounds)
        ]
        return _page(ask, found, _id_of_charge, lambda one: self._payments.charge(*one))

    def list_refunds(self, ask: Ask) -> Doc:
        """GET /v1/refunds."""
        found = self._of(ask, self._memory.vault.refunds.values())
        return _page(ask, found, _id_of_refund, lambda one: self._effects.refund(*one))

    def list_disputes(self, ask: Ask) -> Doc:
        """GET /v1/disputes."""
        found = self._of(ask, self._memory.vault.disputes.values())
        return _page(ask, found, _id_of_dispute, lambda one: self._effects.dispute(*one))

    def _of(self, ask: Ask, effects: Iterable[tuple[Payment, Any]]) -> list[tuple[Payment, Any]]:
        """Refunds or disputes of a payment, or of all."""
        params = ask.params
        intent = params.get("payment_intent")
        charge, bounds = params.get("charge"), params.get("created")
        if charge is not None:
            if charge not in self._memory.charges:
                raise missing("charge", charge, param="charge", status=404)
            intent = self._memory.charges[charge][0].id
        if intent is not None and intent not in self._memory.intents:
            raise missing("payment_intent", intent, param="payment_intent", status=404)
        found = [
            (payment, effect)
            for payment, effect in effects
            if intent is None or stripe_id("pi", payment.ref) == intent
            if within(effect.created // _SECOND, bounds)
        ]
        return found[::-1]

    def list_balance_transactions(self, ask: Ask) -> Doc:
        """GET /v1/balance_transactions."""
        params = ask.params
        named = {
            name: params[name].lower() if name == "currency" else params[name]
            for name in ("currency", "source", "type")
            if name in params
        }
        found = [
            document
            for document in reversed(self._effects.transactions())
            if all(document[name] == wanted for name, wanted in named.items())
            if within(document["created"], params.get("created"))
        ]
        return _page(ask, found, _id_of_document, dict)

    def list_events(self, ask: Ask) -> Doc:
        """GET /v1/events."""
        params = ask.params
        asked: list[str] = [*params.get("types", ())]
        types = {*asked, params["type"]} if "type" in params else set(asked)
        prefixes = tuple(kind.removesuffix("*") for kind in types if kind.endswith("*"))
        delivered, undelivered = params.get("delivery_success"), self._events.undelivered()
        oldest = self._memory.now() - _EVENTS_KEPT
        found = [
            event
            for event in reversed(self._events.kept)
            if not types or event.type in types or (prefixes and event.type.startswith(prefixes))
            if within(event.created, params.get("created"))
            if delivered is None or delivered is (event.id not in undelivered)
            if event.created >= oldest
        ]
        return _page(ask, found, _id, Event.document)

    def list_customers(self, ask: Ask) -> Doc:
        """GET /v1/customers."""
        email, bounds = ask.params.get("email"), ask.params.get("created")
        found = [
            customer
            for customer in reversed(self._memory.customers.values())
            if email is None or customer.fields.get("email") == email
            if within(customer.created, bounds)
        ]
        return _page(ask, found, _id, self._effects.customer)

    def list_methods(self, ask: Ask) -> Doc:
        """GET /v1/payment_methods."""
        customer = ask.params.get("customer")
        if customer is not None and self._memory.customer(customer) is None:
            raise missing("customer", customer, param="customer")
        found = [
            method
            for method in reversed(self._memory.methods.values())
            if customer is not None and method.customer == customer
            if ask.params.get("type", "card") == "card"
        ]
        return _page(ask, found, _id, lambda one: payment_method(one, live=self._live))

    # -- for expansion --------------------------------------------------------------------------

    def find(self, ref: str) -> Doc | None:
        """The object with an id; None where there is none."""
        look = self._finders.get(ref.partition("_")[0])
        if look is not None:
            return look(ref)
        customer = self._memory.customer(ref)
        return self._effects.customer(customer) if customer is not None else None

    def _find_intent(self, ref: str) -> Doc | None:
        intent = self._memory.intents.get(ref)
        return self._payments.intent(intent) if intent is not None else None

    def _find_charge(self, ref: str) -> Doc | None:
        found = self._memory.charges.get(ref)
        return self._payments.charge(*found) if found is not None else None

    def _find_method(self, ref: str) -> Doc | None:
        method = self._memory.methods.get(ref)
        return payment_method(method, live=self._live) if method is not None else None

    def _find_refund(self, ref: str) -> Doc | None:
        found = self._memory.refund(ref)
        return self._effects.refund(*found) if found is not None else None

    def _find_dispute(self, ref: str) -> Doc | None:
        found = self._memory.dispute(ref)
        return self._effects.dispute(*found) if found is not None else None

    def _find_transaction(self, ref: str) -> Doc | None:
        found = (d for d in self._effects.transactions() if d["id"] == ref)
        document = next(found, None)
        return dict(document) if document is not None else None

    def more(self, document: Doc, name: str) -> Any:
        """What a document has only where it is asked for."""
        if name == "refunds":
            return self._refunds(document["id"])
        if name == "tax":
            return {
                "automatic_tax": "unrecognized_location",
                "ip_address": None,
                "location": None,
                "provider": "stripe",
            }
        if name in {"invoice_credit_balance", "cash_balance"}:
            return {} if name == "invoice_credit_balance" else None
        url = f"/v1/customers/{document['id']}/{name}"
        return {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": url}

    def _refunds(self, ref: str) -> Doc:
        intent, charge = self._memory.charges[ref]
        payment = intent.payment
        ours: tuple[Refund, ...] = payment.refunds if charge is intent.charge else ()
        data = [self._effects.refund(payment, refund) for refund in reversed(ours)]
        return {
            "object": "list",
            "data": data[:10],
            "has_more": len(data) > 10,  # noqa: PLR2004 - a page of Stripe's
            "total_count": len(data),
            "url": f"/v1/charges/{ref}/refunds",
        }


def _page(
    ask: Ask, found: list[Any], ref: Callable[[Any], str], write: Callable[[Any], Doc]
) -> Doc:
    return page(found, ask.params, ask.path, ref=ref, write=write)


def _id(one: Any) -> str:
    ref: str = one.id
    return ref


def _id_of_document(document: Doc) -> str:
    ref: str = document["id"]
    return ref


def _id_of_charge(one: tuple[Intent, Charge]) -> str:
    return one[1].id


def _id_of_refund(one: tuple[Payment, Refund]) -> str:
    return stripe_id("re", one[1].ref)


def _id_of_dispute(one: tuple[Payment, Dispute]) -> str:
    return stripe_id("dp", one[1].ref)
