"""The audit log in a browser: found from the admin's page, searched, a leaf opened, exported."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from avsession.audit import proof as proofs
from avsession.audit.checkpoint import parse_key
from tests.browser.people import PHONE, WIDE, Person, staff
from tests.browser.product import Product, until
from tests.browser.watch import Watch
from tests.support.tamper import database

SIZES = pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"]
)


@SIZES
async def test_the_admins_log(
    browser: Browser, product: Product, size: ViewportSize, scheme: str
) -> None:
    agent = await staff(browser, product, "agent")
    await agent.click("New session")
    await until("a session", lambda: product.rows("select 1 from session"))
    admin = await staff(browser, product, "admin")
    page = admin.page
    await page.set_viewport_size(size)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    watch = Watch(admin, product.url)
    await page.get_by_role("link", name="Audit log").click()
    await expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    sign = page.locator("#sign")
    await expect(sign).to_contain_text("The log is whole: every check since", timeout=30_000)
    leaves = page.get_by_role("table", name="Leaves")
    await expect(leaves.get_by_text("session.created")).to_be_visible()
    await expect(page.get_by_text("No backup of this server has been made.")).to_be_visible()
    made: dict[str, object]
    made = {"to": "monday", "made_ms": 1_750_000_000_000, "leaves": 1, "recordings": 3}
    made |= {"bytes": 7_000_000, "keys_delete_by_ms": 1_750_600_000_000}
    (product.data / "last-backup.json").write_text(json.dumps(made))
    await page.reload()
    line = page.get_by_text("3 recordings, 1 entries of the log, 7 MB")
    await expect(line).to_contain_text("Its copy of the keys must be deleted by 22 June 2025")
    await expect(leaves.get_by_text("session.created")).to_be_visible()
    await watch.check(f"log-{scheme}")
    await the_backups(admin, product, made, watch, scheme)

    await page.get_by_label("Kind").select_option("session.created")
    await admin.click("Search")
    await expect(leaves.get_by_text("access.granted")).to_have_count(0)
    await expect(leaves.get_by_text("session.created")).to_have_count(1)
    read = product.rows("select count(*) as n from leaf where kind = 'audit.read'")[0]["n"]
    await page.get_by_label("Person").type("Somebody Else")
    assert read == 2
    assert product.rows("select count(*) as n from leaf where kind = 'audit.read'")[0]["n"] == 2

    await leaves.get_by_role("button").first.click()
    leaf = page.get_by_role("region", name="Leaf")
    await expect(leaf.get_by_text("Proof that it is in the log")).to_be_visible()
    await watch.check(f"log-leaf-{scheme}")
    data = await leaf.locator("pre").first.inner_text()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download the proof").click()
    path = await (await downloading.value).path()
    answer = await page.request.get(f"{product.url}/log/key")
    proof = proofs.parse(Path(path).read_text(), data.encode())
    assert proofs.verify(proof, parse_key(await answer.text())).size > proof.index

    async with page.expect_download() as downloading:
        await admin.click("Export as JSON Lines")
    lines = Path(await (await downloading.value).path()).read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["session.created"]
    await admin.click("Search")
    await expect(page.locator("#none")).to_be_visible()
    assert not any("Somebody" in address for address in addresses), "no name in an address"
    await admin.page.get_by_label("Person").fill("")
    await page.get_by_label("Language").select_option("de")
    await expect(page.get_by_role("heading", name="Protokoll", level=1)).to_be_visible()
    await watch.check(f"log-de-{scheme}")

    with database(product.data, "avsession.sqlite3") as db:
        db.execute("UPDATE leaf SET data = CAST(replace(CAST(data AS TEXT), 'psn_', 'psx_') "
                   "AS BLOB) WHERE kind = 'session.created'")  # fmt: skip
    await page.get_by_label("Art").select_option("session.created")
    await page.get_by_label("Person").fill("")
    await page.locator("#search").click()
    await page.locator("#leaves").get_by_role("button").first.click()
    await expect(page.locator("#leaf .wrong")).to_contain_text("nicht unversehrt")
    await expect(page.locator("#leaf pre").first).to_contain_text("psx_")
    await watch.check(f"log-unproven-{scheme}")


async def the_backups(
    admin: Person, product: Product, made: dict[str, object], watch: Watch, scheme: str
) -> None:
    """How the newest stands, in both languages; and back to the log."""
    page, sign = admin.page, admin.page.locator("#sign")
    await page.get_by_role("link", name="Backups").click()
    await expect(page.get_by_role("heading", name="Backups", level=1)).to_be_visible()
    await expect(sign).to_contain_text("✗ The newest backup is older than 7 days.")
    await expect(sign).to_contain_text("Its copy of the keys must be deleted")
    grown = page.get_by_role("region", name="Since then")
    await expect(grown.get_by_text(re.compile(r"^\d+ more; \d+ now$"))).to_be_visible()
    await expect(grown.get_by_text("0; a restore does them again")).to_be_visible()
    run = page.get_by_role("region", name="What to run")
    await expect(run.get_by_text("avsession backup check /backup/monday")).to_be_visible()
    await watch.check(f"backup-{scheme}")
    now = int(time.time() * 1000)
    made |= {"made_ms": now - 5 * 86_400_000, "checked_ms": now, "whole": True}
    made |= {"keys": 6, "keys_delete_by_ms": now + 86_400_000}
    (product.data / "last-backup.json").write_text(json.dumps(made))
    await page.reload()
    await expect(sign).to_have_text("✓ The newest backup was made 5 days ago.")
    await expect(page.get_by_text("every file is whole, and its log verifies")).to_be_visible()
    await page.get_by_label("Language").select_option("de")
    await expect(sign).to_have_text("✓ Die neueste Sicherung wurde vor 5 Tagen gemacht.")
    await watch.check(f"backup-de-{scheme}")
    await page.get_by_label("Sprache").select_option("en")
    await page.go_back()
    await expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    await expect(
        page.get_by_role("table", name="Leaves").get_by_text("session.created")
    ).to_be_visible()
