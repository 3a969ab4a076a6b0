"""What holds for every test: in CI nothing is skipped, and files lie in memory where they can.

A skip is for a developer's machine that lacks a program. `.ci/run` installs them all, so there a
skip hides a promise that nobody checked, and counts as a failure.

In two lanes (`pytest -n 2 --dist loadgroup`, as `make test` runs them) one process has everything
that waits for clocks, browsers and networks, one test after the other; what only computes fills the
other one, and gives way.
"""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import memory

if (place := memory.place()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", place)

IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _skip_fails(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that names the reason of the skip; an expected failure stays."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI does not allow: {reason}"


TIMED = ("browser", "faults", "recorder")
"""Folders whose tests are of real processes, media and time."""
GIVES_WAY = 10
"""The niceness of the others, while there are two lanes."""
_HERE = Path(__file__).parent


def _timed(item: pytest.Item) -> bool:
    return item.path.relative_to(_HERE).parts[0] in TIMED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Timed tests go to one lane, in their order."""
    for item in items:
        if _timed(item):
            item.add_marker(pytest.mark.xdist_group("timed"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """In a lane of two: who is timed goes first. (Taking it back needs root, as in CI.)"""
    if "PYTEST_XDIST_WORKER" in os.environ:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, 0 if _timed(item) else GIVES_WAY)


if IN_CI:

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        _skip_fails(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        _skip_fails(report)
        return report
