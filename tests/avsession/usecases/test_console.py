"""An admin at the console: who, for what, and written down before anything is opened."""

import json

import pytest

from avsession.errors import (
    AvsessionError,
    Conflict,
    ConsentRequired,
    Erased,
    Invalid,
    NotFound,
    NotPermitted,
)
from avsession.export_records import Taken
from avsession.records import Account
from avsession.usecases import console, mydata
from tests.avsession.usecases.world import LOGIN, World

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
    import msgspec

    account = await world.only(Account, login="adam")
    async with world.store.write() as tx:
        await tx.put(msgspec.structs.replace(account, disabled=True))
    with pytest.raises(NotPermitted):
        await console.take(world.app, "adam", recording, "quality", WHY)
