"""Which commands a payment's state allows: nothing may be asked that would take or give twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saying import (
    asked_capture,
    asked_refund,
    attempt,
    capture,
    dispute,
    payment,
    refund,
    said,
    tell,
    usd,
)

from payport.domain.errors import InvalidRequest, InvalidTransition
from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.identifiers import Kind, derive_id
from payport.domain.money import Money
from payport.domain.payment_intent import Capture, PaymentStatus
from payport.domain.transitions import (
    _ADVICE,
    check_attempt,
    check_cancel,
    check_capture,
    check_confirm,
    check_refund,
)
from payport.testing import strategies

A, C, D, P, R = AttemptStatus, CaptureStatus, DisputeStatus, PaymentStatus, RefundStatus

_WHOLE = capture(C.SUCCEEDED, 5_000)
_PART = capture(C.SUCCEEDED, 2_000)
_HELD = attempt(A.AUTHORIZED, 5_000)
_BACK = capture(C.FAILED, 5_000)

#: A payment in each state, and the letters of the commands that it allows:
#: cOnfirm, cAncel, Capture, Refund, Second attempt.
STATES = {
    "new, without a method": (payment(has_payment_method=False), "OAS"),
    "new": (payment(), "OAS"),
    "an object without a method": (payment(attempt(A.REQUIRES_PAYMENT_METHOD)), "OAS"),
    "an object with a method": (payment(attempt(A.REQUIRES_CONFIRMATION)), "OA"),
    "the customer has to act": (payment(attempt(A.REQUIRES_ACTION)), "A"),
    "the bank decides": (payment(attempt(A.PROCESSING)), "A"),
    "declined": (payment(attempt(A.DECLINED)), "OAS"),
    "failed": (payment(attempt(A.FAILED)), "S"),
    "canceled": (payment(attempt(A.CANCELED)), "S"),
    "expired": (payment(attempt(A.EXPIRED)), "S"),
    "a word nobody knows": (payment(attempt(A.UNKNOWN)), ""),
    "held": (payment(_HELD), "AC"),
    "held, part taken": (payment(_HELD, _PART), "CR"),
    "held, all spoken for": (payment(_HELD, captures=(asked_capture(5_000),)), "A"),
    "paid": (payment(attempt(A.SUCCEEDED, 5_000), _WHOLE), "R"),
    "paid and given back": (
        payment(attempt(A.SUCCEEDED, 5_000), _WHOLE, refund(R.SUCCEEDED, 5_000)),
        "",
    ),
    "part taken for good": (payment(attempt(A.SUCCEEDED, 5_000), _PART), "R"),
    "part taken, the rest due": (payment(attempt(A.SUCCEEDED, 2_000), _PART), "R"),
    "part taken, the rest expired": (payment(attempt(A.EXPIRED, 5_000), _PART), "R"),
    "part taken, and a later attempt declined": (
        payment(attempt(A.SUCCEEDED, 2_000), _PART, attempt(A.DECLINED, ref="obj_2", number=2)),
        "R",
    ),
    "taken, and nothing told of how much": (payment(attempt(A.SUCCEEDED, 5_000)), ""),
    "taken, and it came back": (payment(attempt(A.SUCCEEDED, 5_000), _BACK), "S"),
    "came back, and another attempt holds": (
        payment(_HELD, attempt(A.SUCCEEDED, 5_000, ref="obj_2", number=2)),
        "AC",
    ),
    "declined, and a capture not decided": (
        payment(attempt(A.DECLINED), capture(C.PENDING, 5_000)),
        "A",
    ),
    "in doubt": (payment(unresolved=("key_1",)), ""),
    "held and in doubt": (payment(_HELD, unresolved=("key_1",)), ""),
    "declined and in doubt": (payment(attempt(A.DECLINED), unresolved=("key_1",)), ""),
    "paid and in doubt": (payment(_WHOLE, unresolved=("key_1",)), "R"),
    "being sent": (payment(in_flight=("key_1",)), "A"),
    "declined, and something being sent": (
        payment(attempt(A.DECLINED), in_flight=("key_1",)),
        "A",
    ),
    "declined twice": (
        payment(attempt(A.DECLINED, number=1), attempt(A.DECLINED, ref="obj_2", number=2)),
        "OAS",
    ),
    "an older attempt is still under way": (
        payment(attempt(A.REQUIRES_ACTION, number=1), attempt(A.DECLINED, ref="obj_2", number=2)),
        "OA",
    ),
    "an older attempt holds money": (
        payment(attempt(A.AUTHORIZED, 5_000), attempt(A.DECLINED, ref="obj_2", number=2)),
        "AC",
    ),
}
COMMANDS = {
    "O": check_confirm,
    "A": check_cancel,
    "C": lambda intent: check_capture(intent, usd(1)),
    "R": lambda intent: check_refund(intent, usd(1)),
    "S": lambda intent: check_attempt(intent, intent.attempt + 1),
}
_TABLE = [
    pytest.param(intent, command, command in allowed, id=f"{name}: {command}")
    for name, (intent, allowed) in STATES.items()
    for command in COMMANDS
]


@pytest.mark.parametrize(("intent", "command", "allowed"), _TABLE)
def test_which_state_allows_which_command(intent, command, allowed):
    if allowed:
        COMMANDS[command](intent)
        return
    with pytest.raises(InvalidRequest) as caught:
        COMMANDS[command](intent)
    assert caught.value.reference == "order_1"
    assert caught.value.operation in {
        "payments.confirm",
        "payments.cancel",
        "payments.capture",
        "refunds.create",
        "payments.create",
    }


def test_the_table_has_every_status():
    assert {intent.status for intent, _ in STATES.values()} == set(PaymentStatus)


def test_there_is_advice_for_every_status():
    assert set(_ADVICE) == set(PaymentStatus)
    assert all(advice.endswith(".") for advice in _ADVICE.values())


def refusal(check, *args):
    with pytest.raises(InvalidTransition) as caught:
        check(*args)
    return str(caught.value)


def test_a_refusal_names_the_state_and_what_to_do_instead():
    canceled = payment(attempt(A.CANCELED, number=2))
    assert refusal(check_confirm, canceled) == (
        "payments.confirm[order_1]: the payment is canceled. "
        "Start another attempt with attempt=3, or use a new reference."
    )


def test_advice_never_sends_in_circles():
    part_held = payment(_HELD, _PART)
    assert "cancel it" not in refusal(check_cancel, part_held)
    rest_due = payment(attempt(A.SUCCEEDED, 2_000), _PART)
    assert "new reference" in refusal(check_confirm, rest_due)
    assert "new reference" in refusal(check_attempt, rest_due, 2)
    came_back = payment(attempt(A.SUCCEEDED, 5_000), _BACK)
    assert "attempt=2" in refusal(check_confirm, came_back)
    check_attempt(came_back, 2)


# -- amounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "intent"),
    [(check_capture, payment(_HELD)), (check_refund, payment(_WHOLE))],
    ids=["capture", "refund"],
)
@pytest.mark.parametrize(
    ("amount", "says"),
    [
        (Money(100, "EUR"), "in USD, not EUR"),
        (usd(5_001), "50.01 USD is more than the 50.00 USD"),
        (usd(0), "not more than nothing"),
        (usd(-1), "not more than nothing"),
    ],
    ids=["another currency", "too much", "nothing", "less than nothing"],
)
def test_an_amount_that_cannot_be_is_refused_with_its_field(check, intent, amount, says):
    with pytest.raises(InvalidRequest, match=says) as caught:
        check(intent, amount)
    assert caught.value.field == "amount"
    assert not isinstance(caught.value, InvalidTransition)
    check(intent, usd(5_000))


@given(strategies.payment_intents(), st.integers(1, 20_000))
def test_a_refund_never_exceeds_what_was_captured(intent, minor):
    try:
        check_refund(intent, usd(minor))
    except InvalidRequest:
        return
    given_or_promised = intent.refunded.minor + intent.refund_pending.minor
    assert given_or_promised + intent.disputed.minor + minor <= intent.captured.minor


@given(strategies.payment_intents(), st.lists(st.integers(1, 9_000), max_size=8))
def test_refunds_asked_for_at_once_together_never_exceed_what_was_captured(intent, asked):
    for number, minor in enumerate(asked, start=100):
        try:
            check_refund(intent, usd(minor))
        except InvalidRequest:
            continue
        spoken_for = (*intent.refunds, asked_refund(minor, number=number))
        intent = replace(intent, refunds=spoken_for)
        gone = intent.refunded.minor + intent.refund_pending.minor + intent.disputed.minor
        assert gone <= intent.captured.minor


@given(strategies.payment_intents(), st.lists(st.integers(1, 9_000), max_size=8))
def test_captures_asked_for_at_once_together_never_exceed_what_is_held(intent, asked):
    intent, _ = tell(intent, [said(attempt(A.AUTHORIZED, 9_000, ref="obj_open"))])
    held = sum(a.authorized.minor for a in intent.attempts if a.status is A.AUTHORIZED)
    open_refs = {a.ref for a in intent.attempts if a.status is A.AUTHORIZED}
    for number, minor in enumerate(asked):
        try:
            check_capture(intent, usd(minor))
        except InvalidRequest:
            continue
        ours = Capture(key=f"key_new_{number}", reference=f"new_{number}", requested=usd(minor))
        intent = replace(intent, captures=(*intent.captures, ours))
        spoken_for = sum(
            c.amount.minor
            for c in intent.captures
            if c.status is not C.FAILED and (c.fact is None or c.fact.attempt_ref in open_refs)
        )
        assert spoken_for <= held


@given(strategies.payment_intents())
def test_a_second_attempt_is_never_allowed_while_the_first_can_still_take_money(intent):
    try:
        check_attempt(intent, intent.attempt + 1)
    except InvalidRequest:
        return
    assert not intent.captured.minor
    assert not intent.capture_pending.minor
    assert not intent.unresolved
    assert not intent.in_flight
    over = {A.DECLINED, A.FAILED, A.CANCELED, A.EXPIRED, A.REQUIRES_PAYMENT_METHOD, A.SUCCEEDED}
    assert {a.status for a in intent.attempts} <= over


def test_disputed_money_is_not_given_back_as_well():
    intent = payment(_WHOLE, dispute(D.OPEN, 4_000))
    check_refund(intent, usd(1_000))
    with pytest.raises(InvalidRequest, match=r"40\.00 USD disputed"):
        check_refund(intent, usd(1_001))


def test_a_refund_of_what_was_never_taken_is_a_state_and_not_an_amount():
    assert "Cancel the payment instead" in refusal(check_refund, payment(_HELD), usd(1))


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_attempts_are_numbered_without_gaps(number):
    declined = payment(attempt(A.DECLINED, number=1))
    with pytest.raises(InvalidRequest, match="the next attempt is 2") as caught:
        check_attempt(declined, number)
    assert caught.value.field == "attempt"
    assert not isinstance(caught.value, InvalidTransition)
    check_attempt(declined, 2)


def test_guards_look_and_do_not_touch():
    intent = payment(_HELD)
    check_capture(intent, usd(5_000))
    check_capture(intent, usd(5_000))
    assert intent == payment(_HELD)
    assert intent.id == derive_id(Kind.PAYMENT, "shop", "test", "order_1")
