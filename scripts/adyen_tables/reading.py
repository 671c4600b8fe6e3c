"""What answers and webhooks mean: from the adapter's tables, and by asking it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from stripe_tables.markdown import code, listed, table

from adyen_tables.shop import Shop, provider
from payport.domain.declines import DISCREET, Decline, DeclineReason
from payport.domain.facts import Facts
from payport.providers.adyen.declines import ADVICE, REFUSALS, decline_from
from payport.providers.adyen.errors import BY_CODE, BY_STATUS, TRANSIENT_HEADER
from payport.providers.adyen.events import DISPUTE_STATUSES, DISPUTES, EVENTS
from payport.providers.adyen.facts import RESULTS
from payport.providers.adyen.requests import REASONS
from payport.providers.exchange import Call
from payport.providers.outcomes import Failure
from payport.providers.retries import DEFAULT_RETRIES

__all__ = ["TABLES", "UNMAPPED"]

#: Documented events that say nothing about money that payport has a word for.
#: https://docs.adyen.com/development-resources/webhooks/webhook-types
UNMAPPED = (
    *("ACH_NOTIFICATION_OF_CHANGE", "AUTHENTICATION", "AUTORESCUE", "CANCEL_AUTORESCUE"),
    *("DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION", "HANDLED_EXTERNALLY", "ISSUER_COMMENTS"),
    *("MANUAL_REVIEW_ACCEPT", "MANUAL_REVIEW_REJECT", "NOTIFICATION_OF_FRAUD"),
    *("ORDER_CLOSED", "ORDER_OPENED", "PAIDOUT_REVERSED", "PAYOUT_DECLINE", "PAYOUT_EXPIRE"),
    *("PAYOUT_THIRDPARTY", "RECURRING_CONTRACT", "REPORT_AVAILABLE", "VOID_PENDING_REFUND"),
)


def results_table() -> str:
    """Every result of a payment."""
    rows = [(code(word), code(status)) for word, status in RESULTS.items()]
    rows.append(("anything else", code("unknown")))
    return table(("`resultCode`", "attempt"), rows)


def declines_table() -> str:
    """Every refusal."""
    rows = [
        (code(number), words, *_meaning(decline_from({"refusalReasonCode": number})))
        for number, (words, _) in REFUSALS.items()
    ]
    rows.append(("anything else", "", *_meaning(decline_from({"refusalReasonCode": "999"}))))
    headers = ("`refusalReasonCode`", "`refusalReason`, and a webhook's `reason`")
    return table((*headers, "reason", "source", "advice", "message"), rows)


def _meaning(decline: Decline) -> tuple[str, ...]:
    shown = DeclineReason.GENERIC if decline.reason in DISCREET else decline.reason
    return code(decline.reason), code(decline.source), code(decline.advice), code(shown)


def advice_table() -> str:
    """What networks advise, over what a reason usually advises."""
    rows = [(code(word), code(advice)) for word, advice in ADVICE.items()]
    return table(("`merchantAdviceCode`", "advice"), rows)


def reasons_table() -> str:
    """What a refund's reason is called."""
    rows = [(code(reason), code(word)) for reason, word in REASONS.items()]
    return table(("reason", "`merchantRefundReason`"), rows)


# -- failures -------------------------------------------------------------------------------------


def _error(what: str, status: int, word: str, **headers: str) -> tuple[str, httpx.Response]:
    body = {"status": status, "errorCode": word, "message": "No.", "errorType": "validation"}
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return what, httpx.Response(status, json=body, headers=shown)


def _answers() -> list[tuple[str, httpx.Response]]:
    transient = {TRANSIENT_HEADER.replace("-", "_"): "true"}
    return [
        *[_error(f"status {status}, {code(word)}", status, word) for status, word in BY_CODE],
        *[
            _error(
                f"status {status}, {code('704')}, `{TRANSIENT_HEADER}: true`",
                status,
                "704",
                **transient,
            )
            for status in (409, 422)
        ],
        *[_error(f"status {status}", status, "000") for status in BY_STATUS],
        _error(f"status 422, `{TRANSIENT_HEADER}: true`", 422, "14_030", **transient),
        _error("status 429, `Retry-After: 7`", 429, "000", retry_after="7"),
        _error("status 500", 500, "905"),
        _error("status 503, another code", 503, "000"),
        ("a page that is not JSON, status 400", httpx.Response(400, content=b"<html>")),
        ("a page that is not JSON, status 200", httpx.Response(200, content=b"<html>")),
    ]


def failures_table() -> str:
    """By what comes back: its kind, what it proves, and when it is tried again."""
    rows = []
    shop = Shop()
    for what, response in _answers():
        carried = httpx.MockTransport(lambda _, response=response: response)
        asked = provider(http_client=httpx.Client(transport=carried))
        failure = asked.create_payment(shop.creating(), Call(key=shop.key()))
        if not isinstance(failure, Failure):
            raise TypeError(what)
        rows.append((what, code(failure.kind.name), code(failure.certainty), _retried(failure)))
    return table(("what comes back", "kind", "proves", "tried again after"), rows)


def _retried(failure: Failure) -> str:
    rule = DEFAULT_RETRIES.rule(failure)
    if rule is None:
        return "never"
    waits = [f"{rule.wait(tries, failure, 0.0):g}" for tries in range(1, len(rule.waits) + 1)]
    return f"{', '.join(waits)} s"


# -- webhooks -------------------------------------------------------------------------------------


def _said(event: str, *, success: bool) -> str:
    """What an event says of a payment of ours."""
    more = {"modification.action": "cancel"} if event == "CANCEL_OR_REFUND" else {}
    item = {
        "amount": {"currency": "EUR", "value": 1_000},
        "eventCode": event,
        "eventDate": "2026-03-01T13:00:00+01:00",
        "merchantAccountCode": "SimulatedECOM",
        "merchantReference": "pp1_0.m1",
        "originalReference": "PAYMENT000000001",
        "pspReference": "EVENT00000000001",
        "success": "true" if success else "false",
        "reason": "Refused",
        "additionalData": more,
    }
    if event == "AUTHORISATION":
        del item["originalReference"]
    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
    (statement,) = provider().read_webhook(json.dumps(body).encode())
    return _in_words(statement.facts)


def _in_words(facts: Facts | None) -> str:
    if facts is None:
        return "kept, `UnmappedEvent`"
    names = {"attempts": "attempt", "captures": "capture", "refunds": "refund"}
    names["disputes"] = "dispute"
    told: list[str] = []
    for field, name in names.items():
        told += [f"{name} `{fact.status}`" for fact in getattr(facts, field)]
    return ", ".join(told)


def events_table() -> str:
    """Every documented event code."""
    rows = [
        (code(event), _said(event, success=True), _said(event, success=False))
        for event in sorted([*EVENTS, *UNMAPPED])
    ]
    return table(("`eventCode`", "`success` is true", "`success` is false"), rows)


def dispute_statuses_table() -> str:
    """`disputeStatus`, where it decides."""
    rows = [(code(word), code(status)) for word, status in DISPUTE_STATUSES.items()]
    return table(("`disputeStatus`", "dispute"), rows)


def stages_table() -> str:
    """The stages of disputes, which order those of one second."""
    return table(("stages, in order",), [(listed(DISPUTES),)])


TABLES: dict[str, Callable[[], Any]] = {
    "results": results_table,
    "declines": declines_table,
    "advice": advice_table,
    "refund-reasons": reasons_table,
    "failures": failures_table,
    "events": events_table,
    "dispute-statuses": dispute_statuses_table,
    "dispute-stages": stages_table,
}
