from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from any_payments import moments, payments, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from payport.domain.errors import InvalidRequest
from payport.storage import rows
from payport.storage.bare import bare, bare_facts
from payport.storage.columns import Moment
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing._store_contract import samples
from payport.testing.blocking import Blocking

#: Made from a fixture's value.
STORES = {
    "memory": (lambda _: MemoryStore(), None),
    "async memory": (lambda _: Blocking(AsyncMemoryStore()), None),
    "sqlite": (lambda path: SqliteStore(str(path)), "db"),
    "async sqlite": (lambda path: Blocking(AsyncSqliteStore(str(path))), "db"),
    "postgres": (PostgresStore, "postgres_url"),
    "async postgres": (lambda url: Blocking(AsyncPostgresStore(url)), "postgres_url"),
}


class Enough(Exception):
    pass


@pytest.fixture(params=sorted(STORES))
def store(request):
    make, fixture = STORES[request.param]
    store = make(fixture and request.getfixturevalue(fixture))
    yield store
    store.close()


# The store stays empty: each example is taken back.
SOME = settings.default.max_examples // 4
again = settings(max_examples=SOME, suppress_health_check=[HealthCheck.function_scoped_fixture])


@again
@given(payments())
def test_any_payment_comes_back(store, payment):
    def work(tx):
        saved = tx.save_payment(payment)
        assert tx.payment(payment.id) == saved == payment.evolve(version=1)
        assert list(tx.payments(samples.query())) == [saved]
        by_age = sorted(saved.refunds, key=lambda r: (r.created_at, r.id), reverse=True)
        assert list(tx.refunds(samples.query())) == by_age
        for attempt in payment.attempts:
            place = (payment.provider, payment.account)
            assert tx.payment_by_ref(*place, attempt.ref) == saved
        raise Enough

    with pytest.raises(Enough):
        store.transact(work)


@again
@given(payments(), payments())
def test_any_payment_becomes_any_other(store, before, after):
    after = after.evolve(provider=before.provider, account=before.account, version=1)
    after = after.evolve(created_at=before.created_at, reference=before.reference)

    def work(tx):
        tx.save_payment(before)
        saved = tx.save_payment(after)
        assert tx.payment("pay_any") == saved == after.evolve(version=2)
        kept = {refund.id for refund in after.refunds}
        for refund in before.refunds:
            holder = tx.payment_of_refund(refund.id)
            assert holder == ("pay_any" if refund.id in kept else None)
        raise Enough

    with pytest.raises(Enough):
        store.transact(work)


@again
@given(texts)
def test_any_text_comes_back(store, text):
    record = samples.operation(failure_message=text, reference=text, request_id=text)

    def work(tx):
        tx.insert_operation(record)
        assert tx.operation(record.id) == record
        raise Enough

    with pytest.raises(Enough):
        store.transact(work)


@settings(max_examples=SOME)
@given(payments())
def test_a_bare_payment_is_the_payment_without_what_is_sealed(payment):
    stripped = bare(payment)
    assert stripped == payment
    facts = [*stripped.attempts, *stripped.disputes]
    facts += [effect.fact for effect in (*stripped.captures, *stripped.refunds) if effect.fact]
    assert all(fact.raw.value is None for fact in facts)
    actions = [attempt.next_action for attempt in stripped.attempts]
    assert {getattr(a, "url", None) or getattr(a, "token", None) for a in actions} <= {None}
    # Nothing is left to take away, and nothing is copied for it.
    assert bare(stripped) is stripped


def test_a_payment_with_nothing_to_hide_stays_the_same_object():
    payment = samples.payment(attempts=(samples.attempt(),), refunds=(samples.refund(),))
    assert bare(payment) is payment


def test_bare_facts_hold_nothing_sealed():
    facts = samples.delivery().facts
    stripped = bare_facts(facts)
    assert stripped == facts
    assert all(fact.raw.value is None for fact in stripped)
    assert stripped.attempts[0].next_action.token is None


@settings(max_examples=SOME)
@given(payments())
def test_a_document_holds_nothing_sealed(payment):
    read = rows.payment_from(rows.payment_row(payment)["document"])
    assert read == payment
    assert bare(read) is read


# -- moments ----------------------------------------------------------------------------------

SQLITE = sa.create_engine("sqlite://").dialect


@given(st.lists(moments))
def test_moments_are_whole_numbers_that_order_as_they_do(drawn):
    numbers = [Moment().process_bind_param(moment, SQLITE) for moment in drawn]
    assert all(type(number) is int for number in numbers)
    ordered = sorted(range(len(drawn)), key=lambda place: drawn[place])
    assert [numbers[place] for place in ordered] == sorted(numbers)


@given(moments)
def test_moments_come_back_in_utc(moment):
    number = Moment().process_bind_param(moment, SQLITE)
    back = Moment().process_result_value(number, SQLITE)
    assert back == moment
    assert back.tzinfo is UTC


def test_moments_before_1970_and_none_are_moments_too():
    early = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    number = Moment().process_bind_param(early, SQLITE)
    assert Moment().process_result_value(number, SQLITE) == early
    assert Moment().process_bind_param(None, SQLITE) is None
    assert Moment().process_result_value(None, SQLITE) is None


def test_postgresql_keeps_moments_of_its_own():
    dialect = postgresql.dialect()
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert Moment().process_bind_param(moment, dialect) is moment
    back = Moment().process_result_value(moment, dialect)
    assert (back, back.tzinfo) == (moment, UTC)
    assert "TIMESTAMP WITH TIME ZONE" in str(Moment().dialect_impl(dialect).compile(dialect))


def test_a_naive_moment_is_refused(db):
    store = SqliteStore(str(db))
    naive = samples.payment(created_at=datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidRequest, match="aware"):
        store.transact(lambda tx: tx.save_payment(naive))
    store.close()


@given(texts)
def test_errors_of_reading_do_not_repeat_what_was_read(text):
    with pytest.raises(ValueError, match=r"."):
        rows.payment_from(f"{{{text}")
