"""Webhooks, from a call to somebody else's server, and what the admin sees of it."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, staff
from tests.browser.product import Product, until
from tests.browser.watch import Watch
from tests.support.receiver import receiving


async def test_told_refused_and_sent_again(browser: Browser, tmp_path: Path) -> None:
    async with receiving() as receiver:
        endpoint = receiver.endpoint(tmp_path, events=["session"])
        product = Product(tmp_path, webhooks__endpoints=json.dumps([endpoint]))
        await product.start()
        try:
            agent = await staff(browser, product, "agent")
            await agent.click("New session")
            await until("the webhook", lambda: receiver.kinds == ["session.created"])
            admin = await staff(browser, product, "admin")
            seen = Watch(admin, product.url)
            page = admin.page
            await page.get_by_role("link", name="Webhooks").click()
            deliveries = page.get_by_role("table", name="Deliveries")
            await expect(deliveries.get_by_text("arrived")).to_be_visible()
            await deliveries.get_by_text("Message", exact=True).last.click()
            await expect(deliveries.locator("pre")).to_contain_text(receiver.got[0][1]["timestamp"])
            await seen.check("webhooks")

            receiver.says(410)
            await page.get_by_role("button", name="Send a test: crm").click()
            dead = deliveries.get_by_role("row").filter(has_text="webhook.test")
            await expect(dead).to_contain_text("dead: not tried any more")
            await expect(dead).to_contain_text("status 410")
            await expect(deliveries.locator("pre").last).to_be_visible()
            receiver.answer = receiver.fine
            await page.get_by_label("Show").select_option("dead")
            await dead.get_by_role("button").click()
            await expect(page.locator("#no-deliveries")).to_be_visible()
            await until("the replay", lambda: len(receiver.ids) == 3)
            assert receiver.ids[1] == receiver.ids[2]
            await page.get_by_label("Language").select_option("de")
            await expect(page.get_by_role("heading", name="Zustellungen")).to_be_visible()
            await page.set_viewport_size(PHONE)
            await seen.check("webhooks-de")
            whats = {
                json.loads(row["data"])["refs"].get("what")
                for row in product.rows("select data from leaf where kind = 'access.granted'")
            }
            assert {"webhook.test", "webhook.replay"} <= whats
        finally:
            await product.stop()
