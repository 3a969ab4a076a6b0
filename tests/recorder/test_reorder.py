import itertools

from aiortc.rtp import RtcpPacket, RtcpRtpfbPacket
from hypothesis import given
from hypothesis import strategies as st

from recorder.reorder import MAX_JUMP, MAX_SPAN, MAX_WAITING, OVERTAKING, Reorder
from recorder.rtp import MAX_NACK_PAIRS, Packet, nack


def packet(number: int) -> Packet:
    return Packet(96, False, number & 0xFFFF, number, 1, number.to_bytes(8, "big"))


def numbers(packets: list[Packet | None]) -> list[int | None]:
    return [None if p is None else int.from_bytes(p.payload, "big") for p in packets]


def test_in_order_goes_straight_through() -> None:
    buffer = Reorder(100)
    for number in range(65_530, 65_550):
        assert numbers(buffer.push(packet(number), 0)) == [number]


def test_a_gap_holds_back_until_filled() -> None:
    buffer = Reorder(100)
    buffer.push(packet(1), 0)
    assert buffer.push(packet(3), 1) == []
    assert buffer.push(packet(3), 1) == []  # a duplicate
    assert numbers(buffer.push(packet(2), 2)) == [2, 3]
    assert buffer.push(packet(2), 3) == []
    assert buffer.lost == 0


def test_a_gap_is_given_up_by_age() -> None:
    buffer = Reorder(100)
    buffer.push(packet(1), 0)
    buffer.push(packet(4), 10)
    assert buffer.give_up(109) == []
    assert numbers(buffer.give_up(110)) == [None, 4]
    assert buffer.lost == 2
    assert buffer.push(packet(2), 111) == []


def test_the_first_ones_may_have_been_lost_or_overtaken() -> None:
    buffer = Reorder(100, before=3)
    assert buffer.push(packet(10), 0) == []
    assert buffer.to_nack(10, 40) == [7, 8, 9]
    assert buffer.push(packet(8), 20) == []
    assert numbers(buffer.push(packet(7), 20)) == [7, 8]
    assert numbers(buffer.push(packet(9), 20, recovered=True)) == [9, 10]
    assert buffer.push(packet(6), 20) == []
    assert not buffer.waiting


def test_what_never_was_is_not_counted_as_lost() -> None:
    buffer = Reorder(100, before=3)
    buffer.push(packet(10), 0)
    assert numbers(buffer.give_up(100)) == [None, 10]
    buffer.push(packet(12), 100)
    buffer.give_up(200)
    assert buffer.lost == 1
    other = Reorder(100, before=3)
    other.push(packet(10), 0)
    assert numbers(other.skip_to(lambda p: p.timestamp == 10)) == [None, None, None, 10]
    assert other.lost == 0


def test_asks_again_and_again_until_it_is_given_up() -> None:
    buffer = Reorder(400)
    buffer.push(packet(1), 0)
    buffer.push(packet(4), 0)
    assert buffer.asked_at(2) is None
    assert buffer.to_nack(5, 40) == []  # perhaps only reordered
    assert buffer.to_nack(10, 40) == [2, 3]
    assert buffer.to_nack(49, 40) == []
    assert all(buffer.to_nack(10 + 40 * n, 40) == [2, 3] for n in range(1, 10))
    assert buffer.asked_at(2) == 10  # of several asks the first one counts
    buffer.push(packet(2), 371)
    assert buffer.to_nack(410, 40) == [3]
    buffer.give_up(411)
    assert buffer.to_nack(1_000, 40) == []


def test_a_gap_far_behind_the_newest_packet_is_asked_for_at_once() -> None:
    buffer = Reorder(400)
    buffer.push(packet(1), 0)
    for number in range(3, 2 + OVERTAKING):
        buffer.push(packet(number), 0)
    assert buffer.to_nack(0, 40) == []
    buffer.push(packet(2 + OVERTAKING), 0)
    assert buffer.to_nack(0, 40) == [2]


def test_what_is_marked_as_asked_for_was_named() -> None:
    """No more is taken than one NACK has room for; the rest has its turn the next time."""
    buffer = Reorder(400)
    for number in range(0, 2_000, 20):  # two pairs a gap
        buffer.push(packet(number), 0)
    missing = [number & 0xFFFF for number in buffer._missing]
    asked: list[int] = []
    while named := buffer.to_nack(20, 1e9):
        (heard,) = RtcpPacket.parse(nack(1, 2, named))
        assert isinstance(heard, RtcpRtpfbPacket)
        assert sorted(heard.lost) == named
        asked += named
    assert asked == missing
    assert len(asked) > 17 * MAX_NACK_PAIRS


def test_what_would_be_thrown_away_is_not_waited_for() -> None:
    buffer = Reorder(400)
    buffer.push(packet(1), 0)
    for number in (3, 5, 6, 8):
        buffer.push(packet(number), 0)

    def six(packet: Packet) -> bool:
        return packet.sequence >= 6

    assert buffer.holds(six)
    assert numbers(buffer.skip_to(six)) == [None, 3, None, 5, 6]
    assert buffer.lost == 2
    assert not buffer.holds(lambda packet: packet.sequence == 6)
    assert numbers(buffer.push(packet(7), 1)) == [7, 8]
    assert buffer.skip_to(six) == []


def test_how_long_the_oldest_has_been_missing() -> None:
    buffer = Reorder(400)
    buffer.push(packet(1), 0)
    assert buffer.missing_for(50) == 0
    buffer.push(packet(3), 50)
    buffer.push(packet(5), 70)
    assert buffer.missing_for(100) == 50
    buffer.push(packet(2), 100)
    assert buffer.missing_for(100) == 30


def test_sent_again_as_it_was_counts_as_recovered_if_it_was_asked_for() -> None:
    for in_place, recovered in ((True, 1), (False, 0)):
        buffer = Reorder(400, in_place=in_place)
        buffer.push(packet(1), 0)
        buffer.push(packet(4), 0)
        buffer.push(packet(2), 1)
        buffer.to_nack(10, 20)
        buffer.push(packet(3), 60)
        assert (buffer.recovered, buffer.received) == (recovered, 4)


def test_a_retransmission_fills_a_gap_but_is_not_counted_as_received() -> None:
    buffer = Reorder(100)
    buffer.push(packet(1), 0)
    buffer.push(packet(3), 0)
    assert numbers(buffer.push(packet(2), 1, recovered=True)) == [2, 3]
    assert (buffer.received, buffer.recovered) == (2, 1)
    # one that nobody asked for changes nothing
    assert buffer.push(packet(9), 1, recovered=True) == []
    assert buffer.highest & 0xFFFF == 3


def test_a_restarted_sender_is_believed_at_the_second_packet() -> None:
    buffer = Reorder(100)
    buffer.push(packet(1), 0)
    assert buffer.push(packet(30_000), 1) == []
    assert numbers(buffer.push(packet(30_001), 2)) == [None, 30_001]
    assert numbers(buffer.push(packet(30_002), 3)) == [30_002]


def test_memory_is_bounded() -> None:
    buffer = Reorder(1e9)
    buffer.push(packet(0), 0)
    seen: list[int | None] = []
    for number in range(2, 2 * MAX_WAITING):
        seen += numbers(buffer.push(packet(number), 0))
    assert len(buffer._waiting) <= MAX_WAITING
    assert len(buffer._missing) <= MAX_JUMP
    assert seen[0] is None


@given(
    st.integers(0, 65_535),
    st.lists(st.sampled_from(["ok", "lost", "late", "twice"]), min_size=1, max_size=200),
)
def test_what_comes_out_is_in_order_once_and_every_loss_is_said(
    start: int, fates: list[str]
) -> None:
    buffer = Reorder(50)
    out: list[int | None] = []
    arrivals: list[tuple[float, int]] = []
    for index, fate in enumerate(fates):
        number, when = (1 << 20) + start + index, index * 10.0
        if fate != "lost" or index == 0:
            arrivals.append((when + (35.0 if fate == "late" and index else 0.0), number))
        if fate == "twice":
            arrivals.append((when + 5.0, number))
    for when, number in sorted(arrivals):
        out += numbers(buffer.give_up(when))
        out += numbers(buffer.push(packet(number), when))
    out += numbers(buffer.give_up(1e9))
    kept = [number for number in out if number is not None]
    arrived = {number for _, number in arrivals}
    assert kept == sorted(arrived)  # nothing here is later than 50 ms, so nothing is given up early
    for before, after in itertools.pairwise(out):
        if before is not None and after is not None:
            assert after == before + 1


def test_few_packets_far_apart_are_no_long_list_of_missing_ones() -> None:
    buffer = Reorder(10_000)
    for n in range(1_000):
        buffer.push(packet(n * (MAX_JUMP - 1)), 0)
        assert len(buffer._missing) <= MAX_SPAN
    assert len(buffer.to_nack(20, 50)) <= MAX_SPAN
    assert buffer.lost > 100 * MAX_JUMP
