"""What processes take of a machine, from `/proc`; and how fast a core of it is right now."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.bench.recorder_cost import cpu_seconds

BLOCK, BLOCKS = 1 << 16, 1_600


def pss_bytes(pid: int) -> int:
    """Memory of a process: what it has alone, and its share of what several have."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise ValueError(pid)


@dataclass
class Core:
    """A core's speed at fixed work, to compare what was measured on other machines.

    The work is AES-128-GCM and SHA-256 over the same bytes, by OpenSSL: a tenth of a second and
    more at a time.
    """

    ms_a_mb: list[float] = field(default_factory=list)
    """CPU ms a megabyte (1,000,000 bytes), one a time."""

    def look(self) -> None:
        """Once more."""
        cipher, data = AESGCM(bytes(16)), bytes(BLOCK)
        started = time.process_time()
        for number in range(BLOCKS):
            hashlib.sha256(cipher.encrypt(number.to_bytes(12, "big"), data, None)).digest()
        spent = time.process_time() - started
        self.ms_a_mb.append(spent * 1000 / (BLOCK * BLOCKS / 1e6))

    @property
    def median(self) -> float:
        """ms a megabyte."""
        return statistics.median(self.ms_a_mb)


class Stretch:
    """CPU time of processes from now on until :meth:`end`."""

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._began = time.monotonic()
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self.lasted_s = 0.0
        self.cpu_s: dict[str, float] = {}

    def end(self) -> Stretch:
        """It is over."""
        self.cpu_s = {
            name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()
        }
        self.lasted_s = time.monotonic() - self._began
        return self

    def share(self, name: str) -> float:
        """Of a core, on the average."""
        return self.cpu_s[name] / self.lasted_s


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0))
