"""The gate waits for evidence: no grant before every consent is in a signed, stored checkpoint."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from avsession import grant as grants
from avsession.audit import proof
from avsession.errors import ConsentRequired, SignerFailed
from avsession.keys import FileSigner
from avsession.messages import Capture, Granted, RecordingChanged
from avsession.records import ConsentEvent, GrantRecord, PartyKey, SignedHead
from avsession.signed import Statement, statement_bytes
from avsession.usecases import capture, evidence
from tests.avsession.usecases.world import World
from tests.support.signer import Signer
from tests.support.tamper import beside


def committed_heads(world: World) -> list[int]:
    """The sizes of the checkpoints that anybody but the writer sees in the database."""
    with beside(world.folder) as db:
        return [size for (size,) in db.execute("SELECT size FROM checkpoint ORDER BY size")]


async def test_every_consent_is_in_a_stored_checkpoint_before_a_grant_is_signed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    sign = grants.sign

    def signing(*what: object) -> str:
        seen.append(max(committed_heads(world), default=0))
        return sign(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(grants, "sign", signing)
    await world.record()
    given = await world.find(ConsentEvent, kind="given")
    assert len(given) == 2
    assert len(seen) == 1
    assert all(event.leaf < seen[0] for event in given)
    for event in given:
        found = await evidence.proof(world.app, event.leaf, size=seen[0])
        assert proof.verify(found, world.app.notary.key).size == seen[0]
        assert event.id.encode() in found.leaf


async def test_one_checkpoint_serves_both_and_a_second_grant_needs_no_other(world: World) -> None:
    await world.record()
    assert len(committed_heads(world)) == 1
    await world.disconnect(world.customer)
    assert world.live() is None
    await world.connect(world.customer)
    assert world.gate.generation > 1
    assert len(await world.find(GrantRecord)) == 2
    assert len(committed_heads(world)) == 1, "nobody consented anew"


async def test_without_the_signer_nothing_is_granted_people_are_told_and_it_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_self: FileSigner, _data: bytes) -> bytes:
        raise SignerFailed

    with monkeypatch.context() as patched:
        patched.setattr(FileSigner, "sign", away)
        await world.record()
        assert world.live() is None
        assert not await world.find(GrantRecord)
        assert not await world.find(SignedHead)
        assert not world.recorder.all(Capture)
        for person in (world.agent, world.customer):
            assert not person.all(Granted)
            told = person.last(RecordingChanged).recording
            assert (told.state, told.reason) == ("off", "log_unavailable")
            assert person.ended is None, "the call goes on"
        await world.later(1)
        assert world.live() is None
        assert world.session in world.app.gate.waiting
    await world.later(1)
    assert world.gate.generation == 1
    assert world.customer.last(RecordingChanged).recording.state == "on"


async def test_a_checkpoint_that_is_not_in_the_database_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever memory says."""
    await evidence.checkpoint(world.app)
    known = world.app.notary.newest

    async def forgetful(_app: object, _covering: int) -> object:
        return known

    monkeypatch.setattr(evidence, "checkpoint", forgetful)
    await world.record()
    assert world.live() is None
    assert not await world.find(GrantRecord)


async def waiting(world: World) -> ConsentEvent:
    """Both allowed, and no recorder is there yet; what the customer said."""
    request = await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)
    return await world.only(ConsentEvent, kind="given", request=request, party=world.customer.id)


async def refused(world: World) -> None:
    """The recorder comes, and nothing opens."""
    await world.recorder.join()
    assert world.live() is None
    assert not await world.find(GrantRecord)
    assert not world.recorder.all(Capture)
    with pytest.raises(ConsentRequired):
        await capture.open_gate(world.app, world.session)


def forged(given: ConsentEvent, signer: Signer) -> ConsentEvent:
    """The same, well signed by another key."""
    block = given.document["signature"]
    assert isinstance(block, dict)
    statement = block["statement"] | {"key": signer.key}
    signature = signer.raw(statement_bytes(msgspec.convert(statement, Statement)))
    told = {"statement": statement, "public_key": signer.public_key, "signature": signature}
    return replace(given, document=given.document | {"signature": block | told})


@pytest.mark.parametrize("enrolled", [False, True])
@pytest.mark.parametrize("place", [lambda leaf: leaf, lambda _leaf: 0], ids=["its", "first"])
async def test_a_consent_signed_with_a_key_that_nobody_enrolled_opens_nothing(
    world: World, place: Callable[[int], int], enrolled: bool
) -> None:
    """Even if somebody writes the key's row, too."""
    given = await waiting(world)
    signer = Signer(world.session, world.customer.id)
    known = (await world.find(PartyKey, party=world.customer.id))[0]
    async with world.store.write() as tx:
        await tx.put(replace(forged(given, signer), leaf=place(given.leaf)))
        if enrolled:
            await tx.add(replace(known, id=signer.key, public_key=signer.public_key))
    await refused(world)


async def test_a_consent_that_stands_at_another_ones_leaf_opens_nothing(world: World) -> None:
    given = await waiting(world)
    agents = await world.only(ConsentEvent, kind="given", party=world.agent.id)
    async with world.store.write() as tx:
        await tx.put(replace(given, leaf=agents.leaf))
    await refused(world)


@pytest.mark.parametrize("what", ["no note", "not of this log", "beyond its end"])
async def test_a_checkpoint_that_somebody_invented_does_not_count(world: World, what: str) -> None:
    await waiting(world)
    await world.new_call(world.staff)  # leaves that no head covers yet
    size = len(await world.leaves()) + (100 if what == "beyond its end" else 0)
    note = "nothing"
    if what != "no note":
        note = (await world.app.notary.sign(size, bytes(32))).note
    async with world.store.write() as tx:
        await tx.add(SignedHead(size=size, note=note, at_ms=1))
        assert not await evidence.covered(world.app, tx, 0)
    await world.recorder.join()
    assert world.live() is None
    assert not await world.find(GrantRecord)
