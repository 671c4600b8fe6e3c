"""
The bank's webhooks as an application gets them: verified, then read into deliveries.

Verified means signed, within five minutes of now on either side, by a secret that we hold; compared
in constant time, and nothing of the body is read before. Whatever is wrong, whatever was sent, is a
`WebhookRejected`; only what the bank signed and payport has no meaning for is a delivery without
facts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, cast

from payport.domain.errors import WebhookRejected
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.secrets import Sealed, Secret
from payport.providers.deliveries import Delivery, WebhookRequest
from payport.testing.bank.records import Happening
from payport.testing.fake.facts import facts_from, moment_from
from payport.testing.fake.outbox import (
    API_VERSION,
    MOST_SIGNATURES,
    SIGNATURE_HEADER,
    signature,
)

__all__ = ["TOLERANCE", "deliveries_from", "verified"]

#: Seconds that a signature may be old, or ahead of us.
TOLERANCE: Final = 300

_TIMESTAMP = re.compile("[0-9]{1,12}")
_ENVIRONMENTS: Final[Mapping[object, Environment]] = {
    True: Environment.LIVE,
    False: Environment.TEST,
    "true": Environment.LIVE,
    "false": Environment.TEST,
}
#: Statements that payport has a meaning for. A payout has none yet.
_MEANT: Final = frozenset(Happening) - {Happening.PAYOUT_PAID}

_SECOND = 1_000_000


def verified(request: WebhookRequest, secrets: Sequence[Secret], now: datetime) -> dict[str, Any]:
    """
    The envelope of a webhook that the bank signed.

    Raises:
        WebhookRejected: It did not, or not now, or what it signed is no envelope.
    """
    timestamp, given = _signatures(request.header(SIGNATURE_HEADER))
    # Every secret is tried with every signature, so that time tells nothing about either.
    matches = [
        hmac.compare_digest(signature(secret.reveal(), timestamp, request.body).encode(), one)
        for secret in secrets
        for one in given
    ]
    if not any(matches):
        _reject("no signature matches. Is it this endpoint's secret?")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        _reject(f"the signature is more than {TOLERANCE} s away from now. Is the clock right?")
    try:
        envelope = json.loads(request.body, parse_constant=_no_constant)
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


def deliveries_from(envelope: Mapping[str, Any]) -> tuple[Delivery, ...]:
    """
    The deliveries of an envelope: one, or those of a batch.

    Raises:
        WebhookRejected: Something is missing, or is not what it should be.
    """
    try:
        if "items" in envelope:
            live, statements = envelope["live"], list(envelope["items"])
        else:
            live, statements = envelope["livemode"], [envelope]
        environment = _ENVIRONMENTS[live]
        return tuple([_delivery(one, envelope, environment) for one in statements])
    except WebhookRejected:
        raise
    except Exception as error:  # whatever is wrong with a body that anybody may have written
        message = "the envelope is malformed"
        raise WebhookRejected(message, operation="webhooks.receive") from error


def _delivery(
    statement: Mapping[str, Any], envelope: Mapping[str, Any], environment: Environment
) -> Delivery:
    kind, document = _text(statement["type"]), statement["data"]
    version = _text(envelope["api_version"])
    ref = document.get("ref")
    facts = _facts(kind, document, version)
    return Delivery(
        dedupe_key=_text(statement["id"]) if "id" in statement else _derived_key(kind, document),
        ordering_key=_text(ref) if ref is not None else kind,
        type=kind,
        occurred_at=moment_from(statement["created"] * _SECOND),
        attempt_ref=ref if kind in _MEANT else None,
        tag=_tag(document),
        facts=facts,
        needs_fetch=facts is not None and version != API_VERSION,
        api_version=version,
        environment=environment,
        account=_text(envelope["account"]),
        raw=Sealed(document),
    )


def _facts(kind: str, document: Mapping[str, Any], version: str) -> Facts | None:
    if kind not in _MEANT:
        return None
    if version != API_VERSION:
        # Another version may mean something else by the same words: it only tells what to look at.
        return Facts(attempt_ref=document["ref"], tag=document["tag"], api_version=version)
    return facts_from(document, api_version=version)


def _tag(document: Mapping[str, Any]) -> str | None:
    """Our key on the effect that the document is about, or on the payment."""
    for effects in ("captures", "refunds"):
        for effect in document.get(effects, ()):
            tag: str | None = effect["tag"]
            return tag
    return document.get("tag")


def _derived_key(kind: str, document: Mapping[str, Any]) -> str:
    """A statement without an id is the same one if it says the same of the same thing."""
    canonical = json.dumps([kind, document], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        _reject("a text is missing from the envelope")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _reject(why: str) -> NoReturn:
    raise WebhookRejected(why, operation="webhooks.receive")
