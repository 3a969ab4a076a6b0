"""What becomes of messages that should not have been sent, or not so many of them."""

import asyncio
import json
import logging
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import AvsessionError
from avsession.messages import FROM_PARTY, FROM_RECORDER, Hello
from signaling.dispatch import PARTY, RECORDER
from signaling.limits import Limits, Rate
from tests.signaling.world import (
    AGENT,
    CUSTOMER,
    KEY,
    ORIGIN,
    RECORDING,
    REQUEST,
    STRANGER,
    World,
    world,
)

pytestmark = pytest.mark.timeout(30)
FRAMES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "frames.toml").read_text("utf-8")
)["frame"]
OFFER = (Path(__file__).parent.parent / "avsession/sdp/chromium-offer.sdp").read_bytes().decode()
CANDIDATE = "candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host"


def written(frame: dict[str, Any]) -> str:
    text: str = frame["text"]
    if "repeat" in frame:
        opening, closing = text.split("|")
        text = opening * int(frame["repeat"]) + closing * int(frame["repeat"])
    return text


@pytest.mark.parametrize("frame", FRAMES, ids=[frame["why"] for frame in FRAMES])
async def test_hostile_frames(there: World, frame: dict[str, Any]) -> None:
    async with there.page(CUSTOMER) as page:
        await there.domain.called("joined")
        await page.socket.send(written(frame))
        said = await page.next()
        assert (said["type"], said["code"]) == ("error", frame["code"])
        await page.say(type="ping")
        assert await page.next() == {"type": "pong"}
        assert there.domain.calls.empty()


async def test_binary_frames_are_refused(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        await page.socket.send(b'{"type":"ping"}')
        assert (await page.next())["code"] == "message.invalid"


@pytest.mark.parametrize("size", [65_537, 500_000])
async def test_a_message_that_is_too_big(there: World, size: int) -> None:
    async with there.page(CUSTOMER) as page:
        await page.socket.send('{"type":"' + "x" * size)
        assert (await page.end())[0] == 1009


async def test_a_message_in_pieces(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        await page.socket.send(iter(['{"type":', '"ping"', "}"]))
        assert await page.next() == {"type": "pong"}
        await page.socket.send(iter(["x" * 60_000, "x" * 6_000]))
        assert (await page.end())[0] == 1009


async def test_ten_violations_are_borne_and_the_next_ends_it(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        for _ in range(11):
            await page.socket.send("garbage")
        for _ in range(11):
            assert (await page.next())["code"] == "message.invalid"
        assert await page.end() == (1008, "violations")
    await there.domain.called("lost")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(messages=Rate(0, 5)), {"type": "ping"}),
        (Limits(message_bytes=Rate(0, 80)), {"type": "ping"}),
        (Limits(others=Rate(0, 5)), {"type": "ping"}),
        (Limits(candidates=Rate(0, 5)), {"type": "trickle", "to": AGENT, "candidate": ""}),
        (
            Limits(descriptions=Rate(0, 5)),
            {"type": "describe", "to": AGENT, "kind": "offer", "sdp": OFFER},
        ),
    ],
)
async def test_floods(files: tuple[Path, Path], limits: Limits, message: dict[str, Any]) -> None:
    async with world(files, limits) as there, there.page(AGENT), there.page(None) as page:
        await page.say(type="hello", ticket=there.domain.ticket(CUSTOMER), build="")
        await page.hear("welcome")
        for _ in range(16):
            await page.say(**message)
        answers = 11 + 5 * (message["type"] == "ping")
        said = [(await page.next()).get("code", "done") for _ in range(answers)]
        assert [code for code in said if code != "done"] == ["too_many"] * 11
        assert await page.end() == (1008, "violations")


async def test_a_flood_of_one_kind_does_not_stop_a_withdrawal(files: tuple[Path, Path]) -> None:
    async with world(files, Limits(candidates=Rate(0, 0))) as there, there.page(CUSTOMER) as page:
        for _ in range(8):
            await page.say(type="trickle", to=AGENT, candidate="")
        await page.say(type="consent.withdraw", request=REQUEST, key=KEY)
        assert (await page.hear("ack"))["key"] == KEY


async def test_too_much_waiting(files: tuple[Path, Path]) -> None:
    """Refused with the key, not counted against the page: it is the server that is slow."""
    stuck = asyncio.Event()
    async with world(files, Limits(waiting=2)) as there, there.page(CUSTOMER) as page:
        there.domain.does["choose_fate"] = lambda *_: stuck.wait()
        for n in range(15):
            await page.say(type="consent.fate", request=REQUEST, fate="keep", key=f"{n:016}")
        said = [await page.next() for _ in range(13)]
        assert {one["code"] for one in said} == {"too_many"}
        assert [one["key"] for one in said] == [f"{n:016}" for n in range(2, 15)]
        stuck.set()
        assert [(await page.next())["type"] for _ in range(2)] == ["ack", "ack"]


async def test_many_withdrawals_at_once_take_turns(files: tuple[Path, Path]) -> None:
    stuck = asyncio.Event()
    async with world(files, Limits(withdrawals=1)) as there, there.page(CUSTOMER) as page:
        there.domain.does["withdraw"] = lambda *_: stuck.wait()
        for n in range(3):
            await page.say(type="consent.withdraw", request=REQUEST, key=f"{n:016}")
        await there.domain.called("withdraw")
        stuck.set()
        assert [(await page.next())["key"] for _ in range(3)] == [f"{n:016}" for n in range(3)]


async def test_refusals_are_logged_without_a_word_about_a_person(
    there: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with there.page(CUSTOMER) as page:
        await page.say(type="trickle", to=STRANGER, candidate=CANDIDATE)
        await page.next()
        await page.say(type="trickle", to=STRANGER, candidate="Ada Lovelace")
        await page.next()
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("signaling.")]
    assert "refused trickle of party 1: not_found" in ours
    assert "refused trickle of party 1: sdp.refused" in ours
    for secret in (CUSTOMER, STRANGER, "127.0.0.1", "192.0.2.2", "Ada", "ticket-", ORIGIN):
        assert secret not in "\n".join(ours)


@pytest.mark.parametrize(
    "limits",
    [Limits(recorder_messages=Rate(0, 3), drain_s=0.01), Limits(recorder_waiting=3, drain_s=0.01)],
)
async def test_a_recorder_that_says_too_much_is_ended_and_may_come_back(
    files: tuple[Path, Path], limits: Limits
) -> None:
    async with world(files, limits) as there:
        there.domain.does["manifest_line"] = lambda *_: asyncio.Event().wait()
        async with there.worker() as worker:
            for n in range(4):
                await worker.say(type="worker.manifest", recording=RECORDING, line=str(n))
            assert await worker.end() == (1008, "rate")
        async with there.worker():
            assert len(there.hub.workers()) == 1


# --- decoding

CODECS = st.sampled_from([FROM_PARTY, FROM_RECORDER])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TAGS = sorted(str(kind.__struct_config__.tag) for kind in (*PARTY, *RECORDER))


@given(CODECS, st.text() | st.binary())
def test_garbage_decodes_to_nothing_but_an_error(codec: Any, frame: str | bytes) -> None:
    with pytest.raises(AvsessionError):
        codec.decode(frame)


@given(
    CODECS,
    st.sampled_from(TAGS),
    st.dictionaries(st.sampled_from(["to", "sdp", "kind", "key", "request", "candidate"]), JSON),
)
def test_half_good_messages_decode_or_are_refused(
    codec: Any, tag: str, fields: dict[str, Any]
) -> None:
    try:
        message = codec.decode(json.dumps({"type": tag, **fields}))
    except AvsessionError:
        return
    assert message.__struct_config__.tag == tag
    assert not isinstance(message, Hello)
