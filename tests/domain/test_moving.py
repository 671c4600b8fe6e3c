"""A payment at another provider than before: what was told of either finds it."""

from datetime import UTC, datetime

from payport import Money
from payport.domain.facts import AttemptFact, AttemptStatus
from payport.domain.identifiers import Environment
from payport.domain.payment_intent import Home, PaymentIntent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICE = Money(100, "USD")


def attempt(ref):
    return AttemptFact(ref=ref, status=AttemptStatus.CANCELED, authorized=PRICE * 0, at=NOW)


def intent(*attempts):
    return PaymentIntent(
        id="pay_1",
        reference="order_1",
        scope="shop",
        environment=Environment.TEST,
        provider="first",
        account="acct_1",
        amount=PRICE,
        attempts=attempts,
        created_at=NOW,
    )


def test_what_was_told_before_stays_with_who_told_it():
    moved = intent(attempt("a_1")).moved("second", "acct_2")
    moved = moved.evolve(attempts=(*moved.attempts, attempt("b_1"))).moved("third", "acct_3")
    assert (moved.provider, moved.account) == ("third", "acct_3")
    assert moved.left == (
        Home(provider="first", account="acct_1", refs=("a_1",)),
        Home(provider="second", account="acct_2", refs=("b_1",)),
    )
    assert moved.home_of("a_1") == ("first", "acct_1")
    assert moved.home_of("b_1") == ("second", "acct_2")
    assert moved.home_of("c_1") == ("third", "acct_3")


def test_it_is_known_where_it_is_and_where_it_was():
    moved = intent(attempt("a_1")).moved("second", "acct_2")
    assert moved.is_known_at("first", "acct_1")
    assert moved.is_known_at("second", "acct_2")
    assert not moved.is_known_at("second", "acct_1")


def test_of_a_provider_that_holds_nothing_nothing_is_kept():
    assert intent().moved("second", "acct_2").left == ()
    ended_here = attempt("pay_1")  # by its own id: the provider never heard of it
    assert intent(ended_here).moved("second", "acct_2").left == ()


def test_it_may_come_back():
    back = intent(attempt("a_1")).moved("second", "acct_2").moved("first", "acct_1")
    assert (back.provider, back.home_of("a_1")) == ("first", ("first", "acct_1"))
