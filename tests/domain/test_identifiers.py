"""Ids are derived from what the application said, and references are refused before any I/O."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import (
    Environment,
    Kind,
    check_reference,
    check_scope,
    derive_id,
    digest,
)
from payport.testing import strategies

parts = st.lists(st.text(max_size=6), max_size=4)


def test_derived_ids_are_frozen_because_stored_rows_are_found_by_them():
    assert [derive_id(kind, "shop", "test", "order_1") for kind in Kind] == [
        "pay_32ckzgreypraje3xcu7wipkzhj",
        "rfd_am5et22ucv3jvjra7srk5yevaq",
        "opn_3fjnngzd5o5rywekx2vlunszn2",
        "evt_poiylw2ctffzjk5rmln6ocidan",
        "pyt_24xf6gkkqz3zepuapt4aqh7agp",
    ]
    assert derive_id(Kind.PAYMENT) == "pay_bhluo2n233m7xy7ueq6uvsl3gq"
    assert derive_id(Kind.PAYMENT, "ü", "") == "pay_y4bkyctlyns6mwart7ukayyje6"


@given(st.lists(st.text(max_size=6) | st.text("aü", min_size=120, max_size=140), max_size=4))
@example(["ab", "", "ü"])
@example(["a" * 127, "a" * 128])
def test_the_digest_is_sha256_over_parts_that_begin_with_their_length(texts):
    encoded = [text.encode() for text in texts]
    hashed = hashlib.sha256(b"".join(len(one).to_bytes(4, "big") + one for one in encoded))
    raw = hashed.digest()
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    bits = "".join(f"{byte:08b}" for byte in raw).ljust(260, "0")
    spelled = "".join(alphabet[int(bits[i : i + 5], 2)] for i in range(0, 260, 5))
    assert digest(texts) == spelled
    assert derive_id(Kind.EVENT, *texts)[4:] == digest(["evt", *texts])[:26]


@given(parts, parts)
def test_different_parts_have_different_digests_even_if_they_read_alike(one, other):
    assert (digest(one) == digest(other)) is (one == other)


@given(st.text(min_size=2, max_size=20), st.data())
def test_where_one_part_ends_and_the_next_begins_counts(text, data):
    cuts = st.integers(0, len(text))
    one, other = data.draw(cuts), data.draw(cuts)
    same = digest((text[:one], text[one:])) == digest((text[:other], text[other:]))
    assert same is (one == other)


@given(parts)
def test_the_kind_is_part_of_the_id(texts):
    ids = {derive_id(kind, *texts).split("_")[1] for kind in Kind}
    assert len(ids) == len(Kind)
    assert all((len(i) == 26 and i.isalnum() and i.islower()) or not i for i in ids)


@given(strategies.references())
def test_a_reference_that_is_accepted_is_returned_as_it_is(reference):
    assert check_reference(reference, operation="payments.create") == reference


REFUSED = {
    "blank": ("", "must not be blank"),
    "spaces": ("   ", "must not be blank"),
    "unicode blanks": ("\u3000\u2003", "must not be blank"),
    "a space before": (" order_1", "without spaces around it"),
    "a space behind": ("order_1 ", "without spaces around it"),
    "a line break behind": ("order_1\n", "printable ASCII"),
    "a line break inside": ("order\n1", "printable ASCII"),
    "a tab": ("order\t1", "printable ASCII"),
    "a null byte": ("order\x00", "printable ASCII"),
    "delete": ("order\x7f", "printable ASCII"),
    "letters with accents": ("café_1", "printable ASCII"),
    "digits of another script": ("order_\u0661", "printable ASCII"),
    "letters that look like ours": ("\u043erder_1", "printable ASCII"),
    "no width": ("order\u200b1", "printable ASCII"),
    "a path": ("orders/1", "must not contain"),
    "a path of Windows": ("orders\\1", "must not contain"),
    "the folder above": ("..", "must not contain"),
    "hidden in the middle": ("a..b", "must not contain"),
    "a query": ("order?1", "must not contain"),
    "a fragment": ("order#1", "must not contain"),
    "an escaped slash": ("order%2F1", "must not contain"),
    "one too long": ("x" * 81, "at most 80"),
    "very long": ("x" * 1_000_000, "at most 80"),
    "a number": (12345, "must be text, not int"),
    "bytes": (b"order_1", "must be text, not bytes"),
    "nothing": (None, "must be text, not NoneType"),
}


@pytest.mark.parametrize(("reference", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_references_that_are_refused(reference, why):
    with pytest.raises(InvalidRequest, match=why) as caught:
        check_reference(reference, operation="payments.create")
    assert (caught.value.operation, caught.value.field) == ("payments.create", "reference")
    assert "such as 'order_12345'" in str(caught.value)
    # It may be a card number; whatever it is, it is not for a log.
    assert len(str(caught.value)) < 250
    assert caught.value.reference is None


@pytest.mark.parametrize(
    "reference",
    ["x", "x" * 80, "order_1", "Order 1 (of 2)", "a.b", "~", "!", "shop:1@2026-01-01", "'; DROP"],
)
def test_references_that_are_accepted(reference):
    assert check_reference(reference, operation="x") == reference


def test_a_refusal_names_the_field_it_is_about():
    with pytest.raises(InvalidRequest, match=r"payments\.capture: capture_reference:"):
        check_reference("", operation="payments.capture", field="capture_reference")


def test_a_scope_follows_the_rules_of_references_and_is_shorter():
    assert check_scope("x" * 64) == "x" * 64
    for refused in ("x" * 65, "", "a/b", None, "ä"):
        with pytest.raises(InvalidRequest, match="Payport: scope:"):
            check_scope(refused)


@given(strategies.scopes())
def test_every_scope_that_strategies_make_is_accepted(scope):
    assert check_scope(scope) == scope


def test_the_vocabularies_of_identities_are_frozen():
    assert [e.value for e in Environment] == ["test", "live"]
    assert [k.value for k in Kind] == ["pay", "rfd", "opn", "evt", "pyt"]
