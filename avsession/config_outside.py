"""Settings of what reaches other companies' servers: webhooks. See ``avsession.config``."""

from __future__ import annotations

import ipaddress
import urllib.parse
from typing import Annotated

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of settings."""


class Endpoint(Section, frozen=True, kw_only=True):
    """Somebody who is told what happens in sessions."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
    """What admins know it by; stands beside each delivery."""
    url: Annotated[str, Meta(max_length=2000)]
    secret_file: str
    """A file of secrets; ``avsession.webhooks.signing`` says which."""
    events: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """Kinds and groups of EVENTS.md; empty: all of them."""
    internal: bool = False
    """Whether its name may lead to an address that is not public: in one's own network."""


class Webhooks(Section, frozen=True, kw_only=True):
    """Telling other systems what happens."""

    endpoints: Annotated[tuple[Endpoint, ...], Meta(max_length=16)] = ()
    timeout_s: Annotated[int, Meta(ge=1, le=60)] = 10
    """How long one attempt may take in all."""
    at_once: Annotated[int, Meta(ge=1, le=32)] = 4
    """Attempts that one endpoint has in flight at most."""


def is_loopback_host(host: str) -> bool:
    """Whether ``host`` is ``localhost``, a name under it, or a loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_problem(url: str) -> str | None:
    """What is wrong with the address of another server; None when it can be used.

    It must be ``https://``, or ``http://`` to this very machine.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if not host or parts.scheme not in ("https", "http") or parts.fragment:
        return "is not an https:// URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or a password"
    if parts.scheme == "http" and not is_loopback_host(host):
        return "must begin with https://"
    return None


def webhook_problems(settings: Webhooks) -> list[str]:
    """What is wrong, a sentence each."""
    names = [one.name for one in settings.endpoints]
    found = [(one.name, address_problem(one.url)) for one in settings.endpoints]
    problems = [f"webhooks.endpoints.{name}.url {wrong}" for name, wrong in found if wrong]
    if len(set(names)) != len(names):
        problems.append("webhooks.endpoints: every name must be there once")
    return problems
