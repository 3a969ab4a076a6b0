"""How the database is reached: its settings, its file, its migrations."""

import io
import os
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from avsession.errors import SettingsInvalid, Unavailable
from avsession.storage import engine as engine_module
from avsession.storage.engine import make_engine, sqlite_url
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata
from tests.support.engines import chosen, sqlite_only
from tests.support.tamper import beside


@sqlite_only("PRAGMAs are its own")
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("busy_timeout", engine_module.BUSY_MS),
        ("temp_store", 2),  # MEMORY
        ("trusted_schema", 0),
    ],
)
async def test_every_connection_is_set_up(store: SqlStore, pragma: str, value: object) -> None:
    async with store._engine.connect() as one, store._engine.connect() as two:
        for connection in (one, two):
            result = await connection.exec_driver_sql(f"PRAGMA {pragma}")
            assert result.scalar_one() == value


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///a?mode=ro"]
)
def test_what_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        make_engine(url)


def test_the_driver_is_ours_to_choose(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/a.db")
    assert engine.url.drivername == "sqlite+aiosqlite"


async def test_odd_paths_are_paths(tmp_path: Path) -> None:
    folder = tmp_path / "50% of?it#all" / "new"
    store = SqlStore(sqlite_url(folder / "a b.db"))
    await store.open()
    assert (folder / "a b.db").exists()
    await store.close()


async def test_only_the_owner_can_open_the_files(tmp_path: Path) -> None:
    path = tmp_path / "data" / "avsession.db"
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    path.chmod(0o644)
    store = SqlStore(sqlite_url(path))
    await store.open()
    async with store.write():
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == [
            "avsession.db", "avsession.db-shm", "avsession.db-wal"
        ]  # fmt: skip
        assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    await store.close()


async def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    store = SqlStore(sqlite_url(tmp_path / "link.db"))
    with pytest.raises(Unavailable):
        await store.open()
    await store.close()
    assert not (tmp_path / "elsewhere.db").exists()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(os.urandom(8192))
    store = SqlStore(sqlite_url(tmp_path / "a.db"))
    with pytest.raises(Unavailable):
        await store.open()
    await store.close()


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = SqlStore(sqlite_url(tmp_path / "a.db"))
    await store.open()
    async with store._engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="9999"):
        await store.open()
    await store.close()


SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master",
    "postgresql": """
        SELECT relname, relkind::text, pg_get_expr(relpartbound, oid) FROM pg_class UNION ALL
        SELECT attname, attrelid::text, atttypid::text FROM pg_attribute ORDER BY 1, 2, 3""",
}


async def test_opening_again_changes_nothing(store: SqlStore, tmp_path: Path) -> None:
    def schema() -> list[object]:
        with beside(tmp_path) as db:
            return list(db.execute(SCHEMA[chosen()]))

    before = schema()
    await store.open()
    assert schema() == before


@sqlite_only("test_postgresql has its like")
async def test_migrations_make_exactly_the_tables(store: SqlStore) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    def columns(connection: Connection) -> dict[str, object]:
        """Also what autogenerate does not look at: order, key, deferred keys, named constraints."""
        found = inspect(connection)
        return {
            name: (
                [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
                found.get_pk_constraint(name),
                sorted(map(str, found.get_foreign_keys(name))),
                sorted(map(str, found.get_unique_constraints(name))),
            )
            for name in metadata.tables
        }

    async with store._engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        migrated = await connection.run_sync(columns)
        await connection.execute(text("DROP INDEX ix_leaf_kind"))
        assert await connection.run_sync(differences), "the comparison sees nothing"
    fresh = create_engine("sqlite://")
    with fresh.connect() as direct:
        metadata.create_all(direct)
        assert columns(direct) == migrated
    fresh.dispose()


def test_migrations_speak_postgresql() -> None:
    out = io.StringIO()
    config = alembic.config.Config(output_buffer=out)
    config.set_main_option("script_location", str(engine_module._MIGRATIONS))
    alembic.command.upgrade(config, "head", sql=True)
    for table in metadata.tables:
        assert f"CREATE TABLE {table} " in out.getvalue()
    assert "BEFORE TRUNCATE ON leaf" in out.getvalue()
    assert "DEFERRABLE INITIALLY DEFERRED" in out.getvalue()
