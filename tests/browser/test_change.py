"""What changes in mid-call: one recording a party all the same, seekable, played to its end."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator

from avsession.recording import AnyEntry, Gap, Sealed, decode_line
from avsession.sealing import ebml
from tests.browser.people import Person, new_call, staff, window
from tests.browser.plain import download
from tests.browser.product import Product, until
from tests.browser.story import accepted, open_player, record, state_of_newest

CUES_APART_MS = 4_000
STARVED = 8
"""Pictures in a segment of a second."""
OWN_CAMERA = """
// A camera of 640x360 whose picture can be turned, and everything that was asked for, kept.
window.given = [];
window.connections = [];
const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real {
  constructor(...options) { super(...options); window.connections.push(this); }
};
const canvas = document.createElement('canvas');
const draw = () => {
  const pen = canvas.getContext('2d');
  pen.fillStyle = `hsl(${performance.now() / 10 % 360} 80% 50%)`;
  pen.fillRect(0, 0, canvas.width, canvas.height);
};
window.turn = (width, height) => { canvas.width = width; canvas.height = height; draw(); };
turn(640, 360);
setInterval(draw, 33);
const devices = navigator.mediaDevices;
const ask = devices.getUserMedia.bind(devices);
devices.getUserMedia = async (wanted) => {
  const stream = await ask({...wanted, video: false, audio: wanted.audio ?? true});
  if (!wanted.audio) for (const track of stream.getTracks()) {
    track.stop();
    stream.removeTrack(track);
  }
  if (wanted.video) stream.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
  window.given.push(...stream.getTracks());
  return stream;
};
devices.getDisplayMedia = async () => {
  const screen = document.createElement('canvas');
  [screen.width, screen.height] = [1024, 768];
  const pen = screen.getContext('2d');
  setInterval(() => {
    pen.fillStyle = `hsl(${performance.now() / 10 % 360} 20% 50%)`;
    pen.fillRect(0, 0, 1024, 768);
  }, 100);
  return screen.captureStream(10);
};
"""


def entries(product: Product) -> list[AnyEntry]:
    """The newest recording's manifest."""
    recording = product.rows("select id from recording order by created_ms desc limit 1")[0]["id"]
    rows = product.rows("select line from manifest_entry where recording = ? order by n", recording)
    return [decode_line(row["line"]).entry for row in rows]


def track_of(product: Product, role: str) -> str:
    """The track of a party in the newest recording."""
    rows = product.rows(
        "select track.id as id from track join party on party.id = track.party "
        "join recording on recording.id = track.recording "
        "where party.role = ? order by recording.created_ms desc limit 1",
        role,
    )
    return str(rows[0]["id"])


class Recorded:
    """What is kept of one party, as it grows."""

    def __init__(self, product: Product, role: str) -> None:
        self.product, self.role = product, role
        self.track = track_of(product, role)

    @property
    def media(self) -> list[Sealed]:
        """Its segments, without the header."""
        return [s for s in accepted(self.product) if s.track == self.track and s.clusters]

    async def more(self, what: str, holds: Callable[[Sealed], bool], count: int = 3) -> None:
        """Wait until some more segments are so."""
        last = max((s.index for s in self.media), default=0)

        def look() -> bool:
            return sum(s.index > last and holds(s) for s in self.media) >= count

        await until(f"{self.role}: {what}", look, 40)


def cues(data: bytes) -> list[int]:
    """The times of a file's index, ms."""
    head = ebml.read_element(data, 0)
    segment = ebml.read_element(data, head.end or 0)
    found = []
    for top in ebml.children(data, segment.payload, len(data)):
        if top.id == ebml.CUES:
            for point in ebml.children(data, top.payload, top.end or 0):
                time = next(ebml.children(data, point.payload, point.end or 0))
                found.append(ebml.read_unsigned(data, time))
        if top.id == ebml.CLUSTER:
            break
    return found


def apart(times: list[int], gaps: list[Gap], media: list[Sealed]) -> list[int]:
    """How far each cue is from the next, without what is known to be missing between them.

    Nor the time in which the browser made hardly a picture: its machine was busy with others, and
    who makes no picture makes no keyframe.
    """
    off = [(gap.start_ms, gap.end_ms) for gap in gaps]
    off += [(s.start_ms, s.end_ms) for s in media if 0 < s.video_frames < STARVED]
    return [
        later - earlier - sum(end - start for start, end in off if earlier <= start < later)
        for earlier, later in itertools.pairwise([*times, media[-1].end_ms])
    ]


def complaints(path: Path) -> str:
    """What ffmpeg says of decoding a file as it is stored: nothing, if all is well."""
    ran = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-map", "0", "-fps_mode",
         "passthrough", "-enc_time_base", "1:1000", "-f", "null", "-"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return ran.stderr + ("" if ran.returncode == 0 else f"exit {ran.returncode}")


async def play_out(video: Locator) -> dict[str, Any]:
    """Play a track to its end, four times as fast; where it ended, and how it went.

    In an element of its own: the player's are kept in step with each other.
    """
    found: dict[str, Any] = await video.evaluate(
        """async (given) => {
            const v = document.createElement('video');
            v.muted = true;
            v.src = given.currentSrc;
            document.body.append(v);
            v.playbackRate = 4;
            const over = new Promise((done) => {
                v.addEventListener('ended', () => done(null), {once: true});
                v.addEventListener('error', () => done(v.error.message), {once: true});
                setTimeout(() => done('it stands still'), 120_000);
            });
            await v.play();
            const error = await over;
            return {at: v.currentTime, duration: v.duration, error,
                    shown: v.getVideoPlaybackQuality().totalVideoFrames};
        }"""
    )
    return found


@pytest.mark.timeout(600)
async def test_everything_changes_and_it_is_one_recording(
    browser: Browser, product: Product, tmp_path: Path, monkeypatch: Any
) -> None:
    """Camera, screen, size, mute, a lost leg, a tab behind another: all of it in one file."""
    opened: list[Person] = []

    async def open_window(one: Browser, *given: Any, **options: Any) -> Person:
        person = await window(one, *given, **options)
        opened.append(person)
        if len(opened) == 2:
            await person.page.add_init_script(OWN_CAMERA)
        return person

    monkeypatch.setattr("tests.browser.people.window", open_window)
    agent, customer = await new_call(browser, product)
    await record(agent, customer, product, 2)
    one, other = Recorded(product, "customer"), Recorded(product, "agent")

    await customer.click("Turn off camera")
    lights = "given.filter((track) => track.kind === 'video').map((track) => track.readyState)"
    assert await customer.page.evaluate(lights) == ["ended"], "its light is off"
    await one.more("sound only", lambda s: not s.video_frames and s.audio_frames > 10, 6)
    await customer.click("Turn off camera")
    await one.more("pictures again", lambda s: s.video_frames > 5)
    assert await customer.page.evaluate(lights) == ["ended", "live"]
    before = (await agent.stats())["remoteFramesDecoded"]
    await agent.until(f"s.remoteFramesDecoded > {before} + 10")

    await customer.click("Mute microphone")
    await one.more("muted", lambda s: s.video_frames > 5)
    await customer.click("Mute microphone")

    await customer.click("Share screen")
    await one.more("the screen", lambda s: s.width * 3 == s.height * 4 and s.width > 0, 1)
    await customer.click("Share screen")
    await one.more("the camera", lambda s: s.width * 9 == s.height * 16 and s.width > 0, 1)

    await customer.page.evaluate("turn(360, 640)")
    await one.more("upright", lambda s: 0 < s.width < s.height, 2)
    await customer.page.evaluate("turn(640, 360)")
    await one.more("across", lambda s: s.width > s.height, 1)

    await agent.page.evaluate(
        "() => Promise.all([...document.querySelectorAll('.own video')].map((v) =>"
        " v.srcObject.getVideoTracks()[0].applyConstraints({width: 320, height: 180})))"
    )
    await other.more("smaller", lambda s: 0 < s.width <= 320, 2)

    behind = await agent.context.new_page()
    await behind.bring_to_front()
    await other.more("in the background", lambda s: s.audio_frames > 10 and s.video_frames > 0, 4)
    await behind.close()

    await customer.page.evaluate("connections.at(-1).close()")
    await one.more("another leg", lambda s: s.video_frames > 5, 4)

    await agent.click("Stop recording")
    await until("sealed", lambda: state_of_newest(product) == "sealed")
    gaps = [entry for entry in entries(product) if isinstance(entry, Gap)]
    assert [gap.reason for gap in gaps if gap.track == one.track] == ["leg.lost"]
    assert [gap.reason for gap in gaps if gap.track == other.track] == []

    admin = await staff(browser, product, "admin")
    player = await open_player(admin)
    for figure in await player.get_by_role("figure").all():
        party = one if "(customer)" in await figure.inner_text() else other
        data = await download(admin, figure.locator("video"))
        end_ms = party.media[-1].end_ms
        mine = [gap for gap in gaps if gap.track == party.track]
        path = tmp_path / f"{party.role}.webm"
        path.write_bytes(data)
        assert max(apart(cues(data), mine, party.media)) <= CUES_APART_MS
        assert complaints(path) == ""
        seen = await play_out(figure.locator("video"))
        assert seen["error"] is None
        assert abs(seen["at"] - seen["duration"]) < 0.5, seen
        assert abs(seen["duration"] * 1000 - end_ms) < 100, seen
        assert seen["shown"] > 10, seen
