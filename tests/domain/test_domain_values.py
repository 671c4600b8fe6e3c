"""Domain values: frozen, complete in equality, and silent about what providers sealed in them."""

import copy
import dataclasses
import json
import pickle
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter
from saying import (
    CANARY,
    asked_capture,
    asked_refund,
    attempt,
    capture,
    dispute,
    payment,
    said,
    usd,
)
from saying import refund as refund_fact

from payport.domain import apply, declines, events, facts, payment_intent, refund
from payport.domain.actions import ClientToken, Redirect
from payport.domain.apply import Applied
from payport.domain.facts import (
    AttemptStatus,
    CaptureStatus,
    DisputeStatus,
    Facts,
    RefundStatus,
)
from payport.domain.frozen import FrozenMapping
from payport.domain.payment_intent import PaymentIntent
from payport.domain.secrets import Sealed
from payport.testing import strategies

INTENTS = TypeAdapter(PaymentIntent)
FACTS = TypeAdapter(Facts)

_MODULES = (apply, declines, events, facts, payment_intent, refund)
VALUES = sorted(
    {
        value
        for module in _MODULES
        for value in vars(module).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == module.__name__
    }
    | {Redirect, ClientToken},
    key=lambda kind: kind.__name__,
)


def everything():
    """A payment with every kind of effect, and a canary in every sealed place."""
    sealed = Sealed({"client_secret": CANARY})
    intent = payment(
        attempt(
            AttemptStatus.REQUIRES_ACTION,
            number=1,
            next_action=ClientToken(secret=Sealed(CANARY)),
            raw=sealed,
        ),
        attempt(
            AttemptStatus.REQUIRES_ACTION,
            ref="obj_2",
            number=2,
            next_action=Redirect(target=Sealed(f"https://bank.example/{CANARY}")),
            raw=sealed,
        ),
        capture(CaptureStatus.SUCCEEDED, 5_000, raw=sealed),
        refund_fact(RefundStatus.PENDING, 10, raw=sealed),
        dispute(DisputeStatus.OPEN, 10, raw=sealed),
        metadata=FrozenMapping({"cart": "7"}),
    )
    return replace(intent, refunds=(*intent.refunds, asked_refund(5)))


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_values_are_frozen_slotted_and_keyword_only(kind):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)
    assert all(field.kw_only for field in fields(kind))
    # One base without slots would give every value a dictionary again.
    assert all("__slots__" in vars(base) for base in kind.__mro__[:-1])


def test_the_list_of_values_is_not_empty():
    assert {PaymentIntent, Facts, Applied} < set(VALUES)
    assert len(VALUES) > 20


def test_a_payment_cannot_be_changed_in_place():
    intent = everything()
    with pytest.raises(dataclasses.FrozenInstanceError):
        intent.amount = usd(1)
    with pytest.raises(TypeError):
        intent.metadata["cart"] = "8"
    with pytest.raises((AttributeError, TypeError)):
        intent.surprise = 1


@pytest.mark.parametrize("maker", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies_within_the_process_keep_the_token(maker):
    assert maker(everything()).attempts[0].next_action.token == CANARY


def test_nothing_that_is_printed_stored_or_pickled_shows_a_token():
    intent = everything()
    assert intent.attempts[0].next_action.token == CANARY
    assert intent.attempts[0].raw.value == {"client_secret": CANARY}
    shown = [
        repr(intent),
        str(intent),
        f"{intent.attempts[0].next_action}",
        repr(dataclasses.asdict(intent)),
        INTENTS.dump_json(intent).decode(),
        repr(INTENTS.dump_python(intent)),
        json.dumps(INTENTS.dump_python(intent, mode="json")),
        *(pickle.dumps(intent, protocol).decode("latin-1") for protocol in (2, 4, 5)),
    ]
    assert [CANARY in text for text in shown] == [False] * len(shown)


def test_a_pickled_payment_equals_its_original_and_has_lost_what_was_sealed():
    intent = everything()
    back = pickle.loads(pickle.dumps(intent))  # noqa: S301 - our own bytes
    assert back == intent
    assert (back.attempts[0].next_action.token, back.attempts[1].next_action.url) == (None, None)
    assert back.attempts[0].raw.value is None
    assert intent.attempts[0].next_action.token == CANARY


@settings(max_examples=max(150, settings.default.max_examples))
@given(strategies.payment_intents())
def test_a_payment_survives_being_stored_as_json(intent):
    stored = INTENTS.dump_json(intent)
    back = INTENTS.validate_json(stored)
    assert back == intent
    assert back.status is intent.status
    assert INTENTS.dump_json(back) == stored
    assert type(back.metadata) is FrozenMapping


def test_a_payment_with_every_kind_of_effect_survives_being_stored_as_json():
    start = everything()
    intent = replace(start, captures=(*start.captures, asked_capture(7)))
    back = INTENTS.validate_json(INTENTS.dump_json(intent))
    assert back == intent
    assert type(back.attempts[0].next_action) is ClientToken
    assert type(back.attempts[1].next_action) is Redirect
    assert type(back.attempts[0].status) is AttemptStatus


@given(strategies.facts())
def test_facts_survive_being_stored_as_json(told):
    back = FACTS.validate_json(FACTS.dump_json(told))
    assert back == told
    # The decline's raw code counts for nobody's equality, and is kept all the same.
    assert [a.decline and a.decline.raw for a in back.attempts] == [
        a.decline and a.decline.raw for a in told.attempts
    ]


@given(strategies.payment_intents())
def test_a_payment_survives_being_pickled(intent):
    assert pickle.loads(pickle.dumps(intent)) == intent  # noqa: S301 - our own bytes


def test_two_facts_are_equal_whatever_payload_they_were_read_from():
    one, other = (attempt(AttemptStatus.PROCESSING, raw=Sealed({"id": n})) for n in (1, 2))
    assert one == other
    assert hash(one) == hash(other)
    assert said(one) == said(other)


def test_payments_can_be_hashed_and_kept_in_sets():
    assert len({everything(), everything(), payment()}) == 2


def test_the_customers_action_says_where_and_nothing_else():
    assert Redirect().url is None
    assert ClientToken().token is None
    assert Redirect(target=Sealed("https://bank.example")).url == "https://bank.example"
    assert Redirect() != ClientToken()


@pytest.mark.parametrize(
    ("here", "from_the_store"),
    [
        (Redirect(target=Sealed("https://bank.example")), Redirect()),
        (ClientToken(secret=Sealed("tok_1")), ClientToken()),
    ],
)
def test_an_action_knows_whether_its_token_is_here(here, from_the_store):
    assert here.is_complete
    assert not from_the_store.is_complete
    assert here == from_the_store
