import aiortc.sdp
import pytest

from avsession.errors import SdpRefused
from recorder import sdp

FINGERPRINT = ":".join(["AB"] * 32)
ANSWER = "\r\n".join([
    "v=0",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:" + "p" * 22,
    f"a=fingerprint:sha-256 {FINGERPRINT.lower()}",
    "a=setup:active",
    "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:" + "p" * 22,
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:active",
    "",
])  # fmt: skip


def test_the_offer_reads_as_meant() -> None:
    text = sdp.offer(
        ufrag="abcd", password="p" * 22, fingerprint=FINGERPRINT,
        candidates=["1 1 udp 1 192.0.2.1 5000 typ host"], max_height=720,
    )  # fmt: skip
    parsed = aiortc.sdp.SessionDescription.parse(text)
    video, audio = parsed.media
    assert (video.kind, video.direction, video.rtp.muxId) == ("video", "recvonly", "video")
    assert [c.mimeType for c in video.rtp.codecs] == ["video/VP8", "video/rtx"]
    assert [c.mimeType for c in audio.rtp.codecs] == ["audio/opus"]
    assert video.rtp.codecs[0].parameters == {"max-fr": 30, "max-fs": 3600}
    for codec in (video.rtp.codecs[0], audio.rtp.codecs[0]):
        assert ("nack", None) in [(f.type, f.parameter) for f in codec.rtcpFeedback]
    assert [c.ip for c in video.ice_candidates] == ["192.0.2.1"]
    assert video.dtls is not None
    assert [f.algorithm for f in video.dtls.fingerprints] == ["sha-256"]
    assert parsed.group[0].items == ["video", "audio"]


def test_reads_an_answer() -> None:
    answer = sdp.read_answer(ANSWER)
    assert answer == sdp.Answer(
        "abcd", "p" * 22, FINGERPRINT, "server", ("1 1 udp 1 192.0.2.1 5000 typ host",)
    )
    assert sdp.read_answer(ANSWER.replace("active", "passive")).dtls_role == "client"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=fingerprint:sha-256", "a=fingerprint:sha-512"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        (FINGERPRINT, FINGERPRINT[:-3]),
        (FINGERPRINT, FINGERPRINT[:-2] + "00"),  # two different ones
        (f"a=fingerprint:sha-256 {FINGERPRINT}", f"a=fingerprint:sha-384 {FINGERPRINT}"),
        ("a=setup:active", "a=setup:actpass"),
        ("a=setup:active", "a=setup:holdconn"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:a b"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abc"),
        ("a=ice-pwd:" + "p" * 22, "a=ice-pwd:short"),
        ("m=audio", "m=video"),
        ("m=audio", "m=application"),
        ("m=video", "m=audio"),
        ("a=candidate", "a=x\r\n" * 600 + "a=candidate"),
        ("a=candidate", "a=candidate:1\r\n" * 40 + "a=candidate"),
        ("v=0", "v=0" * 10_000),
        (ANSWER, ""),
    ],
)
def test_refuses_what_was_not_offered(old: str, new: str) -> None:
    assert old in ANSWER
    with pytest.raises(SdpRefused):
        sdp.read_answer(ANSWER.replace(old, new))
