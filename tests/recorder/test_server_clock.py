import pytest

from recorder.server_clock import DRIFT, ENOUGH, GOOD_MS, KEPT, ServerClock


def test_unknown_before_the_first_answer() -> None:
    clock = ServerClock()
    assert not clock.known
    with pytest.raises(LookupError):
        clock.estimate(0)


def test_the_quickest_answer_counts_and_ages() -> None:
    clock = ServerClock()
    clock.answer(0, 1_000_000 + 30, 100)
    assert clock.estimate(100) == (1_000_000 - 20, 50)
    clock.answer(1000, 1_001_005, 1010)
    assert clock.estimate(1010) == (1_000_000, 5)
    clock.answer(2000, 1_002_090, 2100)
    offset, uncertainty = clock.estimate(2010)
    assert offset == 1_000_000
    assert abs(uncertainty - (5 + 1000 * DRIFT)) < 1e-9


def test_the_truth_lies_within_the_uncertainty() -> None:
    clock = ServerClock()
    for n, (out, back) in enumerate([(5, 80), (60, 3), (20, 25), (1, 40)]):
        sent = n * 1000.0
        clock.answer(sent, sent + out + 777_000, sent + out + back)
        offset, uncertainty = clock.estimate(sent + out + back)
        assert abs(offset - 777_000) <= uncertainty


def test_a_clock_that_was_set_is_followed() -> None:
    clock = ServerClock()
    clock.answer(0, 5_000, 2)
    clock.answer(1000, 3_606_000, 1002)
    assert clock.estimate(1002)[0] == 3_606_000 - 1001


def test_settled_by_one_good_answer_or_enough_bad_ones() -> None:
    clock = ServerClock()
    for n in range(ENOUGH):
        assert not clock.settled
        clock.answer(n, n + 100, n + 4 * GOOD_MS)
    assert clock.settled
    clock = ServerClock()
    clock.answer(0, 1, 2 * GOOD_MS)
    assert clock.settled


def test_an_answer_from_the_future_is_ignored() -> None:
    clock = ServerClock()
    clock.answer(10, 0, 5)
    assert not clock.known


def test_an_answer_in_the_midst_of_an_estimate_does_no_harm() -> None:
    """The spool's thread asks while the event loop hears the next answer."""

    class Asking(float):
        def __rsub__(self, other: float) -> float:
            return other - float(self)

        def __sub__(self, other: float) -> float:
            clock.answer(2_000, 1_002_001, 2_002)
            return float(self) - other

    clock = ServerClock()
    for n in range(3):
        clock.answer(n * 100, 1_000_001 + n * 100, n * 100 + 2)
    assert clock.estimate(Asking(1_000.0))[0] == 1_000_000


def test_only_the_newest_answers_are_kept() -> None:
    clock = ServerClock()
    for n in range(3 * KEPT):
        clock.answer(n, n + 100 + (n >= KEPT), n)
        assert len(clock._samples) == min(KEPT, n + 1)
    assert clock.estimate(3 * KEPT)[0] == 101


def test_another_connection_may_have_another_time() -> None:
    """Until it has answered nothing new begins; what was captured before keeps its estimate."""
    clock = ServerClock()
    clock.answer(0.0, 1_000_000.0, 2.0)
    settled = [clock.settled]
    clock.doubt()
    settled.append(clock.settled)
    assert clock.estimate(10.0)[0] == pytest.approx(999_999.0)
    # a tenth of a second: even a small step is taken from then on
    clock.answer(10.0, 1_000_110.0, 12.0)
    settled.append(clock.settled)
    assert settled == [True, False, True]
    assert clock.estimate(12.0)[0] == pytest.approx(1_000_099.0)
