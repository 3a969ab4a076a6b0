"""What is being prepared: progress, and whose turn it is."""

from avsession.usecases.building import Building


def test_how_far_it_is_until_it_is_over() -> None:
    building = Building()
    assert not building.wanted.is_set()
    building.want()
    assert building.wanted.is_set()
    building.note("exp_a", 5, 10)
    assert building.progress("exp_a") == (5, 10)
    building.over("exp_a")
    assert building.progress("exp_a") == (0, 0)
    building.over("exp_a")


def test_what_cannot_be_done_now_comes_last() -> None:
    building = Building()
    names = ["a", "b", "c"]
    building.later("a")
    assert sorted(names, key=building.turn) == ["b", "c", "a"]
    building.later("b")
    assert sorted(names, key=building.turn) == ["c", "a", "b"]
    building.later("a")
    assert sorted(names, key=building.turn) == ["c", "b", "a"]
    building.over("b")
    assert sorted(names, key=building.turn) == ["b", "c", "a"]
