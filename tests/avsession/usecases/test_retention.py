"""A recording goes when what was told about its purposes has passed, and not before."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.audit.verify import Report
from avsession.config import Consent
from avsession.errors import NotFound, PurposeExpired, Unavailable
from avsession.privacy import retention as rules
from avsession.recording import State
from avsession.records import (
    Access,
    AuthSession,
    Certificate,
    ConsentEvent,
    Detail,
    Idempotent,
    Recording,
    SegmentRecord,
    SignInLink,
    Ticket,
    TrackRecord,
)
from avsession.session import Party, Session
from avsession.storage.tables import TABLES
from avsession.usecases import (
    accounts,
    evidence,
    holds,
    persons,
    retention,
    review,
    sessions,
    timers,
)
from avsession.usecases.retention import Tally
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World, opened
from tests.support.engines import stored

DAY_S = 86_400
WHY = "Kundig complains of invoice 4711"


async def test_it_stays_until_the_longest_told_time_and_then_goes(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    await world.story()
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    assert row.keep_until_ms == row.closed_ms + 180 * rules.DAY_MS
    await world.later(180 * DAY_S - 60)
    assert (await world.only(Recording, id=recording)).state is State.SEALED
    assert len(world.files("keys")) == 2
    await world.later(120)
    gone = await world.only(Recording, id=recording)
    assert (gone.state, gone.keep_until_ms) == (State.ERASED, None)
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    told = (await world.story()).split()
    assert told[-4:] == ["key.destroyed", "key.destroyed", "recording.erased", "retention.applied"]
    leaves = await world.leaves()
    assert leaves[-2]["refs"]["reason"] == "retention"
    assert leaves[-2]["actor"] == leaves[-1]["actor"] == "server"


async def test_the_shorter_purpose_alone_keeps_for_the_shorter_time(world: World) -> None:
    recording = await world.sealed("quality")
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    assert row.keep_until_ms == row.closed_ms + 30 * rules.DAY_MS


async def test_repeating_it_does_nothing_more(world: World) -> None:
    await world.sealed("quality")
    await world.later(31 * DAY_S)
    await world.story()
    await retention.apply(world.app)
    assert await world.story() == ""


async def test_a_crash_between_keys_and_objects_is_mended(world: World) -> None:
    recording = await world.sealed("quality")
    world.app.clock.forward(31 * DAY_S)  # type: ignore[attr-defined]
    kept, remove = world.app.objects, world.app.objects.remove

    async def fails(_prefix: str) -> int:
        raise OSError("the folder is gone")

    kept.remove = fails  # type: ignore[method-assign,assignment]
    try:
        await retention.apply(world.app)
    except OSError:
        assert world.files("keys") == [], "from here on the segments are noise"
    kept.remove = remove  # type: ignore[method-assign]
    await world.later(1)
    assert world.files("objects") == []
    assert (await world.only(Recording, id=recording)).keep_until_ms is None


# --- everything, over two years


async def ended_call(world: World, *purposes: str) -> str:
    """A call with a recording that is over, and a viewing of it; the session."""
    if purposes:
        recording = await world.sealed(*purposes)
        await review.open_recording(world.app, world.admin, recording, WHY, purposes[0])
    await sessions.end_session(world.app, world.session, "test")
    return world.session


async def next_call(world: World) -> None:
    world.agent, world.customer = await world.new_call(world.staff)
    world.session = world.agent.party.session


def counts(found: list[Tally]) -> dict[str, int]:
    return {tally.rule.what: tally.count for tally in found if tally.count}


def names(found: list[Tally]) -> dict[str, list[str]]:
    return {tally.rule.what: tally.gone for tally in found if tally.gone}


async def test_two_years_leave_figures_and_no_person(world: World) -> None:
    await ended_call(world, "quality", "evidence")
    await next_call(world)
    await ended_call(world, "quality")
    await next_call(world)
    await ended_call(world)
    day = 0
    states = {}
    while day < 730:
        step = 5
        day += step
        await world.later(step * DAY_S)
        left = [row for row in await world.find(Recording) if row.state is State.SEALED]
        people = [party for party in await world.find(Party) if party.name]
        states[day] = (len(left), len(people))
    # the longest told time each, then the persons a year after the call
    assert states[25] == (2, 6)
    assert states[30] == (1, 6)
    assert states[175] == (1, 6)
    assert states[180] == (0, 6)
    assert states[360] == (0, 6)
    assert states[365] == (0, 0)
    assert len(await world.find(Session)) == 3, "that there were calls stays"
    assert {row.kind for row in await world.find(ConsentEvent)} == {"requested", "given"}
    for kind in (Ticket, SignInLink, AuthSession, Idempotent, SegmentRecord):
        assert await world.find(kind) == []
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    assert not await world.find(Detail, field="login")
    assert [row.reason for row in await world.find(Access)] == ["", ""]
    # nothing in the database says who, but the accounts that are still there
    await world.app.leftovers.scrub(world.store)
    data = b"".join(stored(world.folder).values())
    for word in (CUSTOMER_NAME, WHY, world.customer.id, world.agent.party.pseudonym):
        assert (word.encode() in data) == (word == world.agent.party.pseudonym), word
    report = await verified(world)
    assert report.findings == ()
    applied = [leaf["refs"] for leaf in await world.leaves() if leaf["kind"] == "retention.applied"]
    total: Counter[str] = Counter()
    for refs in applied:
        assert set(refs) <= {"what", "how", "count", "recording", "texts"}
        total[refs["what"]] += refs["count"]
    assert (total["recordings"], total["sessions"], total["invitations"]) == (2, 3, 3)


async def verified(world: World) -> Report:
    await evidence.checkpoint(world.app)
    return await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)


async def overdue(world: World) -> None:
    """Something of everything is due: the schedule has not run."""
    await ended_call(world, "quality")
    await next_call(world)
    await ended_call(world, "quality")
    stray = world.folder / "spool" / "worker-1" / f"rec_{'a' * 26}" / f"trk_{'b' * 26}"
    stray.mkdir(parents=True)
    (stray / "000000.age").write_bytes(b"left behind")
    await next_call(world)
    await sessions.issue_ticket(world.app, world.agent.party)
    await accounts.make_sign_in_link(world.app, world.staff.account)
    await world.ask()
    await sessions.end_session(world.app, world.session, "test")
    world.clock.forward(400 * DAY_S)


ALL = {
    "recordings", "sessions", "logins", "invitations", "spool", "tickets", "sign-in links",
    "staff sessions", "answers",
}  # fmt: skip


async def test_a_dry_run_changes_nothing_and_names_exactly_what_then_goes(world: World) -> None:
    await overdue(world)
    before: list[Any] = [await world.find(kind) for kind in TABLES]
    files = world.files("."), await world.story()
    told = await retention.run(world.app, dry=True)
    assert [await world.find(kind) for kind in TABLES] == before
    assert (world.files("."), files[1]) == (files[0], files[1])
    assert await world.story() == ""
    went = await retention.run(world.app)
    assert names(told) == names(went)
    assert counts(told) == counts(went)
    assert set(counts(went)) == ALL
    assert not any(tally.failed for tally in went)
    assert counts(await retention.run(world.app)) == {}, "and then nothing is left"
    assert world.files("spool") == []


async def test_two_at_once_do_no_harm(world: World) -> None:
    """Two processes as far as files and database know: two stores, two sets of keys and objects."""
    await overdue(world)
    told = counts(await retention.run(world.app, dry=True))
    other = World(world.folder, {}, world.clock)
    await other.start()
    try:
        both = await asyncio.gather(retention.run(world.app), retention.run(other.app))
        for one in (world, other):
            await retention.finish(one.app)
        # a scrub that met the other's transaction is gone on with by the next run
        rest = await retention.run(world.app)
    finally:
        await other.close()
    assert counts(rest) == {}
    assert not any(tally.failed for tally in rest)
    assert await world.find(Certificate, done_ms=None) == []
    total: Counter[str] = Counter()
    for leaf in await world.leaves():
        if leaf["kind"] == "retention.applied":
            total[leaf["refs"]["what"]] += leaf["refs"]["count"]
    assert dict(total) == told, "each went once, whoever of the two it was"
    assert sum(counts(one).get("sessions", 0) for one in both) == told["sessions"]
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    assert (await verified(world)).findings == ()


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("commits", [0, 1, 2, 4, 8, 12, 16])
async def test_an_interrupted_run_is_gone_on_with(world: World, commits: int) -> None:
    await overdue(world)
    left = iter(range(commits))

    async def die() -> None:
        if next(left, None) is None:
            raise Crash

    world.store.before_commit = die
    with pytest.raises(Crash):
        await retention.run(world.app)
    await world.restart()
    await world.later(1)
    await world.later(1)
    assert counts(await retention.run(world.app)) == {}
    assert [party.name for party in await world.find(Party)] == [""] * 6
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    assert (await verified(world)).findings == ()


async def test_a_hold_keeps_recording_and_persons_until_it_is_released(world: World) -> None:
    await ended_call(world, "quality")
    placed = await holds.place(
        world.app, world.admin, scope="session", target=world.session, category="duty",
        reason="the law", asked_by="court", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    await world.later(400 * DAY_S)
    found = {tally.rule.what: tally for tally in await retention.run(world.app, dry=True)}
    for what in ("recordings", "sessions"):
        assert (found[what].count, found[what].kept) == (0, {"hold": 1})
    assert len(world.files("keys")) == 2
    with pytest.raises(PurposeExpired):
        await open_it(world, "quality")
    await holds.release(world.app, world.admin, placed["hold"], "over now")
    await world.later(3600)
    assert world.files("keys") == []
    assert [party.name for party in await world.find(Party)] == ["", ""]


async def test_a_purpose_that_is_over_opens_nothing_while_another_still_does(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    await world.later(30 * DAY_S - 60)
    opened = await open_it(world, "quality")
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    assert opened["expires_ms"] == row.closed_ms + 30 * rules.DAY_MS, "not a minute more"
    track = opened["tracks"][0]["track"]
    await review.track_file(world.app, world.admin, opened["access"], track)
    await world.later(120)
    with pytest.raises(NotFound):
        await review.track_file(world.app, world.admin, opened["access"], track)
    await world.story()
    with pytest.raises(PurposeExpired):
        await open_it(world, "quality")
    assert await world.story() == ""
    (shown,) = await review.recordings(world.app, world.admin, 2**53 - 1, 10)
    assert (shown["expired"], shown["playable"]) == (["quality"], True)
    await open_it(world, "evidence")


async def open_it(world: World, purpose: str) -> dict[str, Any]:
    (recording,) = await world.find(Recording)
    return await review.open_recording(world.app, world.admin, recording.id, WHY, purpose)


async def test_persons_stay_as_long_as_a_recording_of_them(tmp_path: Path) -> None:
    long = {"id": "evidence", "label": {"en": "Evidence"}, "keep_days": 500}
    consent = msgspec.convert({"purposes": [long]}, Consent)
    async with opened(tmp_path, consent=consent) as world:
        await ended_call(world, "evidence")
        await world.later(499 * DAY_S)
        found = {tally.rule.what: tally for tally in await retention.run(world.app, dry=True)}
        assert found["sessions"].kept == {"recording": 1}
        assert {party.name for party in await world.find(Party)} == {AGENT_NAME, CUSTOMER_NAME}
        await world.later(2 * DAY_S)
        assert {party.name for party in await world.find(Party)} == {""}


async def test_one_that_fails_keeps_no_other(world: World) -> None:
    await overdue(world)
    first, second = await world.find(Recording, order="keep_until_ms")
    destroy, broken = world.app.custody.destroy, True
    tracks = {track.id for track in await world.find(TrackRecord, recording=first.id)}

    async def stuck(track: str) -> bool:
        if broken and track in tracks:
            raise Unavailable
        return await destroy(track)

    world.app.custody.destroy = stuck  # type: ignore[method-assign]
    found = {tally.rule.what: tally for tally in await retention.run(world.app)}
    assert (found["recordings"].gone, found["recordings"].failed) == ([second.id], 1)
    assert (found["sessions"].count, found["sessions"].failed) == (2, 1)
    broken = False
    await retention.finish(world.app)
    again = {tally.rule.what: tally for tally in await retention.run(world.app)}
    assert (again["sessions"].count, again["sessions"].failed) == (1, 0)


async def test_a_turn_of_the_schedule_is_bounded_and_the_next_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await ended_call(world)
        await next_call(world)
    await ended_call(world)
    monkeypatch.setattr(persons, "AT_ONCE", 2)
    monkeypatch.setattr(retention, "TURN_GOING", 1)
    world.clock.forward(400 * DAY_S)
    left = []
    for _ in range(20):
        await timers.tick(world.app)
        left.append(len([row for row in await world.find(Session) if row.forgotten_ms is None]))
    assert sorted(set(left), reverse=True) == [5, 3, 1, 0], "two sessions, then somebody's turn"
    assert sorted(left, reverse=True) == left
