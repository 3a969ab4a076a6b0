"""``avsession receipt verify``: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avsession.__main__ import run
from avsession.audit import receipt

VECTORS = Path(__file__).parent.parent / "vectors"
GIVEN = VECTORS / "receipt-given-en.html"
KEY = receipt.read(GIVEN.read_bytes()).log_key


def test_a_good_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["receipt", "verify", str(GIVEN), "--key", KEY]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1. ok")
    assert said[-1] == "The receipt holds."
    assert len(said) == 12


def test_the_key_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "log.key").write_text(f"{KEY}\n")
    assert run(["receipt", "verify", str(GIVEN), "--key", str(tmp_path / "log.key")]) == 0


def test_without_a_key_it_says_where_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["receipt", "verify", str(GIVEN)]) == 0
    assert "taken from the receipt itself" in capsys.readouterr().out


def test_a_forged_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = tmp_path / "forged.html"
    forged.write_bytes(GIVEN.read_bytes().replace(b"Quality", b"Anything"))
    assert run(["receipt", "verify", str(forged), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["holds"] is False
    assert {step["name"] for step in said["steps"] if step["holds"] is False} == {"document"}


def test_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.html"
    other.write_text("<p>Not a receipt</p>")
    assert run(["receipt", "verify", str(other)]) == 1
    assert "does NOT hold" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--key", "nonsense"], ["--key", "a+b+c"], []])
def test_used_wrongly(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = GIVEN if more else tmp_path / "none.html"
    assert run(["receipt", "verify", str(file), *more]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_key_is_not_no_key(empty: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As a script with a variable that is not set would call it: it must not pass unseen."""
    assert run(["receipt", "verify", str(GIVEN), "--key", empty]) == 2
    said = capsys.readouterr()
    assert "it is empty" in said.err
    assert said.out == ""


def test_a_key_that_is_no_name_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody gave the wrong variable: it is used wrongly, and no finding about the receipt."""
    assert run(["receipt", "verify", str(GIVEN), "--key", "a+" + "b" * 5000]) == 2
    assert "--key" in capsys.readouterr().err
