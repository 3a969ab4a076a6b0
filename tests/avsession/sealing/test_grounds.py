"""Custody's own check of what a key is unwrapped against."""

from typing import Any

import pytest
from msgspec.structs import replace

from avsession.audit.checkpoint import Checkpoint
from avsession.errors import CustodyMoved, CustodyRefused
from avsession.messages.custody import Shown
from avsession.sealing import grounds
from tests.support.custody import NOON_MS, RULES, UNTIL_MS, SmallLog

REC, TRK = "rec_" + "a" * 26, "trk_" + "b" * 26


def checked(
    log: SmallLog, shown: Shown, kept: Checkpoint | None = None, **other: Any
) -> Checkpoint:
    given: dict[str, Any] = {
        "recording": REC, "track": TRK, "key": log.key, "kept": kept, "now_ms": NOON_MS + 1000,
        "rules": RULES,
    }  # fmt: skip
    return grounds.check(shown, **{**given, **other})


@pytest.fixture
def log() -> SmallLog:
    made = SmallLog()
    made.add("log.started")
    for _ in range(4):
        made.add("access.granted")
    return made


async def test_an_opening_in_the_log_opens(log: SmallLog) -> None:
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    log.add("audit.read")
    head = checked(log, await log.shown(index))
    assert head == await log.head()


async def test_an_export_opens_its_own_tracks_for_its_days(log: SmallLog) -> None:
    index = log.add("recording.exported", recording=REC, tracks=[TRK], taken="tak_1")
    shown = replace(await log.shown(index), until_ms=None)
    assert checked(log, shown, now_ms=NOON_MS + RULES.export_ms - 1).size == 6
    with pytest.raises(CustodyRefused, match="time"):
        checked(log, shown, now_ms=NOON_MS + RULES.export_ms)
    with pytest.raises(CustodyRefused, match="other tracks"):
        checked(log, shown, track="trk_" + "c" * 26)


@pytest.mark.parametrize(
    ("kind", "refs"),
    [
        ("recording.accessed", {"recording": "rec_" + "z" * 26, "access": "acs_1"}),
        ("recording.accessed", {"recording": REC}),
        ("recording.accessed", {}),
        ("recording.exported", {"recording": REC}),
        ("recording.exported", {"recording": REC, "tracks": TRK}),
        ("recording.exported", {"recording": REC, "tracks": []}),
        ("recording.sealed", {"recording": REC, "access": "acs_1", "tracks": [TRK]}),
        ("audit.read", {"recording": REC, "access": "acs_1", "tracks": [TRK]}),
    ],
)
async def test_another_leaf_opens_nothing(log: SmallLog, kind: str, refs: dict[str, Any]) -> None:
    index = log.add(kind, **refs)
    shown = await log.shown(index)
    with pytest.raises(CustodyRefused, match="leaf"):
        checked(log, shown)


@pytest.mark.parametrize(
    ("now_ms", "holds"),
    [
        (NOON_MS, True),
        (UNTIL_MS - 1, True),
        (UNTIL_MS, False),
        (NOON_MS - grounds.EARLY_MS, True),
        (NOON_MS - grounds.EARLY_MS - 1, False),
    ],
)
async def test_an_opening_has_its_time(log: SmallLog, now_ms: int, holds: bool) -> None:
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    shown = await log.shown(index)
    if holds:
        checked(log, shown, now_ms=now_ms)
    else:
        with pytest.raises(CustodyRefused, match="time"):
            checked(log, shown, now_ms=now_ms)


async def test_no_opening_lasts_longer_than_custody_lets_it(log: SmallLog) -> None:
    """Whatever end its leaf commits to: ten minutes are set here, and the leaf says thirty."""
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    short = grounds.Rules(access_ms=600_000, export_ms=1)
    with pytest.raises(CustodyRefused, match="time"):
        checked(log, await log.shown(index), now_ms=NOON_MS + 600_000, rules=short)


@pytest.mark.parametrize(
    "change",
    [{"until_ms": UNTIL_MS + 1}, {"until_ms": None}, {"salt": b""}, {"salt": b"t" * 32}],
    ids=str,
)
async def test_the_end_is_the_one_that_the_leaf_commits_to(
    log: SmallLog, change: dict[str, Any]
) -> None:
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    with pytest.raises(CustodyRefused, match="end"):
        checked(log, replace(await log.shown(index), **change))


async def test_a_leaf_that_is_not_in_the_log_opens_nothing(log: SmallLog) -> None:
    real = log.add("audit.read")
    other = log.fork()
    other.leaves.pop()
    forged = other.add("recording.accessed", recording=REC, access="acs_1")
    assert forged == real
    shown = await log.shown(real)
    for wrong in (
        replace(shown, leaf=other.leaves[forged]),
        replace(shown, index=0),
        replace(shown, hashes=()),
        replace(shown, hashes=shown.hashes[::-1]),
        replace(shown, index=99),
    ):
        with pytest.raises(CustodyRefused, match="not in the log"):
            checked(log, wrong)


async def test_another_key_signs_nothing(log: SmallLog) -> None:
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    stranger = SmallLog()
    stranger.leaves = log.leaves
    for note in ((await stranger.head()).note, "", "nonsense\n"):
        with pytest.raises(CustodyRefused, match="not the log's"):
            checked(log, replace(await log.shown(index), note=note))


async def test_a_log_without_what_custody_saw_is_another_log(log: SmallLog) -> None:
    """The log's key signs it all the same: this is a server that was taken over."""
    honest = log.fork()
    secret = log.add("recording.accessed", recording=REC, access="acs_1")
    kept = checked(log, await log.shown(secret))
    for _ in range(3):
        honest.add("audit.read")
    index = honest.add("recording.accessed", recording=REC, access="acs_2")
    with pytest.raises(CustodyRefused, match="saw before"):
        checked(log, await honest.shown(index, since=kept.size), kept)
    index = log.add("recording.accessed", recording=REC, access="acs_3")
    assert checked(log, await log.shown(index, since=kept.size), kept).size == 7


async def test_an_older_log_extends_nothing(log: SmallLog) -> None:
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    shown = await log.shown(index)
    log.add("audit.read")
    kept = await log.head()
    with pytest.raises(CustodyRefused, match="saw before"):
        checked(log, replace(shown, since=kept.size), kept)


async def test_what_was_made_for_another_checkpoint_is_asked_for_again(log: SmallLog) -> None:
    kept = await log.head()
    index = log.add("recording.accessed", recording=REC, access="acs_1")
    for since in (0, 3, 6):
        with pytest.raises(CustodyMoved):
            checked(log, await log.shown(index, since=since), kept)


@pytest.mark.parametrize(
    "leaf",
    [b"", b"[]", b"\xff", b'{"kind":"x"}', b'{"kind":1,"time":"","refs":{},"commitments":{}}'],
)
async def test_a_leaf_of_another_shape_is_refused(log: SmallLog, leaf: bytes) -> None:
    log.leaves.append(leaf)
    with pytest.raises(CustodyRefused, match="cannot be read"):
        checked(log, await log.shown(5))


@pytest.mark.parametrize("time", ["", "noon", "2026-05-01T12:00:00", "2026-13-01T12:00:00Z"])
async def test_a_time_without_an_offset_is_none(log: SmallLog, time: str) -> None:
    index = log.add("recording.accessed", time=time, recording=REC, access="acs_1")
    with pytest.raises(CustodyRefused, match="cannot be read"):
        checked(log, await log.shown(index))
