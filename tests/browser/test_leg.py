"""The leg to the recorder: cut by the other browser too, muted with the call, within its cap."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator

from avsession.recording import Sealed
from tests.browser.between import Between
from tests.browser.people import Person, ask, new_call, staff, window
from tests.browser.plain import download
from tests.browser.product import Product, until
from tests.browser.story import accepted, open_player, record, state_of_newest


async def ffmpeg(*arguments: str) -> bytes:
    """What ffmpeg prints and writes; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        "ffmpeg",
        "-hide_banner",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out + said


async def test_the_other_browser_is_told_without_the_server(
    browser: Browser, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A withdrawal reaches the agent's browser over the call itself, past a silent server."""
    between = await Between.of_window(1, monkeypatch)
    agent, customer = await new_call(browser, product)
    await ask(agent)
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000")
    between.change = lambda message: message if message["type"] == "pong" else None
    await customer.click("Withdraw consent")
    await agent.until("s.legState === 'cut:peer'", 5_000)
    await agent.recording("Not recording")


async def test_who_is_muted_is_muted_in_the_recording_too(
    browser: Browser, product: Product, tmp_path: Path
) -> None:
    """Neither the call nor the recorder gets sound or picture of a party that is muted."""
    agent, customer = await new_call(browser, product)
    await customer.click("Mute microphone")
    await customer.click("Turn off camera")
    await record(agent, customer, product, 5)
    heard = (await agent.stats())["remoteAudioEnergy"]
    await until("two seconds more", lambda: len(accepted(product)) > 14, 30)
    assert (await agent.stats())["remoteAudioEnergy"] - heard < 1e-6
    await agent.click("Stop recording")
    await until("sealed", lambda: state_of_newest(product) == "sealed")
    tracks = await watch(browser, product, tmp_path)
    assert await loudest(tracks["customer"]) < -70
    assert await loudest(tracks["agent"]) > -40, "the other one beeps"
    assert await brightest(tracks["customer"]) == 0, "not even a dark picture"
    assert await brightest(tracks["agent"]) > 90


async def watch(browser: Browser, product: Product, folder: Path) -> dict[str, Path]:
    """Both tracks as files, by role."""
    admin = await staff(browser, product, "admin")
    return await tracks_of(admin, await open_player(admin), folder)


async def tracks_of(admin: Person, player: Locator, folder: Path) -> dict[str, Path]:
    """What the player plays, as files, by role."""
    found = {}
    for figure in await player.get_by_role("figure").all():
        role = "customer" if "(customer)" in await figure.inner_text() else "agent"
        found[role] = folder / f"{role}.webm"
        found[role].write_bytes(await download(admin, figure.locator("video")))
    return found


async def loudest(track: Path) -> float:
    """The loudest sample after the first second, dB below full scale."""
    said = await ffmpeg(
        "-ss", "1", "-i", str(track), "-vn", "-af", "volumedetect", "-f", "null", "-"
    )
    match = re.search(rb"max_volume: (-?[0-9.]+|-inf) dB", said)
    assert match is not None, said.decode()
    return float(match[1])


async def brightest(track: Path) -> int:
    """The brightest pixel after the first second, 0 to 255; 0 if there is no picture."""
    arguments = ("-v", "error", "-ss", "1", "-i", str(track), "-an", "-vf", "scale=160:90")
    pixels = await ffmpeg(*arguments, "-pix_fmt", "gray", "-f", "rawvideo", "-")
    return max(pixels, default=0)


async def test_the_leg_stays_within_its_cap(browser: Browser, tmp_path: Path) -> None:
    """Height and bits per second as set, whatever the call itself sends."""
    product = Product(tmp_path, media__max_height="180", media__max_bitrate="200000")
    await product.start()
    try:
        agent, customer = await new_call(browser, product)
        await record(agent, customer, product, 6)
        segments = accepted(product)
    finally:
        await product.stop()
    for track in {s.track for s in segments}:
        mine = [s for s in segments if s.track == track and s.clusters]
        assert max(s.height for s in mine) <= 180
        assert bits_per_second(mine[2:]) < 260_000


def bits_per_second(segments: list[Sealed]) -> float:
    milliseconds = segments[-1].end_ms - segments[0].start_ms
    return sum(s.plain_size for s in segments) * 8 * 1000 / milliseconds


async def test_silence_is_warned_of_and_more_time_can_be_had(
    browser: Browser, tmp_path: Path
) -> None:
    """Near the end it is said, and a button gives more time; without an answer it is no."""
    product = Product(tmp_path, consent__answer_s="20", consent__warn_s="10")
    await product.start()
    try:
        agent, customer = await new_call(browser, product)
        await ask(agent)
        more = customer.dialog("Recording consent").get_by_role("button", name="More time")
        await more.wait_for(state="visible", timeout=15_000)
        await more.click()
        await more.wait_for(state="hidden", timeout=5_000)
        await expired(product, customer)
    finally:
        await product.stop()


async def expired(product: Product, customer: Person) -> None:
    rows = await until(
        "silence is no",
        lambda: product.rows("select * from recording_request where outcome = 'expired'"),
        40,
    )
    asked = product.rows("select at_ms from consent_event where kind = 'requested'")[0]["at_ms"]
    ended = product.rows("select max(at_ms) as at from consent_event where kind = 'expired'")
    assert len(rows) == 1
    assert ended[0]["at"] - asked > 25_000, "there was more time than the first 20 s"
    assert not product.segments()
    await customer.dialog("Recording consent").wait_for(state="hidden")


GOVERN = """
async () => {
    const { Governor } = await import('/static/governor.js');
    const canvas = document.createElement('canvas');
    canvas.width = 1280;
    canvas.height = 720;
    canvas.getContext('2d');
    const [track] = canvas.captureStream(5).getTracks();
    const [leg, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
    const sender = leg.addTrack(track);
    await leg.setLocalDescription();
    await other.setRemoteDescription(leg.localDescription);
    await other.setLocalDescription();
    await leg.setRemoteDescription(other.localDescription);
    let reason = 'none';
    const report = { type: 'outbound-rtp', kind: 'video' };
    const call = { getStats: async () => [{ ...report, qualityLimitationReason: reason }] };
    const governor = new Governor(leg, () => call, { height: 360, bitrate: 1_000_000 });
    governor.stop();
    const seen = [];
    const round = async (times) => {
        for (let n = 0; n < times; n += 1) await governor.round();
        const [{ maxBitrate, scaleResolutionDownBy, priority }] = sender.getParameters().encodings;
        seen.push([maxBitrate, scaleResolutionDownBy, priority]);
    };
    await round(1);
    reason = 'bandwidth';
    await round(1);
    await round(9);
    reason = 'none';
    await round(3);
    await round(1);
    await round(60);
    leg.close();
    other.close();
    return seen;
}
"""


async def test_the_leg_gives_way_to_the_call(browser: Browser, product: Product) -> None:
    """While the call's own picture is short of bandwidth the leg halves, and comes back slowly."""
    person = await window(browser)
    await person.page.goto(f"{product.url}/cookies")
    seen = await person.page.evaluate(GOVERN)
    assert [bitrate for bitrate, _, _ in seen] == [
        1_000_000,  # what was granted
        500_000,  # the call is short: half at once
        100_000,  # never less than a recording needs
        100_000,  # quiet, but not for long enough
        125_000,  # then back in small steps
        1_000_000,  # up to what was granted, and no more
    ]
    assert {(scale, priority) for _, scale, priority in seen} == {(2, "low")}
