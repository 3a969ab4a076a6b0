"""What holds for every test: in CI nothing is skipped, and files lie in memory where they can.

A skip is for a developer's machine that lacks a program. `.ci/run` installs them all, so there a
skip hides a promise that nobody checked, and counts as a failure.
"""

import os
from collections.abc import Generator

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
