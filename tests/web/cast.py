"""Everybody who may call the api, each with what they hold: for a test that lets them all try."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

from avsession.records import ConsentEvent, RecordingRequest
from avsession.usecases import accounts, evidence, preparing
from avsession.usecases.permissions import PERMISSIONS
from tests.support.authenticator import Authenticator
from tests.support.provider import FakeProvider
from tests.support.recorded import Recorded, agree, record
from tests.support.world import QuietBus
from tests.web.api.test_holds import destroy
from tests.web.support import PASSWORD, Call, Site, Story, cookie_of
from web.access import By
from web.permissions import HOLDS, Caller

GUESS = "g" * 43
Prepared = tuple[dict[str, str], dict[str, Any]]
"""What the braces in the path stand for; the query of a GET, the body of a POST."""
STAFF = tuple(caller for caller in Caller if By.STAFF in HOLDS[caller].by)
LOG = ("leaf", "detail", "tree_node", "checkpoint")
"""The tables of the audit log, where refusals are written down."""


@dataclasses.dataclass
class Person:
    """What one caller holds. Empty is what they do not."""

    cookie: str = ""
    login: str = ""
    account: str = ""
    link: str = ""
    download: str = ""
    headers: dict[str, str | None] = dataclasses.field(default_factory=dict)


class Cast:
    """One session with its recording, another session, and the staff; ``persons`` by caller."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.persons = {caller: Person() for caller in Caller}
        self.call: Call
        self.recorded: Recorded
        self.other: Call
        self.receipt = ""
        self.analytics = ""
        self.stack = contextlib.AsyncExitStack()
        """What ends with the test."""
        self.acme: FakeProvider | None = None
        self.keys: dict[str, Authenticator] = {}
        """An account's passkey."""
        self.went = ""
        """The cookie of a browser that went to the company's provider."""

    @property
    def told(self) -> list[Any]:
        """What was said to connected parties."""
        bus = self.site.app.bus
        assert isinstance(bus, QuietBus)
        return bus.said

    @property
    def story(self) -> Story:
        """The same for helpers of other tests."""
        agent, admin = self.persons[Caller.AGENT].cookie, self.persons[Caller.ADMIN].cookie
        return Story(agent, admin, self.call, self.recorded)

    async def hired(self, *callers: Caller) -> None:
        """The staff among the callers, signed in."""
        for caller in callers:
            role = HOLDS[caller].role or caller.name.lower()
            account, cookie = await self.site.staff(role)
            self.persons[caller] = Person(cookie, account.login, account.id)

    async def met(self) -> None:
        """A new session with an agreement and a recording; its people hold what is theirs."""
        site, agent = self.site, self.persons[Caller.AGENT]
        self.call = await site.call(agent.cookie)
        request = await agree(site.app, self.call.agent, self.call.customer)
        self.recorded = await record(site.app, request, self.call.agent, self.call.customer)
        self.persons[Caller.CUSTOMER] = Person(self.call.seat, link=self.call.secret)
        agent.link = await self.own_link(agent, self.call)
        body = {"secret": self.call.secret, "event": await self.event(self.call.customer)}
        self.receipt = (await self.posted("/api/my-data/receipt", body)).decode()

    async def met_others(self) -> None:
        """Another session, of people who have nothing to do with the first."""
        agent = self.persons[Caller.OTHER_AGENT]
        self.other = await self.site.call(agent.cookie)
        self.persons[Caller.STRANGER] = Person(self.other.seat, link=self.other.secret)
        agent.link = await self.own_link(agent, self.other)

    async def own_link(self, agent: Person, call: Call) -> str:
        made = await self.site.post(f"/api/sessions/{call.session}/data-link", cookie=agent.cookie)
        return str(made.json["data_url"].partition("#")[2])

    async def posted(self, path: str, body: Any, caller: Caller | None = None) -> bytes:
        """The body of an answer that must be good."""
        cookie = self.persons[caller].cookie if caller else None
        answer = await self.site.post(path, body, cookie=cookie)
        assert answer.status == 200, (path, answer.body)
        return answer.body

    async def said(self, path: str, body: Any, caller: Caller | None = None) -> dict[str, Any]:
        """The same, of an answer in JSON."""
        cookie = self.persons[caller].cookie if caller else None
        answer = await self.site.post(path, body, cookie=cookie)
        assert answer.status == 200, (path, answer.body)
        return dict(answer.json)

    async def confirm(self, caller: Caller, action: str, target: str) -> None:
        """That it is really the caller who asks for this: by their passkey, or by password."""
        about: dict[str, Any] = {"action": action, "target": target}
        asked = await self.said("/api/step-up/start", about, caller)
        by: dict[str, Any] = {"password": PASSWORD}
        if asked["passkey"]:
            key = self.keys[self.persons[caller].account]
            by = {"credential": key.get(asked["passkey"])}
        await self.said("/api/step-up", about | by, caller)

    async def event(self, party: str) -> str:
        """The consent event by which ``party`` allowed."""
        async with self.site.app.store.read() as tx:
            found = await tx.one(ConsentEvent, party=party, kind="given")
        assert found is not None
        return found.id

    async def notice(self) -> str:
        async with self.site.app.store.read() as tx:
            found = await tx.get(RecordingRequest, self.recorded.request)
        assert found is not None
        return found.notices["en"]

    async def certificate(self) -> str:
        """Of the recording, which its customer has destroyed."""
        shown = await destroy(self.site, self.story)
        return str(shown["certificates"][0]["certificate"])

    async def export(self, caller: Caller) -> str:
        """A finished export of the caller's own, and the cookie that downloads it."""
        person = self.persons[caller]
        made = await self.said("/api/my-data/exports/start", {"secret": person.link})
        await self.prepared()
        body = {"secret": person.link, "export": made["export"]}
        person.download = cookie_of(await self.site.post("/api/my-data/exports/allow", body))
        return str(made["export"])

    async def invitation(self, caller: Caller) -> str:
        """An open one, from the caller's agent."""
        theirs = Caller.AGENT if caller is Caller.CUSTOMER else Caller.OTHER_AGENT
        made = await self.said("/api/sessions", {"language": "en"}, theirs)
        return str(made["invitation_url"].partition("#")[2])

    async def sign_in_link(self, caller: Caller) -> str:
        return await accounts.make_sign_in_link(self.site.app, self.persons[caller].account)

    async def company_state(self) -> str:
        """A browser went to the provider, and comes back with this."""
        answer = await self.site.post("/api/sign-in/company")
        assert self.acme is not None
        self.acme.went(answer.json["url"])
        self.went = cookie_of(answer)
        return self.acme.asked["state"]

    async def access(self) -> tuple[str, str]:
        """What the admin has opened: the access and a track."""
        body = {"reason": "Complaint 4711", "purpose": "quality"}
        path = f"/api/admin/recordings/{self.recorded.recording}/open"
        opened = await self.said(path, body, Caller.ADMIN)
        return str(opened["access"]), str(opened["tracks"][0]["track"])

    async def allow_analytics(self) -> None:
        """From now on everybody's browser has allowed it."""
        allowed = await self.site.post("/api/preferences", {"given": ["analytics"]})
        self.analytics = cookie_of(allowed)

    async def prepared(self) -> None:
        """What was asked for is built, as the background would."""
        assert await preparing.prepare_next(self.site.app)

    def rows(self) -> dict[str, set[str]]:
        """Every table as its rows, each as text."""
        with sqlite3.connect(self.folder / "avsession.db") as base:
            return {
                name: {repr(row) for row in base.execute(f'SELECT * FROM "{name}"')}  # noqa: S608
                for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }

    def rows_with(self, *names: str) -> set[tuple[str, str]]:
        """The rows, each with its table, in which one of these identifiers stands."""
        if not names:
            return set()
        return {
            (table, row)
            for table, rows in self.rows().items()
            for row in rows
            if any(name in row for name in names)
        }

    def files(self) -> set[Path]:
        """Everything that is kept beside the database."""
        return {
            path
            for name in ("objects", "spool", "keys", "exports")
            for path in (self.folder / name).rglob("*")
        }


async def cast_of(site: Site, folder: Path) -> Cast:
    """Everybody; of the staff those whose role there is."""
    cast = Cast(site, folder)
    roles = {caller: HOLDS[caller].role or caller.name.lower() for caller in STAFF}
    await cast.hired(*[caller for caller in STAFF if roles[caller] in PERMISSIONS])
    await cast.met()
    await cast.met_others()
    await evidence.checkpoint(site.app)
    proxied: dict[str, str | None] = {"X-Forwarded-For": "192.0.2.1"}
    for caller in set(Caller) - {Caller.MACHINE}:
        cast.persons[caller].headers = proxied
    return cast
