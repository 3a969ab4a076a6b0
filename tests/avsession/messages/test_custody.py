"""Frames between the server and custody: bounded, typed, of one version."""

import pytest

from avsession.errors import MessageInvalid
from avsession.messages import custody as wire

TRACK = "trk_" + "a" * 26
RECORDING = "rec_" + "a" * 26


def shown() -> wire.Shown:
    return wire.Shown(
        leaf=b"{}", index=3, hashes=(b"1" * 32,), note="n", since=2, extends=(b"2" * 32,),
        until_ms=7, salt=b"s" * 32,
    )  # fmt: skip


QUESTIONS: list[wire.AnyQuestion] = [
    wire.AskHead(log="l"),
    wire.AskCreate(log="l", recording=RECORDING, track=TRACK),
    wire.AskUnwrap(log="l", recording=RECORDING, track=TRACK, grounds=shown()),
    wire.AskDestroy(log="l", track=TRACK),
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda one: type(one).__name__)
def test_a_question_arrives_as_it_was_asked(asked: wire.AnyQuestion) -> None:
    framed = wire.frame(asked)
    header, data = framed[: wire.HEADER], framed[wire.HEADER :]
    assert wire.length(header) == len(data)
    assert wire.question(data) == asked


def test_an_answer_arrives_as_it_was_given() -> None:
    said = wire.Answer(identity="i", head="h", destroyed=True)
    assert wire.answer(wire.frame(said)[wire.HEADER :]) == said


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"ask":"head"}',
        b'{"ask":"rule","log":"l"}',
        b'{"ask":"head","log":"l","v":2}',
        b'{"ask":"head","log":"l","more":1}',
        b'{"ask":"head","log":""}',
        b'{"ask":"destroy","log":"l","track":"../custodian.key"}',
        b'{"ask":"destroy","log":"l","track":"' + b"a" * 600 + b'"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_question_is_refused_without_repeating_it(data: bytes) -> None:
    with pytest.raises(MessageInvalid, match=r"^Not a question of this protocol\.$"):
        wire.question(data)
    with pytest.raises(MessageInvalid, match=r"^Not an answer of this protocol\.$"):
        wire.answer(data)


def test_a_frame_has_a_limit_on_both_sides() -> None:
    assert wire.length(wire.MAX_FRAME.to_bytes(4, "big")) == wire.MAX_FRAME
    for size in (wire.MAX_FRAME + 1, 2**32 - 1):
        with pytest.raises(MessageInvalid):
            wire.length(size.to_bytes(4, "big"))
    with pytest.raises(MessageInvalid):
        wire.frame(wire.Answer(head="x" * (wire.MAX_FRAME + 1)))
