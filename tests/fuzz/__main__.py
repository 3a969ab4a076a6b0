"""`python -m tests.fuzz`: look for inputs that break the recorder, for so many seconds.

With atheris (`pip install atheris`, where there is a wheel for this Python) guided by coverage,
else with hypothesis. What breaks something is written into the corpus, whose README-in-the-code is
`tests.fuzz.corpus`; the normal tests then replay it. Exit status 1 when something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import corpus, search
from tests.fuzz.targets import TARGETS, encode


def _guided(target: str, seconds: int) -> list[bytes]:
    """With atheris, in a process of its own, since libFuzzer never returns; what it found."""
    with tempfile.TemporaryDirectory() as folder:
        seeds, found = Path(folder, "seeds"), Path(folder, "found")
        seeds.mkdir()
        found.mkdir()
        for number, case in enumerate(corpus.cases()):
            if case.target == target:
                data = encode(case.steps[:200]) if case.steps else case.data
                (seeds / str(number)).write_bytes(data)
        ran = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", target, f"-max_total_time={seconds}",
             "-max_len=20000", f"-artifact_prefix={found}/", str(seeds)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        done = [line for line in ran.stderr.splitlines() if line.startswith(("Done ", "#"))]
        crashes = [path.read_bytes() for path in sorted(found.iterdir())]
        if ran.returncode and not crashes:
            raise RuntimeError(ran.stderr[-2_000:])
        sys.stdout.write(f"{target}: {done[-1] if done else 'no figures'}\n")
        return crashes


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Look for inputs that break the recorder.",
        epilog="example: python -m tests.fuzz --seconds 60 receiver vp8",
    )  # fmt: skip
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=20, help="for each target (20)")
    parser.add_argument("--hypothesis", action="store_true", help="even where atheris is installed")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    guided = not asked.hypothesis and importlib.util.find_spec("atheris") is not None
    sys.stdout.write(f"with {'atheris' if guided else 'hypothesis'}\n")
    broken = 0
    for target in asked.targets or TARGETS:
        if guided:
            found = _guided(target, asked.seconds)
        else:
            crash, examples = search.search(target, asked.seconds)
            found = [] if crash is None else [crash]
            sys.stdout.write(f"{target}: {examples} examples\n")
        for data in found:
            path = corpus.write(target, data, why="found by the fuzzer")
            sys.stdout.write(f"{target}: BROKEN by {path.name}\n")
        broken += len(found)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
