"""The two doors: who is let in, what the first message must be, and what happens when they go.

Parties come with an Origin of ours and a single-use ticket; recorder workers with a credential
and no Origin. Both speak WebSocket (RFC 6455) with a subprotocol of their own and without
compression, which could be a bomb.

A party that connects again replaces its older connection and is not lost in between. Joining and
losing one party take turns, so the last word is always about the connection that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from websockets.exceptions import ConnectionClosed

from avsession.errors import AvsessionError, MessageInvalid, TicketRefused
from avsession.logs import SESSION
from avsession.messages import (
    FROM_PARTY,
    FROM_RECORDER,
    PARTY_SUBPROTOCOL,
    RECORDER_SUBPROTOCOL,
    Codec,
    ErrorReply,
    Hello,
    Message,
    Welcome,
    WorkerHello,
    WorkerWelcome,
)
from avsession.session import Party
from avsession.tasks import Tasks
from signaling.cases import UseCases
from signaling.connection import End, Peer
from signaling.dispatch import Seat, receive_party, receive_recorder
from signaling.hub import Ear, Hub
from signaling.lanes import Lanes, Turns
from signaling.limits import Limits
from signaling.resume import Resumes
from signaling.upgrade import Register, Socket, check_party, check_recorder

log = logging.getLogger("signaling.server")

RETRIES_S = (1, 2, 4, 8, 16, 30, 30, 30)
"""Between tries to write down that somebody is gone, while the database does not answer."""


M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True)
class Road:
    """How one owner, a party or a worker, comes, talks and goes."""

    owner: str
    attach: Callable[[], Ear | None]
    detach: Callable[[], bool]
    connected: Callable[[], bool]
    join: Callable[[], Awaitable[None]]
    """Tells the welcome, or raises."""
    gone: Callable[[], Awaitable[None]]
    receive: Callable[[Seat, str | bytes], None]
    waiting: int
    hold: Callable[[str], None] = lambda key: None
    """As a :class:`Seat` has it."""
    outdated: Callable[[], bool] = lambda: False
    """Whether a page that took the seat later is connected."""


class SignalingServer:
    """Both doors. ``party`` and ``recorder`` make the protocol of a connection that is theirs.

    ``origins``: lower-case origins of pages that may connect. ``credential``: what recorder
    workers must present, at least 32 characters. ``relay_only``: no party's address is passed on,
    whatever its page says; only relayed candidates are. ``now``: seconds that never go back. Call
    :meth:`close` before the store closes.
    """

    def __init__(
        self,
        hub: Hub,
        cases: UseCases,
        *,
        origins: frozenset[str],
        credential: str,
        relay_only: bool = False,
        limits: Limits | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(credential) < 32:
            raise ValueError("the recorder's credential needs 32 characters at least")
        self._hub = hub
        self._cases = cases
        self._relay_only = relay_only
        self._limits = limits or Limits()
        self._now = now
        self._tasks = Tasks(limit=100_000)
        self._turns = Turns()
        self._resumes = Resumes(now)
        self._numbers = itertools.count(1)
        self._peers: set[Peer] = set()
        self._parties = Register(
            PARTY_SUBPROTOCOL,
            check_party(origins),
            self._serve_party,
            self._limits,
            FROM_PARTY.limit,
        )
        self._recorders = Register(
            RECORDER_SUBPROTOCOL,
            check_recorder(credential),
            self._serve_recorder,
            self._limits,
            FROM_RECORDER.limit,
        )

    def party(self) -> asyncio.Protocol:
        """The protocol of a new connection to ``/signaling``."""
        return self._parties.protocol()

    def recorder(self) -> asyncio.Protocol:
        """The protocol of a new connection to ``/recorder``."""
        return self._recorders.protocol()

    async def close(self) -> None:
        """End every connection with 1001; returns when their owners are written down as gone."""
        registers = (self._parties, self._recorders)
        for register in registers:
            register.open = False
        for peer in tuple(self._peers):
            peer.end(End.STOPPING)
        if tasks := [task for one in registers for task in one.handler_tasks]:
            patience = self._limits.close_s + self._limits.drain_s + 2
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._tasks.close()

    # --- a connection's life

    async def _serve_party(self, socket: Socket) -> None:
        limits, hub, cases, resumes = self._limits, self._hub, self._cases, self._resumes
        async with self._peer(socket, Welcome, limits.outbox, limits.outbox_bytes) as peer:
            hello = await self._first(socket, peer, FROM_PARTY, Hello)
            if hello is None:
                return
            party = await self._admitted(peer, self._party(hello))
            if party is None:
                return
            SESSION.set(party.session)  # of this connection's task, and those that it spawns
            log.info("%s is a party's", peer.name)

            async def join() -> None:
                cases.expect(party, hello.unsaid)
                await cases.joined(party.id)

            def attach() -> Ear | None:
                resume = resumes.seat(party, hello.resume)
                return hub.attach(party.id, party.session, peer, resume)

            def detach() -> bool:
                last = hub.detach(party.id, peer)
                if last:
                    resumes.gone(party.id)
                return last

            road = Road(
                owner=party.id,
                attach=attach,
                detach=detach,
                connected=lambda: hub.connected(party.id),
                join=join,
                gone=lambda: cases.lost(party.id),
                receive=receive_party,
                waiting=limits.waiting,
                hold=lambda key: cases.hold(party, key),
                outdated=lambda: (
                    bool(hello.resume) and resumes.outdated(party.id, hello.resume or "")
                ),
            )
            await self._attend(socket, peer, road)

    async def _party(self, hello: Hello) -> Party:
        """Whose page says this hello: the ticket says it, or, without one, what the page was given
        to come back with. Raises TicketRefused."""
        if hello.ticket or not hello.resume:
            return await self._cases.redeem_ticket(hello.ticket)
        if (party := self._resumes.redeem(hello.resume)) is None:
            raise TicketRefused
        return party

    async def _serve_recorder(self, socket: Socket) -> None:
        limits, hub, cases = self._limits, self._hub, self._cases
        outbox = (limits.recorder_outbox, limits.recorder_outbox_bytes)
        async with self._peer(socket, WorkerWelcome, *outbox) as peer:
            hello = await self._first(socket, peer, FROM_RECORDER, WorkerHello)
            if hello is None:
                return

            async def join() -> None:
                peer.tell(await cases.worker_joined(hello))
                await cases.worker_ready(hello.worker)

            road = Road(
                owner=hello.worker,
                attach=lambda: hub.attach_worker(hello, peer),
                detach=lambda: hub.detach_worker(hello.worker, peer),
                connected=lambda: hub.worker_connected(hello.worker),
                join=join,
                gone=lambda: cases.worker_gone(hello.worker),
                receive=receive_recorder,
                waiting=limits.recorder_waiting,
            )
            await self._attend(socket, peer, road)

    @contextlib.asynccontextmanager
    async def _peer(
        self, socket: Socket, first: type[Message], outbox: int, outbox_bytes: int
    ) -> AsyncIterator[Peer]:
        """A peer and its writer; when the block is left it ends, and all it was told has left."""
        name = f"{'party' if first is Welcome else 'recorder'} {next(self._numbers)}"
        peer = Peer(
            socket, name, self._limits, self._now,
            first=first, outbox=outbox, outbox_bytes=outbox_bytes,
        )  # fmt: skip
        self._peers.add(peer)
        writer = self._tasks.spawn(peer.write(), name=f"{name}: writer")
        # When nobody writes any more, because of a crash too, nobody need read.
        writer.add_done_callback(lambda _: socket.abort())
        try:
            with contextlib.suppress(ConnectionClosed):
                yield peer
        finally:
            self._peers.discard(peer)
            peer.end(End.OVER)
            await asyncio.wait([writer])

    async def _first(self, socket: Socket, peer: Peer, codec: Codec, kind: type[M]) -> M | None:
        """The first message, if it came in time and is a hello; otherwise the peer is ended."""
        try:
            async with asyncio.timeout(self._limits.hello_s):
                frame = await socket.recv()
            message = codec.decode(frame)
        except TimeoutError:
            peer.turn_away(MessageInvalid("No first message came in time."), End.HELLO_LATE)
            return None
        except MessageInvalid as error:
            peer.turn_away(error, End.HELLO_EXPECTED)
            return None
        if not isinstance(message, kind):
            peer.turn_away(MessageInvalid("The first message must be a hello."), End.HELLO_EXPECTED)
            return None
        return message

    async def _attend(self, socket: Socket, peer: Peer, road: Road) -> None:
        """From a valid hello until the owner is gone and that is written down."""
        lanes = Lanes(self._tasks, peer.name, road.waiting)
        seat = Seat(
            road.owner, peer, lanes, self._hub, self._cases, self._limits,
            hold=road.hold, relay_only=self._relay_only,
        )  # fmt: skip
        try:
            await self._join(peer, road)
            while peer.ending is None:
                road.receive(seat, await socket.recv())
        finally:
            if road.detach():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.drain_s):
                        await lanes.idle()
                if not await self._gone(road):
                    self._tasks.spawn(self._gone_later(road), name=f"{peer.name}: gone")

    async def _join(self, peer: Peer, road: Road) -> None:
        async with self._turns.of(road.owner):
            if road.outdated():
                _replace(peer)
                return
            if (before := road.attach()) is not None:
                _replace(before)
            await self._admitted(peer, road.join())

    async def _admitted(self, peer: Peer, work: Awaitable[T]) -> T | None:
        """What ``work`` returns. When it raises the peer is turned away, unless it has had its
        welcome: then what failed is something that its coming has set off, and the call goes on."""
        try:
            return await work
        except AvsessionError as error:
            log.info("%s not admitted: %s", peer.name, error.code)
            if peer.held:
                peer.turn_away(error, End.NOT_ADMITTED)
        except Exception:
            log.exception("admitting %s failed", peer.name)
            if peer.held:
                peer.turn_away(AvsessionError(), End.NOT_ADMITTED)
        return None

    async def _gone(self, road: Road) -> bool:
        """Say that the owner is gone, unless it has come back; False when that failed."""
        async with self._turns.of(road.owner):
            if road.connected():
                return True
            try:
                await road.gone()
            except Exception:
                log.exception("could not write down that somebody is gone")
                return False
        return True

    async def _gone_later(self, road: Road) -> None:
        for wait_s in RETRIES_S:
            await asyncio.sleep(wait_s)
            if await self._gone(road):
                return
        log.error("gave up writing down that somebody is gone")


def _replace(ear: Ear) -> None:
    """Say that the seat is another page's, and end."""
    ear.tell(ErrorReply(code=End.REPLACED.reason, message=End.REPLACED.sentence))
    ear.end(End.REPLACED)
