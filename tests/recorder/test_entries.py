from collections.abc import Iterator
from pathlib import Path

import pytest

from avsession.grant import Grant, GrantedLeg
from avsession.recording import AnyEntry, Attach, Begin, Detach, End, decode_line
from recorder.entries import LEFT_OPEN, Entries
from recorder.spool import Chain, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


def grant(generation: int) -> Grant:
    return Grant(
        id="g", session="s", request="r", recording="rec_x", generation=generation, epoch_ms=7,
        issued_ms=0, expires_ms=1, worker="w", fingerprint="f", recorder_key="k", purposes=(),
        consents=(), legs=(GrantedLeg("p", "trk_x", "age1x"),),
    )  # fmt: skip


def opened(spool: Spool) -> tuple[Chain, Entries]:
    chain = spool.open("rec_x", lambda: 1)
    return chain, Entries(chain, spool.public_key)


def lines(chain: Chain) -> list[AnyEntry]:
    return [decode_line(line).entry for _, line in sorted(chain.lines.items())]


def test_a_recording_from_its_first_entry_to_its_last(spool: Spool) -> None:
    chain, entries = opened(spool)
    entries.end(interrupted=False)  # nothing has begun
    entries.attach(grant(1), "digest", (12.3456, 0.5))
    entries.detach(2, "not attached")
    entries.detach(1, "why")
    entries.end(interrupted=False)
    entries.end(interrupted=True)
    entries.detach(1, "late")
    begin, attach, detach, end = lines(chain)
    assert isinstance(begin, Begin)
    assert (begin.epoch_ms, begin.recorder_key) == (7, spool.public_key)
    assert [(t.track, t.party, t.recipient) for t in begin.tracks] == [("trk_x", "p", "age1x")]
    assert isinstance(attach, Attach)
    assert (attach.generation, attach.grant, attach.clock_offset_ms) == (1, "digest", 12.346)
    assert isinstance(detach, Detach)
    assert (detach.generation, detach.reason) == (1, "why")
    assert isinstance(end, End)
    assert end.state == "sealed"


@pytest.mark.parametrize("failure", ["", "disk.slow"])
def test_what_was_left_open_is_closed_before_anything_follows(spool: Spool, failure: str) -> None:
    _, entries = opened(spool)
    entries.attach(grant(1), "digest", (0, 0))
    chain, entries = opened(spool)  # as a start finds it
    if failure:
        entries.failure = failure
        entries.end(interrupted=True)
    else:
        entries.attach(grant(2), "digest", (0, 0))
    detach, last = lines(chain)[2:]
    assert isinstance(detach, Detach)
    assert (detach.generation, detach.reason) == (1, failure or LEFT_OPEN)
    assert isinstance(last, End if failure else Attach)
