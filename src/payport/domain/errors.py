"""
Everything payport raises, as one tree.

An error says what happened, which operation and reference it happened to, and what to do next. It
never carries a key, a client secret or a card number. A declined payment is an outcome and not an
error: `PaymentDeclined` exists only for callers who ask for it by `raise_for_decline()`.

    PayportError
    ├── ConfigurationError            keys, secrets, modes, stores, the wrong event loop
    ├── InvalidRequest                a bug in the caller; never retried
    │   ├── SensitiveData             a card number or a security code in the input
    │   ├── UnsupportedOperation      the provider lacks the capability; raised before I/O
    │   ├── InvalidTransition         the payment's state does not allow the command
    │   └── IdempotencyConflict       the same identity was used with other parameters
    ├── NotFound                      no such payment, refund or operation in the store
    ├── StoreError                    the store failed; nothing was sent after that
    │   ├── StoreUnavailable          unreachable, full, read-only or locked
    │   └── StoreConflict             two writers met; the work runs again
    ├── PaymentDeclined               only from raise_for_decline()
    ├── ProviderFault
    │   ├── AuthenticationFailed      the provider refused the key
    │   ├── ProviderPermissionDenied  the key may not do this
    │   ├── RateLimited               carries retry_after
    │   ├── ProviderUnavailable       proven not executed
    │   ├── OperationInProgress       the same identity is being executed elsewhere
    │   ├── OutcomeUnknown            it may have executed; carries the aggregate
    │   └── CircuitOpen               too many faults lately; nothing was sent
    └── WebhookRejected               signature, replay window, size or shape
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from payport.domain.declines import Decline
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.refund import Refund

__all__ = [
    "AuthenticationFailed",
    "CircuitOpen",
    "ConfigurationError",
    "IdempotencyConflict",
    "InvalidRequest",
    "InvalidTransition",
    "NotFound",
    "OperationInProgress",
    "OutcomeUnknown",
    "PaymentDeclined",
    "PayportError",
    "ProviderFault",
    "ProviderPermissionDenied",
    "ProviderUnavailable",
    "RateLimited",
    "SensitiveData",
    "StoreConflict",
    "StoreError",
    "StoreUnavailable",
    "UnsupportedOperation",
    "WebhookRejected",
]


class PayportError(Exception):
    """
    Something payport could not do.

    Attributes:
        message: What happened, in plain words.
        operation: The operation, such as `payments.create`.
        reference: The application's reference, or payport's id where there is none.
        field: The argument at fault.
        provider: The provider's name.
        idempotency_key: The key that was, or would have been, sent.
        request_id: The provider's id of the request, for its support team.
        retryable: Whether the same call can succeed later. Repeating a call with the same identity
            is always *safe*; this says whether it is *useful*.
        money_may_have_moved: Whether the provider may have carried out the operation.
    """

    retryable: ClassVar[bool] = False
    money_may_have_moved: ClassVar[bool] = False
    next_step: ClassVar[str] = ""

    message: str
    operation: str | None
    reference: str | None
    field: str | None
    provider: str | None
    idempotency_key: str | None
    request_id: str | None

    def __init__(
        self,
        message: str = "",
        *,
        operation: str | None = None,
        reference: str | None = None,
        field: str | None = None,
        provider: str | None = None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = message or _summary(type(self))
        self.operation = operation
        self.reference = reference
        self.field = field
        self.provider = provider
        self.idempotency_key = idempotency_key
        self.request_id = request_id
        super().__init__(self.message)

    def __str__(self) -> str:
        where = self.operation or ""
        if self.reference is not None:
            where = f"{where}[{self.reference}]"
        if self.field is not None:
            where = f"{where}: {self.field}" if where else self.field
        said = f"{where}: {self.message}" if where else self.message
        if self.request_id is not None:
            said = f"{said} (request {self.request_id})"
        if not self.next_step:
            return said
        stop = "" if said.endswith((".", "?", "!", ")")) else "."
        return f"{said}{stop} {self.next_step}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only attributes do not survive Exception's own __reduce__.
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def _summary(kind: type[PayportError]) -> str:
    """The docstring's first line; the name where `python -OO` stripped it or there is none."""
    lines = (kind.__doc__ or "").strip().splitlines()
    return lines[0] if lines else kind.__name__


def _rebuild(kind: type[PayportError], message: str, state: dict[str, Any]) -> PayportError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(PayportError):
    """payport is set up in a way that cannot work or is not safe."""


class InvalidRequest(PayportError):
    """The request is wrong and would be wrong again: the caller has to change it."""


class SensitiveData(InvalidRequest):
    """A card number or security code was passed where a provider's token belongs."""

    next_step = "Let the provider's own form collect card data and pass the token that it returns."


class UnsupportedOperation(InvalidRequest):
    """The provider cannot do this. Nothing was sent."""


class InvalidTransition(InvalidRequest):
    """The payment's state does not allow this. Nothing was sent."""


class IdempotencyConflict(InvalidRequest):
    """The same identity was used before with other parameters. Nothing was sent."""

    next_step = "Use a new reference for a new operation, or repeat the first parameters exactly."


class NotFound(PayportError):
    """The store holds no such object in this scope and environment."""

    next_step = "Check the id or reference, the scope, and test against live mode."


class StoreError(PayportError):
    """The store failed."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written. No operation is begun without it."""

    retryable = True
    next_step = "Mend the store and repeat the same call."


class StoreConflict(StoreError):
    """Another writer changed the row at the same time. Nothing of this transaction was kept."""

    retryable = True
    next_step = "Repeat the same call."


class PaymentDeclined(PayportError):
    """The payment was declined. `decline` says why and what the customer may be told."""

    decline: Decline
    payment: PaymentIntent

    def __init__(self, *, decline: Decline, payment: PaymentIntent) -> None:
        super().__init__(
            f"declined: {decline.reason}. {decline.user_message}",
            operation="payments",
            reference=payment.reference,
            provider=payment.provider,
        )
        self.decline = decline
        self.payment = payment


class ProviderFault(PayportError):
    """The provider, or the way to it, failed."""


class AuthenticationFailed(ProviderFault):
    """The provider refused the credentials."""

    next_step = "Check the API key: every operation fails until it is mended."


class ProviderPermissionDenied(ProviderFault):
    """The provider refused: the credentials may not do this."""

    next_step = "Grant the key the permission that the operation needs."


class RateLimited(ProviderFault):
    """The provider refused the request because there were too many. Nothing was executed."""

    retryable = True
    next_step = "Repeat the same call later."

    #: Seconds the provider asked to wait, where it did.
    retry_after: float | None

    def __init__(self, message: str = "", *, retry_after: float | None = None, **told: Any) -> None:
        super().__init__(message, **told)
        self.retry_after = retry_after


class ProviderUnavailable(ProviderFault):
    """The provider could not be reached, and it is proven that nothing was executed."""

    retryable = True
    next_step = "Repeat the same call later."


class OperationInProgress(ProviderFault):
    """The same operation is being executed elsewhere and did not finish in time."""

    retryable = True
    money_may_have_moved = True
    next_step = "Repeat the same call later: it returns the outcome and charges nobody twice."


class OutcomeUnknown(ProviderFault):
    """
    The operation may have been executed. It is neither failed nor succeeded.

    Attributes:
        payment: The payment as it stands; its status is `unknown` unless money facts say more.
        refund: The refund, when a refund is what is unknown.
    """

    retryable = True
    money_may_have_moved = True
    next_step = (
        "Do not try another way. Repeat the same call, or wait: a webhook or a recovery run "
        "learns the outcome."
    )

    payment: PaymentIntent | None
    refund: Refund | None

    def __init__(
        self,
        message: str = "",
        *,
        payment: PaymentIntent | None = None,
        refund: Refund | None = None,
        **told: Any,
    ) -> None:
        super().__init__(message, **told)
        self.payment = payment
        self.refund = refund


class CircuitOpen(ProviderFault):
    """The provider failed too often lately. Nothing was sent."""

    retryable = True
    next_step = "Repeat the same call later."


class WebhookRejected(PayportError):
    """
    The webhook is not what the provider signed, or not one payport accepts.

    Attributes:
        status: The HTTP status to answer with: 413 where the body is too large, else 400.
    """

    next_step = "Answer it with its status; if it is genuine, check the webhook's secret."

    status: int

    def __init__(self, message: str = "", *, status: int = 400, **told: Any) -> None:
        super().__init__(message, **told)
        self.status = status
