"""coturn's configuration: what it refuses, how much it allows, and that coturn reads all of it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from avsession.errors import SettingsInvalid
from avsession.turn.coturn import SPECIAL_PURPOSE, Place, render
from avsession.turn.credentials import Secret
from avsession.turn.settings import Turn
from tests.support.coturn import running, settings_for

HERE = Place("calls.example", None, None)
SECURE = Place("calls.example", "/etc/cert.pem", "/etc/key.pem")
SECRET = Secret("0123456789abcdef0123456789abcdef")
UDP, TCP = "turn:t.example?transport=udp", "turn:t.example?transport=tcp"
ASKED = [
    *("0.0.0.1", "10.1.2.3", "100.64.0.1", "100.127.255.254", "127.0.0.1", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "::1", "::", "::10.0.0.1", "::ffff:10.0.0.1", "ff02::1"),
    *("64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "fd12::1"),
    *("2001:db8::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fe80::1", "fec0::1"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000:ff::1", "100:0:0:1::1"),
    # the last of each, where a range one bit shorter would end before it
    *("0.255.255.255", "10.255.255.255", "127.255.255.255", "169.254.255.255", "192.0.0.255"),
    *("192.0.2.255", "192.31.196.255", "192.52.193.255", "192.88.99.255", "192.168.255.255"),
    *("192.175.48.255", "198.51.100.255", "203.0.113.255", "239.255.255.255", "247.255.255.255"),
    *("2001:1ff:ffff::1", "2001:db8:ffff::1", "2002:ffff::1", "2620:4f:8000:ffff::1"),
    *("3fff:fff::1", "169.254.0.1", "::192.168.1.1"),
    *("5f00:ffff::1", "fdff:ffff::1", "febf:ffff::1", "feff:ffff::1", "ffff::1", "100::ffff:0:0:1"),
    *("64:ff9b::ffff:ffff", "64:ff9b:1:ffff::1", "100:0:0:1:ffff::1", "::ffff:255.255.255.255"),
]
TLS = "turns:t.example:443?transport=tcp"


def lines(turn: Turn, place: Place = HERE) -> list[str]:
    return render(turn, place, SECRET).splitlines()


def test_it_says_what_every_deployment_needs() -> None:
    told = lines(Turn(urls=(UDP, TCP, TLS), secret_file="x"), SECURE)
    for line in (
        "use-auth-secret",
        f"static-auth-secret={SECRET.value}",
        "realm=calls.example",
        "stale-nonce=600",
        "fingerprint",
        "listening-port=3478",
        "tls-listening-port=443",
        "cert=/etc/cert.pem",
        "pkey=/etc/key.pem",
        "no-tlsv1",
        "no-tlsv1_1",
        "no-dtls",
        "min-port=49152",
        "max-port=65535",
        "user-quota=40",
        "total-quota=4000",
        "max-bps=500000",
        "bps-capacity=250000000",
        "no-tcp-relay",
        "no-multicast-peers",
        "no-cli",
    ):
        assert line in told
    assert not [line for line in told if line.startswith("allow")], "nothing is excepted"
    assert not {"no-udp", "no-tcp", "no-tls"} & set(told)


def test_only_what_has_a_url_is_opened() -> None:
    assert {"no-tcp", "no-tls"} <= set(lines(Turn(urls=(UDP,), secret_file="x")))
    only_tls = set(lines(Turn(urls=(TLS,), secret_file="x"), SECURE))
    assert {"no-udp", "no-tcp"} <= only_tls
    assert "listening-port=3478" not in only_tls


def test_the_secret_stands_in_it_only_when_it_is_given() -> None:
    text = render(Turn(urls=(UDP,), secret_file="/etc/turn.secret"), HERE, None)
    assert not re.search(r"^static-auth-secret", text, re.MULTILINE)
    assert "/etc/turn.secret" in text


@pytest.mark.parametrize(
    ("turn", "named"),
    [
        (Turn(), "turn.urls"),
        (Turn(urls=(UDP, "turn:t.example:80?transport=tcp"), secret_file="x"), "one port"),
        (Turn(urls=(UDP, TLS), secret_file="x"), "certificate"),
    ],
)
def test_what_no_coturn_can_be_is_an_error(turn: Turn, named: str) -> None:
    with pytest.raises(SettingsInvalid, match=named):
        render(turn, HERE, SECRET)


def test_every_special_purpose_address_is_refused() -> None:
    table = [ipaddress.ip_network(network) for network, _ in SPECIAL_PURPOSE]
    for text in ASKED:
        address = ipaddress.ip_address(text)
        assert any(address.version == n.version and address in n for n in table), text
    for text in ("8.8.8.8", "100.63.255.255", "172.32.0.1", "2a00::1", "2600::1"):
        address = ipaddress.ip_address(text)
        assert not any(address.version == n.version and address in n for n in table), text


def test_ranges_are_whole_and_none_begins_at_nothing() -> None:
    told = lines(Turn(urls=(UDP,), secret_file="x", allowed_peers=("10.0.0.7", "fd00::/120")))
    assert "denied-peer-ip=10.0.0.0-10.255.255.255" in told
    assert "allowed-peer-ip=10.0.0.7" in told
    assert "allowed-peer-ip=fd00::-fd00::ff" in told
    refused = [line for line in told if line.startswith("denied-peer-ip=")]
    assert len(refused) == len(SPECIAL_PURPOSE)
    # coturn takes a range from :: for one without a beginning, and refuses every IPv4 peer
    assert not [line for line in refused if line.startswith("denied-peer-ip=::-")]
    assert not [line for line in told if re.match(r"[a-z].*#", line)], (
        "coturn knows no such comment"
    )


async def test_coturn_reads_every_line(tmp_path: Path) -> None:
    """It starts in spite of lines that it cannot read, and says so in its log only."""
    async with running(settings_for(tmp_path), tmp_path) as relay:
        said = relay.log.read_text()
    for wrong in ("Wrong address", "Bad configuration", "unknown", "Unrecognized", "ERROR: Wrong"):
        assert wrong.lower() not in said.lower(), said
