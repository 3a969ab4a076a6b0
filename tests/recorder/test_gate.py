import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import GrantStale
from recorder.frames import EncodedFrame, Kind
from recorder.gate import (
    CONFIRM_MS,
    MAX_DELAYED_BYTES,
    MAX_DELAYED_FRAMES,
    MOST_LATE_MS,
    DelayLine,
    Gate,
)


def frame(ms: float, arrival: float | None = None, data: bytes = b"x") -> EncodedFrame:
    return EncodedFrame(Kind.AUDIO, ms, ms if arrival is None else arrival, data)


def test_closed_until_opened() -> None:
    gate = Gate()
    assert not gate.admits(1, 0)
    gate.open(1, 100)
    assert gate.admits(1, 5000)
    assert not gate.admits(2, 5000)


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_an_older_generation_never_opens(generation: int) -> None:
    gate = Gate(seen=3)
    with pytest.raises(GrantStale):
        gate.open(generation, 0)
    assert gate.generation is None


def test_the_same_generation_never_opens_again() -> None:
    gate = Gate()
    gate.open(4, 0)
    gate.close(4, 10)
    with pytest.raises(GrantStale):
        gate.open(4, 20)


def test_the_closing_moment_parts_what_is_kept() -> None:
    gate = Gate()
    gate.open(1, 0)
    gate.close(1, 100)
    assert gate.admits(1, 100)
    assert not gate.admits(1, 100.1)


def test_of_several_moments_the_earliest_holds() -> None:
    gate = Gate()
    gate.open(1, 0)
    gate.close(1, 100)
    gate.close(1, 50)
    gate.close(1, 200)
    assert gate.closed_at(1) == 50


def test_a_newer_generation_ends_the_older_where_it_was_confirmed() -> None:
    gate = Gate()
    gate.open(1, 0)
    gate.confirm(1, 40)
    gate.open(2, 100)
    assert gate.closed_at(1) == 40
    assert gate.admits(2, 1e9)


def test_nobody_confirms() -> None:
    gate = Gate()
    gate.open(1, 0)
    assert not gate.confirm(1, 1000)
    assert not gate.expire(1000 + CONFIRM_MS - 1)
    assert gate.expire(1000 + CONFIRM_MS)
    assert not gate.expire(1000 + CONFIRM_MS)
    assert gate.closed_at(1) == 1000 + CONFIRM_MS


def test_anything_else_than_ours_being_live_closes_as_of_the_last_confirmation() -> None:
    for live in (None, 1, 3):
        gate = Gate()
        gate.open(2, 0)
        gate.confirm(2, 1000)
        assert gate.confirm(live, 2000)
        assert gate.closed_at(2) == 1000


def test_an_answer_to_a_question_from_before_the_opening_says_nothing() -> None:
    gate = Gate()
    gate.open(2, 1000)
    assert not gate.confirm(None, 999)
    assert gate.generation == 2


def test_an_order_for_a_later_generation_closes_ours_too() -> None:
    gate = Gate()
    gate.open(1, 0)
    gate.close(5, 70)
    assert gate.generation is None
    assert not gate.admits(1, 0)
    with pytest.raises(GrantStale):
        gate.open(5, 80)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("open"), st.integers(1, 6)),
            st.tuples(st.just("close"), st.integers(1, 6)),
            st.tuples(st.just("confirm"), st.integers(0, 6)),
            st.tuples(st.just("wait"), st.integers(1, 6000)),
        )
    )
)
def test_never_admits_what_was_not_live(steps: list[tuple[str, int]]) -> None:
    """Against a plain history: what was ever said to be closed stays closed from then on."""
    gate, now = Gate(), 0.0
    closed: dict[int, float] = {}
    for step, value in steps:
        now += 1
        match step:
            case "open":
                try:
                    gate.open(value, now)
                except GrantStale:
                    assert value <= gate.seen
            case "close":
                gate.close(value, now - 0.5)
                closed[value] = min(closed.get(value, now), now - 0.5)
            case "confirm":
                gate.confirm(value or None, now)
            case _:
                now += value
                gate.expire(now)
                assert gate.generation is None or now - gate.confirmed_ms < CONFIRM_MS
        for generation, moment in closed.items():
            assert not gate.admits(generation, moment + 0.01)
        live = [g for g in range(1, 7) if gate.admits(g, now + 1e9)]
        assert live == ([] if gate.generation is None else [gate.generation])


def test_the_delay_line_holds_and_orders() -> None:
    line = DelayLine(200)
    for each in (frame(50), frame(10), frame(30)):
        line.add(each)
    assert line.release(209) == []
    assert [f.timestamp_ms for f in line.release(235)] == [10, 30]
    line.add(frame(20))  # too late for its place: shown a little late
    assert [f.timestamp_ms for f in line.release(1000)] == [30, 50]


def test_sound_that_would_be_out_of_step_is_dropped_and_said() -> None:
    line = DelayLine(200)
    picture = EncodedFrame(Kind.VIDEO, 500, 900, b"x")
    line.add(EncodedFrame(Kind.VIDEO, 500, 500, b"x"))
    assert len(line.release(700)) == 1
    late, just = frame(500 - MOST_LATE_MS - 1, arrival=900), frame(500 - MOST_LATE_MS, arrival=900)
    line.add(late)
    assert (len(line), line.silent_ms) == (0, late.timestamp_ms)
    picture.timestamp_ms = late.timestamp_ms
    line.add(picture)  # a picture is only shown late
    line.add(just)
    assert [(f.kind, f.timestamp_ms, f.after_loss) for f in line.release(2_000)] == [
        (Kind.VIDEO, 500, False), (Kind.AUDIO, 500, True)
    ]  # fmt: skip
    assert line.silent_ms is None
    line.add(after := frame(2_500))
    assert not after.after_loss


def test_a_closing_gate_empties_the_delay_line() -> None:
    line = DelayLine(200)
    for each in (frame(10), frame(30), frame(20, arrival=60)):
        line.add(each)
    assert line.drop_after(30) == 1
    assert [f.timestamp_ms for f in line.release(1e9)] == [10, 30]


def test_the_delay_line_is_bounded() -> None:
    line = DelayLine(1e9)
    assert line.delay_ms == 400
    for n in range(MAX_DELAYED_FRAMES + 5):
        line.add(frame(n))
    assert len(line.release(0)) == 5
    line = DelayLine(400)
    for n in range(5):
        line.add(frame(n, data=bytes(MAX_DELAYED_BYTES // 4)))
    assert len(line.release(0)) == 1
