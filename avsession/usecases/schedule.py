"""How far the scheduled round of retention has come. In memory: a restart begins a new round."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class Schedule:
    """Where the next turn goes on, and when the next round begins.

    ``rule`` is the number of the rule that is being applied, ``after`` the last row that was
    looked at under it; ``due_ms`` (server time) is the next round's beginning.
    """

    due_ms: int = 0
    rule: int = 0
    after: tuple[Any, ...] | None = None

    def starts_over(self, due_ms: int) -> None:
        """The round is through; the next begins at ``due_ms``."""
        self.due_ms, self.rule, self.after = due_ms, 0, None
