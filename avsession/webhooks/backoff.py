"""When a delivery that failed is tried again.

Three times longer each time, from five seconds to three hours, with a quarter of chance either
way so that what failed together does not come back together. After a day no more.
"""

from __future__ import annotations

from avsession.session import Entropy

FIRST_MS = 5_000
TIMES = 3
LONGEST_MS = 3 * 3_600_000
GIVE_UP_MS = 24 * 3_600_000
"""After this long without success a delivery is dead: only somebody's replay begins it anew."""
CHANCE = 0.25


def pause_ms(attempts: int, entropy: Entropy, *, asked_ms: int = 0) -> int:
    """How long to wait after so many failed attempts (1 or more), with chance in it.

    ``asked_ms``: how long the receiver asked to be left alone; at most the longest pause.
    """
    plain = min(FIRST_MS * int(TIMES ** min(attempts - 1, 20)), LONGEST_MS)
    part = int.from_bytes(entropy(4), "big") / 2**32  # 0 <= part < 1
    return max(round(plain * (1 - CHANCE + 2 * CHANCE * part)), min(asked_ms, LONGEST_MS))


def next_ms(
    since_ms: int, now_ms: int, attempts: int, entropy: Entropy, *, asked_ms: int = 0
) -> int | None:
    """When to try again (server time, ms); None: never, its day is over.

    ``since_ms``: when it was written, or replayed.
    """
    due = now_ms + pause_ms(attempts, entropy, asked_ms=asked_ms)
    return due if due - since_ms <= GIVE_UP_MS else None
