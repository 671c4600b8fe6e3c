"""
What Stripe tells of each change: events, kept for `/v1/events` and handed on to whoever delivers.

An event holds the object as it was when it happened, as text: nobody changes what was told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from payport.testing.bank.records import (
    Change,
    Dispute,
    Happening,
    Payment,
    Refund,
    RefundState,
    State,
)
from payport.testing.simulation.documents import encode
from payport.testing.stripe_simulator.amounts import to_wire
from payport.testing.stripe_simulator.cards import refusal
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.memory import Intent, Memory, stripe_id
from payport.testing.stripe_simulator.methods import payment_method
from payport.testing.stripe_simulator.objects import Payments, last_error, refunded
from payport.testing.stripe_simulator.payouts_desk import PayoutsDesk

__all__ = ["API_VERSION", "Event", "Events"]

#: The version whose contract the simulator keeps.
API_VERSION: Final = "2026-10-28.endive"

_SECOND: Final = 1_000_000
_HOLD_LIVES: Final = 7 * 86_400
_H = Happening

#: What is told of an object, and what changed in it.
_Told = tuple[str, Doc, Doc | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that Stripe tells.

    Attributes:
        text: The `data` object, in JSON.
        request: The request that caused it and its key.
    """

    id: str
    type: str
    created: int
    text: str = field(repr=False)
    request: tuple[str | None, str | None]
    live: bool

    def body(self, *, api_version: str = API_VERSION, pending: int = 1) -> str:
        """The event, in JSON."""
        request_id, key = self.request
        head = {"id": self.id, "object": "event", "api_version": api_version}
        tail = {
            "livemode": self.live,
            "pending_webhooks": pending,
            "request": {"id": request_id, "idempotency_key": key},
            "type": self.type,
        }
        middle = f'"created":{self.created},"data":{self.text}'
        return f"{encode(head)[:-1]},{middle},{encode(tail)[1:]}"

    def document(self) -> Doc:
        """The event as `/v1/events` shows it."""
        document: Doc = json.loads(self.body(pending=0))
        return document


class Events:
    """
    Turns the bank's changes into events.

    Attributes:
        kept: All of them, oldest first.
        request: The id and key of the request that is being carried out.
        undelivered: Says which ids of events somebody was not given.
    """

    def __init__(
        self,
        memory: Memory,
        payments: Payments,
        effects: Effects,
        payouts: PayoutsDesk,
        *,
        live: bool,
    ) -> None:
        self._memory = memory
        self._payments = payments
        self._effects = effects
        self._payouts = payouts
        self._live = live
        self.kept: list[Event] = []
        self.request: tuple[str | None, str | None] = (None, None)
        self.listeners: list[Callable[[Event], None]] = []
        self.undelivered: Callable[[], Collection[str]] = frozenset
        self._on_payment: dict[str, Callable[[Intent, Change], Iterator[_Told]]] = {
            _H.PAYMENT_CREATED: self._created,
            _H.PAYMENT_CHALLENGED: self._challenged,
            _H.PAYMENT_PENDING: self._pending,
            _H.PAYMENT_REFUSED: self._refused,
            _H.PAYMENT_ERRORED: self._refused,
            _H.PAYMENT_HELD: self._held,
            _H.PAYMENT_DONE: self._done,
            _H.PAYMENT_VOIDED: self._voided,
            _H.PAYMENT_LAPSED: self._voided,
            _H.CAPTURE_TAKEN: self._captured,
        }

    def on_change(self, change: Change) -> None:
        """Hear of a change. Called by the bank, with its lock held."""
        if change.payout is not None:
            for kind, document, previous in self._payouts.words(change.payout, change):
                self._tell(kind, document, previous, change.at)
            return
        payment = change.payment
        if payment is None:
            # What a test announces.
            unknown = {"object": "unknown", **change.details}
            self._tell(str(change.what), unknown, None, change.at)
            return
        known = stripe_id("pi", payment.ref) in self._memory.intents
        intent = self._memory.intent_of(payment)
        told: list[_Told] = [] if known else list(self._created(intent, change))
        if change.what is not _H.PAYMENT_CREATED:
            told += self._words(intent, change)
        for kind, document, previous in told:
            self._tell(kind, document, previous, change.at)

    def _words(self, intent: Intent, change: Change) -> Iterator[_Told]:
        effect = change.effects[0] if change.effects else None
        if isinstance(effect, Refund):
            self._memory.vault.name(intent.payment, stripe_id("re", effect.ref))
            yield from self._refund(intent.payment, effect, change)
        elif isinstance(effect, Dispute):
            self._memory.vault.name(intent.payment, stripe_id("dp", effect.ref))
            yield from self._dispute(intent.payment, effect, change)
        else:
            words = self._on_payment.get(change.what)
            if words is not None:
                yield from words(intent, change)

    def _tell(self, kind: str, document: Doc, previous: Doc | None, at: int) -> None:
        data: Doc = {"object": document}
        if previous is not None:
            data["previous_attributes"] = previous
        event = Event(
            id=stripe_id("evt", self._memory.vault.new_ref("bs")),
            type=kind,
            created=at // _SECOND,
            text=encode(data),
            request=self.request,
            live=self._live,
        )
        self.kept.append(event)
        for listener in self.listeners:
            listener(event)

    def tell(self, kind: str, document: Doc) -> None:
        """Tell of something that no bank knows of, such as a new customer."""
        self._tell(kind, document, None, self._memory.vault.wall())

    # -- payments -------------------------------------------------------------------------------

    def _intent(self, kind: str, intent: Intent) -> _Told:
        return f"payment_intent.{kind}", self._payments.intent(intent), None

    def _charge(self, kind: str, intent: Intent, previous: Doc | None = None) -> Iterator[_Told]:
        if intent.charge is not None:
            yield f"charge.{kind}", self._payments.charge(intent, intent.charge), previous

    def _created(self, intent: Intent, change: Change) -> Iterator[_Told]:
        """
        A new payment. Where it is confirmed at once, it is told as it was before: nobody sees it
        so, but its event is older than those of the confirmation.
        """
        del change
        document = self._payments.intent(intent)
        if intent.payment.tries:
            method = intent.method
            document["status"] = "requires_confirmation"
            document["payment_method"] = method.id if method is not None else None
            document["amount_received"] = document["amount_capturable"] = 0
            document["next_action"] = document["processing"] = None
        yield "payment_intent.created", document, None

    def _challenged(self, intent: Intent, change: Change) -> Iterator[_Told]:
        del change
        intent.error = None
        yield self._intent("requires_action", intent)

    def _pending(self, intent: Intent, change: Change) -> Iterator[_Told]:
        del change
        self._asked(intent)
        yield from self._charge("pending", intent)
        yield self._intent("processing", intent)

    def _refused(self, intent: Intent, change: Change) -> Iterator[_Told]:
        del change
        why = refusal(intent.payment.decline or "processing_error")
        charge = intent.charge
        ref = stripe_id("ch", intent.payment.tries[-1].ref)
        method = intent.method
        shown = payment_method(method, live=self._live) if method is not None else None
        if charge is not None and charge.id == ref:
            charge.refusal = why
        elif why.charged:
            charge = self._memory.add_charge(intent, why, None)
        intent.error = last_error(why, charge.id if charge is not None else None, shown)
        if why.charged:
            yield from self._charge("failed", intent)
        yield self._intent("payment_failed", intent)

    def _held(self, intent: Intent, change: Change) -> Iterator[_Told]:
        del change
        self._asked(intent)
        yield from self._charge("succeeded", intent)
        yield self._intent("amount_capturable_updated", intent)

    def _done(self, intent: Intent, change: Change) -> Iterator[_Told]:
        if change.effects:
            self._asked(intent)
            yield from self._charge("succeeded", intent)
        yield self._intent("succeeded", intent)

    def _captured(self, intent: Intent, change: Change) -> Iterator[_Told]:
        del change
        yield from self._charge("captured", intent)
        over = intent.payment.state is State.DONE
        yield self._intent("succeeded" if over else "amount_capturable_updated", intent)

    def _voided(self, intent: Intent, change: Change) -> Iterator[_Told]:
        lapsed = change.what is _H.PAYMENT_LAPSED
        intent.canceled_at = change.at // _SECOND
        if lapsed:
            intent.canceled_for = "automatic"
        held = intent.charge is not None and intent.charge.refusal is None
        if held:
            yield from self._charge("expired" if lapsed else "refunded", intent)
        yield self._intent("canceled", intent)

    def _asked(self, intent: Intent) -> None:
        """Write down that the issuer was asked and did not say no, once for each try."""
        intent.error = None
        ref = stripe_id("ch", intent.payment.tries[-1].ref)
        if intent.charge is None or intent.charge.id != ref:
            expires = self._memory.now() + _HOLD_LIVES
            self._memory.add_charge(intent, None, expires)
        payment, method = intent.payment, intent.method
        customer = payment.terms.customer
        if payment.terms.save and payment.authorized and method is not None and customer:
            self._memory.attach(method, customer)

    # -- effects --------------------------------------------------------------------------------

    def _refund(self, payment: Payment, refund: Refund, change: Change) -> Iterator[_Told]:
        document = self._effects.refund(payment, refund)
        intent = self._memory.intent_of(payment)
        told = self._memory.refunds_told
        if refund.ref not in told:
            told.add(refund.ref)
            yield "refund.created", document, None
            if refund.state is not RefundState.BOUNCED:
                before = to_wire(refunded(payment) - refund.amount, intent.currency)
                yield from self._charge("refunded", intent, {"amount_refunded": before})
                return
        if change.what is _H.REFUND_BOUNCED:
            yield "refund.failed", document, None
        was = {"status": "succeeded" if refund.round > 1 else "pending"}
        yield "refund.updated", document, was
        yield "charge.refund.updated", document, was

    def _dispute(self, payment: Payment, dispute: Dispute, change: Change) -> Iterator[_Told]:
        document = self._effects.dispute(payment, dispute)
        for kind in _DISPUTED.get(str(change.what), ()):
            first = kind == "created" and dispute.round
            yield f"charge.dispute.{'updated' if first else kind}", document, None


#: What is told of a dispute. One that is raised again is an update of the one there was.
_DISPUTED: Final[dict[str, tuple[str, ...]]] = {
    _H.DISPUTE_INQUIRY: ("created",),
    _H.DISPUTE_ANSWERED: ("closed",),
    _H.DISPUTE_RAISED: ("created", "funds_withdrawn"),
    _H.DISPUTE_EXAMINED: ("updated",),
    _H.DISPUTE_WON: ("closed", "funds_reinstated"),
    _H.DISPUTE_LOST: ("closed",),
}
