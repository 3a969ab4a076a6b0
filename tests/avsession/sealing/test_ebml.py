"""EBML: what is written reads back, known bytes are as the RFCs have them, damage is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.sealing import ebml


@pytest.mark.parametrize(
    ("value", "length", "expected"),
    [
        (0, 0, "80"),
        (126, 0, "fe"),
        (127, 0, "407f"),  # 7f in one byte would say "unknown"
        (127, 2, "407f"),
        (2, 8, "0100000000000002"),
        (2**56 - 2, 0, "01fffffffffffffe"),
    ],
)
def test_sizes_are_as_rfc_8794_writes_them(value: int, length: int, expected: str) -> None:
    assert ebml.encode_size(value, length).hex() == expected


@pytest.mark.parametrize(("value", "length"), [(2**56 - 1, 0), (127, 1), (-1, 0)])
def test_a_size_that_does_not_fit_is_refused(value: int, length: int) -> None:
    with pytest.raises(ValueError, match="fit"):
        ebml.encode_size(value, length)


def test_numbers_are_as_rfc_8794_writes_them() -> None:
    assert ebml.unsigned(0xD7, 0).hex() == "d78100"
    assert ebml.unsigned(0xD7, 256).hex() == "d7820100"
    assert ebml.unsigned(0xD7, 1, 8).hex() == "d7880000000000000001"
    assert ebml.double(ebml.DURATION, 1.0).hex() == "4489883ff0000000000000"


@given(st.sampled_from([0xD7, 0x4489, 0x2AD7B1, ebml.CLUSTER]), st.binary(max_size=300))
def test_what_is_written_reads_back(identifier: int, payload: bytes) -> None:
    data = b"before" + ebml.element(identifier, payload) + b"after"
    found = ebml.read_element(data, 6)
    assert (found.id, found.start, found.end) == (identifier, 6, len(data) - 5)
    assert data[found.payload : found.end] == payload


@given(st.integers(0, 2**64 - 1))
def test_numbers_read_back(value: int) -> None:
    data = ebml.unsigned(0xD7, value)
    assert ebml.read_unsigned(data, ebml.read_element(data, 0)) == value


def test_a_size_may_be_unknown() -> None:
    data = bytes.fromhex("1853806701ffffffffffffff")
    assert ebml.read_element(data, 0) == ebml.Element(ebml.SEGMENT, 0, 12, None)
    with pytest.raises(ValueError, match="cut"):
        list(ebml.children(data, 0, len(data)))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_children_that_are_cut_are_found_out(payloads: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(ebml.element(0xA3, payload) for payload in payloads)
    found = list(ebml.children(whole, 0, len(whole)))
    assert [whole[one.payload : one.end] for one in found] == payloads
    cut = data.draw(st.integers(1, len(whole) - 1))
    if cut not in [one.end for one in found]:
        with pytest.raises(ValueError, match="element"):
            list(ebml.children(whole[:cut], 0, cut))


@given(st.binary(max_size=40))
def test_no_bytes_do_worse_than_a_value_error(data: bytes) -> None:
    try:
        found = list(ebml.children(data, 0, len(data)))
    except ValueError:
        return
    assert sum(one.end - one.start for one in found if one.end is not None) == len(data)
