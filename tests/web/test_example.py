"""Schemas made from examples: what they let through, and what not."""

from typing import Any

import jsonschema_rs
import pytest

from web.example import Map, Part, schema_of

EXAMPLE: dict[str, Any] = {
    "name": "Ben",
    "size": 1,
    "share": 0.5,
    "held": True,
    "left": None,
    "rows": [{"at_ms": 1}],
    "nothing": [],
    "texts": Map({"en": "Hello"}),
    "more": Part({"status": "valid"}),
    "notices": {"a" * 64: "text"},
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": None, "rows": None, "texts": None},
        {"left": 7},
        {"rows": [], "nothing": [1, "x"]},
        {"texts": {}, "notices": {"b" * 64: "other"}},
        {"more": {"status": "missing", "why": 1}},
        {"more": {}},
    ],
    ids=str,
)
def test_what_is_like_it(change: dict[str, Any]) -> None:
    assert jsonschema_rs.is_valid(schema_of(EXAMPLE), EXAMPLE | change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"size": "1"},
        {"held": 0},
        {"rows": [{}]},
        {"rows": [{"at_ms": 1, "other": 2}]},
        {"rows": [None]},
        {"texts": {"de": 1}},
        {"more": {"status": 1}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_is_not(change: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(schema_of(EXAMPLE), EXAMPLE | change)


def test_every_field_is_there_and_the_whole_is_not_null() -> None:
    short = {name: value for name, value in EXAMPLE.items() if name != "size"}
    assert not jsonschema_rs.is_valid(schema_of(EXAMPLE), short)
    assert not jsonschema_rs.is_valid(schema_of(EXAMPLE), None)
