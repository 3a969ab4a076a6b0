"""Custody as a process: of another user than the server, who cannot reach its keys."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from avsession import custody
from avsession.config import Settings
from avsession.config_processes import Custody
from avsession.errors import CustodyRefused, CustodyUnavailable, SettingsInvalid, Unavailable
from avsession.records import Leaf
from avsession.sealing.custody import LocalCustody
from avsession.sealing.remote import RemoteCustody
from avsession.serve import Files, checking, close_store, open_services
from avsession.usecases import evidence, watching
from signaling.hub import Hub
from tests.support.custody import SmallLog

REC, TRK = "rec_" + "a" * 26, "trk_" + "b" * 26
WEB, KEEPER, OTHER = 10_001, 10_002, 10_003
"""Users that no system has: they need no names."""
ROOT = Path(__file__).parents[2]
AS_USER = ROOT / "tests" / "support" / "as_user.py"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may walk through, with a short name: a socket lies in it."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def settings(place: Path, **more: Any) -> Settings:
    return Settings(
        data=str(place / "data"),
        custody=Custody(socket=str(place / "run" / "custody"), folder=str(place / "keys"), **more),
    )


def environ(place: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AVSESSION_CUSTODY__SOCKET": str(place / "run" / "custody"),
        "AVSESSION_CUSTODY__FOLDER": str(place / "keys"),
        **more,
    }


@asynccontextmanager
async def running(place: Path, user: int | None, **more: str) -> AsyncIterator[int]:
    """``avsession custody run`` as this user; its process id."""
    arguments = ["custody", "run"]
    if user is None:
        line = ["-m", "avsession", *arguments]
    else:
        line = [str(AS_USER), str(user), str(WEB), "avsession.__main__", *arguments]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *line,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ(place, **more),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = (await process.stdout.readline()).decode()
    if not said:
        raise AssertionError((await process.stderr.read()).decode())
    assert said == f"ready {place / 'run' / 'custody'}\n"
    yield process.pid
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def asked_as(user: int, group: int, place: Path, log: SmallLog) -> dict[str, str]:
    """What another user's process finds, and is told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(AS_USER), str(user), str(group), "tests.support.stranger"),
        *(str(place), log.key.text, REC, TRK),
        stdout=asyncio.subprocess.PIPE,
        env=environ(place),
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    found: dict[str, str] = json.loads(out)
    return found


async def test_another_user_cannot_reach_the_keys_and_may_only_ask(place: Path) -> None:
    """The server's user: EACCES on every key; the socket answers it, and nobody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to start processes as other users")
    log = SmallLog()
    (place / "keys").mkdir(mode=0o700)
    os.chown(place / "keys", KEEPER, KEEPER)
    (place / "run").mkdir(mode=0o750)
    os.chown(place / "run", KEEPER, WEB)
    async with running(place, KEEPER, AVSESSION_CUSTODY__USERS=f"[{WEB}]"):
        said = await asked_as(WEB, WEB, place, log)
        assert said.pop("create").startswith("age1")
        assert said.pop("unwrap") == "custody.refused"
        assert said == dict.fromkeys(
            ("keys", "keys/custodian.key", "keys/tracks", "keys/seen"), "EACCES"
        )
        # in the group, and still not one who is answered; and one who is not even in it
        for group in (WEB, OTHER):
            said = await asked_as(OTHER, group, place, log)
            assert (said["create"], said["keys"]) == ("custody.unavailable", "EACCES")
        kept = place / "keys" / "tracks" / f"{TRK}.age"
        assert kept.stat().st_uid == KEEPER
        assert kept.stat().st_mode & 0o777 == 0o600
    assert (place / "keys").stat().st_mode & 0o777 == 0o700


async def test_the_process_of_one_user_serves_and_ends(place: Path) -> None:
    (place / "run").mkdir()
    log = SmallLog()
    with pytest.raises(CustodyUnavailable):
        await custody.check(settings(place))
    async with running(place, None) as pid:
        await custody.check(settings(place))
        made = custody.custody_of(settings(place), place / "unused", log.key)
        assert isinstance(made, RemoteCustody)
        recipient = await made.create(REC, TRK)
        assert await custody.recipient_of(settings(place), place / "unused", log.key) != recipient
        assert await custody.seen(settings(place), log.key) == ()
        with pytest.raises(CustodyRefused):
            await custody.recipient_of(settings(place), place, SmallLog().key)
        with pytest.raises(Unavailable, match="Another custody"):
            await custody.run(settings(place))
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0 " in limits
    assert not (place / "unused").exists()


async def test_what_custody_saw_is_held_against_the_log(place: Path) -> None:
    """Silence is a finding, too: it may be somebody's wish."""
    (anchor,) = await custody.seen(settings(place), SmallLog().key)
    assert anchor.name == "custody"
    with pytest.raises(Exception, match="does not say"):
        await anchor.get()
    assert await custody.seen(Settings(), SmallLog().key) == ()


async def test_a_server_that_starts_before_custody_asks_again(place: Path) -> None:
    """It would say for a day that the log does not verify, though nobody had looked."""
    files = Files(place / "data")
    app = await open_services(Settings(), files, Hub())
    try:
        check = checking(settings(place), files, app)
        with pytest.raises(CustodyUnavailable):
            await check()
        with pytest.raises(CustodyUnavailable):
            await watching.full(app, check)
        assert (app.watch.problem, app.watch.checking) == (None, False)
        (place / "run").mkdir()
        async with running(place, None):
            await watching.full(app, check)
        assert app.watch.state()["ok"] is True
    finally:
        await close_store(app)


async def test_without_a_socket_custody_is_in_the_server(tmp_path: Path) -> None:
    made = custody.custody_of(Settings(), tmp_path / "custody", SmallLog().key)
    assert isinstance(made, LocalCustody)
    assert await custody.recipient_of(Settings(), tmp_path / "custody", SmallLog().key) == (
        made.recipient
    )


async def test_settings_that_cannot_be_used(place: Path) -> None:
    with pytest.raises(SettingsInvalid, match="must name"):
        await custody.run(Settings(data=str(place)))
    (place / "keys").mkdir(mode=0o750)
    with pytest.raises(SettingsInvalid, match="0700"):
        await custody.run(settings(place))
    (place / "keys").chmod(0o700)
    with pytest.raises(SettingsInvalid, match=r"custody\.socket"):
        await custody.run(settings(place))  # the folder for the socket is not there


async def started(chosen: Settings, files: Files) -> tuple[str, list[dict[str, Any]]]:
    """What a start does about the custodian: its key, and what the log says of rotations."""
    app = await open_services(chosen, files, Hub())
    recipient = await custody.recipient_of(chosen, files.custody, app.notary.key)
    await custody.note_rotation(app, chosen, files.custody, files.keys / "custodian.pub")
    async with app.store.read() as tx:
        leaves = [json.loads(each.data) for each in await tx.find(Leaf)]
    assert (await evidence.verify(app.store, app.notary.key, app.notary.anchors)).ok
    await close_store(app)
    return recipient, [each["refs"] for each in leaves if each["kind"] == "key.rotated"]


async def test_the_custodian_gets_a_new_key_while_nobody_works(tmp_path: Path) -> None:
    """Custody in the server; the next start says so in the log, once."""
    chosen, files = Settings(data=str(tmp_path)), Files(tmp_path)
    with pytest.raises(SettingsInvalid, match="no custodian's key"):
        await custody.rotate(chosen)
    former, said = await started(chosen, files)
    assert said == []
    lock = files.lock()
    with pytest.raises(Unavailable, match="Another server"):
        await custody.rotate(chosen)
    os.close(lock)
    done = await custody.rotate(chosen)
    assert (done.former, done.tracks) == (former, 0)
    told = [{"custodian": done.recipient, "former": former}]
    assert [await started(chosen, files) for _ in range(2)] == [(done.recipient, told)] * 2
