"""Who sent a request, and whether all of it arrived."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from payport.domain.identifiers import Environment
from payport.testing.simulation.wire import MOST_BYTES, HttpRequest
from payport.testing.stripe_simulator.errors import ApiError, invalid

__all__ = ["authorized", "check_whole", "unknown_key"]

_KEY: Final = re.compile(r"(sk|rk|pk)_(test|live)_[A-Za-z0-9_]{1,255}")
_UNAUTHORIZED: Final = 401
_LONGEST_KEY: Final = 255
_VERSION: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z_]+)?")
_FORM: Final = "application/x-www-form-urlencoded"


def authorized(request: HttpRequest, environment: Environment) -> str:
    """
    The API key of a request.

    Raises:
        ApiError: There is none, or none that may do anything here.
    """
    key = _api_key(request.headers.get("authorization", ""))
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See"
            " https://stripe.com/docs/api#authentication for details, or we can help at"
            " https://support.stripe.com/."
        )
        raise invalid(message, status=_UNAUTHORIZED)
    match = _KEY.fullmatch(key)
    if match is None or match[2] != environment:
        raise unknown_key(key)
    if match[1] == "pk":
        message = (
            "This API call cannot be made with a publishable API key. Please use a secret API key."
            " You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys."
        )
        raise invalid(message, "secret_key_required", status=_UNAUTHORIZED)
    return key


def unknown_key(key: str) -> ApiError:
    """The key is nobody's; it is not told again."""
    match = _KEY.match(key)
    shown = f"{match[1]}_{match[2]}_{'*' * 12}" if match else "*" * 12
    return invalid(f"Invalid API Key provided: {shown}", status=_UNAUTHORIZED)


def _api_key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        return value.strip()
    if scheme == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def check_whole(request: HttpRequest) -> None:
    """
    Check that all of a request arrived, and that it is a form.

    Raises:
        ApiError: It is short, huge, or something else.
    """
    headers, size = request.headers, len(request.body)
    length = headers.get("content-length")
    if size > MOST_BYTES:
        raise invalid("Request body is too large.", status=413)
    if length is not None and length != str(size):
        raise invalid("The request body is shorter or longer than its Content-Length says.")
    kind = headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if size and kind != _FORM:
        message = (
            "Invalid request (check that your POST content type is"
            f" {_FORM}). If you have any questions, we can help at https://support.stripe.com/."
        )
        raise invalid(message)
    version = headers.get("stripe-version")
    if version is not None and not _VERSION.fullmatch(version):
        raise invalid(f"Invalid Stripe API version: {version}")
    if request.key is not None and not 0 < len(request.key) <= _LONGEST_KEY:
        message = f"Idempotency keys are from 1 to {_LONGEST_KEY} characters long."
        raise invalid(message, kind="idempotency_error")
