"""Settings: every source, every silence turned into an error, and what a public address needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.config import (
    Consent,
    Controller,
    Media,
    Proxy,
    PurposeSetting,
    Settings,
    SignIn,
    check,
    load,
    phrase,
)
from avsession.config_outside import is_loopback_host
from avsession.errors import SettingsInvalid
from avsession.messages import IceServer


def test_without_anything_the_defaults_hold_and_are_loopback() -> None:
    settings = load(None, {})
    assert settings == Settings()
    assert check(settings) == []
    assert settings.is_loopback


# --- sources


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "avsession.toml"
    path.write_text('port = 9000\ndata = "/srv/a"\n[consent]\nanswer_s = 90\nwarn_s = 60\n')
    return path


def test_file_then_environment_then_command_line(file: Path) -> None:
    environ = {"AVSESSION_PORT": "9001", "AVSESSION_CONSENT__ANSWER_S": "120", "PATH": "/bin"}
    settings = load(file, environ, port=9002, data=None)
    assert (settings.port, settings.data) == (9002, "/srv/a")
    assert (settings.consent.answer_s, settings.consent.warn_s) == (120, 60)


def test_lists_and_tables_come_as_json_and_truths_as_words() -> None:
    environ = {
        "AVSESSION_MEDIA__ICE_SERVERS": '[{"urls":["turn:turn.example"],"username":"u"}]',
        "AVSESSION_MEDIA__RELAY_ONLY": "true",
        "AVSESSION_CONFIG": "/etc/avsession.toml",
    }
    media = load(None, environ).media
    assert media.ice_servers == (IceServer(urls=("turn:turn.example",), username="u"),)
    assert media.relay_only is True


@pytest.mark.parametrize("text", ["port = ", "port = 1\nport = 2", b"name = '\xff'"], ids=repr)
def test_a_broken_file_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load(path, {})


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load(tmp_path / "none.toml", {})


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        load(None, {}).port = 1  # type: ignore[misc]


# --- nothing is silently ignored

WRONG = [
    ({"AVSESSION_PROT": "1"}, "prot"),
    ({"AVSESSION_MEDIA__ICE": "1"}, "ice"),
    ({"AVSESSION_CONSENT__ANSWER": "1"}, "answer"),
    ({"AVSESSION_": "1"}, ""),
    ({"AVSESSION_MEDIA__ICE_SERVERS": '[{"urls":["stun:a"],"credental":"s"}]'}, "credental"),
    ({"AVSESSION_MEDIA__ICE_SERVERS": '[{"urls":'}, "media.ice_servers is not valid JSON"),
    ({"AVSESSION_MEDIA": "1"}, "media"),
    ({"AVSESSION_PORT": "1", "AVSESSION_PORT__X": "1"}, "port"),
    ({"AVSESSION_PORT": "65536"}, "port"),
    ({"AVSESSION_PORT": "https"}, "port"),
    ({"AVSESSION_LOG_LEVEL": "LOUD"}, "log_level"),
    ({"AVSESSION_LOG_LEVEL": "INFO\n"}, "log_level"),
    ({"AVSESSION_SIGNIN__ABSOLUTE_S": "2000001"}, "absolute_s"),
    ({"AVSESSION_SIGNIN__IDLE_S": "0"}, "idle_s"),
    ({"AVSESSION_MEDIA__DELAY_MS": "401"}, "delay_ms"),
    ({"AVSESSION_CONSENT__ANSWER_S": "19"}, "answer_s"),
    ({"AVSESSION_CONSENT__PURPOSES": "[]"}, "purposes"),
    ({"AVSESSION_CONSENT__PURPOSES": '[{"id":"A b","label":{"en":"x"}}]'}, "id"),
    ({"AVSESSION_CONSENT__PURPOSES": '[{"id":"a\\n","label":{"en":"x"}}]'}, "id"),
    ({"AVSESSION_PUBLIC_URL": "https://[::1"}, "public_url"),
    ({"AVSESSION_PUBLIC_URL": "https://localhost:port"}, "public_url"),
    ({"AVSESSION_PUBLIC_URL": "http://localhost"}, "public_url"),
]


@pytest.mark.parametrize(("environ", "named"), WRONG, ids=[str(line[0]) for line in WRONG])
def test_what_is_unknown_or_out_of_range_is_an_error_that_names_it(
    environ: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(None, environ)
    assert named in str(refused.value)


def test_the_ceiling_of_a_session_is_two_million_seconds() -> None:
    assert load(None, {"AVSESSION_SIGNIN__ABSOLUTE_S": "2000000"}).signin.absolute_s == 2_000_000


QUALITY = PurposeSetting(id="quality", label={"en": "Quality"})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"consent": Consent(answer_s=60, warn_s=60)}, "consent.warn_s"),
        ({"signin": SignIn(idle_s=3600, absolute_s=3599)}, "signin.idle_s"),
        ({"consent": Consent(purposes=(QUALITY, QUALITY))}, "every id must be there once"),
        (
            {"consent": Consent(purposes=(PurposeSetting(id="a", label={"de": "A"}),))},
            "consent.purposes.a: the English label",
        ),
        ({"consent": Consent(legal_basis={"agent": "contract"})}, "legal_basis.customer"),
        ({"consent": Consent(legal_basis={"agent": "", "customer": "x"})}, "legal_basis.agent"),
        (
            {"consent": Consent(legal_basis={"agent": {}, "customer": "x"})},
            "consent.legal_basis.agent is missing",
        ),
        (
            {"consent": Consent(legal_basis={"agent": "x", "customer": {"de": "Vertrag"}})},
            "consent.legal_basis.customer: English",
        ),
        ({"controller": Controller(authority={"de": "LfDI"})}, "controller.authority"),
        ({"media": Media(relay_only=True)}, "media.relay_only"),
    ],
)
def test_settings_that_contradict_each_other(changes: dict[str, Any], named: str) -> None:
    (problem,) = check(msgspec.structs.replace(Settings(), **changes))
    assert named in problem


# --- a public address


def test_a_public_address_needs_everything_and_says_all_that_is_missing() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(None, {"AVSESSION_PUBLIC_URL": "https://support.example"})
    missing = str(refused.value).splitlines()[1:]
    assert [line.split()[1] for line in missing] == [
        "certificate",
        "controller.name",
        "controller.address",
        "controller.contact",
        "controller.dpo",
    ]


def test_a_public_address_with_all_of_it_will_do() -> None:
    settings = load(
        None,
        {
            "AVSESSION_PUBLIC_URL": "https://Support.example",
            "AVSESSION_CERTIFICATE": "/etc/tls/cert.pem",
            "AVSESSION_CERTIFICATE_KEY": "/etc/tls/key.pem",
            "AVSESSION_CONTROLLER__NAME": "Real Ltd",
            "AVSESSION_CONTROLLER__ADDRESS": "2 Real Street",
            "AVSESSION_CONTROLLER__CONTACT": "privacy@real.example",
            "AVSESSION_CONTROLLER__DPO": "dpo@real.example",
            "AVSESSION_ALLOWED_ORIGINS": '["https://WWW.example"]',
        },
    )
    assert not settings.is_loopback
    assert settings.public_host == "support.example"
    assert settings.origins == {"https://support.example", "https://www.example"}


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example", False),
        ("notlocalhost", False),
        ("127.0.0.1.example", False),
        ("192.0.2.1", False),
        ("2130706433", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback_host(host) is loopback


def test_a_phrase_falls_back_to_english() -> None:
    assert phrase({"en": "yes", "de": "ja"}, "de") == "ja"
    assert phrase({"en": "yes", "de": ""}, "de") == "yes"
    assert phrase({"en": "yes"}, "fr") == "yes"


def test_the_origin_is_written_as_browsers_write_it() -> None:
    assert load(None, {}, public_url="https://LocalHost:443/").origin == "https://localhost"


def test_a_table_and_a_key_of_it_may_come_in_any_order() -> None:
    table = ("AVSESSION_CONSENT", '{"answer_s": 90}')
    key = ("AVSESSION_CONSENT__WARN_S", "50")
    for environ in (dict([table, key]), dict([key, table])):
        consent = load(None, environ).consent
        assert (consent.answer_s, consent.warn_s) == (90, 50)


# --- behind a proxy


def test_the_public_address_may_have_a_prefix() -> None:
    settings = Settings(public_url="https://Calls.example.com:443/support/calls/")
    assert settings.base == "/support/calls"
    assert settings.origin == "https://calls.example.com"
    assert settings.address == "https://calls.example.com/support/calls"
    assert Settings().base == ""


@pytest.mark.parametrize("path", ["/a?b", "/a#b", "/a//b", "/../a", "/.a", "/a b", "/a%2Fb", "/ä"])
def test_a_prefix_is_of_plain_names(path: str) -> None:
    with pytest.raises(SettingsInvalid, match="public_url may have a path"):
        load(None, {"AVSESSION_PUBLIC_URL": f"https://localhost{path}"})


def test_proxies_are_addresses_and_networks() -> None:
    known = {"AVSESSION_PROXY__TRUSTED": '["10.0.0.0/8", "::1"]', "AVSESSION_PROXY__PLAIN": "true"}
    assert load(None, known).proxy.plain
    for name, value in (("PROXY__TRUSTED", '["proxy.example"]'), ("METRICS_FROM", '["1.2.3"]')):
        with pytest.raises(SettingsInvalid, match=name.lower().replace("__", ".")):
            load(None, {f"AVSESSION_{name}": value})


def test_plain_http_needs_to_know_its_proxies_and_no_certificate() -> None:
    with pytest.raises(SettingsInvalid, match=r"proxy\.plain needs"):
        load(None, {"AVSESSION_PROXY__PLAIN": "true"})
    public = Settings(public_url="https://calls.example.com")
    behind = Settings(
        public_url="https://calls.example.com",
        proxy=Proxy(trusted=("10.0.0.1",), plain=True),
    )
    assert [one for one in check(public) if "certificate" in one]
    assert not [one for one in check(behind) if "certificate" in one]
