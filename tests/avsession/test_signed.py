"""What a browser signs: which bytes, and that nothing else passes for a signature over them.

``tests/vectors/signed.json`` holds what JavaScript must make of the same words
(``tests/browser/test_signer.py``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from avsession import signed
from avsession.audit.log import rfc3339
from avsession.canonical import b64, canonical, unb64
from avsession.errors import SignatureInvalid
from avsession.signed import Statement, statement_bytes
from tests.support.signer import Signer

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "signed.json").read_text()
)
ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
"""Of P-256's group (FIPS 186-5)."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
statements = st.builds(
    Statement,
    action=st.sampled_from(["give", "refuse", "withdraw"]),
    session=texts,
    party=texts,
    request=texts,
    notice=st.none() | texts,
    language=st.none() | texts,
    purposes=st.lists(texts, max_size=4).map(tuple),
    time=texts,
    key=texts,
)
SIGNER = Signer("ses_1", "pty_1")


# --- the shared vectors


@pytest.mark.parametrize("vector", VECTORS["statements"], ids=lambda v: v["statement"]["action"])
def test_the_bytes_under_a_statement(vector: dict[str, Any]) -> None:
    data = statement_bytes(msgspec.convert(vector["statement"], Statement))
    assert data.decode() == vector["text"]
    signed.verify(VECTORS["public_key"], vector["signature"], data)


def test_the_bytes_under_an_enrolment() -> None:
    one = VECTORS["enrolment"]
    key = signed.key_id(VECTORS["public_key"])
    assert key == VECTORS["key"]
    data = signed.enrolment_bytes(one["session"], one["party"], one["challenge"], key)
    assert data.decode() == one["text"]
    signed.verify(VECTORS["public_key"], one["proof"], data)


@pytest.mark.parametrize("vector", VECTORS["canonical"], ids=lambda v: repr(v["text"])[:30])
def test_canonical_json(vector: dict[str, Any]) -> None:
    assert canonical(vector["value"]).decode() == vector["text"]


# --- any statement


@given(statements)
def test_the_bytes_are_a_line_and_all_that_was_said(statement: Statement) -> None:
    line, _, text = statement_bytes(statement).partition(b"\n")
    assert line == b"avsession.consent.v1"
    assert msgspec.convert(json.loads(text), Statement) == statement
    assert list(json.loads(text)) == sorted(json.loads(text))


@given(statements, statements)
def test_other_words_are_other_bytes(one: Statement, other: Statement) -> None:
    assert (statement_bytes(one) == statement_bytes(other)) == (one == other)


@given(statements, st.data())
def test_a_signature_is_over_every_field(statement: Statement, data: st.DataObject) -> None:
    signature = SIGNER.raw(statement_bytes(statement))
    signed.verify(SIGNER.public_key, signature, statement_bytes(statement))
    field = data.draw(st.sampled_from(Statement.__struct_fields__))
    changed = msgspec.structs.replace(statement, **{field: getattr(data.draw(statements), field)})
    if changed == statement:
        return
    with pytest.raises(SignatureInvalid):
        signed.verify(SIGNER.public_key, signature, statement_bytes(changed))


@given(st.binary(min_size=1, max_size=60), st.integers(0, 63), st.integers(1, 255))
def test_no_byte_of_a_signature_can_be_changed(data: bytes, place: int, flip: int) -> None:
    made = bytearray(unb64(SIGNER.raw(data)))
    made[place] ^= flip
    with pytest.raises(SignatureInvalid):
        signed.verify(SIGNER.public_key, b64(bytes(made)), data)


def test_a_proof_is_no_consent() -> None:
    said = signed.enrolment_bytes("ses_1", "pty_1", "c", SIGNER.key)
    assert not said.startswith(signed.CONTEXT)
    with pytest.raises(SignatureInvalid):
        signed.verify(SIGNER.public_key, SIGNER.raw(said), signed.CONTEXT + said.split(b"\n")[1])


def halves(r: int, s: int) -> str:
    return b64(r.to_bytes(32) + s.to_bytes(32))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "A",
        "=" * 86,
        "é" * 86,
        b64(bytes(63)),
        b64(bytes(65)),
        halves(0, 0),
        halves(0, 1),
        halves(ORDER, 1),
        halves(1, ORDER),
        halves(2**256 - 1, 2**256 - 1),
        SIGNER.raw(b"x") + "=",
        SIGNER.raw(b"x") + "\n",
        Signer("ses_1", "pty_1").raw(b"x"),
        SIGNER.raw(b"y"),
    ],
    ids=map(str, range(15)),
)
def test_anything_else_is_no_signature(signature: str) -> None:
    with pytest.raises(SignatureInvalid):
        signed.verify(SIGNER.public_key, signature, b"x")


@pytest.mark.parametrize(
    "public_key",
    ["", b64(bytes(65)), b64(b"\4" + bytes(64)), b64(b"\2" + bytes(32)), SIGNER.public_key[:-1]],
    ids=map(str, range(5)),
)
def test_anything_else_is_no_key(public_key: str) -> None:
    with pytest.raises(SignatureInvalid):
        signed.verify(public_key, SIGNER.raw(b"x"), b"x")


def test_a_key_is_an_uncompressed_point_only() -> None:
    with pytest.raises(SignatureInvalid):
        signed.key_id(b64(bytes(33)))
    assert ec.SECP256R1().key_size == 256


# --- times


@given(st.integers(0, 4_102_444_800_000))
def test_times_as_browsers_write_them(ms: int) -> None:
    assert signed.time_ms(rfc3339(ms)) == ms


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2026-11-22T09:30:00Z",
        "2026-11-22T09:30:00.125",
        "2026-11-22T09:30:00.125+00:00",
        "2026-11-22 09:30:00.125Z",
        "2026-13-22T09:30:00.125Z",
        "2026-11-22T24:30:00.125Z",
        "2026-11-22T09:30:00.125Z\n",
        "２026-11-22T09:30:00.125Z",
        "+002026-11-22T09:30:00.125Z",
    ],
)
def test_other_times_are_refused(time: str) -> None:
    with pytest.raises(SignatureInvalid):
        signed.time_ms(time)
