"""Watching a window: where it speaks to, what it keeps, what it complains of, how it looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from avsession.config import Settings
from avsession.privacy import stored
from tests.browser.people import Person

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = os.environ.get("AVSESSION_LOOKS")
"""A folder for a picture of every state that is visited."""
ITEMS = stored.items(Settings())
"""Everything that may be kept; the cookie page is made from the same registry."""
KEPT = """async () => {
    // a file on a disk is no origin: there is no service worker to ask for
    const file = location.protocol === "file:";
    const workers = file ? [] : await navigator.serviceWorker.getRegistrations();
    return {
        local: Object.keys(localStorage),
        session: Object.keys(sessionStorage),
        databases: (await indexedDB.databases()).map((one) => one.name),
        caches: file ? [] : await caches.keys(),
        workers: workers.map((one) => one.scope),
    };
}"""


class Watch:
    """Collects what a window does wrong; :meth:`check` says it."""

    def __init__(self, person: Person, origin: str) -> None:
        self.person = person
        self._host = urlsplit(origin).netloc
        self.wrong: list[str] = []
        self.allowed: frozenset[str] = frozenset({stored.Group.NECESSARY})
        """The classes that this window's user has allowed: nothing, until a test says more."""
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

    async def unannounced(self) -> list[str]:
        """What this window's browser keeps that the registry does not name, or keeps too early."""
        kept: dict[str, list[str]] = await self.person.page.evaluate(KEPT)
        wrong = [
            f"{place}: {kept.pop(place)}"
            for place in ("databases", "caches", "workers")
            if kept[place]
        ]
        cookies = await self.person.context.cookies()
        there = [(kind, name) for kind, names in kept.items() for name in names]
        there += [("cookie", str(cookie.get("name"))) for cookie in cookies]
        for kind, name in there:
            item = next((one for one in ITEMS if (one.kind, one.name) == (kind, name)), None)
            if item is None:
                wrong.append(f"not in the registry: {kind} {name}")
            elif item.group not in self.allowed:
                wrong.append(f"not allowed: {kind} {name}")
        return wrong + [
            f"cookie flags: {cookie.get('name')}"
            for cookie in cookies
            if not (cookie.get("secure") and cookie.get("httpOnly"))
        ]

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
        self.wrong += await self.unannounced()
        width = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if width > 0:
            self.wrong.append(f"wider than the screen by {width} px")
        assert not self.wrong, f"{state}: {self.wrong}"
