"""The people of a call, in real browsers: what they see and click."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.product import Product

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]
WIDE: ViewportSize = {"width": 1280, "height": 800}
STARTS = {"agent": "/", "admin": "/admin"}
"""Where each member of staff begins."""
PHONE: ViewportSize = {"width": 390, "height": 844}


@dataclass(eq=False)
class Person:
    """One person's browser window."""

    page: Page
    context: BrowserContext

    def button(self, name: str) -> Any:
        """The button with exactly this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def dialog(self, name: str) -> Any:
        """The dialog with exactly this name."""
        return self.page.get_by_role("dialog", name=name, exact=True)

    async def click(self, name: str) -> None:
        """Click a button."""
        await self.button(name).click()

    async def stats(self) -> dict[str, Any]:
        """``avsessionStats()`` of the page."""
        found: dict[str, Any] = await self.page.evaluate("avsessionStats()")
        return found

    async def until(self, expression: str, timeout: float = 20_000) -> None:
        """Wait until ``expression`` of the statistics ``s`` holds."""
        # Not wait_for_function: it takes the promise of an async predicate for a yes.
        found = await self.page.evaluate(
            """async ([expression, timeout]) => {
                const holds = new Function('s', `return ${expression}`);
                const end = performance.now() + timeout;
                let s;
                do {
                    s = await avsessionStats();
                    if (holds(s)) return null;
                    await new Promise((go) => setTimeout(go, 100));
                } while (performance.now() < end);
                return s;
            }""",
            [expression, timeout],
        )
        assert found is None, f"waited {timeout} ms in vain for {expression}: {found}"

    async def recording(self, state: str) -> None:
        """Wait until the status says ``state``."""
        status = self.page.get_by_role("status").filter(has_text=re.compile(f"^{state}$"))
        await expect(status.first).to_be_attached(timeout=20_000)

    async def allow(self, *purposes: int) -> None:
        """Tick purposes (by place; the first if none is given) and allow."""
        dialog = self.dialog("Recording consent")
        for number in purposes or (0,):
            await dialog.get_by_role("checkbox").nth(number).check()
        await dialog.get_by_role("button", name="Allow recording", exact=True).click()

    async def decline(self) -> None:
        """Decline in the consent dialog."""
        dialog = self.dialog("Recording consent")
        await dialog.get_by_role("button", name="Decline", exact=True).click()

    async def withdraw(self, choice: str) -> None:
        """Withdraw, then keep or destroy."""
        await self.click("Withdraw consent")
        await self.dialog("Withdraw consent").get_by_role("button", name=choice).click()


async def window(browser: Browser, size: ViewportSize | None = None, **options: Any) -> Person:
    """A fresh browser profile with one page, whose user wants no animation: colours are never
    looked at half way from one to another."""
    context = await browser.new_context(
        ignore_https_errors=True,
        viewport=size or WIDE,
        locale="en-GB",
        reduced_motion="reduce",
        **options,
    )
    page = await context.new_page()
    return Person(page, context)


async def staff(browser: Browser, product: Product, role: str) -> Person:
    """A member of staff, signed in by the link that works once; later as in that session."""
    state = product.signed_in.get(role)
    person = await window(browser, storage_state=state)
    home = f"{product.url}{STARTS[role]}"
    await person.page.goto(home if state else product.links[role])
    await person.page.wait_for_url(home)
    product.signed_in[role] = await person.context.storage_state()
    return person


async def new_call(
    browser: Browser,
    product: Product,
    other: Browser | None = None,
    customer: Person | None = None,
) -> tuple[Person, Person]:
    """An agent and a customer who see and hear each other; ``other``: the customer's browser;
    ``customer``: the customer's window, in whatever browser."""
    agent = await staff(browser, product, "agent")
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile(f"^{re.escape(product.url)}/join#.+"))
    customer = customer or await window(other or browser)
    await customer.page.goto(await link.input_value())
    await customer.page.get_by_role("textbox", name="Your name").fill("Cleo Customer")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await person.until("s.remoteFramesDecoded > 10 && s.remoteAudioEnergy > 0", 30_000)
    return agent, customer


async def ask(agent: Person, purposes: int = 1) -> None:
    """The agent requests recording for the first purposes."""
    await agent.click("Request recording")
    dialog = agent.dialog("Recording request")
    for number in range(purposes):
        await dialog.get_by_role("checkbox").nth(number).check()
    await dialog.get_by_role("button", name="Send request", exact=True).click()
