import struct

from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, unpack_remb_fci
from hypothesis import given
from hypothesis import strategies as st

from recorder import rtp
from tests.recorder.packets import as_rtx, audio_packet, rtp_packet, sender_report


def test_parses_what_a_browser_sends() -> None:
    packet = rtp.parse(
        rtp_packet(b"abc", payload_type=96, sequence=7, timestamp=9, ssrc=5, marker=True)
    )
    assert packet == rtp.Packet(96, True, 7, 9, 5, b"abc")


def test_skips_csrcs_extensions_and_padding() -> None:
    head = struct.pack("!BBHLL", 0x80 | 0x20 | 0x10 | 2, 111, 1, 2, 3)
    data = head + b"\0" * 8 + struct.pack("!HH", 0xBEDE, 1) + b"\xff" * 4 + b"xy" + b"\0\0\x03"
    packet = rtp.parse(data)
    assert packet is not None
    assert packet.payload == b"xy"


def test_padding_only_is_an_empty_payload() -> None:
    data = struct.pack("!BBHLL", 0xA0, 97, 1, 2, 3) + b"\0" * 9 + b"\x0a"
    packet = rtp.parse(data)
    assert packet is not None
    assert packet.payload == b""


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    packet = rtp.parse(data)
    if packet is not None:
        rtp.unwrap_rtx(packet, 96, 1)
    for packet_type, count, body in rtp.blocks(data):
        if packet_type == rtp.SR:
            rtp.sender_report(body)
        rtp.goodbye(body, count)


def test_refuses_malformed() -> None:
    good = audio_packet(1, 2)
    assert rtp.parse(good[:11]) is None
    assert rtp.parse(b"\x40" + good[1:]) is None  # version 1
    assert rtp.parse(b"\xa0" + good[1:-1] + b"\x00") is None  # padding of 0
    assert rtp.parse(b"\xa0" + good[1:-1] + b"\xff") is None  # more padding than packet
    assert rtp.parse(b"\x90" + good[1:12] + b"\xbe\xde\xff\xff") is None  # extension beyond the end
    assert rtp.parse(b"\x8f" + good[1:]) is None  # CSRCs beyond the end


def test_unwraps_a_retransmission() -> None:
    original = rtp_packet(b"data", payload_type=96, sequence=5, timestamp=1, ssrc=9, marker=True)
    packet = rtp.parse(as_rtx(original, 77))
    assert packet is not None
    assert rtp.unwrap_rtx(packet, 96, 9) == rtp.parse(original)
    assert rtp.unwrap_rtx(packet._replace(payload=b"\0\x05"), 96, 9) is None


def test_reads_a_sender_report() -> None:
    (block,) = rtp.blocks(sender_report(5, 1_700_000_000_250.0, 12345))
    report = rtp.sender_report(block[2])
    assert report is not None
    assert (report.ssrc, report.rtp) == (5, 12345)
    assert abs(report.ntp_ms - 1_700_000_000_250.0) < 0.01


def test_a_compound_ends_where_it_breaks() -> None:
    good = rtp.pli(1, 2)
    assert len(list(rtp.blocks(good + good[:-1]))) == 1
    assert len(list(rtp.blocks(b"\x80\xc9\x00\x00" * 300))) == rtp.MAX_RTCP_BLOCKS


def test_what_we_say_is_understood_by_aiortc() -> None:
    block = rtp.ReportBlock(7, 64, -3, 70_000, 12, 99, 65_536)
    (report,) = RtcpPacket.parse(rtp.receiver_report(1, [block]))
    assert isinstance(report, RtcpRrPacket)
    seen = report.reports[0]
    assert (seen.ssrc, seen.fraction_lost, seen.packets_lost) == (7, 64, -3)
    assert (seen.highest_sequence, seen.jitter, seen.lsr, seen.dlsr) == (70_000, 12, 99, 65_536)

    (pli,) = RtcpPacket.parse(rtp.pli(1, 7))
    assert isinstance(pli, RtcpPsfbPacket)
    assert (pli.fmt, pli.ssrc, pli.media_ssrc) == (1, 1, 7)

    (remb,) = RtcpPacket.parse(rtp.remb(1, 1_500_000, [7, 8]))
    assert isinstance(remb, RtcpPsfbPacket)
    bitrate, ssrcs = unpack_remb_fci(remb.fci)
    assert ssrcs == [7, 8]
    assert 1_490_000 < bitrate <= 1_500_000


@given(st.sets(st.integers(0, 200), min_size=1), st.integers(0, 65_535))
def test_nack_names_what_is_missing(offsets: set[int], start: int) -> None:
    sequences = [(start + offset) & 0xFFFF for offset in sorted(offsets)]
    (packet,) = RtcpPacket.parse(rtp.nack(1, 7, sequences))
    assert isinstance(packet, RtcpRtpfbPacket)
    assert sorted(lost & 0xFFFF for lost in packet.lost) == sorted(sequences)


def test_nack_is_bounded() -> None:
    packet = rtp.nack(1, 7, range(0, 60_000, 100))
    assert len(packet) == 12 + 4 * rtp.MAX_NACK_PAIRS


def test_tells_rtcp_from_rtp() -> None:
    assert rtp.is_rtcp(rtp.pli(1, 2))
    assert not rtp.is_rtcp(audio_packet(1, 2))
    assert not rtp.is_rtcp(b"\x80")


def test_goodbye_names_streams() -> None:
    assert rtp.goodbye(struct.pack("!LL", 5, 6), 2) == [5, 6]
    assert rtp.goodbye(b"\0\0\0", 1) == []
