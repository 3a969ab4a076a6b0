"""PostgreSQL itself: how it is reached, one writer at a time, what happens when it goes away."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from avsession import records
from avsession.errors import Conflict, DatabaseUnavailable, Invalid, SettingsInvalid
from avsession.storage import engine as engine_module
from avsession.storage import postgresql
from avsession.storage.engine import make_engine
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata
from tests.avsession.storage.samples import ACCOUNT, leaf, notice
from tests.support import engines
from tests.support.engines import postgresql_only
from tests.support.postgres import USER, cluster
from tests.support.tamper import beside

pytestmark = postgresql_only("it is about nothing else")


@pytest.fixture(autouse=True)
def _here(engine: str, given_back: None) -> None:
    """All of it on PostgreSQL."""


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


# --- how it is reached


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://db.example", "name the database"),
        ("postgresql:///avsession", "name a host"),
        ("postgresql://db.example/a?sslmode=require", "verify-full or disable"),
        ("postgresql://db.example/a?sslmode=prefer", "verify-full or disable"),
        ("postgresql://db.example/a?host=/run/postgresql", "instead of a host"),
        ("postgresql:///a?host=db.example", "instead of a host"),
        ("postgresql:///a?host=/run/postgresql&sslmode=verify-full", "no TLS on a socket"),
        ("postgresql://db.example/a?sslrootcert=/nowhere.pem", "cannot be read"),
        ("postgresql://db.example/a?password_file=/nowhere", "cannot be read"),
        ("postgresql://db.example/a?password_file=/dev/null", "no password"),
        ("postgresql://u:p@db.example/a?password_file=/dev/null", "and in password_file"),
        ("postgresql://db.example/a?options=-csearch_path%3Da", "no option options"),
        ("postgresql://db.example/a?sslmode=disable&sslmode=disable", "there twice"),
    ],
)
def test_what_cannot_be_used_is_refused(url: str, why: str) -> None:
    with pytest.raises(SettingsInvalid, match=why):
        make_engine(url)


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("postgresql://db.example/a", True),
        ("postgresql://10.0.0.1/a", True),
        ("postgresql://db.example/a?sslmode=disable", False),
        ("postgresql://localhost/a", False),
        ("postgresql://[::1]/a", False),
        ("postgresql://127.0.0.1/a?sslmode=verify-full", True),
        ("postgresql:///a?host=/run/postgresql", False),
    ],
)
def test_away_from_this_computer_it_is_always_tls_and_checked(url: str, secure: bool) -> None:
    _, given = postgresql.arguments(sqlalchemy.make_url(url), 1)
    tls = given["ssl"]
    assert bool(tls) == secure
    if secure:
        assert isinstance(tls, ssl.SSLContext)
        assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """A database of somebody who has a password, and its URL's end."""
    name = engines.name(tmp_path)

    async def make(connection: asyncpg.Connection) -> None:
        await connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'open sesame'")
        await connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO guarded; "
                                 f"ALTER DATABASE {name} OWNER TO guarded")  # fmt: skip

    async def end(connection: asyncpg.Connection) -> None:
        await connection.execute(f"ALTER DATABASE {name} OWNER TO {USER}; DROP OWNED BY guarded; "
                                 "DROP ROLE guarded")  # fmt: skip

    cluster().run(make, name)
    yield f"127.0.0.1:{cluster().port}/{name}"
    cluster().run(end, name)


async def test_a_password_and_a_certificate_that_is_checked(guarded: str, tmp_path: Path) -> None:
    trusted = f"?sslmode=verify-full&sslrootcert={cluster().authority}"
    store = SqlStore(f"postgresql://guarded:open%20sesame@{guarded}{trusted}")
    await store.open()
    await add(store, notice("a"))
    async with store._engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        assert found.one() == (True, "TLSv1.3")
    await store.close()
    (tmp_path / "password").write_text("open sesame\n")
    store = SqlStore(f"postgresql://guarded@{guarded}{trusted}&password_file={tmp_path}/password")
    await store.open()
    await store.close()
    for wrong in (
        f"postgresql://guarded:open%20sesame@{guarded}?sslmode=verify-full",  # signed by a stranger
        f"postgresql://guarded:open%20sesame@{guarded}",  # not encrypted: the server refuses
        f"postgresql://guarded:shut@{guarded}{trusted}",
        f"postgresql://guarded@{guarded}{trusted}",
    ):
        store = SqlStore(wrong)
        with pytest.raises(DatabaseUnavailable) as refused:
            await store.open()
        assert "sesame" not in str(refused.value) + repr(store._engine)
        await store.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("application_name", "avsession"),
    ],
)
async def test_every_connection_is_set_up(store: SqlStore, name: str, value: str) -> None:
    async with store._engine.connect() as one, store._engine.connect() as two:
        for connection in (one, two):
            assert (await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() == value


# --- its tables


async def test_migrations_make_exactly_the_tables(store: SqlStore) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    def shape(connection: Connection) -> dict[str, object]:
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

    def fresh(connection: Connection) -> dict[str, object]:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f'DROP TABLE "{table.name}" CASCADE'))
        metadata.create_all(connection)
        names = ", ".join(f"'{name}'" for name in metadata.tables)
        connection.execute(text(postgresql.BYTEWISE.format(tables=names)))
        return shape(connection)

    async with store._engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    async with store._engine.connect() as connection:
        await connection.execution_options(**engine_module.WRITES)
        transaction = await connection.begin()
        migrated = await connection.run_sync(shape)
        assert await connection.run_sync(fresh) == migrated
        await transaction.rollback()
    kinds = {str(column[1]) for table in migrated.values() for column in table[0]}  # type: ignore[index]
    assert kinds == {
        "BIGINT", "BOOLEAN", "BYTEA", "JSON", 'TEXT COLLATE "C"', 'VARCHAR(64) COLLATE "C"',
    }, "text of whatever length is ordered by its bytes"  # fmt: skip


async def test_text_is_ordered_as_on_sqlite(store: SqlStore) -> None:
    """The database was made for English, which has a before B before c."""
    names = ("c", "B", "a", "_", "Z")
    await add(store, *(msgspec.structs.replace(ACCOUNT, id=name, login=name) for name in names))
    async with store.read() as reader:
        found = [row.id for row in await reader.find(records.Account)]
        after = await reader.find(records.Account, order="login", above="Z")
    assert found == ["B", "Z", "_", "a", "c"]
    assert [row.id for row in after] == ["_", "a", "c"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET data = x'00'",
        "DELETE FROM leaf",
        "DELETE FROM leaf WHERE number = 1",
        "TRUNCATE leaf CASCADE",
        "INSERT INTO leaf VALUES (3, 'k', NULL, 0, x'00')",
        "INSERT INTO leaf VALUES (-1, 'k', NULL, 0, x'00')",
        "INSERT INTO leaf VALUES (0, 'k', NULL, 0, x'00') ON CONFLICT DO NOTHING",
        "INSERT INTO leaf VALUES (1, '', '', 0, '') ON CONFLICT (number) DO UPDATE SET kind = ''",
    ],
)
async def test_the_database_refuses_to_rewrite_a_leaf(
    store: SqlStore, tmp_path: Path, statement: str
) -> None:
    await add(store, leaf(0), leaf(1))
    with (
        beside(tmp_path) as db,
        pytest.raises(asyncpg.IntegrityConstraintViolationError, match="leaf"),
    ):
        db.execute(statement)
    async with store.read() as reader:
        assert await reader.find(records.Leaf) == [leaf(0), leaf(1)]


async def test_what_it_cannot_store_is_invalid_and_nothing_else_is_lost(store: SqlStore) -> None:
    with pytest.raises(Invalid, match="character"):
        await add(store, notice("a"), records.Account(
            id="acc_2", login="a\x00b", name="", role="agent", password=None, created_ms=1
        ))  # fmt: skip
    await add(store, ACCOUNT)
    async with store.read() as reader:
        assert await reader.count(records.Notice) == 0


async def test_a_word_that_is_too_long_is_a_mistake_of_ours(store: SqlStore) -> None:
    with pytest.raises(Exception, match="too long") as raised:
        await add(store, notice("a", language="x" * 65))
    assert not isinstance(raised.value, Conflict | DatabaseUnavailable)


# --- one writer at a time


async def test_who_waits_too_long_for_the_write_lock_is_told(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_MS", 50)
    other = SqlStore(engines.database(tmp_path))
    try:
        async with store.write() as writer:
            await writer.add(notice("a"))
            with pytest.raises(DatabaseUnavailable):
                await add(other, notice("b"))
            async with other.read() as reader:
                assert await reader.count(records.Notice) == 0, "a reader waits for nobody"
        await add(other, notice("b"))
    finally:
        await other.close()


async def test_a_writer_sees_all_that_was_committed_before_its_turn(
    store: SqlStore, tmp_path: Path
) -> None:
    """Its view is made after it has the lock, not when it began to wait."""
    other = SqlStore(engines.database(tmp_path))

    async def second() -> int:
        async with other.write() as writer:
            return await writer.count(records.Notice)

    try:
        async with store.write() as writer:
            waiting = asyncio.ensure_future(second())  # noqa: TID251 - a test of two at once
            await awaited(tmp_path, "advisory")
            await writer.add(notice("a"))
        assert await waiting == 1
    finally:
        await other.close()


async def awaited(folder: Path, kind: str) -> None:
    """Until somebody waits for a lock of this kind."""
    connection = await cluster().connect(engines.name(folder))
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = $1"
    try:
        while not await connection.fetchval(query, kind):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def test_a_deadlock_that_a_stranger_made_costs_one_write_and_nothing_else(
    store: SqlStore, tmp_path: Path
) -> None:
    stranger = await cluster().connect(engines.name(tmp_path))
    try:
        # who waits last finds the deadlock out, and pays: let it be us
        await stranger.execute(
            "SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE leaf IN ACCESS EXCLUSIVE MODE"
        )
        asked: asyncio.Future[Any] | None = None

        async def write() -> None:
            nonlocal asked
            async with store.write() as writer:
                await writer.add(notice("a"))
                asked = asyncio.ensure_future(  # noqa: TID251 - a test of two at once
                    stranger.execute("LOCK TABLE notice IN ACCESS EXCLUSIVE MODE")
                )
                await awaited(tmp_path, "relation")
                await writer.add(leaf(0))

        with pytest.raises(DatabaseUnavailable):
            await write()
        assert asked is not None
        await asked
        await stranger.execute("ROLLBACK")
    finally:
        await stranger.close()
    async with store.read() as reader:
        assert await reader.count(records.Notice) == 0
    await add(store, notice("a"), leaf(0))


async def test_one_server_has_it(store: SqlStore, tmp_path: Path) -> None:
    other = SqlStore(engines.database(tmp_path))
    try:
        assert await store.claim()
        assert await store.claim(), "it still has it"
        assert not await other.claim()
        await add(other, notice("a"))  # a command beside a server
        await store.close()
        assert await other.claim()
        assert not await store.claim()
    finally:
        await other.close()
    assert await store.claim()


# --- what was removed


async def test_what_was_removed_is_in_no_row_and_no_index_after_a_scrub(
    store: SqlStore, tmp_path: Path
) -> None:
    with beside(tmp_path) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")

        def pages(what: str, name: str, items: str) -> str:
            page = f"generate_series(0, pg_relation_size('{name}') / 8192 - 1) AS page"
            return repr(db.execute(f"SELECT {what} FROM {page}, {items}"))  # noqa: S608

        def found() -> bool:
            heap = pages("t_data", "account", "heap_page_items(get_raw_page('account', page::int))")
            index = "uq_account_login"
            keys = pages("data", index, f"bt_page_items('{index}', greatest(page, 1))")
            return "Rumpel" in heap or b"Rumpel".hex(" ") in keys

        await add(store, ACCOUNT, records.Account(
            id="acc_2", login="Rumpelstilzchen", name="", role="agent", password=None, created_ms=1
        ))  # fmt: skip
        async with store.write() as writer:
            await writer.remove(records.Account, id="acc_2")
        assert found(), "then scrub would have nothing to do"
        assert await store.scrub() is False, "what its files keep is not ours to promise"
        assert not found()
