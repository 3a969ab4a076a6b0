"""Sealing a stream to somebody's age key: whole, or not at all."""

import asyncio
import io
from collections.abc import AsyncIterator

import pyrage
import pytest

from avsession.errors import Erased, Invalid, Unavailable
from avsession.sealing.package import check_recipient, seal_to
from avsession.tasks import Tasks

WHO = pyrage.x25519.Identity.generate()
TO = str(WHO.to_public())
PIECES = [b"a" * 70_000, b"", b"b", b"c" * 300_000]


async def plain(*pieces: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece
    if then is not None:
        raise then


async def test_its_recipient_opens_it() -> None:
    out = io.BytesIO()
    await seal_to(plain(*PIECES), out.write, TO)
    assert out.getvalue().startswith(b"age-encryption.org/v1\n")
    assert pyrage.decrypt(out.getvalue(), [WHO]) == b"".join(PIECES)
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(out.getvalue(), [pyrage.x25519.Identity.generate()])


async def test_nothing_is_something_too() -> None:
    out = io.BytesIO()
    await seal_to(plain(), out.write, TO)
    assert pyrage.decrypt(out.getvalue(), [WHO]) == b""


async def test_what_goes_wrong_while_reading_is_named_and_nothing_whole_was_written() -> None:
    for error, named in ((Erased(), Erased), (ValueError("x"), Unavailable)):
        out = io.BytesIO()
        with pytest.raises(named):
            await seal_to(plain(*PIECES, then=error), out.write, TO)
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(out.getvalue(), [WHO])


async def test_a_disk_that_is_full() -> None:
    def write(data: bytes) -> None:
        raise OSError("no space left on device")

    with pytest.raises(Unavailable):
        await seal_to(plain(*PIECES), write, TO)


async def test_nobody_waits_any_more() -> None:
    """Cancelled in the middle: the thread ends, and what was written is not whole."""
    out, first = io.BytesIO(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"z" * 100_000
            first.set()
            await asyncio.sleep(0)

    async with asyncio.timeout(20):
        sealing = Tasks().spawn(seal_to(endless(), out.write, TO), name="sealing")
        await first.wait()
        sealing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sealing
        await asyncio.get_running_loop().shutdown_default_executor()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(out.getvalue(), [WHO])


@pytest.mark.parametrize(
    "text", ["", "age1", "AGE-SECRET-KEY-1", str(WHO), TO[:-1], TO + "x"], ids=map(str, range(6))
)
def test_what_is_no_recipient(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_recipient(text)
    assert "SECRET" not in str(raised.value)
    assert check_recipient(TO) == TO
