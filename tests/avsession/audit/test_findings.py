"""Findings are counted without end and kept up to a limit; tables are read to their end."""

from __future__ import annotations

from pathlib import Path

from avsession.audit.findings import MOST, PAGE, STEPS, Finding, Findings, rows
from avsession.records import TreeNode
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore


def test_a_step_keeps_its_first_and_counts_all() -> None:
    found = Findings()
    for n in range(MOST + 5):
        found.add(2, f"row {n}", "is wrong")
    found.add(7, "row", "is gone")
    assert found.count == {step: {2: MOST + 5, 7: 1}.get(step, 0) for step in STEPS}
    assert len(found.kept) == MOST + 1
    assert str(found.kept[-1]) == "row: is gone"
    assert found.kept[0] == Finding(2, "row 0", "is wrong")


def test_a_row_that_cannot_be_read_is_named_once_and_nothing_else_is_said_of_it() -> None:
    found = Findings()
    assert not found.unread("detail")
    found.add(6, "detail 2/name", "is another's")
    for _ in range(2):
        found.cannot_read("detail 3/name", "Expected `bytes`")
        found.add(6, "detail 3/name", "is gone")
        found.cannot_read("withdrawal req/pty", "Expected `int`")
    assert [(one.step, one.where) for one in found.kept] == [
        (6, "detail 2/name"), (6, "detail 3/name"), (7, "withdrawal req/pty"),
    ]  # fmt: skip
    assert sum(found.count.values()) == 3
    assert found.unread("detail")
    assert found.unread("withdrawal")
    assert not found.unread("with")


async def test_every_row_once_over_several_pages(tmp_path: Path) -> None:
    store = SqlStore(sqlite_url(tmp_path / "a.db"))
    await store.open()
    count = 2 * PAGE + 3
    async with store.write() as tx:
        await tx.add_all([TreeNode(level=0, index=n, hash=b"h") for n in range(count)])
        await tx.add(TreeNode(level=1, index=0, hash=b"h"))
    async with store.read() as tx:
        found = [node.index async for node in rows(tx, TreeNode, "index", level=0)]
        below = [node.index async for node in rows(tx, TreeNode, "index", below=5, level=0)]
    assert found == list(range(count))
    assert below == list(range(5))
    await store.close()
