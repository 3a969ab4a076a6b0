"""Age, a child's data, and who leaves the house, as their people see it."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, staff, window
from tests.browser.product import Product, until
from tests.browser.watch import Watch


async def test_too_young_then_a_child_then_an_agent_leaves(
    browser: Browser, product: Product
) -> None:
    agent = await staff(browser, product, "agent")
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile("/join#"))
    address = await link.input_value()

    # whoever is too young is told kindly, and nothing is stored or spent
    young = await window(browser, PHONE)
    shown = Watch(young, product.url)
    await young.page.goto(address)
    await expect(young.page.get_by_text("at least 13 years old")).to_be_visible()
    await young.click("I am younger than 13")
    await expect(young.page.get_by_role("heading", name="Please ask a grown-up")).to_be_focused()
    await expect(young.button("Join call")).to_be_hidden()
    await shown.check("customer-too-young")
    assert product.rows("select 1 from party where role = 'customer'") == []

    # the same link is still good, in two clicks as before
    customer = await window(browser)
    await customer.page.goto(address)
    await customer.page.get_by_role("textbox", name="Your name").fill("Kim Kind")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 5", 30_000)

    # the admin erases the child: the call ends first
    admin = await staff(browser, product, "admin")
    await admin.page.set_viewport_size(PHONE)
    seen = Watch(admin, product.url)
    await admin.page.locator("#sessions button.link").first.click()
    story = admin.page.get_by_role("region", name="Story of a session")
    await story.get_by_role("button", name="Erase a child's data").click()
    dialog = admin.dialog("Erase a child's data")
    await expect(dialog.get_by_text("still going on and ends first")).to_be_visible()
    await seen.check("admin-child")
    await dialog.get_by_role("button", name="Erase now").click()
    await expect(customer.page.get_by_role("heading", name="The call was ended")).to_be_visible()
    await expect(story.get_by_text("(erased)").first).to_be_visible()
    await until("erased", lambda: not product.rows("select 1 from party where name like 'Kim%'"))

    # an agent sees what is kept about them, then leaves: out at once
    await agent.page.goto(f"{product.url}/privacy")
    await expect(agent.page.get_by_text("Your data as a member of staff")).to_be_visible()
    await expect(agent.page.get_by_text("Your sessions (1)")).to_be_visible()
    await Watch(agent, product.url).check("agent-privacy")
    await admin.click("Disable account: Agent")
    await expect(admin.dialog("Disable account")).to_be_visible()
    await seen.check("admin-disable")
    await admin.dialog("Disable account").get_by_role("button", name="Disable account").click()
    table = admin.page.get_by_role("table", name="Staff accounts")
    await expect(table.get_by_text("disabled on")).to_be_visible()
    await seen.check("admin-accounts")
    await agent.page.goto(f"{product.url}/")
    await agent.page.wait_for_url(f"{product.url}/signin")
