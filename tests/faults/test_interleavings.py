"""Withdraw, rejoin, crash, reconnect, restart, in any order, with a line that is slow or cut.

Whatever happens: never a stored frame outside an open gate. See pair.py for what is real in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from avsession.errors import AvsessionError, Unavailable
from avsession.records import ConsentEvent
from avsession.usecases import presence
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened
from tests.faults.pair import DummyLeg, Line, Pair
from tests.support import memory

WHO = st.sampled_from(["agent", "customer"])
STEPS = st.sampled_from([1, 3, 12, 40])


@contextlib.contextmanager
def patched() -> Iterator[None]:
    """The worker talks to a :class:`Pair`, and its legs are made of nothing."""
    with (
        mock.patch("recorder.worker.Link", Line),
        mock.patch("recorder.party.Leg", DummyLeg),
        mock.patch("recorder.metrics.Metrics.leg"),
        mock.patch("recorder.journal.LATER_S", 0.0),
    ):
        yield


class Call(RuleBasedStateMachine):
    """Two people, a server, a recorder, and everything that can happen to them."""

    @initialize(skew_ms=st.sampled_from([0, -86_400_000, 3_600_000]))
    def begin(self, skew_ms: int) -> None:
        logging.disable(logging.CRITICAL)
        self.patches = contextlib.ExitStack()
        self.patches.enter_context(patched())
        self.loop = asyncio.new_event_loop()
        self.folder = memory.folder()
        self.opened = opened(Path(self.folder.name))
        self.world: World = self.loop.run_until_complete(self.opened.__aenter__())
        self.pair = Pair(self.world, skew_ms)
        self.do(self.pair.start())
        self.do(self.pair.flow())
        self.heal(12)

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        try:
            self.world.store.before_commit = None
            self.heal(20)
            self.check()
        finally:
            self.loop.run_until_complete(self.pair.crash())
            self.loop.run_until_complete(self.opened.__aexit__(None, None, None))
            self.loop.close()
            self.folder.cleanup()
            self.patches.close()
            logging.disable(logging.NOTSET)

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Being refused is fine, being wrong is not."""

        async def attempt() -> None:
            with contextlib.suppress(AvsessionError):
                await work

        self.loop.run_until_complete(attempt())

    def check(self) -> None:
        self.loop.run_until_complete(self.pair.check())

    def person(self, who: str) -> Person:
        person: Person = getattr(self.world, who)
        return person

    async def newest(self) -> str:
        asked = await self.world.find(ConsentEvent, kind="requested", order="-leaf", limit=1)
        return asked[0].request if asked else "req_" + "a" * 26

    @rule(steps=STEPS)
    def heal(self, steps: int) -> None:
        """Everyone is there, and there is something to record."""
        for who in ("agent", "customer"):
            self.connect(who)
        self.recorder_starts()
        self.recorder_connects()
        self.do(self.pair.flow())
        self.record()
        self.media(steps, flows=True)

    def record(self) -> None:
        """Ask, and both allow."""
        self.do(self.world.ask())
        for who in ("agent", "customer"):
            self.do(self.world.allow(self.person(who)))

    @rule(steps=STEPS, flows=st.booleans())
    def media(self, steps: int, *, flows: bool) -> None:
        self.do(self.pair.media(steps, flows=flows))

    @rule()
    def flow(self) -> None:
        self.do(self.pair.flow())

    @rule(most=st.integers(1, 6))
    def trickle(self, most: int) -> None:
        self.do(self.pair.flow(most))

    @rule(who=WHO, how=st.sampled_from(["withdraw", "stop"]), fails=st.booleans(), lag=STEPS)
    def close(self, who: str, how: str, *, fails: bool, lag: int) -> None:
        """The recorder hears of it only after a while; until then everyone goes on sending."""
        request = self.loop.run_until_complete(self.newest())
        self.failing(fails)
        self.do(getattr(self.world, how)(self.person(who), request))
        self.failing(False)
        live = self.world.live()
        assert live is None or live.request != request
        self.media(lag, flows=False)

    @rule(who=WHO, fails=st.booleans(), lag=STEPS)
    def disconnect(self, who: str, *, fails: bool, lag: int) -> None:
        self.failing(fails)
        self.do(self.world.disconnect(self.person(who)))
        self.failing(False)
        self.media(lag, flows=False)

    @rule(who=WHO)
    def connect(self, who: str) -> None:
        if not self.world.hub.connected(self.person(who).id):
            self.do(self.world.connect(self.person(who)))

    @rule(lag=STEPS)
    def leave(self, lag: int) -> None:
        self.do(presence.left(self.world.app, self.world.customer.id))
        self.media(lag, flows=False)

    @rule()
    def recorder_cut(self) -> None:
        self.do(self.pair.cut())

    @rule()
    def recorder_connects(self) -> None:
        self.do(self.pair.connect())

    @rule(noticed=st.booleans())
    def recorder_crashes(self, *, noticed: bool) -> None:
        self.do(self.pair.crash())
        if noticed:
            self.do(self.pair.gone())

    @rule()
    def recorder_starts(self) -> None:
        if self.pair.worker is None:
            self.do(self.pair.gone())
            self.do(self.pair.start())

    @rule(both=st.booleans())
    def server_restarts(self, *, both: bool) -> None:
        if both:
            self.do(self.pair.crash())
        self.do(self.pair.restart())
        self.do(presence.recover(self.world.app))

    @rule(seconds=st.sampled_from([0.5, 6.0, 31.0]))
    def timers(self, seconds: float) -> None:
        if seconds > 30 and not self.world.hub.connected(self.world.agent.id):
            return  # the session would end, and nothing could happen any more
        self.do(self.world.later(seconds))

    @rule()
    def look(self) -> None:
        self.check()

    def failing(self, fails: bool) -> None:
        async def fail() -> None:
            raise Unavailable

        self.world.store.before_commit = fail if fails else None


TestInterleavings = Call.TestCase
TestInterleavings.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@asynccontextmanager
async def recording(folder: Path, skew_ms: int) -> AsyncIterator[tuple[World, Pair]]:
    """A call that is recorded, the first seconds of it stored."""
    with patched():
        async with opened(folder) as world:
            pair = Pair(world, skew_ms)
            await pair.start()
            await pair.flow()
            await world.ask()
            await world.allow(world.agent)
            await world.allow(world.customer)
            await pair.media(60, flows=True)
            yield world, pair
            await pair.crash()


async def test_the_pair_stores_what_was_sent_while_the_gate_was_open(tmp_path: Path) -> None:
    """What the others rest on: a frame that may be stored is stored."""
    async with recording(tmp_path, 12_345) as (world, pair):
        withdrawn_ms = world.clock.now_ms()
        await world.withdraw(world.customer, world.gate.request)
        # the line is held: the recorder hears of it a second and a half later
        await pair.media(30, flows=False)
        await pair.media(20, flows=True)
        frames = await pair.stored()
        assert await pair.check() == len(frames)
        assert max(at for _, at in frames) <= withdrawn_ms
        assert len(frames) > 2 * 40


async def test_a_withdrawal_that_could_not_be_written_down_outlives_a_crash(tmp_path: Path) -> None:
    """Database gone, line held, server killed: what came after the withdrawal is not taken."""
    async with recording(tmp_path, 0) as (world, pair):
        withdrawn_ms = world.clock.now_ms()
        world.store.down = True
        with contextlib.suppress(Unavailable):
            await world.withdraw(world.customer, world.gate.request)
        await pair.media(40, flows=False)
        await pair.restart()
        await presence.recover(world.app)
        await pair.connect()
        await pair.media(40, flows=True)
        frames = await pair.stored()
        assert len(frames) > 40
        assert max(at for _, at in frames) <= withdrawn_ms
