"""A receipt verifies as it was made; edited in any byte, it does not.

``tests/vectors/receipt-*.html`` are receipts that JavaScript must judge alike
(``tests/browser/test_receipt.py``). Those of an older layout were handed out and stay for ever;
``python -m tests.avsession.audit.test_receipt`` makes the newest layout's anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from avsession.audit import certificate, checkpoint, merkle, receipt
from avsession.audit.certificate import Destroyed
from avsession.audit.proof import Proof
from avsession.audit.receipt_page import LAYOUT, Look
from avsession.canonical import canonical, commitment, sha256_hex
from avsession.config import Controller, Retention, Settings
from avsession.errors import ReceiptInvalid
from tests.support.signer import Signer

VECTORS = Path(__file__).parents[2] / "vectors"
NOW = 1_763_803_800_125
PRIVACY = "https://log.test/privacy"
TEXT = (
    'May this call be recorded?\n\n"Yes" <b>or</b> no & more – ünïcode\n[ ] quality For quality\n'
)


class Log:
    """A log's key in memory."""

    def __init__(self, seed: int = 1) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
        self.public_key = self.private.public_key().public_bytes_raw()

    async def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)


LOG = Log()
KEY = checkpoint.VerifierKey("log.test/avsession", LOG.public_key)
OTHER = checkpoint.VerifierKey("log.test/avsession", Log(2).public_key)


def document_of(
    kind: str, signature: dict[str, Any] | None, language: str = "en"
) -> dict[str, Any]:
    text = sha256_hex(TEXT.encode())
    return {
        "event_id": "evt_1", "event_time": "2025-11-22T09:30:00.125Z", "event_state": kind,
        "data_subject": "psn_1", "acted_by": "psn_1", "party_role": "customer",
        "session": "psn_s", "request": "req_1", "recording": None if kind == "given" else "rec_1",
        "controller": {"name": "Test & Söhne", "address": "<Way> 1", "contact": "a@b", "dpo": ""},
        "purposes": [
            {"id": "quality", "label": {"en": "Quality", "de": "Qualität"},
             "answer": kind == "given", "data_categories": ["voice"], "retention_days": 30},
            {"id": "training", "label": {}, "answer": False, "data_categories": [],
             "retention_days": None},
        ],
        "legal_basis": "Art. 6(1)(a) GDPR", "jurisdiction": "DE",
        "storage_location": {"en": "in the EU", "de": "in der EU"}, "recipients": [],
        "supervisory_authority": {"en": "the authority", "de": "die Behörde"},
        "notice": {"id": "recording", "version": "1", "language": language, "sha256": text},
        "privacy": PRIVACY, "language": language, "signature": signature,
    }  # fmt: skip


def certificate_of(days: int) -> dict[str, Any]:
    """A whole recording's, as the product makes it; backups of keys are kept for ``days``."""
    return certificate.build(
        Settings(
            public_url="https://log.test",
            controller=Controller(name="Test & Söhne", address="<Way> 1"),
            retention=Retention(key_backup_days=days),
        ),
        certificate="cer_1", recording="rec_1", session="psn_s", whole=True, reason="withdrawn",
        by={"role": "customer", "pseudonym": "psn_1"},
        tracks=[
            Destroyed(track="trk_1", recipient="age1a", role="customer", segments=("0" * 64,) * 3),
            Destroyed(track="trk_2", recipient="age1b", role="agent", segments=()),
        ],
        manifest={"head": "1" * 64, "entries": 5},
        decided_ms=NOW, keys_ms=NOW + 10, done_ms=NOW + 1200, scrubbed=True,
    )  # fmt: skip


def proven(leaf: dict[str, Any], log: Log = LOG, size: int = 7) -> Proof:
    """The leaf among others, in a signed tree."""
    leaves = [canonical({"n": n}) for n in range(size)]
    leaves[leaf["index"]] = canonical(leaf)
    hashes: dict[merkle.Node, bytes] = {}
    for n, data in enumerate(leaves):
        carried = [hashes[node] for node in merkle.carries(n)]
        hashes |= dict(merkle.append(n, merkle.leaf_hash(data), carried))
    root = merkle.fold([hashes[node] for node in merkle.edge(size)])
    head = asyncio.run(checkpoint.sign(KEY.name, size, root, log))
    path = tuple(
        merkle.fold([hashes[node] for node in part])
        for part in merkle.inclusion(leaf["index"], size)
    )
    return Proof(leaves[leaf["index"]], leaf["index"], path, head.note)


def parts(
    kind: str = "given", language: str = "en", *, sign: bool = True, older: bool = False
) -> dict[str, Any]:
    """What :func:`receipt.build` takes. ``older``: of a document without address and language."""
    signer = Signer("ses_1", "pty_1")
    notice = sha256_hex(TEXT.encode())
    said: dict[str, Any] = {"action": receipt.ACTIONS.get(kind, ""), "request": "req_1"}
    if kind == "given":
        said |= {"notice": notice, "language": language, "purposes": ("quality",)}
    made = signer.sign(NOW, **said)
    statement = {
        "session": "ses_1", "party": "pty_1", "notice": None, "language": None, "purposes": [],
        "time": made.time, "key": made.key,
    } | said | {"purposes": list(said.get("purposes", ()))}  # fmt: skip
    block: dict[str, Any] = {"status": "missing"}
    if sign:
        block = {
            "status": "valid", "algorithm": "ES256", "public_key": signer.public_key,
            "signature": made.signature, "statement": statement,
        }  # fmt: skip
    document = document_of(kind, block, language)
    if kind == "erased":
        document = certificate_of(days=30 if language == "de" else 0)
    if older:
        del document["privacy"]
        document.pop("language", None)
    digest = sha256_hex(canonical(document))
    values: dict[str, Any] = {"document": digest, "purposes": ["quality"]}
    if kind == "erased":
        values = {}
    opened = {
        name: (value, hashlib.sha256(name.encode()).digest()) for name, value in values.items()
    }
    leaf: dict[str, Any] = {
        "v": 1, "index": 4, "time": "2025-11-22T09:30:00.125Z", "kind": receipt.KINDS[kind],
        "session": "psn_s", "actor": "psn_1", "subject": "psn_1",
        "refs": {"event": "evt_1", "request": "req_1", "notice": notice,
                 "key": made.key if sign else None},
        "commitments": {name: commitment(salt, name, v) for name, (v, salt) in opened.items()},
    }  # fmt: skip
    if kind == "erased":
        leaf["refs"] = {
            "recording": "rec_1", "whole": True, "reason": "withdrawn", "certificate": "cer_1",
            "sha256": digest, "tracks": [
                {"track": track["track"], "segments": track["segments"], "digest": track["digest"]}
                for track in document["what"]["tracks"]
            ],
        }  # fmt: skip
    return {
        "kind": kind, "language": language, "privacy": PRIVACY,
        "document": document, "opened": opened, "notice": None if kind == "erased" else TEXT,
        "key": KEY, "proven": proven(leaf),
    }  # fmt: skip


def file(
    kind: str = "given", language: str = "en", *, sign: bool = True, older: bool = False,
    offset: int = 0,
) -> bytes:  # fmt: skip
    made = receipt.build(**parts(kind, language, sign=sign, older=older))
    return receipt.render(made, Look(offset=offset)).encode()


GIVEN = file()
Editing = dict[str, Any]
CASES = [
    ("given", "en", True), ("given", "de", True), ("withdrawn", "de", True),
    ("withdrawn", "en", False), ("refused", "en", True), ("erased", "de", True),
    ("erased", "en", True),
]  # fmt: skip


def wrong(data: bytes, key: checkpoint.VerifierKey | None = KEY) -> list[str]:
    return [step.name for step in receipt.verify(data, key).steps if step.holds is False]


@pytest.mark.parametrize(("kind", "language", "sign"), CASES)
def test_a_receipt_verifies(kind: str, language: str, sign: bool) -> None:
    data = file(kind, language, sign=sign)
    verdict = receipt.verify(data, KEY)
    assert verdict.holds, verdict.steps
    assert [step.number for step in verdict.steps] == list(range(1, 12))
    assert verdict.receipt == receipt.read(data)


# --- edited


def test_every_byte_of_the_file() -> None:
    """Each byte changed, one at a time, in the machine-readable part and outside of it."""
    begin = GIVEN.index(receipt.OPEN.encode())
    end = GIVEN.index(receipt.CLOSE.encode(), begin) + len(receipt.CLOSE)
    step = 7  # outside of it the comparison is the same for each byte
    places = [*range(0, begin, step), *range(begin, end), *range(end, len(GIVEN), step)]
    for place in places:
        edited = bytearray(GIVEN)
        edited[place] ^= 1
        assert wrong(bytes(edited)), f"byte {place}: {bytes(edited[place - 20 : place + 20])!r}"


@given(st.integers(0, len(GIVEN)), st.binary(max_size=6), st.integers(0, 6))
@settings(max_examples=150)
def test_anything_put_in_or_cut_out(place: int, put: bytes, cut: int) -> None:
    edited = GIVEN[:place] + put + GIVEN[place + cut :]
    assert (edited == GIVEN) or wrong(edited)


def again(change: Any, data: bytes = GIVEN) -> bytes:
    """A forger's: the machine-readable part changed, and the page made anew to fit it."""
    fields: Editing = msgspec.to_builtins(receipt.read(data))
    change(fields)
    return receipt.render(msgspec.convert(fields, receipt.Receipt)).encode()


def more_purposes(fields: Editing) -> None:
    fields["document"]["purposes"][1]["answer"] = True


def more_purposes_and_a_fitting_leaf(fields: Editing) -> None:
    more_purposes(fields)
    digest = sha256_hex(canonical(fields["document"]))
    fields["opened"]["document"]["value"] = digest
    leaf = json.loads(fields["leaf"])
    salt = hashlib.sha256(b"document").digest()
    leaf["commitments"]["document"] = commitment(salt, "document", digest)
    fields["leaf"] = canonical(leaf).decode()


def and_a_fitting_log(fields: Editing) -> None:
    """By whoever has the log's key: only the party's own signature is in the way."""
    more_purposes_and_a_fitting_leaf(fields)
    fields["proof"] = proven(json.loads(fields["leaf"])).text


def a_log_of_his_own(fields: Editing) -> None:
    fields["log_key"] = OTHER.text
    fields["proof"] = proven(json.loads(fields["leaf"]), Log(2)).text


def another_notice(fields: Editing) -> None:
    fields["notice"]["text"] += "!"


def no_notice(fields: Editing) -> None:
    fields["notice"] = None


def another_address(fields: Editing) -> None:
    fields["privacy"] = "https://evil.test/withdraw"


def another_language(fields: Editing) -> None:
    fields["language"] = "de"


def another_kind(fields: Editing) -> None:
    fields["kind"] = "withdrawn"


def another_place(fields: Editing) -> None:
    fields["proof"] = fields["proof"].replace("index 4", "index 5")


def a_second_signature(fields: Editing) -> None:
    fields["proof"] += "— witness.test " + checkpoint.b64(bytes(68)) + "\n"


def something_extra(fields: Editing) -> None:
    fields["proof"] = fields["proof"].replace("index 4", "extra AAAA\nindex 4")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (more_purposes, {"document", "signature"}),
        (more_purposes_and_a_fitting_leaf, {"inclusion", "signature"}),
        (and_a_fitting_log, {"signature"}),
        (a_log_of_his_own, {"checkpoint", "key"}),
        (another_notice, {"notice"}),
        (no_notice, {"notice"}),
        (another_address, {"address"}),
        (another_language, {"language"}),
        (another_kind, {"leaf"}),
        (another_place, {"inclusion"}),
        (a_second_signature, {"checkpoint"}),
        (something_extra, {"inclusion"}),
    ],
)
def test_a_forgery_fails_where_it_was_forged(change: Any, names: set[str]) -> None:
    assert set(wrong(again(change))) == names


def test_the_readable_part_cannot_say_something_else() -> None:
    assert b"not allowed" in GIVEN
    assert wrong(GIVEN.replace(b"not allowed", b"allowed", 1)) == ["page"]


def test_without_a_key_it_says_that_this_shows_less() -> None:
    verdict = receipt.verify(GIVEN)
    assert verdict.holds
    assert verdict.steps[-1].holds is None
    assert "/log/key" in verdict.steps[-1].detail
    assert wrong(again(a_log_of_his_own), None) == [], "which is why a key should be given"
    assert wrong(GIVEN, OTHER) == ["checkpoint", "key"]


@given(st.binary(max_size=400))
def test_no_file_crashes_it(data: bytes) -> None:
    assert not receipt.verify(data, KEY).holds
    assert not receipt.verify(receipt.OPEN.encode() + data + b"</script>", KEY).holds


def test_a_long_file_is_not_read() -> None:
    assert wrong(GIVEN + b" " * receipt.MAX_RECEIPT) == ["file"]


def test_one_that_would_not_verify_is_not_made() -> None:
    with pytest.raises(ReceiptInvalid, match="signature"):
        receipt.build(**(parts(sign=False)))
    with pytest.raises(ReceiptInvalid, match="notice"):
        receipt.build(**(parts() | {"notice": "something else"}))


# --- the page


class Reader(HTMLParser):
    """Collects what a page would do."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "srcset") or name.startswith("on"):
                self.bad.append(f"{tag} {name}={value}")
            if tag == "script" and name == "type" and value != "application/json":
                self.bad.append(f"script {value}")


@pytest.mark.parametrize(("kind", "language", "sign"), CASES)
def test_the_page_needs_nothing_from_anywhere(kind: str, language: str, sign: bool) -> None:
    data = file(kind, language, sign=sign)
    reader = Reader()
    reader.feed(data.decode())
    assert reader.bad == []
    assert b"@import" not in data
    assert b"url(" not in data
    assert f'<html lang="{language}">'.encode() in data
    assert reader.tags.count("h1") == 1
    assert "main" in reader.tags


def test_what_people_wrote_is_text_in_it() -> None:
    page = GIVEN.decode().partition(receipt.OPEN)[0]
    assert "&lt;b&gt;or&lt;/b&gt; no &amp; more" in page
    assert "<b>" not in GIVEN.decode()
    assert "Test &amp; Söhne" in page


OFFSETS = {"de": 60, "en": -210}


if __name__ == "__main__":
    for old in VECTORS.glob(f"receipt-{LAYOUT}-*.html"):
        old.unlink()
    for kind, language, sign in CASES:
        name = f"receipt-{LAYOUT}-{kind}-{language}{'' if sign else '-unsigned'}.html"
        offset = OFFSETS[language] if sign else 0
        (VECTORS / name).write_bytes(file(kind, language, sign=sign, offset=offset))
