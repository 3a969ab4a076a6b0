"""STUN messages: what was encoded, and nothing else, is read."""

from __future__ import annotations

import pytest

from avsession.turn.stun import (
    Message,
    TurnUnreachable,
    decode,
    decode_address,
    encode,
    encode_address,
)


def test_messages_are_what_was_encoded() -> None:
    message = Message(0x003, b"t" * 12, {0x0006: b"user", 0x0019: bytes([17, 0, 0, 0])})
    read = decode(encode(message, b"key"))
    assert read.kind == message.kind
    assert read.attributes[0x0006] == b"user"
    assert len(read.attributes[0x0008]) == 20
    assert encode(message) + bytes(24) != encode(message, b"key")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 400 Bad Request",
        encode(Message(1, b"t" * 12))[:-1],
        encode(Message(1, b"t" * 12, {6: b"user"}))[:-4],
        bytes([0x80]) + encode(Message(1, b"t" * 12))[1:],
        encode(Message(1, b"t" * 12))[:2] + b"\x00\x04" + encode(Message(1, b"t" * 12))[4:]
        + b"\x00\x06\xff\xff",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(TurnUnreachable):
        decode(data)


@pytest.mark.parametrize("endpoint", [("192.0.2.1", 32_853), ("2001:db8::1", 1)])
def test_addresses_come_back(endpoint: tuple[str, int]) -> None:
    transaction = bytes(range(12))
    assert decode_address(encode_address(endpoint, transaction), transaction) == endpoint


def test_the_address_of_the_rfcs_vector() -> None:
    """RFC 5769 section 2.2."""
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    assert encode_address(("192.0.2.1", 32_853), transaction).hex() == "0001a147e112a643"
