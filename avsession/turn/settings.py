"""The ``[turn]`` table of the settings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from avsession.errors import Invalid
from avsession.messages.common import IceServer

_URL = re.compile(
    r"(?P<scheme>turns?):(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True)
class Address:
    """Where a TURN server listens, as one of its URLs says."""

    host: str
    """A name or an IPv4 address."""
    port: int
    transport: str
    """``udp`` or ``tcp``."""
    tls: bool


def parse(url: str) -> Address:
    """What a TURN URL says (RFC 7065); raises Invalid.

    ``turn:`` with ``transport`` udp (also when none is given) or tcp, port 3478 unless given;
    ``turns:``, TLS over TCP, port 5349 unless given. No IPv6 literals: the recorder's library
    cannot read them; give a name.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise Invalid(
            "A TURN URL is turn:HOST, turn:HOST:PORT?transport=udp, the same with tcp, or "
            "turns:HOST:PORT?transport=tcp; HOST is a name or an IPv4 address."
        )
    tls = match["scheme"] == "turns"
    transport = match["transport"] or ("tcp" if tls else "udp")
    if tls and transport == "udp":
        raise Invalid("turns: means TLS over TCP; no browser speaks it over UDP.")
    port = int(match["port"] or (5349 if tls else 3478))
    if not 0 < port < 65_536:
        raise Invalid("The port is out of range.")
    return Address(match["host"], port, transport, tls)


Url = Annotated[str, Meta(min_length=6, max_length=300)]
Port = Annotated[int, Meta(ge=1024, le=65_535)]


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The relay: where it is, the secret shared with it, and what it may be used for."""

    urls: Annotated[tuple[Url, ...], Meta(max_length=8)] = ()
    """Handed to the browsers, and to the recorder for its legs."""
    recorder_urls: Annotated[tuple[Url, ...], Meta(max_length=8)] = ()
    """Handed to the recorder instead, such as an address inside; one is used at a time."""
    secret_file: str | None = None
    """A file with the secret shared with coturn, on one line."""
    realm: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,127}$(?!\n)")] | None = None
    ttl_s: Annotated[int, Meta(ge=20, le=86_400)] = 3600
    """How long credentials are good at most. They are handed out anew after half of it."""
    listen: Annotated[tuple[str, ...], Meta(max_length=16)] = ()
    """Addresses that coturn listens at and relays from."""
    external_ip: str | None = None
    """The public address, where coturn stands behind NAT."""
    certificate: str | None = None
    certificate_key: str | None = None
    min_port: Port = 49_152
    max_port: Port = 65_535
    user_quota: Annotated[int, Meta(ge=4, le=1000)] = 40
    """Allocations that one party of one session may have at once."""
    total_quota: Annotated[int, Meta(ge=8, le=60_000)] = 4000
    session_bitrate: Annotated[int, Meta(ge=64_000, le=1_000_000_000)] = 4_000_000
    """Of one allocation, each way, bit/s."""
    total_bitrate: Annotated[int, Meta(ge=64_000, le=400_000_000_000)] = 2_000_000_000
    """Of all allocations together, bit/s; each reserves its ``session_bitrate``."""
    allowed_peers: Annotated[tuple[str, ...], Meta(max_length=16)] = ()
    """Addresses or networks to which coturn relays though they are special-purpose ones: the
    recorder's, where it has no public address and does not use TURN."""

    @property
    def for_recorder(self) -> tuple[str, ...]:
        """The URLs that the recorder is given."""
        return self.recorder_urls or self.urls


def problems(turn: Turn) -> list[str]:
    """What does not fit together, a sentence each."""
    found = [
        f"turn.{key}: {url}: {wrong}"
        for key in ("urls", "recorder_urls")
        for url in getattr(turn, key)
        if (wrong := _wrong(url))
    ]
    if turn.urls and not turn.secret_file:
        found.append("turn.secret_file must name the file with the secret shared with coturn")
    if not turn.urls and (turn.secret_file or turn.recorder_urls):
        found.append("turn.urls must name the TURN server; without it nothing of [turn] is used")
    if (turn.certificate is None) != (turn.certificate_key is None):
        found.append("turn.certificate and turn.certificate_key belong together")
    if turn.max_port - turn.min_port < 15:
        found.append("turn.max_port must exceed turn.min_port by 15 at least")
    elif turn.total_quota > turn.max_port - turn.min_port + 1:
        found.append("turn.total_quota needs as many ports between turn.min_port and max_port")
    if turn.session_bitrate > turn.total_bitrate:
        found.append("turn.session_bitrate must not exceed turn.total_bitrate")
    addresses = [("listen", one) for one in turn.listen]
    addresses += [("external_ip", turn.external_ip)] if turn.external_ip else []
    found += [f"turn.{key}: {one} is not an IP address" for key, one in addresses if not _ip(one)]
    found += [
        f"turn.allowed_peers: {one} is not an IP address or network"
        for one in turn.allowed_peers
        if not _network(one)
    ]
    return found


def relay_problems(
    turn: Turn, media: Mapping[str, Sequence[IceServer]], *, relay_only: bool
) -> list[str]:
    """What does not fit together between ``turn`` and the servers in the ``[media]`` table."""
    has = {
        key: any(url.startswith(("turn:", "turns:")) for one in servers for url in one.urls)
        for key, servers in media.items()
    }
    if turn.urls:
        return [
            f"media.{key} must name no TURN server beside turn.urls: its credentials never end"
            for key, there in has.items()
            if there
        ]
    if relay_only and not has["ice_servers"]:
        return ["media.relay_only needs a TURN server: set turn.urls, or one in media.ice_servers"]
    return []


def _wrong(url: str) -> str:
    try:
        parse(url)
    except Invalid as error:
        return str(error)
    return ""


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
