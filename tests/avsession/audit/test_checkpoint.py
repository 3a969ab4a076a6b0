"""Checkpoints: the published format byte by byte, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from avsession.audit import checkpoint
from avsession.audit.checkpoint import Checkpoint, VerifierKey
from avsession.errors import CheckpointInvalid
from tests.avsession.audit.notes import ORIGIN, Signer, key

ROOT = bytes(range(32))
# Go's checksum database: a key that the world uses, in the form in which it is handed around.
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


async def signed(size: int = 7, seed: int = 1, origin: str = ORIGIN) -> Checkpoint:
    return await checkpoint.sign(origin, size, ROOT, Signer(seed))


async def test_a_note_is_these_bytes() -> None:
    """Written out by the specification, with nothing of the module's own."""
    public = Signer().public_key
    text = f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n"
    head, _, tail = (await signed()).note.partition("\n\n")
    assert head + "\n" == text
    dash, name, encoded = tail.rstrip("\n").split(" ")
    assert (dash, name, tail[-1]) == ("\u2014", ORIGIN, "\n")
    data = base64.b64decode(encoded)
    assert data[:4] == hashlib.sha256(ORIGIN.encode() + b"\x0a\x01" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(data[4:], text.encode())


def test_a_key_that_the_world_uses_is_read() -> None:
    found = checkpoint.parse_key(SUMDB)
    assert found.name == "sum.golang.org"
    assert found.text == SUMDB


def test_a_key_comes_back_as_it_went() -> None:
    assert checkpoint.parse_key(key().text) == key()
    assert checkpoint.parse_key(f"{key().text}\n") == key()


@pytest.mark.parametrize(
    "text",
    ["", "name", "a+b", "a b+00000000+AAAA", SUMDB[:-4], SUMDB.replace("033d", "033e"),
     SUMDB.replace("+Ac4z", "+As4z"), "+033de0ae+Ac4z", SUMDB + "="],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        checkpoint.parse_key(text)


async def test_what_was_signed_verifies() -> None:
    head = await signed()
    assert checkpoint.verify(head.note, key()) == head
    assert (head.origin, head.size, head.root) == (ORIGIN, 7, ROOT)
    assert checkpoint.parse(head.note) == head


async def test_an_empty_log_has_a_head() -> None:
    head = await checkpoint.sign(ORIGIN, 0, ROOT, Signer())
    assert checkpoint.verify(head.note, key()).size == 0


async def test_another_key_or_log_does_not_verify() -> None:
    note = (await signed()).note
    for other in (key(2), key(origin="log.example/two"), VerifierKey("log.example/one", ROOT)):
        with pytest.raises(CheckpointInvalid):
            checkpoint.verify(note, other)


async def test_a_signer_with_another_key_makes_no_checkpoint() -> None:
    signer = Signer()
    signer.wrong = True
    with pytest.raises(CheckpointInvalid, match="signature is wrong"):
        await checkpoint.sign(ORIGIN, 7, ROOT, signer)


async def test_other_signatures_are_ignored_a_wrong_one_of_ours_is_not() -> None:
    """Witnesses may add lines; the log's own must hold."""
    note = (await signed()).note
    witness = (await signed(seed=2, origin="witness.example")).note.rpartition("\n\n")[2]
    assert checkpoint.verify(note + witness, key()).size == 7
    text, _, ours = note.rpartition("\n\n")
    assert checkpoint.verify(f"{text}\n\n{witness}{ours}", key()).note.count("\u2014") == 2
    with pytest.raises(CheckpointInvalid, match="not signed"):
        checkpoint.verify(f"{text}\n\n{witness}", key())
    other = (await signed(size=8)).note.rpartition("\n\n")[2]
    with pytest.raises(CheckpointInvalid, match="signature is wrong"):
        checkpoint.verify(note + other, key())


@given(st.data())
async def test_no_character_can_be_changed(data: st.DataObject) -> None:
    note = (await signed()).note
    place = data.draw(st.integers(0, len(note) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != note[place]))
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(note[:place] + other + note[place + 1 :], key())
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(note[:place] + note[place + 1 :], key())


@pytest.mark.parametrize(
    ("old", "new"),
    [("\n7\n", "\n07\n"), ("\n7\n", "\n-7\n"), ("\n7\n", "\n\u0667\n"), ("\n7\n", "\n\n"),
     ("\n7\n", "\n7\r\n"), ("\n7\n", "\n99999999999999999\n"), ("=\n\n", "\n\n"),
     ("AAEC", "AA=="), ("\n\n", "\n"), ("\u2014", "-"), ("one\n7", "one\n\n7")],
)  # fmt: skip
async def test_what_is_no_checkpoint(old: str, new: str) -> None:
    note = (await signed()).note
    assert old in note
    with pytest.raises(CheckpointInvalid):
        checkpoint.parse(note.replace(old, new, 1))


async def test_limits() -> None:
    note = (await signed()).note
    line = note.rpartition("\n\n")[2]
    assert checkpoint.parse(note + line * 15).size == 7
    with pytest.raises(CheckpointInvalid, match="too many"):
        checkpoint.parse(note + line * checkpoint.MAX_SIGNATURES)
    with pytest.raises(CheckpointInvalid):
        checkpoint.parse("x" * checkpoint.MAX_NOTE + note)
    with pytest.raises(CheckpointInvalid):
        checkpoint.parse("\ud800" + note)


@pytest.mark.parametrize(("name", "good"), [("a/b", True), ("", False), ("a b", False),
    ("a+b", False), ("a\u00a0b", False), ("a\x7f", False)])  # fmt: skip
def test_names(name: str, good: bool) -> None:
    assert checkpoint.is_name(name) is good


@given(st.text(max_size=300))
def test_garbage_is_refused_by_name(text: str) -> None:
    for read in (checkpoint.parse, checkpoint.parse_key):
        with pytest.raises(CheckpointInvalid):
            read(text)
