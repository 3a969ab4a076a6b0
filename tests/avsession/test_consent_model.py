"""Three parties do whatever they like, honest or not; the model says what may follow."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from avsession.consent import (
    Ask,
    ConsentState,
    Ended,
    Expired,
    Extended,
    Given,
    Interrupted,
    Joined,
    Left,
    Lost,
    PauseBegan,
    Paused,
    PauseOver,
    Refused,
    Regained,
    Request,
    Requested,
    Resumed,
    Stopped,
    Withdrawn,
)
from tests.avsession.consent_model import Asked, Model

PARTIES = ("agent", "customer", "guest")
STRANGER = "stranger"
ANYONE = st.sampled_from((*PARTIES, STRANGER))
PARTY = st.sampled_from(PARTIES)
POOL = ("quality", "evidence", "training")
LANGUAGES = ("en", "de")
ANSWER_MS = 60_000
TIME = st.sampled_from((ANSWER_MS, 0))
MAX_EXTENSIONS = 2


def some_of(purposes: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(purposes), min_size=1, unique=True).map(tuple)


def notice(request: str, language: str) -> str:
    return f"{language} notice of {request}"


class ThreeParties(RuleBasedStateMachine):
    """Each rule moves the model, then says the event to the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(ConsentState(max_extensions=MAX_EXTENSIONS))
        self.now = 0

    @property
    def live(self) -> str:
        """The live request, or one that never was."""
        return self.model.live.id if self.model.live else "never"

    def other_than_live(self, data: st.DataObject) -> str:
        """A request that is over, or never was."""
        return data.draw(st.sampled_from([*self.model.over, "never"]))

    @invariant()
    def the_machine_stands_where_the_model_does(self) -> None:
        self.model.check()

    # --- coming and going

    @initialize(parties=st.sets(PARTY, min_size=2), most=st.sampled_from((50, 2)))
    def begins(self, parties: set[str], most: int) -> None:
        self.model.state = msgspec.structs.replace(self.model.state, max_refusals=most)
        for party in sorted(parties):
            self.joins(party)

    @rule(party=PARTY, time=TIME)
    def joins(self, party: str, time: int = ANSWER_MS) -> None:
        model, event = self.model, Joined(party, self.now + time)
        if model.ended:
            return model.turned_away(event)
        new = party not in model.there
        if new and model.live:
            model.live.deadline = max(model.live.deadline, event.deadline_ms)
        model.there[party] = True
        effects = model.follows(event, fence=new)
        assert Ask() in effects or not (new and model.live)
        return None

    @rule(party=ANYONE)
    def leaves(self, party: str) -> None:
        held_a_seat = self.model.there.pop(party, None) is not None
        self.model.given.pop(party, None)
        self.model.follows(Left(party), fence=held_a_seat)

    @rule(party=ANYONE)
    def is_lost(self, party: str) -> None:
        if party in self.model.there:
            self.model.there[party] = False
        self.model.follows(Lost(party))

    @rule(party=ANYONE)
    def is_back(self, party: str) -> None:
        if party in self.model.there:
            self.model.there[party] = True
        self.model.follows(Regained(party))

    @precondition(lambda self: not self.model.ended)
    @rule()
    def all_are_there(self) -> None:
        """Without this and `all_give`, chance would hardly ever open the gate."""
        for party in PARTIES:
            self.joins(party)

    @precondition(lambda self: self.model.live)
    @rule()
    def recorder_is_lost(self) -> None:
        self.model.follows(Interrupted(), fence=True)

    # --- asking and answering

    @precondition(lambda self: self.model.there and not self.model.live)
    @rule(data=st.data())
    def one_of_them_asks(self, data: st.DataObject) -> None:
        self.asks(data.draw(st.sampled_from(list(self.model.there))), POOL)

    @rule(by=ANYONE, purposes=some_of(POOL))
    def asks(self, by: str, purposes: tuple[str, ...]) -> None:
        model, name = self.model, f"request {len(self.model.over)}"
        notices = {language: notice(name, language) for language in LANGUAGES}
        request = Request(name, by, purposes, notices, self.now + ANSWER_MS)
        model.turned_away(Requested(msgspec.structs.replace(request, purposes=())))
        may_ask = not model.ended and model.refusals < model.state.max_refusals
        if not may_ask or model.live or by not in model.there or len(model.there) < 2:
            return model.turned_away(Requested(request))
        model.live = Asked(name, purposes, request.deadline_ms)
        assert model.follows(Requested(request)) == (Ask(),)
        return None

    def says_yes(self, party: str, language: str, purposes: tuple[str, ...]) -> None:
        text, live = notice(self.live, language), self.model.live
        event = Given(party, self.live, text, language, purposes, self.now)
        if not live or self.now >= live.deadline or party not in self.model.pending:
            return self.model.turned_away(event)
        self.model.given[party] = frozenset(purposes)
        self.model.follows(event)
        return None

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE, language=st.sampled_from(LANGUAGES), data=st.data())
    def gives(self, party: str, language: str, data: st.DataObject) -> None:
        assert self.model.live
        self.says_yes(party, language, data.draw(some_of(self.model.live.purposes)))

    @precondition(lambda self: self.model.live and self.model.pending)
    @rule(alike=st.booleans(), data=st.data())
    def all_give(self, alike: bool, data: st.DataObject) -> None:
        for party in self.model.pending:
            if live := self.model.live:
                ticked = live.purposes if alike else data.draw(some_of(live.purposes))
                self.says_yes(party, "en", ticked)

    @precondition(lambda self: self.model.live and self.model.given)
    @rule(data=st.data())
    def answers_again(self, data: st.DataObject) -> None:
        party = data.draw(st.sampled_from(sorted(self.model.given)))
        self.says_yes(party, "en", data.draw(some_of(POOL)))
        self.model.turned_away(Refused(party, self.live))

    @precondition(lambda self: self.model.live)
    @rule(party=PARTY, flaw=st.integers(0, 6), data=st.data())
    def gives_wrongly(self, party: str, flaw: int, data: st.DataObject) -> None:
        """A consent with one flaw, from a party that could give a good one if there is any."""
        assert self.model.live
        other, live = self.other_than_live(data), self.model.live
        good = Given(
            party=self.model.pending[0] if self.model.pending else party,
            request=live.id,
            notice=notice(live.id, "en"),
            language="en",
            purposes=live.purposes,
            now_ms=self.now,
        )
        flaws: list[dict[str, Any]] = [
            {"request": other, "notice": notice(other, "en")},
            {"notice": data.draw(st.sampled_from((notice(other, "en"), notice(live.id, "de"))))},
            {"language": "fr"},
            {"purposes": ()},
            {"purposes": (*live.purposes, "resale")},
            {"party": STRANGER},
            {"now_ms": live.deadline},
        ]
        self.model.turned_away(msgspec.structs.replace(good, **flaws[flaw]))

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE)
    def refuses(self, party: str) -> None:
        event = Refused(party, self.live)
        if not self.model.live or party not in self.model.pending:
            return self.model.turned_away(event)
        self.model.refusals += 1
        self.model.given[party] = frozenset()  # has answered: no purpose at all
        self.model.follows(event, outcome="refused")
        return None

    # --- time

    @precondition(lambda self: self.model.live)
    @rule(ms=st.integers(0, ANSWER_MS // 2))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @precondition(lambda self: self.model.live)
    @rule(around=st.sampled_from((None, -1, 0)))
    def silence_is_looked_at(self, around: int | None) -> None:
        """By the clock, just before the deadline, or at it."""
        assert self.model.live
        deadline = self.model.live.deadline
        now = self.now if around is None else deadline + around
        silent = now >= deadline and bool(self.model.pending)
        self.model.follows(Expired(self.live, now), outcome="expired" if silent else None)

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE, time=TIME)
    def needs_time(self, party: str, time: int) -> None:
        event = Extended(party, self.live, self.now + time, self.now)
        live = self.model.live
        waiting = live and self.model.pending and self.now < live.deadline
        if (
            not live
            or not waiting
            or live.extensions >= MAX_EXTENSIONS
            or (party not in self.model.there)
        ):
            return self.model.turned_away(event)
        live.extensions += 1
        live.deadline = max(live.deadline, event.deadline_ms)
        assert self.model.follows(event) == (Ask(),)
        return None

    # --- pausing

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE)
    def pauses(self, party: str) -> None:
        """Whoever is seated, also twice, also with somebody else, also while nobody is recorded."""
        model, event = self.model, Paused(party, self.live)
        live = model.live
        if not live or party not in model.there or (model.pending and not live.recorded):
            return model.turned_away(event)
        new, number = party not in model.paused, model.state.generation + 1
        model.paused[party] = number
        effects = model.follows(event, fence=True, raised=model.gate is None)
        assert model.gate is None
        assert (PauseBegan(party, live.id, number) in effects) is new
        return None

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE, late=st.booleans())
    def resumes(self, party: str, late: bool) -> None:
        """Only for itself, only the newest of its pauses: all that pauses must be taken back."""
        model, number = self.model, self.model.paused.get(party)
        event = Resumed(party, self.live, (number or 1) - late)
        if not model.live or number is None or late or party not in model.there:
            return model.turned_away(event)
        del model.paused[party]
        over = PauseOver(party, model.live.id, number, last=not model.paused)
        assert over in model.follows(event)
        return None

    @precondition(lambda self: self.model.paused)
    @rule()
    def all_resume(self) -> None:
        for party in list(self.model.paused):
            self.joins(party)
            self.resumes(party, late=False)

    # --- ending

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE)
    def withdraws(self, party: str) -> None:
        """Who has no seat may too: whether it ever gave, the caller has checked."""
        event = Withdrawn(party, self.live)
        if not self.model.live or party in self.model.pending:
            return self.model.turned_away(event)
        self.model.follows(event, outcome="withdrawn")
        return None

    @precondition(lambda self: self.model.live)
    @rule(party=ANYONE | st.none())
    def stops(self, party: str | None) -> None:
        event = Stopped(party, self.live)
        if not self.model.live or party not in (*self.model.there, None):
            return self.model.turned_away(event)
        self.model.follows(event, outcome="stopped")
        return None

    @rule(party=PARTY, data=st.data())
    def speaks_of_another_request(self, party: str, data: st.DataObject) -> None:
        other = self.other_than_live(data)
        self.model.turned_away(Refused(party, other))
        self.model.turned_away(Withdrawn(party, other))
        self.model.turned_away(Stopped(party, other))
        self.model.turned_away(Paused(party, other))
        self.model.turned_away(Resumed(party, other, self.model.paused.get(party, 0)))
        self.model.turned_away(Extended(party, other, self.now + ANSWER_MS, self.now))
        self.model.follows(Expired(other, self.now + 2 * ANSWER_MS))

    @precondition(lambda self: len(self.model.over) > 4)
    @rule()
    def session_ends(self) -> None:
        self.model.ended = True
        self.model.follows(Ended(), outcome="ended")


def test_three_parties_against_the_model() -> None:
    run_state_machine_as_test(
        ThreeParties, settings=settings(max_examples=300, stateful_step_count=60, deadline=None)
    )
