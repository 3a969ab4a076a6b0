"""What is known of the audit log's soundness: since when it verifies, up to which size, or what is
wrong. See ``watching``, which looks."""

from __future__ import annotations

import logging
from typing import Any

from avsession.audit.checkpoint import Checkpoint
from avsession.audit.verify import Report

log = logging.getLogger("avsession.watching")


class Watch:
    """The standing sign. One a process."""

    def __init__(self) -> None:
        self.since_ms: int | None = None
        """Since when nothing was found wrong; None before the first verification, and after one
        that found something."""
        self.checked_ms: int | None = None
        self.full_ms: int | None = None
        self.size = 0
        """Leaves that are covered by what was verified."""
        self.problem: str | None = None
        self.count = 0
        """How many things are wrong."""
        self.checking = False
        self.head: Checkpoint | None = None
        """The newest signed head that was looked at."""

    def state(self) -> dict[str, Any]:
        """For a page: null times mean not yet."""
        return {
            "ok": self.problem is None and self.full_ms is not None,
            "since_ms": self.since_ms,
            "checked_ms": self.checked_ms,
            "full_ms": self.full_ms,
            "size": self.size,
            "problem": self.problem,
            "count": self.count,
            "checking": self.checking,
        }

    def verified(self, report: Report, head: Checkpoint | None, now_ms: int) -> None:
        """A full verification has ended."""
        self.full_ms = self.checked_ms = now_ms
        self.size = report.size
        if not report.ok:
            first = report.findings[0]
            self.wrong(f"{first}", sum(report.counts.values()))
            return
        if self.problem is not None or self.since_ms is None:
            self.since_ms = now_ms
        self.problem, self.count, self.head = None, 0, head

    def extended(self, head: Checkpoint, now_ms: int) -> None:
        """A newer head extends what was verified."""
        self.head, self.checked_ms = head, now_ms
        self.size = max(self.size, head.size)

    def wrong(self, problem: str, count: int = 1) -> None:
        """Something does not hold; it stays said until a full verification finds nothing."""
        log.error("the audit log does not verify: %s", problem)
        self.problem, self.count, self.since_ms = problem, count, None
