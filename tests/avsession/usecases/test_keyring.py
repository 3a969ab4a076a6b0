"""One's own passkeys: how many, how they are called."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from avsession.errors import Conflict, Invalid, NotFound
from avsession.signin_records import Passkey
from avsession.storage.sql import SqlStore
from avsession.usecases import accounts, keyring, leaving
from avsession.usecases.permissions import Principal
from tests.avsession.usecases.world import World
from tests.support.authenticator import Authenticator
from tests.support.engines import database


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b"])
async def test_a_name_can_be_read(world: World, name: str) -> None:
    options = (await keyring.start(world.app, world.admin))["options"]
    with pytest.raises(Invalid, match="A name has"):
        await keyring.add(world.app, world.admin, name, Authenticator().create(options))
    assert await world.find(Passkey) == []


async def has(world: World, most: int) -> None:
    """The admin has so many passkeys."""
    async with world.store.write() as tx:
        for n in range(most):
            await tx.add(
                Passkey(
                    id=f"pky_{n}", account=world.admin.account, credential=bytes([n]),
                    public_key=b"", sign_count=0, name="x", created_ms=n,
                )
            )  # fmt: skip


async def again(world: World) -> Principal:
    """The admin signs in once more."""
    link = await accounts.make_sign_in_link(world.app, world.admin.account)
    return (await accounts.sign_in_by_link(world.app, link)).principal


async def test_there_is_a_most_of_them(world: World) -> None:
    await has(world, keyring.MOST)
    with pytest.raises(Conflict):
        await keyring.start(world.app, world.admin)
    with pytest.raises(NotFound):
        await keyring.remove(world.app, world.staff, "pky_1")
    names = [one["passkey"] for one in (await keyring.listed(world.app, world.admin))["passkeys"]]
    assert names == [f"pky_{n}" for n in range(keyring.MOST)]
    assert (await keyring.listed(world.app, world.staff))["passkeys"] == []


async def test_there_is_a_most_of_them_when_several_are_added_at_once(world: World) -> None:
    """Four windows, at two servers, while there was room for one: one of them is added."""
    windows = [await again(world) for _ in range(4)]
    made = [
        Authenticator().create((await keyring.start(world.app, who))["options"]) for who in windows
    ]
    await has(world, keyring.MOST - 1)
    beside = SqlStore(database(world.folder))
    await beside.open()
    servers = (world.app, replace(world.app, store=beside))
    try:
        came = await asyncio.gather(
            *(
                keyring.add(servers[n % 2], who, "Key ring", credential)
                for n, (who, credential) in enumerate(zip(windows, made, strict=True))
            ),
            return_exceptions=True,
        )
    finally:
        await beside.close()
    assert len(await world.find(Passkey)) == keyring.MOST
    assert [type(one) for one in came if isinstance(one, BaseException)] == [Conflict] * 3


async def test_an_account_that_was_disabled_meanwhile_gets_none(world: World) -> None:
    options = (await keyring.start(world.app, world.admin))["options"]
    await world.staff_member("eve", "Eve", "admin")
    await leaving.disable(world.app, None, world.admin.account)
    with pytest.raises(NotFound):
        await keyring.add(world.app, world.admin, "Key ring", Authenticator().create(options))
    assert await world.find(Passkey) == []
