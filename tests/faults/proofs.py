"""That what happened can be proven: everything is checked that outlives the people in a call."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping

from avsession.audit import checkpoint as notes
from avsession.audit import log as audit_log
from avsession.audit import merkle, receipt
from avsession.audit import proof as proofs
from avsession.records import ConsentEvent, Leaf, Recording, SignedHead, TrackRecord
from avsession.session import Party
from avsession.usecases import evidence, receipts
from tests.avsession.usecases.world import World
from tests.faults.truth import Truth

PARTIES = 2


async def every_event_is_proven(world: World) -> int:
    """Each event's leaf is in a signed checkpoint, and names it; how many events there are."""
    events = await world.find(ConsentEvent, order="leaf", limit=1000)
    for event in events:
        proof = await evidence.proof(world.app, event.leaf)
        head = proofs.verify(proof, world.app.notary.key)
        assert head.size > event.leaf
        assert json.loads(proof.leaf)["refs"]["event"] == event.id
    return len(events)


async def every_receipt_verifies(world: World) -> int:
    """What each party can take away proves itself, by the log's key alone; how many there are."""
    count = 0
    for event in await world.find(ConsentEvent, limit=1000):
        if event.kind in receipt.ACTIONS:
            made = await receipts.of_event(world.app, event.party, event.id)
            verdict = receipt.verify(receipt.render(made).encode(), world.app.notary.key)
            assert verdict.holds, [step for step in verdict.steps if step.holds is False]
            assert made.document["event_id"] == event.id
            assert made.kind == event.kind
            count += 1
    return count


async def heads_tell_one_history(world: World, seen: list[str]) -> None:
    """Every head that was ever signed is still there and extends the one before it."""
    key = world.app.notary.key
    rows = await world.find(SignedHead, order="size", limit=10_000)
    assert set(seen) <= {row.note for row in rows}, "a signed head is gone"
    seen[:] = [row.note for row in rows]
    heads = [notes.verify(note, key) for note in seen]
    async with world.store.read() as tx:
        for old, new in itertools.pairwise(heads):
            hashes = await audit_log.hashes(tx, merkle.consistency(old.size, new.size))
            assert merkle.verify_consistency(old.size, new.size, hashes, old.root, new.root)
    await evidence.opened(world.app)


async def grants_waited_for_evidence(world: World) -> int:
    """Before each grant both consents to it stood in a head that was signed; how many grants."""
    sizes = [row.size for row in await world.find(SignedHead, order="size", limit=10_000)]
    given: dict[str, dict[str, int]] = {}
    grants = 0
    events = {e.id: e for e in await world.find(ConsentEvent, kind="given", limit=1000)}
    requests = {event.leaf: event.request for event in events.values()}
    for leaf in await world.find(Leaf, order="index", limit=10_000):
        body = json.loads(leaf.data)
        if leaf.kind == "consent.given":
            given.setdefault(requests[leaf.index], {})[body["subject"]] = leaf.index
        if leaf.kind == "grant.issued":
            grants += 1
            (request,) = {events[event].request for event in body["refs"]["consents"]}
            assert len(given[request]) == PARTIES
            for index in given[request].values():
                assert any(index < size <= leaf.index for size in sizes), (index, leaf.index)
    return grants


async def nothing_is_wrong_with_the_log(world: World) -> None:
    """The product's own verification finds nothing."""
    notary = world.app.notary
    report = await evidence.verify(world.store, notary.key, tuple(notary.anchors))
    assert report.ok, report.findings


async def all_was_written_down(world: World, truths: Mapping[str, Truth]) -> None:
    """What is written down is what was said, by whom, in that order, and nothing else."""
    for session, truth in truths.items():
        parties = await world.find(Party, session=session)
        role = {party.id: str(party.role) for party in parties}
        names = {party.pseudonym: str(party.role) for party in parties}
        events = await world.find(ConsentEvent, session=session, order="leaf", limit=1000)
        assert [(e.kind, role[e.party], e.request) for e in events] == truth.said
        told = []
        for kind in ("recording.paused", "recording.resumed"):
            for leaf in await world.find(Leaf, kind=kind, order="index", limit=1000):
                body = json.loads(leaf.data)
                if body["subject"] in names:
                    said = (kind, names[body["subject"]], body["refs"]["request"])
                    told.append((leaf.index, said))
        assert [said for _, said in sorted(told)] == truth.pauses


async def what_was_to_go_is_gone(world: World, truths: Mapping[str, Truth]) -> None:
    """What somebody wanted destroyed is gone, key and media; the rest is there."""
    keys, objects = world.files("keys"), world.files("objects")
    spooled = world.files("spool")
    for row in await world.find(Recording):
        truth = truths[row.session]
        gone = {w for (request, w), fate in truth.fates.items()
                if request == row.request and fate == "destroy"}  # fmt: skip
        for track in await world.find(TrackRecord, recording=row.id):
            party = await world.only(Party, id=track.party)
            wanted = "customer" in gone or str(party.role) in gone
            assert (track.erased_ms is not None) == wanted, (gone, row.state)
            assert any(track.id in name for name in keys) == (not wanted)
            if wanted:
                left = [n for n in objects + spooled if track.id in n and n.endswith(".age")]
                assert not left, left
