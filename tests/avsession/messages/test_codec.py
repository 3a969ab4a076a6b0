"""Frames to messages: within limits, one direction at a time, and never an unnamed error."""

from __future__ import annotations

import json
import tomllib
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import MessageInvalid
from avsession.messages import (
    FROM_PARTY,
    FROM_RECORDER,
    MAX_DEPTH,
    MAX_MESSAGE,
    TO_PARTY,
    TO_RECORDER,
    Codec,
    ErrorReply,
    FromParty,
    FromRecorder,
    ManifestLine,
    Ping,
    ToParty,
    ToRecorder,
    depth_of,
    encode,
)
from avsession.recording import MAX_LINE

HOSTILE = Path(__file__).parent / "hostile.toml"
CASES: list[dict[str, Any]] = tomllib.loads(HOSTILE.read_text("utf-8"))["case"]
GOOD = {"id": "req_" + "a" * 26, "hash": "0" * 64, "key": "k" * 16}


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_hostile_messages(case: dict[str, Any]) -> None:
    frame = case["frame"].replace("{pad}", "x" * case.get("pad", 0))
    for name, value in GOOD.items():
        frame = frame.replace(f"{{{name}}}", value)
    if case["expect"] == "ok":
        message = FROM_PARTY.decode(frame)
        assert FROM_PARTY.decode(encode(message)) == message
    else:
        with pytest.raises(MessageInvalid):
            FROM_PARTY.decode(frame)


# --- limits


def test_binary_frames_are_not_ours() -> None:
    with pytest.raises(MessageInvalid, match="Binary"):
        FROM_PARTY.decode(b'{"type":"ping"}')


def test_the_size_is_counted_in_bytes() -> None:
    ping = '{"type":"ping"}'
    assert FROM_PARTY.decode(ping + " " * (MAX_MESSAGE - len(ping))) == Ping()
    for filler in (" " * (MAX_MESSAGE - len(ping) + 1), "é" * (MAX_MESSAGE // 2)):
        with pytest.raises(MessageInvalid, match="65536 bytes"):
            FROM_PARTY.decode(ping + filler)


def test_the_longest_manifest_line_fits() -> None:
    line = '"' * MAX_LINE  # each is two bytes when quoted
    message = ManifestLine(recording="rec_" + "a" * 26, line=line[:-1000])
    assert FROM_RECORDER.decode(encode(message)) == message


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_nesting_is_bounded_before_anything_is_parsed(opening: str) -> None:
    frame = '{"type":"ping","x":' + opening * 5000
    with pytest.raises(MessageInvalid, match=f"{MAX_DEPTH} deep"):
        FROM_PARTY.decode(frame)


def nested(value: Any) -> int:
    inner: list[Any] = []
    if isinstance(value, list):
        inner = value
    elif isinstance(value, dict):
        inner = list(value.values())
    else:
        return 0
    return 1 + max((nested(item) for item in inner), default=0)


JSON = st.recursive(
    st.none() | st.text(st.sampled_from('[]{}"\\aé')) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('[{"\\')), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_depth_is_what_a_parser_finds(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert depth_of(text) == depth_of(text.encode()) == nested(value)


@pytest.mark.parametrize("codec", [FROM_PARTY, FROM_RECORDER, TO_PARTY, TO_RECORDER])
@given(text=st.text(st.characters(codec="utf-8"), max_size=100))
def test_no_text_crashes_the_decoder(codec: Codec, text: str) -> None:
    with pytest.raises(MessageInvalid):
        codec.decode(text)


# --- the definitions

DIRECTIONS = {
    "from party": (FROM_PARTY, FromParty),
    "to party": (TO_PARTY, ToParty),
    "from recorder": (FROM_RECORDER, FromRecorder),
    "to recorder": (TO_RECORDER, ToRecorder),
}


def kinds(union: Any) -> list[type[msgspec.Struct]]:
    return list(typing.get_args(union))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_message_is_strict_typed_and_told_apart(direction: str) -> None:
    _, union = DIRECTIONS[direction]
    tags = [kind.__struct_config__.tag for kind in kinds(union)]
    assert len(set(tags)) == len(tags)
    for kind in kinds(union):
        assert kind.__struct_config__.forbid_unknown_fields
        assert kind.__struct_config__.frozen
        assert kind.__doc__


def test_no_message_a_party_sends_names_the_party_that_speaks() -> None:
    """Who speaks is the connection's to say: a field could be filled with someone else."""
    fields = {field for kind in kinds(FromParty) for field in kind.__struct_fields__}
    assert not fields & {"party", "sender", "you", "by", "session"}


def test_no_direction_understands_another() -> None:
    shared = {ErrorReply}
    for name, (codec, union) in DIRECTIONS.items():
        for other, (_, foreign) in DIRECTIONS.items():
            for kind in set(kinds(foreign)) - set(kinds(union)) - shared:
                frame = json.dumps({"type": kind.__struct_config__.tag})
                with pytest.raises(MessageInvalid, match="Invalid value"):
                    codec.decode(frame)
            assert name == other or not set(kinds(union)) & set(kinds(foreign)) - shared


def test_an_error_reply_carries_code_sentence_and_key() -> None:
    reply = ErrorReply(code="not_found", message="There is no such thing here.", key="k" * 16)
    assert json.loads(encode(reply)) == {
        "type": "error",
        "code": "not_found",
        "message": "There is no such thing here.",
        "key": "k" * 16,
    }
    assert TO_PARTY.decode(encode(reply)) == TO_RECORDER.decode(encode(reply)) == reply


def test_what_the_sender_is_told_is_short_and_printable() -> None:
    """A message may quote itself in the error; not at length, and no line ends into a log."""
    frame = '{"type": "' + "x\\n" * 12_000 + '"}'
    with pytest.raises(MessageInvalid) as raised:
        FROM_PARTY.decode(frame)
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()
