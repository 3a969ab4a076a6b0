"""The timeline of a real call's recording, over the api."""

from __future__ import annotations

from pathlib import Path

from tests.avsession.usecases.world import opened
from tests.web.support import Site, same_shape, serve, write_pages
from web.app import TABLE, create_app

PATH = "/api/admin/recordings/{recording}/timeline"


async def test_a_timeline_and_who_may_see_it(tmp_path: Path) -> None:
    example = next(route.answer for route in TABLE if route.path == PATH)
    async with opened(tmp_path) as world:
        recording = await world.sealed()
        application = create_app(world.app, root=write_pages(tmp_path / "web"))
        async with serve(application) as (client, url):
            site = Site(world.app, world.clock, client, url)
            path = PATH.replace("{recording}", recording)
            admin, agent = await site.admin(), await site.agent()
            said = await site.get(path, cookie=admin)
            same_shape(example, said.json)
            assert said.json["ok"]
            assert (await site.get(path, cookie=agent)).code == "not_permitted"
            assert (await site.get(path)).code == "auth.required"
