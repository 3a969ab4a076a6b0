"""What is being prepared: keys for as long as they are needed, progress, a limit."""

import pytest

from avsession.errors import TooMany
from avsession.usecases.building import Building


def test_a_key_is_there_until_it_is_over() -> None:
    building = Building()
    assert building.key("exp_a") is None
    building.want("exp_a", "key")
    assert building.wanted.is_set()
    building.note("exp_a", 5, 10)
    assert (building.key("exp_a"), building.progress("exp_a")) == ("key", (5, 10))
    building.over("exp_a")
    assert (building.key("exp_a"), building.progress("exp_a")) == (None, (0, 0))
    building.over("exp_a")


def test_there_is_a_limit() -> None:
    building = Building(most=2)
    building.want("a", "k")
    building.want("b", "k")
    building.want("a", "k")
    with pytest.raises(TooMany):
        building.want("c", "k")
