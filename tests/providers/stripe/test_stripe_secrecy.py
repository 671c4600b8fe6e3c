"""Secrecy: keys, signing secrets and client secrets are in no text, log, dump or traceback."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from stripe_help import (
    COLOURS,
    MOMENT,
    TAG,
    adapter,
    creating,
    declined,
    error,
    event,
    payment,
    signed,
    unpaid,
)

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.webhooks.bodies import without_client_secrets

KEY = "sk_test_canary1key2that3is4nobodys"
SECRET = "whsec_canary1secret2that3is4nobodys"
TOKEN = "pi_1_secret_canary1token2that3is4nobodys"
CANARIES = ("canary1key", "canary1secret", "canary1token")
CHALLENGE = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}


@pytest.fixture
def wire() -> Iterator[respx.Router]:
    with respx.mock(using="httpx", base_url="https://api.stripe.com") as router:
        yield router


@pytest.fixture
def watched(make: Any) -> Any:
    return make(api_key=KEY, webhook_secrets=[SECRET])


def check_silent(shown: object) -> None:
    text = shown if isinstance(shown, str) else repr(shown)
    for canary in CANARIES:
        assert canary not in text


def challenged() -> dict[str, Any]:
    return unpaid("requires_action", next_action=CHALLENGE, client_secret=TOKEN)


#: What may come back, or not.
ANSWERS: dict[str, dict[str, Any]] = {
    "challenge": {"return_value": httpx.Response(200, json=challenged())},
    "decline": {
        "return_value": httpx.Response(
            402,
            json=error("x", "card_error", payment_intent=declined(client_secret=TOKEN)),
        )
    },
    "unexpected": {
        "return_value": httpx.Response(
            400,
            json=error("payment_intent_unexpected_state", payment_intent=challenged()),
        )
    },
    "echo": {
        "return_value": httpx.Response(
            400, json=error("x", message=f"{KEY} {SECRET} {TOKEN} are not allowed here")
        )
    },
    "unauthorized": {
        "return_value": httpx.Response(401, json=error(None, message=f"Invalid key: {KEY}"))
    },
    "server error": {"return_value": httpx.Response(500, json=error(None, "api_error"))},
    "page": {"return_value": httpx.Response(502, content=f"<html>{KEY}</html>".encode())},
    "unreadable": {
        "return_value": httpx.Response(200, json=payment(client_secret=TOKEN, amount=None))
    },
    "refused": {"side_effect": httpx.ConnectError(f"refused {KEY}")},
    "lost": {"side_effect": httpx.ReadTimeout("lost")},
}


@pytest.mark.parametrize("how", list(ANSWERS))
def test_outcomes_show_and_keep_no_secret(watched: Any, wire: respx.Router, how: str) -> None:
    wire.post("/v1/payment_intents").mock(**ANSWERS[how])
    outcome = watched.create_payment(creating(), Call(key=TAG))
    check_silent(outcome)
    if isinstance(outcome, Answer):
        check_silent(pickle.dumps(outcome))
        check_silent(repr(copy.deepcopy(outcome)))
        return
    assert isinstance(outcome, Failure)
    check_silent(outcome.message)
    cause: BaseException | None = outcome.cause
    while cause is not None:
        check_silent(f"{cause} {cause!r} {cause.args!r} {vars(cause)!r}")
        check_silent(shown_with_locals(cause))
        check_silent(pickle.dumps(cause))
        cause = cause.__cause__ or cause.__context__


class Stopped(BaseException):
    """What ends a process or a task."""


@pytest.mark.parametrize("mistake", [TypeError, Stopped])
def test_even_a_mistake_shows_no_key(make: Any, colour: str, mistake: Any) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise mistake(f"in {request}")

    kind: Any = {"sync": httpx.Client, "async": httpx.AsyncClient}[colour]
    client = kind(transport=httpx.MockTransport(fail))
    with pytest.raises(mistake) as raised:
        make(api_key=KEY, http_client=client).create_payment(creating(), Call(key=TAG))
    check_silent(shown_with_locals(raised.value))


@pytest.mark.parametrize("how", list(ANSWERS))
def test_logs_at_debug_show_no_secret(make: Any, wire: respx.Router, how: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("stripe", "httpx", "httpcore", "payport", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    wire.post("/v1/payment_intents").mock(**ANSWERS[how])
    provider = make(api_key=KEY, webhook_secrets=[SECRET])
    provider.create_payment(creating(), Call(key=TAG))
    assert any(record.name == "stripe" for record in caplog.records), "the SDK logs, and is heard"
    for record in caplog.records:
        check_silent(f"{record.getMessage()} {record.args!r} {record.__dict__!r}")


def test_the_sdks_own_console_log_shows_no_secret(
    watched: Any, wire: respx.Router, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("stripe.log", "debug")
    for how in ANSWERS.values():
        wire.post("/v1/payment_intents").mock(**how)
        watched.create_payment(creating(), Call(key=TAG))
    shown = capsys.readouterr()
    assert "Post details" in shown.err
    check_silent(shown.out + shown.err)


# -- the provider itself --------------------------------------------------------------------------


@pytest.mark.parametrize("colour", list(COLOURS))
def test_a_provider_shows_no_secret(colour: str) -> None:
    provider = COLOURS[colour](api_key=KEY, webhook_secrets=[SECRET])
    subject = getattr(provider, "subject", provider)
    for shown in (repr(subject), f"{subject}", attributes(subject)):
        check_silent(repr(shown))
    for dumped in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(ConfigurationError) as raised:
            dumped(subject)
        check_silent(raised.value)


def attributes(value: object, depth: int = 6) -> object:
    """What a debugger would list: attributes, and theirs."""
    names = [*getattr(value, "__dict__", {}), *getattr(type(value), "__slots__", ())]
    if depth == 0 or not names:
        return repr(value)
    return {name: attributes(getattr(value, name, None), depth - 1) for name in names}


def test_rendered_requests_hold_no_credentials() -> None:
    one = adapter(api_key=KEY, webhook_secrets=[SECRET], account="acct_1")
    request = one.render(creating(), TAG)
    check_silent(request.to_bytes())
    check_silent(repr(request))


# -- webhooks -------------------------------------------------------------------------------------

BROKEN: dict[str, Any] = {
    "too old": lambda: signed(event("x.y", challenged()), at=1, secret=SECRET),
    "not signed": lambda: signed(event("x.y", challenged()), secret="whsec_other"),
    "no JSON": lambda: signed(TOKEN.encode(), secret=SECRET),
    "no id": lambda: signed(event("x.y", challenged(), id=None), secret=SECRET),
    "no time": lambda: signed(event("x.y", challenged(), created=None), secret=SECRET),
    "no mode": lambda: signed(event("x.y", challenged(), livemode=None), secret=SECRET),
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_a_rejected_webhook_shows_no_secret(how: str) -> None:
    one, request = adapter(api_key=KEY, webhook_secrets=[SECRET]), BROKEN[how]()
    with pytest.raises(WebhookRejected) as raised:
        one.parse_webhook(request, now=MOMENT)
    check_silent(f"{raised.value} {raised.value!r} {vars(raised.value)!r}")
    check_silent(shown_with_locals(raised.value))
    assert raised.value.__context__ is None


def test_deliveries_show_and_keep_no_client_secret() -> None:
    one = adapter(api_key=KEY, webhook_secrets=[SECRET])
    told = event("payment_intent.requires_action", challenged())
    request = signed(told, secret=SECRET)
    (delivery,) = one.parse_webhook(request, now=MOMENT)
    (statement,) = one.read_webhook(request.body)
    assert statement.facts is not None
    assert statement.facts.attempts[0].next_action.token == TOKEN
    for kept in (delivery, statement):
        check_silent(kept)
        check_silent(pickle.dumps(kept))
    check_silent(without_client_secrets(request.body))


def shown_with_locals(error: BaseException) -> str:
    """A traceback as error trackers keep it: with the variables of every frame of ours."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    out = io.StringIO()
    while told is not None:
        told.stack[:] = [frame for frame in told.stack if "/tests/" not in frame.filename]
        print(*told.format(chain=False), file=out)
        told = told.__cause__ or told.__context__  # type: ignore[assignment]
    return out.getvalue()
