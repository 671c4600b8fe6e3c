"""
payport: payments without double charges, whatever crashes, times out, retries or runs twice.

    from payport import Money, Payport
    from payport.testing import FakeProvider

    pay = Payport(FakeProvider())
    intent = pay.payments.create(
        reference="order_1", amount=Money(4999, "USD"), payment_method="pm_card_visa", confirm=True
    )
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payport.client.listing import AsyncListing, Listing, Page
    from payport.client.payport import AsyncPayport, Payport
    from payport.client.provider_listing import ProviderPayment, ProviderRefund
    from payport.domain.actions import ClientToken, NextAction, Redirect
    from payport.domain.declines import Decline, DeclineAdvice, DeclineReason, DeclineSource
    from payport.domain.errors import (
        AuthenticationFailed,
        CircuitOpen,
        ConfigurationError,
        IdempotencyConflict,
        InvalidRequest,
        InvalidTransition,
        NotFound,
        OperationInProgress,
        OutcomeUnknown,
        PaymentDeclined,
        PayportError,
        ProviderFault,
        ProviderPermissionDenied,
        ProviderUnavailable,
        RateLimited,
        SensitiveData,
        StoreConflict,
        StoreError,
        StoreUnavailable,
        UnsupportedOperation,
        WebhookRejected,
    )
    from payport.domain.events import (
        CaptureFailed,
        CaptureSucceeded,
        DisputeClosed,
        DisputeOpened,
        DomainEvent,
        DuplicatePayment,
        PaymentCanceled,
        PaymentEvent,
        PaymentFailed,
        PaymentRequiresAction,
        PaymentSucceeded,
        PayoutCanceled,
        PayoutCreated,
        PayoutEvent,
        PayoutFailed,
        PayoutInTransit,
        PayoutPaid,
        PayoutReconciled,
        RefundFailed,
        RefundReversed,
        RefundSucceeded,
        UnmappedEvent,
    )
    from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
    from payport.domain.identifiers import Environment
    from payport.domain.money import Money
    from payport.domain.payment_intent import Capture, CaptureMethod, PaymentIntent, PaymentStatus
    from payport.domain.payout import PayoutStatus
    from payport.domain.refund import Refund, RefundReason
    from payport.operations.records import (
        OperationRecord,
        OperationState,
        ResolutionRecord,
        Verdict,
    )
    from payport.operations.recovery import Recovered
    from payport.providers.breaker import BreakerPolicy, BreakerState, CircuitBreaker
    from payport.providers.retries import RetryPolicy, RetryRule
    from payport.providers.webhook_secrets import WebhookSecret
    from payport.storage.base import HandlerRun, InboxRow, InboxState
    from payport.webhooks.awaiting import AwaitedTransaction
    from payport.webhooks.backfilling import Backfill
    from payport.webhooks.handlers import Handlers
    from payport.webhooks.handling import HandlerTransaction
    from payport.webhooks.inbox import Receipt, ReceiptStatus
    from payport.webhooks.keeping import InboxStats
    from payport.webhooks.outbox import Message

__version__ = "0.1.0.dev0"

__all__ = [
    "AsyncListing",
    "AsyncPayport",
    "AttemptStatus",
    "AuthenticationFailed",
    "AwaitedTransaction",
    "Backfill",
    "BreakerPolicy",
    "BreakerState",
    "Capture",
    "CaptureFailed",
    "CaptureMethod",
    "CaptureStatus",
    "CaptureSucceeded",
    "CircuitBreaker",
    "CircuitOpen",
    "ClientToken",
    "ConfigurationError",
    "Decline",
    "DeclineAdvice",
    "DeclineReason",
    "DeclineSource",
    "DisputeClosed",
    "DisputeOpened",
    "DisputeStatus",
    "DomainEvent",
    "DuplicatePayment",
    "Environment",
    "HandlerRun",
    "HandlerTransaction",
    "Handlers",
    "IdempotencyConflict",
    "InboxRow",
    "InboxState",
    "InboxStats",
    "InvalidRequest",
    "InvalidTransition",
    "Listing",
    "Message",
    "Money",
    "NextAction",
    "NotFound",
    "OperationInProgress",
    "OperationRecord",
    "OperationState",
    "OutcomeUnknown",
    "Page",
    "PaymentCanceled",
    "PaymentDeclined",
    "PaymentEvent",
    "PaymentFailed",
    "PaymentIntent",
    "PaymentRequiresAction",
    "PaymentStatus",
    "PaymentSucceeded",
    "PayoutCanceled",
    "PayoutCreated",
    "PayoutEvent",
    "PayoutFailed",
    "PayoutInTransit",
    "PayoutPaid",
    "PayoutReconciled",
    "PayoutStatus",
    "Payport",
    "PayportError",
    "ProviderFault",
    "ProviderPayment",
    "ProviderPermissionDenied",
    "ProviderRefund",
    "ProviderUnavailable",
    "RateLimited",
    "Receipt",
    "ReceiptStatus",
    "Recovered",
    "Redirect",
    "Refund",
    "RefundFailed",
    "RefundReason",
    "RefundReversed",
    "RefundStatus",
    "RefundSucceeded",
    "ResolutionRecord",
    "RetryPolicy",
    "RetryRule",
    "SensitiveData",
    "StoreConflict",
    "StoreError",
    "StoreUnavailable",
    "UnmappedEvent",
    "UnsupportedOperation",
    "Verdict",
    "WebhookRejected",
    "WebhookSecret",
]

#: Where each name lives. Names are imported when they are first asked for, so that a process pays
#: for the parts it uses; `tests/test_light.py` compares this with the imports above.
_HOMES = {
    "payport.client.listing": (
        "AsyncListing",
        "Listing",
        "Page",
    ),
    "payport.client.payport": (
        "AsyncPayport",
        "Payport",
    ),
    "payport.client.provider_listing": (
        "ProviderPayment",
        "ProviderRefund",
    ),
    "payport.domain.actions": (
        "ClientToken",
        "NextAction",
        "Redirect",
    ),
    "payport.domain.declines": (
        "Decline",
        "DeclineAdvice",
        "DeclineReason",
        "DeclineSource",
    ),
    "payport.domain.errors": (
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
    ),
    "payport.domain.events": (
        "CaptureFailed",
        "CaptureSucceeded",
        "DisputeClosed",
        "DisputeOpened",
        "DomainEvent",
        "DuplicatePayment",
        "PaymentCanceled",
        "PaymentEvent",
        "PaymentFailed",
        "PaymentRequiresAction",
        "PaymentSucceeded",
        "PayoutCanceled",
        "PayoutCreated",
        "PayoutEvent",
        "PayoutFailed",
        "PayoutInTransit",
        "PayoutPaid",
        "PayoutReconciled",
        "RefundFailed",
        "RefundReversed",
        "RefundSucceeded",
        "UnmappedEvent",
    ),
    "payport.domain.facts": (
        "AttemptStatus",
        "CaptureStatus",
        "DisputeStatus",
        "RefundStatus",
    ),
    "payport.domain.identifiers": ("Environment",),
    "payport.domain.money": ("Money",),
    "payport.domain.payment_intent": (
        "Capture",
        "CaptureMethod",
        "PaymentIntent",
        "PaymentStatus",
    ),
    "payport.domain.payout": ("PayoutStatus",),
    "payport.domain.refund": (
        "Refund",
        "RefundReason",
    ),
    "payport.operations.records": (
        "OperationRecord",
        "OperationState",
        "ResolutionRecord",
        "Verdict",
    ),
    "payport.operations.recovery": ("Recovered",),
    "payport.providers.breaker": (
        "BreakerPolicy",
        "BreakerState",
        "CircuitBreaker",
    ),
    "payport.providers.retries": (
        "RetryPolicy",
        "RetryRule",
    ),
    "payport.providers.webhook_secrets": ("WebhookSecret",),
    "payport.storage.base": (
        "HandlerRun",
        "InboxRow",
        "InboxState",
    ),
    "payport.webhooks.awaiting": ("AwaitedTransaction",),
    "payport.webhooks.backfilling": ("Backfill",),
    "payport.webhooks.handlers": ("Handlers",),
    "payport.webhooks.handling": ("HandlerTransaction",),
    "payport.webhooks.inbox": (
        "Receipt",
        "ReceiptStatus",
    ),
    "payport.webhooks.keeping": ("InboxStats",),
    "payport.webhooks.outbox": ("Message",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        message = f"module 'payport' has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
