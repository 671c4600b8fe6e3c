"""Keys and payloads are carried, never shown: one canary, and every way out that is known."""

import copy
import dataclasses
import inspect
import json
import logging
import pickle
import pprint
import traceback
from types import MappingProxyType

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.domain.secrets import Sealed, Secret, freeze

CANARY = "obviously_fake_canary_1234567890"


@dataclasses.dataclass(frozen=True)
class Holder:
    """Something of an application's or of ours that has a secret or payload in it."""

    name: str
    held: object


class Model(BaseModel):
    raw: Sealed[dict[str, str]] = Sealed()


def formatted(error):
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


WAYS_TO_SHOW = {
    "repr": repr,
    "str": str,
    "f-string": lambda held: f"{held} {held!r} {held!s} {held:>40}",
    "percent": lambda held: "%s %r" % (held, held),  # noqa: UP031 - as logging does
    "container": lambda held: repr([held, {"key": held}, (held,)]),
    "dataclass": lambda held: repr(Holder("x", held)),
    "asdict": lambda held: repr(dataclasses.asdict(Holder("x", held))),
    "vars of the holder": lambda held: repr(vars(Holder("x", held))),
    "pprint": lambda held: pprint.pformat({"held": held}),
    "json with default=str": lambda held: json.dumps({"held": held}, default=str),
    "json with default=repr": lambda held: json.dumps({"held": held}, default=repr),
    "log record": lambda held: logging.LogRecord(
        "payport", logging.INFO, __file__, 1, "%s %r", (held, held), None
    ).getMessage(),
}


@pytest.mark.parametrize("show", WAYS_TO_SHOW.values(), ids=WAYS_TO_SHOW)
@pytest.mark.parametrize("held", [Secret(CANARY), Sealed(CANARY), Sealed({"token": CANARY})],
                         ids=["secret", "sealed text", "sealed mapping"])  # fmt: skip
def test_nothing_that_prints_shows_it(show, held):
    assert CANARY not in show(held)


@pytest.mark.parametrize("held", [Secret(CANARY), Sealed(CANARY)], ids=["secret", "sealed"])
class TestBoth:
    def test_there_is_no_dict_to_list(self, held):
        with pytest.raises(TypeError):
            vars(held)
        assert not hasattr(held, "__dict__")

    def test_a_traceback_with_local_variables_does_not_show_it(self, held):
        def fails(argument):
            local = [argument]
            raise RuntimeError(len(local))

        with pytest.raises(RuntimeError) as caught:
            fails(held)

        assert "argument = <se" in formatted(caught.value)
        assert CANARY not in formatted(caught.value)

    def test_plain_json_refuses_it(self, held):
        with pytest.raises(TypeError):
            json.dumps({"held": held})

    def test_copies_are_the_same_object(self, held):
        assert copy.copy(held) is copy.deepcopy(held) is held
        assert dataclasses.asdict(Holder("x", held))["held"] is held

    @pytest.mark.parametrize("name", ["value", "_Secret__text", "anything"])
    def test_it_cannot_be_changed(self, held, name):
        with pytest.raises(AttributeError):
            setattr(held, name, "x")
        with pytest.raises(AttributeError):
            delattr(held, name)


class TestSecret:
    def test_it_gives_back_what_it_was_given(self):
        assert Secret(CANARY).reveal() == CANARY

    def test_not_even_listing_its_members_finds_it(self):
        members = inspect.getmembers(Secret(CANARY), lambda member: not callable(member))

        assert CANARY not in repr(members)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_is_never_pickled(self, protocol):
        for held in (Secret(CANARY), Holder("x", Secret(CANARY))):
            with pytest.raises(TypeError, match="never pickled"):
                pickle.dumps(held, protocol)

    @pytest.mark.parametrize("convert", [bytes, bytearray, list, len, iter, int, "".join])
    def test_it_turns_into_nothing_else(self, convert):
        with pytest.raises(TypeError):
            convert(Secret(CANARY))

    def test_it_cannot_be_concatenated_by_mistake(self):
        with pytest.raises(TypeError):
            "Bearer " + Secret(CANARY)

    def test_equality_is_of_secrets_only(self):
        assert Secret(CANARY) == Secret(CANARY)
        assert Secret(CANARY) != Secret("obviously_fake_other")
        assert Secret(CANARY) != CANARY
        assert CANARY != Secret(CANARY)  # noqa: SIM300 - str.__eq__ is asked first
        assert len({Secret(CANARY), Secret(CANARY), Secret("x")}) == 2

    def test_texts_with_any_characters_compare(self):
        assert Secret("schlüssel") == Secret("schlüssel")

    def test_comparison_takes_constant_time(self, monkeypatch):
        calls = []
        monkeypatch.setattr(
            "payport.domain.secrets.hmac.compare_digest", lambda *both: bool(calls.append(both))
        )

        assert Secret("a") != Secret("a")
        assert len(calls) == 1

    @pytest.mark.parametrize("text", ["", " ", "\n", " key", "key ", "key\n", "\tkey"])
    def test_a_badly_copied_secret_is_refused(self, text):
        with pytest.raises(ConfigurationError, match="whitespace"):
            Secret(text)

    @pytest.mark.parametrize("text", [None, 1, b"key", ["key"]])
    def test_what_is_no_text_is_refused(self, text):
        with pytest.raises(ConfigurationError, match=f"not {type(text).__name__}"):
            Secret(text)

    def test_the_refusal_does_not_show_it(self):
        with pytest.raises(ConfigurationError) as caught:
            Secret(f"{CANARY}\n")

        lines = formatted(caught.value).split("in __init__")
        assert CANARY not in str(caught.value)
        assert len(lines) == 2
        assert CANARY not in lines[1]


class TestSealed:
    def test_it_gives_back_what_it_was_given(self):
        assert Sealed({"a": 1}).value == {"a": 1}
        assert Sealed().value is None

    def test_all_are_equal_so_that_they_never_tell_two_values_apart(self):
        assert Sealed(1) == Sealed(2) == Sealed()
        assert hash(Sealed([1])) == hash(Sealed({}))
        assert Holder("x", Sealed(1)) == Holder("x", Sealed(2))
        assert Holder("x", Sealed(1)) != Holder("y", Sealed(1))
        assert Sealed(1) != 1
        assert Sealed() != None  # noqa: E711 - the comparison is the test

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_a_pickle_is_empty(self, protocol):
        data = pickle.dumps(Holder("x", Sealed(CANARY)), protocol)

        assert CANARY.encode() not in data
        assert pickle.loads(data).held.value is None  # noqa: S301
        assert pickle.loads(data) == Holder("x", Sealed(CANARY))  # noqa: S301

    def test_what_cannot_be_pickled_does_not_matter(self):
        assert pickle.loads(pickle.dumps(Sealed(lambda: None))).value is None  # noqa: S301

    def test_a_dump_is_empty(self):
        model = Model(raw=Sealed({"token": CANARY}))

        assert model.model_dump() == {"raw": None}
        assert model.model_dump_json() == '{"raw":null}'
        assert CANARY not in repr(model)

    def test_it_is_loaded_from_itself_or_nothing(self):
        sealed = Sealed({"token": CANARY})

        assert Model(raw=sealed).raw is sealed
        assert Model.model_validate({"raw": None}).raw.value is None
        assert Model.model_validate_json('{"raw": null}').raw.value is None

    @pytest.mark.parametrize("raw", ["x", {"token": CANARY}, 1, []])
    def test_it_is_not_made_from_plain_data_by_accident(self, raw):
        with pytest.raises(ValidationError):
            Model(raw=raw)
        with pytest.raises(ValidationError):
            Model.model_validate_json(json.dumps({"raw": raw}))

    def test_the_json_schema_says_null(self):
        assert TypeAdapter(Sealed[str]).json_schema() == {"type": "null"}


class TestFreeze:
    def test_nothing_in_it_can_be_changed(self):
        frozen = freeze({"a": [1, {"b": {2}}], "c": bytearray(b"x"), "d": (1, [2])})

        assert frozen == {"a": (1, {"b": frozenset({2})}), "c": b"x", "d": (1, (2,))}
        with pytest.raises(TypeError):
            frozen["a"] = 1
        with pytest.raises(TypeError):
            frozen["a"][1]["b"] = 1

    def test_the_original_can_still_change_without_effect(self):
        inner = {"b": 1}
        original = {"a": inner, "list": [inner]}
        frozen = freeze(original)
        inner["b"] = 2
        original["list"].append(3)

        assert frozen == {"a": {"b": 1}, "list": ({"b": 1},)}

    def test_any_mapping_will_do_and_scalars_stay(self):
        moment = object()

        assert freeze(MappingProxyType({"a": moment, "b": None}))["a"] is moment

    def test_too_deep_or_circular_data_is_refused(self):
        mapping = {}
        mapping["again"] = mapping
        sequence = []
        sequence.append(sequence)
        for circle in (mapping, {"again": sequence}):
            with pytest.raises(InvalidRequest, match="64 deep"):
                freeze(circle)

    def test_sixty_four_levels_are_fine(self):
        data = {}
        for _ in range(64):
            data = {"a": data}

        assert freeze(data) == data
