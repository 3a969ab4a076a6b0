"""The readable part: escaping, languages, and a certificate's fields without exception."""

from __future__ import annotations

from typing import Any

from avsession.audit import receipt_page
from avsession.audit.receipt_page import escape, page

RECEIPT: dict[str, Any] = {
    "kind": "erased",
    "language": "en",
    "origin": "log.test/avsession",
    "log_key": "k",
    "privacy": "https://log.test/privacy",
    "document": {
        "b": {"z": 1, "a": [{"x": "<i>"}, {"x": None}]},
        "a": ["one", "two"],
        "yes": True,
    },
    "notice": None,
    "leaf": '{"time":"2025-11-22T09:30:00.125Z"}',
    "proof": "p",
}


def test_every_field_of_a_certificate_is_a_row() -> None:
    made = page(RECEIPT, "<machine>")
    for label, value in (
        ("a", "one, two"),
        ("b.a.1.x", "&lt;i&gt;"),
        ("b.a.2.x", "–"),
        ("b.z", "1"),
        ("yes", "true"),
    ):
        assert f"<dt>{label}</dt>\n<dd>{value}</dd>\n" in made
    assert "2025-11-22 09:30:00 UTC" in made
    assert made.endswith("</main>\n<machine>\n</body>\n</html>\n")


def test_the_language_is_the_receipts() -> None:
    assert 'lang="de"' in page(RECEIPT | {"language": "de"}, "")
    assert "vernichtet" in page(RECEIPT | {"language": "de"}, "")


def test_escaping() -> None:
    assert escape('<a href="x">&amp;\'') == "&lt;a href=&quot;x&quot;&gt;&amp;amp;'"


def test_both_languages_say_the_same_things() -> None:
    words = receipt_page.texts()
    assert words["en"].keys() == words["de"].keys()
    for key, text in words["en"].items():
        assert ("{" in text) == ("{" in words["de"][key]), key
