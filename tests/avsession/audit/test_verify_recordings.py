"""Grants, tracks, recordings, manifests, segments: changed, deleted, inserted, swapped; named."""

from __future__ import annotations

import sqlite3

import pytest

from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def grant_of(db: sqlite3.Connection) -> tuple[str, str]:
    recording, generation = first(db, "SELECT recording, generation FROM capture_grant")
    return str(recording), f"capture_grant {recording}/{generation}"


@case
def grant_changed(db: sqlite3.Connection) -> list[Row]:
    recording, row = grant_of(db)
    db.execute("UPDATE capture_grant SET token = 'a' || token WHERE recording = ?", (recording,))
    return [(7, row)]


@case
def grant_open_for_longer(db: sqlite3.Connection) -> list[Row]:
    recording, row = grant_of(db)
    db.execute("UPDATE capture_grant SET closed_ms = closed_ms + 60000 WHERE recording = ?",
               (recording,))  # fmt: skip
    return [(7, row)]


@case
def grant_open_from_earlier(db: sqlite3.Connection) -> list[Row]:
    recording, row = grant_of(db)
    db.execute("UPDATE capture_grant SET issued_ms = issued_ms - 60000 WHERE recording = ?",
               (recording,))  # fmt: skip
    return [(7, row)]


@case
def grant_deleted(db: sqlite3.Connection) -> list[Row]:
    recording, row = grant_of(db)
    db.execute("DELETE FROM capture_grant WHERE recording = ?", (recording,))
    return [(7, row)]


@case
def grant_inserted(db: sqlite3.Connection) -> list[Row]:
    recording, _ = grant_of(db)
    db.execute("INSERT INTO capture_grant SELECT recording, 77, token, issued_ms, closed_ms, "
               "reason FROM capture_grant WHERE recording = ?", (recording,))  # fmt: skip
    return [(7, f"capture_grant {recording}/77")]


@case
def grants_swapped(db: sqlite3.Connection) -> list[Row]:
    one, two = db.execute("SELECT recording, generation, token FROM capture_grant "
                          "LIMIT 2").fetchall()  # fmt: skip
    rows = []
    for mine, other in ((one, two), (two, one)):
        db.execute("UPDATE capture_grant SET token = ? WHERE recording = ? AND generation = ?",
                   (other[2], mine[0], mine[1]))  # fmt: skip
        rows.append((7, f"capture_grant {mine[0]}/{mine[1]}"))
    return rows


def sealed(db: sqlite3.Connection) -> str:
    return str(first(db, "SELECT id FROM recording WHERE state = 'sealed'")[0])


@case
def entry_respelt(db: sqlite3.Connection) -> list[Row]:
    """The same words, signed and chained as they were, in other bytes."""
    name = sealed(db)
    db.execute("UPDATE manifest_entry SET line = CAST(line || ' ' AS BLOB) "
               "WHERE recording = ? AND n = 1", (name,))  # fmt: skip
    return [(7, f"manifest_entry {name}/1")]


@case
def entry_changed(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    db.execute("UPDATE manifest_entry SET line = CAST(replace(CAST(line AS TEXT), "
               "'\"at_ms\":1', '\"at_ms\":2') AS BLOB) WHERE recording = ? AND n = 2",
               (name,))  # fmt: skip
    return [(7, f"manifest_entry {name}/2")]


@case
def entry_deleted(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    db.execute("DELETE FROM manifest_entry WHERE recording = ? AND n = 3", (name,))
    return [(7, f"manifest_entry {name}/3")]


@case
def last_entry_deleted(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    (last,) = first(db, "SELECT max(n) FROM manifest_entry WHERE recording = ?", name)
    db.execute("DELETE FROM manifest_entry WHERE recording = ? AND n = ?", (name, last))
    return [(7, f"manifest_entry {name}/{last}")]


@case
def entry_inserted(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    (last,) = first(db, "SELECT max(n) FROM manifest_entry WHERE recording = ?", name)
    assert isinstance(last, int)
    db.execute("INSERT INTO manifest_entry SELECT recording, ?, line FROM manifest_entry "
               "WHERE recording = ? AND n = 1", (last + 1, name))  # fmt: skip
    return [(7, f"manifest_entry {name}/{last + 1}")]


@case
def entries_reordered(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    for old, new in ((2, -1), (3, 2), (-1, 3)):
        db.execute("UPDATE manifest_entry SET n = ? WHERE n = ? AND recording = ?",
                   (new, old, name))  # fmt: skip
    return [(7, f"manifest_entry {name}/2")]


@case
def entries_all_gone(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    db.execute("DELETE FROM manifest_entry WHERE recording = ?", (name,))
    return [(7, f"manifest_entry {name}/0")]


@case
def segment_changed(db: sqlite3.Connection) -> list[Row]:
    track, number = first(db, "SELECT track, number FROM segment WHERE recording = ?", sealed(db))
    db.execute("UPDATE segment SET sha256 = 'f' WHERE track = ? AND number = ?", (track, number))
    return [(7, f"segment {track}/{number}")]


@case
def segment_deleted(db: sqlite3.Connection) -> list[Row]:
    track, number = first(db, "SELECT track, number FROM segment WHERE recording = ?", sealed(db))
    db.execute("DELETE FROM segment WHERE track = ? AND number = ?", (track, number))
    return [(7, f"segment {track}/{number}")]


@case
def segment_inserted(db: sqlite3.Connection) -> list[Row]:
    name = sealed(db)
    (track,) = first(db, "SELECT track FROM segment WHERE recording = ?", name)
    db.execute("INSERT INTO segment SELECT track, 999, recording, sha256, size FROM "
               "segment WHERE track = ? LIMIT 1", (track,))  # fmt: skip
    return [(7, f"segments of track {track}")]


@case
def track_changed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM track WHERE recording = ?", sealed(db))
    db.execute("UPDATE track SET recipient = 'age1other' WHERE id = ?", (name,))
    return [(7, f"track {name}")]


@case
def track_of_another_name(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM track WHERE recording = ?", sealed(db))
    db.execute("UPDATE track SET id = 'trk_forged' WHERE id = ?", (name,))
    return [(7, f"track {name}"), (7, "track trk_forged")]


@case
def destroyed_is_not_destroyed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM track WHERE erased_ms IS NOT NULL")
    db.execute("UPDATE track SET erased_ms = NULL WHERE id = ?", (name,))
    return [(7, f"track {name}")]


@case
def recording_revived(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM recording WHERE state = 'erased'")
    db.execute("UPDATE recording SET state = 'sealed' WHERE id = ?", (name,))
    return [(7, f"recording {name}")]


@case
def recording_with_another_key(db: sqlite3.Connection) -> list[Row]:
    """The key that signs a manifest is a row beside it; the grant names it."""
    name = sealed(db)
    db.execute("UPDATE recording SET recorder_key = ? WHERE id = ?", ("A" * 43, name))
    return [(7, f"recording {name}")]


@case
def recording_inserted(db: sqlite3.Connection) -> list[Row]:
    db.execute("CREATE TEMP TABLE forged AS SELECT * FROM recording LIMIT 1")
    db.execute("UPDATE forged SET id = 'rec_forged'")
    db.execute("INSERT INTO recording SELECT * FROM forged")
    return [(7, "recording rec_forged")]


@pytest.mark.parametrize("name", CASES)
async def test_found_and_named(copy: Copy, name: str) -> None:
    await must_be_named(copy, CASES[name])
