import functools
import itertools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.clock import FAR_MS, FAR_SLEW, SET_MS, SLEW, SenderClock, StreamClock
from recorder.rtp import NTP_UNIX_OFFSET_S, SenderReport


def report(ntp_ms: float, timestamp: int) -> SenderReport:
    return SenderReport(1, ntp_ms, 0, timestamp & 0xFFFFFFFF)


def test_follows_the_timestamps_across_a_wrap() -> None:
    clock = StreamClock(90, SenderClock())
    start = 2**32 - 9000
    times = [clock.at((start + 900 * n) % 2**32, 1000 + 10 * n) for n in range(40)]
    assert times == [1000 + 10 * n for n in range(40)]


def test_jitter_of_the_network_does_not_reach_the_frames() -> None:
    clock = StreamClock(90, SenderClock())
    clock.at(0, 1000)
    late = [clock.at(90 * 33 * n, 1000 + 33 * n + (25 if n % 2 else 0)) for n in range(1, 30)]
    assert late == [1000 + 33 * n for n in range(1, 30)]


def test_never_after_the_arrival_and_never_back() -> None:
    clock = StreamClock(90, SenderClock())
    assert clock.at(0, 1100) == 1100  # this one was 100 ms late
    assert clock.at(90 * 33, 1040) == 1100
    assert clock.at(90 * 133, 1140) == 1140


def test_silence_keeps_its_time() -> None:
    clock = StreamClock(48, SenderClock())
    clock.at(0, 500)
    assert clock.at(48 * 3000, 3510) == 3500


def test_a_restarted_sender_goes_on_by_arrival() -> None:
    clock = StreamClock(90, SenderClock())
    clock.at(5_000_000, 1000)
    assert clock.at(77, 2000) == 2000
    assert clock.at(77 + 90 * 10, 2010) == 2010


def test_a_report_brings_the_picture_to_its_sound_at_once() -> None:
    sender = SenderClock()
    sound, picture = StreamClock(48, sender), StreamClock(90, sender, leaps=True)
    # captured together, but the picture comes out of its encoder 60 ms later
    apart = []
    for n in range(0, 4_000, 20):
        if n == 500:
            sound.report(report(1e12 + n, 48 * n), 5000 + n + 5)
            picture.report(report(1e12 + n, 90 * n + 12_345), 5000 + n + 5)
        heard = sound.at(48 * n, 5000 + n + 5)
        apart.append(picture.at(90 * n + 12_345, 5000 + n + 65) - heard)
    assert set(apart[:25]) == {60}
    # what is shown already is not shown again: it waits for its time, then is in step
    assert all(0 <= ms < 1e-3 for ms in apart[28:])


def test_sound_is_never_squeezed_to_bring_it_to_its_picture() -> None:
    for late, settled_ms in ((15, 3_000), (200, 6_000)):
        sender = SenderClock()
        picture, sound = StreamClock(90, sender, leaps=True), StreamClock(48, sender)
        pairs = []
        for n in range(0, 12_000, 20):
            if n % 1000 == 500:
                picture.report(report(1e12 + n, 90 * n), 5000 + n + 5)
                sound.report(report(1e12 + n, 48 * n), 5000 + n + 5)
            seen = picture.at(90 * n, 5000 + n + 5)
            pairs.append((seen, sound.at(48 * n, 5000 + n + 5 + late)))
        assert pairs[0][1] - pairs[0][0] == late
        for before, after in itertools.pairwise(pairs):
            far = abs(before[1] - before[0]) > FAR_MS
            assert abs(after[1] - before[1] - 20) <= 20 * (FAR_SLEW if far else SLEW) + 1e-6
        assert all(abs(heard - seen) < 1e-6 for seen, heard in pairs[settled_ms // 20 :])


HOUR = 3_600_000.0


class Sender:
    """A party whose pictures and sounds are captured together, and take their way to us."""

    def __init__(
        self,
        jitter: Callable[[], float],
        *,
        ppm: tuple[float, float] = (0.0, 0.0),
        bases: tuple[int, int] = (0, 0),
        way_ms: float = 20.0,
    ) -> None:
        clock = SenderClock()
        self.clocks = StreamClock(90, clock, leaps=True), StreamClock(48, clock)
        self.jitter, self.bases, self.way_ms = jitter, list(bases), way_ms
        self.rates = 90 * (1 + ppm[0] * 1e-6), 48 * (1 + ppm[1] * 1e-6)
        self.wall_ms = 1.7e12
        self.last = [float("-inf"), float("-inf")]
        self.arrived = [float("-inf"), float("-inf")]

    def stamp(self, kind: int, ms: float) -> int:
        return (self.bases[kind] + round(ms * self.rates[kind])) % 2**32

    def run(self, start: int, end: int, *, silent: bool = False) -> list[tuple[float, float]]:
        """How much later than captured pictures and sounds are, each 20 ms, on our clock."""
        found = []
        for ms in range(start, end, 20):
            for kind in (0, 1):
                if ms % 1000 == 300 + 100 * kind:
                    arrival = ms + self.way_ms + self.jitter()
                    said = report(self.wall_ms + ms, self.stamp(kind, ms))
                    self.clocks[kind].report(said, arrival)
            late = []
            for kind in (0, 1):
                if kind and silent:
                    continue
                # put into order by the time that they get here
                arrival = max(self.arrived[kind], ms + self.way_ms + self.jitter())
                self.arrived[kind] = arrival
                at = self.clocks[kind].at(self.stamp(kind, ms), arrival)
                assert self.last[kind] <= at <= arrival
                self.last[kind] = at
                late.append(at - ms)
            if len(late) == 2:
                found.append((late[0], late[1]))
        return found


def in_step(found: list[tuple[float, float]], way_ms: float, within_ms: float) -> bool:
    """Whether picture and sound are where they belong: as late as the way is long, no more."""
    return all(abs(late - way_ms) <= within_ms for pair in found for late in pair)


JITTER_MS = 30.0
jitters = st.randoms(use_true_random=True).map(
    lambda chance: functools.partial(chance.uniform, 0.0, JITTER_MS)
)
ppms = st.floats(-200, 200)
bases = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(jitters, st.tuples(ppms, ppms), st.tuples(bases, bases), st.floats(-HOUR, HOUR))
def test_whatever_the_clocks_are_lips_are_in_step(
    jitter: Callable[[], float],
    ppm: tuple[float, float],
    bases: tuple[int, int],
    step_ms: float,
) -> None:
    """Any start of the timestamps (they wrap), drifts, a wall clock that is set in mid-stream."""
    sender = Sender(jitter, ppm=ppm, bases=bases)
    sender.run(0, 5_000)
    assert in_step(sender.run(5_000, 15_000), 20, 8)
    if abs(step_ms) < 2 * SET_MS:
        step_ms = 2 * SET_MS  # less is a clock that is put right slowly
    sender.wall_ms += step_ms
    assert in_step(sender.run(15_000, 40_000), 20, 8)
    sender.wall_ms -= step_ms
    assert in_step(sender.run(40_000, 50_000), 20, 8)


@settings(max_examples=20, deadline=None)
@given(jitters, st.integers(2, 600))
def test_silence_of_any_length_keeps_its_time(jitter: Callable[[], float], seconds: int) -> None:
    """DTX: no sound is sent, its timestamps go on, its reports too."""
    sender = Sender(jitter, ppm=(100, -150), bases=(7, 2**32 - 48_000))
    sender.run(0, 8_000)
    end = 8_000 + 1000 * seconds
    sender.run(8_000, end, silent=True)
    assert in_step(sender.run(end, end + 3_000), 20, 8)


@settings(max_examples=20, deadline=None)
@given(jitters, bases, st.sampled_from([0, 1]))
def test_a_sender_that_starts_again_is_in_step_after_its_next_report(
    jitter: Callable[[], float], base: int, kind: int
) -> None:
    """Or after five seconds more, if by chance it goes on close to where it was."""
    sender = Sender(jitter, bases=(2**31, 2**31))
    sender.run(0, 10_000)
    sender.bases[kind] = base
    found = sender.run(10_000, 22_000)
    assert in_step([(pair[1 - kind], 20.0) for pair in found], 20, 8), "the other has no part in it"
    assert in_step(found[6_000 // 20 :], 20, 8)


@settings(max_examples=40, deadline=None)
@given(jitters, st.floats(-4_000, 4_000).filter(lambda ms: abs(ms) > 2 * SET_MS))
def test_a_media_clock_that_jumped_is_put_right_by_its_next_report(
    jitter: Callable[[], float], jump_ms: float
) -> None:
    """A microphone that stopped for a while counts on from where it was."""
    sender = Sender(jitter)
    sender.run(0, 10_000)
    sender.bases[1] += round(48 * jump_ms)
    found = sender.run(10_000, 20_000)
    assert in_step([(seen, 20.0) for seen, _ in found], 20, 8), "the picture has no part in it"
    assert in_step(found[1_000 // 20 :], 20, 8)


def test_a_wall_clock_set_between_the_first_reports_of_the_two_streams() -> None:
    sender = SenderClock()
    sound, picture = StreamClock(48, sender), StreamClock(90, sender, leaps=True)
    for ms in range(0, 8_000, 20):
        wall = 1e12 + ms - (HOUR if ms > 450 else 0)
        if ms % 1000 == 400:
            sound.report(report(wall, 48 * ms), ms + 10.0)
        if ms % 1000 == 500:
            picture.report(report(wall, 90 * ms), ms + 12.0)
        heard, seen = sound.at(48 * ms, ms + 10.0), picture.at(90 * ms, ms + 60.0)
        if ms > 2_600:
            assert abs(seen - heard) < 5


def test_a_single_late_report_changes_nothing() -> None:
    for late_ms in (200.0, 2_000.0):
        sender = SenderClock()
        clock = StreamClock(90, sender, leaps=True)
        for ms in range(0, 10_000, 20):
            if ms % 1000 == 500:
                arrival = ms + (late_ms if ms == 5_500 else 5.0)
                clock.report(report(1e12 + ms, 90 * ms), arrival)
            assert abs(clock.at(90 * ms, ms + 5.0) - ms - 5.0) < 1e-3


def test_a_first_report_that_is_late_is_not_believed_over_the_frames() -> None:
    clock = StreamClock(90, SenderClock(), leaps=True)
    clock.at(0, 1000.0)
    clock.report(report(1e12, 0), 1300.0)
    assert clock.at(90 * 100, 1100.0) == 1100.0


def test_a_sender_without_a_wall_clock_is_placed_by_arrival() -> None:
    clock = StreamClock(90, SenderClock())
    clock.at(0, 1000.0)
    clock.report(report(-NTP_UNIX_OFFSET_S * 1000.0, 0), 1100.0)
    assert clock.at(90 * 100, 1100.0) == 1100.0


def test_an_hour_of_skewed_clocks_stays_with_its_reports() -> None:
    # the sender's clock loses 100 ppm against ours
    sender = SenderClock()
    clock = StreamClock(90, sender)
    worst = 0.0
    for n in range(0, 3_600_000, 100):
        ours = 1000 + n * 1.0001 + 5
        if n % 1000 == 0:
            clock.report(report(1e12 + n, 90 * n), ours)
        worst = max(worst, abs(clock.at((90 * n) % 2**32, ours) - ours))
    assert worst < 5
