"""``make bench``: every measurement, printed as ratios to a peer measured in the same run."""

from __future__ import annotations

import asyncio
import sys

from tests.bench import call, crash, recorder_cost


def main() -> int:
    """Run all of them; the exit status says only whether they ran."""
    asyncio.run(call.measure())
    asyncio.run(crash.measure())
    return recorder_cost.main([])


if __name__ == "__main__":
    sys.exit(main())
