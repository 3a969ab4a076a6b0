"""What stands in a receipt beside its document is what the document says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avsession.audit import checkpoint, receipt
from avsession.canonical import canonical, commitment, sha256_hex, unb64
from tests.avsession.audit.test_receipt import (
    GIVEN,
    KEY,
    LOG,
    Editing,
    again,
    another_address,
    file,
    no_notice,
    proven,
    wrong,
)


@pytest.mark.parametrize("kind", ["refused", "withdrawn"])
def test_a_notice_that_was_shown_cannot_be_left_out(kind: str) -> None:
    assert wrong(again(no_notice, file(kind))) == ["notice"]


def test_a_certificates_address_is_in_it() -> None:
    assert wrong(again(another_address, file("erased"))) == ["address"]


def test_an_older_receipt_holds_and_says_what_the_log_does_not_cover() -> None:
    """Its language is the notice's; without a notice that is not covered either."""
    for kind, expected in (("given", True), ("erased", None)):
        verdict = receipt.verify(file(kind, older=True), KEY)
        assert verdict.holds
        told = {step.name: step for step in verdict.steps}
        assert told["address"].holds is None
        assert "not covered by the log" in told["address"].detail
        assert told["language"].holds is expected


def fitting(change: Any) -> bytes:
    """The document changed by whoever has the log's key, and leaf and proof made to fit it."""

    def both(fields: Editing) -> None:
        change(fields["document"])
        digest = sha256_hex(canonical(fields["document"]))
        fields["opened"]["document"]["value"] = digest
        leaf = json.loads(fields["leaf"])
        salt = unb64(fields["opened"]["document"]["salt"])
        leaf["commitments"]["document"] = commitment(salt, "document", digest)
        fields["leaf"] = canonical(leaf).decode()
        fields["proof"] = proven(leaf).text

    return again(both)


def used_again(document: Editing) -> None:
    """A consent of ten minutes later, with the signature that there is."""
    document["event_time"] = "2025-11-22T09:40:00.125Z"


def without_a_field(document: Editing) -> None:
    del document["signature"]["statement"]["session"]


def another_form_of_time(document: Editing) -> None:
    document["event_time"] = "2025-11-22T09:30:00Z"


FITTING = {
    one.__name__: fitting(one) for one in (used_again, without_a_field, another_form_of_time)
}


@pytest.mark.parametrize("name", FITTING)
def test_an_old_signature_is_none_for_a_new_consent(name: str) -> None:
    assert wrong(FITTING[name]) == ["signature"]


def test_a_line_more_in_the_checkpoint() -> None:
    """Signed by the log's key, and nothing that we ever write or could explain."""
    assert wrong(LINE_MORE) == ["checkpoint"]


def _line_more() -> bytes:
    def change(fields: Editing) -> None:
        head, gap, note = fields["proof"].partition("\n\n")
        text = f"{note.rpartition(gap)[0]}\nmore\n"
        signed = checkpoint.b64(KEY.id + LOG.private.sign(text.encode()))
        fields["proof"] = f"{head}{gap}{text}\n— {KEY.name} {signed}\n"

    return again(change)


LINE_MORE = _line_more()


def _machine(old: str, new: str) -> bytes:
    """The machine-readable part written otherwise, the page left as it is."""
    before, opening, rest = GIVEN.decode().partition(receipt.OPEN)
    part, closing, after = rest.partition(receipt.CLOSE)
    assert old in part
    return f"{before}{opening}{part.replace(old, new, 1)}{closing}{after}".encode()


ODD = {
    "a kind of an object's": _machine('"kind":"given"', '"kind":"toString"'),
    "a kind in a list": _machine('"kind":"given"', '"kind":["given"]'),
    "a name twice": _machine('"kind":"given"', '"kind":"given","kind":"given"'),
    "a list for what was opened": _machine('"opened":{', '"opened":[],"was":{'),
    "a text for the notice": _machine(
        '"notice":{"language":"en","sha256"', '"notice":"","was":{"x"'
    ),
    "an index beyond numbers": _machine("index 4", "index 9007199254740993"),
    "a size beyond numbers": _machine("avsession\\n7\\n", "avsession\\n9007199254740993\\n"),
    "a number that is none": _machine('"retention_days":30', '"retention_days":3e400'),
    "half a character": _machine('"party_role":"customer"', '"party_role":"\\ud800"'),
    "another encoding": GIVEN.decode().encode("utf-16"),
}
"""Files that nobody but an attacker makes; JavaScript must judge them alike."""


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_does_not_hold(name: str) -> None:
    assert wrong(ODD[name])


@pytest.mark.parametrize("depth", [300, 450, 900, 60_000])
def test_however_deep_it_is_nothing_breaks(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for old, new in (
        ('"party_role":"customer"', f'"party_role":{nested}'),
        ('"leaf":"', f'"leaf":"{nested}'),
    ):
        assert wrong(_machine(old, new))
