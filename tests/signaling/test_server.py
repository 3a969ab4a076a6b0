"""Coming, being replaced and going, through real TLS and real WebSockets."""

import asyncio
from pathlib import Path

import pytest

from avsession.errors import SessionOver, Unavailable
from avsession.messages import Parties, Pong
from signaling import server
from signaling.hub import Hub
from signaling.limits import Limits
from signaling.resume import KEEP_S
from signaling.server import SignalingServer
from tests.signaling.world import (
    AGENT,
    CUSTOMER,
    ORIGIN,
    SESSION,
    Domain,
    World,
    ident,
    welcome,
    worker_hello,
    world,
)

pytestmark = pytest.mark.timeout(30)
WORKER = ident("wrk", "a")


class Clock:
    """Seconds that go on when a test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_party_comes_and_goes(there: World) -> None:
    async with there.page(CUSTOMER):
        assert there.hub.connected(CUSTOMER)
        assert (await there.domain.called("joined"))[1] == CUSTOMER
    assert await there.domain.called("lost") == ("lost", CUSTOMER)
    assert not there.hub.connected(CUSTOMER)


async def test_what_a_page_says_again_is_expected_before_it_has_joined(there: World) -> None:
    keys = ("key-" + "0" * 16, "key-" + "1" * 16)
    there.domain.does["joined"] = lambda owner: told(there, owner)

    async def told(there: World, owner: str) -> None:
        assert there.domain.expected == [(owner, keys)]
        there.hub.tell(owner, welcome(owner))

    async with there.page(None) as page:
        ticket = there.domain.ticket(CUSTOMER)
        await page.say(type="hello", ticket=ticket, build="test", unsaid=keys)
        assert (await page.next())["type"] == "welcome"
    too_many = [f"key-{n:016}" for n in range(17)]
    async with there.page(None) as page:
        ticket = there.domain.ticket(CUSTOMER)
        await page.say(type="hello", ticket=ticket, build="test", unsaid=too_many)
        assert (await page.next())["code"] == "message.invalid"


async def test_a_used_ticket_is_refused(there: World) -> None:
    ticket = there.domain.ticket(CUSTOMER)
    async with there.page(CUSTOMER, ticket=ticket), there.page(None) as second:
        await second.say(type="hello", ticket=ticket, build="test")
        assert (await second.next())["code"] == "ticket.refused"
        assert await second.end() == (1008, "not_admitted")
        # and the one who has it stays
        assert there.hub.connected(CUSTOMER)


async def test_no_hello_in_time(files: tuple[Path, Path]) -> None:
    async with world(files, Limits(hello_s=0.05)) as there, there.page(None) as page:
        assert (await page.next())["code"] == "message.invalid"
        assert await page.end() == (1008, "hello.late")


@pytest.mark.parametrize(
    "first", ['{"type":"ping"}', "garbage", '{"type":"hello"}', b"\x00", '{"type":"worker.hello"}']
)
async def test_the_first_message_must_be_a_hello(there: World, first: str | bytes) -> None:
    async with there.page(None) as page:
        await page.socket.send(first)
        assert (await page.next())["code"] == "message.invalid"
        assert await page.end() == (1008, "hello.expected")


async def test_a_second_hello_is_refused_and_changes_nothing(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        await page.say(type="hello", ticket=there.domain.ticket(AGENT), build="test")
        assert (await page.next())["code"] == "message.invalid"
        await page.say(type="ping")
        assert await page.next() == {"type": "pong"}
        assert not there.hub.connected(AGENT)


async def test_a_newer_connection_replaces_the_older_without_a_loss(there: World) -> None:
    async with there.page(CUSTOMER) as old, there.page(CUSTOMER) as new:
        assert (await old.next())["code"] == "replaced"
        assert await old.end() == (4001, "replaced")
        await new.say(type="ping")
        assert await new.next() == {"type": "pong"}
    await there.domain.called("lost")
    assert there.domain.calls.empty()


async def test_the_page_that_took_the_seat_last_keeps_it(there: World) -> None:
    """A laptop that wakes up does not take the call back from the phone."""
    async with there.page(None) as laptop:
        await laptop.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        asleep = (await laptop.hear("welcome"))["resume"]
    async with there.page(None) as phone:
        await phone.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        awake = (await phone.hear("welcome"))["resume"]
        assert awake > asleep
        async with there.page(None) as laptop:
            hello = {"type": "hello", "ticket": there.domain.ticket(CUSTOMER), "build": "test"}
            await laptop.say(**hello, resume=asleep)
            assert (await laptop.next())["code"] == "replaced"
            assert await laptop.end() == (4001, "replaced")
        # the phone is still there, and its own new connection replaces its old one
        await phone.say(type="ping")
        assert await phone.next() == {"type": "pong"}
        async with there.page(None) as again:
            hello = {"type": "hello", "ticket": there.domain.ticket(CUSTOMER), "build": "test"}
            await again.say(**hello, resume=awake)
            assert (await again.hear("welcome"))["resume"] == awake
            assert await phone.end() == (4001, "replaced")
    # nobody else is there: the laptop may have it again
    await there.domain.called("lost")
    async with there.page(None) as laptop:
        hello = {"type": "hello", "ticket": there.domain.ticket(CUSTOMER), "build": "test"}
        await laptop.say(**hello, resume=asleep)
        assert (await laptop.hear("welcome"))["resume"] == asleep


async def test_a_page_comes_back_without_a_ticket_while_its_seat_is_held(
    files: tuple[Path, Path],
) -> None:
    """Its own token does, and for its own party; nobody else's, and not for ever."""
    clock = Clock()
    async with world(files, now=clock) as there:
        async with there.page(None) as page:
            await page.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
            resume = (await page.hear("welcome"))["resume"]
        await there.domain.called("lost")
        clock.now += KEEP_S - 1
        async with there.page(None) as page:
            await page.say(type="hello", ticket="", build="test", resume=resume)
            welcomed = await page.hear("welcome")
            assert (welcomed["you"], welcomed["resume"]) == (CUSTOMER, resume)
            # as long as it is connected, too: a new connection before the old one is known dead
            async with there.page(None) as new:
                clock.now += KEEP_S + 1
                await new.say(type="hello", ticket="", build="test", resume=resume)
                await new.hear("welcome")
                assert await page.end() == (4001, "replaced")
        await there.domain.called("lost")
        for late, guess in ((0, resume[:-1] + "x"), (0, resume[:-2] + "00"), (KEEP_S + 1, resume)):
            clock.now += late
            async with there.page(None) as page:
                await page.say(type="hello", ticket="", build="test", resume=guess)
                code = (await page.hear("error"))["code"]
                assert code in ("ticket.refused", "message.invalid")
                assert (await page.end())[0] == 1008
        assert not there.hub.connected(CUSTOMER)


async def test_nobody_claims_a_seat_taken_in_the_future(there: World) -> None:
    """It would lock out every page that comes later."""
    claimed = "9" * 15 + "-" + "f" * 32
    async with there.page(None) as page:
        await page.say(
            type="hello", ticket=there.domain.ticket(CUSTOMER), build="test", resume=claimed
        )
        given = (await page.hear("welcome"))["resume"]
        assert given < claimed
        async with there.page(CUSTOMER):
            assert (await page.hear("error"))["code"] == "replaced"


async def test_losing_waits_for_joining_and_is_forgotten_when_back(there: World) -> None:
    """The old connection's end, still being written down, must not outlive the new one's start."""
    slow = asyncio.Event()

    async def lost(owner: str) -> None:
        await slow.wait()

    there.domain.does["lost"] = lost
    async with there.page(CUSTOMER):
        pass
    await there.domain.called("lost")
    async with there.page(None) as back:
        await back.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        await there.domain.called("redeem_ticket")
        slow.set()
        await back.hear("welcome")
        assert there.domain.calls.get_nowait() == ("joined", CUSTOMER)
        assert there.hub.connected(CUSTOMER)


async def test_nothing_is_sent_before_the_welcome(there: World) -> None:
    async def joined(owner: str) -> None:
        there.hub.tell_session(SESSION, Parties(parties=()))
        there.hub.tell(owner, welcome(owner))

    there.domain.does["joined"] = joined
    async with there.page(None) as page:
        await page.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        assert [(await page.next())["type"] for _ in range(2)] == ["welcome", "parties"]


async def test_who_is_not_let_in_hears_nothing_of_the_session(there: World) -> None:
    async def joined(owner: str) -> None:
        there.hub.tell_session(SESSION, Parties(parties=()))
        raise SessionOver

    there.domain.does["joined"] = joined
    async with there.page(None) as page:
        await page.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        assert (await page.next())["code"] == "session.over"
        assert await page.end() == (1008, "not_admitted")


async def test_an_unnamed_error_says_nothing(
    there: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def joined(owner: str) -> None:
        raise RuntimeError("password=hunter2")

    there.domain.does["joined"] = joined
    async with there.page(None) as page:
        await page.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="test")
        assert await page.next() == {
            "type": "error", "code": "error", "message": "Something went wrong.", "key": None
        }  # fmt: skip
        assert await page.end() == (1008, "not_admitted")
    assert "admitting party" in caplog.text


async def test_what_fails_after_the_welcome_does_not_end_the_call(there: World) -> None:
    async def joined(owner: str) -> None:
        there.hub.tell(owner, welcome(owner))
        raise Unavailable

    there.domain.does["joined"] = joined
    async with there.page(CUSTOMER) as page:
        await page.say(type="ping")
        assert await page.next() == {"type": "pong"}


async def test_losing_is_tried_again_until_it_is_written_down(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RETRIES_S", (0, 0, 0))
    tries = []

    async def lost(owner: str) -> None:
        tries.append(owner)
        if len(tries) < 3:
            raise Unavailable

    there.domain.does["lost"] = lost
    async with there.page(CUSTOMER):
        pass
    for _ in range(3):
        await there.domain.called("lost")
    assert tries == [CUSTOMER] * 3


async def test_last_words_are_carried_out_before_the_loss(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        await page.say(type="leave")
    assert await there.domain.called("left") == ("left", CUSTOMER)
    assert await there.domain.called("lost") == ("lost", CUSTOMER)


async def test_drop_ends_after_what_is_queued(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        there.hub.tell(CUSTOMER, Pong())
        there.hub.drop(CUSTOMER)
        assert await page.next() == {"type": "pong"}
        assert await page.end() == (1000, "over")


async def test_a_dead_network_is_noticed(files: tuple[Path, Path]) -> None:
    """The client's machine is there, its program is not: no pong comes."""
    limits = Limits(ping_s=0.05, pong_s=0.1, close_s=0.1)
    async with world(files, limits) as there, there.page(CUSTOMER) as page:
        page.socket.transport.pause_reading()
        assert await there.domain.called("lost") == ("lost", CUSTOMER)
        page.socket.transport.abort()


async def test_a_worker_comes_and_goes(there: World) -> None:
    async with there.worker(WORKER) as worker:
        assert [one.worker for one in there.hub.workers()] == [WORKER]
        assert await there.domain.called("worker_ready") == ("worker_ready", WORKER)
        await worker.say(type="worker.heartbeat", sent=1.5)
        assert (await worker.next())["sent"] == 1.5
    assert await there.domain.called("worker_gone") == ("worker_gone", WORKER)
    assert there.hub.workers() == []


async def test_a_worker_that_comes_again_replaces_itself(there: World) -> None:
    async with there.worker(WORKER) as old, there.worker(WORKER):
        assert await old.end() == (4001, "replaced")
        assert len(there.hub.workers()) == 1
    await there.domain.called("worker_gone")


async def test_a_worker_that_is_not_one(there: World) -> None:
    async with there.worker(None) as worker:
        await worker.say(**(worker_hello(WORKER) | {"fingerprint": "sha-1"}))
        assert (await worker.next())["code"] == "message.invalid"
        assert await worker.end() == (1008, "hello.expected")
    assert there.hub.workers() == []


async def test_closing_tells_everyone_and_writes_everyone_down(there: World) -> None:
    async with there.page(CUSTOMER) as page, there.worker(WORKER) as worker:
        await there.server.close()
        assert await page.end() == (1001, "server.stopping")
        assert await worker.end() == (1001, "server.stopping")
        calls = {there.domain.calls.get_nowait()[0] for _ in range(there.domain.calls.qsize())}
        assert {"lost", "worker_gone"} <= calls


def test_a_short_credential_is_refused() -> None:
    cases = Domain(Hub()).cases()
    with pytest.raises(ValueError, match="32"):
        SignalingServer(Hub(), cases, origins=frozenset({ORIGIN}), credential="secret")
