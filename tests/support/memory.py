"""A place in memory for the files of tests, where there is one.

A test of rules waits for hundreds of commits, each of which waits for the disk. What is about
disks, or is the whole product as its users run it, stays on one: tests/faults, tests/browser.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
LEAST = 2 << 30
"""Bytes that must be free there."""


def place() -> str | None:
    """A folder in memory; None where there is none, or too little of it: the usual place then."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)
    return str(MEMORY) if usable and shutil.disk_usage(MEMORY).free >= LEAST else None


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a while, in memory if that can be."""
    return tempfile.TemporaryDirectory(dir=place())
