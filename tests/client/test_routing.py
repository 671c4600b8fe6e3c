"""Which provider a payment goes to, and that it is decided once."""

import contextlib

import pytest
from routed import ALL, FIRST, POOR, SECOND, each_place
from shops import PRICE, VISA, usd

from payport import Money, UnsupportedOperation
from payport.domain.errors import (
    CircuitOpen,
    ConfigurationError,
    IdempotencyConflict,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    OutcomeUnknown,
    PayportError,
    ProviderUnavailable,
)
from payport.providers.routing import Asked, Rule
from payport.providers.spec import Capability
from payport.testing import (
    Conflict,
    ConnectionRefused,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    TimedOut,
    Unavailable,
    adyen_like,
    stripe_like,
)

BY_TERMS = [
    Rule("second", currencies={"EUR"}),
    Rule("second", countries={"NL"}),
    Rule("second", methods={"ideal"}),
    Rule("second", at_least=usd(100_000), name="big orders"),
    Rule("second", when=lambda asked: asked.metadata.get("risk") == "high"),
    Rule("first"),
]


#: One request that finds nobody, as often as the policy tries it.
REFUSED = [ConnectionRefused()] * 4


# -- decisions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "name", "reason"),
    [
        ({}, "first", "first: rule 6 (every payment)"),
        ({"amount": Money(500, "EUR")}, "second", "second: rule 1 (EUR)"),
        ({"country": "NL"}, "second", "second: rule 2 (NL)"),
        ({"country": "DE"}, "first", "first: rule 6 (every payment)"),
        ({"payment_method_type": "ideal"}, "second", "second: rule 3 (ideal)"),
        ({"amount": usd(100_000)}, "second", "second: rule 4 (big orders)"),
        ({"amount": usd(99_999)}, "first", "first: rule 6 (every payment)"),
        ({"metadata": {"risk": "high"}}, "second", "second: rule 5 (its condition)"),
    ],
)
def test_a_rule_decides_and_the_reason_is_kept(routed, terms, name, reason):
    pay = routed.process(BY_TERMS)
    paid = routed.buy(pay, **terms)
    assert paid.provider == name
    assert list(routed.charged()) == [name]
    assert routed.row(pay).route == reason


@each_place(*ALL)
def test_a_decision_is_replayed_whatever_the_rules_say_by_then(routed):
    first = routed.process(FIRST)
    held = routed.buy(first, capture_method="manual")
    assert held.provider == "first"
    second = routed.process(SECOND)
    again = routed.buy(second, capture_method="manual")
    assert (again.provider, again.status) == ("first", "requires_capture")
    captured = second.payments.capture(again.id)
    refund = second.refunds.create(payment=captured.id, reference="return_1", amount=usd(1000))
    assert refund.status == "succeeded"
    assert second.payments.refresh(held.id).refunded == usd(1000)
    assert routed.charged() == {"first": PRICE.minor}
    assert routed.requests("second") == 0
    assert {row.provider for row in second.operations.list()} == {"first"}


def test_what_was_prepared_and_never_sent_is_replayed_too(routed):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("create_payment", *REFUSED)
    pay.router.providers["second"].next("create_payment", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        routed.buy(pay)
    assert routed.row(pay).provider == "second", "the last one that was tried"
    paid = routed.buy(routed.process(FIRST))
    assert (paid.provider, list(routed.charged())) == ("second", ["second"])


@pytest.mark.parametrize("reference", ["order_1", "order_2", "order_77", "order_12345"])
def test_a_share_is_decided_by_the_reference_in_every_process(routed, reference):
    shares = [Rule({"first": 50, "second": 50})]
    asked = {"capture_method": "manual", "reference": reference}
    held = routed.buy(routed.process(shares), **asked)
    decided = routed.router(shares).decide(Asked(reference=reference, amount=PRICE))
    assert held.provider == decided[0].name
    turned = [Rule({"second": 99, "first": 1})]
    assert routed.buy(routed.process(turned), **asked).provider == held.provider


def test_other_arguments_are_a_conflict_whatever_the_route(routed):
    routed.buy(routed.process(FIRST))
    with pytest.raises(IdempotencyConflict):
        routed.buy(routed.process(SECOND), amount=usd(1))
    assert routed.charged() == {"first": PRICE.minor}


def test_a_hint_decides_and_is_no_part_of_what_was_asked(routed):
    pay = routed.process([Rule("second", countries={"NL"}), Rule("first")])
    paid = routed.buy(pay, country="NL")
    assert paid.provider == "second"
    assert routed.buy(pay, country="DE").id == paid.id
    assert routed.buy(pay).provider == "second"


def test_a_local_payment_is_decided_when_it_is_created(routed):
    made = routed.process(SECOND).payments.create(
        reference="order_1", amount=PRICE, payment_method=VISA
    )
    assert made.provider == "second"
    paid = routed.process(FIRST).payments.confirm(made.id)
    assert (paid.provider, list(routed.charged())) == ("second", ["second"])


# -- failover -------------------------------------------------------------------------------------


@each_place(*ALL)
def test_a_refused_connection_goes_to_the_next_provider_at_once(routed):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("create_payment", ConnectionRefused())
    before = routed.clock.monotonic()
    paid = routed.buy(pay)
    assert paid.provider == "second"
    assert routed.charged() == {"second": PRICE.minor}
    assert routed.clock.monotonic() == before, "nobody waited for a provider that is not there"
    row = routed.row(pay)
    assert (row.provider, row.sends, row.state) == ("second", 1, "confirmed")
    assert row.route == (
        "first: rule 1 (every payment); then second: nothing was sent to first (the connection was "
        "refused); rule 1 (every payment)"
    )
    assert len(list(pay.operations.list())) == 1
    assert [bool(bank.effects(row.key)) for bank in routed.banks.values()] == [False, True]


def test_an_open_breaker_goes_to_the_next_provider(routed):
    pay = routed.process(FIRST)
    routed.buy(pay, "order_0")
    pay.breakers["first"].open()
    paid = routed.buy(pay)
    assert paid.provider == "second"
    assert "its breaker is open" in routed.row(pay).route
    assert routed.charged() == {"second": PRICE.minor}


def test_a_provider_that_cannot_tell_its_account_for_want_of_a_connection_is_passed_over(routed):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("account", ConnectionRefused())
    paid = routed.buy(pay)
    assert paid.provider == "second"
    assert routed.row(pay).route.startswith("second: nothing was sent to first (")


def test_a_provider_that_lacks_a_capability_is_passed_over(routed):
    routed.add("third", stripe_like(), lacks=frozenset({Capability.MANUAL_CAPTURE}))
    pay = routed.process([Rule(["third", "first"])], names=("third", "first"))
    held = routed.buy(pay, capture_method="manual")
    assert held.provider == "first"
    assert "not third, which cannot: third cannot do this" in routed.row(pay).route
    assert routed.requests("third") == 0


def test_what_no_provider_can_is_refused_before_any_request(routed):
    routed.add(
        "third", adyen_like(), lacks=frozenset({*adyen_like().lacks, Capability.OFF_SESSION})
    )
    pay = routed.process([Rule("third")], names=("third", "first"))
    with pytest.raises(UnsupportedOperation, match="third cannot do this: it lacks off_session"):
        routed.buy(pay, off_session=True)
    assert not list(pay.operations.list())


STAYS = {
    "lost request": LostRequest(),
    "lost response": LostResponse(),
    "time-out": TimedOut(effect=True),
    "time-out without effect": TimedOut(effect=False),
    "409": Conflict(),
    "429": RateLimited(),
    "503": Unavailable(),
    "500": ServerError(effect=True),
    "500 without effect": ServerError(effect=False),
}


@pytest.mark.parametrize("fault", STAYS.values(), ids=STAYS)
def test_whatever_was_sent_stays(routed, fault):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("create_payment", fault, *REFUSED * 5)
    pay.router.providers["first"].next("find", *REFUSED * 5)
    with pytest.raises(PayportError):
        routed.buy(pay)
    assert routed.requests("second") == 0
    assert routed.row(pay).provider == "first"
    # Nor does another process move it, though its own request finds nobody either.
    other = routed.process(SECOND)
    other.router.providers["first"].next("create_payment", *REFUSED * 5)
    other.router.providers["first"].next("find", *REFUSED * 5)
    with pytest.raises(PayportError):
        routed.buy(other)
    with contextlib.suppress(OutcomeUnknown):  # a 500 that is remembered is never explained
        assert routed.buy(routed.process(SECOND)).provider == "first"
    assert routed.requests("second") == 0
    assert set(routed.charged()) <= {"first"}


def test_a_decline_stays(routed):
    pay = routed.process(FIRST)
    assert routed.buy(pay, payment_method=POOR).decline is not None
    assert routed.requests("second") == 0


def test_a_request_that_the_provider_refuses_stays(routed):
    pay = routed.process(FIRST)
    with pytest.raises(InvalidRequest):
        routed.buy(pay, payment_method="pm_nobody_issued")
    assert routed.requests("second") == 0


def test_our_own_rate_limit_is_waited_for_and_moves_nothing(routed):
    pay = routed.process(FIRST, rate_limit=1)
    assert {routed.buy(pay, f"order_{n}").provider for n in range(4)} == {"first"}


def test_the_last_provider_is_tried_as_often_as_the_policy_says(routed):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("create_payment", ConnectionRefused())
    pay.router.providers["second"].next("create_payment", *[ConnectionRefused()] * 2)
    assert routed.buy(pay).provider == "second"
    assert routed.clock.monotonic() >= 2  # one second, then two


def test_where_nobody_can_be_reached_the_last_ones_fault_is_told(routed):
    pay = routed.process(FIRST)
    routed.buy(pay, "order_0")
    for breaker in pay.breakers.values():
        breaker.open()
    with pytest.raises(CircuitOpen) as told:
        routed.buy(pay)
    assert told.value.provider == "second"
    assert not told.value.money_may_have_moved


def test_a_long_history_of_routes_stays_short(routed):
    pay = routed.process(FIRST)
    routed.buy(pay, "order_0")
    routed.buy(pay, "order_00", payment_method=VISA, amount=Money(1, "USD"))
    for breaker in pay.breakers.values():
        breaker.open()
    for _ in range(30):
        with pytest.raises(CircuitOpen):
            routed.buy(pay)
    assert len(routed.row(pay).route) <= 1000


# -- what stays with its provider -----------------------------------------------------------------


def test_an_object_that_exists_is_confirmed_where_it_is(routed):
    made = routed.process(FIRST).payments.create(
        reference="order_1", amount=PRICE, payment_method=VISA
    )
    other = routed.process(SECOND)
    other.router.providers["first"].next("confirm_payment", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        other.payments.confirm(made.id)
    assert routed.requests("second") == 0
    assert other.payments.confirm(made.id).provider == "first"


@pytest.mark.parametrize("call", ["capture", "cancel"])
def test_held_money_is_dealt_with_where_it_is_held(routed, call):
    pay = routed.process(FIRST)
    held = routed.buy(pay, capture_method="manual")
    other = routed.process(SECOND)
    other.router.providers["first"].next(f"{call}_payment", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        getattr(other.payments, call)(held.id)
    assert routed.requests("second") == 0
    assert getattr(other.payments, call)(held.id).provider == "first"


def test_a_refund_is_given_by_whoever_took_the_money(routed):
    paid = routed.buy(routed.process(FIRST))
    other = routed.process(SECOND)
    other.router.providers["first"].next("create_refund", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        other.refunds.create(payment=paid.id, reference="return_1")
    assert other.refunds.create(payment=paid.id, reference="return_1").status == "succeeded"
    assert routed.requests("second") == 0


# -- further attempts -----------------------------------------------------------------------------

MOVES = [Rule("second", from_attempt=2), Rule("first")]
BACK = [Rule("first", from_attempt=2), Rule("second")]


def second_attempt(routed, pay, **more):
    return routed.buy(pay, attempt=2, **more)


def test_a_second_attempt_stays_unless_a_rule_says_otherwise(routed):
    routed.buy(routed.process(FIRST), payment_method=POOR)
    paid = second_attempt(routed, routed.process(SECOND))
    assert (paid.provider, routed.charged()) == ("first", {"first": PRICE.minor})


@each_place(*ALL)
def test_a_second_attempt_moves_once_the_first_ones_object_is_voided(routed):
    pay = routed.process(MOVES)
    declined = routed.buy(pay, payment_method=POOR)
    paid = second_attempt(routed, pay)
    assert (paid.provider, paid.id) == ("second", declined.id)
    assert routed.charged() == {"second": PRICE.minor}
    (object_before,) = routed.banks["first"].payments
    assert object_before.state == "voided"
    routed.deliver(pay, "first")
    routed.deliver(pay, "second")
    now = pay.payments.get(paid.id)
    assert (now.status, now.captured, now.provider) == ("succeeded", PRICE, "second")
    assert [home.provider for home in now.left] == ["first"]
    refund = pay.refunds.create(payment=paid.id, reference="return_1")
    routed.deliver(pay, "second")
    assert pay.refunds.get(refund.id).status == "succeeded"
    assert routed.banks["first"].refunds == ()
    told = {(e.kind, e.provider) for e in routed.transact(lambda tx: tx.events(paid.id))}
    assert {("payment_canceled", "first"), ("payment_succeeded", "second")} <= told
    assert pay.webhooks.stats().deliveries["quarantined"] == 0
    assert pay.webhooks.stats().deliveries["foreign"] == 0


@each_place(*ALL)
def test_a_second_attempt_by_confirm_goes_by_what_is_said_with_it(routed):
    """What the first attempt said of country and method is not kept: each says its own."""
    dutch = [Rule("second", from_attempt=2, countries={"NL"}, methods={"ideal"}), Rule("first")]
    pay = routed.process(dutch)
    said = {"country": "NL", "payment_method_type": "ideal"}
    for reference in ("order_1", "order_2"):
        routed.buy(pay, reference, payment_method=POOR, **said)
    ids = [pay.payments.get(reference=reference).id for reference in ("order_1", "order_2")]
    moved = pay.payments.confirm(ids[0], payment_method=VISA, attempt=2, **said)
    stayed = pay.payments.confirm(ids[1], payment_method=VISA, attempt=2)
    assert (moved.provider, stayed.provider) == ("second", "first")
    assert routed.charged("order_1") == {"second": PRICE.minor}
    assert routed.charged("order_2") == {"first": PRICE.minor}
    # The decision is committed with the attempt: other rules, and other words, change nothing.
    other = routed.process(FIRST)
    again = other.payments.confirm(ids[0], payment_method=VISA, attempt=2, country="DE")
    assert (again.provider, again.status) == ("second", moved.status)
    route = next(r.route for r in other.operations.list(payment=ids[0]) if r.attempt == 2)
    assert route == "second: rule 1 (NL, ideal, from attempt 2)"
    assert routed.charged("order_1") == {"second": PRICE.minor}
    with pytest.raises(InvalidRequest, match="country"):
        pay.payments.confirm(ids[1], attempt=3, country="Netherlands")


def test_a_second_attempt_moves_from_where_a_decline_ends_the_object(routed):
    pay = routed.process(BACK)
    routed.buy(pay, payment_method=POOR)
    paid = second_attempt(routed, pay)
    assert (paid.provider, paid.status) == ("first", "succeeded")
    assert routed.charged() == {"first": PRICE.minor}
    assert len(list(pay.operations.list())) == 2, "nothing had to be ended"


def test_a_second_attempt_stays_while_the_first_ones_object_cannot_be_ended(routed):
    pay = routed.process(MOVES)
    routed.buy(pay, payment_method=POOR)
    pay.router.providers["first"].next("cancel_payment", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        second_attempt(routed, pay)
    assert routed.requests("second") == 0
    assert second_attempt(routed, pay).provider == "second"


def test_a_second_attempt_stays_while_the_end_of_the_first_object_is_unknown(routed):
    pay = routed.process(MOVES)
    routed.buy(pay, payment_method=POOR)
    first = pay.router.providers["first"]
    for operation in ("cancel_payment", "retrieve_payment", "find"):
        first.next(operation, *[LostResponse()] * 20)
    with pytest.raises(OutcomeUnknown):
        second_attempt(routed, pay)
    with pytest.raises((OutcomeUnknown, InvalidTransition)):
        second_attempt(routed, pay)
    assert routed.requests("second") == 0


def test_a_second_attempt_leaves_a_provider_that_cannot_be_reached_if_nothing_is_left_there(routed):
    pay = routed.process(SECOND)
    routed.buy(pay, payment_method=POOR)
    pay.breakers["second"].open()
    paid = second_attempt(routed, pay)
    assert (paid.provider, paid.status) == ("first", "succeeded")
    assert "its breaker is open" in routed.row(pay, "confirm_payment").route


def test_a_second_attempt_does_not_leave_an_object_that_could_still_be_charged(routed):
    pay = routed.process(FIRST)
    routed.buy(pay, payment_method=POOR)
    pay.breakers["first"].open()
    with pytest.raises(CircuitOpen):
        second_attempt(routed, pay)
    assert routed.requests("second") == 0


def test_a_moved_attempt_is_replayed_where_it_is(routed):
    pay = routed.process(MOVES)
    routed.buy(pay, payment_method=POOR)
    paid = second_attempt(routed, pay)
    again = second_attempt(routed, routed.process(FIRST))
    assert (again.id, again.provider) == (paid.id, "second")
    assert routed.charged() == {"second": PRICE.minor}


def test_a_refresh_asks_each_attempts_own_provider(routed):
    pay = routed.process([Rule("first", from_attempt=3), Rule("second", from_attempt=2), *FIRST])
    routed.buy(pay, payment_method=POOR)
    second_attempt(routed, pay, payment_method=POOR)
    paid = routed.buy(pay, attempt=3)
    assert (paid.provider, paid.status) == ("first", "succeeded")
    assert [home.provider for home in paid.left] == ["first", "second"]
    with pytest.raises(UnsupportedOperation, match="second cannot"):
        pay.payments.refresh(paid.id)


# -- saved methods --------------------------------------------------------------------------------


@pytest.fixture
def owning(routed):
    """Two processors whose tokens tell whose they are."""
    routed.add("first", stripe_like(), token_prefixes=("pm_first_", "cus_first_"))
    routed.add("second", stripe_like(), token_prefixes=("pm_second_", "cus_second_"))
    return routed


def test_a_saved_method_stays_with_its_provider_whatever_the_rules_say(owning):
    router = owning.router(FIRST)
    asked = Asked(reference="order_1", amount=PRICE, tokens=("pm_second_1",))
    (only,) = router.decide(asked)
    assert only.name == "second"
    other = owning.router([Rule("first", currencies={"USD"}), Rule(["first", "second"])])
    assert [one.name for one in other.decide(asked)] == ["second"]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"payment_method": "pm_first_1", "customer": "cus_second_1"}, "saved at one provider"),
        ({"payment_method": "pm_second_1"}, "second, which takes no new payments"),
    ],
)
def test_a_method_of_the_wrong_provider_is_refused_before_any_request(owning, terms, why):
    pay = owning.process([Rule("first")])
    with pytest.raises(InvalidRequest, match=why) as refused:
        owning.buy(pay, **terms)
    assert refused.value.field == "payment_method"
    assert "Nothing was sent" in str(refused.value)
    assert (owning.requests("first"), owning.requests("second")) == (0, 0)
    assert not list(pay.operations.list())


def test_a_method_saved_elsewhere_cannot_confirm_a_payment_that_is_here(owning):
    pay = owning.process(FIRST)
    made = pay.payments.create(reference="order_1", amount=PRICE)
    with pytest.raises(InvalidRequest, match="the payment is at first, where it stays"):
        pay.payments.confirm(made.id, payment_method="pm_second_1")
    assert owning.requests("second") == 0


# -- several processes ----------------------------------------------------------------------------


def refused_at_first(routed):
    """The row of a payment of which nothing was ever sent, at the first provider."""
    pay = routed.process([Rule("first")])
    pay.router.providers["first"].next("create_payment", *REFUSED)
    with pytest.raises(ProviderUnavailable):
        routed.buy(pay)


@each_place(*(kind for kind in ALL if kind.colour == "sync"))
def test_a_row_that_others_moved_meanwhile_is_found_where_it_is(routed):
    refused_at_first(routed)
    other = routed.process(FIRST)
    other.breakers["first"].open()
    other.router.providers["second"].next("create_payment", *[LostResponse()] * 4)
    begun = []

    def meanwhile(asked):
        if not begun:
            begun.append(asked)
            with pytest.raises(OutcomeUnknown):
                routed.buy(other)
        return False

    pay = routed.process([Rule("second", when=meanwhile), Rule(["first", "second"])])
    paid = routed.buy(pay)
    assert begun
    assert paid.provider == "second"
    assert routed.row(pay).state == "confirmed"
    assert routed.charged() == {"second": PRICE.minor}
    assert routed.requests("first") == 0


@each_place(*(kind for kind in ALL if kind.colour == "sync"))
def test_a_row_that_others_sent_meanwhile_is_not_moved(routed):
    refused_at_first(routed)
    other = routed.process(FIRST)
    begun = []

    def meanwhile(asked):
        if not begun:
            begun.append(asked)
            routed.buy(other)
        return False

    pay = routed.process([Rule("second", when=meanwhile), Rule(["first", "second"])])
    pay.breakers["first"].open()
    paid = routed.buy(pay)
    assert begun
    assert (paid.provider, routed.charged()) == ("first", {"first": PRICE.minor})
    assert routed.requests("second") == 0


def test_what_is_each_providers_own_is_not_asked_of_all(routed):
    session = routed.process(FIRST)._session
    for ask in (lambda: session.gate, lambda: session.known_account):
        with pytest.raises(ConfigurationError, match="each provider has its own"):
            ask()
    with pytest.raises(InvalidRequest, match="name the provider"):
        session.webhooks("webhooks.receive")


def test_a_refund_of_no_payment_is_refused_as_ever(routed):
    nobody = f"pay_{'a' * 26}"
    with pytest.raises(NotFound):
        routed.process(FIRST).refunds.create(payment=nobody, reference="return_1")


# -- one client for one provider ------------------------------------------------------------------


def test_a_client_without_the_payments_provider_touches_nothing_of_it(routed):
    paid = routed.buy(routed.process(FIRST))
    only = routed.client(routed.provider("second"))
    with pytest.raises(ConfigurationError, match="the payment is at first"):
        only.refunds.create(payment=paid.id, reference="return_1")
    with pytest.raises(ConfigurationError, match="the payment is at first"):
        only.payments.cancel(paid.id)
