"""Heads that cover, proofs that verify, and a start that refuses another log."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from avsession.audit import checkpoint as notes
from avsession.audit import log, merkle, proof
from avsession.audit.checkpoint import Checkpoint
from avsession.config import Settings
from avsession.errors import (
    AnchorInvalid,
    AnchorMissing,
    Invalid,
    LogForked,
    LogShrunk,
    NotFound,
    SettingsInvalid,
    SignerFailed,
    Unavailable,
)
from avsession.records import Leaf, SignedHead
from avsession.storage.anchor import FILE, FileAnchor
from avsession.usecases import evidence
from avsession.usecases.notary import Notary
from avsession.usecases.services import Services
from tests.avsession.audit.notes import Signer
from tests.avsession.usecases.world import World
from tests.support.tamper import database
from tests.support.world import Clock, world


async def more(app: Services, n: int = 1, actor: str = "test") -> int:
    """``n`` more leaves; the last one's index."""
    index = -1
    async with app.store.write() as tx:
        for _ in range(n):
            index = await log.append(tx, app.clock, app.entropy, "audit.read", actor=actor)
    return index


async def heads(app: Services) -> list[SignedHead]:
    async with app.store.read() as tx:
        return await tx.find(SignedHead, order="size")


async def anchored(app: Services) -> str | None:
    return await app.notary.anchors[0].get()


@pytest.fixture
def signer() -> Signer:
    return Signer()


async def test_a_head_covers_what_it_was_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        last = await more(app, 5)
        head = await evidence.checkpoint(app, covering=2)
        assert head.size == last + 1, "the whole log is signed, whatever was asked for"
        assert await anchored(app) == head.note
        assert [row.note for row in await heads(app)] == [head.note]
        assert notes.verify(head.note, app.notary.key) == head
        assert await evidence.checkpoint(app) == head, "nothing new: nothing is signed"
        assert await evidence.checkpoint(app, covering=last) == head
        index = await more(app)
        assert (await evidence.checkpoint(app, covering=last)).size == 5
        assert (await evidence.checkpoint(app, covering=index)).size == 6
        assert len(await heads(app)) == 2
        with pytest.raises(NotFound):
            await evidence.checkpoint(app, covering=6)


async def test_many_at_once_share_one_signature(tmp_path: Path, signer: Signer) -> None:
    async with world(tmp_path, signer=signer) as (app, _):
        last = await more(app, 3)
        found = await asyncio.gather(
            *(evidence.checkpoint(app, covering=n % (last + 1)) for n in range(50))
        )
        assert signer.signed == 1
        assert len({head.note for head in found}) == 1


async def test_a_restart_and_another_process_sign_nothing_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        head = await evidence.checkpoint(app)
        app.notary.newest = None  # what another process, or this one later, knows
        assert await evidence.checkpoint(app) == head
        assert len(await heads(app)) == 1


async def test_heads_are_stored_as_they_grow_whichever_process_is_faster(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the leaf after them names every one."""
    async with world(tmp_path, signer=signer) as (app, _):
        await more(app, 3)
        ours, sign = app.notary, Notary.sign
        other = dataclasses.replace(app, notary=Notary(ours.origin, signer, ours.anchors))

        async def slow(self: Notary, size: int, root: bytes) -> Checkpoint:
            head = await sign(self, size, root)
            if self is ours:
                # meanwhile another process has a leaf more, and its head is there first
                await more(app)
                await evidence.checkpoint(other)
            return head

        monkeypatch.setattr(Notary, "sign", slow)
        head = await evidence.checkpoint(app, covering=2)
        assert head.size == 4
        assert [row.size for row in await heads(app)] == [4]
        assert await anchored(app) == head.note
        async with app.store.read() as tx:
            assert await evidence.covered(app, tx, 2)


@pytest.mark.parametrize(("size", "error"), [(3, LogForked), (4, LogShrunk)])
async def test_a_head_of_another_process_is_anchored_only_if_this_log_is_its(
    tmp_path: Path,
    signer: Signer,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    error: type[Exception],
) -> None:
    """It has the key and another history; it was faster while this one was signing."""
    async with world(tmp_path, signer=signer) as (app, _):
        await more(app, 2)
        before = await evidence.checkpoint(app)
        await more(app)
        sign = Notary.sign

        async def slow(self: Notary, wanted: int, root: bytes) -> Checkpoint:
            foreign = await sign(self, size, bytes(merkle.HASH))
            async with app.store.write() as tx:
                await tx.add(SignedHead(size=size, note=foreign.note, at_ms=1))
            return await sign(self, wanted, root)

        monkeypatch.setattr(Notary, "sign", slow)
        with pytest.raises(error):
            await evidence.checkpoint(app, covering=2)
        assert await anchored(app) == before.note
        assert app.notary.newest == before


async def test_every_leaf_has_its_proof(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 11)
        for index in range(11):
            found = await evidence.proof(app, index)
            again = proof.parse(found.text, found.leaf)
            assert proof.verify(again, app.notary.key).size == 11
            async with app.store.read() as tx:
                leaf = await tx.get(Leaf, index)
            assert leaf is not None
            assert found.leaf == leaf.data
        await more(app)
        await evidence.checkpoint(app)
        older = await evidence.proof(app, 4, size=11)
        assert older.checkpoint.size == 11
        assert proof.verify(older, app.notary.key).size == 11
        for index, size in ((11, 11), (0, 7), (-1, 11), (99, None)):
            with pytest.raises(NotFound):
                await evidence.proof(app, index, size)


async def test_every_older_log_is_extended(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        roots = [merkle.EMPTY_ROOT]
        with pytest.raises(NotFound):
            await evidence.newest(app)
        for _n in range(9):
            await more(app)
            roots.append((await evidence.checkpoint(app)).root)
        for old, root in enumerate(roots):
            found = await evidence.consistency(app, old)
            head = found.checkpoint
            assert merkle.verify_consistency(old, head.size, found.hashes, root, head.root)
        for wrong in (-1, 10):
            with pytest.raises(Invalid):
                await evidence.consistency(app, wrong)


async def test_without_a_signer_there_is_no_head_and_then_there_is(
    tmp_path: Path, signer: Signer
) -> None:
    async with world(tmp_path, signer=signer) as (app, _):
        await more(app)
        signer.error = RuntimeError("the KMS is away")
        with pytest.raises(SignerFailed):
            await evidence.checkpoint(app)
        assert await heads(app) == []
        signer.error = None
        assert (await evidence.checkpoint(app)).size == 1


async def test_without_an_anchor_there_is_no_head_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as (app, _):
        await more(app)

        async def full(_self: FileAnchor, _note: str) -> None:
            raise Unavailable

        with monkeypatch.context() as patched:
            patched.setattr(FileAnchor, "put", full)
            with pytest.raises(Unavailable):
                await evidence.checkpoint(app)
        head = await evidence.checkpoint(app)
        assert await anchored(app) == head.note, "what was signed before is kept after all"


async def test_two_histories_are_never_signed(tmp_path: Path) -> None:
    """While it runs, somebody changes the database."""
    async with world(tmp_path) as (app, _):
        await more(app, 4)
        await evidence.checkpoint(app)
        with database(tmp_path) as db:
            db.execute("UPDATE tree_node SET hash = randomblob(32) WHERE level = 2")
        await more(app)
        for newest in (app.notary.newest, None):
            app.notary.newest = newest
            with pytest.raises(LogForked):
                await evidence.checkpoint(app)
        assert len(await heads(app)) == 1


async def test_a_log_that_shrank_while_it_runs_is_not_signed(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 4)
        await evidence.checkpoint(app)
        with database(tmp_path) as db:
            db.execute("DELETE FROM leaf WHERE number >= 2")
            db.execute("DELETE FROM tree_node WHERE number >= 2 OR level > 1")
            db.execute("DELETE FROM checkpoint")
        await more(app)
        with pytest.raises(LogShrunk):
            await evidence.checkpoint(app)


# --- at the start


async def test_the_first_leaf_says_that_the_log_began(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        assert await evidence.opened(app)
        assert not await evidence.opened(app)
        async with app.store.read() as tx:
            assert [leaf.kind for leaf in await tx.find(Leaf)] == ["log.started"]


async def test_a_start_with_the_log_as_it_was_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        assert not await evidence.opened(app), "nothing was signed: nothing to compare with"
        await evidence.checkpoint(app)
        await more(app, 3)
        assert not await evidence.opened(app)


async def test_yesterdays_copy_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        await evidence.checkpoint(app)
        await more(app, 3)
        await evidence.checkpoint(app)
        with database(tmp_path) as db:
            db.execute("DELETE FROM leaf WHERE number >= 3")
            db.execute("DELETE FROM tree_node WHERE number >= (3 >> CAST(level AS INT))")
            db.execute("DELETE FROM checkpoint WHERE size > 3")
        with pytest.raises(LogShrunk, match=r"has 3 leaves, .* over 6"):
            await evidence.opened(app)
        await more(app, 5, actor="another")
        with pytest.raises(LogForked, match="first 6 leaves"):
            await evidence.opened(app)


async def test_a_missing_anchor_and_a_foreign_one_are_told_apart(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        head = await evidence.checkpoint(app)
        file = tmp_path / "anchor" / FILE
        file.unlink()
        with pytest.raises(AnchorMissing, match="is gone"):
            await evidence.opened(app)
        for wrong in ("garbage", head.note.replace("\n3\n", "\n2\n")):
            file.write_text(wrong)
            with pytest.raises(AnchorInvalid, match="does not hold"):
                await evidence.opened(app)


async def test_a_forged_newest_checkpoint_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        forger = Notary(app.notary.origin, Signer(9))
        async with app.store.write() as tx:
            note = (await forger.sign(3, merkle.EMPTY_ROOT)).note
            await tx.add(SignedHead(size=3, note=note, at_ms=1))
        with pytest.raises(LogForked, match="not ours"):
            await evidence.opened(app)


async def test_an_operator_who_knows_why_takes_the_log_as_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        await more(app, 3)
        await evidence.checkpoint(app)
        (tmp_path / "anchor" / FILE).unlink()
        head = await evidence.adopt(app, "the disk was replaced")
        assert await anchored(app) == head.note
        assert not await evidence.opened(app)
        async with app.store.read() as tx:
            last = (await tx.find(Leaf, order="-index", limit=1))[0]
        assert last.kind == "log.started"
        assert b'"anchor":"adopted"' in last.data


async def test_the_name_stays_what_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        store, anchors = app.store, app.notary.anchors
        public = Settings(public_url="https://calls.example")
        assert await evidence.origin(public, store, anchors) == "calls.example/avsession"
        named = Settings(log_origin="example.com/log")
        assert await evidence.origin(named, store, anchors) == "example.com/log"
        await more(app)
        await evidence.checkpoint(app)
        assert await evidence.origin(public, store, anchors) == app.notary.origin
        assert await evidence.origin(public, store) == app.notary.origin, "by the database"
        with pytest.raises(SettingsInvalid, match=f"begun as {app.notary.origin}"):
            await evidence.origin(named, store, anchors)


# --- as time passes


async def test_leaves_that_nobody_waits_for_are_signed_in_time(world: World) -> None:
    async with world.store.read() as tx:
        before = await log.size(tx)
    await world.later(evidence.EVERY_MS / 1000)
    head = await evidence.newest(world.app)
    assert head.size >= before
    await world.later(1)
    await more(world.app)
    await world.later(1)
    assert await evidence.newest(world.app) == head, "not at every tick"
    await world.later(evidence.EVERY_MS / 1000)
    assert (await evidence.newest(world.app)).size > head.size


def test_the_clock_of_the_tests_is_later_than_the_first_turn() -> None:
    assert Clock().now_ms() > evidence.EVERY_MS
