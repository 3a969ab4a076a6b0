"""A peer by itself: what waits for it, what it may say, how it ends. No socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from avsession.errors import Conflict, TooMany
from avsession.messages import Ended, Message, Parties, Pong, Welcome
from avsession.tasks import Tasks
from signaling.connection import Bucket, End, Peer
from signaling.limits import Limits, Rate
from tests.signaling.world import CUSTOMER, World, welcome, world

pytestmark = pytest.mark.timeout(20)


class Wire:
    """Takes what is sent while `open`; ends when closed or cut."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.closed: tuple[int, str] | None = None
        self.aborted = asyncio.Event()

    async def send(self, text: str, /) -> None:
        await self.open.wait()
        if self.aborted.is_set():
            raise ConnectionResetError
        self.sent.append(json.loads(text)["type"])

    async def close(self, code: int, reason: str, /) -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.aborted.set()
        self.open.set()


def peer(wire: Wire, limits: Limits | None = None, *, welcomed: bool = True) -> Peer:
    limits = limits or Limits()
    it = Peer(
        wire, "peer 1", limits, lambda: 0.0, first=Welcome,
        outbox=limits.outbox, outbox_bytes=limits.outbox_bytes,
    )  # fmt: skip
    if welcomed:
        it.tell(welcome(CUSTOMER))
    return it


@asynccontextmanager
async def written(it: Peer) -> AsyncIterator[asyncio.Task[None]]:
    tasks = Tasks()
    yield tasks.spawn(it.write(), name="writer")
    await tasks.close()


async def test_what_is_told_is_sent_in_order_and_then_the_end() -> None:
    wire = Wire()
    it = peer(wire)
    async with written(it) as writer:
        it.tell(Pong())
        it.tell(Ended(reason="over"))
        it.end(End.OVER)
        it.tell(Pong())
        await writer
    assert wire.sent == ["welcome", "pong", "session.ended"]
    assert wire.closed == (1000, "over")


async def test_the_welcome_goes_first() -> None:
    wire = Wire()
    it = peer(wire, welcomed=False)
    async with written(it) as writer:
        it.tell(Pong())
        it.tell(Parties(parties=()))
        await asyncio.sleep(0)
        assert it.held
        assert wire.sent == []
        it.tell(welcome(CUSTOMER))
        it.end(End.OVER)
        await writer
    assert wire.sent == ["welcome", "pong", "parties"]


async def test_who_is_turned_away_gets_the_reason_and_nothing_else() -> None:
    wire = Wire()
    it = peer(wire, welcomed=False)
    it.tell(Pong())
    it.turn_away(Conflict(), End.NOT_ADMITTED)
    await it.write()
    assert wire.sent == ["error"]
    assert wire.closed == (1008, "not_admitted")


async def test_the_first_reason_to_end_stays() -> None:
    wire = Wire()
    it = peer(wire)
    it.end(End.REPLACED)
    it.end(End.OVER)
    await it.write()
    assert wire.closed == (4001, "replaced")


@pytest.mark.parametrize("limits", [Limits(outbox=3), Limits(outbox_bytes=600)])
async def test_an_outbox_that_is_full_ends_the_peer(limits: Limits) -> None:
    wire = Wire()
    wire.open.clear()
    it = peer(wire, limits)
    async with written(it) as writer:
        await asyncio.sleep(0)
        fill(it, Parties(parties=()), 40)
        await writer
    assert it.ending is End.OUTBOX_FULL
    # It does not read: neither what is on its way nor a close frame would arrive.
    assert wire.aborted.is_set()
    assert wire.sent == []


async def test_an_outbox_that_is_full_before_anything_was_sent_ends_politely() -> None:
    wire = Wire()
    it = peer(wire, Limits(outbox=3))
    fill(it, Pong(), 40)
    await it.write()
    assert wire.sent == []
    assert wire.closed == (1008, "outbox.full")


def fill(it: Peer, message: Message, n: int) -> None:
    for _ in range(n):
        it.tell(message)


async def test_a_message_that_does_not_leave_ends_the_peer() -> None:
    wire = Wire()
    wire.open.clear()
    it = peer(wire, Limits(send_s=0.01, close_s=0.01))
    await it.write()
    assert it.ending is End.OUTBOX_FULL


async def test_the_end_is_cut_short_when_it_takes_too_long() -> None:
    wire = Wire()
    wire.open.clear()
    it = peer(wire, Limits(close_s=0.01))
    it.end(End.STOPPING)
    await it.write()
    assert wire.aborted.is_set()


async def test_rates_are_counted_apart_and_come_back() -> None:
    time = [0.0]
    it = Peer(
        Wire(), "peer 1", Limits(candidates=Rate(2, 3), closing=Rate(1, 1)), lambda: time[0],
        first=Welcome, outbox=9, outbox_bytes=9000,
    )  # fmt: skip
    for _ in range(3):
        it.charge("candidates")
    with pytest.raises(TooMany):
        it.charge("candidates")
    it.charge("closing")
    time[0] += 0.5
    it.charge("candidates")
    with pytest.raises(TooMany):
        it.charge("candidates")


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    time = [0.0]
    bucket = Bucket(Rate(1, 2), lambda: time[0])
    time[0] = 1000.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    assert not bucket.take(2)
    time[0] += 2
    assert bucket.take(2)


async def test_violations_are_forgiven_with_time() -> None:
    time = [0.0]
    limits = Limits(violations=Rate(1, 2))
    it = Peer(Wire(), "peer 1", limits, lambda: time[0], first=Welcome, outbox=9, outbox_bytes=9000)
    it.violation()
    it.violation()
    time[0] += 1
    it.violation()
    assert not ended(it)
    it.violation()
    assert ended(it) is End.VIOLATIONS
    await it.write()


def ended(it: Peer) -> End | None:
    return it.ending


async def test_a_real_peer_that_does_not_read_is_ended(files: tuple[Path, Path]) -> None:
    """Through TLS, whose buffers hide for a while that nobody reads."""
    async with world(files, Limits(outbox=50)) as there, there.page(CUSTOMER) as page:
        page.socket.transport.pause_reading()
        await flood(there)
        assert await there.domain.called("lost") == ("lost", CUSTOMER)
        page.socket.transport.abort()


async def flood(there: World) -> None:
    big = Ended(reason="x" * 60_000)
    while there.hub.connected(CUSTOMER):
        there.hub.tell(CUSTOMER, big)
        await asyncio.sleep(0)
