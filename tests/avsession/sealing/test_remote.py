"""The server's side of custody's socket: one code when custody is not there, and no waiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from avsession import ports
from avsession.errors import (
    AvsessionError,
    Conflict,
    CustodyMoved,
    CustodyRefused,
    CustodyUnavailable,
    Invalid,
    NotFound,
    Unavailable,
)
from avsession.messages import custody as wire
from avsession.sealing import remote as module
from avsession.sealing.remote import RemoteCustody
from tests.support.custody import SmallLog

TRK = "trk_" + "b" * 26


def conforms(custody: RemoteCustody) -> ports.Custody:
    """mypy says so."""
    return custody


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(folder: Path, serve: Serve) -> AsyncIterator[Path]:
    open_now: set[asyncio.Task[None] | None] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            open_now.discard(asyncio.current_task())

    server = await asyncio.start_unix_server(one, folder / "s")
    yield folder / "s"
    server.close()
    await asyncio.gather(*(task for task in open_now if task))


def says(data: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(wire.HEADER)
        writer.write(data)
        await writer.drain()

    return serve


async def test_without_a_process_there_is_one_code(tmp_path: Path) -> None:
    custody = RemoteCustody(tmp_path / "s", "log")
    for asked in (custody.head(), custody.destroy(TRK), custody.create("rec_a", TRK)):
        with pytest.raises(CustodyUnavailable) as caught:
            await asked
        assert caught.value.code == "custody.unavailable"
    with pytest.raises(CustodyUnavailable):
        await custody.reach()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x00\x00\x09{}", b"\x00\x00\x00\x02[]", b"\xff" * 9],
    ids=["nothing", "half", "short", "other", "endless"],
)
async def test_an_answer_that_is_none_is_no_answer(tmp_path: Path, data: bytes) -> None:
    async with answering(tmp_path, says(data)) as path:
        with pytest.raises(CustodyUnavailable):
            await RemoteCustody(path, "log").destroy(TRK)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not_found", NotFound),
        ("conflict", Conflict),
        ("invalid", Invalid),
        ("unavailable", Unavailable),
        ("custody.refused", CustodyRefused),
        ("custody.moved", CustodyMoved),
        ("something.new", Unavailable),
    ],
)
async def test_an_error_comes_out_as_it_went_in(
    tmp_path: Path, code: str, kind: type[AvsessionError]
) -> None:
    said = wire.frame(wire.Answer(error=code, sentence="So it is."))
    async with answering(tmp_path, says(said)) as path:
        with pytest.raises(kind, match=r"^So it is\.$") as caught:
            await RemoteCustody(path, "log").destroy(TRK)
        assert type(caught.value) is kind


async def test_after_one_that_hung_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_S", 0.05)
    asked, seen = 0, asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            seen.set()
        await reader.read()  # until they hang up

    async with answering(tmp_path, hang) as path:
        custody = RemoteCustody(path, "log")
        for _ in range(3):
            with pytest.raises(CustodyUnavailable):
                await custody.destroy(TRK)
        assert asked == 1
        await custody.reach()
        await seen.wait()


async def test_who_is_always_too_late_gives_up(tmp_path: Path) -> None:
    log = SmallLog()
    log.add("log.started")
    turns = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turns
        size = wire.length(await reader.readexactly(wire.HEADER))
        match wire.question(await reader.readexactly(size)):
            case wire.AskHead():
                writer.write(wire.frame(wire.Answer()))
            case _:
                turns += 1
                writer.write(wire.frame(wire.Answer(error="custody.moved", sentence="Later.")))
        await writer.drain()

    class Late:
        async def shown(self, since: int) -> wire.Shown:
            return await log.shown(0, since)

    async with answering(tmp_path, serve) as path:
        with pytest.raises(CustodyUnavailable):
            await RemoteCustody(path, "log").unwrap("rec_" + "a" * 26, TRK, Late())
    assert turns == module.TURNS
