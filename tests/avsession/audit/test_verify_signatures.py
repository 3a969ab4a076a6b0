"""What a party signed, and nothing else, is what its event says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from avsession.audit import signatures
from avsession.audit.log import rfc3339
from avsession.audit.record import Shown
from avsession.audit.verify_leaves import Body, read
from avsession.audit.verify_signatures import statement_of, wrong
from avsession.records import ConsentEvent, Leaf, PartyKey, RecordingRequest
from avsession.usecases import events, evidence
from avsession.usecases.common import load
from tests.avsession.usecases.world import World

Parts = tuple[Body, ConsentEvent, PartyKey, Leaf]


@pytest.fixture
async def parts(world: World) -> Parts:
    """A consent that was really given and signed."""
    await world.ask("quality", "evidence")
    await world.allow(world.customer, "quality")
    event = await world.only(ConsentEvent, kind="given")
    body, _ = read(await world.only(Leaf, index=event.leaf))
    key = await world.only(PartyKey, party=world.customer.id)
    assert body is not None
    return body, event, key, await world.only(Leaf, index=key.leaf)


def changed(event: ConsentEvent, **block: Any) -> ConsentEvent:
    signature: Any = event.document["signature"]
    return replace(event, document=event.document | {"signature": signature | block})


async def test_a_real_one_holds(parts: Parts) -> None:
    assert wrong(*parts) == ""
    found = statement_of(parts[1])
    assert found is not None
    assert found[0].purposes == ("quality",)


async def test_nobody_elses_signature_does(parts: Parts) -> None:
    body, event, key, leaf = parts
    signature: Any = event.document["signature"]
    statement = signature["statement"]
    for other, said in (
        (replace(event, document=event.document | {"signature": None}), "is not signed"),
        (changed(event, status="invalid"), "is not signed"),
        (changed(event, signature="A" * 86), "not signed by the key"),
        (changed(event, public_key="A"), "not signed by the key"),
        (changed(event, statement=statement | {"purposes": ["evidence"]}), "not signed by the key"),
        (changed(event, statement={}), "not signed by the key"),
        (replace(event, request="req_other"), "not what the party signed"),
        (replace(event, session="ses_other"), "not what the party signed"),
    ):
        assert said in wrong(body, other, key, leaf)
    purposes: Any = event.document["purposes"]
    ticked = [one | {"answer": True} for one in purposes]
    more = replace(event, document=event.document | {"purposes": ticked})
    assert "something else" in wrong(body, more, key, leaf)


async def test_the_key_must_be_the_partys_and_in_the_log(parts: Parts) -> None:
    body, event, key, leaf = parts
    assert "not enrolled" in wrong(body, event, None, leaf)
    assert "not enrolled" in wrong(body, event, replace(key, party="pty_other"), leaf)
    assert "not in the log" in wrong(body, event, key, None)
    assert "not in the log" in wrong(body, event, key, replace(leaf, data=b"{}"))
    other = Body(**{name: getattr(body, name) for name in body.__struct_fields__}
                 | {"refs": body.refs | {"key": "f" * 64}})  # fmt: skip
    assert "another key" in wrong(other, event, key, leaf)


async def test_a_signature_from_another_time_is_none(parts: Parts) -> None:
    body, event, key, leaf = parts
    later = rfc3339(event.at_ms + signatures.AWAY_MS + 1)
    moved = replace(event, document=event.document | {"event_time": later})
    assert "something else" in wrong(body, moved, key, leaf)


async def test_what_was_signed_once_stands_for_one_consent(world: World) -> None:
    """Whoever has the database and the log's key adds a second one with the same signature."""
    request = await world.ask("quality")
    await world.allow(world.customer, "quality")
    event = await world.only(ConsentEvent, kind="given")
    said: Any = event.document
    async with world.store.write() as tx:
        session, party = await load(tx, world.customer.id)
        row = await tx.get(RecordingRequest, request)
        assert row is not None
        shown = Shown(
            language=said["notice"]["language"], sha256=said["notice"]["sha256"],
            version=said["notice"]["version"], method="dialog/allow", build="",
        )  # fmt: skip
        again = await events.add(
            world.app, tx, session, party, row, "given", shown=shown, given=("quality",),
            signature=said["signature"],
        )  # fmt: skip
    found = await evidence.verify(world.store, world.app.notary.key)
    assert [str(one) for one in found.findings] == [
        f"consent_event {again.id}: shows what was signed for another one"
    ]
