"""The digests that leaves hold of rows: every field that matters counts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from avsession.audit import rows
from avsession.audit.log import KINDS
from avsession.records import RecordingRequest, SegmentRecord

REQUEST = RecordingRequest(
    id="req_1", session="ses_1", by="pty_1", purposes=["quality"], notices={"en": "0"}, at_ms=6
)
SEGMENT = SegmentRecord(track="trk_1", index=0, recording="rec_1", sha256="a", size=7)


def test_every_consent_event_has_a_kind_of_leaf() -> None:
    assert set(rows.EVENT_LEAVES.values()) <= KINDS


@pytest.mark.parametrize(
    "change", [{"purposes": ["evidence"]}, {"notices": {"en": "1"}}, {"at_ms": 7}, {"id": "req_2"}]
)
def test_what_was_asked(change: dict[str, Any]) -> None:
    assert rows.asked(replace(REQUEST, **change)) != rows.asked(REQUEST)


def test_who_asked_and_what_became_of_it_is_not_in_it() -> None:
    later = replace(REQUEST, outcome="given", by="pty_2", session="ses_2")
    assert rows.asked(later) == rows.asked(REQUEST)


def test_what_is_kept() -> None:
    other = replace(SEGMENT, index=1)
    whole = rows.kept([SEGMENT, other])
    assert [(one["track"], one["count"]) for one in whole] == [("trk_1", 2)]
    for wrong in ([SEGMENT], [other, SEGMENT], [SEGMENT, replace(other, size=8)],
                  [SEGMENT, replace(other, sha256="b")], []):  # fmt: skip
        assert rows.kept(wrong) != whole


def test_each_track_stands_without_the_others() -> None:
    other = replace(SEGMENT, track="trk_2")
    assert rows.kept([SEGMENT, other]) == rows.kept([SEGMENT]) + rows.kept([other])
