"""Leaving, closing the tab, reloading, muting; and a server that is restarted in mid-call."""

from __future__ import annotations

import asyncio
import re
import signal

import pytest
from playwright.async_api import Browser, expect

from avsession.recording import Attach, Gap, decode_line
from tests.browser.people import Person, ask, new_call, window
from tests.browser.product import Product, until


async def recorded(agent: Person, customer: Person) -> None:
    await ask(agent)
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000")


async def test_a_closed_tab_is_noticed_within_seconds(browser: Browser, product: Product) -> None:
    """The gate closes at once, the seat is held; the agent sees it."""
    agent, customer = await new_call(browser, product)
    await recorded(agent, customer)
    began = asyncio.get_running_loop().time()
    await customer.page.close()
    await agent.recording("Not recording")
    assert asyncio.get_running_loop().time() - began < 5
    # said before it is written down
    unknown = "select * from party where presence = 'unknown'"
    await until("the seat that is held", lambda: product.rows(unknown))


async def test_a_reload_comes_back_and_recording_goes_on(
    browser: Browser, product: Product
) -> None:
    """The seat's cookie is enough; consent stands; the same recording goes on with a gap."""
    agent, customer = await new_call(browser, product)
    await recorded(agent, customer)
    await customer.page.reload()
    await customer.click("Join call")
    await until(
        "a new generation", lambda: len(product.rows("select * from capture_grant")) == 2, 30
    )
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 5", 30_000)
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000", 30_000)
    assert len(product.rows("select * from recording")) == 1
    assert len(product.rows("select * from capture_grant")) == 2


async def test_ending_the_call_ends_it_for_both(browser: Browser, product: Product) -> None:
    """The agent ends; the recording is sealed; the customer is told and keeps the private link."""
    agent, customer = await new_call(browser, product)
    await recorded(agent, customer)
    await agent.click("End call")
    await until(
        "sealed", lambda: product.rows("select * from recording where state = 'sealed'"), 15
    )
    assert product.rows("select * from session where ended_ms is not null")
    await expect(customer.button("Join call")).to_be_hidden()
    private = customer.page.get_by_role("textbox", name="Private link")
    await expect(private).to_have_value(re.compile("/privacy#"))
    # the private link lets them come back, see what was agreed, and withdraw
    later = await window(browser)
    await later.page.goto(await private.input_value())
    await expect(later.page.get_by_text("consent given").first).to_be_visible()
    await later.withdraw("Destroy recording")
    await until(
        "erased", lambda: product.rows("select * from recording where state = 'erased'"), 15
    )
    await until("nothing left", lambda: not product.segments())
    assert product.files("custody/tracks") == []
    assert product.rows("select * from consent_event where kind = 'withdrawn'")


async def drained(product: Product, *people: Person) -> None:
    """Told to stop, the server waits for the call to end, and its people are told; nothing else
    changes. The next signal is the last."""
    product.signal(signal.SIGTERM)
    for person in people:
        said = person.page.get_by_text("This service stops soon. Your call goes on for now")
        await expect(said).to_be_visible()
        await person.recording("Recording")


@pytest.mark.parametrize(
    ("how", "product"),
    [(signal.SIGKILL, {}), (signal.SIGTERM, {"drain_s": "60"})],
    ids=["killed", "drained"],
    indirect=["product"],
)
async def test_the_server_restarts_in_mid_call(
    browser: Browser, product: Product, how: signal.Signals
) -> None:
    """Ended and started again: the call goes on, everyone reconnects, recording resumes."""
    agent, customer = await new_call(browser, product)
    await recorded(agent, customer)
    if how is signal.SIGTERM:
        await drained(product, agent, customer)
    before = {p: (await p.stats())["remoteFramesDecoded"] for p in (agent, customer)}
    await product.stop(how)
    for person in (agent, customer):
        await person.until(f"s.remoteFramesDecoded > {before[person]} + 20")
    await product.start()
    await until(
        "a new generation", lambda: len(product.rows("select * from capture_grant")) == 2, 30
    )
    for person in (agent, customer):
        await person.recording("Recording")
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000", 30_000)
    await customer.click("Stop recording")
    await until(
        "sealed", lambda: product.rows("select * from recording where state = 'sealed'"), 15
    )
    lines = product.rows("select line from manifest_entry order by n")
    entries = [decode_line(row["line"]).entry for row in lines]
    assert len(product.rows("select * from recording")) == 1
    generations = [e.generation for e in entries if isinstance(e, Attach)]
    assert len(generations) >= 2
    assert generations == sorted(set(generations))
    assert [e for e in entries if isinstance(e, Gap)], "what was lost is said"


async def test_ctrl_c_finalises_what_is_being_recorded(browser: Browser, product: Product) -> None:
    """A recording in progress is sealed before the server ends; the call itself goes on."""
    agent, customer = await new_call(browser, product)
    await recorded(agent, customer)
    workers = product.worker_pids()
    assert workers
    assert await product.stop() == 0
    assert [r["state"] for r in product.rows("select * from recording")] == ["sealed"]
    for person in (agent, customer):
        await expect(person.page.get_by_text("The server was stopped")).to_be_visible()
    before = (await customer.stats())["remoteFramesDecoded"]
    await customer.until(f"s.remoteFramesDecoded > {before} + 10")
