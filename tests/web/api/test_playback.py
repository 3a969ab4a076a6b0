"""Opening with a reason, and streaming real sealed segments in ranges."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from avsession.errors import RecordingTruncated
from avsession.records import Access, Leaf
from tests.support.recorded import SECONDS
from tests.web.support import HOST, Site, Story, same_shape, serve
from web.api.playback import CHUNK, stream
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
OPEN = {"reason": "Complaint 4711", "purpose": "quality"}


async def opened(site: Site, story: Story, cookie: str | None = None) -> Any:
    path = f"/api/admin/recordings/{story.recorded.recording}/open"
    return (await site.post(path, OPEN, cookie=cookie or story.admin)).json


async def test_opening_is_in_the_log_before_anything_is_seen(site: Site, story: Story) -> None:
    answer = await opened(site, story)
    same_shape(EXAMPLES["/api/admin/recordings/{recording}/open"], answer)
    assert {track["name"] for track in answer["tracks"]} == {"Agent", "Ben"}
    assert answer["tracks"][0]["gaps"] == [{"start_ms": 1500, "end_ms": 1900, "reason": "paused"}]
    async with site.app.store.read() as tx:
        (leaf,) = await tx.find(Leaf, kind="recording.accessed")
        (access,) = await tx.find(Access)
    assert access.id == answer["access"]
    assert access.id.encode() in leaf.data
    assert b"4711" not in leaf.data


async def test_a_whole_track_and_every_part_of_it(site: Site, story: Story) -> None:
    answer = await opened(site, story)
    track = next(t for t in answer["tracks"] if t["party"] == story.call.customer)
    url = track["url"]
    whole = await site.get(url, cookie=story.admin)
    assert whole.status == 200
    assert whole.headers["Content-Type"] == "video/webm"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "no-store"
    assert int(whole.headers["Content-Length"]) == len(whole.body) == whole.response.content_length
    for frame in story.recorded.frames[story.call.customer]:
        assert frame in whole.body
    for frame in story.recorded.frames[story.call.agent]:
        assert frame not in whole.body
    size = len(whole.body)
    for header, start, end in (
        ("bytes=0-", 0, size),
        ("bytes=0-0", 0, 1),
        ("bytes=1000-70000", 1000, 70_001),
        (f"bytes={size - 5}-", size - 5, size),
        ("bytes=-100", size - 100, size),
        (f"bytes=100-{size * 2}", 100, size),
    ):
        part = await site.get(url, cookie=story.admin, headers={"Range": header})
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.body == whole.body[start:end]


async def test_a_range_outside_the_file(site: Site, story: Story) -> None:
    url = (await opened(site, story))["tracks"][0]["url"]
    size = int((await site.ask("HEAD", url, cookie=story.admin)).headers["Content-Length"])
    for header in (f"bytes={size}-", "bytes=-0", "bytes=0-1,3-4", "bytes=x"):
        answer = await site.get(url, cookie=story.admin, headers={"Range": header})
        assert (answer.status, answer.body) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{size}"


async def test_if_range_and_head(site: Site, story: Story) -> None:
    url = (await opened(site, story))["tracks"][0]["url"]
    whole = await site.get(url, cookie=story.admin)
    headers: dict[str, str | None] = {"Range": "bytes=5-6", "If-Range": '"something"'}
    answer = await site.get(url, cookie=story.admin, headers=headers)
    assert (answer.status, answer.body) == (200, whole.body)
    head = await site.ask("HEAD", url, cookie=story.admin, headers={"Range": "bytes=5-6"})
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(whole.body)


# --- refusals


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": "Complaint", "purpose": "evidence"}, 403, "consent.required"),
        ({"reason": "Complaint", "purpose": "marketing"}, 403, "consent.required"),
        ({"reason": "   ", "purpose": "quality"}, 400, "invalid"),
        ({"reason": "", "purpose": "quality"}, 400, "invalid"),
        ({"reason": "x" * 501, "purpose": "quality"}, 400, "invalid"),
        ({"purpose": "quality"}, 400, "invalid"),
        ({"reason": "Complaint", "purpose": "Quality!"}, 400, "invalid"),
    ],
)
async def test_no_opening_without_reason_and_consent(
    site: Site, story: Story, body: dict[str, str], status: int, code: str
) -> None:
    path = f"/api/admin/recordings/{story.recorded.recording}/open"
    answer = await site.post(path, body, cookie=story.admin)
    assert (answer.status, answer.code) == (status, code)
    async with site.app.store.read() as tx:
        assert await tx.count(Access) == 0


async def test_who_may_open(site: Site, story: Story) -> None:
    path = f"/api/admin/recordings/{story.recorded.recording}/open"
    assert (await site.post(path, OPEN, cookie=story.agent)).code == "not_permitted"
    assert (await site.post(path, OPEN, cookie=story.call.seat)).code == "auth.required"
    missing = f"/api/admin/recordings/rec_{'a' * 26}/open"
    assert (await site.post(missing, OPEN, cookie=story.admin)).code == "not_found"


async def test_only_the_session_that_opened_it_watches(site: Site, story: Story) -> None:
    url = (await opened(site, story))["tracks"][0]["url"]
    assert (await site.get(url, cookie=await site.admin())).status == 404
    assert (await site.get(url, cookie=story.agent)).status == 403
    assert (await site.get(url)).status == 401
    assert (await site.get(url, cookie=story.admin)).status == 200


async def test_another_access_or_track_is_not_this_one(site: Site, story: Story) -> None:
    answer = await opened(site, story)
    access, track = answer["access"], answer["tracks"][0]["track"]
    for path in (
        f"/api/admin/access/acs_{'a' * 26}/tracks/{track}.webm",
        f"/api/admin/access/{access}/tracks/trk_{'a' * 26}.webm",
        f"/api/admin/access/{access}/tracks/{track}",
        f"/api/admin/access/{access}/tracks/{track}.webm.webm",
    ):
        assert (await site.get(path, cookie=story.admin)).status == 404


async def test_an_access_ends(site: Site, story: Story) -> None:
    url = (await opened(site, story))["tracks"][0]["url"]
    for _ in range(3):
        site.clock.forward(1199)
        assert (await site.get(url, cookie=story.admin)).status == 200
    site.clock.forward(3)
    assert (await site.get(url, cookie=story.admin)).status == 404


async def test_an_erased_recording_is_gone(site: Site, story: Story) -> None:
    url = (await opened(site, story))["tracks"][0]["url"]
    await site.post(
        "/api/my-data/withdraw",
        {
            "secret": story.call.secret,
            "request": story.recorded.request,
            "fate": "destroy",
            "key": "0123456789abcdef",
        },
    )
    answer = await site.get(url, cookie=story.admin)
    assert (answer.status, answer.code) == (409, "recording.erased")
    path = f"/api/admin/recordings/{story.recorded.recording}/open"
    assert (await site.post(path, OPEN, cookie=story.admin)).code == "recording.erased"


# --- damage


def damage(tmp_path: Path, story: Story, index: int) -> None:
    path = tmp_path / "objects" / story.recorded.segment(story.call.customer, index)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


async def test_a_damaged_segment_is_said_when_it_comes_first(
    site: Site, story: Story, tmp_path: Path
) -> None:
    damage(tmp_path, story, 0)
    answer = await opened(site, story)
    url = next(t["url"] for t in answer["tracks"] if t["party"] == story.call.customer)
    part = await site.get(url, cookie=story.admin)
    assert (part.status, part.code) == (500, "recording.truncated")


async def test_a_damaged_segment_breaks_the_connection_off(
    site: Site, story: Story, tmp_path: Path
) -> None:
    answer = await opened(site, story)
    url = next(t["url"] for t in answer["tracks"] if t["party"] == story.call.customer)
    whole = (await site.get(url, cookie=story.admin)).body
    damage(tmp_path, story, SECONDS)
    # another opening: the first still has what it read in memory
    answer = await opened(site, story)
    url = next(t["url"] for t in answer["tracks"] if t["party"] == story.call.customer)
    got = bytearray()
    request = site.client.get(site.url + url, headers={"Host": HOST, "Cookie": story.admin})
    async with request as response:
        assert response.status == 200
        assert response.content_length == len(whole)
        with pytest.raises(aiohttp.ClientError):
            await take(response, got)
    assert bytes(got) == whole[: len(got)], "what came is right, and it is not the end"
    assert len(got) < len(whole)
    part = await site.get(url, cookie=story.admin, headers={"Range": "bytes=0-70000"})
    assert part.body == whole[:70_001], "what is whole can still be watched"


async def take(response: aiohttp.ClientResponse, got: bytearray) -> None:
    async for data in response.content.iter_any():
        got += data


# --- the stream itself


class Ranges:
    """A file in memory that notes how it is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.damaged_from = self.size + 1
        self.reads: list[tuple[int, int]] = []

    async def read(self, start: int, end: int) -> bytes:
        self.reads.append((start, end))
        if end > self.damaged_from:
            raise RecordingTruncated
        return self.data[start:end]


def one_file(file: Ranges) -> web.Application:
    app = web.Application()

    async def get(request: web.Request) -> web.StreamResponse:
        return await stream(request, file, "video/webm")

    app.router.add_get("/", get)
    return app


async def test_it_is_read_in_chunks(site: Site) -> None:
    file = Ranges(bytes(CHUNK * 2 + 5))
    async with serve(one_file(file)) as (client, base), client.get(base) as response:
        assert await response.read() == file.data
    assert file.reads == [(0, CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, 2 * CHUNK + 5)]


async def test_a_slow_player_is_waited_for() -> None:
    file = Ranges(bytes(64 * 1024 * 1024))
    async with serve(one_file(file)) as (client, base), client.get(base) as response:
        await response.content.readany()
        before = -1
        while before != len(file.reads):
            before = len(file.reads)
            await asyncio.sleep(0.2)
        assert sum(end - start for start, end in file.reads) < file.size / 2
        response.close()


async def test_an_empty_file() -> None:
    file = Ranges(b"")
    async with serve(one_file(file)) as (client, base):
        async with client.get(base) as response:
            assert (response.status, await response.read()) == (200, b"")
        async with client.get(base, headers={"Range": "bytes=0-"}) as response:
            assert response.status == 416


async def test_a_file_shorter_than_it_says_is_broken_off() -> None:
    file = Ranges(bytes(CHUNK + 5))
    file.size += 1
    async with serve(one_file(file)) as (client, base), client.get(base) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
