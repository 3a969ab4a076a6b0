"""From decrypted RTP to whole encoded frames, and the feedback that goes back. Pure, synchronous.

One `Receiver` a leg. The caller hands it each decrypted datagram with its arrival (ms on a
monotonic clock), calls `tick` every 20 ms or so, and sends what `feedback` returns. Nothing in
here waits, and every buffer has a limit.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable

from recorder import rtp, vp8
from recorder.asking import ROUND_TRIPS_OF_PATIENCE, Keyframes, RoundTrip
from recorder.clock import SenderClock
from recorder.frames import MAX_A_SECOND, EachSecond, EncodedFrame, Kind, Span
from recorder.stream import MISSED, OPUS_TICKS_PER_MS, VIDEO_TICKS_PER_MS, Stream, begins_keyframe
from recorder.webm import MAX_FRAME_BYTES

VP8_PAYLOAD, RTX_PAYLOAD, OPUS_PAYLOAD = 96, 97, 111
"""Fixed, since the recorder is always the one who offers."""
REPORT_EVERY_MS = 1_000.0
HURRY_AFTER_MS = 120.0
"""What has been missing for longer was probably lost twice, and every tick counts; till then the
seldomer ticks of a calm leg do as well, if it loses little."""
STALE_MS = 200.0
"""A frame that began so long ago and has no end will have none, if nothing more comes."""
MAX_OPUS_BYTES = 1_500
PLAIN_BYTES = 16
"""Shorter packets are left to the careful road."""
MAX_PARTS = MAX_FRAME_BYTES // 1_500
"""Packets of one frame, each a datagram at most: a frame that never ends is given up by their
number, since a million pieces of one byte weigh more than the bytes."""
MAX_SOURCES = 32
"""SSRCs in a leg's life: three and their changes. libsrtp keeps a state for each and searches them
one by one, so the owner ends a leg that has more."""

_unpack = rtp.HEADER.unpack_from


class Receiver:
    """All streams of one leg: one VP8 with retransmission, one Opus."""

    def __init__(self, *, hold_ms: float = 380.0, cap_bps: int = 1_500_000) -> None:
        """``hold_ms``: how long a gap is waited for; in video longer if answers take long.

        ``cap_bps``: told to the sender.
        """
        self._sender = SenderClock()
        self.video = Stream(VIDEO_TICKS_PER_MS, hold_ms, self._sender, before=MISSED)
        self.audio = Stream(OPUS_TICKS_PER_MS, hold_ms, self._sender, in_place=True)
        self._hold_ms, self._cap_bps = hold_ms, cap_bps
        self._own_ssrc = secrets.randbelow(1 << 32)
        self._round_trip = RoundTrip()
        self._keyframes = Keyframes()
        self.hurried = False
        """Whether every tick counts, since something has been missing for long."""
        self.ready: list[EncodedFrame] = []
        """Whole frames that nobody has collected yet."""
        self._beginning: list[tuple[int, bytes, float]] | None = []
        """The first sound, all of one reading: RTP timestamp, packet, arrival. None once told."""
        self._begins_at = 0
        self._parts: list[bytes | bytearray] = []
        self._parts_timestamp = 0
        self._needs_keyframe = True
        self._video_lost = self._sound_lost = self._thrown = False
        self._parts_ms = 0.0
        self._reported_ms = float("-inf")
        self.malformed = 0
        """Packets that could not be read."""
        self.discarded = 0
        """Frames not stored: incomplete, not decodable without a lost one, or too many."""
        self._sources: set[int] = set()
        self._rate = EachSecond()

    def take(self, data: bytearray, start: int, end: int, now_ms: float) -> None:
        """A decrypted RTP packet in a buffer that is used again; its frames go to `ready`.

        The same as `on_rtp`, and much cheaper for a packet that is simply the next one.
        """
        first, second, sequence, timestamp, ssrc = _unpack(data, start)
        if first == rtp.PLAIN_HEADER and end - start > PLAIN_BYTES:
            video = self.video
            if ssrc == video.ssrc and second & 0x7F == VP8_PAYLOAD:
                descriptor = data[start + 12]
                # a picture id of 15 bits, as browsers send it, or no extension at all
                at = start + 13
                if descriptor & 0x80:
                    long_id = data[start + 13] == 0x80 and data[start + 14] & 0x80
                    at = start + 16 if long_id else end
                if at < end and video.reorder.advance(sequence):
                    if second & 0x80 or descriptor & 0x10 or not self._parts:
                        begins = descriptor & vp8.BEGINS_MASK == vp8.BEGINS
                        self._piece(begins, data[at:end], timestamp, second > 0x7F, now_ms)
                    elif timestamp == self._parts_timestamp and len(self._parts) < MAX_PARTS:
                        # in the midst of a frame
                        self._parts.append(data[at:end])
                    else:
                        self._piece(False, data[at:end], timestamp, False, now_ms)
                    return
            elif (
                ssrc == self.audio.ssrc
                and second & 0x7F == OPUS_PAYLOAD
                and self.audio.reorder.advance(sequence)
            ):
                if self.audio.heard(now_ms):
                    self._sound_lost = False
                self.audio.arrived(timestamp, now_ms)
                self._sound(timestamp, bytes(data[start + 12 : end]), now_ms)
                return
        self._any(bytes(data[start:end]), now_ms)

    def on_rtp(self, data: bytes, now_ms: float) -> list[EncodedFrame]:
        """A decrypted RTP packet arrived; the frames that are whole and in order now."""
        self._any(data, now_ms)
        return self.collect()

    def collect(self) -> list[EncodedFrame]:
        """The frames that have become whole since this was asked last."""
        if self._beginning:
            self._begin_sound(self._beginning)
        frames, self.ready = self.ready, []
        return frames

    def _begin_sound(self, heard: list[tuple[int, bytes, float]]) -> None:
        """The first sound gets its times, and goes to where it came."""
        first = [
            EncodedFrame(Kind.AUDIO, captured_ms, arrived_ms, data)
            for captured_ms, (_, data, arrived_ms) in zip(
                self.audio.beginning([(at, now_ms) for at, _, now_ms in heard]), heard, strict=True
            )
        ]
        self.ready[self._begins_at : self._begins_at] = first
        self._beginning = None

    @property
    def crowded(self) -> bool:
        """Whether there were more than MAX_SOURCES SSRCs: the owner ends the leg then."""
        return len(self._sources) > MAX_SOURCES

    def _source(self, ssrc: bytes) -> None:
        if len(self._sources) <= MAX_SOURCES:
            self._sources.add(int.from_bytes(ssrc, "big"))

    def _any(self, data: bytes, now_ms: float) -> None:
        self._source(data[8:12])  # whatever the rest of it is, libsrtp has made a state for it
        packet = rtp.parse(data)
        if packet is None:
            self.malformed += 1
        elif packet.payload_type == VP8_PAYLOAD:
            if packet.ssrc != self.video.ssrc and not vp8.readable(packet.payload):
                self.malformed += 1  # nothing begins with it
            elif self._claim(self.video, packet, now_ms):
                self._video(self.video.reorder.push(packet, now_ms), now_ms)
                if self._needs_keyframe and begins_keyframe(packet):
                    self._skip_to_keyframe(now_ms)
        elif packet.payload_type == OPUS_PAYLOAD:
            if self._claim(self.audio, packet, now_ms):
                self.audio.arrived(packet.timestamp, now_ms)
                self._audio(self.audio.reorder.push(packet, now_ms), now_ms)
        elif packet.payload_type == RTX_PAYLOAD and self.video.ssrc is not None:
            original = rtp.unwrap_rtx(packet, VP8_PAYLOAD, self.video.ssrc)
            if original is None:
                return
            asked_ms = self.video.reorder.asked_at(original.sequence)
            if asked_ms is not None:
                self._answered(now_ms - asked_ms)
            pushed = self.video.reorder.push(original, now_ms, recovered=True)
            self._video(pushed, now_ms)
        else:
            self.malformed += 1

    def _claim(self, stream: Stream, packet: rtp.Packet, now_ms: float) -> bool:
        """Whether its stream takes it. What begins anew, whole before, has lost nothing so far."""
        known, video = stream.ssrc, stream is self.video
        lost = self._thrown or bool(self._parts) if video else self._sound_lost
        torn = (lost or stream.reorder.waiting) and not stream.pausing(now_ms)
        if not stream.claim(packet.ssrc, now_ms, torn=torn):
            return False
        anew = packet.ssrc != known
        if video and anew:  # an encoder that begins anew refers to nothing that came before
            self._parts, self._needs_keyframe = [], True
        if anew or stream.heard(now_ms, packet.sequence):
            self._lost(stream, lost=anew and torn)
        return True

    def _lost(self, stream: Stream, *, lost: bool) -> None:
        if stream is self.video:
            self._thrown, self._video_lost = lost, False
        else:
            self._sound_lost = lost

    def _answered(self, took_ms: float) -> None:
        self._round_trip.answered(took_ms)
        # sound that misses its moment in the delay line has no place; a late picture is shown late
        self.video.reorder.hold_ms = max(self._hold_ms, self._round_trip.hold_ms)

    def on_rtcp(self, data: bytes, now_ms: float) -> None:
        """A decrypted RTCP compound arrived. A BYE changes nothing: the gate ends a recording."""
        self._source(data[4:8])
        for packet_type, _count, body in rtp.blocks(data):
            if packet_type != rtp.SR or (report := rtp.sender_report(body)) is None:
                continue
            for stream in (self.video, self.audio):
                if report.ssrc == stream.ssrc:
                    stream.sender_report(report, now_ms)

    def tick(self, now_ms: float) -> list[EncodedFrame]:
        """Give up what has been missing for too long; the frames that can go on then."""
        video, audio = self.video.reorder, self.audio.reorder
        if video.waiting:
            self._video(video.give_up(now_ms), now_ms)
            self._skip_to_keyframe(now_ms)
        if audio.waiting:
            self._audio(audio.give_up(now_ms), now_ms)
        oldest_ms = max(video.missing_for(now_ms), audio.missing_for(now_ms))
        lossy = self.video.lossy or self.audio.lossy
        self.hurried = oldest_ms > HURRY_AFTER_MS or (lossy and oldest_ms > 0)
        return self.collect()

    def losing(self, now_ms: float) -> dict[Kind, Span]:
        """Of which kinds something is lost that no frame tells of, were this the leg's end; with
        each, when it was first heard, or again. Of what pauses, until it was heard last."""
        stale = bool(self._parts) and now_ms - self._parts_ms > STALE_MS
        lost = ((self.video, self._thrown or stale), (self.audio, self._sound_lost))
        return {
            kind: Span(stream.since_ms, stream.heard_ms if stream.pausing(now_ms) else math.inf)
            for kind, (stream, known) in zip(Kind, lost, strict=True)
            if known or stream.reorder.waiting
        }

    def request_keyframe(self) -> None:
        """Ask for a keyframe with the next feedback."""
        self._keyframes.want()

    def feedback(self, now_ms: float) -> list[bytes]:
        """RTCP datagrams to send now: reports and the bitrate cap, NACK, PLI."""
        out: list[bytes] = []
        video, audio, keyframes = self.video, self.audio, self._keyframes
        reporting = now_ms - self._reported_ms >= REPORT_EVERY_MS
        missing = video.reorder.waiting or audio.reorder.waiting
        wanted = self._needs_keyframe or keyframes.due(now_ms)
        if not (reporting or missing or wanted):
            return out
        if reporting:
            out.append(self._report(now_ms))
        if missing:
            every_ms = self._round_trip.nack_every_ms
            out += [
                rtp.nack(self._own_ssrc, stream.ssrc or 0, named)
                for stream in (video, audio)
                if (named := stream.ask(now_ms, every_ms))
            ]
        wanted = wanted or self._doubtful(now_ms)
        if (
            wanted
            and video.ssrc is not None
            and keyframes.may_ask(now_ms, self._round_trip.ms)
            and not self._keyframe_coming(now_ms)
        ):
            keyframes.asked(now_ms)
            out.append(rtp.pli(self._own_ssrc, video.ssrc))
        return out

    def _report(self, now_ms: float) -> bytes:
        self._reported_ms = now_ms
        blocks = [b for s in (self.video, self.audio) if (b := s.block(now_ms)) is not None]
        report = rtp.receiver_report(self._own_ssrc, blocks)
        if blocks:
            named = [block.ssrc for block in blocks]
            report += rtp.remb(self._own_ssrc, self._cap_bps, named)
        return report

    def _doubtful(self, now_ms: float) -> bool:
        """Whether video is missing for so long that it will hardly come.

        A keyframe that is asked for now is there when it is given up, or soon after.
        """
        patience_ms = max(
            self.video.reorder.hold_ms / 2, ROUND_TRIPS_OF_PATIENCE * self._round_trip.ms
        )
        return self.video.reorder.missing_for(now_ms) > patience_ms

    def _keyframe_coming(self, now_ms: float) -> bool:
        """Whether one has begun to arrive: another would only make more packets to lose."""
        begun = bool(self._parts) and vp8.is_keyframe(self._parts[0])
        if begun and not self._doubtful(now_ms):
            return True
        return self.video.reorder.holds(begins_keyframe)

    def _audio(self, packets: Iterable[rtp.Packet | None], now_ms: float) -> None:
        for packet in packets:
            if packet is not None:
                self._sound(packet.timestamp, packet.payload, now_ms)
            else:
                self._sound_lost = True

    def _sound(self, timestamp: int, data: bytes, now_ms: float) -> None:
        # silence (DTX) needs nothing: its packets are absent and the timestamps go on
        if not 0 < len(data) <= MAX_OPUS_BYTES:
            return
        if self._rate.count(Kind.AUDIO, now_ms) > MAX_A_SECOND:
            self.discarded += 1
            return
        if self._beginning and self._beginning[-1][2] != now_ms:
            self._begin_sound(self._beginning)
        if self._beginning is not None:
            if not self._beginning:
                self._begins_at = len(self.ready)
            self._beginning.append((timestamp, data, now_ms))
        else:
            captured_ms = self.audio.clock.at(timestamp, now_ms)
            frame = EncodedFrame(Kind.AUDIO, captured_ms, now_ms, data)
            if self._sound_lost:
                self._sound_lost, frame.after_loss = False, True
                frame.lost_since_ms = self.audio.since_ms
            self.ready.append(frame)

    def _video(self, packets: Iterable[rtp.Packet | None], now_ms: float) -> None:
        for packet in packets:
            if packet is None:
                self._lose()
                continue
            if not packet.payload:
                continue  # padding, sent to probe the path
            piece = vp8.depacketise(packet.payload)
            if piece is None:
                self.malformed += 1
                self._lose()
                continue
            self._piece(piece.begins_frame, piece.data, packet.timestamp, packet.marker, now_ms)

    def _skip_to_keyframe(self, now_ms: float) -> None:
        """What is missing before one that is wanted would only be thrown away."""
        reorder = self.video.reorder
        underway = bool(self._parts) and vp8.is_keyframe(self._parts[0])
        if self._needs_keyframe and reorder.waiting and not underway:
            self._video(reorder.skip_to(begins_keyframe), now_ms)

    def _piece(
        self, begins: bool, data: bytes | bytearray, timestamp: int, marker: bool, now_ms: float
    ) -> None:
        """The next packet's part of a frame, in order."""
        if begins:
            if self._parts:
                self._lose()  # the frame before had no end
            if self.video.heard(now_ms):
                self._lost(self.video, lost=False)
            self._parts_timestamp, self._parts_ms = timestamp, now_ms
        elif not self._parts or timestamp != self._parts_timestamp:
            self._thrown = True
            self._lose()
            return
        self._parts.append(data)
        if len(self._parts) > MAX_PARTS:
            self._lose()
        elif marker:
            # once a frame: its packets left the sender together
            self.video.arrived(timestamp, now_ms)
            self._finish(now_ms)

    def _lose(self) -> None:
        """What follows cannot be decoded until a keyframe comes."""
        if self._parts:
            self.discarded += 1
        self._video_lost = self._keyframes.came_since(self.video.since_ms)
        self._thrown |= bool(self._parts) or self._video_lost
        self._parts = []
        self._needs_keyframe = True

    def _finish(self, now_ms: float) -> None:
        data = b"".join(self._parts)
        self._parts = []
        if len(data) > MAX_FRAME_BYTES or self._rate.count(Kind.VIDEO, now_ms) > MAX_A_SECOND:
            self.discarded += 1
            self._lose()
            return
        if data[0] & 1:  # not a keyframe
            if self._needs_keyframe:
                self.discarded += 1
                self._thrown = True
                return
            captured_ms = self.video.clock.at(self._parts_timestamp, now_ms)
            self.ready.append(EncodedFrame(Kind.VIDEO, captured_ms, now_ms, data, False))
            return
        size = vp8.dimensions(data)
        if size is None:
            self.malformed += 1
            self._lose()
            return
        lost = self._video_lost or self._thrown
        since_ms: float | None = self.video.since_ms
        if not lost or self._keyframes.came_since(self.video.since_ms):
            since_ms = None  # since the frame before
        self._needs_keyframe = self._video_lost = self._thrown = False
        self._keyframes.came(now_ms)
        at_ms = self.video.clock.at(self._parts_timestamp, now_ms)
        frame = EncodedFrame(Kind.VIDEO, at_ms, now_ms, data, True, *size, lost, since_ms)
        self.ready.append(frame)
