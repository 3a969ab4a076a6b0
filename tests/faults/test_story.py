"""Whole stories, in any order, against a plain model of what is right (truth.py, story.py).

No frame is kept outside consent, everything that was said is written down, proven and nothing
else is, what was to be destroyed is gone. ``STORY_EXAMPLES`` and ``STORY_STEPS`` make it longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.faults.story import WHO, Story

PEOPLE = st.sampled_from(WHO)
PURPOSES = st.sampled_from([(), ("quality",), ("evidence",), ("quality", "evidence")])
STEPS = st.sampled_from([1, 3, 12, 40])
HOURS = st.sampled_from([-1.0, 1.0, 1.5 / 3600])


class Told(RuleBasedStateMachine):
    """A story, told at random."""

    story: Story

    @initialize(skew_ms=st.sampled_from([0, -86_400_000, 3_600_000]))
    def begin(self, skew_ms: int) -> None:
        self.story = Story(skew_ms)
        self.heal(12)

    def teardown(self) -> None:
        if hasattr(self, "story"):
            try:
                self.story.finish()
            finally:
                self.story.end()

    @rule(steps=STEPS)
    def heal(self, steps: int) -> None:
        """Everyone is there, and there is something to record."""
        story = self.story
        for who in WHO:
            story.connect(who)
            if who in story.owed:
                story.repeat(who)
        story.recorder()
        if story.truth.can_ask():
            story.ask()
        for who in WHO:
            if story.truth.live and who not in story.truth.live.given:
                story.give(who)
            if story.truth.live and who in story.truth.live.paused:
                story.resume(who)
        story.media(steps)

    @rule(purposes=PURPOSES)
    def ask(self, purposes: tuple[str, ...]) -> None:
        if self.story.here("agent"):
            self.story.ask(*purposes)

    @rule(who=PEOPLE, purposes=PURPOSES, shown=st.booleans())
    def give(self, who: str, purposes: tuple[str, ...], *, shown: bool) -> None:
        if self.story.here(who):
            if shown:
                self.story.shown(who)
            self.story.give(who, *purposes)

    @rule(who=PEOPLE, how=st.sampled_from(["refuse", "extend", "stop"]), lag=STEPS)
    def answer(self, who: str, how: str, lag: int) -> None:
        if self.story.here(who):
            getattr(self.story, how)(who)
            self.story.media(lag, flows=False)

    @rule(who=PEOPLE, first=st.booleans(), unwritten=st.booleans(), lag=STEPS,
          fate=st.sampled_from(["keep", "destroy", ""]))  # fmt: skip
    def withdraw(self, who: str, lag: int, fate: str, *, first: bool, unwritten: bool) -> None:
        """The recorder hears of it only after a while; until then everyone goes on sending."""
        if self.story.here(who):
            self.story.withdraw(who, first=first, unwritten=unwritten)
            self.story.media(lag, flows=False)
            if fate and self.story.here(who):
                self.story.choose(who, fate, first=first)

    @rule(who=PEOPLE, unwritten=st.booleans(), lag=STEPS)
    def pause(self, who: str, lag: int, *, unwritten: bool) -> None:
        if self.story.here(who):
            self.story.pause(who, unwritten=unwritten)
            self.story.media(lag, flows=False)

    @rule(who=PEOPLE, whose=PEOPLE, stale=st.booleans(), steps=STEPS)
    def resume(self, who: str, whose: str, steps: int, *, stale: bool) -> None:
        if self.story.here(who):
            self.story.resume(who, whose=whose, stale=stale)
            self.story.media(steps)

    @precondition(lambda self: self.story.owed)
    @rule(lag=STEPS)
    def repeat(self, lag: int) -> None:
        for who in tuple(self.story.owed):
            if self.story.world.hub.connected(self.story.person(who).id):
                self.story.repeat(who)
        self.story.media(lag)

    @rule(who=PEOPLE, lag=STEPS)
    def disconnect(self, who: str, lag: int) -> None:
        self.story.disconnect(who)
        self.story.media(lag, flows=False)

    @rule(who=PEOPLE, steps=STEPS)
    def connect(self, who: str, steps: int) -> None:
        self.story.connect(who)
        self.story.media(steps)

    @rule(who=st.sampled_from(["customer", "customer", "agent"]), lag=STEPS)
    def leave(self, who: str, lag: int) -> None:
        self.story.leave(who)
        self.story.media(lag, flows=False)

    @rule(noticed=st.booleans())
    def recorder_crashes(self, *, noticed: bool) -> None:
        self.story.run(self.story.pair.crash())
        if noticed:
            self.story.run(self.story.pair.gone())

    @rule(cut=st.booleans())
    def recorder_link(self, *, cut: bool) -> None:
        self.story.run(self.story.pair.cut() if cut else self.story.pair.connect())

    @rule()
    def recorder_comes(self) -> None:
        self.story.recorder()

    @rule(both=st.booleans())
    def server_restarts(self, *, both: bool) -> None:
        if both:
            self.story.run(self.story.pair.crash())
        self.story.restart()

    @rule(hours=HOURS, steps=STEPS, flows=st.booleans())
    def server_clock(self, hours: float, steps: int, *, flows: bool) -> None:
        self.story.set_clock(hours)
        self.story.media(steps, flows=flows)

    @rule(hours=HOURS)
    def recorder_clock(self, hours: float) -> None:
        self.story.host.set_by_ms += int(hours * 3_600_000)

    @rule(place=st.booleans())
    def legal(self, *, place: bool) -> None:
        if place:
            self.story.admin.hold()
        else:
            self.story.check_media()
            self.story.admin.release()

    @rule(most=st.integers(1, 6))
    def trickle(self, most: int) -> None:
        self.story.run(self.story.pair.flow(most))

    @rule(seconds=st.sampled_from([0.5, 6.0, 31.0, 61.0]), late=st.booleans())
    def timers(self, seconds: float, *, late: bool) -> None:
        """Time passes; the server's timers may be late."""
        self.story.check_media()
        if late:
            self.story.clock.forward(seconds)
        else:
            self.story.later(seconds)

    @rule()
    def prove(self) -> None:
        self.story.check_proofs()


TestStory = Told.TestCase
TestStory.settings = settings(
    max_examples=int(os.environ.get("STORY_EXAMPLES", "6")),
    stateful_step_count=int(os.environ.get("STORY_STEPS", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture
def story() -> Iterator[Story]:
    """One told by hand, from when both have allowed and are recorded."""
    it = Story()
    try:
        it.ask()
        for who in WHO:
            it.give(who)
        it.media(60)
        yield it
        it.finish()
    finally:
        it.end()


def test_what_may_be_stored_is_stored(story: Story) -> None:
    """What the others rest on."""
    before = story.check_media()
    assert before > 2 * 30
    story.pause("agent")
    story.media(40)
    paused = story.check_media()
    story.resume("customer", whose="agent")
    story.media(20)
    story.resume("agent")
    story.media(60)
    assert story.check_media() > paused + 2 * 30


def test_a_hold_keeps_what_was_to_be_destroyed_until_it_is_released(story: Story) -> None:
    story.admin.hold()
    story.withdraw("customer")
    story.choose("customer", "destroy")
    story.later(0.5)
    assert story.check_media() > 0
    story.admin.release()
    story.later(0.5)
    assert story.check_media() == 0


def test_a_pause_and_a_withdrawal_outlast_a_restart(story: Story) -> None:
    """Also those that could not be written down before it."""
    story.pause("customer", unwritten=True)
    story.pause("agent")
    story.resume("agent")
    story.media(40)
    story.pause("agent")
    story.restart()
    for who in WHO:
        story.connect(who)
    story.recorder()
    story.media(40)
    story.resume("agent", whose="customer")
    story.resume("agent")
    story.resume("customer", stale=True)
    story.media(40)
    story.resume("customer")
    story.media(40)
    story.withdraw("customer", unwritten=True)
    story.media(40, flows=False)
    story.pause("agent")
    story.resume("agent")
    story.media(40)
    story.restart()
    for who in WHO:
        story.connect(who)
    story.recorder()
    story.media(40)
    story.check_media()


def test_answers_come_in_time_though_the_servers_timers_do_not(story: Story) -> None:
    story.stop("customer")
    story.ask()
    story.shown("customer")
    story.give("agent")
    story.clock.forward(61)
    story.extend("customer")
    story.give("customer")
    story.media(40)
    story.later(0.5)


@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_a_clock_that_was_set_costs_a_moment_of_a_recording(story: Story, hours: float) -> None:
    """Set back, the consents are of a time that is still to come: they are asked for again."""
    story.check_media()
    story.set_clock(hours)
    story.later(0.5)
    assert story.clock.away_ms() == 0
    story.recorder()
    if hours < 0:
        story.stop("agent")
        story.ask()
        for who in WHO:
            story.give(who)
    before = story.check_media()
    story.media(60)
    assert story.check_media() > before + 2 * 30


@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_nothing_is_kept_after_a_withdrawal_though_the_clock_was_just_set(
    story: Story, hours: float
) -> None:
    story.set_clock(hours)
    story.withdraw("customer")
    story.media(40, flows=False)
    story.media(20)
    story.check_media()


@pytest.mark.parametrize("most", [2, 3, 4, 5, 6])
def test_a_server_that_comes_back_with_another_time_is_asked_for_it_first(
    story: Story, most: int
) -> None:
    """A grant may be heard before the time: what follows it is not judged by the old one.

    An hour would be noticed by the domain; a second and a half would not.
    """
    story.set_clock(1.5 / 3600)
    story.restart()
    for who in WHO:
        story.connect(who)
    story.run(story.pair.connect())
    story.run(story.pair.flow(most))
    story.later(0.5)
    story.withdraw("customer")
    story.media(40, flows=False)
    story.media(20)
    story.check_media()
