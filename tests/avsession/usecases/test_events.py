"""The record of a consent event, its leaf, and that the two belong together."""

import json
from pathlib import Path

from avsession.audit import rows
from avsession.audit.receipt import OPEN, render, verify
from avsession.canonical import canonical, commitment, sha256_hex
from avsession.config import Consent
from avsession.records import ConsentEvent, Detail, Leaf
from avsession.usecases import receipts
from tests.avsession.usecases.world import World, opened

FIELDS = {
    "privacy", "language",
    "schema_version", "record_id", "event_id", "event_time", "event_state", "event_type",
    "data_subject", "party_role", "acted_by", "session", "request", "recording", "controller",
    "purposes", "legal_basis", "notice", "method", "jurisdiction", "storage_location",
    "recipients", "validity", "withdrawal", "rights", "supervisory_authority", "signature",
    "policy", "proof",
}  # fmt: skip


async def test_a_given_says_everything_that_proof_needs(world: World) -> None:
    await world.ask("quality", "evidence")
    await world.allow(world.customer, "evidence", language="de")
    event = await world.only(ConsentEvent, kind="given")
    document = event.document
    assert document.keys() == FIELDS
    assert document["data_subject"] == document["acted_by"] == world.customer.party.pseudonym
    assert document["event_type"] == "explicit"
    assert document["party_role"] == "customer"
    assert document["legal_basis"] == world.settings.consent.legal_basis["customer"]
    assert document["method"] == {
        "element": "dialog/allow", "workflow_version": "0.1.0", "client_build": "0.1.0+test",
    }  # fmt: skip
    purposes = document["purposes"]
    assert isinstance(purposes, list)
    assert {p["id"]: p["answer"] for p in purposes} == {"quality": False, "evidence": True}
    assert {p["retention_days"] for p in purposes} == {30, 180}


async def test_the_leaf_commits_to_the_document(world: World) -> None:
    await world.ask()
    await world.allow(world.customer)
    event = await world.only(ConsentEvent, kind="given")
    leaf = await world.only(Leaf, index=event.leaf)
    body = json.loads(leaf.data)
    assert body["refs"]["event"] == event.id
    assert event.document["proof"] == {"leaf": event.leaf}
    document = dict(event.document)
    del document["proof"]
    detail = await world.only(Detail, leaf=event.leaf, field="document")
    digest = sha256_hex(canonical(document))
    assert json.loads(detail.value) == digest
    assert body["commitments"]["document"] == commitment(detail.salt, "document", digest)
    assert detail.party == world.customer.id


async def test_every_kind_of_event_has_its_kind_of_leaf(world: World) -> None:
    await world.record()
    for event in await world.find(ConsentEvent):
        leaf = await world.only(Leaf, index=event.leaf)
        assert leaf.kind == rows.EVENT_LEAVES[event.kind]
        assert leaf.session is not None


async def test_an_event_names_the_recording_once_there_is_one(world: World) -> None:
    request = await world.record()
    await world.withdraw(world.customer, request)
    given = (await world.find(ConsentEvent, kind="given"))[0]
    withdrawn = await world.only(ConsentEvent, kind="withdrawn")
    assert given.document["recording"] is None
    assert withdrawn.document["recording"] == world.recorder.grant.recording


async def test_a_legal_basis_by_language_stands_in_the_record(tmp_path: Path) -> None:
    basis = {"en": "a contract", "de": "ein Vertrag"}
    consent = Consent(legal_basis={"customer": basis, "agent": "interest"})
    async with opened(tmp_path, consent=consent) as world:
        await world.ask()
        await world.allow(world.customer, language="de")
        given = await world.only(ConsentEvent, kind="given")
        assert given.document["legal_basis"] == basis
        made = await receipts.of_event(world.app, world.customer.id, given.id)
        page = render(made)
        assert "ein Vertrag" in page.partition(OPEN)[0]
        assert "a contract" not in page.partition(OPEN)[0]
        assert verify(page.encode(), world.app.notary.key).holds
