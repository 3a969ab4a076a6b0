"""Signed heads of the log: C2SP tlog-checkpoint, as a C2SP signed note with Ed25519.

A checkpoint says: the log named ``origin`` had, at ``size`` leaves, this ``root``. Whoever keeps
one can later show that the log was changed. Its text is the same everywhere: in the database, in an
anchor, in a receipt, at ``/log/checkpoint``; any tool for transparency logs reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.audit.merkle import HASH
from avsession.errors import CheckpointInvalid
from avsession.ports import LogSigner

ED25519 = 0x01
"""The signature type of C2SP signed notes."""
SIGNATURE = 64
"""Bytes of an Ed25519 signature."""
MAX_NOTE = 64 * 1024
"""Bytes of a note; a longer one is refused before it is parsed. Witnesses may add signatures."""
MAX_SIGNATURES = 64
"""Signature lines of a note."""
MAX_SIZE = 2**53
"""Leaves: what canonical JSON can count."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


def b64(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4), as notes have it."""
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    """The reverse; raises CheckpointInvalid on anything that :func:`b64` would not make."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("Something in it is not base64.") from error
    if b64(data) != text:
        raise CheckpointInvalid("Something in it is not base64.")
    return data


def number(text: str) -> int:
    """A decimal number without leading zeroes; raises CheckpointInvalid."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_SIZE:
        raise CheckpointInvalid("A number in it is not one.")
    return int(text)


def is_name(text: str) -> bool:
    """Whether this can be a log's name: not empty, no spaces, no plus, nothing invisible."""
    return bool(_NAME.fullmatch(text)) and text.isprintable()


class VerifierKey(msgspec.Struct, frozen=True):
    """A log's public key under the log's name; what a verifier must be given beforehand."""

    name: str
    public: bytes
    """32 bytes, as in RFC 8032."""

    @property
    def id(self) -> bytes:
        """Four bytes that say which key signed; an identifier, not a digest to rely on."""
        named = self.name.encode() + b"\n" + bytes([ED25519]) + self.public
        return hashlib.sha256(named).digest()[:4]

    @property
    def text(self) -> str:
        """``name+id+key``, the form in which notes' keys are handed around."""
        return f"{self.name}+{self.id.hex()}+{b64(bytes([ED25519]) + self.public)}"


def parse_key(text: str) -> VerifierKey:
    """The key in its text form; raises CheckpointInvalid."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not is_name(parts[0]):
        raise CheckpointInvalid("That is not a log's key.")
    data = unb64(parts[2])
    if len(data) != 33 or data[0] != ED25519:
        raise CheckpointInvalid("That is not an Ed25519 key.")
    key = VerifierKey(parts[0], data[1:])
    if key.id.hex() != parts[1]:
        raise CheckpointInvalid("The key and its identifier do not agree.")
    return key


class Checkpoint(msgspec.Struct, frozen=True):
    """A head of the log. ``note`` is the whole signed text; the fields repeat what it says."""

    origin: str
    size: int
    root: bytes
    note: str


def body(origin: str, size: int, root: bytes) -> str:
    """What is signed: three lines."""
    return f"{origin}\n{size}\n{b64(root)}\n"


async def sign(origin: str, size: int, root: bytes, signer: LogSigner) -> Checkpoint:
    """A checkpoint, signed. Raises what the signer raises, CheckpointInvalid when its signature
    does not verify: a note that nobody can check must never be stored."""
    text = body(origin, size, root)
    key = VerifierKey(origin, signer.public_key)
    signature = await signer.sign(text.encode())
    note = f"{text}\n— {origin} {b64(key.id + signature)}\n"
    return verify(note, key)


def parse(note: str) -> Checkpoint:
    """What a note says. Nothing is verified: see :func:`verify`. Raises CheckpointInvalid."""
    text, _ = _parts(note)
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise CheckpointInvalid("A checkpoint has at least three lines.")
    root = unb64(lines[2])
    if len(root) != HASH:
        raise CheckpointInvalid("The root is not a SHA-256 hash.")
    return Checkpoint(lines[0], number(lines[1]), root, note)


def verify(note: str, key: VerifierKey) -> Checkpoint:
    """What a note says, signed by ``key``.

    Signatures of other keys are ignored, so that witnesses may add theirs. Raises
    CheckpointInvalid when the log is another one, or no signature of the key verifies.
    """
    said = parse(note)
    if said.origin != key.name:
        raise CheckpointInvalid(f"That is a checkpoint of {said.origin}, not of {key.name}.")
    text, signatures = _parts(note)
    verified = False
    for name, data in signatures:
        if name != key.name or data[:4] != key.id:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(data[4:], text.encode())
        except (InvalidSignature, ValueError) as error:
            raise CheckpointInvalid("The checkpoint's signature is wrong.") from error
        verified = True
    if not verified:
        raise CheckpointInvalid("The checkpoint is not signed by the log's key.")
    return said


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """A note's text and its signatures as (name, key id and signature)."""
    try:
        size = len(note.encode())
    except UnicodeEncodeError as error:
        raise CheckpointInvalid("A note is UTF-8.") from error
    if size > MAX_NOTE or _CONTROL.search(note):
        raise CheckpointInvalid("A note is short, and has no control characters.")
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not rest.endswith("\n"):
        raise CheckpointInvalid("A note ends with its signatures.")
    lines = rest[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointInvalid("The note has too many signatures.")
    signatures = []
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None or len(data := unb64(found[2])) < 5:
            raise CheckpointInvalid("A signature line is not one.")
        signatures.append((found[1], data))
    return text + "\n", signatures
