"""One's own passkeys: how many, how they are called."""

from __future__ import annotations

import pytest

from avsession.errors import Conflict, Invalid, NotFound
from avsession.signin_records import Passkey
from avsession.usecases import keyring
from tests.avsession.usecases.world import World
from tests.support.authenticator import Authenticator


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b"])
async def test_a_name_can_be_read(world: World, name: str) -> None:
    options = (await keyring.start(world.app, world.admin))["options"]
    with pytest.raises(Invalid, match="A name has"):
        await keyring.add(world.app, world.admin, name, Authenticator().create(options))
    assert await world.find(Passkey) == []


async def test_there_is_a_most_of_them(world: World) -> None:
    async with world.store.write() as tx:
        for n in range(keyring.MOST):
            await tx.add(
                Passkey(
                    id=f"pky_{n}", account=world.admin.account, credential=bytes([n]),
                    public_key=b"", sign_count=0, name="x", created_ms=n,
                )
            )  # fmt: skip
    with pytest.raises(Conflict):
        await keyring.start(world.app, world.admin)
    with pytest.raises(NotFound):
        await keyring.remove(world.app, world.staff, "pky_1")
    names = [one["passkey"] for one in (await keyring.listed(world.app, world.admin))["passkeys"]]
    assert names == [f"pky_{n}" for n in range(keyring.MOST)]
    assert (await keyring.listed(world.app, world.staff))["passkeys"] == []
