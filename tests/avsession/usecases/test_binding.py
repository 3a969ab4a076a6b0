"""Gathering what a proof is made of, from a real call's log, manifest and files."""

from __future__ import annotations

import pytest

from avsession.audit import merkle
from avsession.errors import Unavailable
from avsession.records import Recording
from avsession.usecases import binding, evidence
from tests.avsession.usecases.world import World
from tests.support.tamper import database


async def test_the_log_is_read_and_held_against_its_newest_checkpoint(world: World) -> None:
    recording = await world.sealed()
    head = await evidence.checkpoint(world.app)
    seen: list[tuple[str, int, int]] = []
    async with world.store.read() as tx:
        found = await binding.scan(
            tx, world.app.notary.key, lambda what, done, total: seen.append((what, done, total))
        )
    assert (found.size, found.signed, found.wrong) == (head.size, head.size, [])
    assert list(found.recordings) == [recording]
    assert seen == [("leaves", head.size, head.size)]


async def test_a_log_that_was_never_signed_proves_nothing(world: World) -> None:
    async with world.store.read() as tx:
        found = await binding.scan(tx, world.app.notary.key)
    assert found.wrong == ["no checkpoint was ever signed"]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("delete from leaf where number = 3", "leaf 3 is gone"),
        ("update leaf set data = x'7b7d' where number = 3", "leaf 3 is none"),
        ("update leaf set kind = 'party.left' where number = 4", "is not what its columns say"),
        ("delete from leaf where number > 8", "leaves were signed, and there are 9"),
        ("update checkpoint set note = replace(note, 'log', 'gol')", "the newest checkpoint:"),
    ],
)
async def test_what_was_changed_is_named(world: World, change: str, wrong: str) -> None:
    await world.sealed()
    await evidence.checkpoint(world.app)
    with database(world.folder) as db:
        db.execute(change)
    async with world.store.read() as tx:
        found = await binding.scan(tx, world.app.notary.key)
    assert any(wrong in one for one in found.wrong), found.wrong


def test_the_root_grows_as_the_tree_does() -> None:
    tree, stored = binding._Growing(), dict[merkle.Node, bytes]()
    assert tree.root() == merkle.EMPTY_ROOT
    for n in range(70):
        leaf = merkle.leaf_hash(str(n).encode())
        stored |= merkle.append(n, leaf, [stored[node] for node in merkle.carries(n)])
        tree.add(leaf)
        assert tree.root() == merkle.fold([stored[node] for node in merkle.edge(n + 1)])


async def test_what_runs_is_gathered_from_what_was_accepted(world: World) -> None:
    recording = await world.recorded()
    async with world.store.read() as tx:
        session = await binding.session_of(tx, recording)
        assert session is not None
        gathered = await binding.gather(tx, world.app.objects, recording, session, reading=False)
    assert len(gathered.lines) == len(world.recorder.chain)
    assert gathered.files is not None
    assert all(file.sha256 == "" and file.size for file in gathered.files.values())
    proof = await binding.prove(gathered)
    assert (proof.ok, proof.finished) == (True, False)


async def test_what_was_withdrawn_and_destroyed_has_nothing_left(world: World) -> None:
    recording = await world.recorded()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await world.recorder.end()
    await world.choose(world.customer, request, "destroy")
    await world.later(1)
    assert (await world.only(Recording)).state == "erased"
    async with world.store.read() as tx:
        session = await binding.session_of(tx, recording)
        assert session is not None
        gathered = await binding.gather(tx, world.app.objects, recording, session, reading=True)
    proof = await binding.prove(gathered)
    assert (proof.ok, proof.erased, gathered.lines, gathered.files) == (True, True, [], {})


async def test_a_recording_that_nobody_knows(world: World) -> None:
    async with world.store.read() as tx:
        assert await binding.session_of(tx, "rec_nothing") is None


async def test_without_a_database_nothing_is_claimed(world: World) -> None:
    world.store.down = True
    with pytest.raises(Unavailable):
        async with world.store.read() as tx:
            await binding.scan(tx, world.app.notary.key)
