"""Pausing: what is shown and said in a pause is stored nowhere, and only who paused resumes."""

from __future__ import annotations

import base64
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from avsession.recording import PAUSED, AnyEntry, Detach, Gap, decode_line
from tests.browser import people
from tests.browser.between import Between
from tests.browser.people import PHONE, Person, new_call, staff
from tests.browser.plain import payloads, where_in_plain
from tests.browser.product import Product, until
from tests.browser.story import accepted, open_player, record, state_of_newest
from tests.browser.test_leg import ffmpeg, tracks_of
from tests.browser.test_lock import token
from tests.browser.watch import Watch

TONES = {"before": 440, "pause": 3000, "after": 1200}
"""Hertz."""
DEVICES = """
const COLOURS = { before: 'rgb(0,160,0)', pause: 'rgb(230,0,230)', after: 'rgb(0,0,230)' };
const TONES = TONES_HERE;
let mark = 'before';
navigator.mediaDevices.getUserMedia = async (wanted) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const pen = canvas.getContext('2d');
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    const paint = () => {
        tone.frequency.value = TONES[mark];
        pen.fillStyle = COLOURS[mark];
        pen.fillRect(0, 0, 640, 360);
        pen.fillStyle = 'white';
        pen.fillRect((performance.now() / 10) % 600, 160, 40, 40);
    };
    setInterval(paint, 66);
    window.show = (name) => { mark = name; paint(); };
    paint();
    const picture = canvas.captureStream(15);
    return new MediaStream([
        ...(wanted.video ? picture.getVideoTracks() : []),
        ...(wanted.audio ? out.stream.getAudioTracks() : []),
    ]);
};
"""
"""A camera of one colour and a microphone of one tone, which `show` changes."""

SEEN = {"green": (0, 160, 0), "magenta": (230, 0, 230), "blue": (0, 0, 230)}


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every window that is opened has such a camera and microphone."""
    plain = people.window

    async def window(browser: Browser, size: ViewportSize | None = None, **options: Any) -> Person:
        person = await plain(browser, size, **options)
        await person.page.add_init_script(DEVICES.replace("TONES_HERE", json.dumps(TONES)))
        return person

    monkeypatch.setattr(people, "window", window)


async def show(person: Person, mark: str) -> None:
    await person.page.evaluate("mark => show(mark)", mark)


async def colours(track: Path) -> set[str]:
    """Which of the colours fill a frame of the track."""
    arguments = ("-v", "error", "-i", str(track), "-an", "-vf", "scale=8:8")
    pixels = await ffmpeg(*arguments, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    corners = {tuple(pixels[at : at + 3]) for at in range(0, len(pixels), 192)}
    return {
        name
        for name, colour in SEEN.items()
        if any(sum(abs(a - b) for a, b in zip(colour, seen, strict=True)) < 120 for seen in corners)
    }


async def loudness(track: Path, hertz: int) -> float:
    """The loudest that this tone gets, dB below full scale."""
    narrow = f"bandpass=f={hertz}:width_type=h:w=100," * 3
    said = await ffmpeg("-i", str(track), "-vn", "-af", f"{narrow}volumedetect", "-f", "null", "-")
    match = re.search(rb"max_volume: (-?[0-9.]+|-inf) dB", said)
    assert match is not None, said.decode()
    return float(match[1])


def entries(product: Product) -> list[AnyEntry]:
    lines = product.rows("select line from manifest_entry order by n")
    return [decode_line(row["line"]).entry for row in lines]


async def paused(*persons: Person) -> None:
    for person in persons:
        await person.recording("Recording paused")
        await person.until("s.legState !== 'connected' && s.legState !== 'connecting'")


async def on(*persons: Person) -> None:
    for person in persons:
        await person.recording("Recording")
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000", 30_000)


async def more_of_each(product: Product, generation: int) -> None:
    """Wait until something of this generation of each track is kept."""
    await until(
        "more of each track",
        lambda: len({s.track for s in accepted(product) if s.generation == generation}) == 2,
        30,
    )


@pytest.mark.usefixtures("painted")
async def test_nothing_of_a_pause_is_stored_anywhere(
    browser: Browser, product: Product, tmp_path: Path
) -> None:
    """A colour and a tone that are there only in the pause are in no stored byte of either."""
    agent, customer = await new_call(browser, product)
    looks = [Watch(person, product.url) for person in (agent, customer)]
    await record(agent, customer, product, 3)
    await expect(customer.button("Pause recording")).to_be_visible()
    pause = agent.button("Pause recording")
    await pause.focus()
    await agent.page.keyboard.press("Enter")
    await show(agent, "pause")
    await paused(agent, customer)
    await show(customer, "pause")
    await expect(agent.button("Resume recording")).to_be_focused()
    await expect(
        agent.page.get_by_text("You have paused it; only you can resume it.")
    ).to_be_visible()
    told = customer.page.get_by_text("Paused by Agent, who alone can resume it.")
    await expect(told).to_be_visible()
    for name in ("Pause recording", "Resume recording"):
        await expect(customer.button(name)).to_have_count(0)
    for name in ("Stop recording", "Withdraw consent"):
        await expect(customer.button(name)).to_be_visible()
    for look, name in zip(looks, ("agent", "customer"), strict=True):
        await look.check(f"paused-{name}")
    wide = customer.page.viewport_size
    await customer.page.set_viewport_size(PHONE)
    await looks[1].check("paused-customer")
    assert wide is not None
    await customer.page.set_viewport_size(wide)
    for person in (agent, customer):
        seen = (await person.stats())["remoteFramesDecoded"]
        await person.until(f"s.remoteFramesDecoded > {seen} + 30")  # the call goes on
    assert state_of_newest(product) == "paused"
    sizes = {path: path.stat().st_size for path in product.files("objects", "spool")}

    for person in (agent, customer):
        await show(person, "after")
    assert sizes == {path: path.stat().st_size for path in product.files("objects", "spool")}
    await agent.click("Resume recording")
    await on(agent, customer)
    await expect(agent.button("Pause recording")).to_be_visible()
    grants = product.rows("select * from capture_grant order by generation")
    await more_of_each(product, grants[-1]["generation"])
    await agent.click("Stop recording")
    await until("sealed", lambda: state_of_newest(product) == "sealed")

    # the manifest: an interval that was wanted, and nothing within it
    written = entries(product)
    assert PAUSED in {e.reason for e in written if isinstance(e, Detach)}
    gaps = [e for e in written if isinstance(e, Gap) and e.reason == PAUSED]
    assert len({gap.track for gap in gaps}) == len(gaps) == 2
    closed, opened = grants[0]["closed_ms"], grants[1]["issued_ms"]
    kept = accepted(product)
    for segment in kept:
        assert not closed < segment.captured_ms + segment.uncertainty_ms <= opened
        within = [gap for gap in gaps if gap.track == segment.track]
        assert segment.end_ms <= within[0].start_ms or segment.start_ms >= within[0].end_ms
    assert all(gap.end_ms - gap.start_ms >= opened - closed for gap in gaps)
    assert len(product.segments()) == len(kept), "the rest is deleted"
    kinds = [row["kind"] for row in product.rows("select kind from leaf order by number")]
    assert kinds.index("recording.paused") < kinds.index("recording.resumed")

    # what was stored: before and after, nothing of the pause
    admin = await staff(browser, product, "admin")
    player = await open_player(admin)
    tracks = await tracks_of(admin, player, tmp_path)
    for track in tracks.values():
        assert await colours(track) == {"green", "blue"}
        heard = {name: await loudness(track, hertz) for name, hertz in TONES.items()}
        assert heard["before"] > -15, heard
        assert heard["after"] > -15, heard
        assert heard["pause"] < -35, heard  # what a filter makes of the others' edges
    await expect(player.get_by_role("heading", name="Pauses")).to_be_visible()
    await expect(player.get_by_role("heading", name="Gaps")).to_have_count(0)
    await Watch(admin, product.url).check("paused-review")
    assert where_in_plain(product, await payloads(admin, player)) == []
    assert "Every stored interval lies inside consent." in await product.proven()


async def test_a_pause_outlasts_reloads_and_a_killed_server(
    browser: Browser, product: Product
) -> None:
    """It stands until who paused resumes; that works after loading the page anew."""
    agent, customer = await new_call(browser, product)
    await record(agent, customer, product, 1)
    await customer.button("Pause recording").dblclick()  # its second click does not resume
    await paused(agent, customer)
    await until("written down", lambda: state_of_newest(product) == "paused")
    await customer.page.reload()
    await customer.click("Join call")
    await paused(agent, customer)
    await product.stop(signal.SIGKILL)
    await product.start()
    await until(
        "both are back",
        lambda: len(product.rows("select * from party where presence = 'present'")) == 2,
        30,
    )
    await paused(agent, customer)
    await expect(agent.button("Resume recording")).to_have_count(0)
    assert len(product.rows("select * from capture_grant")) == 1
    await customer.click("Resume recording")
    await on(agent, customer)
    await more_of_each(
        product, product.rows("select max(generation) as g from capture_grant")[0]["g"]
    )
    # a pause that no server has heard of: said again, and nothing is recorded until then
    grants = product.rows("select * from capture_grant")
    await product.stop(signal.SIGKILL)
    await customer.click("Pause recording")
    await product.start()
    await until("written down", lambda: state_of_newest(product) == "paused", 30)
    await paused(agent, customer)
    assert len(product.rows("select * from capture_grant")) == len(grants)
    # the other may end what somebody has paused
    await agent.click("Stop recording")
    await until("sealed", lambda: state_of_newest(product) == "sealed")
    for person in (agent, customer):
        await person.recording("Not recording")
    reasons = {e.reason for e in entries(product) if isinstance(e, Gap)}
    assert reasons <= {PAUSED, "no.media", "leg.lost"}
    assert PAUSED in reasons
    assert "Every stored interval lies inside consent." in await product.proven()


async def test_the_other_browser_pauses_without_the_server(
    browser: Browser, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = await Between.of_window(1, monkeypatch)
    agent, customer = await new_call(browser, product)
    await record(agent, customer, product, 1)
    between.change = lambda message: message if message["type"] == "pong" else None
    await customer.click("Pause recording")
    await agent.until("s.legState.startsWith('cut')")
    await agent.recording("Recording paused")
    between.change = lambda message: message


async def test_who_paused_sends_nothing_whatever_the_server_says(
    browser: Browser, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser's own lock: a server that goes on recording gets no leg of who has paused."""
    between = await Between.of_window(2, monkeypatch)
    _agent, customer = await new_call(browser, product)
    await record(_agent, customer, product, 1)
    state, offer = between.last("recording.state")["recording"], between.last("leg.offer")
    body = between.last("recording.grant")["grant"].split(".")[0]
    grant = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    between.change = lambda message: message if message["type"] == "pong" else None
    await customer.click("Pause recording")
    await paused(customer)
    made, answers = await customer.page.evaluate("window.made"), len(between.answers())
    between.say(type="recording.state", recording={**state, "generation": state["generation"] + 5})
    await customer.recording("Recording paused")
    newer = {"generation": state["generation"] + 6}
    between.say(type="recording.grant", grant=token(**{**grant, **newer}))
    between.say(**{**offer, **newer})
    await until("refused", lambda: between.refusals()[-1:] == ["recording.paused"])
    await customer.recording("Recording paused")
    assert await customer.page.evaluate("window.made") == made
    assert len(between.answers()) == answers
