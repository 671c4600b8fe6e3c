"""
Errors in Adyen's shape: a `ServiceError` with status, errorCode, message, errorType and, where a
request was looked at, the pspReference that it was given.

The codes are those of https://docs.adyen.com/development-resources/error-codes. Where that page has
none, it is `000`, which stands for several things there too.
"""

from __future__ import annotations

from typing import Final

from payport.testing.bank.records import Refused
from payport.testing.simulation.documents import Doc

__all__ = [
    "ApiError",
    "forbidden",
    "invalid",
    "missing",
    "not_found",
    "not_simulated",
    "refused",
    "unauthorized",
]

_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


class ApiError(Exception):
    """
    An answer that says no. Nothing was executed.

    Attributes:
        status: The HTTP status.
        code: The `errorCode`.
        kind: The `errorType`.
        headers: What the answer has beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        kind: str = "validation",
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.headers: dict[str, str] = headers or {}

    def document(self, psp: str | None) -> Doc:
        """The body; `psp` is the request's reference, where it was given one."""
        body: Doc = {
            "status": self.status,
            "errorCode": self.code,
            "message": self.message,
            "errorType": self.kind,
        }
        if psp is not None and self.status not in {400, _UNAUTHORIZED, _NOT_FOUND}:
            body["pspReference"] = psp
        return body


def invalid(code: str, message: str, *, status: int = 422) -> ApiError:
    """The request is not one that can be carried out."""
    return ApiError(status, code, message)


def missing(field: str) -> ApiError:
    """A field that is required is not there."""
    code = _MISSING.get(field)
    if code is not None:
        return invalid(*code)
    return invalid("000", f"Required field '{field}' is not provided.")


def not_simulated(field: str) -> ApiError:
    """A field that would change what happens, in a way that is not simulated."""
    return invalid("000", f"The simulator does not know what `{field}` does. Leave it out.")


def unauthorized() -> ApiError:
    """Nobody knows who asks."""
    return ApiError(_UNAUTHORIZED, "000", "HTTP Status Response - Unauthorized", "security")


def forbidden(code: str = "010", message: str = "Not allowed") -> ApiError:
    """It is known who asks, and they may not."""
    return ApiError(403, code, message, "security")


def not_found(what: str) -> ApiError:
    """There is nothing at this address."""
    return ApiError(_NOT_FOUND, "000", f"Not Found: {what}", "validation")


def refused(error: Refused) -> ApiError:
    """What the bank does not do and no desk expected."""
    return invalid("000", error.message)


_MISSING: Final[dict[str, tuple[str, str]]] = {
    "amount": ("100", "Required object 'amount' is not provided."),
    "reference": ("130", "Required field 'reference' is not provided."),
    "returnUrl": ("14_030", "Return URL is missing."),
}
