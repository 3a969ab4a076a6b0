"""When recording was allowed, from the leaves of a session alone. Pure.

A generation of the gate is allowed from its ``grant.issued`` leaf until the first thing after it
that closes: the grant's end, a withdrawal, a pause, somebody who comes or goes, the session's end,
the recording's end, a newer grant. A grant counts only if everyone present at that leaf had given
consent to one and the same request and nobody had paused; whether that is so is read from the
leaves, not from the grant. Times: ms since the Unix epoch, server clock.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import msgspec

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS = datetime.timedelta(milliseconds=1)

MIN_PARTIES = 2
"""Fewer than two present: there is no call to record."""
NOT_CONSENTED = "not.consented"
PAUSED = "paused"
UNKNOWN_CONSENT = "consent.unknown"
NOBODY = "nobody"
FAULTS = {
    NOT_CONSENTED: "somebody who was present had not consented",
    PAUSED: "somebody had paused",
    UNKNOWN_CONSENT: "it names a consent that nobody present gave",
    NOBODY: "fewer than two were present",
}
"""Why a grant should not have been issued, in words."""


class Said(msgspec.Struct, frozen=True):
    """A leaf, as far as it matters here."""

    index: int
    time: str
    kind: str
    session: str | None
    subject: str | None
    refs: dict[str, Any]

    @property
    def at_ms(self) -> int:
        """When it was written."""
        return (datetime.datetime.fromisoformat(self.time) - _EPOCH) // _MS

    def ref(self, name: str) -> str:
        """A reference that is text; empty if it is not there."""
        value = self.refs.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """A reference that is a whole number; -1 if it is not there."""
        value = self.refs.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else -1


_decoder = msgspec.json.Decoder(Said)


def read(data: bytes) -> Said:
    """The leaf in these bytes; raises ValueError when they are none."""
    try:
        said = _decoder.decode(data)
        _ = said.at_ms
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return said


class Span(msgspec.Struct, frozen=True):
    """From a moment until another; None: it goes on."""

    from_ms: int
    to_ms: int | None
    what: str = ""
    """What it is, where there are several kinds: an answer, a reason."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A granted generation of the gate, and when it was allowed to capture."""

    number: int
    grant: str
    """SHA-256 of the grant."""
    recorder_key: str
    """The key that signs the manifest, hex; empty if the leaf does not say."""
    request: str
    leaf: int
    parties: tuple[str, ...]
    """Pseudonyms of who was present."""
    tracks: dict[str, str]
    """Track -> whose it is, as the grant's leaf says."""
    from_ms: int
    to_ms: int | None
    closed_by: str
    """The kind of leaf that ended it; empty while it goes on."""
    closed_leaf: int
    fault: str = ""
    """Why it should never have been granted; empty when it should."""
    fault_party: str = ""

    def allows(self, from_ms: float, to_ms: float) -> bool:
        """Whether all of this lies inside."""
        if self.fault or from_ms < self.from_ms or to_ms < from_ms:
            return False
        return self.to_ms is None or to_ms <= self.to_ms


class Story:
    """One session's leaves, in the log's order, and what follows for one of its recordings."""

    def __init__(self, leaves: Iterable[Said], recording: str) -> None:
        self.leaves = sorted(leaves, key=lambda one: one.index)
        self.recording = recording
        self.request = ""
        """The request that the recording was made under, by its first grant's consents."""
        self._seats: dict[str, None] = {}
        self._given: dict[tuple[str, str], set[str]] = {}
        self._events: dict[str, Said] = {}
        self._paused: dict[tuple[str, str], None] = {}
        revoked = {one.number("generation"): one for one in self.of("grant.revoked")}
        self.generations: dict[int, Generation] = {}
        for place, one in enumerate(self.leaves):
            if one.kind == "grant.issued" and one.ref("recording") == self.recording:
                number = one.number("generation")
                generation = self._generation(one, place, revoked.get(number))
                # a second grant under one number is a forgery: the first stays
                self.generations.setdefault(number, generation)
                self.request = self.request or generation.request
            self._take(one)

    def of(self, *kinds: str) -> list[Said]:
        """The recording's leaves of these kinds."""
        return [
            one
            for one in self.leaves
            if one.kind in kinds and one.ref("recording") == self.recording
        ]

    @property
    def rests_on(self) -> int:
        """The last leaf by which it is judged what may be stored, and what is; -1: there is none.

        Who looked at it, or holds it, changes nothing about that.
        """
        own = [one.index for one in self.of(*_LIFE)]
        return max([*own, *(one.closed_leaf for one in self.generations.values())], default=-1)

    def _take(self, one: Said) -> None:
        """What is so after this leaf."""
        party, request = one.subject or "", one.ref("request")
        match one.kind:
            case "party.joined":
                self._seats[party] = None
            case "party.left":
                self._seats.pop(party, None)
            case "consent.given":
                self._events[one.ref("event")] = one
                self._given.setdefault((party, request), set()).add(one.ref("event"))
            case "consent.withdrawn" | "consent.refused" | "consent.expired":
                self._given.pop((party, request), None)
            case "recording.paused":
                self._paused[party, request] = None
            case "recording.resumed":
                self._paused.pop((party, request), None)

    def _generation(self, grant: Said, place: int, revoked: Said | None) -> Generation:
        consents = _consents(grant)
        given = [self._events.get(event) for event in consents]
        request = next((one.ref("request") for one in given if one is not None), "")
        fault, party = self._fault(request, consents)
        to_ms, closed = self._end(place, request, grant.number("generation"), revoked)
        return Generation(
            number=grant.number("generation"),
            grant=grant.ref("grant"),
            recorder_key=grant.ref("recorder_key"),
            request=request,
            leaf=grant.index,
            parties=tuple(self._seats),
            tracks=_tracks(grant),
            from_ms=grant.at_ms,
            to_ms=to_ms,
            closed_by=closed.kind if closed else "",
            closed_leaf=closed.index if closed else -1,
            fault=fault,
            fault_party=party,
        )

    def _fault(self, request: str, consents: tuple[str, ...]) -> tuple[str, str]:
        """Why a grant that names these consents should not have been issued now, and whose."""
        if len(self._seats) < MIN_PARTIES:
            return NOBODY, ""
        named = set(consents)
        for party in self._seats:
            given = self._given.get((party, request), set())
            if not given & named:
                return NOT_CONSENTED, party
            named -= given
        if named:  # a consent of somebody else, of another request, or one that is none
            return UNKNOWN_CONSENT, ""
        for party, paused in self._paused:
            if paused == request:
                return PAUSED, party
        return "", ""

    def _end(
        self, place: int, request: str, generation: int, revoked: Said | None
    ) -> tuple[int | None, Said | None]:
        """When the grant at this place could capture no longer, and which leaf says so."""
        found: list[tuple[int, Said]] = []
        for one in self.leaves[place + 1 :]:
            if self._closes(one, request, generation):
                found.append((one.at_ms, one))
                break
        if revoked is not None:
            closed = revoked.refs.get("closed_ms")  # memory closes first, the leaf follows
            at = min(closed, revoked.at_ms) if isinstance(closed, int) else revoked.at_ms
            found.append((at, revoked))
        return min(found, key=lambda end: end[0], default=(None, None))

    def _closes(self, one: Said, request: str, generation: int) -> bool:
        if one.kind in _SESSION_CLOSES:
            return True
        if one.kind in _REQUEST_CLOSES and one.ref("request") == request:
            return True
        if one.ref("recording") != self.recording:
            return False
        if one.kind in ("grant.revoked", "recording.off"):
            return one.number("generation") in (generation, -1)
        return one.kind in _RECORDING_CLOSES


_LIFE = (
    "key.created",
    "grant.issued",
    "grant.revoked",
    "recording.on",
    "recording.paused",
    "recording.resumed",
    "recording.off",
    "recording.sealed",
    "recording.interrupted",
    "recording.erased",
)
_SESSION_CLOSES = ("party.joined", "party.left", "session.ended")
_REQUEST_CLOSES = ("consent.withdrawn", "recording.paused")
_RECORDING_CLOSES = (
    "grant.issued",
    "recording.paused",
    "recording.sealed",
    "recording.interrupted",
    "recording.erased",
)


def _consents(grant: Said) -> tuple[str, ...]:
    found = grant.refs.get("consents")
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def _tracks(grant: Said) -> dict[str, str]:
    """Track -> its party's pseudonym: two lists of one length."""
    tracks, owners = grant.refs.get("tracks"), grant.refs.get("owners")
    if not isinstance(tracks, list) or not isinstance(owners, list):
        return {}
    return {str(track): str(owner) for track, owner in zip(tracks, owners, strict=False)}


# --- rows of a picture


def presence(leaves: Iterable[Said], party: str) -> list[Span]:
    """When a party held its seat."""
    found: list[Span] = []
    since: int | None = None
    for one in leaves:
        if one.subject == party and one.kind == "party.joined" and since is None:
            since = one.at_ms
        elif one.subject == party and one.kind == "party.left" and since is not None:
            found.append(Span(since, one.at_ms))
            since = None
    return [*found, Span(since, None)] if since is not None else found


def consent(leaves: Iterable[Said], party: str, request: str) -> list[Span]:
    """What a party had answered to a request, and from when until when: ``asked`` from when it was
    shown, ``given``, ``refused``, ``withdrawn``, ``expired``; what stands at the end goes on."""
    found: list[Span] = []
    for one in leaves:
        if one.subject != party or one.ref("request") != request:
            continue
        what = _ANSWERS.get(one.kind)
        if what is None or (found and found[-1].what == what):
            continue
        if found:
            found[-1] = msgspec.structs.replace(found[-1], to_ms=one.at_ms)
        found.append(Span(one.at_ms, None, what))
    return found


_ANSWERS = {
    "consent.shown": "asked",
    "consent.given": "given",
    "consent.refused": "refused",
    "consent.withdrawn": "withdrawn",
    "consent.expired": "expired",
}


def pauses(leaves: Iterable[Said], request: str, end_ms: int | None) -> list[tuple[str, Span]]:
    """Whose pauses there were, and from when until when; one that nobody ended lasts until
    ``end_ms``."""
    found: list[tuple[str, Span]] = []
    since: dict[str, int] = {}
    for one in leaves:
        if one.ref("request") != request:
            continue
        party = one.subject or ""
        if one.kind == "recording.paused":
            since.setdefault(party, one.at_ms)
        elif one.kind == "recording.resumed" and party in since:
            found.append((party, Span(since.pop(party), one.at_ms)))
    return found + [(party, Span(start, end_ms)) for party, start in since.items()]
