"""What an adapter declares is enough to refuse, before any I/O, what its provider cannot do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payport.domain.errors import InvalidRequest, UnsupportedOperation
from payport.domain.frozen import FrozenMapping
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    LostPayment,
    Operation,
    Terms,
    command_from_json,
    command_to_json,
)
from payport.providers.spec import (
    ALL_CAPABILITIES,
    Capability,
    IdempotencyProfile,
    Limits,
    ProviderSpec,
    Resolution,
    needed_capabilities,
)
from payport.testing import strategies

KEYS = IdempotencyProfile(
    placement="header Idempotency-Key", max_length=64, life=timedelta(days=1), scope="account"
)


def spec(*lacks, most=999_999_999_999, steps=None):
    return ProviderSpec(
        name="plain",
        capabilities=ALL_CAPABILITIES - set(lacks),
        idempotency=KEYS,
        resolution=(Resolution.REPLAY, Resolution.REVIEW),
        limits=Limits(max_amount=most),
        steps=steps or {},
    )


def usd(minor=500):
    return Money(minor, "USD")


def create(minor=500, *, confirm=True, **terms):
    return CreatePayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=1,
        terms=Terms(amount=usd(minor), **terms),
        confirm=confirm,
    )


def confirm(minor=500, **terms):
    return ConfirmPayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=1,
        payment_ref="obj_1",
        terms=Terms(amount=usd(minor), **terms),
    )


def capture(minor=500, *, final=True):
    return CapturePayment(payment_id="pay_1", payment_ref="obj_1", amount=usd(minor), final=final)


def cancel(minor=500):
    return CancelPayment(payment_id="pay_1", payment_ref="obj_1", amount=usd(minor))


def refund(minor=500):
    return CreateRefund(
        payment_id="pay_1",
        payment_ref="obj_1",
        refund_id="rfd_1",
        reference="return_1",
        amount=usd(minor),
    )


MANUAL = {"capture_method": CaptureMethod.MANUAL}
K = Capability
NEEDS = [
    (create(), set()),
    (create(confirm=False), {K.CREATE_UNCONFIRMED}),
    (create(**MANUAL), {K.MANUAL_CAPTURE}),
    (create(off_session=True), {K.OFF_SESSION}),
    (create(save_payment_method=True), {K.SAVE_PAYMENT_METHOD}),
    (
        create(confirm=False, off_session=True, save_payment_method=True, **MANUAL),
        {K.CREATE_UNCONFIRMED, K.OFF_SESSION, K.SAVE_PAYMENT_METHOD, K.MANUAL_CAPTURE},
    ),
    (confirm(), set()),
    (confirm(off_session=True, **MANUAL), {K.OFF_SESSION, K.MANUAL_CAPTURE}),
    (capture(), {K.MANUAL_CAPTURE}),
    (capture(final=False), {K.MANUAL_CAPTURE, K.MULTIPLE_CAPTURES}),
    (cancel(), {K.CANCEL}),
    (refund(), {K.REFUND}),
]
ids = [f"{number}-{command.operation}" for number, (command, _) in enumerate(NEEDS)]


@pytest.mark.parametrize(("command", "needed"), NEEDS, ids=ids)
def test_what_a_command_needs(command, needed):
    assert needed_capabilities(command) == needed


@pytest.mark.parametrize(("command", "needed"), NEEDS, ids=ids)
@pytest.mark.parametrize("lacking", Capability)
def test_a_command_is_refused_exactly_where_something_it_needs_is_lacking(command, needed, lacking):
    if lacking not in needed:
        spec(lacking).check(command)
        return
    with pytest.raises(UnsupportedOperation, match=f"lacks {lacking}. Nothing was sent") as caught:
        spec(lacking).check(command)
    assert (caught.value.operation, caught.value.provider) == (command.operation, "plain")


@pytest.mark.parametrize("make", [create, confirm, capture, cancel, refund])
def test_more_than_the_provider_takes_at_once_is_refused(make):
    spec(most=500).check(make(500))
    with pytest.raises(InvalidRequest, match="at most 500 minor units") as caught:
        spec(most=500).check(make(501))
    assert (caught.value.field, caught.value.provider) == ("amount", "plain")
    assert caught.value.operation == make().operation


@pytest.mark.parametrize("make", [create, confirm, capture, refund])
def test_amounts_finer_than_the_provider_takes_are_refused(make):
    spec(steps={"USD": 10}).check(make(510))
    spec(steps={"KWD": 10}).check(make(505))
    with pytest.raises(InvalidRequest, match=r"multiples of 0\.10 USD: round 5\.05 USD") as caught:
        spec(steps={"USD": 10}).check(make(505))
    assert (caught.value.field, caught.value.operation) == ("amount", make().operation)


def test_what_was_made_with_a_finer_amount_is_canceled():
    spec(steps={"USD": 10}).check(cancel(505))


def test_having_a_capability_is_having_declared_it():
    assert spec().has(K.FIND)
    assert not spec(K.FIND).has(K.FIND)
    assert frozenset(Capability) == ALL_CAPABILITIES


def test_a_provider_without_keys_says_so_by_their_life():
    assert KEYS.has_keys
    without = IdempotencyProfile(placement="nowhere", max_length=0, life=None, scope="none")
    assert not without.has_keys


# -- commands as a journal keeps them -------------------------------------------------------------

terms = st.builds(
    Terms,
    amount=strategies.money(),
    payment_method=st.none() | st.just("pm_card"),
    customer=st.none() | st.just("cus_1"),
    capture_method=st.sampled_from(CaptureMethod),
    off_session=st.booleans(),
    save_payment_method=st.booleans(),
    return_url=st.none() | st.just("https://shop.example/back"),
    description=st.none() | st.text(max_size=20),
    statement_descriptor=st.none() | st.just("SHOP"),
    receipt_email=st.none() | st.just("a@example.com"),
    metadata=strategies.metadata(),
)
commands = st.one_of(
    st.builds(
        CreatePayment,
        payment_id=st.just("pay_1"),
        reference=strategies.references(),
        attempt=st.integers(1, 9),
        terms=terms,
        confirm=st.booleans(),
    ),
    st.builds(
        ConfirmPayment,
        payment_id=st.just("pay_1"),
        reference=strategies.references(),
        attempt=st.integers(1, 9),
        payment_ref=st.none() | st.just("obj_1"),
        terms=terms,
    ),
    st.builds(
        CapturePayment,
        payment_id=st.just("pay_1"),
        payment_ref=st.just("obj_1"),
        amount=strategies.money(),
        final=st.booleans(),
        capture_reference=st.none() | strategies.references(),
    ),
    st.builds(
        CancelPayment,
        payment_id=st.just("pay_1"),
        payment_ref=st.just("obj_1"),
        amount=strategies.money(),
    ),
    st.builds(
        CreateRefund,
        payment_id=st.just("pay_1"),
        payment_ref=st.just("obj_1"),
        refund_id=st.just("rfd_1"),
        reference=strategies.references(),
        amount=strategies.money(),
        reason=st.sampled_from(RefundReason),
        metadata=strategies.metadata(),
    ),
)


@given(commands)
def test_a_command_comes_back_from_the_journal_as_it_was(command):
    back = command_from_json(command_to_json(command))
    assert back == command
    assert type(back) is type(command)


def test_every_operation_has_one_command():
    made = [create(), confirm(), capture(), cancel(), refund()]
    assert [command.operation for command in made] == list(Operation)


def test_the_token_of_a_payment_method_stays_out_of_what_is_printed():
    assert "pm_canary" not in repr(create(payment_method="pm_canary"))


def test_what_a_customers_action_brought_is_taken_only_where_that_is_declared():
    command = ConfirmPayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=1,
        payment_ref="obj_1",
        terms=Terms(amount=usd()),
        action_result=FrozenMapping({"result": "canary"}),
    )
    with pytest.raises(UnsupportedOperation, match="by itself") as caught:
        spec().check(command)
    assert "canary" not in f"{caught.value} {command!r}"
    replace(spec(), takes_action_results=True).check(command)


def test_a_payment_of_which_nothing_was_heard_is_canceled_only_where_that_is_declared():
    lost = LostPayment(key="key_1", attempt=1, capture_method=CaptureMethod.MANUAL)
    command = CancelPayment(payment_id="pay_1", payment_ref="pay_1", amount=usd(), lost=lost)
    assert command_from_json(command_to_json(command)) == command
    with pytest.raises(UnsupportedOperation, match="nothing was heard"):
        spec().check(command)
    replace(spec(), cancels_lost=True).check(command)
