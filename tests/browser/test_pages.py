"""Every page in every state: accessible, alone with its server, keeping nothing unannounced."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.browser.people import PHONE, WIDE, Person, staff, window
from tests.browser.product import Product, until
from tests.browser.story import record
from tests.browser.watch import Watch

SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])


@SIZES
@pytest.mark.parametrize("path", ["/signin", "/join", "/privacy", "/cookies"])
async def test_pages_that_need_nobody(
    browser: Browser, shared: Product, path: str, size: ViewportSize
) -> None:
    """Signed out, without a link."""
    for scheme in ("light", "dark"):
        person = await window(browser, size, color_scheme=scheme)
        watch = Watch(person, shared.url)
        await person.page.goto(f"{shared.url}{path}")
        await expect(person.page.get_by_role("heading", level=1)).to_be_visible()
        await watch.check(f"{path.strip('/')}-{scheme}")


PLACES = """() => ['.call-top', '.pictures', '.call > .tools', '.tile.own'].map((name) => {
    const { x, y, width, height } = document.querySelector(name).getBoundingClientRect();
    return [name, x, y, width, height].join(" ");
})"""
"""Where the things are that stand still while a call goes through its states."""
COVERED = """() => {
    const own = document.querySelector('.tile.own').getBoundingClientRect();
    const apart = (one) => one.top >= own.bottom || one.bottom <= own.top
        || one.left >= own.right || one.right <= own.left;
    const buttons = [...document.querySelectorAll('.recording-tools button:not([hidden])')];
    const under = buttons.filter((one) => !apart(one.getBoundingClientRect()));
    return under.map((one) => one.textContent);
}"""
"""Buttons of the recording that one's own picture lies over."""
HIDDEN_BOXES = """() => [...document.querySelectorAll('.sheet input')].filter((box) => {
    const { x, y, width, height } = box.getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2) !== box;
}).length"""
"""Purposes of a dialog that cannot be ticked without scrolling."""


async def consent_at_a_glance(person: Person) -> None:
    """Every purpose in sight, the time there is, and that there is more, until it was seen."""
    dialog = person.dialog("Recording consent")
    below = dialog.get_by_text("There is more below")
    assert await person.page.evaluate(HIDDEN_BOXES) == 0
    await expect(dialog.get_by_text("No answer within 60 seconds means no.")).to_be_visible()
    await expect(below).to_be_visible()
    await dialog.evaluate("sheet => sheet.scrollTo(0, sheet.scrollHeight)")
    await expect(below).to_be_hidden()
    await dialog.evaluate("sheet => sheet.scrollTo(0, 0)")
    await expect(below).to_be_visible()


@SIZES
async def test_a_call_from_both_sides(
    browser: Browser, product: Product, size: ViewportSize
) -> None:
    """Lobby, call, request, consent, recording, withdrawal, the end, and the private link."""
    agent = await staff(browser, product, "agent")
    customer = await window(browser, size)
    seen, shown = Watch(agent, product.url), Watch(customer, product.url)
    await seen.check("agent-start")
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile("/join#"))
    await seen.check("agent-session")
    await customer.page.goto(await link.input_value())
    await customer.page.get_by_role("textbox", name="Your name").fill("Cleo Customer")
    await shown.check("customer-lobby")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 5", 30_000)
    await seen.check("agent-call")
    await shown.check("customer-call")
    places = await customer.page.evaluate(PLACES)
    await agent.click("Request recording")
    await expect(agent.dialog("Recording request")).to_be_visible()
    await seen.check("agent-request")
    await agent.dialog("Recording request").get_by_role("checkbox").first.check()
    await agent.dialog("Recording request").get_by_role("button", name="Send request").click()
    await expect(customer.dialog("Recording consent")).to_be_visible()
    await expect(customer.button("Mute microphone")).to_be_visible()
    await consent_at_a_glance(customer)
    await seen.check("agent-consent")
    await shown.check("customer-consent")
    assert await customer.page.evaluate(PLACES) == places
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.recording("Recording")
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000")
    await seen.check("agent-recording")
    await shown.check("customer-recording")
    assert await customer.page.evaluate(PLACES) == places
    assert await customer.page.evaluate(COVERED) == []
    assert await agent.page.evaluate(COVERED) == []
    await customer.click("Withdraw consent")
    await expect(customer.dialog("Withdraw consent")).to_be_visible()
    await customer.recording("Not recording")
    await shown.check("customer-withdraw")
    assert await customer.page.evaluate(PLACES) == places
    await expect(customer.page.get_by_text("it does not go on recording")).to_be_visible()
    await customer.dialog("Withdraw consent").get_by_role("button", name="Keep").click()
    await until("sealed", lambda: product.rows("select 1 from recording where state = 'sealed'"))
    await customer.click("End call")
    private = customer.page.get_by_role("textbox", name="Private link")
    await expect(private).to_have_value(re.compile("/privacy#"))
    await shown.check("customer-end")
    await customer.page.goto(await private.input_value())
    await expect(customer.page.get_by_text("consent given").first).to_be_visible()
    await shown.check("customer-mydata")


@SIZES
async def test_what_an_admin_sees(browser: Browser, product: Product, size: ViewportSize) -> None:
    """Sessions, a session's story, the question for a reason, the player."""
    agent = await staff(browser, product, "agent")
    customer = await window(browser)
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile("/join#"))
    await customer.page.goto(await link.input_value())
    await customer.page.get_by_role("textbox", name="Your name").fill("Cleo Customer")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 5", 30_000)
    await record(agent, customer, product, seconds=1)
    await agent.click("Stop recording")
    await until("sealed", lambda: product.rows("select 1 from recording where state = 'sealed'"))
    admin = await staff(browser, product, "admin")
    await admin.page.set_viewport_size(size)
    watch = Watch(admin, product.url)
    await admin.page.reload()
    table = admin.page.get_by_role("table", name="Recordings")
    await expect(table.get_by_role("button", name="Play")).to_be_visible()
    await watch.check("admin")
    await admin.click("Timeline")
    facts = admin.page.get_by_role("table", name="Timeline")
    for said in ("present", "consented", "stored", "recording was allowed"):
        await expect(facts.get_by_text(said).first).to_be_visible()
    verdict = admin.page.get_by_text("Every stored interval lies inside consent")
    await expect(verdict).to_be_visible()
    await watch.check("admin-timeline")
    await table.get_by_role("button", name="Play").click()
    await expect(admin.page.get_by_role("textbox", name="Reason")).to_be_visible()
    await watch.check("admin-reason")
    await admin.page.get_by_role("textbox", name="Reason").fill("Quality check")
    await admin.click("Open recording")
    await expect(admin.page.get_by_role("region", name="Player").locator("video")).to_have_count(2)
    await watch.check("admin-player")
