"""Tampering with the log itself as the database's owner could: each found, and named by the row.

One real story (two calls, one recording kept, one destroyed) is made once; each test changes a
copy of its database, with the triggers dropped. Whole histories:
``test_verify_history.py``; rows beside the log: ``test_verify_rows.py`` and others.
"""

from __future__ import annotations

import inspect
import re
import sqlite3
from pathlib import Path

import pytest

from avsession.audit import COMMITTED, log
from avsession.audit.findings import STEPS, Findings
from avsession.audit.verify import to_its_end
from avsession.errors import Unavailable
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.support.tamper import database
from tests.support.world import Clock


async def test_the_story_verifies(copy: Copy) -> None:
    report = await copy.verify()
    assert report.findings == ()
    assert report.ok
    assert report.counts == dict.fromkeys(STEPS, 0)
    assert report.checkpoints >= 4
    with database(copy.folder) as db:
        kinds = {kind for (kind,) in db.execute("SELECT kind FROM leaf")}
        assert report.size == db.execute("SELECT count(*) FROM leaf").fetchone()[0]
    assert {"recording.sealed", "recording.erased", "grant.revoked", "key.destroyed"} <= kinds


CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


@case
def leaf_changed(db: sqlite3.Connection) -> list[Row]:
    db.execute("UPDATE leaf SET data = replace(data, 'party.joined', 'party.left') "
               "WHERE number = 7")  # fmt: skip
    db.execute("UPDATE leaf SET data = CAST(replace(CAST(data AS TEXT), '\"v\":1', '\"v\":2') "
               "AS BLOB) WHERE number = 7")  # fmt: skip
    return [(1, "leaf 7"), (2, "leaf 7")]


@case
def leaf_column_changed(db: sqlite3.Connection) -> list[Row]:
    db.execute("UPDATE leaf SET kind = 'audit.read' WHERE kind = 'consent.given'")
    (number,) = first(db, "SELECT number FROM leaf WHERE kind != 'consent.given' AND "
                      "CAST(data AS TEXT) LIKE '%consent.given%'")  # fmt: skip
    return [(1, f"leaf {number}")]


@case
def leaf_time_changed(db: sqlite3.Connection) -> list[Row]:
    db.execute("UPDATE leaf SET at_ms = at_ms - 1000 WHERE number = 5")
    return [(1, "leaf 5")]


@case
def leaf_deleted(db: sqlite3.Connection) -> list[Row]:
    db.execute("DELETE FROM leaf WHERE number = 6")
    return [(1, "leaf 6")]


@case
def leaf_deleted_at_the_end(db: sqlite3.Connection) -> list[Row]:
    (last,) = first(db, "SELECT max(number) FROM leaf")
    db.execute("DELETE FROM leaf WHERE number = ?", (last,))
    return [(1, f"leaf {last}")]


@case
def leaf_inserted(db: sqlite3.Connection) -> list[Row]:
    (last,) = first(db, "SELECT max(number) FROM leaf")
    db.execute("INSERT INTO leaf SELECT number + 1, kind, session, at_ms, data FROM leaf "
               "WHERE number = ?", (last,))  # fmt: skip
    assert isinstance(last, int)
    return [(1, f"leaf {last + 1}"), (2, f"tree_node 0/{last + 1}")]


@case
def leaf_inserted_far_away(db: sqlite3.Connection) -> list[Row]:
    for number in (10**12, -3):
        db.execute("INSERT INTO leaf SELECT ?, kind, session, at_ms, data FROM leaf "
                   "WHERE number = 1", (number,))  # fmt: skip
    return [(1, "leaf 1000000000000"), (1, "leaf -3")]


@case
def leaves_reordered(db: sqlite3.Connection) -> list[Row]:
    for old, new in ((4, -1), (5, 4), (-1, 5)):
        db.execute("UPDATE leaf SET number = ? WHERE number = ?", (new, old))
    return [(1, "leaf 4"), (1, "leaf 5"), (2, "leaf 4"), (2, "leaf 5")]


@case
def detail_changed(db: sqlite3.Connection) -> list[Row]:
    leaf, field = first(db, "SELECT leaf, field FROM detail ORDER BY leaf")
    db.execute("UPDATE detail SET value = CAST('\"Mallory\"' AS BLOB) WHERE leaf = ? AND field = ?",
               (leaf, field))  # fmt: skip
    return [(6, f"detail {leaf}/{field}")]


@case
def detail_salt_changed(db: sqlite3.Connection) -> list[Row]:
    leaf, field = first(db, "SELECT leaf, field FROM detail ORDER BY leaf DESC")
    db.execute("UPDATE detail SET salt = randomblob(32) WHERE leaf = ? AND field = ?",
               (leaf, field))  # fmt: skip
    return [(6, f"detail {leaf}/{field}")]


@case
def detail_owner_changed(db: sqlite3.Connection) -> list[Row]:
    leaf, field, party = first(db, "SELECT leaf, field, party FROM detail "
                               "WHERE party IS NOT NULL ORDER BY leaf")  # fmt: skip
    db.execute("UPDATE detail SET party = (SELECT id FROM party WHERE id != ?) "
               "WHERE leaf = ? AND field = ?", (party, leaf, field))  # fmt: skip
    return [(6, f"detail {leaf}/{field}")]


@case
def detail_deleted(db: sqlite3.Connection) -> list[Row]:
    leaf, field = first(db, "SELECT leaf, field FROM detail WHERE field = 'document'")
    db.execute("DELETE FROM detail WHERE leaf = ? AND field = ?", (leaf, field))
    return [(6, f"detail {leaf}/{field}")]


@case
def detail_inserted(db: sqlite3.Connection) -> list[Row]:
    db.execute("INSERT INTO detail VALUES (2, 'more', X'31', randomblob(32), NULL)")
    db.execute("INSERT INTO detail VALUES (99999, 'more', X'31', randomblob(32), NULL)")
    return [(6, "detail 2/more"), (6, "detail 99999/more")]


@case
def details_swapped(db: sqlite3.Connection) -> list[Row]:
    one, two = (leaf for (leaf,) in db.execute(
        "SELECT leaf FROM detail WHERE field = 'document' ORDER BY leaf LIMIT 2"))  # fmt: skip
    for old, new in ((one, -1), (two, one), (-1, two)):
        db.execute("UPDATE detail SET leaf = ? WHERE leaf = ? AND field = 'document'", (new, old))
    return [(6, f"detail {one}/document"), (6, f"detail {two}/document")]


@case
def node_changed(db: sqlite3.Connection) -> list[Row]:
    db.execute("UPDATE tree_node SET hash = randomblob(32) WHERE level = 0 AND number = 3")
    return [(2, "tree_node 0/3")]


@case
def upper_node_changed(db: sqlite3.Connection) -> list[Row]:
    db.execute("UPDATE tree_node SET hash = randomblob(32) WHERE level = 2 AND number = 1")
    return [(2, "tree_node 2/1")]


@case
def node_deleted(db: sqlite3.Connection) -> list[Row]:
    db.execute("DELETE FROM tree_node WHERE level = 1 AND number = 2")
    return [(2, "tree_node 1/2")]


@case
def node_inserted(db: sqlite3.Connection) -> list[Row]:
    places = [(0, 5000), (1, 9000), (9, 0), (40, 3), (70, 0), (0, -1), (-1, 0)]
    for level, number in places:
        db.execute("INSERT INTO tree_node VALUES (?, ?, randomblob(32))", (level, number))
    return [(2, f"tree_node {level}/{number}") for level, number in places]


@case
def nodes_swapped(db: sqlite3.Connection) -> list[Row]:
    for old, new in ((8, -1), (9, 8), (-1, 9)):
        db.execute("UPDATE tree_node SET number = ? WHERE level = 0 AND number = ?", (new, old))
    return [(2, "tree_node 0/8"), (2, "tree_node 0/9")]


@case
def checkpoint_changed(db: sqlite3.Connection) -> list[Row]:
    (size,) = first(db, "SELECT size FROM checkpoint")
    db.execute("UPDATE checkpoint SET note = replace(note, ?, ?) WHERE size = ?",
               (f"\n{size}\n", "\n1\n", size))  # fmt: skip
    return [(3, f"checkpoint {size}")]


@case
def checkpoint_under_another_size(db: sqlite3.Connection) -> list[Row]:
    (size,) = first(db, "SELECT size FROM checkpoint")
    db.execute("UPDATE checkpoint SET size = 1 WHERE size = ?", (size,))
    return [(3, "checkpoint 1")]


@case
def checkpoint_inserted(db: sqlite3.Connection) -> list[Row]:
    db.execute("INSERT INTO checkpoint SELECT 100000, note, at_ms FROM checkpoint LIMIT 1")
    return [(2, "checkpoint 100000")]


@case
def oldest_checkpoint_deleted(db: sqlite3.Connection) -> list[Row]:
    (size,) = first(db, "SELECT min(size) FROM checkpoint")
    db.execute("DELETE FROM checkpoint WHERE size = ?", (size,))
    return [(3, f"checkpoint {size}")]


@case
def newest_checkpoint_deleted(db: sqlite3.Connection) -> list[Row]:
    (size,) = first(db, "SELECT max(size) FROM checkpoint")
    db.execute("DELETE FROM checkpoint WHERE size = ?", (size,))
    return [(3, f"checkpoint {size}")]


@case
def every_checkpoint_deleted(db: sqlite3.Connection) -> list[Row]:
    sizes = db.execute("SELECT size FROM checkpoint").fetchall()
    db.execute("DELETE FROM checkpoint")
    return [(3, f"checkpoint {size}") for (size,) in sizes]


@pytest.mark.parametrize("name", CASES)
async def test_found_and_named(copy: Copy, name: str) -> None:
    await must_be_named(copy, CASES[name])


# --- erasure


def erase(db: sqlite3.Connection, pseudonym: str) -> None:
    db.execute("DELETE FROM detail WHERE party = (SELECT id FROM party WHERE pseudonym = ?)",
               (pseudonym,))  # fmt: skip
    db.execute("UPDATE privacy_request SET text = '', extension = '', answer = ''")
    db.execute("UPDATE restriction SET lift_reason = ''")


async def test_a_person_who_was_erased_is_missed_by_nobody(story: Path, copy: Copy) -> None:
    with database(copy.folder) as db:
        (customer,) = first(db, "SELECT pseudonym FROM party WHERE role = 'customer'")
        erase(db, str(customer))
    without = await copy.rows()
    assert without
    assert all(step == 6 for step, _ in without), "an erasure that the log does not speak of"
    with database(copy.folder) as db:
        db.execute("DELETE FROM party_key WHERE party = (SELECT id FROM party WHERE pseudonym = ?)",
                   (customer,))  # fmt: skip
    store = SqlStore(sqlite_url(copy.folder / "avsession.db"))
    await store.open()

    async with store.write() as tx:
        await log.append(tx, Clock(), bytes, "subject.erased", refs={"party": customer})
    await store.close()
    assert (await copy.verify()).ok, "and the tree, the signatures and the anchor still hold"


async def test_a_row_that_cannot_be_read_is_named(copy: Copy) -> None:
    with database(copy.folder) as db:
        leaf, field = first(db, "SELECT leaf, field FROM detail")
        db.execute("UPDATE detail SET value = 'text' WHERE leaf = ? AND field = ?", (leaf, field))
        db.execute("UPDATE leaf SET kind = 'audit.read' WHERE number = 5")
    named = [(6, f"detail {leaf}/{field}"), (1, "leaf 5")]
    report = await copy.verify()
    assert sorted((one.step, one.where) for one in report.findings) == sorted(named), "and the rest"
    (said,) = [one.what for one in report.findings if one.step == 6]
    assert said.startswith("cannot be read: ")


async def test_a_leaf_that_nobody_thought_of_ends_its_check_and_no_other(copy: Copy) -> None:
    """Signed as everything is; but its references are of no shape that the product writes."""
    store = SqlStore(sqlite_url(copy.folder / "avsession.db"))
    await store.open()
    async with store.write() as tx:
        refs = {"recording": {"a": 1}, "generation": 2**60 // 2**8, "segments": 7}
        await log.append(tx, Clock(), bytes, "grant.issued", refs=refs)
        await log.append(tx, Clock(), bytes, "subject.erased", refs={"grants": 5, "texts": "x"})
        await log.append(tx, Clock(), bytes, "recording.erased", refs={"certificate": [1]})
    await store.close()
    with database(copy.folder) as db:
        db.execute("UPDATE withdrawal SET due_ms = 1")
        (request, party) = first(db, "SELECT request, party FROM withdrawal")
    rows = await copy.rows()
    assert (7, f"withdrawal {request}/{party}") in rows
    assert (7, "certificate [1]") in rows


async def test_a_check_that_fails_is_a_finding() -> None:
    async def fails(error: Exception) -> None:
        raise error

    found = Findings()
    await to_its_end("rows", fails(KeyError("x" * 1000)), found)
    (said,) = found.kept
    assert (said.step, said.where) == (7, "rows")
    assert said.what.startswith("cannot be checked to the end: KeyError")
    assert len(said.what) <= 200
    with pytest.raises(Unavailable):
        await to_its_end("rows", fails(Unavailable()), found)


def test_every_table_that_the_log_commits_to_is_tampered_with() -> None:
    from tests.avsession.audit import (
        test_verify_accesses,
        test_verify_destruction,
        test_verify_exports,
        test_verify_holds,
        test_verify_keys,
        test_verify_privacy,
        test_verify_recordings,
        test_verify_rows,
        test_verify_withdrawals,
    )

    cases = (
        CASES | test_verify_exports.CASES | test_verify_rows.CASES | test_verify_recordings.CASES
    )
    cases |= test_verify_destruction.CASES | test_verify_accesses.CASES
    cases |= test_verify_holds.CASES | test_verify_keys.CASES | test_verify_withdrawals.CASES
    cases |= test_verify_privacy.CASES
    source = "".join(inspect.getsource(tamper) for tamper in cases.values())
    for table in COMMITTED:
        assert re.search(rf"(UPDATE|INSERT INTO|DELETE FROM) {table}\b", source), table
