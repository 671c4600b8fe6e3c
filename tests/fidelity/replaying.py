"""
Sends the recorded calls of a scenario to a simulator, and compares what it answers.

Recorded ids are replaced by those of the simulator, which are learned from its answers. What a
scenario knows without having made it (a customer of an earlier run, a payment of Billing's) is made
beforehand, through the simulator's own API, to look as it was recorded. It judges no difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from comparing import Difference, Incomparable, differences, pairs
from recorded_calls import PREFIXED, Call, Scenario, objects_in
from scope import out_of_scope

from payport.providers.exchange import Response
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import HttpRequest

__all__ = ["Replayed", "replayed"]

_KEY = "sk_test_obviously_fake"
_WRONG_KEY = "sk_test_obviously_revoked"
_REFUSED = 400
_UNAUTHORIZED = 401

#: Calls for a connected account; the recordings do not keep the header that says so.
_CONNECTED = {
    "connect_customer_is_not_on_parent_account": frozenset({0, 2, 3, 4}),
    "connect_destination_charge": frozenset({0, 1, 2}),
}
_ACCOUNT = "acct_connected"


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """
    A recorded call, and how it went.

    Attributes:
        out: Why it is out of scope, and was not sent.
        differences: What differs.
    """

    call: Call
    out: str | None = None
    differences: tuple[Difference, ...] = ()


def replayed(
    scenario: Scenario, simulator: StripeSimulator, incomparable: Incomparable
) -> Iterator[Replayed]:
    """Send a scenario to a simulator that nothing has happened in."""
    simulator.revoke(_WRONG_KEY)
    simulator.connected(_ACCOUNT)
    replay = _Replay(scenario, simulator, incomparable)
    for call in scenario.calls:
        out = out_of_scope(call)
        yield Replayed(call=call, out=out) if out is not None else replay.send(call)


class _Replay:
    """One scenario at one simulator, and which id stands for which."""

    def __init__(
        self, scenario: Scenario, simulator: StripeSimulator, incomparable: Incomparable
    ) -> None:
        self._documents = [one for call in scenario.calls for one in objects_in(call.body)]
        self._simulator = simulator
        self._incomparable = incomparable
        self._names: dict[str, str] = {}

    def send(self, call: Call) -> Replayed:
        account = _ACCOUNT if call.index in _CONNECTED.get(call.scenario, ()) else None
        self._prepare(call, account)
        key = _WRONG_KEY if call.status == _UNAUTHORIZED else _KEY
        headers = {name: call.sent[name] for name in _TOLD if name in call.sent}
        target = f"{call.path}?{call.query}" if call.query else call.path
        answer = self._ask(call.method, target, call.form, account, key=key, **headers)
        body = json.loads(answer.body)
        self._learn(call.body, body)
        return Replayed(
            call=call,
            differences=tuple(
                differences(
                    (call.status, call.headers, call.body),
                    (answer.status, answer.headers, body),
                    version=call.version,
                    names=self._names,
                    incomparable=self._incomparable,
                )
            ),
        )

    def _ask(
        self,
        method: str,
        target: str,
        form: str,
        account: str | None,
        *,
        key: str = _KEY,
        **headers: str,
    ) -> Response:
        told = {"authorization": f"Bearer {key}", **headers}
        if account is not None:
            told["stripe-account"] = account
        request = HttpRequest(
            method=method,
            target=self._renamed(target),
            headers={name.replace("_", "-"): value for name, value in told.items()},
            body=self._renamed(form).encode(),
        )
        return self._simulator.handle(request)

    # -- which id stands for which ----------------------------------------------------------------

    def _renamed(self, text: str) -> str:
        return PREFIXED.sub(lambda found: self._names.get(found[0], found[0]), text)

    def _learn(self, theirs: dict[str, object], ours: dict[str, object]) -> None:
        for one, other in pairs(theirs, ours):
            if PREFIXED.fullmatch(one) and PREFIXED.fullmatch(other):
                self._names.setdefault(one, other)

    # -- what was there before --------------------------------------------------------------------

    def _prepare(self, call: Call, account: str | None) -> None:
        """Make what a call takes for granted, if Stripe knew it and the simulator does not."""
        if call.status >= _REFUSED:
            return
        document = call.body
        asked = {found[0] for found in PREFIXED.finditer(f"{call.path} {call.form}")}
        if document["object"] == "payment_intent":
            asked |= {document["payment_method"], document["customer"]}
        customer = document["id"] if document["object"] == "customer" else document.get("customer")
        for ref in sorted(asked - self._names.keys()):  # customers, payments, payment methods
            if ref.startswith("cus_"):
                self._make_customer(ref, account)
            elif ref.startswith("pm_"):
                self._make_method(ref, customer, account)
        if document["object"] == "payment_intent" and document["id"] in asked - self._names.keys():
            self._make_payment(document, account)

    def _make(self, ref: str, path: str, fields: dict[str, str], account: str | None) -> None:
        answer = self._ask("POST", path, urlencode(fields), account)
        body = json.loads(answer.body)
        assert answer.status < _REFUSED, f"{ref} could not be made beforehand: {body}"
        self._names[ref] = body["id"]

    def _make_customer(self, ref: str, account: str | None) -> None:
        told = next((one for one in self._documents if one.get("id") == ref), {})
        kept = ("description", "email", "name", "phone")
        fields = {name: told[name] for name in kept if told.get(name)}
        self._make(ref, "/v1/customers", fields, account)

    def _make_method(self, ref: str, customer: str, account: str | None) -> None:
        asks = any(
            one.get("payment_method") == ref and one["status"] == "requires_action"
            for one in self._documents
        )
        token = "pm_card_authenticationRequired" if asks else "pm_card_visa"
        path = f"/v1/payment_methods/{token}/attach"
        self._make(ref, path, {"customer": self._names[customer]}, account)

    def _make_payment(self, body: dict[str, Any], account: str | None) -> None:
        """A payment as Billing makes it: with types of payment methods, for later use as well."""
        types = dict.fromkeys(body["payment_method_types"])
        fields = {
            "amount": str(body["amount"]),
            "currency": body["currency"],
            "customer": self._names[body["customer"]],
            "payment_method": self._names[body["payment_method"]],
            "capture_method": body["capture_method"],
            "description": body["description"],
            "setup_future_usage": body["setup_future_usage"],
            "confirm": "true",
            **{f"allowed_payment_method_types[{i}]": kind for i, kind in enumerate(types)},
        }
        told = {name: value for name, value in fields.items() if value}
        self._make(body["id"], "/v1/payment_intents", told, account)


#: What is sent again as it was recorded.
_TOLD = ("content-type", "idempotency-key", "stripe-version")
