"""Where the schedule stands."""

from avsession.usecases.schedule import Schedule


def test_a_round_begins_at_once_and_the_next_when_it_is_told() -> None:
    schedule = Schedule()
    assert (schedule.due_ms, schedule.rule, schedule.after) == (0, 0, None)
    schedule.rule, schedule.after = 3, (1, "x")
    schedule.starts_over(5)
    assert (schedule.due_ms, schedule.rule) == (5, 0)
    assert schedule.after is None
