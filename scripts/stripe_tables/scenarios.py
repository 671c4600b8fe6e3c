"""The ways in which each operation is used, each prepared at a simulator of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from payport import Money, RefundReason
from payport.domain.frozen import FrozenMapping
from payport.providers.commands import Command, CreatePayment
from payport.providers.deliveries import Subject
from payport.providers.events import EventsQuery
from payport.providers.exchange import Call
from payport.providers.listings import PaymentsQuery, RefundsQuery
from stripe_tables.shop import Shop

__all__ = ["SCENARIOS", "Scenario"]

#: Everything prepared: does the thing itself.
Act = Callable[[], Any]


@dataclass(frozen=True)
class Scenario:
    """One way in which an operation is used."""

    operation: str
    when: str
    prepare: Callable[[Shop], Act]
    multicapture: bool = False


def _command(make: Callable[[Shop], Command]) -> Callable[[Shop], Act]:
    def prepare(shop: Shop) -> Act:
        command = make(shop)
        return lambda: shop.run(command)

    return prepare


def _find(make: Callable[[Shop], Command]) -> Callable[[Shop], Act]:
    def prepare(shop: Shop) -> Act:
        command, key = make(shop), shop.key()
        shop.run(command, key)
        return lambda: shop.found(command, key)

    return prepare


def _search(shop: Shop) -> Act:
    command, key = shop.creating(), shop.key()
    shop.run(command, key)
    for _ in range(301):  # more than the pages that are looked through first
        shop.simulator.bank.charge(Money(100, "USD"))
    shop.simulator.clock.advance(120)
    return lambda: shop.found(command, key)


def _held(shop: Shop) -> str:
    return shop.made(manual=True)


def _refund(shop: Shop, ref: str | None = None) -> str:
    ref = ref or shop.made()
    fact: str = shop.run(shop.refunding(ref, 100)).facts.refunds[0].ref
    return fact


def _saved(shop: Shop) -> CreatePayment:
    customer = shop.simulator.bank.add_customer()
    shop.made(customer=customer, save_payment_method=True)
    (method,) = shop.simulator.bank.methods(customer)
    return shop.creating(method=method, customer=customer, off_session=True)


def _read(shop: Shop) -> Act:
    ref = shop.made()
    return lambda: shop.provider.retrieve_payment(ref, Call())


def _read_disputed(shop: Shop) -> Act:
    ref = shop.made()
    for _ in range(11):
        _refund(shop, ref)
    shop.simulator.bank.dispute(ref)
    return lambda: shop.provider.retrieve_payment(ref, Call())


def _read_refund(shop: Shop) -> Act:
    ref = _refund(shop)
    return lambda: shop.provider.retrieve_refund(ref, Call())


def _list(shop: Shop) -> Act:
    shop.made()
    year = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    query = PaymentsQuery(created_from=year[0], created_before=year[1], limit=50)
    return lambda: shop.provider.list_payments(query, Call())


def _list_refunds(shop: Shop) -> Act:
    ref = shop.made()
    _refund(shop, ref)
    return lambda: shop.provider.list_refunds(RefundsQuery(payment_ref=ref), Call())


def _events(shop: Shop) -> Act:
    shop.made()
    query = EventsQuery(created_from=datetime(2020, 1, 1, tzinfo=UTC))
    return lambda: shop.provider.list_events(query, Call())


def _subject(kind: str) -> Callable[[Shop], Act]:
    def prepare(shop: Shop) -> Act:
        ref, bank = shop.made(), shop.simulator.bank
        _refund(shop, ref)
        bank.dispute(ref, Money(100, "USD"))
        shop.made()
        bank.pay_out()
        charge = shop.simulator.server.desks.find(ref)
        refs = {
            "charge": str((charge or {})["latest_charge"]),
            "dispute": bank.disputes[-1].ref,
            "payout": bank.payouts[-1].ref,
            "refund": bank.refunds[-1].ref,
        }
        subject = Subject(kind=kind, ref=refs[kind])
        return lambda: shop.provider.retrieve_subject(subject, Call())

    return prepare


_EVERYTHING = {
    "return_url": "https://shop.example/back",
    "description": "Two apples",
    "statement_descriptor": "APPLES",
    "receipt_email": "ann@shop.example",
    "metadata": FrozenMapping({"colour": "green"}),
}

SCENARIOS = (
    Scenario(
        "account", "at the first use of a client", lambda s: lambda: s.provider.account(Call())
    ),
    Scenario("create_payment", "not confirmed", _command(lambda s: s.creating(confirm=False))),
    Scenario("create_payment", "confirmed, captured at once", _command(Shop.creating)),
    Scenario("create_payment", "held, to be captured", _command(lambda s: s.creating(manual=True))),
    Scenario(
        "create_payment",
        "held, with `multicapture=True`",
        _command(lambda s: s.creating(manual=True)),
        multicapture=True,
    ),
    Scenario("create_payment", "with everything", _command(lambda s: s.creating(**_EVERYTHING))),
    Scenario("create_payment", "off-session, with a saved method", _command(_saved)),
    Scenario(
        "confirm_payment",
        "an object that exists",
        _command(lambda s: s.confirming(s.made(confirm=False), return_url="https://shop.example")),
    ),
    Scenario("confirm_payment", "nothing exists yet", _command(lambda s: s.confirming(None))),
    Scenario("capture_payment", "all", _command(lambda s: s.capturing(_held(s)))),
    Scenario(
        "capture_payment",
        "a part, the rest released",
        _command(lambda s: s.capturing(_held(s), 1_000)),
    ),
    Scenario(
        "capture_payment",
        "a part, the rest kept",
        _command(lambda s: s.capturing(_held(s), 1_000, final=False)),
        multicapture=True,
    ),
    Scenario("cancel_payment", "held or not completed", _command(lambda s: s.canceling(_held(s)))),
    Scenario("retrieve_payment", "as a rule", _read),
    Scenario("retrieve_payment", "disputed, with more than ten refunds", _read_disputed),
    Scenario(
        "create_refund",
        "with a reason that Stripe has a word for",
        _command(lambda s: s.refunding(s.made(), reason=RefundReason.DUPLICATE)),
    ),
    Scenario("create_refund", "a part", _command(lambda s: s.refunding(s.made(), 500))),
    Scenario("retrieve_refund", "always", _read_refund),
    Scenario("find", "a payment, among the newest 300", _find(Shop.creating)),
    Scenario("find", "a payment, by search after those", _search),
    Scenario("find", "a confirmation", _find(lambda s: s.confirming(s.made(confirm=False)))),
    Scenario("find", "a capture", _find(lambda s: s.capturing(_held(s)))),
    Scenario("find", "a cancellation", _find(lambda s: s.canceling(_held(s)))),
    Scenario("find", "a refund", _find(lambda s: s.refunding(s.made()))),
    Scenario("list_payments", "a page", _list),
    Scenario("list_refunds", "a page", _list_refunds),
    Scenario("list_events", "a page", _events),
    Scenario("retrieve_subject", "a charge", _subject("charge")),
    Scenario("retrieve_subject", "a dispute", _subject("dispute")),
    Scenario("retrieve_subject", "a payout", _subject("payout")),
    Scenario("retrieve_subject", "a refund", _subject("refund")),
)
