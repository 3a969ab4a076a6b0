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
