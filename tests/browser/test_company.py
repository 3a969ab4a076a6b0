"""Signing in at the company, with a real provider: there and back, refused, ended from there.

The provider is a process of the package ``oidc-provider``; its own pages are clicked through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.people import Person, window
from tests.browser.product import Product
from tests.support.ports import free_port

HERE = Path(__file__).parent
SECRET = "of these tests only"
WAIT_S = 30


@asynccontextmanager
async def acme(product: Product, port: int) -> AsyncIterator[None]:
    """The provider's process, which knows the service and trusts its certificate."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(HERE / "provider.mjs"), str(port), product.url, SECRET),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(product.data / "keys" / "ca.pem")},
    )
    assert process.stdout is not None
    said = []
    try:
        async with asyncio.timeout(WAIT_S):
            while (line := (await process.stdout.readline()).decode()) and "listening" not in line:
                said.append(line)
        assert "listening" in line, "".join(said)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def signs_in(person: Person, product: Product, who: str) -> None:
    """From our page to the provider's, through its own pages, and back."""
    page = person.page
    await page.goto(f"{product.url}/signin")
    await person.click("Sign in with ACME")
    await page.locator("input[name=login]").fill(who)
    await page.locator("input[name=password]").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_there_and_back_and_ended_from_there(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "secret").write_text(SECRET)
    company = {
        "issuer": f"http://localhost:{port}",
        "name": "ACME",
        "client_id": "avsession",
        "client_secret_file": str(tmp_path / "secret"),
        "roles": [{"value": "supervisors", "role": "admin"}],
        "internal": True,
    }
    product = Product(tmp_path, company=json.dumps(company))
    await product.start()
    try:
        async with acme(product, port):
            nobody = await window(browser)
            await signs_in(nobody, product, "nobody")
            await expect(nobody.page.locator("#message")).to_contain_text("no role here")
            assert nobody.page.url == f"{product.url}/signin", "no code is left in the address"

            ada = await window(browser)
            await signs_in(ada, product, "ada")
            await ada.page.wait_for_url(f"{product.url}/admin")
            await expect(ada.page.locator("#account")).to_have_text("Ada Lovelace")
            cookies = {cookie.get("name") for cookie in await ada.context.cookies(product.url)}
            assert "__Host-staff" in cookies
            assert "__Host-company" not in cookies

            # the provider ends the session: its own page, in another tab
            there = await ada.context.new_page()
            await there.goto(f"http://localhost:{port}/session/end")
            await there.get_by_role("button", name="Yes, sign me out").click()
            await there.wait_for_url(f"http://localhost:{port}/session/end/success*")
            await ada.page.reload()
            await ada.page.wait_for_url(f"{product.url}/signin")

            # signing out here leads to signing out there, and back
            await signs_in(ada, product, "ada")
            await ada.page.wait_for_url(f"{product.url}/admin")
            await ada.click("Sign out")
            await ada.page.get_by_role("button", name="Yes, sign me out").click()
            await ada.page.wait_for_url(f"{product.url}/signin*")
            await expect(ada.button("Sign in with ACME")).to_be_enabled()
            leaves = [
                (row["kind"], json.loads(row["data"])["refs"])
                for row in product.rows("select kind, data from leaf order by number")
            ]
            assert ("access.revoked", {"reason": "provider"}) in leaves
            assert ("access.revoked", {"reason": "sign_out"}) in leaves
            granted = [refs for kind, refs in leaves if kind == "access.granted"]
            assert [one.get("method") for one in granted].count("company") == 2
            assert [one for one in granted if one.get("by") == "company"] == [
                {"what": "account", "role": "admin", "by": "company"}
            ], "one account, however often she comes"
    finally:
        await product.stop()
    log = product.log.read_text()
    assert "code=" not in log
    assert "ada" not in log
