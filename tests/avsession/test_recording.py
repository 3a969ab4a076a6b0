"""The manifest: a chain from which nothing can be dropped, and nothing swapped, unseen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from avsession import recording
from avsession.canonical import b64, canonical, sha256_hex, unb64
from avsession.errors import ManifestBroken
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Attach,
    Begin,
    Cluster,
    Detach,
    Dropped,
    End,
    Gap,
    Line,
    Manifest,
    Sealed,
    State,
    TrackInfo,
    may_become,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key()
ONE, TWO = "trk_1", "trk_2"


@dataclasses.dataclass
class Chain:
    """Writes entries one after another, as the recorder does."""

    lines: list[Line] = dataclasses.field(default_factory=list)
    recording: str = "rec_1"

    def add(self, kind: Callable[..., AnyEntry], **fields: Any) -> None:
        prev = recording.entry_digest(self.lines[-1].entry) if self.lines else GENESIS
        number = len(self.lines)
        common = {"recording": self.recording, "n": number, "prev": prev, "at_ms": 1000 + number}
        self.lines.append(recording.sign_entry(kind(**common | fields), KEY))

    def begin(self) -> None:
        tracks = (TrackInfo(ONE, "pty_1", "age1a"), TrackInfo(TWO, "pty_2", "age1b"))
        self.add(Begin, epoch_ms=1000, recorder_key=b64(PUBLIC.public_bytes_raw()), tracks=tracks)

    def sealed(self, track: str, index: int, end_ms: int = 0) -> None:
        clusters = () if index == 0 else (Cluster(0, end_ms - 1000, keyframe=True),)
        self.add(
            Sealed, track=track, index=index, generation=1, start_ms=max(0, end_ms - 1000),
            end_ms=end_ms, captured_ms=1000 + end_ms, uncertainty_ms=2.5,
            sha256=sha256_hex(b""), size=300, plain_size=100, clusters=clusters,
        )  # fmt: skip


def story() -> Chain:
    """Two tracks; a gap; the second track's last segment came after the gate had closed."""
    chain = Chain()
    chain.begin()
    chain.add(Attach, generation=1, grant=GENESIS, clock_offset_ms=-3.25, clock_uncertainty_ms=1.0)
    chain.sealed(ONE, 0)
    chain.sealed(TWO, 0)
    chain.sealed(ONE, 1, 1000)
    chain.add(Gap, track=ONE, start_ms=1000, end_ms=1500, reason="loss")
    chain.sealed(TWO, 1, 1000)
    chain.sealed(ONE, 2, 2500)
    chain.sealed(TWO, 2, 3000)
    chain.add(Detach, generation=1, reason="withdrawn")
    chain.add(Dropped, track=TWO, index=2, reason="segment.refused")
    chain.add(End, state="sealed", duration_ms=2500)
    return chain


LINES = tuple(story().lines)


def test_a_whole_chain_verifies_and_tells_what_is_in_it() -> None:
    manifest = recording.verify(LINES, PUBLIC)
    assert manifest.complete
    assert [segment.index for segment in manifest.segments(ONE)] == [0, 1, 2]
    assert [segment.index for segment in manifest.segments(TWO)] == [0, 1]
    assert manifest.duration_ms == 2500
    assert [gap.reason for gap in manifest.gaps(ONE)] == ["loss"]
    assert manifest.gaps(TWO) == ()
    assert manifest.begin.tracks[1].party == "pty_2"


def test_lines_survive_the_file() -> None:
    kept = [recording.encode_line(line) for line in LINES]
    assert tuple(recording.decode_line(data) for data in kept) == LINES
    assert not any(b"\n" in data for data in kept)


def test_stock_tools_can_check_a_line() -> None:
    previous, line = (json.loads(recording.encode_line(line)) for line in LINES[:2])
    assert line["entry"]["prev"] == sha256_hex(canonical(previous["entry"]))
    body = b"avsession.manifest.v1\n" + canonical(line["entry"])
    PUBLIC.verify(unb64(line["signature"]), body)


@pytest.mark.parametrize("kept", range(len(LINES)))
def test_a_cut_chain_holds_as_far_as_it_goes_but_is_not_complete(kept: int) -> None:
    assert not recording.verify(LINES[:kept], PUBLIC).complete


def test_without_a_beginning_there_is_nothing_to_read() -> None:
    with pytest.raises(ManifestBroken):
        _ = Manifest(()).duration_ms


@pytest.mark.parametrize("dropped", range(len(LINES) - 1))
def test_nothing_can_be_dropped(dropped: int) -> None:
    with pytest.raises(ManifestBroken):
        recording.verify([*LINES[:dropped], *LINES[dropped + 1 :]], PUBLIC)


@pytest.mark.parametrize("swapped", range(len(LINES) - 1))
def test_nothing_can_be_swapped(swapped: int) -> None:
    lines = list(LINES)
    lines[swapped], lines[swapped + 1] = lines[swapped + 1], lines[swapped]
    with pytest.raises(ManifestBroken):
        recording.verify(lines, PUBLIC)


@pytest.mark.parametrize("place", range(len(LINES)))
def test_nothing_can_be_rewritten(place: int) -> None:
    line = LINES[place]
    for entry, signature, key in [
        (msgspec.structs.replace(line.entry, at_ms=9), line.signature, None),
        (msgspec.structs.replace(line.entry, at_ms=9), "", OTHER_KEY),
        (line.entry, "", None),
        (line.entry, line.signature + "==", None),
        (line.entry, "é", None),
    ]:
        forged = recording.sign_entry(entry, key) if key else Line(entry, signature)
        with pytest.raises(ManifestBroken):
            recording.verify([*LINES[:place], forged, *LINES[place + 1 :]], PUBLIC)


def test_an_entry_signed_for_another_use_is_not_an_entry() -> None:
    entry = LINES[0].entry
    forged = Line(entry, b64(KEY.sign(b"avsession.grant.v1\n" + canonical(entry))))
    with pytest.raises(ManifestBroken):
        recording.verify([forged], PUBLIC)


def test_the_recorder_itself_cannot_break_the_rules() -> None:
    def after(*steps: Callable[[Chain], None], start: int) -> None:
        chain = Chain(list(LINES[:start]))
        for step in steps:
            step(chain)
        with pytest.raises(ManifestBroken):
            recording.verify(chain.lines, PUBLIC)

    def detach(chain: Chain, **fields: Any) -> None:
        chain.add(Detach, generation=1, reason="", **fields)

    after(detach, start=0)  # not a beginning
    after(lambda c: c.begin(), start=3)  # a second beginning
    after(detach, start=len(LINES))  # after the end
    after(lambda c: detach(c, recording="rec_2"), start=2)
    after(lambda c: detach(c, n=7), start=2)
    after(lambda c: detach(c, prev=GENESIS), start=2)
    after(lambda c: c.sealed(ONE, 1, 1000), start=2)  # no header before it
    after(lambda c: c.sealed(ONE, 0), start=3)  # twice
    after(lambda c: c.sealed(ONE, 2, 1000), start=3)  # one left out


HOSTILE_LINES = {
    "nothing": b"",
    "not JSON": b"manifest",
    "not UTF-8": b'{"signature":"\xff","entry":{}}',
    "not UTF-8 in a tag": b'{"entry":{"kind":"\xff"},"signature":""}',
    "a list": b"[]",
    "no signature": recording.encode_line(LINES[0]).replace(b',"signature":', b',"s":'),
    "an unknown kind": recording.encode_line(LINES[0]).replace(b'"begin"', b'"start"'),
    "an unknown field": recording.encode_line(LINES[0]).replace(b'"n":0', b'"n":0,"m":0'),
    "a number as text": recording.encode_line(LINES[0]).replace(b'"n":0', b'"n":"0"'),
    "two lines": recording.encode_line(LINES[0]) * 2,
    "deep nesting": b'{"entry":{"x":' + b"[" * 30_000 + b"]" * 30_000 + b',"kind":"end"}}',
    "too long": recording.encode_line(LINES[0]) + b" " * recording.MAX_LINE,
}


@pytest.mark.parametrize("data", HOSTILE_LINES.values(), ids=HOSTILE_LINES.keys())
def test_anything_else_is_no_line(data: bytes) -> None:
    with pytest.raises(ManifestBroken):
        recording.decode_line(data)


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_no_bytes_crash_the_reader(data: bytes | str) -> None:
    with pytest.raises(ManifestBroken):
        recording.decode_line(data)


def test_a_number_beyond_exactness_is_refused_not_rounded() -> None:
    data = recording.encode_line(LINES[0]).replace(b'"at_ms":1000', b'"at_ms":9007199254740993')
    with pytest.raises(ManifestBroken):
        recording.check_next(recording.decode_line(data), None, PUBLIC)


FORWARD = [
    # from, to each of: on, paused, off, closing, sealed, interrupted, erased
    (State.ON, "yes yes yes yes yes yes yes"),
    (State.PAUSED, "yes yes yes yes yes yes yes"),
    (State.OFF, "yes yes yes yes yes yes yes"),
    (State.CLOSING, "no no no no yes yes yes"),
    (State.SEALED, "no no no no no no yes"),
    (State.INTERRUPTED, "no no no no no no yes"),
    (State.ERASED, "no no no no no no no"),
]


@pytest.mark.parametrize(("old", "row"), FORWARD)
def test_a_recording_only_moves_forward(old: State, row: str) -> None:
    assert [may_become(old, new) for new in State] == [word == "yes" for word in row.split()]


def test_a_line_written_out_once_is_the_same_line() -> None:
    chain = Chain()
    chain.begin()
    (line,) = chain.lines
    written, digest = recording.sign_line(line.entry, KEY)
    assert written == recording.encode_line(line)
    assert digest == recording.entry_digest(line.entry)
