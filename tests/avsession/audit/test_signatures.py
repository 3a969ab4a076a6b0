"""A party's signature is over what the document says, by the key that the leaf names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from avsession.audit import signatures
from tests.avsession.audit.test_receipt import parts
from tests.support.signer import Signer

GIVEN = parts()["document"]
KEY = GIVEN["signature"]["statement"]["key"]


def changed(change: Any) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(GIVEN)
    change(document)
    return document


@pytest.mark.parametrize("kind", ["given", "refused", "withdrawn"])
def test_a_signed_event(kind: str) -> None:
    document = parts(kind)["document"]
    key = document["signature"]["statement"]["key"]
    assert signatures.wrong(document, key) == ""
    assert signatures.wrong(document, "0" * 64)
    assert signatures.wrong(document, None)


@pytest.mark.parametrize("kind", ["refused", "withdrawn"])
def test_what_needs_no_signature(kind: str) -> None:
    document = parts(kind, sign=False)["document"]
    assert signatures.wrong(document, None) == ""
    assert signatures.wrong(document, KEY), "its leaf names a key"


def test_a_given_without_a_signature() -> None:
    assert signatures.wrong(parts(sign=False)["document"], None)
    assert signatures.wrong(changed(lambda d: d.update(signature=None)), None)


def test_an_event_that_nobody_signs() -> None:
    shown = changed(lambda d: d.update(event_state="shown", signature=None))
    assert signatures.wrong(shown, None) == ""
    assert signatures.wrong(changed(lambda d: d.update(event_state="shown")), KEY)


CHANGES: dict[str, Any] = {
    "one purpose more": lambda d: d["purposes"][1].update(answer=True),
    "one purpose less": lambda d: d["purposes"][0].update(answer=False),
    "another notice": lambda d: d["notice"].update(sha256="0" * 64),
    "another language": lambda d: d["notice"].update(language="de"),
    "another request": lambda d: d.update(request="req_2"),
    "another state": lambda d: d.update(event_state="withdrawn"),
    "another algorithm": lambda d: d["signature"].update(algorithm="none"),
    "another key": lambda d: d["signature"].update(public_key=Signer("s", "p").public_key),
    "another time": lambda d: d["signature"]["statement"].update(time="2025-01-01T00:00:00.000Z"),
    "another party": lambda d: d["signature"]["statement"].update(party="pty_2"),
    "no statement": lambda d: d["signature"].pop("statement"),
    "a statement of another shape": lambda d: d["signature"].update(statement=[1]),
    "no signature": lambda d: d["signature"].update(signature=""),
    "no notice": lambda d: d.update(notice=None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_anything_else_said(change: Any) -> None:
    assert signatures.wrong(changed(change), KEY)


@pytest.mark.parametrize("kind", ["given", "refused", "withdrawn"])
@pytest.mark.parametrize(
    ("time", "holds"),
    [("09:36:00.125", True), ("09:24:00.125", True), ("09:36:00.126", False),
     ("09:24:00.124", False), ("9:30:00.125", False)],
)  # fmt: skip
def test_what_was_signed_at_another_time(kind: str, time: str, holds: bool) -> None:
    """Whoever has the log's key has old signatures, too."""
    document = copy.deepcopy(parts(kind)["document"])
    assert document["event_time"] == "2025-11-22T09:30:00.125Z"
    document["event_time"] = f"2025-11-22T{time}Z"
    key = document["signature"]["statement"]["key"]
    assert (signatures.wrong(document, key) == "") == holds


def test_a_statement_that_leaves_something_out() -> None:
    document = copy.deepcopy(parts("refused")["document"])
    key = document["signature"]["statement"]["key"]
    del document["signature"]["statement"]["notice"]
    assert signatures.wrong(document, key), "a browser would not read it as nothing"
