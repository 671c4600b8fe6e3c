"""Read-only text mappings, as metadata is kept in."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from payport.domain.frozen import EMPTY, FrozenMapping

MAPPINGS = TypeAdapter(FrozenMapping)
texts = st.dictionaries(st.text(), st.text(), max_size=4)


@given(texts)
def test_it_is_the_mapping_it_was_made_from(items):
    frozen = FrozenMapping(items)
    assert frozen == items
    assert dict(frozen) == items
    assert len(frozen) == len(items)
    assert repr(frozen) == repr(items)
    assert all(frozen[key] == value for key, value in items.items())


@given(texts, texts)
def test_equal_mappings_are_equal_whatever_the_order_and_so_are_their_hashes(one, other):
    first, second = FrozenMapping(one), FrozenMapping(dict(reversed(one.items())))
    assert first == second
    assert hash(first) == hash(second)
    assert (first == FrozenMapping(other)) is (one == other)


def test_nobody_can_change_it():
    items = {"cart": "7"}
    frozen = FrozenMapping(items)
    with pytest.raises(TypeError):
        frozen["cart"] = "8"
    with pytest.raises(TypeError):
        del frozen["cart"]
    for name in ("clear", "pop", "update", "setdefault", "popitem", "__ior__"):
        assert not hasattr(frozen, name)
    items["cart"] = "8"
    assert frozen["cart"] == "7"
    with pytest.raises(AttributeError):
        frozen.note = "x"


@given(texts)
def test_it_survives_pickling_copying_and_json(items):
    frozen = FrozenMapping(items)
    copies = [
        *(pickle.loads(pickle.dumps(frozen, p)) for p in (2, 5)),  # noqa: S301 - our own bytes
        copy.deepcopy(frozen),
        MAPPINGS.validate_json(MAPPINGS.dump_json(frozen)),
        MAPPINGS.validate_python(frozen),
        MAPPINGS.validate_python(items),
    ]
    assert all(type(c) is FrozenMapping and c == frozen for c in copies)
    assert MAPPINGS.dump_python(frozen) == items


@pytest.mark.parametrize("given_value", [{"n": 1}, {1: "n"}, {"n": None}, ["n"], "n", None])
def test_what_is_not_text_to_text_is_refused(given_value):
    with pytest.raises(ValidationError):
        MAPPINGS.validate_python(given_value)


def test_no_metadata_is_falsy_and_shared():
    assert not EMPTY
    assert FrozenMapping() == EMPTY
    with pytest.raises(KeyError):
        EMPTY["cart"]
