"""What is right, said a second time and plainly: who may be recorded when, and what was said.

It knows nothing of the product's rules but these words: recording is allowed while a request is
live, everyone in the call is known to be there and has given, nobody has paused, and nobody has
taken anything back, whether or not that could be written down. ``ms`` is the true time, ``now``
what the server's clock reads, by which people are given time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ANSWER_MS, SEAT_MS, FATE_MS = 60_000, 30_000, 120_000
REFUSALS, EXTENSIONS, REQUESTS, SHOWN = 2, 10, 20, 20


@dataclass
class Ask:
    """One request to record."""

    id: str
    purposes: frozenset[str]
    deadline: int
    given: dict[str, frozenset[str]] = field(default_factory=dict)
    paused: dict[str, int] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    spans: list[list[float]] = field(default_factory=list)
    extensions: int = 0


@dataclass
class Truth:
    """One session. ``seats``: until when each party's seat is held; None: it is there."""

    seats: dict[str, int | None]
    live: Ask | None = None
    ended: bool = False
    refusals: int = 0
    asks: dict[str, Ask] = field(default_factory=dict)
    said: list[tuple[str, str, str]] = field(default_factory=list)
    """Each consent event: what, who, about which request."""
    pauses: list[tuple[str, str, str]] = field(default_factory=list)
    fates: dict[tuple[str, str], str] = field(default_factory=dict)
    due: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def may(self) -> bool:
        """Whether recording is allowed now."""
        ask = self.live
        return ask is not None and not (ask.paused or ask.stuck) and self.all_gave(there=True)

    def all_gave(self, *, there: bool = False) -> bool:
        ask = self.live
        if ask is None or not set(self.seats) <= set(ask.given) or len(self.seats) < 2:
            return False
        return not there or all(until is None for until in self.seats.values())

    def look(self, ms: int) -> None:
        """After everything that happens: an interval begins, or ends."""
        for ask in self.asks.values():
            open_now = bool(ask.spans) and ask.spans[-1][1] == float("inf")
            if open_now and not (ask is self.live and self.may):
                ask.spans[-1][1] = ms
            elif not open_now and ask is self.live and self.may:
                ask.spans.append([ms, float("inf")])

    def allowed(self, request: str, ms: int) -> bool:
        """Whether a frame of that moment may be kept under that request."""
        return any(begin <= ms <= end for begin, end in self.asks[request].spans)

    # --- what people do: each says whether it is right that it works

    def can_ask(self) -> bool:
        """An agent may ask twice after a no, and not without anybody there."""
        fits = self.refusals < REFUSALS and len(self.asks) < REQUESTS and len(self.seats) > 1
        return self.live is None and not self.ended and fits

    def ask(self, request: str, purposes: frozenset[str], now: int) -> None:
        self.live = self.asks[request] = Ask(request, purposes, now + ANSWER_MS)
        self.said.append(("requested", "agent", request))

    def pending(self, who: str, request: str) -> bool:
        ask = self.live
        waits = ask is not None and ask.id == request and not self.ended
        return waits and who in self.seats and ask is not None and who not in ask.given

    def shown(self, who: str, request: str) -> bool:
        times = self.said.count(("shown", who, request))
        live = self.live is not None and self.live.id == request
        if not live or self.all_gave() or times >= SHOWN:
            return False
        self.said.append(("shown", who, request))
        return True

    def give(self, who: str, request: str, purposes: frozenset[str], now: int) -> bool:
        ask = self.live
        if ask is None or not self.pending(who, request) or now >= ask.deadline:
            return False
        self.said.append(("given", who, request))
        ask.given[who] = purposes
        if self.all_gave() and not frozenset.intersection(*ask.given.values()):
            self.live = None
        return True

    def refuse(self, who: str, request: str) -> bool:
        if not self.pending(who, request):
            return False
        self.said.append(("refused", who, request))
        self.live, self.refusals = None, self.refusals + 1
        return True

    def extend(self, who: str, request: str, now: int) -> bool:
        ask = self.live
        if ask is None or ask.id != request or self.all_gave() or self.ended:
            return False
        if who not in self.seats or now >= ask.deadline or ask.extensions >= EXTENSIONS:
            return False
        ask.deadline, ask.extensions = max(ask.deadline, now + ANSWER_MS), ask.extensions + 1
        return True

    def withdraw(self, who: str, request: str, *, erased: bool) -> bool:
        ask = self.asks.get(request)
        if ask is None or who not in ask.given or who in ask.withdrawn or erased:
            return False
        ask.withdrawn.add(who)
        self.said.append(("withdrawn", who, request))
        ask.stuck.discard(who)
        self.live = None if ask is self.live else self.live
        return True

    def stop(self, who: str, request: str) -> bool:
        if self.live is None or self.live.id != request or who not in self.seats:
            return False
        self.live = None
        return True

    def pause(self, who: str, request: str) -> bool:
        ask = self.live
        if ask is None or ask.id != request or who not in self.seats or not ask.spans:
            return False
        if who not in ask.paused:
            self.pauses.append(("recording.paused", who, request))
        ask.stuck.discard(who)
        ask.paused.setdefault(who, 0)
        return True

    def resume(self, who: str, request: str, generation: int) -> bool:
        ask = self.live
        if ask is None or ask.id != request or who not in self.seats:
            return False
        if ask.paused.get(who) != generation:
            return False
        del ask.paused[who]
        self.pauses.append(("recording.resumed", who, request))
        return True

    def choose(self, who: str, request: str, fate: str) -> bool:
        key = (request, who)
        if key not in self.due or self.fates.get(key, fate) != fate:
            return False
        self.fates[key] = fate
        return True

    # --- what happens

    def join(self, who: str) -> None:
        self.seats[who] = None

    def lose(self, who: str, now: int) -> None:
        if who in self.seats:
            self.seats[who] = now + SEAT_MS

    def leave(self, who: str) -> None:
        if who in self.seats and not self.ended:
            del self.seats[who]
            self.live = None  # one alone is no call
            self.ended = who == "agent"

    def tick(self, now: int) -> None:
        ask = self.live
        if ask is not None and not self.all_gave() and ask.deadline <= now:
            waiting = [who for who in self.seats if who not in ask.given]
            self.said += [("expired", who, ask.id) for who in waiting]
            self.live = None
        for who, until in sorted(self.seats.items(), key=lambda seat: seat[1] or 0):
            if until is not None and until <= now:
                self.leave(who)
        for key, due in self.due.items():
            if due <= now:
                self.fates.setdefault(key, "destroy")

    def restart(self, now: int) -> None:
        """Nobody is known to be there; what was not written down is forgotten by the server."""
        for who in self.seats:
            if not self.ended:
                self.seats[who] = now + SEAT_MS
