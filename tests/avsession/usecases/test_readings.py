"""The same reading is written down once a minute, and only so many are remembered."""

from avsession.usecases.readings import AGAIN_MS, READINGS, Readings


def test_the_same_again_is_not_fresh_for_a_minute() -> None:
    readings = Readings()
    assert readings.fresh("ann", "page", 0)
    assert not readings.fresh("ann", "page", AGAIN_MS - 1)
    assert readings.fresh("ann", "page", AGAIN_MS)
    assert readings.fresh("ann", "another", 1)
    assert readings.fresh("ben", "page", 1)


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    readings = Readings()
    assert readings.fresh("ann", "page", 10 * AGAIN_MS)
    assert readings.fresh("ann", "page", 0)


def test_the_oldest_is_forgotten() -> None:
    readings = Readings()
    for n in range(READINGS + 1):
        readings.fresh("ann", str(n), 0)
    assert not readings.fresh("ann", "1", 1)
    assert readings.fresh("ann", "0", 1)
