"""One tree of errors: drawn as it is, plain in words, whole after a pickle, and without secrets."""

import copy
import pickle
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from saying import CANARY, asked_refund, attempt, payment

from payport.domain import errors
from payport.domain.declines import Decline, DeclineReason
from payport.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    OperationInProgress,
    OutcomeUnknown,
    PaymentDeclined,
    PayportError,
    ProviderUnavailable,
    RateLimited,
    StoreConflict,
    StoreUnavailable,
)
from payport.domain.facts import AttemptStatus
from payport.domain.secrets import Sealed

CLASSES = sorted(
    (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, PayportError)),
    key=lambda c: c.__name__,
)
every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def make(kind, message="", **told):
    if kind is PaymentDeclined:
        return PaymentDeclined(decline=Decline.of(DeclineReason.GENERIC), payment=payment())
    return kind(message, **told)


def drawn_tree():
    """Each class's parent, read from the drawing in the module's docstring."""
    lines = [
        line for line in errors.__doc__.splitlines() if re.search(r"[├└]──|PayportError$", line)
    ]
    names = [(re.search(r"\w", line).start(), re.search(r"\w+", line)[0]) for line in lines]
    parents, above = {}, []
    for column, name in names:
        above = [(c, n) for c, n in above if c < column]
        parents[name] = above[-1][1] if above else None
        above.append((column, name))
    return parents


def test_the_tree_is_as_it_is_drawn():
    real = {kind.__name__: kind.__base__.__name__ for kind in CLASSES}
    real["PayportError"] = None
    assert drawn_tree() == real


def test_every_class_is_public():
    assert set(errors.__all__) == {kind.__name__ for kind in CLASSES}
    assert all(one < other for one, other in pairwise(errors.__all__))


#: Whether the same call may succeed later, and whether money may have moved.
ANSWERS = {
    "AuthenticationFailed": (False, False),
    "CircuitOpen": (True, False),
    "ConfigurationError": (False, False),
    "IdempotencyConflict": (False, False),
    "InvalidRequest": (False, False),
    "InvalidTransition": (False, False),
    "NotFound": (False, False),
    "OperationInProgress": (True, True),
    "OutcomeUnknown": (True, True),
    "PaymentDeclined": (False, False),
    "PayportError": (False, False),
    "ProviderFault": (False, False),
    "ProviderPermissionDenied": (False, False),
    "ProviderUnavailable": (True, False),
    "RateLimited": (True, False),
    "SensitiveData": (False, False),
    "StoreConflict": (True, False),
    "StoreError": (False, False),
    "StoreUnavailable": (True, False),
    "UnsupportedOperation": (False, False),
    "WebhookRejected": (False, False),
}


def test_every_class_answers_whether_to_retry_and_whether_money_may_have_moved():
    answered = {k.__name__: (k.retryable, k.money_may_have_moved) for k in CLASSES}
    assert answered == ANSWERS


@every_class
def test_without_a_message_the_first_line_of_the_docstring_is_the_message(kind):
    if kind is PaymentDeclined:
        return
    first = kind.__doc__.strip().splitlines()[0]
    assert make(kind).message == first
    assert str(make(kind)).startswith(first)
    assert first.endswith(".")


def test_a_subclass_without_a_docstring_has_a_message_too():
    class Undocumented(InvalidRequest):
        pass

    assert Undocumented().message == "Undocumented"


def test_errors_are_made_even_where_docstrings_are_stripped():
    code = "from payport.domain.errors import InvalidTransition as E; print(E(operation='x'))"
    path = [entry for entry in sys.path if entry]
    made = subprocess.run(
        [sys.executable, "-OO", "-c", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout.strip() == "x: InvalidTransition", made.stderr


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({}, "It broke."),
        ({"operation": "payments.create"}, "payments.create: It broke."),
        ({"reference": "order_1"}, "[order_1]: It broke."),
        (
            {"operation": "payments.create", "reference": "order_1"},
            "payments.create[order_1]: It broke.",
        ),
        ({"field": "amount"}, "amount: It broke."),
        (
            {"operation": "payments.create", "reference": "order_1", "field": "amount"},
            "payments.create[order_1]: amount: It broke.",
        ),
        ({"request_id": "req_7"}, "It broke. (request req_7)"),
        # For programs, not for people: they are long, or say nothing.
        ({"provider": "fake", "idempotency_key": "pp1_x"}, "It broke."),
    ],
)
def test_the_text_names_operation_reference_field_and_request(told, text):
    assert str(InvalidRequest("It broke.", **told)) == text


@pytest.mark.parametrize("kind", [k for k in CLASSES if k.next_step], ids=lambda k: k.__name__)
def test_the_text_ends_with_what_to_do_next(kind):
    assert str(make(kind, "It broke.", operation="x")) == f"x: It broke. {kind.next_step}"
    assert kind.next_step.endswith(".")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("no such payment", "no such payment. Check"),
        ("No such payment.", "No such payment. Check"),
        ("Which payment?", "Which payment? Check"),
    ],
)
def test_a_message_and_what_to_do_next_are_two_sentences(message, text):
    assert str(NotFound(message)).startswith(text)


@pytest.mark.parametrize("kind", [k for k in CLASSES if k.retryable], ids=lambda k: k.__name__)
def test_whatever_can_be_tried_again_says_so(kind):
    assert re.search(r"[Rr]epeat the same call", kind.next_step)


def test_in_doubt_nobody_is_told_to_pay_in_another_way():
    assert "Do not try another way" in str(OutcomeUnknown(operation="payments.create"))


TOLD = {
    "operation": "payments.create",
    "reference": "order_1",
    "field": "amount",
    "provider": "fake",
    "idempotency_key": "pp1_abc",
    "request_id": "req_7",
}


@every_class
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])  # noqa: S301
def test_an_error_comes_back_whole_from_another_process(kind, again):
    error = make(kind, "It broke.", **TOLD)
    error.add_note("while closing the books")
    back = again(error)
    assert type(back) is kind
    assert (str(back), back.args) == (str(error), error.args)
    assert vars(back) == vars(error)
    assert back.__notes__ == ["while closing the books"]


def test_what_single_errors_carry_comes_back_too():
    doubtful = OutcomeUnknown("?", payment=payment(), refund=asked_refund(5), **TOLD)
    limited = RateLimited("Too many.", retry_after=2.5, operation="payments.create")
    no = Decline.of(DeclineReason.EXPIRED_CARD)
    declined = PaymentDeclined(decline=no, payment=payment())
    back = [pickle.loads(pickle.dumps(e)) for e in (doubtful, limited, declined)]  # noqa: S301
    assert (back[0].payment, back[0].refund) == (payment(), asked_refund(5))
    assert back[1].retry_after == 2.5
    assert (back[2].decline, back[2].payment.reference) == (no, "order_1")


def test_what_an_error_carries_is_optional():
    assert (OutcomeUnknown().payment, OutcomeUnknown().refund) == (None, None)
    assert RateLimited().retry_after is None


def test_a_decline_says_why_and_what_the_customer_may_read():
    no = Decline.of(DeclineReason.EXPIRED_CARD, raw="expired_card_raw")
    text = str(PaymentDeclined(decline=no, payment=payment()))
    assert text == f"payments[order_1]: declined: expired_card. {no.user_message}"
    assert "expired_card_raw" not in text


def test_an_error_that_carries_a_payment_shows_none_of_its_tokens():
    intent = payment(attempt(AttemptStatus.PROCESSING, raw=Sealed({"client_secret": CANARY})))
    error = OutcomeUnknown("?", payment=intent)
    pickled = pickle.dumps(error).decode("latin-1")
    assert not [text for text in (str(error), repr(error), pickled) if CANARY in text]


def test_errors_can_be_caught_by_what_helps():
    assert issubclass(IdempotencyConflict, InvalidRequest)
    assert not issubclass(OperationInProgress, InvalidRequest)
    repeatable = (StoreUnavailable, StoreConflict, ProviderUnavailable)
    assert all(kind.retryable and not kind.money_may_have_moved for kind in repeatable)
