"""What a verification found, and how it goes through tables that do not fit into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

import msgspec

from avsession.ports import Reader

R = TypeVar("R")

MOST = 100
"""Findings of one step that are kept; the others are counted."""
PAGE = 1000
"""Rows that are read at once."""

STEPS = {
    1: "leaves are dense and canonical",
    2: "the tree over them is the stored one and the signed one",
    3: "checkpoints are signed by the log's key",
    4: "the log extends what is kept outside the database",
    5: "the log extends the checkpoint that was given",
    6: "details are those that were committed to",
    7: "rows are those that were committed to",
}
"""The steps of a verification, in the order in which they are reported."""


STEP_OF = {"leaf": 1, "tree_node": 2, "checkpoint": 3, "detail": 6}
"""The step that a table's unreadable rows belong to; the others' belong to the last one."""
UNREADABLE = 10_000
"""Rows that cannot be read of which it is remembered that they were named."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: in which step it was found, where, and what about it."""

    step: int
    where: str
    """A row, a manifest's entry, a file."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Findings:
    """Everything that was found so far."""

    def __init__(self, steps: Iterable[int] = STEPS) -> None:
        self.kept: list[Finding] = []
        self.count = dict.fromkeys(steps, 0)
        self._unreadable: set[str] = set()

    def cannot_read(self, row: str, what: str) -> None:
        """Note a row that cannot even be read: once, and nothing else about it after that.

        Many who look for it find nothing there, which says less.
        """
        if row not in self._unreadable and len(self._unreadable) < UNREADABLE:
            self.add(STEP_OF.get(row.partition(" ")[0], 7), row, f"cannot be read: {what}")
            self._unreadable.add(row)

    def unread(self, table: str) -> bool:
        """Whether a row of that table could not be read: then there are more than were counted."""
        return any(row.startswith(f"{table} ") for row in self._unreadable)

    def add(self, step: int, where: str, what: str) -> None:
        """Note something that is wrong."""
        if where in self._unreadable:
            return
        self.count[step] += 1
        if self.count[step] <= MOST:
            self.kept.append(Finding(step, where, what))

    @property
    def sorted(self) -> tuple[Finding, ...]:
        """What is kept, by steps."""
        return tuple(sorted(self.kept, key=lambda one: one.step))


async def rows(
    tx: Reader, kind: type[R], order: str, /, *, below: Any = None, **where: Any
) -> AsyncIterator[R]:
    """Every row that matches, by a column that is unique among them, page by page."""
    last: Any = None
    while True:
        page = await tx.find(kind, order=order, above=last, below=below, limit=PAGE, **where)
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        last = getattr(page[-1], order)
