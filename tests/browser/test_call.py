"""The whole way: a call between browsers, recorded only after both agreed, watched by an admin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, expect

from tests.browser.people import Person, ask, new_call, staff
from tests.browser.plain import payloads, where_in_plain
from tests.browser.product import Product, until
from tests.browser.story import accepted, open_player, record, state_of_newest

PICTURES = os.environ.get("AVSESSION_PICTURES")
"""A folder for the README's pictures; they are taken anew when it is given."""


async def picture(person: Person, name: str) -> None:
    if PICTURES:
        await person.page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def seek_and_decode(player: Locator, seconds: float) -> None:
    """Both videos, moved to a moment, show a frame there without an error."""
    for video in await player.locator("video").all():
        found: dict[str, Any] = await video.evaluate(
            """async (v, t) => {
                // The event of an earlier seek may still be on its way: it is not this one's end.
                const seeked = new Promise((done) => {
                    const there = () => !v.seeking && Math.abs(v.currentTime - t) < 1.5;
                    v.addEventListener('seeked', () => there() && done());
                    v.addEventListener('error', done, {once: true});
                });
                v.currentTime = t;
                await seeked;
                return {at: v.currentTime, ready: v.readyState, error: v.error?.message ?? null,
                        width: v.videoWidth, end: v.duration};
            }""",
            seconds,
        )
        assert found["error"] is None
        assert abs(found["at"] - seconds) < 1.5, found
        assert found["ready"] >= 2, found
        assert found["width"] > 0, found


async def test_recorded_only_after_both_agreed_and_kept_until_the_withdrawal(
    browser: Browser, product: Product
) -> None:
    """Decline, then allow; withdraw and keep; an admin watches; then once more with destroy."""
    agent, customer = await new_call(browser, product)
    assert not product.segments(), "nothing is recorded by default"
    assert (await customer.stats())["legState"] in (None, "none", "closed")
    await customer.recording("Not recording")

    await ask(agent)
    await customer.decline()
    await expect(customer.dialog("Recording consent")).to_be_hidden()
    before = (await customer.stats())["remoteFramesDecoded"]
    await customer.until(f"s.remoteFramesDecoded > {before} + 10")
    assert not product.segments(), "declining stores nothing"
    assert not product.rows("select * from recording")

    await record(agent, customer, product, 10)
    await expect(customer.page.get_by_text("Recorder", exact=True).first).to_be_visible()
    await picture(customer, "call")
    await customer.withdraw("Keep recording")
    for person in (agent, customer):
        await person.recording("Not recording")
        await person.until("s.legState !== 'connected'")
    await until("sealed", lambda: state_of_newest(product) == "sealed")
    grant = product.rows("select * from capture_grant order by issued_ms desc limit 1")[0]
    segments = accepted(product)
    assert segments
    assert all(s.captured_ms + s.uncertainty_ms <= grant["closed_ms"] for s in segments)
    assert len(product.segments()) == len(segments), "the rest is deleted"

    admin = await staff(browser, product, "admin")
    player = await open_player(admin)
    await player.get_by_role("button", name="Play", exact=True).click()
    for video in await player.locator("video").all():
        await expect(video).to_have_js_property("paused", False)
        await admin.page.wait_for_function(
            "v => v.getVideoPlaybackQuality().totalVideoFrames > 20",
            arg=await video.element_handle(),
        )
    await picture(admin, "review")
    await player.get_by_role("button", name="Pause", exact=True).click()
    for moment in (8.0, 3.0, 6.0):
        await seek_and_decode(player, moment)
    assert product.rows("select * from leaf where kind = 'recording.accessed'")

    sent = await payloads(admin, player)
    assert len(sent) > 100
    assert where_in_plain(product, sent) == []
    planted = product.temporary / "planted"
    planted.write_bytes(b"before" + sent[-1] + b"after")
    assert where_in_plain(product, sent) == [str(planted)], "the search finds what is there"

    await admin.context.close()
    kept = set(product.segments())
    await record(agent, customer, product, 3)
    assert len(product.files("custody/tracks")) == 4
    await customer.withdraw("Destroy recording")
    await until("erased", lambda: state_of_newest(product) == "erased")
    await until("segments gone", lambda: set(product.segments()) == kept)
    assert len(product.files("custody/tracks")) == 2, "the keys are destroyed"
    query = "select data from leaf where kind = 'recording.erased'"
    leaves = await until("destruction is written down", lambda: product.rows(query))
    assert len(leaves) == 1
    assert b"digest" in leaves[0]["data"]
    before = (await customer.stats())["remoteFramesDecoded"]
    await customer.until(f"s.remoteFramesDecoded > {before} + 10")
