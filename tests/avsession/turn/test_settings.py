"""TURN URLs, and the [turn] table: what does not fit together is said."""

from __future__ import annotations

from typing import Any

import pytest

from avsession.config import Media, Settings, check, load
from avsession.errors import Invalid, SettingsInvalid
from avsession.messages import IceServer
from avsession.turn.settings import Address, Turn, parse, problems

UDP = "turn:turn.example:3478?transport=udp"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("turn:turn.example", Address("turn.example", 3478, "udp", tls=False)),
        ("turn:192.0.2.1:80?transport=tcp", Address("192.0.2.1", 80, "tcp", tls=False)),
        ("turns:turn.example", Address("turn.example", 5349, "tcp", tls=True)),
        ("turns:turn.example:443?transport=tcp", Address("turn.example", 443, "tcp", tls=True)),
    ],
)
def test_urls_are_read(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "stun:turn.example",
        "turn://turn.example",
        "turn:",
        "turn:user@turn.example",
        "turn:turn.example:70000",
        "turn:turn.example:0",
        "turn:turn.example?transport=sctp",
        "turns:turn.example?transport=udp",
        "turn:[2001:db8::1]:3478",
        "turn:turn.example\n",
        "turn:turn.example?transport=udp&x=1",
    ],
)
def test_what_is_no_turn_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        parse(url)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"urls": (UDP,)}, "turn.secret_file"),
        ({"secret_file": "x"}, "turn.urls"),
        ({"recorder_urls": (UDP,)}, "turn.urls"),
        ({"urls": ("turn:a b",), "secret_file": "x"}, "turn.urls: turn:a b"),
        ({"recorder_urls": ("x:y:z",), "urls": (UDP,), "secret_file": "x"}, "turn.recorder_urls"),
        ({"certificate": "x"}, "turn.certificate_key"),
        ({"min_port": 50_000, "max_port": 50_001}, "turn.max_port"),
        ({"min_port": 50_000, "max_port": 50_100}, "turn.total_quota"),
        ({"session_bitrate": 10_000_000, "total_bitrate": 9_000_000}, "turn.session_bitrate"),
        ({"listen": ("turn.example",)}, "turn.listen"),
        ({"external_ip": "1.2.3"}, "turn.external_ip"),
        ({"allowed_peers": ("10.0.0.1/8",)}, "turn.allowed_peers"),
    ],
)
def test_what_does_not_fit_together_is_named(table: dict[str, Any], named: str) -> None:
    said = problems(Turn(**table))
    assert [sentence for sentence in said if named in sentence], said


def test_what_fits_has_no_problems() -> None:
    turn = Turn(urls=(UDP,), secret_file="x", listen=("::1",), allowed_peers=("10.0.0.1",))
    assert problems(turn) == []
    assert problems(Turn()) == []
    assert turn.for_recorder == turn.urls


STATIC = (IceServer(urls=("turn:turn.example",), username="u", credential="c"),)
STUN = (IceServer(urls=("stun:stun.example",)),)
OWN = Turn(urls=(UDP,), secret_file="x")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"media": Media(relay_only=True, ice_servers=STUN)}, "media.ice_servers"),
        ({"media": Media(ice_servers=STATIC), "turn": OWN}, "media.ice_servers must name no TURN"),
        ({"media": Media(recorder_ice_servers=STATIC), "turn": OWN}, "media.recorder_ice_servers"),
    ],
)
def test_relays_of_two_kinds_or_none_are_refused(settings: dict[str, Any], named: str) -> None:
    said = check(Settings(**settings))
    assert [sentence for sentence in said if named in sentence], said


@pytest.mark.parametrize(
    "settings",
    [
        {"media": Media(relay_only=True), "turn": OWN},
        {"media": Media(ice_servers=STUN), "turn": OWN},
        {"media": Media(relay_only=True, ice_servers=STATIC)},
    ],
)
def test_what_can_relay_may_be_relay_only(settings: dict[str, Any]) -> None:
    assert check(Settings(**settings)) == []


def test_it_is_a_table_like_the_others() -> None:
    environ = {
        "AVSESSION_TURN__URLS": f'["{UDP}"]',
        "AVSESSION_TURN__SECRET_FILE": "/run/secrets/turn",
        "AVSESSION_TURN__TTL_S": "120",
    }
    assert load(None, environ).turn == Turn(urls=(UDP,), secret_file="/run/secrets/turn", ttl_s=120)
    with pytest.raises(SettingsInvalid, match="secret"):
        load(None, {**environ, "AVSESSION_TURN__SECRET": "no such key"})
    with pytest.raises(SettingsInvalid, match="ttl_s"):
        load(None, {**environ, "AVSESSION_TURN__TTL_S": "5"})
