"""
However webhooks come, late, in any order, twice, or not at all until they are looked for, the shop
ends in what it would know if all had come at once and in order, and in what the bank's books say.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shops import usd
from worlds import DEBIT_TAKES, STORIES, Kind, World, chance_of

import payport.storage
from payport import InvalidTransition
from payport.storage.base import InboxState
from payport.testing.bank.records import Refused

#: Examples of one kind of world: a tenth of a second each, and more on a database.
SOME = settings.default.max_examples // 8
FEW = settings.default.max_examples // 20
_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

FACES = ["stripe_like", "adyen_like", "keyless", "stripe", "adyen"]
MEMORY = [Kind(face) for face in FACES]
OTHERS = [
    *(Kind("stripe_like", "async", "sqlite"), Kind("stripe", "async")),
    *(Kind("adyen_like", "sync", "sqlite"), Kind("stripe", "sync", "sqlite")),
    Kind("adyen", "async", "sqlite"),
]

ON_POSTGRES = [
    *(Kind("stripe", "sync", "postgres"), Kind("stripe_like", "async", "postgres")),
    *(Kind("adyen", "sync", "postgres"), Kind("adyen_like", "async", "postgres")),
]


@dataclass(frozen=True)
class Plan:
    """
    What happens, and how it is told.

    Attributes:
        stories: One for each payment.
        moves: Which payment's next step is taken, or what the postman or the shop does meanwhile.
        seed: Of the postman's orders.
        lost: Which share of what is left at the end never comes.
        found: How the shop looks for it then.
    """

    stories: tuple
    moves: tuple
    seed: int
    lost: float
    found: str


@st.composite
def plans(draw, kind):
    possible = [story for story in STORIES if kind.face in story.faces]
    stories = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3))
    payments = st.integers(0, len(stories) - 1)
    meanwhile = st.sampled_from(["bring", "bring", "look", "lose"])
    moves = draw(st.lists(st.tuples(meanwhile, payments) | st.tuples(st.just("step"), payments)))
    return Plan(
        stories=tuple(stories),
        moves=tuple(moves),
        seed=draw(st.integers(0, 9_999)),
        lost=draw(st.sampled_from([0.0, 0.3, 1.0])) if kind.can_be_read else 0.0,
        found=draw(st.sampled_from(["backfill", "refresh"])),
    )


class Told:
    """A world in which everything is told at once and in order."""

    def __init__(self, world, plan):
        self.world = world
        self.plan = plan
        self.references = [f"order_{number}" for number in range(len(plan.stories))]
        self._next = [0] * len(plan.stories)

    def run(self):
        for what, number in self.plan.moves:
            if what == "step":
                self.step(number)
            else:
                self.meanwhile(what, number)
        for number, story in enumerate(self.plan.stories):
            for _ in story.steps[self._next[number] :]:
                self.step(number)
        self.end()
        return self.world

    def step(self, number):
        steps = self.plan.stories[number].steps
        if self._next[number] == len(steps):
            return
        step = steps[self._next[number]]
        self._next[number] += 1
        if step.informed:
            self.inform(number)
        # Time that passes in one story passes in all: what was held may be released by then.
        with contextlib.suppress(Refused, InvalidTransition):
            step.act(self.world, self.references[number])
        self.world.clock.advance(1)
        self.after()

    def inform(self, number):
        """Let the shop know how a payment stands."""

    def meanwhile(self, what, number):
        """What the postman and the shop do between two steps."""

    def after(self):
        self.world.bring_all()

    def end(self):
        """Let it all come to its end."""
        self.world.bring_all()


class Tangled(Told):
    """The same, told as it comes."""

    def __init__(self, world, plan):
        super().__init__(world, plan)
        self._chance = chance_of(plan.seed)

    def inform(self, number):
        if self.world.kind.can_be_read:
            self._look(number)
        else:
            self.world.bring_all(self._chance)

    def meanwhile(self, what, number):
        if what == "bring":
            self.world.bring_some(self._chance)
        elif what == "look" and self.world.kind.can_be_read and self._next[number]:
            self._look(number)
        elif what == "lose":
            self.world.lose_some(self._chance, self.plan.lost)

    def _look(self, number):
        if self._next[number]:
            payment = self.world.payment(self.references[number])
            if payment.provider_ref is not None:
                self.world.pay.payments.refresh(payment.id)

    def after(self):
        pass

    def end(self):
        world = self.world
        world.lose_some(self._chance, self.plan.lost)
        world.bring_all(self._chance)
        if self.plan.lost and self.plan.found == "backfill":
            world.pay.webhooks.backfill(since=world.clock.now() - SINCE_EVER)
            world.pay.webhooks.process_due()
        elif self.plan.lost:
            for number in range(len(self.references)):
                self._look(number)
        world.pay.webhooks.process_due()


SINCE_EVER = 6 * DEBIT_TAKES


def check_same(kind, files, plan, urls=(None, None)):
    told, tangled = (World(kind, files, url) for url in urls)
    try:
        Told(told, plan).run()
        runner = Tangled(tangled, plan)
        runner.run()
        check_ends(told, tangled, runner.references)
        check_books(tangled, runner.references)
        check_told(told, tangled, runner.references)
        if not plan.lost or plan.found == "backfill":
            assert tangled.payouts() == told.payouts()
    finally:
        told.close()
        tangled.close()


def check_ends(told, tangled, references):
    """The shop knows the same of the money, and nothing is left to be done."""
    assert tangled.ends(references) == told.ends(references)
    for world in (told, tangled):
        stats = world.pay.webhooks.stats()
        for counts in (stats.deliveries, stats.runs):
            left = {state: n for state, n in counts.items() if n and state is not InboxState.DONE}
            assert left == {}


def check_books(world, references):
    """What the shop knows is what moved."""
    bank = world.bank
    for reference in references:
        payment = world.payment(reference)
        assert payment.captured == bank.charged(reference)
        assert payment.refunded == bank.refunded(reference)
        taken_back = sum(one.disputed for one in bank.payments_named(reference))
        assert payment.disputed == usd(taken_back)
        moved = payment.captured.minor - payment.refunded.minor - payment.disputed.minor
        assert bank.moved(reference) == usd(moved)


def check_told(told, tangled, references):
    """
    Each change is told once. What was undone before anybody heard of it need not be told; what
    stays is told in either world, and nothing is told that did not happen.
    """
    for world in (told, tangled):
        ids = [event.id for event in world.told]
        assert len(ids) == len(set(ids)), "an event was handled twice"
    for reference in references:
        in_order, as_it_came = told.kinds(reference), tangled.kinds(reference)
        paid = "payment_succeeded"
        assert as_it_came[paid] <= in_order[paid]
        if tangled.payment(reference).is_paid:
            assert as_it_came[paid] == in_order[paid] == 1
        for kind in ("duplicate_payment", "payment_canceled"):
            assert as_it_came[kind] == in_order[kind]


@pytest.fixture(autouse=True)
def debits_take_five_days(monkeypatch):
    monkeypatch.setattr("payport.testing.bank.payments.PROCESSING_TAKES", DEBIT_TAKES)


@pytest.mark.parametrize("kind", MEMORY, ids=str)
@settings(max_examples=SOME, suppress_health_check=_SHARED)
@given(data=st.data())
def test_however_it_is_told_the_shop_ends_where_the_bank_is(kind, files, data):
    check_same(kind, files, data.draw(plans(kind)))


@pytest.mark.parametrize("kind", OTHERS, ids=str)
@settings(max_examples=FEW, suppress_health_check=_SHARED)
@given(data=st.data())
def test_the_same_holds_in_either_colour_and_on_a_database(kind, files, data):
    check_same(kind, files, data.draw(plans(kind)))


@pytest.fixture(scope="module")
def two_databases(postgres_server):
    """The URLs of two PostgreSQL databases with payport's tables."""
    urls = []
    for name in ("told_in_order", "told_as_it_comes"):
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        urls.append(postgres_server.url(name))
        payport.storage.upgrade(urls[-1])
    return urls


@pytest.mark.parametrize("kind", ON_POSTGRES, ids=str)
@settings(max_examples=FEW, suppress_health_check=_SHARED)
@given(data=st.data())
def test_the_same_holds_on_postgresql(kind, two_databases, data):
    check_same(kind, None, data.draw(plans(kind)), two_databases)


@pytest.mark.parametrize("kind", [kind for kind in MEMORY if kind.face != "keyless"], ids=str)
@pytest.mark.parametrize("story", STORIES, ids=repr)
def test_each_story_ends_the_same_if_all_of_it_is_lost_or_comes_at_its_end(kind, story, files):
    if kind.face not in story.faces:
        pytest.skip(f"{kind.face} does nothing like it")
    lost = 1.0 if kind.can_be_read else 0.0
    plan = Plan(stories=(story,), moves=(), seed=7, lost=lost, found="backfill")
    check_same(kind, files, plan)
