"""Looking for what breaks a target with hypothesis: valid inputs, broken in part."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import strategies
from tests.fuzz.targets import TARGETS, encode
from tests.recorder.packets import VideoSource, as_rtx, audio_packet, sender_report

ROUND = 200
"""Examples between two looks at the clock."""
_PACKETS = [
    *VideoSource().frame(1, keyframe=True), audio_packet(1, 960),
    as_rtx(VideoSource().frame(1, keyframe=False)[1], 3),
]  # fmt: skip
_REPORTS = [sender_report(0x1111, 1e12, 5), sender_report(1, -1.0, 0) * 3]
_RECORDS = [b"\x16\xfe\xfd" + bytes(8) + b"\x00\x03abc", b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"]  # noqa: E501 # fmt: skip

STRATEGIES: dict[str, st.SearchStrategy[bytes]] = {
    "rtp": st.sampled_from(_PACKETS).flatmap(strategies.broken) | st.binary(max_size=100),
    "rtcp": st.lists(
        st.sampled_from(_REPORTS).flatmap(strategies.broken) | st.binary(max_size=40), max_size=5
    ).map(b"".join),
    "vp8": st.binary(max_size=40)
    | st.builds(
        lambda head, frame: head + frame,
        st.sampled_from([b"\x10", b"\x90\x80\x81\x02", b"\x90\xf0\x81\x02\x00\x00", b"\x80"]),
        st.just(b"\x10\x02\x00\x9d\x01\x2a").flatmap(
            lambda key: st.binary(max_size=8).map(lambda rest: key + rest)
        ),
    ),
    "answer": strategies.answers(),
    "dtls": st.lists(
        st.sampled_from(_RECORDS) | st.binary(max_size=30)
        | st.sampled_from(_RECORDS).map(lambda record: record[:-1]), max_size=6,
    ).map(b"".join),
    "receiver": strategies.sessions().map(encode) | st.binary(max_size=2000),
}  # fmt: skip


def search(target: str, seconds: float) -> tuple[bytes | None, int]:
    """The smallest input found that breaks the target, if there is one; how many were tried."""
    last = b""
    count = 0

    @settings(
        max_examples=ROUND, deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(STRATEGIES[target])
    def go_round(data: bytes) -> None:
        nonlocal last, count
        last = data
        count += 1
        TARGETS[target](data)

    end = time.monotonic() + seconds
    while True:
        try:
            go_round()
        except Exception:  # noqa: BLE001 - that is what is looked for; the last one is the smallest
            return last, count
        if time.monotonic() >= end:
            return None, count
