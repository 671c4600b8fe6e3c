"""
Adyen's webhooks: verified item by item and their envelopes read; later, what a stored one says.

A request is a batch, and every item in it is signed by itself: eight fields of it, in the order
that Adyen gives. One item that is not signed by a key that we hold, or is malformed, rejects the
whole request: leaving it out would acknowledge it, and Adyen would never send it again. What is not
among the eight fields, such as the date, is believed because the connection is; money and ids are
among them. A webhook does not say when it was signed, so an old one can come again, and with
another date: it is the same statement then, and changes nothing.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, cast

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.identifiers import Environment
from payport.domain.secrets import Sealed
from payport.providers.adyen.disputes import DISPUTES
from payport.providers.adyen.events import BY_NAME, facts_of
from payport.providers.adyen.items import Item
from payport.providers.adyen.objects import UNREADABLE, Document, moment_from, psp_in, word
from payport.providers.adyen.references import Reference
from payport.providers.adyen.spec import API_VERSION
from payport.providers.deliveries import Delivery, Statement, WebhookRequest, fingerprint
from payport.providers.webhook_secrets import WebhookSecret, matched_secret

__all__ = ["deliveries", "signature", "statements", "told_in"]

_RECEIVE: Final = "webhooks.receive"
_LONGEST: Final = 255
_SIGNATURE: Final = "hmacSignature"
_ENVIRONMENTS: Final = {"true": Environment.LIVE, "false": Environment.TEST}
_SUCCESS: Final = {"true": True, "false": False}


def deliveries(
    request: WebhookRequest,
    secrets: Sequence[WebhookSecret],
    accounts: Mapping[str, str],
    now: datetime,
) -> tuple[Delivery, ...]:
    """
    The envelopes of a batch that Adyen signed.

    Args:
        accounts: The id of our account by the merchant account's name.

    Raises:
        ConfigurationError: There is no key to verify it with.
        WebhookRejected: An item is not signed, or the body is no batch.
    """
    if not secrets:
        raise ConfigurationError(
            "without an HMAC key no webhook can be believed. Pass the webhook's keys, "
            "webhook_secrets=['<64 hexadecimal digits>'].",
            operation=_RECEIVE,
            field="webhook_secrets",
        )
    try:
        told = _told(request.body)
        if _is_notice(told):
            return (_notice(told, accounts, _noticed(request, secrets, now)),)
        live, items = _batch(told)
        environment = _ENVIRONMENTS.get(live)
        if environment is None:
            _reject("the batch does not say whether it is a live one")
        # All of them first: nothing else is read of a batch of which one is not signed.
        fits = [_verified(document, secrets, now) for document in items]
        return tuple(
            [
                _delivery(_item(document), environment, accounts, secret)
                for document, secret in zip(items, fits, strict=True)
            ]
        )
    except WebhookRejected as rejected:
        rejected.__context__ = None
        raise rejected.with_traceback(None) from None


def statements(body: bytes) -> tuple[Statement, ...]:
    """What the items of a batch say that was verified when it came."""
    told = _told(body)
    if _is_notice(told):
        return (Statement(raw=Sealed(told)),)
    return tuple([_statement(_item(document)) for document in _batch(told)[1]])


def told_in(body: bytes) -> Sequence[Document]:
    """The items of a batch, or the notice. Raises WebhookRejected: It is neither."""
    told = _told(body)
    return [told] if _is_notice(told) else _batch(told)[1]


def signature(key: str, document: Document) -> bytes:
    """
    What a key makes of an item.

    https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures
    """
    amount: object = document.get("amount")
    money: Document = cast("Document", amount) if isinstance(amount, Mapping) else {}
    fields = [
        *(document.get(name) for name in ("pspReference", "originalReference")),
        *(document.get(name) for name in ("merchantAccountCode", "merchantReference")),
        *(money.get(name) for name in ("value", "currency")),
        *(document.get(name) for name in ("eventCode", "success")),
    ]
    signed = ":".join(["" if field is None else str(field) for field in fields])
    # Half a character is in no genuine webhook, and fits no signature.
    text = signed.encode(errors="replace")
    return base64.b64encode(hmac.digest(bytes.fromhex(key), text, "sha256"))


def _verified(document: Document, secrets: Sequence[WebhookSecret], now: datetime) -> int:
    """Which of the keys signed an item."""
    more = document.get("additionalData")
    given = cast("Document", more).get(_SIGNATURE) if isinstance(more, Mapping) else None
    if not isinstance(given, str):
        _reject("an item has no signature. Turn HMAC on for this webhook in the Customer Area.")
    macs = [given.encode(errors="replace")]
    fits = matched_secret(secrets, macs, lambda key: signature(key, document), now)
    if fits is None:
        _reject("a signature does not match. Is it this webhook's HMAC key?")
    return fits


def _told(body: bytes) -> Document:
    try:
        told = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _reject("the body is not JSON")
    return cast("Document", told) if isinstance(told, dict) else {}


def _batch(batch: Document) -> tuple[str, list[Document]]:
    live, wrapped = batch.get("live"), batch.get("notificationItems")
    if not isinstance(live, str) or not isinstance(wrapped, list) or not wrapped:
        _reject("the body is no batch of items")
    items = [_unwrapped(one) for one in cast("list[object]", wrapped)]
    return live, items


def _unwrapped(wrapped: object) -> Document:
    inner = (
        cast("Document", wrapped).get("NotificationRequestItem")
        if isinstance(wrapped, Mapping)
        else None
    )
    if not isinstance(inner, Mapping):
        _reject("the batch holds something else than an item")
    return cast("Document", inner)


def _item(document: Document) -> Item:
    success = _SUCCESS.get(str(document.get("success")))
    psp, account = psp_in(document), _text(document, "merchantAccountCode")
    if psp is None or success is None:
        _reject("an item does not say what it is about, or whether it succeeded")
    try:
        at = moment_from(document.get("eventDate"))
    except UNREADABLE:
        _reject("an item does not say when it happened")
    code = _text(document, "eventCode")
    return Item(
        code=code,
        is_named=code in BY_NAME,
        success=success,
        psp=psp,
        original=psp_in(document, "originalReference"),
        reference=Reference.read(document.get("merchantReference")),
        account=account,
        at=at,
        document=document,
    )


#: What of an item tells its amount and state beside what the dedupe key holds.
_SAYS: Final = ("amount", "originalReference", "merchantReference", "merchantAccountCode")


def _delivery(
    item: Item, environment: Environment, accounts: Mapping[str, str], secret: int
) -> Delivery:
    document = item.document
    said = [document.get(name) for name in _SAYS]
    # No id: this is what Adyen says tells events apart, and all of it is signed. A dispute may be
    # won twice, so its date, which nobody signs, tells those apart.
    key = f"{item.code}:{item.psp}:{item.success}".lower()
    if item.code in DISPUTES:
        key = f"{key}:{item.at.isoformat()}".lower()
    try:
        says = fingerprint(key, said)
    except (ValueError, RecursionError):
        _reject("an item holds what no item of Adyen's does")
    return Delivery(
        dedupe_key=key,
        ordering_key=item.payment,
        type=item.code if item.success else f"{item.code}:failed",
        fingerprint=says,
        occurred_at=item.at,
        attempt_ref=item.payment,
        tag=item.own_tag or item.payment_tag,
        api_version=API_VERSION,
        environment=environment,
        account=accounts.get(item.account, item.account),
        secret=secret,
    )


def _statement(item: Item) -> Statement:
    raw = Sealed(item.document)
    try:
        return Statement(facts=facts_of(item), raw=raw)
    except UNREADABLE as error:
        # The batch's other items have nothing to do with it.
        return Statement(unreadable=f"{item.code} cannot be read: {type(error).__name__}", raw=raw)


# -- notices --------------------------------------------------------------------------------------
# Of changed bank accounts, stored methods and the like: one by one, in another shape, signed as a
# whole. They say nothing about money, and are kept.


def _is_notice(told: Document) -> bool:
    return "notificationItems" not in told and isinstance(told.get("data"), Mapping)


def _noticed(request: WebhookRequest, secrets: Sequence[WebhookSecret], now: datetime) -> int:
    """Which of the keys signed a notice."""
    given = request.header(_SIGNATURE) or ""

    def whole(key: str) -> bytes:
        return base64.b64encode(hmac.digest(bytes.fromhex(key), request.body, "sha256"))

    fits = matched_secret(secrets, [given.encode(errors="replace")], whole, now)
    if fits is None:
        _reject("a signature does not match. Is it this webhook's HMAC key?")
    return fits


def _notice(told: Document, accounts: Mapping[str, str], secret: int) -> Delivery:
    data: Document = told["data"]
    kind, psp = _text(told, "type"), psp_in(data) or psp_in(told, "eventId")
    environment = _NOTICED.get(str(told.get("environment")))
    if psp is None or environment is None:
        _reject("a notice does not say what it is about, or of which environment it is")
    try:
        at = moment_from(told.get("createdAt"))
        says = fingerprint(kind, data)
    except UNREADABLE:
        _reject("a notice does not say when it was made, or holds what none of Adyen's does")
    account = word(data.get("merchantAccount"))
    return Delivery(
        dedupe_key=f"{kind}:{psp}:{at.isoformat()}".lower(),
        ordering_key=psp,
        type=kind,
        fingerprint=says,
        occurred_at=at,
        api_version=API_VERSION,
        environment=environment,
        account=None if account is None else accounts.get(account, account),
        secret=secret,
    )


_NOTICED: Final = {environment.value: environment for environment in Environment}


def _text(document: Document, name: str) -> str:
    value: Any = document.get(name)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST:
        _reject(f"an item's {name} is missing or malformed")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _reject(why: str) -> NoReturn:
    raise WebhookRejected(why, operation=_RECEIVE)
