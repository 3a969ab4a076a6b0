"""A real browser plays and seeks the virtual file, over HTTP ranges."""

import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from avsession.sealing.open import VirtualFile, open_track
from tests.avsession.sealing.made import TRACK, Frame, Made, audio_only, late, make, without

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

SCRIPT = """
<!doctype html><title>player</title><video id=video muted></video><script>
const video = document.getElementById('video');
const once = name => new Promise((done, fail) => {
  video.addEventListener(name, done, {once: true});
  video.addEventListener('error', () => fail(new Error(video.error.message)), {once: true});
});
const shown = () => new Promise(done =>
  video.requestVideoFrameCallback((_, frame) => done(frame.mediaTime)));

async function load() {
  const loaded = once('loadeddata');
  video.src = '/track.webm';
  await loaded;
  return {duration: video.duration, start: video.currentTime, end: video.seekable.end(0),
          width: video.videoWidth, height: video.videoHeight};
}
async function seek(time, hasVideo) {
  const seeked = once('seeked'), frame = hasVideo ? shown() : null;
  video.currentTime = time;
  await seeked;
  return {time: video.currentTime, frame: await frame};
}
async function play(rate, until) {
  // what was shown, by its place on the timeline and by the wall clock
  const frames = [], began = performance.now();
  const note = (now, frame) => {
    frames.push([frame.mediaTime, now]);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
  video.playbackRate = rate;
  await video.play();
  await new Promise((done, fail) => {
    video.addEventListener('error', () => fail(new Error(video.error.message)));
    video.addEventListener('ended', done);
    video.addEventListener('timeupdate', () => video.currentTime >= until && done());
  });
  video.pause();
  return {frames, time: video.currentTime, ended: video.ended, wall: performance.now() - began};
}
</script>
"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


class Player:
    """A page with the file in it, and what it asked the server for."""

    def __init__(self, page: Any) -> None:
        self._page = page

    async def call(self, code: str) -> Any:
        return await self._page.evaluate(code)


Playing = Callable[[Made], Any]


@pytest.fixture
async def playing(browser: Browser) -> AsyncIterator[Playing]:
    runners: list[web.AppRunner] = []

    async def play(made: Made) -> Player:
        file = await open_track(made.manifest, TRACK, made.identity, made.fetch)

        async def page(_request: web.Request) -> web.Response:
            return web.Response(text=SCRIPT, content_type="text/html")

        async def track(request: web.Request) -> web.StreamResponse:
            return await respond(request, file)

        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_get("/track.webm", track)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        opened = await browser.new_page()
        await opened.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        return Player(opened)

    yield play
    for context in browser.contexts:
        await context.close()
    for runner in runners:
        await runner.cleanup()


async def respond(request: web.Request, file: VirtualFile) -> web.StreamResponse:
    """One range, or all (RFC 9110 section 14), as a player asks."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    start, end = 0, file.size
    if match:
        start = int(match[1])
        end = min(int(match[2]) + 1, file.size) if match[2] else file.size
    response = web.StreamResponse(status=206 if match else 200)
    response.content_type = "video/webm"
    response.content_length = end - start
    response.headers["Accept-Ranges"] = "bytes"
    if match:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    await response.prepare(request)
    with suppress(ConnectionError):  # the player seeks elsewhere
        async for chunk in file.stream(start, end):
            await response.write(chunk)
    return response


async def test_it_plays_to_the_end_and_seeks(playing: Playing, source: tuple[Frame, ...]) -> None:
    player = await playing(make(source))
    loaded = await player.call("load()")
    assert loaded == {
        "duration": pytest.approx(8.021, abs=0.05),
        "start": 0,
        "end": loaded["duration"],
        "width": 320,
        "height": 240,
    }
    for time in (4.5, 0.5, 7.2, 1.3):
        found = await player.call(f"seek({time}, true)")
        assert found["time"] == pytest.approx(time)
        # the picture of that moment; there are fifteen a second
        assert found["frame"] == pytest.approx(time, abs=0.1)
    await player.call("seek(6, true)")
    played = await player.call("play(1, 99)")
    assert played["ended"]
    assert played["time"] == pytest.approx(loaded["duration"], abs=0.1)


async def test_a_track_that_starts_late_keeps_its_place_on_the_timeline(
    playing: Playing, source: tuple[Frame, ...]
) -> None:
    player = await playing(make(late(source, 1200)))
    loaded = await player.call("load()")
    assert loaded["duration"] == pytest.approx(9.221, abs=0.05)
    assert loaded["start"] == pytest.approx(1.2, abs=0.05)
    found = await player.call("seek(5, true)")
    assert (found["time"], found["frame"]) == (pytest.approx(5), pytest.approx(5, abs=0.1))
    # before its start there is nothing: a player of two tracks must not take this for an error
    found = await player.call("seek(0.3, true)")
    assert found["frame"] == pytest.approx(1.207, abs=0.05)


async def test_a_gap_takes_its_time(playing: Playing, source: tuple[Frame, ...]) -> None:
    player = await playing(make(without(source, 3000, 6000)))
    loaded = await player.call("load()")
    assert loaded["duration"] == pytest.approx(8.021, abs=0.05)
    await player.call("seek(2.5, true)")
    played = await player.call("play(1, 6.5)")
    shown = [frame for frame in played["frames"] if frame[0] > 2]
    before = max(frame for frame in shown if frame[0] < 3)
    after = min(frame for frame in shown if frame[0] >= 6)
    # on the wall clock the gap is as long as on the timeline: two tracks stay in step
    assert (after[1] - before[1]) / 1000 == pytest.approx(after[0] - before[0], abs=0.5)
    found = await player.call("seek(4.5, true)")
    assert found["time"] == pytest.approx(4.5)
    assert found["frame"] < 3


async def test_a_camera_that_was_off_still_speaks(
    playing: Playing, source: tuple[Frame, ...]
) -> None:
    player = await playing(make(audio_only(source)))
    loaded = await player.call("load()")
    assert loaded["duration"] == pytest.approx(8.021, abs=0.05)
    assert (await player.call("seek(5, false)"))["time"] == pytest.approx(5)
    played = await player.call("play(2, 6.5)")
    assert played["time"] >= 6.5


async def test_seeking_fetches_little(playing: Playing, source: tuple[Frame, ...]) -> None:
    """Over a long file: what lies between is not read."""
    long = [frame for n in range(40) for frame in late(source, n * 8040)]
    made = make(long)
    player = await playing(made)
    await player.call("load()")
    made.fetched.clear()
    found = await player.call("seek(300, true)")
    assert found["frame"] == pytest.approx(300, abs=0.1)
    # it reads ahead from the start and around the target, each some megabytes
    assert len(set(made.fetched)) < len(made.sealed) / 2
