"""When recording was allowed: read from leaves, held against a plain model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from avsession.audit import intervals
from avsession.audit.intervals import Said, Story
from avsession.audit.log import rfc3339
from avsession.canonical import canonical

T0 = 1_750_000_000_000
RECORDING, REQUEST = "rec", "req"


class Log:
    """Leaves, one a second."""

    def __init__(self) -> None:
        self.leaves: list[Said] = []
        self.now = 0

    def say(self, kind: str, subject: str | None = None, **refs: Any) -> Said:
        self.now += 1000
        said = Said(len(self.leaves), rfc3339(T0 + self.now), kind, "ses", subject, refs)
        self.leaves.append(said)
        return said

    def grant(self, generation: int, *events: str) -> Said:
        return self.say(
            "grant.issued", recording=RECORDING, generation=generation, grant="g", consents=events,
            recorder_key="00", tracks=["trk-a", "trk-b"], owners=["ann", "ben"],
        )  # fmt: skip

    def agreed(self) -> Log:
        for party in ("ann", "ben"):
            self.say("party.joined", party)
        for party in ("ann", "ben"):
            self.say("consent.given", party, event=f"given-{party}", request=REQUEST)
        return self

    def story(self) -> Story:
        """As it would be read: refs are JSON."""
        read = [
            intervals.read(canonical({name: getattr(one, name) for name in Said.__struct_fields__}))
            for one in self.leaves
        ]
        return Story(read, RECORDING)


BOTH = ("given-ann", "given-ben")


@pytest.mark.parametrize(
    ("kind", "subject", "refs"),
    [
        ("consent.withdrawn", "ben", {"request": REQUEST}),
        ("recording.paused", "ann", {"request": REQUEST, "recording": RECORDING}),
        ("party.left", "ben", {}),
        ("party.joined", "eve", {}),
        ("session.ended", None, {}),
        ("recording.off", None, {"recording": RECORDING, "generation": 1}),
        ("recording.sealed", None, {"recording": RECORDING}),
        ("recording.interrupted", None, {"recording": RECORDING}),
        ("grant.issued", None, {"recording": RECORDING, "generation": 2}),
        ("grant.revoked", None, {"recording": RECORDING, "generation": 1}),
    ],
)
def test_whatever_closes_ends_the_interval(kind: str, subject: str | None, refs: Any) -> None:
    log = Log().agreed()
    granted = log.grant(1, *BOTH)
    assert log.story().generations[1].to_ms is None
    closed = log.say(kind, subject, **refs)
    one = log.story().generations[1]
    assert (one.from_ms, one.to_ms) == (granted.at_ms, closed.at_ms)
    assert (one.fault, one.closed_by) == ("", kind)


@pytest.mark.parametrize(
    ("kind", "subject", "refs"),
    [
        ("consent.withdrawn", "ben", {"request": "another"}),
        ("recording.paused", "ann", {"request": "another", "recording": "another"}),
        ("recording.off", None, {"recording": "another", "generation": 1}),
        ("recording.off", None, {"recording": RECORDING, "generation": 0}),
        ("consent.shown", "ben", {"request": REQUEST}),
        ("recording.accessed", None, {"recording": RECORDING}),
    ],
)
def test_what_is_about_something_else_does_not(kind: str, subject: str | None, refs: Any) -> None:
    log = Log().agreed()
    log.grant(1, *BOTH)
    log.say(kind, subject, **refs)
    assert log.story().generations[1].to_ms is None


def test_memory_closes_before_the_leaf_is_written() -> None:
    log = Log().agreed()
    log.grant(1, *BOTH)
    closed = T0 + log.now + 300
    log.say("consent.withdrawn", "ben", request=REQUEST)
    log.say("grant.revoked", recording=RECORDING, generation=1, closed_ms=closed)
    assert log.story().generations[1].to_ms == closed


def test_a_leaf_cannot_claim_to_have_closed_later_than_it_was_written() -> None:
    log = Log().agreed()
    log.grant(1, *BOTH)
    revoked = log.say("grant.revoked", recording=RECORDING, generation=1, closed_ms=T0 * 2)
    assert log.story().generations[1].to_ms == revoked.at_ms


def test_a_grant_without_everyones_consent_is_named() -> None:
    def fault(*events: str, **change: Any) -> tuple[str, str]:
        log = Log().agreed()
        for kind, (subject, refs) in change.items():
            log.say(kind.replace("_", "."), subject, **refs)
        log.grant(1, *events)
        one = log.story().generations[1]
        assert one.allows(one.from_ms, one.from_ms) == (not one.fault)
        return one.fault, one.fault_party

    assert fault(*BOTH) == ("", "")
    assert fault("given-ann") == (intervals.NOT_CONSENTED, "ben")
    assert fault() == (intervals.NOT_CONSENTED, "ann")
    assert fault(*BOTH, "given-eve") == (intervals.UNKNOWN_CONSENT, "")
    taken = ("ben", {"request": REQUEST})
    assert fault(*BOTH, consent_withdrawn=taken) == (intervals.NOT_CONSENTED, "ben")
    assert fault(*BOTH, party_joined=("eve", {})) == (intervals.NOT_CONSENTED, "eve")
    assert fault(*BOTH, party_left=("ben", {})) == (intervals.NOBODY, "")
    paused = ("ann", {"request": REQUEST, "recording": RECORDING})
    assert fault(*BOTH, recording_paused=paused) == (intervals.PAUSED, "ann")
    assert fault(*BOTH, recording_paused=paused, recording_resumed=paused) == ("", "")


def test_who_came_back_and_allowed_again_has_consented() -> None:
    log = Log().agreed()
    log.say("party.left", "ben")
    log.say("party.joined", "ben")
    log.say("consent.given", "ben", event="again", request=REQUEST)
    for named in (BOTH, ("given-ann", "again")):
        log.grant(log.now, *named)
    assert [one.fault for one in log.story().generations.values()] == ["", ""]


def test_of_two_grants_under_one_number_the_first_counts() -> None:
    log = Log().agreed()
    first = log.grant(1, *BOTH)
    log.grant(1, *BOTH)
    assert log.story().generations[1].leaf == first.index


STEPS = ("join", "leave", "give", "withdraw", "pause", "resume", "grant", "grant")
AGREED = [("ann", "join"), ("ben", "join"), ("ann", "give"), ("ben", "give"), ("ann", "grant")]


@examples(st.lists(st.tuples(st.sampled_from(["ann", "ben", "cem"]), st.sampled_from(STEPS))))
@settings(max_examples=300, deadline=None)
def test_against_a_plain_model(steps: list[tuple[str, str]]) -> None:
    """Random calls; a moment is allowed exactly when the model, half second by half second, says
    so."""
    log = Log()
    present: set[str] = set()
    given: dict[str, str] = {}
    paused: set[str] = set()
    open_: tuple[int, int] | None = None  # generation, and when it began
    model: dict[int, tuple[int, int | None]] = {}
    bad: set[int] = set()

    def close() -> None:
        nonlocal open_
        if open_ is not None:
            model[open_[0]] = (open_[1], T0 + log.now)
        open_ = None

    for step, (party, what) in enumerate([*AGREED, *steps]):
        match what:
            case "join":
                log.say("party.joined", party)
                present.add(party)
                close()
            case "leave":
                log.say("party.left", party)
                present.discard(party)
                close()
            case "give":
                given[party] = f"evt-{step}"
                log.say("consent.given", party, event=given[party], request=REQUEST)
            case "withdraw":
                log.say("consent.withdrawn", party, request=REQUEST)
                given.pop(party, None)
                close()
            case "pause":
                paused.add(party)
                log.say("recording.paused", party, request=REQUEST, recording=RECORDING)
                close()
            case "resume":
                paused.discard(party)
                log.say("recording.resumed", party, request=REQUEST, recording=RECORDING)
            case "grant":
                named = [given[one] for one in sorted(present) if one in given]
                fine = len(present) > 1 and present <= given.keys() and not paused
                log.grant(step, *named)
                close()
                open_ = (step, T0 + log.now)
                model[step] = (T0 + log.now, None)
                if not fine:
                    bad.add(step)
    story = log.story()
    assert story.generations.keys() == model.keys()
    for number, (start, end) in model.items():
        one = story.generations[number]
        assert bool(one.fault) == (number in bad), log.leaves
        for at in range(T0, T0 + log.now + 2000, 500):
            wanted = number not in bad and start <= at and (end is None or at <= end)
            assert one.allows(at, at) == wanted


def test_rows_of_a_picture() -> None:
    log = Log().agreed()
    log.say("recording.paused", "ann", request=REQUEST)
    log.say("recording.resumed", "ann", request=REQUEST)
    log.say("recording.paused", "ben", request=REQUEST)
    log.say("consent.withdrawn", "ben", request=REQUEST)
    log.say("party.left", "ben")
    log.say("party.joined", "ben")

    def seen(spans: list[intervals.Span]) -> list[tuple[int, int | None, str]]:
        return [
            (one.from_ms - T0, None if one.to_ms is None else one.to_ms - T0, one.what)
            for one in spans
        ]

    assert seen(intervals.presence(log.leaves, "ben")) == [(2000, 9000, ""), (10000, None, "")]
    assert seen(intervals.consent(log.leaves, "ben", REQUEST)) == [
        (4000, 8000, "given"), (8000, None, "withdrawn"),
    ]  # fmt: skip
    found = intervals.pauses(log.leaves, REQUEST, T0 + 20_000)
    assert [party for party, _ in found] == ["ann", "ben"]
    assert seen([span for _, span in found]) == [(5000, 6000, ""), (7000, 20_000, "")]


def test_what_is_no_leaf_is_refused() -> None:
    for data in (
        b"",
        b"{}",
        b'{"index":0,"time":"no","kind":"x","session":null,"subject":null,"refs":{}}',
        b'{"index":0,"time":"2025-01-01T00:00:00","kind":"x","session":null,"subject":null,"refs":{}}',
        b'{"index":0,"time":' + b"[" * 100_000,
        b'{"index":0,"refs":{"x":' + b"[" * 100_000,
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - msgspec's and ours
            intervals.read(data)
