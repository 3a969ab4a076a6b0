"""A new private link with the one before, which ends with everything under it."""

import pytest

from avsession.errors import LinkSpent, TooMany
from avsession.export_records import Export
from avsession.usecases import mydata, waysin
from tests.avsession.usecases.test_exports import prepared
from tests.avsession.usecases.world import World


async def test_a_new_link_ends_the_old_one_and_its_exports_and_shows(world: World) -> None:
    await prepared(world)
    await world.story()
    old = world.customer.data_secret
    fresh = await waysin.renew(world.app, old)
    assert await world.story() == "access.granted"
    assert not await world.find(Export)
    assert world.files("exports") == []
    for spent in (mydata.my_data(world.app, old), waysin.renew(world.app, old)):
        with pytest.raises(LinkSpent):
            await spent
    mine = await mydata.my_data(world.app, fresh)
    assert (mine["links"], mine["renewed"]) == ([], [world.clock.now_ms()])


async def test_it_is_limited(world: World) -> None:
    links = [world.customer.data_secret]

    async def again_and_again() -> None:
        for _ in range(1000):
            links.append(await waysin.renew(world.app, links[-1]))

    with pytest.raises(TooMany):
        await again_and_again()
    assert await mydata.my_data(world.app, links[-1]), "what one has goes on working"
