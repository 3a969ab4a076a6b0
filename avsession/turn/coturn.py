"""coturn's configuration file, made from the settings: ``avsession turn config``.

A TURN server relays for whoever has credentials to whatever it can reach, so what it may reach is
most of its configuration: nothing that is special-purpose by RFC 6890 and the registries that keep
it up to date, unless the settings allow it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from avsession.errors import SettingsInvalid
from avsession.turn.credentials import Secret
from avsession.turn.settings import Turn, parse

SPECIAL_PURPOSE = (
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared, behind carriers' NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, clouds' metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, broadcast"),
    ("::/96", "unspecified, loopback, IPv4-compatible"),
    ("::ffff:0:0/96", "IPv4-mapped: every address above once more"),
    ("64:ff9b::/96", "translated IPv4"),
    ("64:ff9b:1::/48", "translated IPv4, local"),
    ("100::/64", "discard"),
    ("100:0:0:1::/64", "dummy"),
    ("2001::/23", "protocol assignments, Teredo, ORCHID"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4: IPv4 inside"),
    ("2620:4f:8000::/48", "AS112"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local, of old"),
    ("ff00::/8", "multicast"),
)
"""What is refused as a peer, and what it is."""

STALE_NONCE_S = 600


@dataclass(frozen=True)
class Place:
    """What the file needs besides the ``[turn]`` table."""

    realm: str
    certificate: str | None
    certificate_key: str | None


def render(turn: Turn, place: Place, secret: Secret | None) -> str:
    """The file. Without ``secret`` its line is a comment.

    Raises SettingsInvalid when there is no ``turn.urls``, when one scheme's URLs name several
    ports, or when ``turns:`` has no certificate.
    """
    listening = [parse(url) for url in turn.urls]
    if not listening:
        raise SettingsInvalid("turn.urls is not set: there is no TURN server to configure.")
    plain = _port({one.port for one in listening if not one.tls}, "turn:")
    tls = _port({one.port for one in listening if one.tls}, "turns:")
    transports = {one.transport for one in listening if not one.tls}
    lines = [
        "# coturn (turnserver -c FILE), made by `avsession turn config`. Settings: [turn].",
        "",
        "# Credentials: only avsession's, each for one party of one session, and short-lived.",
        "use-auth-secret",
        _secret_line(turn, secret),
        f"realm={turn.realm or place.realm}",
        f"stale-nonce={STALE_NONCE_S}",
        "secure-stun" if tls and not plain else "no-rfc5780",
        "fingerprint",
        "",
        "# Where it listens.",
        *(f"listening-ip={one}\nrelay-ip={one}" for one in turn.listen),
        *([f"external-ip={turn.external_ip}"] if turn.external_ip else []),
        *([f"listening-port={plain}"] if plain else ["no-udp", "no-tcp"]),
        *(f"no-{one}" for one in ("udp", "tcp") if plain and one not in transports),
        *(_tls(turn, place, tls) if tls else ["no-tls"]),
        "no-dtls",
        f"min-port={turn.min_port}",
        f"max-port={turn.max_port}",
        "",
        "# How much: allocations of one party and of all, bytes a second of one and of all.",
        f"user-quota={turn.user_quota}",
        f"total-quota={turn.total_quota}",
        f"max-bps={turn.session_bitrate // 8}",
        f"bps-capacity={turn.total_bitrate // 8}",
        "",
        "# Whereto: datagrams only, and to no special-purpose address (RFC 6890).",
        "no-tcp-relay",
        "no-multicast-peers",
        *(f"# {what}\ndenied-peer-ip={_range(network)}" for network, what in SPECIAL_PURPOSE),
        *(f"allowed-peer-ip={_range(network)}" for network in turn.allowed_peers),
        "",
        "# Nothing else: no console, no accounts, no version told, no names in its log.",
        "no-cli",
        "no-software-attribute",
        "no-auth-pings",
        "no-dynamic-ip-list",
        "no-dynamic-realms",
        "log-file=stdout",
        "simple-log",
    ]
    return "\n".join(lines) + "\n"


def _secret_line(turn: Turn, secret: Secret | None) -> str:
    if secret is None:
        return f"# static-auth-secret=…  what {turn.secret_file} has; --to FILE writes it"
    return f"static-auth-secret={secret.value}"


def _tls(turn: Turn, place: Place, port: int) -> list[str]:
    certificate = turn.certificate or place.certificate
    key = turn.certificate_key or place.certificate_key
    if certificate is None or key is None:
        raise SettingsInvalid(
            "turns: needs a certificate: set turn.certificate and turn.certificate_key, or the "
            "server's own certificate and certificate_key."
        )
    return [
        f"tls-listening-port={port}",
        f"cert={certificate}",
        f"pkey={key}",
        "no-tlsv1",
        "no-tlsv1_1",
    ]


def _port(ports: set[int], scheme: str) -> int | None:
    if len(ports) > 1:
        raise SettingsInvalid(
            f"turn.urls: one coturn listens at one port for all its {scheme} URLs."
        )
    return next(iter(ports), None)


def _range(network: str) -> str:
    """First and last address: what every version of coturn can read."""
    found = ipaddress.ip_network(network)
    if found.num_addresses == 1:
        return str(found[0])
    # to coturn a range from :: has no beginning: it would refuse every IPv4 address, too
    first = found[1] if found.version == 6 and found[0].is_unspecified else found[0]
    return f"{first}-{found[-1]}"
