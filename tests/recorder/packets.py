"""RTP packets for the recorder's tests, as a browser would send them."""

from __future__ import annotations

import struct

from recorder.receive import OPUS_PAYLOAD, RTX_PAYLOAD, VP8_PAYLOAD

VIDEO_SSRC, RTX_SSRC, AUDIO_SSRC = 0x1111, 0x2222, 0x3333


def rtp_packet(
    payload: bytes,
    *,
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    marker: bool = False,
) -> bytes:
    """One RTP packet without extensions."""
    second = payload_type | (0x80 if marker else 0)
    head = struct.pack("!BBHLL", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return head + payload


def vp8_frame(number: int, *, keyframe: bool, size: int = 30) -> bytes:
    """Bytes with a VP8 frame's head; the rest names the frame."""
    key = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 360)
    head = key if keyframe else b"\x11\x02\x00"
    return head + struct.pack("!L", number) * ((size - len(head)) // 4 + 1)


class VideoSource:
    """Frames of three packets each, 30 a second, a keyframe every so often."""

    def __init__(self, sequence: int = 65_500, timestamp: int = 2**32 - 30_000) -> None:
        self.sequence, self.timestamp = sequence, timestamp

    def frame(self, number: int, *, keyframe: bool) -> list[bytes]:
        """The packets of one frame, in order."""
        data = vp8_frame(number, keyframe=keyframe)
        third = len(data) // 3
        parts = [data[:third], data[third : 2 * third], data[2 * third :]]
        packets = []
        for index, part in enumerate(parts):
            descriptor = b"\x10" if index == 0 else b"\x00"
            packets.append(
                rtp_packet(
                    descriptor + part,
                    payload_type=VP8_PAYLOAD,
                    sequence=self.sequence,
                    timestamp=self.timestamp,
                    ssrc=VIDEO_SSRC,
                    marker=index == 2,
                )
            )
            self.sequence += 1
        self.timestamp += 3000
        return packets


def as_rtx(packet: bytes, sequence: int) -> bytes:
    """The retransmission of a packet (RFC 4588)."""
    marker = bool(packet[1] & 0x80)
    timestamp = int.from_bytes(packet[4:8], "big")
    return rtp_packet(
        packet[2:4] + packet[12:],
        payload_type=RTX_PAYLOAD,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=RTX_SSRC,
        marker=marker,
    )


def audio_packet(number: int, timestamp: int) -> bytes:
    """One Opus packet of 20 ms."""
    return rtp_packet(
        b"\xfc" + struct.pack("!L", number),
        payload_type=OPUS_PAYLOAD,
        sequence=number,
        timestamp=timestamp,
        ssrc=AUDIO_SSRC,
    )


def sender_report(ssrc: int, ntp_ms: float, timestamp: int) -> bytes:
    """An RTCP SR with this clock."""
    seconds, rest = divmod(ntp_ms, 1000.0)
    ntp = (int(seconds) + 2_208_988_800, int(rest / 1000.0 * (1 << 32)))
    return struct.pack("!BBHLLLLLL", 0x80, 200, 6, ssrc, *ntp, timestamp & 0xFFFFFFFF, 0, 0)
