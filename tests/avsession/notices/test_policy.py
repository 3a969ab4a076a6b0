"""The privacy policy's versions: dated, in every language, with the controller's own details."""

from __future__ import annotations

import datetime
import re
import string
from importlib import resources

import msgspec
import pytest

from avsession import notices
from avsession.config import Controller, Processor, Settings
from avsession.errors import NotFound
from avsession.notices import DOCUMENTS, PRIVACY, RECORDING

VERSIONS = [(one, version) for one in DOCUMENTS for version in notices.versions(one)]
SETTINGS = Settings()


def raw(document: str, version: str, language: str) -> str:
    path = resources.files("avsession.notices") / document / version / f"{language}.txt"
    return path.read_text("utf-8")


@pytest.mark.parametrize(("document", "version"), VERSIONS)
def test_a_version_says_when_it_was_updated_and_whether_it_matters(
    document: str, version: str
) -> None:
    head = notices.head(document, version)
    assert datetime.date.fromisoformat(head.updated) <= datetime.date(2100, 1, 1)
    for language in notices.languages(document, version):
        text = raw(document, version, language)
        assert re.findall(r"^@updated (.*)$", text, re.MULTILINE) == [head.updated], language
        assert re.findall(r"^@material (yes|no)$", text, re.MULTILINE) == [
            "yes" if head.material else "no"
        ]


NEWEST = notices.latest(PRIVACY)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_versions_are_in_the_order_of_their_dates(document: str) -> None:
    versions = notices.versions(document)
    assert versions == tuple(str(n + 1) for n in range(len(versions)))
    dates = [notices.head(document, version).updated for version in versions]
    assert dates == sorted(dates)
    assert notices.latest(document) == versions[-1]


def test_the_last_material_change() -> None:
    assert notices.material(PRIVACY) == 2
    assert notices.material(RECORDING) == 0


@pytest.mark.parametrize("version", notices.versions(PRIVACY))
def test_every_language_says_the_same_things_of_the_same_details(version: str) -> None:
    languages = notices.languages(PRIVACY, version)
    assert languages[:1] == ("en",)
    assert "de" in languages
    places = [
        sorted(string.Template(raw(PRIVACY, version, one)).get_identifiers()) for one in languages
    ]
    shapes = [
        [
            line[:2]
            for line in notices.whole(PRIVACY, version, one, SETTINGS).text.splitlines()
            if line[:2] in ("##", "- ")
        ]
        for one in languages
    ]
    assert all(one == places[0] for one in places)
    assert all(one == shapes[0] for one in shapes)
    assert {"controller", "address", "contact", "dpo", "authority", "updated", "version"} <= set(
        places[0]
    )


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_details_are_filled_in_and_nothing_of_the_template_shows(language: str) -> None:
    own = Controller(name="Own $name Ltd", address="2 Own Road", contact="own@own.example")
    settings = msgspec.structs.replace(SETTINGS, controller=own)
    text = notices.whole(PRIVACY, NEWEST, language, settings).text
    for said in ("Own $name Ltd", "2 Own Road", "own@own.example", "2026-11-22"):
        assert said in text
    assert not any(line.startswith("@") for line in text.splitlines())
    assert "{" not in text
    assert "$" not in text.replace("$name", "")


def test_the_register_of_processors_is_listed() -> None:
    nobody = notices.whole(PRIVACY, NEWEST, "en", SETTINGS).text
    assert "- Nobody: everything runs on the controller's own server." in nobody.splitlines()
    one = Processor(
        name="Relay GmbH",
        what_for={"en": "passing on media", "de": "Weiterleiten von Medien"},
        where={"en": "Germany"},
    )
    settings = msgspec.structs.replace(SETTINGS, processors=(one,))
    english = notices.whole(PRIVACY, NEWEST, "en", settings)
    german = notices.whole(PRIVACY, NEWEST, "de", settings)
    assert "- Relay GmbH: passing on media (Germany)" in english.text.splitlines()
    assert "- Relay GmbH: Weiterleiten von Medien (Germany)" in german.text.splitlines()
    assert "- Nobody" not in english.text


def test_there_is_no_other_version_or_language() -> None:
    for version, language in (
        ("4", "en"),
        ("0", "en"),
        ("../1", "en"),
        ("2", "fr"),
        ("2", "../1/en"),
    ):
        with pytest.raises(NotFound):
            notices.whole(PRIVACY, version, language, SETTINGS)


def test_the_people_who_work_here_are_told_how_they_ask() -> None:
    english = notices.whole(PRIVACY, NEWEST, "en", SETTINGS).text
    german = notices.whole(PRIVACY, NEWEST, "de", SETTINGS).text
    for text, said in (
        (
            english,
            ("Whoever works here has the same rights. Signed in, this page", "Whoever has left"),
        ),
        (german, ("Wer hier arbeitet, hat dieselben Rechte. Angemeldet", "Wer nicht mehr hier")),
    ):
        assert all(words in text for words in said)
