"""The admin's log: what is found, what it shows, what is written down about it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from avsession.audit import proof as proofs
from avsession.errors import Invalid, LogBroken, NotFound, NotPermitted, SignerFailed
from avsession.keys import FileSigner
from avsession.records import Detail, Leaf
from avsession.session import Session
from avsession.usecases import logbook
from avsession.usecases.logbook import Filter
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World
from tests.support.tamper import database

NEWEST = 2**53 - 1


async def _search(world: World, below: int = NEWEST, **given: Any) -> list[dict[str, Any]]:
    """Every page of it."""
    found, at = [], below
    while True:
        page = await logbook.search(world.app, world.admin, Filter(**given), at)
        found += page["leaves"]
        if page["next"] is None:
            return found
        at = page["next"]


async def _exported(world: World, form: str, **given: Any) -> bytes:
    chunks = await logbook.export(world.app, world.admin, Filter(**given), form)
    return b"".join([chunk async for chunk in chunks])


async def test_everything_newest_first_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.sealed()
    monkeypatch.setattr(logbook, "PAGE", 4)
    monkeypatch.setattr(logbook, "AT_ONCE", 3)
    size = len(await world.leaves())
    found = [one["leaf"] for one in await _search(world, below=size)]
    assert found == list(range(size - 1, -1, -1))


async def test_by_session_kind_person_and_time(world: World) -> None:
    await world.sealed()
    session = await world.only(Session)
    by_id = await _search(world, session=session.id)
    assert by_id == await _search(world, session=session.pseudonym)
    assert {one["session"] for one in by_id} == {session.pseudonym}
    given = await _search(world, kind="consent.given")
    assert [one["kind"] for one in given] == ["consent.given"] * 2
    mine = await _search(world, person=CUSTOMER_NAME, kind="consent.given")
    assert mine == await _search(world, person=world.customer.party.pseudonym, kind="consent.given")
    assert [one["subject"] for one in mine] == [world.customer.party.pseudonym]
    start = given[-1]["at_ms"]
    later = await _search(world, from_ms=start + 1)
    assert later
    assert all(one["at_ms"] > start for one in later)
    assert all(one["at_ms"] <= start for one in await _search(world, to_ms=start))
    assert await _search(world, person="Nobody Atall") == []


async def test_a_member_of_staff_by_name(world: World) -> None:
    await world.sealed()
    found = await _search(world, person=AGENT_NAME)
    assert {"access.granted", "party.joined"} <= {one["kind"] for one in found}


async def test_a_long_search_says_where_to_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "LOOKED", 5)
    monkeypatch.setattr(logbook, "AT_ONCE", 5)
    await world.sealed()
    page = await logbook.search(world.app, world.admin, Filter(to_ms=0), NEWEST)
    assert page["leaves"] == []
    assert page["next"] > 0
    assert await _search(world, to_ms=0) == []


async def test_one_leaf_with_its_details_and_a_proof_that_verifies(world: World) -> None:
    await world.sealed()
    (given, *_) = await _search(world, kind="consent.given", person=CUSTOMER_NAME)
    found = await logbook.one(world.app, world.admin, given["leaf"])
    assert json.loads(found["data"])["index"] == given["leaf"]
    assert {one["field"]: one["state"] for one in found["details"]}.items() >= {
        "purposes": "ok", "document": "ok",
    }.items()  # fmt: skip
    parsed = proofs.parse(found["proof"], found["data"].encode())
    assert proofs.verify(parsed, world.app.notary.key).size == found["size"]
    with pytest.raises(NotFound):
        await logbook.one(world.app, world.admin, 10**6)


async def test_a_detail_that_is_gone_or_another_is_said(world: World) -> None:
    await world.sealed()
    (given, *_) = await _search(world, kind="consent.given")
    async with world.store.write() as tx:
        await tx.remove(Detail, leaf=given["leaf"], field="purposes")
        old = await tx.one(Detail, leaf=given["leaf"], field="document")
        assert old is not None
        await tx.remove(Detail, leaf=given["leaf"], field="document")
        await tx.add(Detail(leaf=old.leaf, field=old.field, value=b'"other"', salt=old.salt))
    found = await logbook.one(world.app, world.admin, given["leaf"])
    states = {one["field"]: one["state"] for one in found["details"]}
    assert (states["purposes"], states["document"]) == ("gone", "wrong")


async def test_a_leaf_of_a_log_that_does_not_hold_is_shown_and_said_to_be_unproven(
    world: World,
) -> None:
    await world.sealed()
    (given, *_) = await _search(world, kind="consent.given")
    good = await logbook.one(world.app, world.admin, given["leaf"])
    assert good["problem"] is None
    index = given["leaf"]
    with database(world.folder) as db:
        db.execute("UPDATE leaf SET data = CAST(replace(CAST(data AS TEXT), 'evt_', 'evx_') "
                   "AS BLOB) WHERE number = ?", (index,))  # fmt: skip
    for newest in (world.app.notary.newest, None):
        world.app.notary.newest = newest
        found = await logbook.one(world.app, world.admin, index)
        assert "evx_" in found["data"]
        assert (found["proof"], found["checkpoint"], found["size"]) == (None, None, None)
        assert found["problem"]["code"] == "log.broken"
        assert "not the one that was signed" in found["problem"]["sentence"]
        with pytest.raises(LogBroken):
            await logbook.proof_of(world.app, world.admin, index)
    whole = await logbook.one(world.app, world.admin, index - 2)
    assert whole["problem"] is None, "that one is proven all the same"
    with database(world.folder) as db:
        db.execute("UPDATE tree_node SET hash = randomblob(32) WHERE level = 0 AND number = ?",
                   (index - 1,))  # fmt: skip
    world.app.notary.newest = None
    found = await logbook.one(world.app, world.admin, index)
    assert found["problem"]["code"] in ("log.broken", "log.forked")


async def test_what_is_no_leaf_and_what_is_no_detail_are_shown_all_the_same(world: World) -> None:
    await world.sealed()
    (given, *_) = await _search(world, kind="consent.given")
    index = given["leaf"]
    with database(world.folder) as db:
        db.execute("UPDATE detail SET value = CAST('{' AS BLOB) WHERE leaf = ?", (index,))
    found = await logbook.one(world.app, world.admin, index)
    assert {one["state"] for one in found["details"]} == {"wrong"}
    assert {one["value"] for one in found["details"]} == {"{"}
    with database(world.folder) as db:
        db.execute("UPDATE leaf SET data = x'7bff' WHERE number = ?", (index,))
    found = await logbook.one(world.app, world.admin, index)
    assert (found["data"], found["details"], found["proof"]) == ("{\\xff", [], None)
    assert index in [one["leaf"] for one in await _search(world, kind="consent.given")]
    assert await _exported(world, "csv", kind="consent.given")
    assert b"{\xff" in await _exported(world, "jsonl", kind="consent.given")


async def test_without_the_signer_a_leaf_is_shown_without_a_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_self: FileSigner, _data: bytes) -> bytes:
        raise SignerFailed

    monkeypatch.setattr(FileSigner, "sign", away)
    found = await logbook.one(world.app, world.admin, 0)
    assert (found["leaf"], found["proof"], found["problem"]["code"]) == (0, None, "log.signer")


async def test_reading_is_written_down_once_and_without_a_name(world: World) -> None:
    await world.story()
    await _search(world, person=CUSTOMER_NAME)
    await _search(world, person=CUSTOMER_NAME)
    assert await world.story() == "audit.read"
    (row,) = await world.find(Leaf, kind="audit.read")
    body = json.loads(row.data)
    assert (body["actor"], body["refs"]["what"]) == (world.admin.pseudonym, "page")
    (detail,) = await world.find(Detail, leaf=row.index)
    assert world.customer.party.pseudonym in detail.value.decode()
    assert "Kuno" not in detail.value.decode() + row.data.decode()
    world.clock.forward(61)
    await _search(world, person=CUSTOMER_NAME)
    await logbook.one(world.app, world.admin, 3)
    await _exported(world, "jsonl")
    assert await world.story() == "audit.read audit.read audit.read"
    assert [json.loads(one.data)["refs"]["what"] for one in await world.find(
        Leaf, kind="audit.read", order="index"
    )] == ["page", "page", "leaf", "export"]  # fmt: skip


async def test_a_name_that_nobody_has_is_not_kept(world: World) -> None:
    """It could be one of a person who was forgotten: no erasure would find it again."""
    pseudonym = world.customer.party.pseudonym
    for given, kept in (
        (Filter(person="Somebody Forgotten"), ([], None)),
        (Filter(session="the one with Somebody Forgotten"), (None, [])),
        (Filter(person="psn_forgotten"), ([], None)),
        (Filter(person=pseudonym), ([pseudonym], None)),
    ):
        world.clock.forward(61)
        await logbook.search(world.app, world.admin, given, NEWEST)
        *_, row = await world.find(Leaf, kind="audit.read", order="index")
        (detail,) = await world.find(Detail, leaf=row.index)
        said = json.loads(detail.value)
        assert "forgotten" not in (detail.value + row.data).decode().lower()
        assert (said["people"], said["sessions"]) == kept


async def test_json_lines_are_the_leaves_own_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.sealed()
    monkeypatch.setattr(logbook, "AT_ONCE", 3)
    lines = (await _exported(world, "jsonl")).splitlines()
    assert lines == [row.data for row in await world.find(Leaf, order="index")]
    some = (await _exported(world, "jsonl", kind="consent.given")).splitlines()
    assert [json.loads(line)["kind"] for line in some] == ["consent.given"] * 2


async def test_csv_has_the_same_in_columns(world: World) -> None:
    await world.sealed()
    rows = list(csv.DictReader(io.StringIO((await _exported(world, "csv")).decode())))
    leaves = await world.leaves()
    assert [int(row["leaf"]) for row in rows] == [one["index"] for one in leaves]
    assert [row["kind"] for row in rows] == [one["kind"] for one in leaves]
    assert [json.loads(row["refs"]) for row in rows] == [one["refs"] for one in leaves]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(start: str) -> None:
    assert logbook.safe(f"{start}cmd|x") == f"'{start}cmd|x"
    assert logbook.safe("psn_x") == "psn_x"
    assert logbook.safe("") == ""


async def test_an_export_has_a_limit_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "EXPORT", 3)
    lines = (await _exported(world, "jsonl")).splitlines()
    assert len(lines) == 4
    assert json.loads(lines[-1]) == {"more": 3}
    assert b"there is more from leaf 3 on" in (await _exported(world, "csv")).splitlines()[-1]
    with pytest.raises(Invalid):
        await _exported(world, "xls")


async def test_only_who_may_read_the_log_does(world: World) -> None:
    await world.story()
    with pytest.raises(NotPermitted):
        await logbook.search(world.app, world.staff, Filter(), NEWEST)
    with pytest.raises(NotPermitted):
        await logbook.one(world.app, world.staff, 0)
    with pytest.raises(NotPermitted):
        await logbook.export(world.app, world.staff, Filter(), "csv")
    with pytest.raises(NotPermitted):
        logbook.state(world.app, world.staff)
    assert "consent.given" in logbook.state(world.app, world.admin)["kinds"]
    assert await world.story() == ""
