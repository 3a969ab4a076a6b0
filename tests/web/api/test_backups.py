"""What an admin learns of backups, and nobody else."""

from msgspec.structs import replace

from avsession.storage.snapshot import LAST, last_backup
from avsession.usecases.backups import DAY_MS
from tests.web.support import Site, same_shape
from web.api import backups


async def test_the_newest_backup_and_its_age(site: Site) -> None:
    admin = await site.admin()
    none = (await site.get("/api/admin/backup", cookie=admin)).json
    assert (none["now_ms"], none["backup"], none["since"]) == (site.clock.ms, None, None)
    assert (none["days"], none["problems"]) == (7, ["none"])
    site.app.ready.last_backup = lambda: backups.LAST
    said = (await site.get("/api/admin/backup", cookie=admin)).json
    same_shape(backups.ROUTES[0].answer, said)
    assert said["backup"]["to"] == "monday"
    assert (await site.get("/api/admin/backup", cookie=await site.agent())).status == 403
    assert (await site.get("/api/admin/backup")).status == 401
    assert last_backup.__doc__
    assert LAST.endswith(".json")


async def test_what_came_since_and_what_is_to_be_done(site: Site) -> None:
    admin = await site.admin()
    fresh = replace(
        backups.LAST, leaves=1, made_ms=site.clock.ms, keys_delete_by_ms=site.clock.ms + DAY_MS
    )
    site.app.ready.last_backup = lambda: fresh
    said = (await site.get("/api/admin/backup", cookie=admin)).json
    assert said["problems"] == []
    assert said["leaves"] > 1
    assert said["since"] == {"leaves": said["leaves"] - 1, "erased": 0, "by_hand": 0}
    site.app.ready.last_backup = lambda: replace(fresh, whole=False)
    assert (await site.get("/api/admin/backup", cookie=admin)).json["problems"] == ["damaged"]
