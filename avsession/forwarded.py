"""Who really asks, when a reverse proxy stands in front.

Forwarded headers are anybody's to send. They are believed only as far as addresses that are
configured as proxies go: from the connection's own peer back, hop by hop, until the first address
that is no proxy of ours. That one is the client; what stands to its left was said by the client.

Only one kind of header is read. A proxy that sets ``X-Forwarded-For`` passes a client's
``Forwarded`` on untouched, and the other way round: whoever reads both believes strangers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Header = Literal["x-forwarded", "forwarded"]
"""Which headers the proxies set: ``X-Forwarded-For`` and ``-Proto``, or RFC 7239's one."""

MOST_HOPS = 32
"""Hops that are looked at, from the nearest; what came through more is the last one's."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PAIR = re.compile(
    r"""[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
        (?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+)|"(?P<quoted>(?:[^"\\]|\\.)*)")
        [ \t]*(?P<end>[;,]|$)""",
    re.VERBOSE,
)
_PORT = re.compile(r":[0-9]{1,5}$")


class Seen(NamedTuple):
    """A request's origin: the client's address, and the scheme it asked by, where a proxy says."""

    address: str
    scheme: str | None = None


class Proxies:
    """The proxies whose word counts. Raises ValueError for what is no address or network."""

    def __init__(self, trusted: Sequence[str] = (), header: Header = "x-forwarded") -> None:
        self._networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(one, strict=False) for one in trusted
        )
        self._header = header

    def trusts(self, address: str) -> bool:
        """Whether a connection from ``address`` comes from a proxy of ours."""
        return within(address, self._networks)

    def seen(self, peer: str, values: Callable[[str], Sequence[str]]) -> Seen:
        """Who asks, by the connection's ``peer`` and the request's headers.

        ``values``: each value of the header of this name, in their order. Without a proxy of ours
        at the other end no header counts. Something unreadable ends the way back: then it is the
        proxy that passed it on who counts.
        """
        if not self.trusts(peer):
            return Seen(peer)
        hops = _forwarded(values) if self._header == "forwarded" else _x_forwarded(values)
        address, scheme = peer, None
        for hop in reversed(hops[-MOST_HOPS:]):
            scheme = hop.scheme or scheme
            if not (plain := _address(hop.address)):
                break
            address = plain
            if not self.trusts(plain):
                break
        return Seen(address, scheme)


def within(address: str, networks: Sequence[_Network]) -> bool:
    """Whether the address lies in one of the networks. What is no address lies in none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in networks)


def _x_forwarded(values: Callable[[str], Sequence[str]]) -> list[Seen]:
    """The hops, the nearest last; the scheme is the one that the nearest proxy says."""
    addresses = [one.strip() for value in values("X-Forwarded-For") for one in value.split(",")]
    schemes = [one.strip() for value in values("X-Forwarded-Proto") for one in value.split(",")]
    scheme = schemes[-1].lower() if schemes else None
    if not addresses:
        return [Seen("", scheme)]
    return [*(Seen(one) for one in addresses[:-1]), Seen(addresses[-1], scheme)]


def _forwarded(values: Callable[[str], Sequence[str]]) -> list[Seen]:
    """The elements (RFC 7239 section 4), the nearest last; from what is malformed on, none."""
    hops: list[Seen] = []
    for value in values("Forwarded"):
        at, element = 0, dict[str, str]()
        while at < len(value):
            if (pair := _PAIR.match(value, at)) is None:
                # nothing before this can be told apart from what a client made up
                hops.append(Seen(""))
                break
            quoted = pair["quoted"]
            said = pair["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            element[pair["name"].lower()] = said
            at = pair.end()
            if pair["end"] != ";":
                hops.append(Seen(element.get("for", ""), element.get("proto", "").lower() or None))
                element = {}
    return hops


def _address(text: str) -> str:
    """The address of a hop, without port and brackets; "" for ``unknown`` and the like."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = _PORT.sub("", text)
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(ip, "ipv4_mapped", None) or ip)
