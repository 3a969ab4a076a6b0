"""A recording that is held, then destroyed, and the certificate of it, as its people see it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.browser.people import PHONE, WIDE, staff, window
from tests.browser.product import Product, until
from tests.browser.story import record
from tests.browser.watch import Watch

SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])


@SIZES
async def test_held_then_destroyed_then_certified(
    browser: Browser, product: Product, size: ViewportSize
) -> None:
    agent = await staff(browser, product, "agent")
    customer = await window(browser, size)
    shown = Watch(customer, product.url)
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile("/join#"))
    await customer.page.goto(await link.input_value())
    await customer.page.get_by_role("textbox", name="Your name").fill("Cleo Customer")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 5", 30_000)
    await record(agent, customer, product, 1)

    admin = await staff(browser, product, "admin")
    await admin.page.set_viewport_size(size)
    seen = Watch(admin, product.url)
    story = admin.page.get_by_role("region", name="Story of a session")
    await admin.page.locator("#recordings button.link").first.click()
    await story.get_by_role("button", name="Place hold").click()
    dialog = admin.dialog("Place hold")
    await dialog.get_by_label("Reason", exact=True).fill("Claim 12/26")
    await dialog.get_by_label("Who asked for it").fill("The company's lawyer")
    await seen.check("admin-hold")
    await dialog.get_by_role("button", name="Place hold").click()
    await expect(story.get_by_text("The whole session is held")).to_be_visible()
    standing = admin.page.locator("#held")
    await expect(standing.get_by_text("Claim 12/26")).to_be_visible()
    await expect(standing.get_by_role("button", name="Show the session")).to_be_visible()

    await customer.click("Withdraw consent")
    await customer.dialog("Withdraw consent").get_by_role("button", name="Destroy").click()
    await expect(customer.page.get_by_text("kept for now for a legal reason")).to_be_visible()
    await customer.click("End call")
    private = customer.page.get_by_role("textbox", name="Private link")
    await expect(private).to_have_value(re.compile("/privacy#"))
    await customer.page.goto(await private.input_value())
    await expect(customer.page.get_by_text("it is needed for a legal claim")).to_be_visible()
    await shown.check("customer-held")
    assert product.segments()

    await story.get_by_role("button", name="Release hold").click()
    dialog = admin.dialog("Release hold")
    await dialog.get_by_label("Reason", exact=True).fill("Settled")
    await dialog.get_by_role("button", name="Release hold").click()
    await expect(story.get_by_text("The whole session was held")).to_be_visible()
    await expect(standing).to_be_hidden()
    await until("destroyed", lambda: product.rows("select 1 from certificate where done_ms > 0"))
    assert product.segments() == []
    assert product.files("custody/tracks") == []

    await customer.page.reload()
    await customer.page.get_by_role("button", name="Deletion certificate").click()
    certificate = customer.dialog("Deletion certificate")
    await expect(certificate.get_by_text("Keys destroyed")).to_be_visible()
    await shown.check("customer-certificate")
    async with customer.page.expect_download() as download:
        await certificate.get_by_role("button", name="Save as a file").click()
    saved = json.loads(Path(await (await download.value).path()).read_bytes())
    (row,) = product.rows("select * from certificate")
    assert saved["certificate"] == json.loads(row["document"])

    await admin.click("Refresh")
    await admin.page.locator("#recordings button.link").first.click()
    await story.get_by_role("button", name="Deletion certificate").click()
    await expect(admin.dialog("Deletion certificate")).to_be_visible()
    await seen.check("admin-certificate")
    await admin.dialog("Deletion certificate").get_by_role("button", name="Close").click()
    await seen.check("admin-story-destroyed")
