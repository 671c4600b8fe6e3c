"""The server's routes: which request is which business of the bank's, and how it is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from payport.domain.frozen import EMPTY
from payport.providers.spec import Capability
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Order, Payment, Refused, State
from payport.testing.bank.vault import MICROSECOND
from payport.testing.fake.documents import Documents
from payport.testing.fake.outbox import Outbox
from payport.testing.fake.pages import listed_events, listed_payments, page
from payport.testing.script import As, Declined

__all__ = ["Answered", "Desk"]

#: Status and document of an answer.
Answered: TypeAlias = tuple[int, dict[str, Any]]

#: What was scripted for a request.
Outcome: TypeAlias = Declined | As | None

_PAYMENT = re.compile(r"/payments/(\w+)(?:/(\w+))?")
_REFUND = re.compile(r"/refunds/(\w+)")
_PAYOUT = re.compile(r"/payouts/(\w+)")


class Desk:
    """Serves requests. Whoever calls it holds the bank's lock."""

    def __init__(self, bank: Bank, documents: Documents, outbox: Outbox) -> None:
        self._bank = bank
        self._documents = documents
        self._outbox = outbox
        behaviour = bank.behaviour
        self._declines_with = behaviour.declines_with
        self._search_lag = behaviour.search_lag // MICROSECOND
        self._on_payment: Final[Mapping[tuple[str, str | None], _OnPayment]] = {
            ("POST", "confirm"): self._confirm,
            ("POST", "captures"): self._capture,
            ("POST", "cancel"): self._cancel,
            ("POST", "refunds"): self._refund,
            ("GET", None): self._read_payment,
        }

    def serve(
        self, method: str, target: str, fields: Mapping[str, Any], outcome: Outcome
    ) -> Answered:
        """
        Do what a request asks.

        Raises:
            Refused: The bank does not.
        """
        if target == "/payments" and method == "POST":
            return self._create(fields, outcome)
        match = _PAYMENT.fullmatch(target)
        if match is not None:
            serve = self._on_payment.get((method, match[2]))
            if serve is not None:
                return serve(match[1], fields, outcome)
        if method == "GET":
            return self._read(target)
        raise Refused("no_such_page", "There is nothing here.", status=404)

    # -- business -------------------------------------------------------------------------------

    def _create(self, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        order = _order(fields)
        forced = outcome.card if outcome is not None else None
        desk = self._bank.payments_desk
        return self._tried(desk.create(order, confirm=fields["confirm"], forced=forced))

    def _confirm(self, ref: str, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        forced = outcome.card if outcome is not None else None
        return self._tried(self._bank.payments_desk.confirm(ref, _order(fields), forced=forced))

    def _tried(self, payment: Payment) -> Answered:
        declined = payment.state is State.REFUSED
        return self._declines_with if declined else 200, self._documents.of_payment(payment)

    def _capture(self, ref: str, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        payment, capture = self._bank.captures_desk.capture(
            ref,
            fields["amount"],
            tag=fields["tag"],
            final=fields["final"],
            refused=isinstance(outcome, Declined),
        )
        return 200, self._documents.of_capture(payment, capture)

    def _cancel(self, ref: str, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        refused = isinstance(outcome, Declined)
        payment = self._bank.payments_desk.cancel(ref, tag=fields["tag"], refused=refused)
        return 200, self._documents.of_payment(payment)

    def _refund(self, ref: str, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        payment, refund = self._bank.refunds_desk.refund(
            ref,
            fields["amount"],
            tag=fields["tag"],
            reference=fields["reference"],
            reason=fields["reason"],
            metadata=fields.get("metadata", EMPTY),
            refused=isinstance(outcome, Declined),
        )
        return 200, self._documents.of_refund(payment, refund)

    # -- reading --------------------------------------------------------------------------------

    def _read_payment(self, ref: str, fields: Mapping[str, Any], outcome: Outcome) -> Answered:
        del fields, outcome
        self._check(Capability.RETRIEVE_PAYMENT)
        return 200, self._documents.whole(self._bank.vault.payment(ref))

    def _read(self, target: str) -> Answered:
        bank = self._bank
        if target == "/account":
            return 200, {"id": bank.account, "environment": bank.environment}
        refund = _REFUND.fullmatch(target)
        if refund is not None:
            self._check(Capability.RETRIEVE_REFUND)
            if refund[1] not in bank.vault.refunds:
                raise Refused("no_such_refund", "There is no such refund.", status=404)
            return 200, self._documents.of_refund(*bank.vault.refunds[refund[1]])
        payout = _PAYOUT.fullmatch(target)
        if payout is not None:
            self._check(Capability.RETRIEVE_SUBJECT)
            if payout[1] not in bank.vault.payouts:
                raise Refused("no_such_payout", "There is no such payout.", status=404)
            return 200, self._documents.of_payout(bank.vault.payouts[payout[1]])
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/search":
            self._check(Capability.FIND)
            return self._search(query.get("what", ""), query.get("tag", ""))
        return self._list(parts.path, query)

    def _list(self, path: str, query: Mapping[str, str]) -> Answered:
        """A page of all payments, of the refunds of one, or of what was told; newest first."""
        match = _PAYMENT.fullmatch(path)
        if path == "/events":
            self._check(Capability.LIST_EVENTS)
            found = listed_events(self._bank, self._outbox, query)
            return 200, page(found, query, self._outbox.envelope)
        if path == "/payments":
            self._check(Capability.LIST_PAYMENTS)
            return 200, page(listed_payments(self._bank, query), query, self._documents.whole)
        if match is not None and match[2] == "refunds":
            self._check(Capability.LIST_REFUNDS)
            payment = self._bank.vault.payment(match[1])
            write = partial(self._documents.of_refund, payment)
            return 200, page(payment.refunds[::-1], query, write)
        raise Refused("no_such_page", "There is nothing here.", status=404)

    def _check(self, capability: Capability) -> None:
        if not self._bank.behaviour.can(capability):
            raise Refused("not_supported", "This is not offered here.", status=404)

    def _search(self, what: str, tag: str) -> Answered:
        """Find the payment with the object of a kind that carries a tag."""
        newest = self._bank.vault.latest() - self._search_lag
        find = _FINDERS.get(what, _found_nothing)
        for payment in self._bank.vault.named(tag):
            found = find(self._documents, payment, tag)
            if found is not None and found[0] <= newest:
                return 200, found[1]
        raise Refused("not_found", "Nothing carries this tag.", status=404)


_OnPayment: TypeAlias = Callable[[str, Mapping[str, Any], Outcome], Answered]
#: Since when an object is there, and the document about it.
_Found: TypeAlias = tuple[int, dict[str, Any]] | None


def _found_nothing(documents: Documents, payment: Payment, tag: str) -> None:
    del documents, payment, tag


def _found_payment(documents: Documents, payment: Payment, tag: str) -> _Found:
    ours = payment.order.tag == tag
    return (payment.created, documents.whole(payment)) if ours else None


def _found_try(documents: Documents, payment: Payment, tag: str) -> _Found:
    own = next((t for t in payment.tries if t.tag == tag), None)
    return (own.created, documents.whole(payment)) if own is not None else None


def _found_capture(documents: Documents, payment: Payment, tag: str) -> _Found:
    own = next((c for c in payment.captures if c.tag == tag), None)
    return (own.created, documents.of_capture(payment, own)) if own is not None else None


def _found_cancel(documents: Documents, payment: Payment, tag: str) -> _Found:
    ours = tag in {payment.canceled_by, payment.canceling}
    return (payment.updated, documents.whole(payment)) if ours else None


def _found_refund(documents: Documents, payment: Payment, tag: str) -> _Found:
    own = next((r for r in payment.refunds if r.tag == tag), None)
    return (own.created, documents.of_refund(payment, own)) if own is not None else None


#: What may be searched for by its tag.
_FINDERS: dict[str, Callable[[Documents, Payment, str], _Found]] = {
    "payments": _found_payment,
    "tries": _found_try,
    "captures": _found_capture,
    "cancels": _found_cancel,
    "refunds": _found_refund,
}


def _order(fields: Mapping[str, Any]) -> Order:
    return Order(
        amount=fields["amount"],
        currency=fields["currency"],
        tag=fields["tag"],
        reference=fields["reference"],
        attempt=fields["attempt"],
        token=fields["payment_method"],
        customer=fields["customer"],
        manual=fields["manual"],
        off_session=fields["off_session"],
        save=fields["save"],
        return_url=fields["return_url"],
        description=fields["description"],
        metadata=fields.get("metadata", EMPTY),
    )
