"""The custody process's side of its socket: who is let in, what is answered, what is kept."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pyrage
import pytest

from avsession.errors import Conflict, CustodyRefused, NotFound, SettingsInvalid
from avsession.messages import custody as wire
from avsession.sealing.custodian import MOST, PinnedKey, listen
from tests.support.custody import NOON_MS, SmallLog, custodian, remote

REC, TRK = "rec_" + "a" * 26, "trk_" + "b" * 26


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    async with custodian(tmp_path / "custody", lambda: NOON_MS) as made:
        yield made


@pytest.fixture
def log() -> SmallLog:
    made = SmallLog()
    made.add("log.started")
    return made


class Given:
    """``ports.Grounds``: one leaf of a small log."""

    def __init__(self, log: SmallLog, index: int) -> None:
        self.log, self.index = log, index
        self.asked: list[int] = []

    async def shown(self, since: int) -> wire.Shown:
        self.asked.append(since)
        return await self.log.shown(self.index, since)


def opening(log: SmallLog, recording: str = REC) -> Given:
    return Given(log, log.add("recording.accessed", recording=recording, access="acs_1"))


async def test_a_key_is_made_wrapped_unwrapped_and_destroyed(
    path: Path, log: SmallLog, tmp_path: Path
) -> None:
    custody = remote(path, log)
    recipient = await custody.create(REC, TRK)
    with pytest.raises(Conflict):
        await custody.create(REC, TRK)
    identity = await custody.unwrap(REC, TRK, opening(log))
    assert str(pyrage.x25519.Identity.from_str(identity).to_public()) == recipient
    wrapped = (tmp_path / "custody" / "tracks" / f"{TRK}.age").read_bytes()
    assert identity.encode() not in wrapped
    assert await custody.destroy(TRK) is True
    assert await custody.destroy(TRK) is False
    with pytest.raises(NotFound):
        await custody.unwrap(REC, TRK, opening(log))


async def test_nothing_is_unwrapped_without_grounds_that_hold(path: Path, log: SmallLog) -> None:
    custody = remote(path, log)
    await custody.create(REC, TRK)
    with pytest.raises(CustodyRefused):
        await custody.unwrap(REC, TRK)
    with pytest.raises(CustodyRefused, match="another recording"):
        await custody.unwrap(REC, TRK, opening(log, "rec_" + "z" * 26))
    assert await custody.head() is None


async def test_what_was_shown_is_kept_and_only_what_extends_it_opens(
    path: Path, log: SmallLog, tmp_path: Path
) -> None:
    custody = remote(path, log)
    await custody.create(REC, TRK)
    honest = log.fork()
    await custody.unwrap(REC, TRK, opening(log))
    assert await custody.head() == (await log.head()).note
    for _ in range(3):
        honest.add("audit.read")
    with pytest.raises(CustodyRefused, match="saw before"):
        await custody.unwrap(REC, TRK, opening(honest))
    async with custodian(tmp_path / "custody", lambda: NOON_MS) as again:  # and after a restart
        with pytest.raises(CustodyRefused, match="saw before"):
            await remote(again, log).unwrap(REC, TRK, opening(honest))
        await remote(again, log).unwrap(REC, TRK, opening(log))


async def test_two_that_are_shown_at_once_both_open(path: Path, log: SmallLog) -> None:
    custody = remote(path, log)
    await custody.create(REC, TRK)
    first, second = opening(log), opening(log)
    identities = await asyncio.gather(
        *(custody.unwrap(REC, TRK, given) for given in (first, second, first, second))
    )
    assert len(set(identities)) == 1


async def test_another_log_is_refused(path: Path, log: SmallLog) -> None:
    await remote(path, log).create(REC, TRK)
    other = SmallLog()
    with pytest.raises(CustodyRefused, match="another log"):
        await remote(path, other).unwrap(REC, TRK, opening(other))
    with pytest.raises(CustodyRefused, match="another log"):
        await remote(path, other).destroy(TRK)


async def test_only_the_users_that_are_set_are_answered(tmp_path: Path, log: SmallLog) -> None:
    everybody_else = frozenset({os.geteuid() + 1})
    async with custodian(tmp_path / "custody", lambda: NOON_MS, users=everybody_else) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(wire.frame(wire.AskHead(log=log.key.text)))
        with pytest.raises((EOFError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()


@pytest.mark.parametrize("further", [0, 2], ids=["its own user", "another"])
async def test_only_a_stranger_is_told_of(
    tmp_path: Path, further: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`custody check` runs as custody's own user, every 30 s in docker-compose.yml."""
    user = os.geteuid()
    users = frozenset({user + 1})
    async with custodian(tmp_path / "custody", lambda: NOON_MS, users=users) as path:
        monkeypatch.setattr("avsession.sealing.custodian.os.geteuid", lambda: user + further)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b""
        writer.close()
    told = [line for line in caplog.messages if "is not let in" in line]
    assert len(told) == (1 if further else 0)


async def test_a_track_that_never_was_is_not_told_of(
    path: Path, log: SmallLog, caplog: pytest.LogCaptureFixture
) -> None:
    """/readyz asks so whether custody answers."""
    caplog.set_level("INFO", "avsession.custody")
    custody = remote(path, log)
    assert await custody.destroy(TRK) is False
    assert "destroyed" not in caplog.messages
    await custody.create(REC, TRK)
    assert await custody.destroy(TRK) is True
    assert caplog.messages.count("destroyed") == 1


async def test_the_socket_is_for_its_user_and_group(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "sent",
    [b"\xff\xff\xff\xff", (wire.MAX_FRAME + 1).to_bytes(4, "big") + b"x" * 100, b"\x00"],
    ids=["endless", "long", "half"],
)
async def test_what_is_no_frame_is_hung_up_on(path: Path, log: SmallLog, sent: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await remote(path, log).create(REC, TRK)


async def test_what_is_no_question_is_answered_so(path: Path, log: SmallLog) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write((2).to_bytes(4, "big") + b"{}")
    said = wire.answer((await reader.read())[wire.HEADER :])
    assert said.error == "message.invalid"
    writer.close()
    await remote(path, log).create(REC, TRK)


async def test_a_crowd_is_kept_out_and_leaves_no_mark(path: Path, log: SmallLog) -> None:
    crowd = [await asyncio.open_unix_connection(path) for _ in range(MOST)]
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(wire.frame(wire.AskHead(log=log.key.text)))
    with pytest.raises((EOFError, ConnectionError)):
        await reader.readexactly(1)
    for _, one in (*crowd, (reader, writer)):
        one.close()
    said = b""
    for _ in range(200):  # until they are seen to be gone
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(wire.frame(wire.AskHead(log=log.key.text)))
        said = await reader.read()
        writer.close()
        if said:
            break
    assert said


async def test_a_socket_that_was_left_is_replaced_and_nothing_else(
    tmp_path: Path, log: SmallLog
) -> None:
    async with custodian(tmp_path / "custody", lambda: NOON_MS) as path:
        left = path.with_name("left")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(left))
        listen(left).close()
        for name in ("file", "link"):
            other = path.with_name(name)
            other.symlink_to(path) if name == "link" else other.write_text("kept")
            with pytest.raises(ValueError, match="no socket"):
                listen(other)
            assert other.exists()


# --- the log's key


def test_the_first_log_is_the_one(tmp_path: Path, log: SmallLog) -> None:
    pin = PinnedKey(tmp_path / "log.pub", None)
    assert pin.key(log.key.text) == log.key
    assert (tmp_path / "log.pub").stat().st_mode & 0o777 == 0o600
    again = PinnedKey(tmp_path / "log.pub", log.key.text)
    for wrong in (SmallLog().key.text, log.key.text.replace("test.", "toast.")):
        with pytest.raises(Exception, match=r"another log|do not agree"):
            again.key(wrong)
    assert again.key(log.key.text) == log.key


def test_the_log_that_is_set_is_the_only_one(tmp_path: Path, log: SmallLog) -> None:
    pin = PinnedKey(tmp_path / "log.pub", log.key.text)
    with pytest.raises(CustodyRefused):
        pin.key(SmallLog().key.text)
    assert pin.key(log.key.text) == log.key


def test_a_key_that_is_none_or_another_one_is_a_wrong_setting(
    tmp_path: Path, log: SmallLog
) -> None:
    with pytest.raises(SettingsInvalid):
        PinnedKey(tmp_path / "log.pub", "nonsense")
    PinnedKey(tmp_path / "log.pub", None).key(log.key.text)
    with pytest.raises(SettingsInvalid, match="until now"):
        PinnedKey(tmp_path / "log.pub", SmallLog().key.text)
    (tmp_path / "log.pub").write_text("nonsense")
    with pytest.raises(SettingsInvalid):
        PinnedKey(tmp_path / "log.pub", None)
