"""Between a page and its server: what is said is seen, changed, held back, or made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Browser, WebSocketRoute

from tests.browser.people import Person, window

COUNT = """
const Real = RTCPeerConnection;
window.made = 0;
window.RTCPeerConnection = class extends Real {
  constructor(...given) { super(...given); window.made += 1; }
};
"""


class Between:
    """A page's signaling, seen and changed on its way."""

    def __init__(self) -> None:
        self.to_page: list[dict[str, Any]] = []
        self.from_page: list[dict[str, Any]] = []
        self.change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda message: message
        self.person: Person | None = None
        self._route: WebSocketRoute | None = None

    @classmethod
    async def of_window(cls, number: int, monkeypatch: pytest.MonkeyPatch) -> Between:
        """Goes between the server and the ``number``-th window that is opened from now on.

        ``new_call`` opens the agent's first and the customer's second.
        """
        between = cls()
        opened: list[Person] = []

        async def open_window(browser: Browser, *given: Any, **options: Any) -> Person:
            person = await window(browser, *given, **options)
            opened.append(person)
            if len(opened) == number:
                between.person = person
                await person.page.add_init_script(COUNT)
                await between.attach(person)
            return person

        monkeypatch.setattr("tests.browser.people.window", open_window)
        return between

    async def attach(self, person: Person) -> None:
        await person.page.route_web_socket("**/signaling", self._connected)

    def _connected(self, route: WebSocketRoute) -> None:
        self._route = route
        server = route.connect_to_server()

        def up(frame: str | bytes) -> None:
            self.from_page.append(json.loads(frame))
            server.send(frame)

        def down(frame: str | bytes) -> None:
            changed = self.change(json.loads(frame))
            if changed is not None:
                self.to_page.append(changed)
                route.send(json.dumps(changed))

        route.on_message(up)
        server.on_message(down)

    def say(self, **message: Any) -> None:
        """What a hostile server says."""
        assert self._route is not None
        self._route.send(json.dumps(message))

    def refusals(self) -> list[str]:
        return [m["reason"] for m in self.from_page if m["type"] == "leg.failed"]

    def answers(self) -> list[dict[str, Any]]:
        return [m for m in self.from_page if m["type"] == "leg.answer"]

    def last(self, kind: str) -> dict[str, Any]:
        return next(m for m in reversed(self.to_page) if m["type"] == kind)
