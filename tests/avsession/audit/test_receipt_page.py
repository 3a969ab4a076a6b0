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
        "certificate": "cer_1",
        "what": {
            "recording": "rec_1",
            "session": "psn_s",
            "whole": False,
            "manifest": {"head": None, "entries": 4},
            "tracks": [
                {
                    "track": "trk_1",
                    "recipient": "age1<",
                    "role": "guest",
                    "segments": 12,
                    "segments_sha256": ["aa", "bb"],
                    "digest": "cc",
                },
            ],
        },
        "when": {
            "decided": "2025-11-22T09:30:01.125Z",
            "keys_destroyed": "2025-11-22T09:30:02.125Z",
            "done": "2025-11-22T09:30:03.125Z",
        },
        "why": "withdrawn",
        "by": {"role": "server"},
        "left": {
            "key_backup_days": 3,
            "key_backups_until": "2025-11-25T09:30:02.125Z",
            "database": "<shredded>",
        },
    },
    "notice": None,
    "leaf": '{"time":"2025-11-22T09:30:00.125Z"}',
    "proof": "p",
}


def test_every_field_of_a_certificate_is_a_row() -> None:
    made = page(RECEIPT, "<machine>")
    code = ' class="code"'
    for label, kind, value in (
        ("What", "", "One person’s picture and sound"),
        ("Why", "", "Consent was withdrawn"),
        ("Decided by", "", "The server"),
        ("Decided", "", "2025-11-22 09:30:01 UTC"),
        ("Keys destroyed", "", "2025-11-22 09:30:02 UTC"),
        ("Everything gone", "", "2025-11-22 09:30:03 UTC"),
        ("Database", "", "&lt;shredded&gt;"),
        ("Track", code, "trk_1"),
        ("Its key, public half", code, "age1&lt;"),
        ("SHA-256 over the segments’ digests", code, "cc"),
        ("Head of the manifest", code, "–"),
        ("Entries of the manifest", "", "4"),
        ("Certificate", code, "cer_1"),
        ("Recording", code, "rec_1"),
        ("Session", code, "psn_s"),
        ("Name of who decided, in the log", code, "–"),
    ):
        assert f"<dt>{label}</dt>\n<dd{kind}>{value}</dd>\n" in made, label
    assert "guest: 12 sealed segments." in made, "a role that these texts do not know"
    assert "keys until 2025-11-25 09:30:02 UTC." in made
    assert "<h2>What was destroyed</h2>" in made
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
