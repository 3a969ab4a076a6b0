import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.range import RangeRefused, parse_range

SIZE = 1000

sizes = st.integers(0, 3000)
numbers = st.integers(0, 4000)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-499", (0, 500)),
        ("bytes=500-999", (500, 1000)),
        ("bytes=500-5000", (500, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-1000", (0, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=0-9223372036854775807", (0, 1000)),
        ("BYTES=0-9", (0, 10)),
        ("bytes= 0-9 ", (0, 10)),
        ("items=0-9", None),
        ("seconds=1-2,4-5", None),
    ],
)
def test_what_a_player_asks_for(header: str | None, found: tuple[int, int] | None) -> None:
    assert parse_range(header, SIZE) == found


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=-0",
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=9-8",
        "bytes=0-9,20-29",
        "bytes=0-9,",
        "bytes=0--9",
        "bytes=--9",
        "bytes=+1-2",
        "bytes=1.0-2",
        "bytes=0x1-2",
        "bytes=1 - 2",
        "bytes=１-２",
        "bytes=a-b",
        "bytes=0-99999999999999999999",
        "bytes=0-9\n",
        "0-9",
    ],
)
def test_what_is_refused(header: str) -> None:
    with pytest.raises(RangeRefused):
        parse_range(header, SIZE)


def test_no_range_of_nothing() -> None:
    for header in ("bytes=0-", "bytes=-1", "bytes=0-0"):
        with pytest.raises(RangeRefused):
            parse_range(header, 0)
    assert parse_range(None, 0) is None


def test_if_range_means_the_whole_for_there_is_no_validator() -> None:
    assert parse_range("bytes=5-6", SIZE, if_range=True) is None
    assert parse_range("bytes=nonsense", SIZE, if_range=True) is None


@given(sizes, numbers, numbers)
def test_first_to_last_is_a_slice(size: int, first: int, last: int) -> None:
    data = bytes(n % 251 for n in range(size))
    try:
        found = parse_range(f"bytes={first}-{last}", size)
    except RangeRefused:
        assert data[first : last + 1] == b""
    else:
        assert found is not None
        assert data[slice(*found)] == data[first : last + 1] != b""


@given(sizes, numbers)
def test_from_first_on_is_a_slice(size: int, first: int) -> None:
    data = bytes(n % 251 for n in range(size))
    try:
        found = parse_range(f"bytes={first}-", size)
    except RangeRefused:
        assert data[first:] == b""
    else:
        assert found is not None
        assert data[slice(*found)] == data[first:] != b""


@given(sizes, numbers)
def test_a_suffix_is_a_slice(size: int, length: int) -> None:
    data = bytes(n % 251 for n in range(size))
    try:
        found = parse_range(f"bytes=-{length}", size)
    except RangeRefused:
        assert length == 0 or not data
    else:
        assert found is not None
        assert data[slice(*found)] == data[-length:] != b""


@given(st.text(max_size=30), sizes)
def test_whatever_comes_stays_inside_the_file(text: str, size: int) -> None:
    try:
        found = parse_range(f"bytes={text}", size)
    except RangeRefused:
        return
    assert found is not None
    start, end = found
    assert 0 <= start < end <= size
