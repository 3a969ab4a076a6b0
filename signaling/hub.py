"""Who is where: which party and which recorder worker is connected, and by which connection.

Implements ``ports.Bus``. Everything is immediate and in memory: a use case may speak through it
before it commits, which is how a closing gate reaches everyone without waiting for a database.
Nothing here is worth keeping; after a restart the peers come back and fill it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from avsession.errors import NotFound
from avsession.messages import Message, Parties, PartyInfo, Welcome
from avsession.ports import WorkerInfo
from signaling.connection import End


class Ear(Protocol):
    """A connected peer, as much of it as the hub needs."""

    def tell(self, message: Message) -> None:
        """Queue a message."""

    def end(self, end: End) -> None:
        """End after what is queued."""


@dataclass
class _Room:
    """The connected parties of a session, and what they last said of their devices."""

    ears: dict[str, Ear] = field(default_factory=dict)
    media: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    resumes: dict[str, str] = field(default_factory=dict)
    """What each party's page is given to come back with."""
    parties: tuple[PartyInfo, ...] = ()
    """As last told, so that a muted microphone is shown without asking a database."""


@dataclass
class _Worker:
    info: WorkerInfo
    ear: Ear


class Hub:
    """The signaling half of ``avsession.ports.Bus``, and the register behind it."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}
        self._sessions: dict[str, str] = {}
        self._workers: dict[str, _Worker] = {}

    # --- parties

    def attach(self, party: str, session: str, ear: Ear, resume: str = "") -> Ear | None:
        """The party is reached here from now on. Returns the connection that this replaces.

        ``resume``: goes into the welcome, for the page to come back with.
        """
        room = self._rooms.setdefault(session, _Room())
        before = room.ears.get(party)
        room.ears[party] = ear
        room.resumes[party] = resume
        self._sessions[party] = session
        return before

    def detach(self, party: str, ear: Ear) -> bool:
        """The connection is gone. False when another one had replaced it: the party is there."""
        session = self._sessions.get(party)
        room = self._rooms.get(session) if session is not None else None
        if session is None or room is None or room.ears.get(party) is not ear:
            return False
        del room.ears[party], room.resumes[party]
        del self._sessions[party]
        if not room.ears:
            del self._rooms[session]
        return True

    def connected(self, party: str) -> bool:
        """Whether a connection of this party is open."""
        return party in self._sessions

    def relay(self, sender: str, to: str, message: Message) -> None:
        """Pass a message on to another connected party of the sender's own session.

        Raises NotFound, the same for a party that is elsewhere, gone, or never was.
        """
        session = self._sessions.get(sender)
        if session is None or sender == to or self._sessions.get(to) != session:
            raise NotFound("That party is not connected to your session.")
        self._rooms[session].ears[to].tell(message)

    def set_media(self, party: str, *, microphone: bool, camera: bool) -> None:
        """Remember what the party's page says of its devices, and show it to the others."""
        session = self._sessions.get(party)
        if session is None:
            return
        room = self._rooms[session]
        room.media[party] = (microphone, camera)
        if room.parties:
            self.tell_session(session, Parties(parties=room.parties))

    # --- recorder workers

    def attach_worker(self, info: WorkerInfo, ear: Ear) -> Ear | None:
        """The worker is reached here from now on. Returns the connection that this replaces."""
        before = self._workers.get(info.worker)
        self._workers[info.worker] = _Worker(info, ear)
        return before.ear if before is not None else None

    def detach_worker(self, worker: str, ear: Ear) -> bool:
        """The connection is gone. False when another one had replaced it."""
        known = self._workers.get(worker)
        if known is None or known.ear is not ear:
            return False
        del self._workers[worker]
        return True

    def worker_connected(self, worker: str) -> bool:
        """Whether a connection of this worker is open."""
        return worker in self._workers

    # --- ports.Bus

    def tell(self, party: str, message: Message) -> None:
        """To one party's page, if it is connected."""
        session = self._sessions.get(party)
        if session is not None:
            room = self._rooms[session]
            if isinstance(message, Welcome):
                message = msgspec.structs.replace(message, resume=room.resumes[party])
            room.ears[party].tell(self._fresh(room, message))

    def tell_session(self, session: str, message: Message) -> None:
        """To every connected party of the session."""
        room = self._rooms.get(session)
        if room is None:
            return
        message = self._fresh(room, message)
        for ear in tuple(room.ears.values()):
            ear.tell(message)

    def tell_worker(self, worker: str, message: Message) -> bool:
        """To a recorder worker; False when it is not connected."""
        known = self._workers.get(worker)
        if known is None:
            return False
        known.ear.tell(message)
        return True

    def workers(self) -> list[WorkerInfo]:
        """The connected recorder workers."""
        return [known.info for known in self._workers.values()]

    def drop(self, party: str) -> None:
        """End the party's connection after what is queued for it."""
        session = self._sessions.get(party)
        if session is not None:
            self._rooms[session].ears[party].end(End.OVER)

    def drop_worker(self, worker: str) -> None:
        """End the worker's connection, which counts as gone from now on; it comes back."""
        known = self._workers.pop(worker, None)
        if known is not None:
            known.ear.end(End.CLOCK_SET)

    def media(self, party: str) -> tuple[bool, bool]:
        """The party's microphone and camera, as its page last said; (True, True) at first."""
        session = self._sessions.get(party)
        return self._rooms[session].media.get(party, (True, True)) if session else (True, True)

    def _fresh(self, room: _Room, message: Message) -> Message:
        """A list of parties gets the devices as they are now, and is remembered."""
        if not isinstance(message, Parties):
            return message
        room.parties = tuple(
            msgspec.structs.replace(one, microphone=state[0], camera=state[1])
            if (state := room.media.get(one.party)) is not None
            else one
            for one in message.parties
        )
        return Parties(parties=room.parties)
