"""One target under atheris; `tests.fuzz.__main__` starts it. Arguments: target, libFuzzer's."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["recorder"]):
        targets = importlib.import_module("tests.fuzz.targets")
    see = targets.TARGETS[sys.argv.pop(1)]

    def one(data: bytes) -> None:
        see(data)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
