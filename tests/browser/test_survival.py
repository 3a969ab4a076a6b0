"""A call that survives: its connections are cut for real, and it comes back by itself.

The customer has a browser of their own, whose network is the test's. How long each coming back
took is printed (`-s`), not asserted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import chromium
from tests.browser.people import Person, new_call
from tests.browser.product import Product, until
from tests.browser.roads import Roads
from tests.browser.story import kept_since, record
from tests.browser.watch import Watch

PLACES = """() => ['.call-top', '.reason', '.pictures', '.recording-tools', '.tools', '.call .end']
    .map((one) => document.querySelector(one).getBoundingClientRect())
    .map(({x, y, width, height}) => [x, y, width, height].map(Math.round).join(' '))"""
"""Where everything is: nothing may move because a connection is lost."""
RECORDED = "s.legState === 'connected' && s.legBytesSent > 3000 && s.recordingState === 'on'"
FLIGHT_S = 0.4
"""After a cut, what was on its way is still seen, and still recorded."""


@pytest_asyncio.fixture(loop_scope="module")
async def roads(product: Product) -> Any:
    made = Roads(product.port)
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own(browser: Browser, roads: Roads) -> Any:
    """The customer's browser."""
    made = await roads.browser(browser, chromium())
    yield made
    await made.close()


def says(person: Person, text: str) -> Any:
    """Waits until the page says this of its connections."""
    place = person.page.locator(".standing[role=status]")
    return expect(place).to_have_text(text, timeout=30_000)


async def pictures_go_on(person: Person, timeout: float = 30_000) -> None:
    before = (await person.stats())["remoteFramesDecoded"]
    await person.until(f"s.remoteFramesDecoded > {before} + 5", timeout)


async def recorded_again(product: Product, *people: Person) -> None:
    """Both are told so, and what both send from now on is kept."""
    now_ms = time.time_ns() / 1e6
    await until("both are kept again", lambda: kept_since(product, now_ms), 30)
    for person in people:
        await person.recording("Recording|Aufzeichnung läuft")
        await person.until(RECORDED, 30_000)


class Stopwatch:
    """Since the network's return."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = asyncio.get_running_loop().time()

    def back(self) -> None:
        passed = asyncio.get_running_loop().time() - self._began
        sys.stdout.write(f"{self._what}: back after {passed:.1f} s\n")


async def test_a_recorded_call_survives_what_happens_to_networks(
    browser: Browser, own: Browser, product: Product, roads: Roads
) -> None:
    """The way to the server is lost; the network is gone and comes back as another one; only the
    media is lost; all is lost without a word; the laptop sleeps. What is said, and shown, is right
    each time."""
    agent, customer = await new_call(browser, product, customer=await roads.person(own))
    watch = Watch(customer, product.url)
    await record(agent, customer, product, 1)
    # what is said is checked in both languages: the customer has chosen German
    await customer.page.get_by_label("Language").first.select_option("de")
    await customer.recording("Aufzeichnung läuft")
    places = await customer.page.evaluate(PLACES)

    # the way to the server is gone, without a word
    roads.vanish(media=False)
    lost = "Die Verbindung zum Server ist verloren"
    await says(customer, f"{lost} und wird wiederhergestellt. Ihr Gespräch geht weiter.")
    # nothing of ours is recorded, and what else is so cannot be known
    await customer.recording("Keine Aufzeichnung")
    assert (await customer.stats())["legState"] != "connected"
    reason = f"{lost}, daher wird gerade nichts aufgezeichnet."
    await expect(customer.page.locator(".reason")).to_have_text(reason)
    assert await customer.page.evaluate(PLACES) == places
    await pictures_go_on(customer)
    watch.wrong = [one for one in watch.wrong if "WebSocket" not in one]
    await watch.check("server lost")
    roads.back()
    back = Stopwatch("the way to the server")
    await says(customer, "Wieder verbunden.")  # for a moment only
    await recorded_again(product, customer, agent)
    back.back()

    # the network is gone, which the browser knows, and another one comes
    roads.vanish()
    await customer.context.set_offline(True)
    await says(customer, "Ihre Verbindung ist verloren. Verbindung wird wiederhergestellt …")
    await customer.recording("Keine Aufzeichnung")
    # consent is not touched by all this; asked for in the dark, a pause is said when it can be
    await customer.click("Aufzeichnung pausieren")
    roads.another()
    await customer.context.set_offline(False)
    back = Stopwatch("another network")
    await pictures_go_on(customer)
    back.back()
    await pictures_go_on(agent)
    await customer.recording("Aufzeichnung pausiert")
    await agent.recording("Recording paused")
    await customer.click("Aufzeichnung fortsetzen")
    await recorded_again(product, customer, agent)

    # only sound and picture are lost, both say so, and both have them back
    roads.vanish(server=False)
    await says(agent, "Sound and picture are interrupted. Reconnecting…")
    await says(customer, "Ton und Bild sind unterbrochen. Verbindung wird wiederhergestellt …")
    assert await customer.page.evaluate(PLACES) == places
    roads.another()
    back = Stopwatch("another path, and nobody said so")
    await pictures_go_on(customer)
    back.back()
    await pictures_go_on(agent)
    await recorded_again(product, customer, agent)

    # everything is another network from one moment to the next, and nobody says so
    roads.another()
    back = Stopwatch("another network, and nobody said so")
    await asyncio.sleep(FLIGHT_S)
    await pictures_go_on(customer)
    back.back()
    await pictures_go_on(agent)
    await recorded_again(product, customer, agent)

    # the laptop sleeps until the server has noticed, and wakes
    session = await own.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    try:
        for process in processes:
            os.kill(process["id"], signal.SIGSTOP)
        await says(agent, "The other person's connection is lost. Waiting for them to come back…")
        await agent.recording("Not recording")
    finally:
        for process in processes:
            os.kill(process["id"], signal.SIGCONT)
    back = Stopwatch("asleep")
    await recorded_again(product, customer, agent)
    back.back()
    await pictures_go_on(customer)
    await pictures_go_on(agent)

    # nobody left, joined twice, or was asked again; one recording; the log tells the same story
    kinds = "select kind, count(*) as n from leaf group by kind"
    leaves = {row["kind"]: row["n"] for row in product.rows(kinds)}
    assert (leaves["party.joined"], leaves.get("party.left", 0)) == (2, 0)
    assert (leaves["recording.requested"], leaves["consent.given"]) == (1, 2)
    assert (leaves["recording.paused"], leaves["recording.resumed"]) == (1, 1)
    assert len(product.rows("select * from recording")) == 1
    await agent.click("End call")
    await until("sealed", lambda: product.rows("select 1 from recording where state = 'sealed'"))
