"""What an answer without facts proves, and what declines mean: by asking adapter and client."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from payport import Payport, PayportError
from payport.domain.declines import DISCREET, MESSAGES, Decline, DeclineReason
from payport.domain.outcomes import FailureKind
from payport.operations.faults import read_fault
from payport.providers.exchange import Call
from payport.providers.outcomes import Failure
from payport.providers.retries import DEFAULT_RETRIES, NO_RETRIES
from payport.providers.stripe import StripeProvider
from payport.providers.stripe.declines import ADVICE, ERROR_CODES, REASONS, decline_from
from payport.providers.stripe.errors import BY_CODE, BY_STATUS, BY_TYPE
from payport.storage.memory import MemoryStore
from payport.testing import FakeClock
from stripe_tables.markdown import code, table
from stripe_tables.shop import KEY, PRICE

__all__ = ["TABLES"]


@dataclass(frozen=True)
class Told:
    """Something that comes back, or does not."""

    what: str
    answer: Callable[[httpx.Request], httpx.Response]


def _error(
    what: str, status: int, kind: str | None, error_code: str | None = None, **headers: str
) -> Told:
    error = {"message": "No.", "type": kind, "code": error_code}
    body = json.dumps({"error": {k: v for k, v in error.items() if v is not None}})
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return Told(what, lambda _: httpx.Response(status, content=body.encode(), headers=shown))


def _body(what: str, status: int, body: bytes) -> Told:
    return Told(what, lambda _: httpx.Response(status, content=body))


def _broken(what: str, error: type[httpx.TransportError]) -> Told:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return Told(what, fail)


#: A status at which each code is told.
_STATUS_OF = {
    FailureKind.AUTHENTICATION: 401,
    FailureKind.IN_PROGRESS: 409,
    FailureKind.RATE_LIMITED: 429,
}
_WRONG = "invalid_request_error"

_ANSWERS = [
    *[
        _error(f"code {code(word)}", _STATUS_OF[kind], _WRONG, word)
        for word, kind in BY_CODE.items()
    ],
    _error("the same `lock_timeout` with status 429", 429, _WRONG, "lock_timeout"),
    _error("the same `rate_limit` with status 400", 400, _WRONG, "rate_limit"),
    *[_error(f"type {code(word)}", 400, word) for word in BY_TYPE],
    *[_error(f"status {status}", status, _WRONG) for status in BY_STATUS],
    _error("status 400 with `Stripe-Should-Retry: true`", 400, _WRONG, stripe_should_retry="true"),
    _error("status 429 with `Retry-After: 7`", 429, _WRONG, retry_after="7"),
    _error("status 424", 424, "api_error"),
    _error("status 500", 500, "api_error"),
    _error("status 500, replayed under its key", 500, "api_error", idempotent_replayed="true"),
    _error(
        "status 500 with `Stripe-Should-Retry: false`",
        500,
        "api_error",
        stripe_should_retry="false",
    ),
    _error("status 503 with code `lock_timeout`", 503, _WRONG, "lock_timeout"),
    _body("an error of OAuth's shape, status 400", 400, b'{"error": "invalid_grant"}'),
    _body("a page that is not JSON, status 400", 400, b"<html>Bad Request</html>"),
    _body("a page that is not JSON, status 200", 200, b"<html>Welcome</html>"),
    _broken("no connection: `httpx.ConnectError`", httpx.ConnectError),
    _broken("no connection in time: `httpx.ConnectTimeout`", httpx.ConnectTimeout),
    _broken("the answer does not come: `httpx.ReadTimeout`", httpx.ReadTimeout),
    _broken("the answer is cut: `httpx.RemoteProtocolError`", httpx.RemoteProtocolError),
]


def failures_table() -> str:
    """By what comes back: its kind, what it proves, what is raised, and when it is tried again."""
    rows = []
    for told in _ANSWERS:
        provider = StripeProvider(
            api_key=KEY,
            http_client=httpx.Client(transport=httpx.MockTransport(_after_the_account(told))),
        )
        read = provider.retrieve_payment("pi_1", Call())
        if not isinstance(read, Failure):
            raise TypeError(told.what)
        raised, failure = _changing(provider)
        read_raises = read_fault(read, operation="", reference="", provider="stripe")
        rows.append(
            (
                told.what,
                code(failure.kind.name),
                code(failure.certainty),
                code(raised),
                code(read.kind.name),
                code(type(read_raises).__name__),
                code(type(read.cause).__name__),
                _retried(failure),
            )
        )
    headers = ("what comes back", "a change", "proves", "raises", "a read", "raises", "`__cause__`")
    return table((*headers, "tried again after"), rows)


def _after_the_account(told: Told) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/account":
            return httpx.Response(200, json={"id": "acct_1", "object": "account"})
        return told.answer(request)

    return answer


def _changing(provider: StripeProvider) -> tuple[str, Failure]:
    """What a client raises when it creates a payment, and the failure behind that."""
    pay = Payport(
        provider, scope="shop", store=MemoryStore(), retries=NO_RETRIES, clock=FakeClock()
    )
    try:
        pay.payments.create(
            reference="order_1", amount=PRICE, payment_method="pm_card_visa", confirm=True
        )
    except PayportError as error:
        (row,) = pay.operations.list()
        if row.failure is None:
            raise
        return type(error).__name__, Failure(
            kind=row.failure, message="", retry_after=getattr(error, "retry_after", None)
        )
    message = "it was carried out"
    raise RuntimeError(message)


def _retried(failure: Failure) -> str:
    rule = DEFAULT_RETRIES.rule(failure)
    if rule is None:
        return "never"
    waits = ", ".join(
        f"{rule.wait(tries, failure, 0.0):g}" for tries in range(1, len(rule.waits) + 1)
    )
    return f"{waits} s"


# -- declines -------------------------------------------------------------------------------------

_DECLINE_HEADERS = ("reason", "source", "advice", "message")


def _row(word: str, decline: Decline) -> tuple[str, ...]:
    shown = DeclineReason.GENERIC if decline.reason in DISCREET else decline.reason
    return (
        code(word),
        code(decline.reason),
        code(decline.source),
        code(decline.advice),
        code(shown),
    )


def declines_table() -> str:
    """Every decline code."""
    rows = [
        _row(word, decline_from({"code": "card_declined", "decline_code": word}))
        for word in REASONS
    ]
    other = decline_from({"code": "card_declined", "decline_code": "came_up_in_2031"})
    return table(("`decline_code`", *_DECLINE_HEADERS), [*rows, _row("anything else", other)])


def codes_table() -> str:
    """Every error code that declines without a decline code."""
    rows = [_row(word, decline_from({"code": word})) for word in ERROR_CODES]
    return table(
        ("`code`", *_DECLINE_HEADERS), [*rows, _row("anything else", decline_from({"code": "x"}))]
    )


def advice_table() -> str:
    """What Stripe advises, over what a reason usually advises."""
    rows = [
        (
            code(word),
            code(decline_from({"decline_code": "generic_decline", "advice_code": word}).advice),
        )
        for word in ADVICE
    ]
    return table(("`advice_code`", "advice"), rows)


def messages_table() -> str:
    """What the customer reads."""
    rows = [(code(reason), MESSAGES[reason]) for reason in DeclineReason if reason not in DISCREET]
    return table(("message", "in English"), rows)


TABLES: dict[str, Callable[[], Any]] = {
    "failures": failures_table,
    "declines": declines_table,
    "decline-error-codes": codes_table,
    "decline-advice": advice_table,
    "decline-messages": messages_table,
}
