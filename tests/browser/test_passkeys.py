"""Passkeys in a real browser, with an authenticator of its own: added after the password, then
asked for in its place."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from playwright.async_api import Browser, expect

from tests.browser.people import window
from tests.browser.product import Product
from tests.browser.watch import Watch

PASSWORD = "correct horse battery"


async def hire(product: Product) -> None:
    """An admin with a password, made by the command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "avsession", "admin", "create", "--data", str(product.data)),
        *("--login", "ann", "--name", "Ann Lee", "--password-stdin"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith("AVSESSION_")},
    )
    await process.communicate(f"{PASSWORD}\n".encode())
    assert process.returncode == 0


async def test_the_password_then_a_passkey(browser: Browser, product: Product) -> None:
    await hire(product)
    ann = await window(browser)
    page = ann.page
    seen = Watch(ann, product.url)
    devtools = await ann.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    made = await devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    await page.goto(f"{product.url}/signin")
    await page.get_by_label("Name", exact=True).fill("ann")
    await page.get_by_label("Password").fill(PASSWORD)
    await ann.click("Sign in")
    await page.wait_for_url(f"{product.url}/admin")

    # what is refused until it is confirmed is no fault of the page
    await ann.click("Add a passkey")
    await page.get_by_label("Name of the passkey").fill("Laptop")
    await ann.dialog("Add a passkey").get_by_role("button", name="Add a passkey").click()
    confirming = ann.dialog("Confirm that it is you")
    await confirming.get_by_label("Password").fill("wrong horse battery")
    await confirming.get_by_role("button", name="Confirm").click()
    await expect(confirming).to_contain_text("name or the password")
    await confirming.get_by_label("Password").fill(PASSWORD)
    await confirming.get_by_role("button", name="Confirm").click()
    table = page.get_by_role("table", name="Your passkeys")
    await expect(table).to_contain_text("Laptop")
    credentials = await devtools.send(
        "WebAuthn.getCredentials", {"authenticatorId": made["authenticatorId"]}
    )
    assert len(credentials["credentials"]) == 1
    refusals = [one for one in seen.wrong if "403" in one or "401" in one]
    seen.wrong = [one for one in seen.wrong if one not in refusals]
    await seen.check("passkeys")

    # nobody is verified: nothing is removed; then by the passkey, without a word
    who = {"authenticatorId": made["authenticatorId"], "isUserVerified": False}
    await devtools.send("WebAuthn.setUserVerified", who)
    await ann.click("Remove: Laptop")
    await expect(page.locator("#message")).to_contain_text("not confirmed that it is you")
    await expect(table).to_contain_text("Laptop")
    await devtools.send("WebAuthn.setUserVerified", {**who, "isUserVerified": True})
    await ann.click("Remove: Laptop")
    await expect(page.locator("#no-passkeys")).to_be_visible()
    said = [json.loads(row["data"])["refs"] for row in product.rows("select data from leaf")]
    by = [one["by"] for one in said if one.get("what") == "step_up"]
    assert by == ["password", "passkey"]
    assert product.rows("select 1 from passkey") == []
