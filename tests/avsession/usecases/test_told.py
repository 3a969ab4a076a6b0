"""Who is told of a disclosure. The rest of it is told in ``test_disclosures``."""

from avsession.export_records import Disclosure
from avsession.usecases import mydata, preparing, told
from tests.avsession.usecases.test_disclosures import disclose
from tests.avsession.usecases.world import World


async def test_my_data_tells_it_once_it_is_made(world: World) -> None:
    await world.sealed()
    made = await disclose(world, world.session, scope="session")
    secret = world.customer.data_secret
    assert (await mydata.my_data(world.app, secret))["disclosures"] == []
    assert await preparing.prepare_next(world.app)
    (said,) = (await mydata.my_data(world.app, secret))["disclosures"]
    assert said["disclosure"] == made["disclosure"]
    assert (said["given_to"], said["parts"]) == ("District Court", ["media", "records"])
    row = await world.only(Disclosure)
    assert not told.is_silent(row, world.clock.now_ms())
