"""STUN messages (RFC 8489), as much of them as a TURN client needs. Pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from dataclasses import dataclass, field

from avsession.errors import Unavailable

COOKIE = 0x2112A442
ALLOCATE, REFRESH, PERMIT, SEND, DATA = 0x003, 0x004, 0x008, 0x006, 0x007
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
USERNAME, INTEGRITY, ERROR_CODE, LIFETIME = 0x0006, 0x0008, 0x0009, 0x000D
PEER, PAYLOAD, REALM, NONCE = 0x0012, 0x0013, 0x0014, 0x0015
RELAYED, TRANSPORT, MAPPED = 0x0016, 0x0019, 0x0020
UDP = bytes([17, 0, 0, 0])

Endpoint = tuple[str, int]


class TurnUnreachable(Unavailable):
    """A TURN server does not answer, or not as one."""

    code = "turn.unreachable"
    sentence = "The TURN server does not answer."


@dataclass(frozen=True)
class Message:
    """A STUN message: its type (method and class together), and its attributes."""

    kind: int
    transaction: bytes
    attributes: dict[int, bytes] = field(default_factory=dict)
    covered: bytes = b""
    """What MESSAGE-INTEGRITY is over, if it is there (RFC 8489 section 14.5)."""


def encode(message: Message, key: bytes | None = None) -> bytes:
    """The message as bytes; with ``key`` MESSAGE-INTEGRITY is added (RFC 8489 section 14.5)."""
    body = b"".join(_attribute(kind, value) for kind, value in message.attributes.items())

    def head(length: int) -> bytes:
        return struct.pack("!HHI", message.kind, length, COOKIE) + message.transaction

    if key is not None:
        covered = head(len(body) + 24) + body
        body += _attribute(INTEGRITY, hmac.new(key, covered, hashlib.sha1).digest())
    return head(len(body)) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def decode(data: bytes) -> Message:
    """A message of these bytes; raises TurnUnreachable when they are none."""
    if len(data) < 20 or len(data) % 4:
        raise TurnUnreachable("What answered is no TURN server.")
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if cookie != COOKIE or length != len(data) - 20 or kind > 0x3FFF:
        raise TurnUnreachable("What answered is no TURN server.")
    attributes: dict[int, bytes] = {}
    covered, at = b"", 20
    while at + 4 <= len(data):
        name, size = struct.unpack_from("!HH", data, at)
        if at + 4 + size > len(data):
            raise TurnUnreachable("What answered is no TURN server.")
        if name == INTEGRITY and not covered:
            covered = struct.pack("!HH", kind, at + 4) + data[4:at]
        attributes.setdefault(name, data[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return Message(kind, data[8:20], attributes, covered)


def encode_address(endpoint: Endpoint, transaction: bytes) -> bytes:
    """An XOR-…-ADDRESS (RFC 8489 section 14.2)."""
    packed = ipaddress.ip_address(endpoint[0]).packed
    mask = struct.pack("!I", COOKIE) + transaction
    family = 1 if len(packed) == 4 else 2
    hidden = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return struct.pack("!BBH", 0, family, endpoint[1] ^ (COOKIE >> 16)) + hidden


def decode_address(value: bytes, transaction: bytes) -> Endpoint:
    """Back again; raises TurnUnreachable."""
    if len(value) not in (8, 20):
        raise TurnUnreachable("What answered is no TURN server.")
    mask = struct.pack("!I", COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    (port,) = struct.unpack_from("!H", value, 2)
    return str(ipaddress.ip_address(packed)), port ^ (COOKIE >> 16)
