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


def test_what_cannot_be_done_now_comes_last() -> None:
    building = Building()
    for name in ("a", "b", "c"):
        building.want(name, f"key of {name}")
    building.later("a")
    assert building.waiting() == ["b", "c", "a"]
    assert building.key("a") == "key of a"
    building.over("a")
    building.later("a")
    assert building.waiting() == ["b", "c"]
