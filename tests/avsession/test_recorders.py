"""Recorder workers by themselves: their command line, their place in the spool, what they get."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession import recorders
from avsession.canonical import b64
from avsession.config import Settings
from avsession.config_processes import Recorder
from avsession.errors import SettingsInvalid, Unavailable
from recorder.__main__ import parser
from recorder.link import read_credential

ROOT = Path(__file__).parents[2]


def settings(tmp_path: Path, **more: Any) -> Settings:
    given = {
        "url": "wss://calls.example.com/recorder",
        "access": str(tmp_path / "access"),
        "spool": str(tmp_path / "spool"),
        "ports": "40000-40099",
        "address": "203.0.113.7",
        **more,
    }
    return Settings(data=str(tmp_path / "data"), recorder=Recorder(**given))


def test_the_server_leaves_what_a_worker_needs_and_no_more(tmp_path: Path) -> None:
    grant_key = Ed25519PrivateKey.generate()
    secret = recorders.publish(settings(tmp_path), tmp_path, grant_key, os.urandom)
    assert recorders.publish(settings(tmp_path), tmp_path, grant_key, os.urandom) == secret
    found = {path.name: path for path in (tmp_path / "access").iterdir()}
    assert found.keys() == {"recorder.credential", "grant.pub"}
    assert read_credential(found["recorder.credential"]) == secret
    public = b64(grant_key.public_key().public_bytes_raw())
    assert found["grant.pub"].read_text() == f"{public}\n"
    for path in found.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_worker_becomes_a_program_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = settings(tmp_path, ca="/etc/ca.pem")
    recorders.publish(ours, tmp_path, Ed25519PrivateKey.generate(), os.urandom)
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, line: started.append([program, *line]))
    recorders.run(ours)
    (line,) = started
    assert line[:4] == [sys.executable, sys.executable, "-m", "recorder"]
    given = parser().parse_args(line[4:])
    assert (given.ports, given.address) == ((40_000, 40_099), "203.0.113.7")
    assert given.url == "wss://calls.example.com/recorder"
    assert given.ca_file == Path("/etc/ca.pem")
    assert given.credential == tmp_path / "access" / "recorder.credential"
    assert given.spool == tmp_path / "spool" / given.worker
    assert stat.S_IMODE(given.spool.stat().st_mode) == 0o700
    assert not (tmp_path / "data").exists()


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"recorder\.url"):
        recorders.run(settings(tmp_path, url=None))
    with pytest.raises(SettingsInvalid, match=r"grant\.pub"):
        recorders.run(settings(tmp_path))


HOLD = """
import os, sys
from pathlib import Path
from avsession.recorders import take_place
worker = take_place(Path(sys.argv[1]))
print(worker, flush=True)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[2], sys.argv[1], worker])
"""
LINKS = """
import sys
from pathlib import Path
from recorder.spool import Spool
spool = Spool(Path(sys.argv[1]) / sys.argv[2])
for line in sys.stdin:
    spool.show_link(there=line == "there\\n")
    print(line, end="", flush=True)
"""


async def test_each_worker_has_a_place_and_finds_it_again(tmp_path: Path) -> None:
    """Through exec, until the process is gone; the same identifier after it."""
    ours, spool = settings(tmp_path), tmp_path / "spool"
    with pytest.raises(Unavailable):
        recorders.check(ours)

    async def hold() -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HOLD, str(spool), LINKS),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        return process, (await process.stdout.readline()).decode().strip()

    async def link(process: asyncio.subprocess.Process, how: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(how)
        assert await process.stdout.readline() == how

    first, one = await hold()
    second, two = await hold()
    assert one.startswith("wrk_")
    assert one != two
    with pytest.raises(Unavailable, match="no link"):
        recorders.check(ours)
    await link(second, b"there\n")
    assert recorders.check(ours) == two
    await link(first, b"there\n")
    assert recorders.check(ours) == one
    await link(first, b"gone\n")
    assert recorders.check(ours) == two
    await link(first, b"there\n")
    first.kill()
    await first.communicate()
    assert recorders.check(ours) == two
    third, again = await hold()
    assert again == one
    await link(second, b"gone\n")
    with pytest.raises(Unavailable, match="no link"):
        recorders.check(ours)
    for process in (second, third):
        process.kill()
        await process.communicate()
    with pytest.raises(Unavailable, match="No recorder"):
        recorders.check(ours)
