"""Commands and calls for the tests of the bank and the fake, short to write."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
    Terms,
)
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.testing import AsyncFakeProvider, FakeProvider
from payport.testing._heard import heard

DOLLARS = Money(5000, "USD")
_numbers = itertools.count(1)


class Awaited:
    """An async provider whose methods block, so that one test serves both colours."""

    def __init__(self, provider: AsyncFakeProvider) -> None:
        self.subject = provider

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.subject, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **named: asyncio.run(found(*args, **named))


COLOURS = {
    "sync": FakeProvider,
    "async": lambda **options: Awaited(AsyncFakeProvider(**options)),
}


def new_key() -> str:
    return f"pp1_{next(_numbers):052d}"


def terms(method: str | None = "pm_card_ok", amount: Money = DOLLARS, **more: Any) -> Terms:
    if more.pop("manual", False):
        more["capture_method"] = CaptureMethod.MANUAL
    if "metadata" in more:
        more["metadata"] = FrozenMapping(more["metadata"])
    return Terms(amount=amount, payment_method=method, **more)


def creating(
    method: str | None = "pm_card_ok",
    *,
    confirm: bool = True,
    reference: str = "order_1",
    attempt: int = 1,
    **more: Any,
) -> CreatePayment:
    return CreatePayment(
        payment_id="pay_1",
        reference=reference,
        attempt=attempt,
        terms=terms(method, **more),
        confirm=confirm,
    )


def confirming(
    ref: str | None, method: str | None = "pm_card_ok", *, attempt: int = 1, **more: Any
) -> ConfirmPayment:
    return ConfirmPayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=attempt,
        payment_ref=ref,
        terms=terms(method, **more),
    )


def capturing(ref: str, minor: int = 5000, *, final: bool = True) -> CapturePayment:
    return CapturePayment(
        payment_id="pay_1", payment_ref=ref, amount=Money(minor, "USD"), final=final
    )


def canceling(ref: str) -> CancelPayment:
    return CancelPayment(payment_id="pay_1", payment_ref=ref, amount=DOLLARS)


def refunding(ref: str, minor: int = 1000, *, reference: str = "return_1") -> CreateRefund:
    return CreateRefund(
        payment_id="pay_1",
        payment_ref=ref,
        refund_id="rfd_1",
        reference=reference,
        amount=Money(minor, "USD"),
        metadata=EMPTY,
    )


def ask(provider: Any, command: Any, key: str | None = None) -> Any:
    """Carry a command out, under a new key unless one is given."""
    return getattr(provider, command.operation.value)(command, Call(key=key or new_key()))


def told(provider: Any, command: Any, key: str | None = None) -> Any:
    """The facts that a command is answered with."""
    outcome = ask(provider, command, key)
    assert isinstance(outcome, Answer), outcome
    return outcome.facts


def failed(provider: Any, command: Any, key: str | None = None) -> Failure:
    """The failure that a command ends in."""
    outcome = ask(provider, command, key)
    assert isinstance(outcome, Failure), outcome
    return outcome


def read(provider: Any, ref: str) -> Any:
    """All facts about a payment, read at the provider."""
    outcome = provider.retrieve_payment(ref, Call())
    assert isinstance(outcome, Answer), outcome
    return outcome.facts


def found(provider: Any, command: Any, key: str, ref: str | None = None) -> Any:
    return provider.find(Lookup(key=key, command=command, payment_ref=ref), Call())


def paid(provider: Any, method: str = "pm_card_ok", **more: Any) -> str:
    """The bank's id of a new payment that was made and confirmed with this token."""
    return told(provider, creating(method, **more)).attempt_ref


def deliveries(provider: Any, **options: Any) -> list[Any]:
    """The deliveries of all pending webhooks, parsed."""
    now = provider.bank.clock.now()
    requests = provider.webhooks(**options)
    return [d for request in requests for d in heard(provider, request, now)]
