"""``make bench``: every measurement, printed as ratios to a peer measured in the same run.

python -m tests.bench [call] [crash] [withdrawal] [sync] [loss] [audit] [recorder] [survival]
    [sizes]
python -m tests.bench.sync --minutes 30
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from tests.bench import audit, call, crash, loss, recorder_cost, sizes, survival, sync, withdrawal

ALL: dict[str, Callable[[], object]] = {
    "call": lambda: asyncio.run(call.measure()),
    "crash": lambda: asyncio.run(crash.measure()),
    "withdrawal": lambda: asyncio.run(withdrawal.measure()),
    "sync": lambda: sync.main([]),
    "audit": lambda: asyncio.run(audit.measure()),
    "loss": lambda: asyncio.run(loss.measure()),
    "recorder": lambda: recorder_cost.main([]),
    "survival": lambda: asyncio.run(survival.measure()),
    "sizes": lambda: sizes.main([]),
}
"""By name, in the order in which they run."""


def main(arguments: list[str]) -> int:
    """Run those that are named, or all; the exit status says only whether they ran."""
    options = argparse.ArgumentParser(prog="python -m tests.bench")
    options.add_argument("name", nargs="*", help=f"{', '.join(ALL)}; all of them if none is named")
    wanted = options.parse_args(arguments).name or list(ALL)
    if unknown := set(wanted) - ALL.keys():
        options.error(f"there is no measurement {', '.join(sorted(unknown))}")
    for name in wanted:
        print(f"\n--- {name}", flush=True)
        ALL[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
