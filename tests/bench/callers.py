"""Many calls at once without browsers: each does what two pages do, over real TLS, from loading on.

Media of a call passes no server, so nothing stands for it here. A customer is a browser that was
never here before, at an address of its own; agents' browsers have the page already.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from avsession.tasks import Tasks
from tests.browser.product import Product, until
from tests.faults.outside import Outside, Person, Wire, ask_of, key, outside

SDP = Path(__file__).parent.parent / "avsession" / "sdp"
AGENTS = 20
"""Browsers that all agents' calls are spread over: a real one has a call at a time, and keeps its
connections from one to the next."""
AT_ONCE = 4
"""Calls that are being joined, or left, at the same time."""
CONNECTIONS = 6
"""What a browser opens to one host (HTTP/1.1)."""
PING_S, CLOSELY_S = 3.0, 1.5
"""Between a page's pings, and while a leg depends on it: as in `web/static/pulse.js`."""
SENTENCE_EVERY = 10
"""Pings to one sentence: somebody mutes, or no longer."""
CANDIDATE = "candidate:730526919 1 udp 2122194687 192.0.2.2 {} typ host generation 0 ufrag abcd"

_REFERS = re.compile(r'(?:href|src)="(/static/[^"]+)"|(?:from|import) "(\.{1,2}/[^"]+)"')
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
"""Where types are imported, which no browser loads."""


class Page(Outside):
    """One browser."""

    async def load(self, files: list[str]) -> int:
        """Fetch these, as many at a time as a browser does; the bytes."""
        gate = asyncio.Semaphore(CONNECTIONS)

        async def one(path: str) -> int:
            async with gate:
                status, data, _ = await self.request("GET", path)
                assert status == 200, path
                return len(data) if isinstance(data, bytes) else len(str(data))

        return sum(await asyncio.gather(*map(one, files)))

    async def wire(self, path: str = "/signaling", **options: Any) -> Wire:
        """As of any of them, without WebSocket pings: browsers send none."""
        return await super().wire(path, **({"ping_interval": None} | options))


class Call:
    """Two people in it; each pings, and now and then says something."""

    def __init__(self, people: tuple[Person, Person], stack: AsyncExitStack) -> None:
        self.people = people
        self.closely = False
        self.request = ""
        self._stack = stack

    async def talk(self) -> None:
        """What two pages say to each other until media flows: numbered, and confirmed."""
        runs = [key(), key()]
        for index, kind in enumerate(("offer", "answer")):
            mine, theirs = self.people[index], self.people[1 - index]
            sdp = (SDP / f"chromium-{kind}.sdp").read_text()
            to = {"to": theirs.id, "run": runs[index]}
            after = len(theirs.wire.heard)
            await mine.wire.say("describe", kind=kind, sdp=sdp, n=1, **to)
            for n, port in enumerate((42_252, 35_010), 2):
                candidate = CANDIDATE.format(port)
                await mine.wire.say("trickle", candidate=candidate, mid="0", line=0, n=n, **to)
            await mine.wire.say("trickle", candidate="", mid=None, line=None, n=4, **to)
            await theirs.wire.hear("trickled", after=after, candidate="")
            confirm = {"to": mine.id, "run": runs[index], "n": 4}
            after = len(mine.wire.heard)
            await theirs.wire.say("confirm", **confirm)
            await mine.wire.hear("confirmed", after=after)

    async def allow(self) -> None:
        """The agent asks, both have it on their screen, both allow."""
        agent, customer = (person.wire for person in self.people)
        after = len(agent.heard), len(customer.heard)
        assert (await agent.ask("recording.request", purposes=["quality"]))["type"] == "ack"
        for wire, since in zip((agent, customer), after, strict=True):
            self.request, notice = ask_of(await wire.hear("recording.asked", after=since))
            said = {"request": self.request, "notice": notice, "language": "en"}
            await wire.say("consent.shown", **said)
            answer = await wire.ask("consent.give", purposes=["quality"], **said)
            assert answer["type"] == "ack", answer
        self.closely = True

    async def stop(self) -> None:
        """The agent ends the recording."""
        self.closely = False
        answer = await self.people[0].wire.ask("recording.stop", request=self.request)
        assert answer["type"] == "ack", answer

    async def leave(self) -> None:
        """Both go, and close their browsers."""
        for person in reversed(self.people):
            await person.wire.say("leave")
            await person.wire.hear("closed")
        await self._stack.aclose()


class Callers:
    """Everybody who calls one product. Close it at the end."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.calls: list[Call] = []
        self.trips_ms: list[float] = []
        """How long each ping was answered after."""
        self.troubles: list[str] = []
        """What went wrong, if anything did: then nothing that was measured counts."""
        self.files: list[str] = []
        """What a customer's page loads."""
        self.loaded_bytes = 0
        self._made = 0
        self._stack = AsyncExitStack()
        self._tasks = Tasks(limit=10_000)
        self._agent = ""
        self._offices: list[Outside] = []

    async def open(self) -> None:
        """Sign in, and find out what a page consists of."""
        for number in range(AGENTS):
            made = Page(self.product, self._stack, f"127.0.2.{number + 1}")
            self._stack.push_async_callback(made.web.close)
            self._offices.append(made)
        self._agent = await self._offices[0].sign_in("agent")
        self.files = await self._crawl("/join")

    async def close(self) -> None:
        """End what is still there."""
        await self._tasks.close()
        for call in self.calls:
            await call._stack.aclose()
        await self._stack.aclose()

    async def add(self, count: int) -> list[Call]:
        """So many more calls; those that came about."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> Call | None:
            async with gate:
                try:
                    return await self._join()
                except Exception as error:  # noqa: BLE001 - told at the end: the run does not count
                    self.troubles.append(f"a call did not come about: {error!r:.300}")
                    return None

        made = [call for call in await asyncio.gather(*(one() for _ in range(count))) if call]
        self.calls += made
        return made

    async def end(self, calls: list[Call]) -> None:
        """These are over; returns when it is written down."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(call: Call) -> None:
            async with gate:
                await call.leave()

        for call in calls:
            self.calls.remove(call)
        await asyncio.gather(*(one(call) for call in calls))
        query = "select count(*) as n from session where ended_ms is null"
        await until("they are over", lambda: self._count(query) == len(self.calls), 60)

    async def look_in(self, times: int) -> None:
        """So many load the page, and do not join."""
        for number in range(times):
            async with AsyncExitStack() as stack:
                page = Page(self.product, stack, f"127.0.3.{number + 1}")
                stack.push_async_callback(page.web.close)
                await page.load(self.files)

    def check(self) -> None:
        """Everybody who should be in a call is, for the server too; else it is a trouble."""
        there = self._count("select count(*) as n from party where presence = 'present'")
        if there != 2 * len(self.calls):
            self.troubles.append(f"{there} parties are there, not {2 * len(self.calls)}")

    def _count(self, query: str) -> int:
        return int(self.product.rows(query)[0]["n"])

    async def _join(self) -> Call:
        number = self._made
        self._made += 1
        stack = AsyncExitStack()
        source = f"127.1.{number // 250}.{number % 250 + 1}"
        customer_page = Page(self.product, stack, source)
        stack.push_async_callback(customer_page.web.close)
        try:
            return await self._joined(number, customer_page, stack)
        except BaseException:
            await stack.aclose()
            raise

    async def _joined(self, number: int, customer_page: Page, stack: AsyncExitStack) -> Call:
        office = self._offices[number % AGENTS]
        cookie, language = self._agent, {"language": "en"}
        _, new = await office.post("/api/sessions", language, cookie=cookie)
        self.loaded_bytes = await customer_page.load(self.files)
        secret = new["invitation_url"].partition("#")[2]
        body = {"secret": secret, "name": "Cleo Customer", "of_age": True, **language}
        _, claimed, response = await customer_page.request("POST", "/api/join", json=body)
        seat = f"__Host-seat={response.cookies['__Host-seat'].value}"
        agent = Person(office, cookie, f"/api/sessions/{new['session']}", new["party"])
        customer = Person(customer_page, seat, "/api/seat", claimed["party"])
        call = Call((agent, customer), stack)
        for person in call.people:
            person.session = new["session"]
            wire = await person.join()
            await wire.say("media", microphone=True, camera=True)
        await agent.wire.hear("parties")
        await call.talk()
        # what a browser keeps open and idle is closed by the server soon; here at once
        await customer_page.web.close()
        for index, person in enumerate(call.people):
            self._tasks.spawn(self._pulse(call, person.wire, number + index / 2), name="pulse")
        return call

    async def _pulse(self, call: Call, wire: Wire, phase: float) -> None:
        await asyncio.sleep(phase * 0.618 % 1 * PING_S)
        pings = int(phase * 7)
        while True:
            after, asked = len(wire.heard), time.monotonic()
            try:
                await wire.say("ping")
                said = await wire.hear("pong", "closed", after=after)
            except Exception as error:  # noqa: BLE001 - as above
                if call in self.calls:
                    self.troubles.append(f"a ping was not answered: {error!r:.100}")
                return
            if said["type"] == "closed":
                if call in self.calls:
                    self.troubles.append(f"a connection was closed: {said}")
                return
            self.trips_ms.append((time.monotonic() - asked) * 1000)
            pings += 1
            every = CLOSELY_S if call.closely else PING_S
            if pings % SENTENCE_EVERY == 0:
                on: dict[str, Any] = {"microphone": pings % 20 == 0, "camera": True}
                await wire.say("media", **on)
            await asyncio.sleep(every)

    async def _crawl(self, start: str) -> list[str]:
        """A page and everything that its files name, and what its script asks for at once."""
        files = [start]
        async with outside(self.product) as network:
            for path in files:
                _, data, _ = await network.request("GET", path)
                text = data.decode() if path == start or path.endswith(".js") else ""
                for absolute, relative in _REFERS.findall(_COMMENT.sub("", text)):
                    name = absolute or posixpath.normpath(f"{posixpath.dirname(path)}/{relative}")
                    if name not in files:
                        files.append(name)
        return [
            *files, "/static/icons.svg", "/static/language/en.json", "/api/about",
            "/api/preferences",
        ]  # fmt: skip
