"""An admin at the console: who, for what, and written down before anything is opened."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.errors import (
    AvsessionError,
    Conflict,
    ConsentRequired,
    Erased,
    Invalid,
    NotFound,
    NotPermitted,
    PurposeExpired,
    SignInFailed,
)
from avsession.export_records import Taken
from avsession.records import Account, Recording, TrackRecord
from avsession.usecases import accounts, console, mydata, outgoing
from avsession.usecases.stepup import StepUpRequired
from tests.avsession.usecases.world import LOGIN, World, opened

WHY = "training of 3 May"


async def test_it_is_written_down_and_told(world: World) -> None:
    recording = await world.sealed("quality")
    await world.story()
    taken = await console.take(world.app, "adam", recording, "quality", WHY)
    assert await world.story() == "recording.exported"
    made = await console.prepared(world.app, taken)
    names = [file.name.split("-")[0] for file in made.files]
    assert names == ["manifest.json", "recording.json", "manifest.jsonl", "agent", "customer"]
    said = json.loads(made.files[1].data or b"")
    assert (said["purpose"], said["damaged"]) == ("quality", [])
    (access,) = (await mydata.my_data(world.app, world.customer.data_secret))["accesses"]
    assert (access["by"], access["reason"]) == ("admin", WHY)


@pytest.mark.parametrize(
    ("login", "purpose", "reason", "error"),
    [
        ("nobody", "quality", WHY, NotPermitted),
        (LOGIN, "quality", WHY, NotPermitted),
        ("adam", "evidence", WHY, ConsentRequired),
        ("adam", "quality", " x ", Invalid),
    ],
)
async def test_not_by_anybody_and_not_for_anything(
    world: World, login: str, purpose: str, reason: str, error: type[AvsessionError]
) -> None:
    recording = await world.sealed("quality")
    await world.story()
    with pytest.raises(error):
        await console.take(world.app, login, recording, purpose, reason)
    assert await world.story() == ""
    assert not await world.find(Taken)


async def test_not_before_its_end_not_after_a_withdrawal_not_by_who_left(world: World) -> None:
    recording = await world.recorded("quality")
    request = world.gate.request
    with pytest.raises(Conflict):
        await console.take(world.app, "adam", recording, "quality", WHY)
    await world.stop(world.agent, request)
    await world.recorder.end()
    await world.withdraw(world.agent, request)
    taken = await console.take(world.app, "adam", recording, "quality", WHY)
    assert len(taken.tracks) == 1, "the agent's is not decided"
    await world.withdraw(world.customer, request)
    with pytest.raises(ConsentRequired):
        await console.take(world.app, "adam", recording, "quality", WHY)
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(Erased):
        await console.take(world.app, "adam", recording, "quality", WHY)
    with pytest.raises(NotFound):
        await console.take(world.app, "adam", "rec_" + "a" * 26, "quality", WHY)
    account = await world.only(Account, login="adam")
    async with world.store.write() as tx:
        await tx.put(replace(account, disabled=True))
    with pytest.raises(NotPermitted):
        await console.take(world.app, "adam", recording, "quality", WHY)


PASSWORD = "correct horse battery staple"


async def test_the_password_of_the_account_is_asked_for_and_that_is_a_leaf(world: World) -> None:
    await accounts.create_account(world.app, "ann", "Ann", "admin", PASSWORD)
    recording = await world.sealed("quality")
    await world.story()
    with pytest.raises(SignInFailed):
        await console.take(world.app, "ann", recording, "quality", WHY, lambda: "guessed it")
    with pytest.raises(SignInFailed):
        await console.take(world.app, "ann", recording, "quality", WHY)
    assert await world.story() == "access.denied"
    assert not await world.find(Taken)
    await console.take(world.app, "ann", recording, "quality", WHY, lambda: PASSWORD)
    assert await world.story() == "access.granted recording.exported"
    granted = (await world.leaves())[-2]
    assert granted["refs"] == {
        "what": "step_up", "action": "export", "target": recording, "by": "password",
    }  # fmt: skip
    assert granted["actor"] == "console"


async def test_a_password_that_was_changed_while_it_was_typed(world: World) -> None:
    account = await accounts.create_account(world.app, "ann", "Ann", "admin", PASSWORD)
    recording = await world.sealed("quality")
    verify = world.app.passwords.verify

    async def slowly(stored: str | None, password: str) -> tuple[bool, str | None]:
        async with world.store.write() as tx:
            await tx.put(replace(account, password="another"))
        return await verify(stored, password)

    world.app.passwords.verify = slowly  # type: ignore[method-assign]
    with pytest.raises(SignInFailed, match="changed"):
        await console.take(world.app, "ann", recording, "quality", WHY, lambda: PASSWORD)
    assert not await world.find(Taken)


async def test_on_a_public_address_an_account_without_a_password_takes_nothing(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as world:
        recording = await world.sealed("quality")
        public = replace(world.app.settings, public_url="https://calls.example.com")
        object.__setattr__(world.app, "settings", public)
        with pytest.raises(StepUpRequired, match="no password"):
            await console.take(world.app, "adam", recording, "quality", WHY)
        assert not await world.find(Taken)


async def test_a_purpose_whose_time_is_over(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    taken = await console.take(world.app, "adam", recording, "quality", WHY)
    world.clock.forward(31 * 86_400)
    with pytest.raises(PurposeExpired):
        await console.take(world.app, "adam", recording, "quality", WHY)
    row = await world.only(Taken)
    async with world.store.read() as tx:
        found = await tx.get(Recording, recording)
        track = await tx.get(TrackRecord, taken.tracks[0])
        assert found is not None
        assert track is not None
        with pytest.raises(PurposeExpired):
            await outgoing.check(world.app, tx, row, found, track)
    await console.take(world.app, "adam", recording, "evidence", WHY)
