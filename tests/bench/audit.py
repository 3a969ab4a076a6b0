"""Verifying a log of a million leaves, beside hashing the same bytes with hashlib.

The log is real in every row (leaf, tree, details, signed head) but made in bulk; the ratio says
what everything beside the hashing costs: reading, canonical form, commitments, comparing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from avsession import keys
from avsession.audit import merkle
from avsession.audit.log import rfc3339
from avsession.audit.merkle import Node
from avsession.auditing import Bar
from avsession.canonical import canonical, commitment
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence
from avsession.usecases.notary import Notary

LEAVES = 1_000_000
EACH_DETAIL = 4
"""Every so many leaves one has a detail."""
START_MS = 1_750_000_000_000
PAGE = 10_000


def leaves(count: int) -> Iterator[tuple[int, str, str, int, bytes]]:
    """Rows of the leaf table."""
    for n in range(count):
        kind, session = ("audit.read", f"psn_{n // 20:026}")
        at_ms = START_MS + n
        body = {
            "v": 1, "index": n, "time": rfc3339(at_ms), "kind": kind, "session": session,
            "actor": f"psn_{n % 97:026}", "subject": None, "refs": {"recording": f"rec_{n:026}"},
            "commitments": {"reason": commitment(salt(n), "reason", f"r{n}")}
            if n % EACH_DETAIL == 0 else {},
        }  # fmt: skip
        yield n, kind, session, at_ms, canonical(body)


def salt(n: int) -> bytes:
    return n.to_bytes(32, "big")


def fill(path: Path, count: int) -> bytes:
    """Write the leaves, their details and the tree; the root."""
    held: dict[Node, bytes] = {}
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("DROP TRIGGER leaf_is_dense")
        rows: list[tuple[int, str, str, int, bytes]] = []
        nodes: list[tuple[int, int, bytes]] = []
        for row in leaves(count):
            n = row[0]
            added = merkle.append(
                n, merkle.leaf_hash(row[4]), [held.pop(node) for node in merkle.carries(n)]
            )
            held[added[-1][0]] = added[-1][1]
            nodes += [(node.level, node.number, found) for node, found in added]
            rows.append(row)
            if len(rows) == PAGE or n == count - 1:
                db.executemany("INSERT INTO leaf VALUES (?, ?, ?, ?, ?)", rows)
                db.executemany("INSERT INTO tree_node VALUES (?, ?, ?)", nodes)
                db.executemany(
                    "INSERT INTO detail VALUES (?, 'reason', ?, ?, NULL)",
                    [(m, canonical(f"r{m}"), salt(m)) for m, *_ in rows if m % EACH_DETAIL == 0],
                )
                rows, nodes = [], []
        db.commit()
    return merkle.fold([held[node] for node in merkle.edge(count)])


def hashing(path: Path) -> tuple[float, int]:
    """CPU seconds that hashlib takes for the leaves' bytes alone, and how many bytes they are."""
    with closing(sqlite3.connect(path)) as db:
        data = [row[0] for row in db.execute("SELECT data FROM leaf")]
    started = time.process_time()
    for one in data:
        hashlib.sha256(one).digest()
    return time.process_time() - started, sum(map(len, data))


async def measure(count: int = LEAVES) -> None:
    """Build, verify, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "avsession.db"
        store = SqlStore(sqlite_url(path))
        await store.open()
        started = time.perf_counter()
        root = await asyncio.to_thread(fill, path, count)
        built = time.perf_counter() - started
        notary = Notary("bench.example/log", keys.FileSigner(folder / "log.key"))
        note = (await notary.sign(count, root)).note
        with closing(sqlite3.connect(path)) as db:
            db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (count, note, START_MS))
            db.commit()
        alone, size = await asyncio.to_thread(hashing, path)
        started, cpu = time.perf_counter(), time.process_time()
        report = await evidence.verify(store, notary.key, progress=Bar(sys.stderr))
        taken, cpu = time.perf_counter() - started, time.process_time() - cpu
        await store.close()
    if not report.ok or report.size != count:
        raise RuntimeError(f"the log does not verify: {report.findings[:3]}")
    print(f"{count:,} leaves ({size / 1e6:.0f} MB), built in {built:.0f} s")
    print(f"audit verify {taken:.1f} s, of CPU {cpu:.1f} s: {cpu / count * 1e6:.0f} us a leaf")
    print(f"hashlib over the same bytes {alone:.2f} s of CPU; ratio {cpu / alone:.0f}")


def main(arguments: list[str]) -> None:
    """``python -m tests.bench.audit --leaves N``."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.audit")
    options.add_argument("--leaves", type=int, default=LEAVES)
    asyncio.run(measure(options.parse_args(arguments).leaves))


if __name__ == "__main__":
    main(sys.argv[1:])
