"""``python as_user.py USER GROUP MODULE ARGUMENTS…``: a module's ``run`` as another user.

What runs is loaded as root, and only then the user changes: the interpreter may lie where that
user cannot look (a home of root's). Nothing but what is loaded can be used from then on; a module
that would be started anew (``recorder``) is called instead.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - otherwise loaded at its first use
import contextlib
import encodings
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

LATER = (
    "aiosqlite",
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "alembic.command",
    "alembic.script",
    "mako.template",
    "recorder.__main__",
)
"""What is loaded when it is first needed; and every codec."""


def change(user: int, group: int) -> None:
    """Become ``user`` for good, in ``group`` alone."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    os.chdir("/")


def call(_: str, line: Sequence[str]) -> NoReturn:
    """``os.execv`` of ``python -m MODULE …``, without starting the interpreter again."""
    sys.exit(importlib.import_module(f"{line[2]}.__main__").run(list(line[3:])))


if __name__ == "__main__":
    user, group, module, *arguments = sys.argv[1:]
    for codec in pkgutil.iter_modules(encodings.__path__):
        if codec.name not in {"mbcs", "oem"}:  # Windows's own
            importlib.import_module(f"encodings.{codec.name}")
    for name in LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    loaded = importlib.import_module(module)
    change(int(user), int(group))
    sys.argv = [module, *arguments]
    os.execv = call  # type: ignore[assignment]
    sys.exit(loaded.run(arguments))
