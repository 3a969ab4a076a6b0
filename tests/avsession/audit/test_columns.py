"""Every column of every table that the log commits to: a change is found, or has its reason."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from avsession.audit import COMMITTED, NOT_EVIDENCE
from tests.avsession.audit.columns import columns, tried
from tests.avsession.audit.tampering import Copy
from tests.support.tamper import database

Tried = dict[str, "Future[tuple[int, list[str]]]"]


@pytest.fixture(scope="module")
def tables(story: Path) -> Iterator[Tried]:
    """All tables, side by side on every core: each takes hundreds of verifications."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        yield {table: pool.submit(tried, story, table) for table in COMMITTED}


@pytest.mark.parametrize("table", COMMITTED)
def test_no_column_is_changed_in_silence(tables: Tried, table: str) -> None:
    count, silent = tables[table].result()
    assert count
    assert silent == []


def test_a_reason_is_given_for_columns_that_there_are(copy: Copy) -> None:
    with database(copy.folder) as db:
        there = {f"{table}.{name}" for table in COMMITTED for name in columns(db, table)[0]}
    assert NOT_EVIDENCE.keys() <= there
    assert all(NOT_EVIDENCE.values())
