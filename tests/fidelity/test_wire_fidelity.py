"""The simulator answers as Stripe did, or there is a reason; a wrong simulator is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from comparing import Difference
from reasons import Reason, Reasons
from recorded_calls import Call, Scenario, scenarios
from report import Report
from scope import OUT, out_of_scope
from wire_fidelity import WireFidelity, measured

from payport.providers.exchange import Response
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import HttpRequest


@pytest.fixture(scope="module")
def found() -> WireFidelity:
    return measured()


def test_every_difference_has_a_reason_and_every_reason_a_difference(found: WireFidelity) -> None:
    assert list(found.faults) == []
    assert found.is_true


def test_every_recorded_call_is_accounted_for(found: WireFidelity) -> None:
    assert [one.call.name for one in found.calls] == [
        f"{scenario.name}-{index}"
        for scenario in scenarios()
        for index in range(len(scenario.calls))
    ]
    assert found.counts == {"equal": 21, "with reason": 179, "out of scope": 88}
    assert found.summary == (
        "Stripe simulator: 288 recorded calls, 200 in scope: 21 answered equally, 179 differ with a"
        " reason, 0 without; 88 out of scope"
    )


def test_every_reason_for_being_out_of_scope_is_somebodys(found: WireFidelity) -> None:
    assert set(found.out) == OUT


def test_an_endpoint_that_nobody_decided_about_is_no_silence() -> None:
    call = recorded("creates_with_no_card").calls[0]
    with pytest.raises(KeyError):
        out_of_scope(replace(call, path="/v1/tax_rates"))


def recorded(name: str) -> Scenario:
    (scenario,) = (one for one in scenarios() if one.name == name)
    return scenario


# -- reasons --------------------------------------------------------------------------------------


def test_a_reason_that_explains_nothing_is_found() -> None:
    stale = {"why": "once", "of": "charge", "how": "missing", "at": ["colour"]}
    reasons = Reasons({"reason": [stale], "incomparable": [{**stale, "at": ["taste"]}]})
    wire = measured(of=(), reasons=reasons)
    assert [(reason.at, reason.how) for reason in wire.unneeded] == [
        ("colour", "missing"),
        ("taste", "missing"),
    ]
    assert not wire.is_true
    assert (
        "nothing differs any more in charge.colour missing (once)"
        in Report(wire=wire, sections=()).text
    )


def test_a_reason_of_an_older_version_explains_no_newer_recording() -> None:
    told = {"of": "charge", "at": "colour", "how": "extra"}
    reason = Reason(**told, why="later", before="2026-03-25")
    older = Difference(**told, version="2025-10-29.clover", told="")
    assert reason.explains(older)
    assert not reason.explains(replace(older, version="2026-03-25.dahlia"))
    assert not reason.explains(replace(older, how="missing"))


def test_without_reasons_hardly_anything_is_equal() -> None:
    wire = measured(reasons=Reasons({}))
    assert wire.counts["equal"] + wire.counts["with reason"] == 0
    assert wire.counts["unexplained"] == 200


# -- a simulator that is wrong --------------------------------------------------------------------

Change = Callable[[int, dict[str, Any]], int]


class Wrong(StripeSimulator):
    """Answers with something changed."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change

    def handle(self, request: HttpRequest) -> Response:
        answer = super().handle(request)
        document = json.loads(answer.body)
        status = self._change(answer.status, document)
        return replace(answer, status=status, body=json.dumps(document).encode())


def with_another_decline_code(status: int, document: dict[str, Any]) -> int:
    error = document.get("error", {})
    if "decline_code" in error:
        error["decline_code"] = "do_not_honor"
    return status


def with_another_error_type(status: int, document: dict[str, Any]) -> int:
    if document.get("error", {}).get("type") == "card_error":
        document["error"]["type"] = "invalid_request_error"
    return status


def with_another_error_code(status: int, document: dict[str, Any]) -> int:
    if document.get("error", {}).get("code") == "resource_missing":
        document["error"]["code"] = "missing"
    return status


def without_a_key(status: int, document: dict[str, Any]) -> int:
    document.pop("capture_method", None)
    return status


def with_a_key_of_its_own(status: int, document: dict[str, Any]) -> int:
    if document.get("object") == "customer":
        document["mood"] = "good"
    return status


def with_a_number_as_text(status: int, document: dict[str, Any]) -> int:
    if document.get("object") == "refund":
        document["amount"] = str(document["amount"])
    return status


def with_nothing_for_something(status: int, document: dict[str, Any]) -> int:
    if document.get("email"):
        document["email"] = None
    return status


def with_another_state(status: int, document: dict[str, Any]) -> int:
    if document.get("status") == "requires_capture":
        document["status"] = "succeeded"
    return status


def with_another_status(status: int, document: dict[str, Any]) -> int:
    return 400 if status == 404 else status


def with_another_id(status: int, document: dict[str, Any]) -> int:
    if document.get("object") == "refund":
        document["charge"] = "ch_3SomebodyElses000000000001"
    return status


def within_what_is_expanded(status: int, document: dict[str, Any]) -> int:
    charge = document.get("latest_charge")
    if isinstance(charge, dict):
        del charge["payment_method_details"]["card"]["brand"]
    return status


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (with_another_decline_code, "error.decline_code value"),
        (with_another_error_type, "error.type value"),
        (with_another_error_code, "error.code value"),
        (without_a_key, "payment_intent.capture_method missing"),
        (with_a_key_of_its_own, "customer.mood extra"),
        (with_a_number_as_text, "refund.amount type"),
        (with_nothing_for_something, "customer.email type"),
        (with_another_state, "payment_intent.status value"),
        (with_another_status, "answer.status value"),
        (with_another_id, "refund.charge value"),
        (within_what_is_expanded, "charge.payment_method_details.card.brand missing"),
    ],
)
def test_a_simulator_that_is_wrong_is_found(change: Change, place: str) -> None:
    wire = measured(make=lambda: Wrong(change))
    assert not wire.is_true
    wrong = {str(difference).partition(":")[0] for difference in unexplained(wire)}
    assert wrong == {place}
    text = Report(wire=wire, sections=()).text
    assert "to be mended:" in text
    assert place in text.partition("to be mended:")[2]


def unexplained(wire: WireFidelity) -> list[Difference]:
    return [difference for one in wire.calls for difference in one.unexplained]


def test_a_lost_header_is_found() -> None:
    class Silent(StripeSimulator):
        def handle(self, request: HttpRequest) -> Response:
            answer = super().handle(request)
            kept = {k: v for k, v in answer.headers.items() if k != "stripe-should-retry"}
            return replace(answer, headers=type(answer.headers)(kept))

    found = unexplained(measured(make=Silent, of=[recorded("can_create_a_charge")]))
    assert {(one.of, one.at, one.how) for one in found} == {
        ("headers", "stripe-should-retry", "missing")
    }


def test_a_simulator_that_loses_what_was_made_is_found() -> None:
    """Not only answers are compared: a later call has to find what an earlier one made."""

    class Forgetful(StripeSimulator):
        def handle(self, request: HttpRequest) -> Response:
            answer = super().handle(request)
            self.server.desks.memory.charges.clear()
            return answer

    wire = measured(make=Forgetful, of=[recorded("can_capture_an_authorized_charge")])
    (lost,) = [one for one in wire.calls if one.unexplained]
    assert lost.call.asked.startswith("GET /v1/charges/")
    assert ("answer", "status") in {(one.of, one.at) for one in lost.unexplained}


def test_what_was_redacted_may_be_anything_and_the_rest_may_not() -> None:
    call = recorded("refund").calls[0]
    changed = replace(call, body={"error": {**call.body["error"], "message": "REDACTED key"}})
    wire = measured(of=[scenario_of(changed)], reasons=Reasons())
    assert [(one.at, one.how) for one in unexplained(wire)] == [("message", "value")]


def scenario_of(call: Call) -> Scenario:
    return Scenario(name=call.scenario, calls=(call,))
