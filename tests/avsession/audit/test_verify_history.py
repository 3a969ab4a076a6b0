"""A history rewritten, forked, rolled back, signed by somebody else: found by what is kept apart.

Each test changes a copy of the story's database, as ``test_verify.py`` does.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3

from avsession.audit.verify import Kept
from avsession.storage.anchor import FILE, FileAnchor
from avsession.usecases import evidence
from avsession.usecases.notary import Notary
from tests.avsession.audit.notes import ORIGIN, Signer
from tests.avsession.audit.tampering import Copy, first
from tests.avsession.usecases.world import World
from tests.support.tamper import database


def rewrite(db: sqlite3.Connection, number: int) -> None:
    """Change one leaf and rebuild the tree over it, so that leaves and nodes agree."""
    db.execute("UPDATE leaf SET data = CAST(replace(CAST(data AS TEXT), '\"actor\":\"a\"', "
               "'\"actor\":\"b\"') AS BLOB) WHERE number = ?", (number,))  # fmt: skip
    row = [hashlib.sha256(b"\x00" + data).digest()
           for (data,) in db.execute("SELECT data FROM leaf ORDER BY number")]  # fmt: skip
    db.execute("DELETE FROM tree_node")
    level = 0
    while row:
        db.executemany("INSERT INTO tree_node VALUES (?, ?, ?)",
                       [(level, n, one) for n, one in enumerate(row)])  # fmt: skip
        row = [hashlib.sha256(b"\x01" + a + b).digest()
               for a, b in zip(row[::2], row[1::2], strict=False)]  # fmt: skip
        level += 1


def sizes(copy: Copy) -> list[int]:
    with database(copy.folder) as db:
        return [size for (size,) in db.execute("SELECT size FROM checkpoint ORDER BY size")]


async def test_a_history_rewritten_with_its_tree_is_found_by_the_signatures(copy: Copy) -> None:
    *_, before, last = sizes(copy)
    with database(copy.folder) as db:
        rewrite(db, before)
    report = await copy.verify()
    (head,) = [one for one in report.findings if one.step == 2]
    assert head.where == f"checkpoint {last}"
    assert f"leaves {before} to {last - 1} are not" in head.what
    assert [one.step for one in report.findings] == [2, 4], "the anchor says it, too"


async def test_a_checkpoint_of_another_history_is_a_fork(copy: Copy) -> None:
    """Signed with the real key over other leaves, as a log would that shows two histories."""
    size = sizes(copy)[0] + 1
    key = copy.notary
    note = (await key.sign(size, b"f" * 32)).note
    with database(copy.folder) as db:
        db.execute("INSERT INTO checkpoint VALUES (?, ?, 1)", (size, note))
    report = await copy.verify()
    (found,) = report.findings
    assert (found.step, found.where) == (2, f"checkpoint {size}")
    assert "forked" in found.what


async def test_yesterdays_copy_is_found_by_the_anchor_alone(copy: Copy) -> None:
    last = sizes(copy)[-1]
    shutil.copy(copy.folder / "yesterday.db", copy.folder / "avsession.db")
    for rest in ("-wal", "-shm"):
        (copy.folder / f"avsession.db{rest}").unlink(missing_ok=True)
    report = await copy.verify()
    (found,) = report.findings
    assert (found.step, found.where) == (4, copy.anchors[0].name)
    assert f"was signed over {last} leaves, and there are" in found.what
    copy.anchors = ()
    assert (await copy.verify()).ok, "by itself yesterday's copy is whole"


async def test_the_newest_head_is_missed_by_the_anchor_though_no_leaf_names_it(
    world: World,
) -> None:
    head = await evidence.checkpoint(world.app)
    with database(world.folder) as db:
        db.execute("DELETE FROM checkpoint WHERE size = ?", (head.size,))
    notary = world.app.notary
    (found,) = (await evidence.verify(world.store, notary.key, notary.anchors)).findings
    assert (found.step, found.where) == (3, f"checkpoint {head.size}")
    assert found.what.startswith("is gone, though ")


async def test_the_anchor_is_gone_or_not_ours(copy: Copy) -> None:
    file = copy.folder / "anchor" / FILE
    note = file.read_text()
    file.write_text(note.replace("=", "A", 1))
    assert await copy.rows() == [(4, str(file))]
    file.unlink()
    assert await copy.rows() == [(4, str(file))]
    file.mkdir()
    assert await copy.rows() == [(4, str(file))]


async def test_a_checkpoint_that_somebody_kept(copy: Copy) -> None:
    with database(copy.folder) as db:
        (note,) = first(db, "SELECT note FROM checkpoint ORDER BY size LIMIT 1 OFFSET 1")
    mine = Kept("mine.txt", str(note))
    assert (await copy.verify(mine)).ok
    with database(copy.folder) as db:
        rewrite(db, 1)
        db.execute("UPDATE leaf SET data = CAST(replace(CAST(data AS TEXT), 'kind', 'kinD') "
                   "AS BLOB) WHERE number = 1")  # fmt: skip
        rewrite(db, 1)
        db.execute("DELETE FROM checkpoint")
    copy.anchors = ()
    found = [one for one in (await copy.verify(mine)).findings if one.step == 5]
    assert [one.where for one in found] == ["mine.txt"]
    assert "are not those" in found[0].what
    foreign = Kept("foreign.txt", (await Notary(ORIGIN, Signer()).sign(1, b"r" * 32)).note)
    assert (5, "foreign.txt") in await copy.rows(foreign)


async def test_another_key_verifies_nothing(copy: Copy) -> None:
    heads = sizes(copy)
    copy.notary = Notary(copy.notary.origin, Signer(), [FileAnchor(copy.folder / "anchor")])
    assert [row for step, row in await copy.rows() if step == 3] == [
        f"checkpoint {size}" for size in heads
    ]


async def test_many_findings_are_counted_and_few_are_kept(copy: Copy) -> None:
    with database(copy.folder) as db:
        db.executemany("INSERT INTO tree_node VALUES (0, ?, zeroblob(32))",
                       [(10**6 + n,) for n in range(90)])  # fmt: skip
        db.executemany("INSERT INTO tree_node VALUES (1, ?, zeroblob(32))",
                       [(10**6 + n,) for n in range(90)])  # fmt: skip
    report = await copy.verify()
    assert report.counts[2] == 180
    assert len(report.findings) == 100
