"""TURN: calls and recordings of people who reach each other through a real coturn only."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from avsession.turn.credentials import pseudonym
from recorder.spool import LEG_LOST
from tests.browser.between import Between
from tests.browser.conftest import chromium
from tests.browser.people import Person, new_call, staff, window
from tests.browser.product import Product, until
from tests.browser.relayed import CONNECTIONS, RELAYS, Ground, ground, ways
from tests.browser.story import accepted, open_player, record, state_of_newest
from tests.support.coturn import LOOPBACK, running, settings_for

TTL_S = 20
"""The shortest there is: new credentials every 10 s."""


@pytest_asyncio.fixture(loop_scope="module")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page keeps its connections where `ways` finds them."""

    async def open_window(browser: Browser, *given: Any, **options: Any) -> Person:
        person = await window(browser, *given, **options)
        await person.page.add_init_script(CONNECTIONS)
        return person

    monkeypatch.setattr("tests.browser.people.window", open_window)


async def reached(
    person: Person, what: str, look: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The page's ways, once they are as wanted."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = await ways(person)
        return look(found)

    await until_true(f"{what}: {found}", there)
    return found


async def until_true(what: str, look: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 40
    while not await look():
        assert time.monotonic() < end, what


@pytest.mark.usefixtures("seen")
async def test_a_long_recorded_call_with_no_way_but_turn(
    playwright: Playwright, tmp_path: Path
) -> None:
    """Through three pairs of credentials: none of them ends the call, the recording, or a leg."""
    path = chromium() or playwright.chromium.executable_path
    async with ground(playwright, path, tmp_path, turn__ttl_s=str(TTL_S)) as here:
        agent, customer = await new_call(here.agents, here.product, here.customers)
        people = (agent, customer)
        for person in people:
            (call,) = await ways(person)
            assert "relay" in {call["local"], call["remote"]}
        first = {person: (await ways(person))[0] for person in people}
        await record(agent, customer, here.product, 3)
        for person in people:
            legs = [way for way in await ways(person) if way["leg"]]
            assert [way for way in legs if "relay" in {way["local"], way["remote"]}] == legs != []
        # each holds credentials of its own, the recorder, too
        session = here.product.rows("select session from recording")[0]["session"]
        names = {way["user"].partition(":")[2] for way in first.values()}
        recorder = pseudonym(here.relay.secret, session, "recorder")
        assert len(names) == 2
        log = here.relay.log.read_text()
        for name in (*names, recorder):
            assert f":{name}>: incoming packet ALLOCATE processed, success" in log

        for person in people:
            old = first[person]
            new = await reached(
                person,
                "a new path under new credentials",
                lambda ways, old=old: any(  # type: ignore[misc]
                    way["ufrag"] != old["ufrag"] and way["user"] != old["user"]
                    for way in ways
                    if not way["leg"]
                ),
            )
            assert all("relay" in {way["local"], way["remote"]} for way in new)
        ended = max(int(way["user"].partition(":")[0]) for way in first.values())
        await until("the first credentials have ended", lambda: time.time() > ended + 1, 30)
        for person in people:
            frames = (await person.stats())["remoteFramesDecoded"]
            await person.until(f"s.remoteFramesDecoded > {frames} + 10")
            assert (await person.stats())["legState"] == "connected"
        kept = len(accepted(here.product))
        await until("the recording goes on", lambda: len(accepted(here.product)) > kept + 2)
        await agent.click("Stop recording")
        await until("sealed", lambda: state_of_newest(here.product) == "sealed")
        lines = [row["line"] for row in here.product.rows("select line from manifest_entry")]
        assert lines
        assert not [line for line in lines if LEG_LOST.encode() in line], "no leg had to be remade"
        await plays(here)
        await every_transport(here, agent)
        await nothing_told(here)


LIE = """
const Honest = RTCPeerConnection;
window.RTCPeerConnection = class extends Honest {
  constructor(config) { super({ ...config, iceTransportPolicy: "all" }); }
  setConfiguration(config) { super.setConfiguration({ ...config, iceTransportPolicy: "all" }); }
};
"""
"""A page that tells its addresses although it was told not to."""


async def test_relay_only_keeps_addresses_even_of_a_page_that_lies(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the customer's page tells never reaches the agent's; call and recording are relayed."""
    agents, customers = Between(), Between()

    async def open_window(where: Browser, *given: Any, **options: Any) -> Person:
        person = await window(where, *given, **options)
        between = agents if agents.person is None else customers
        between.person = person
        await between.attach(person)
        await person.page.add_init_script(CONNECTIONS)
        if between is customers:
            await person.page.add_init_script(LIE)
        return person

    monkeypatch.setattr("tests.browser.people.window", open_window)
    turn = settings_for(tmp_path, allowed_peers=(LOOPBACK,))
    product = Product(
        tmp_path / "product",
        turn__urls=json.dumps(turn.urls),
        turn__secret_file=str(turn.secret_file),
        media__relay_only="true",
    )
    async with running(turn, tmp_path):
        await product.start()
        try:
            agent, customer = await new_call(browser, product)
            await record(agent, customer, product, 2)
            (call,), (leg,) = [
                [way for way in await ways(agent) if way["leg"] is is_leg]
                for is_leg in (False, True)
            ]
        finally:
            await product.stop()
    for way in (call, leg):
        assert (way["local"], way["remote"]) == ("relay", "relay")
    assert " typ host" in told(customers.from_page), "it does lie"
    assert " typ host" not in told(agents.from_page), "an honest page has nothing to hide"
    for heard in (agents.to_page, customers.to_page):
        offers = [m for m in heard if m["type"] in {"described", "trickled", "leg.offer"}]
        assert " typ relay" in told(offers)
        kinds = re.findall(r"candidate:.*? typ (\S+)(?: raddr (\S+))?", told(offers))
        assert set(kinds) == {("relay", "0.0.0.0")}
        assert set(re.findall(r"(?:c|o)=.*?IN IP[46] ([0-9a-f.:]+)", told(offers))) == {"0.0.0.0"}


def told(messages: list[dict[str, Any]]) -> str:
    """The descriptions and candidates in these messages."""
    return "\n".join(m.get("sdp", "") + m.get("candidate", "") for m in messages)


async def plays(here: Ground) -> None:
    admin = await staff(here.agents, here.product, "admin")
    player = await open_player(admin)
    await player.get_by_role("button", name="Play", exact=True).click()
    for video in await player.locator("video").all():
        await admin.page.wait_for_function(
            "v => v.getVideoPlaybackQuality().totalVideoFrames > 20",
            arg=await video.element_handle(),
        )


async def every_transport(here: Ground, person: Person) -> None:
    """A browser gets through by UDP, by TCP and by TLS."""
    user, password = here.relay.credentials(name="transports")
    servers = {"urls": here.relay.turn.urls, "username": user, "credential": password}
    found = await person.page.evaluate(RELAYS, servers)
    told = zip(here.relay.turn.urls, ("udp", "tcp", "tls"), strict=True)
    assert found == {url: ["through", by] for url, by in told}


async def nothing_told(here: Ground) -> None:
    """The secret is in no log, nor is a password that was handed out."""
    log = here.product.log.read_text()
    assert here.relay.secret.value not in log
    assert "credential" not in log
