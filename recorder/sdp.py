"""The leg's offer, and the answer to it, as text. Pure.

The recorder always offers and the codecs are fixed, so this writes one form of SDP (RFC 8866,
RFC 9429 section 5) and reads only what it needs of the answer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from avsession.errors import SdpRefused
from recorder.receive import OPUS_PAYLOAD, RTX_PAYLOAD, VP8_PAYLOAD

MAX_ANSWER = 20_000
"""Characters."""
MAX_LINES = 500
MAX_CANDIDATES = 32
"""Of a party, in the answer and trickled together."""

_FINGERPRINT = re.compile(r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+")
_ROLES = {"active": "server", "passive": "client"}
"""The answer's a=setup, and what the recorder then is in DTLS (RFC 5763 section 5)."""


@dataclass(frozen=True)
class Answer:
    """What a leg needs of an answer."""

    ufrag: str
    password: str
    fingerprint: str
    """SHA-256, upper-case hex pairs with colons."""
    dtls_role: str
    """Ours: ``server`` or ``client``."""
    candidates: tuple[str, ...]


def offer(
    *, ufrag: str, password: str, fingerprint: str, candidates: Sequence[str], max_height: int
) -> str:
    """Receive-only video (VP8 with retransmission) and audio (Opus), bundled, every candidate in.

    ``max_height`` in lines of a 16:9 picture; it becomes VP8's max-fs (RFC 7741 section 6.1).
    """
    macroblocks = ((max_height * 16 // 9 + 15) // 16) * ((max_height + 15) // 16)
    transport = [
        "c=IN IP4 0.0.0.0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        f"a=fingerprint:sha-256 {fingerprint}",
        "a=setup:actpass",
    ]
    video = [
        f"m=video 9 UDP/TLS/RTP/SAVPF {VP8_PAYLOAD} {RTX_PAYLOAD}",
        *transport,
        "a=mid:video",
        f"a=rtpmap:{VP8_PAYLOAD} VP8/90000",
        f"a=fmtp:{VP8_PAYLOAD} max-fr=30;max-fs={macroblocks}",
        f"a=rtcp-fb:{VP8_PAYLOAD} nack",
        f"a=rtcp-fb:{VP8_PAYLOAD} nack pli",
        f"a=rtcp-fb:{VP8_PAYLOAD} ccm fir",
        f"a=rtcp-fb:{VP8_PAYLOAD} goog-remb",
        f"a=rtpmap:{RTX_PAYLOAD} rtx/90000",
        f"a=fmtp:{RTX_PAYLOAD} apt={VP8_PAYLOAD}",
        *(f"a=candidate:{candidate}" for candidate in candidates),
        "a=end-of-candidates",
    ]
    audio = [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PAYLOAD}",
        *transport,
        "a=mid:audio",
        f"a=rtpmap:{OPUS_PAYLOAD} opus/48000/2",
        f"a=rtcp-fb:{OPUS_PAYLOAD} nack",
        f"a=fmtp:{OPUS_PAYLOAD} minptime=10;useinbandfec=1",
    ]
    head = [
        "v=0",
        f"o=- {secrets.randbelow(1 << 62)} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE video audio",
        "a=ice-options:trickle",
    ]
    return "\r\n".join([*head, *video, *audio]) + "\r\n"


def read_answer(text: str) -> Answer:
    """The answer, checked; raises SdpRefused on anything the recorder did not offer room for.

    Every fingerprint in it must be SHA-256 and the same one: aiortc would take any algorithm.
    """
    if len(text) > MAX_ANSWER:
        raise SdpRefused("The answer is too long.")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise SdpRefused("The answer has too many lines.")
    media = [line for line in lines if line.startswith("m=")]
    if [line[2:7] for line in media] != ["video", "audio"]:
        raise SdpRefused("The answer does not match the offer's video and audio.")
    values: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            values.setdefault(name.lower(), []).append(value.strip())
    ufrag = _single(values, "ice-ufrag")
    password = _single(values, "ice-pwd")
    if not (4 <= len(ufrag) <= 256 and 22 <= len(password) <= 256):
        raise SdpRefused("The answer's ICE credentials are not acceptable.")
    if not (_ICE_CHARS.fullmatch(ufrag) and _ICE_CHARS.fullmatch(password)):
        raise SdpRefused("The answer's ICE credentials are not acceptable.")
    algorithm, _, fingerprint = _single(values, "fingerprint").partition(" ")
    if algorithm.lower() != "sha-256" or not _FINGERPRINT.fullmatch(fingerprint):
        raise SdpRefused("Only SHA-256 fingerprints are accepted.")
    role = _ROLES.get(_single(values, "setup"))
    if role is None:
        raise SdpRefused("The answer's a=setup must be active or passive.")
    candidates = values.get("candidate", [])
    if len(candidates) > MAX_CANDIDATES:
        raise SdpRefused("The answer has too many candidates.")
    return Answer(ufrag, password, fingerprint.upper(), role, tuple(candidates))


def _single(values: dict[str, list[str]], name: str) -> str:
    """The one value of an attribute that may be repeated only with the same value."""
    found = values.get(name, [])
    if len({value.upper() if name == "fingerprint" else value for value in found}) != 1:
        raise SdpRefused(f"The answer needs exactly one a={name}.")
    return found[0]
