"""The registry and the choice about it: what is optional is off unless a choice that stands says
otherwise, and the pages have words for every item."""

import json
from pathlib import Path

import msgspec
import pytest

from avsession.config import Settings, SignIn
from avsession.privacy import stored
from avsession.privacy.stored import CHOICE_S, Choice, Group, Kind, allowed, items, parse, version

SETTINGS = Settings()
STATIC = Path(__file__).parents[3] / "web" / "static"
PSEUDONYM = "psn_" + "a" * 26
NOW = 1_750_000_000_000
DAY_MS = 86_400_000


def choice(*given: str, at_ms: int = NOW, policy: int = 2) -> Choice:
    return Choice(
        id=PSEUDONYM, leaf=7, given=given, version=version(SETTINGS), policy=policy, at_ms=at_ms
    )


def stands(one: Choice, now_ms: int = NOW, material: int = 2, about: str = "") -> bool:
    return one.stands(now_ms=now_ms, version=about or version(SETTINGS), material=material)


def test_a_name_is_there_once_and_every_cookie_is_bound_to_our_host() -> None:
    names = [one.name for one in items(SETTINGS)]
    assert len(set(names)) == len(names)
    cookies = [one for one in items(SETTINGS) if one.kind is Kind.COOKIE]
    assert all(one.name.startswith("__Host-") for one in cookies)
    # a cookie comes with every request: none of them is optional
    assert all(one.group is Group.NECESSARY for one in cookies)


def test_what_a_page_keeps_for_longer_than_a_window_is_a_preference_or_a_no() -> None:
    for one in items(SETTINGS):
        if one.kind is Kind.LOCAL and one.name != stored.REFUSED:
            assert one.group is Group.PREFERENCES
            assert one.seen_by == "browser"
            assert one.seconds == CHOICE_S
        assert (one.seconds is None) == (one.kind is Kind.SESSION)


def test_there_is_no_marketing() -> None:
    assert not [one for one in items(SETTINGS) if one.group is Group.MARKETING]
    assert Group.MARKETING not in stored.OPTIONAL


def test_lifetimes_are_those_that_are_set() -> None:
    short = msgspec.structs.replace(SETTINGS, signin=SignIn(seat_s=60, absolute_s=3600))
    seconds = {one.name: one.seconds for one in items(short)}
    assert seconds[stored.SEAT] == 60
    assert seconds[stored.STAFF] == 3600


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_pages_have_words_for_every_item(language: str) -> None:
    texts = json.loads((STATIC / "language" / f"{language}.json").read_text("utf-8"))
    for one in items(SETTINGS):
        for key in (f"stored.{one.purpose}", f"stored_in.{one.kind}", f"seen_by.{one.seen_by}"):
            assert texts.get(key), key
    for group in Group:
        assert texts.get(f"preferences.name_{group}")
        assert texts.get(f"preferences.group_{group}")


def test_the_pages_keep_things_under_the_registry_s_names() -> None:
    source = (STATIC / "stored.js").read_text("utf-8")
    local = {one.name for one in items(SETTINGS) if one.kind is Kind.LOCAL}
    assert {name for name in local if f'= "{name}"' in source} == local
    assert f'ITEM = "{stored.ALLOWED}"' in (STATIC / "allowed.js").read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "signal", "found"),
    [
        (None, False, {"necessary"}),
        ((), False, {"necessary"}),
        (("preferences",), False, {"necessary", "preferences"}),
        (("analytics", "preferences"), False, {"necessary", "preferences", "analytics"}),
        (("marketing", "necessary", "everything"), False, {"necessary"}),
        (("preferences", "analytics"), True, {"necessary"}),
        (None, True, {"necessary"}),
    ],
)
def test_no_choice_and_the_browser_s_own_no_both_mean_no(
    given: tuple[str, ...] | None, signal: bool, found: set[str]
) -> None:
    made = None if given is None else choice(*given)
    assert set(allowed(made, signal=signal)) == found


def test_a_choice_stands_for_six_months_and_not_a_moment_longer() -> None:
    one = choice()
    assert 181 * DAY_MS <= one.until_ms - NOW <= 184 * DAY_MS
    assert stands(one, one.until_ms - 1)
    assert not stands(one, one.until_ms)
    assert not stands(one, NOW - 1), "from a time to come: somebody set a clock"


def test_a_material_policy_and_other_items_ask_again() -> None:
    assert stands(choice(policy=2), material=2)
    assert not stands(choice(policy=2), material=3)
    assert stands(choice(policy=3), material=2)
    assert not stands(choice(), about="1-000000000000")


def test_the_version_is_of_what_there_is_a_choice_about(monkeypatch: pytest.MonkeyPatch) -> None:
    first = version(SETTINGS)
    assert version(msgspec.structs.replace(SETTINGS, signin=SignIn(seat_s=60))) == first
    real = stored.items

    def changed(settings: Settings) -> tuple[stored.Item, ...]:
        return tuple(
            msgspec.structs.replace(one, seconds=1) if one.name == stored.NAME else one
            for one in real(settings)
        )

    monkeypatch.setattr(stored, "items", changed)
    assert version(SETTINGS) != first


def test_a_cookie_s_value_is_read_back() -> None:
    assert parse(choice().token) == (PSEUDONYM, 7)


@pytest.mark.parametrize(
    "token",
    [
        "",
        PSEUDONYM,
        f"{PSEUDONYM}.",
        f"{PSEUDONYM}.-1",
        f"{PSEUDONYM}.07",
        f"{PSEUDONYM}.7\n",
        f"{PSEUDONYM}.٧",
        f"{PSEUDONYM}.{'9' * 30}",
        f"{PSEUDONYM.upper()}.7",
        f"ses_{'a' * 26}.7",
        f" {PSEUDONYM}.7",
    ],
)
def test_anything_else_is_none_of_ours(token: str) -> None:
    assert parse(token) is None
