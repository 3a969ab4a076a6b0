"""Who has nothing to confirm with, and what goes with an account and in its time.

What counts as a confirmation is told over the wire, in tests/web/api/test_passkeys.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.records import AuthSession
from avsession.signin_records import Passkey, StepUp
from avsession.usecases import keyring, leaving, retention, stepup
from avsession.usecases.permissions import Principal
from avsession.usecases.stepup import StepUpRequired
from tests.avsession.usecases.world import World, opened
from tests.support.authenticator import Authenticator


async def spends(world: World, who: Principal, action: str) -> None:
    async with world.store.write() as tx:
        await stepup.spend(world.app, tx, who, action, "x")


async def test_who_has_neither_is_let_through_on_this_machine_only(world: World) -> None:
    assert await stepup.start(world.app, world.admin, stepup.PLAY, "x") == {
        "passkey": None,
        "password": False,
    }
    await spends(world, world.admin, stepup.PLAY)
    public = replace(world.app.settings, public_url="https://calls.example.com")
    object.__setattr__(world.app, "settings", public)
    with pytest.raises(StepUpRequired):
        await spends(world, world.admin, stepup.PLAY)
    await spends(world, world.admin, stepup.PASSKEYS)  # the first, right after signing in
    async with world.store.write() as tx:
        auth = await tx.get(AuthSession, world.admin.auth)
        assert auth is not None
        await tx.put(replace(auth, created_ms=auth.created_ms - stepup.FRESH_MS))
    with pytest.raises(StepUpRequired):
        await spends(world, world.admin, stepup.PASSKEYS)


async def enrolled(world: World) -> Passkey:
    options = (await keyring.start(world.app, world.admin))["options"]
    await keyring.add(world.app, world.admin, " My  key ", Authenticator().create(options))
    return await world.only(Passkey)


async def test_a_passkey_is_asked_for_from_then_on_and_goes_with_the_account(world: World) -> None:
    row = await enrolled(world)
    assert (row.name, row.account) == ("My key", world.admin.account)
    with pytest.raises(StepUpRequired):
        await spends(world, world.admin, stepup.PLAY)
    await world.staff_member("eve", "Eve", "admin")
    await leaving.disable(world.app, None, world.admin.account)
    assert await world.find(Passkey) == []


async def test_what_ran_out_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await enrolled(world)
        await stepup.start(world.app, world.admin, stepup.PLAY, "x")
        assert len(await world.find(StepUp)) == 1
        world.clock.forward(121)
        tallies = {one.rule.what: one for one in await retention.run(world.app)}
        assert tallies["confirmations"].count == 1
        assert await world.find(StepUp) == []
