"""The bank's books: what moved is written down once, and the sums are right whatever happens."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from fake_calls import (
    canceling,
    capturing,
    confirming,
    creating,
    deliveries,
    new_key,
    paid,
    refunding,
    told,
)
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from payport.domain.money import Money
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer
from payport.testing import (
    CARDS,
    Bank,
    Conflict,
    ConnectionRefused,
    Declined,
    EntryKind,
    FakeProvider,
    Fees,
    LostRequest,
    LostResponse,
    RateLimited,
    Refused,
    ServerError,
    TimedOut,
    Tokens,
    Truncated,
    adyen_like,
    keyless,
    stripe_like,
)
from payport.testing.bank.books import MOVES


@pytest.fixture
def fake():
    return FakeProvider()


def lines(bank):
    return [(e.kind, e.minor) for e in bank.entries]


def test_a_charge_costs_a_fee(fake):
    paid(fake, amount=Money(4999, "USD"))

    assert lines(fake.bank) == [(EntryKind.CHARGE, 4999), (EntryKind.FEE, -175)]
    assert Money(4824, "USD") == fake.bank.balance()
    assert Money(4999, "USD") == fake.bank.entries[0].amount


@pytest.mark.parametrize(("minor", "fee"), [(1, 30), (17, 30), (18, 31), (10_000, 320)])
def test_fees_are_rounded_half_up(minor, fee):
    assert fee == Fees().for_charge(minor)


def test_fees_are_what_the_bank_is_told():
    bank = Bank(fees=Fees(basis_points=100, fixed=5))
    bank.charge(Money(1000, "EUR"))

    assert Money(985, "EUR") == bank.balance("EUR")


def test_fees_are_kept_when_the_money_goes_back(fake):
    told(fake, refunding(paid(fake), 5000))

    assert lines(fake.bank) == [
        (EntryKind.CHARGE, 5000),
        (EntryKind.FEE, -175),
        (EntryKind.REFUND, -5000),
    ]
    assert Money(-175, "USD") == fake.bank.balance()


def test_a_refund_that_comes_back_is_an_entry_of_its_own(fake):
    ref = paid(fake, Tokens.REFUND_REVERSES)
    told(fake, refunding(ref))
    fake.clock.advance(timedelta(days=2))

    assert lines(fake.bank)[2:] == [(EntryKind.REFUND, -1000), (EntryKind.REFUND_FAILURE, 1000)]


def test_a_capture_that_comes_back_is_an_entry_of_its_own(fake):
    paid(fake, Tokens.CAPTURE_FAILS)
    fake.clock.advance(timedelta(days=2))

    assert lines(fake.bank)[2:] == [(EntryKind.CHARGE_FAILURE, -5000)]


def test_disputes_are_entries_and_so_is_their_reversal(fake):
    ref = paid(fake)
    fake.bank.win(fake.bank.dispute(ref))

    assert lines(fake.bank)[2:] == [
        (EntryKind.DISPUTE, -5000),
        (EntryKind.FEE, -1500),
        (EntryKind.DISPUTE_REVERSAL, 5000),
    ]


def test_what_is_held_or_declined_is_no_entry(fake):
    paid(fake, manual=True)
    paid(fake, Tokens.EXPIRED)

    assert lines(fake.bank) == []


def test_a_payout_empties_the_balance_and_moves_nobodys_payment(fake):
    ref = paid(fake)

    assert Money(4825, "USD") == fake.bank.pay_out()

    assert Money(0, "USD") == fake.bank.balance()
    assert Money(5000, "USD") == fake.bank.moved(ref)
    assert lines(fake.bank)[-1] == (EntryKind.PAYOUT, -4825)
    assert fake.bank.entries[-1].payment is None


def test_a_payout_that_comes_back_is_on_the_balance_again(fake):
    paid(fake)
    fake.bank.pay_out()
    (payout,) = fake.bank.payouts

    fake.bank.move_payout(payout.ref, "bounced", failure="no_account")

    assert (payout.state, payout.failure) == ("bounced", "no_account")
    assert Money(4825, "USD") == fake.bank.balance()
    assert lines(fake.bank)[-2:] == [(EntryKind.PAYOUT, -4825), (EntryKind.PAYOUT_FAILURE, 4825)]


@pytest.mark.parametrize(
    ("moves", "wrong"),
    [
        ((), "asked"),
        (("sent",), "voided"),
        (("paid",), "sent"),
        (("paid",), "voided"),
        (("voided",), "paid"),
        (("voided",), "bounced"),
        (("bounced",), "paid"),
    ],
)
def test_a_payout_only_moves_on(fake, moves, wrong):
    paid(fake)
    fake.bank.pay_out(arrives=False)
    (payout,) = fake.bank.payouts
    for move in moves:
        fake.bank.move_payout(payout.ref, move)

    with pytest.raises(Refused, match="cannot be"):
        fake.bank.move_payout(payout.ref, wrong)


def test_a_payout_is_itemized_once_and_only_if_there_is_one(fake):
    paid(fake)
    fake.bank.pay_out()
    fake.bank.itemize_payout(fake.bank.payouts[0].ref)

    for ref in (fake.bank.payouts[0].ref, "bo_nowhere"):
        with pytest.raises(Refused):
            fake.bank.itemize_payout(ref)


def test_nothing_is_paid_out_of_a_debt(fake):
    fake.bank.dispute(paid(fake))
    deliveries(fake)

    assert Money(0, "USD") == fake.bank.pay_out()

    assert deliveries(fake) == []


def test_each_currency_has_a_balance_of_its_own(fake):
    paid(fake)
    paid(fake, amount=Money(700, "JPY"))

    assert (fake.bank.balance().minor, fake.bank.balance("JPY").minor) == (4825, 650)
    assert Money(0, "EUR") == fake.bank.balance("EUR")


def test_refunds_of_equal_amounts_are_two_refunds(fake):
    ref = paid(fake)
    first = told(fake, refunding(ref, reference="return_1")).refunds[0]
    second = told(fake, refunding(ref, reference="return_2")).refunds[0]

    assert first.ref != second.ref
    assert Money(2000, "USD") == fake.bank.refunded(ref)


def test_what_is_promised_back_is_not_promised_twice(fake):
    ref = paid(fake, Tokens.REFUND_PENDING)
    told(fake, refunding(ref, 3000))

    with pytest.raises(Refused, match="more than what can be given back"):
        fake.bank.refund(ref, Money(2001, "USD"))

    fake.bank.settle(ref, ok=False)
    told(fake, refunding(ref, 5000))


@pytest.mark.parametrize("minor", [0, -1, 5001])
def test_a_refund_gives_something_and_no_more_than_was_taken(fake, minor):
    ref = paid(fake)

    with pytest.raises(Refused):
        fake.bank.refund(ref, Money(minor, "USD"))

    assert Money(0, "USD") == fake.bank.refunded(ref)


def test_a_refund_made_by_hand_carries_no_tag(fake):
    fake.bank.refund(paid(fake), Money(100, "USD"))

    (delivery,) = [d for d in deliveries(fake) if d.type == "refund.given"]
    assert delivery.facts.refunds[0].tag is None


def test_a_payment_made_by_hand_carries_no_tag(fake):
    ref = fake.bank.charge(Money(100, "USD"), reference="table_4")

    (delivery,) = deliveries(fake)
    assert (ref, None, None) == (delivery.attempt_ref, delivery.tag, delivery.facts.tag)
    assert Money(100, "USD") == fake.bank.charged("table_4")


BEHAVIOURS = [stripe_like, adyen_like, keyless]
FAULTS = [
    None,
    LostRequest(),
    LostResponse(),
    TimedOut(effect=True),
    TimedOut(effect=False),
    ConnectionRefused(),
    Conflict(),
    RateLimited(),
    ServerError(effect=True),
    ServerError(effect=False),
    Truncated(),
    Declined(),
]
MINORS = st.integers(min_value=1, max_value=6000)


class Books(RuleBasedStateMachine):
    """Anything that may happen at the bank, in any order, with everything asked again and again."""

    payments = Bundle("payments")
    disputes = Bundle("disputes")
    asked = Bundle("asked")

    def __init__(self):
        super().__init__()
        self.fake: FakeProvider = FakeProvider()
        self.first: dict[str, float] = {}

    @rule(behaviour=st.sampled_from(BEHAVIOURS))
    def begins(self, behaviour):
        if not self.fake.bank.payments:
            self.fake = FakeProvider(behaviour=behaviour())

    def send(self, command, key, fault):
        self.fake.script.clear()
        self.fake.next(command.operation.value, fault)
        self.first.setdefault(key, self.fake.clock.monotonic())
        outcome = getattr(self.fake, command.operation.value)(command, Call(key=key))
        return outcome.facts.attempt_ref if isinstance(outcome, Answer) else None

    def asks(self, command, fault):
        key = new_key()
        return key, command, self.send(command, key, fault)

    @rule(
        target=payments,
        token=st.sampled_from(sorted(CARDS)),
        minor=MINORS,
        manual=st.booleans(),
        fault=st.sampled_from(FAULTS),
    )
    def pays(self, token, minor, manual, fault):
        command = creating(token, amount=Money(minor, "USD"), manual=manual)
        key, command, ref = self.asks(command, fault)
        # What was lost may still exist: the bank knows it by its tag.
        return ref or next((p.ref for p in self.fake.bank.payments_named(key)), "bp_999999")

    @rule(
        ref=payments, minor=MINORS, final=st.booleans(), fault=st.sampled_from(FAULTS), target=asked
    )
    def captures(self, ref, minor, final, fault):
        return self.asks(capturing(ref, minor, final=final), fault)

    @rule(ref=payments, fault=st.sampled_from(FAULTS), target=asked)
    def cancels(self, ref, fault):
        return self.asks(canceling(ref), fault)

    @rule(ref=payments, minor=MINORS, fault=st.sampled_from(FAULTS), target=asked)
    def refunds(self, ref, minor, fault):
        return self.asks(refunding(ref, minor), fault)

    @rule(ref=payments, token=st.sampled_from(sorted(CARDS)), target=asked)
    def confirms(self, ref, token):
        known = self.fake.bank.payments_named(ref)
        amount = Money(known[0].order.amount if known else 1, "USD")
        return self.asks(confirming(ref, token, amount=amount, attempt=2), None)

    @rule(again=asked, fault=st.sampled_from(FAULTS))
    def asks_again(self, again, fault):
        key, command, _ = again
        if self.fake.spec.idempotency.has_keys:
            self.send(command, key, fault)

    @rule(ref=payments, ok=st.sampled_from([True, False, None]))
    def settles(self, ref, ok):
        if self.fake.bank.payments_named(ref):
            self.fake.bank.settle(ref, ok=ok)

    @rule(ref=payments, ok=st.booleans())
    def authenticates(self, ref, ok):
        self.happens(lambda: self.fake.bank.authenticate(ref, ok=ok))

    @rule(ref=payments, minor=st.none() | MINORS, inquiry=st.booleans(), target=disputes)
    def disputes_it(self, ref, minor, inquiry):
        amount = Money(minor, "USD") if minor else None
        return self.happens(lambda: self.fake.bank.dispute(ref, amount, inquiry=inquiry))

    @rule(ref=disputes, verb=st.sampled_from(["submit_evidence", "win", "lose", "reopen"]))
    def decides(self, ref, verb):
        self.happens(lambda: getattr(self.fake.bank, verb)(ref))

    @rule(hours=st.sampled_from([1, 23, 24, 48, 24 * 8]))
    def waits(self, hours):
        self.fake.clock.advance(hours * 3600)

    @rule()
    def pays_out(self):
        self.fake.bank.pay_out()

    def happens(self, what):
        try:
            return what()
        except (Refused, LookupError):
            return "bd_999999"

    @invariant()
    def the_balance_is_the_sum_of_the_entries(self):
        sums: Counter[str] = Counter()
        for entry in self.fake.bank.entries:
            sums[entry.currency] += entry.minor
        for currency in sums:
            assert sums[currency] == self.fake.bank.balance(currency).minor

    @invariant()
    def what_moved_is_what_the_effects_say(self):
        written: defaultdict[str, int] = defaultdict(int)
        for entry in self.fake.bank.entries:
            if entry.payment is not None and entry.kind in MOVES:
                written[entry.payment] += entry.minor
        for payment in self.fake.bank.payments:
            stands = payment.taken - payment.given_back - payment.disputed
            assert stands == written[payment.ref] == self.fake.bank.moved(payment.ref).minor

    @invariant()
    def nobody_gives_back_what_was_not_taken(self):
        for payment in self.fake.bank.payments:
            assert payment.free >= 0
            assert payment.promised_back <= payment.taken
            assert payment.spoken_for <= payment.authorized <= payment.order.amount

    @invariant()
    def a_key_has_one_effect_at_most_while_it_lives(self):
        life = self.fake.spec.idempotency.life
        for key, first in self.first.items():
            lives = life is None or self.fake.clock.monotonic() - first < life.total_seconds()
            if lives:
                assert self.fake.bank.effects(key) <= 1


TestBooks = Books.TestCase
