"""A call, as a conversation: real database, folders, keys, hub and consent; only the clock is made.

``world.agent`` and ``world.customer`` are people with a page; ``world.recorder`` is a worker that
really seals segments and signs a manifest. Nothing here decides anything: it says and it hears.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.config import Settings
from avsession.consent import ConsentState
from avsession.messages import (
    ChooseFate,
    EnrolKey,
    GiveConsent,
    Message,
    PauseRecording,
    RecordingChanged,
    RefuseConsent,
    RequestRecording,
    ResumeRecording,
    StopRecording,
    Welcome,
    WithdrawConsent,
)
from avsession.records import ConsentEvent, Leaf, RecordingRequest
from avsession.sealing.custody import LocalCustody, create_custodian
from avsession.signed import Signed
from avsession.storage.folders import FolderKeys, FolderObjects
from avsession.storage.parcels import FolderParcels
from avsession.storage.unwritten import FolderUnwritten
from avsession.tasks import Tasks
from avsession.usecases import accounts, consent, keys, pausing, presence, sessions, timers
from avsession.usecases.common import load_state
from avsession.usecases.gate import Gate, OpenGate
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services
from signaling.hub import Hub
from tests.avsession.usecases.parts import Person, Store
from tests.avsession.usecases.recorder import Recorder
from tests.support.engines import database, release
from tests.support.world import Clock, notary, quick_passwords

R = TypeVar("R")
M = TypeVar("M", bound=Message)

AGENT_NAME, CUSTOMER_NAME = "Agnes Amtmann", "Kuno Kundig"
LOGIN = "agnes.a"


class World:
    """One deployment with one call in it. Made by :func:`opened`."""

    app: Services
    hub: Hub
    store: Store
    agent: Person
    customer: Person
    staff: Principal
    admin: Principal
    session: str
    invitation: str

    def __init__(self, folder: Path, settings: dict[str, Any], clock: Clock | None = None) -> None:
        self.folder, self.clock = folder, clock or Clock()
        self.settings = Settings(**settings)
        self.grant_key = Ed25519PrivateKey.generate()
        self.recorder = Recorder(self)
        self._keys = itertools.count()
        self._told = 0
        self.tasks = Tasks()

    # --- the house

    async def start(self) -> None:
        """Everything that a process builds; on the same files as before, if there are any."""
        self.store = Store(database(self.folder))
        await self.store.open()
        if not (self.folder / "custodian.txt").exists():
            create_custodian(self.folder / "custodian.txt")
        self.hub = Hub()
        self.app = Services(
            store=self.store,
            objects=FolderObjects(self.folder / "objects", self.folder / "spool"),
            custody=LocalCustody(FolderKeys(self.folder / "keys"), self.folder / "custodian.txt"),
            parcels=FolderParcels(self.folder / "exports"),
            unwritten=FolderUnwritten(self.folder / "unwritten"),
            clock=self.clock,
            entropy=secrets.token_bytes,
            settings=self.settings,
            bus=self.hub,
            grant_key=self.grant_key,
            build="0.1.0+test",
            gate=Gate(),
            notary=notary(self.folder),
            passwords=quick_passwords(),
        )

    async def close(self) -> None:
        await self.tasks.close()
        self.app.passwords.close()
        await self.store.close()

    async def restart(self) -> None:
        """The process dies and comes again: nobody is connected any more."""
        await self.close()
        await self.start()
        self.recorder.connected = False
        await presence.recover(self.app)
        await consent.recover(self.app)

    async def staff_member(self, login: str, name: str, role: str) -> Principal:
        account = await accounts.create_account(self.app, login, name, role, None)
        link = await accounts.make_sign_in_link(self.app, account.id)
        return (await accounts.sign_in_by_link(self.app, link)).principal

    async def new_call(self, who: Principal) -> tuple[Person, Person]:
        """A session of this agent's with a customer in it; both are on the line."""
        made = await sessions.create_session(self.app, who, "en")
        self.clock.forward(0.001)
        claimed = await sessions.claim(self.app, made.secret, CUSTOMER_NAME, "de")
        self.invitation = made.secret
        people = Person(made.party), Person(claimed.party, claimed.data_secret)
        for person in people:
            await self.connect(person)
        return people

    async def connect(self, person: Person) -> None:
        self.hub.attach(person.id, person.party.session, person)
        await presence.joined(self.app, person.id)
        enrolment = person.signer.enrolment(person.last(Welcome).challenge)
        await keys.enrol(self.app, person.id, EnrolKey(**enrolment, key=self.key()))

    async def disconnect(self, person: Person) -> None:
        if self.hub.detach(person.id, person):
            await presence.lost(self.app, person.id)

    async def later(self, seconds: float) -> None:
        """Time passes, and the timers notice."""
        self.clock.forward(seconds)
        await timers.tick(self.app)

    # --- what people say

    def key(self) -> str:
        return f"key-{next(self._keys):016}"

    async def ask(self, *purposes: str, key: str = "") -> str:
        """The agent asks to record; the request's id."""
        message = RequestRecording(purposes=purposes or ("quality",), key=key or self.key())
        return (await consent.request_recording(self.app, self.agent.id, message))["request"]

    def signed(self, person: Person, action: str, request: str, **more: Any) -> Signed:
        """The signature of this person's page, now."""
        now = self.clock.now_ms()
        return person.signer.sign(now, action=action, request=request, **more)

    async def allowing(
        self, *purposes: str, by: Person | None = None, language: str = "en", **other: str
    ) -> GiveConsent:
        """What a page would send to allow the newest request, with ``other`` fields changed.

        ``by``: who signs it; the customer if nobody is named.
        """
        asked = (await self.find(ConsentEvent, kind="requested", order="-leaf"))[0]
        request = await self.only(RecordingRequest, id=asked.request)
        said = {
            "request": request.id,
            "notice": request.notices[language],
            "language": language,
            "key": self.key(),
        }
        said |= other
        ticked = purposes or tuple(request.purposes)
        stated = {name: said[name] for name in ("notice", "language")}
        person = by or self.customer
        signature = self.signed(person, "give", said["request"], purposes=ticked, **stated)
        return GiveConsent(purposes=ticked, signed=signature, **said)

    async def allow(self, person: Person, *purposes: str, **other: str) -> dict[str, str]:
        message = await self.allowing(*purposes, by=person, **other)
        return await consent.give(self.app, person.id, message)

    async def decline(self, person: Person, request: str) -> None:
        signature = self.signed(person, "refuse", request)
        message = RefuseConsent(request=request, key=self.key(), signed=signature)
        await consent.refuse(self.app, person.id, message)

    async def withdraw(self, person: Person, request: str, key: str = "") -> dict[str, str]:
        signature = self.signed(person, "withdraw", request)
        message = WithdrawConsent(request=request, key=key or self.key(), signed=signature)
        return await consent.withdraw(self.app, person.id, message)

    async def choose(self, person: Person, request: str, fate: str) -> None:
        message = ChooseFate(request=request, fate=fate, key=self.key())
        await consent.choose_fate(self.app, person.id, message)

    async def stop(self, person: Person, request: str) -> None:
        message = StopRecording(request=request, key=self.key())
        await consent.stop(self.app, person.id, message)

    async def pause(self, person: Person, request: str, key: str = "") -> int:
        """The party pauses; the generation that its resuming must name."""
        message = PauseRecording(request=request, key=key or self.key())
        return int((await pausing.pause(self.app, person.id, message))["generation"])

    async def resume(self, person: Person, request: str, generation: int = -1) -> None:
        """The party resumes: by what its page was told last, or naming this generation."""
        if generation < 0:
            generation = person.last(RecordingChanged).recording.paused.get(person.id, 0)
        message = ResumeRecording(request=request, generation=generation, key=self.key())
        await pausing.resume(self.app, person.id, message)

    async def record(self, *purposes: str) -> str:
        """Asked and allowed by both, with a recorder there: recording is on. The request's id."""
        if not self.recorder.connected:
            await self.recorder.join()
        request = await self.ask(*purposes)
        await self.allow(self.agent)
        await self.allow(self.customer)
        return request

    async def recorded(self, *purposes: str, seconds: int = 2) -> str:
        """As :meth:`record`, with so many segments of each party accepted. The recording's id."""
        await self.record(*purposes)
        await self.recorder.begin()
        for _ in range(seconds):
            self.clock.forward(1)
            for person in (self.agent, self.customer):
                await self.recorder.segment(person)
        return self.recorder.grant.recording

    async def sealed(self, *purposes: str, seconds: int = 2) -> str:
        """As :meth:`recorded`, and then stopped by the agent and finished."""
        recording = await self.recorded(*purposes, seconds=seconds)
        await self.stop(self.agent, self.recorder.grant.request)
        await self.recorder.end()
        return recording

    def meanwhile(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something that goes on beside what is going on."""
        return self.tasks.spawn(work, name="meanwhile")

    # --- what is so

    def live(self) -> OpenGate | None:
        return self.app.gate.of_session(self.session)

    @property
    def gate(self) -> OpenGate:
        """The gate, which is open."""
        gate = self.live()
        assert gate is not None
        return gate

    async def find(self, kind: type[R], /, **where: Any) -> list[R]:
        async with self.store.read() as tx:
            return await tx.find(kind, **where)

    async def only(self, kind: type[R], /, **where: Any) -> R:
        (found,) = await self.find(kind, **where)
        return found

    async def state(self) -> ConsentState:
        async with self.store.read() as tx:
            return await load_state(tx, self.app, self.session)

    async def leaves(self) -> list[dict[str, Any]]:
        return [json.loads(leaf.data) for leaf in await self.find(Leaf, order="index")]

    async def story(self) -> str:
        """The kinds of the leaves since this was last asked, in order."""
        kinds = [leaf["kind"] for leaf in await self.leaves()]
        new, self._told = kinds[self._told :], len(kinds)
        return " ".join(new)

    def files(self, place: str) -> list[str]:
        root = self.folder / place
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


@asynccontextmanager
async def opened(
    folder: Path, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A deployment with an agent, an admin and a call; no recorder is connected yet."""
    for name in ("objects", "spool", "keys"):
        (folder / name).mkdir(mode=0o700)
    world = World(folder, settings, clock)
    await world.start()
    try:
        world.staff = await world.staff_member(LOGIN, AGENT_NAME, "agent")
        world.admin = await world.staff_member("adam", "Adam Aufseher", "admin")
        world.agent, world.customer = await world.new_call(world.staff)
        world.session = world.agent.party.session
        await world.story()
        yield world
    finally:
        await world.close()
        release(folder)
