"""What readiness keeps of its answers, and what each code means."""

from avsession.usecases.readiness import CODES, DISK, KEEP_MS, KEYS, Readiness


async def test_who_asks_often_costs_nothing() -> None:
    ready, asked = Readiness(), []

    async def probe() -> bool:
        asked.append(KEYS)
        return False

    probes = {KEYS: probe}
    for now_ms in (5, 5, 5 + KEEP_MS - 1):
        assert await ready.problems(probes, now_ms) == [KEYS]
    assert asked == [KEYS]
    ready.draining = True
    assert await ready.problems(probes, 5) == [KEYS, "draining"], "that is known at once"
    await ready.problems(probes, 5 + KEEP_MS)
    await ready.problems(probes, 4)  # a clock that was set back
    assert asked == [KEYS] * 3


async def test_a_part_that_fails_keeps_no_other_from_being_asked() -> None:
    async def fine() -> bool:
        return True

    async def broken() -> bool:
        raise OSError

    assert await Readiness().problems({KEYS: broken, DISK: fine}, 0) == [KEYS]


def test_every_code_says_what_it_means() -> None:
    assert list(CODES) == ["database", "keys", "disk", "recorders", "draining", "standby"]
    assert all(len(meaning) > 20 for meaning in CODES.values())
