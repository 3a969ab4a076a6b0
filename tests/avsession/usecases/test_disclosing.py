"""The package: sealed to its recipient, with digests that the log names before it is given out."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pyrage
import pytest
from msgspec.structs import replace

from avsession.canonical import sha256_hex
from avsession.errors import Unavailable
from avsession.export_records import Disclosure
from avsession.recording import decode_line
from avsession.usecases import disclosing, evidence, preparing, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.usecases.test_disclosures import WHO, disclose, prepared
from tests.avsession.usecases.test_exports import PLAIN, plain_media
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World


def unpacked(world: World, row: Disclosure) -> dict[str, bytes]:
    """What the recipient finds, by stock means."""
    sealed = (world.folder / "exports" / row.id).read_bytes()
    assert (len(sealed), hashlib.sha256(sealed).hexdigest()) == (row.size, row.sha256)
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(sealed, [WHO]))) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


async def test_the_recipient_opens_it_and_nobody_here(world: World) -> None:
    recording = await world.sealed(seconds=3)
    await world.story()
    row = await prepared(world, recording)
    assert await world.story() == ("disclosure.made recording.exported disclosure.made")
    files = unpacked(world, row)
    for role, person in (("agent", world.agent), ("customer", world.customer)):
        media = files[f"recordings/{recording}/{role}.webm"]
        assert b"spoken " + person.id.encode() in media
        assert all(word in media for word in PLAIN)
    assert plain_media(world.folder) == []
    stored = (world.folder / "exports" / row.id).read_bytes()
    for word in (CUSTOMER_NAME.encode(), AGENT_NAME.encode(), b"disclosure.json"):
        assert word not in stored
    lines = files[f"recordings/{recording}/manifest.jsonl"].splitlines()
    assert [decode_line(line).entry.n for line in lines] == list(range(len(lines)))
    said = json.loads(files["disclosure.json"])
    assert (said["given_to"], said["basis"]) == ("District Court", "order")
    assert {party["name"] for party in said["parties"]} == {AGENT_NAME, CUSTOMER_NAME}
    assert {consent["kind"] for consent in said["consents"]} == {"requested", "given"}
    assert row.manifest == sha256_hex(files["manifest.json"])


async def test_the_leaves_name_digests_and_no_person(world: World) -> None:
    row = await prepared(world, await world.sealed())
    decided, sealed = [one for one in await world.leaves() if one["kind"] == "disclosure.made"]
    assert sealed["index"] == row.leaf
    assert (sealed["refs"]["package"], sealed["refs"]["manifest"]) == (row.sha256, row.manifest)
    assert decided["commitments"].keys() == {
        "account", "given_to", "basis_text", "reason", "recipient",
    }  # fmt: skip
    assert "District" not in json.dumps([decided, sealed])


async def test_a_row_that_nobody_decided_gives_nothing(world: World) -> None:
    row = await prepared(world, await world.sealed())
    forged = replace(row, id="dis_" + "x" * 26, state="waiting", leaf=None, given_to="me")
    async with world.store.write() as tx:
        await tx.add(forged)
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Disclosure, id=forged.id)).state == "failed"
    assert world.files("exports") == [row.id]


async def test_one_party_alone_and_records_alone(world: World) -> None:
    recording = await world.sealed()
    one = unpacked(world, await prepared(world, "", scope="party", target=world.customer.id))
    assert f"recordings/{recording}/customer.webm" in one
    assert f"recordings/{recording}/agent.webm" not in one
    assert AGENT_NAME.encode() not in b"".join(one.values())
    records = unpacked(
        world, await prepared(world, world.session, scope="session", parts=("records",))
    )
    assert records.keys() == {"manifest.json", "disclosure.json"}
    media = unpacked(world, await prepared(world, recording, parts=("media",)))
    assert "parties" not in json.loads(media["disclosure.json"])


async def test_nothing_is_given_out_before_it_is_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await disclose(world, await world.sealed())

    async def fail() -> None:
        raise Unavailable

    world.store.before_commit = fail
    with pytest.raises(Unavailable):
        await preparing.prepare_next(world.app)
    world.store.before_commit = None
    row = await world.only(Disclosure, id=made["disclosure"])
    assert (row.state, row.leaf) == ("waiting", None)
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Disclosure)).state == "ready"


async def test_one_that_cannot_be_built_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from avsession.usecases import disclosing

    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(disclosing, "_recipe", fails)
    await disclose(world, await world.sealed())
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Disclosure)).state == "failed"
    assert "a disclosure failed" in caplog.text
    assert world.files("exports") == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_records_of_who_was_erased_while_it_waited_are_in_no_package(
    world: World, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    await sessions.end_session(world.app, world.session, "test")
    made = await disclose(world, world.session, scope="session", parts=("records",))
    settle = disclosing._settle

    async def late(*given: Any) -> None:
        if when == "meanwhile":
            assert world.files("exports")
            await forget(world.app, world.customer.id)
        await settle(*given)

    monkeypatch.setattr(disclosing, "_settle", late)
    if when == "before":
        await forget(world.app, world.customer.id)
    while await preparing.prepare_next(world.app):
        pass
    row = await world.only(Disclosure, id=made["disclosure"])
    assert (row.state, row.leaf, world.files("exports")) == ("failed", None, [])
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
