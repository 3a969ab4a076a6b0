"""What `avsession db check` finds."""

from __future__ import annotations

from pathlib import Path

from avsession.storage import checking
from avsession.storage.checking import facts
from avsession.storage.sql import SqlStore
from tests.support import tamper
from tests.support.engines import chosen
from tests.support.postgres import Cluster


async def wrong(store: SqlStore) -> dict[str, str]:
    async with store.read() as tx:
        return {fact.what: fact.wrong for fact in await facts(tx) if fact.wrong}


async def test_what_is_right_and_what_is_not(store: SqlStore, tmp_path: Path) -> None:
    careless = {"fsync", "full_page_writes"} if chosen() == "postgresql" else set()
    assert set(await wrong(store)) == careless, "the tests' own server waits for no disk"
    async with store.read() as tx:
        found = {fact.what: fact.value for fact in await facts(tx)}
    assert int(found["triggers"]) == checking.TRIGGERS[chosen()]
    assert found["database"] == chosen()
    await store.close()
    with tamper.database(tmp_path) as db:
        db.execute("UPDATE alembic_version SET version_num = '0004'")
    assert "this version needs" in (await wrong(store))["tables"]
    if chosen() == "sqlite":
        assert "not guarded" in (await wrong(store))["triggers"], "tampering took them away"
    with tamper.database(tmp_path) as db:
        db.execute("UPDATE alembic_version SET version_num = ?", (found["tables"],))


async def test_a_database_that_was_never_set_up(tmp_path: Path) -> None:
    server = Cluster()
    try:
        server.start(fsync="on", full_page_writes="on")
        store = SqlStore(server.url("postgres"))
        assert set(await wrong(store)) == {"tables"}
        await store.open()
        assert await wrong(store) == {}
        async with store.write() as tx:
            await tx.connection.exec_driver_sql("ALTER TABLE leaf DISABLE TRIGGER USER")
        assert set(await wrong(store)) == {"triggers"}
        await store.close()
    finally:
        server.remove()
