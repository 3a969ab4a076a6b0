from recorder.frames import EncodedFrame, Kind


def test_latest_is_the_later_of_both_times() -> None:
    assert EncodedFrame(Kind.AUDIO, 10.0, 12.0, b"x").latest_ms == 12.0
    assert EncodedFrame(Kind.VIDEO, 13.0, 12.0, b"x").latest_ms == 13.0
