import itertools

from recorder.clock import SLEW, SenderClock, StreamClock
from recorder.rtp import SenderReport


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


def test_reports_bring_audio_and_video_together_slowly() -> None:
    sender = SenderClock()
    audio, video = StreamClock(48, sender), StreamClock(90, sender)
    # captured together, but video comes out of its encoder 60 ms later
    pairs = []
    for n in range(0, 20_000, 20):
        if n % 1000 == 500:
            audio.report(report(1e12 + n, 48 * n), 5000 + n + 5)
            video.report(report(1e12 + n, 90 * n + 12_345), 5000 + n + 5)
        heard = audio.at(48 * n, 5000 + n + 5)
        seen = video.at((90 * n + 12_345) % 2**32, 5000 + n + 65)
        pairs.append((heard, seen))
    first, last = pairs[0], pairs[-1]
    assert first[1] - first[0] == 60
    assert abs(last[1] - last[0]) < 2
    for before, after in itertools.pairwise(pairs):
        for a, b in zip(before, after, strict=True):
            assert abs(b - a - 20) <= 20 * SLEW + 1e-6


def test_a_clock_that_was_set_is_believed_at_the_second_report() -> None:
    sender = SenderClock()
    assert sender.report(1000.0, 5000.0)
    assert not sender.report(1000.0 + 3_600_000, 6000.0)
    assert sender.offset_ms == 4000.0
    assert sender.report(2000.0 + 3_600_000, 7000.0)
    assert sender.offset_ms == 7000.0 - 3_602_000


def test_a_single_late_report_changes_nothing() -> None:
    sender = SenderClock()
    sender.report(0.0, 100.0)
    assert not sender.report(1000.0, 3000.0)
    assert sender.report(2000.0, 2100.0)
    assert sender.offset_ms == 100.0


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
