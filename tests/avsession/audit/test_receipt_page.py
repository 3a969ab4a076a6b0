"""The readable part: escaping, languages, and a certificate's fields without exception."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from avsession.audit import receipt_page
from avsession.audit.receipt_page import Look, escape, look_of, page
from avsession.canonical import canonical, sha256_hex

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


@pytest.mark.parametrize("layout", ["1", "2"])
def test_both_languages_say_the_same_things(layout: str) -> None:
    words = receipt_page.texts()[layout]
    assert words["en"].keys() == words["de"].keys()
    for key, text in words["en"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", words["de"][key])), (
            key
        )


def test_the_first_layout_is_never_changed() -> None:
    """Receipts were handed out in it: a new layout stands beside it, with texts of its own."""
    told = canonical(receipt_page.texts()["1"])
    assert sha256_hex(told) == ("6681074bf50bd346cb35acc9e1b1d6279a90e27554f4fe84521874c5e30c543f")


# --- what people read


@pytest.mark.parametrize(
    ("language", "offset", "told"),
    [
        ("en", 0, "2025-11-22 23:30:00 UTC"),
        ("en", 60, "2025-11-23 00:30:00 (UTC+01:00; 2025-11-22 23:30:00 UTC)"),
        ("en", -570, "2025-11-22 14:00:00 (UTC-09:30; 2025-11-22 23:30:00 UTC)"),
        ("de", 0, "22.11.2025, 23:30:00 Uhr UTC"),
        ("de", 345, "23.11.2025, 05:15:00 Uhr (UTC+05:45; in UTC: 22.11.2025, 23:30:00 Uhr)"),
    ],
)
def test_times_stand_in_utc_and_as_the_readers_clock_has_them(
    language: str, offset: int, told: str
) -> None:
    late = RECEIPT | {"language": language, "leaf": '{"time":"2025-11-22T23:30:00.125Z"}'}
    made = page(late, "", Look(offset=offset))
    assert f" {told}" in made.partition('<p class="lead">')[2].partition("</p>")[0]
    assert look_of(made) == Look(offset=offset)


def test_a_time_that_has_no_local_one() -> None:
    for time, why in (("9999-12-31T23:59:59.000Z", "out of range"), ("no time", "no time")):
        with pytest.raises(ValueError, match=why):
            page(RECEIPT | {"leaf": json.dumps({"time": time})}, "", Look(offset=60))


CONSENT: dict[str, Any] = RECEIPT | {
    "kind": "given",
    "language": "de",
    "document": {
        "event_id": "evt_1", "event_time": "2025-11-22T09:30:00.125Z", "event_state": "given",
        "party_role": "customer", "session": "psn_s", "request": "req_1", "recording": None,
        "purposes": [
            {"id": "quality", "label": {"en": "Quality", "de": "Qualität"}, "answer": True,
             "retention_days": 30},
            {"id": "evidence", "label": {"en": "Evidence"}, "answer": False,
             "retention_days": None},
        ],
        "legal_basis": "GDPR Art. 6(1)(a), consent",
    },
    "notice": {
        "sha256": "00", "language": "de",
        "text": "Darf ich?\n\n[ ] quality Für <Qualität>\n[ ] evidence Als Beleg\n[ ] lone\n",
    },
}  # fmt: skip


def test_the_boxes_are_as_they_were_ticked() -> None:
    made = page(CONSENT, "")
    shown = made.partition('<div class="notice"')[2].partition("</div>")[0]
    box = '<span class="box" aria-hidden="true">'
    assert f"<p>{box}☑</span> Für &lt;Qualität&gt; (angekreuzt)</p>" in shown
    assert f"<p>{box}☐</span> Als Beleg (nicht angekreuzt)</p>" in shown
    assert "<p>Darf ich?</p>" in shown
    assert "quality" not in made
    assert "evidence" not in made
    assert f"<li>{box}☑</span> Qualität: erlaubt. Wird höchstens 30 Tage aufbewahrt.</li>" in made
    assert f"<li>{box}☐</span> Evidence: nicht erlaubt.</li>" in made


def test_what_was_ticked_is_told_of_a_consent_only() -> None:
    document = CONSENT["document"] | {"event_state": "withdrawn"}
    made = page(CONSENT | {"kind": "withdrawn", "document": document}, "")
    shown = made.partition('<div class="notice"')[2].partition("</div>")[0]
    assert "•</span> Als Beleg</p>" in shown
    assert "☐" not in shown
    assert "angekreuzt" not in shown


def test_the_legal_basis_has_german_words() -> None:
    assert "DSGVO" in page(CONSENT, "")
    other = CONSENT["document"] | {"legal_basis": "Art. 6(1)(f), <interest>"}
    assert "Art. 6(1)(f), &lt;interest&gt;" in page(CONSENT | {"document": other}, "")
    phrase = {"en": "a contract, Art. 6(1)(b)", "de": "ein <Vertrag>, Art. 6 Abs. 1 lit. b"}
    both = CONSENT | {"document": CONSENT["document"] | {"legal_basis": phrase}}
    assert "ein &lt;Vertrag&gt;, Art. 6 Abs. 1 lit. b" in page(both, "")
    english = page(both | {"language": "en"}, "")
    assert "a contract, Art. 6(1)(b)" in english
    assert "Vertrag" not in english
