"""
Errors in Stripe's shape: an `error` with type, code, message, param and what belongs to it.

The words are those of Stripe's answers where a public report of one was found, and close to them
elsewhere: a client decides by status, type and code. https://docs.stripe.com/error-codes
"""

from __future__ import annotations

from typing import Any, Final

from payport.testing.simulation.documents import Doc

__all__ = ["ApiError", "Doc", "invalid", "missing", "unexpected_state"]

_DOCS: Final = "https://stripe.com/docs/error-codes/"
_ELSEWHERE: Final = (
    "; It's possible this PaymentMethod exists on one of your connected accounts, in which case you"
    " should retry this request on that connected account. Learn more at"
    " https://stripe.com/docs/connect/authentication"
)
#: The word for each kind of object in the message that there is none.
_NAMED: Final = {"payment_method": "PaymentMethod"}


class ApiError(Exception):
    """
    An answer that says no.

    Attributes:
        status: The HTTP status.
        error: The `error` object of the body.
        executed: Whether the request was begun: then the answer is kept under its key.
        headers: What the answer has beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        error: Doc,
        *,
        executed: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.error = error
        self.executed = executed
        self.headers: dict[str, str] = headers or {}


def invalid(
    message: str,
    code: str | None = None,
    *,
    param: str | None = None,
    status: int = 400,
    kind: str = "invalid_request_error",
    executed: bool = False,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> ApiError:
    """An error; `more` are further fields of it."""
    error: Doc = {}
    if code is not None:
        error["code"] = code
        error["doc_url"] = _DOCS + code.replace("_", "-")
    error["message"] = message
    if param is not None:
        error["param"] = param
    error |= more
    error["type"] = kind
    return ApiError(status, error, executed=executed, headers=headers)


def missing(what: str, ref: str, *, param: str, status: int = 400) -> ApiError:
    """There is no such object. 404 where the path names it, 400 where a parameter does."""
    message = f"No such {_NAMED.get(what, what)}: '{ref}'"
    if what == "payment_method":
        message += _ELSEWHERE
    return invalid(message, "resource_missing", param=param, status=status, executed=True)


def unexpected_state(message: str, intent: Doc) -> ApiError:
    """The PaymentIntent's status does not allow it."""
    code = "payment_intent_unexpected_state"
    return invalid(message, code, executed=True, payment_intent=intent)
