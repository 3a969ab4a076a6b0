"""A leaf by itself: the fast way to check canonical JSON agrees with the slow one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.audit.log import rfc3339
from avsession.audit.verify_leaves import read
from avsession.canonical import canonical
from avsession.records import Leaf

NOW = 1_700_000_000_123
BODY: dict[str, Any] = {
    "v": 1, "index": 3, "time": rfc3339(NOW), "kind": "audit.read", "session": "s", "actor": None,
    "subject": None, "refs": {"b": [1, {"z": None, "a": "x"}], "a": True}, "commitments": {},
}  # fmt: skip


def row(data: bytes) -> Leaf:
    return Leaf(index=3, kind="audit.read", session="s", at_ms=NOW, data=data)


def wrong(data: bytes) -> list[str]:
    return read(row(data))[1]


def test_a_leaf_as_it_was_written_is_right() -> None:
    body, found = read(row(canonical(BODY)))
    assert found == []
    assert body is not None
    assert body.refs == BODY["refs"]
    assert body.at_ms == NOW


@given(st.dictionaries(st.text(max_size=5), st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9, width=32),
    lambda inner: st.lists(inner, max_size=3)), max_size=4))  # fmt: skip
def test_whatever_is_canonical_is_taken_for_it(refs: dict[str, Any]) -> None:
    assert wrong(canonical(BODY | {"refs": refs})) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [('"a":true', '"a": true'), ('"a":true,"b"', '"b"'), ('"v":1', '"v":1.0'), ("[1,", "[1.0,"),
     ('"x"', '"\\u0078"'), ('"index":3', '"index":3e0'), ('"a":"x","z":null', '"z":null,"a":"x"'),
     ('{"actor"', ' {"actor"'), ('"a":true', '"a":12345678901234567890')],
)  # fmt: skip
def test_the_same_in_other_words_is_not(old: str, new: str) -> None:
    text = canonical(BODY).decode()
    assert old in text
    changed = text.replace(old, new, 1)
    assert (wrong(changed.encode()) == []) == (changed == '"' or old == '"a":true,"b"')


@pytest.mark.parametrize(
    ("change", "said"),
    [({"index": 4}, "leaf 4"), ({"v": 2}, "kind"), ({"kind": "audit.write"}, "kind"),
     ({"session": None}, "session"), ({"time": rfc3339(NOW + 1)}, "time"),
     ({"time": "yesterday"}, "no time"), ({"time": "2023-11-14T22:13:20"}, "no time")],
)  # fmt: skip
def test_what_the_bytes_say_is_compared(change: dict[str, Any], said: str) -> None:
    assert any(said in one for one in wrong(canonical(BODY | change)))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"null", b"[" * 100_000])
def test_no_leaf_at_all(data: bytes) -> None:
    assert read(row(data)) == (None, ["its bytes are no leaf"])


@pytest.mark.parametrize("depth", [300, 450, 600, 900, 100_000])
def test_however_deep_it_is_it_is_named(depth: int) -> None:
    data = canonical(BODY).replace(b'"a":true', b'"a":' + b"[" * depth + b"]" * depth)
    _, found = read(row(data))
    assert found == [] or len(found) == 1


def test_a_field_more_is_no_leaf() -> None:
    assert read(row(canonical(BODY | {"more": 1})))[0] is None
