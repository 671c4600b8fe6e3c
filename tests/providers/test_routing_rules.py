"""Rules and routers: what they decide, and what cannot be meant is refused at once."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payport import AsyncPayport, Money, Payport
from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Environment
from payport.providers.routing import Asked, AsyncRouter, Router, Rule
from payport.providers.routing.rules import bucket_of
from payport.providers.spec import Capability
from payport.testing import AsyncFakeProvider, FakeProvider, adyen_like, keyless, stripe_like

PRICE = Money(5000, "USD")


def fake(name, behaviour=None, **more):
    return FakeProvider(behaviour=replace(behaviour or stripe_like(), provider=name, **more))


A, B, C = fake("a"), fake("b"), fake("c")


def asked(**more):
    return Asked(**{"reference": "order_1", "amount": PRICE, **more})


def names(router, **more):
    return [candidate.name for candidate in router.decide(asked(**more))]


# -- shares ---------------------------------------------------------------------------------------

#: Frozen: another bucket would send payments elsewhere after an upgrade.
GOLDEN = {
    "order_1": 33,
    "order_2": 76,
    "order_12345": 70,
    "ORDER-12345": 77,
    "ünïcode": 85,
    "7": 33,
}


@pytest.mark.parametrize(("reference", "bucket"), GOLDEN.items())
def test_a_reference_lies_in_the_same_bucket_in_every_process_and_version(reference, bucket):
    assert bucket_of(reference) == bucket


def test_shares_come_out_as_they_are_written():
    router = Router([A, B, C], [Rule({"a": 70, "b": 20, "c": 10})])
    first = [names(router, reference=f"order_{n}")[0] for n in range(10_000)]
    for name, share in (("a", 7000), ("b", 2000), ("c", 1000)):
        assert abs(first.count(name) - share) < 200


@given(st.text(min_size=1, max_size=40), st.integers(1, 98))
def test_who_gets_a_share_keeps_it_when_the_share_grows(reference, share):
    small = Rule({"a": 100 - share, "b": share})
    large = Rule({"a": 99 - share, "b": share + 1})
    one = asked(reference=reference)
    if small.candidates(one, 1)[0].name == "b":
        assert large.candidates(one, 1)[0].name == "b"


def test_the_reason_of_a_share_says_where_the_payment_lies():
    router = Router([A, B], [Rule({"a": 50, "b": 50}, name="trial")])
    (first, other) = router.decide(asked())
    assert first.reason == f"rule 1 (trial), share: {bucket_of('order_1')} of 100"
    assert {first.name, other.name} == {"a", "b"}


# -- order ----------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_decides_and_the_others_follow():
    rules = [Rule("c", currencies={"EUR"}), Rule(["b", "a"], countries={"NL"}), Rule("a")]
    router = Router([A, B, C], rules)
    assert names(router) == ["a"]
    assert names(router, country="NL") == ["b", "a"]
    assert names(router, amount=Money(1, "EUR"), country="NL") == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule("a", currencies={"USD"}), {}),
        (Rule("a", countries={"NL"}), {"country": "NL"}),
        (Rule("a", methods={"ideal"}), {"method": "ideal"}),
        (Rule("a", at_least=PRICE), {}),
        (Rule("a", at_most=PRICE), {}),
        (Rule("a", at_least=Money(1, "USD"), at_most=Money(9000, "USD")), {}),
        (Rule("a", when=lambda one: one.metadata["x"] == "y"), {"metadata": {"x": "y"}}),
    ],
)
def test_a_condition_holds(rule, told):
    if "metadata" in told:
        told = {"metadata": FrozenMapping(told["metadata"])}
    assert rule.matches(asked(**told))


@pytest.mark.parametrize(
    "rule",
    [
        Rule("a", currencies={"EUR"}),
        Rule("a", countries={"NL"}),
        Rule("a", methods={"ideal"}),
        Rule("a", at_least=Money(5001, "USD")),
        Rule("a", at_most=Money(4999, "USD")),
        Rule("a", at_least=Money(1, "EUR")),
        Rule("a", at_most=Money(900_000, "EUR")),
        Rule("a", when=lambda one: False),
        Rule("a", currencies={"USD"}, countries={"NL"}),
    ],
)
def test_a_condition_that_does_not_hold_or_is_not_told_of_is_no_match(rule):
    assert not rule.matches(asked())


def test_a_further_attempt_is_decided_by_rules_for_further_attempts_alone():
    router = Router([A, B, C], [Rule("c", from_attempt=3), Rule("b", from_attempt=2), Rule("a")])
    assert names(router) == ["a"]
    assert names(router, attempt=2) == ["b"]
    assert names(router, attempt=3) == ["c", "b"]
    assert [one.name for one in router.others(asked(attempt=3))] == ["a"]


def test_a_condition_that_fails_is_told_of():
    router = Router([A], [Rule("a", when=lambda one: one.metadata["missing"]), Rule("a")])
    with pytest.raises(ConfigurationError, match="`when` of a rule failed: KeyError"):
        router.decide(asked())


# -- tokens ---------------------------------------------------------------------------------------

MINE = [fake("a", token_prefixes=("pm_a_", "cus_a_")), fake("b", token_prefixes=("pm_b_",)), C]


def test_a_token_is_only_for_the_providers_that_it_may_be_of():
    router = Router(MINE, [Rule(["a", "b", "c"])])
    assert names(router, tokens=("pm_b_1",)) == ["b"]
    assert names(router, tokens=("pm_a_1", "cus_a_1")) == ["a"]
    assert names(router, tokens=("pm_of_nobody",)) == ["a", "b", "c"]


def test_tokens_of_two_providers_do_not_go_together():
    router = Router(MINE, [Rule(["a", "b"])])
    with pytest.raises(InvalidRequest, match="saved at one provider and the customer at another"):
        router.decide(asked(tokens=("pm_b_1", "cus_a_1")))


def test_a_token_of_a_provider_without_rules_pays_nothing_new():
    router = Router(MINE, [Rule("c")])
    with pytest.raises(InvalidRequest, match="saved at b, which takes no new payments"):
        router.decide(asked(tokens=("pm_b_1",)))


# -- what cannot be meant -------------------------------------------------------------------------

LIVE = FakeProvider(name="live", environment=Environment.LIVE)
NO_YEN = fake("no_yen", currencies=frozenset({"USD", "EUR"}))
ROUTER = Router([A], [Rule("a")])

BAD_RULES = [
    (lambda: Rule([]), "name a provider"),
    (lambda: Rule(""), "name a provider"),
    (lambda: Rule(["a", "a"]), "names a provider twice"),
    (lambda: Rule({"a": 90, "b": 20}), "the shares are 110 percent together, and have to be 100"),
    (lambda: Rule({"a": 50}), "the shares are 50 percent"),
    (lambda: Rule({"a": 100, "b": 0}), "the share of b is 0"),
    (lambda: Rule({"a": 110, "b": -10}), "the share of b is -10"),
    (lambda: Rule({"a": 99.5, "b": 0.5}), "the share of a is 99.5"),
    (lambda: Rule({"a": True, "b": 99}), "the share of a is True"),
    (lambda: Rule({}), "the shares are 0 percent"),
    (lambda: Rule("a", currencies="EUR"), "a set of words"),
    (lambda: Rule("a", currencies={"EURO"}), "'EURO' is no currency of ISO 4217"),
    (lambda: Rule("a", countries={"nl"}), "'nl' is none: each is two upper-case letters"),
    (lambda: Rule("a", methods={"Card"}), "'Card' is none: each is a lower-case word"),
    (lambda: Rule("a", at_least=5000), "must be Money"),
    (lambda: Rule("a", at_least=PRICE, at_most=Money(1, "USD")), "no amount lies between"),
    (lambda: Rule("a", at_least=PRICE, at_most=Money(9000, "EUR")), "no amount lies between"),
    (lambda: Rule("a", from_attempt=0), "attempts are counted from 1"),
    (lambda: Rule("a", from_attempt=True), "attempts are counted from 1"),
]
BAD_ROUTERS = [
    (lambda: Router([], [Rule("a")]), "there is none"),
    (lambda: Router([A, fake("a")], [Rule("a")]), "two providers are named a"),
    (lambda: Router([A, A], [Rule("a")]), "two providers are named a"),
    (lambda: Router([A, LIVE], [Rule("a")]), "test and live are mixed"),
    (lambda: Router([A, AsyncFakeProvider(name="b")], [Rule("a")]), "is awaited and Router does"),
    (lambda: AsyncRouter([A], [Rule("a")]), "blocks and AsyncRouter does not: use Router"),
    (lambda: Router([A, ROUTER], [Rule("a")]), "a router stands in another one"),
    (lambda: Router([A, object()], [Rule("a")]), "object is not a payment provider"),
    (lambda: Router([A], []), "end with a last resort"),
    (lambda: Router([A], [Rule("a", currencies={"EUR"})]), "end with a last resort"),
    (lambda: Router([A], [Rule("a"), Rule("a", from_attempt=2)]), "end with a last resort"),
    (lambda: Router([A], [Rule("b")]), "rule 1 names b, which is not among the providers: a"),
    (lambda: Router([A], [Rule({"a": 50, "z": 50})]), "rule 1 names z"),
    (lambda: Router([A], ["a"]), "rule 1 is a str, and no Rule"),
    (
        lambda: Router([NO_YEN], [Rule("no_yen", currencies={"JPY"}), Rule("no_yen")]),
        "rule 1 sends JPY to no_yen, which does not take it",
    ),
    (
        lambda: Router([NO_YEN], [Rule("no_yen", at_least=Money(1, "JPY")), Rule("no_yen")]),
        "rule 1 sends JPY",
    ),
    (lambda: Router([A], [Rule("a")], finish_only={"z"}), "z is not among the providers"),
    (lambda: Router([A], [Rule("a")], finish_only="a"), "must be a set of names"),
    (
        lambda: Router([A, B], [Rule("a")], finish_only={"a"}),
        "a only finishes what it began, and rule 1 sends it more",
    ),
]


@pytest.mark.parametrize(
    ("make", "why"), [*BAD_RULES, *BAD_ROUTERS], ids=lambda case: str(case)[:50]
)
def test_what_cannot_be_meant_is_refused_when_it_is_written_down(make, why):
    with pytest.raises(ConfigurationError, match=why) as refused:
        make()
    assert refused.value.operation in {"Rule", "Router"}
    assert refused.value.field


def test_a_router_of_the_wrong_colour_is_refused_by_the_client():
    with pytest.raises(ConfigurationError, match="use Payport"):
        AsyncPayport(ROUTER, scope="shop", store="memory")
    awaited = AsyncRouter([AsyncFakeProvider(name="a")], [Rule("a")])
    with pytest.raises(ConfigurationError, match="use AsyncPayport"):
        Payport(awaited, scope="shop", store="memory")


# -- in a provider's place ------------------------------------------------------------------------


def test_it_declares_what_some_provider_can():
    router = Router(
        [fake("a", adyen_like()), fake("b", lacks=frozenset({Capability.MULTIPLE_CAPTURES}))],
        [Rule("a")],
    )
    assert router.spec.has(Capability.RETRIEVE_PAYMENT)
    assert router.spec.has(Capability.MULTIPLE_CAPTURES)
    assert router.spec.fake
    assert router.spec.idempotency.life == stripe_like().idempotency.life
    assert router.environment is Environment.TEST


def test_it_promises_no_keys_and_no_currencies_that_one_of_them_lacks():
    with_keys = Router([A, fake("b", keyless())], [Rule("a")])
    assert not with_keys.spec.idempotency.has_keys
    assert Router([A, NO_YEN], [Rule("a")]).spec.currencies is None
    assert Router([NO_YEN], [Rule("no_yen")]).spec.currencies == {"USD", "EUR"}


def test_whoever_no_rule_names_only_finishes():
    assert Router([A, B, C], [Rule("b")]).finish_only == ("a", "c")
    assert Router([A, B], [Rule("b")], finish_only={"a"}).finish_only == ("a",)


def test_it_tells_no_secret_and_is_not_pickled():
    assert repr(Router([A, B], [Rule("a")])) == "<Router of a, b: 1 rules>"
    with pytest.raises(ConfigurationError, match="cannot be pickled"):
        pickle.dumps(ROUTER)


def test_closing_closes_every_provider_though_one_fails():
    closed = []

    class Closing(FakeProvider):
        def close(self):
            closed.append(self.spec.name)
            if self.spec.name == "b":
                raise RuntimeError("it fails")

    router = Router([Closing(name="a"), Closing(name="b"), Closing(name="c")], [Rule("a")])
    with pytest.raises(RuntimeError, match="it fails"):
        router.close()
    assert sorted(closed) == ["a", "b", "c"]
