"""Canonical JSON and what is made over it: one answer to "which bytes"."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from avsession.canonical import b64, canonical, commitment, sha256_hex, unb64

SAFE = 2**53 - 1
TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


class Point(msgspec.Struct, frozen=True):
    """A value with a tuple and a number in it."""

    y: tuple[int, ...]
    x: float


def test_keys_are_sorted_as_utf_16_and_nothing_is_escaped_without_need() -> None:
    # the example of RFC 8785, section 3.2.3
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    made = canonical(dict.fromkeys(names, 0)).decode()
    assert made == '{"\\r":0,"1":0,"\u0080":0,"\u00f6":0,"\u20ac":0,"\U0001f600":0,"\ufb33":0}'


def test_structs_are_their_plain_data() -> None:
    assert canonical(Point((1, 2), 1.0)) == b'{"x":1,"y":[1,2]}'


@given(PLAIN)
def test_canonical_json_is_json_and_canonical_again(value: Any) -> None:
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data


@pytest.mark.parametrize(
    "value", [SAFE + 1, -SAFE - 1, float("nan"), float("inf"), "\ud800", {1: 2}], ids=repr
)
def test_what_json_cannot_say_exactly_is_refused(value: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(value)


def test_sha256_is_lower_case_hex() -> None:
    assert sha256_hex(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_commitment_is_hmac_over_field_and_value() -> None:
    salt = bytes(range(32))
    made = hmac.new(salt, b'["name","Ada"]', hashlib.sha256).hexdigest()
    assert commitment(salt, "name", "Ada") == made


def test_a_commitment_tells_salts_fields_and_values_apart() -> None:
    salt = bytes(32)
    said = [
        commitment(salt, "name", "Ada"),
        commitment(salt, "name", "Bob"),
        commitment(salt, "email", "Ada"),
        commitment(bytes([1]) * 32, "name", "Ada"),
        commitment(salt, "name", ["Ada"]),
        commitment(salt, 'name","Ada', ""),
    ]
    assert len(set(said)) == len(said)


@given(st.binary())
def test_base64url_round_trip(data: bytes) -> None:
    text = b64(data)
    assert unb64(text) == data
    assert not set("+/=") & set(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A", "half a byte"),
        ("AA==", "padding"),
        ("+/8", "the other alphabet"),
        ("-_9", "bits after the end"),
        ("AA\n", "a line end"),
        ("A A", "a space"),
        ("AAé", "not ASCII"),
        ("====", "nothing but padding"),
    ],
)
def test_one_value_has_one_spelling(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"base64|Base64|ASCII|padding"):
        unb64(text)
