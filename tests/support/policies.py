"""A later version of a text, as a release to come would bring it.

A fixture of the caller's must call :func:`forget` when the test is over.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avsession import notices

CACHED = (notices.versions, notices.head, notices.languages, notices._template)


def publish_later(
    monkeypatch: pytest.MonkeyPatch, folder: Path, document: str, *, material: bool
) -> str:
    """Put one more version of ``document`` beside the others; its number.

    It says one sentence more than the newest one.
    """
    root = folder / "notices"
    if not root.exists():
        shutil.copytree(Path(notices.__file__).parent, root)
        monkeypatch.setattr(notices, "_folder", lambda name: root / name)
    forget()
    newest = notices.latest(document)
    version = str(int(newest) + 1)
    shutil.copytree(root / document / newest, root / document / version)
    for file in (root / document / version).iterdir():
        lines = file.read_text("utf-8").splitlines()
        kept = [line for line in lines if not line.startswith(("@updated", "@material"))]
        head = ["@updated 2027-03-01", f"@material {'yes' if material else 'no'}"]
        file.write_text("\n".join([*head, *kept, "", "One sentence more."]) + "\n", "utf-8")
    forget()
    return version


def forget() -> None:
    """What was read is read again."""
    for one in CACHED:
        one.cache_clear()
