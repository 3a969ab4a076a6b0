"""What an admin learns of backups, and nobody else."""

from avsession.storage.snapshot import LAST, last_backup
from tests.web.support import Site, same_shape
from web.api import backups


async def test_the_newest_backup_and_its_age(site: Site) -> None:
    admin = await site.admin()
    none = (await site.get("/api/admin/backup", cookie=admin)).json
    assert none == {"now_ms": site.clock.ms, "backup": None}
    site.app.ready.last_backup = lambda: backups.LAST
    said = (await site.get("/api/admin/backup", cookie=admin)).json
    same_shape(backups.ROUTES[0].answer, said)
    assert said["backup"]["to"] == "monday"
    assert (await site.get("/api/admin/backup", cookie=await site.agent())).status == 403
    assert (await site.get("/api/admin/backup")).status == 401
    assert last_backup.__doc__
    assert LAST.endswith(".json")
