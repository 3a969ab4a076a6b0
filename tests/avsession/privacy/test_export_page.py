"""The readable part: well-formed, in both languages, nothing of anybody's that is not escaped."""

import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from avsession.config import Settings
from avsession.privacy import export as schema
from avsession.privacy import export_page
from avsession.privacy.recipe import document
from avsession.recording import State

EVIL = '<script src="https://x.example">&"\'</script>'
VOID = {"meta", "br"}
T = "2026-11-22T09:30:00.125Z"


def said(language: str = "en") -> schema.Document:
    """A document in which everything that somebody may have written is hostile."""
    import msgspec

    track = schema.Track(
        track="trk_a", role="customer", erased=None, segments=3, bytes=9, gaps=[],
        file="recordings/rec_a/customer.webm", why_not=None,
    )  # fmt: skip
    return schema.Document(
        schema=schema.SCHEMA, export="exp_a", made=T, language=language, log_key="k",
        controller=msgspec.to_builtins(Settings().controller),
        person=schema.Person(
            party="pty_a", pseudonym="psn_a", role="customer", name=EVIL, language=EVIL,
            account=None, created=T, joined=T, left=None, contact=EVIL,
        ),
        call=schema.Call(
            session="ses_a", pseudonym="psn_b", created=T, ended=None, end_reason=None
        ),
        requests=[], keys=[], certificates=[], log=[],
        notices=[schema.Notice(sha256="a" * 64, id="x", version="1", language=EVIL, text=EVIL)],
        consents=[
            schema.Consent(
                event="evt_a", kind="given", at=T, leaf=3,
                document={"purposes": [{"id": EVIL, "answer": True, "label": {"en": EVIL}}]},
            )
        ],
        recordings=[
            schema.Recorded(
                recording="rec_a", request="req_a", state="sealed", purposes=[EVIL], created=T,
                closed=T, duration_ms=9000, keep_until=T,
                withdrawn=schema.Withdrawn(at=T, fate=None, done=False),
                tracks=[track, schema.Track(
                    track="trk_b", role=EVIL, erased=None, segments=0, bytes=0, gaps=[],
                    file=None, why_not="others",
                )],
            )
        ],
        accesses=[
            schema.Access(
                recording="rec_a", at=T, how="watched", by=EVIL, purpose=EVIL, reason=EVIL
            )
        ],
        holds=[schema.Held(category="order", review=T)],
        disclosures=[
            schema.Disclosed(
                disclosure="dis_a", at=T, category="authority", given_to=EVIL, basis="order",
                basis_text=EVIL, reason=EVIL, parts=[], package_sha256="a" * 64, leaf=1,
            )
        ],
    )  # fmt: skip


class Strict(HTMLParser):
    """Every element closed in its order; collects elements and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


FILES = [
    document("data.json", b"{}", "application/json"),
    document("recordings/rec_a/customer.webm", b"x", "video/webm"),
]


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_is_strict_and_nothing_of_anybodys_gets_through(language: str) -> None:
    page = export_page.page(said(language), FILES)
    strict = Strict()
    strict.feed(page)
    strict.close()
    assert strict.open == []
    assert not strict.seen & {"script", "img", "iframe", "link", "object", "form"}
    assert set(strict.links) == {file.name for file in FILES}
    assert f'<html lang="{language}">' in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert page.count("&lt;script") > 8
    assert "{" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), "a place unfilled"


def test_another_language_is_english() -> None:
    assert '<html lang="en">' in export_page.page(said("fr"), [])


def test_both_languages_say_the_same_things_and_every_code_has_its_word() -> None:
    folder = resources.files("avsession.privacy") / "exports"
    texts = {
        name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("en", "de")
    }
    assert texts["en"].keys() == texts["de"].keys()
    places = re.compile(r"{\w+}")
    for key, text in texts["en"].items():
        assert places.findall(text) == places.findall(texts["de"][key]), key
    for state in State:
        assert f"state.{state}" in texts["en"]


@pytest.mark.parametrize(("language", "words"), [("en", "like a key"), ("de", "Schlüssel")])
def test_it_says_that_it_is_like_a_key(language: str, words: str) -> None:
    """A receipt in it opens a private link: who takes the archive along must know."""
    page = export_page.page(said(language), [])
    assert words in page.split("<section>")[0]
