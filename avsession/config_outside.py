"""Settings of what reaches other companies' servers: webhooks, and staff's sign-in by OpenID
Connect. See ``avsession.config``."""

from __future__ import annotations

import ipaddress
import urllib.parse
from typing import Annotated, Literal

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


class RoleOf(Section, frozen=True, kw_only=True):
    """Who has one value in their claim has this role."""

    value: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Literal["agent", "admin"]


class Company(Section, frozen=True, kw_only=True):
    """Staff sign in where they sign in for everything else: OpenID Connect, beside local accounts.

    Whom no entry of ``roles`` fits is refused.
    """

    issuer: Annotated[str, Meta(max_length=500)] | None = None
    """The provider's issuer identifier, to the letter; none: there is no such sign-in."""
    name: Annotated[str, Meta(min_length=1, max_length=60)] = "your company"
    """What stands on the button."""
    client_id: Annotated[str, Meta(max_length=200)] = ""
    client_secret_file: str | None = None
    """A file with the client's secret; none: a public client, by PKCE alone."""
    scopes: Annotated[tuple[str, ...], Meta(max_length=16)] = ("openid", "profile")
    role_claim: Annotated[str, Meta(min_length=1, max_length=100)] = "groups"
    """The claim of the ID token that roles follow from: a text, or a list of texts. ``email``
    counts with ``email_verified`` alone."""
    roles: Annotated[tuple[RoleOf, ...], Meta(max_length=64)] = ()
    """The first that fits gives the role."""
    name_claim: Annotated[str, Meta(min_length=1, max_length=100)] = "name"
    """The claim that is the display name."""
    internal: bool = False
    """Whether the provider may have an address that is not public."""


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

    It must be ``https://``, or ``http://`` to this very machine, its host in ASCII.
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
    if not host.isascii():
        # what looks like a name can be an address, written in other digits and dots
        return "must name its host in ASCII (a name in other letters as xn--…)"
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


def company_problems(settings: Company) -> list[str]:
    """What is wrong, a sentence each."""
    if settings.issuer is None:
        return []
    problems = []
    if (wrong := address_problem(settings.issuer)) is not None:
        problems.append(f"company.issuer {wrong}")
    if "?" in settings.issuer:
        problems.append("company.issuer must have no query")
    if not settings.client_id:
        problems.append("company.client_id is missing")
    if "openid" not in settings.scopes:
        problems.append("company.scopes must hold openid")
    if not settings.roles:
        problems.append("company.roles is empty: nobody could sign in")
    return problems


def outside_problems(webhooks: Webhooks, company: Company) -> list[str]:
    """What is wrong with either, a sentence each."""
    return webhook_problems(webhooks) + company_problems(company)
