"""Who sent a request, to which region, and whether all of it arrived."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from payport.domain.identifiers import Environment
from payport.testing.adyen_simulator.errors import ApiError, invalid, unauthorized
from payport.testing.simulation.documents import Doc
from payport.testing.simulation.wire import MOST_BYTES, HttpRequest

__all__ = ["LONGEST_KEY", "authorized", "read", "region_of"]

#: https://docs.adyen.com/development-resources/api-idempotency
LONGEST_KEY: Final = 64
_LIVE_HOST: Final = re.compile(r"[\w-]+-checkout-live(?:-(?P<region>\w+))?\.adyenpayments\.com")
_SHORTEST: Final = 8
_DEEPEST: Final = 64


def authorized(request: HttpRequest, environment: Environment) -> str:
    """
    The API key of a request, or the user of basic authentication.

    Adyen's keys do not tell their environment; here a key that begins with `test_` or `live_` is
    good for that one only.

    Raises:
        ApiError: There is none, or none that may do anything here.
    """
    key = request.headers.get("x-api-key", "").strip() or _user(request)
    begins = key.partition("_")[0]
    if len(key) < _SHORTEST or (begins in set(Environment) and begins != environment):
        raise unauthorized()
    return key


def _user(request: HttpRequest) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def region_of(request: HttpRequest) -> str:
    """The region that a request was sent to, by its host: keys are not shared between them."""
    match = _LIVE_HOST.fullmatch(request.headers.get("host", ""))
    return (match["region"] or "eu") if match is not None else "eu"


def read(request: HttpRequest) -> Doc:
    """
    The fields of a request, once it is known to be whole.

    Raises:
        ApiError: It is short, huge, or no JSON object.
    """
    _check_whole(request)
    query = request.target.partition("?")[2]
    if request.method != "POST":
        return dict(parse_qsl(query))
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise ApiError(415, "000", "Unsupported Media Type")
    if not request.body:
        raise invalid("702", "Required object is not provided.", status=400)
    try:
        fields: Any = json.loads(request.body)
    except (ValueError, RecursionError):
        raise invalid("702", 'Unexpected input: ", expected: }', status=400) from None
    deep = request.body.count(b"[") + request.body.count(b"{") > _DEEPEST
    if not isinstance(fields, dict) or (deep and _is_deeper(fields, _DEEPEST)):
        raise invalid("702", "Unexpected input: [, expected: {", status=400)
    return cast("Doc", fields)


def _is_deeper(value: Any, than: int) -> bool:
    inside: Sequence[Any] = ()
    if isinstance(value, dict):
        inside = tuple(cast("Doc", value).values())
    elif isinstance(value, list):
        inside = cast("Sequence[Any]", value)
    return bool(inside) and (than == 0 or any(_is_deeper(one, than - 1) for one in inside))


def _check_whole(request: HttpRequest) -> None:
    size = len(request.body)
    length = request.headers.get("content-length")
    if size > MOST_BYTES:
        raise ApiError(413, "000", "Request Entity Too Large")
    if length is not None and length != str(size):
        raise invalid("702", "Unexpected end of input", status=400)
    key = request.key
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        message = f"Idempotency-Key has from 1 to {LONGEST_KEY} characters."
        raise invalid("000", message)
