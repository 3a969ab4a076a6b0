"""``python as_user.py USER GROUP MODULE ARGUMENTS…``: a module's ``run`` as another user.

What runs is loaded as root, and only then the user changes: the interpreter may lie where that
user cannot look (a home of root's). Nothing but what is loaded can be used from then on.
"""

from __future__ import annotations

import concurrent.futures.thread
import encodings
import importlib
import os
import pkgutil
import sys

LATER = (concurrent.futures.thread,)
"""What the library would load when it is first needed; and every codec."""


def change(user: int, group: int) -> None:
    """Become ``user`` for good, in ``group`` alone."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    os.chdir("/")


if __name__ == "__main__":
    user, group, module, *arguments = sys.argv[1:]
    for codec in pkgutil.iter_modules(encodings.__path__):
        if codec.name not in {"mbcs", "oem"}:  # Windows's own
            importlib.import_module(f"encodings.{codec.name}")
    loaded = importlib.import_module(module)
    change(int(user), int(group))
    sys.argv = [module, *arguments]
    sys.exit(loaded.run(arguments))
