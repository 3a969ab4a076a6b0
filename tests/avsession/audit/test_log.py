"""Leaves: dense, canonical, silent about people, and in the transaction that makes them true."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.audit import log, merkle
from avsession.canonical import canonical, commitment
from avsession.errors import Conflict, LogBroken
from avsession.ports import Writer
from avsession.records import Account, Detail, Leaf, SignedHead, TreeNode
from avsession.storage.engine import make_engine, sqlite_url, upgrade
from avsession.storage.sql import SqlStore
from tests.support.tamper import database

NOW = 1_700_000_000_123

# The design's table, as it stands there.
DESIGN = """
    session.created/ended, party.joined/left, notice.published, policy.published,
    recording.requested, consent.shown/given/refused/withdrawn/expired, grant.issued/revoked,
    recording.on/paused/resumed/off/sealed/interrupted, recording.accessed/exported/erased,
    hold.placed/released, key.created/wrapped/rotated/destroyed, privacy.requested/answered,
    subject.rectified/restricted/erased, disclosure.made, retention.applied, preference.set,
    access.granted/denied/revoked, audit.read, log.started
"""


class Clock:
    """Always the same moment."""

    def now_ms(self) -> int:
        return NOW


class Entropy:
    """Never the same bytes twice, and the same every time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, n: int) -> bytes:
        self.asked.append(n)
        return len(self.asked).to_bytes(n, "big")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore(sqlite_url(tmp_path / "avsession.db"))
    await store.open()
    yield store
    await store.close()


async def append(tx: Writer, kind: str = "log.started", **fields: Any) -> int:
    return await log.append(tx, Clock(), fields.pop("entropy", Entropy()), kind, **fields)


async def leaves(store: SqlStore) -> list[Leaf]:
    async with store.read() as tx:
        return await tx.find(Leaf, order="index")


def test_the_kinds_are_the_designs() -> None:
    kinds = set()
    for group in DESIGN.replace("\n", " ").split(","):
        subject, verbs = group.strip().split(".")
        kinds |= {f"{subject}.{verb}" for verb in verbs.split("/")}
    assert kinds == log.KINDS


async def test_indexes_are_dense_from_zero(store: SqlStore) -> None:
    async with store.write() as tx:
        assert [await append(tx), await append(tx)] == [0, 1]
    async with store.write() as tx:
        assert await append(tx) == 2
    assert [leaf.index for leaf in await leaves(store)] == [0, 1, 2]
    assert [json.loads(leaf.data)["index"] for leaf in await leaves(store)] == [0, 1, 2]


async def test_a_leaf_is_these_bytes(store: SqlStore) -> None:
    entropy = Entropy()
    async with store.write() as tx:
        await append(
            tx, "consent.given", entropy=entropy, session="s1", actor="p1", subject="p2",
            refs={"request": "req_1", "purposes": ["quality"]}, details={"name": "Ada"},
        )  # fmt: skip
    (leaf,) = await leaves(store)
    said = commitment((1).to_bytes(32, "big"), "name", "Ada")
    assert leaf.data.decode() == (
        '{"actor":"p1","commitments":{"name":"' + said + '"},"index":0,"kind":"consent.given",'
        '"refs":{"purposes":["quality"],"request":"req_1"},"session":"s1","subject":"p2",'
        '"time":"2023-11-14T22:13:20.123Z","v":1}'
    )
    assert (leaf.kind, leaf.session, leaf.at_ms) == ("consent.given", "s1", NOW)
    assert leaf.data == canonical(json.loads(leaf.data))


async def test_details_stand_beside_it_each_with_a_salt_of_its_own(store: SqlStore) -> None:
    entropy = Entropy()
    details = {"name": "Ada Lovelace", "language": "en", "fate": None, "name2": "Ada Lovelace"}
    async with store.write() as tx:
        await append(tx, "party.joined", entropy=entropy, details=details, party="pty_1")
    (leaf,) = await leaves(store)
    assert b"Lovelace" not in leaf.data
    assert b"pty_1" not in leaf.data
    async with store.read() as tx:
        kept = await tx.find(Detail, leaf=0)
    body = json.loads(leaf.data)
    assert body["commitments"] == {
        detail.field: commitment(detail.salt, detail.field, json.loads(detail.value))
        for detail in kept
    }
    assert {detail.field: json.loads(detail.value) for detail in kept} == details
    assert len({detail.salt for detail in kept}) == len(details)
    assert entropy.asked == [32] * len(details)
    assert {detail.party for detail in kept} == {"pty_1"}


async def test_erasing_the_details_leaves_the_leaf_and_nothing_to_test_it_with(
    store: SqlStore,
) -> None:
    async with store.write() as tx:
        await append(tx, "party.joined", details={"name": "Ada"}, party="pty_1")
    before = await leaves(store)
    async with store.write() as tx:
        assert await tx.remove(Detail, party="pty_1") == 1
    assert await leaves(store) == before


async def test_a_leaf_falls_with_the_change_that_failed(store: SqlStore) -> None:
    account = Account(id="acc_1", login="a", name="A", role="agent", password=None, created_ms=NOW)
    async with store.write() as tx:
        await tx.add(account)
        await append(tx)

    async def fails() -> None:
        async with store.write() as tx:
            await append(tx, "access.granted", details={"name": "Ada"})
            await tx.add(account)

    with pytest.raises(Conflict):
        await fails()
    assert len(await leaves(store)) == 1
    async with store.write() as tx:
        assert await append(tx) == 1
        assert await tx.count(Detail) == 0


async def test_many_writers_leave_no_hole_and_no_double(store: SqlStore) -> None:
    async def write_one() -> int:
        async with store.write() as tx:
            return await append(tx)

    numbers = await asyncio.gather(*(write_one() for _ in range(20)))
    assert sorted(numbers) == list(range(20))


async def tree(store: SqlStore) -> dict[tuple[int, int], bytes]:
    async with store.read() as tx:
        return {(node.level, node.index): node.hash for node in await tx.find(TreeNode)}


def whole(data: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Every complete subtree over these leaves, level by level."""
    found: dict[tuple[int, int], bytes] = {}
    row, level = [hashlib.sha256(b"\x00" + one).digest() for one in data], 0
    while row:
        found |= {(level, n): one for n, one in enumerate(row)}
        pairs = zip(row[::2], row[1::2], strict=False)
        row = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level += 1
    return found


async def test_the_tree_grows_with_the_leaves(store: SqlStore) -> None:
    for n in range(1, 20):
        async with store.write() as tx:
            await append(tx, actor=f"a{n}")
        data = [leaf.data for leaf in await leaves(store)]
        assert await tree(store) == whole(data)
        async with store.read() as tx:
            assert await log.size(tx) == n
            proof = await log.hashes(tx, merkle.inclusion(n // 2, n))
            leaf = merkle.leaf_hash(data[n // 2])
            assert merkle.verify_inclusion(leaf, n // 2, n, proof, await log.root(tx, n))


async def test_a_leaf_names_the_heads_that_were_signed_since(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def signed(*sizes: int) -> None:
        async with store.write() as tx:
            await tx.add_all([SignedHead(size=size, note="", at_ms=NOW) for size in sizes])

    async def said() -> list[int] | None:
        async with store.write() as tx:
            await append(tx)
        found: list[int] | None = json.loads((await leaves(store))[-1].data).get("heads")
        return found

    assert await said() is None
    assert await said() is None, "as leaves were before"
    await signed(1, 2)
    assert await said() == [1, 2]
    assert await said() == [2], "the newest that the one before names"
    await signed(3, 4)
    assert await said() == [2, 3, 4]
    monkeypatch.setattr(log, "HEADS", 2)
    await signed(5, 6, 7)
    assert [await said(), await said(), await said()] == [[4, 5, 6], [6, 7], [7]]
    assert all(leaf.data == canonical(json.loads(leaf.data)) for leaf in await leaves(store))


async def test_nothing_is_appended_after_a_leaf_that_is_none(
    store: SqlStore, tmp_path: Path
) -> None:
    async with store.write() as tx:
        await append(tx)
    for garbage in ("{", "[]", '{"heads":"all"}'):
        with database(tmp_path) as db:
            db.execute("UPDATE leaf SET data = CAST(? AS BLOB)", (garbage,))

        async def fails() -> None:
            async with store.write() as tx:
                await append(tx)

        with pytest.raises(LogBroken):
            await fails()


async def test_a_change_that_fails_leaves_no_node(store: SqlStore) -> None:
    async def fails() -> None:
        async with store.write() as tx:
            await append(tx)
            raise Conflict

    with pytest.raises(Conflict):
        await fails()
    assert await tree(store) == {}


async def test_nothing_is_appended_to_a_tree_with_a_hole(store: SqlStore, tmp_path: Path) -> None:
    async with store.write() as tx:
        await append(tx)
    with database(tmp_path) as db:
        db.execute("DELETE FROM tree_node")

    async def fails() -> None:
        async with store.write() as tx:
            await append(tx)

    with pytest.raises(LogBroken):
        await fails()
    assert len(await leaves(store)) == 1


WRITER = """
import asyncio, secrets, sys
from avsession.audit import log
from avsession.storage.engine import make_engine, sqlite_url, upgrade
from avsession.storage.sql import SqlStore

class Clock:
    def now_ms(self): return 1_700_000_000_000

async def main(path, name, times):
    store = SqlStore(sqlite_url(path))
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(times):
        async with store.write() as tx:
            refs = {"n": n}
            await log.append(tx, Clock(), secrets.token_bytes, "audit.read", actor=name, refs=refs)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_two_processes_on_one_file_make_one_tree(store: SqlStore, tmp_path: Path) -> None:
    """They begin together and write as fast as they can; a third one goes on afterwards."""
    path, times = tmp_path / "avsession.db", 60
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), name, str(times),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    await asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    assert [writer.returncode for writer in writers] == [0, 0]
    async with store.write() as tx:
        assert await append(tx) == 2 * times, "this one goes on where they stopped"
    found = await leaves(store)
    assert [leaf.index for leaf in found] == list(range(2 * times + 1))
    for name in ("one", "two"):
        bodies = [json.loads(leaf.data) for leaf in found]
        assert [b["refs"]["n"] for b in bodies if b["actor"] == name] == list(range(times))
    assert await tree(store) == whole([leaf.data for leaf in found])


async def test_an_older_database_gets_its_tree(store: SqlStore, tmp_path: Path) -> None:
    async with store.write() as tx:
        for n in range(13):
            await append(tx, actor=f"a{n}")
    before = await tree(store)
    await store.close()
    made = tmp_path / "avsession.db"
    now = made.rename(tmp_path / "now.db")
    engine = make_engine(sqlite_url(made))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0001")
    await engine.dispose()
    with database(tmp_path) as db:  # as the first version made it
        db.execute("ATTACH ? AS now", (str(now),))
        for table in ("leaf", "detail"):
            db.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")  # noqa: S608
    await store.open()
    assert len(before) == 13 + 6 + 3 + 1
    assert await tree(store) == before
    async with store.write() as tx:
        assert await append(tx) == 13


async def test_an_unknown_kind_is_a_mistake_and_leaves_nothing(store: SqlStore) -> None:
    async with store.write() as tx:
        for kind in ("consent.assumed", "", "CONSENT.GIVEN"):
            with pytest.raises(ValueError, match="unknown kind of leaf"):
                await append(tx, kind)
    assert await leaves(store) == []


async def test_no_leaf_can_be_replaced_or_removed(store: SqlStore) -> None:
    async with store.write() as tx:
        await append(tx)
        (leaf,) = await tx.find(Leaf)
        with pytest.raises(TypeError, match="append-only"):
            await tx.put(leaf)
        with pytest.raises(TypeError, match="append-only"):
            await tx.remove(Leaf, index=0)


@given(st.integers(0, 4_102_444_799_999))  # until 2100
def test_times_are_exact_to_the_millisecond(ms: int) -> None:
    text = log.rfc3339(ms)
    assert text.endswith("Z")
    read = datetime.datetime.fromisoformat(text)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert (read - epoch) // datetime.timedelta(milliseconds=1) == ms
    assert len(text) == len("2023-11-14T22:13:20.123Z")
