"""What is asked of Adyen is as Adyen describes it, and its own examples of answers are read."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from adyen_help import ACCOUNT, API_KEY, COLOURS

from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import DeclineReason
from payport.domain.errors import InvalidRequest
from payport.domain.facts import AttemptStatus, CaptureStatus
from payport.domain.frozen import FrozenMapping
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason
from payport.providers.adyen import HOSTED, SESSION, payment_method_from
from payport.providers.adyen.declines import ADVICE, REFUSALS, decline_from
from payport.providers.adyen.facts import RESULTS
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    LostPayment,
    Terms,
)
from payport.providers.exchange import Call
from payport.providers.outcomes import Account, Answer, Failure
from payport.testing.blocking import Blocking

DESCRIBED = json.loads(
    (Path(__file__).parents[2] / "data/adyen/checkout-v72-examples.json").read_text("utf-8")
)
EXAMPLES: dict[str, Any] = DESCRIBED["examples"]
PRICE = Money(1_000, "USD")
KEY = "pp1_" + "a" * 52
DATE = {"date": "Sun, 01 Mar 2026 12:00:00 GMT"}
CALL = Call(key=KEY)


def creating(method: str = "8416038790273850", **more: Any) -> CreatePayment:
    given: dict[str, Any] = {"return_url": "https://shop.example/back", **more}
    terms = Terms(amount=PRICE, payment_method=method, **given)
    return CreatePayment(
        payment_id="pay_1", reference="order_1", attempt=1, terms=terms, confirm=True
    )


class Wire:
    """A provider of one colour, and one answer to whatever it asks."""

    def __init__(self, colour: str) -> None:
        self.seen: list[httpx.Request] = []
        self.answer: Any = httpx.Response(200)
        self._make = COLOURS[colour]
        self._made: list[Any] = []

    def _carried(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]

    def provider(self, **options: Any) -> Any:
        carried = httpx.MockTransport(self._carried)
        awaited = self._make is COLOURS["awaited"]
        client = httpx.AsyncClient if awaited else httpx.Client
        given = {"api_key": API_KEY, "merchant_account": ACCOUNT, "environment": "test"}
        made = self._make(**{**given, "http_client": client(transport=carried), **options})
        view: Any = Blocking(made) if awaited else made
        self._made.append(view)
        return view

    def told(self, status: int, body: Any, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = httpx.Response(status, json=body, headers={**DATE, **named})

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture(params=list(COLOURS))
def wire(request: pytest.FixtureRequest) -> Any:
    made = Wire(str(request.param))
    yield made
    made.close()


# -- requests ---------------------------------------------------------------------------------

LOST = LostPayment(key=KEY, attempt=1, capture_method=CaptureMethod.MANUAL)
CANCEL = CancelPayment(payment_id="pay_1", payment_ref="PSP0000000000001", amount=PRICE)
CAPTURE = CapturePayment(
    payment_id="pay_1", payment_ref="PSP0000000000001", amount=PRICE, final=True
)
REFUND = CreateRefund(
    payment_id="pay_1",
    payment_ref="PSP0000000000001",
    refund_id="rfd_1",
    reference="r",
    amount=PRICE,
    reason=RefundReason.FRAUDULENT,
)
EVERYTHING: dict[str, Any] = {
    "customer": "shopper_1",
    "save_payment_method": True,
    "description": "Two apples",
    "statement_descriptor": "APPLES",
    "receipt_email": "ann@shop.example",
    "metadata": FrozenMapping({"colour": "green"}),
}
DETAILS = ConfirmPayment(
    payment_id="pay_1",
    reference="order_1",
    attempt=1,
    payment_ref=f"{KEY}.a1",
    terms=creating().terms,
    action_result=FrozenMapping({"redirectResult": "X6", "paymentData": "Ab0"}),
)
ASKED: list[tuple[str, str, Any]] = [
    ("/v72/payments", "paymentRequest", creating()),
    ("/v72/payments", "paymentRequest", creating(**EVERYTHING)),
    ("/v72/payments", "paymentRequest", creating(customer="abc", off_session=True)),
    ("/v72/payments", "paymentRequest", creating(capture_method=CaptureMethod.MANUAL)),
    ("/v72/sessions", "sessionRequest", creating(HOSTED, **EVERYTHING)),
    ("/v72/sessions", "sessionRequest", creating(SESSION)),
    ("/v72/payments/details", "detailsRequest", DETAILS),
    ("/v72/payments/PSP0000000000001/captures", "captureRequest", CAPTURE),
    ("/v72/payments/PSP0000000000001/cancels", "cancelRequest", CANCEL),
    (
        "/v72/payments/PSP0000000000001/reversals",
        "reversalRequest",
        replace(CANCEL, capturing=True),
    ),
    ("/v72/cancels", "standaloneCancelRequest", replace(CANCEL, lost=LOST)),
    ("/v72/payments/PSP0000000000001/refunds", "refundRequest", REFUND),
]


@pytest.mark.parametrize(
    ("path", "schema", "command"), ASKED, ids=[f"{n}-{one[1]}" for n, one in enumerate(ASKED)]
)
def test_each_request_is_as_adyen_describes_it(
    wire: Wire, path: str, schema: str, command: Any
) -> None:
    request = wire.provider(cancel_lost=True).render(command, KEY)
    body, described = json.loads(request.body), DESCRIBED[schema]
    assert request.target == path
    assert body.keys() >= {*described["required"]}
    assert body.keys() <= {*described["properties"]}
    assert request.headers["Idempotency-Key"] == KEY
    assert len(body.get("reference", "")) <= 80


def test_requests_go_out_with_the_key_and_nothing_else_of_a_client(wire: Wire) -> None:
    wire.told(200, EXAMPLES["post-payments-card-direct-200"])
    wire.provider().create_payment(creating(), CALL)
    (request,) = wire.seen
    assert request.headers["x-api-key"] == API_KEY
    assert request.headers["content-type"] == "application/json"
    assert "cookie" not in request.headers
    assert "authorization" not in request.headers


@pytest.mark.parametrize("ref", ["", "../x", "a b", "pi_3Nv", "x" * 65, "a/b", "PSP\n"])
def test_an_id_that_is_none_of_adyens_leads_nowhere(wire: Wire, ref: str) -> None:
    for command in (CAPTURE, CANCEL, REFUND):
        with pytest.raises(InvalidRequest, match="payment_ref"):
            wire.provider().render(replace(command, payment_ref=ref), KEY)


def test_half_a_character_is_refused(wire: Wire) -> None:
    with pytest.raises(InvalidRequest, match="half a character"):
        wire.provider().render(creating(description="\ud800"), KEY)


def test_what_holds_encrypted_fields_must_not_be_stored(wire: Wire) -> None:
    for name in ("post-payments-card-securedfields", "post-payments-oneclick-securedfields"):
        token = payment_method_from({"paymentMethod": EXAMPLES[name]["paymentMethod"]})
        assert not wire.provider().render(creating(token), KEY).storable
    wallet = {"paymentMethod": {"type": "googlepay", "googlePayToken": "==Payload as it came=="}}
    assert not wire.provider().render(creating(payment_method_from(wallet)), KEY).storable
    ideal = payment_method_from({"paymentMethod": {"type": "ideal", "issuer": "1121"}})
    assert wire.provider().render(creating(ideal), KEY).storable
    with pytest.raises(InvalidRequest):
        wire.provider().render(creating("adyen:data:%%%"), KEY)


# -- answers ----------------------------------------------------------------------------------

ANSWERED = sorted(n for n in EXAMPLES if n.startswith("post-payments-") and n.endswith("-200"))
MODIFIED = {
    "captures": ("post-payments-paymentPspReference-captures-capture-201", CAPTURE),
    "cancels": ("post-payments-paymentPspReference-cancels-cancel-with-psp-reference-201", CANCEL),
    "reversals": (
        "post-payments-paymentPspReference-reversals-reversal-201",
        replace(CANCEL, capturing=True),
    ),
    "lost": ("post-cancels-cancel-with-own-reference-201", replace(CANCEL, lost=LOST)),
    "refunds": ("post-payments-paymentPspReference-refunds-refund-201", REFUND),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_every_example_of_an_answer_is_one(wire: Wire, name: str) -> None:
    wire.told(200, EXAMPLES[name])
    outcome = wire.provider().create_payment(creating(), CALL)
    assert isinstance(outcome, Answer), outcome
    assert outcome.facts.tag == KEY
    (attempt,) = outcome.facts.attempts
    expected = RESULTS[EXAMPLES[name]["resultCode"]]
    taken = expected is AttemptStatus.AUTHORIZED
    assert attempt.status is (AttemptStatus.SUCCEEDED if taken else expected)
    assert bool(outcome.facts.captures) == taken
    if attempt.status is AttemptStatus.REQUIRES_ACTION:
        assert attempt.next_action is not None
        assert attempt.ref == f"{KEY}.a1", "its id is not final yet"


@pytest.mark.parametrize("name", MODIFIED)
def test_what_is_received_is_pending(wire: Wire, name: str) -> None:
    example, command = MODIFIED[name]
    wire.told(201, EXAMPLES[example])
    provider = wire.provider(cancel_lost=True)
    outcome = getattr(provider, command.operation)(command, CALL)
    assert isinstance(outcome, Answer), outcome
    statuses = {str(fact.status) for fact in outcome.facts}
    assert statuses == {"processing" if isinstance(command, CancelPayment) else "pending"}


@pytest.mark.parametrize("word", DESCRIBED["resultCodes"])
def test_every_result_is_known_or_unknown(wire: Wire, word: str) -> None:
    body = {"resultCode": word, "pspReference": "PSP0000000000001"}
    if RESULTS.get(word) is AttemptStatus.REQUIRES_ACTION:
        body["action"] = {"type": "redirect", "method": "GET", "url": "https://x.example"}  # type: ignore[assignment]
    wire.told(200, body)
    outcome = wire.provider().create_payment(creating(capture_method=CaptureMethod.MANUAL), CALL)
    assert isinstance(outcome, Answer)
    (attempt,) = outcome.facts.attempts
    assert attempt.status is RESULTS.get(word, AttemptStatus.UNKNOWN)
    assert not outcome.facts.captures


def test_an_authorisation_after_an_action_has_to_say_whose_it_is(wire: Wire) -> None:
    body = {"resultCode": "Authorised", "pspReference": "PSP0000000000001"}
    wire.told(200, body)
    outcome = wire.provider().confirm_payment(DETAILS, CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN
    wire.told(200, {**body, "merchantReference": "pp1_another.a1"})
    outcome = wire.provider().confirm_payment(DETAILS, CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.INVALID_REQUEST


def test_a_part_that_was_authorised_is_held_alone(wire: Wire) -> None:
    body = {
        "resultCode": "PartiallyAuthorised",
        "pspReference": "PSP0000000000001",
        "amount": {"currency": "USD", "value": 600},
    }
    wire.told(200, body)
    outcome = wire.provider().create_payment(creating(), CALL)
    assert [a.authorized.minor for a in outcome.facts.attempts] == [600]
    assert [(c.status, c.amount.minor) for c in outcome.facts.captures] == [
        (CaptureStatus.SUCCEEDED, 600)
    ]


def test_a_link_is_a_redirect_and_all_else_is_for_adyens_code(wire: Wire) -> None:
    actions = {
        Redirect: {"type": "redirect", "method": "GET", "url": "https://x.example/1"},
        ClientToken: {"type": "redirect", "method": "POST", "url": "https://x.example", "data": {}},
    }
    for kind, action in actions.items():
        wire.told(200, {"resultCode": "RedirectShopper", "action": action})
        outcome = wire.provider().create_payment(creating(), CALL)
        found = outcome.facts.attempts[0].next_action
        assert isinstance(found, kind)
        if isinstance(found, ClientToken):
            assert json.loads(found.token or "") == action


def test_an_answer_without_a_date_stands_over_nothing(wire: Wire) -> None:
    wire.answer = httpx.Response(200, json=EXAMPLES["post-payments-card-direct-200"])
    outcome = wire.provider().create_payment(creating(), CALL)
    assert outcome.provider_time is None
    assert {fact.at.year for fact in outcome.facts} == {1970}


HALVES: list[Any] = [
    {},
    [],
    None,
    "Authorised",
    {"resultCode": None},
    {"resultCode": 7},
    {"resultCode": "Authorised"},
    {"resultCode": "Refused"},
    {"resultCode": "Authorised", "pspReference": "../"},
    {"resultCode": "RedirectShopper"},
    {"resultCode": "RedirectShopper", "action": "go"},
    {"resultCode": "Authorised", "pspReference": "P", "amount": {"value": "1", "currency": "USD"}},
    {"resultCode": "Authorised", "pspReference": "P", "amount": {"value": 1, "currency": "??"}},
]


@pytest.mark.parametrize("body", HALVES, ids=repr)
def test_half_an_answer_is_none(wire: Wire, body: Any) -> None:
    wire.told(200, body)
    outcome = wire.provider().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN
    wire.told(201, body)
    for command in (CAPTURE, CANCEL, REFUND):
        half = getattr(wire.provider(), command.operation)(command, CALL)
        assert isinstance(half, Failure)
        assert half.kind is FailureKind.UNKNOWN


# -- failures ---------------------------------------------------------------------------------

SAID: list[tuple[int, str, dict[str, str], FailureKind]] = [
    (400, "702", {}, FailureKind.INVALID_REQUEST),
    (401, "000", {}, FailureKind.AUTHENTICATION),
    (403, "901", {}, FailureKind.PERMISSION),
    (403, "010", {}, FailureKind.PERMISSION),
    (404, "000", {}, FailureKind.INVALID_REQUEST),
    (409, "704", {"transient_error": "true"}, FailureKind.IN_PROGRESS),
    (422, "704", {"transient_error": "true"}, FailureKind.IN_PROGRESS),
    (422, "704", {}, FailureKind.KEY_REUSED),
    (409, "704", {"transient_error": "false"}, FailureKind.KEY_REUSED),
    (422, "14_030", {}, FailureKind.INVALID_REQUEST),
    (422, "14_030", {"transient_error": "true"}, FailureKind.UNKNOWN),
    (429, "000", {}, FailureKind.RATE_LIMITED),
    (500, "905", {}, FailureKind.UNKNOWN),
    (502, "000", {}, FailureKind.UNKNOWN),
    (503, "703", {"transient_error": "true"}, FailureKind.UNAVAILABLE),
    (503, "000", {}, FailureKind.UNKNOWN),
    (504, "703", {}, FailureKind.UNKNOWN),
    (418, "000", {}, FailureKind.UNKNOWN),
]


@pytest.mark.parametrize(("status", "code", "headers", "kind"), SAID, ids=repr)
def test_what_a_failure_proves(
    wire: Wire, status: int, code: str, headers: dict[str, str], kind: FailureKind
) -> None:
    body = {"status": status, "errorCode": code, "message": "No.", "errorType": "validation"}
    wire.told(status, body, **headers)
    outcome = wire.provider().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code) == (kind, code)


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n.startswith("generic")])
def test_every_example_of_an_error_is_understood(wire: Wire, name: str) -> None:
    example = EXAMPLES[name]
    wire.told(example["status"], example)
    outcome = wire.provider().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.message == example["message"]
    assert outcome.request_id == example.get("pspReference")
    unknown = example["status"] >= 500
    assert (outcome.kind is FailureKind.UNKNOWN) == unknown


def test_an_error_repeats_no_key_and_no_card(wire: Wire) -> None:
    told = f"no {API_KEY}... AQEyhmfxK4rNbRFLw0m/n3Q5qf3VaY9UCJ14XWZE03G 4111 1111 1111 1111"
    wire.told(422, {"status": 422, "errorCode": "1", "message": told, "errorType": "validation"})
    outcome = wire.provider().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert "4111" not in outcome.message
    assert "AQEyhmfxK4rNbRFLw0m" not in outcome.message


def test_the_account_is_what_the_key_may_use(wire: Wire) -> None:
    wire.told(200, EXAMPLES["post-paymentMethods-basic-200"])
    account = wire.provider(region="au").account(Call())
    assert isinstance(account, Account)
    assert account.id == f"{ACCOUNT}@au"
    assert json.loads(wire.seen[0].content) == {"merchantAccount": ACCOUNT}
    assert "idempotency-key" not in wire.seen[0].headers
    for status, body in ((403, EXAMPLES["generic-403"]), (200, {}), (200, {"paymentMethods": 1})):
        wire.told(status, body)
        assert isinstance(wire.provider().account(Call()), Failure)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        RuntimeError("a bug of a transport"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_key_is_in_a_traceback(wire: Wire, error: Exception) -> None:
    wire.answer = error
    provider = wire.provider()
    try:
        outcome = provider.create_payment(creating(), CALL)
    except RuntimeError as raised:
        cause: BaseException = raised
    else:
        assert isinstance(outcome, Failure)
        assert outcome.cause is not None
        cause = outcome.cause
        sent = not isinstance(error, httpx.ConnectError)
        assert outcome.kind is (FailureKind.UNKNOWN if sent else FailureKind.UNAVAILABLE)
    shown = traceback.TracebackException.from_exception(cause, capture_locals=True)
    assert API_KEY not in "".join(shown.format())


# -- declines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_means_the_same_by_its_code_and_by_its_words(code: str) -> None:
    words, reason = REFUSALS[code]
    by_code = decline_from({"refusalReasonCode": code, "refusalReason": words})
    by_words = decline_from({"reason": words}, reason="reason")
    assert by_code == by_words
    assert by_code.reason is reason
    assert by_code.raw == code


def test_a_refusal_that_nobody_knows_is_unknown_and_kept() -> None:
    decline = decline_from({"refusalReasonCode": "999", "refusalReason": "New in 2031"})
    assert decline.reason is DeclineReason.UNKNOWN
    assert decline.raw == "999"
    assert decline_from({}).raw
    assert (
        decline_from({"additionalData": 7, "refusalReason": ["x"]}).reason is DeclineReason.UNKNOWN
    )


def test_what_the_network_advises_stands_over_what_is_usual() -> None:
    for code, advice in ADVICE.items():
        more = {"merchantAdviceCode": f"{code} : Words", "refusalReasonRaw": "51 : No money"}
        decline = decline_from({"refusalReasonCode": "12", "additionalData": more})
        assert decline.advice is advice
        assert decline.network_code == "51"
