import pytest

from recorder.clock import SenderClock
from recorder.rtp import Packet, SenderReport
from recorder.stream import MISSED, MOST_IN_VAIN, OVERTAKEN_MS, PAUSE_MS, SSRC_CHANGE_MS, Stream


def packet(sequence: int) -> Packet:
    return Packet(111, False, sequence, 960 * sequence, 7, b"x")


def stream(*, in_place: bool = True) -> Stream:
    made = Stream(48, 380, SenderClock(), in_place=in_place)
    assert made.claim(7, 0)
    return made


def test_another_ssrc_begins_anew_but_not_at_once() -> None:
    made = stream()
    made.reorder.push(packet(1), 0)
    assert not made.claim(8, SSRC_CHANGE_MS - 1)
    assert made.claim(8, SSRC_CHANGE_MS)
    assert made.reorder.highest == -1
    assert (made.reorder.hold_ms, made.reorder.in_place) == (380, True)


def test_the_report_says_what_arrived_and_when_the_sender_was_heard() -> None:
    made = stream()
    assert made.block(0) is None
    for sequence in (65_534, 65_535, 1):
        made.reorder.push(packet(sequence), 0)
    made.sender_report(SenderReport(7, 0.0, 0xABCD, 0), 100)
    block = made.block(1_100)
    assert block is not None
    assert (block.ssrc, block.total_lost, block.fraction_lost) == (7, 1, 64)
    assert block.highest_sequence == 65_537
    assert (block.last_sr, block.delay_since_sr) == (0xABCD, 65_536)


def lose(made: Stream, asks: int) -> int:
    made.reorder.push(packet(1), 0)
    made.reorder.push(packet(3), 0)
    return sum(len(made.ask(20.0 * n, 15)) for n in range(1, asks))


def test_who_never_sends_again_is_not_asked_for_ever() -> None:
    made = stream()
    assert lose(made, 2 * MOST_IN_VAIN) == MOST_IN_VAIN + 1
    assert made.reorder.hold_ms == OVERTAKEN_MS


def test_who_sent_again_once_is_asked_on() -> None:
    made = stream()
    lose(made, 2)
    made.reorder.push(packet(2), 60)
    made.reorder.push(packet(5), 100)
    asked = sum(len(made.ask(100.0 + 20 * n, 15)) for n in range(1, 2 * MOST_IN_VAIN))
    assert asked > MOST_IN_VAIN + 1


def test_video_is_asked_for_however_long_nothing_comes() -> None:
    assert lose(stream(in_place=False), 2 * MOST_IN_VAIN) > MOST_IN_VAIN + 1


def test_nothing_missing_nothing_asked() -> None:
    made = stream()
    made.reorder.push(packet(1), 0)
    assert made.ask(1_000, 15) == []


@pytest.mark.parametrize(("packets", "lossy"), [(50, True), (64, False)])
def test_two_in_a_hundred_lost_are_much(packets: int, lossy: bool) -> None:
    made = stream()
    for sequence in range(packets):
        if sequence != 1:
            made.reorder.push(packet(sequence), 0)
    made.block(1_000)
    assert made.lossy == lossy


def test_a_pause_is_told_from_a_path_that_was_gone() -> None:
    made = stream()
    made.reorder.push(packet(1), 0)
    assert not made.heard(PAUSE_MS, 2)
    assert made.heard(3 * PAUSE_MS, 2 + MISSED)
    assert made.since_ms == 3 * PAUSE_MS
    assert not made.heard(5 * PAUSE_MS, 3 + MISSED)
    assert made.since_ms == 3 * PAUSE_MS
    assert not made.pausing(6 * PAUSE_MS)
    assert made.pausing(6 * PAUSE_MS + 1)
