"""Leaves: dense, canonical, silent about people, and in the transaction that makes them true."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.audit import log
from avsession.canonical import canonical, commitment
from avsession.errors import Conflict
from avsession.ports import Writer
from avsession.records import Account, Detail, Leaf
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore

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
