"""Serves sessions: what a shopper pays in the shop's own page, by Adyen's code."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from payport.testing.adyen_simulator.amounts import amount_from, amount_on_wire
from payport.testing.adyen_simulator.answers import result_of
from payport.testing.adyen_simulator.asking import Ask
from payport.testing.adyen_simulator.errors import invalid, not_found
from payport.testing.adyen_simulator.memory import Memory, Paid, Session
from payport.testing.adyen_simulator.methods import Method, Methods
from payport.testing.adyen_simulator.payments_desk import PaymentsDesk
from payport.testing.bank.records import State
from payport.testing.bank.vault import MICROSECOND, micros, moment
from payport.testing.simulation.documents import Doc

__all__ = ["SessionsDesk"]

_LIFE: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(hours=24)
_CONCLUDED: Final = frozenset({"Authorised", "Received", "Pending"})
_PAGE: Final = "https://eu.adyen.link"


class SessionsDesk:
    """Serves `/sessions`. Whoever calls it holds the bank's lock."""

    def __init__(self, memory: Memory, methods: Methods, payments: PaymentsDesk) -> None:
        self._memory = memory
        self._methods = methods
        self._payments = payments

    def sessions(self, ask: Ask) -> Doc:
        """POST /sessions."""
        params, memory = ask.params, self._memory
        amount_from(params["amount"], zero=True)
        self._payments.requested(params)
        now = memory.vault.wall()
        expires = _expiry(params, now)
        ref = memory.psp(memory.vault.new_ref("bs"))
        session = Session(
            id=f"CS{ref}",
            asked=params,
            account=ask.account,
            key=ask.key,
            expires=expires,
            data=f"Ab02b4c0!{memory.psp(ref)}",
        )
        memory.sessions[session.id] = session
        if ask.key is not None:
            memory.vault.executed[ask.key] += 1
        hidden = {"authenticationData"}
        body: Doc = {name: value for name, value in params.items() if name not in hidden}
        body["id"] = session.id
        body["expiresAt"] = moment(expires).isoformat(timespec="seconds")
        if params.get("mode") == "hosted":
            body["url"] = f"{_PAGE}/{session.id}"
        else:
            body["sessionData"] = session.data
        return body

    def session(self, ask: Ask) -> Doc:
        """GET /sessions/{sessionId}."""
        session = self._memory.sessions.get(ask.ref)
        if session is None:
            raise not_found(f"session {ask.ref}")
        if ask.params["sessionResult"] != self.result(session):
            raise invalid("14_018", "Invalid payload provided")
        paid = [one for one in session.paid if result_of(one) in _CONCLUDED]
        body: Doc = {
            "id": session.id,
            "reference": session.asked["reference"],
            "status": self._status(session, paid),
        }
        if paid:
            body["payments"] = [_payment(one) for one in paid]
        return body

    def result(self, session: Session) -> str:
        """What Adyen's code gives the shop's page when the shopper is done: `sessionResult`."""
        return self._memory.psp(f"{session.id} in the page")

    def pay(self, ref: str, told: Doc) -> Paid:
        """
        The shopper pays in a session.

        Args:
            told: The payment method that they choose, as Adyen's code would send it.

        Raises:
            LookupError: There is no such session.
            ApiError: It is over, or the method is none.
        """
        session = self._memory.sessions.get(ref)
        if session is None:
            raise LookupError(f"there is no session {ref!r}")
        params: Doc = {**session.asked, "paymentMethod": told}
        if self._memory.vault.wall() >= session.expires:
            raise invalid("000", "The session is expired.")
        requested = self._payments.requested(params)
        method: Method = self._methods.read(told, params.get("shopperReference"), requested)
        ask = Ask(ref="", params=params, account=session.account, key=None, psp="", scripted=None)
        paid = self._payments.make(params, method, ask, session=session)
        session.paid.append(paid)
        self._memory.vault.name(paid.payment, session.key)
        return paid

    def _status(self, session: Session, paid: list[Paid]) -> str:
        if any(one.payment.authorized for one in paid):
            return "completed"
        if paid:
            return "paymentPending"
        if any(one.payment.state is State.VOIDED for one in session.paid):
            return "canceled"
        if self._memory.vault.wall() >= session.expires:
            return "expired"
        return "refused" if any(_is_refused(one) for one in session.paid) else "active"


def _is_refused(paid: Paid) -> bool:
    return paid.payment.state in {State.REFUSED, State.ERRORED}


def _payment(paid: Paid) -> Doc:
    look = paid.asked.look
    return {
        "amount": amount_on_wire(
            paid.payment.authorized or paid.payment.order.amount, paid.currency
        ),
        "paymentMethod": (
            {"type": "scheme", "brand": look.brand} if look.is_card else {"type": look.type}
        ),
        "pspReference": paid.psp,
        "resultCode": result_of(paid),
    }


def _expiry(params: Doc, now: int) -> int:
    told: Any = params.get("expiresAt")
    if told is None:
        return now + _LIFE // MICROSECOND
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise invalid("702", "Unexpected input for expiresAt, expected: date", status=400) from None
    if at.tzinfo is None:
        raise invalid("702", "Unexpected input for expiresAt, expected: date", status=400)
    expires = micros(at)
    if not now < expires <= now + _LONGEST // MICROSECOND:
        raise invalid("000", "Field 'expiresAt' is at most 24 hours from now.")
    return expires
