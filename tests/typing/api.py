"""
The public API as applications type it. Checked by mypy and pyright, never executed: each line here
is a line of somebody's code, and each `assert_type` is what their editor tells them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never, assert_type

from payport import (
    AsyncListing,
    AsyncPayport,
    AttemptStatus,
    AwaitedTransaction,
    Backfill,
    BreakerState,
    Capture,
    CaptureMethod,
    CaptureStatus,
    ClientToken,
    Decline,
    DeclineAdvice,
    DeclineReason,
    DeclineSource,
    DuplicatePayment,
    Environment,
    Handlers,
    HandlerTransaction,
    InboxState,
    Listing,
    Message,
    Money,
    OperationRecord,
    OperationState,
    OutcomeUnknown,
    Page,
    PaymentDeclined,
    PaymentFailed,
    PaymentIntent,
    PaymentStatus,
    PaymentSucceeded,
    PayoutEvent,
    PayoutPaid,
    PayoutStatus,
    Payport,
    PayportError,
    ProviderPayment,
    ProviderRefund,
    RateLimited,
    Receipt,
    ReceiptStatus,
    Recovered,
    Redirect,
    Refund,
    RefundReason,
    RefundStatus,
    RefundSucceeded,
    ResolutionRecord,
    RetryPolicy,
    RetryRule,
    UnmappedEvent,
    Verdict,
    WebhookRejected,
)
from payport.domain.actions import NextAction
from payport.testing import AsyncFakeProvider, FakeProvider


def money() -> None:
    """Amounts."""
    price = Money(4999, "USD")
    assert_type(price.minor, int)
    assert_type(price.currency, str)
    assert_type(price.major, Decimal)
    assert_type(Money.from_major("49.99", "USD"), Money)
    assert_type(Money.from_major(Decimal("49.99"), "USD"), Money)
    assert_type(price + price, Money)
    assert_type(price * 2, Money)
    assert_type(price < Money(5000, "USD"), bool)
    assert_type(price.allocate([1, 2]), tuple[Money, ...])


handlers = Handlers()


@handlers.on(PaymentSucceeded)
def paid(event: PaymentSucceeded, tx: HandlerTransaction) -> None:
    """A handler keeps its type."""
    assert_type(event.captured, Money)
    assert_type(event.reference, str)
    assert_type(event.occurred_at, datetime)
    tx.after_commit(lambda: None)


@handlers.on(PaymentFailed, name="failed")
async def failed(event: PaymentFailed, tx: AwaitedTransaction) -> None:
    """An awaited one, too."""
    assert_type(await tx.run(lambda connection: len(str(connection))), int)
    assert_type(tx.later("payments.refresh", payment=event.payment_id), str)
    assert_type(event.decline, Decline | None)


@handlers.on_message("mail.receipt")
def mail(message: Message, tx: HandlerTransaction) -> None:
    """Messages of an outbox."""
    assert_type(message.topic, str)
    assert_type(tx.outbox.send("mail.copy", {"order": message.id}), str)


@handlers.on(DuplicatePayment)
def alarm(event: DuplicatePayment, tx: Any) -> None:
    """The transaction may stay untyped."""
    del tx
    assert_type(event.attempt_refs, tuple[str, ...])


@handlers.on(RefundSucceeded)
def refunded(event: RefundSucceeded, tx: object) -> None:
    """Or unused."""
    del tx
    assert_type(event.refund_id, str)


@handlers.on(PayoutPaid)
def arrived(event: PayoutPaid, tx: HandlerTransaction) -> None:
    """An event of no payment."""
    del tx
    assert_type(event.amount, Money)
    assert_type(event.status, PayoutStatus)
    assert_type(event.arrives_on, date | None)
    assert_type(event.payout_id, str)


@handlers.on(PayoutEvent, name="payouts")
async def payouts(event: PayoutEvent, tx: AwaitedTransaction) -> None:
    """All of a payout's, awaited."""
    del tx
    assert_type(event.failure_code, str | None)


@handlers.on(UnmappedEvent)
def unmapped(event: UnmappedEvent, tx: HandlerTransaction) -> None:
    """What is about no payment names none."""
    del tx
    assert_type(event.payment_id, str | None)


def catch_up(pay: Payport) -> None:
    """What no webhook brought."""
    found = pay.webhooks.backfill(since=timedelta(days=3), cursor=None, limit=100)
    assert_type(found, Backfill)
    assert_type((found.new, found.known, found.next_cursor), tuple[int, int, str | None])


def construct() -> None:
    """Every argument of a client."""
    with Payport(
        FakeProvider(),
        scope="shop",
        store="sqlite:////srv/shop/payments.db",
        handlers=handlers,
        deadline=20.0,
        timeout=10,
        retries=RetryPolicy(rules={}),
        clock=None,
    ) as pay:
        assert_type(pay, Payport)
        assert_type(pay.scope, str)
        assert_type(pay.environment, Environment)
        assert_type(pay.scoped("tenant_9"), Payport)
    assert_type(RetryRule(waits=(1.0, 2.0)).waits, tuple[float, ...])


def take(pay: Payport) -> str:
    """The example of the design."""
    intent = pay.payments.create(
        reference="order_12345",
        amount=Money(4999, "USD"),
        payment_method="pm_card_visa",
        confirm=True,
    )
    assert_type(intent, PaymentIntent)
    match intent.status:
        case PaymentStatus.SUCCEEDED:
            return "paid"
        case PaymentStatus.REQUIRES_ACTION:
            return act(intent.next_action)
        case PaymentStatus.REQUIRES_PAYMENT_METHOD:
            return intent.decline.user_message if intent.decline is not None else ""
        case _:
            return "wait"


def act(action: NextAction | None) -> str:
    """What a customer has to do is one of two things."""
    match action:
        case Redirect():
            assert_type(action.url, str | None)
            return action.url or ""
        case ClientToken():
            assert_type(action.token, str | None)
            return action.token or ""
        case None:
            return ""
        case _:
            assert_never(action)


def afterwards(pay: Payport) -> None:
    """What is done when something went wrong."""
    assert_type(pay.operations.recover(limit=10, every_scope=True), Recovered)
    assert_type(
        pay.operations.resolve("opn_", Verdict.EXECUTED, reason="seen", author="zoe"),
        OperationRecord,
    )
    assert_type(pay.operations.resolutions("opn_"), tuple[ResolutionRecord, ...])
    assert_type(pay.breaker.state, BreakerState)


def everything(pay: Payport, moment: datetime) -> None:
    """Every method, with every argument."""
    made = pay.payments.create(
        reference="order_1",
        amount=Money(100, "USD"),
        payment_method=None,
        confirm=False,
        capture_method="manual",
        customer=None,
        off_session=False,
        save_payment_method=False,
        return_url="https://shop.example/back",
        description="two books",
        statement_descriptor="SHOP",
        receipt_email="ada@example.com",
        metadata={"cart": "17"},
        attempt=1,
    )
    assert_type(
        pay.payments.confirm(
            made.id, payment_method="pm", return_url=None, off_session=None, attempt=2
        ),
        PaymentIntent,
    )
    captured = pay.payments.capture(made.id, amount=Money(1, "USD"), reference="a", final=False)
    assert_type(captured, PaymentIntent)
    assert_type(pay.payments.cancel(made.id), PaymentIntent)
    assert_type(pay.payments.get(made.id), PaymentIntent)
    assert_type(pay.payments.get(reference="order_1"), PaymentIntent)
    assert_type(pay.payments.refresh(made.id), PaymentIntent)
    refund = pay.refunds.create(
        payment=made.id,
        reference="return_1",
        amount=None,
        reason=RefundReason.DUPLICATE,
        metadata=None,
    )
    assert_type(refund, Refund)
    assert_type(pay.refunds.get(refund.id), Refund)
    assert_type(pay.refunds.refresh(reference="return_1"), Refund)
    payments = pay.payments.list(created_from=moment, created_before=moment, status="succeeded")
    assert_type(payments, Listing[PaymentIntent])
    assert_type(iter(payments), Iterator[PaymentIntent])
    page = payments.page(cursor=None, limit=10)
    assert_type(page, Page[PaymentIntent])
    assert_type(page.items, tuple[PaymentIntent, ...])
    assert_type(page.next_cursor, str | None)
    assert_type(pay.refunds.list(payment=made.id, status=RefundStatus.FAILED), Listing[Refund])
    rows = pay.operations.list(payment=made.id, state=OperationState.UNKNOWN)
    assert_type(rows, Listing[OperationRecord])
    assert_type(pay.operations.get("opn_"), OperationRecord)
    receipt = pay.webhooks.receive(body=b"", headers={"a": "b"}, url=None)
    assert_type(receipt, Receipt)
    assert_type(receipt.status, ReceiptStatus)
    assert_type(pay.webhooks.process_one(receipt.ids[0]), InboxState)
    assert_type(pay.webhooks.process_due(), int)
    pay.close()


def values(intent: PaymentIntent, refund: Refund) -> None:
    """What the values tell."""
    assert_type(intent.captured, Money)
    assert_type(intent.refundable, Money)
    assert_type(intent.captures, tuple[Capture, ...])
    assert_type(intent.captures[0].status, CaptureStatus)
    assert_type(intent.capture_method, CaptureMethod)
    assert_type(intent.is_paid, bool)
    assert_type(intent.decline, Decline | None)
    assert_type(refund.status, RefundStatus)
    assert_type(refund.amount, Money)
    if intent.decline is not None:
        assert_type(intent.decline.reason, DeclineReason)
        assert_type(intent.decline.source, DeclineSource)
        assert_type(intent.decline.advice, DeclineAdvice)


def errors(pay: Payport) -> None:
    """What errors tell."""
    try:
        pay.payments.get("pay_").raise_for_decline()
    except PaymentDeclined as declined:
        assert_type(declined.decline, Decline)
        assert_type(declined.payment, PaymentIntent)
    except OutcomeUnknown as unknown:
        assert_type(unknown.payment, PaymentIntent | None)
        assert_type(unknown.refund, Refund | None)
    except RateLimited as limited:
        assert_type(limited.retry_after, float | None)
    except WebhookRejected as rejected:
        assert_type(rejected.operation, str | None)
    except PayportError as error:
        assert_type(error.retryable, bool)
        assert_type(error.money_may_have_moved, bool)


def from_the_provider(pay: Payport, moment: datetime) -> None:
    """What the provider itself holds."""
    held = pay.payments.list_from_provider(
        created_from=moment, created_before=moment, customer="cus_1"
    )
    assert_type(held, Listing[ProviderPayment])
    assert_type(next(iter(held)).status, AttemptStatus)
    assert_type(held.page().items[0].payment_id, str | None)
    back = pay.refunds.list_from_provider(payment="pay_1")
    assert_type(back, Listing[ProviderRefund])
    assert_type(next(iter(back)).status, RefundStatus)


async def awaited() -> None:
    """The same, awaited."""
    async with AsyncPayport(AsyncFakeProvider(), handlers=handlers) as pay:
        assert_type(pay, AsyncPayport)
        intent = await pay.payments.create(reference="order_1", amount=Money(1, "USD"))
        assert_type(intent, PaymentIntent)
        assert_type(await pay.payments.confirm(intent.id), PaymentIntent)
        assert_type(await pay.payments.capture(intent.id), PaymentIntent)
        assert_type(await pay.payments.cancel(intent.id), PaymentIntent)
        assert_type(await pay.payments.get(intent.id), PaymentIntent)
        assert_type(await pay.payments.refresh(intent.id), PaymentIntent)
        refund = await pay.refunds.create(payment=intent.id, reference="return_1")
        assert_type(refund, Refund)
        assert_type(await pay.refunds.get(refund.id), Refund)
        listing = pay.payments.list()
        assert_type(listing, AsyncListing[PaymentIntent])
        assert_type(pay.payments.list_from_provider(), AsyncListing[ProviderPayment])
        assert_type(pay.refunds.list_from_provider(payment="pay_1"), AsyncListing[ProviderRefund])
        assert_type(aiter(listing), AsyncIterator[PaymentIntent])
        async for one in listing:
            assert_type(one, PaymentIntent)
        assert_type(await listing.page(limit=5), Page[PaymentIntent])
        assert_type(await pay.operations.get("opn_"), OperationRecord)
        assert_type(await pay.operations.recover(), Recovered)
        assert_type(await pay.operations.resolutions("opn_"), tuple[ResolutionRecord, ...])
        assert_type(await pay.webhooks.receive(body=b"", headers={}), Receipt)
        assert_type(await pay.webhooks.process_due(), int)
        assert_type(await pay.webhooks.backfill(since=datetime.now(UTC)), Backfill)
        assert_type(pay.scoped("tenant_9"), AsyncPayport)


def wrong(pay: Payport, other: AsyncPayport) -> None:
    """What the type checkers refuse. An ignore that is not needed is an error itself."""
    Payport(AsyncFakeProvider())  # type: ignore[arg-type]
    AsyncPayport(FakeProvider())  # type: ignore[arg-type]
    pay.payments.create("order_1", Money(1, "USD"))  # type: ignore[call-arg]
    pay.payments.create(reference="order_1", amount=1)  # type: ignore[arg-type]
    pay.payments.create(reference=1, amount=Money(1, "USD"))  # type: ignore[arg-type]
    pay.payments.create(amount=Money(1, "USD"))  # type: ignore[call-arg]
    pay.refunds.create(payment="pay_", reference="r", amount=1.5)  # type: ignore[arg-type]
    pay.payments.get("pay_").status = PaymentStatus.SUCCEEDED  # type: ignore[misc]
    pay.payments.get("pay_").captured = Money(1, "USD")  # type: ignore[misc]
    other.payments.get("pay_").captured  # type: ignore[attr-defined]  # noqa: B018
    for _ in other.payments.list():  # type: ignore[attr-defined]
        pass
