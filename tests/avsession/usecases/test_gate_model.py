"""Random calls against real storage: whatever happens, a live gate has everyone's consent."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from avsession.errors import AvsessionError, Unavailable
from avsession.records import ConsentEvent, GrantRecord, Recording
from avsession.session import Party, Presence, Session
from avsession.usecases import presence
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened
from tests.support import memory

WHO = st.sampled_from(["agent", "customer"])


class Call(RuleBasedStateMachine):
    """Two people, a recorder that comes and goes, a clock, restarts, and commits that fail."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = memory.folder()
        self.opened = opened(Path(self.folder.name))
        self.world: World = self.loop.run_until_complete(self.opened.__aenter__())
        self.run(self.world.recorder.join())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.loop.run_until_complete(self.opened.__aexit__(None, None, None))
            self.loop.close()
            self.folder.cleanup()

    def run(self, work: Any) -> None:
        """Do it; being refused is fine, being wrong is not."""

        async def attempt() -> None:
            with contextlib.suppress(AvsessionError):
                await work

        self.loop.run_until_complete(attempt())

    def person(self, who: str) -> Person:
        person: Person = getattr(self.world, who)
        return person

    async def newest(self) -> str:
        asked = await self.world.find(ConsentEvent, kind="requested", order="-leaf", limit=1)
        return asked[0].request if asked else "req_" + "a" * 26

    @rule(purposes=st.sampled_from([("quality",), ("quality", "evidence")]))
    def ask(self, purposes: tuple[str, ...]) -> None:
        self.run(self.world.ask(*purposes))

    @rule(who=WHO, purposes=st.sampled_from([(), ("quality",), ("evidence",)]))
    def allow(self, who: str, purposes: tuple[str, ...]) -> None:
        if self.loop.run_until_complete(self.newest()) != "req_" + "a" * 26:
            self.run(self.world.allow(self.person(who), *purposes))

    @rule()
    def record(self) -> None:
        """Everything that recording takes, if it can be had."""
        for who in ("agent", "customer"):
            self.connect(who)
        self.recorder_comes(fails=False)
        self.ask(("quality",))
        for who in ("agent", "customer"):
            self.allow(who, ())

    @rule(
        who=WHO, how=st.sampled_from(["decline", "withdraw", "stop", "pause"]), fails=st.booleans()
    )
    def close(self, who: str, how: str, *, fails: bool) -> None:
        request = self.loop.run_until_complete(self.newest())
        was = self.world.live()
        self.failing(fails)
        self.run(getattr(self.world, how)(self.person(who), request))
        self.failing(False)
        if how != "decline" and was is not None and was.request == request:
            assert self.world.live() is None

    @rule(who=WHO, mine=st.booleans())
    def resume(self, who: str, *, mine: bool) -> None:
        """Whoever thinks they may: with the number of their own pause, or of somebody's."""

        async def said() -> None:
            request = (await self.world.state()).request
            if request is None or not request.pauses:
                return
            person = self.person(who)
            pause = (mine and request.pause_of(person.id)) or request.pauses[0]
            await self.world.resume(person, request.id, pause.generation)

        self.run(said())

    @rule(who=WHO, fails=st.booleans())
    def disconnect(self, who: str, *, fails: bool) -> None:
        self.failing(fails)
        self.run(self.world.disconnect(self.person(who)))
        self.failing(False)
        live = self.world.live()
        assert live is None or self.person(who).id not in live.parties

    @rule(who=WHO)
    def connect(self, who: str) -> None:
        if not self.world.hub.connected(self.person(who).id):
            self.run(self.world.connect(self.person(who)))

    @rule()
    def leave(self) -> None:
        self.run(presence.left(self.world.app, self.world.customer.id))

    @rule(fails=st.booleans())
    def recorder_goes(self, *, fails: bool) -> None:
        if self.world.recorder.connected:
            self.failing(fails)
            self.run(self.world.recorder.vanish())
            self.failing(False)

    @rule(fails=st.booleans())
    def recorder_comes(self, *, fails: bool) -> None:
        if not self.world.recorder.connected:
            self.failing(fails)
            self.run(self.world.recorder.join())
            self.failing(False)

    @rule(seconds=st.sampled_from([0.5, 29, 61]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.world.later(seconds))

    @rule()
    def restart(self) -> None:
        self.run(self.world.restart())

    def failing(self, fails: bool) -> None:
        async def fail() -> None:
            raise Unavailable

        self.world.store.before_commit = fail if fails else None

    @invariant()
    def a_live_gate_has_everyones_consent(self) -> None:
        if hasattr(self, "world"):
            self.loop.run_until_complete(self._hold())

    async def _hold(self) -> None:
        world = self.world
        live = world.live()
        if live is None:
            return
        assert not (await world.only(Session, id=world.session)).ended_ms
        request = (await world.state()).request
        assert request is not None
        assert not request.pauses
        seated = [p for p in await world.find(Party, session=world.session) if p.presence]
        assert {p.id for p in seated} == live.parties
        assert len(seated) >= 2
        for party in seated:
            assert party.presence is Presence.PRESENT
            assert world.hub.connected(party.id)
            said = [
                event.kind
                for event in await world.find(ConsentEvent, request=live.request, party=party.id)
            ]
            assert "given" in said
            assert not {"withdrawn", "refused", "expired"} & set(said)
        assert world.recorder.connected
        grant = await world.only(GrantRecord, recording=live.recording, generation=live.generation)
        assert grant.closed_ms is None
        newer = [g for g in await world.find(GrantRecord) if g.generation > live.generation]
        assert not newer
        recording = await world.only(Recording, id=live.recording)
        assert recording.request == live.request


def test_call() -> None:
    run_state_machine_as_test(
        Call,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
