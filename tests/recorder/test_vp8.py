import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import vp8
from tests.recorder.packets import vp8_frame


@pytest.mark.parametrize(
    ("descriptor", "begins"),
    [
        (b"\x10", True),
        (b"\x00", False),
        (b"\x11", False),  # starts partition 1, not a frame
        (b"\x90\x80\x05", True),  # picture id of 7 bits
        (b"\x90\x80\x85\x01", True),  # of 15 bits
        (b"\x90\xe0\x85\x01\x07\x20", True),  # and TL0PICIDX, TID
        (b"\x80\x10\x01", False),  # KEYIDX alone
        (b"\x30", True),  # a frame nobody refers to
    ],
)
def test_strips_the_descriptor(descriptor: bytes, begins: bool) -> None:
    assert vp8.depacketise(descriptor + b"data") == vp8.Piece(begins, b"data")


@pytest.mark.parametrize("payload", [b"", b"\x10", b"\x90", b"\x90\x80", b"\x90\xf0\x85\x01\x02"])
def test_refuses_a_cut_descriptor(payload: bytes) -> None:
    assert vp8.depacketise(payload) is None


@given(st.binary(max_size=20))
def test_no_bytes_raise(data: bytes) -> None:
    vp8.depacketise(data)
    vp8.dimensions(data)
    vp8.is_keyframe(data)


def test_knows_a_keyframe_and_its_size() -> None:
    key = vp8_frame(1, keyframe=True)
    assert vp8.is_keyframe(key)
    assert vp8.dimensions(key) == (640, 360)
    assert not vp8.is_keyframe(vp8_frame(1, keyframe=False))
    assert vp8.dimensions(key[:9]) is None
    assert vp8.dimensions(b"\0" * 20) is None
    assert vp8.dimensions(key[:6] + b"\0" * 4) is None


def test_a_picture_that_nobody_could_hold_is_no_picture() -> None:
    def claims(width: int, height: int) -> bytes:
        sizes = width.to_bytes(2, "little") + height.to_bytes(2, "little")
        return b"\x10\x02\x00\x9d\x01\x2a" + sizes

    assert vp8.dimensions(claims(16383, 16383)) is None
    assert vp8.dimensions(claims(16383, 4096)) is None
    assert vp8.dimensions(claims(7680, 4320)) == (7680, 4320)
    assert vp8.dimensions(claims(4320, 7680)) == (4320, 7680)


def test_tells_the_first_packet_of_a_keyframe() -> None:
    assert vp8.begins_keyframe(b"\x10" + vp8_frame(1, keyframe=True))
    assert vp8.begins_keyframe(b"\x90\x80\x85\x01" + vp8_frame(1, keyframe=True))
    assert not vp8.begins_keyframe(b"\x10" + vp8_frame(1, keyframe=False))
    assert not vp8.begins_keyframe(b"\x00" + vp8_frame(1, keyframe=True))
    assert not vp8.begins_keyframe(b"\x10")
