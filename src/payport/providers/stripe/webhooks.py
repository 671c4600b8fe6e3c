"""
Stripe's webhooks: verified, then read into a delivery.

Verified means signed, within five minutes of now on either side, by a secret that we hold; compared
in constant time, and nothing of the body is read before. Whatever is wrong with the envelope,
whatever was sent, is a `WebhookRejected`. An object within a genuine envelope that cannot be read,
or is of another API version, says nothing about money: it is fetched.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeAlias, cast

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.secrets import Sealed, Secret
from payport.providers.deliveries import Delivery, WebhookRequest
from payport.providers.stripe.facts import (
    Moment,
    charge_facts,
    dispute_facts,
    payment_facts,
    refund_facts,
)
from payport.providers.stripe.objects import (
    UNREADABLE,
    Document,
    attempt_ref_in,
    id_in,
    moment_from,
    tag_in,
)
from payport.providers.stripe.spec import API_VERSION

__all__ = [
    "FETCHED",
    "MOST_SIGNATURES",
    "SIGNATURE_HEADER",
    "TOLERANCE",
    "TRANSLATED",
    "deliveries",
]

#: https://docs.stripe.com/webhooks#verify-manually
SIGNATURE_HEADER: Final = "Stripe-Signature"
#: Seconds that a signature may be old, or ahead of us.
TOLERANCE: Final = 300
#: Stripe signs with every active secret of an endpoint, of which there are two at most.
MOST_SIGNATURES: Final = 16

_RECEIVE: Final = "webhooks.receive"
_TIMESTAMP: Final = re.compile("[0-9]{1,12}")
_EVENT_ID: Final = re.compile("evt_[A-Za-z0-9_]{1,255}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
_ACCOUNT: Final = re.compile("acct_[A-Za-z0-9]{1,255}")

_Translation: TypeAlias = Callable[[Document, Moment], Facts]

#: What says something about money: by the kind of object, the beginning of an event's type, and
#: how it is read. https://docs.stripe.com/api/events/types
TRANSLATED: Final[Mapping[str, tuple[str, _Translation]]] = MappingProxyType(
    {
        "payment_intent": ("payment_intent.", payment_facts),
        "charge": ("charge.", charge_facts),
        # charge.refund.updated and refund.*
        "refund": ("", refund_facts),
        "dispute": ("charge.dispute.", dispute_facts),
    }
)
#: Events that say that something happened and not what: a refunded charge has lost its list of
#: refunds, and an endpoint may not be told of them otherwise.
FETCHED: Final = frozenset({"charge.refunded"})


def deliveries(
    request: WebhookRequest, secrets: Sequence[Secret], now: datetime
) -> tuple[Delivery, ...]:
    """
    The delivery of a webhook that Stripe signed.

    Raises:
        ConfigurationError: There is no secret to verify it with.
        WebhookRejected: It is not signed, or not now, or what was signed is no event.
    """
    if not secrets:
        raise ConfigurationError(
            "without a signing secret no webhook can be believed. Pass the endpoint's secrets, "
            "webhook_secrets=['whsec_...'].",
            operation=_RECEIVE,
            field="webhook_secrets",
        )
    try:
        return (_read(request, secrets, now),)
    except WebhookRejected as rejected:
        # Neither the frames nor what was raised first: both hold the body, and a client's secret.
        rejected.__context__ = None
        raise rejected.with_traceback(None) from None


def _read(request: WebhookRequest, secrets: Sequence[Secret], now: datetime) -> Delivery:
    _verify(request, secrets, now)
    envelope = _envelope(request)
    return _reader(envelope)(envelope)


def _verify(request: WebhookRequest, secrets: Sequence[Secret], now: datetime) -> None:
    timestamp, given = _signatures(request.header(SIGNATURE_HEADER))
    signed = timestamp.encode() + b"." + request.body
    # Every secret is tried with every signature, so that time tells nothing about either.
    matches = [
        hmac.compare_digest(_signature(secret, signed), one) for secret in secrets for one in given
    ]
    if not any(matches):
        _reject("no signature matches. Is it this endpoint's secret?")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        _reject(f"the signature is more than {TOLERANCE} s away from now. Is the clock right?")


def _signature(secret: Secret, signed: bytes) -> bytes:
    return hmac.digest(secret.reveal().encode(), signed, "sha256").hex().encode()


def _signatures(header: str | None) -> tuple[str, list[bytes]]:
    if header is None:
        _reject(f"there is no {SIGNATURE_HEADER} header")
    parts = [part.partition("=") for part in header.split(",", MOST_SIGNATURES + 1)]
    times = [value for name, _, value in parts if name == "t"]
    given = [value.encode(errors="replace") for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or len(given) > MOST_SIGNATURES:
        _reject(f"the {SIGNATURE_HEADER} header is malformed")
    return times[0], given


def _envelope(request: WebhookRequest) -> dict[str, Any]:
    try:
        envelope = json.loads(request.body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _reject("the body is not JSON")
    if not isinstance(envelope, dict):
        _reject("the body is no envelope")
    return cast("dict[str, Any]", envelope)


def _reader(envelope: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Delivery]:
    read = _ENVELOPES.get(_matching(envelope, "object", _WORD))
    if read is None:
        _reject("the body is no event")
    return read


def _snapshot(envelope: Mapping[str, Any]) -> Delivery:
    """An event with its object as it was."""
    data = envelope.get("data")
    told = cast("Document", data).get("object") if isinstance(data, dict) else None
    if not isinstance(told, dict):
        _reject("the event holds no object")
    document = cast("Document", told)
    kind = _matching(envelope, "type", _WORD)
    version = envelope.get("api_version")
    if version is not None:
        version = _matching(envelope, "api_version", _WORD)
    occurred_at = _moment(envelope.get("created"))
    facts, trusted = _facts(kind, document, occurred_at, version)
    ref, tag = _whose(document)
    return Delivery(
        dedupe_key=_matching(envelope, "id", _EVENT_ID),
        ordering_key=ref or id_in(document) or kind,
        type=kind,
        occurred_at=occurred_at,
        attempt_ref=ref,
        tag=tag,
        facts=facts,
        needs_fetch=ref is not None and (not trusted or kind in FETCHED),
        api_version=version,
        environment=_environment(envelope),
        account=_account(envelope),
        raw=Sealed(document),
    )


def _facts(
    kind: str, document: Document, at: datetime, version: str | None
) -> tuple[Facts | None, bool]:
    """What an event says, and whether it may be believed without being fetched."""
    about = document.get("object")
    prefix, translate = TRANSLATED.get(about, _NOTHING) if isinstance(about, str) else _NOTHING
    if translate is None or not kind.startswith(prefix):
        return None, True
    ref, tag = _whose(document)
    if ref is None:
        # Of a charge without a payment, which payport never makes.
        return None, True
    if version != API_VERSION:
        # Another version may mean something else by the same words: it only tells what to look at.
        return Facts(attempt_ref=ref, tag=tag, api_version=version), False
    try:
        return translate(document, Moment(at=at)), True
    except UNREADABLE:
        return None, False


_NOTHING: Final[tuple[str, _Translation | None]] = ("", None)


def _whose(document: Document) -> tuple[str | None, str | None]:
    """The payment that an object belongs to or is, and our key on it."""
    try:
        ref = attempt_ref_in(document)
        if document.get("object") == "payment_intent":
            ref = id_in(document)
        return ref, tag_in(document)
    except UNREADABLE:
        return None, None


def _thin(envelope: Mapping[str, Any]) -> Delivery:
    """
    A thin event, which names its object and does not hold it.

    https://docs.stripe.com/event-destinations#thin-events
    """
    related = envelope.get("related_object")
    told: Document = cast("Document", related) if isinstance(related, dict) else {}
    kind = _matching(envelope, "type", _WORD)
    ref = id_in(told) if told.get("type") == "payment_intent" else None
    return Delivery(
        dedupe_key=_matching(envelope, "id", _EVENT_ID),
        ordering_key=id_in(told) or kind,
        type=kind,
        occurred_at=_iso(envelope.get("created")),
        attempt_ref=ref,
        needs_fetch=ref is not None,
        environment=_environment(envelope),
        account=_context(envelope),
        raw=Sealed(told),
    )


_ENVELOPES: Final[Mapping[str, Callable[[Mapping[str, Any]], Delivery]]] = {
    "event": _snapshot,
    "v2.core.event": _thin,
}


def _environment(envelope: Mapping[str, Any]) -> Environment:
    live = envelope.get("livemode")
    if not isinstance(live, bool):
        _reject("the event does not say whether it is a live one")
    return Environment.LIVE if live else Environment.TEST


def _account(envelope: Mapping[str, Any]) -> str | None:
    """The connected account that an event is of; none for the endpoint's own."""
    return None if envelope.get("account") is None else _matching(envelope, "account", _ACCOUNT)


def _context(envelope: Mapping[str, Any]) -> str | None:
    """The same of a thin event, which names the organization before the account."""
    context = envelope.get("context")
    last = context.rpartition("/")[2] if isinstance(context, str) else ""
    return last if _ACCOUNT.fullmatch(last) else None


def _matching(envelope: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = envelope.get(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        _reject(f"the event's {name} is missing or malformed")
    return value


def _moment(seconds: object) -> datetime:
    try:
        return moment_from(seconds)
    except (ValueError, OverflowError):
        _reject("the event does not say when it happened")


def _iso(told: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        _reject("the event does not say when it happened")
    if moment.tzinfo is None:
        _reject("the event does not say in which time zone it happened")
    return moment


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _reject(why: str) -> NoReturn:
    raise WebhookRejected(why, operation=_RECEIVE)
