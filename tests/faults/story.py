"""One deployment through everything that can happen to it, beside what is right (truth.py).

The domain, its database, the gate, the log, a recorder's worker and its spool are the product's;
time, the line between them and what a camera sees are made (pair.py). What each person says is
said to both; both must agree whether it works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from unittest import mock

from avsession.errors import AvsessionError, Unavailable
from avsession.messages import MoreTime, NoticeShown, WithdrawConsent
from avsession.recording import State
from avsession.records import Hold, Recording, RecordingRequest, Withdrawal
from avsession.usecases import consent, presence
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened
from tests.faults import proofs
from tests.faults.holding import Admin, RecorderHost
from tests.faults.pair import DummyLeg, Line, Pair, Wall
from tests.faults.truth import FATE_MS, Truth
from tests.support import memory

WHO = ("agent", "customer")
NOBODYS = "req_" + "a" * 26
OVER = (State.SEALED, State.INTERRUPTED, State.ERASED)


class Story:
    """Begins with a call of two; `end` checks everything and takes it down."""

    def __init__(self, skew_ms: int = 0) -> None:
        logging.disable(logging.CRITICAL)
        self.clock = Wall()
        self.host = RecorderHost(self.clock)
        self.patches = contextlib.ExitStack()
        for what, by in (
            ("worker.Link", Line),
            ("party.Leg", DummyLeg),
            ("worker.time", self.host),
        ):
            self.patches.enter_context(mock.patch(f"recorder.{what}", by))
        self.patches.enter_context(mock.patch("recorder.metrics.Metrics.leg"))
        self.patches.enter_context(mock.patch("recorder.journal.LATER_S", 0.0))
        self.loop = asyncio.new_event_loop()
        self.folder = memory.folder()
        self.opened = opened(Path(self.folder.name), clock=self.clock)
        self.world: World = self.loop.run_until_complete(self.opened.__aenter__())
        self.pair = Pair(self.world, skew_ms)
        self.truths: dict[str, Truth] = {}
        self.owed: dict[str, tuple[str, str, str]] = {}
        self.unwritten: dict[str, tuple[str, str, str, str]] = {}
        """Taken back while nothing could be written, which the server does when it can: the key of
        the message -> session, who, party, request."""
        self.words: dict[str, WithdrawConsent] = {}
        """What the page says then, and says again to the letter."""
        self.heads: list[str] = []
        self.admin = Admin(self)
        self.frames = 0
        self.run(self.pair.start())
        self.run(self.pair.flow())
        self.begin_call()

    # --- machinery

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it, and let what the server did by itself be known to the truth."""
        result = self.loop.run_until_complete(work)
        self.loop.run_until_complete(self._overhear())
        self.look()
        return result

    def says(self, work: Coroutine[Any, Any, Any], *, right: bool) -> Any:
        """Do what somebody asks for; it works exactly when it is right."""

        async def attempt() -> tuple[bool, Any]:
            try:
                return True, await work
            except AvsessionError as error:
                return False, error

        worked, result = self.loop.run_until_complete(attempt())
        assert worked == right, result
        self.run(asyncio.sleep(0))
        return result if worked else None

    def look(self) -> None:
        for truth in self.truths.values():
            truth.look(self.clock.ms)

    async def _overhear(self) -> None:
        """The server may end a request for want of a recorder or a disk: that only closes."""
        for truth in self.truths.values():
            if truth.live is not None:
                row = await self.world.only(RecordingRequest, id=truth.live.id)
                if row.outcome == "stopped":
                    truth.live = None

    @property
    def truth(self) -> Truth:
        return self.truths[self.world.session]

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def person(self, who: str) -> Person:
        person: Person = getattr(self.world, who)
        person.signer._said.clear()
        return person

    def here(self, who: str) -> bool:
        """Whether this page can speak, and has nothing to repeat."""
        return self.world.hub.connected(self.person(who).id) and who not in self.owed

    def request(self, *, first: bool = False) -> str:
        asks = list(self.truth.asks) or [NOBODYS]
        return asks[0 if first else -1]

    def begin_call(self) -> None:
        """The session is over, or there was none: another customer."""
        world = self.world
        if world.session in self.truths:
            self.owed.clear()
            for who in WHO:
                world.hub.detach(self.person(who).id, self.person(who))
            world.agent, world.customer = self.loop.run_until_complete(world.new_call(world.staff))
            world.session = world.agent.party.session
        self.truths[world.session] = Truth(dict.fromkeys(WHO))

    # --- what people do

    def ask(self, *purposes: str) -> None:
        right = self.truth.can_ask()
        request = self.says(self.world.ask(*purposes), right=right)
        if right:
            self.truth.ask(request, frozenset(purposes or ("quality",)), self.now)

    def shown(self, who: str) -> None:
        request = self.request()

        async def show() -> None:
            row = await self.world.only(RecordingRequest, id=request)
            seen = NoticeShown(request=request, notice=row.notices["de"], language="de")
            await consent.shown(self.world.app, self.person(who).id, seen)

        if request != NOBODYS:
            self.says(show(), right=self.truth.shown(who, request))

    def give(self, who: str, *purposes: str) -> None:
        request = self.request()
        if request == NOBODYS:
            return
        asked = self.truth.asks[request].purposes
        ticked = frozenset(purposes) & asked or asked
        right = self.truth.give(who, request, ticked, self.now)
        self.says(self.world.allow(self.person(who), *sorted(ticked)), right=right)

    def refuse(self, who: str) -> None:
        request = self.request()
        right = self.truth.refuse(who, request)
        self.says(self.world.decline(self.person(who), request), right=right)

    def extend(self, who: str) -> None:
        request = self.request()
        right = self.truth.extend(who, request, self.now)
        more = MoreTime(request=request)
        self.says(consent.more_time(self.world.app, self.person(who).id, more), right=right)

    def withdraw(self, who: str, *, first: bool = False, unwritten: bool = False) -> None:
        request = self.request(first=first)
        key, person = self.world.key(), self.person(who)
        if unwritten and self.truth.may:
            self._unwritten(who, "withdraw", request, key)
            return
        self._withdrawn(who, request, self.world.withdraw(person, request, key))

    def _withdrawn(self, who: str, request: str, work: Coroutine[Any, Any, Any]) -> None:
        right = self.truth.withdraw(who, request, erased=self.erased(request))
        said = self.says(work, right=right)
        if right and said["fate_s"] != "0":
            self.truth.due[request, who] = self.now + FATE_MS

    def pause(self, who: str, *, unwritten: bool = False) -> None:
        request, key = self.request(), self.world.key()
        if unwritten and self.truth.may:
            self._unwritten(who, "pause", request, key)
            return
        self._paused(who, request, key)

    def _paused(self, who: str, request: str, key: str) -> None:
        right = self.truth.pause(who, request)
        self.look()  # it closes before it is written down
        number = self.says(self.world.pause(self.person(who), request, key), right=right)
        if right:
            self.truth.asks[request].paused[who] = number

    def _unwritten(self, who: str, how: str, request: str, key: str) -> None:
        """The database fails: it holds all the same, and the page repeats itself until told."""
        ask = self.truth.asks[request]
        ask.stuck.add(who)
        self.look()

        async def fail() -> None:
            raise Unavailable

        self.world.store.before_commit = fail
        if how == "withdraw":
            person = self.person(who)
            signed = self.world.signed(person, "withdraw", request)
            said = WithdrawConsent(request=request, key=key, signed=signed)
            self.unwritten[key] = (self.world.session, who, person.id, request)
            self.words[key] = said
            self.says(consent.withdraw(self.world.app, person.id, said), right=False)
        else:
            self.says(self.world.pause(self.person(who), request, key), right=False)
        self.world.store.before_commit = None
        self.owed[who] = (how, request, key)

    def _turn(self, work: Coroutine[Any, Any, Any]) -> None:
        """The server has its turn: what was taken back is written down, said again or not."""
        erased = {request for *_, request in self.unwritten.values() if self.erased(request)}
        self.run(work)
        for session, who, party, request in self.unwritten.values():
            if self.truths[session].withdraw(who, request, erased=request in erased):
                rows = self.loop.run_until_complete(
                    self.world.find(Withdrawal, request=request, party=party)
                )
                for row in rows:  # none: nothing was recorded, so there is nothing to choose
                    assert row.due_ms == self.now + FATE_MS
                    self.truths[session].due[request, who] = row.due_ms
        self.unwritten.clear()

    def repeat(self, who: str) -> None:
        """The page says again what was not acknowledged."""
        how, request, key = self.owed.pop(who)
        if how == "pause":
            self._paused(who, request, key)
            if not self.truth.live or self.truth.live.id != request:
                self.truth.asks[request].stuck.discard(who)
            return
        person: Person = getattr(self.world, who)
        work = consent.withdraw(self.world.app, person.id, self.words[key])
        if self.unwritten.pop(key, None) is None:  # the server was faster: the answer is the same
            self.says(work, right=who in self.truth.asks[request].withdrawn)
        else:
            self._withdrawn(who, request, work)

    def resume(self, who: str, *, whose: str = "", stale: bool = False) -> None:
        """Also by who has not paused, with the number of who has."""
        request = self.request()
        ask = self.truth.asks.get(request)
        generation = ask.paused.get(whose or who, 1) if ask else 1
        generation -= stale
        right = self.truth.resume(who, request, generation)
        self.says(self.world.resume(self.person(who), request, generation), right=right)

    def stop(self, who: str) -> None:
        request = self.request()
        right = self.truth.stop(who, request)
        self.says(self.world.stop(self.person(who), request), right=right)

    def choose(self, who: str, fate: str, *, first: bool = False) -> None:
        request = self.request(first=first)
        if not self.admin.held:
            self.check_media()  # while it is there
        right = self.truth.choose(who, request, fate)
        self.says(self.world.choose(self.person(who), request, fate), right=right)

    # --- what happens

    def disconnect(self, who: str) -> None:
        if self.world.hub.connected(self.person(who).id):
            self.truth.lose(who, self.now)
            self.run(self.world.disconnect(self.person(who)))

    def connect(self, who: str) -> None:
        if self.truth.ended:
            self.begin_call()
        elif not self.world.hub.connected(self.person(who).id):
            self.truth.join(who)
            self.loop.run_until_complete(self.world.connect(self.person(who)))
            if who in self.owed:
                self.repeat(who)
            self.run(asyncio.sleep(0))

    def leave(self, who: str) -> None:
        person = self.person(who)
        self.truth.leave(who)
        self.run(presence.left(self.world.app, person.id))
        self.world.hub.detach(person.id, person)

    def media(self, steps: int, *, flows: bool = True) -> None:
        self.run(self.pair.media(steps, flows=flows))

    def later(self, seconds: float) -> None:
        """Time passes, and the server's timers notice."""
        self._turn(self.world.later(seconds))
        for truth in self.truths.values():
            truth.tick(self.now)
        self.look()

    def set_clock(self, hours: float) -> None:
        """The server's clock is set; it notices with its next turn."""
        self.clock.set_by_ms += int(hours * 3_600_000)

    def restart(self) -> None:
        """The server dies and comes again on the same files."""
        self.look()
        self.loop.run_until_complete(self.pair.restart())
        self.loop.run_until_complete(presence.recover(self.world.app))
        self._turn(consent.recover(self.world.app))
        for truth in self.truths.values():
            truth.restart(self.now)
        self.run(asyncio.sleep(0))

    def recorder(self) -> None:
        """One is there and connected."""
        if self.pair.worker is None:
            self.run(self.pair.gone())
            self.run(self.pair.start())
        self.run(self.pair.connect())
        self.run(self.pair.flow())

    # --- what is so

    def erased(self, request: str) -> bool:
        rows = self.loop.run_until_complete(self.world.find(Recording, request=request))
        return any(row.state is State.ERASED for row in rows)

    def check_media(self) -> int:
        """No frame is kept that was captured while recording was not allowed."""
        return int(self.run(self._check_media()))

    async def _check_media(self) -> int:
        requests = {row.id: row for row in await self.world.find(Recording)}
        frames = await self.pair.stored()
        for recording, ms in frames:
            row = requests[recording]
            truth = self.truths[row.session]
            assert truth.allowed(row.request, ms), (ms, truth.asks[row.request].spans)
        self.frames = max(self.frames, len(frames))
        return len(frames)

    def check_proofs(self) -> None:
        """Everything that was said can be proven, and the log is whole."""
        self.loop.run_until_complete(proofs.all_was_written_down(self.world, self.truths))
        self.loop.run_until_complete(proofs.every_event_is_proven(self.world))
        self.loop.run_until_complete(proofs.every_receipt_verifies(self.world))
        self.loop.run_until_complete(proofs.heads_tell_one_history(self.world, self.heads))
        self.loop.run_until_complete(proofs.grants_waited_for_evidence(self.world))
        self.loop.run_until_complete(proofs.nothing_is_wrong_with_the_log(self.world))

    def finish(self) -> None:
        """Everything that was begun ends; then all of it is looked at."""
        self.check_media()
        self.admin.release()
        for who in WHO:
            self.connect(who)
        self.recorder()
        self.media(20)
        if self.truth.live is not None:
            self.stop("agent")
        self.media(20)
        for seconds in (1.0, 31.0, 100.0, 1.0, 601.0, 1.0):
            self.later(seconds)
            for who in WHO:
                self.connect(who)
            self.recorder()
            self.media(12)
        states = {row.state for row in self.loop.run_until_complete(self.world.find(Recording))}
        assert states <= set(OVER), states
        assert not self.loop.run_until_complete(self.world.find(Hold, released_ms=None))
        self.check_media()
        self.loop.run_until_complete(proofs.what_was_to_go_is_gone(self.world, self.truths))
        self.check_proofs()

    def end(self) -> None:
        """Take it down, whatever came of it."""
        self.loop.run_until_complete(self.pair.crash())
        self.loop.run_until_complete(self.opened.__aexit__(None, None, None))
        self.loop.close()
        self.folder.cleanup()
        self.patches.close()
        logging.disable(logging.NOTSET)
