"""Notices: what is rendered is what is hashed; every language says everything."""

from __future__ import annotations

import hashlib
import string
from importlib import resources

import msgspec
import pytest

from avsession import notices
from avsession.config import Controller, PurposeSetting, Settings
from avsession.errors import NotFound

VERSION = notices.latest(notices.RECORDING)
LANGUAGES = notices.languages(notices.RECORDING, VERSION)
SETTINGS = Settings()
PURPOSES = SETTINGS.consent.purposes


def shown(
    language: str = "en",
    purposes: tuple[PurposeSetting, ...] = PURPOSES,
    settings: Settings = SETTINGS,
) -> notices.Rendered:
    return notices.render(notices.RECORDING, VERSION, language, settings, purposes)


def purpose(name: str, keep_days: int) -> PurposeSetting:
    return PurposeSetting(id=name, label={"en": f"The {name}"}, keep_days=keep_days)


def test_it_is_offered_in_english_first_and_in_one_more_language_at_least() -> None:
    assert LANGUAGES[0] == "en"
    assert "de" in LANGUAGES


def test_the_hash_is_over_the_very_bytes() -> None:
    one = shown("de")
    assert one.data == one.text.encode("utf-8")
    assert one.sha256 == hashlib.sha256(one.data).hexdigest()
    assert (one.id, one.version, one.language) == (notices.RECORDING, VERSION, "de")


def test_the_same_is_rendered_twice_and_another_is_another() -> None:
    changed = msgspec.structs.replace(SETTINGS, controller=Controller(dpo="new@example.com"))
    hashes = [shown(), shown(), shown("de"), shown(purposes=PURPOSES[:1]), shown(settings=changed)]
    assert hashes[0] == hashes[1]
    assert len({one.sha256 for one in hashes}) == 4


def template(language: str) -> str:
    folder = resources.files("avsession.notices") / notices.RECORDING / VERSION
    return (folder / f"{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    places = set(string.Template(template(language)).get_identifiers())
    assert places == {
        "controller", "address", "contact", "dpo", "purposes", "recipients", "keep", "storage",
        "authority",
    }  # fmt: skip
    phrases = {line.split()[0] for line in template(language).splitlines() if line[:1] == "@"}
    assert phrases == {"@updated", "@material", "@day", "@days", "@each"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_the_template_shows(language: str) -> None:
    text = shown(language).text
    lines = text.splitlines()
    assert lines[0].endswith("?")
    assert not any(line.startswith("@") for line in lines)
    assert not any(sign in text for sign in ("$", "{", "}"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_purpose_is_a_box_of_its_own_and_unticked(language: str) -> None:
    boxes = [line for line in shown(language).text.splitlines() if line.startswith("[")]
    assert boxes == [f"[ ] {one.id} {one.label[language]}" for one in PURPOSES]


def test_a_label_that_is_not_translated_is_english() -> None:
    assert "[ ] proof The proof" in shown("de", (purpose("proof", 30),)).text.splitlines()


@pytest.mark.parametrize(
    ("purposes", "kept"),
    [
        ((purpose("a", 30),), "30 days"),
        ((purpose("a", 1),), "1 day."),
        ((purpose("a", 30), purpose("b", 30)), "kept: 30 days."),
        ((purpose("a", 30), purpose("b", 1)), "The a: 30 days; The b: 1 day."),
    ],
)
def test_how_long_it_is_kept(purposes: tuple[PurposeSetting, ...], kept: str) -> None:
    assert kept in shown("en", purposes).text


def test_what_settings_say_is_text_and_never_a_template() -> None:
    odd = Controller(name="$dpo {n} ${contact} $", address="100 % {label}")
    text = shown(settings=msgspec.structs.replace(SETTINGS, controller=odd)).text
    assert "$dpo {n} ${contact} $, 100 % {label}" in text


@pytest.mark.parametrize("notice", ["nope", "", "..", "../notices/recording", "__pycache__"])
def test_there_is_no_other_notice(notice: str) -> None:
    with pytest.raises(NotFound):
        notices.latest(notice)
    with pytest.raises(NotFound):
        notices.languages(notice, VERSION)


@pytest.mark.parametrize("version", ["0", "999", "", ".", "..", "../1", "1/", "١"])
def test_there_is_no_other_version(version: str) -> None:
    with pytest.raises(NotFound):
        notices.languages(notices.RECORDING, version)


@pytest.mark.parametrize("language", ["fr", "", "EN", "en.txt", "../1/en", "en\n"])
def test_there_is_no_other_language(language: str) -> None:
    with pytest.raises(NotFound):
        shown(language)
