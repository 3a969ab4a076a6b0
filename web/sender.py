"""Asking other servers: the one place that connects outwards over HTTP.

What an admin set is trusted as far as naming a server, and no further. A name must lead to public
addresses (the very ones that were checked are connected to, so a name that changes in between
gains nothing), redirects are not followed, no proxy of the environment is used, nothing is kept
open, and of an answer no more is read than its head.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import Mapping

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from avsession.ports import NotReached
from avsession.turn.coturn import SPECIAL_PURPOSE

AGENT = "avsession"
NOT_PUBLIC = tuple(ipaddress.ip_network(text) for text, _ in SPECIAL_PURPOSE)
"""The registries' special-purpose ranges, those among them that hold other addresses inside (NAT64,
6to4, Teredo), and site-local ones of old: the standard library knows some of them only."""


def is_public(text: str) -> bool:
    """Whether an IP address is a plain public one: not of a private, local or special range."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address.version == one.version and address in one for one in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@dataclasses.dataclass(frozen=True)
class Answer:
    """The head of what came back. ``retry_after_s``: 0 when the other one said nothing usable."""

    status: int
    retry_after_s: int = 0


class _NotPublic(OSError):
    """A name leads to an address that must not be connected to."""


class _Resolver(AbstractResolver):
    """Resolves names, and refuses those that lead to a special-purpose address."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise _NotPublic(host)
        return found

    async def close(self) -> None:
        await self._inner.close()


def session(*, internal: bool, context: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A client for one request. With ``internal`` it connects to any address.

    An address that stands in the URL itself is not seen by it: ask :func:`allowed` first.
    """
    connector = aiohttp.TCPConnector(
        resolver=None if internal else _Resolver(),
        use_dns_cache=False,
        force_close=True,
        ssl=context if context is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers={"User-Agent": AGENT},
        auto_decompress=False,
    )


def allowed(url: str, *, internal: bool) -> None:
    """Raise NotReached when the URL itself names an address that is not a public one.

    What counts is the host that the client makes of the URL: it reads digits of any script, and
    dots that only look like one. A host that is not ASCII is refused: a name can be written as
    ``xn--…``.
    """
    try:
        written = urllib.parse.urlsplit(url).hostname or ""
        host = yarl.URL(url).raw_host or ""
    except ValueError as error:
        raise NotReached("address") from error
    if not written.isascii() or not host.isascii():
        raise NotReached("address")
    for one in (written, host):
        try:
            ipaddress.ip_address(one)
        except ValueError:
            continue
        if not internal and not is_public(one):
            raise NotReached("address")


class HttpSender:
    """``ports.Sender`` over aiohttp. ``context``: how TLS is checked, the system's way if None."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, internal: bool
    ) -> Answer:
        """As ``ports.Sender.post``; the codes are ``address``, ``tls``, ``timeout``, ``connect``
        and ``answer`` (what came was no HTTP)."""
        allowed(url, internal=internal)
        try:
            async with (
                asyncio.timeout(timeout_s),
                session(internal=internal, context=self._context) as client,
                client.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return Answer(response.status, _seconds(response.headers.get("Retry-After", "")))
        except TimeoutError as error:
            raise NotReached("timeout") from error
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            # a name that no resolver takes is a UnicodeError
            raise NotReached(why(error)) from error


def why(error: BaseException) -> str:
    """A code for what went wrong on the way."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, _NotPublic):
            return "address"
        chain = chain.__cause__ or chain.__context__
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect"
    return "answer" if isinstance(error, aiohttp.ClientResponseError) else "connect"


def _seconds(text: str) -> int:
    """``Retry-After`` in seconds; a date, or anything else, is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
