"""
The bank's webhooks as an application gets them: verified, their envelopes read, then their facts.

Verified means signed, within five minutes of now on either side, by a secret that we hold; compared
in constant time, and nothing of the body is read before. Whatever is wrong, whatever was sent, is a
`WebhookRejected`; only what the bank signed and payport has no meaning for is a delivery without
facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, cast

from payport.domain.errors import WebhookRejected
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.secrets import Sealed
from payport.providers.deliveries import (
    Delivery,
    Statement,
    Subject,
    WebhookRequest,
    fingerprint,
    hint,
)
from payport.providers.webhook_secrets import WebhookSecret, matched_secret
from payport.testing.bank.records import Happening
from payport.testing.fake.facts import facts_from, moment_from, payout_from
from payport.testing.fake.outbox import (
    API_VERSION,
    MOST_SIGNATURES,
    SIGNATURE_HEADER,
    signature,
)

__all__ = [
    "TOLERANCE",
    "deliveries_from",
    "envelope_in",
    "hint_from",
    "signed_by",
    "statements_from",
    "verified",
]

#: Seconds that a signature may be old, or ahead of us.
TOLERANCE: Final = 300

_TIMESTAMP = re.compile("[0-9]{1,12}")
_REF = re.compile("[A-Za-z0-9_]{1,64}")
_ENVIRONMENTS: Final[Mapping[object, Environment]] = {
    True: Environment.LIVE,
    False: Environment.TEST,
    "true": Environment.LIVE,
    "false": Environment.TEST,
}
#: Statements about payouts, and those about payments that payport has a meaning for.
_PAYOUTS: Final = frozenset(what for what in Happening if what.value.startswith("payout."))
_MEANT: Final = frozenset(Happening) - _PAYOUTS

_SECOND = 1_000_000


def verified(
    request: WebhookRequest, secrets: Sequence[WebhookSecret], now: datetime
) -> dict[str, Any]:
    """
    The envelope of a webhook that the bank signed.

    Raises:
        WebhookRejected: It did not, or not now, or what it signed is no envelope.
    """
    signed_by(request, secrets, now)
    return envelope_in(request.body)


def signed_by(request: WebhookRequest, secrets: Sequence[WebhookSecret], now: datetime) -> int:
    """
    Which of the secrets the bank signed with.

    Raises:
        WebhookRejected: With none of them, or not now.
    """
    timestamp, given = _signatures(request.header(SIGNATURE_HEADER))

    def ours(secret: str) -> bytes:
        return signature(secret, timestamp, request.body).encode()

    secret = matched_secret(secrets, given, ours, now)
    if secret is None:
        _reject("no signature matches. Is it this endpoint's secret?")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        _reject(f"the signature is more than {TOLERANCE} s away from now. Is the clock right?")
    return secret


def envelope_in(body: bytes) -> dict[str, Any]:
    """
    The envelope that a body is.

    Raises:
        WebhookRejected: It is none.
    """
    try:
        envelope = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WebhookRejected("the body is not JSON", operation="webhooks.receive") from error
    if not isinstance(envelope, dict):
        _reject("the body is no envelope")
    return cast("dict[str, Any]", envelope)


def _signatures(header: str | None) -> tuple[str, list[bytes]]:
    if header is None:
        _reject(f"there is no {SIGNATURE_HEADER} header")
    parts = [part.partition("=") for part in header.split(",", MOST_SIGNATURES + 1)]
    times = [value for name, _, value in parts if name == "t"]
    given = [value.encode(errors="replace") for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or len(given) > MOST_SIGNATURES:
        _reject(f"the {SIGNATURE_HEADER} header is malformed")
    return times[0], given


def deliveries_from(envelope: Mapping[str, Any], secret: int | None = None) -> tuple[Delivery, ...]:
    """
    The deliveries of an envelope: one, or those of a batch.

    Raises:
        WebhookRejected: Something is missing, or is not what it should be.
    """
    try:
        environment = _ENVIRONMENTS[envelope["live" if "items" in envelope else "livemode"]]
        return tuple([_delivery(one, envelope, environment, secret) for one in _items(envelope)])
    except WebhookRejected:
        raise
    except Exception as error:  # whatever is wrong with a body that anybody may have written
        message = "the envelope is malformed"
        raise WebhookRejected(message, operation="webhooks.receive") from error


def hint_from(envelope: Mapping[str, Any], now: datetime) -> Delivery:
    """
    What a webhook of a bank that signs nothing says: which object to look at.

    Raises:
        WebhookRejected: It names none, or says more.
    """
    ref = envelope.get("id")
    if len(envelope) != 1 or not isinstance(ref, str) or not _REF.fullmatch(ref):
        _reject("a hint holds an id and nothing else")
    return hint(ref, now)


def statements_from(envelope: Mapping[str, Any]) -> tuple[Statement, ...]:
    """What the deliveries of an envelope say. Raises anything for what cannot be read."""
    version = envelope["api_version"]
    return tuple([_statement(one, version) for one in _items(envelope)])


def _items(envelope: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(envelope["items"]) if "items" in envelope else [envelope]


def _delivery(
    statement: Mapping[str, Any],
    envelope: Mapping[str, Any],
    environment: Environment,
    secret: int | None,
) -> Delivery:
    kind, document = _text(statement["type"]), statement["data"]
    ref = _text_or_none(document.get("ref"))
    says = fingerprint(kind, document)
    return Delivery(
        # A statement without an id is the same one if it says the same of the same thing.
        dedupe_key=_text(statement["id"]) if "id" in statement else says,
        ordering_key=kind if ref is None else ref,
        type=kind,
        fingerprint=says,
        occurred_at=moment_from(_seconds(statement["created"]) * _SECOND),
        attempt_ref=ref if kind in _MEANT else None,
        tag=_text_or_none(_tag(document)),
        api_version=_text(envelope["api_version"]),
        environment=environment,
        account=_text(envelope["account"]),
        secret=secret,
    )


def _statement(statement: Mapping[str, Any], version: str) -> Statement:
    kind, document = statement["type"], statement["data"]
    if kind in _PAYOUTS:
        return _payout(document, version)
    facts = _facts(kind, document, version)
    return Statement(
        facts=facts,
        needs_fetch=facts is not None and version != API_VERSION,
        raw=Sealed(document),
    )


def _payout(document: Mapping[str, Any], version: str) -> Statement:
    trusted = version == API_VERSION
    return Statement(
        payout=payout_from(document) if trusted else None,
        subject=Subject(kind="payout", ref=document["ref"]),
        needs_fetch=not trusted,
        raw=Sealed(document),
    )


def _facts(kind: str, document: Mapping[str, Any], version: str) -> Facts | None:
    if kind not in _MEANT:
        return None
    if version != API_VERSION:
        # Another version may mean something else by the same words: it only tells what to look at.
        return Facts(attempt_ref=document["ref"], tag=document["tag"], api_version=version)
    return facts_from(document, api_version=version)


def _tag(document: Mapping[str, Any]) -> object:
    """Our key on the effect that the document is about, or on the payment."""
    for effects in ("captures", "refunds"):
        for effect in document.get(effects, ()):
            tag: object = effect["tag"]
            return tag
    return document.get("tag")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        _reject("a text is missing from the envelope")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _seconds(value: object) -> int:
    # A text times a million would be gigabytes of it.
    if not isinstance(value, int) or isinstance(value, bool):
        _reject("the envelope does not say when it happened")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _reject(why: str) -> NoReturn:
    raise WebhookRejected(why, operation="webhooks.receive")
