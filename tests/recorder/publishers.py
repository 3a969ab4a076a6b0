"""Real senders for the recorder's tests: an aiortc peer and a page in a real Chromium."""

from __future__ import annotations

import asyncio
import fractions
import time

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

PAGE_ANSWERS = """
async ({offer, audio, video}) => {
  const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  window.pc = pc;
  const stream = await navigator.mediaDevices.getUserMedia({
    audio, video: video && {width: 1280, height: 720, frameRate: 30}});
  window.stream = stream;
  await pc.setRemoteDescription({type: 'offer', sdp: offer});
  for (const transceiver of pc.getTransceivers()) {
    const kind = transceiver.receiver.track.kind;
    const track = stream.getTracks().find(t => t.kind === kind);
    transceiver.direction = 'sendonly';
    if (track) await transceiver.sender.replaceTrack(track);
  }
  window.candidates = [];
  const gathered = new Promise(done => { pc.onicecandidate = e => {
    if (e.candidate) window.candidates.push(e.candidate.candidate); else done(); }; });
  await pc.setLocalDescription();
  const answer = pc.localDescription.sdp;
  await gathered;
  return {answer, candidates: window.candidates};
}
"""


class MovingPicture(MediaStreamTrack):
    """A picture that changes in every frame, at a steady rate."""

    kind = "video"

    def __init__(self, width: int = 320, height: int = 240, rate: int = 30) -> None:
        super().__init__()
        self._rate = rate
        self._count = 0
        self._start = time.monotonic()
        self._size = width, height
        self._ramp = bytes(i % 256 for i in range(2 * width * height))

    async def recv(self) -> av.VideoFrame:
        """The next frame, when it is due."""
        due = self._start + self._count / self._rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        frame = av.VideoFrame(*self._size, "yuv420p")
        for plane in frame.planes:
            shift = 3 * self._count % 256
            plane.update(self._ramp[shift : shift + plane.buffer_size])
        frame.pts = self._count * 90_000 // self._rate
        frame.time_base = fractions.Fraction(1, 90_000)
        self._count += 1
        return frame


class AiortcPublisher:
    """Answers a leg's offer with aiortc, over real UDP."""

    def __init__(
        self, *, video: bool = True, audio: bool = True, turn: RTCIceServer | None = None
    ) -> None:
        servers = [turn] if turn else []
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        if video:
            self.pc.addTrack(MovingPicture())
        if audio:
            self.pc.addTrack(AudioStreamTrack())

    async def answer(self, offer: str) -> str:
        """The answer's SDP, with every candidate in it, and the one fingerprint that we accept."""
        await self.pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        lines = self.pc.localDescription.sdp.splitlines(keepends=True)
        return "".join(
            line
            for line in lines
            if not line.startswith(("a=fingerprint:sha-3", "a=fingerprint:sha-5"))
        )

    async def close(self) -> None:
        """Hang up."""
        await self.pc.close()
