"""A legal hold keeps everything from being destroyed, says so, and gives way by itself."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession.errors import (
    Conflict,
    ConsentRequired,
    Erased,
    Held,
    Invalid,
    NotFound,
    NotPermitted,
)
from avsession.recording import State
from avsession.records import (
    Certificate,
    Detail,
    Hold,
    Idempotent,
    Recording,
    TrackRecord,
    Withdrawal,
)
from avsession.usecases import erasure, holds, mydata, review
from tests.avsession.usecases.world import World, opened

DAY_MS = 86_400_000
REASON, ASKED_BY = "claim of the customer, file 12/26", "the company's lawyer"


async def hold(world: World, scope: str, target: str, **changed: Any) -> str:
    usual: dict[str, Any] = {
        "scope": scope,
        "target": target,
        "category": "claim",
        "reason": REASON,
        "asked_by": ASKED_BY,
        "review_ms": world.clock.now_ms() + 30 * DAY_MS,
    }
    placed = await holds.place(world.app, world.admin, **(usual | changed))
    return str(placed["hold"])


async def release(world: World, hold_id: str) -> None:
    await holds.release(world.app, world.admin, hold_id, "the case is over")


def target(world: World, scope: str, recording: str) -> str:
    return {"recording": recording, "session": world.session, "party": world.customer.id}[scope]


@pytest.mark.parametrize("scope", ["recording", "session", "party"])
@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_what_was_decided_waits_for_the_release_and_then_happens_by_itself(
    world: World, scope: str, who: str
) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    kept = world.files("objects"), world.files("keys")
    hold_id = await hold(world, scope, target(world, scope, recording))
    person = getattr(world, who)
    await world.withdraw(person, request)
    await world.choose(person, request, "destroy")
    await world.later(1000)
    assert (world.files("objects"), world.files("keys")) == kept
    assert not await world.find(Certificate)
    assert not (await world.only(Withdrawal)).done
    await release(world, hold_id)
    await world.later(1)
    (row,) = await world.find(Certificate)
    assert row.done_ms is not None
    assert row.party == person.id
    assert row.whole == (who == "customer")
    assert len(world.files("keys")) == (0 if who == "customer" else 1)
    assert (await world.only(Withdrawal)).done


async def test_withdrawing_closes_and_hides_at_once_all_the_same(world: World) -> None:
    recording = await world.recorded()
    request = world.gate.request
    await hold(world, "recording", recording)
    await world.withdraw(world.customer, request)
    assert world.live() is None
    await world.recorder.end()
    with pytest.raises(ConsentRequired):
        await review.open_recording(world.app, world.admin, recording, "curious", "quality")
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(ConsentRequired):
        await review.open_recording(world.app, world.admin, recording, "curious", "quality")


async def test_the_person_is_told_that_it_is_held_why_in_general_and_until_when(
    world: World,
) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await hold(world, "recording", recording, category="order")
    review_ms = world.clock.now_ms() + 30 * DAY_MS
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    answers = [row.result for row in await world.find(Idempotent, party=world.customer.id)]
    assert {"fate": "destroy", "held": "order", "review_ms": str(review_ms)} in answers
    data = await mydata.my_data(world.app, world.customer.data_secret)
    (seen,) = data["recordings"]
    assert seen["held"] == {"category": "order", "review_ms": review_ms}
    assert (seen["state"], seen["fate"]) == ("sealed", "destroy")
    assert REASON not in str(data)
    assert ASKED_BY not in str(data)


async def test_the_time_that_has_passed_waits_too(world: World) -> None:
    recording = await world.sealed("quality")
    hold_id = await hold(world, "recording", recording, review_ms=world.clock.now_ms() + 9)
    await world.later(31 * 86_400)
    assert (await world.only(Recording)).state is State.SEALED
    await release(world, hold_id)
    await world.later(1)
    assert (await world.only(Recording)).state is State.ERASED
    assert (await world.only(Certificate)).reason == "retention"


async def test_held_recordings_do_not_keep_others_from_their_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avsession.usecases.sweep.PAGE", 1)
    monkeypatch.setattr("avsession.usecases.retention.TURN_GOING", 1)
    first = await world.sealed("quality")
    await hold(world, "recording", first)
    world.clock.forward(1)
    second = await world.sealed("quality")
    await world.later(31 * 86_400)
    await world.later(1)
    assert (await world.only(Recording, id=first)).state is State.SEALED
    assert (await world.only(Recording, id=second)).state is State.ERASED


async def test_a_hold_on_another_session_holds_nothing_here(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    agent, customer = await world.new_call(world.staff)
    await hold(world, "session", agent.party.session)
    await hold(world, "party", customer.id)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    assert (await world.only(Recording)).state is State.ERASED


@pytest.mark.parametrize("decided_ms", [1, None])
async def test_a_destruction_that_nobody_decided_waits_for_the_hold(
    world: World, decided_ms: int | None
) -> None:
    """Its row was put into the database by hand, while the hold stood."""
    recording = await world.sealed()
    await hold(world, "recording", recording)
    world.clock.forward(1)
    kept = world.files("objects"), world.files("keys")
    async with world.store.write() as tx:
        tracks = await tx.find(TrackRecord, recording=recording)
        gone = [{"track": t.id, "recipient": t.recipient, "role": "", "segments": []}
                for t in tracks]  # fmt: skip
        await tx.add(Certificate(
            id="cer_x", recording=recording, party=None, reason="retention", whole=True,
            decided_ms=world.clock.now_ms() if decided_ms is None else decided_ms,
            document={"tracks": gone, "manifest": {"head": None, "entries": 0}},
        ))  # fmt: skip
    await erasure.resume(world.app)
    assert (world.files("objects"), world.files("keys")) == kept


async def test_two_holds_are_two(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    first = await hold(world, "recording", recording)
    second = await hold(world, "session", world.session)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    await release(world, first)
    await world.later(1)
    assert (await world.only(Recording)).state is State.SEALED
    await release(world, second)
    await world.later(1)
    assert (await world.only(Recording)).state is State.ERASED


async def test_what_is_destroyed_or_about_to_be_is_held_no_more(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)

    async def stuck(prefix: str) -> int:
        raise NotFound

    world.app.objects.remove = stuck  # type: ignore[method-assign]
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(Erased):
        await hold(world, "recording", recording)
    assert not await world.find(Hold)


async def test_the_log_has_both_ends_of_it_and_no_words(world: World) -> None:
    recording = await world.sealed()
    await world.story()
    await release(world, await hold(world, "recording", recording))
    assert await world.story() == "hold.placed hold.released"
    placed, released = (await world.leaves())[-2:]
    assert placed["refs"]["recording"] == recording
    assert placed["refs"]["hold"] == released["refs"]["hold"]
    assert placed["actor"] == released["actor"] == world.admin.pseudonym
    for words in (REASON, ASKED_BY, world.admin.account, "the case is over"):
        assert words not in str([placed, released])
    details = {row.field for row in await world.find(Detail, leaf=placed["index"])}
    assert details == {"account", "reason", "asked_by"}


async def test_who_may_place_and_release(world: World) -> None:
    recording = await world.sealed()
    placed = await hold(world, "recording", recording)
    world.admin = world.staff
    with pytest.raises(NotPermitted):
        await hold(world, "recording", recording)
    with pytest.raises(NotPermitted):
        await release(world, placed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " a "},
        {"reason": "x" * 501},
        {"asked_by": "  "},
        {"asked_by": "x" * 201},
        {"review_ms": 0},
        {"review_ms": 2**52},
    ],
    ids=str,
)
async def test_a_hold_that_is_not_one(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await hold(world, "session", world.session, **wrong)
    assert not await world.find(Hold)


@pytest.mark.parametrize("scope", ["recording", "session", "party"])
async def test_there_must_be_something_to_hold(world: World, scope: str) -> None:
    with pytest.raises(NotFound):
        await hold(world, scope, "xyz_" + "a" * 26)


async def test_a_hold_is_released_once_and_must_be_there(world: World) -> None:
    placed = await hold(world, "session", world.session)
    await release(world, placed)
    with pytest.raises(Conflict):
        await release(world, placed)
    with pytest.raises(NotFound):
        await release(world, "hld_" + "a" * 26)


async def test_one_session_has_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MAX_HOLDS", 2)
    first = await hold(world, "session", world.session)
    await hold(world, "party", world.agent.id)
    with pytest.raises(Conflict):
        await hold(world, "session", world.session)
    await release(world, first)
    await hold(world, "session", world.session)


async def test_nobody_decides_past_a_hold_whoever_asks(world: World) -> None:
    """The last look is in the transaction that decides: one placed just before counts."""
    recording = await world.sealed()
    await hold(world, "recording", recording)
    row = await world.only(Recording)
    with pytest.raises(Held):
        async with world.store.write() as tx:
            await erasure.decide(world.app, tx, row, None, "retention", whole=True)
    assert not await world.find(Certificate)


ACTIONS = st.lists(
    st.sampled_from(["hold recording", "hold session", "hold party", "release", "destroy", "time"]),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=ACTIONS)
async def test_whatever_the_order_a_standing_hold_means_that_everything_is_there(
    actions: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Destroyed exactly when that was decided, and no hold stood at some moment since."""
    async with opened(tmp_path_factory.mktemp("held")) as world:
        recording = await world.sealed(seconds=1)
        request = world.recorder.grant.request
        await world.withdraw(world.customer, request)
        row = await world.only(Withdrawal)
        standing: list[str] = []
        decided = gone = False
        for action in actions:
            kind, _, scope = action.partition(" ")
            if kind == "hold" and not (gone and scope == "recording"):
                standing.append(await hold(world, scope, target(world, scope, recording)))
            elif kind == "release" and standing:
                await release(world, standing.pop())
            elif kind == "destroy" and not decided:
                decided = True
                await world.choose(world.customer, request, "destroy")
            elif kind == "time":
                await world.later(1)
                decided = decided or world.clock.now_ms() >= row.due_ms
            if decided and not standing and kind in ("destroy", "time"):
                gone = True
            assert ((await world.only(Recording)).state is State.ERASED) == gone, action
            assert bool(world.files("keys")) == (not gone)


async def test_all_that_stand_are_listed_the_next_review_first_and_said_when_it_is_due(
    world: World,
) -> None:
    late = await hold(world, "session", world.session)
    world.clock.forward(1)
    soon = await hold(
        world, "party", world.customer.id, review_ms=world.clock.now_ms() + 10 * DAY_MS
    )
    rows = await holds.standing(world.app, world.admin)
    assert [(row["hold"], row["session"], row["due"]) for row in rows] == [
        (soon, world.session, False), (late, world.session, False),
    ]  # fmt: skip
    world.clock.forward(10 * DAY_MS // 1000)
    assert [row["due"] for row in await holds.standing(world.app, world.admin)] == [True, False]
    await release(world, soon)
    assert [row["hold"] for row in await holds.standing(world.app, world.admin)] == [late]
    with pytest.raises(NotPermitted):
        await holds.standing(world.app, world.staff)
