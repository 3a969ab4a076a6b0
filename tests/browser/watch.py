"""Watching a window: where it speaks to, what it keeps, what it complains of, how it looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.browser.people import Person

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = os.environ.get("AVSESSION_LOOKS")
"""A folder for a picture of every state that is visited."""
COOKIES = {"__Host-staff", "__Host-seat", "__Host-export"}
"""Every cookie there is; the cookie page lists them."""

STORED = {"avsession-allowed"}
"""Every other item that a page keeps in the browser; listed there as well."""


class Watch:
    """Collects what a window does wrong; :meth:`check` says it."""

    def __init__(self, person: Person, origin: str) -> None:
        self.person = person
        self._host = urlsplit(origin).netloc
        self.wrong: list[str] = []
        person.page.on("request", lambda request: self._request(request.url))
        person.page.on("websocket", lambda socket: self._request(socket.url))
        person.page.on("console", lambda message: self._console(message.type, message.text))
        person.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
            self.wrong.append(f"third party: {url}")

    def _console(self, kind: str, text: str) -> None:
        # the first visit to /join asks whether there is a seat already: 401 is the answer
        if kind == "error" and "401" not in text:
            self.wrong.append(f"console: {text}")

    async def check(self, state: str) -> None:
        """Nothing wrong so far, axe finds nothing in this state, nothing is kept unannounced."""
        page = self.person.page
        if LOOKS:
            size = page.viewport_size or {"width": 0}
            path = Path(LOOKS) / f"{state}-{size['width']}.png"
            await page.screenshot(path=path, full_page=True)
        await page.evaluate(AXE.read_text())
        found: dict[str, Any] = await page.evaluate("axe.run()")
        for violation in found["violations"]:
            targets = [node["target"] for node in violation["nodes"]]
            self.wrong.append(f"axe {violation['id']}: {violation['help']} {targets}")
        kept = await page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
        self.wrong += [f"stored: {name}" for name in kept if name not in STORED]
        for cookie in await self.person.context.cookies():
            if cookie.get("name") not in COOKIES:
                self.wrong.append(f"cookie: {cookie.get('name')}")
            if not (cookie.get("secure") and cookie.get("httpOnly")):
                self.wrong.append(f"cookie flags: {cookie.get('name')}")
        width = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if width > 0:
            self.wrong.append(f"wider than the screen by {width} px")
        assert not self.wrong, f"{state}: {self.wrong}"
