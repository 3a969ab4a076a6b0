"""RTP and RTCP as bytes: what a receiver reads and what it says back. Pure.

Hostile input is the normal case: every parser returns None, or skips, where it cannot go on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
MAX_REPORTS = 31
MAX_RTCP_BLOCKS = 64
"""Packets looked at in one compound; a datagram of 1500 bytes could hold 375 empty ones."""
MAX_NACK_PAIRS = 64
NACK_PAIR_SPAN = 17
"""Sequence numbers that one pair of a NACK can name: one, and the 16 after it."""
NTP_UNIX_OFFSET_S = 2_208_988_800

HEADER = struct.Struct("!BBHLL")
"""First byte, marker and payload type, sequence number, timestamp, SSRC."""
PLAIN_HEADER = 0x80
"""First byte of a packet with no padding, extension or contributing source: most are."""
_U16 = struct.Struct("!H")
_SENDER = struct.Struct("!LLL")


class Packet(NamedTuple):
    """One RTP packet (RFC 3550 section 5.1), its header extensions skipped unread."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class SenderReport(NamedTuple):
    """The clock half of an RTCP sender report (RFC 3550 section 6.4.1)."""

    ssrc: int
    ntp_ms: float
    """The sender's wall clock, ms since the Unix epoch (as far as it can be trusted)."""
    ntp_middle: int
    """The middle 32 bits of the NTP time, to be sent back as LSR."""
    rtp: int


class ReportBlock(NamedTuple):
    """What a receiver says of one stream (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    total_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_sr: int


def is_rtcp(datagram: bytes) -> bool:
    """Whether an SRTP datagram is RTCP, by payload type (RFC 5761 section 4)."""
    return len(datagram) >= 2 and 192 <= datagram[1] <= 223


def parse(data: bytes) -> Packet | None:
    """The RTP packet in ``data``, or None when it is malformed."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * _U16.unpack_from(data, start + 2)[0]
    end = len(data)
    if first & 0x20:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    if start > end:
        return None
    return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[start:end])


def unwrap_rtx(packet: Packet, payload_type: int, ssrc: int) -> Packet | None:
    """The original packet inside a retransmission (RFC 4588 section 4); None for mere padding."""
    if len(packet.payload) <= 2:
        return None
    original = _U16.unpack_from(packet.payload)[0]
    return Packet(payload_type, packet.marker, original, packet.timestamp, ssrc, packet.payload[2:])


def blocks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The packets of an RTCP compound as (type, count or format, body); stops where it breaks."""
    position = 0
    for _ in range(MAX_RTCP_BLOCKS):
        if position + 4 > len(data) or data[position] >> 6 != 2:
            return
        end = position + 4 + 4 * _U16.unpack_from(data, position + 2)[0]
        if end > len(data):
            return
        yield data[position + 1], data[position] & 0x1F, data[position + 4 : end]
        position = end


def sender_report(body: bytes) -> SenderReport | None:
    """The sender report in an SR packet's body, or None when it is too short."""
    if len(body) < 24:
        return None
    ssrc = int.from_bytes(body[:4], "big")
    seconds, fraction, timestamp = _SENDER.unpack_from(body, 4)
    ntp_ms = (seconds - NTP_UNIX_OFFSET_S) * 1000.0 + fraction * 1000.0 / (1 << 32)
    middle = (seconds & 0xFFFF) << 16 | fraction >> 16
    return SenderReport(ssrc, ntp_ms, middle, timestamp)


def goodbye(body: bytes, count: int) -> list[int]:
    """The SSRCs that a BYE packet names."""
    named = range(min(count, len(body) // 4))
    return [int.from_bytes(body[4 * i : 4 * i + 4], "big") for i in named]


def _rtcp(packet_type: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def receiver_report(sender: int, reports: Sequence[ReportBlock]) -> bytes:
    """An RTCP RR with up to 31 blocks; totals beyond 24 signed bits are clamped."""
    body = struct.pack("!L", sender)
    for report in reports[:MAX_REPORTS]:
        lost = max(-(1 << 23), min(report.total_lost, (1 << 23) - 1)) & 0xFFFFFF
        body += struct.pack(
            "!LLLLLL",
            report.ssrc,
            report.fraction_lost << 24 | lost,
            report.highest_sequence & 0xFFFFFFFF,
            report.jitter & 0xFFFFFFFF,
            report.last_sr,
            report.delay_since_sr & 0xFFFFFFFF,
        )
    return _rtcp(RR, min(len(reports), MAX_REPORTS), body)


def pli(sender: int, media: int) -> bytes:
    """Picture loss indication: please send a keyframe (RFC 4585 section 6.3.1)."""
    return _rtcp(PSFB, 1, struct.pack("!LL", sender, media))


def nack(sender: int, media: int, sequences: Iterable[int]) -> bytes:
    """Generic NACK (RFC 4585 section 6.2.1) for sequence numbers in ascending order, mod 2^16.

    At most MAX_NACK_PAIRS pairs are named; the rest is left for the next round.
    """
    pairs: list[list[int]] = []
    for sequence in sequences:
        offset = (sequence - pairs[-1][0]) & 0xFFFF if pairs else 0
        if pairs and 0 < offset < NACK_PAIR_SPAN:
            pairs[-1][1] |= 1 << (offset - 1)
        elif len(pairs) < MAX_NACK_PAIRS:
            pairs.append([sequence & 0xFFFF, 0])
        else:
            break
    body = struct.pack("!LL", sender, media) + b"".join(struct.pack("!HH", *p) for p in pairs)
    return _rtcp(RTPFB, 1, body)


def remb(sender: int, bits_per_second: int, media: Sequence[int]) -> bytes:
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03): the leg's cap."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    body = (
        struct.pack("!LL", sender, 0)
        + b"REMB"
        + struct.pack("!BBH", len(media), exponent << 2 | mantissa >> 16, mantissa & 0xFFFF)
    )
    return _rtcp(PSFB, 15, body + b"".join(struct.pack("!L", ssrc) for ssrc in media))
