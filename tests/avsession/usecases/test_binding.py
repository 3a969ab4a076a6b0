"""Gathering what a proof is made of, from a real call's log, manifest and files."""

from __future__ import annotations

import pytest

from avsession.audit import log, verify_tree
from avsession.audit.media_proof import Proof
from avsession.audit.verify import Kept
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
            tx,
            world.app.notary.key,
            progress=lambda what, done, total: seen.append((what, done, total)),
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


async def test_every_page_is_held_against_what_was_signed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads within a page, at its end and beyond; the page is a small one here."""
    monkeypatch.setattr(verify_tree, "LEVELS", 2)
    monkeypatch.setattr(verify_tree, "PAGE", 4)
    monkeypatch.setattr(binding, "PAGE", 4)
    size = len(await world.leaves())
    for _ in range(9):
        async with world.store.write() as tx:
            await log.append(tx, world.clock, world.app.entropy, "log.started", actor="server")
        size += 1
        head = await evidence.checkpoint(world.app)
        note = await world.app.notary.anchors[0].get()
        assert (head.size, note) == (size, head.note)
        async with world.store.read() as tx:
            found = await binding.scan(tx, world.app.notary.key, [Kept("here", note)])
        assert (found.size, found.signed, found.wrong) == (size, size, [])


async def test_the_log_is_held_against_what_is_kept_outside(world: World) -> None:
    """The database as it was before the last leaf, its head with it: only the anchor tells."""
    await world.sealed()
    old = (await evidence.checkpoint(world.app)).size
    async with world.store.write() as tx:
        await log.append(tx, world.clock, world.app.entropy, "log.started", actor="server")
    note = (await evidence.checkpoint(world.app)).note
    forged = (await world.app.notary.sign(old, bytes(32))).note

    async def wrong(note: str | None) -> list[str]:
        async with world.store.read() as tx:
            return (await binding.scan(tx, world.app.notary.key, [Kept("A", note)])).wrong

    assert await wrong(note) == []
    with database(world.folder) as db:
        db.execute("delete from leaf where number >= ?", (old,))
        db.execute("delete from checkpoint where size > ?", (old,))
    more = f"{old + 1} leaves were signed, and there are {old}"
    assert await wrong(note) == [f"the checkpoint kept in A: {more}"]
    other = f"the first {old} leaves are not those that were signed"
    assert await wrong(forged) == [f"the checkpoint kept in A: {other}"]
    assert await wrong(None) == ["the checkpoint kept in A: it is gone"]
    assert "A: " in (await wrong("it cannot be read"))[0]


async def test_nothing_rests_on_a_leaf_that_nobody_signed(world: World) -> None:
    """Its end could still be another one, to whoever has the database."""
    recording = await world.recorded()
    signed = (await evidence.checkpoint(world.app)).size
    await world.stop(world.agent, world.gate.request)
    await world.recorder.end()

    async def proof() -> Proof:
        async with world.store.read() as tx:
            found = await binding.scan(tx, world.app.notary.key)
            session = found.recordings[recording]
            gathered = await binding.gather(
                tx, world.app.objects, recording, session, reading=False
            )
        return await binding.prove(gathered, found.signed)

    last = len(await world.leaves()) - 1
    first = (await proof()).first
    assert first is not None
    assert (first.step, first.where) == (2, f"leaf {last}")
    assert first.what == f"is under no signed checkpoint: the newest is over {signed} leaves"
    await world.later(1)  # a recording's end is signed with the next tick
    assert (await proof()).ok


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


async def test_a_segment_is_there_before_it_is_listed(world: World) -> None:
    """Only while the recording goes on, and only the newest: anything else is a foreign file."""
    recording = await world.recorded()
    listed = sorted(await world.app.objects.segments(recording))
    track, last = max(listed, key=lambda place: place[1])
    folder = world.folder / "objects" / recording / track
    (newer,) = [path for path in folder.iterdir() if path.name == f"{last:06d}.age"]
    (folder / f"{last + 1:06d}.age").write_bytes(newer.read_bytes())
    assert (await proven(world, recording)).ok
    await world.stop(world.agent, world.recorder.grant.request)
    await world.recorder.end()
    assert not (await proven(world, recording)).ok


async def proven(world: World, recording: str) -> Proof:
    async with world.store.read() as tx:
        session = await binding.session_of(tx, recording)
        assert session is not None
        gathered = await binding.gather(tx, world.app.objects, recording, session, reading=False)
    return await binding.prove(gathered)


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
